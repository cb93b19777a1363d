# Memory over a million requests: what all processes of an httpd with both services hold, looked at as they go.
package Bench::Memory;
use strict;
use warnings FATAL => 'all';
use Bench;

my ($Looks, $Requests, $Clients) = (20, 50_000, 64);
my $First = 4;       # looks until caches are full
my $Growth = 1.05;   # the rest may be so much above that

sub memory_mb {   # of all its processes, what is theirs alone
    my ($server) = @_;
    my $kb = 0;
    for my $pid ($server->children) {
        open my $file, '<', "/proc/$pid/smaps_rollup" or next;
        $kb += $_ for map { /^Private_(?:Clean|Dirty):\s+(\d+)/ ? $1 : () } <$file>;
    }
    return $kb / 1024;
}

sub descriptors { my ($server) = @_; return scalar map { glob "/proc/$_/fd/*" } $server->children }

# A fixed number of processes: one more would look like a leak.
my $server = server(limits => "StartServers 2\nServerLimit 2\nMinSpareThreads 1\nMaxSpareThreads 192\nThreadLimit 96\nThreadsPerChild 96\n"
                            . "MaxRequestWorkers 192\n");
# The connections of mod_dbd are there from the begin: each has a page cache that fills.
$server->write_conf(site => site(qw(tickets orders)) =~ s/DBDMax 96/DBDMin 8\nDBDKeep 8\nDBDMax 8/r . join '', map { my ($own, $other) = @$_;
    "\u${own}Subscribe tcp://127.0.0.1:\@port:${other}_pub\@ tcp://127.0.0.1:\@port:${other}_replay\@\n" } [qw(tickets orders)], [qw(orders tickets)]);
start_all($server);
hit($server, sell(5000));
wait_for(sub { value($server, 'SELECT COUNT(*) FROM orders_tickets') == 5000 }, 30, 'the replica');
my @ids = map { $_->[0] } query($server, 'SELECT id FROM tickets ORDER BY position');
my $sell = sell(2000);

# Of twenty requests, one sells, one orders, one edits in vain, one is refused for its body, one lists, the others read.
my ($failed, $asked, $seconds, @mb, @fds) = (0, 0, 0);
for my $look (1 .. $Looks) {
    my @requests = map { my $n = $_; my $id = $ids[($look * 991 + $n * 7) % @ids];
        $n % 20 == 0 ? $sell->[$n % @$sell] : $n % 20 == 1 ? qq(POST /api/orders {"ticketId": "$id"})
            : $n % 20 == 2 ? qq(PUT /api/tickets/$id {"title": "Wicked", "price": 90}) : $n % 20 == 3 ? 'GET /api/tickets?limit=10'
            : $n % 20 == 4 ? 'GET /api/orders?limit=10' : "GET /api/tickets/$id" } 1 .. $Requests;
    my $load = hit($server, \@requests, clients => $Clients);
    $failed += $load->{failed};
    $asked += $load->{requests};
    $seconds += $load->{seconds};
    push @mb, memory_mb($server);
    push @fds, descriptors($server);
    say_now(sprintf '%s requests: %.1f MB, %d descriptors, %.0f/s', thousands($asked), $mb[-1], $fds[-1], $load->{rate});
}
my @later = @mb[$First .. $#mb];
my $half = int(@later / 2);
my ($early, $late) = (median(@later[0 .. $half - 1]), median(@later[$half .. $#later]));
row(figure => sprintf('memory over %s requests', thousands($asked)), measured => sprintf('%.1f MB at the end', $mb[-1]),
    reference => sprintf('after %s: %.1f MB', thousands($First * $Requests), $mb[$First - 1]),
    ratio => sprintf('%.3f', $late / $early), target => "$Growth at most", met => $late / $early <= $Growth ? 'yes' : 'no',
    max => sprintf('%.1f MB', quantile(1, @mb)), errors => $failed,
    note => sprintf 'MB at each look: %s; descriptors from %d to %d; %.0f requests/s', join(' ', map { sprintf '%.0f', $_ } @mb),
        $fds[$First], $fds[-1], $asked / $seconds);
$server->stop;
row(figure => 'the error log of a million requests', measured => 'read', errors => log_errors($server));
