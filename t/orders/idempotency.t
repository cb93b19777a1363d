# POST /api/orders with an Idempotency-Key: who is not sure whether his order was made sends it again, and has one order.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;
use TestSvc::Truth;

my $run = "$$-" . time;
sub post { my ($key, $ticket, %opt) = @_;
    return api(POST => '/api/orders', user => 'bob', json => { ticketId => $ticket->{id} }, headers => { 'Idempotency-Key' => "$run-$key" }, %opt) }
sub known { my ($ticket, $where) = @_; wait_until { eval { db($where || 'shop')->selectrow_array('SELECT 1 FROM orders_tickets WHERE id = ?', undef, $ticket->{id}) } } 10, 'the ticket is known'; return $ticket }

my $ticket = known(new_ticket());
my $first = post(1, $ticket);
is $first->code, 201, 'an order is made with a key';
is $first->header('Idempotent-Replayed'), undef, 'and that is no replay';
sub again_ok {
    my ($name) = @_;
    my $again = post(1, $ticket);
    is $again->code, 201, "$name is answered with 201";
    is $again->header('Idempotent-Replayed'), 'true', '... as a replay';
    is $again->content, $first->content, '... with the order as it was made';
    is $again->header($_), $first->header($_), "... and its $_" for qw(Location ETag Cache-Control);
}
again_ok('the same again');
problem_ok post(2, $ticket), 409, undef, 'with another key the ticket is reserved';
wait_until { order($first->json->{id})->{status} eq 'awaiting:payment' } 10, 'the reservation';
again_ok('the same once the ticket is reserved');
is api(DELETE => $first->header('Location'), user => 'bob')->code, 204, 'the order is cancelled';
again_ok('the same after a cancellation');
is order($first->json->{id})->{status}, 'cancelled', 'and revives nothing';
my $other = post(2, $ticket);
is $other->code, 201, 'the key of the refused request is free, and can make an order';
isnt $other->json->{id}, $first->json->{id}, 'a new one';
problem_ok post(2, new_ticket()), 422, [ { field => undef, message => qr/another body/ } ], 'another ticket with a used key is a 422';
problem_ok post(3, { id => $first->json->{id} }), 404, undef, 'an unknown ticket is a 404';
problem_ok api(POST => '/api/orders', user => 'bob', json => { ticketId => $ticket->{id} }, headers => { 'Idempotency-Key' => '"' }), 400,
    [ { field => 'Idempotency-Key' } ], 'a bad key is refused';
problem_ok api(POST => '/api/orders', user => 'bob', json => {}, headers => { 'Idempotency-Key' => '"' }), 400,
    [ { field => 'ticketId' } ], 'after a bad body';

# Eight retries of one order at once, many times.
for my $round (1 .. 10) {
    my $wanted = known(new_ticket(title => "Retry $round"));
    my @answers = TestSvc::Clients->start(8, 'shop', sub {
        my ($client) = @_;
        return $client->send(POST => '/api/orders', user => 'carol', json => { ticketId => $wanted->{id} }, headers => { 'Idempotency-Key' => "$run-r$round" });
    })->wait;
    is_deeply [ map { $_->{code} } @answers ], [ (201) x 8 ], "round $round: eight retries of one order all have it";
    is scalar(grep { !$_->{headers}{'idempotent-replayed'} } @answers), 1, '... one of them made it';
    is_deeply db('shop')->selectcol_arrayref('SELECT id FROM orders WHERE ticket_id = ?', undef, $wanted->{id}),
        [ $answers[0]{json}{id} ], '... and there is no other';
}

# A client that hears nothing because httpd is killed sends again, until it is answered: one order.
my $server = TestSvc::Server->new->start;
my @tickets = map { known(new_ticket(vhost => $server, title => "Lot $_"), $server) } 1 .. 30;
my $buyers = TestSvc::Clients->start(3, $server, sub {
    my ($client, $number) = @_;
    my %got;
    for my $n (grep { $_ % 3 == $number } 0 .. $#tickets) {
        my $until = $client->now + 45;
        my $answer;
        do {
            $answer = $client->send(POST => '/api/orders', user => 'user' . (1 + $number), json => { ticketId => $tickets[$n]{id} },
                headers => { 'Idempotency-Key' => "$run-k$n" });
        } while (($answer->{code} == 0 || $answer->{code} >= 500) && $client->now < $until && (\$client->pause(0.02)));
        $got{ $tickets[$n]{id} } = "$answer->{code} " . ($answer->{json}{id} || '');
    }
    return \%got;
}, keep_alive => 0);
for (1 .. 4) {
    my $before = db($server)->selectrow_array('SELECT COUNT(*) FROM orders');
    last unless $buyers->running;
    wait_until { !$buyers->running || db($server)->selectrow_array('SELECT COUNT(*) FROM orders') > $before + 2 } 20, 'some more orders';
    $server->kill9_parent_and_children;
    $server->start;
}
my %got = map { %$_ } $buyers->wait;
is_deeply \%got, { map { $_->[0] => "201 $_->[1]" } @{ db($server)->selectall_arrayref('SELECT ticket_id, id FROM orders') } },
    'after four times kill -9 each buyer has the one order that there is for his ticket';
wait_quiet($server);
truth_ok($server);
$server->stop;
log_is_clean(server => $server, except => [qr/exit signal Killed/]);
wait_quiet('shop');
truth_ok('shop');
log_is_clean;
done_testing;
