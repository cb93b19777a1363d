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
use TestSvc::Pooler ();
use Time::HiRes qw(sleep time);

my %Driver = (pgsql => 'Pg', mysql => 'MariaDB');
my %Name   = (sqlite3 => 'SQLite', pgsql => 'PostgreSQL', mysql => 'MariaDB');
my $Shared;

# Where Debian and others put what starts a server.
my @Path = (split(/:/, $ENV{PATH} || ''), reverse(sort glob '/usr/lib/postgresql/*/bin'), '/usr/sbin', '/usr/libexec');

sub new {
    my ($class, $engine, $dir, %opt) = @_;
    croak "no engine $engine: say sqlite3, pgsql or mysql" unless $Name{$engine};
    return bless { engine => $engine, dir => $dir, made => {}, env => {}, %opt }, $class;
}

# The one of t/suites.pl, which has started it.
sub shared {
    my ($class) = @_;
    return $Shared if $Shared;
    $Shared = $class->new($ENV{TEST_DB} || 'sqlite3', $ENV{TEST_DB_DIR});
    $Shared->{pooler} = TestSvc::Pooler->new($Shared) if $ENV{TEST_PGBOUNCER} && $Shared->{engine} eq 'pgsql';
    return $Shared;
}

sub engine  { return $_[0]{engine} }
sub dir     { return $_[0]{dir} }
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
    push @missing, 'pgbouncer' if $self->{pooler} && !TestSvc::Pooler::program();
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
        @ENV{ keys %{ $self->{env} } } = values %{ $self->{env} };
        { no warnings; exec @{ $self->{as} || [] }, @command }
        POSIX::_exit(127);
    }
    return $pid;
}

