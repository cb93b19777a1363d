# Without synchronous replication a failover loses what the standby did not have yet, also what was acknowledged; nothing
# else, and in silence nothing. Both services, each on a database of its own, and a follower in Python had taken the
# events of what is lost: they notice that the log is another one, and are as the new primary is. Once with an outage that
# is too short to be noticed by itself.
# Of PostgreSQL only: two private servers.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use DBI;
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Database;
use TestSvc::Failover;
use TestSvc::Follower;
use TestSvc::Server;

my $dir = TestSvc::Database->shared->{dir};
my $pair = TestSvc::Failover->new("$dir/asynchronous")->start;
my $sqlite = TestSvc::Database->new('sqlite3', $dir);
my $tickets = TestSvc::Server->new(engine => $pair, modules => ['tickets']);
my $orders = TestSvc::Server->new(engine => $sqlite, modules => ['orders']);
$tickets->follow($orders);
$orders->follow($tickets);
$_->start->wait_database for $tickets, $orders;
my $follower = TestSvc::Follower->new('python', map { $tickets->endpoint("tickets_$_") } qw(pub replay))->start;

my $columns = 'id, title, cents, version, order_id';
sub truth    { return db($tickets)->selectall_arrayref("SELECT $columns FROM tickets ORDER BY id") }
sub replica  { return db($orders)->selectall_arrayref("SELECT $columns FROM orders_tickets ORDER BY id") }
sub followed { return eval { $follower->state } }
sub sellers {
    my ($title) = @_;
    return TestSvc::Clients->start(4, $tickets, sub {
        my ($client, $number) = @_;
        my @made;
        for (my $n = 1; !$client->is_told_to_stop; $n++) {
            my $answer = $client->send(POST => '/api/tickets', user => 'alice', json => { title => "$title $number.$n", price => 5 });
            push @made, $answer->{json}{id} if $answer->{code} == 201;
            $client->pause(0.01);
        }
        return \@made;
    });
}
sub kept {   # the same columns
    my ($followed) = @_;
    return [map { [@$_{qw(id title)}, 100 * $_->{price}, @$_{qw(version orderId)}] }
            map { $followed->{tickets}{$_} } sort keys %{ $followed->{tickets} || {} }];
}
sub same   { my ($one, $other) = map { join ' ', map { map { defined $_ ? $_ : '' } @$_ } @$_ } @_; return $one eq $other }
sub sold   { return scalar eval { db($tickets)->selectrow_array("SELECT COUNT(*) FROM tickets WHERE title LIKE 'Load %'") } }
sub sells {   # so many more
    my ($count) = @_;
    my $before = wait_until { my $sold = sold(); defined $sold && [$sold] } 20, 'the tickets to be counted';
    return eval { wait_until { (sold() || 0) >= $before->[0] + $count } 30, 'the trade to go on' } || do { diag $@; 0 };
}
sub awaits { my ($order) = @_; return order($order->{id}, vhost => $orders)->{status} eq 'awaiting:payment' }

my $kept = new_ticket(vhost => $tickets, title => 'Kept');
my $early = new_order(vhost => $orders, ticket => new_ticket(vhost => $tickets, title => 'Reserved'));
wait_until { awaits($early) } 10, 'the first order';
my $clients = sellers('Load');
ok sells(40), 'there is trade';

# All this is acknowledged, and told: a ticket, an order of it, a reservation.
$pair->cut;
my $lost = new_ticket(vhost => $tickets, title => 'Lost');
my $order = new_order(vhost => $orders, ticket => $lost);
my $again = new_order(vhost => $orders, ticket => $kept);
wait_until { awaits($_) } 10, 'the reservation' for $order, $again;
wait_until { my $state = followed(); $state && $state->{tickets}{ $lost->{id} } } 10, 'the follower';
my $begin = time;
$pair->crash;
$pair->promote;
my $outage = time - $begin;
ok sells(40), 'the new primary sells on, without a restart of httpd';
my %there = map { $_->[0] => 1 } @{ truth() };
my @gone = grep { !$there{$_} } map { @$_ } $clients->enough->wait;
note sprintf '%d lost, an outage of %.1f s', scalar @gone, $outage;
ok !$there{ $lost->{id} }, 'a ticket that the standby did not have is lost, though it was acknowledged';
is api(GET => "/api/tickets/$lost->{id}", vhost => $tickets)->code, 404, '... and is not found';

ok((eval { wait_until { same(replica(), truth()) } 20, 'it' } || diag $@),
   'the replica of the orders service becomes what the new primary has');
is_deeply replica(), truth(), '... ticket by ticket';
ok((eval { wait_until { same(kept(followed()), truth()) } 20, 'it' } || diag $@), 'so does what a follower in Python has');
is_deeply kept(followed()), truth(), '... ticket by ticket';
is order($order->{id}, vhost => $orders)->{cancelReason}, 'reserved', 'an order of a ticket that is lost is cancelled';
for ([$early, 'that was replicated'], [$again, 'that was lost']) {
    my ($of, $what) = @$_;
    ok((eval { wait_until { awaits($of) && (ticket($of->{ticketId}, vhost => $tickets)->{orderId} || '') eq $of->{id} } 10, 'it' } || diag $@),
       "an order with a reservation $what has its ticket");
}
like $tickets->error_log, qr/SVC088: mod_tickets: the event log is not the one/, 'the publisher has noticed';
like $orders->error_log, qr/SVC032: mod_orders: the log of \S+ is not the one/, 'so has the orders service';

for my $server ($tickets, $orders) {
    cmp_ok $server->stop, '<', 10, 'httpd stops';
    log_is_clean(server => $server, except => [qr/SVC01[01]|SVC032|SVC033|SVC035|SVC04\d|SVC060|SVC088|dbd:(?:error|crit)/]);
}
$pair->stop;
log_is_clean;
done_testing;
