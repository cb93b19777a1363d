# One walk through everything: a ticket, an order, its reservation, its cancellation, the events of both; and each
# word of TestSvc once.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;

my $ear = TestSvc::Event->subscriber(endpoint('SHOP_TICKETS_PUB'), 'ticket:');

my $made = api(POST => '/api/tickets', user => 'alice', json => { title => 'Hamlet', price => 20.5 });
is $made->code, 201, 'a ticket is made';
uuid_like $made->json->{id}, 'its id is a UUID';
is $made->header('Location'), '/api/tickets/' . $made->json->{id}, 'Location names it';
my $before = replay(endpoint('SHOP_TICKETS_REPLAY'), limit => 0)->{head};
my $ticket = new_ticket(title => 'Macbeth', price => '19.99');
is ticket($ticket->{id})->{price}, 19.99, 'a price keeps its cents';

problem_ok api(POST => '/api/tickets', user => 'alice', json => { title => ' ', price => -1 }), 400,
    [ { field => 'title', message => qr/./ }, { field => 'price', message => qr/./ } ], 'names both bad fields';
problem_ok api(POST => '/api/tickets', json => {}), 401, undef, 'asks who that is';
problem_ok api(GET => '/api/tickets/no-such'), 404, [ { field => undef } ], 'knows no such ticket';

my $order = new_order(ticket => $ticket);
is $order->{status}, 'created', 'an order is made';
is $order->{ticket}{title}, 'Macbeth', 'its ticket is embedded';
wait_until { order($order->{id})->{status} eq 'awaiting:payment' } 10, 'the ticket is reserved';
is ticket($ticket->{id})->{orderId}, $order->{id}, 'for this order';
is api(DELETE => "/api/orders/$order->{id}", user => 'bob')->code, 204, 'the order is cancelled';
wait_until { !exists ticket($ticket->{id})->{orderId} } 10, 'the ticket is released';
is ticket($ticket->{id})->{version}, 2, 'after two changes';

my $page = replay(endpoint('SHOP_TICKETS_REPLAY'), position => $before, limit => 500);
is $page->{kind}, 'EVENTS', 'the event log is replayed';
is_deeply [ map { $_->{event}{data}{version} } grep { $_->{event}{subject} eq $ticket->{id} } @{ $page->{events} } ],
    [ 0, 1, 2 ], 'with each version of the ticket once';
my ($subject, $event) = $ear->next(1);
like $subject, qr/^ticket:(created|updated)$/, 'a subscriber hears of tickets too';
is $event->{type}, $subject, 'in a CloudEvent of that type';

my ($count) = db('shop')->selectrow_array('SELECT count(*) FROM tickets WHERE id = ?', undef, $ticket->{id});
is $count, 1, 'the row is in the database';

my $raw = TestSvc::Event->publisher(endpoint('RAW_TICKETS_PUB'))->wait_subscriber('ticket:created');
my ($id, $source) = (new_uuid(), 'urn:uuid:' . new_uuid());
$raw->send('ticket:created', cloudevent(
    type => 'ticket:created', subject => $id, source => $source, sequence => 1,
    data => { id => $id, version => 0, title => 'From elsewhere', price => 5, userId => 'zoe' }));
is new_order(vhost => 'raw', ticket => $id)->{ticket}{title}, 'From elsewhere',
    'a publisher without replay is followed';

my $server = TestSvc::Server->new->start;
ok !($server->configtest)[0], 'the configuration of an own server is right';
my $own = new_ticket(vhost => $server);
my $leader = $server->wait_leader('tickets');
ok((grep { $_ == $leader } $server->children), 'one of its children leads');
$server->graceful;
is ticket($own->{id}, vhost => $server)->{title}, 'A show', 'the ticket is there after a graceful restart';
cmp_ok $server->stop, '<', 10, 'it stops';
log_is_clean(server => $server);

log_is_clean;
done_testing;
