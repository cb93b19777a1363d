# What a GET, a list and a POST cost at 1000, 100 000 and a million tickets, and a cold start with the million.
package Bench::Growth;
use strict;
use warnings FATAL => 'all';
use Bench;
use HTTP::Tiny ();
use Time::HiRes qw(sleep time);

my @Sizes = (1_000, 100_000, 1_000_000);
my ($Rounds, $Seconds, $Clients) = (5, 0.5, 16);
my $Target = 1.5;   # a request may take so much longer at the last size than at the first

# A server for each size, all running, so that they are measured by turns. 4000 tickets are spread over all of them to be
# asked for: more than what stays in a page of the database.
sub grown {
    my ($size) = @_;
    my $server = server(modules => ['tickets'], site => site('tickets'));
    start_all($server);
    $server->stop;
    fill_tickets($server, 1, $size);
    start_all($server);
    my $step = $size < 4000 ? 1 : int $size / 4000;
    my @gets = map { sprintf 'GET /api/tickets/%08x-0000-7000-8000-000000000000', 1 + $step * ($_ * 2654435761 % int($size / $step)) } 1 .. 4000;
    return { size => $size, server => $server, GET => \@gets, list => ['GET /api/tickets'], POST => sell(1000) };
}

my @grown = map { grown($_) } @Sizes;
for my $what (qw(GET list POST)) {
    my @ways = map { my $at = $_; $at->{size} => sub { hit($at->{server}, $at->{$what}, clients => $Clients, seconds => $Seconds) } } @grown;
    by_turns(1, @ways);   # warm
    my $results = by_turns($Rounds, @ways);
    my $first = $results->{ $Sizes[0] };
    for my $size (@Sizes[1 .. $#Sizes]) {
        my $these = $results->{$size};
        my $ratio = median(map { $first->[$_]{rate} / $these->[$_]{rate} } 0 .. $#$these);
        row(figure => sprintf('%s at %s tickets, %d clients', $what eq 'list' ? 'first page of the list' : $what, thousands($size), $Clients),
            measured => sprintf('%.0f/s', median(map { $_->{rate} } @$these)),
            reference => sprintf('at %s: %.0f/s', thousands($Sizes[0]), median(map { $_->{rate} } @$first)),
            ratio => sprintf('%.2f', $ratio), target => "costs $Target x at most", met => $ratio <= $Target ? 'yes' : 'no',
            p50 => ms(median(map { $_->{p50} } @$these)), p99 => ms(median(map { $_->{p99} } @$these)),
            max => ms(quantile(1, map { $_->{max} } @$these)), errors => eval { my $n = 0; $n += $_->{failed} for @$these, @$first; $n });
    }
}

# Cold: httpd is killed in the middle of it all and started again. The first answers are a read's and a write's.
my $server = $grown[-1]{server};
my @seconds;
for (1 .. 5) {
    my $load = start_tool('load', $server->port, 'alice:secret', 0, 0.3, $Clients, work() . '/requests', '-');
    sleep 0.15;
    $server->kill9_parent_and_children;
    eval { wait_tool($load, 20) };   # it ends as it finds nobody
    my $begin = time;
    $server->start;
    my $http = HTTP::Tiny->new(timeout => 20);
    my $url = $server->url('/api/tickets');
    my $got = $http->get($url)->{status};
    my $posted = $http->post($url =~ s{//}{//alice:secret\@}r, { headers => { 'Content-Type' => 'application/json' },
                                                                 content => '{"title": "Chicago", "price": 20}' })->{status};
    push @seconds, time - $begin;
    die "after a cold start: $got, $posted\n" unless $got == 200 && $posted == 201;
}
my $worst = quantile(1, @seconds);
row(figure => 'killed and started again with ' . thousands($Sizes[-1]) . ' tickets, until a list and a POST are answered',
    measured => sprintf('%.2f s', median(@seconds)), max => sprintf('%.2f s', $worst), target => '1 s at most',
    met => $worst <= 1 ? 'yes' : 'no', errors => 0);
$_->{server}->stop for @grown;
my $errors = 0;
$errors += log_errors($_->{server}) for @grown;
row(figure => 'the error logs of growth', measured => 'read', errors => $errors);
