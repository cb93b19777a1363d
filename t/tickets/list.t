# GET /api/tickets: what it shows, in which order, and that paging shows each ticket exactly once. A server of its
# own, because the list is everybody's.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Pages;
use TestSvc::Server;

my $server = TestSvc::Server->new->start;

sub page {
    my ($query) = @_;
    return api(GET => "/api/tickets$query", vhost => $server);
}

sub walk { return walk_pages(\&page, @_) }   # all pages from here on

my $none = page('');
is $none->code, 200, 'no ticket is not an error';
is $none->content, '[]', 'but an empty array';
is $none->header('Link'), undef, 'with no next page';

my @made = map { new_ticket(vhost => $server, user => $_ % 2 ? 'alice' : 'bob', title => "Seat $_",
    price => "$_.50") } 1 .. 7;
my @ids = map { $_->{id} } @made;
my $all = page('');
is_deeply ids($all), \@ids, 'lists all tickets, oldest first';
is_deeply $all->json, \@made, 'each as it was answered when it was made';
like $all->header('Content-Type'), qr{^application/json}, 'as JSON';
is $all->header('Cache-Control'), 'no-cache', 'a cache must ask again';
is $all->header('Vary'), 'Authorization', 'and keep users apart';
is $all->header('Link'), undef, 'fits on one page';

is api(GET => '/api/tickets', vhost => $server, user => 'carol')->content, $all->content, 'a user sees the same';
is ids(page('?limit=7'))->[6], $ids[6], 'limit=7 shows seven';
is page('?limit=7')->header('Link'), undef, 'a full last page has no next one';
is_deeply [ walk('?limit=3') ], [ [ @ids[0 .. 2] ], [ @ids[3 .. 5] ], [ $ids[6] ] ],
    'pages of three show each ticket once, in order';
is_deeply [ walk('?limit=1') ], [ map { [$_] } @ids ], 'pages of one, too';
like next_of(page('?limit=3')), qr/\blimit=3\b/, 'the next page is as long';
is scalar @{ page('?limit=1000')->json }, 7, 'limit=1000 is allowed';
is_deeply ids(page('/?limit=2')), [ @ids[0, 1] ], 'a slash at the end of the path does not matter';

# A page that was shown stays as it was while things change behind it.
my $first = page('?limit=3');
my $answer = api(PUT => "/api/tickets/$ids[0]", vhost => $server, user => 'alice',
    json => { title => 'Seat 1a', price => 2 });
is $answer->code, 200, 'an early ticket is edited';
my $later = new_ticket(vhost => $server, title => 'Seat 8');
is_deeply [ walk(next_of($first)) ], [ [ @ids[3 .. 5] ], [ $ids[6], $later->{id} ] ],
    'an edit moves no ticket to another page, and a new ticket comes last';
is page('')->json->[0]{title}, 'Seat 1a', 'an edited ticket keeps its place';

my $order = new_order(vhost => $server, ticket => $ids[3]);
wait_until { exists ticket($ids[3], vhost => $server)->{orderId} } 10, 'the ticket is reserved';
is_deeply [ walk('?limit=3') ], [ [ @ids[0 .. 2] ], [ @ids[4 .. 6] ], [ $later->{id} ] ],
    'a reserved ticket is not listed, and leaves no hole in its page';

for my $limit ('0', '1001', '-1', '1.5', 'abc', '', '5x', '%205', '99999999999999999999', '0x10') {
    problem_ok page("?limit=$limit"), 400, [ { field => 'limit', message => qr/1 to 1000/ } ], "refuses limit='$limit'";
}
for my $cursor ('', 'x', '0', 'p', 'pzz', 'p-1', 'p1g', 'p+1', 'p%201', 'p' . '1' x 40) {
    problem_ok page("?cursor=$cursor"), 400, [ { field => 'cursor', message => qr/Link/ } ], "refuses cursor='$cursor'";
}
problem_ok page('?nosuch=1'), 400, [ { field => 'nosuch' } ], 'refuses an unknown parameter and names it';
like page('?' . join '&', map { "p$_=1" } 1 .. 33)->json->{detail}, qr/more than 32 parameters/, 'refuses more than 32 parameters';
problem_ok page('?limit=0&cursor=x&nosuch=1'), 400, [ map { { field => $_ } } qw(limit cursor nosuch) ],
    'names all that is wrong';
problem_ok page('?limit=2&Limit=3&LIMIT=x'), 400, [ { field => 'Limit' }, { field => 'LIMIT' } ],
    'the case of a name counts';
problem_ok page('?nosuch=1&nosuch=2&=3&'), 400, [ { field => 'nosuch', message => qr/; limit\b.*\bcursor\b.* are\z/ },
    { field => '' } ], 'names each once, and says which are known';
problem_ok page('?limit=2&limit=2'), 400, [ { field => 'limit', message => qr/only once/ } ], 'refuses one given twice';
problem_ok page('?limit=2&l%69mit=3&cursor=p1&cursor'), 400, [ map { { field => $_, message => qr/only once/ } }
    qw(limit cursor) ], 'however its name is written';
for my $bad ('%', '%4', '%zz', 'x%', '%00', '2%00', '%ff', '%c3', '%ed%a0%80', '%c0%80') {
    problem_ok page("?limit=$bad"), 400, [ { field => 'limit', message => qr/UTF-8/ } ],
        "refuses a limit of $bad";
}
problem_ok page("?$_->[0]=1"), 400, [ { field => $_->[1], message => qr/not known/ } ], "names a parameter called $_->[0]"
    for [ 'limit%00', 'limit%00' ], [ '%', '%' ], [ '%ff', '%ff' ], [ '%C3%A9', "\xe9" ], [ 'a%26b+c', 'a&b c' ];
is_deeply ids(page('?')), ids(page('')), 'an empty query is none';
is_deeply ids(page('?&limit=2&')), ids(page('?limit=2')), 'a superfluous & does not matter';
is_deeply ids(page('?l%69mit=%32')), ids(page('?limit=2')), 'names and values may be percent-encoded';

is scalar @{ page('?cursor=pfffffff')->json }, 0, 'nothing comes after the last ticket';

my $head = api(HEAD => '/api/tickets?limit=3', vhost => $server);
my $get = page('?limit=3');
is $head->code, 200, 'HEAD answers';
is $head->content, '', 'without a body';
is $head->header($_), $get->header($_),
    "with the $_ of GET" for qw(Content-Type Content-Length Link Cache-Control Vary);

$server->stop;
log_is_clean(server => $server);
log_is_clean;
done_testing;
