# A payments service that is nothing but a PUB socket: a payment completes its order, waits for the ticket, or is to be
# refunded, and each is told once to whoever listens. And an expiration service: it can hasten nothing.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use HTTP::Date 'str2time';
use JSON::PP ();
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;
use TestSvc::Truth;

my %ports = map { $_ => TestSvc::Server::free_port() } qw(tickets_pub tickets_replay orders_pub orders_replay);
my $tickets = TestSvc::Server->new(modules => ['tickets'], ports => {%ports}, site => <<'CONF');
DBDriver sqlite3
DBDParams "@dir@/data/shop.db"
DBDMax 64
TicketsPublish   tcp://127.0.0.1:@port:tickets_pub@
TicketsReplay    tcp://127.0.0.1:@port:tickets_replay@
TicketsSubscribe tcp://127.0.0.1:@port:orders_pub@ tcp://127.0.0.1:@port:orders_replay@
CONF
my $orders = TestSvc::Server->new(modules => ['orders'], ports => {%ports}, site => <<'CONF');
DBDriver sqlite3
DBDParams "@dir@/data/shop.db"
DBDMax 64
OrdersPublish    tcp://127.0.0.1:@port:orders_pub@
OrdersReplay     tcp://127.0.0.1:@port:orders_replay@
OrdersSubscribe  tcp://127.0.0.1:@port:tickets_pub@ tcp://127.0.0.1:@port:tickets_replay@
OrdersSubscribe  tcp://127.0.0.1:@port:payments_pub@
CONF
my $brief = TestSvc::Server->new(conf => <<'CONF');   # both services in one, two seconds to pay
OrdersSubscribe  tcp://127.0.0.1:@port:payments_pub@
OrdersExpiration 2
CONF

# A shop: where its two services are, and the services that the suite plays for it.
sub open_shop {
    my ($tickets, $orders) = @_;
    my $bus = TestSvc::Event->publisher($orders->endpoint('payments_pub'));
    $_->start for $tickets == $orders ? $orders : ($tickets, $orders);
    $bus->wait_subscriber('payment:created')->wait_subscriber('expiration:complete');
    my $ear = TestSvc::Event->subscriber($orders->endpoint('orders_pub'), 'order:', 'heartbeat');
    wait_until { $ear->next(0) } 10, 'the publisher of orders';
    my $shop = { tickets => $tickets, orders => $orders, bus => $bus, ear => $ear, db => db($orders), told => [] };
    $shop->{gone} = new_order(vhost => $orders, ticket => new_ticket(vhost => $tickets));
    api(DELETE => "/api/orders/$shop->{gone}{id}", vhost => $orders, user => 'bob');
    return $shop;
}
my $source = 'urn:uuid:' . new_uuid();
sub event { my ($type, $data) = @_;
    my $event = cloudevent(type => $type, subject => $data->{id}, source => $source, sequence => 1, data => $data);
    delete $event->{sequence};   # a plain publisher has no log
    delete $event->{subject} unless defined $event->{subject};
    return $event }
sub pay { my ($shop, $id, $order, @amount) = @_;
    $shop->{bus}->send('payment:created', event('payment:created', { id => $id, orderId => $order->{id}, @amount ? (amount => $amount[0]) : () })) }
sub expire { my ($shop, $order) = @_;
    $shop->{bus}->send('expiration:complete', event('expiration:complete', { orderId => $order->{id} })) }
sub kept { my ($shop, $id) = @_;
    my ($status, $reason) = $shop->{db}->selectrow_array('SELECT status, reason FROM orders_payments WHERE payment_id = ?', undef, $id);
    return join ' ', grep { defined } $status, $reason }
sub heard {   # what was sent before was taken when this one, which nobody wants, is kept
    my ($shop) = @_;
    my $id = new_uuid();
    pay($shop, $id, $shop->{gone});
    wait_until { kept($shop, $id) } 10, 'orders to hear of a payment';
}
sub bought { my ($shop, %opt) = @_;
    my $order = new_order(vhost => $shop->{orders}, ticket => new_ticket(vhost => $shop->{tickets}, price => 20), %opt);
    wait_until { now($shop, $order)->{status} eq 'awaiting:payment' } 10, 'the ticket is reserved';
    return $order }
