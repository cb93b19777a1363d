# REPLAY: whoever missed something asks the ROUTER socket for it, in bounded pages, from DEALER and REQ sockets; the
# bytes are those that were published; a request that cannot be answered gets a sentence, never silence.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes 'time';
use ZMQ::FFI::Constants qw(ZMQ_DEALER ZMQ_REQ ZMQ_SUB ZMQ_LINGER);
use TestSvc;
use TestSvc::Event;

my $replay = endpoint('SHOP_TICKETS_REPLAY');
my $pub = endpoint('SHOP_TICKETS_PUB');

my @open;
sub open_socket {
    my ($type, $endpoint) = @_;
    push @open, my $socket = TestSvc::Event::socket_of($type);
    $socket->connect($endpoint);
    return $socket;
}

sub ask {   # raw frames to raw frames
    my ($socket, @frames) = @_;
    $socket->send_multipart(\@frames);
    return TestSvc::Event::receive($socket, 5);
}

# Live bytes, to compare.
my $sub = open_socket(ZMQ_SUB, $pub);
$sub->subscribe('');
my %live;
sub hear { while (my ($subject, $json) = TestSvc::Event::receive($sub, 0)) { $live{$json} = $subject unless $subject eq 'heartbeat' } }
wait_until { TestSvc::Event::receive($sub, 0) } 5, 'the subscription is in place';

my @tickets = map { new_ticket(title => "Replay $_ \x{20ac}") } 1 .. 12;
my ($source, $head) = db('shop')->selectrow_array('SELECT source, position FROM tickets_head');
wait_until { hear(); keys %live >= 12 } 5, 'twelve events live';

# --- pages
my $all = replay($replay, limit => 500);
is $all->{kind}, 'EVENTS', 'an empty source means the log that is kept there';
is $all->{source}, $source, 'the answer names the source';
is $all->{head}, $head, 'and the head';
my @positions = map { $_->{event}{sequence} + 0 } @{ $all->{events} };
is_deeply \@positions, [1 .. ($head < 500 ? $head : 500)], 'from position 0 the log comes from its first event, in order';

my $from = $head - 12;
my $page = replay($replay, source => $source, position => $from, limit => 5);
is_deeply [map { $_->{event}{sequence} + 0 } @{ $page->{events} }], [$from + 1 .. $from + 5], 'limit 5 is five events, after the position';
is_deeply [map { $_->{subject} } @{ $page->{events} }], [('ticket:created') x 5], 'each under its subject';
my $last = $page->{events}[-1]{event};
my $next = replay($replay, source => $source, position => $last->{sequence} + 0, event_id => $last->{id}, limit => 5);
is $next->{events}[0]{event}{sequence} + 0, $from + 6, 'the next page begins where the last one ended';
is replay($replay, source => $source, position => $head, limit => 5)->{kind}, 'EVENTS', 'at the head the answer is EVENTS';
is_deeply replay($replay, source => $source, position => $head, limit => 5)->{events}, [], 'with no event';
is_deeply replay($replay, source => $source, position => $head + 1000, limit => 5)->{events}, [], 'nor is there one beyond the head';
is replay($replay, source => $source, position => $head + 1000, event_id => 'x', limit => 5)->{head}, $head,
    'which is told all the same';

my $nothing = replay($replay, limit => 0);
is_deeply $nothing, { kind => 'EVENTS', source => $source, head => $head, events => [] }, 'limit 0 asks for source and head alone';

# More than a page can hold: bounded, whatever is asked for.
my $bounded = replay($replay, limit => 999999999);
cmp_ok scalar @{ $bounded->{events} }, '<=', 500, 'a page has at most 500 events';
cmp_ok scalar @{ $bounded->{events} }, '>', 0, 'and a large limit is no error';

# --- the same bytes
my $dealer = open_socket(ZMQ_DEALER, $replay);
my ($kind, undef, undef, @pairs) = ask($dealer, 'REPLAY', $source, $from, '', 12);
is $kind, 'EVENTS', 'twelve events are replayed';
my @other = grep { !exists $live{ $pairs[2 * $_ + 1] } } 0 .. 11;
is_deeply \@other, [], 'each with the bytes that were published';

# --- the log that was followed is not this one
my $right = $all->{events}[-1]{event};
is replay($replay, source => $source, position => $right->{sequence} + 0, event_id => $right->{id})->{kind}, 'EVENTS',
    'the id of the event at the position is accepted';
