# The rules of the two-service dance, each side against a raw publisher that plays the other one: reserve, release,
# who loses, and what an event that comes late, twice or in the wrong order must not do.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Event;

my %source = map { $_ => 'urn:uuid:' . new_uuid() } qw(tickets orders);
my %sequence = (tickets => 0, orders => 0);
my %bus = (tickets => TestSvc::Event->publisher(endpoint('RAW_TICKETS_PUB')), orders => TestSvc::Event->publisher(endpoint('RAW_ORDERS_PUB')));
$bus{tickets}->wait_subscriber('ticket:created')->wait_subscriber('ticket:updated');
$bus{orders}->wait_subscriber('order:created')->wait_subscriber('order:cancelled');

sub announce {
    my ($from, $type, $data) = @_;
    $bus{$from}->send($type, cloudevent(type => $type, subject => $data->{id}, source => $source{$from},
                                        sequence => ++$sequence{$from}, data => $data));
}

# ---- the side of tickets: orders come from the suite
my $spare = new_ticket(vhost => 'raw', title => 'for the barrier');
sub order_created { my ($id, $ticket) = @_;
    announce(orders => 'order:created', { id => $id, version => 0, status => 'created', userId => 'zoe',
                                      expiresAt => '2030-01-01T00:00:00.000Z', ticket => { id => $ticket->{id}, price => 20 } }) }
sub order_cancelled { my ($id, $ticket, $version) = @_;
    announce(orders => 'order:cancelled', { id => $id, version => defined $version ? $version : 1, cancelReason => 'user', ticket => { id => $ticket->{id} } }) }
sub now { my $ticket = ticket($_[0]{id}, vhost => 'raw'); return [$ticket->{version}, $ticket->{orderId}] }
sub tickets_have_heard {   # reserve and release the spare one: all before was taken
    my $id = new_uuid();
    order_created($id, $spare);
    order_cancelled($id, $spare);
    my $version = now($spare)->[0];
    my $events = "SELECT COUNT(*) FROM tickets_log WHERE entity_id = ? AND event LIKE ?";
    wait_until { db('raw')->selectrow_array($events, undef, $spare->{id}, "%$id%") && !defined now($spare)->[1] } 10, 'tickets to hear';
}

my $ticket = new_ticket(vhost => 'raw');
my ($a, $b, $c) = map { new_uuid() } 1 .. 3;
order_created($a, $ticket);
tickets_have_heard();
is_deeply now($ticket), [1, $a], 'order:created reserves a free ticket: orderId, version + 1';
order_created($a, $ticket);
tickets_have_heard();
is_deeply now($ticket), [1, $a], 'the same order:created again changes nothing';
order_created($b, $ticket);
tickets_have_heard();
is_deeply now($ticket), [1, $a], 'an order that comes second changes nothing';
order_cancelled($b, $ticket);
tickets_have_heard();
is_deeply now($ticket), [1, $a], 'nor does its cancellation';
problem_ok api(PUT => "/api/tickets/$ticket->{id}", vhost => 'raw', user => 'alice', json => { title => 'x', price => 1 }), 409, undef,
    'a reserved ticket cannot be edited';
order_cancelled($a, $ticket);
tickets_have_heard();
is_deeply now($ticket), [2, undef], 'the holder\'s cancellation frees it: version + 1';
order_cancelled($a, $ticket);
tickets_have_heard();
is_deeply now($ticket), [2, undef], 'once';
order_created($c, $ticket);
tickets_have_heard();
is_deeply now($ticket), [3, $c], 'then it can be reserved by another';
order_cancelled($a, $ticket, 1);
order_cancelled($a, $ticket, 2);
tickets_have_heard();
is_deeply now($ticket), [3, $c], 'a stale cancellation of the first does not release it';
order_cancelled($c, $ticket);
tickets_have_heard();

order_created($a, $ticket);
tickets_have_heard();
is_deeply now($ticket), [4, undef], 'order:created of an order that is known to be cancelled does not reserve again';

my $brief = new_ticket(vhost => 'raw');
my $once = new_uuid();
order_created($once, $brief);
order_cancelled($once, $brief);
order_created($once, $brief);
tickets_have_heard();
is_deeply now($brief), [2, undef], 'nor does a late duplicate, right after its only cancellation';

my $early = new_ticket(vhost => 'raw');
my $never = new_uuid();
order_cancelled($never, $early);
tickets_have_heard();
is_deeply now($early), [0, undef], 'a cancellation that comes before its order changes nothing';
order_created($never, $early);
tickets_have_heard();
is_deeply now($early), [0, undef], 'and that order, when it comes, reserves nothing';
order_created(my $other = new_uuid(), $early);
tickets_have_heard();
is_deeply now($early), [1, $other], 'while another one does';

order_created(new_uuid(), { id => new_uuid() });
order_cancelled(new_uuid(), { id => new_uuid() });
tickets_have_heard();
pass 'orders for tickets that are not known here stop nothing';

my @log = map { $_->[0] } @{ db('raw')->selectall_arrayref(
    'SELECT event FROM tickets_log WHERE entity_id = ? ORDER BY position', undef, $ticket->{id}) };