sub now { my ($shop, $order) = @_; return order($order->{id}, vhost => $shop->{orders}) }
sub state { my $now = now(@_); return join ' ', grep { defined } @$now{qw(status version cancelReason)} }
# What the PUB socket told of an order, until its version is $version: [subject, data], ...
sub told {
    my ($shop, $order, $version) = @_;
    my @mine;
    wait_until {
        while (my ($subject, $event) = $shop->{ear}->next(0)) {
            push @{ $shop->{told} }, [$subject, $event->{data}] unless $subject eq 'heartbeat';
        }
        @mine = grep { $_->[1]{id} eq $order->{id} } @{ $shop->{told} };
        @mine && $mine[-1][1]{version} >= $version;
    } 10, "the PUB socket to tell version $version";
    return @mine;
}
sub story { my ($shop, $order, $version) = @_;
    return [map { my ($subject, $data) = @$_; join ' ', $subject, $data->{version}, grep { defined } @$data{qw(status cancelReason paymentId reason)} } told(@_)] }
sub logged { my ($shop, $order) = @_;
    return scalar $shop->{db}->selectrow_array('SELECT COUNT(*) FROM orders_log WHERE entity_id = ?', undef, $order->{id}) }

my $shop = open_shop($tickets, $orders);

# --- in time
my $order = bought($shop);
pay($shop, 'in-time', $order, 20);
wait_until { now($shop, $order)->{status} eq 'complete' } 10, 'the order is complete';
my $complete = now($shop, $order);
is $complete->{version}, 2, 'a payment in time completes the order, which is its next version';
is $complete->{expiresAt}, $order->{expiresAt}, '... and the rest of it is as it was';
my @told = told($shop, $order, 2);
is_deeply [map { "$_->[0] $_->[1]{status}" } @told],
    ['order:created created', 'order:updated awaiting:payment', 'order:updated complete'], 'order:updated tells it';
is_deeply $told[2][1], { %{ $told[1][1] }, version => 2, status => 'complete' }, '... with the same fields as before';
problem_ok api(DELETE => "/api/orders/$order->{id}", vhost => $orders, user => 'bob'), 409, [ { field => undef, message => qr/complete/ } ],
    'a complete order cannot be cancelled';
ok((grep { $_->{id} eq $order->{id} && $_->{status} eq 'complete' }
    @{ api(GET => '/api/orders', vhost => $orders, user => 'bob')->json }), 'it stays in the list of its owner');
problem_ok api(POST => '/api/orders', vhost => $orders, user => 'carol', json => { ticketId => $order->{ticketId} }), 409, undef,
    'nobody else can order its ticket';
is ticket($order->{ticketId}, vhost => $tickets)->{orderId}, $order->{id}, 'which stays reserved for it';

pay($shop, 'in-time', $order, 20) for 1 .. 3;
heard($shop);
is state($shop, $order), 'complete 2', 'a payment that arrives four times has paid once';
is logged($shop, $order), 3, '... and has one event';
expire($shop, $order);
heard($shop);
is state($shop, $order), 'complete 2', 'a complete order does not expire';

# --- what cannot pay
pay($shop, 'second', $order);
pay($shop, 'second', $order);
@told = told($shop, $order, 3);
is_deeply $told[3], ['order:refund-required', { id => $order->{id}, version => 3, paymentId => 'second', reason => 'paid' }],
    'a second payment is to be refunded: order:refund-required';
heard($shop);
is state($shop, $order), 'complete 3', '... once; the order stays complete';

$order = bought($shop);
pay($shop, 'too-few', $order, 19.99);
is story($shop, $order, 2)->[2], 'order:refund-required 2 too-few amount', 'so is an amount that is not the price';
is state($shop, $order), 'awaiting:payment 2', '... the order still awaits payment';
pay($shop, 'enough', $order, 20);
wait_until { state($shop, $order) eq 'complete 3' } 10, 'the right amount to complete it';

$order = bought($shop);
is api(DELETE => "/api/orders/$order->{id}", vhost => $orders, user => 'bob')->code, 204, 'a buyer cancels';
pay($shop, 'after-delete', $order);
is_deeply [@{ story($shop, $order, 3) }[2, 3]], ['order:cancelled 2 user', 'order:refund-required 3 after-delete cancelled'],
    'a payment after that is to be refunded';
is state($shop, $order), 'cancelled 3 user', '... and does not revive the order';
wait_until { !exists ticket($order->{ticketId}, vhost => $tickets)->{orderId} } 10, 'the ticket to be free';
pass 'its ticket is free';

# --- an expiration service that is too early
$order = bought($shop);
expire($shop, $order);
heard($shop);
is state($shop, $order), 'awaiting:payment 1', 'expiration:complete before expiresAt is ignored';
expire($shop, { id => new_uuid() });

