# GET /api/orders: the user's own orders that are not cancelled, in the order they were made, page by page. A server
# of its own, so that what each user has is known.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Server;

my $server = TestSvc::Server->new->start;

sub page {
    my ($user, $query) = @_;
    return api(GET => '/api/orders' . ($query || ''), vhost => $server, user => $user);
}

sub ids { return [ map { $_->{id} } @{ $_[0]->json } ] }

sub walk {
    my ($user, $query) = @_;
    my @pages;
    while (defined $query) {
        my $answer = page($user, $query);
        die $answer->as_string unless $answer->code == 200 && @pages < 50;
        push @pages, ids($answer);
        my $link = $answer->header('Link');
        $query = defined $link ? ($link =~ m{^</api/orders(\?[^>]*)>; rel="next"\z})[0] : undef;
        die "no Link as it should be: $link" if defined $link && !defined $query;
    }
    return @pages;
}

my $none = page('bob');
is $none->code, 200, 'no order is not an error';
is $none->content, '[]', 'but an empty array';

my @tickets = map { new_ticket(vhost => $server, title => "Seat $_", price => $_) } 1 .. 8;
my @orders = map { new_order(vhost => $server, user => $_ == 3 || $_ == 5 ? 'carol' : 'bob',
    ticket => $tickets[$_]) } 0 .. 7;
my @bobs = map { $orders[$_]{id} } 0, 1, 2, 4, 6, 7;
wait_until { !grep { $_->{status} ne 'awaiting:payment' } map { @{ page($_)->json } } qw(bob carol) } 10,
    'all tickets are reserved';

my $all = page('bob');
is_deeply ids($all), \@bobs, 'lists the orders of the user in the order they were made';
is_deeply ids(page('carol')), [ map { $_->{id} } @orders[ 3, 5 ] ], 'and to another user theirs';
is page('dave')->content, '[]', 'and to a third one none';
is_deeply $all->json->[3], order($bobs[3], vhost => $server), 'each as GET shows it';
is_deeply $all->json->[0]{ticket}, { id => $tickets[0]{id}, title => 'Seat 1', price => 1, version => 1 },
    'with its ticket embedded';
is $all->header('Content-Type'), 'application/json', 'as JSON';
is $all->header('Cache-Control'), 'no-store', 'nobody may keep it';
is $all->header('Vary'), 'Authorization', 'Vary as for all orders';
is $all->header('Link'), undef, 'fits on one page';

is_deeply [ walk('bob', '?limit=4') ], [ [ @bobs[0 .. 3] ], [ @bobs[ 4, 5 ] ] ],
    'pages of four show each order once, in order';
is_deeply [ walk('bob', '?limit=1') ], [ map { [$_] } @bobs ], 'pages of one, too';
is_deeply [ walk('bob', '?limit=3') ], [ [ @bobs[0 .. 2] ], [ @bobs[3 .. 5] ] ], 'a full last page has no next one';
is_deeply [ walk('carol', '?limit=1') ], [ map { [ $orders[$_]{id} ] } 3, 5 ], "another user's pages hold theirs alone";

is api(DELETE => "/api/orders/$bobs[1]", vhost => $server, user => 'bob')->code, 204, 'one is cancelled';
is_deeply ids(page('bob')), [ @bobs[ 0, 2 .. 5 ] ], 'a cancelled order is not listed';
is_deeply [ walk('bob', '?limit=2') ], [ [ @bobs[ 0, 2 ] ], [ @bobs[ 3, 4 ] ], [ $bobs[5] ] ],
    'and leaves no hole in its page';
my $again = new_order(vhost => $server, user => 'carol', ticket => $tickets[1]);
is_deeply ids(page('carol')), [ map { $_->{id} } @orders[ 3, 5 ], $again ],
    'whoever ordered that ticket then finds it last';

problem_ok page(undef), 401, undef, 'nobody gets a 401';
problem_ok page('bob', "?limit=$_"), 400, [ { field => 'limit', message => qr/1 to 1000/ } ],
    "refuses limit='$_'" for '0', '1001', 'x', '';
problem_ok page('bob', "?cursor=$_"), 400, [ { field => 'cursor', message => qr/Link/ } ],
    "refuses cursor='$_'" for '', 'x', 'pzz', 'p-1';
problem_ok page('bob', '?nosuch=1'), 400, [ { field => 'nosuch' } ], 'refuses an unknown parameter and names it';
problem_ok page(undef, '?nosuch=1'), 401, undef, '401 comes before 400';

my $head = api(HEAD => '/api/orders?limit=2', vhost => $server, user => 'bob');
is $head->content, '', 'HEAD has no body';
my $get = page('bob', '?limit=2');
is $head->header($_), $get->header($_), "but the $_ of GET" for qw(Content-Type Content-Length Link Cache-Control Vary);

$server->stop;
log_is_clean(server => $server);
log_is_clean;
done_testing;
