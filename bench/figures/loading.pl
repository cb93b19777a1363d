# The real prices put up for sale by one client: in arrays, beside one POST for each ticket, by turns.
package Bench::Loading;
use strict;
use warnings FATAL => 'all';
use Bench;
use IO::Socket::INET ();
use JSON::PP ();
use MIME::Base64 'encode_base64';
use Time::HiRes 'time';

my $Rounds = 5;
my $Array = 1000;   # tickets in one array, the most that is allowed

my ($tickets) = servers(follow => []);
$tickets->start;
my $json = JSON::PP->new->utf8;
my $authorization = encode_base64('alice:secret', '');

# One connection, and each request in one write: in two, as HTTP::Tiny sends head and body, each would wait 40 ms for an
# acknowledgement.
my $connection = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $tickets->port) or die "connect: $@";
sub request {   # the status
    my ($content) = @_;
    print $connection "POST /api/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n",
        "Authorization: Basic $authorization\r\nContent-Length: ", length $content, "\r\n\r\n", $content;
    $connection->flush;
    my $head = do { local $/ = "\r\n\r\n"; <$connection> };
    my ($status, $length) = $head =~ m{^HTTP/1\.1 (\d+).*^Content-Length: (\d+)}ms or die "no answer\n";
    read($connection, my $body, $length) == $length or die "the answer broke off\n";
    return $status;
}

open my $csv, '<:encoding(UTF-8)', prices() or die prices() . ": $!";
my (undef, @prices) = map { s/\r?\n\z//; my (undef, $show, $price) = split /,/; { title => $show, price => $price } } <$csv>;

my ($errors, $posted) = (0, 0);
sub post {   # milliseconds
    my ($body, $count) = @_;
    my $content = $json->encode($body);
    my $begin = time;
    my $status = request($content);
    my $ms = (time - $begin) * 1000;
    $errors++ unless $status == 201;
    $posted += $count;
    return $ms;
}

sub in_arrays {
    my @rest = @prices;
    my @ms;
    while (my @part = splice @rest, 0, $Array) { push @ms, post(\@part, scalar @part) }
    return @ms;
}

# Half of them will do: a ticket costs the same from the first to the last.
sub one_by_one { return map { post($_, 1) } @prices[0 .. $#prices / 2] }

sub sum { my $sum = 0; $sum += $_ for @_; return $sum }
my (@array_rates, @single_rates, @array_ms);
for (1 .. $Rounds) {
    my @ms = in_arrays();
    push @array_rates, @prices / sum(@ms) * 1000;
    push @array_ms, @ms;
    my @single = one_by_one();
    push @single_rates, @single / sum(@single) * 1000;
}
my $there = value($tickets, 'SELECT COUNT(*) FROM tickets');
my $told = value($tickets, 'SELECT COUNT(*) FROM tickets_log');
my ($rate, $single) = (median(@array_rates), median(@single_rates));
row(figure => sprintf('loading %d weekly prices in arrays of up to %d, one client', scalar @prices, $Array),
    measured => sprintf('%.0f tickets/s', $rate), reference => sprintf('one POST each: %.0f tickets/s', $single),
    ratio => sprintf('%.1f', $rate / $single), p50 => sprintf('%.1f ms', median(@array_ms)), p99 => sprintf('%.1f ms', quantile(0.99, @array_ms)),
    max => sprintf('%.1f ms', quantile(1, @array_ms)), errors => $errors + abs($there - $posted) + abs($told - $posted) + log_errors($tickets),
    note => sprintf '%.0f to %.0f tickets/s in %d rounds; %d tickets and events are there', (sort { $a <=> $b } @array_rates)[0, -1], $Rounds, $there);
$tickets->stop;
