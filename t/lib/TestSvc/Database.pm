package TestSvc::Database;
# The database engine that the suites run on: SQLite's files, or a private PostgreSQL or MariaDB server. A database is
# named by the path that its SQLite file has or would have.
use strict;
use warnings FATAL => 'all';
use Carp 'croak';
use DBI ();
use Digest::MD5 'md5_hex';
use Fcntl qw(:flock F_SETLKW F_WRLCK SEEK_SET);
use File::Copy 'copy';
use POSIX ();
use Time::HiRes qw(sleep time);

my %Driver = (pgsql => 'Pg', mysql => 'MariaDB');
my %Name   = (sqlite3 => 'SQLite', pgsql => 'PostgreSQL', mysql => 'MariaDB');
my $Shared;

# Where Debian and others put what starts a server.
my @Path = (split(/:/, $ENV{PATH} || ''), reverse(sort glob '/usr/lib/postgresql/*/bin'), '/usr/sbin', '/usr/libexec');

sub new {
    my ($class, $engine, $dir) = @_;
    croak "no engine $engine: say sqlite3, pgsql or mysql" unless $Name{$engine};
    return bless { engine => $engine, dir => $dir, made => {} }, $class;
}

# The one of t/suites.pl, which has started it.
sub shared { return $Shared ||= $_[0]->new($ENV{TEST_DB} || 'sqlite3', $ENV{TEST_DB_DIR}) }

sub engine  { return $_[0]{engine} }
sub name    { return $Name{ $_[0]{engine} } }
sub is_file { return $_[0]{engine} eq 'sqlite3' }

sub program {
    my ($name) = @_;
    my ($found) = grep { -x } map { "$_/$name" } @Path;
    return $found;
}

# What is missing to start one; undef: nothing.
sub lacks {
    my ($self) = @_;
    return undef if $self->is_file;
    my @missing = grep { !program($_) }
        $self->{engine} eq 'pgsql' ? qw(initdb postgres) : qw(mariadbd mariadb-install-db my_print_defaults);
    push @missing, "DBD::$Driver{ $self->{engine} }" unless eval "require DBD::$Driver{ $self->{engine} }; 1";
    return @missing ? join ', ', @missing : undef;
}

# --- the server: started, stopped and ill-treated by its pid --------------------------------------------------

sub run {
    my ($self, @command) = @_;
    my $pid = fork;
    croak "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', "$self->{dir}/log" or POSIX::_exit(126);
        open STDERR, '>&', \*STDOUT;
        { no warnings; exec @{ $self->{as} || [] }, @command }
        POSIX::_exit(127);
    }
    return $pid;
}

sub make {   # an empty cluster; small, but with fsync, and deaf but for one socket
    my ($self) = @_;
    my @command = $self->{engine} eq 'pgsql'
        ? (program('initdb'), '-D', "$self->{dir}/data", '-A', 'trust', '-U', 'svc', '-E', 'UTF8', '--locale=C', '-N')
        : (program('mariadb-install-db'), '--no-defaults', "--datadir=$self->{dir}/data", '--skip-test-db', '--skip-name-resolve',
           '--auth-root-authentication-method=normal', '--innodb-buffer-pool-size=32M', '--innodb-log-file-size=16M');
    waitpid $self->run(@command), 0;
    croak "$command[0] failed: " . $self->log if $?;
    return if $self->{engine} ne 'pgsql';
    open my $conf, '>>', "$self->{dir}/data/postgresql.conf" or croak "postgresql.conf: $!";
    print $conf "listen_addresses = ''\nunix_socket_directories = '$self->{dir}'\nshared_buffers = 16MB\n",
        "max_connections = 400\nmax_wal_size = 128MB\nlog_min_messages = warning\n";
    close $conf or croak "postgresql.conf: $!";
}

