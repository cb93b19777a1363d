package TestSvc::Truth;
# What must hold in a database whenever it is quiet: the invariants, by SQL.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use JSON::PP ();
use Test::Builder ();
use TestSvc qw(db wait_until);

our @EXPORT = qw(wait_quiet truth_ok behind);

my $Test = Test::Builder->new;
my $Json = JSON::PP->new->utf8;

# How many events each of the two has not applied yet; both in one database, each following the other.
sub progress {   # of each service the head of its log, and how far the other has applied it
    my ($db) = @_;
    return map {
        my ($from, $to) = @$_;
        $db->selectrow_array("SELECT h.position, COALESCE((SELECT c.position FROM ${to}_cursor c " .
                             "WHERE c.source = h.source), 0) FROM ${from}_head h");
    } ['tickets', 'orders'], ['orders', 'tickets'];
}

sub behind {
    my ($tickets, $by_orders, $orders, $by_tickets) = progress($_[0]);
    return $tickets - $by_orders + $orders - $by_tickets;
}

# Until all that was told is applied. What one service applies may make the other one behind, which was looked at before:
# so that it has to be the same twice.
sub wait_quiet {
    my ($where, $seconds) = @_;
    my $before = '';
    wait_until {
        my $now = eval { my $db = db($where); behind($db) == 0 && join ' ', progress($db) } || '';
        my $same = $now && $now eq $before;
        $before = $now;
        $same;
    } $seconds || 20, 'both services are quiet';
}

sub truth_ok {
    my ($where, $name) = @_;
    my $db = db($where);
    $db->begin_work;    # one state of the database, whatever goes on meanwhile
    my @wrong = (map({ log_is_right($db, $_) } 'tickets', 'orders'), entities_match($db, 'tickets'), entities_match($db, 'orders'),
                 replica_matches($db), one_order_each($db), payments_match($db));
    $db->rollback;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $Test->ok(!@wrong, $name || 'positions and versions are contiguous, the replica equals the source, one order per ticket')
        or $Test->diag(join "\n", @wrong > 20 ? @wrong[0 .. 19] : @wrong);
    return !@wrong;
}

sub log_is_right {
    my ($db, $service) = @_;
    my @wrong;
    my ($count, $first, $last, $ids) = $db->selectrow_array(
        "SELECT COUNT(*), COALESCE(MIN(position), 1), COALESCE(MAX(position), 0), COUNT(DISTINCT event_id) FROM ${service}_log");
    my ($head) = $db->selectrow_array("SELECT position FROM ${service}_head");
    push @wrong, "${service}_log has $count rows from $first to $last" unless $first == 1 && $count == $last;
    push @wrong, "the head of ${service}_log is $head, its last row $last" unless $head == $last;
    push @wrong, "${service}_log has $ids ids in $count rows" unless $ids == $count;
    return @wrong;
}

sub entities_match {   # one event for each version, and the row is the last
    my ($db, $table) = @_;
    my (%versions, %state, @wrong);
    for (@{ $db->selectall_arrayref("SELECT entity_id, event FROM ${table}_log ORDER BY position") }) {
        my ($id, $text) = @$_;
        my $event = $Json->decode($text);
        my $expected = $versions{$id}++ || 0;
        push @wrong, "$table $id: version $event->{data}{version} where $expected comes" unless $event->{data}{version} == $expected;
        $state{$id} = $event->{data};
    }
    for (@{ $db->selectall_arrayref("SELECT id, version FROM $table") }) {
        my ($id, $version) = @$_;
        my $last = delete $versions{$id};
        push @wrong, "$table $id: version $version, but " . ($last || 0) . ' events' unless defined $last && $last == $version + 1;
    }
    push @wrong, map { "$table $_: events without a row" } keys %versions;
    return @wrong;
}

sub replica_matches {
    my ($db) = @_;
    my $columns = 'id, title, cents, user_id, version, order_id';
    my @wrong;
    for (['tickets', 'orders_tickets'], ['orders_tickets', 'tickets']) {
        my ($here, $there) = @$_;
        push @wrong, map { "only in $here: " . join ' ', map { defined $_ ? $_ : 'NULL' } @$_ }
            @{ $db->selectall_arrayref("SELECT $columns FROM $here EXCEPT SELECT $columns FROM $there") };
    }
    return @wrong;
}

sub one_order_each {
    my ($db) = @_;
    return map { "ticket $_->[0] has $_->[1] orders" } @{ $db->selectall_arrayref(
        "SELECT ticket_id, COUNT(*) FROM orders WHERE status <> 'cancelled' GROUP BY ticket_id HAVING COUNT(*) > 1") };
}

sub payments_match {   # each has paid its order, or waits for its ticket, or was told to be refunded, once
    my ($db) = @_;
    my (@wrong, %refunds);
    for (@{ $db->selectall_arrayref("SELECT entity_id, event FROM orders_log WHERE subject = 'order:refund-required'") }) {
        my $data = $Json->decode($_->[1])->{data};
        $refunds{"$_->[0] refunded $data->{paymentId} $data->{reason}"}++;
    }
    for (@{ $db->selectall_arrayref("SELECT p.order_id, p.status, p.payment_id, p.reason, o.status, COALESCE(o.payment_id, '') " .
                                    'FROM orders_payments p LEFT JOIN orders o ON o.id = p.order_id') }) {
        my ($order, $status, $id, $reason, $is, $has) = map { defined $_ ? $_ : 'NULL' } @$_;
        my $told = delete $refunds{"$order refunded $id $reason"} || 0;
        push @wrong, "payment $id is $status, with $told refunds told" unless $told == ($status eq 'refunded');
        push @wrong, "payment $id is $status, its order $order $is by $has"
            unless ($is eq 'complete' && $has eq $id) == ($status eq 'paid') && ($status ne 'recorded' || $has eq $id && $is ne 'cancelled');
    }
    return (@wrong, map { "$_: told without a payment" } sort keys %refunds);
}

1;

__END__

=head1 NAME

TestSvc::Truth - the invariants, by SQL

=head1 SYNOPSIS

    wait_quiet('shop');         # until each service has applied all that the other told
    truth_ok('shop');           # positions, versions, events, replica, one order per ticket, payments

C<'shop'> may be a L<TestSvc::Server>, or two in an array, when each has one service and a file of its own.
C<behind($db)> is the number of events still to be applied.

=cut
