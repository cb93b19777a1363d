# Who the user is: whoever httpd says. Names of any kind, and those that cannot be kept. A server of its own that
# believes every name.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Encode 'encode_utf8';
use TestSvc;
use TestSvc::Server;

my $modules = $ENV{TEST_MODULES} || '/usr/lib/apache2/modules';
my $server = TestSvc::Server->new(conf => <<"CONF")->start;
LoadModule authn_anon_module "$modules/mod_authn_anon.so"
<LocationMatch "^/api/">
  AuthBasicProvider anon
  Anonymous "*"
  Anonymous_VerifyEmail Off
  Anonymous_MustGiveEmail Off
  Anonymous_LogEmail Off
</LocationMatch>
CONF

sub create { return api(POST => '/api/tickets', vhost => $server, user => $_[0], json => { title => 'T', price => 1 }) }

for ([ 'a plain name', 'alice' ], [ 'an address', 'alice+x@example.com' ], [ 'a name with quotes', q{o'"\\hara;--} ],
     [ 'a name in UTF-8', encode_utf8("J\x{f6}rg \x{65e5}") ], [ 'a name of 255 bytes', 'x' x 255 ],
     [ 'a name of 255 bytes in UTF-8', encode_utf8("\x{65e5}" x 85) ], [ 'a number', '42' ]) {
    my ($what, $user) = @$_;
    my $answer = create($user);
    is $answer->code, 201, "$what may sell" or diag $answer->as_string;
    is encode_utf8($answer->json->{userId}), $user, '... and is the seller';
    my $path = $answer->header('Location');
    is api(PUT => $path, vhost => $server, user => $user, json => { title => 'U', price => 1 })->code, 200,
        '... and may change it';
    is api(PUT => $path, vhost => $server, user => "$user.", json => { title => 'U', price => 1 })->code, 403,
        '... which a longer name may not';
    my $ordered = new_order(vhost => $server, user => $user, ticket => $answer->json);
    is encode_utf8($ordered->{userId}), $user, '... and may buy';
    is_deeply [ map { $_->{id} } @{ api(GET => '/api/orders', vhost => $server, user => $user)->json } ],
        [ $ordered->{id} ],
        '... and finds the order again';
}
is create('ALICE')->code, 201, 'another spelling is another user';
is scalar @{ api(GET => '/api/orders', vhost => $server, user => 'ALICE')->json }, 0, 'who has no orders';

for ([ 'a name of 256 bytes', 'x' x 256 ], [ 'a name of 86 characters in 258 bytes', encode_utf8("\x{65e5}" x 86) ],
     [ 'ISO 8859-1', "J\xf6rg" ], [ 'an overlong sequence', "\xc0\xaf" ], [ 'half a character', "a\xe6\x97" ]) {
    my ($what, $user) = @$_;
    problem_ok create($user), 403, [ { field => undef, message => qr/255 bytes/ } ], "$what is a 403";
    problem_ok api(GET => '/api/orders', vhost => $server, user => $user), 403, undef, '... for orders, too';
}
problem_ok api(POST => '/api/tickets', vhost => $server, user => '', json => {}), 401, undef, 'an empty name is nobody';

$server->stop;
log_is_clean(server => $server, except => [ qr/AH0161[78]\b/ ]);
log_is_clean;
done_testing;
