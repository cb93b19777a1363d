# What a body must be before anyone looks at its fields: its media type, its size, JSON, one object. The same code
# reads the bodies of POST and PUT, of tickets and orders.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;

my $Good = '{"title":"T","price":1}';

sub create {
    my ($content, %opt) = @_;
    return api(POST => '/api/tickets', user => 'alice', content => $content, type => 'application/json', %opt);
}

sub padded {   # a good body of exactly so many bytes
    my ($size) = @_;
    return '{"title":"T","price":1,"pad":"' . 'x' x ($size - 32) . '"}';
}

is create($Good)->code, 201, 'the body of this suite is good';
is length padded(512), 512, 'and so is its padding';

for my $type ('application/json; charset=utf-8', 'application/json;charset=UTF-8', 'Application/JSON',
              'application/json ; charset="utf-8"',
              'application/json;v=1', 'application/json ') {
    is create($Good, type => $type)->code, 201, "accepts Content-Type: $type";
}
for my $type ('text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x',
              'application/jsonp', 'application/json5',
              'application/problem+json', 'text/json', 'json', 'application/json; charset=iso-8859-1',
              'application/json; charset=utf-16',
              'application/json; charset=utf-80', '*/*') {
    problem_ok create($Good, type => $type), 415, [ { field => undef, message => qr{application/json} } ],
        "refuses Content-Type: $type";
}
my $untyped = HTTP::Request->new(POST => base_url('shop') . '/api/tickets',
    [ Authorization => 'Basic YWxpY2U6c2VjcmV0' ], $Good);
problem_ok exchange($untyped), 415, undef,
    'refuses a body without a Content-Type';
my $ticket = new_ticket;
problem_ok api(PUT => "/api/tickets/$ticket->{id}", user => 'alice', content => $Good, type => 'text/plain'), 415,
    undef, 'PUT does so, too';
problem_ok api(POST => '/api/orders', user => 'bob', content => '{}', type => 'text/plain'), 415, undef,
    'orders do so, too';

# [what, body]
for ([ 'an empty body', '' ], [ 'white space', '  ' ], [ 'a broken object', '{bad' ],
     [ 'an object without its end', '{"title":"T","price":1' ],
     [ 'two objects', "$Good$Good" ], [ 'an object and more', "$Good x" ],
     [ 'single quotes', q({'title':'T','price':1}) ],
     [ 'a comma at the end', '{"title":"T","price":1,}' ], [ 'a comment', '{"title":"T",/* */"price":1}' ],
     [ 'NUL after the object', "$Good\0" ], [ 'NUL in a text', qq({"title":"T\0","price":1}) ],
     [ 'an escaped NUL in a text', '{"title":"T\u0000","price":1}' ],
     [ 'half of a surrogate pair', '{"title":"\ud800","price":1}' ],
     [ 'invalid UTF-8', qq({"title":"T\xff","price":1}) ], [ 'ISO 8859-1', qq({"title":"caf\xe9","price":1}) ],
     [ 'an overlong sequence', qq({"title":"\xc0\xafT","price":1}) ],
     [ 'an encoded surrogate', qq({"title":"\xed\xa0\x80","price":1}) ],
     [ 'invalid UTF-8 in a key nobody knows', qq({"title":"T","price":1,"x":"\xff"}) ],
     [ 'a line break in a text', qq({"title":"a\nb","price":1}) ],
     [ 'UTF-16', join '', map { "\0$_" } split //, $Good ],
     [ 'a title twice', '{"title":"T","title":"U","price":1}' ],
     [ 'a price twice', '{"title":"T","price":1,"price":1}' ],
     [ 'a key twice that nobody knows', '{"title":"T","price":1,"x":1,"x":2}' ],
     [ 'a key twice inside', '{"title":"T","price":1,"x":{"y":1,"y":2}}' ],
     [ 'a key that is written in two ways', '{"title":"T","\u0074itle":"U","price":1}' ],
     [ 'no end of brackets', '[' x 30000 ],
     [ 'form data', 'title=T&price=1' ]) {
    my ($what, $body) = @$_;
    problem_ok create($body), 400, [ { field => undef, message => qr/JSON/ } ], "refuses $what";
}
for my $body ('"text"', '1', 'null', 'true') {
    problem_ok create($body), 400, [ { field => undef, message => qr/object/ } ], "refuses $body, which is no object";
}
is create("\t\n $Good \r\n")->code, 201, 'white space around the object is fine';
is create('{"title":"\u0048\u00e4mlet \ud83c\udfad","price":1}')->json->{title}, "H\x{e4}mlet \x{1f3ad}",
    'escapes are read';

# Sizes. A chunked body is given piece by piece.
sub chunked { my @pieces = unpack '(a100)*', $_[0]; return sub { return @pieces ? shift @pieces : '' } }
sub post_chunked {
    my ($body, $vhost) = @_;
    my $request = HTTP::Request->new(POST => base_url($vhost) . '/api/tickets',
        [ Authorization => 'Basic YWxpY2U6c2VjcmV0', 'Content-Type' => 'application/json' ], chunked($body));
    return exchange($request);
}
for ([ small => 512 ], [ shop => 65536 ]) {
    my ($vhost, $limit) = @$_;
    is create(padded($limit), vhost => $vhost)->code, 201, "accepts $limit bytes on $vhost";
    problem_ok create(padded($limit + 1), vhost => $vhost), 413,
        [ { field => undef, message => qr/\b$limit bytes\b/ } ],
        'refuses one more with 413 and names the limit';
    is post_chunked(padded($limit), $vhost)->code, 201, "accepts $limit bytes in chunks";
    problem_ok post_chunked(padded($limit + 1), $vhost), 413, [ { message => qr/\b$limit bytes\b/ } ],
        'refuses one more in chunks';
}
problem_ok create('x' x 400000, vhost => 'small'), 413, undef, 'refuses a body far too large';
problem_ok create('{bad' x 200, vhost => 'small'), 413, undef, 'does so before it looks into it';
problem_ok create('x' x 600, vhost => 'small', type => 'text/plain'), 415, undef, 'and after the media type';
problem_ok api(POST => '/api/orders', vhost => 'small', user => 'bob', type => 'application/json',
    content => padded(513)), 413, undef,
    'OrdersMaxBody does the same for orders';
problem_ok api(POST => '/api/orders', vhost => 'small', user => 'bob', type => 'application/json',
    content => padded(512)), 400,
    [ { field => 'ticketId' } ], 'up to its limit a body is looked at';

log_is_clean;
done_testing;
