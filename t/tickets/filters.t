# GET /api/tickets with filters: each of them, all together, what each refuses, and that the pages of a filtered list
# are stable. A server of its own, because the list is everybody's.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Pages;
use TestSvc::Server;
use URI::Escape 'uri_escape';

my $server = TestSvc::Server->new->start;

sub query {   # from names and values, in their order
    my (@pairs) = @_;
    my @parts;
    while (my ($name, $value) = splice @pairs, 0, 2) { push @parts, "$name=" . uri_escape($value) }
    return '?' . join '&', @parts;
}

sub page {
    my ($query) = @_;
    return api(GET => "/api/tickets$query", vhost => $server);
}

sub walk { return walk_pages(\&page, @_) }   # all pages from here on

my %id;   # name of a ticket here -> its id
my $made = 0;
sub make {
    my ($name, $user, $title, $price) = @_;
    $id{$name} = new_ticket(vhost => $server, user => $user, title => $title, price => $price)->{id};
}

sub shows {   # the names of the tickets that a list should have, in order
    my ($query, $names, $what) = @_;
    my %name = reverse %id;
    my $answer = page($query);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply $answer->code == 200 ? [ map { $name{$_} || $_ } @{ ids($answer) } ] : $answer->as_string, $names, $what;
}

make(a => 'alice', 'Hamlet', '20.50');
make(b => 'bob',   'HAMLET, Prince of Denmark', 20);
make(c => 'alice', 'Macbeth', '19.99');
make(d => 'bob',   "100% of Caf\xe9 \xc9t\xe9_1", 100);
make(e => 'alice', q{Say "it's" <ok> a+b&c=d; \\ #1}, '0.01');
make(f => 'bob',   'hamlet again', '9999999.99');

my @bought = map { new_order(vhost => $server, user => 'carol', ticket => $id{$_}) } qw(b c);
wait_until { 2 == grep { exists ticket($id{$_}, vhost => $server)->{orderId} } qw(b c) } 10, 'two are reserved';

# --- each filter

shows '', [qw(a d e f)], 'what is reserved is not listed';
shows '?reserved=false', [qw(a d e f)], 'reserved=false says the same';
shows '?reserved=true', [qw(b c)], 'reserved=true lists those alone';
shows '?reserved=any', [qw(a b c d e f)], 'reserved=any lists all, oldest first';
ok page('?reserved=true')->json->[0]{orderId}, 'a reserved ticket is shown with its order';
shows '?userId=alice', [qw(a e)], 'userId=alice lists what she sells';
shows '?userId=alice&reserved=any', [qw(a c e)], 'in any state';
shows '?userId=bob&reserved=true', [qw(b)], 'in one';
shows '?userId=Alice', [], 'the case of a user counts';
shows '?userId=carol', [], 'somebody who sells nothing has an empty list';
shows '?title=Hamlet', [qw(a f)], 'title=Hamlet finds it anywhere in the title, in any case';
shows '?title=hAMLET&reserved=any', [qw(a b f)], 'however it is written';
shows '?title=, P&reserved=any', [qw(b)], 'with what is not a letter';
shows '?minPrice=20.50', [qw(a d f)], 'minPrice includes the price itself';
shows '?minPrice=20.51', [qw(d f)], 'and nothing under it';
shows '?maxPrice=20.50', [qw(a e)], 'maxPrice includes the price itself';
shows '?maxPrice=20.49', [qw(e)], 'and nothing over it';
shows '?minPrice=19.99&maxPrice=20.5&reserved=any', [qw(a b c)], 'both are a range';
shows '?minPrice=20&maxPrice=20&reserved=any', [qw(b)], 'of one price, too';
shows '?minPrice=0', [qw(a d e f)], 'minPrice=0 is every price';
shows '?maxPrice=0', [], 'maxPrice=0 is none';
shows '?minPrice=9999999.99', [qw(f)], 'the highest price can be asked for';
shows '?reserved=any&userId=bob&title=HAM&minPrice=1&maxPrice=9999999', [qw(b)], 'all filters together are an "and"';
shows '?maxPrice=9999999&minPrice=1&title=HAM&userId=bob&reserved=any', [qw(b)], 'in any order';

# --- texts are texts

for ([ '%', 'd' ], [ '_', 'd' ], [ '0% o', 'd' ], [ "caf\xc3\xa9", 'd' ], [ "\xc3\x89T\xc3\xa9_", 'd' ], [ '"', 'e' ],
     [ "'", 'e' ], [ 'A+B&C=D;', 'e' ], [ '\\', 'e' ], [ '<OK>', 'e' ], [ '#1', 'e' ]) {
    my ($part, $name) = @$_;
    shows query(title => $part), [$name], "finds a title by $part, and no other";
}
for ("\xc3\xa9T\xc3\xa9", "CAF\xc3\x89", "cafe", '%%', 'H%t', 'H_mlet', 'ham*', '[hH]amlet', ' hamlet', 'hamlet  ',
     "' OR '1'='1", "x') OR 1=1 --", q{"; DROP TABLE tickets; --}, '%s', '%lld', '$1', '?') {
    shows query(title => $_), [], "finds no title by $_";
}
for ("alice' --", "' OR '1'='1", "alice' UNION SELECT 1,1,1,1,1,1,1 --", 'ali%', 'a_ice', "\xc3\xa9", ' alice', 'alice ') {
    shows query(userId => $_), [], "nobody is called $_";
}
shows '?title=it%27s+%22', [], 'a plus is a space';
shows '?title=y+%22IT', [qw(e)], 'as in a form';
is scalar @{ page('?reserved=any')->json }, 6, 'all tickets are still there';

# --- what is refused

my $long = 'x' x 256;
for ([ reserved => qr/any, true or false/, '', 'True', 'TRUE', '1', 'yes', ' true', 'any,true', 'null' ],
     [ userId   => qr/1 to 255 char/, '', $long ],
     [ title    => qr/1 to 255 char/, '', $long, "\xc3\xa9" x 256 ],
     [ minPrice => qr/0 to 9999999\.99/, '', '-1', '1.', '.5', '1.234', '1e3', '0x10', ' 1', '1 ', '+1', '10000000', '1,5', 'abc',
                   "1' OR '1'='1", "\xd9\xa1" ],
     [ maxPrice => qr/0 to 9999999\.99/, '', '-0.01', '20.505', 'NaN', 'Infinity', '99999999', '20 ' ]) {
    my ($name, $message, @bad) = @$_;
    for (@bad) {
        problem_ok page(query($name => $_)), 400, [ { field => $name, message => $message } ],
            sprintf "refuses $name='%s'", length > 40 ? length() . ' bytes' : $_;
    }
    problem_ok page("?$name"), 400, [ { field => $name, message => $message } ], "refuses $name without a value";
    problem_ok page("?$name=1&$name=1"), 400, [ { field => $name, message => qr/once/ } ], "refuses $name twice";
    problem_ok page("?$name=%ff"), 400, [ { field => $name, message => qr/UTF-8/ } ], "refuses $name that is not UTF-8";
    problem_ok page('?' . uc($name) . '=1'), 400, [ { field => uc $name, message => qr/not known; .*\b\Q$name\E\b/ } ],
        "does not know \U$name\E, and names $name";
}
shows query(title => 'x' x 255), [], '255 characters are a title';
shows query(title => "\xc3\xa9" x 255), [], 'of two bytes each, too';
shows query(userId => 'x' x 255), [], '255 are a user';
problem_ok page('?minPrice=20.01&maxPrice=20'), 400, [ { field => 'maxPrice', message => qr/less than minPrice/ } ],
    'refuses a range that holds nothing';
problem_ok page('?nosuch=1&maxPrice=x&minPrice=y&title=&userId=&reserved=maybe&cursor=z&limit=0'), 400,
    [ map { { field => $_ } } qw(limit cursor reserved userId title minPrice maxPrice nosuch) ], 'names all that is wrong';

# --- pages

my $full = query(limit => 1, reserved => 'any', userId => 'bob', title => 'a', minPrice => '1.5', maxPrice => '9999999.9');
my $next = next_of(page($full));
is $next =~ s/cursor=p[0-9a-f]+&//r, $full, 'the Link has all filters';
is_deeply [ walk($full) ], [ [ $id{b} ], [ $id{d} ] ], 'and leads through their pages';
is_deeply [ walk('?limit=2') ], [ [ @id{qw(a d)} ], [ @id{qw(e f)} ] ], 'without filters as well';
is_deeply [ walk('?reserved=any&limit=4') ], [ [ @id{qw(a b c d)} ], [ @id{qw(e f)} ] ], 'and with any single one';
is_deeply [ walk('?reserved=true&limit=1') ], [ map { [ $id{$_} ] } qw(b c) ], 'of the reserved';
is_deeply [ walk('?title=hamlet&limit=1') ], [ map { [ $id{$_} ] } qw(a f) ], 'of a title';
is_deeply [ walk('?minPrice=1&limit=2') ], [ [ @id{qw(a d)} ], [ $id{f} ] ], 'of a price';
my $odd = query(limit => 1, reserved => 'any', title => '%_');
is next_of(page($odd)), undef, 'there is no next page of nothing';
my $quoted = make(g => 'alice', q{Say "it's" <ok> a+b&c=d; \\ #1 >again<}, 5);
$odd = query(limit => 1, title => q{"it's" <ok> a+b&c=d; \\ #});
is_deeply [ walk($odd) ], [ [ $id{e} ], [ $id{g} ] ], 'a title of signs goes into the Link, and back out of it';
$odd = query(limit => 1, title => "\xc3\xa9t");
make(h => 'alice', "\xe9T", 6);
make(i => 'alice', "\xe9t\xe9", 7);
is_deeply [ walk($odd) ], [ [ $id{h} ], [ $id{i} ] ], 'so does one in UTF-8';

# A page that was shown stays as it was while things change behind it.
for my $filter ('reserved=any', 'reserved=any&title=a', 'reserved=any&minPrice=0.01', 'reserved=any&userId=bob') {
    my $before = page("?$filter&limit=2");
    my $rest = [ walk(next_of($before)) ];
    my $price = 30 + $made;
    is api(PUT => "/api/tickets/$id{a}", vhost => $server, user => 'alice', json => { title => 'Hamlet a', price => $price })->code,
        200, "an early ticket is edited, $filter";
    make('late' . ++$made, 'bob', 'A late one', 2);
    my @after = walk(next_of($before));
    is_deeply [ map { @$_ } @after ], [ (map { @$_ } @$rest), $id{"late$made"} ],
        'the next pages are what they were, and a new ticket comes last';
}
my $first = page('?limit=1');
my ($then) = walk(next_of($first) =~ s/limit=1\b/limit=1000/r);
is api(DELETE => "/api/orders/$bought[1]{id}", vhost => $server, user => 'carol')->code, 204, 'an order is cancelled';
wait_until { !exists ticket($id{c}, vhost => $server)->{orderId} } 10, 'its ticket is released';
is_deeply [ walk(next_of($first) =~ s/limit=1\b/limit=1000/r) ], [ [ $id{c}, @$then ] ],
    'a ticket that is released comes back to its place';
shows '?reserved=true', [qw(b)], 'and is no more among the reserved';
is_deeply ids(page(next_of(page('?reserved=any&limit=3')) =~ s/reserved=any/reserved=true/r)), [],
    'a cursor is a place, whatever the filter';

my $head = api(HEAD => "/api/tickets$full", vhost => $server);
my $get = page($full);
is $head->code, 200, 'HEAD answers';
is $head->content, '', 'without a body';
is $head->header($_), $get->header($_), "with the $_ of GET" for qw(Content-Type Content-Length Link Cache-Control Vary);
is api(HEAD => '/api/tickets?reserved=maybe', vhost => $server)->code, 400, 'and refuses what GET refuses';

$server->stop;
log_is_clean(server => $server);
log_is_clean;
done_testing;
