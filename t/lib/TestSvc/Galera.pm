package TestSvc::Galera;
# A private cluster of MariaDB nodes (Galera), on loopback: each node is a TestSvc::Database to start, kill, cut off.
use strict;
use warnings FATAL => 'all';
use Carp 'croak';
use Cwd 'abs_path';
use File::Temp ();
use TestSvc::Database ();
use TestSvc::Server ();

(my $Top = abs_path(__FILE__)) =~ s{/t/lib/TestSvc/Galera\.pm$}{};
my ($Provider) = grep { -e } '/usr/lib/galera/libgalera_smm.so', '/usr/lib64/galera-4/libgalera_smm.so', '/usr/lib64/galera/libgalera_smm.so';
# What copies a node's state to one that joins comes with the server; bin/need-packages.sh fetches it alone.
$ENV{PATH} = join ':', "$Top/build/galera", $ENV{PATH} || (), '/usr/sbin';

sub lacks {
    my @missing = grep { !TestSvc::Database::program($_) } qw(mariadbd mariadb-install-db my_print_defaults rsync);
    push @missing, 'wsrep_sst_rsync' unless grep { -x "$_/wsrep_sst_rsync" } split /:/, $ENV{PATH};
    push @missing, 'libgalera_smm.so' unless $Provider;
    push @missing, 'DBD::MariaDB' unless eval { require DBD::MariaDB; 1 };
    return @missing ? join ', ', @missing : undef;
}

sub new {
    my ($class, $count) = @_;
    my $missing = lacks();
    croak "a cluster needs $missing: bin/need-packages.sh cluster" if defined $missing;
    my $tmp = File::Temp->newdir('galera.XXXXXX', TMPDIR => 1);
    my $self = bless { tmp => $tmp, nodes => [], owner => $$ }, $class;
    my %port;
    $port{$_} = [map { TestSvc::Server::free_port() } 1 .. $count] for qw(group ist sst);
    my $address = join ',', map { "127.0.0.1:$_" } @{ $port{group} };
    for my $i (0 .. $count - 1) {
        my $node = TestSvc::Galera::Node->new('mysql', $tmp->dirname . '/node' . ($i + 1));
        $node->{options} = [
            '--wsrep-on=ON', "--wsrep-provider=$Provider", '--wsrep-cluster-name=svc', "--wsrep-cluster-address=gcomm://$address",
            '--binlog-format=ROW', '--innodb-autoinc-lock-mode=2', '--wsrep-node-name=node' . ($i + 1), "--wsrep-node-address=127.0.0.1:$port{group}[$i]",
            '--wsrep-sst-method=rsync', "--wsrep-sst-receive-address=127.0.0.1:$port{sst}[$i]",
            # A node that says nothing is given up after 2 s, not 5.
            "--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:$port{group}[$i];ist.recv_addr=127.0.0.1:$port{ist}[$i];" .
            'gcache.size=32M;evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT6S'];
        push @{ $self->{nodes} }, $node;
    }
    return $self;
}

sub nodes { return @{ $_[0]{nodes} } }

sub start {   # the first one begins, the others take its state
    my ($self) = @_;
    my ($first, @others) = $self->nodes;
    $first->start_first;
    $_->launch for @others;
    $_->await for @others;
    return $self;
}

sub stop { my ($self) = @_; $_->stop for reverse $self->nodes }

sub count {   # a status that is a number, of all nodes that answer
    my ($self, $name) = @_;
    my $sum = 0;
    $sum += eval { $_->status($name) } || 0 for $self->nodes;
    return $sum;
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{owner} == $$;
    local ($?, $@, $!);
    eval { $_->crash } for $self->nodes;
}

package TestSvc::Galera::Node;
use parent -norequire, 'TestSvc::Database';
use Carp 'croak';
use File::Path 'remove_tree';
use POSIX ();
use Time::HiRes qw(sleep time);

sub command { my ($self) = @_; return ($self->SUPER::command, @{ $self->{options} }, @{ $self->{once} || [] }) }

sub make { }   # whoever joins gets all from another node

sub start_first {
    my ($self) = @_;
    mkdir $self->{dir};
    $self->SUPER::make;
    local $self->{once} = ['--wsrep-new-cluster'];
    return $self->SUPER::start->await;
}

# After a crash the node has to be told how far it was (as galera_recovery does), or it takes the whole state anew.
sub launch {
    my ($self) = @_;
    mkdir $_ for grep { !-d } $self->{dir}, "$self->{dir}/data";
    my @position;
    if (-e "$self->{dir}/data/ibdata1") {
        my $log = "$self->{dir}/recover.err";
        unlink $log;
        waitpid $self->run($self->command, '--wsrep-recover', "--log-error=$log"), 0;
        open my $file, '<', $log or croak "$log: $!";
        @position = map { /Recovered position:\s*(\S+:-?\d+)/ ? "--wsrep-start-position=$1" : () } <$file>;
    }
    local $self->{once} = \@position;
    $self->{child} = $self->run($self->command);
    return $self;
}

sub start { return $_[0]->launch->await }

sub status {
    my ($self, $name) = @_;
    my $db = $self->admin;
    my (undef, $value) = $db->selectrow_array("SHOW GLOBAL STATUS LIKE '$name'");
    $db->disconnect;
    return $value;
}

sub await {   # until it has what the others have
    my ($self) = @_;
    my $deadline = time + 60;
    until (eval { $self->status('wsrep_ready') eq 'ON' && $self->status('wsrep_local_state_comment') eq 'Synced' }) {
        croak 'a node does not start: ' . $self->log if waitpid($self->{child}, POSIX::WNOHANG) == $self->{child};
        croak 'a node does not join: ' . $self->log if time > $deadline;
        sleep 0.05;
    }
    return $self;
}

# Cuts it off from the others, or joins it to them again: it is there, and must not serve.
sub cut_off { my ($self, $on) = @_; $self->admin->do("SET GLOBAL wsrep_provider_options = 'gmcast.isolate=" . ($on ? 1 : 0) . "'") }

sub wipe { my ($self) = @_; remove_tree("$self->{dir}/data") }   # of one that is dead: it takes the whole state anew

sub log_has {
    my ($self, $pattern) = @_;
    open my $log, '<', "$self->{dir}/log" or croak "$self->{dir}/log: $!";
    return scalar grep { $_ =~ $pattern } <$log>;
}

1;

__END__

=head1 NAME

TestSvc::Galera - a private cluster of MariaDB nodes

=head1 SYNOPSIS

    my $galera = TestSvc::Galera->new(3)->start;
    my ($first, @others) = $galera->nodes;          # each a TestSvc::Database
    my $cluster = TestSvc::Machines->new(3, engines => [$galera->nodes])->start;
    $first->crash; $first->start;                   # it takes what it missed from another one
    $first->cut_off(1);                             # alive, but alone: it serves nobody
    $first->cut_off(0); $first->await;
    $galera->stop;

=head1 METHODS

new($count), start, nodes, stop, lacks, count($status). Of a node, besides those of L<TestSvc::Database>: launch, await, status($name),
cut_off($on), wipe, log_has($pattern).

=cut
