# Each answer that docs/openapi.yaml has is really given: every status of every operation is provoked once, and prism
# finds that it is as it is documented. So the document has nothing that does not exist.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use HTTP::Response ();
use IO::Socket::INET ();
use JSON::PP ();
use TestSvc;
use TestSvc::Event 'new_uuid';
use TestSvc::Judge;
use TestSvc::Server;

my $judge = TestSvc::Judge->new('docs/openapi.yaml');
local $ENV{TEST_PRISM} = $judge->url;   # each answer below fails the suite if it is not as documented
my $operations = JSON::PP->new->decode(scalar qx{node t/openapi/operations.mjs docs/openapi.yaml});

my $server = TestSvc::Server->new(conf => <<'CONF')->start;
<Location "/api/orders">
  OrdersPayments On
</Location>
Listen 127.0.0.1:@port:off@
<VirtualHost 127.0.0.1:@port:off@>
  <Location "/api/orders">
    OrdersPayments Off
  </Location>
</VirtualHost>
Listen 127.0.0.1:@port:guarded@
<VirtualHost 127.0.0.1:@port:guarded@>
  <Location "/api">
    AuthzSendForbiddenOnFailure On
    AuthType Basic
    AuthName "guarded"
    AuthUserFile "@top@/t/conf/users"
    Require user alice
  </Location>
  <LocationMatch "^/api/(tickets|orders)">
    Require user alice
  </LocationMatch>
</VirtualHost>
Listen 127.0.0.1:@port:broken@
<VirtualHost 127.0.0.1:@port:broken@>
  <LocationMatch "^/api/(tickets|orders)">
    AuthUserFile "@dir@/no-such-file"
    Require valid-user
  </LocationMatch>
</VirtualHost>
CONF
sub at { my ($port) = @_; return 'http://127.0.0.1:' . $server->port($port) }

my ($some, %path) = (new_uuid());
my @each = map {   # [method, path, what to send], of each operation
    (my $path = $_->{path}) =~ s/\{id\}/$some/;
    [$_->{method}, $path, $_->{requests}[0] ? (json => $_->{requests}[0]{value}) : ()]
} @$operations;
cmp_ok scalar @each, '>', 20, 'there are operations';

# What httpd refuses, at each operation: nobody, the wrong one, its own trouble, a request without Host.
for (@each) {
    my ($method, $path, @body) = @$_;
    is api($method => $path, vhost => at('guarded'), @body)->code, 401, "$method $path: 401";
    is api($method => $path, vhost => at('guarded'), user => 'bob', @body)->code, 403, '... 403';
    is api($method => $path, vhost => at('broken'), user => 'bob', @body)->code, 500, '... 500';
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->port) or die "connect: $!";
    print $socket "$method $path HTTP/1.1\r\nConnection: close\r\n\r\n";
    my $answer = HTTP::Response->parse(do { local $/; <$socket> });
    is $answer->code, 400, '... 400';
    is_deeply [$judge->violations(method => $method, url => $server->url($path), headers => [], status => 400,
        answerHeaders => TestSvc::Judge::pairs($answer->headers), answerBody => $answer->content)], [], '... as documented';
}

# A database that is not there.
my $lost = TestSvc::Server->new(conf => "<Location \"/api/orders\">\nOrdersPayments On\n</Location>\n");
rename $lost->dir . '/data', $lost->dir . '/data.away' or die $!;
$lost->start;
for (grep { $_->[0] ne 'OPTIONS' } @each) {
    my ($method, $path, @body) = @$_;
    is api($method => $path, vhost => $lost, user => 'bob', @body)->code, 503, "$method $path: 503";
}
rename $lost->dir . '/data.away', $lost->dir . '/data' or die $!;
$lost->stop;

# Paths and methods.
for my $path (sort map { $_->[1] } grep { $_->[0] eq 'OPTIONS' } @each) {
    is api(OPTIONS => $path, vhost => $server, user => 'bob')->code, 204, "OPTIONS $path: 204";
    is api(PATCH => $path, vhost => $server, user => 'bob')->code, 405, "PATCH $path: 405";
}
for my $path (map { "/api/$_" } 'tickets/a/b', 'orders/a/b', "orders/$some/payments") {
    is api(OPTIONS => $path, vhost => at('off'), user => 'bob')->code, 404, "OPTIONS $path: 404";
}

my %at = (vhost => $server);
my %alice = (%at, user => 'alice');
my %bob = (%at, user => 'bob');
my %text = (content => 'x', type => 'text/plain');
my %large = (content => '{"pad":"' . 'x' x 1_200_000 . '"}', type => 'application/json');

sub told {   # [method, path, status, options]
    for (@_) {
        my ($method, $path, $status, @opt) = @$_;
        my $answer = api($method => $path, %at, @opt);
        is $answer->code, $status, "$method $path: $status" or diag $answer->as_string;
    }
}

