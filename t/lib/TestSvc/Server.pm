package TestSvc::Server;
# An httpd of a suite's own, for what cannot be done to the shared one: start, stop, restart, kill.
use strict;
use warnings FATAL => 'all';
use Carp 'croak';
use Cwd 'abs_path';
use File::Temp ();
use IO::Socket::INET ();
use POSIX ();
use Scalar::Util 'weaken';
use TestSvc::Database ();
use Time::HiRes qw(sleep time);

my %Running;   # servers not stopped yet, by object, so that none outlives the suite
my %Handed;    # ports given out
my $Httpd   = $ENV{TEST_HTTPD} || (grep { -x } '/usr/sbin/apache2', '/usr/sbin/httpd')[0] || 'httpd';
my $Modules = $ENV{TEST_MODULES} || '/usr/lib/apache2/modules';
(my $Top = abs_path(__FILE__)) =~ s{/t/lib/TestSvc/Server\.pm$}{};
my $Build   = $ENV{TEST_BUILD} || "$Top/build";

my $Site = <<'CONF';
DBDriver sqlite3
DBDParams "@dir@/data/shop.db"
DBDMax 64
TicketsPublish   tcp://127.0.0.1:@port:tickets_pub@
TicketsReplay    tcp://127.0.0.1:@port:tickets_replay@
TicketsSubscribe tcp://127.0.0.1:@port:orders_pub@ tcp://127.0.0.1:@port:orders_replay@
OrdersPublish    tcp://127.0.0.1:@port:orders_pub@
OrdersReplay     tcp://127.0.0.1:@port:orders_replay@
OrdersSubscribe  tcp://127.0.0.1:@port:tickets_pub@ tcp://127.0.0.1:@port:tickets_replay@
CONF

my $Apis = <<'CONF';
<IfModule tickets_module>
  <Location "/api/tickets">
    SetHandler tickets
    AuthType Basic
    AuthName "shop"
    AuthBasicProvider file
    AuthUserFile "@top@/t/conf/users"
    <LimitExcept GET HEAD OPTIONS>
      Require valid-user
    </LimitExcept>
  </Location>
</IfModule>
<IfModule orders_module>
  <Location "/api/orders">
    SetHandler orders
    AuthType Basic
    AuthName "shop"
    AuthBasicProvider file
    AuthUserFile "@top@/t/conf/users"
    Require valid-user
  </Location>
</IfModule>
CONF

sub new {
    my ($class, %opt) = @_;
    my $self = bless {
        mpm     => $ENV{TEST_MPM} || 'event',
        modules => [qw(tickets orders)],
        site    => $Site,
        apis    => $Apis,
        conf    => '',
        user    => undef,
        limits  => undef,
        ports   => {},
        env     => {},
        host    => '127.0.0.1',
        bus     => '127.0.0.1',
        within  => [],
        data    => undef,
        engine  => TestSvc::Database->shared,
        %opt,
    }, $class;
    # abs_path: the directory is compared with /proc, and a temporary one may be behind a link.
    $self->{dir} = abs_path($self->{dir} || ($self->{tmp} = File::Temp->newdir('httpd.XXXXXX', TMPDIR => 1))->dirname);
    chmod 0755, $self->{dir};
    mkdir "$self->{dir}/$_" for qw(logs data htdocs);
    $self->chown_data if defined $self->{user} && $> == 0;
    $self->write_conf;
    return $self;
}

# A tickets and an orders service, each an httpd with a database of its own, each following the other.
sub pair {
    my ($class, %opt) = @_;
    my @pair = map { $class->new(%opt, modules => [$_]) } qw(tickets orders);
    $pair[0]->follow($pair[1]);
    $pair[1]->follow($pair[0]);
    return @pair;
}

# Of a server with one module: it publishes, and follows those PEERS, who have the other one.
sub follow {
    my ($self, @peers) = @_;
    my ($own, $other) = $self->{modules}[0] eq 'tickets' ? qw(tickets orders) : qw(orders tickets);
    $self->write_conf(site => join '', "DBDriver sqlite3\nDBDParams \"" . $self->db_file . "\"\nDBDMax 64\n",
        map { sprintf "\u$own%s %s\n", @$_ } [Publish => $self->endpoint("${own}_pub")], [Replay => $self->endpoint("${own}_replay")],
        map { [Subscribe => $_->endpoint("${other}_pub") . ' ' . $_->endpoint("${other}_replay")] } @peers);
}

sub chown_data {
    my ($self) = @_;
    my (undef, undef, $uid, $gid) = getpwnam $self->{user} or croak "no user $self->{user}";
    chown $uid, $gid, "$self->{dir}/data";
}

