# Pages of GET /api/tickets: the last one beside the first, with each filter, as the list grows to a million tickets.
package Bench::Lists;
use strict;
use warnings FATAL => 'all';
use Bench;
use HTTP::Tiny ();
use Time::HiRes 'time';

my @Sizes = (1_000, 100_000, 1_000_000);
my $Pairs = 300;          # first pages, and as many last ones, by turns
my $Limit = 100;          # tickets on a page
my $Target = 1.5;         # a last page may take so much longer than a first one
my $Search_ms = 400;      # a page that is searched for: 250 ms, and the last window

my ($tickets) = servers(follow => []);
$tickets->write_conf(site => qq{DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\nDBDMax 72\n});
my $Http = HTTP::Tiny->new(timeout => 30);

sub page {   # tickets, path of the next page, milliseconds
    my ($path) = @_;
    my $begin = time;
    my $answer = $Http->get($tickets->url($path));
    my $ms = (time - $begin) * 1000;
    die "$path: $answer->{status} $answer->{content}\n" unless $answer->{status} == 200;
    my ($next) = ($answer->{headers}{link} || '') =~ /^<([^>]+)>/;
    return (scalar(() = $answer->{content} =~ /"id":/g), $next, $ms);
}

# Milliseconds of the answers to two paths that are asked for by turns over one connection, and how many failed.
sub first_and_last {
    my (@paths) = @_;
    my ($requests, $outcomes) = map { work() . "/$_" } qw(requests outcomes);
    open my $out, '>', $requests or die "$requests: $!";
    print $out map { "GET $_\n" } (@paths) x ($Pairs + 20);
    close $out or die "$requests: $!";
    tool('load', $tickets->port, 'alice:secret', 0, 0, 1, $requests, $outcomes);
    open my $in, '<', $outcomes or die "$outcomes: $!";
    my @outcomes = map { [split ' '] } <$in>;
    my $errors = grep { $_->[3] != 200 } @outcomes;
    splice @outcomes, 0, 40;   # the first of them warm the caches
    return ($errors, map { my $which = $_; [map { ($_->[2] - $_->[1]) / 1e6 } @outcomes[grep { $_ % 2 == $which } 0 .. $#outcomes]] }
        0, 1);
}


# What is looked up: the last page beside the first.
sub looked_up {
    my ($size, $query, $condition) = @_;
    my $path = "/api/tickets?limit=$Limit" . ($query ? "&$query" : '');
    my $all = value($tickets, "SELECT COUNT(*) FROM tickets WHERE $condition");
    my $shown = $all < $Limit ? $all : $Limit;
    my $before = value($tickets, "SELECT position FROM tickets WHERE $condition ORDER BY position DESC LIMIT 1 OFFSET $Limit");
    my $last = $path . sprintf '&cursor=p%x', $before;
    my ($count, $next) = page($last);
    my $wrong = ($count != $shown || defined $next ? 1 : 0) + ((page($path))[0] != $shown ? 1 : 0);
    my ($errors, $first_ms, $last_ms) = first_and_last($path, $last);
    my ($first, $measured) = map { median(@$_) } $first_ms, $last_ms;
    row(figure => sprintf('last page of %s tickets%s', thousands($size), $query ? ", $query" : ''), measured => ms($measured),
        reference => 'the first: ' . ms($first), ratio => sprintf('%.2f', $measured / $first), target => "$Target at most",
        met => $measured / $first <= $Target ? 'yes' : 'no', p50 => ms($measured), p99 => ms(quantile(0.99, @$last_ms)),
        max => ms(quantile(1, @$last_ms)), errors => $errors + $wrong,
        note => sprintf '%s tickets in the list, %d on the page', thousands($all), $shown);
}

# What is searched for: all pages, one after the other.
sub searched {
    my ($size, $query, $condition) = @_;
    my $wanted = value($tickets, "SELECT COUNT(*) FROM tickets WHERE $condition");
    my ($path, $found, @ms) = ("/api/tickets?limit=$Limit&$query", 0);
    while (defined $path && @ms < 100) {
        my ($count, $next, $ms) = page($path);
        $found += $count;
        push @ms, $ms;
        $path = $next;
    }
    my $all = 0;
    $all += $_ for @ms;
    my $max = quantile(1, @ms);
    row(figure => sprintf('page of %s tickets, searched for %s', thousands($size), $query), measured => ms($max),
        target => "$Search_ms ms at most", met => $max <= $Search_ms ? 'yes' : 'no', p50 => ms(median(@ms)),
        p99 => ms(quantile(0.99, @ms)), max => ms($max), errors => $found == $wanted ? 0 : 1,
        note => sprintf 'tickets found: %d; pages: %d; all together %.0f ms', $found, scalar @ms, $all);
}

start_all($tickets);
my $there = 0;
for my $size (@Sizes) {
    $tickets->stop;
    fill_tickets($tickets, $there + 1, $size);
    $there = $size;
    $tickets->start;
    my $rare = value($tickets, 'SELECT cents FROM tickets GROUP BY cents HAVING COUNT(*) <= 2000 ORDER BY COUNT(*) DESC, cents');
    my $price = sprintf '%.2f', $rare / 100;
    looked_up($size, '', 'order_id IS NULL');
    looked_up($size, 'reserved=any', '1');
    looked_up($size, 'reserved=true', 'order_id IS NOT NULL');
    looked_up($size, 'userId=seller7', "user_id = 'seller7' AND order_id IS NULL");
    looked_up($size, 'userId=seller10&reserved=any', "user_id = 'seller10'");
    looked_up($size, "minPrice=$price&maxPrice=$price", "cents = $rare AND order_id IS NULL");
    searched($size, 'title=needle', "title = 'A needle' AND order_id IS NULL");
    searched($size, 'title=needle&minPrice=20', "title = 'A needle' AND order_id IS NULL AND cents >= 2000");
}
$tickets->stop;
row(figure => 'the error log of lists', measured => 'read', errors => log_errors($tickets));
