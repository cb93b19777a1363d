# The commands of docs/deployment.md for a backup and for a restore, as they stand: made while the shop sells, and played back
# after all of it was killed. Services apart are backed up at two instants.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Database;
use TestSvc::Deploy;
use TestSvc::Example;
use TestSvc::Truth;

my $engine = TestSvc::Database->shared;
my %file = (sqlite3 => 'shop.conf', pgsql => 'shop-postgresql.conf', mysql => 'shop-mariadb.conf');

# What the manual says, at the places of SERVER; its first block makes a backup, its second one restores it.
sub run {
    my ($server, $which, $name) = @_;
    my ($dir, $db) = ($server->dir, $engine->dir);
    my $command = (documented('Backup: ' . $engine->name, 'sh'))[$which eq 'backup' ? 0 : 1];
    for ($command) {
        s{\brunuser -u www-data -- }{}g;    # who that already is
        s{ -o www-data\b}{}g;
        s{/var/backups/}{$dir/}g;
        s{/var/lib/shop/}{$dir/data/}g;
        s{\bshop\.db\b}{$name.db}g if defined $name;
        s{--host=db\.example --user=root --password\b}{--socket=$db/mysql.sock --user=root}g;
        s{\bhost=db\.example\b}{host=$db}g;
    }
    my $said = qx{exec 2>&1; set -e; $command};
    is $?, 0, "the $which of the manual is run" or diag $command, $said;
}
sub status { my ($id, @where) = @_; return api(GET => "/api/orders/$id", user => 'bob', @where)->code }

# --- both services in one database
{
    if (!$engine->is_file) {
        my $admin = $engine->admin;
        $admin->do($_) for split /;\n/, join '', documented($engine->name, 'sql');
    }
    my %machine = TestSvc::Example->machines({ 'shop-1.example' => [$file{ $engine->engine }], 'shop-2.example' => [] });
    my $shop = $machine{'shop-1.example'}->put_users;
    $shop->put('shop/shop.allow', $shop->keys_of('shop'));
    $shop->start;
    my ($ticket, $other) = map { new_ticket(vhost => $shop, title => $_) } 'Of before', 'For later';
    my $order = new_order(vhost => $shop, ticket => $ticket);
    is_reserved($shop, $order, 'a ticket is reserved before the backup');
    my @clients = TestSvc::Clients->start(2, $shop, sub {
        my ($client) = @_;
        return [map { $client->send(POST => '/api/tickets', user => 'alice', json => { title => "At work $_", price => 5 })->{code} } 1 .. 150] });
    wait_until { db($shop)->selectrow_array(q{SELECT COUNT(*) FROM tickets WHERE title LIKE 'At work%'}) > 10 } 20, 'the clients to work';
    run($shop, 'backup');
    is_deeply [map { @$_ } map { $_->wait } @clients], [(201) x 300], 'the shop sells while the backup is made';
    my $lost = new_ticket(vhost => $shop, title => 'Of after');
    my $unknown = new_order(vhost => $shop, ticket => $other);
    is api(DELETE => "/api/orders/$order->{id}", vhost => $shop, user => 'bob')->code, 204, 'an order is cancelled after it';
    wait_quiet($shop);
    $shop->kill9_parent_and_children;
    run($shop, 'restore');
    $shop->start;
    wait_quiet($shop);
    truth_ok($shop, 'after the restore all is as it must be');
    my ($made) = db($shop)->selectrow_array(q{SELECT COUNT(*) FROM tickets WHERE title LIKE 'At work%'});
    cmp_ok $made, '>', 10, 'what was written before the backup is there';
    cmp_ok $made, '<=', 300, '... and what was written while it was made, or not';
    is order($order->{id}, vhost => $shop)->{status}, 'awaiting:payment', 'an order is what it was then';
    is ticket($ticket->{id}, vhost => $shop)->{orderId}, $order->{id}, '... and so is its ticket';
    is api(GET => "/api/tickets/$lost->{id}", vhost => $shop)->code, 404, 'a ticket of after the backup is gone';
    is status($unknown->{id}, vhost => $shop), 404, '... and an order as well';
    dances($shop, $shop, 'the shop goes on');
    unlike $shop->error_log, qr/SVC03[28]/, 'neither service needs a snapshot of the other: their cursors came back with the logs';
    $shop->stop;
    log_is_clean(server => $shop);
    if (!$engine->is_file) {
        my $admin = $engine->admin;
        $admin->do($_) for 'DROP DATABASE shop', $engine->engine eq 'pgsql' ? 'DROP ROLE shop' : q{DROP USER 'shop'@'%'};
    }
}

