# docs/asyncapi.yaml is an AsyncAPI 3.0 document that the official parser accepts without a word, it has every subject
# that docs/events.md has, and what both services really send is as it says: events, heartbeats, replays, snapshots.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use File::Temp ();
use JSON::PP ();
use ZMQ::FFI::Constants qw(ZMQ_DEALER ZMQ_SUB);
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;
use TestSvc::Truth;

my $Json = JSON::PP->new->utf8->canonical;
my %message_of = (   # what a subject is called in the document
    'ticket:created' => 'ticketCreated', 'ticket:updated' => 'ticketUpdated', 'order:created' => 'orderCreated',
    'order:updated' => 'orderUpdated', 'order:cancelled' => 'orderCancelled',
    'order:refund-required' => 'orderRefundRequired', 'heartbeat' => 'heartbeat', 'payment:created' => 'paymentCreated',
    'expiration:complete' => 'expirationComplete');

sub judge {   # the document as the parser sees it, and each [message, payload]
    my @payloads = @_;
    my $in = File::Temp->new;
    print $in map { $Json->encode({ message => $_->[0], payload => $_->[1] }) . "\n" } @payloads;
    close $in;
    my $output = qx{node t/examples/asyncapi.mjs docs/asyncapi.yaml <'$in'};
    is $?, 0, 'the parser runs';
    my $said = $Json->decode($output);
    is @{ $said->{wrong} }, @payloads, 'and judges all ' . @payloads . ' payloads';
    return $said;
}

# --- what is on the wire
my $server = TestSvc::Server->new(conf => <<'CONF');
LoadModule unique_id_module "@modules@/mod_unique_id.so"
OrdersSubscribe tcp://127.0.0.1:@port:payments@
CONF
my $payments = TestSvc::Event->publisher($server->endpoint('payments'));
$server->start;
$payments->wait_subscriber('payment:created')->wait_subscriber('expiration:complete');
my @shop = (vhost => $server);
my @ears = map {
    my $socket = TestSvc::Event::socket_of(ZMQ_SUB);
    $socket->connect($server->endpoint("${_}_pub"));
    $socket->subscribe('');
    $socket;
} qw(tickets orders);
my (%seen, @live);
sub hear {
    for my $ear (@ears) {
        while (my ($subject, $text) = TestSvc::Event::receive($ear, 0)) {
            $seen{$subject}++;
            push @live, [$message_of{$subject} || $subject, $Json->decode($text)];
        }
    }
    return 1;
}
wait_until { hear(); ($seen{heartbeat} || 0) >= 2 } 10, 'both services to be heard';
sub reserved {
    my $order = new_order(@shop, ticket => new_ticket(@shop, title => "Hamlet \x{20ac}", price => '20.55'));
    wait_until { order($order->{id}, @shop)->{status} eq 'awaiting:payment' } 10, 'the reservation';
    return $order;
}
sub publish {   # what the suite says is judged as well
    my ($type, %data) = @_;
    my $event = { specversion => '1.0', id => new_uuid(), source => 'payments', type => $type, data => \%data };
    push @live, [$message_of{$type}, $event];
    $payments->send($type, $event);
}
my ($kept, $paid, $cancelled) = map { reserved() } 1 .. 3;
api(DELETE => "/api/orders/$cancelled->{id}", @shop, user => 'bob',
    headers => { traceparent => '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' });
publish('payment:created', id => 'p-1', orderId => $paid->{id}, amount => 20.55);
publish('payment:created', id => 'p-2', orderId => $cancelled->{id});
publish('expiration:complete', orderId => $kept->{id});
wait_until { order($paid->{id}, @shop)->{status} eq 'complete' } 10, 'the payment';
wait_quiet($server);
my @named = qw(ticket:created ticket:updated order:created order:updated order:cancelled order:refund-required heartbeat);
wait_until { hear(); !grep { !$seen{$_} } @named } 10, 'an event of each subject';

