# What the HTTP clients of this well-known ticketing design rely on: each promise is a test, and its name is the promise.
# How the services behave beyond that, the suites of t/tickets and t/orders say.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use HTTP::Date 'str2time';
use HTTP::Response ();
use IO::Socket::INET ();
use JSON::PP ();
use Time::HiRes 'time';
use TestSvc;
use TestSvc::Event 'new_uuid';
use TestSvc::Truth;

my $Json = JSON::PP->new->utf8->canonical->allow_nonref;

# As such a client sends: JSON as axios says it.
sub ask {
    my ($user, $method, $path, $json, @opt) = @_;
    unshift @opt, user => $user if defined $user;
    unshift @opt, type => 'application/json;charset=utf-8', content => ref $json ? as_json($json) : $json if defined $json;
    return api($method => $path, @opt);
}
sub sell  { return ask('alice', POST => '/api/tickets', @_ ? $_[0] : { title => 'concert', price => 20 }) }
sub all_of {   # every page of a list
    my ($user, $path) = @_;
    my @items;
    while (defined $path) {
        my $page = ask($user, GET => $path);
        push @items, @{ $page->json };
        ($path) = ($page->header('Link') || '') =~ /^<(.*)>; rel="next"/;
    }
    return @items;
}
sub change { return ask('alice', PUT => "/api/tickets/$_[0]{id}", $_[1]) }
sub order_of { return ask($_[0], POST => '/api/orders', { ticketId => $_[1] }) }
sub as_json  { return $Json->encode($_[0]) }

# A ticket with an order of bob's, who has to pay for it; and one that carol cancelled.
my ($sold, $other) = map { new_ticket(title => 'concert', price => 20) } 1, 2;
my $before = time;
my $order = new_order(ticket => $sold);
my $after = time;
my $gone = new_order(ticket => $other, user => 'carol');
wait_until { order($_->[0]{id}, user => $_->[1])->{status} eq 'awaiting:payment' } 10, 'the ticket is reserved'
    for [ $order, 'bob' ], [ $gone, 'carol' ];
my $cancelled = ask('carol', DELETE => "/api/orders/$gone->{id}");
wait_quiet('shop');
my ($ticket_path, $order_path) = ("/api/tickets/$sold->{id}", "/api/orders/$order->{id}");
my $free = sell()->json;
my $free_path = "/api/tickets/$free->{id}";

# ---- tickets

is as_json([ map { sell({ title => 'concert', price => $_ })->json->{price} } '20', '20.00', '20.5', '0.01', '777.77' ]),
    as_json([ 20, 20, 20.5, 0.01, 777.77 ]),
        'a price may be sent as a string, and comes back as a JSON number';
like sell({ title => 'concert', price => '20.00' })->content, qr/"price":20[,}]/,
    'a whole price is written without decimals';
is as_json([ map { change($free, { title => 'concert', price => $_ })->json->{price} } '10.00', 15.5 ]), as_json([ 10, 15.5 ]),
    'so it is with PUT';

is sell()->code, 201, 'POST /api/tickets answers 201';
is as_json([ sort keys %{ sell()->json } ]), as_json([qw(id price title userId version)]),
    'a ticket is id, price, title, userId and version';
ok !exists $free->{orderId}, 'orderId is absent, not null, while a ticket is not reserved';
is ticket($sold->{id})->{orderId}, $order->{id}, 'orderId is the order that has it reserved';
is_deeply [ grep { /^_|^__v/ } map { keys %$_ } $free, ticket($sold->{id}), order($order->{id}), order($order->{id})->{ticket} ], [],
    'id is called id, never _id, and there is no __v';
like as_json($_), qr/^"/, 'an id is a string' for $free->{id}, $order->{id};

my $forged = { title => 'concert', price => 20, userId => 'bob', version => 9, map { $_ => new_uuid() } qw(id _id orderId) };
my $made = sell($forged);
is as_json([ @{ $made->json }{qw(userId version orderId)} ]), as_json([ 'alice', 0, undef ]),
        'userId, orderId, version and id in a body have no effect: the seller is the caller';
isnt $made->json->{id}, $forged->{id}, '... and its id a new one';
is as_json([ @{ change($made->json, $forged)->json }{qw(userId version orderId)} ]), as_json([ 'alice', 1, undef ]),
    'nor have they in PUT';

my $counted = sell()->json;
is as_json([ $counted->{version}, map { change($counted, { title => 'concert', price => 20 })->json->{version} } 1, 2, 3 ]),
    as_json([ 0, 1, 2, 3 ]), 'version begins at 0 and grows by 1 at each change, also one that changes nothing';
is as_json([ ticket($sold->{id})->{version}, ticket($other->{id})->{version} ]), as_json([ 1, 2 ]),
    'reserving a ticket is a change, and so is releasing it';

my $put = ask('alice', PUT => $free_path, { title => 'new', price => 100 });
is as_json([ $put->code + 0, @{ $put->json }{qw(id title price userId)} ]), as_json([ 200, $free->{id}, 'new', 100, 'alice' ]),
    'PUT answers 200 with the ticket as it is now';
