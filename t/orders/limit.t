# OrdersMaxActive: how many orders a user may hold that are not paid. One more is a 409 that names the limit; paying,
# cancelling and the end of the time to pay make room. Also when all come at once.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;
use TestSvc::Truth;

my $server = TestSvc::Server->new(conf => <<'CONF')->start;
OrdersMaxActive 2
<LocationMatch "^/api/orders/[^/]+/payments$">
  OrdersPayments On
  Require user payments
</LocationMatch>
CONF
my @at = (vhost => $server);
my @tickets = map { new_ticket(@at, title => "Seat $_") } 1 .. 12;
wait_quiet($server);
sub post { my ($n, $user) = @_; return api(POST => '/api/orders', @at, user => $user || 'bob', json => { ticketId => $tickets[$n]{id} }) }
sub full_ok { my ($n, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    problem_ok post($n), 409, [ { field => undef, message => qr/2 unpaid orders.*allowed/ } ], $name }

my @orders = map { post($_)->json } 0, 1;
is_deeply [ map { $_->{status} } @orders ], [qw(created created)], 'two orders are made';
full_ok(2, 'a third is refused, and the limit named');
is post(2, 'carol')->code, 201, 'another user can have the ticket: it was not claimed';
full_ok(0, 'that a ticket is reserved is not told to who may not order');
problem_ok api(POST => '/api/orders', @at, user => 'bob', json => { ticketId => $orders[0]{id} }), 404, undef,
    'that there is no such ticket comes first';
wait_until { !grep { order($_->{id}, @at)->{status} ne 'awaiting:payment' } @orders } 10, 'both to await payment';
full_ok(3, 'an order that awaits payment counts');
is api(POST => "/api/orders/$orders[0]{id}/payments", @at, user => 'payments', json => { paymentId => 'p1' })->code, 201, 'one is paid';
push @orders, post(3)->json;
is $orders[2]{status}, 'created', 'a paid order does not count';
full_ok(4, 'but its successor does');
is api(DELETE => "/api/orders/$orders[2]{id}", @at, user => 'bob')->code, 204, 'one is cancelled';
is post(4)->code, 201, 'which makes room, too';

# Eight at once, of one user, in one batch or in several.
my @codes = sort map { $_->{code} } TestSvc::Clients->start(8, $server, sub {
    my ($client, $number) = @_;
    return $client->send(POST => '/api/orders', user => 'user1', json => { ticketId => $tickets[ 5 + $number % 7 ]{id} });
}, keep_alive => 0)->wait;
is_deeply \@codes, [ 201, 201, (409) x 6 ], 'of eight orders at once two are made';

# The same user at the same moment as others: each has a limit of his own.
$server->write_conf(conf => "OrdersMaxActive 1\nOrdersExpiration 2\n");
$server->restart;
wait_quiet($server);
my @more = map { new_ticket(@at, title => "Box $_") } 1 .. 4;
wait_quiet($server);
my $first = api(POST => '/api/orders', @at, user => 'dave', json => { ticketId => $more[0]{id} });
is $first->code, 201, 'an order is made';
problem_ok api(POST => '/api/orders', @at, user => 'dave', json => { ticketId => $more[1]{id} }), 409, [ { message => qr/1 unpaid/ } ],
    'and no second one';
wait_until { api(POST => '/api/orders', @at, user => 'dave', json => { ticketId => $more[1]{id} })->code == 201 } 10, 'the end of the time to pay';
pass 'an overdue order does not count';
wait_until { (order($first->json->{id}, @at, user => 'dave')->{cancelReason} || '') eq 'expired' } 10, 'the sweep';
pass 'and is cancelled, as expired';
$server->write_conf(conf => '');
$server->restart;
is scalar(grep { api(POST => '/api/orders', @at, user => 'erin', json => { ticketId => $_->{id} })->code == 201 } @more[2, 3]), 2,
    'without the directive there is no limit';
wait_quiet($server);
truth_ok($server);
$server->stop;
log_is_clean(server => $server);
done_testing;
