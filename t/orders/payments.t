# POST /api/orders/:id/payments: a payments service that calls HTTP. It exists only where OrdersPayments is on; a payment
# completes its order, waits for the ticket, or is to be refunded, and each is told once. No ticket is sold twice, also
# when two orders services want it.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;
use TestSvc::Truth;

my $run = "$$-" . time;
my $made = 0;
sub new_id { return "pay-$run-" . ++$made }
sub pay {
    my ($order, $json, %opt) = @_;
    return api(POST => "/api/orders/$order->{id}/payments", user => 'payments', json => $json, %opt);
}
sub bought {
    my (%opt) = @_;
    my @at = map { $_ => $opt{$_} } grep { exists $opt{$_} } 'vhost';
    my $order = new_order(@at, ticket => new_ticket(@at, price => 20.5));
    wait_until { order($order->{id}, @at)->{status} eq 'awaiting:payment' } 10, 'the ticket is reserved';
    return $order;
}
sub events { my ($where, $order) = @_;
    my $events = db($where)->selectcol_arrayref('SELECT event FROM orders_log WHERE entity_id = ? ORDER BY position', undef, $order->{id});
    return [ map { my $event = JSON::PP->new->utf8->decode($_);
                   join ' ', $event->{type}, grep { defined } @{ $event->{data} }{qw(status reason cancelReason)} } @$events ] }

# --- in time
my $order = bought();
my $id = new_id();
my $answer = pay($order, { paymentId => $id, amount => 20.5 });
is $answer->code, 201, 'a payment in time is taken';
is $answer->json->{status}, 'complete', 'and completes the order';
is_deeply $answer->json, order($order->{id}), 'which is the answer';
is $answer->header('ETag'), '"2"', 'with its tag';
is $answer->header('Cache-Control'), 'no-store', 'and the headers of orders';
for my $again ({ paymentId => $id, amount => 20.5 }, { paymentId => $id, amount => '20.50' }, { paymentId => $id }) {
    my $repeat = pay($order, $again);
    is $repeat->code, 200, 'the same payment again is fine';
    is_deeply $repeat->json, $answer->json, 'and does nothing';
}
is_deeply events('shop', $order), [ 'order:created created', 'order:updated awaiting:payment', 'order:updated complete' ],
    'it was told once';
problem_ok api(DELETE => "/api/orders/$order->{id}", user => 'bob'), 409, [ { field => undef, message => qr/complete/ } ],
    'a complete order cannot be cancelled';
is pay(bought(), { paymentId => new_id() })->code, 201, 'the amount may be left out';
is pay(bought(), { paymentId => new_id(), amount => '20.50' })->code, 201, 'or be a numeric string';

