# conf/auth-bearer.conf as it stands: bearer tokens signed with a shared secret (HS256), of a login service of one's own.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Example;
use TestSvc::Truth;

my $secret = 'c0ffee' x 10;
my $server = TestSvc::Example->new(['shop.conf', 'auth-bearer.conf'])
    ->put('shop.users', "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    ->put('shop.secret', "Define SHOP_SECRET $secret\n")->start;
my ($now, $key) = (time, { secret => $secret });

sub token { my ($user, %claims) = @_; return jwt($key, { sub => $user, exp => $now + 600, %claims }) }
sub ask {
    my ($token, $method, $path, @opt) = @_;
    return api($method => $path, vhost => $server, @opt, headers => defined $token ? { Authorization => "Bearer $token" } : {});
}
sub sell { return ask($_[0], POST => '/api/tickets', json => { title => 'Hamlet', price => 20 }) }
sub buy  { return ask($_[0], POST => '/api/orders', json => { ticketId => $_[1] }) }

# A good one.
my $sold = sell(token('seller-1'));
is $sold->code, 201, 'who has a good token sells';
is $sold->json->{userId}, 'seller-1', 'and the seller is the token\'s sub';
my $path = '/api/tickets/' . $sold->json->{id};
is ask(token('seller-1'), PUT => $path, json => { title => 'Hamlet', price => 21 })->code, 200, 'who may change it';
problem_ok ask(token('seller-2'), PUT => $path, json => { title => 'Hamlet', price => 1 }), 403, undef,
    'as nobody else may';
my $bought = wait_until { my $answer = buy(token('buyer-1'), $sold->json->{id}); $answer->code == 201 && $answer } 10,
    'the ticket is known to orders';
is $bought->json->{userId}, 'buyer-1', 'the buyer is the sub of another token';
is_deeply [ map { $_->{id} } @{ ask(token('buyer-1'), GET => '/api/orders')->json } ], [ $bought->json->{id} ],
    'GET /api/orders shows the orders of the token\'s user';
is_deeply ask(token('buyer-2'), GET => '/api/orders')->json, [], 'and of no other';
is ask(token('buyer-1'), DELETE => '/api/orders/' . $bought->json->{id})->code, 204, 'who cancels them';
is ask(jwt($key, { sub => 'u', exp => $now + 600 }, { kid => 'main' }), GET => '/api/orders')->code, 200,
    'a token may name the key by its kid';
is ask(token('u', aud => 'another', iss => 'anyone', iat => $now + 300), GET => '/api/orders')->code, 200,
    'this example looks at no iss, aud and iat';
is ask(token('u', nbf => $now + 300), GET => '/api/orders')->code, 200, 'and mod_auth_openidc does not look at nbf';

# No token.
is ask(undef, GET => '/api/tickets')->code, 200, 'tickets are shown to anyone';
is ask(undef, OPTIONS => '/api/tickets')->code, 204, 'as are the methods there';

# Bad ones: nowhere anonymous.
my $good = token('seller-1');
my ($header, $claims, $signature) = split /\./, $good;
my ($others_header, $others_claims) = split /\./, token('seller-2');
my $flipped = substr($signature, 0, 10) . (substr($signature, 10, 1) eq 'A' ? 'B' : 'A') . substr $signature, 11;
my %bad = (
    'an expired token'                    => token('u', exp => $now - 10),
    'a token without exp'                 => jwt($key, { sub => 'u' }),
    'a token whose exp is null'           => token('u', exp => undef),
    'a token whose exp is no number'      => token('u', exp => 'never'),
    'a token with another secret'         => jwt({ secret => 'x' x 60 }, { sub => 'u', exp => $now + 600 }),
    'a token with an empty secret'        => jwt({ secret => '' }, { sub => 'u', exp => $now + 600 }),
    'a token with the claims of another'  => "$header.$others_claims.$signature",
    'a token with another signature'      => "$header.$claims.$flipped",
    'a token without its signature'       => "$header.$claims.",
    'a token of two parts'                => "$header.$claims",
    'a token with alg none'               => jwt(undef, { sub => 'u', exp => $now + 600 }),
    'a token with alg None'               => jwt(undef, { sub => 'u', exp => $now + 600 }, { alg => 'None' }),
    'a token that says RS256'             => jwt($key, { sub => 'u', exp => $now + 600 }, { alg => 'RS256' }),
    'a token with an unknown kid'         => jwt($key, { sub => 'u', exp => $now + 600 }, { kid => 'other' }),
    'a token without sub'                 => jwt($key, { exp => $now + 600 }),
    'a token whose sub is a number'       => token(5),
    'a token whose sub is empty'          => token(''),
    'a token whose claims are no object'  => jwt($key, ['seller-1']),
    'no token at all'                     => 'garbage',
    'an empty token'                      => '',
);
for my $what (sort keys %bad) {
    for my $answer (ask($bad{$what}, GET => '/api/orders'), sell($bad{$what}), ask($bad{$what}, GET => '/api/tickets'),
                    ask($bad{$what}, GET => $path)) {
        my $request = $answer->request->method . ' ' . $answer->request->uri->path;
        problem_ok $answer, 401, [ { field => undef } ], "$what: $request is a 401";
        like $answer->header('WWW-Authenticate'), qr/^Bearer realm="shop"/, '... and asks for a token';
    }
}
for my $answer (ask(undef, GET => '/api/orders'), sell(undef)) {
    problem_ok $answer, 401, [ { field => undef } ], 'without a token ' . $answer->request->method . ' is a 401';
    like $answer->header('WWW-Authenticate'), qr/^Bearer realm="shop"/, '... and asks for one';
}
problem_ok api(GET => '/api/orders', vhost => $server, user => 'alice'), 401, undef,
    'the passwords of shop.conf do not count any more';
problem_ok sell(token('x' x 256)), 403, [ { field => undef, message => qr/255/ } ],
    'a good token whose user has too long a name is a 403';

wait_quiet($server);
is_deeply [ db($server)->selectrow_array('SELECT COUNT(*), SUM(version) FROM tickets') ], [ 1, 3 ],
    'none of that did anything';

$server->stop;
log_is_clean(server => $server, except => [ qr/\bauth_openidc:/, qr/AH01629\b/ ]);
log_is_clean;
done_testing;