is as_json(ticket($free->{id})), as_json($put->json), 'and GET shows it';

is ref ask(undef, GET => '/api/tickets')->json, 'ARRAY', 'GET /api/tickets is a bare array, without a user';
my %listed = map { $_->{id} => $_ } all_of(undef, '/api/tickets?limit=1000');
is as_json($listed{ $free->{id} }), as_json(ticket($free->{id})), 'its items are tickets as GET shows each one';
ok !exists $listed{ $sold->{id} }, 'a reserved ticket is not in it';
ok exists $listed{ $other->{id} }, 'one whose order was cancelled is';
is ask(undef, GET => $ticket_path)->code, 200, 'a reserved ticket is still shown by its id, without a user';
is api(GET => '/api/tickets', vhost => 'plain')->content, '[]', 'an empty list is []';

# ---- orders

is order_of('bob', $free->{id})->code, 201, 'POST /api/orders answers 201';
is as_json([ sort keys %$order ]), as_json([qw(expiresAt id status ticket ticketId userId version)]),
    'an order is id, status, expiresAt, userId, version, ticket and ticketId';
is as_json([ @$order{qw(status userId version)} ]), as_json([ 'created', 'bob', 0 ]),
    'a new one is created, of the caller, at version 0';
is as_json($order->{ticket}), as_json({ id => $sold->{id}, title => 'concert', price => 20, version => 0 }),
    'its ticket is embedded: id, title, price, version';
is $order->{ticketId}, $order->{ticket}{id}, 'and ticketId is the id of that ticket';
my $now = order($order->{id});
is as_json([ sort keys %{ $now->{ticket} } ]), as_json([qw(id price title version)]), 'GET of one order embeds it, too';
my @mine = all_of('bob', '/api/orders?limit=1000');
is ref ask('bob', GET => '/api/orders')->json, 'ARRAY', 'GET /api/orders is a bare array';
is_deeply [ grep { $_->{id} eq $order->{id} } @mine ], [$now],
    'its items are orders as GET shows each one, ticket included';
is_deeply [ grep { $_->{userId} ne 'bob' } @mine ], [], 'all of the caller';
like $order->{expiresAt}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/,
    'expiresAt is what toISOString() of JavaScript writes: milliseconds and Z';
my $due = str2time($order->{expiresAt});
ok $due >= $before + 900 - 0.01 && $due <= $after + 900 + 0.01,
    'fifteen minutes from now' or diag "$before $order->{expiresAt} $after";
is order_of('bob', $sold->{id})->json->{errors}[0]{message}, 'Ticket is already reserved', 'a reserved ticket says so';

is $cancelled->code, 204, 'DELETE of an order answers 204';
is as_json([ $cancelled->content, scalar $cancelled->header('Content-Type') ]), as_json([ '', undef ]),
    'with an empty body';
$gone = order($gone->{id}, user => 'carol');
is as_json([ @$gone{qw(status version)} ]), as_json([ 'cancelled', 2 ]),
    'the order stays, cancelled, at the next version';
is $gone->{ticket}{title}, 'concert', 'with its ticket';
is_deeply [ grep { $_->{status} !~ /^(?:created|awaiting:payment|complete|cancelled)\z/ } $order, $now, $gone ], [],
    'status is one of created, awaiting:payment, complete, cancelled';

# ---- errors

# What clients do with every error: errors.map(e => e.message).
my @errors;
sub error_is {   # @fields: what the entries are about; undef: whatever
    my ($status, $answer, $what, @fields) = @_;
    my $errors = eval { $answer->json->{errors} };
    my @entries = ref $errors eq 'ARRAY' ? grep { ref $_ eq 'HASH' && length($_->{message} || '') } @$errors : ();
    push @errors, "$what: not all have a message in " . $answer->as_string unless @entries && @entries == @$errors;
    my $is = join ' ', map { defined $_->{field} ? $_->{field} : '-' } @entries;
    my $want = !@fields ? '-' : defined $fields[0] ? "@fields" : $is;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is $answer->code . " $is", "$status $want", $what;
}

error_is 400, sell({ price => 20 }), 'a missing title is a 400 that names it', 'title';
error_is 400, sell({ title => $_, price => 20 }), 'so is ' . as_json($_) . ' for a title',
    'title' for '', ' ', undef, [];
error_is 400, sell({ title => 'concert' }), 'a missing price is a 400 that names it', 'price';
error_is 400, sell({ title => 'concert', price => $_ }), 'so is ' . as_json($_) . ' for a price', 'price'
    for -10, 0, '', undef, 'XX', '-1', JSON::PP::true, {}, '1,5';
error_is 400, sell({ title => '', price => -1 }), 'errors[] has the title before the price', 'title', 'price';
error_is 400, ask('alice', PUT => $free_path, { price => '-1', title => '' }),
    'also in PUT, in whatever order they were sent', 'title', 'price';
