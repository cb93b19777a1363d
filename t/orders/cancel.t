# DELETE /api/orders/:id: the order stays, cancelled; the ticket is free again; a second time changes and tells
# nothing, and frees nobody else's ticket.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Event 'new_uuid';
use TestSvc::Truth;

my $db = db('shop');

sub cancel { my ($id, %opt) = @_; return api(DELETE => "/api/orders/$id", user => 'bob', %opt) }
sub reserved {
    my $order = new_order(@_);
    wait_until { order($order->{id}, user => $order->{userId})->{status} eq 'awaiting:payment' } 10,
        'the ticket is reserved';
    return $order;
}
sub events_of {
    my ($id) = @_;
    return map { JSON::PP->new->utf8->decode($_->[0]) }
        @{ $db->selectall_arrayref('SELECT event FROM orders_log WHERE entity_id = ? ORDER BY position', undef, $id) };
}

my $ticket = new_ticket;
my $order = reserved(ticket => $ticket);
my $id = $order->{id};

problem_ok cancel($id, user => undef), 401, undef, 'nobody gets a 401';
problem_ok cancel($id, user => 'carol'), 403, [ { field => undef, message => qr/another user/ } ],
    'another user gets a 403';
problem_ok cancel(new_uuid()), 404, [ { message => qr/no such order/ } ], 'an id that nobody has is a 404';
problem_ok cancel('no-such'), 404, undef, 'so is a malformed one';
for my $tag ('"0"', 'W/"1"', '"2"', '"1.1"', 'garbage') {
    problem_ok cancel($id, headers => { 'If-Match' => $tag }), 412, [ { field => undef } ],
        "refuses it under If-Match: $tag";
}
problem_ok cancel($id, user => 'carol', headers => { 'If-Match' => '"0"' }), 403, undef, '403 comes before 412';
problem_ok cancel(new_uuid(), headers => { 'If-Match' => '"0"' }), 404, undef, '404 comes before 412';
is order($id)->{status}, 'awaiting:payment', 'a refused one changes nothing';
is scalar(events_of($id)), 2, 'and tells nothing';

my $answer = cancel($id, headers => { 'If-Match' => '"1"' });
is $answer->code, 204, 'the owner cancels an order, here under If-Match with its tag';
is $answer->content, '', 'the answer has no body';
is $answer->header('Content-Type'), undef, 'and so no type';
is $answer->header('Cache-Control'), 'no-store', 'Cache-Control as for all orders';
is $answer->header('Vary'), 'Authorization', 'Vary as for all orders';
my $after = order($id);
is_deeply [ @$after{qw(status cancelReason version expiresAt)} ], [ 'cancelled', 'user', 2, $order->{expiresAt} ],
    'the order is still there: cancelled by the user, at the next version';
my @events = events_of($id);
is_deeply [ map { $_->{type} } @events ], [qw(order:created order:updated order:cancelled)],
    'order:cancelled tells of it';
is_deeply $events[2]{data}, { id => $id, version => 2, cancelReason => 'user', ticket => { id => $ticket->{id} } },
    'with these fields';

wait_until { !exists ticket($ticket->{id})->{orderId} } 10, 'the ticket is free';
is ticket($ticket->{id})->{version}, 2, 'reserve and release are two changes of the ticket';
my $carols = reserved(ticket => $ticket, user => 'carol');
is ticket($ticket->{id})->{orderId}, $carols->{id}, 'another buyer has it now';

# Again, while the ticket is someone else's.
is cancel($id)->code, 204, 'cancelled again, the answer is the same';
is cancel("$id/")->code, 204, 'and again, with a slash at the end';
is cancel(uc $id)->code, 204, 'and again, in upper case';
problem_ok cancel($id, headers => { 'If-Match' => '"1"' }), 412, undef, 'a condition that does not hold is still a 412';
problem_ok cancel($id, user => 'carol'), 403, undef, 'another user still gets a 403';
is scalar(events_of($id)), 3, 'nothing more is told';
is order($id)->{version}, 2, 'and nothing changed';
wait_quiet('shop');
is ticket($ticket->{id})->{orderId}, $carols->{id}, 'the ticket stays reserved for the other buyer';
is order($carols->{id}, user => 'carol')->{status}, 'awaiting:payment', 'whose order goes on';

# At once, before the ticket is even reserved, and ordered again and again by two in turn.
my $busy = new_ticket;
my @orders;
for my $n (1 .. 10) {
    my $user = $n % 2 ? 'bob' : 'carol';
    push @orders, new_order(ticket => $busy, user => $user);
    is cancel($orders[-1]{id}, user => $user)->code, 204,
        "order $n is cancelled at once, and the ticket can be ordered at once";
}
wait_quiet('shop');
is ticket($busy->{id})->{version} % 2, 0, 'in the end the ticket was released as often as it was reserved';
ok !exists ticket($busy->{id})->{orderId}, 'and is free';
is_deeply [ map { order($_->{id}, user => $_->{userId})->{cancelReason} } @orders ], [ ('user') x 10 ],
    'each order was cancelled by its user';

my $mine = new_order(ticket => new_ticket);
is cancel($mine->{id}, headers => { 'If-Match' => '*' })->code, 204, 'If-Match: * holds for any order';

wait_quiet('shop');
truth_ok('shop');
log_is_clean;
done_testing;
