# POST /api/tickets with an Idempotency-Key: sent again it gets the same answer and makes nothing, whatever happened in
# between: an edit, eight at once, a restart, kill -9. A refused request leaves its key free, and a key has its time.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;

my $Body = { title => 'Hamlet', price => 20.5 };
my $Prefix = "$$-" . time;   # keys of this run alone
sub key { return "$Prefix-$_[0]" }
sub post {
    my ($key, %opt) = @_;
    return api(POST => '/api/tickets', user => 'alice', json => $Body, headers => { 'Idempotency-Key' => $key }, %opt);
}
sub count { my ($where, $title) = @_; return db($where)->selectrow_array('SELECT COUNT(*) FROM tickets WHERE title = ?', undef, $title) }
sub same_ok {
    my ($first, $again, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply [ map { defined $_ ? $_ : '' } $again->code, $again->content, map { $again->header($_) } qw(Location ETag Content-Type Cache-Control Idempotent-Replayed) ],
        [ map { defined $_ ? $_ : '' } 201, $first->content, (map { $first->header($_) } qw(Location ETag Content-Type Cache-Control)), 'true' ], $name;
}

my $first = post('"' . key(1) . '"');
is $first->code, 201, 'a ticket is made with a key';
is $first->header('Idempotent-Replayed'), undef, 'and that is no replay';
same_ok $first, post('"' . key(1) . '"'), 'the same request again gets the same answer';
same_ok $first, post(key(1)), 'also with the key without its quotes';
same_ok $first, post(key(1), json => undef, type => 'application/json', content => qq( {"price": 20.50,\n "title": "Hamlet"} )),
    'also when the same JSON is written in another way';
is_deeply [ map { $_->{version} } ticket($first->json->{id}) ], [0], 'and nothing was done to the ticket';
is db('shop')->selectrow_array('SELECT COUNT(*) FROM tickets_log WHERE entity_id = ?', undef, $first->json->{id}), 1,
    'nor told of it';

is api(PUT => '/api/tickets/' . $first->json->{id}, user => 'alice', json => { title => 'Othello', price => 1 })->code, 200,
    'the ticket is edited';
same_ok $first, post(key(1)), 'the answer stays what it was';

problem_ok post(key(1), json => { title => 'Hamlet', price => 21 }), 422, [ { field => undef, message => qr/Idempotency-Key.*another body/ } ],
    'another body with the same key is a 422';
problem_ok post(key(1), json => [$Body]), 422, undef, 'an array is another body';
my $other = post(key(1), user => 'bob', json => { title => 'Hamlet', price => 21 });
is $other->code, 201, 'another user has keys of his own';
is $other->header('Idempotent-Replayed'), undef, 'so nothing is replayed to him';

for ([ '', 'nothing' ], [ '""', 'an empty string' ], [ '"a', 'a string without an end' ], [ 'a b', 'blanks without quotes' ],
     [ '"a", "b"', 'two keys' ], [ "caf\xe9", 'what is not ASCII' ], [ 'k' x 256, '256 characters' ]) {
    my ($key, $what) = @$_;
    problem_ok post($key), 400, [ { field => 'Idempotency-Key', message => qr/1 to 255/ } ], "refuses $what as a key";
}
is post('k' x 200 . key(2))->code, 201, 'a long key is a key';

problem_ok post(key(3), json => { title => '', price => 1 }), 400, undef, 'a bad request is refused';
is post(key(3))->code, 201, 'and leaves its key free';
is post(key(3))->header('Idempotent-Replayed'), 'true', 'until it was used';
problem_ok post(key(1), user => undef), 401, undef, 'a user is needed first';

my $many = [ map { { title => "Row $_", price => $_ } } 1 .. 3 ];
my $all = post(key(4), json => $many);
is $all->code, 201, 'many tickets are made with a key';
same_ok $all, post(key(4), json => $many), 'and once only';
problem_ok post(key(4), json => [ reverse @$many ]), 422, undef, 'in another order it is another body';

my $crowd = "Crowd $Prefix";
my @answers = map { @$_ } TestSvc::Clients->start(8, 'shop', sub {
    my ($client) = @_;
    return [ map { $client->send(POST => '/api/tickets', user => 'alice', json => { title => $crowd, price => 1 },
        headers => { 'Idempotency-Key' => key(5) }) } 1 .. 5 ];
})->wait;
is scalar(grep { $_->{code} == 201 } @answers), 40, 'eight clients send one request five times each';
my %ids = map { $_->{json}{id} => 1 } @answers;
is scalar(keys %ids), 1, 'and all hear of the same ticket';
is count('shop', $crowd), 1, 'which is the only one';

# What was answered is remembered by the database, not by a process.
my $server = TestSvc::Server->new(conf => "TicketsIdempotencyTTL 60\n")->start;
my $made = post(key(1), vhost => $server);
$server->graceful;
same_ok $made, post(key(1), vhost => $server), 'a key survives a graceful restart';
$server->kill9_parent_and_children;
$server->start;
same_ok $made, post(key(1), vhost => $server), 'and kill -9';
is count($server, 'Hamlet'), 1, 'so there is one ticket';
$server->write_conf(conf => "TicketsIdempotencyTTL 1\n");
$server->restart;
wait_until { !defined post(key(1), vhost => $server)->header('Idempotent-Replayed') } 10, 'the end of its time';
cmp_ok count($server, 'Hamlet'), '>=', 2, 'after its time a key can be used anew';
wait_until { !db($server)->selectrow_array('SELECT COUNT(*) FROM tickets_idempotency') } 20, 'the sweep of old keys';
pass 'and then the database forgets it';
$server->stop;
log_is_clean(server => $server, except => [qr/exit signal Killed/]);
log_is_clean;
done_testing;