# --- services apart: tickets first, then orders
if ($engine->is_file) {
    my %machine = TestSvc::Example->machines({ 'tickets.example' => ['tickets-apart.conf'], 'orders.example' => ['orders-apart.conf'] });
    my ($tickets, $orders) = @machine{qw(tickets.example orders.example)};
    my %key = (tickets => $tickets->keys_of('tickets'), orders => $orders->keys_of('orders'));
    $tickets->put("shop/$_", $key{orders}) for 'orders.public', 'tickets.allow';
    $orders->put("shop/$_", $key{tickets}) for 'tickets.public', 'orders.allow';
    $_->put_users->start for $tickets, $orders;
    my @ticket = map { new_ticket(vhost => $tickets, title => "Ticket $_") } 0 .. 3;
    my $first = new_order(vhost => $orders, ticket => $ticket[0]);
    is_reserved($orders, $first, 'apart: a ticket is reserved before the backups');

    run($tickets, 'backup', 'tickets');
    my $between = new_order(vhost => $orders, ticket => $ticket[1]);
    is_reserved($orders, $between, 'another one between the two');
    my $late = new_ticket(vhost => $tickets, title => 'Of between');
    my $for_late = new_order(vhost => $orders, ticket => $late);
    is_reserved($orders, $for_late, '... and one that was not there before');
    run($orders, 'backup', 'orders');
    my $after = new_order(vhost => $orders, ticket => $ticket[2]);
    is_reserved($orders, $after, '... and another one after them');
    is api(DELETE => "/api/orders/$first->{id}", vhost => $orders, user => 'bob')->code, 204, '... when the first order is cancelled';
    wait_quiet([$tickets, $orders]);

    $_->kill9_parent_and_children for $tickets, $orders;
    run($tickets, 'restore', 'tickets');
    run($orders, 'restore', 'orders');
    $_->start for $tickets, $orders;
    wait_quiet([$tickets, $orders], 40);
    my $gone = sub { order($for_late->{id}, vhost => $orders)->{status} eq 'cancelled' };
    ok((eval { wait_until { $gone->() } 40, 'the order to be cancelled' } || diag $@), 'an order for a ticket that is gone is cancelled');
    is order($for_late->{id}, vhost => $orders)->{cancelReason}, 'reserved', '... for the reason reserved';
    is api(GET => "/api/tickets/$late->{id}", vhost => $tickets)->code, 404, '... for what sellers did between the backups is lost';
    wait_until { (ticket($ticket[1]{id}, vhost => $tickets)->{orderId} || '') eq $between->{id} } 20, 'the reservation of between';
    is order($between->{id}, vhost => $orders)->{status}, 'awaiting:payment', 'but an order of between the backups is there, and its ticket is reserved again';
    is order($first->{id}, vhost => $orders)->{status}, 'awaiting:payment', 'what was cancelled after them is not cancelled';
    is ticket($ticket[0]{id}, vhost => $tickets)->{orderId}, $first->{id}, '... in both services';
    is status($after->{id}, vhost => $orders), 404, 'an order of after them is gone';
    ok !defined ticket($ticket[2]{id}, vhost => $tickets)->{orderId}, '... and its ticket is free';
    wait_quiet([$tickets, $orders], 40);
    truth_ok([$tickets, $orders], 'and all is as it must be');
    dances($tickets, $orders, 'they go on');
    $_->stop for $tickets, $orders;
    log_is_clean(server => $_, except => [qr/SVC032: mod_orders: /, qr/SVC071: /]) for $tickets, $orders;
}

log_is_clean;
done_testing;