is_deeply [map { /"version":(\d+)/ ? $1 : -1 } @log], [0 .. 4], 'each change told one event, and nothing else did';

# ---- the side of orders: tickets come from the suite
my %version;
sub ticket_told {
    my ($id, %data) = @_;
    my $version = exists $version{$id} ? ++$version{$id} : ($version{$id} = 0);
    announce(tickets => $version ? 'ticket:updated' : 'ticket:created',
         { id => $id, version => $version, title => 'Played', price => 20, userId => 'zoe', %data });
}
sub orders_have_heard {
    my $id = new_uuid();
    ticket_told($id);
    wait_until { db('raw')->selectrow_array('SELECT 1 FROM orders_tickets WHERE id = ?', undef, $id) } 10, 'orders to hear';
}
sub buy { my ($id, $user) = @_;
    return api(POST => '/api/orders', vhost => 'raw', user => $user, json => { ticketId => $id }) }
sub status { my ($order, $user) = @_;
    my $now = order($order->{id}, vhost => 'raw', user => $user);
    return join ' ', grep { defined } $now->{status}, $now->{cancelReason}, $now->{version} }
sub played { my $id = new_uuid(); ticket_told($id); orders_have_heard(); return $id }

my $one = played();
my $mine = buy($one, 'bob')->json;
is status($mine, 'bob'), 'created 0', 'an order is created';
ticket_told($one, orderId => $mine->{id});
orders_have_heard();
is status($mine, 'bob'), 'awaiting:payment 1', 'ticket:updated with its id moves it on to awaiting:payment';
ticket_told($one, orderId => $mine->{id}, title => 'Renamed');
orders_have_heard();
is status($mine, 'bob'), 'awaiting:payment 1', 'once';
ticket_told($one, orderId => new_uuid());
orders_have_heard();
is status($mine, 'bob'), 'awaiting:payment 1', 'an order that waits for payment is not taken away any more';

my $two = played();
my $loser = buy($two, 'bob')->json;
ticket_told($two, orderId => new_uuid());
orders_have_heard();
is status($loser, 'bob'), 'cancelled reserved 1', 'ticket:updated with an order that is not known here cancels a created order as reserved';
problem_ok buy($two, 'carol'), 409, undef, 'while that one has it, nobody can order';
problem_ok buy($two, 'bob'), 409, undef, 'the loser neither';
ticket_told($two);
orders_have_heard();
my $again = buy($two, 'carol');
is $again->code, 201, 'when it is released, one can again';
my @told = map { $_->[0] } @{ db('raw')->selectall_arrayref('SELECT subject FROM orders_log WHERE entity_id = ? ORDER BY position', undef, $loser->{id}) };
is_deeply \@told, ['order:created', 'order:cancelled'], 'the loss was told in one event';

# Late news about a first buyer must not cost the second buyer the ticket.
my $three = played();
my $first = buy($three, 'bob')->json;
is api(DELETE => "/api/orders/$first->{id}", vhost => 'raw', user => 'bob')->code, 204, 'a first buyer gives up';
my $second = buy($three, 'carol')->json;
is $second->{status}, 'created', 'a second one orders';
ticket_told($three, orderId => $first->{id});
orders_have_heard();
is status($second, 'carol'), 'created 0', 'ticket:updated with the first one\'s order does not cancel the second\'s';
is status($first, 'bob'), 'cancelled user 1', 'nor revive the first';
ticket_told($three);
ticket_told($three, orderId => $second->{id});
orders_have_heard();
is status($second, 'carol'), 'awaiting:payment 1', 'the second gets it after the release';

my $four = played();
my $gone = buy($four, 'bob')->json;
ticket_told($four, orderId => $gone->{id});
orders_have_heard();
api(DELETE => "/api/orders/$gone->{id}", vhost => 'raw', user => 'bob');
is buy($four, 'dave')->code, 201, 'a ticket that is still marked with a cancelled order of ours can be ordered at once';

# An order moves on for its own ticket only.
my ($five, $six) = (played(), played());
my $fifth = buy($five, 'bob')->json;
ticket_told($six, orderId => $fifth->{id});
orders_have_heard();
is status($fifth, 'bob'), 'created 0', 'a ticket that an order is not for does not move it on';

# Reordered: the reservation arrives before the edit that came first.
my $seven = played();
my $seventh = buy($seven, 'bob')->json;
announce(tickets => 'ticket:updated', { id => $seven, version => 2, title => 'Played', price => 20, userId => 'zoe', orderId => $seventh->{id} });
orders_have_heard();
is status($seventh, 'bob'), 'created 0', 'a reservation that came too early waits';
announce(tickets => 'ticket:updated', { id => $seven, version => 1, title => 'Played', price => 21, userId => 'zoe' });
orders_have_heard();
is status($seventh, 'bob'), 'awaiting:payment 1', 'and takes effect with the version before it';
is order($seventh->{id}, vhost => 'raw')->{ticket}{price}, 20, 'the price is the one agreed at POST';

$_->close for values %bus;
log_is_clean;
done_testing;
