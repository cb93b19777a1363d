# Two httpd instances on one SQLite file, each with ports and endpoints of its own, each following what the other
# publishes: both serve, a ticket is sold once, and no writer ever meets a busy database.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;
use TestSvc::Truth;

# The second one keeps its data where the first one does, and both follow all four publishers.
my $first = TestSvc::Server->new;
my $second = TestSvc::Server->new;
sub follows {
    my ($service, $from) = @_;
    return map { sprintf "%sSubscribe %s %s\n", $service, $_->endpoint("${from}_pub"), $_->endpoint("${from}_replay") } $first, $second;
}
my $data = $first->dir . '/data';
for my $server ($first, $second) {
    $server->write_conf(site => join '', "DBDriver sqlite3\nDBDParams \"$data/shop.db\"\nDBDMax 64\n",
        "TicketsPublish tcp://127.0.0.1:\@port:tickets_pub\@\nTicketsReplay tcp://127.0.0.1:\@port:tickets_replay\@\n",
        "OrdersPublish tcp://127.0.0.1:\@port:orders_pub\@\nOrdersReplay tcp://127.0.0.1:\@port:orders_replay\@\n",
        follows('Tickets', 'orders'), follows('Orders', 'tickets'));
    $server->start;
}

my $ticket = new_ticket(vhost => $first, title => 'Seen by both');
is ticket($ticket->{id}, vhost => $second)->{title}, 'Seen by both', 'what one writes the other reads';
my $order = new_order(vhost => $second, ticket => $ticket);
wait_until { order($order->{id}, vhost => $first)->{status} eq 'awaiting:payment' } 10, 'the reservation';
pass 'a ticket of one is ordered at the other';

# Both write at once: 4 sellers, then 8 buyers for each ticket, half of them here and half there.
my @made = map { $_->wait } map { TestSvc::Clients->start(2, $_, sub {
    my ($client) = @_;
    return [map { $client->send(POST => '/api/tickets', user => 'alice', json => { title => "Lot $_", price => 9 }) } 1 .. 15];
}) } $first, $second;
my @answers = map { @$_ } @made;
is scalar(grep { $_->{code} == 201 } @answers), 60, 'sixty tickets are made by four clients of two servers';
wait_quiet($first);

my @ids = map { $_->{json}{id} } @answers;
my @buyers = map { my $server = $_; TestSvc::Clients->start(4, $server, sub {
    my ($client, $number) = @_;
    my $user = 'user' . (1 + $number + ($server == $second ? 4 : 0));
    return { map { $_ => $client->send(POST => '/api/orders', user => $user, json => { ticketId => $_ })->{code} } @ids };
}) } $first, $second;
my (%sold, %code);
for my $codes (map { $_->wait } @buyers) {
    for my $id (@ids) {
        $code{ $codes->{$id} }++;
        $sold{$id}++ if $codes->{$id} == 201;
    }
}
is_deeply \%code, { 201 => 60, 409 => 420 }, 'eight buyers for each of them: one 201 and seven 409' or diag explain \%code;
is_deeply [grep { $sold{$_} != 1 } keys %sold], [], 'no ticket is sold twice';
wait_quiet($first);
truth_ok($first);
is db($first)->selectrow_array("SELECT COUNT(*) FROM orders WHERE status = 'awaiting:payment'"), 61, 'every order got its ticket';

# One goes, the other stays.
$first->stop;
my $alone = new_order(vhost => $second, ticket => new_ticket(vhost => $second));
wait_until { order($alone->{id}, vhost => $second)->{status} eq 'awaiting:payment' } 10, 'the reservation by the second alone';
pass 'when one is stopped the other goes on';
my ($waited) = map { $_->wait } TestSvc::Clients->start(1, $second, sub {
    my ($client) = @_;
    return [map { $client->send(POST => '/api/tickets', user => 'alice', json => { title => 'Later', price => 9 })->{code} } 1 .. 20] });
is_deeply $waited, [(201) x 20], 'at work';
$first->start;
wait_quiet($first);
my $back = new_order(vhost => $first, ticket => new_ticket(vhost => $second));
wait_until { order($back->{id}, vhost => $second)->{status} eq 'awaiting:payment' } 10, 'the dance of both';
wait_quiet($first);
truth_ok($first, 'and when it is back, all is as it must be');

my @log = map { $_->error_log } $first, $second;
unlike "@log", qr/database is (?:locked|busy)|SQLITE_BUSY|\(5\)/, 'nobody met a busy database';
$_->stop for $first, $second;
log_is_clean(server => $_, name => 'its error log has no unexpected line') for $first, $second;
log_is_clean;
done_testing;