sub write_conf {
    my ($self, %change) = @_;
    @$self{ keys %change } = values %change;
    my $limits = defined $self->{limits} ? $self->{limits} : $self->{mpm} eq 'prefork'
        ? "StartServers 3\nMinSpareServers 3\nMaxSpareServers 6\nMaxRequestWorkers 16\n"
        : "StartServers 2\nServerLimit 3\nThreadLimit 8\nThreadsPerChild 8\nMaxRequestWorkers 24\n"
        . "MinSpareThreads 9\nMaxSpareThreads 24\n";
    my $conf = join '',
        "ServerRoot \"\@dir\@\"\nServerName 127.0.0.1\nListen $self->{host}:\@port:http\@\n",
        "DocumentRoot \"\@dir\@/htdocs\"\nDefaultRuntimeDir \"\@dir\@/logs\"\nPidFile \"\@dir\@/logs/httpd.pid\"\n",
        "ErrorLog \"\@dir\@/logs/error_log\"\nLogLevel info\n",
        (defined $self->{user} ? "User $self->{user}\nGroup " . getgrgid((getpwnam $self->{user})[3]) . "\n" : ''),
        (map { "LoadModule ${_}_module \"$Modules/mod_$_.so\"\n" } "mpm_$self->{mpm}",
         qw(authn_core authn_file authz_core authz_host authz_user auth_basic dbd)),
        (map { "LoadModule ${_}_module \"$Build/mod_$_.so\"\n" } @{ $self->{modules} }),
        $limits, $self->{site}, $self->{apis}, $self->{conf};
    open my $out, '>', "$self->{dir}/httpd.conf" or croak "httpd.conf: $!";
    print $out $self->{engine}->adapt($self->fill($conf));
    close $out or croak "httpd.conf: $!";
}

sub fill {   # what stands between @ signs
    my ($self, $text) = @_;
    my %value = (dir => $self->{dir}, top => $Top, build => $Build, modules => $Modules);
    $text =~ s/\@(dir|top|build|modules)\@/$value{$1}/g;
    $text =~ s/\@port:(\w+)\@/$self->port($1)/ge;
    return $text;
}

sub free_port {
    for (1 .. 200) {
        # Below the range that the kernel takes outgoing ports from, and not where another lane looks.
        my $each = int(20_000 / ($ENV{LANES} || 1));
        my $port = 10_000 + $each * (($ENV{TEST_LANE} || 1) - 1) + int rand $each;
        next if $Handed{$port};
        my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 1) or next;
        $Handed{$port} = 1;
        return $port;
    }
    croak 'found no free port';
}

sub port {
    my ($self, $name) = @_;
    $name = 'http' unless defined $name;
    return $self->{ports}{$name} ||= free_port();
}

sub dir      { return $_[0]{dir} }
sub url      { return "http://$_[0]{host}:" . $_[0]->port . (defined $_[1] ? $_[1] : '') }
sub endpoint { return "tcp://$_[0]{bus}:" . $_[0]->port($_[1]) }
sub engine   { return $_[0]{engine} }
sub db_file  { return ($_[0]{data} || $_[0])->{dir} . '/data/shop.db' }

sub error_log_file { return "$_[0]{dir}/logs/error_log" }

sub error_log {
    my ($self) = @_;
    open my $log, '<', $self->error_log_file or return '';
    local $/;
    my $text = <$log>;
    return defined $text ? $text : '';
}

sub configtest {
    my ($self, @options) = @_;
    my $output = qx{'$Httpd' -f '$self->{dir}/httpd.conf' -t @options 2>&1};
    return ($? >> 8, $output);
}

# Runs in the foreground, as our child: its pid is known, and waitpid says how it ended.
sub start { return $_[0]->launch->await }