sub make {   # an empty cluster; small, but with fsync, and deaf but for one socket; AS as in start
    my ($self, @as) = @_;
    $self->{as} = \@as if @as;
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

sub command {   # of the server
    my ($self) = @_;
    return (program('postgres'), '-D', "$self->{dir}/data") if $self->{engine} eq 'pgsql';
    return (program('mariadbd'), '--no-defaults', "--datadir=$self->{dir}/data", "--socket=$self->{dir}/mysql.sock", '--skip-networking',
            '--innodb-buffer-pool-size=32M', '--innodb-log-file-size=16M', '--max-connections=400', '--performance-schema=OFF',
            '--innodb-flush-log-at-trx-commit=1', '--pid-file=server.pid');
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
    my $pid = $self->{child} = $self->run($self->command);
    my $deadline = time + 30;
    until (eval { $self->admin->disconnect; 1 }) {
        my $why = $@;
        croak $self->name . ' does not start: ' . $self->log if waitpid($pid, POSIX::WNOHANG) == $pid;
        croak $self->name . " cannot be reached: $why" . $self->log if time > $deadline;
        sleep 0.05;
    }
    $self->start_pooler if $self->{pooler};
    return $self;
}

# Whoever connects is let in as who he says that he is. Each of httpd's databases has a few sessions.
sub start_pooler {
    my ($self) = @_;
    $self->{pooler}->configure({ svc => '' }, sub {
        s/^shop = .*/* = host=$self->{dir} auth_user=svc/m;
        s/^auth_type = .*/auth_type = trust/m;
        s/^default_pool_size = .*/default_pool_size = 8\nserver_idle_timeout = 20/m;
    })->start;
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

sub stop {
    my ($self) = @_;
    $self->{pooler}->stop if $self->{pooler};
    $self->end($self->{engine} eq 'pgsql' ? 'INT' : 'TERM') unless $self->is_file;
}
sub crash  { my ($self) = @_; $self->end('KILL') }
sub freeze { my ($self) = @_; kill 'STOP', $self->pids }
sub thaw   { my ($self) = @_; kill 'CONT', $self->pids }

# --- databases ------------------------------------------------------------------------------------------------------

sub admin {
    my ($self, $name) = @_;
    my %attributes = (RaiseError => 1, PrintError => 0, AutoInactiveDestroy => 1);
    return DBI->connect("dbi:Pg:host=$self->{dir};dbname=" . ($name || 'postgres'), 'svc', undef, \%attributes) if $self->{engine} eq 'pgsql';
    return DBI->connect("dbi:MariaDB:mariadb_socket=$self->{dir}/mysql.sock" . ($name ? ";database=$name" : ''), 'root', '', \%attributes);
}

# A schema of PostgreSQL, a database of MariaDB.
sub schema {
    my ($file) = @_;
    my ($base) = $file =~ m{([^/]+?)(?:\.db)?\z};
    $base =~ s/\W/_/g;
    return 's_' . lc($base) . '_' . substr md5_hex($file), 0, 12;
}

sub create {   # the empty database FILE, if it is not there
    my ($self, $file) = @_;
    my $name = schema($file);
    return $name if $self->{made}{$name}++;
    my $db = $self->admin;
    if ($self->{engine} eq 'pgsql') { $db->do("SET client_min_messages = warning"); $db->do("CREATE SCHEMA IF NOT EXISTS $name") }
    else                            { $db->do("CREATE DATABASE IF NOT EXISTS $name") }
    $self->create_role($db, $name) if $self->{pooler};
    $db->disconnect;
    return $name;
}

# A pooler's session is told the schema by whose it is, not by who connects to it.
sub create_role {
    my ($self, $db, $name) = @_;
    return if $db->selectrow_array('SELECT 1 FROM pg_roles WHERE rolname = ?', undef, $name);
    $db->do($_) for "CREATE ROLE $name LOGIN", "ALTER SCHEMA $name OWNER TO $name", "ALTER ROLE $name SET search_path = $name";
}

sub params {   # of FILE, for DBDParams
    my ($self, $file) = @_;
    return $file if $self->is_file;
    my $name = $self->create($file);
    return "host=$self->{pooler}{dir} port=$self->{pooler}{port} dbname=postgres user=$name connect_timeout=4" if $self->{pooler};
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
# files, all their tables at once. Instead of a file, C<=NAME> is a whole database of that name.
sub connect {
    my ($self, $files, %opt) = @_;
    my @files = ref $files ? @$files : $files;
    return $self->connect_sqlite(\@files, %opt) if $self->is_file;
    my ($whole) = $files[0] =~ /^=(\w+)\z/;
    my @names = defined $whole ? $whole : map { $self->create($_) } @files;
    my $db;
    if ($self->{engine} eq 'pgsql') {
        $db = $self->admin($whole);
        $db->{pg_enable_utf8} = $opt{unicode} ? 1 : 0;
        $db->do('SET client_min_messages = warning; SET search_path = ' . (defined $whole ? 'public' : join ', ', @names));
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
        my $columns = join ', ', $self->columns($db, $file, $table);
        $db->do("INSERT INTO $table ($columns) SELECT $columns FROM $copy.$table");
    }
    $db->commit;
}

sub tables {
    my ($self, $db, $file) = @_;
    return @{ $db->selectcol_arrayref('SELECT table_name FROM information_schema.tables WHERE table_schema = ?', undef, schema($file)) };
}

sub columns {   # that are not computed from others
    my ($self, $db, $file, $table) = @_;
    my $generated = $self->{engine} eq 'pgsql' ? 'is_generated' : "CASE WHEN extra LIKE '%GENERATED' THEN 'ALWAYS' ELSE 'NEVER' END";
    return @{ $db->selectcol_arrayref("SELECT column_name FROM information_schema.columns WHERE table_schema = ? AND table_name = ? " .
        "AND $generated = 'NEVER' ORDER BY ordinal_position", undef, schema($file), $table) };
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

new($engine, $dir, env => {}), shared, engine, dir, name, is_file, lacks, start(@as), stop, crash, freeze, thaw, pid, pids, log, params($file),
adapt($configuration, %where), connect($file, %opt), backup($file, $name), restore($file, $name),
hold_writers($file). C<env> is what the server finds in its environment besides.

=cut
