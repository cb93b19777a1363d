# PUT /api/tickets/:id: by the seller only, a version at a time, under the conditions the client sets, and never
# while the ticket is reserved.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Event 'new_uuid';

my $db = db('shop');

sub put {
    my ($id, %opt) = @_;
    return api(PUT => "/api/tickets/$id", user => 'alice', json => { title => 'New', price => 30 }, %opt);
}

sub events_of {
    my ($id) = @_;
    return map { JSON::PP->new->utf8->decode($_->[0]) }
        @{ $db->selectall_arrayref('SELECT event FROM tickets_log WHERE entity_id = ? ORDER BY position', undef, $id) };
}

my $ticket = new_ticket(title => 'Old', price => 20);
my $id = $ticket->{id};
my $answer = put($id, json => { title => ' New ', price => '777.77', userId => 'bob', version => 9,
    orderId => new_uuid() });
is $answer->code, 200, 'the seller changes a ticket';
my $edited = { id => $id, title => 'New', price => 777.77, userId => 'alice', version => 1 };
is_deeply $answer->json, $edited, 'title and price are new, the version one more, all else as it was';
is $answer->header('ETag'), '"1"', 'ETag is the new version';
is $answer->header('Location'), undef, 'Location is for what is made';
is $answer->header('Cache-Control'), 'no-cache', 'Cache-Control as for all tickets';
is $answer->header('Vary'), 'Authorization', 'Vary as for all tickets';
is_deeply ticket($id), $edited, 'GET shows it';
is put($id, json => { title => "V$_", price => $_ })->json->{version}, $_, "the next change is version $_" for 2 .. 5;
is api(PUT => "/api/tickets/$id/", user => 'alice', json => { title => 'V6', price => 6 })->json->{version}, 6,
    'a slash at the end does not matter';
my @events = events_of($id);
is_deeply [ map { $_->{data}{version} } @events ], [ 0 .. 6 ], 'each version has its one event';
is_deeply [ map { $_->{type} } @events ], [ 'ticket:created', ('ticket:updated') x 6 ],
    'all but the first are ticket:updated';
is_deeply $events[1]{data}, $edited, 'which tells the ticket as it was answered';

# Refusals; none of them changes anything.
for ([ {}, 'title', 'price' ], [ { title => 'T' }, 'price' ], [ { price => 1 }, 'title' ],
     [ { title => '', price => 0 }, 'title', 'price' ]) {
    my ($json, @fields) = @$_;
    problem_ok put($id, json => $json), 400, [ map { { field => $_ } } @fields ], "refuses a change with bad @fields";
}
problem_ok put($id, user => undef), 401, undef, 'refuses a change by nobody';
problem_ok put($id, user => 'bob'), 403, [ { field => undef, message => qr/seller/ } ],
    'refuses a change by another user';
problem_ok put(new_uuid()), 404, [ { message => qr/no such ticket/ } ], 'answers 404 to an id that nobody has';
problem_ok put('no-such'), 404, undef, 'answers 404 to a malformed id';
is_deeply ticket($id), { %$edited, title => 'V6', price => 6, version => 6 }, 'a refused change changes nothing';
is scalar(events_of($id)), 7, 'and tells nothing';

# Conditions: version 6 now.
for ([ '"5"' ], [ 'W/"6"' ], [ '"66"' ], [ '"x", "5"' ], [ 'garbage' ], [ '"6.1"' ]) {
    problem_ok put($id, headers => { 'If-Match' => $_->[0] }), 412, [ { field => undef, message => qr/version 6\b/ } ],
        "refuses a change under If-Match: $_->[0]";
}
problem_ok put($id, headers => { 'If-None-Match' => $_ }), 412, undef,
    "refuses a change under If-None-Match: $_" for '*', '"6"', 'W/"6"';
my $version = 6;
for my $tag ('"%d"', '*', '"x", "%d"', '"%d-gzip"', 'W/"1","%d"') {
    my $condition = sprintf $tag =~ /%/ ? $tag : "$tag%s", $tag =~ /%/ ? $version : '';
    my $answer = put($id, headers => { 'If-Match' => $condition });
    is $answer->code, 200, "changes it under If-Match: $condition" or diag $answer->as_string;
    is $answer->header('ETag'), '"' . ++$version . '"', '... to the next version';
}
is put($id, headers => { 'If-None-Match' => '"0"' })->code, 200, 'If-None-Match with an old version holds';

# Reserved: ordered by bob, so nobody edits it until it is free again.
my $order = new_order(ticket => $ticket);
wait_until { exists ticket($id)->{orderId} } 10, 'the ticket is reserved';
my $reserved = ticket($id);
is $reserved->{orderId}, $order->{id}, 'the ticket is reserved for the order';
is $reserved->{version}, ++$version + 1, 'which is a change of its own';
my $count = events_of($id);
problem_ok put($id), 409, [ { field => undef, message => qr/reserved/ } ], 'refuses a change of a reserved ticket';
problem_ok put($id, headers => { 'If-Match' => "\"$reserved->{version}\"" }), 409, undef,
    'also under the right If-Match';
is_deeply ticket($id), $reserved, 'it stays as it was';
is scalar(events_of($id)), $count, 'nothing is told';

# Which refusal comes first: the reserved ticket, another user, a stale condition, a bad body, all at once.
my %stale = (headers => { 'If-Match' => '"0"' });
problem_ok put($id, %stale), 412, undef, '412 comes before 409';
problem_ok put($id, %stale, user => 'bob'), 403, undef, '403 comes before 412';
problem_ok put($id, user => 'bob'), 403, undef, '403 comes before 409';
problem_ok put(new_uuid(), %stale, user => 'bob'), 404, undef, '404 comes before 412';
problem_ok put(new_uuid(), json => {}), 400, undef, '400 comes before 404';
problem_ok put($id, %stale, user => 'bob', json => {}), 400, undef, '400 comes before 403';
problem_ok put($id, user => 'bob', json => {}, type => 'text/plain'), 415, undef, '415 comes before 400';
problem_ok put($id, user => undef, json => {}, type => 'text/plain'), 401, undef, '401 comes before 415';
problem_ok api(PUT => '/api/tickets/a/b', user => 'alice', type => 'text/plain', content => ''), 404, undef,
    'no such path comes before 415';
problem_ok api(PUT => '/api/tickets', user => 'alice', type => 'text/plain', content => ''), 405, undef,
    '405 comes before 415';

is api(DELETE => "/api/orders/$order->{id}", user => 'bob')->code, 204, 'the order is cancelled';
wait_until { !exists ticket($id)->{orderId} } 10, 'the ticket is free';
is put($id)->code, 200, 'a ticket that is free again can be changed';

log_is_clean;
done_testing;
