# POST /api/orders beside POST /api/tickets, while either service follows the other; and how long the backlog takes.
package Bench::Orders;
use strict;
use warnings FATAL => 'all';
use Bench;
use Time::HiRes 'time';

my ($Rounds, $Seconds, $Clients) = (5, 1.5, 64);
my $Backlog = 5;   # seconds from the last answer until both have applied everything

sub position { my ($server, $table, $source) = @_; return value($server, "SELECT position FROM $table" . ($source ? " WHERE source = '$source'" : '')) }

# Until neither has anything of the other to apply; seconds.
sub settle {
    my ($tickets, $orders) = @_;
    my $begin = time;
    my %source = (tickets => value($tickets, 'SELECT source FROM tickets_head'), orders => value($orders, 'SELECT source FROM orders_head'));
    wait_for(sub {
        my @heads = (position($tickets, 'tickets_head'), position($orders, 'orders_head'));
        return position($orders, 'orders_cursor', $source{tickets}) == $heads[0]
            && position($tickets, 'tickets_cursor', $source{orders}) == $heads[1]
            && position($tickets, 'tickets_head') == $heads[0];
    }, 60, 'the followers');
    return time - $begin;
}

sub measure {
    my ($name, %opt) = @_;
    my ($tickets, $orders) = servers(%opt);
    start_all($tickets, $orders);
    my $used = 0;
    my @backlogs;
    my $sell = sub {
        my $result = hit($tickets, sell(2000), clients => $Clients, seconds => $Seconds);
        settle($tickets, $orders);
        return $result;
    };
    my $buy = sub {   # what was put up for sale before, each once
        my @ids = map { $_->[0] } query($tickets, "SELECT id FROM tickets WHERE position > $used AND order_id IS NULL ORDER BY position");
        my $result = hit($orders, [map { qq(POST /api/orders {"ticketId": "$_"}) } @ids], clients => $Clients, user => 'bob:secret');
        push @backlogs, settle($tickets, $orders);
        return $result;
    };
    by_turns(1, tickets => $sell, orders => $buy);   # warm
    @backlogs = ();
    my $results = by_turns($Rounds, tickets => $sell, orders => $buy);
    my $waiting = value($orders, "SELECT COUNT(*) FROM orders WHERE status <> 'awaiting:payment'");
    my $wrong = $waiting + differences($tickets, $orders);
    $_->stop for $tickets, $orders;
    compare($results->{orders}, $results->{tickets}, figure => "POST /api/orders, $name, $Clients clients", target => 0.8,
            reference => 'POST /api/tickets, both followed');
    my $longest = quantile(1, @backlogs);
    row(figure => "the backlog after the last POST /api/orders, $name", measured => sprintf('%.2f s', median(@backlogs)),
        target => "$Backlog s at most", met => $longest <= $Backlog ? 'yes' : 'no', max => sprintf('%.2f s', $longest),
        errors => $wrong + log_errors($tickets) + log_errors($orders));
}

measure('SQLite');
{
    my $engine = postgres();
    measure('PostgreSQL', engine => $engine);
    $engine->stop;
}
1;
