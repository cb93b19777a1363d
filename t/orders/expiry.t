# An order that is not paid in time: never cancelled before expiresAt, at the latest two seconds after it, at once when
# somebody else wants the ticket. On shop_fast a buyer has five seconds to pay: long enough for the ticket to be reserved
# meanwhile on a busy machine, too.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use HTTP::Date 'str2time';
use JSON::PP ();
use Time::HiRes 'time';
use TestSvc;
use TestSvc::Clients;
use TestSvc::Truth;

my $db = db('shop_fast');
my @at = (vhost => 'shop_fast');
my $given = 5;   # OrdersExpiration

sub due { my ($order) = @_; return str2time($order->{expiresAt}) }
sub cancellation {   # when it was written, by the clock that expiresAt is of; and the event
    my ($order) = @_;
    my ($ms, $event) = $db->selectrow_array(
        q(SELECT recorded_at, event FROM orders_log WHERE entity_id = ? AND subject = 'order:cancelled'), undef,
            $order->{id});
    return ($ms / 1000, JSON::PP->new->utf8->decode($event));
}

sub reserved {   # when that was written
    my ($order) = @_;
    my ($ms) = $db->selectrow_array(
        q(SELECT recorded_at FROM orders_log WHERE entity_id = ? AND subject = 'order:updated'), undef, $order->{id});
    return ($ms || 0) / 1000;
}

# By the sweep: some orders, spread over its period.
my $begin = time;
my @orders = map { new_order(@at, ticket => new_ticket(@at)) } 1 .. 8;
ok due($_) - $begin >= $given - 0.01 && due($_) - time <= $given + 0.01, 'OrdersExpiration says how long a buyer has' for @orders;
wait_until { !grep { !reserved($_) } @orders } 10, 'all tickets are reserved';
ok reserved($_) < due($_), 'a ticket is reserved in time' for @orders;
my $early = 0;
wait_until {
    my $status = order($orders[0]{id}, @at)->{status};
    $early ||= $status eq 'cancelled' && time < due($orders[0]);
    $status eq 'cancelled';
} 10, 'the first order expires';
ok !$early, 'a client never sees it cancelled before expiresAt';
wait_until { !grep { order($_->{id}, @at)->{status} ne 'cancelled' } @orders } 10, 'all expire';
for my $n (0 .. $#orders) {
    my $order = order($orders[$n]{id}, @at);
    my ($when, $event) = cancellation($order);
    my $late = $when - due($order);
    ok $late >= 0 && $late <= 2, "order $n is cancelled not before expiresAt and within 2 s" or diag "$late s";
    is $order->{cancelReason}, 'expired', '... as expired';
    is $order->{version}, 2, '... which is its next version';
    is_deeply $event->{data}, { id => $order->{id}, version => 2, cancelReason => 'expired',
        ticket => { id => $order->{ticketId} } },
        '... and told as order:cancelled';
}
wait_until { !grep { exists ticket($_->{ticketId}, @at)->{orderId} } @orders } 10, 'all tickets are free';
is api(DELETE => "/api/orders/$orders[0]{id}", @at, user => 'bob')->code, 204,
    'cancelling an expired order is nothing new';
is order($orders[0]{id}, @at)->{cancelReason}, 'expired', 'it stays expired';

# The buyer's own requests after expiresAt: the time in the row counts, not who comes first, the request or the sweep. They
# are at work while others want tickets, below.
my $owners = TestSvc::Clients->start(4, 'shop_fast', sub {
    my ($client, $number) = @_;
    $client->pause(0.13 * $number);
    my ($gone, $again) = map { new_order(@at, user => 'bob', ticket => new_ticket(@at)) } 1 .. 2;
    $client->pause(due($again) + 0.002 - $client->now);
    my $delete = $client->send(DELETE => "/api/orders/$gone->{id}", user => 'bob');
    my $post = $client->send(POST => '/api/orders', user => 'bob', json => { ticketId => $again->{ticketId} });
    return { gone => $gone->{id}, delete => $delete->{code}, post => $post->{code} };
}, keep_alive => 0);

# Somebody else wants the ticket: each of these asks from the order on, and around expiresAt all the time. From then on
# nobody hears that it is reserved.
my @told = TestSvc::Clients->start(4, 'shop_fast', sub {
    my ($client, $number) = @_;
    $client->pause(0.13 * $number);   # at different moments of the sweep's period
    my $order = new_order(@at, user => 'bob', ticket => new_ticket(@at));
    my $due = due($order);
    my ($refused_early, $refused_late, $answer, $begin) = (0, 0);
    do {
        $begin = $client->now;
        $answer = $client->send(POST => '/api/orders', user => 'carol', json => { ticketId => $order->{ticketId} });
        ($begin > $due + 0.001 ? $refused_late : $refused_early)++ if $answer->{code} == 409;
        $client->pause(0.05) if $client->now < $due - 0.2;
    } while $answer->{code} == 409 && $begin < $due + 5;
    return { order => $order, code => $answer->{code}, next => $answer->{json}, early => $refused_early,
        late => $refused_late,
             after => $client->now - $due };
}, keep_alive => 0)->wait;
for my $told (@told) {
    is $told->{code}, 201, 'another buyer gets the ticket' or next;
    cmp_ok $told->{after}, '>=', 0, '... not before expiresAt';
    cmp_ok $told->{early}, '>', 0, '... before which it was reserved';
    is $told->{late}, 0, '... and from then on no request is refused';
    my $first = order($told->{order}{id}, @at);
    is_deeply [ @$first{qw(status cancelReason)} ], [ 'cancelled', 'expired' ],
        '... for the first order is expired by that';
}

# The first buyer's late cancellation does not free what is the second one's now.
my $told = $told[0];
is api(DELETE => "/api/orders/$told->{order}{id}", @at, user => 'bob')->code, 204,
    'the first buyer cancels when it is over';
is order($told->{order}{id}, @at)->{cancelReason}, 'expired', 'which changes nothing';
wait_until { my $order = order($told->{next}{id}, @at, user => 'carol');
             $order->{status} eq 'awaiting:payment' || $order->{version} > 1 } 10, 'the second order has the ticket';
my ($second_kept) = $db->selectrow_array(
    q(SELECT COUNT(*) FROM orders_log WHERE entity_id = ? AND subject = 'order:updated'), undef, $told->{next}{id});
is $second_kept, 1, 'the second order got its ticket reserved';

# What the buyers were told who asked after expiresAt themselves.
@told = $owners->wait;
for my $told (@told) {
    is $told->{delete}, 204, 'an overdue order can be cancelled';
    my $gone = order($told->{gone}, @at);
    is_deeply [ @$gone{qw(status cancelReason version)} ], [ 'cancelled', 'expired', 2 ], '... but it is expired';
    is $told->{post}, 201, '... and its ticket ordered again by the same buyer';
}

wait_until { !$db->selectrow_array(q(SELECT COUNT(*) FROM orders WHERE status <> 'cancelled')) } 10,
    'the last one expires';
wait_quiet('shop_fast');
truth_ok('shop_fast');
log_is_clean;
done_testing;
