# Eight buyers want each ticket at the same moment: one gets it, seven hear that it is reserved. Some of those who got
# one give it back, and the others try again. In the end every invariant holds in the database.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Truth;

my ($Buyers, $Rounds) = (8, 20);
my $db = db('shop');
my @tickets = map { new_ticket(title => "Race $_") } 1 .. $Rounds;
wait_quiet('shop');   # so that the tickets are known to orders

# A round begins when the last buyer is ready: then the suite closes that round's pipe, and all wake up at once.
my @gates = map { pipe my $in, my $out or die "pipe: $!"; [ $in, $out ] } 1 .. $Rounds;
pipe my $ready_in, my $ready_out or die "pipe: $!";
my $clients = TestSvc::Clients->start($Buyers, 'shop', sub {
    my ($client, $number) = @_;
    close $_->[1] for @gates;
    my @answers;
    for my $n (0 .. $Rounds - 1) {
        syswrite $ready_out, '.';
        sysread $gates[$n][0], my $nothing, 1;
        my $answer = $client->send(POST => '/api/orders', user => 'user' . (1 + $number),
            json => { ticketId => $tickets[$n]{id} });
        push @answers, { code => $answer->{code}, id => $answer->{json}{id} };
    }
    return \@answers;
}, keep_alive => 0);
close $ready_out;
for my $gate (@gates) {
    my $ready = 0;
    $ready += sysread($ready_in, my $dots, $Buyers - $ready) || die 'a buyer is gone' while $ready < $Buyers;
    close $gate->[1];
}
my @answers = $clients->wait;

my %winner;
for my $n (0 .. $Rounds - 1) {
    my @round = map { $_->[$n] } @answers;
    is_deeply [ sort map { $_->{code} } @round ], [ 201, (409) x ($Buyers - 1) ],
        "ticket $n: one buyer gets it, the others a 409";
    my ($winner) = grep { $round[$_]{code} == 201 } 0 .. $#round;
    $winner{$n} = { user => 'user' . (1 + $winner), id => $round[$winner]{id} };
    is_deeply $db->selectcol_arrayref('SELECT id FROM orders WHERE ticket_id = ?', undef, $tickets[$n]{id}),
        [ $winner{$n}{id} ],
        '... and there is no other order for it';
}
wait_quiet('shop');
for my $n (0 .. $Rounds - 1) {
    is ticket($tickets[$n]{id})->{orderId}, $winner{$n}{id}, "ticket $n is reserved for the one who got it";
    is order($winner{$n}{id}, user => $winner{$n}{user})->{status}, 'awaiting:payment', '... who is asked to pay';
}
truth_ok('shop', 'after the race every invariant holds');

# Order and cancel, all against all, on three tickets.
my @few = map { new_ticket(title => "Hot $_") } 1 .. 3;
wait_quiet('shop');
my @tries = map { @$_ } TestSvc::Clients->start($Buyers, 'shop', sub {
    my ($client, $number) = @_;
    my $user = 'user' . (9 + $number);
    my @codes;
    for my $n (1 .. 30) {
        my $answer = $client->send(POST => '/api/orders', user => $user,
            json => { ticketId => $few[ ($n + $number) % @few ]{id} });
        push @codes, "POST $answer->{code}";
        next if $answer->{code} != 201;
        push @codes, 'DELETE ' . $client->send(DELETE => "/api/orders/$answer->{json}{id}", user => $user)->{code};
    }
    return \@codes;
}, keep_alive => 0)->wait;
my %count;
$count{$_}++ for @tries;
is_deeply [ sort keys %count ], [ 'DELETE 204', 'POST 201', 'POST 409' ],
    'buyers who give back hear of nothing else' or diag explain \%count;
is $count{'DELETE 204'}, $count{'POST 201'}, 'each that was got was given back';
wait_quiet('shop');
ok !exists ticket($_->{id})->{orderId}, 'the ticket is free in the end' for @few;
is_deeply $db->selectcol_arrayref(q(SELECT DISTINCT cancel_reason FROM orders WHERE ticket_id IN (?, ?, ?)), undef,
    map { $_->{id} } @few), ['user'],
    'and no order was cancelled but by its user';
truth_ok('shop', 'and every invariant holds');

log_is_clean;
done_testing;
