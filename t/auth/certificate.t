# conf/auth-certificate.conf as it stands: users with client certificates.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Encode 'encode_utf8';
use LWP::UserAgent;
use POSIX 'strftime';
use TestSvc;
use TestSvc::Example;
use TestSvc::Truth;

my $server = TestSvc::Example->new(['shop.conf', 'auth-certificate.conf'])
    ->put('shop.users', "alice:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
my $etc = $server->dir . '/etc';

my @new_key = qw(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout);

sub self_signed {   # FILE.crt, FILE.key
    my ($file, $cn) = @_;
    openssl(qw(req -x509 -days 2), @new_key, "$etc/$file.key", '-out', "$etc/$file.crt", '-subj', "/CN=$cn");
}

# An authority NAME: NAME.crt, NAME.key, and what openssl needs to sign and to revoke.
sub authority {
    my ($name) = @_;
    self_signed($name, $name);
    $server->put("$name.index", '')->put("$name.cnf", <<"CNF");
[ca]
default_ca = any
[any]
database = $etc/$name.index
new_certs_dir = $etc
certificate = $etc/$name.crt
private_key = $etc/$name.key
rand_serial = yes
default_md = sha256
default_crl_days = 1
unique_subject = no
policy = any_policy
[any_policy]
commonName = optional
organizationName = optional
CNF
}

# A certificate for the common name CN, in FILE.crt and FILE.key, valid from and to so many seconds from now.
sub certificate {
    my ($file, $authority, $cn, $from, $to) = @_;
    my ($first, $last) = map { strftime '%Y%m%d%H%M%SZ', gmtime time + $_ } $from, $to;
    openssl(qw(req -new -utf8), @new_key, "$etc/$file.key", '-out', "$etc/$file.csr", '-subj', length $cn ? "/CN=$cn" : '/O=shop');
    openssl(qw(ca -batch -notext -utf8 -config), "$etc/$authority.cnf", '-in', "$etc/$file.csr", '-out', "$etc/$file.crt",
            '-startdate', $first, '-enddate', $last);
}

authority($_) for 'shop.clients', 'servers', 'others';
my @valid = (-3600, 86400);
certificate('shop', 'servers', '127.0.0.1', @valid);   # the server's own
certificate('payments', 'shop.clients', 'svc-payments', @valid);
certificate('mail', 'shop.clients', 'svc-mail', @valid);
certificate('expired', 'shop.clients', 'svc-payments', -7200, -3600);
certificate('early', 'shop.clients', 'svc-payments', 3600, 7200);
certificate('foreign', 'others', 'svc-payments', @valid);
certificate('umlaut', 'shop.clients', "J\xc3\xb6rg", @valid);
certificate('nameless', 'shop.clients', '', @valid);
self_signed('own', 'svc-payments');
$server->start;

my $https = 'https://127.0.0.1:' . $server->port(8443);
sub agent {
    my ($who, %opt) = @_;
    return LWP::UserAgent->new(keep_alive => 0, timeout => 10, ssl_opts => {
        SSL_ca_file => "$etc/servers.crt", verify_hostname => 0,
        defined $who ? (SSL_cert_file => "$etc/$who.crt", SSL_key_file => "$etc/$who.key") : (), %opt });
}
sub ask { my ($who, $method, $path, @opt) = @_; return api($method => $path, vhost => $https, agent => agent($who), @opt) }
sub sell { return ask($_[0], POST => '/api/tickets', json => { title => 'Hamlet', price => 20 }) }

# A good one.
my $sold = sell('mail');
is $sold->code, 201, 'who has a good certificate sells';
is $sold->json->{userId}, 'svc-mail', 'and the seller is its common name';
my $path = '/api/tickets/' . $sold->json->{id};
my $bought = wait_until { my $answer = ask('payments', POST => '/api/orders', json => { ticketId => $sold->json->{id} });
                          $answer->code == 201 && $answer } 10, 'the ticket is known to orders';
is $bought->json->{userId}, 'svc-payments', 'the buyer is that of another one';
is_deeply [ map { $_->{id} } @{ ask('payments', GET => '/api/orders')->json } ], [ $bought->json->{id} ],
    'GET /api/orders shows the orders of the certificate\'s user';
is_deeply ask('mail', GET => '/api/orders')->json, [], 'and of no other';
problem_ok ask('payments', PUT => $path, json => { title => 'Hamlet', price => 1 }), 403, [ { message => qr/seller/ } ],
    'nobody else may change a ticket';
is ask('mail', GET => $path)->json->{userId}, 'svc-mail', 'tickets are shown to who has a certificate';
is api(GET => $path, vhost => $server)->code, 200, 'it is the service that the other port has';

# None.
is ask(undef, GET => '/api/tickets')->code, 200, 'without a certificate tickets are shown';
for ([ POST => '/api/tickets' ], [ PUT => $path ], [ GET => "$path/history" ], [ GET => '/api/orders' ],
     [ POST => '/api/orders' ], [ DELETE => '/api/orders/' . $bought->json->{id} ]) {
    my ($method, $where) = @$_;
    my @body = $method =~ /POST|PUT/ ? (json => {}) : ();
    problem_ok ask(undef, $method, $where, @body), 403, [ { field => undef } ], "but $method $where is a 403";
    problem_ok ask(undef, $method, $where, @body, user => 'alice'), 403, undef, '... also with a password of shop.conf';
}
is_deeply ask('payments', GET => '/api/orders', user => 'alice')->json, ask('payments', GET => '/api/orders')->json,
    'a password beside a certificate changes nothing';

# Names.
is encode_utf8(sell('umlaut')->json->{userId}), "J\xc3\xb6rg", 'a common name may have any letters';
problem_ok sell('nameless'), 403, [ { field => undef } ], 'a certificate without a common name is nobody\'s';
problem_ok ask('nameless', GET => '/api/orders'), 403, undef, 'and has no orders';

# Bad ones get no connection.
sub refused_ok {
    my ($who, $what, $reason) = @_;
    for my $ask (sub { ask($who, GET => '/api/tickets') }, sub { sell($who) }) {
        my $before = length $server->error_log;
        my $answer = $ask->();
        is $answer->header('Client-Warning'), 'Internal response', "$what gets no answer to " . $answer->request->method
            or diag $answer->as_string;
        wait_until { substr($server->error_log, $before) =~ /AH02276: Certificate Verification: Error \(\d+\): (.*?) \[/ } 5,
            'the error log says why';
        like substr($server->error_log, $before), qr/AH02276: Certificate Verification: Error \(\d+\): $reason/,
            '... for that reason';
    }
}
refused_ok('expired', 'an expired certificate', 'certificate has expired');
refused_ok('early', 'a certificate that is not valid yet', 'certificate is not yet valid');
refused_ok('foreign', 'a certificate of another authority', 'unable to get local issuer certificate');
refused_ok('own', 'a certificate that its owner signed', 'self-signed certificate');

# A certificate whose key was lost.
openssl(qw(ca -config), "$etc/shop.clients.cnf", '-revoke', "$etc/mail.crt");
is sell('mail')->code, 201, 'that a certificate was revoked is not known by itself';
openssl(qw(ca -gencrl -config), "$etc/shop.clients.cnf", '-out', "$etc/shop.clients.crl");
$server->edit('auth-certificate.conf', sub { s/^( *)#(?=SSLCARevocation)/$1/mg })->restart;
refused_ok('mail', 'with a revocation list, a revoked certificate', 'certificate revoked');
is ask('payments', GET => '/api/orders')->code, 200, 'and the others are as good as before';

wait_quiet($server);
is_deeply [ db($server)->selectrow_array('SELECT COUNT(*), SUM(version) FROM tickets') ], [ 3, 1 ],
    'none of the rest did anything';
$server->stop;
log_is_clean(server => $server, except => [ qr/\bssl:warn\]/, qr/AH01630\b/ ]);
log_is_clean;
done_testing;