# --- what cannot pay: 409, and one order:refund-required, however often it is sent
sub refused_ok {
    my ($name, $where, $order, $json, $message, $reason) = @_;
    my $before = @{ events($where, $order) };
    for my $time (qw(first again)) {
        problem_ok pay($order, $json, vhost => $where), 409, [ { field => undef, message => $message } ], "$name is refused: $time";
    }
    my $events = events($where, $order);
    is_deeply [ @$events[$before .. $#$events] ], ["order:refund-required $reason"], '... and told to be refunded, once';
}
refused_ok('a second payment', 'shop', $order, { paymentId => new_id() }, qr/another payment.*refunded/, 'paid');
is order($order->{id})->{status}, 'complete', 'the order stays complete';
refused_ok('another amount', 'shop', bought(), { paymentId => new_id(), amount => 20 }, qr/not the price.*refunded/, 'amount');
my $gone = bought();
api(DELETE => "/api/orders/$gone->{id}", user => 'bob');
refused_ok('a payment of a cancelled order', 'shop', $gone, { paymentId => new_id() }, qr/cancelled.*refunded/, 'cancelled');
is order($gone->{id})->{status}, 'cancelled', 'no payment revives it';
my $late = bought(vhost => 'shop_fast');
wait_until { order($late->{id}, vhost => 'shop_fast')->{status} eq 'cancelled' } 10, 'the order expires';
refused_ok('a late payment', 'shop_fast', $late, { paymentId => new_id() }, qr/expired.*refunded/, 'expired');
problem_ok pay(bought(), { paymentId => $id }), 409, [ { field => undef, message => qr/for another order/ } ],
    'a payment of another order is refused';

# --- requests
for ([ {}, 'nothing' ], [ { paymentId => undef }, 'null' ], [ { paymentId => '' }, 'an empty id' ], [ { paymentId => 7 }, 'a number' ],
     [ { paymentId => ['x'] }, 'an array' ], [ { paymentId => 'x' x 256 }, '256 bytes' ]) {
    my ($json, $what) = @$_;
    problem_ok pay($order, $json), 400, [ { field => 'paymentId', message => qr/1 to 255 bytes/ } ], "refuses $what as paymentId";
}
for my $amount (0, -1, 1.001, 'x', '1e3', '-5', '0', \1, [], 10000000) {
    problem_ok pay($order, { paymentId => new_id(), amount => $amount }), 400, [ { field => 'amount', message => qr/at most 2 decimals/ } ],
        'refuses an amount of ' . (ref $amount || $amount);
}
problem_ok pay($order, { amount => 0 }), 400, [ { field => 'paymentId' }, { field => 'amount' } ], 'names all that is wrong';
problem_ok pay({ id => $gone->{ticketId} }, { paymentId => new_id() }), 404, undef, 'there is no such order';
problem_ok pay({ id => 'x' }, { paymentId => new_id() }), 404, undef, 'nor one with a malformed id';
problem_ok pay($order, { paymentId => $id }, user => undef), 401, undef, 'a user is needed';
problem_ok pay($order, { paymentId => $id }, user => 'bob', password => 'wrong'), 401, undef, 'with the right password';
my $before = @{ events('shop', $order) };
problem_ok pay($order, { paymentId => new_id() }, user => $_), 401, undef, "$_, who is no payments service, cannot pay" for qw(bob alice);
is scalar @{ events('shop', $order) }, $before, 'which does nothing';
problem_ok pay($order, undef, content => 'paymentId=1', type => 'text/plain'), 415, undef, 'the body is JSON';
problem_ok api(GET => "/api/orders/$order->{id}/payments", user => 'payments'), 405, undef, 'it can only be posted to';
is api(GET => "/api/orders/$order->{id}/payments", user => 'payments')->header('Allow'), 'OPTIONS, POST', 'which Allow says';
problem_ok pay($order, { paymentId => new_id() }, vhost => 'small', user => 'bob'), 404, [ { field => undef, message => qr/nothing at this path/ } ],
    'without OrdersPayments there is no such path';
problem_ok api(POST => "/api/orders/$order->{id}/payments/x", user => 'payments', json => {}), 404, undef, 'nor is there anything below';

# --- while the ticket is not reserved: kept, and completed by the reservation
my $site = <<'CONF';
DBDriver sqlite3
DBDParams "@dir@/data/shop.db"
DBDMax 64
TicketsPublish   tcp://127.0.0.1:@port:tickets_pub@
TicketsReplay    tcp://127.0.0.1:@port:tickets_replay@
OrdersPublish    tcp://127.0.0.1:@port:orders_pub@
OrdersReplay     tcp://127.0.0.1:@port:orders_replay@
OrdersSubscribe  tcp://127.0.0.1:@port:tickets_pub@ tcp://127.0.0.1:@port:tickets_replay@
CONF
my $route = qq(<LocationMatch "^/api/orders/[^/]+/payments/?\$">\n  OrdersPayments On\n  Require user payments\n</LocationMatch>\n);
my $server = TestSvc::Server->new(site => $site, conf => $route)->start;
my @at = (vhost => $server);
my $early = new_order(@at, ticket => new_ticket(@at));
my $early_id = new_id();
for (1, 2) {
    $answer = pay($early, { paymentId => $early_id }, @at);
    is $answer->code, 202, 'a payment before the reservation is accepted';
    is $answer->json->{status}, 'created', 'the order is not complete yet';
}
problem_ok pay($early, { paymentId => new_id() }, @at), 409, [ { message => qr/another payment/ } ], 'a second one is not';
my $given_up = new_order(@at, ticket => new_ticket(@at));
is pay($given_up, { paymentId => new_id() }, @at)->code, 202, 'another order is paid early';
is api(DELETE => "/api/orders/$given_up->{id}", user => 'bob', @at)->code, 204, 'and cancelled';
is_deeply events($server, $given_up), [ 'order:created created', 'order:cancelled user', 'order:refund-required cancelled' ],
    'then its payment is to be refunded';
$server->write_conf(site => $site . 'TicketsSubscribe tcp://127.0.0.1:@port:orders_pub@ tcp://127.0.0.1:@port:orders_replay@' . "\n");
$server->restart;
wait_until { order($early->{id}, @at)->{status} eq 'complete' } 10, 'the reservation completes the order';
is pay($early, { paymentId => $early_id }, @at)->code, 200, 'now the payment again is a 200';
truth_ok($server);
$server->stop;
log_is_clean(server => $server);

# --- many at once: eight payments of one order, one of which pays
my $wanted = bought();
my @codes = sort map { $_->{code} } TestSvc::Clients->start(8, 'shop', sub {
    my ($client, $number) = @_;
    return $client->send(POST => "/api/orders/$wanted->{id}/payments", user => 'payments', json => { paymentId => "race-$run-$number" });
})->wait;
is_deeply \@codes, [ 201, (409) x 7 ], 'of eight payments at once one pays, seven are to be refunded';

# --- two machines on one database hear at the same moment of payments that cannot pay: each is refused by both, told once
{
    my @machines = map { TestSvc::Server->new(conf => $route) } 1, 2;
    $machines[1]{data} = $machines[0];
    for my $machine (@machines) {
        (my $its = $site) =~ s{\@dir\@/data/shop\.db}{$machines[0]->db_file}e;
        $machine->write_conf(site => $its . 'TicketsSubscribe tcp://127.0.0.1:@port:orders_pub@ tcp://127.0.0.1:@port:orders_replay@' . "\n");
        $machine->start;
    }
    my @orders = map { new_order(vhost => $machines[0], ticket => new_ticket(vhost => $machines[0]))->{id} } 1 .. 15;
    my @told = map { $_->wait } map { TestSvc::Clients->start(2, $_, sub {
        my ($client) = @_;
        return [map { $client->send(POST => "/api/orders/$_/payments", user => 'payments', json => { paymentId => "wrong $_", amount => 1 })->{code} } @orders];
    }) } @machines;
    is_deeply [grep { $_ != 409 } map { @$_ } @told], [], 'a payment of another amount that two machines hear of at once is refused by both';
    my ($refunds) = db($machines[0])->selectrow_array("SELECT COUNT(*) FROM orders_log WHERE subject = 'order:refund-required'");
    is $refunds, 15, '... and told to be refunded once';
    $_->stop for @machines;
    log_is_clean(server => $_) for @machines;
}

# --- two orders services and one ticket: one order gets it and is paid, the other payment is given back
my $both = "<IfModule orders_module>\n$route</IfModule>\n";
my ($tickets) = my @others = TestSvc::Server->pair(conf => $both);
my $third = TestSvc::Server->new(modules => ['orders'], conf => $both);
$tickets->follow;   # nobody yet: both must have ordered before either has the ticket
$third->follow($tickets);
push @others, $third;
$_->start for @others;
my $sold = new_ticket(vhost => $tickets);
my @rivals = map { { server => $_, order => new_order(vhost => $_, ticket => $sold), payment => new_id() } } @others[1, 2];
my @first = map { pay($_->{order}, { paymentId => $_->{payment} }, vhost => $_->{server})->code } @rivals;
is_deeply \@first, [ 202, 202 ], 'both are paid before either has the ticket';
$tickets->follow(@others[1, 2]);
$tickets->restart;
wait_until { !grep { order($_->{order}{id}, vhost => $_->{server})->{status} !~ /^(?:complete|cancelled)$/ } @rivals } 10, 'both orders to be settled';
my @now = map { order($_->{order}{id}, vhost => $_->{server}) } @rivals;
is_deeply [ sort map { $_->{status} } @now ], [qw(cancelled complete)], 'of two orders at two services one is complete';
my ($winner) = grep { $now[$_]{status} eq 'complete' } 0, 1;
is ticket($sold->{id}, vhost => $tickets)->{orderId}, $now[$winner]{id}, 'and has the ticket';
my $loser = $rivals[ 1 - $winner ];
problem_ok pay($loser->{order}, { paymentId => $loser->{payment} }, vhost => $loser->{server}), 409, [ { message => qr/refunded/ } ],
    'the payment of the other is to be refunded';
is scalar(grep { /refund-required/ } @{ events($loser->{server}, $loser->{order}) }), 1, 'which was told once';
$_->stop for @others;
log_is_clean(server => $_) for @others;

wait_quiet('shop');
truth_ok('shop');
log_is_clean(except => [qr/AH01617: user bob|AH01631: user (?:bob|alice)/]);
done_testing;
