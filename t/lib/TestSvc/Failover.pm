package TestSvc::Failover;
# Two PostgreSQL servers, one of which follows the other: the primary is killed or stopped, its standby promoted, and what
# was the primary comes back as a standby. To a suite it is a TestSvc::Database, with the one database of
# conf/shop-postgresql-failover.conf; asked is whoever is the primary.
use strict;
use warnings FATAL => 'all';
use Carp 'croak';
use File::Path 'remove_tree';
use Time::HiRes qw(sleep time);
use parent 'TestSvc::Database';

sub new {
    my ($class, $dir) = @_;
    mkdir $dir or croak "$dir: $!";
    my $self = TestSvc::Database::new($class, 'pgsql', $dir);
    $self->{nodes} = [map { TestSvc::Database->new('pgsql', "$dir/$_") } qw(a b)];
    $self->{primary} = 0;
    return $self;
}

sub primary { return $_[0]{nodes}[ $_[0]{primary} ] }
sub standby { return $_[0]{nodes}[ 1 - $_[0]{primary} ] }
sub hosts   { return join ',', map { $_->{dir} } @{ $_[0]{nodes} } }
sub params  { return 'host=' . $_[0]->hosts . ' dbname=shop user=shop target_session_attrs=read-write connect_timeout=2' }
sub create  { return 'public' }

sub admin {
    my ($self) = @_;
    return DBI->connect("dbi:Pg:host=$self->{nodes}[ $self->{primary} ]{dir};dbname=shop", 'svc', undef,
                        { RaiseError => 1, PrintError => 0, AutoInactiveDestroy => 1 });
}

sub start {
    my ($self) = @_;
    my $primary = $self->primary->start;
    my $db = $primary->admin;
    $db->do($_) for 'CREATE ROLE shop LOGIN', 'CREATE DATABASE shop OWNER shop';
    $db->disconnect;
    $self->copy_primary;
    $self->standby->start;
    return $self;
}

sub copy_primary {   # onto the standby's place, ready to follow
    my ($self) = @_;
    my ($from, $to) = ($self->primary, $self->standby);
    mkdir $to->{dir} unless -d $to->{dir};
    remove_tree("$to->{dir}/data");
    waitpid $to->run(TestSvc::Database::program('pg_basebackup'), '-D', "$to->{dir}/data", '-h', $from->{dir}, '-U', 'svc',
                     '-c', 'fast', '-X', 'stream', '--no-sync', '-R'), 0;
    croak 'pg_basebackup failed: ' . $to->log if $?;
    append("$to->{dir}/data/postgresql.conf", "unix_socket_directories = '$to->{dir}'");
}

sub append {
    my ($file, $line) = @_;
    open my $out, '>>', $file or croak "$file: $!";
    print $out "$line\n";
    close $out or croak "$file: $!";
}

# The primary acknowledges what its standby has on disk, and nothing else; or it does not wait for it.
sub synchronous {
    my ($self, $on) = @_;
    my $db = $self->primary->admin;
    $db->do("ALTER SYSTEM SET synchronous_standby_names = '" . ($on ? '*' : '') . "'");
    $db->do('SELECT pg_reload_conf()');
    $db->disconnect;
    my ($state, $deadline) = ($on ? 'sync' : 'async', time + 20);
    until (($self->follower || '') eq $state) {
        croak "the standby is not $state: " . $self->standby->log if time > $deadline;
        sleep 0.05;
    }
    return $self;
}

sub follower {   # how the primary sees who follows it; undef: nobody does
    my ($self) = @_;
    my $db = $self->primary->admin;
    my ($state) = $db->selectrow_array("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'");
    $db->disconnect;
    return $state;
}

# The standby becomes the primary, and waits for no standby: there is none now.
sub promote {
    my ($self) = @_;
    my $db = $self->standby->admin;
    $db->do('SELECT pg_promote(true, 30)');
    $db->disconnect;
    $self->{primary} = 1 - $self->{primary};
    $self->await_writable;
    return $self;
}

sub await_writable {
    my ($self) = @_;
    my $deadline = time + 20;
    until (eval { !($self->primary->admin->selectrow_array('SELECT pg_is_in_recovery()'))[0] }) {
        croak 'it was not promoted: ' . $self->primary->log if time > $deadline;
        sleep 0.05;
    }
}

# Who was stopped cleanly, and whose standby had everything, follows that one now.
sub rejoin {
    my ($self) = @_;
    my $data = $self->standby->{dir} . '/data';
    append("$data/postgresql.auto.conf", "synchronous_standby_names = ''");
    append("$data/postgresql.auto.conf", "primary_conninfo = 'host=" . $self->primary->{dir} . " user=svc'");
    append("$data/standby.signal", '');
    $self->standby->start;
    return $self;
}

# From now on the standby gets nothing more, and the primary does not notice: who sends to it stands still.
sub cut {
    my ($self) = @_;
    my ($sender) = $self->primary->admin->selectrow_array("SELECT pid FROM pg_stat_replication WHERE state = 'streaming'");
    kill 'STOP', $sender or croak "no sender: $!";
    return $self->{sender} = $sender;
}
sub mend { my ($self) = @_; kill 'CONT', delete $self->{sender} or croak "no sender: $!" }

sub stop   { my ($self) = @_; $_->pid && $_->stop for @{ $self->{nodes} } }
sub crash  { my ($self) = @_; $self->primary->crash }
sub freeze { my ($self) = @_; $self->primary->freeze }

1;

__END__

=head1 NAME

TestSvc::Failover - a PostgreSQL primary and its standby

=head1 SYNOPSIS

    my $pair = TestSvc::Failover->new("$dir/pair")->start->synchronous(1);
    my $server = TestSvc::Example->new(['shop.conf', 'shop-postgresql-failover.conf'], engine => $pair)->start;
    $pair->crash;
    $pair->promote;      # db($server) asks the new primary from now on

=head1 METHODS

Those of L<TestSvc::Database>; C<crash> and C<freeze> are about the primary. And:

primary, standby (each a L<TestSvc::Database>), hosts (for libpq), synchronous($on), follower, promote, rejoin (what was
stopped follows the new primary), copy_primary (it is made anew from that one), cut (the standby gets nothing more), mend
(now it does).

=cut
