# Configurations that cannot work: `httpd -t` refuses each with one sentence that names the directive and says what
# to do, and says nothing about one that is right.
# Of SQLite only: it is about its files, too.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Server;

my $Follows = "<IfModule orders_module>\nOrdersSubscribe tcp://127.0.0.1:6999\n</IfModule>\n";   # without it there is a warning
my $Db = qq(DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\n$Follows);
my $server = TestSvc::Server->new;

sub configtest {
    my (%conf) = @_;
    $server->write_conf(modules => [qw(tickets orders)], site => $Db, conf => '', %conf);
    return $server->configtest;
}

sub refused {   # $sentence: what the one line of ours must match
    my ($name, $sentence, %conf) = @_;
    my ($code, $output) = configtest(%conf);
    my @lines = grep { /\S/ } split /\n/, $output;
    # httpd's own refusals of a directive come after a line that says where it stands.
    @lines = grep { !/^AH00526: Syntax error on line/ } @lines;
    subtest $name => sub {
        isnt $code, 0, 'the exit code says no';
        is scalar(grep { $_ =~ $sentence } @lines), 1, 'the sentence is there once' or diag $output;
        my ($first) = @lines;
        like $first, $sentence, 'and comes first';
        is scalar(grep { !/^AH00014: Configuration check failed|^SVC051: / } @lines), 1,
            'with nothing else' or diag $output;
        unlike $output, qr/Syntax OK/, 'and no praise';
    };
    return;
}

sub host {
    my ($n, $conf) = @_;
    my $address = "127.0.0.1:\@port:vhost$n\@";
    return "Listen $address\n<VirtualHost $address>\n$conf</VirtualHost>\n";
}

my ($code, $output) = configtest();
is $code, 0, 'a database is all that is needed' or diag $output;
is $output, "Syntax OK\n", 'and there is nothing to say about it';
for my $module (qw(tickets orders)) {
    ($code, $output) = configtest(modules => [$module]);
    is "$code $output", "0 Syntax OK\n", "mod_$module alone is fine, too";
}
($code, $output) = configtest(site => "DBDriver sqlite3\n", modules => []);
is $code, 0, 'without the modules nothing is asked for' or diag $output;

# Endpoints. Each directive that takes one.
my $local = 'tcp://127.0.0.1:5556';
for my $service (qw(Tickets Orders)) {
    for my $directive ("${service}Publish", "${service}Replay", "${service}Subscribe") {
        for ([ '5556', 'tcp:// or ipc:///', qr/must be tcp:/ ],
             [ '127.0.0.1:5556', 'a scheme', qr/must be tcp:/ ],
             [ 'udp://127.0.0.1:5556', 'a scheme we know', qr/must be tcp:/ ],
             [ 'inproc://x', 'another process', qr/must be tcp:/ ],
             [ 'TCP://127.0.0.1:5556', 'small letters', qr/must be tcp:/ ],
             [ 'ipc://x', 'an absolute path', qr/must be tcp:/ ],
             [ 'ipc:///', 'a path', qr/must be tcp:/ ],
             [ 'tcp://127.0.0.1', 'a port', qr/must name a host and a port/ ],
             [ 'tcp://:5556', 'a host', qr/must name a host and a port/ ],
             [ 'tcp://127.0.0.1:', 'a port', qr/must have a port from 1 to 65535/ ],
             [ 'tcp://127.0.0.1:0', 'a port that is not 0', qr/must have a port from 1 to 65535/ ],
             [ 'tcp://127.0.0.1:70000', 'a port up to 65535', qr/must have a port from 1 to 65535/ ],
             [ 'tcp://127.0.0.1:-1', 'a port that is not negative', qr/must have a port from 1 to 65535/ ],
             [ 'tcp://127.0.0.1:x', 'a port in digits', qr/must have a port from 1 to 65535/ ],
             [ 'tcp://127.0.0.1:*', 'a port that subscribers can know', qr/must have a port from 1 to 65535/ ],
             [ 'tcp://127.0.0.1:5556x', 'a port without more', qr/must have a port from 1 to 65535/ ]) {
            my ($endpoint, $what, $sentence) = @$_;
            refused("$directive $endpoint: needs $what", qr/^\Q$directive: '$endpoint'\E $sentence/,
                conf => "$directive $endpoint\n");
        }
    }
    for my $noun (qw(Publish Replay)) {
        refused("$service$noun needs an address, not a name", qr/^$service$noun: 'tcp:\S+' must have an IP address/,
                conf => "$service$noun tcp://localhost:5556\n");
    }
    refused("${service}Subscribe with a bad second endpoint", qr/^${service}Subscribe: 'tcp:\S+:0' must have a port/,
            conf => "${service}Subscribe $local tcp://127.0.0.1:0\n");
}

