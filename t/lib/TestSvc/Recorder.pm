package TestSvc::Recorder;
# An observer outside of everything: it subscribes to one log, asks for what it missed, and keeps the bytes of each
# position. It complains when a position is said to be something else than before.
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use Test::Builder ();
use Time::HiRes 'time';
use ZMQ::FFI::Constants 'ZMQ_DEALER';
use TestSvc 'db';
use TestSvc::Event;

my $Json = JSON::PP->new->utf8;
my $Test = Test::Builder->new;

sub new {   # several machines may publish one log: then each is a list
    my ($class, $publish, $replay) = @_;
    my ($first, @others) = ref $publish ? @$publish : $publish;
    my $self = bless { live => TestSvc::Event->subscriber($first), replay => ref $replay ? $replay : [$replay], text => {}, wrong => [],
                       heard => 0, position => 0, head => 0 }, $class;
    $self->{live}{socket}->connect($_) for @others;
    return $self;
}

sub keep {
    my ($self, $subject, $text) = @_;
    my $event = $Json->decode($text);
    my $position = $event->{sequence} + 0;
    $self->{text}{$position} = $text unless exists $self->{text}{$position};
    push @{ $self->{wrong} }, "position $position is $text, and was $self->{text}{$position}" if $self->{text}{$position} ne $text;
    push @{ $self->{wrong} }, "position $position is of $event->{source}, not of $self->{source}"
        if $event->{source} ne ($self->{source} ||= $event->{source});
    push @{ $self->{wrong} }, "the subject of position $position is $subject" if $event->{type} ne $subject;
}

sub hear {   # what has been published
    my ($self) = @_;
    while (my ($subject, $text) = TestSvc::Event::receive($self->{live}{socket}, 0)) {
        if ($subject eq 'heartbeat') {
            my $head = $Json->decode($text)->{data}{head};
            $self->{head} = $head if $head > $self->{head};
            next;
        }
        $self->{heard}++;
        $self->keep($subject, $text);
    }
    return $self;
}

sub live { my ($self) = @_; return $self->hear->{heard} }   # how many were heard live

sub ask {    # frames of the first answer; asks all, and again, for whoever was asked may be dead
    my ($self, $position, $seconds) = @_;
    my $deadline = time + ($seconds || 15);
    my @frames;
    while (!@frames && time < $deadline) {
        my @sockets = map { my $socket = TestSvc::Event::socket_of(ZMQ_DEALER); $socket->connect($_); $socket } @{ $self->{replay} };
        $_->send_multipart(['REPLAY', '', $position, '', 500]) for @sockets;
        my $again = time + 1;
        while (!@frames && time < $again) {
            @frames = TestSvc::Event::receive($_, 0.02) and last for @sockets;
        }
        $_->close for @sockets;
    }
    return @frames if @frames;
    die "nobody answers at @{ $self->{replay} }\n";
}

# Follows on as any follower does: takes the events in order, asks for what it did not hear. Returns the position.
sub take {
    my ($self) = @_;
    $self->hear;
    my $next = sub { $self->{position}++ while exists $self->{text}{ $self->{position} + 1 } };
    $next->();
    if (grep { $_ > $self->{position} } $self->{head}, keys %{ $self->{text} }) {
        my ($kind, undef, $head, @pairs) = $self->ask($self->{position});
        die "REPLAY after $self->{position} was answered $kind\n" unless $kind eq 'EVENTS';
        while (my ($subject, $text) = splice @pairs, 0, 2) {
            $self->keep($subject, $text);
        }
        $next->();
    }
    return $self->{position};
}

sub catch_up {   # asks for what was not heard, up to the head; returns the head
    my ($self) = @_;
    $self->hear;
    my $position = 0;
    while (1) {
        $position++ while exists $self->{text}{ $position + 1 };
        my ($kind, undef, $head, @pairs) = $self->ask($position);
        die "REPLAY after $position was answered $kind\n" unless $kind eq 'EVENTS';
        while (my ($subject, $text) = splice @pairs, 0, 2) {
            $self->keep($subject, $text);
        }
        return $head if $position >= $head;
    }
}

# What was heard and asked for is one stream without gaps, and is what stands in the log of SERVICE at WHERE.
sub stream_ok {
    my ($self, $where, $service, $name) = @_;
    my $head = $self->catch_up;
    my @wrong = @{ $self->{wrong} };
    my $log = db($where)->selectall_arrayref("SELECT position, event FROM ${service}_log ORDER BY position");
    push @wrong, 'the log has ' . @$log . " events, the stream $head" unless @$log == $head && keys %{ $self->{text} } == $head;
    for my $row (@$log) {
        my ($position, $text) = @$row;
        my $told = $self->{text}{$position};
        push @wrong, "position $position was told as " . (defined $told ? $told : 'nothing') . ", the log has $text"
            unless defined $told && $told eq $text;
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $Test->ok(!@wrong, $name) or $Test->diag(join "\n", @wrong > 10 ? @wrong[0 .. 9] : @wrong);
    return !@wrong;
}

sub close { my ($self) = @_; $self->{live}->close }

1;

__END__

=head1 NAME

TestSvc::Recorder - an observer of one event log

=head1 SYNOPSIS

    my $recorder = TestSvc::Recorder->new($server->endpoint('tickets_pub'), $server->endpoint('tickets_replay'));
    ...                                             # whatever happens; hear() now and then
    $recorder->stream_ok($server, 'tickets', 'the stream of tickets has no gap, and is the log');

=cut