sub launch {   # without waiting for it, so that several start at once
    my ($self) = @_;
    croak 'runs already' if $self->{pid};
    croak 'somebody else answers at ' . $self->url if $self->answers;
    my $pid = fork;
    croak "fork: $!" unless defined $pid;
    if (!$pid) {
        setpgrp;   # prefork's parent stops its children by a signal to its whole process group
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$self->{dir}/logs/stdout";
        open STDERR, '>&', \*STDOUT;
        @ENV{ keys %{ $self->{env} } } = values %{ $self->{env} };
        { no warnings; exec @{ $self->{within} }, $Httpd, '-f', "$self->{dir}/httpd.conf", '-DFOREGROUND' }
        POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    $Running{$self} = [$$, $self];
    weaken $Running{$self}[1];
    return $self;
}

sub await {
    my ($self) = @_;
    my $deadline = time + ($self->{patience} || 20);
    until ($self->answers) {
        if (waitpid($self->{pid}, POSIX::WNOHANG) == $self->{pid}) {
            $self->forget;
            croak 'httpd did not start: ' . $self->stdout . $self->error_log;
        }
        croak 'httpd does not answer: ' . $self->error_log if time > $deadline;
        sleep 0.02;
    }
    return $self;
}

sub stdout {
    my ($self) = @_;
    open my $file, '<', "$self->{dir}/logs/stdout" or return '';
    local $/;
    my $text = <$file>;
    return defined $text ? $text : '';
}

sub answers {
    my ($self) = @_;
    return !!IO::Socket::INET->new(PeerAddr => $self->{host}, PeerPort => $self->port, Timeout => 1);
}

sub signal {
    my ($self, $signal) = @_;
    croak 'does not run' unless $self->{pid};
    kill $signal, $self->{pid} or croak "kill $signal $self->{pid}: $!";
    return $self;
}

sub generation { my ($self) = @_; return scalar(() = $self->error_log =~ /resuming normal operations/g) }

sub renew {
    my ($self, $signal) = @_;
    my $before = $self->generation;
    $self->signal($signal);
    my $deadline = time + 20;
    while ($self->generation == $before || !$self->answers) {
        croak "httpd did not come back after $signal: " . $self->error_log if time > $deadline;
        sleep 0.02;
    }
    return $self;
}

sub graceful { return $_[0]->renew('USR1') }
sub restart  { return $_[0]->renew('HUP') }

# Ends it and returns the seconds that took; dies when a process is left after $seconds.
sub stop {
    my ($self, $signal, $seconds) = @_;
    return 0 unless $self->{pid};
    my $begin = time;
    my @pids = $self->pids;
    $self->signal($signal || 'TERM');
    my $deadline = $begin + ($seconds || 20);
    my @left;
    do {
        waitpid $self->{pid}, POSIX::WNOHANG;
        @left = grep { alive($_) } @pids;
        if (@left && time > $deadline) {
            $self->kill9_parent_and_children;
            croak "processes left after stop: @left\n" . $self->error_log;
        }
    } while @left && sleep 0.02;
    $self->forget;
    return time - $begin;
}

sub graceful_stop { return $_[0]->stop('WINCH', $_[1]) }

sub kill9_parent_and_children {
    my ($self) = @_;
    return unless $self->{pid};
    # Parent first, since it would replace its children; and halted before they are counted, since a child that it makes
    # in between would live on, with the port. Children whose parent is dead are found by its process group.
    my $deadline = time + 5;
    kill 'STOP', $self->{pid};
    sleep 0.001 until ((stat_of($self->{pid}))[0] || 'Z') =~ /[TZ]/ || time > $deadline;
    kill 'KILL', $_ for $self->{pid}, $self->group;
    waitpid $self->{pid}, 0;
    sleep 0.01 while time < $deadline && $self->group;
    unlink "$self->{dir}/logs/httpd.pid";         # httpd would warn about it, and rightly: not what a suite looks for
    $self->forget;
}

sub forget {
    my ($self) = @_;
    delete $self->{pid};
    delete $Running{$self};
}

sub stat_of {   # state, parent and process group of a process
    my ($pid) = @_;
    open my $file, '<', "/proc/$pid/stat" or return;
    my $line = <$file>;
    return defined $line && $line =~ /\) (\w) (\d+) (\d+)/ ? ($1, $2, $3) : ();
}

# Of a process whose first thread is gone others may still hold its files, and its port.
sub alive {
    my ($pid) = @_;
    my ($state) = stat_of($pid);
    return defined $state && ($state ne 'Z' || (() = glob "/proc/$pid/task/*") > 1);
}

sub pid { return $_[0]{pid} }

sub pids {
    my ($self) = @_;
    return $self->{pid} ? ($self->{pid}, $self->children) : ();
}

sub all_pids { return map { m{/(\d+)$} ? $1 : () } glob '/proc/[0-9]*' }

sub group {   # of its processes those that live
    my ($self) = @_;
    return grep { ((stat_of($_))[2] || 0) == $self->{pid} && alive($_) } all_pids();
}

sub children {
    my ($self) = @_;
    my @children;
    for my $pid (all_pids()) {
        my ($state, $parent) = stat_of($pid);
        push @children, $pid if defined $parent && $parent == $self->{pid} && $state ne 'Z';
    }
    @children = sort { $a <=> $b } @children;
    return @children;
}

# The child that has the other end of a connection which leaves from PORT here, or undef.
sub child_of {
    my ($self, $port) = @_;
    open my $table, '<', '/proc/net/tcp' or croak "/proc/net/tcp: $!";
    my $ends = sprintf ': 0100007F:%04X 0100007F:%04X ', $self->port, $port;
    my ($line) = grep { index($_, $ends) > 0 } <$table>;
    my $inode = defined $line ? (split ' ', $line)[9] : return;
    for my $pid ($self->children) {
        return $pid if grep { (readlink $_ || '') eq "socket:[$inode]" } glob "/proc/$pid/fd/*";
    }
    return;
}