my $reset = replay($replay, source => $source, position => $right->{sequence} + 0, event_id => new_uuid());
is_deeply $reset, { kind => 'RESET', source => $source, head => $head, events => [] },
    'another id there is answered RESET with source and head, and no event';

# --- what cannot be answered
my $other = replay($replay, source => 'urn:uuid:' . new_uuid());
is $other->{kind}, 'ERROR', 'another source is an ERROR';
like $other->{message}, qr/\Q$source\E/, 'that says which log is kept there';
for my $case (
    ['one frame',               'REPLAY'],
    ['four frames',             'REPLAY', $source, 0, ''],
    ['six frames',              'REPLAY', $source, 0, '', 10, 'more'],
    ['another word',            'SNAPSHOT', $source, 0, '', 10],
    ['the word in lower case',  'replay', $source, 0, '', 10],
    ['a position that is text', 'REPLAY', $source, 'x', '', 10],
    ['a negative position',     'REPLAY', $source, '-1', '', 10],
    ['an empty position',       'REPLAY', $source, '', '', 10],
    ['a huge position',         'REPLAY', $source, '9' x 40, '', 10],
    ['a limit that is text',    'REPLAY', $source, 0, '', 'ten'],
    ['a negative limit',        'REPLAY', $source, 0, '', '-5'],
    ['an empty limit',          'REPLAY', $source, 0, '', ''],
    ['a limit with a space',    'REPLAY', $source, 0, '', '1 '],
) {
    my ($name, @frames) = @$case;
    my @answer = ask($dealer, @frames);
    is_deeply [scalar @answer, $answer[0]], [2, 'ERROR'], "$name is answered ERROR" or diag explain \@answer;
    like $answer[1], qr/^[a-z].* .* .{5,}/i, '... with a sentence';
    unlike $answer[1], qr/SELECT|sqlite|INSERT/i, '... that shows no SQL';
}
my @nul = ask($dealer, 'REPLAY', $source, "1\0" . '2', '', 10);
is $nul[0], 'ERROR', 'a number with a NUL byte is no number';
is +(ask($dealer, 'REPLAY', $source, 0, '', 1))[0], 'EVENTS', 'the same socket is served afterwards';

# --- who cannot ask properly harms nobody
for my $frames (200, 5000) {
    open_socket(ZMQ_DEALER, $replay)->send_multipart([('x') x $frames]);
}
is replay($replay, limit => 0)->{kind}, 'EVENTS', 'a message of thousands of frames is survived';
{
        open_socket(ZMQ_DEALER, $replay)->send_multipart(['REPLAY', 'x' x 5_000_000, 0, '', 1]);
    is replay($replay, limit => 0)->{kind}, 'EVENTS', 'so is a frame of five million bytes';
}
{
        my @many = map { open_socket(ZMQ_DEALER, $replay) } 1 .. 40;   # who asks and goes away
    ask($_, 'REPLAY', '', 0, '', 0) for @many;
    $_->send_multipart(['REPLAY', '', 0, '', 500]) for @many;
    for my $socket (splice @open, -40) {
        $socket->set(ZMQ_LINGER, 'int', 500);   # what was sent goes out first
        $socket->close;
    }
    is replay($replay, limit => 0)->{kind}, 'EVENTS', 'so are forty askers that went away';
}

# --- REQ sockets
my $req = open_socket(ZMQ_REQ, $replay);
is_deeply [(ask($req, 'REPLAY', '', 0, '', 0))[0, 1]], ['EVENTS', $source], 'a REQ socket, with its empty delimiter, is answered';
is +(ask($req, 'REPLAY', '', 'x', '', 0))[0], 'ERROR', 'its errors too';
is +(ask($req, 'REPLAY', $source, $from, '', 1))[3], 'ticket:created', 'and its next question';

# --- both services
my $orders = replay(endpoint('SHOP_ORDERS_REPLAY'), limit => 1);
is $orders->{source}, db('shop')->selectrow_array('SELECT source FROM orders_head'), 'orders serves its own log';
is replay(endpoint('SHOP_ORDERS_REPLAY'), source => $source)->{kind}, 'ERROR', 'and not that of tickets';

# --- a pipeline of requests is answered in order
my $begin = time;
$dealer->send_multipart(['REPLAY', $source, $_, '', 1]) for $from .. $from + 11;
my @got = map { (TestSvc::Event::receive($dealer, 5))[4] } 1 .. 12;
is_deeply [map { /"sequence":"(\d+)"/ ? $1 - $from : -1 } @got], [1 .. 12], 'twelve requests at once are answered in order';

log_is_clean;
done_testing;
