# Commit to visible in the other service at 1000 writes a second, and the whole dance of an order.
package Bench::Latency;
use strict;
use warnings FATAL => 'all';
use Bench;

my ($Rate, $Seconds, $Clients) = (1000, 15, 32);
my ($Order_rate, $Order_seconds) = (100, 5);
my $Poll = 200;   # microseconds between two looks

my ($tickets, $orders) = servers();
$_->start for $tickets, $orders;
wait_for(sub { eval { value($_, "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE '%_head'") } }, 20, 'the tables')
    for $tickets, $orders;
my $source = value($tickets, 'SELECT source FROM tickets_head');
my $cursor = "SELECT position FROM orders_cursor WHERE source = '$source'";

sub caught_up {
    wait_for(sub { value($orders, $cursor) == value($tickets, 'SELECT position FROM tickets_head') }, 60, 'the follower');
}

# Sends the requests at $rate, and watches what $sql gives on the database of $watched meanwhile and until $quiet->().
sub measure {
    my (%opt) = @_;
    my ($requests, $outcomes, $seen) = map { work() . "/$_" } qw(requests outcomes seen);
    open my $out, '>:utf8', $requests or die "$requests: $!";
    print $out map { "$_\n" } @{ $opt{requests} };
    close $out or die "$requests: $!";
    my $watch = start_tool('watch', $opt{watched}->db_file, $opt{sql}, 0, $Poll, $seen);
    my @cpu = map { cpu_of($_) } $tickets, $orders;
    my $load = tool('load', $opt{server}->port, $opt{user}, $opt{rate}, $opt{seconds}, $Clients, $requests, $outcomes);
    @cpu = map { sprintf '%.0f%%', 100 * $_ / $load->{seconds} } cpu_of($tickets) - $cpu[0], cpu_of($orders) - $cpu[1],
        $load->{cpu};
    $opt{quiet}->();
    my $watched = stop_tool($watch);
    open my $in, '<', $outcomes or die "$outcomes: $!";
    my @outcomes = map { chomp; [split ' '] } <$in>;
    open $in, '<', $seen or die "$seen: $!";
    my @seen = map { chomp; [split ' '] } <$in>;
    return { %$load, outcomes => \@outcomes, seen => \@seen, looks => $watched->{reads},
             note => sprintf('CPU: tickets httpd %s, orders httpd %s, generator %s, watcher %.0f%%', @cpu,
                             100 * $watched->{cpu} / $load->{seconds}) };
}

# Milliseconds from each answer to when its position was seen; and how many were refused, or never seen.
sub latencies {
    my ($run, $positions) = @_;
    my %position = map { @$_ } @$positions;
    my @wanted = sort { $a->[0] <=> $b->[0] }
        map { [$position{ $_->[4] }, $_->[2]] } grep { $_->[3] == 201 && $position{ $_->[4] } } @{ $run->{outcomes} };
    my @seen = @{ $run->{seen} };
    my @ms;
    for (@wanted) {
        my ($position, $answered) = @$_;
        shift @seen while @seen && $seen[0][1] < $position;
        last unless @seen;
        push @ms, $seen[0][0] > $answered ? ($seen[0][0] - $answered) / 1e6 : 0;
    }
    die "nothing that was made was seen: $run->{outcomes}[0][3] is the first status\n" unless @ms;
    return (@{ $run->{outcomes} } - @ms, @ms);
}

# --- commit to visible

measure(server => $tickets, user => 'alice:secret', rate => $Rate, seconds => 1, requests => sell($Rate),
        watched => $orders, sql => $cursor, quiet => \&caught_up);   # warm
my $disk = start_fsyncs();
my $run = measure(server => $tickets, user => 'alice:secret', rate => $Rate, seconds => $Seconds,
                  requests => sell($Rate * $Seconds), watched => $orders, sql => $cursor, quiet => \&caught_up);
my ($fsync, $fsync_p99) = stop_fsyncs($disk);
my ($lost, @ms) = latencies($run, [query($tickets, "SELECT entity_id, position FROM tickets_log WHERE subject = 'ticket:created'")]);
my @answer = map { ($_->[2] - $_->[0]) / 1e6 } @{ $run->{outcomes} };
my $more = $fsync < 0.5 ? 0 : 2 * $fsync;
row(figure => 'commit to visible in the other service, 1000 writes/s',
    measured => sprintf('%.0f writes/s', $run->{requests} / $run->{seconds}),
    reference => sprintf('fsync in this run: p50 %.2f ms, p99 %.2f ms', $fsync, $fsync_p99),
    target => sprintf('p50 < %.1f ms, p99 < %.1f ms', 2 + $more, 10 + $more),
    met => quantile(0.5, @ms) < 2 + $more && quantile(0.99, @ms) < 10 + $more ? 'yes' : 'no',
    p50 => ms(quantile(0.5, @ms)), p99 => ms(quantile(0.99, @ms)), max => ms(quantile(1, @ms)),
    errors => $lost + differences($tickets, $orders),
    note => "$run->{note}; $run->{late} sent over 1 ms late; a look every "
          . sprintf('%.2f ms', 1000 * $run->{seconds} / $run->{looks}));
row(figure => 'POST /api/tickets answered, the same run', measured => sprintf('%.0f writes/s', $run->{requests} / $run->{seconds}),
    p50 => ms(quantile(0.5, @answer)), p99 => ms(quantile(0.99, @answer)), max => ms(quantile(1, @answer)),
    errors => scalar grep { $_->[3] != 201 } @{ $run->{outcomes} });

# --- the dance: POST order, to tickets, back again

my @ids = map { $_->[0] } query($orders, "SELECT id FROM orders_tickets ORDER BY id LIMIT " . $Order_rate * $Order_seconds);
$run = measure(server => $orders, user => 'bob:secret', rate => $Order_rate, seconds => $Order_seconds,
    requests => [map { qq(POST /api/orders {"ticketId": "$_"}) } @ids], watched => $orders,
    sql => 'SELECT position FROM orders_head', quiet => sub {
        wait_for(sub { !value($orders, "SELECT COUNT(*) FROM orders WHERE status <> 'awaiting:payment'") }, 30, 'the orders');
        caught_up();
    });
($lost, @ms) = latencies($run, [query($orders, "SELECT entity_id, position FROM orders_log WHERE subject = 'order:updated'")]);
row(figure => "POST order answered to awaiting:payment, $Order_rate orders/s",
    measured => sprintf('%.0f orders/s', $run->{requests} / $run->{seconds}),
    p50 => ms(quantile(0.5, @ms)), p99 => ms(quantile(0.99, @ms)), max => ms(quantile(1, @ms)),
    errors => $lost + differences($tickets, $orders), note => $run->{note});
$_->stop for $tickets, $orders;
row(figure => 'the error logs', measured => 'read', errors => log_errors($tickets) + log_errors($orders));
