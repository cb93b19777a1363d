# What the two services tell one another: an order reserves its ticket, waits for the payment, and its cancellation
# frees the ticket. What a client sees of it at each step; and the price that was agreed.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Truth;

sub is_listed {   # somewhere in the list of tickets
    my ($id) = @_;
    my $query = '?limit=1000';
    while (defined $query) {
        my $answer = api(GET => "/api/tickets$query");
        die $answer->as_string unless $answer->code == 200;
        return 1 if grep { $_->{id} eq $id } @{ $answer->json };
        ($query) = ($answer->header('Link') || '') =~ m{^</api/tickets(\?[^>]*)>};
    }
    return 0;
}

sub order_ids { return [ map { $_->{id} } @{ api(GET => '/api/orders?limit=1000', user => $_[0])->json } ] }

my $ticket = new_ticket(title => 'Hamlet', price => 20);
my $id = $ticket->{id};
ok is_listed($id), 'a new ticket is in the list';

my $order = new_order(ticket => $ticket);
is $order->{status}, 'created', 'an order begins as created';
wait_until { order($order->{id})->{status} ne 'created' } 10, 'the order moves on';
my $now = order($order->{id});
is $now->{status}, 'awaiting:payment', 'then it waits for the payment';
is $now->{version}, 1, 'which is a change of the order';
is $now->{expiresAt}, $order->{expiresAt}, 'and gives no more time';
ok !exists $now->{cancelReason}, 'nothing is cancelled';
my $reserved = ticket($id);
is_deeply $reserved, { %$ticket, version => 1, orderId => $order->{id} },
    'the ticket shows for whom it is reserved, at the next version';
ok !is_listed($id), 'and is not in the list any more';
problem_ok api(PUT => "/api/tickets/$id", user => 'alice', json => { title => 'X', price => 1 }), 409, undef,
    'its seller cannot change it';
ok((grep { $_ eq $order->{id} } @{ order_ids('bob') }), 'the order is in the list of its owner');

is api(DELETE => "/api/orders/$order->{id}", user => 'bob')->code, 204, 'the order is cancelled';
ok !(grep { $_ eq $order->{id} } @{ order_ids('bob') }), 'and at once not in the list any more';
wait_until { ticket($id)->{version} == 2 } 10, 'the ticket is released';
is_deeply ticket($id), { %$ticket, version => 2 }, 'the ticket is as before, two versions later, without orderId';
ok is_listed($id), 'and in the list again';

# The price agreed at POST stays; title and version are the ticket's of now.
is api(PUT => "/api/tickets/$id", user => 'alice', json => { title => 'Macbeth', price => 99.95 })->code, 200,
    'the seller changes title and price';
wait_until { order($order->{id})->{ticket}{version} == 3 } 10, 'orders hears of it';
is_deeply order($order->{id})->{ticket}, { id => $id, title => 'Macbeth', price => 20, version => 3 },
    'an old order shows the price that was agreed, and the title and version of now';
my $second = new_order(ticket => $ticket, user => 'carol');
is $second->{ticket}{price}, 99.95, 'a new order is at the new price';
is $second->{ticket}{version}, 3, 'of the version that has it';
wait_until { order($second->{id}, user => 'carol')->{status} eq 'awaiting:payment' } 10, 'it is reserved';
is order($order->{id})->{ticket}{price}, 20, 'the old order still shows its own';
is order($order->{id})->{status}, 'cancelled', 'and stays cancelled';

# An edit right before the order: whichever price the order was made at stays.
my $moving = new_ticket(price => 1);
for my $n (1 .. 5) {
    api(PUT => "/api/tickets/$moving->{id}", user => 'alice', json => { title => "At $n", price => $n });
    my $order = new_order(ticket => $moving);
    is $order->{ticket}{price}, $1, "order $n is at the price of the title it shows"
        if $order->{ticket}{title} =~ /^At (\d+)/;
    wait_until { order($order->{id})->{status} ne 'created' } 10, 'the order moves on';
    is order($order->{id})->{ticket}{price}, $order->{ticket}{price}, "order $n keeps its price";
    api(DELETE => "/api/orders/$order->{id}", user => 'bob');
    wait_until { !exists ticket($moving->{id})->{orderId} } 10, 'the ticket is free';
}

wait_quiet('shop');
truth_ok('shop');
log_is_clean;
done_testing;
