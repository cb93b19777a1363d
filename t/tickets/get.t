# GET and HEAD /api/tickets/:id: the ticket, its entity tag, and the conditions a client may set on it.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Event 'new_uuid';

my $ticket = new_ticket(title => 'Hamlet', price => 20.5);
my $path = "/api/tickets/$ticket->{id}";
my $got = api(GET => $path);
is $got->code, 200, 'shows a ticket to anyone';
is_deeply $got->json, { id => $ticket->{id}, title => 'Hamlet', price => 20.5, userId => 'alice', version => 0 },
    'with these fields and no others';
like $got->content, qr/"price":20\.5[,}]/, 'the price is a JSON number';
like $got->content, qr/"version":0[,}]/, 'the version is a JSON number';
is $got->header('ETag'), '"0"', 'its version is its entity tag';
is $got->header('Content-Type'), 'application/json', 'it is JSON';
is $got->header('Cache-Control'), 'no-cache', 'a cache must ask again';
is $got->header('Vary'), 'Authorization', 'and keep users apart';
is api(GET => $path, user => 'bob')->content, $got->content, 'a user sees the same';
is api(GET => "$path/")->content, $got->content, 'a slash at the end does not matter';
is api(GET => '/api/tickets/' . uc $ticket->{id})->json->{id}, $ticket->{id}, 'the letters of a UUID may be upper case';
is api(GET => "$path?x=1")->code, 200, 'a query does not hide it';

my $head = api(HEAD => $path);
is $head->code, 200, 'HEAD answers';
is $head->content, '', 'without a body';
is $head->header($_), $got->header($_),
    "with the $_ of GET" for qw(ETag Content-Type Content-Length Cache-Control Vary);

my $edited = api(PUT => $path, user => 'alice', json => { title => 'Hamlet', price => 21 });
is $edited->header('ETag'), '"1"', 'an edit has another entity tag';
is api(GET => $path)->header('ETag'), '"1"', 'and so has the ticket then';
is api(HEAD => $path)->header('ETag'), '"1"', 'by HEAD, too';

for my $tag ('"1"', 'W/"1"', '"1-gzip"', 'W/"1-gzip"', '"1-br"', '"0", "1"', '"x" ,W/"1"', '*') {
    my $answer = api(GET => $path, headers => { 'If-None-Match' => $tag });
    is $answer->code, 304, "answers 304 to If-None-Match: $tag";
    is $answer->content, '', '... without a body';
    is $answer->header('ETag'), '"1"', '... with the entity tag';
    is $answer->header('Vary'), 'Authorization', '... and Vary, as a 200 has it';
}
is api(HEAD => $path, headers => { 'If-None-Match' => '"1"' })->code, 304, 'HEAD answers 304 as well';
for my $tag ('"0"', '"11"', '""', '1', '"1', '"1-zip"', '"-gzip"', '"01"', '"2", "3"', 'garbage', '"1.1"') {
    my $answer = api(GET => $path, headers => { 'If-None-Match' => $tag });
    is $answer->code, 200, "answers 200 to If-None-Match: $tag";
}

for my $tag ('"1"', '*', '"0", "1"', '"1-gzip"') {
    is api(GET => $path, headers => { 'If-Match' => $tag })->code, 200, "answers 200 to If-Match: $tag";
}
for my $tag ('"0"', 'W/"1"', 'garbage', '"x", W/"1"') {
    problem_ok api(GET => $path, headers => { 'If-Match' => $tag }), 412, [ { field => undef } ],
        "answers 412 to If-Match: $tag";
}
is api(GET => $path, headers => { 'If-Match' => '"1"', 'If-None-Match' => '"1"' })->code, 304,
    'If-Match that holds leaves the word to If-None-Match';
problem_ok api(GET => $path, headers => { 'If-Match' => '"0"', 'If-None-Match' => '"1"' }), 412, undef,
    'If-Match is judged before If-None-Match';

problem_ok api(GET => '/api/tickets/' . new_uuid()), 404, [ { field => undef, message => qr/no such ticket/ } ],
    'answers 404 to an id that nobody has';
for my $id ('1', '-1', 'no-such', "$ticket->{id}0", substr($ticket->{id}, 1), "{$ticket->{id}}", '%20',
            '%27%20OR%201=1--',
            'x' x 3000, '%c3%28', (join '', split /-/, $ticket->{id})) {
    problem_ok api(GET => "/api/tickets/$id"), 404, [ { field => undef } ],
        'answers 404 to the malformed id ' . substr $id, 0, 50;
}
is api(HEAD => '/api/tickets/' . new_uuid())->code, 404, 'HEAD answers 404 as well';
is api(GET => '/api/tickets/' . new_uuid(), headers => { 'If-None-Match' => '*' })->code, 404,
    'a condition on a ticket that is not there is still a 404';
is api(GET => '/api/tickets/' . new_uuid())->header('Retry-After'), undef, 'and not one to try again';

log_is_clean;
done_testing;
