# conf/auth-basic.conf as it stands: users with passwords.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Example;

# As htpasswd -B writes it.
sub users {
    my (%password) = @_;
    return join '', map { "$_:" . crypt($password{$_}, '$2y$10$' . 'abcdefghijklmnopqrstuu') . "\n" } sort keys %password;
}

my $server = TestSvc::Example->new(['shop.conf', 'auth-basic.conf'])
    ->put('shop.users', users(alice => 'secret', bob => 'secret'))->start;

sub ask { my ($method, $path, @opt) = @_; return api($method => $path, vhost => $server, @opt) }
sub sell { return ask(POST => '/api/tickets', json => { title => 'Hamlet', price => 20 }, @_) }

# A good one.
my $sold = sell(user => 'alice');
is $sold->code, 201, 'a user with a good password sells';
is $sold->json->{userId}, 'alice', 'and is the seller';
my $order = new_order(vhost => $server, ticket => $sold->json);
is_deeply [ map { $_->{id} } @{ ask(GET => '/api/orders', user => 'bob')->json } ], [ $order->{id} ],
    'GET /api/orders shows the orders of that user';
is_deeply ask(GET => '/api/orders', user => 'alice')->json, [], 'and not those of another';

# None, and bad ones.
is ask(GET => '/api/tickets')->code, 200, 'tickets are shown to anyone';
for ([ 'no password' ], [ 'a wrong password', user => 'alice', password => 'x' ],
     [ 'an empty password', user => 'alice', password => '' ], [ 'an unknown user', user => 'mallory' ],
     [ 'a bearer token', headers => { Authorization => 'Bearer x' } ],
     [ 'a broken header', headers => { Authorization => 'Basic %%%' } ]) {
    my ($what, @opt) = @$_;
    for my $answer (sell(@opt), ask(GET => '/api/orders', @opt), @opt ? ask(GET => '/api/tickets', @opt) : ()) {
        my $request = $answer->request->method . ' ' . $answer->request->uri->path;
        problem_ok $answer, 401, [ { field => undef } ], "$what: $request is a 401";
        like $answer->header('WWW-Authenticate'), qr/^Basic realm="shop"/, '... and asks for a password';
    }
}

# What is remembered of a password.
$server->put('shop.users', users(alice => 'secret', bob => 'changed'));
is ask(GET => '/api/orders', user => 'bob')->code, 200,
    'a password is checked once: one that was changed counts until it is forgotten';
is ask(GET => '/api/orders', user => 'bob', password => 'changed')->code, 401, 'and the new one not before';
$server->restart;
is ask(GET => '/api/orders', user => 'bob')->code, 401, 'after a restart the old one does not count';
is ask(GET => '/api/orders', user => 'bob', password => 'changed')->code, 200, 'but the new one';

$server->stop;
log_is_clean(server => $server, except => [ qr/AH016(?:14|17|18)\b/ ]);
log_is_clean;
done_testing;
