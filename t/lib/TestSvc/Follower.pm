package TestSvc::Follower;
# A follower in another language (examples/follow.py, examples/follow.js) as a process: start, stop, kill, look at what
# it printed and at what it keeps.
use strict;
use warnings FATAL => 'all';
use Carp 'croak';
use Cwd 'abs_path';
use DBI ();
use File::Temp ();
use JSON::PP ();
use POSIX ();
use Scalar::Util 'weaken';
use Time::HiRes 'sleep';

my %Running;   # by object, so that none outlives the suite
my $Json = JSON::PP->new->utf8;
(my $Top = abs_path(__FILE__)) =~ s{/t/lib/TestSvc/Follower\.pm$}{};

# The first of them that has pyzmq: a Python that somebody put before the system's often has not.
sub python {
    my ($found) = grep { system("'$_' -c 'import zmq, sqlite3' >/dev/null 2>&1") == 0 } qw(/usr/bin/python3 python3);
    return $found || croak 'no Python 3 with pyzmq (Debian: python3-zmq)';
}

sub new {
    my ($class, $language, $pub, $replay) = @_;
    my $self = bless { language => $language, ends => [$pub, $replay], tmp => File::Temp->newdir('follow.XXXXXX', TMPDIR => 1) }, $class;
    $self->{program} = $language eq 'python' ? [python(), "$Top/examples/follow.py"]
                     : $language eq 'node'   ? ['node', "$Top/examples/follow.js"]
                     :                         croak "no follower in $language";
    return $self;
}

sub file { return "$_[0]{tmp}/$_[1]" }

sub start {
    my ($self) = @_;
    croak 'runs already' if $self->{pid};
    my $pid = fork;
    croak "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>>', $self->file('lines');
        open STDERR, '>>', $self->file('errors');
        { no warnings; exec @{ $self->{program} }, @{ $self->{ends} }, $self->file('state') }
        POSIX::_exit(127);
    }
    $self->{pid} = $pid;
    $Running{$self} = [$$, $self];
    weaken $Running{$self}[1];
    return $self;
}

sub signal {
    my ($self, $signal) = @_;
    croak "it has ended: " . $self->errors if waitpid($self->{pid}, POSIX::WNOHANG) != 0;
    kill $signal, $self->{pid} or croak "kill $signal $self->{pid}: $!";
    sleep 0.001 while $signal eq 'STOP' && grep { $_ ne 'T' } $self->states;   # it is told one thread at a time
    return $self;
}

sub states {   # of its threads
    my ($self) = @_;
    my @states;
    for my $path (glob "/proc/$self->{pid}/task/*/stat") {
        open my $file, '<', $path or next;
        push @states, $1 if (<$file> || '') =~ /\) (\w) /;
    }
    return @states;
}

sub kill9 {
    my ($self) = @_;
    $self->signal('KILL');
    waitpid $self->{pid}, 0;
    delete $self->{pid};
    delete $Running{$self};
    return $self;
}

sub slurp {
    my ($self, $name) = @_;
    open my $file, '<', $self->file($name) or return '';
    local $/;
    my $text = <$file>;
    return defined $text ? $text : '';
}

sub lines  { return split /\n/, $_[0]->slurp('lines') }
sub errors { return $_[0]->slurp('errors') }

# What it keeps: { source, position, event_id, tickets => { id => data } }; position 0 before it has kept anything.
sub state {
    my ($self) = @_;
    my %nothing = (source => '', position => 0, event_id => '', tickets => {});
    if ($self->{language} eq 'node') {
        my $kept = $Json->decode($self->slurp('state') || return \%nothing);
        $kept->{event_id} = delete $kept->{eventId};
        return $kept;
    }
    return \%nothing unless -s $self->file('state');
    my $db = DBI->connect('dbi:SQLite:dbname=' . $self->file('state'), '', '',
        { RaiseError => 1, PrintError => 0, sqlite_use_immediate_transaction => 0 });   # it only reads
    my $state = eval {   # until it has made its tables
        $db->begin_work; # one state
        my %kept = %{ $db->selectrow_hashref('SELECT source, position, event_id FROM cursor') || \%nothing };
        $kept{tickets} = { map { $_->[0] => $Json->decode($_->[1]) } @{ $db->selectall_arrayref('SELECT id, data FROM ticket') } };
        $db->rollback;
        \%kept;
    };
    die $@ unless $state || $@ =~ /no such table/;
    return $state || \%nothing;
}

sub position { return $_[0]->state->{position} }

sub DESTROY {
    my ($self) = @_;
    local ($?, $@, $!);
    my $entry = $Running{$self} or return;
    return unless $entry->[0] == $$;   # not in a client forked by the suite
    eval { $self->signal('CONT')->kill9; 1 } or warn "kill: $@";
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

TestSvc::Follower - a follower in another language

=head1 SYNOPSIS

    my $follower = TestSvc::Follower->new('python', $server->endpoint('tickets_pub'), $server->endpoint('tickets_replay'));
    $follower->start;
    wait_until { $follower->position == 3 } 10, 'three events to take effect';
    is_deeply [$follower->lines], [...];
    $follower->kill9->start;            # with the same state
    $follower->signal('STOP')->signal('CONT');

=head1 METHODS

=over

=item new($language, $pub, $replay)

C<python> or C<node>; the endpoints to follow. Its state is a temporary file that goes with the object.

=item start, signal($name), kill9

=item lines, errors

What it printed since it was new, over all starts.

=item state, position

What it keeps: C<source>, C<position>, C<event_id>, C<tickets> (a hash of each ticket's data by id).

=back

=cut
