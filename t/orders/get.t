# GET /api/orders/:id: for its owner only, with an entity tag that changes when the order or its ticket does.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Event 'new_uuid';

sub get { my ($id, %opt) = @_; return api(GET => "/api/orders/$id", user => 'bob', %opt) }

my $ticket = new_ticket(title => 'Hamlet', price => 20.5);
my $made = new_order(ticket => $ticket);
my $id = $made->{id};
wait_until { order($id)->{status} eq 'awaiting:payment' } 10, 'the ticket is reserved';

my $got = get($id);
is $got->code, 200, 'the owner sees the order';
is_deeply $got->json, { id => $id, userId => 'bob', status => 'awaiting:payment', version => 1,
    expiresAt => $made->{expiresAt},
                        ticketId => $ticket->{id},
                            ticket => { id => $ticket->{id}, title => 'Hamlet', price => 20.5, version => 1 } },
    'with these fields and no others, the ticket embedded';
is $got->header('ETag'), '"1"', 'its entity tag is its version';
is $got->header('Content-Type'), 'application/json', 'it is JSON';
is $got->header('Cache-Control'), 'no-store', 'nobody may keep it';
is $got->header('Vary'), 'Authorization', 'Vary as for all orders';
is get("$id/")->content, $got->content, 'a slash at the end does not matter';
is get(uc $id)->content, $got->content, 'the letters of a UUID may be upper case';

my $head = api(HEAD => "/api/orders/$id", user => 'bob');
is $head->code, 200, 'HEAD answers';
is $head->content, '', 'without a body';
is $head->header($_), $got->header($_),
    "with the $_ of GET" for qw(ETag Content-Type Content-Length Cache-Control Vary);

for my $tag ('"1"', 'W/"1"', '"1-gzip"', '"0", "1"', '*') {
    my $answer = get($id, headers => { 'If-None-Match' => $tag });
    is $answer->code, 304, "answers 304 to If-None-Match: $tag";
    is $answer->content, '', '... without a body';
    is $answer->header('ETag'), '"1"', '... with the entity tag';
    is $answer->header('Cache-Control'), 'no-store', '... and Cache-Control';
}
is get($id, headers => { 'If-None-Match' => $_ })->code, 200, "answers 200 to If-None-Match: $_" for '"0"', '"1.1"',
    '"11"', '1';
problem_ok get($id, headers => { 'If-Match' => $_ }), 412, undef, "answers 412 to If-Match: $_" for '"0"', 'W/"1"';
is get($id, headers => { 'If-Match' => '"1"' })->code, 200, 'answers 200 to If-Match with its tag';

problem_ok get($id, user => undef), 401, undef, 'nobody gets a 401';
problem_ok get($id, user => 'carol'), 403, [ { field => undef, message => qr/another user/ } ],
    'another user gets a 403';
unlike get($id, user => 'carol')->content, qr/Hamlet|bob|\Q$id/, 'which tells nothing of it';
problem_ok get($id, user => 'alice'), 403, undef, 'even the seller';
problem_ok get($id, user => 'carol', headers => { 'If-None-Match' => '"1"' }), 403, undef,
    'also where a 304 would tell that it is there';
is get($id, user => 'carol', headers => { 'If-Match' => '"0"' })->code, 403, '403 comes before 412';
problem_ok get(new_uuid()), 404, [ { field => undef, message => qr/no such order/ } ], 'an id that nobody has is a 404';
problem_ok get($_), 404, undef, 'so is the malformed id ' . substr $_, 0, 40 for '1', '-1', 'no-such', "${id}0",
    '%27%20OR%201=1--', 'x' x 3000;
problem_ok get($ticket->{id}), 404, undef, 'and the id of a ticket';

# The embedded ticket changes after the order did: so does the entity tag.
is api(DELETE => "/api/orders/$id", user => 'bob')->code, 204, 'the order is cancelled';
wait_until { get($id)->json->{ticket}{version} == 2 } 10, 'the replica has the release';
is get($id)->header('ETag'), '"2.2"', 'the tag names the version of the ticket, which changed after the order';
is api(PUT => "/api/tickets/$ticket->{id}", user => 'alice', json => { title => 'Macbeth', price => 30 })->code, 200,
    'the ticket is edited';
wait_until { get($id)->json->{ticket}{version} == 3 } 10, 'the replica has the edit';
my $after = get($id);
is $after->header('ETag'), '"2.3"', 'and again, though the order is at the same version';
is $after->json->{ticket}{title}, 'Macbeth', 'for what is shown is another';
is get($id, headers => { 'If-None-Match' => '"2.2"' })->code, 200, 'the tag before does not match any more';
is get($id, headers => { 'If-None-Match' => '"2.3"' })->code, 304, 'the one now does';
is get($id, headers => { 'If-None-Match' => '"2"' })->code, 200, 'the version alone is no tag of it';

log_is_clean;
done_testing;