# With AS (a command in a list) it runs as another user, whom DIR belongs to.
sub start {
    my ($self, @as) = @_;
    return $self if $self->is_file;
    $self->{as} = \@as if @as;
    mkdir $self->{dir} unless -d $self->{dir};
    if ($ENV{MARIADB_HOME} && !-e "$ENV{MARIADB_HOME}/my.cnf") {   # for libmariadb in httpd: t/check.sh sets it
        open my $conf, '>', "$ENV{MARIADB_HOME}/my.cnf" or croak "my.cnf: $!";
        print $conf "[svc]\nconnect-timeout=4\n";
        close $conf or croak "my.cnf: $!";
    }
    $self->make unless -d "$self->{dir}/data";
    my $pid = $self->run($self->{engine} eq 'pgsql'
        ? (program('postgres'), '-D', "$self->{dir}/data")
        : (program('mariadbd'), '--no-defaults', "--datadir=$self->{dir}/data", "--socket=$self->{dir}/mysql.sock", '--skip-networking',
           '--innodb-buffer-pool-size=32M', '--innodb-log-file-size=16M', '--max-connections=400', '--performance-schema=OFF',
           '--innodb-flush-log-at-trx-commit=1', '--pid-file=server.pid'));
    $self->{child} = $pid;
    my $deadline = time + 30;
    until (eval { $self->admin->disconnect; 1 }) {
        my $why = $@;
        croak $self->name . ' does not start: ' . $self->log if waitpid($pid, POSIX::WNOHANG) == $pid;
        croak $self->name . " cannot be reached: $why" . $self->log if time > $deadline;
        sleep 0.05;
    }
    return $self;
}

sub log {   # its last lines
    my ($self) = @_;
    open my $log, '<', "$self->{dir}/log" or return '';
    my @lines = <$log>;
    return join '', "the last of $self->{dir}/log:\n", splice @lines, @lines > 30 ? -30 : 0;
}

sub pid {   # of the server itself, not of a program that starts it
    my ($self) = @_;
    open my $file, '<', "$self->{dir}/data/" . ($self->{engine} eq 'pgsql' ? 'postmaster.pid' : 'server.pid') or return;
    my $pid = <$file>;
    return defined $pid && $pid =~ /^(\d+)/ ? $1 : undef;
}

sub parent_of {
    my ($pid) = @_;
    open my $stat, '<', "/proc/$pid/stat" or return;
    my $line = <$stat>;
    return defined $line && $line =~ /\) \w (\d+)/ ? $1 : undef;
}

sub pids {   # with PostgreSQL's processes for each connection
    my ($self) = @_;
    my $pid = $self->pid or return;
    return ($pid, grep { (parent_of($_) || 0) == $pid } map { m{/(\d+)$} ? $1 : () } glob '/proc/[0-9]*');
}

sub end {
    my ($self, $signal) = @_;
    my @pids = $self->pids or return;
    kill $signal, $signal eq 'KILL' ? @pids : $pids[0];
    my $deadline = time + 30;
    while (grep { kill 0, $_ } @pids) {
        waitpid $self->{child}, POSIX::WNOHANG if $self->{child};
        if (time > $deadline) {
            kill 'KILL', @pids;
            croak $self->name . ' did not stop: ' . $self->log;
        }
        sleep 0.02;
    }
    delete $self->{child};
    unlink "$self->{dir}/data/postmaster.pid" if $signal eq 'KILL';
}

sub stop   { my ($self) = @_; $self->end($self->{engine} eq 'pgsql' ? 'INT' : 'TERM') unless $self->is_file }
sub crash  { my ($self) = @_; $self->end('KILL') }
sub freeze { my ($self) = @_; kill 'STOP', $self->pids }
sub thaw   { my ($self) = @_; kill 'CONT', $self->pids }

# --- databases ------------------------------------------------------------------------------------------------------

sub admin {
    my ($self, $name) = @_;
    my %attributes = (RaiseError => 1, PrintError => 0, AutoInactiveDestroy => 1);
    return DBI->connect("dbi:Pg:host=$self->{dir};dbname=postgres", 'svc', undef, \%attributes) if $self->{engine} eq 'pgsql';
    return DBI->connect("dbi:MariaDB:mariadb_socket=$self->{dir}/mysql.sock" . ($name ? ";database=$name" : ''), 'root', '', \%attributes);
}

