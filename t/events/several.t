# Several publishers and followers: one orders service follows two tickets services; two httpds that share the database
# of one orders service follow, and are followed by, one tickets service, and each goes on when the other is killed; a
# service moves to other endpoints. Each httpd has ports of its own.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use Time::HiRes 'time';
use TestSvc;
use TestSvc::Clients;
use TestSvc::Recorder;
use TestSvc::Server;
use TestSvc::Truth;

my $json = JSON::PP->new->utf8;
sub ends_clean {
    my ($server, $name, @except) = @_;
    cmp_ok $server->stop, '<', 10, "$name stops";
    log_is_clean(server => $server, except => [qr/children are killed successively/, @except], name => "the error log of $name has no unexpected line");
}
sub source_of { my ($server, $service) = @_; return scalar db($server)->selectrow_array("SELECT source FROM ${service}_head") }
sub head_of { my ($server, $service) = @_; return scalar db($server)->selectrow_array("SELECT position FROM ${service}_head") }
sub cursor_of { my ($server, $service, $source) = @_;
    return scalar(db($server)->selectrow_array("SELECT position FROM ${service}_cursor WHERE source = ?", undef, $source)) || 0 }
sub follows {   # FOLLOWER (of service ..) has taken all that FOLLOWED has
    my ($follower, $service, $followed, $other) = @_;
    wait_until { eval { cursor_of($follower, $service, source_of($followed, $other)) == head_of($followed, $other) } } 20, "$service to follow $other";
}
sub is_reserved { my ($order, $server, $seconds) = @_;
    return eval { wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } $seconds || 10, 'the reservation' } || diag $@ }
my $columns = 'id, title, cents, user_id, version, order_id';

# --- one orders service follows two tickets services
{
    my @seller = map { TestSvc::Server->new(modules => ['tickets']) } 1 .. 2;
    my $buyer = TestSvc::Server->new(modules => ['orders']);
    $_->follow($buyer) for @seller;
    $buyer->follow(@seller);
    $_->start for @seller, $buyer;
    my @name = ('the first seller', 'the second seller');
    my @tickets = map { my $i = $_; [map { new_ticket(vhost => $seller[$i], title => "$name[$i], $_") } 1 .. 10] } 0, 1;
    my @orders = map { my $i = $_; [map { new_order(vhost => $buyer, ticket => $tickets[$i][$_]) } 0 .. 4] } 0, 1;
    for my $i (0, 1) {
        is scalar(grep { is_reserved($_, $buyer) } @{ $orders[$i] }), 5, "orders for tickets of $name[$i] get them";
        is_deeply [map { $_->{orderId} } map { ticket($_->{id}, vhost => $seller[$i]) } @{ $tickets[$i] }],
            [map({ $_->{id} } @{ $orders[$i] }), (undef) x 5], '... which are reserved there';
    }
    is_deeply [map { api(GET => "/api/tickets/$tickets[0][0]{id}", vhost => $seller[$_])->code } 0, 1], [200, 404], 'each seller has its own tickets alone';
    my $replicas = sub {
        follows($buyer, 'orders', $_, 'tickets') for @seller;
        for my $i (0, 1) {
            my $source = source_of($seller[$i], 'tickets');
            is_deeply db($buyer)->selectall_arrayref("SELECT $columns FROM orders_tickets WHERE source = ? ORDER BY id", undef, $source),
                db($seller[$i])->selectall_arrayref("SELECT $columns FROM tickets ORDER BY id"), "the replica of $name[$i] is right" . ($_[0] || '');
        }
    };
    $replicas->();

    # Both are busy, and killed, at once.
    my @clients = map { TestSvc::Clients->start(2, $_, sub {
        my ($client) = @_;
        return scalar grep { $_ == 201 } map { $client->send(POST => '/api/tickets', user => 'alice', json => { title => "At once $_", price => 7 })->{code} } 1 .. 100;
    }) } @seller;
    for my $server (@seller, $buyer) {
        my $service = $server->{modules}[0];
        my $leader = $server->wait_leader($service);
        $server->wait_leader($service, $leader) if kill KILL => $leader;
    }
    my @made = map { $_->wait } @clients;
    cmp_ok $_, '>', 50, 'clients of both sell at once, while leaders are killed' for @made;
    $replicas->(', also after kills');
    is_deeply db($buyer)->selectall_arrayref('SELECT * FROM orders_quarantine'), [], 'nothing was set aside';

    # The second seller claims a ticket of the first: nothing of that is believed.
    my ($stolen, $own) = ($tickets[0][7]{id}, $tickets[1][7]{id});
    follows($seller[1], 'tickets', $buyer, 'orders');
    $seller[1]->stop;
    {
        my $forger = db($seller[1], write => 1);
        $forger->do('UPDATE tickets SET id = ? WHERE id = ?', undef, $stolen, $own);
        $forger->disconnect;
    }
    $seller[1]->start;
    is api(PUT => "/api/tickets/$stolen", vhost => $seller[1], user => 'alice', json => { title => 'Forged', price => 1 })->code, 200,
        'a seller forges a ticket of another one';
    my $after = new_ticket(vhost => $seller[1], title => 'After the forged one');
    follows($buyer, 'orders', $seller[1], 'tickets');
    is db($buyer)->selectrow_array('SELECT title FROM orders_tickets WHERE id = ?', undef, $stolen), $tickets[0][7]{title}, '... the replica does not believe it';
    is db($buyer)->selectrow_array('SELECT title FROM orders_tickets WHERE id = ?', undef, $after->{id}), $after->{title}, '... and follows on';
    like db($buyer)->selectrow_array('SELECT reason FROM orders_quarantine'), qr/belongs to another source/, '... the event is set aside, with the reason';
    my $order = new_order(vhost => $buyer, ticket => $stolen);
    is_deeply $order->{ticket}, { id => $stolen, title => $tickets[0][7]{title}, price => 20, version => 0 }, 'an order for it is for the real one';
    ok is_reserved($order, $buyer), '... and gets it';
    is ticket($stolen, vhost => $seller[0])->{orderId}, $order->{id}, '... at the right seller';
    follows($buyer, 'orders', $_, 'tickets') for @seller;
    is order($order->{id}, vhost => $buyer)->{version}, 1, '... whatever the forger says';
    is api(DELETE => "/api/orders/$order->{id}", vhost => $buyer, user => 'bob')->code, 204, 'it is cancelled';
    ok((eval { wait_until { !defined ticket($stolen, vhost => $seller[0])->{orderId} } 10, 'the release' } || diag $@), '... and free again, at the right seller');
    ends_clean($buyer, 'the buyer', qr/SVC030: mod_orders: .*belongs to another source/);
    ends_clean($seller[$_], $name[$_]) for 0, 1;
}