# The living process that said last that it leads this module's event bus, or undef.
sub leader_pid {
    my ($self, $module) = @_;
    my %leads;
    my $last;
    for ($self->error_log =~ /^(.*SVC00[12]: mod_$module: this process \(pid \d+\).*)$/mg) {
        my ($tag, $pid) = /(SVC00[12]): mod_$module: this process \(pid (\d+)\)/ or next;
        if ($tag eq 'SVC001') { $last = $pid; $leads{$pid} = 1 }
        else                  { $leads{$pid} = 0 }
    }
    return defined $last && $leads{$last} && alive($last) ? $last : undef;
}

sub wait_leader {   # ... and not the one named; dies after $seconds
    my ($self, $module, $not, $seconds) = @_;
    my $deadline = time + ($seconds || 10);
    while (1) {
        my $pid = $self->leader_pid($module);
        return $pid if defined $pid && (!defined $not || $pid != $not);
        croak "no leader of mod_$module: " . $self->error_log if time > $deadline;
        sleep 0.02;
    }
}

sub wait_database {   # until each service has made its tables
    my ($self) = @_;
    my $deadline = time + 20;
    for my $module (@{ $self->{modules} }) {
        until ($self->error_log =~ /SVC003: mod_$module: database ready/) {
            croak "no database of mod_$module: " . $self->error_log if time > $deadline;
            sleep 0.02;
        }
    }
    return $self;
}

sub DESTROY {
    my ($self) = @_;
    local ($?, $@);
    my $entry = $Running{$self} or return;
    return unless $entry->[0] == $$;              # not in a client forked by the suite
    eval { $self->stop; 1 } or warn "stop: $@";
}

END {
    local $?;
    for my $entry (values %Running) {
        $entry->[1]->DESTROY if $entry->[1];
    }
}

1;

__END__

=head1 NAME

TestSvc::Server - an httpd of a suite's own

=head1 SYNOPSIS

    my $server = TestSvc::Server->new(mpm => 'worker', conf => "OrdersExpiration 2\n")->start;
    my $ticket = new_ticket(vhost => $server);
    my $leader = $server->wait_leader('tickets');
    kill KILL => $leader;
    $server->wait_leader('tickets', $leader);
    $server->stop;
    log_is_clean(server => $server, except => [qr/exit signal Killed/]);

=head1 METHODS

=over

=item new(%opt)

Writes DIR/httpd.conf and nothing more. C<mpm> (event, or TEST_MPM), C<modules> ([tickets, orders]), C<site> (replaces
the database and event directives), C<apis> (replaces the two APIs behind Basic authentication), C<conf> (added at the end), C<user> (the User directive; as root, data/ is given
to them), C<limits> (replaces the MPM's sizes), C<dir> (default: a temporary one, removed with the object),
C<patience> (seconds to start), C<env> (a hash of environment variables),
C<data> (the server whose database it shares), C<engine> (the L<TestSvc::Database>, if not the one of all suites), C<host> and C<bus> (the addresses for HTTP and for events, if not
127.0.0.1), C<within> (a command to start httpd by, such as C<nsenter>). In the texts C<@dir@> is the directory, C<@port:NAME@> a free port of that name, C<@top@> the checkout, C<@build@> and
C<@modules@> where our modules and httpd's are.
The database is DIR/data/shop.db, or another engine's of that name (C<site> is written for SQLite and adapted); the endpoints are tickets_pub, tickets_replay, orders_pub, orders_replay.

=item pair(%opt)

A tickets and an orders service, in this order, each with a database of its own, each following the other.

=item follow(@peers)

Of a server with one module: configures it to publish, and to follow these, who have the other module.

=item write_conf(%change)

Writes httpd.conf again with other C<conf>, C<site>, ... for the next graceful or restart.

=item start, graceful, restart

Return when the (new) server answers; die with its error log otherwise. C<launch> starts it and C<await> waits, so that
several can start at once.

=item stop($signal, $seconds), graceful_stop($seconds)

Return how long it took; die when a process is left. kill9_parent_and_children does what it says.

=item signal($name), pid, pids, children, child_of($port), leader_pid($module), wait_leader($module, $not, $seconds),
wait_database

=item configtest(@options)

Exit code and output of C<httpd -t>, with options such as C<-D DUMP_TICKETS>.

=item url($path), port($name), endpoint($name), dir, engine, db_file, error_log, error_log_file, stdout

=back

The object stops its server when it goes out of scope.

=cut
