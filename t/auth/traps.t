# What looks right in a configuration and is not: the traps that docs/authentication.md tells, each beside what it says
# to do. The examples of conf/ do not have them.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Example;

my $secret = 'c0ffee' x 10;
my $expires = '-n %{REMOTE_USER} && %{env:OIDC_CLAIM_exp} -gt 0';
my %rules = (   # folder => who may do what there
    limit   => "<LimitExcept GET>\nRequire valid-user\n</LimitExcept>",
    method  => "<RequireAny>\nRequire method GET\nRequire valid-user\n</RequireAny>",
    if      => "<If \"\%{REQUEST_METHOD} == 'GET' && -z \%{HTTP:Authorization}\">\nRequire all granted\n</If>\n"
             . "<Else>\nRequire valid-user\n</Else>",
    valid   => 'Require valid-user',
    expires => qq(Require expr "$expires"),
    early   => 'Require expr "%{env:OIDC_CLAIM_exp} -gt 0"',
    claim   => 'Require claim aud:shop',
    claim_f => "Require claim aud:shop\nAuthzSendForbiddenOnFailure On",
);
my $rules = join '', map { <<"RULE" } sort keys %rules;
<Location "/$_">
  AuthType oauth20
  AuthName "shop"
  OIDCPassClaimsAs environment
  $rules{$_}
</Location>
<Location "/$_/orders">
  SetHandler orders
</Location>
<Location "/$_/tickets">
  SetHandler tickets
</Location>
RULE
my $server = TestSvc::Example->new(['shop.conf'], conf => <<"CONF" . $rules)->put('shop.users', '')->start;
LoadModule auth_openidc_module "\@modules\@/mod_auth_openidc.so"
OIDCOAuthVerifySharedKeys "plain##$secret"
OIDCOAuthRemoteUserClaim sub
CONF

my $key = { secret => $secret };
my %claims = (sub => 'user-1', exp => time + 600);
my ($good, $bad) = (jwt($key, \%claims), 'garbage');
sub read_orders {
    my ($folder, $token) = @_;
    return api(GET => "/$folder/orders", vhost => $server, headers => $token ? { Authorization => "Bearer $token" } : {});
}

sub read_tickets {
    my ($folder, $token) = @_;
    return api(GET => "/$folder/tickets", vhost => $server, headers => { Authorization => "Bearer $token" });
}

# Reading for anyone, and a user for whoever says who they are.
for my $folder (qw(limit method)) {
    is read_orders($folder, $good)->code, 200, "$folder: a GET that needs a user has it with a good token";
    like read_orders($folder, $bad)->header('WWW-Authenticate'), qr/invalid_token/, '... a bad one is refused as such';
    my $answer = read_orders($folder);
    problem_ok $answer, 401, [ { message => qr/^Not authorized\z/ } ], '... and without one it is refused by the service';
    like $answer->header('WWW-Authenticate'), qr/^Bearer realm="shop"\z/, '... which asks for one';
    is read_tickets($folder, $bad)->code, 200, '... but what needs no user is shown with a bad token, too';
}
is read_tickets('if', $bad)->code, 401, '<If>: with a bad token nothing is shown';
is read_orders('if', $good)->code, 200, '<If>: with a good token GET has its user';
like read_orders('if', $bad)->header('WWW-Authenticate'), qr/invalid_token/, 'and a bad token is refused as one';
problem_ok read_orders('if'), 401, [ { message => qr/^Not authorized\z/ } ], 'without one GET comes to the service';

# Tokens that never expire.
my $endless = jwt($key, { sub => 'user-1' });
is read_orders('valid', $endless)->code, 200, 'Require valid-user: a token without exp is good';
is read_orders('valid', jwt($key, { sub => 'user-1', exp => '0' }))->code, 200, 'as is one whose exp is a text';
is read_orders('valid', jwt($key, { %claims, nbf => time + 300 }))->code, 200, 'or that will be valid later';
is read_orders('expires', $good)->code, 200, 'the rule about exp: a good token is good';
my $answer = read_orders('expires', $endless);
problem_ok $answer, 401, undef, 'and a token without exp is refused';
is $answer->header('WWW-Authenticate'), 'Bearer realm="shop"', 'with a challenge, which httpd itself would not make';
is read_orders('early', $good)->code, 403, 'without REMOTE_USER in it the rule refuses every token, before it was read';

# Claims.
my $others = jwt($key, { %claims, aud => 'another' });
is read_orders('valid', $others)->code, 200, 'Require valid-user: a token for another audience is good';
$answer = read_orders('claim', $others);
problem_ok $answer, 401, undef, 'Require claim: it is a 401';
is $answer->header('WWW-Authenticate'), 'Bearer realm="shop"', 'with a challenge, which httpd itself would not make';
problem_ok read_orders('claim_f', $others), 403, undef, 'and with AuthzSendForbiddenOnFailure a 403';
is read_orders($_, jwt($key, { %claims, aud => 'shop' }))->code, 200, "$_: one for this audience is good"
    for 'claim', 'claim_f';

# Names of keys.
problem_ok read_orders('valid', jwt($key, \%claims, { kid => 'main' })), 401, undef,
    'a token that names its key is refused where the key has no name';

$server->stop;
log_is_clean(server => $server, except => [ qr/\bauth_openidc:/, qr/AH01(?:629|630|631)\b/ ]);
log_is_clean;
done_testing;
