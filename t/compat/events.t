# What the other services of this well-known ticketing design rely on: the subjects and the data of the events they
# subscribe to, field by field, and that what they publish themselves is understood. Each promise is a test.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Event;
use TestSvc::Truth;

my $Json = JSON::PP->new->utf8->canonical;
sub as_json { return $Json->encode($_[0]) }

# What was published of an entity, in its order: [subject, data], ...
my @heard;
my @ears = map { TestSvc::Event->subscriber(endpoint("SHOP_${_}_PUB")) } qw(TICKETS ORDERS);
sub overhear {
    for my $ear (@ears) {
        while (my ($subject, $event) = $ear->next(0)) { push @heard, [ $subject, $event ] }
    }
}
sub told { my ($id) = @_; overhear(); return map { [ $_->[0], $_->[1]{data} ] } grep { ($_->[1]{subject} || '') eq $id } @heard }
wait_until { overhear(); my %from = map { $_->[1]{source} => 1 } @heard; keys %from == 2 } 10,
    'both services are heard';

# ---- published

my $ticket = new_ticket(title => 'concert', price => 20);
wait_quiet('shop');
my $edited = api(PUT => "/api/tickets/$ticket->{id}", user => 'alice', json => { title => 'new', price => '30.50' });
wait_quiet('shop');
my $order = new_order(ticket => $ticket);
wait_until { order($order->{id})->{status} eq 'awaiting:payment' } 10, 'the ticket is reserved';
is api(DELETE => "/api/orders/$order->{id}", user => 'bob')->code, 204, 'an order is cancelled';
wait_until { told($ticket->{id}) >= 4 && told($order->{id}) >= 3 } 10, 'all of that was told';
my @ticket = told($ticket->{id});
my @order = told($order->{id});

is join(' ', map { $_->[0] } @ticket), 'ticket:created ticket:updated ticket:updated ticket:updated',
    'a ticket is told as ticket:created, and each change as ticket:updated: edited, reserved, released';
is as_json($ticket[0][1]), as_json({ id => $ticket->{id}, version => 0, title => 'concert', price => 20, userId => 'alice' }),
    'ticket:created is {id, version, title, price, userId}';
is as_json($ticket[0][1]), as_json($ticket), 'which is what POST answered';
is as_json($ticket[1][1]), as_json({ id => $ticket->{id}, version => 1, title => 'new', price => 30.5, userId => 'alice' }),
    'ticket:updated is {id, version, title, price, userId}, price a number';
is as_json($ticket[1][1]), as_json($edited->json), 'which is what PUT answered';
is as_json($ticket[2][1]), as_json({ %{ $ticket[1][1] }, version => 2, orderId => $order->{id} }),
    '... and orderId while it is reserved';
is as_json($ticket[3][1]), as_json({ %{ $ticket[1][1] }, version => 3 }),
    '... which is absent, not null, when it is released';

is $order[0][0], 'order:created', 'an order is told as order:created';
is as_json($order[0][1]), as_json({ id => $order->{id}, version => 0, status => 'created', userId => 'bob',
    expiresAt => $order->{expiresAt}, ticket => { id => $ticket->{id}, price => 30.5 } }),
    'order:created is {id, version, status, userId, expiresAt, ticket: {id, price}}';
is $order[-1][0], 'order:cancelled', 'and its end as order:cancelled';
my %cancelled = %{ $order[-1][1] };
delete $cancelled{cancelReason};   # more than the original design has
is as_json(\%cancelled), as_json({ id => $order->{id}, version => 2, ticket => { id => $ticket->{id} } }),
    'order:cancelled is {id, version, ticket: {id}}';
is as_json([ map { $_->[1]{version} } @order ]), as_json([ 0, 1, 2 ]),
    'whoever keeps a copy can rely on version == its own + 1';
is as_json([ map { $_->[1]{version} } @ticket ]), as_json([ 0, 1, 2, 3 ]), 'also of tickets';
is_deeply [ grep { $_->[1]{type} ne $_->[0] } @heard ], [], 'the subject of a message is the type of its event';

# ---- understood: as their services send it, with what we do not know

my $source = 'urn:uuid:' . new_uuid();
my $sent = 0;
sub publish {
    my ($bus, $type, $data) = @_;
    my $event = cloudevent(type => $type, source => $source, sequence => ++$sent, subject => $data->{id}, data => $data);
    delete $event->{subject} unless defined $event->{subject};
    $bus->send($type, $event);
}
my $sellers = TestSvc::Event->publisher(endpoint('RAW_TICKETS_PUB'))->wait_subscriber('payment:created');
my %copy = (id => new_uuid(), title => 'concert', price => 20, userId => 'zoe', __v => 0);
publish($sellers, 'ticket:created', { %copy, version => 0 });
my $paid = new_order(vhost => 'raw', ticket => $copy{id});
is as_json($paid->{ticket}), as_json({ id => $copy{id}, title => 'concert', price => 20, version => 0 }),
    'ticket:created makes a ticket that can be ordered';
publish($sellers, 'ticket:updated', { %copy, version => 1, orderId => $paid->{id} });
wait_until { order($paid->{id}, vhost => 'raw')->{status} eq 'awaiting:payment' } 10, 'the ticket is reserved';
publish($sellers, 'expiration:complete', { orderId => $paid->{id} });
publish($sellers, 'payment:created', { id => new_uuid(), orderId => $paid->{id}, stripeId => 'ch_1' });
wait_until { order($paid->{id}, vhost => 'raw')->{status} ne 'awaiting:payment' } 10, 'the payment arrives';
is as_json([ @{ order($paid->{id}, vhost => 'raw') }{qw(status version)} ]), as_json([ 'complete', 2 ]),
    'payment:created {id, orderId, stripeId} completes an order; an expiration:complete before expiresAt does not cancel it';
is api(DELETE => "/api/orders/$paid->{id}", vhost => 'raw', user => 'bob')->code, 409,
    'a complete order cannot be cancelled';
is api(POST => '/api/orders', vhost => 'raw', user => 'carol', json => { ticketId => $copy{id} })->code, 409,
    'its ticket stays sold';

my $buyers = TestSvc::Event->publisher(endpoint('RAW_ORDERS_PUB'))->wait_subscriber('order:created');
my $wanted = new_ticket(vhost => 'raw');
my %theirs = (id => new_uuid(), version => 0, status => 'created', userId => 'bob',
              expiresAt => '2999-01-01T00:00:00.000Z', ticket => { id => $wanted->{id}, price => 20 });
publish($buyers, 'order:created', \%theirs);
wait_until { exists ticket($wanted->{id}, vhost => 'raw')->{orderId} } 10, 'the order arrives';
is as_json([ @{ ticket($wanted->{id}, vhost => 'raw') }{qw(orderId version)} ]), as_json([ $theirs{id}, 1 ]),
    'order:created {id, version, status, userId, expiresAt, ticket: {id, price}} reserves the ticket';
publish($buyers, 'order:cancelled', { id => $theirs{id}, version => 1, ticket => { id => $wanted->{id} } });
wait_until { !exists ticket($wanted->{id}, vhost => 'raw')->{orderId} } 10, 'the cancellation arrives';
is ticket($wanted->{id}, vhost => 'raw')->{version}, 2, 'order:cancelled {id, version, ticket: {id}} releases it';

wait_quiet('shop');
truth_ok('shop');
log_is_clean;
done_testing;