# --- two httpds on the database of one orders service
{
    my $seller = TestSvc::Server->new(modules => ['tickets']);
    my $first = TestSvc::Server->new(modules => ['orders'], conf => "OrdersExpiration 4\n");
    my $second = TestSvc::Server->new(modules => ['orders'], conf => "OrdersExpiration 4\n", data => $first);
    $seller->follow($first, $second);
    $_->follow($seller) for $first, $second;
    $_->start->wait_database for $seller, $first, $second;
    my @recorder = map { TestSvc::Recorder->new($_->endpoint('orders_pub'), $_->endpoint('orders_replay')) } $first, $second;
    my $begun = head_of($first, 'orders');
    $_->{live}->next(5) or die "no heartbeat\n" for @recorder;

    new_order(vhost => $_, ticket => new_ticket(vhost => $seller)) for $first, $second;
    my @tickets = map { new_ticket(vhost => $seller, title => "Lot $_") } 1 .. 40;
    follows($first, 'orders', $seller, 'tickets');
    my @clients = map { my $server = $_; TestSvc::Clients->start(2, $server, sub {
        my ($client) = @_;
        return { map { ($_->{id} => $client->send(POST => '/api/orders', user => 'bob', json => { ticketId => $_->{id} })->{code}) } @tickets };
    }) } $first, $second;
    my %sold;
    for my $codes (map { $_->wait } @clients) {
        $sold{$_}{ $codes->{$_} }++ for keys %$codes;
    }
    is_deeply \%sold, { map { ($_->{id} => { 201 => 1, 409 => 3 }) } @tickets }, 'two httpds on one database sell each ticket once' or diag explain \%sold;
    wait_quiet([$seller, $first]);
    is db($first)->selectrow_array("SELECT COUNT(*) FROM orders WHERE version >= 1"), 42, 'every order gets its ticket';
    truth_ok([$seller, $first], 'each event took effect once, though both follow');
    is_deeply db($seller)->selectall_arrayref('SELECT source, position FROM tickets_cursor'), [[source_of($first, 'orders'), head_of($first, 'orders')]],
        'tickets follows both as one log, to its head';
    wait_until { $recorder[0]->live + $recorder[1]->live >= head_of($first, 'orders') - $begun } 10, 'all events to be published';
    is $recorder[0]->live + $recorder[1]->live, head_of($first, 'orders') - $begun, 'each event is published once, by one of the two';
    cmp_ok $recorder[$_]->live, '>', 0, '... some by ' . ('the first', 'the second')[$_] for 0, 1;
    $_->stream_ok($first, 'orders', '... and either has the whole stream to ask for') for @recorder;
    is_deeply db($first)->selectall_arrayref('SELECT * FROM orders_quarantine'), [], 'nothing was set aside';

    # One of them is killed, all of it: the other goes on within two seconds.
    for my $round (1 .. 3) {
        my ($dies, $lives) = $round % 2 ? ($first, $second) : ($second, $first);
        my $who = $round % 2 ? 'the first' : 'the second';
        my @fresh = map { new_ticket(vhost => $seller, title => "Round $round, $_") } 1 .. 4;
        follows($first, 'orders', $seller, 'tickets');
        my @before = map { new_order(vhost => $dies, ticket => $_) } @fresh[0, 1];   # of the one that dies, perhaps not told yet
        my $killed = time;
        kill KILL => $dies->pid, $dies->children;
        my $order = new_order(vhost => $lives, ticket => $fresh[2]);
        my $sold = new_ticket(vhost => $seller, title => "Round $round, after");
        my %took;
        wait_until { order($order->{id}, vhost => $lives)->{status} eq 'awaiting:payment' } 20, 'the order of the survivor';
        $took{'an order of the survivor is reserved'} = time - $killed;
        wait_until { !grep { order($_->{id}, vhost => $lives)->{version} < 1 } @before } 20, 'the orders of the dead one';
        $took{'orders that the dead one had made are reserved'} = time - $killed;
        wait_until { db($first)->selectrow_array('SELECT 1 FROM orders_tickets WHERE id = ?', undef, $sold->{id}) } 20, 'a ticket that was made since';
        $took{'a ticket that was made since is known'} = time - $killed;
        $dies->kill9_parent_and_children;
        for my $log ([$first, 'orders', @before, $order], [$seller, 'tickets', $sold, @fresh[0 .. 2]]) {   # what took how long
            my ($server, $service, @entities) = @$log;
            note sprintf '%6.2f s: %s, told at %s', $_->[0] / 1000 - $killed, @$_[1, 2]
                for @{ db($server)->selectall_arrayref("SELECT recorded_at, subject, publisher FROM ${service}_log WHERE entity_id IN (" .
                    join(', ', ('?') x @entities) . ') ORDER BY position', undef, map { $_->{id} } @entities) };
        }
        for my $what (sort keys %took) {
            my $said = sprintf '%.2f s', $took{$what};
            cmp_ok $took{$what}, '<', 2, "after $who was killed, $what: $said";
        }
        wait_until { !grep { order($_->{id}, vhost => $lives)->{status} ne 'cancelled' } @before, $order } 20, 'the orders to expire';
        for my $expired (map { order($_->{id}, vhost => $lives) } @before, $order) {
            is $expired->{cancelReason}, 'expired', 'its orders expire';
            my ($late) = db($first)->selectrow_array('SELECT MAX(l.recorded_at - o.expires_at) / 1000.0 FROM orders_log l ' .
                'JOIN orders o ON o.id = l.entity_id WHERE o.id = ?', undef, $expired->{id});
            ok $late >= 0 && $late < 2, sprintf '... %.2f s after their time', $late;
        }
        wait_quiet([$seller, $first]);
        truth_ok([$seller, $first], '... and all that must hold does');
        $dies->start;
        my $back = new_order(vhost => $dies, ticket => $fresh[3]);
        ok is_reserved($back, $lives), 'when it is back, it sells';
    }
    wait_quiet([$seller, $first]);
    truth_ok([$seller, $first], 'in the end each event took effect once');
    $_->stream_ok($first, 'orders', 'either has one stream to tell, without gaps') for @recorder;
    $_->close for @recorder;
    ends_clean($second, 'the second');
    ends_clean($first, 'the first');
    ends_clean($seller, 'the seller');
}

