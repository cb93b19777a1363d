# GET and POST from 1 to 256 clients, and 16 clients who want one and the same ticket.
package Bench::Clients;
use strict;
use warnings FATAL => 'all';
use Bench;

my @Clients = (1, 4, 16, 64, 256);
my ($Rounds, $Seconds) = (3, 1);
my $Floor = 0.7;     # of the best rate with fewer clients
my $Slowest = 1000;  # ms: the p99

sub server_for_many {   # a thread for each connection, in each process
    return server(@_, limits => "StartServers 2\nServerLimit 2\nMinSpareThreads 256\nMaxSpareThreads 576\nThreadLimit 288\n"
                              . "ThreadsPerChild 288\nMaxRequestWorkers 576\n");
}

sub failures { my $failed = 0; $failed += $_->{failed} for @_; return $failed }

{
    my $server = server_for_many(modules => ['tickets'], site => site('tickets'));
    start_all($server);
    my $made = hit($server, sell(1000));
    my $requests = { GET => [map { "GET /api/tickets/$_->[0]" } query($server, 'SELECT id FROM tickets')], POST => sell(1000) };
    for my $what (qw(GET POST)) {
        my $best = 0;
        my @ways = map { my $clients = $_; $clients => sub { hit($server, $requests->{$what}, clients => $clients, seconds => $Seconds) } } @Clients;
        my $results = by_turns($Rounds, @ways);
        for my $clients (@Clients) {
            my $these = $results->{$clients};
            my ($rate, $p99) = (median(map { $_->{rate} } @$these), median(map { $_->{p99} } @$these));
            row(figure => "$what, $clients client" . ($clients > 1 ? 's' : ''), measured => sprintf('%.0f/s', $rate),
                $best ? (reference => sprintf('with fewer: %.0f/s', $best), ratio => sprintf('%.2f', $rate / $best),
                         target => "$Floor x, p99 < $Slowest ms", met => $rate >= $Floor * $best && $p99 < $Slowest ? 'yes' : 'no') : (),
                p50 => ms(median(map { $_->{p50} } @$these)), p99 => ms($p99), max => ms(quantile(1, map { $_->{max} } @$these)),
                errors => failures(@$these));
            $best = $rate if $rate > $best;
        }
    }
    $server->stop;
    my $errors = log_errors($server) + $made->{failed};
    row(figure => 'the error log of 256 clients', measured => 'read', errors => $errors);
}

# --- one ticket, 16 clients: each ticket is wanted 16 times at once, and one of them gets it; then one is edited by all

{
    my ($tickets, $orders) = servers();
    start_all($tickets, $orders);
    my $made = hit($tickets, sell(300));
    wait_for(sub { value($orders, 'SELECT COUNT(*) FROM orders_tickets') == 300 }, 20, 'the replica');
    my @ids = map { $_->[0] } query($tickets, 'SELECT id FROM tickets ORDER BY position');
    my $fight = hit($orders, [map { (qq(POST /api/orders {"ticketId": "$_"})) x 16 } @ids], clients => 16, user => 'bob:secret');
    my $active = value($orders, 'SELECT COUNT(DISTINCT ticket_id) FROM orders');
    my $all = value($orders, 'SELECT COUNT(*) FROM orders');
    row(figure => '16 clients order one ticket, 300 times', measured => sprintf('%.0f answers/s', $fight->{rate}),
        p50 => ms($fight->{p50}), p99 => ms($fight->{p99}), max => ms($fight->{max}), note => "$all got it, $fight->{conflicts} were refused",
        errors => $fight->{failed} + abs($all - @ids) + abs($active - @ids) + abs($fight->{conflicts} - 15 * @ids));
    my $mine = hit($tickets, ['POST /api/tickets {"title": "Hamilton", "price": 200}'], clients => 1);
    my ($id) = map { $_->[0] } query($tickets, 'SELECT id FROM tickets ORDER BY position DESC LIMIT 1');
    my $edits = hit($tickets, [map { qq(PUT /api/tickets/$id {"title": "Hamilton", "price": $_}) } 1 .. 1000], clients => 16, seconds => 2);
    my $version = value($tickets, "SELECT version FROM tickets WHERE id = '$id'");
    row(figure => '16 clients edit one ticket', measured => sprintf('%.0f/s', $edits->{rate}), p50 => ms($edits->{p50}), p99 => ms($edits->{p99}),
        max => ms($edits->{max}), errors => $edits->{failed} + $edits->{conflicts} + abs($version - $edits->{requests}),
        note => "$edits->{requests} answered, version $version");
    wait_for(sub { !differences($tickets, $orders) }, 20, 'the replica');
    $_->stop for $tickets, $orders;
    row(figure => 'the error logs of the fight', measured => 'read', errors => log_errors($tickets) + log_errors($orders) + $made->{failed} + $mine->{failed});
}
