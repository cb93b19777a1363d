package TestSvc::Pooler;
# A private PgBouncer before a private PostgreSQL server, as conf/pgbouncer.ini has it; places are replaced in it, and what
# the suite wants to be otherwise.
use strict;
use warnings FATAL => 'all';
use Carp 'croak';
use Cwd 'abs_path';
use IO::Socket::UNIX ();
use POSIX ();
use Time::HiRes qw(sleep time);

(my $Conf = abs_path(__FILE__)) =~ s{/t/lib/TestSvc/Pooler\.pm$}{/conf};

sub new {
    my ($class, $engine) = @_;
    return bless { engine => $engine, dir => "$engine->{dir}/pooler", port => 6432 }, $class;
}

sub program { return TestSvc::Database::program('pgbouncer') }

# It listens on a socket in its own folder. CHANGE works on the text of its configuration; USERS is a hash of passwords.
sub configure {
    my ($self, $users, $change) = @_;
    my ($dir, $server) = ($self->{dir}, $self->{engine}{dir});
    mkdir $dir unless -d $dir;
    chown +(stat $server)[4, 5], $dir or croak "$dir: $!";   # root may start it for another user
    open my $in, '<', "$Conf/pgbouncer.ini" or croak "conf/pgbouncer.ini: $!";
    local $_ = do { local $/; <$in> };
    s{\bdb\.example\.org\b}{$server}g;
    s{/(?:etc/pgbouncer|var/\w+/postgresql)\b}{$dir}g;
    s{^listen_addr = .*}{listen_addr =}m;
    s{^unix_socket_dir =.*}{unix_socket_dir = $dir}m;
    $change->() if $change;
    put("$dir/pgbouncer.ini", $_);
    put("$dir/userlist.txt", join '', map { qq("$_" "$users->{$_}"\n) } sort keys %$users);
    return $self;
}

sub put {
    my ($file, $text) = @_;
    open my $out, '>', $file or croak "$file: $!";
    print $out $text;
    close $out or croak "$file: $!";
}

sub start {
    my ($self) = @_;
    $self->{child} = $self->{engine}->run(program(), '-q', "$self->{dir}/pgbouncer.ini");
    my $deadline = time + 20;
    until (IO::Socket::UNIX->new(Peer => "$self->{dir}/.s.PGSQL.$self->{port}")) {
        croak 'pgbouncer does not start: ' . $self->log if time > $deadline;
        sleep 0.05;
    }
    return $self;
}

sub log {
    my ($self) = @_;
    open my $log, '<', "$self->{dir}/pgbouncer.log" or return $self->{engine}->log;
    return join '', <$log>;
}

sub stop {
    my ($self) = @_;
    open my $file, '<', "$self->{dir}/pgbouncer.pid" or return;
    my ($pid) = <$file> =~ /(\d+)/;
    kill 'TERM', $pid;
    my $deadline = time + 10;
    while (kill 0, $pid) {
        waitpid $self->{child}, POSIX::WNOHANG() if $self->{child};
        croak 'pgbouncer does not stop: ' . $self->log if time > $deadline;
        sleep 0.02;
    }
}

1;

__END__

=head1 NAME

TestSvc::Pooler - a private PgBouncer

=head1 SYNOPSIS

    my $pooler = TestSvc::Pooler->new($engine)->configure({ shop => 'secret' }, sub { s/^default_pool_size = .*/.../m })->start;
    my $params = "host=$pooler->{dir} port=$pooler->{port} dbname=shop user=shop password=secret";

With PGBOUNCER=1 in the environment the engine of all suites (L<TestSvc::Database>) has one, and all of httpd's connections
lead through it.

=cut