my (@frames, @within);   # [message, all frames]; the events in them
for my $service (qw(tickets orders)) {
    my $dealer = TestSvc::Event::socket_of(ZMQ_DEALER);
    $dealer->connect($server->endpoint("${service}_replay"));
    my $ask = sub {
        my ($message, $reply, @request) = (@_[0, 1], map { "$_" } @_[2 .. $#_]);
        push @frames, [$message, \@request] if $message;
        $dealer->send_multipart(\@request);
        my @answer = TestSvc::Event::receive($dealer, 5);
        push @frames, [$reply, \@answer];
        for (my $i = $reply eq 'events' ? 3 : 6; $reply =~ /^(?:events|page)$/ && $i < @answer; $i += 2) {
            push @within, [$message_of{ $answer[$i] } || $answer[$i], $Json->decode($answer[$i + 1])];
        }
        return @answer;
    };
    my ($source, $head) = ($ask->('replay', 'events', 'REPLAY', '', 0, '', 0))[1, 2];
    cmp_ok $head, '>', 0, "$service has a log";
    cmp_ok scalar $ask->('replay', 'events', 'REPLAY', $source, 0, '', 500), '>', 4, 'that is replayed';
    $ask->('replay', 'reset', 'REPLAY', $source, 1, new_uuid(), 1);
    $ask->(undef, 'error', 'REPLAY', $source, 'x', '', 1);
    my @page = $ask->('snapshot', 'page', 'SNAPSHOT', $source, 0, '', '', 1);
    $ask->('snapshot', 'page', 'SNAPSHOT', @page[1 .. 3], $page[5], 500);
}
hear();
cmp_ok scalar(grep { $_->[0] eq 'orderUpdated' } @within), '>=', 2, 'snapshot and replay have orders';

cmp_ok scalar(grep { $_->[1]{traceparent} && $_->[1]{requestid} } @live), '>=', 2, 'some events have a trace and a request id';

my $said = judge(@live, @frames, @within);
is_deeply [grep { !/^info .*latest version/i } @{ $said->{diagnostics} }], [], 'the official parser has no complaint';
my @all = (@live, @frames, @within);
my @wrong = map { defined $said->{wrong}[$_] ? "$all[$_][0]: $said->{wrong}[$_]: " . $Json->encode($all[$_][1]) : () } 0 .. $#all;
is_deeply \@wrong, [], 'each event, request and answer is as the document says' or diag join "\n", @wrong;
my %judged = map { $_->[0] => 1 } @all;
is_deeply [grep { !$judged{$_} } qw(replay snapshot events page reset error), sort values %message_of], [], 'one of each kind at least';

# --- the schemas are no sieve: each spoilt event is refused
my ($good) = grep { $_->[0] eq 'ticketUpdated' && $_->[1]{data}{orderId} } @live;
my ($request) = grep { $_->[0] eq 'replay' } @frames;
my @spoilt = map {
    my ($name, $spoil) = @$_;
    my $event = $Json->decode($Json->encode($good->[1]));
    $spoil->($event);
    [$name, [$good->[0], $event]];
} (
    ['no id', sub { delete $_[0]{id} }], ['no source', sub { delete $_[0]{source} }], ['no subject', sub { delete $_[0]{subject} }],
    ['no sequence', sub { delete $_[0]{sequence} }], ['a short sequence', sub { $_[0]{sequence} = '7' }],
    ['another specversion', sub { $_[0]{specversion} = '2.0' }], ['another type', sub { $_[0]{type} = 'ticket:created' }],
    ['a time without milliseconds', sub { $_[0]{time} = '2026-11-23T01:40:22Z' }], ['no data', sub { delete $_[0]{data} }],
    ['no title', sub { delete $_[0]{data}{title} }], ['a price that is text', sub { $_[0]{data}{price} = '20' }],
    ['version 0', sub { $_[0]{data}{version} = 0 }], ['a version that is text', sub { $_[0]{data}{version} = '3' }],
    ['an orderId that is null', sub { $_[0]{data}{orderId} = undef }], ['a requestid with a blank', sub { $_[0]{requestid} = 'a b' }],
    ['a trace of zeros', sub { $_[0]{traceparent} = '00-' . '0' x 32 . '-00f067aa0ba902b7-01' }],
);
push @spoilt, ['a request of four frames', ['replay', [@{ $request->[1] }[0 .. 3]]]],
    ['a position that is no number', ['replay', ['REPLAY', '', 'x', '', '1']]], ['another word', ['replay', ['REPLAYS', '', '0', '', '1']]];
my $refused = judge(map { $_->[1] } @spoilt);
for my $i (0 .. $#spoilt) {
    ok defined $refused->{wrong}[$i], "refused: $spoilt[$i][0]";
}
my %future = %{ $good->[1] };
is_deeply judge([$good->[0], { %future, future => 'x', data => { %{ $future{data} }, seat => 'A 12' } }])->{wrong}, [undef],
    'a field that is new is none of its business';

# --- every subject that the text names is there, and no other
my $text = do { local (@ARGV, $/) = 'docs/events.md'; <> };
my %subjects = map { $_ => 1 } $text =~ /^\| `((?:ticket|order):[a-z-]+|heartbeat)` \|/mg;
my %channels = map { $_ => 1 } grep { defined } @{ $said->{channels} };
is_deeply [grep { !$channels{$_} } sort keys %subjects], [], 'each subject of docs/events.md is a channel';
is_deeply [grep { $text !~ /`\Q$_\E`/ } sort keys %channels], [], 'each channel is a subject that docs/events.md explains';

$server->stop;
log_is_clean(server => $server);
done_testing;