error_is 400, ask('alice', PUT => $free_path, { title => 'concert' }), 'PUT needs both fields', 'price';
error_is 400, sell({}), '{} is a 400 that names both fields', 'title', 'price';
error_is 400, sell($_), "the body $_ is a 400" for '{bad', '"text"', 'null', '5', 'true';
error_is 400, sell('[]'), 'so is the body []', undef;
error_is 400, ask('alice', POST => '/api/tickets', ''), 'an empty body is a 400';
error_is 400, order_of('bob', $_), 'the ticketId ' . as_json($_) . ' is a 400 that names it',
    'ticketId' for undef, '', 'abc', 5, {};
error_is 400, ask('bob', POST => '/api/orders', {}), 'so is a missing ticketId', 'ticketId';
error_is 400, ask('bob', POST => '/api/orders', '{bad'), 'a broken body is a 400 for orders, too';

my %anonymous = (POST => '/api/tickets', PUT => $free_path, GET => '/api/orders', DELETE => $order_path);
error_is 401, ask(undef, $_ => $anonymous{$_}, /P/ ? {} : undef),
    "$_ $anonymous{$_} without a user is a 401" for sort keys %anonymous;
error_is 401, ask(undef, POST => '/api/orders', {}), 'POST /api/orders as well';
error_is 401, ask(undef, GET => $order_path), 'and GET of one order';
error_is 401, api(GET => '/api/orders', user => 'alice', password => 'x'), 'a wrong password is one, too';
error_is 403, ask('bob', PUT => $free_path, { title => 'mine', price => 1 }),
    'another\'s ticket is a 403 (401 in the original design)';
error_is 403, ask('carol', $_ => $order_path),
    "$_ of another\'s order is a 403 (401 in the original design)" for 'GET', 'DELETE';
is ticket($free->{id})->{title}, 'new', 'which changes nothing';
for my $id (new_uuid(), '123', '-1', 'non_existant', '5e9f1c0b8f1d2a0017c3b4a5') {
    error_is 404, ask(undef, GET => "/api/tickets/$id"), "GET of the ticket $id is a 404";
    error_is 404, ask('alice', PUT => "/api/tickets/$id", { title => 'concert', price => 20 }), '... PUT as well';
    error_is 404, ask('bob', $_ => "/api/orders/$id"), "... $_ of such an order as well" for 'GET', 'DELETE';
}
error_is 404, order_of('bob', new_uuid()), 'an order for a ticket nobody has is a 404';
error_is 404, ask('bob', GET => $_), "GET $_, which is no path, is a 404" for '/api/tickets/a/b', '/api/orders/a/b';
error_is 405, ask('alice', $_ => '/api/tickets'),
    "$_ /api/tickets is a 405 (404 in the original design)" for 'DELETE', 'PATCH';
error_is 405, ask('bob', PUT => $order_path, {}), 'PUT of an order is a 405 (404 in the original design)';
error_is 409, ask('alice', PUT => $ticket_path, { title => 'concert', price => 20 }),
    'PUT of a reserved ticket is a 409 (400 in the original design)';
error_is 409, order_of('carol', $sold->{id}), 'an order for a reserved ticket is a 409 (400 in the original design)';
error_is 413, sell('{"title":"' . 'x' x 70000 . '","price":1}'), 'a body of more than 64 KiB is a 413';
error_is 415, api(POST => '/api/tickets', user => 'alice', type => $_, content => 'title=concert&price=20'),
    "$_ is a 415 (400 in the original design)"
    for 'application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data';
error_is 500, ask('alice', POST => '/api/tickets', { title => 'concert', price => 20 }, vhost => 'plain'),
    'a fault of the server is a 500, never a 400';
error_is 403, ask('bob', POST => '/members/tickets', {}, vhost => 'strict'),
    'a 403 that httpd itself makes has errors[], too';
error_is 413, ask('alice', POST => '/api/tickets', { title => 'x' x 400 }, vhost => 'strict'), '... and a 413';

my $socket = IO::Socket::INET->new(PeerAddr => base_url('shop') =~ s{^http://}{}r, Timeout => 5) or die "connect: $!";
print $socket "GET /api/tickets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nBad Header\r\n\r\n";
my $unreadable = bless HTTP::Response->parse(do { local $/; <$socket> }), 'TestSvc::Response';
error_is 400, $unreadable, '... and a 400';

# Which comes first.
error_is 401, ask(undef, POST => '/api/tickets', '{bad'), 'who is asked before what: 401 comes before 400';
error_is 401, ask(undef, PUT => '/api/tickets/123', {}), '401 comes before 404';
error_is 400, ask('alice', PUT => '/api/tickets/' . new_uuid(), { title => '' }),
    '400 comes before 404', 'title', 'price';
error_is 404, ask('alice', PUT => '/api/tickets/' . new_uuid(), { title => 'concert', price => 20 }), 'and then 404';
error_is 400, ask('bob', PUT => $free_path, { title => '', price => 20 }), '400 comes before 403', 'title';
error_is 403, ask('bob', PUT => $ticket_path, { title => 'concert', price => 20 }), '403 comes before 409';

is_deeply \@errors, [], 'every one of these errors has errors[], and each entry a message';

wait_quiet('shop');
truth_ok('shop');
log_is_clean(except => [ qr/SVC060: POST .*AuthType/, qr/AH016(?:14|17|18|31)\b/ ]);
done_testing;
