# conf/auth-issuer.conf as it stands: bearer tokens of an identity provider, signed with its private key (RS256), made by
# it for this shop.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP 'encode_json';
use MIME::Base64 'encode_base64url';
use TestSvc;
use TestSvc::Example;

# Also the provider's own web server, from which its keys can be had.
my $server = TestSvc::Example->new(['shop.conf', 'auth-issuer.conf'], conf => <<'CONF')->put('shop.users', '');
LoadModule socache_shmcb_module "@modules@/mod_socache_shmcb.so"
LoadModule ssl_module "@modules@/mod_ssl.so"
SSLSessionCache "shmcb:ssl_cache(512000)"
Listen 127.0.0.1:@port:issuer@
<VirtualHost 127.0.0.1:@port:issuer@>
  SSLEngine on
  SSLCertificateFile "@dir@/etc/web.crt"
  SSLCertificateKeyFile "@dir@/etc/web.key"
</VirtualHost>
CONF
my $etc = $server->dir . '/etc';
my $certificate = "$etc/shop.issuer.crt";
openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=issuer -keyout), "$etc/issuer.key", '-out', $certificate);
openssl(qw(req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout),
        "$etc/web.key", '-out', "$etc/web.crt");
openssl(qw(genrsa -out), "$etc/other.key", 2048);
$server->start;

my $now = time;
my $key = { key => "$etc/issuer.key" };
my %kid = (kid => 'issuer-1');
sub claims { return { sub => 'user-1', iss => 'https://issuer.example', aud => 'shop', exp => $now + 600, @_ } }
sub without { my ($name) = @_; my $claims = claims(); delete $claims->{$name}; return $claims }
sub token { return jwt($key, claims(@_), \%kid) }
sub ask {
    my ($token, $method, $path, @opt) = @_;
    return api($method => $path, vhost => $server, @opt, headers => defined $token ? { Authorization => "Bearer $token" } : {});
}
sub sell { return ask($_[0], POST => '/api/tickets', json => { title => 'Hamlet', price => 20 }) }

# A good one.
my $sold = sell(token());
is $sold->code, 201, 'who has a good token sells';
is $sold->json->{userId}, 'user-1', 'and the seller is the token\'s sub';
my $bought = wait_until { my $answer = ask(token(sub => 'user-2'), POST => '/api/orders', json => { ticketId => $sold->json->{id} });
                          $answer->code == 201 && $answer } 10, 'the ticket is known to orders';
is_deeply [ map { $_->{id} } @{ ask(token(sub => 'user-2'), GET => '/api/orders')->json } ], [ $bought->json->{id} ],
    'GET /api/orders shows the orders of the token\'s user';
is_deeply ask(token(), GET => '/api/orders')->json, [], 'and of no other';
is ask(token(aud => [ 'another', 'shop' ]), GET => '/api/orders')->code, 200,
    'aud may be a list that has this shop in it';
is ask(jwt($key, claims()), GET => '/api/orders')->code, 200, 'a token need not name the key';
is ask(undef, GET => '/api/tickets')->code, 200, 'tickets are shown to anyone';
is ask(token(nbf => $now + 300), GET => '/api/orders')->code, 200, 'mod_auth_openidc does not look at nbf';

# Not good.
my ($public) = openssl(qw(x509 -noout -pubkey -in), $certificate);
my $text = openssl(qw(x509 -in), $certificate);
my ($header, undef, $signature) = split /\./, token();
my %unauthorized = (
    'an expired token'                       => token(exp => $now - 10),
    'a token without exp'                    => jwt($key, without('exp'), \%kid),
    'a token of another private key'         => jwt({ key => "$etc/other.key" }, claims(), \%kid),
    'a token of another user\'s signature'   => join('.', $header, (split /\./, token(sub => 'user-2'))[1], $signature),
    'a token without its signature'          => "$header." . (split /\./, token())[1] . '.',
    'a token with alg none'                  => jwt(undef, claims(), \%kid),
    'a token with an unknown kid'            => jwt($key, claims(), { kid => 'issuer-2' }),
    'an HS256 token of the public key'       => jwt({ secret => $public }, claims(), \%kid),
    'an HS256 token of the certificate'      => jwt({ secret => $text }, claims(), \%kid),
    'an HS256 token of it, without kid'      => jwt({ secret => $text }, claims()),
    'an HS256 token of its key, without kid' => jwt({ secret => $public }, claims()),
    'a token without sub'                    => jwt($key, without('sub'), \%kid),
    'no token at all'                        => 'garbage',
);
my %forbidden = (
    'a token of another issuer'        => token(iss => 'https://issuer.example.net'),
    'a token of an issuer of that beginning' => token(iss => 'https://issuer.example/x'),
    'a token without iss'              => jwt($key, without('iss'), \%kid),
    'a token for another audience'     => token(aud => 'shop2'),
    'a token for several others'       => token(aud => [ 'a', 'b' ]),
    'a token without aud'              => jwt($key, without('aud'), \%kid),
);
for ([ 401, \%unauthorized ], [ 403, \%forbidden ]) {
    my ($code, $tokens) = @$_;
    for my $what (sort keys %$tokens) {
        for my $answer (ask($tokens->{$what}, GET => '/api/orders'), sell($tokens->{$what}), ask($tokens->{$what}, GET => '/api/tickets')) {
            my $request = $answer->request->method . ' ' . $answer->request->uri->path;
            problem_ok $answer, $code, [ { field => undef } ], "$what: $request is a $code";
            my $challenge = $answer->header('WWW-Authenticate');
            $code == 401 ? like($challenge, qr/^Bearer realm="shop"/, '... and asks for a token')
                         : is($challenge, undef, '... and asks for nothing');
        }
    }
}
for my $answer (ask(undef, GET => '/api/orders'), sell(undef)) {
    problem_ok $answer, 401, [ { field => undef } ], 'without a token ' . $answer->request->method . ' is a 401';
    like $answer->header('WWW-Authenticate'), qr/^Bearer realm="shop"/, '... and asks for one';
}
is_deeply [ db($server)->selectrow_array('SELECT COUNT(*) FROM tickets') ], [1], 'none of that sold anything';

# The other way to have the keys, which the example mentions.
my ($modulus) = openssl(qw(x509 -noout -modulus -in), $certificate) =~ /^Modulus=(\w+)/;
open my $out, '>', $server->dir . '/htdocs/jwks.json' or die "jwks.json: $!";
print $out encode_json({ keys => [ { kty => 'RSA', alg => 'RS256', use => 'sig', kid => 'issuer-1', e => 'AQAB',
                                     n => encode_base64url(pack 'H*', $modulus) } ] });
close $out or die "jwks.json: $!";
my $keys = 'https://127.0.0.1:' . $server->port('issuer') . '/jwks.json';
$server->edit('auth-issuer.conf', sub { s{^OIDCOAuthVerifyCertFiles}{#$&}m or die "no certificate in $_" })
    ->edit('auth-issuer.conf', sub { s{^#(OIDCOAuthVerifyJwksUri) .*}{$1 $keys\nOIDCCABundlePath $etc/web.crt}m })->restart;
is sell(token())->code, 201, 'with the keys of OIDCOAuthVerifyJwksUri a good token is accepted';
is sell(jwt({ key => "$etc/other.key" }, claims(), \%kid))->code, 401, 'and a bad one is not';

$server->stop;
log_is_clean(server => $server, except => [ qr/\bauth_openidc:/, qr/\bssl:warn\]/, qr/AH01(?:629|631)\b/ ]);
log_is_clean;
done_testing;
