package TestSvc::Event;
# The other side of the event bus, in another language: publish, subscribe and ask for replay over raw ZeroMQ.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use JSON::PP ();
use POSIX 'strftime';
use Scalar::Util qw(refaddr weaken);
use Time::HiRes qw(sleep time);
use ZMQ::FFI ();
use ZMQ::FFI::Constants qw(ZMQ_XPUB ZMQ_SUB ZMQ_ROUTER ZMQ_DEALER ZMQ_LINGER ZMQ_RCVTIMEO);
use constant { ZMQ_CURVE_PUBLICKEY => 48, ZMQ_CURVE_SECRETKEY => 49, ZMQ_CURVE_SERVERKEY => 50 };

our @EXPORT = qw(cloudevent replay new_keys new_uuid);

my $Json = JSON::PP->new->utf8->canonical;
my $Context;
my %Open;   # sockets of this process
my $Owner = 0;

sub context {   # one per process: a context does not survive a fork
    ($Context, $Owner) = (ZMQ::FFI->new, $$) unless $Owner == $$;
    return $Context;
}

sub socket_of {   # $curve: { public, secret, server }, for a client of CURVE
    my ($type, $curve) = @_;
    my $socket = context()->socket($type);
    $socket->set(ZMQ_LINGER, 'int', 0);
    if ($curve) {
        $socket->set(ZMQ_CURVE_PUBLICKEY, 'string', $curve->{public});
        $socket->set(ZMQ_CURVE_SECRETKEY, 'string', $curve->{secret});
        $socket->set(ZMQ_CURVE_SERVERKEY, 'string', $curve->{server});
    }
    weaken($Open{refaddr $socket} = $socket);
    return $socket;
}

# The context's end waits for each socket that is still open, for ever.
END { $_ && $_->close for values %Open; %Open = () }

# A pair of keys from svc-keygen, in the files $path.public and $path.secret.
sub new_keys {
    my ($path) = @_;
    my $program = ($ENV{TEST_BUILD} || 'build') . '/svc-keygen';
    open my $pipe, '-|', $program, $path or die "$program: $!\n";
    chomp(my $public = <$pipe> // die "$program made no keys\n");
    close $pipe or die "$program failed\n";
    open my $file, '<', "$path.secret" or die "$path.secret: $!\n";
    chomp(my $secret = <$file>);
    return { public => $public, secret => $secret, public_file => "$path.public", secret_file => "$path.secret" };
}

sub new_uuid {
    my @hex = map { sprintf '%04x', int rand 65536 } 1 .. 8;
    return sprintf '%s%s-%s-7%s-8%s-%s%s%s', @hex[0 .. 2], substr($hex[3], 1), substr($hex[4], 1), @hex[5 .. 7];
}

sub cloudevent {
    my (%opt) = @_;
    return {
        specversion     => '1.0',
        id              => exists $opt{id} ? $opt{id} : new_uuid(),
        source          => $opt{source},
        type            => $opt{type},
        subject         => $opt{subject},
        time            => strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime),
        sequence        => sprintf('%020d', $opt{sequence}),
        datacontenttype => 'application/json',
        data            => $opt{data},
    };
}

# An XPUB socket: a PUB to its subscribers, but it hears of each subscription, so no suite has to sleep.
sub publisher {
    my ($class, $endpoint) = @_;
    my $socket = socket_of(ZMQ_XPUB);
    bind_soon($socket, $endpoint);
    return bless { socket => $socket, heard => {} }, $class;
}

sub bind_soon {   # the suite before may have had this endpoint until a moment ago
    my ($socket, $endpoint) = @_;
    my $deadline = time + 5;
    until (eval { $socket->bind($endpoint); 1 }) {
        die "bind $endpoint: $@" if time > $deadline;
        sleep 0.05;
    }
}

sub wait_subscriber {   # until someone subscribes to $prefix (any, when not given)
    my ($self, $prefix, $seconds) = @_;
    my $deadline = time + ($seconds || 10);
    until (defined $prefix ? grep { index($prefix, $_) == 0 } keys %{ $self->{heard} } : %{ $self->{heard} }) {
        my @frames = receive($self->{socket}, $deadline - time) or die "nobody subscribed to the publisher\n";
        my ($on, $what) = unpack 'C a*', $frames[0];
        $on ? $self->{heard}{$what} = 1 : delete $self->{heard}{$what};
    }
    return $self;
}