# Endpoints that others can reach.
for my $service (qw(Tickets Orders)) {
    my $where = qr/SVC050: the main server: ${service}\w+ tcp:\S+/;
    my $sentence = qr/^$where can be reached from other machines.*${service}InsecureEndpoint On/;
    for my $conf ("${service}Publish tcp://0.0.0.0:5556", "${service}Publish tcp://*:5556",
                  "${service}Publish tcp://192.0.2.1:5556",
                  "${service}Publish tcp://[::]:5556", "${service}Replay tcp://0.0.0.0:5557",
                  "${service}Subscribe tcp://192.0.2.1:5556",
                  "${service}Subscribe $local tcp://192.0.2.1:5557", "${service}Subscribe tcp://tickets.example:5556",
                  "${service}Subscribe tcp://localhost.example:5556", "${service}Subscribe tcp://127.example:5556",
                  "${service}Subscribe tcp://127.0.0.1.example:5556",
                  "${service}Subscribe $local\n${service}Subscribe tcp://192.0.2.1:5556") {
        refused("$conf without ${service}InsecureEndpoint", $sentence, conf => "$conf\n");
        next if $conf =~ /\[/;
        ($code, $output) = configtest(conf => "$conf\n${service}InsecureEndpoint On\n");
        is "$code $output", "0 Syntax OK\n", "$conf is fine when it is meant";
    }
    refused("${service}InsecureEndpoint Off is the default", $sentence,
        conf => "${service}Publish tcp://*:5556\n${service}InsecureEndpoint Off\n");
    for my $conf ("${service}Publish $local", "${service}Publish tcp://[::1]:5556",
                  "${service}Publish ipc:///run/x.sock",
                  "${service}Subscribe tcp://localhost:5556", "${service}Publish tcp://127.9.9.9:5556") {
        ($code, $output) = configtest(conf => "$conf\n");
        is "$code $output", "0 Syntax OK\n", "$conf stays on this machine";
    }
}
refused('InsecureEndpoint of the other service does not count', qr/TicketsPublish .*TicketsInsecureEndpoint On/,
        conf => "TicketsPublish tcp://*:5556\nOrdersInsecureEndpoint On\n");
refused('InsecureEndpoint is On or Off', qr/^TicketsInsecureEndpoint must be On or Off/,
    conf => "TicketsInsecureEndpoint maybe\n");

# Endpoints that contradict one another.
for my $service (qw(Tickets Orders)) {
    my $handler = lc $service;
    refused("${service}Publish and ${service}Replay are one",
        qr/^SVC050: the main server: ${service}Publish and ${service}Replay are both $local/,
            conf => "${service}Publish $local\n${service}Replay $local\n");
    refused("$handler follows itself",
            qr/^SVC050: the main server: ${service}Subscribe $local follows this service itself/,
            conf => "${service}Publish $local\n${service}Subscribe $local\n");
    my ($one, $two) = map { qq(DBDParams "\@dir\@/data/$_.db"\n) } 1, 2;
    my $location = qq(<Location "/x">\nSetHandler $handler\nAuthType Basic\n</Location>\n);
    refused("one endpoint of $handler for two databases",
        qr/^SVC050: the virtual host \S+ \(\S+:\d+\): ${service}Publish $local is used for two databases/,
            conf => host(1, qq($one${service}Publish $local\n$location))
                . host(2, qq($two${service}Publish $local\n$location)));
    refused("one endpoint of $handler to publish and to replay in two databases",
        qr/^SVC050: .*${service}Replay $local is used for two databases/,
            conf => host(1, qq($one${service}Publish $local\n$location))
                . host(2, qq($two${service}Replay $local\n$location)));
    for my $noun (qw(Publish Replay)) {
        refused("two ${service}$noun on one database",
            qr/^SVC050: .*${service}$noun differs between two virtual hosts that share one database/,
                conf => host(1, "$service$noun $local\n$location")
                    . host(2, "$service$noun tcp://127.0.0.1:5566\n$location"));
        refused("$service$noun in one of two virtual hosts of one database", qr/^SVC050: .*${service}$noun differs/,
                conf => host(1, "$service$noun $local\n$location") . host(2, $location));
    }
    for (["${service}Retention 1", "${service}Retention 2"], ["${service}Subscribe $local", "${service}Subscribe tcp://127.0.0.1:5566"],
         ["${service}Subscribe $local", "${service}Subscribe $local tcp://127.0.0.1:5566"]) {
        my ($one, $two) = @$_;
        my ($directive) = split ' ', $one;
        refused("$one and $two in two virtual hosts of one database", qr/^SVC050: .*$directive differs between two virtual hosts/,
                conf => host(1, "$one\n$location") . host(2, "$two\n$location"));
    }
    ($code, $output) = configtest(conf => "${service}Publish $local\n" . host(1, $location) . host(2, $location));
    is "$code $output", "0 Syntax OK\n", 'two virtual hosts may share database and endpoints';
}

for (['TicketsPublish', 'OrdersPublish'], ['TicketsReplay', 'OrdersPublish'], ['TicketsReplay', 'OrdersReplay']) {
    my ($one, $two) = @$_;
    refused("one endpoint for $one and $two", qr/^SVC050: .*(?:$one and $two|$two and $one) are both $local/,
            conf => "$one $local\n$two $local\n");
}
for my $host ('300.1.1.1', '1', '127.0.0', '[::g]') {
    refused("an address that is none: $host", qr/^TicketsPublish: 'tcp:\S+' must have an IP address/,
            conf => "TicketsPublish tcp://$host:5556\n");
}

# Endpoints that are in the way of one another, or the same, though they are written differently.
for (['tcp://*:5556', 'tcp://127.0.0.1:5556'], ['tcp://127.0.0.1:5556', 'tcp://0.0.0.0:5556'], ['tcp://[::]:5556', 'tcp://[::1]:5556']) {
    my ($one, $two) = @$_;
    my $open = "TicketsInsecureEndpoint On\nOrdersInsecureEndpoint On\n";
    my $location = qq(<Location "/x">\nSetHandler tickets\nAuthType Basic\n</Location>\n);
    refused("$one for TicketsPublish, and $two for TicketsReplay", qr/^SVC050: .*TicketsPublish \Q$one\E and TicketsReplay \Q$two\E cannot both be bound/,
        conf => "${open}TicketsPublish $one\nTicketsReplay $two\n");
    refused("$one for TicketsPublish, and $two for OrdersReplay", qr/^SVC050: .*TicketsPublish \Q$one\E and OrdersReplay \Q$two\E cannot both be bound/,
        conf => "${open}TicketsPublish $one\nOrdersReplay $two\n");
    refused("$one and $two for two databases", qr/^SVC050: .*TicketsPublish (?:\Q$one\E and TicketsPublish \Q$two\E|\Q$two\E and TicketsPublish \Q$one\E) cannot both be bound/,
        conf => $open . host(1, qq(DBDParams "\@dir\@/data/1.db"\nTicketsPublish $one\n$location)) . host(2, qq(DBDParams "\@dir\@/data/2.db"\nTicketsPublish $two\n$location)));
}
refused('one endpoint for TicketsPublish in one virtual host, and for OrdersPublish in another one', qr/^SVC050: .*(?:TicketsPublish and OrdersPublish|OrdersPublish and TicketsPublish) are both $local/,
    conf => host(1, qq(DBDParams "\@dir\@/data/1.db"\nTicketsPublish $local\n)) . host(2, qq(DBDParams "\@dir\@/data/2.db"\nOrdersPublish $local\n)));
for my $service (qw(Tickets Orders)) {
    for (['tcp://*:5556', 'tcp://127.0.0.1:5556'], ['tcp://127.0.0.1:5556', 'tcp://localhost:5556']) {
        my ($bound, $followed) = @$_;
        my $own = "${service}InsecureEndpoint On\n${service}Publish $bound\n";
        refused("$service at $bound follows $followed", qr/^SVC050: .*${service}Subscribe $followed follows this service itself/,
            conf => "$own${service}Subscribe $followed\n");
        refused("$service at $bound asks $followed", qr/^SVC050: .*${service}Subscribe $followed follows this service itself/,
            conf => "$own${service}Subscribe tcp://127.0.0.1:6556 $followed\n");
    }
    ($code, $output) = configtest(conf => "${service}InsecureEndpoint On\n${service}Publish tcp://*:5556\n${service}Subscribe tcp://192.0.2.7:5556\n");
    is "$code $output", "0 Syntax OK\n", "$service: another machine may have the same port";
}

# The database.
my $need = qr/^SVC050: the main server: SetHandler (?:tickets|orders) needs a database: set DBDriver and DBDParams/;
refused('no DBDriver', $need, site => qq(DBDParams "\@dir\@/data/shop.db"\n));
refused('neither DBDriver nor DBDParams', $need, site => '');
refused('no DBDParams', qr/^SVC050: the main server: DBDriver sqlite3 needs DBDParams/, site => "DBDriver sqlite3\n");
refused('a relative path', qr/^SVC050: the main server: DBDParams "data\/shop.db" must be the absolute path/,
        site => qq(DBDriver sqlite3\nDBDParams "data/shop.db"\n));
refused('a database in memory', qr/^SVC050: .*DBDParams ":memory:" must be the absolute path/,
    site => qq(DBDriver sqlite3\nDBDParams ":memory:"\n));
refused('a driver that mod_dbd does not have', qr/DBD|driver/i, site => qq(DBDriver nosuch\nDBDParams "x"\n));
{
    $server->write_conf(site => $Db, conf => '', modules => ['tickets']);
    my $file = $server->dir . '/httpd.conf';
    open my $in, '<', $file or die "$file: $!";
    my @lines = grep { !/dbd_module|^DBD/ } <$in>;
    close $in;
    open my $out, '>', $file or die "$file: $!";
    print $out @lines;
    close $out;
    ($code, $output) = $server->configtest;
    isnt $code, 0, 'no mod_dbd: refused';
    like $output, qr/^SVC050: the main server: SetHandler tickets needs mod_dbd: load it and set DBDriver and /m,
        '... in a sentence';
}

# Fewer connections than threads.
for my $max ('', 'DBDMax 10', 'DBDMax 24') {
    my ($number) = $max =~ /(\d+)/ ? $1 : 10;
    ($code, $output) = configtest(limits => '', conf => "$max\n");
    is $code, 0, "DBDMax $number is accepted";
    my $warning = $server->{mpm} eq 'prefork' ? 0 : 1;   # whose processes have one thread
    is scalar(() = $output =~ /^SVC054: the main server: DBDMax $number(?:, the default,)? is less than the 25 threads of a process.* DBDMax 29 lets all$/mg), $warning,
        '... with a warning that has the numbers, once for both modules' or diag $output;
}
($code, $output) = configtest(limits => '', conf => "DBDMax 25\n");
is "$code $output", "0 Syntax OK\n", 'as many connections as threads are enough';
$server->write_conf(limits => undef);

# Orders that follow nobody.
my $alone = qq(DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\n);
($code, $output) = configtest(site => $alone);
is $code, 0, 'orders that follow nobody are accepted';
is scalar(() = $output =~ /^ORD002: the main server: SetHandler orders without OrdersSubscribe/mg), 1, '... with a warning' or diag $output;
{
    my ($apis, $orders) = ($server->{apis}, "<Location /o>\nSetHandler orders\nAuthType None\n</Location>\n");
    ($code, $output) = configtest(apis => '', site => $alone, conf => host(1, $orders) . host(2, "${orders}OrdersSubscribe tcp://127.0.0.1:6999\n"));
    is "$code $output", "0 Syntax OK\n", 'what one virtual host of a database follows counts for the others';
    $server->write_conf(apis => $apis);
}

# Numbers.
for ([ 'OrdersExpiration', '0', '-1', 'abc', ' ', '1.5', '10s', '31622401', '99999999999999999999' ],
     [ 'OrdersMaxBody', '0', '-1', 'abc', ' ', '1k', '1073741825' ],
     [ 'TicketsMaxBody', '0', '-1', 'abc', ' ', '1k', '1073741825' ]) {
    my ($directive, @values) = @$_;
    refused("$directive '$_'", qr/^$directive: '\Q$_\E' is not a number from 1 to \d+/, conf => qq($directive "$_"\n))
        for @values;
}
for my $directive ('TicketsIdempotencyTTL', 'OrdersIdempotencyTTL') {
    refused("$directive '$_'", qr/^$directive: '\Q$_\E' is not a number from 1 to 31622400/, conf => qq($directive "$_"\n))
        for '0', '-1', 'abc', '1d', '31622401';
    refused("$directive 10 and 20 in two virtual hosts of one database", qr/^SVC050: .*$directive differs between two virtual hosts/,
        conf => host(1, "$directive 10\n<Location /api>\nSetHandler " . ($directive =~ /^T/ ? 'tickets' : 'orders') . "\nAuthType None\n</Location>\n")
              . host(2, "$directive 20\n<Location /api>\nSetHandler " . ($directive =~ /^T/ ? 'tickets' : 'orders') . "\nAuthType None\n</Location>\n"));
}
refused("OrdersMaxActive '$_'", qr/^OrdersMaxActive: '\Q$_\E' is not a number from 0 to 1000000/, conf => qq(OrdersMaxActive "$_"\n))
    for '-1', 'many', '1000001';
refused('OrdersPayments outside of a location', qr/^OrdersPayments not allowed here/, conf => "OrdersPayments On\n");
refused('OrdersPayments with a word', qr/^OrdersPayments must be On or Off/, conf => "<Location /x>\nOrdersPayments maybe\n</Location>\n");
for my $directive ('TicketsRetention', 'OrdersRetention') {   # 0 is for ever
    refused("$directive '$_'", qr/^$directive: '\Q$_\E' is not a number from 0 to 36500/, conf => qq($directive "$_"\n))
        for '-1', 'abc', ' ', '1.5', '7d', '36501', '99999999999999999999';
    for my $days (0, 1, 36500) {
        ($code, $output) = configtest(conf => "$directive $days\n");
        is "$code $output", "0 Syntax OK\n", "$directive $days is fine";
    }
}
for my $conf ('OrdersExpiration 1', 'OrdersExpiration 31622400', 'OrdersMaxBody 1', 'TicketsMaxBody 1073741824',
        'TicketsIdempotencyTTL 1', 'OrdersIdempotencyTTL 31622400', 'OrdersMaxActive 0', 'OrdersMaxActive 1000000') {
    ($code, $output) = configtest(conf => "$conf\n");
    is "$code $output", "0 Syntax OK\n", "$conf is fine";
}
for my $guard ('', "Require valid-user\n", "Require user payments\nSetHandler orders\n",
               "Require user payments\n", "<RequireAll>\nRequire user payments\n</RequireAll>\n") {
    my $is_good = $guard =~ /payments/ && $guard !~ /SetHandler/;
    ($code, $output) = configtest(conf => "<Location /api/orders/1/payments>\nOrdersPayments On\n$guard</Location>\n");
    is $code, 0, 'OrdersPayments in a location is fine';
    is scalar(() = $output =~ /^ORD001: .*OrdersPayments On without a Require/mg), $is_good ? 0 : 1,
        $is_good ? '... with its guard' : '... and without one of its own a warning' or diag $output;
}
for my $directive ('TicketsSchema', 'OrdersSchema') {
    refused("$directive '$_'", qr/^$directive must be Auto or Off/, conf => qq($directive "$_"\n)) for 'On', 'manual', '0';
    for my $value (qw(Auto Off auto off AUTO)) {
        ($code, $output) = configtest(conf => "$directive $value\n");
        is "$code $output", "0 Syntax OK\n", "$directive $value is fine";
    }
    my $location = "<Location /api>\nSetHandler " . ($directive =~ /^T/ ? 'tickets' : 'orders') . "\nAuthType None\n</Location>\n";
    refused("$directive Auto and Off in two virtual hosts of one database", qr/^SVC050: .*$directive differs between two virtual hosts/,
        conf => host(1, "$directive Auto\n$location") . host(2, "$directive Off\n$location"));
}
refused("$_ belongs to a server, not to a location", qr/^$_ not allowed in <Location> context/,
    conf => "<Location />\n$_ 5\n</Location>\n")
    for 'OrdersExpiration', 'OrdersRetention', 'OrdersMaxActive', 'OrdersSchema', 'TicketsIdempotencyTTL', 'TicketsMaxBody', 'TicketsPublish';
refused('a directive without its argument', qr/^OrdersExpiration takes one argument/, conf => "OrdersExpiration\n");

log_is_clean;
done_testing;