# A schema of PostgreSQL, a database of MariaDB.
sub schema {
    my ($file) = @_;
    my ($base) = $file =~ m{([^/]+?)(?:\.db)?\z};
    $base =~ s/\W/_/g;
    return lc($base) . '_' . substr md5_hex($file), 0, 12;
}

sub create {   # the empty database FILE, if it is not there
    my ($self, $file) = @_;
    my $name = schema($file);
    return $name if $self->{made}{$name}++;
    my $db = $self->admin;
    if ($self->{engine} eq 'pgsql') { $db->do("SET client_min_messages = warning"); $db->do("CREATE SCHEMA IF NOT EXISTS $name") }
    else                            { $db->do("CREATE DATABASE IF NOT EXISTS $name") }
    $db->disconnect;
    return $name;
}

sub params {   # of FILE, for DBDParams
    my ($self, $file) = @_;
    return $file if $self->is_file;
    my $name = $self->create($file);
    return $self->{engine} eq 'pgsql' ? "host=$self->{dir} dbname=postgres user=svc connect_timeout=4 options=-csearch_path=$name"
                                      : "sock=$self->{dir}/mysql.sock user=root dbname=$name reconnect=0 group=svc";
}

# A configuration that was written for SQLite; WHERE tells what its "\@NAME\@" stand for.
sub adapt {
    my ($self, $conf, %where) = @_;
    return $conf if $self->is_file;
    my $file = sub { my ($path) = @_; $path =~ s/\@(\w+)\@/defined $where{$1} ? $where{$1} : $&/ge; $path };
    $conf =~ s/^(\s*DBDriver\s+)sqlite3\b/$1$self->{engine}/mg;
    $conf =~ s/^(\s*DBDParams\s+)"?([\/\@][^"\n]*\.db)"?/$1 . '"' . $self->params($file->($2)) . '"'/mge;
    return $conf;
}

