# Catching up with a long log after being away.
package Bench::Catchup;
use strict;
use warnings FATAL => 'all';
use Bench;
use File::Copy 'copy';

my $Runs = 3;
my $Poll = 500;   # microseconds between two looks

# Starts $follower with the database $begin (none: with no database) beside $publisher, which runs; returns how it went
# from the first of its commits that was seen to the last, and leaves it running.
sub catch_up {
    my ($follower, $publisher, $service, $head, $begin) = @_;
    my $seen = work() . '/seen';
    unlink glob $follower->db_file . '*';
    copy($begin, $follower->db_file) or die "$begin: $!" if $begin;
    my $watch = start_tool('watch', $follower->db_file, "SELECT MAX(position) FROM ${service}_cursor", $head, $Poll, $seen);
    my $cpu = cpu_of($publisher);
    $follower->start;
    wait_tool($watch, 120);
    my $run = { follower => 1e6 * cpu_of($follower) / $head, publisher => 1e6 * (cpu_of($publisher) - $cpu) / $head,
                mb => [peaks_mb($follower)] };
    open my $in, '<', $seen or die "$seen: $!";
    my @seen = map { [split ' '] } <$in>;
    $run->{rate} = ($seen[-1][1] - $seen[0][1]) / ($seen[-1][0] - $seen[0][0]) * 1e9;
    $run->{batch} = $head / @seen;
    return $run;
}

sub raw {   # events/s of SQLite itself with the same rows
    my ($tickets, $batch) = @_;
    my $file = work() . '/raw.db';
    my $run = tool('raw', $tickets->db_file, $file, $batch);
    unlink glob "$file*";
    return $run->{events} / $run->{seconds};
}

sub note {
    my (@runs) = sort { $b->{rate} <=> $a->{rate} } @_;
    return sprintf '%.0f to %.0f in %d runs; CPU per event in the best: follower %.1f us, publisher %.1f us; %.0f events '
        . 'between two looks; peak memory of the process that follows %.0f MB, of one that does not %.0f MB',
        $runs[-1]{rate}, $runs[0]{rate}, scalar @runs, @{ $runs[0] }{qw(follower publisher batch)}, @{ $runs[0]{mb} }[0, -1];
}

# --- orders follows a log of tickets

for (['200 000 tickets', 200_000, 1, 1000],
     ['20 000 tickets in 10 versions, 100 at a time', 20_000, 10, 100],
     ['20 000 tickets in 10 versions, all in turns', 20_000, 10, 20_000]) {
    my ($name, @shape) = @$_;
    my ($tickets, $orders) = servers(follow => ['orders']);
    my ($head) = @{ tool('fill', 'tickets', $tickets->db_file, $tickets->endpoint('tickets_pub'), prices(), @shape) };
    my (@runs, %raw);
    my $errors = 0;
    $tickets->start;
    for (1 .. $Runs) {
        push @runs, catch_up($orders, $tickets, 'orders', $head);
        $orders->stop;
        $errors += differences($tickets, $orders);
        $errors += value($orders, "SELECT (SELECT COUNT(*) FROM orders_$_)") for qw(parked quarantine);
        push @{ $raw{$_} }, raw($tickets, $_) for 500, 1000;
    }
    $tickets->stop;
    my ($raw) = sort { $b->[0] <=> $a->[0] } map { [median(@{ $raw{$_} }), $_] } keys %raw;
    my $rate = median(map { $_->{rate} } @runs);
    row(figure => "catching up, $name", measured => sprintf('%.0f events/s', $rate),
        reference => sprintf('raw SQLite, %d rows a commit: %.0f', $raw->[1], $raw->[0]),
        ratio => sprintf('%.2f', $rate / $raw->[0]), target => '100000 events/s', met => $rate >= 100_000 ? 'yes' : 'no',
        errors => $errors + log_errors($tickets) + log_errors($orders), note => note(@runs));
}

# --- tickets follows a log of orders: each event reserves a ticket and emits one

{
    my $count = 50_000;
    my ($tickets, $orders) = servers(follow => ['tickets']);
    my $begin = work() . '/begin.db';
    tool('fill', 'tickets', $begin, $tickets->endpoint('tickets_pub'), prices(), $count, 1, 1000);
    my ($head) = @{ tool('fill', 'orders', $orders->db_file, $orders->endpoint('orders_pub'), $begin) };
    my @runs;
    my $errors = 0;
    $orders->start;
    for (1 .. $Runs) {
        push @runs, catch_up($tickets, $orders, 'tickets', $head, $begin);
        $tickets->stop;
        $errors += $count - value($tickets, 'SELECT COUNT(*) FROM tickets t, other.orders o '
                                          . 'WHERE t.order_id = o.id AND o.ticket_id = t.id', $orders);
        $errors += abs 2 * $count - value($tickets, 'SELECT COUNT(*) FROM tickets_log');
        $errors += value($tickets, "SELECT (SELECT COUNT(*) FROM tickets_$_)") for qw(parked quarantine);
    }
    $orders->stop;
    row(figure => "catching up the other way, $count orders (each reserves a ticket and emits an event)",
        measured => sprintf('%.0f events/s', median(map { $_->{rate} } @runs)),
        errors => $errors + log_errors($tickets) + log_errors($orders), note => note(@runs));
}