# --- a tickets service moves
{
    my ($seller, $buyer) = TestSvc::Server->pair;
    $_->start for $seller, $buyer;
    my @tickets = map { new_ticket(vhost => $seller, title => "Before $_") } 1 .. 5;
    ok is_reserved(new_order(vhost => $buyer, ticket => $tickets[0]), $buyer), 'two services know each other';
    wait_quiet([$seller, $buyer]);
    my ($source, $position) = (source_of($seller, 'tickets'), head_of($seller, 'tickets'));
    my @old = map { $seller->endpoint("tickets_$_") } qw(pub replay);
    $seller->stop;
    delete @{ $seller->{ports} }{qw(http tickets_pub tickets_replay)};
    $seller->follow($buyer);
    $seller->start;
    isnt $seller->endpoint('tickets_pub'), $old[0], 'the tickets service is started with other endpoints';
    my @since = map { new_ticket(vhost => $seller, title => "Moved $_") } 1 .. 5;
    is cursor_of($buyer, 'orders', $source), $position, '... which orders does not know yet';
    $buyer->follow($seller);
    $buyer->graceful;
    my $order = new_order(vhost => $buyer, ticket => $since[4]);
    ok is_reserved($order, $buyer), 'told of them by its configuration and a graceful restart, orders follows';
    wait_quiet([$seller, $buyer]);
    truth_ok([$seller, $buyer], '... from where it was: each event took effect once');
    is_deeply db($buyer)->selectcol_arrayref('SELECT source FROM orders_cursor'), [$source], '... it is the same log to it';
    ends_clean($_, 'the service') for $buyer, $seller;
}

log_is_clean;
done_testing;