# --- money without an order
my $stray = new_uuid();
pay($shop, 'stray', { id => $stray });
pay($shop, 'second', $order);
heard($shop);
is_deeply $shop->{db}->selectall_arrayref('SELECT reason FROM orders_quarantine ORDER BY reason'),
    [['The payment second is for another order'], ["There is no order $stray"]],
    'a payment for an unknown order is set aside, so is one that is known for another order';
is state($shop, $order), 'awaiting:payment 1', '... which does nothing to this one';
my @lines = grep { /SVC030/ } split /\n/, $orders->error_log;
is @lines, 2, '... the error log says so, a line each';
like $lines[0], qr/payment:created.*There is no order \Q$stray\E/, '... with the order';

# --- payments that are faster than the tickets service
my @ids = map { new_ticket(vhost => $tickets, price => 20)->{id} } 1 .. 2;
wait_until { 2 == grep { $shop->{db}->selectrow_array('SELECT 1 FROM orders_tickets WHERE id = ?', undef, $_) } @ids } 10, 'orders to know two tickets';
$tickets->stop;
my ($early, $fickle) = map { new_order(vhost => $orders, ticket => $_) } @ids;
pay($shop, 'early', $early, 20);
pay($shop, 'fickle', $fickle, 20);
heard($shop);
is state($shop, $early), 'created 0', 'a payment before the ticket is reserved leaves the order as it is';
is kept($shop, 'early'), 'recorded', '... and is recorded';
is api(DELETE => "/api/orders/$fickle->{id}", vhost => $orders, user => 'bob')->code, 204, 'one buyer cancels after all';
is_deeply story($shop, $fickle, 2), ['order:created 0 created', 'order:cancelled 1 user', 'order:refund-required 2 fickle cancelled'],
    '... the payment that was recorded is to be refunded, right after the cancellation';
$orders->restart;
is kept($shop, 'early'), 'recorded', 'a recorded payment outlives a restart';
$tickets->start;
wait_until { now($shop, $early)->{status} eq 'complete' } 20, 'the other order is complete';
is state($shop, $early), 'complete 2', 'when the tickets service is back the other order is complete';
is_deeply [map { JSON::PP->new->utf8->decode($_->[0])->{data}{status} } @{ $shop->{db}->selectall_arrayref(
    'SELECT event FROM orders_log WHERE entity_id = ? ORDER BY position', undef, $early->{id}) }],
    ['created', 'awaiting:payment', 'complete'], '... after it awaited payment, with one event for each';
is ticket($ids[0], vhost => $tickets)->{orderId}, $early->{id}, '... its ticket is reserved';
wait_until { ticket($ids[1], vhost => $tickets)->{version} == 2 } 10, 'the other ticket to be reserved and released';
is state($shop, $fickle), 'cancelled 2 user', 'the cancelled one stays as it was';
$shop->{bus}->close;
$shop->{bus} = TestSvc::Event->publisher($orders->endpoint('payments_pub'));
$shop->{bus}->wait_subscriber('payment:created');
pay($shop, 'early', $early, 20);
pay($shop, 'fickle', $fickle, 20);
heard($shop);
is join(', ', map { state($shop, $_) } $early, $fickle), 'complete 2, cancelled 2 user', 'both payments are known after all that';

# --- too late. From expiresAt on, whoever comes first, the sweep or the payment.
my $short = open_shop($brief, $brief);
sub at_due { my ($order) = @_; my $wait = str2time($order->{expiresAt}) + 0.002 - time; sleep $wait if $wait > 0 }
my @overdue = map { new_order(vhost => $brief, ticket => new_ticket(vhost => $brief, price => 20)) } 1 .. 12;
for my $n (1 .. @overdue / 2) {   # at different moments of the sweep's period
    my ($late, $told) = splice @overdue, 0, 2;
    at_due($told);
    pay($short, "late-$n", $late, 20);
    expire($short, $told);
    heard($short);
    my $version = now($short, $late)->{version};
    is state($short, $late), "cancelled $version expired", 'a payment after expiresAt finds the order expired';
    is_deeply [@{ story($short, $late, $version) }[-2, -1]],
        ['order:cancelled ' . ($version - 1) . ' expired', "order:refund-required $version late-$n expired"],
        '... and is to be refunded';
    is now($short, $told)->{cancelReason}, 'expired', 'expiration:complete after expiresAt finds the order expired, too';
}
wait_quiet($brief);
truth_ok($brief);

for ($shop, $short) {
    $_->{bus}->close;
    $_->{ear}->close;
}
cmp_ok $_->stop, '<', 10, 'it stops' for $brief, $orders, $tickets;
log_is_clean(server => $_) for $brief, $tickets;
log_is_clean(server => $orders, except => [qr/SVC030: mod_orders/]);
log_is_clean;
done_testing;
