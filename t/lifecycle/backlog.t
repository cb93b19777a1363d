# Tickets and orders in two httpds with a database each: orders is away while 500 tickets are made and edited, comes
# back, is restarted in the middle of the backlog and killed in it: in the end its replica is complete, and every event
# has taken effect once.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes 'time';
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;

my ($seller, $buyer) = TestSvc::Server->pair;

sub head { return db($seller)->selectrow_array('SELECT position FROM tickets_head') }
sub cursor { my ($at) = eval { db($buyer)->selectrow_array('SELECT position FROM orders_cursor WHERE source = ?', undef,
                              db($seller)->selectrow_array('SELECT source FROM tickets_head')) }; return $at || 0 }
sub make {   # tickets by four clients, each edited twice
    my ($count) = @_;
    my @codes = map { @$_ } TestSvc::Clients->start(4, $seller, sub {
        my ($client, $number) = @_;
        my @codes;
        for my $i (1 .. $count / 4) {
            my $made = $client->send(POST => '/api/tickets', user => 'alice', json => { title => "Ticket $number.$i", price => 5 });
            push @codes, $made->{code}, map { $client->send(PUT => "/api/tickets/$made->{json}{id}", user => 'alice',
                json => { title => "Ticket $number.$i at $_", price => $_ })->{code} } 6, 7;
        }
        return \@codes;
    })->wait;
    return scalar grep { $_ == 201 || $_ == 200 } @codes;
}
sub replica_is {
    my ($name) = @_;
    wait_until { cursor() == head() } 20, 'the follower to catch up';
    my $columns = 'id, title, cents, user_id, version, order_id';
    is_deeply db($buyer)->selectall_arrayref("SELECT $columns FROM orders_tickets ORDER BY id"),
        db($seller)->selectall_arrayref("SELECT $columns FROM tickets ORDER BY id"), $name;
}

$seller->start;
$buyer->start;
my $ticket = new_ticket(vhost => $seller, title => 'Hamlet');
my $order = new_order(vhost => $buyer, ticket => $ticket);
wait_until { order($order->{id}, vhost => $buyer)->{status} eq 'awaiting:payment' } 10, 'the dance over two databases';
is ticket($ticket->{id}, vhost => $seller)->{orderId}, $order->{id}, 'two httpds with a database each do the dance';
replica_is('the replica is the source');

# --- away
my $away = cursor();
$buyer->stop;
is make(500), 1500, '500 tickets are made and 1000 edits done while orders is away';
is cursor(), $away, 'the cursor stays where it was';
my $begin = time;
$buyer->start;
replica_is('back again, orders has all of them, in their last version');
cmp_ok time - $begin, '<', 10, 'in a few seconds';
is db($buyer)->selectrow_array('SELECT COUNT(*) FROM orders_tickets WHERE version = 2'), 500, 'each with its versions counted once';

# --- restarted, and killed, in the middle of a stream
my $clients = TestSvc::Clients->start(1, $seller, sub {
    my ($client) = @_;
    my $made = 0;
    until ($client->is_told_to_stop) {
        $made++ if $client->send(POST => '/api/tickets', user => 'alice', json => { title => 'In the stream', price => 5 })->{code} == 201;
    }
    return $made;
});
sub wait_more { my $to = cursor() + $_[0]; wait_until { cursor() >= $to } 15, 'the stream to go on' }
wait_more(50);
$buyer->restart;
wait_more(50);
$buyer->graceful;
wait_more(50);
my $leader = $buyer->wait_leader('orders');
kill KILL => $leader;
$buyer->wait_leader('orders', $leader);
wait_more(50);
$buyer->kill9_parent_and_children;
$buyer->start;
wait_more(50);
$seller->restart;                       # the publisher, too
my $publisher = $seller->wait_leader('tickets');
wait_more(50);
kill KILL => $publisher;
$seller->wait_leader('tickets', $publisher);
wait_more(50);
my ($made) = $clients->enough->wait;
cmp_ok $made, '>', 100, 'a stream of tickets goes on meanwhile';
replica_is('through restarts and kills of both sides the replica ends complete');
is db($buyer)->selectrow_array('SELECT COUNT(*) FROM orders_parked'), 0, 'nothing waits';
is db($buyer)->selectrow_array('SELECT COUNT(*) FROM orders_quarantine'), 0, 'nothing was set aside';

# --- the other direction: orders tells, tickets is away
my @orders = map { new_order(vhost => $buyer, ticket => new_ticket(vhost => $seller)) } 1 .. 5;
my $late = new_ticket(vhost => $seller);
wait_until { cursor() == head() } 10, 'orders to know it';
$seller->stop;
my $ordered = new_order(vhost => $buyer, ticket => $late);
is $ordered->{status}, 'created', 'with tickets away an order can be made';
is api(DELETE => "/api/orders/$orders[0]{id}", vhost => $buyer, user => 'bob')->code, 204, 'and cancelled';
$seller->start;
wait_until { order($ordered->{id}, vhost => $buyer)->{status} eq 'awaiting:payment' } 15, 'the reservation';
pass 'when tickets is back, the ticket is reserved';
wait_until { !defined ticket($orders[0]{ticketId}, vhost => $seller)->{orderId} } 10, 'the release';
pass 'and the other one released';
replica_is('and the replica is the source again');
my ($rows, $last) = db($seller)->selectrow_array('SELECT COUNT(*), MAX(position) FROM tickets_log');
is $rows, $last, 'positions of the log are contiguous';

$_->stop for $buyer, $seller;
log_is_clean(server => $_, except => [qr/exit signal Killed|children are killed successively/], name => 'its error log has no unexpected line') for $seller, $buyer;
log_is_clean;
done_testing;