# A handle on FILE that reads, or with C<write> may write; strings are bytes, or with C<unicode> characters. Of several
# files, all their tables at once.
sub connect {
    my ($self, $files, %opt) = @_;
    my @files = ref $files ? @$files : $files;
    return $self->connect_sqlite(\@files, %opt) if $self->is_file;
    my @names = map { $self->create($_) } @files;
    my $db;
    if ($self->{engine} eq 'pgsql') {
        $db = $self->admin;
        $db->{pg_enable_utf8} = $opt{unicode} ? 1 : 0;
        $db->do('SET client_min_messages = warning; SET search_path = ' . join ', ', @names);
        $db->do('SET default_transaction_isolation = "repeatable read"');   # one state of the database in a transaction
        $db->do('SET default_transaction_read_only = on') unless $opt{write};
    } else {
        $db = $self->admin(@names > 1 ? $self->views(@names) : $names[0]);
        $db->do('SET character_set_results = ' . ($opt{unicode} ? 'utf8mb4' : 'binary'));
        $db->do(q{SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'});
        $db->do('SET SESSION TRANSACTION READ ONLY') unless $opt{write};
    }
    return $db;
}

sub connect_sqlite {
    my ($self, $files, %opt) = @_;
    my ($first, @others) = @$files;
    my $db = DBI->connect("dbi:SQLite:dbname=$first", '', '', { RaiseError => 1, PrintError => 0, sqlite_unicode => $opt{unicode} ? 1 : 0,
        $opt{write} ? () : (sqlite_open_flags => 1) });   # 1: SQLITE_OPEN_READONLY
    $db->do('ATTACH ? AS ' . "other$_", undef, $others[$_]) for 0 .. $#others;
    return $db;
}

# A copy of FILE that nobody writes to just now, under NAME; and FILE as it was then.
sub backup {
    my ($self, $file, $name) = @_;
    my ($db, $copy) = ($self->connect($file, write => 1), schema("$file.$name"));
    if ($self->is_file) { $db->sqlite_backup_to_file("$file.$name"); return }
    $db->do("DROP SCHEMA IF EXISTS $copy" . ($self->{engine} eq 'pgsql' ? ' CASCADE' : ''));
    $db->do("CREATE SCHEMA $copy");
    $db->do("CREATE TABLE $copy.$_ AS SELECT * FROM $_") for $self->tables($db, $file);
}

sub restore {
    my ($self, $file, $name) = @_;
    if ($self->is_file) {
        copy("$file.$name", $file) or croak "restore $file: $!";
        unlink map { "$file$_" } '-wal', '-shm';
        return;
    }
    my ($db, $copy) = ($self->connect($file, write => 1), schema("$file.$name"));
    $db->begin_work;
    for my $table ($self->tables($db, $file)) {
        $db->do("DELETE FROM $table");
        $db->do("INSERT INTO $table SELECT * FROM $copy.$table");
    }
    $db->commit;
}

sub tables {
    my ($self, $db, $file) = @_;
    return @{ $db->selectcol_arrayref('SELECT table_name FROM information_schema.tables WHERE table_schema = ?', undef, schema($file)) };
}

# Keeps all who write waiting until the result is gone.
sub hold_writers {
    my ($self, $file) = @_;
    if ($self->is_file) {   # writers take turns by a lock; of which kind is up to how APR was built
        open my $lock, '+<', "$file.lock" or croak "$file.lock: $!";
        my $whole = pack 's s l! l! i', F_WRLCK, SEEK_SET, 0, 0, 0;
        fcntl $lock, F_SETLKW, $whole or croak "$file.lock: $!";
        flock $lock, LOCK_EX or croak "$file.lock: $!";
        my $owner = $$;   # clients that are forked meanwhile have the file, too
        return bless { release => sub { flock $lock, LOCK_UN if $$ == $owner; close $lock } }, 'TestSvc::Database::Hold';
    }
    my $db = $self->connect($file, write => 1);
    $db->begin_work;   # its end is the end of the connection
    my @tables = sort $self->tables($db, $file);
    if ($self->{engine} eq 'pgsql') { $db->do('LOCK TABLE ' . join(', ', @tables) . ' IN EXCLUSIVE MODE') }
    else                            { $db->selectall_arrayref("SELECT * FROM $_ FOR UPDATE") for @tables }   # and the gaps
    return bless { release => sub { $db->disconnect } }, 'TestSvc::Database::Hold';
}

sub views {   # a database of MariaDB in which the tables of several can be read
    my ($self, @names) = @_;
    my $all = 'all_' . substr md5_hex("@names"), 0, 12;
    my $db = $self->admin;
    $db->do("CREATE DATABASE IF NOT EXISTS $all");
    for my $name (reverse @names) {
        $db->do("CREATE OR REPLACE VIEW $all.$_ AS SELECT * FROM $name.$_")
            for @{ $db->selectcol_arrayref('SELECT table_name FROM information_schema.tables WHERE table_schema = ?', undef, $name) };
    }
    $db->disconnect;
    return $all;
}

package TestSvc::Database::Hold;
sub DESTROY { my ($self) = @_; $self->{release}->() }

1;

__END__

=head1 NAME

TestSvc::Database - the engine that the suites run on

=head1 SYNOPSIS

    my $engine = TestSvc::Database->shared;             # of DB=..., running already
    my $db = $engine->connect('/path/shop.db');          # TestSvc::db($server) does this

    my $own = TestSvc::Database->new('pgsql', "$dir/pg")->start;   # to kill, freeze, ...
    my $server = TestSvc::Server->new(engine => $own)->start;
    $own->crash; $own->start;
    $own->stop;

=head1 METHODS

new($engine, $dir), shared, engine, name, is_file, lacks, start(@as), stop, crash, freeze, thaw, pid, pids, log, params($file),
adapt($configuration, %where), connect($file, %opt), backup($file, $name), restore($file, $name),
hold_writers($file).

=cut
