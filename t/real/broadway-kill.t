# The same real input while leaders are killed (-9) again and again, each once a new one leads: edits carry If-Match,
# and after a lost answer the client looks before it repeats. In the end every show has exactly its versions, one order
# that is not cancelled, and at most one buyer was answered 201.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Broadway;
use TestSvc::Server;
use TestSvc::Truth;

# Large enough that httpd itself does not complain while eight clients keep their connections.
my $server = TestSvc::Server->new(limits => ($ENV{TEST_MPM} || '') eq 'prefork'
    ? "StartServers 12\nMinSpareServers 6\nMaxSpareServers 24\nMaxRequestWorkers 48\n"
    : "StartServers 2\nServerLimit 4\nThreadLimit 16\nThreadsPerChild 16\nMinSpareThreads 9\nMaxSpareThreads 48\nMaxRequestWorkers 64\n")->start;
my $shows = broadway_shows();

sub written { my ($n) = eval { db($server)->selectrow_array('SELECT (SELECT position FROM tickets_head) + (SELECT position FROM orders_head)') }; return $n || 0 }
sub kill_leaders {   # while the clients work: one module's leader, a new one, some work, the other module's ...
    my ($clients, $step) = @_;
    my $killed = 0;
    my $from = written();
    while (wait_until { written() >= $from + $step || !$clients->running } 20, 'the work to go on' and $clients->running) {
        my $module = $killed % 2 ? 'orders' : 'tickets';
        my $leader = $server->wait_leader($module);
        $killed += kill KILL => $leader;
        $server->wait_leader($module, $leader);
        $from = written();
    }
    return $killed;
}

my $sale = sell_broadway($server, 6, 'careful');
cmp_ok kill_leaders($sale, 100), '>=', 4, 'leaders are killed while prices change, each once the next one led';
my %sold = map { %$_ } $sale->wait;
is keys %sold, 77, 'a ticket is made for each show';
wait_quiet($server);

my %id = map { $_ => $sold{$_}{id} } keys %sold;
my $expected = { map { my $price = $shows->{$_}[-1]; (my $cents = $price) =~ s/\.//; $id{$_} => [$_, $cents + 0, @{ $shows->{$_} } - 1] } keys %id };
is_deeply broadway_prices($server, 'tickets', values %id), $expected, 'every ticket has its show\'s last price, and version weeks - 1';
is_deeply broadway_prices($server, 'orders_tickets', values %id), $expected, 'so has every replica';

my $buyers = buy_broadway($server, [map { $id{$_} } sort keys %id], 0.03);   # time enough to elect
cmp_ok kill_leaders($buyers, 20), '>=', 2, 'leaders are killed while the shows are sold';
my @codes = $buyers->wait;
my %bad;
for my $show (sort keys %id) {
    my %count = (201 => 0);
    $count{ $_->{ $id{$show} } }++ for @codes;
    $bad{$show} = \%count if $count{201} > 1 || grep { $_ != 201 && $_ != 409 } keys %count;
}
is_deeply \%bad, {}, 'of eight buyers of a show at most one is answered 201, the others 409' or diag explain \%bad;
wait_quiet($server);
my $list = join ', ', map { db($server)->quote($_) } values %id;
is_deeply db($server)->selectall_arrayref("SELECT status, COUNT(*), COUNT(DISTINCT ticket_id) FROM orders WHERE status <> 'cancelled' AND ticket_id IN ($list) GROUP BY status"),
    [['awaiting:payment', 77, 77]], 'each show has exactly one order that is not cancelled';
is db($server)->selectrow_array('SELECT COUNT(*) FROM tickets t JOIN orders o ON o.id = t.order_id'), 77, 'and is reserved for it';
truth_ok($server);

cmp_ok $server->stop, '<', 10, 'it stops';
log_is_clean(server => $server, except => [qr/exit signal Killed|children are killed successively/], name => 'its error log has no unexpected line');
log_is_clean;
done_testing;
