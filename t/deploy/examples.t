# Of SQLite only.
# The examples of conf/ that need no database server, each as it stands: a ticket is sold, ordered, reserved, and free again
# when its order is cancelled. shop.conf; one service per machine; several tickets services and one orders service.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Deploy;
use TestSvc::Example;
use TestSvc::Truth;

# --- one machine
for my $files (['shop.conf'], ['shop.conf', 'tuned.conf'], ['tickets.conf', 'orders.conf']) {
    my $server = TestSvc::Example->new($files)->put_users->start;
    dances($server, $server, join ' and ', @$files);
    wait_quiet($server);
    truth_ok($server);
    ends_clean($server);
}

# --- one service per machine: each has its own keys, and the other's
{
    my %machine = TestSvc::Example->machines({ 'tickets.example' => ['tickets-apart.conf'], 'orders.example' => ['orders-apart.conf'] });
    my ($tickets, $orders) = @machine{qw(tickets.example orders.example)};
    $_->put_users for $tickets, $orders;
    my %key = (tickets => $tickets->keys_of('tickets'), orders => $orders->keys_of('orders'));
    $tickets->put("shop/$_", $key{orders}) for 'orders.public', 'tickets.allow';
    $orders->put("shop/$_", $key{tickets}) for 'tickets.public', 'orders.allow';
    $_->start for $tickets, $orders;
    dances($tickets, $orders, 'tickets-apart.conf and orders-apart.conf, on a machine each');
    wait_quiet([$tickets, $orders]);
    truth_ok([$tickets, $orders]);
    ends_clean($tickets, $orders);
}

# --- two tickets services with one orders service
{
    my %machine = TestSvc::Example->machines({ 'orders.example' => ['orders-many.conf'],
        map { ("tickets-$_.example" => ['tickets-apart.conf']) } 1, 2 });
    my ($orders, @tickets) = @machine{qw(orders.example tickets-1.example tickets-2.example)};
    $_->put_users for $orders, @tickets;
    my $key = $orders->keys_of('orders');
    my @keys = map { $_->keys_of('tickets') } @tickets;
    for my $i (0, 1) {
        $tickets[$i]->put("shop/$_", $key) for 'orders.public', 'tickets.allow';
        $orders->put('shop/tickets-' . ($i + 1) . '.public', $keys[$i]);
    }
    $orders->put('shop/orders.allow', join("", @keys));
    $_->start for $orders, @tickets;
    dances($tickets[$_], $orders, 'orders-many.conf with tickets-apart.conf of machine ' . ($_ + 1)) for 0, 1;
    my @sources = map { db($_)->selectrow_array('SELECT source FROM tickets_head') } @tickets;
    isnt $sources[0], $sources[1], 'the two tickets services have logs of their own';
    is_deeply db($orders)->selectcol_arrayref('SELECT source FROM orders_cursor ORDER BY source'), [sort @sources],
        'and the orders service has a cursor for each';

    # One of them is away: the other one sells on, and the orders wait.
    my $waiting = new_ticket(vhost => $tickets[0], title => 'Of one that is away');
    known($orders, $waiting);
    $tickets[0]->stop;
    my $order = new_order(vhost => $orders, ticket => $waiting);
    dances($tickets[1], $orders, 'while one of them is away, the other one');
    is order($order->{id}, vhost => $orders)->{status}, 'created', 'an order for a ticket of the one that is away waits';
    $tickets[0]->start;
    is_reserved($orders, $order, 'and gets its ticket when that one is back');
    ends_clean($orders, @tickets);
}

log_is_clean;
done_testing;
