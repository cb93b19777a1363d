# conf/auth-cookie-session.conf and conf/cookie-session.lua as they stand: the login of existing clients, a token in the
# cookie of cookie-session.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use MIME::Base64 'encode_base64';
use TestSvc;
use TestSvc::Example;
use TestSvc::Truth;

my $secret = 'asdf';   # what such systems have
my $server = TestSvc::Example->new(['shop.conf', 'auth-cookie-session.conf', 'cookie-session.lua'])
    ->put('shop.users', "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    ->put('shop.secret', "Define SHOP_SECRET $secret\n")->start;
my $key = { secret => $secret };

# The token and the cookie as the auth service of such a system makes them: no exp, no iss, no aud.
sub token { my ($id, %more) = @_; return jwt($key, { id => $id, email => 'test@test.com', iat => time - 9, %more }) }
sub session { return encode_base64(qq({"jwt":"$_[0]"}), '') }
sub cookie { return 'session=' . session($_[0]) }
sub ask {
    my ($cookie, $method, $path, @opt) = @_;
    return api($method => $path, vhost => $server, @opt, headers => defined $cookie ? { Cookie => $cookie } : {});
}
sub sell { return ask($_[0], POST => '/api/tickets', json => { title => 'Hamlet', price => '20.00' }) }
sub mine { return ask($_[0], GET => '/api/orders') }

my ($seller, $buyer) = map { cookie(token($_)) } qw(5e9f1c 5e9f1d);

# A good one.
my $sold = sell($seller);
is $sold->code, 201, 'who has a good cookie sells';
is $sold->json->{userId}, '5e9f1c', 'and the seller is the token\'s id';
my $path = '/api/tickets/' . $sold->json->{id};
my $bought = wait_until { my $answer = ask($buyer, POST => '/api/orders', json => { ticketId => $sold->json->{id} });
                          $answer->code == 201 && $answer } 10, 'the ticket is known to orders';
is $bought->json->{userId}, '5e9f1d', 'the buyer is that of another cookie';
is_deeply [ map { $_->{id} } @{ mine($buyer)->json } ], [ $bought->json->{id} ],
    'GET /api/orders shows the orders of the cookie\'s user';
is_deeply mine($seller)->json, [], 'and of no other';
is ask($buyer, DELETE => '/api/orders/' . $bought->json->{id})->code, 204, 'who cancels them';

# Other shapes of it.
my $token = token('5e9f1d');
(my $escaped = cookie($token)) =~ s/=/%3D/g;
$escaped =~ s/^session%3D/session=/;
my $spaced = 'session=' . encode_base64(qq({ "flash": [], "jwt" : "$token" }), '');
for ([ cookie($token) . '; theme=dark',                       'before another cookie' ],
     [ 'theme=dark; ' . cookie($token),                       'after another cookie' ],
     [ 'session.sig=x; ' . cookie($token),                    'after a signature' ],
     [ 'mysession=' . session(token('x')) . ';' . cookie($token), 'after a cookie whose name ends like it' ],
     [ $escaped,                                              'with = escaped' ],
     [ $spaced,                                               'with more in it, and blanks' ],
     [ 'express:sess=' . session($token),                     'of version 1 of cookie-session' ]) {
    my ($cookie, $what) = @$_;
    my $answer = mine($cookie);
    is $answer->code, 200, "a cookie $what is understood";
    is_deeply $answer->json, [], '... as that user';
}
is api(GET => '/api/orders', vhost => $server, headers => { Authorization => "Bearer $token" })->code, 200,
    'the token may be sent as a bearer token, too';
is api(GET => '/api/orders', vhost => $server, headers => { Authorization => 'Bearer x', Cookie => $buyer })->code, 401,
    'which is what counts when both are there';
for my $answer (mine($buyer), mine(undef), ask(undef, GET => '/api/tickets')) {
    is_deeply [ sort map { split /,\s*/ } $answer->header('Vary') ], [qw(Authorization Cookie)],
        'an answer with ' . $answer->code . ' says that it depends on both';
}

# None, and bad ones.
my $now = time;
my ($header, undef, $signature) = split /\./, $token;
my %bad = (
    'no cookie'                           => undef,
    'another cookie'                      => 'theme=dark',
    'a cookie whose name ends like it'    => 'mysession=' . session($token),
    'a session after logout'              => 'session=' . encode_base64('{}', ''),
    'an empty session'                    => 'session=',
    'a session that is no base64'         => 'session=%%%***',
    'a session that is no JSON'           => 'session=' . encode_base64('garbage', ''),
    'a session whose jwt is null'         => 'session=' . encode_base64('{"jwt":null}', ''),
    'a session of bytes'                  => 'session=' . encode_base64(join('', map { chr } 0 .. 255), ''),
    'a session with a line break in it'   => 'session=' . encode_base64(qq({"jwt":"$token\r\nX-Evil: 1"}), ''),
    'a token that is garbage'             => cookie('garbage'),
    'a token of another secret'           => cookie(jwt({ secret => 'qwerty' }, { id => 'u' })),
    'a token with alg none'               => cookie(jwt(undef, { id => 'u' })),
    'a token with the claims of another'  => cookie(join '.', $header, (split /\./, token('5e9f1c'))[1], $signature),
    'a token that did expire'             => cookie(token('u', exp => $now - 10)),
    'a token without id'                  => cookie(jwt($key, { email => 'test@test.com' })),
    'a token whose id is a number'        => cookie(token(5)),
);
for my $what (sort keys %bad) {
    for my $answer (mine($bad{$what}), sell($bad{$what}), ask($bad{$what}, GET => "$path/history")) {
        my $request = $answer->request->method . ' ' . $answer->request->uri->path;
        problem_ok $answer, 401, [ { field => undef } ], "$what: $request is a 401";
        like $answer->header('WWW-Authenticate'), qr/^Bearer realm="shop"/, '... and asks for a token';
    }
    is ask($bad{$what}, GET => $_)->code, 200,
        "... but GET $_ is for anyone, as existing clients expect" for '/api/tickets', $path;
}
problem_ok api(GET => '/api/orders', vhost => $server, user => 'alice'), 401, undef,
    'the passwords of shop.conf do not count any more';

# A page of another site can make a browser send the cookie, but only with forms, and those are refused.
for my $type ('application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain') {
    problem_ok ask($seller, POST => '/api/tickets', content => '{"title":"T","price":1}', type => $type), 415, undef,
        "a form of another site ($type) is refused";
}

wait_quiet($server);
is_deeply [ db($server)->selectrow_array('SELECT COUNT(*), SUM(version) FROM tickets') ], [ 1, 2 ],
    'none of that did anything';
$server->stop;
log_is_clean(server => $server, except => [ qr/\bauth_openidc:/ ]);
log_is_clean;
done_testing;
