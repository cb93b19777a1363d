# Keys that only root can read: the parent reads them, the children, who are not root, use them; a key that User could
# read or change is refused.
use strict;
use warnings FATAL => 'all';
use Test::More;
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;

die "this one needs root\n" unless $> == 0;
my $user = $ENV{TEST_USER} || 'www-data';
my ($uid, $gid) = (getpwnam $user)[2, 3];
die "there is no user $user\n" unless defined $uid;

my $server = TestSvc::Server->new(user => $user, modules => ['tickets'], site => <<'CONF');
DBDriver sqlite3
DBDParams "@dir@/data/shop.db"
DBDMax 64
TicketsPublish        tcp://127.0.0.1:@port:pub@
TicketsReplay         tcp://127.0.0.1:@port:replay@
TicketsCurvePublicKey keys/own.public
TicketsCurveSecretKey keys/own.secret
TicketsCurveAllow     keys/allow
CONF
my $keys = $server->dir . '/keys';
mkdir $keys, 0700 or die "$keys: $!";
my ($own, $client) = map { new_keys("$keys/$_") } qw(own client);
sub allow {
    my ($text) = @_;
    open my $out, '>', "$keys/allow" or die "$keys/allow: $!";
    print $out $text;
    close $out;
    chmod 0600, "$keys/allow";
}
allow("$client->{public}\n");
is_deeply [(stat "$keys/own.secret")[2, 4]], [0100400, 0], 'the secret key is root\'s alone';

sub answered {
    my $page = eval { replay($server->endpoint('replay'), curve => { %$client, server => $own->{public} }, @_) };
    return $page && $page->{kind};
}
$server->start;
is answered(), 'EVENTS', "a child that runs as $user lets in who is on the list";
$server->graceful;
is answered(), 'EVENTS', 'also after a graceful restart';
allow('');
$server->graceful;
ok((eval { wait_until { answered(seconds => 1); $server->error_log =~ /SVC070/ } 10, 'the refusal' }), 'and nobody, when the list is empty');
$server->stop;
log_is_clean(server => $server, except => [qr/SVC070/], name => 'its error log has no unexpected line');

for my $name (qw(own.secret own.public allow)) {
    chown $uid, $gid, "$keys/$name" or die $!;
    my ($code, $output) = $server->configtest;
    isnt $code, 0, "$name that belongs to $user is refused";
    like $output, qr/^SVC050: .*: TicketsCurve\w+ \S+\Q$name\E belongs neither to root nor to the user that starts httpd/m, '... in a sentence';
    chown 0, 0, "$keys/$name" or die $!;
}
is +($server->configtest)[0], 0, 'those of root are right';

done_testing;
