# Keys of CURVE in the configuration: `httpd -t` refuses what would leave a door open or shut for good, in one
# sentence that names the directive, and says nothing about what is right.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use POSIX 'mkfifo';
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;

my $server = TestSvc::Server->new;
my $dir = $server->dir;
my ($own, $other) = map { new_keys("$dir/$_") } qw(own other);
sub file {
    my ($name, $text, $mode) = @_;
    unlink "$dir/$name";
    open my $out, '>', "$dir/$name" or die "$dir/$name: $!";
    print $out $text;
    close $out or die "$dir/$name: $!";
    chmod $mode, "$dir/$name" or die "$dir/$name: $!";
    return "$dir/$name";
}
file('allow', "# clients\n$other->{public} the other\n\n", 0644);
file('nobody', "# nobody yet\n", 0644);

sub configtest {
    my ($conf) = @_;
    $server->write_conf(site => qq(DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\nOrdersSubscribe tcp://127.0.0.1:6999\n), conf => $conf);
    return $server->configtest;
}
sub accepted {
    my ($name, $conf) = @_;
    is join(' ', configtest($conf)), "0 Syntax OK\n", $name;
}
sub refused {
    my ($name, $sentence, $conf) = @_;
    my ($code, $output) = configtest($conf);
    my @lines = grep { /\S/ && !/^AH00526: Syntax error on line|^AH00014: Configuration check failed/ } split /\n/, $output;
    subtest $name => sub {
        isnt $code, 0, 'the exit code says no';
        like $lines[0], $sentence, 'the sentence says why';
        is scalar(@lines), 1, 'and there is no other' or diag $output;
        unlike $output, qr/\Q$_\E/, 'no secret key is shown' for $own->{secret}, $other->{secret};
    };
}

my ($away, $away2) = ('tcp://192.0.2.1:5556', 'tcp://192.0.2.1:5557');
for my $service (qw(Tickets Orders)) {
    my $secret = "${service}CurveSecretKey own.secret\n";
    my $keys = "${service}CurvePublicKey own.public\n$secret";
    my $all = "$keys${service}CurveAllow allow\n";
    my $publish = "${service}Publish tcp://*:5556\n";
    my $main = qr/^SVC050: the main server: /;

    # --- what is right
    accepted("$service: keys and a list let other machines connect", $all . $publish . "${service}Replay tcp://*:5557\n");
    accepted("$service: absolute paths", join '', $publish, map { "${service}Curve$_->[0] $dir/$_->[1]\n" }
        ['PublicKey', 'own.public'], ['SecretKey', 'own.secret'], ['Allow', 'allow']);
    accepted("$service: a list with nobody on it", "$keys${service}CurveAllow nobody\n$publish");
    accepted("$service: keys on loopback", "$all${service}Publish tcp://127.0.0.1:5556\n");
    accepted("$service: to follow alone takes no list", "$keys${service}Subscribe $away $away2 $other->{public}\n");
    accepted("$service: nor does a pair that is not needed", $keys);
    accepted("$service: a server key in a file", "$keys${service}Subscribe $away $away2 $dir/other.public\n");
    accepted("$service: a publisher without replay", "$keys${service}Subscribe $away - $other->{public}\n");
    accepted("$service: - is no replay without a key, too", "${service}Subscribe tcp://127.0.0.1:5556 -\n");
    accepted("$service: a subscription without CURVE on loopback beside one with it",
        "$keys${service}Subscribe tcp://127.0.0.1:5556\n${service}Subscribe $away - $other->{public}\n");

    # --- one directive without the others
    refused("$service: a public key alone", qr/$main${service}CurvePublicKey needs ${service}CurveSecretKey/,
        "${service}CurvePublicKey own.public\n");
    refused("$service: a secret key alone", qr/$main${service}CurveSecretKey needs ${service}CurvePublicKey/, $secret);
    refused("$service: a list alone", qr/$main${service}CurveAllow needs ${service}CurvePublicKey and ${service}CurveSecretKey/,
        "${service}CurveAllow allow\n");
    refused("$service: keys to publish with and no list",
        qr/$main${service}CurveSecretKey needs ${service}CurveAllow: .* tcp:\S+:5556$/, $keys . $publish);
    refused("$service: keys to replay with and no list, also on loopback",
        qr/$main${service}CurveSecretKey needs ${service}CurveAllow: .* tcp:\S+:5557$/, "$keys${service}Replay tcp://127.0.0.1:5557\n");
    refused("$service: without a list not even where the network is trusted", qr/$main${service}CurveSecretKey needs ${service}CurveAllow/,
        "$keys$publish${service}InsecureEndpoint On\n");

    # --- subscriptions
    refused("$service: a server key and no keys", qr/$main${service}Subscribe \Q$away\E has a server key and needs ${service}CurvePublicKey and/,
        "${service}Subscribe $away $away2 $other->{public}\n");
    refused("$service: another machine without its server key",
        qr/$main${service}Subscribe \Q$away\E can be reached from other machines.* server key .*${service}InsecureEndpoint On/,
        "$all${service}Subscribe $away\n");
    refused("$service: ... behind a placeholder", qr/$main${service}Subscribe \Q$away\E can be reached/, "$all${service}Subscribe $away -\n");
    for ([ 'abc', 'a short server key' ], [ substr($other->{public}, 1), 'one of 39 characters' ], [ "$other->{public}x", 'one of 41' ],
         [ 'keys/other.public', 'a relative path' ], [ '#' x 40, 'more than 32 bytes' ]) {
        refused("$service: $_->[1]", qr/^${service}Subscribe: '\Q$_->[0]\E' is not a server key/, "$keys${service}Subscribe $away $away2 '$_->[0]'\n");
    }
    refused("$service: a server key in a file that is not there", qr{^${service}Subscribe: '/none/x' cannot be read: No such file},
        "$keys${service}Subscribe $away $away2 /none/x\n");
    refused("$service: a placeholder for the publisher", qr/^${service}Subscribe: '-' must be tcp:/, "${service}Subscribe - $away\n");
    refused("$service: four arguments", qr/^${service}Subscribe takes one, two or three arguments/,
        "${service}Subscribe $away $away2 $other->{public} x\n");

    # --- files
    my $pair = "${service}CurvePublicKey own.public\n${service}CurveSecretKey";
    refused("$service: a secret file that is not there", qr{$main${service}CurveSecretKey \Q$dir\E/none cannot be read: No such file}, "$pair none\n");
    refused("$service: a folder", qr{$main${service}CurveSecretKey \Q$dir\E/data is not an ordinary file}, "$pair data\n");
    mkfifo "$dir/pipe", 0600;
    refused("$service: a pipe", qr{$main${service}CurveSecretKey \S+/pipe is not an ordinary file}, "$pair pipe\n");
    refused("$service: the secret key of another pair",
        qr{$main${service}CurveSecretKey \S+/other\.secret is not the secret key of the public one in \S+/own\.public$}, "$pair other.secret\n");
    refused("$service: two keys in one file", qr{$main${service}CurveSecretKey \S+/double must hold a key and nothing else},
        "$pair @{[ file('double', qq($own->{secret}\n$own->{secret}\n), 0400) ]}\n");
    for my $mode (0440, 0404, 0420, 0402, 0640) {
        refused(sprintf("$service: a secret file of mode %04o", $mode),
            qr{$main${service}CurveSecretKey \S+/open must be closed to its group and to others.*chmod 400},
            "$pair @{[ file('open', qq($own->{secret}\n), $mode) ]}\n");
    }
    refused("$service: a public file that others may write", qr{$main${service}CurvePublicKey \S+/loose can be written by .*chmod go-w},
        "${service}CurvePublicKey @{[ file('loose', $own->{public}, 0646) ]}\n$secret");
    refused("$service: a public key that is none", qr{$main${service}CurvePublicKey \S+/none must hold a key},
        "${service}CurvePublicKey @{[ file('none', 'x' x 41, 0644) ]}\n$secret");
    unlink "$dir/none";
    refused("$service: a list that is not there", qr{$main${service}CurveAllow \S+/none cannot be read: No such file}, "$keys${service}CurveAllow none\n");
    refused("$service: a list that the group may write", qr{$main${service}CurveAllow \S+/loose can be written by its group},
        "$keys${service}CurveAllow @{[ file('loose', $other->{public}, 0664) ]}\n");
    refused("$service: a line of the list that is no key", qr{$main${service}CurveAllow \S+/list line 4 does not begin with a key},
        "$keys${service}CurveAllow @{[ file('list', qq(# x\n$other->{public} bob\n\neve\n), 0644) ]}\n");

    # --- two virtual hosts that are one service
    my $n = 0;
    my $host = sub {
        my ($conf) = @_;
        my $address = '127.0.0.1:@port:vhost' . ++$n . '@';
        my $location = qq(<Location "/x">\nSetHandler \L$service\E\nAuthType Basic\n</Location>\n);
        return "Listen $address\n<VirtualHost $address>\n$conf$location</VirtualHost>\n";
    };
    for (['CurvePublicKey', "${service}CurvePublicKey $dir/copy.public\n"], ['CurveSecretKey', "${service}CurveSecretKey $dir/copy.secret\n"],
         ['CurveAllow', "${service}CurveAllow nobody\n"]) {
        my ($noun, $change) = @$_;
        file('copy.public', $own->{public}, 0644);
        file('copy.secret', $own->{secret}, 0400);
        refused("$service: another $noun in one of two virtual hosts of one database",
            qr/^SVC050: the virtual host .*: $service$noun differs between two virtual hosts/,
            $all . $host->('') . $host->($change));
    }
    accepted("$service: two virtual hosts may share the keys", $all . $publish . $host->('') . $host->(''));
}
refused('keys of the other service do not count', qr/TicketsPublish \S+ can be reached .*TicketsCurveSecretKey.*TicketsInsecureEndpoint On/,
    "TicketsPublish tcp://*:5556\nOrdersCurvePublicKey own.public\nOrdersCurveSecretKey own.secret\nOrdersCurveAllow allow\n");

# --- svc-keygen
my $keygen = ($ENV{TEST_BUILD} || 'build') . '/svc-keygen';
sub run { my $output = qx{'$keygen' $_[0] 2>&1}; return ($? >> 8, $output) }
sub text { open my $in, '<', $_[0] or return ''; local $/; return scalar <$in> }
sub mode { return sprintf '%04o', (stat $_[0])[2] & 07777 }
umask 0077;
my ($code, $output) = run("'$dir/new'");
is $code, 0, 'svc-keygen makes a pair';
like $output, qr/^\S{40}\n\z/, '... and prints a key';
is text("$dir/new.public"), $output, '... the public one, which is in NAME.public';
is mode("$dir/new.public"), '0644', '... that all may read';
is mode("$dir/new.secret"), '0400', 'the secret one is for its owner alone';
isnt text("$dir/new.secret"), $output, '... and is another';
my $secret = text("$dir/new.secret");
($code, $output) = run("'$dir/new'");
is $code, 1, 'it does not replace a pair';
like $output, qr/^svc-keygen: \S+new\.secret: File exists$/, '... and says so';
is text("$dir/new.secret"), $secret, '... which stays as it was';
unlink "$dir/new.secret";
($code, $output) = run("'$dir/new'");
is $code, 1, 'nor a public key alone';
ok !-e "$dir/new.secret", '... and leaves no half of a pair';
is +(run("'$dir/none/x'"))[0], 1, 'a folder that is not there is an error';
for my $arguments ('', '--nonsense', 'one two', "''") {
    ($code, $output) = run($arguments);
    is $code, 2, "svc-keygen $arguments: exit code 2";
    like $output, qr/^usage: svc-keygen NAME$/m, '... and how to use it';
}
($code, $output) = run('--help');
is $code, 0, '--help is no error';
like $output, qr/^usage: svc-keygen NAME$/m, '... and says how to use it';
is_deeply [run('--version')], [0, "svc-keygen " . (text('common/svc_version.h') =~ /^#define SVC_VERSION "(.*)"$/m)[0] . "\n"],
    '--version says which it is';

log_is_clean;
done_testing;