sub send {
    my ($self, $subject, $event) = @_;
    $self->{socket}->send_multipart([$subject, ref $event ? $Json->encode($event) : $event]);
    return $self;
}

sub subscriber {
    my ($class, $endpoint, @prefixes) = @_;
    my $curve = @prefixes && ref $prefixes[-1] ? pop @prefixes : undef;
    my $socket = socket_of(ZMQ_SUB, $curve);
    $socket->subscribe($_) for @prefixes ? @prefixes : '';
    $socket->connect($endpoint);
    return bless { socket => $socket }, $class;
}

sub next {   # (subject, event), or nothing after $seconds
    my ($self, $seconds) = @_;
    my ($subject, $json) = receive($self->{socket}, defined $seconds ? $seconds : 5) or return;
    return ($subject, $Json->decode($json));
}

# A ROUTER that answers REPLAY: $answer->($source, $position, $event_id, $limit) returns the frames to send back.
sub replayer {
    my ($class, $endpoint) = @_;
    my $socket = socket_of(ZMQ_ROUTER);
    bind_soon($socket, $endpoint);
    return bless { socket => $socket }, $class;
}

sub answer {   # serves one request; returns its frames, or nothing after $seconds
    my ($self, $seconds, $answer) = @_;
    my ($peer, @frames) = receive($self->{socket}, $seconds) or return;
    my (undef, @request) = @frames;
    my @reply = map { ref $_ ? $Json->encode($_) : $_ } $answer->(@request);
    $self->{socket}->send_multipart([$peer, @reply]) if @reply;
    return @frames;
}

sub replay {
    my $endpoint = shift;
    my %opt = (source => '', position => 0, event_id => '', limit => 100, seconds => 5, @_);
    my $socket = socket_of(ZMQ_DEALER, $opt{curve});
    $socket->connect($endpoint);
    $socket->send_multipart(['REPLAY', @opt{qw(source position event_id limit)}]);
    my ($kind, @frames) = receive($socket, $opt{seconds});
    $socket->close;
    die "no answer to REPLAY from $endpoint\n" unless defined $kind;
    return { kind => $kind, message => $frames[0] } if $kind eq 'ERROR';
    my ($source, $head, @rest) = @frames;
    my @events;
    while (my ($subject, $json) = splice @rest, 0, 2) {
        push @events, { subject => $subject, event => $Json->decode($json) };
    }
    return { kind => $kind, source => $source, head => $head, events => \@events };
}

sub receive {
    my ($socket, $seconds) = @_;
    my $milliseconds = int($seconds * 1000);
    $socket->set(ZMQ_RCVTIMEO, 'int', $milliseconds > 0 ? $milliseconds : 0);
    my @frames;
    return eval { @frames = $socket->recv_multipart; 1 } ? @frames : ();
}

sub close {
    my ($self) = @_;
    my $socket = delete $self->{socket} or return;
    $socket->close if delete $Open{refaddr $socket};
}

sub DESTROY { local $@; eval { $_[0]->close } }

1;

__END__

=head1 NAME

TestSvc::Event - publish, subscribe and replay over raw ZeroMQ

=head1 SYNOPSIS

    my $bus = TestSvc::Event->publisher(endpoint('RAW_TICKETS_PUB'))->wait_subscriber('ticket:created');
    $bus->send('ticket:created', cloudevent(type => 'ticket:created', subject => $id, source => $source,
                                            sequence => 1, data => { id => $id, version => 0, ... }));

    my $ear = TestSvc::Event->subscriber(endpoint('SHOP_TICKETS_PUB'), 'ticket:');
    my ($subject, $event) = $ear->next(5);

    my $page = replay(endpoint('SHOP_TICKETS_REPLAY'), position => 0, limit => 10);
    # { kind => 'EVENTS', source => ..., head => ..., events => [ { subject => ..., event => {...} }, ... ] }
    # { kind => 'RESET', source, head }, { kind => 'ERROR', message }

    my $keys = new_keys("$dir/client");        # svc-keygen; { public, secret, public_file, secret_file }
    my $curve = { %$keys, server => $public_key_of_the_service };
    my $ear = TestSvc::Event->subscriber($endpoint, 'ticket:', $curve);
    my $page = replay($endpoint, curve => $curve);

    my $log = TestSvc::Event->replayer($endpoint);
    $log->answer(5, sub { my ($source, $position, $event_id, $limit) = @_;
                          return ('EVENTS', $urn, $head, 'ticket:created', $event) });

=cut
