# What httpd itself refuses under the API is a problem as well: authentication, Require, LimitRequestBody, requests
# that cannot be read. And a server without authentication says so.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use HTTP::Response ();
use IO::Socket::INET ();
use TestSvc;

sub raw {   # sends text as it is, and reads one answer
    my ($vhost, $text) = @_;
    my ($address) = base_url($vhost) =~ m{^http://(.*)};
    my $socket = IO::Socket::INET->new(PeerAddr => $address, Timeout => 5) or die "connect: $!";
    print $socket $text;
    shutdown $socket, 1;
    my $answer = do { local $/; <$socket> };
    return bless HTTP::Response->parse(defined $answer ? $answer : ''), 'TestSvc::Response';
}

my $Basic = "Authorization: Basic YWxpY2U6c2VjcmV0\r\n";   # alice:secret
my $Close = "Host: x\r\nConnection: close\r\n";
my $Json = "Content-Type: application/json\r\n";
my $Good = '{"title":"T","price":1}';

problem_ok raw(shop => "GET /api/tickets?limit=\xff&\xfe=1 HTTP/1.1\r\n$Close\r\n"), 400,
    [ { field => "limit" }, { field => "%fe" } ], "bytes of a query that are not UTF-8 are refused, and named all the same";

# 401: nobody, a wrong password, a user nobody knows, a header that is none.
for my $path ('/api/tickets', '/api/orders') {
    my $realm = qr/^Basic realm="shop"/;
    for ([ 'nobody' ], [ 'a wrong password', user => 'alice', password => 'x' ],
         [ 'an unknown user', user => 'mallory' ],
         [ 'a bearer token', headers => { Authorization => 'Bearer x' } ],
         [ 'a broken header', headers => { Authorization => 'Basic %%%' } ]) {
        my ($who, @opt) = @$_;
        my $answer = api(POST => $path, json => {}, @opt);
        problem_ok $answer, 401, [ { field => undef } ], "POST $path by $who is a 401";
        like $answer->header('WWW-Authenticate'), $realm, '... with a challenge';
        is $answer->header('Vary'), 'Authorization', '... and Vary';
        is $answer->header('Cache-Control'), $path =~ /orders/ ? 'no-store' : 'no-cache', '... and Cache-Control';
        unlike $answer->content, qr/<html|<!DOCTYPE/i, '... and no page of HTML';
    }
}
problem_ok api(GET => $_), 401, undef, "GET $_ asks for a user" for '/api/orders', '/api/orders/x';
is api(GET => '/api/tickets?limit=1', headers => { Authorization => 'Bearer x' })->code, 200,
    'tickets are shown whatever the credentials';
problem_ok api(PUT => '/api/tickets/x', json => {}), 401, undef, 'PUT asks for a user';
is length(api(HEAD => '/api/orders')->content), 0, 'the 401 to HEAD has no body';

# 403 by Require, and the way in for the one who may.
my $answer = api(POST => '/members/tickets', vhost => 'strict', user => 'bob', json => { title => 'T', price => 1 });
problem_ok $answer, 403, [ { field => undef } ], 'Require refuses another user with 403';
is $answer->header('WWW-Authenticate'), undef, 'and no challenge';
$answer = api(POST => '/members/tickets', vhost => 'strict', user => 'alice', json => { title => 'T', price => 1 });
is $answer->code, 201, 'the one named may';
like $answer->header('Location'), qr{^/members/tickets/[0-9a-f-]{36}\z},
    'Location is under the path that SetHandler is for';
is api(GET => $answer->header('Location'), vhost => 'strict', user => 'alice')->code, 200, 'and leads there';
problem_ok api(GET => '/members/tickets/x/y', vhost => 'strict', user => 'alice'), 404, undef,
    'the other paths are none';

# LimitRequestBody. Both ways to send a body.
problem_ok api(POST => '/api/tickets', vhost => 'strict', user => 'alice', type => 'application/json',
    content => 'x' x 301), 413,
    [ { field => undef } ], 'LimitRequestBody is a 413';
my $post = "POST /api/tickets HTTP/1.1\r\n$Close$Basic$Json";
my $chunks = "${post}Transfer-Encoding: chunked\r\n\r\n";
problem_ok raw(strict => "${chunks}12d\r\n" . 'x' x 301 . "\r\n0\r\n\r\n"), 413, undef, 'in chunks, too';

# 400: requests that httpd cannot read.
problem_ok raw(shop => "GET /api/tickets HTTP/1.1\r\nConnection: close\r\n\r\n"), 400, undef,
    'a request without Host is a 400';
problem_ok raw(shop => "GET /api/tickets HTTP/1.1\r\n${Close}Bad Header\r\n\r\n"), 400, undef,
    'so is one with a broken header';
problem_ok raw(shop => "${post}Content-Length: x\r\n\r\n$Good"), 400, undef, 'or a Content-Length that is none';
problem_ok raw(shop => "${chunks}zz\r\n$Good\r\n0\r\n\r\n"), 400, undef,
    'or broken chunks';
my $before = db('shop')->selectrow_array('SELECT position FROM tickets_head');
raw(shop => "${post}Content-Length: 100\r\n\r\n$Good");
is db('shop')->selectrow_array('SELECT position FROM tickets_head'), $before, 'a body that breaks off has no effect';
is raw(shop => "${post}Content-Length: 23\r\n\r\n$Good")->code, 201, 'a whole one has';

# Answers that mod_deflate changed: its entity tag is accepted back.
my $big = new_ticket(vhost => 'strict', title => 'x' x 200);
my $path = "/api/tickets/$big->{id}";
my $zipped = api(GET => $path, vhost => 'strict', headers => { 'Accept-Encoding' => 'gzip' });
is $zipped->header('Content-Encoding'), 'gzip', 'an answer is compressed';
is $zipped->header('ETag'), '"0-gzip"', 'and its entity tag is marked by mod_deflate';
like join(',', $zipped->header('Vary')), qr/Authorization/, 'Vary still names Authorization';
is api(GET => $path, vhost => 'strict',
    headers => { 'Accept-Encoding' => 'gzip', 'If-None-Match' => '"0-gzip"' })->code, 304,
    'it is accepted back by GET';
is api(PUT => $path, vhost => 'strict', user => 'alice', headers => { 'If-Match' => '"0-gzip"' },
    json => { title => 'T', price => 1 })->code, 200,
    'and by PUT';

# No AuthType: reading works, what needs a user is the operator's mistake and says so.
is api(GET => '/api/tickets', vhost => 'plain')->code, 200, 'without authentication tickets are shown';
for ([ POST => '/api/tickets' ], [ PUT => '/api/tickets/x' ]) {
    my $answer = api(@$_, vhost => 'plain', user => 'alice', json => { title => 'T', price => 1 });
    problem_ok $answer, 500, [ { field => undef, message => qr/AuthType/ } ],
        "without authentication $_->[0] is a 500 that says why";
    like $answer->header('Retry-After'), qr/^\d+\z/, '... with Retry-After';
}
my @lines = grep { /SVC060/ } new_log_lines();
is scalar @lines, 2, 'and the error log names it';
like $lines[0], qr/AuthType/, 'in a sentence';

log_is_clean(except => [ qr/SVC060: (?:POST|PUT) .*AuthType/, qr/AH016(?:14|17|18|31)\b/ ]);   # httpd's own
done_testing;