# Tickets.
my @tickets = map { $_->{id} } @{ api(POST => '/api/tickets', %alice, json => [map { { title => "Seat $_", price => 20 + $_ } } 1 .. 4])->json };
my $ticket = "/api/tickets/$tickets[0]";
for my $method (qw(GET HEAD)) {
    told([$method, '/api/tickets?limit=1', 200], [$method, '/api/tickets?limit=0', 400],
         [$method, $ticket, 200], [$method, $ticket, 304, headers => { 'If-None-Match' => '"0"' }],
         [$method, $ticket, 412, headers => { 'If-Match' => '"7"' }], [$method, "/api/tickets/$some", 404],
         [$method, "$ticket/history?limit=1", 200, %alice], [$method, "$ticket/history?limit=0", 400, %alice],
         [$method, "$ticket/history", 403, %bob], [$method, "/api/tickets/$some/history", 404, %alice]);
}
my %ticket = (json => { title => 'Hamlet', price => '22.00' });
for (1, 2) {
    told([POST => '/api/tickets', 201, %alice, %ticket, headers => { 'Idempotency-Key' => '"a key"' }]);
}
told([POST => '/api/tickets', 422, %alice, json => { title => 'Macbeth', price => 1 }, headers => { 'Idempotency-Key' => '"a key"' }],
     [POST => '/api/tickets', 400, %alice, json => [{ title => '', price => 1 }]], [POST => '/api/tickets', 413, %alice, %large],
     [POST => '/api/tickets', 415, %alice, %text],
     [PUT => $ticket, 200, %alice, %ticket], [PUT => $ticket, 400, %alice, json => {}], [PUT => $ticket, 403, %bob, %ticket],
     [PUT => "/api/tickets/$some", 404, %alice, %ticket], [PUT => $ticket, 412, %alice, %ticket, headers => { 'If-Match' => '"0"' }],
     [PUT => $ticket, 413, %alice, %large], [PUT => $ticket, 415, %alice, %text]);

# Orders: one that is cancelled, one that is paid.
my ($cancelled, $paid) = map {
    my $id = new_order(%bob, ticket => $tickets[$_])->{id};
    wait_until { order($id, %at)->{status} eq 'awaiting:payment' } 10, 'the reservation';
    "/api/orders/$id";
} 0, 1;
for my $method (qw(GET HEAD)) {
    my $tag = api(GET => $paid, %bob)->header('ETag');
    told([$method, '/api/orders?limit=1', 200, %bob], [$method, '/api/orders?limit=0', 400, %bob],
         [$method, $paid, 200, %bob], [$method, $paid, 304, %bob, headers => { 'If-None-Match' => $tag }],
         [$method, $paid, 403, user => 'carol'], [$method, "/api/orders/$some", 404, %bob],
         [$method, $paid, 412, %bob, headers => { 'If-Match' => '"7"' }],
         [$method, "$paid/history?limit=1", 200, %bob], [$method, "$paid/history?limit=0", 400, %bob],
         [$method, "$paid/history", 403, user => 'carol'], [$method, "/api/orders/$some/history", 404, %bob]);
}
my %first = (headers => { 'Idempotency-Key' => 'key' });
told([PUT => $ticket, 409, %alice, %ticket],
     (map { [POST => '/api/orders', 201, %bob, json => { ticketId => $tickets[2] }, %first] } 1, 2),
     [POST => '/api/orders', 422, %bob, json => { ticketId => $tickets[3] }, %first],
     [POST => '/api/orders', 400, %bob, json => {}], [POST => '/api/orders', 404, %bob, json => { ticketId => $some }],
     [POST => '/api/orders', 409, %bob, json => { ticketId => $tickets[2] }],
     [POST => '/api/orders', 413, %bob, %large], [POST => '/api/orders', 415, %bob, %text]);
my %pay = (json => { paymentId => 'p-1', amount => '22.00' });
told([POST => "$paid/payments", 201, %bob, %pay], [POST => "$paid/payments", 200, %bob, %pay],
     [POST => "$paid/payments", 409, %bob, json => { paymentId => 'p-2' }], [POST => "$paid/payments", 400, %bob, json => {}],
     [POST => "/api/orders/$some/payments", 404, %bob, json => { paymentId => 'p-3' }],
     [POST => "$paid/payments", 413, %bob, %large], [POST => "$paid/payments", 415, %bob, %text],
     [DELETE => $paid, 409, %bob], [DELETE => $cancelled, 412, %bob, headers => { 'If-Match' => '"7"' }],
     [DELETE => $cancelled, 403, user => 'carol'], [DELETE => $cancelled, 204, %bob], [DELETE => $cancelled, 204, %bob],
     [DELETE => "/api/orders/$some", 404, %bob], [GET => $cancelled, 200, %bob], [GET => "$cancelled/history", 200, %bob],
     [GET => "$paid/history", 200, %bob]);

# A payment that comes before the reservation: the tickets service is away.
my ($seller, $buyer) = TestSvc::Server->pair(conf => <<'CONF');
<IfModule orders_module>
  <Location "/api/orders">
    OrdersPayments On
  </Location>
</IfModule>
CONF
$_->start for $seller, $buyer;
my $early = new_ticket(vhost => $seller);
new_order(vhost => $buyer, ticket => new_ticket(vhost => $seller));   # so the buyer knows the one before it, too
$seller->stop;
my $order = new_order(vhost => $buyer, ticket => $early);
is api(POST => "/api/orders/$order->{id}/payments", vhost => $buyer, user => 'bob', json => { paymentId => 'p-1' })->code, 202,
    'a payment that comes before the reservation: 202';
$buyer->stop;

my $summary = $judge->summary;
is_deeply $summary->{unseen}, [], 'no answer of the document was left out';
is $summary->{violations}, 0, 'and none was another than it says';

$server->stop;
log_is_clean(server => $server, except => [qr/SVC060|AH01620|AH016(?:14|17|18|30|31)\b/]);
log_is_clean;
done_testing;
