package TestSvc::Deploy;
# What the suites of t/deploy say about a deployment: that its services dance with one another, wherever they are; and
# what docs/deployment.md tells an operator to run.
use strict;
use warnings FATAL => 'all';
use Cwd 'abs_path';
use Exporter 'import';
use Test::More;
use TestSvc;

our @EXPORT = qw(dances known is_reserved ends_clean documented);

(my $Manual = abs_path(__FILE__)) =~ s{/t/lib/TestSvc/Deploy\.pm$}{/docs/deployment.md};

sub known {   # to the orders service ORDERS
    my ($orders, $ticket) = @_;
    wait_until { db($orders)->selectrow_array('SELECT 1 FROM orders_tickets WHERE id = ?', undef, $ticket->{id}) } 10, 'the ticket to be known';
}

sub is_reserved {
    my ($orders, $order, $name) = @_;
    ok((eval { wait_until { order($order->{id}, vhost => $orders)->{status} eq 'awaiting:payment' } 20, 'the reservation' } || diag $@), $name);
}

sub dances {   # sold at TICKETS, ordered at ORDERS
    my ($tickets, $orders, $name) = @_;
    subtest $name => sub {
        my $ticket = eval { new_ticket(vhost => $tickets, title => $name) } or return fail "a ticket is sold: $@";
        my $order = eval { new_order(vhost => $orders, ticket => $ticket) } or return fail "it is ordered: $@";
        is_reserved($orders, $order, 'its order gets it');
        is ticket($ticket->{id}, vhost => $tickets)->{orderId}, $order->{id}, '... and it is reserved';
        is api(DELETE => "/api/orders/$order->{id}", vhost => $orders, user => 'bob')->code, 204, 'the order is cancelled';
        ok((eval { wait_until { !defined ticket($ticket->{id}, vhost => $tickets)->{orderId} } 10, 'the release' } || diag $@), '... and the ticket is free');
        my $again = new_order(vhost => $orders, ticket => $ticket, user => 'carol');
        wait_until { order($again->{id}, vhost => $orders, user => 'carol')->{status} eq 'awaiting:payment' } 10, 'the second reservation';
        is ticket($ticket->{id}, vhost => $tickets)->{orderId}, $again->{id}, 'somebody else gets it';
    };
}

sub ends_clean {
    my (@servers) = @_;
    $_->stop for @servers;
    log_is_clean(server => $_) for @servers;
}

# The blocks of code in LANGUAGE below the heading HEADING of docs/deployment.md.
sub documented {
    my ($heading, $language) = @_;
    open my $in, '<', $Manual or die "$Manual: $!";
    my $text = do { local $/; <$in> };
    my ($section) = $text =~ /^(?=#+ \Q$heading\E$)(.*?)(?=^#+ (?!\Q$heading\E$)|\z)/ms
        or die "docs/deployment.md has no '$heading'\n";
    my @blocks = $section =~ /^```\Q$language\E\n(.*?)^```$/msg or die "'$heading' has no $language\n";
    return @blocks;
}

1;

__END__

=head1 NAME

TestSvc::Deploy - what the suites of t/deploy say about a deployment

=head1 FUNCTIONS

=over

=item dances($tickets, $orders, $name)

Sells a ticket at the one server and orders it at the other (which may be the same): it is reserved, its order is cancelled,
and somebody else gets it.

=item is_reserved($orders, $order, $name), known($orders, $ticket)

Asserts that bob's order gets its ticket; waits until the orders service knows the ticket.

=item ends_clean(@servers)

Stops them; asserts that nothing unexpected is in their error logs.

=item documented($heading, $language)

The blocks of code in LANGUAGE (C<sql>, C<sh>) that docs/deployment.md has below this heading.

=back

=cut
