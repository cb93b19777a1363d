# What is in effect: `httpd -t -D DUMP_TICKETS` and `-D DUMP_ORDERS`, for each virtual host, with the defaults and without a
# secret. Nor is one in a refusal, or in the error log, however much is logged there.
# Of SQLite only: it shows where the file is.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;

my $server = TestSvc::Server->new;
my $dir = $server->dir;
my ($own, $peer) = map { new_keys("$dir/$_") } qw(own peer);
open my $list, '>', "$dir/allow" or die "allow: $!";
print $list "$peer->{public}\n";
close $list or die "allow: $!";
chmod 0644, "$dir/allow";

sub dump_of {   # what httpd prints about each server, in a hash; all of it
    my ($which, %conf) = @_;
    $server->write_conf(conf => '', %conf);
    my ($code, $output) = $server->configtest(map { ('-D', "DUMP_$_") } split / /, $which);
    my (%of, $service, $name);
    for (split /\n/, $output) {
        if    (/^mod_(\w+):$/)                                   { $service = $1 }
        elsif (/^(the (?:main server|virtual host \S+))/)        { $name = $1; $of{"$service $name"} = [/: not used$/ ? 'not used' : ()] }
        elsif (defined $name && s/^  (?=\S)//)                   { s/ +/ /g; push @{ $of{"$service $name"} }, $_ }
    }
    return (\%of, $code, $output);
}

# Defaults.
my ($of, $code, $output) = dump_of('ORDERS', site => qq(DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\nOrdersSubscribe tcp://127.0.0.1:5556\n));
is $code, 0, 'a configuration is dumped' or diag $output;
is_deeply $of->{'orders the main server'}, ['<Location "/api/orders"> SetHandler orders', 'DBDriver sqlite3', qq(DBDParams "$dir/data/shop.db"),
    'DBDMax 10 # default', '# OrdersPublish is not set', '# OrdersReplay is not set', 'OrdersSubscribe tcp://127.0.0.1:5556',
    '# OrdersCurvePublicKey is not set', '# OrdersCurveSecretKey is not set', '# OrdersCurveAllow is not set',
    'OrdersInsecureEndpoint Off # default', 'OrdersMaxBody 65536 # default', 'OrdersRetention 7 # default',
    'OrdersIdempotencyTTL 86400 # default', 'OrdersSchema Auto # default', 'OrdersExpiration 900 # default', 'OrdersMaxActive 0 # default',
    'OrdersPayments Off # default'], 'every directive of mod_orders, with its default' or diag $output;
is_deeply [sort keys %$of], ['orders the main server'], 'DUMP_ORDERS is about mod_orders alone';
like $output, qr/^Syntax OK$/m, 'and the configuration is judged as well';
($of, $code, $output) = dump_of('');
is $output, "Syntax OK\n", 'without being asked for nothing is dumped';

my $apis = $server->{apis};

# Virtual hosts: what they have themselves, what the server has for them, and what does not exist there.
my $host = sub { my ($name, $text) = @_; return "Listen 127.0.0.1:\@port:$name\@\n<VirtualHost 127.0.0.1:\@port:$name\@>\nServerName $name\n$text</VirtualHost>\n" };
($of, $code, $output) = dump_of('TICKETS ORDERS', apis => '',
    site => qq(DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\nDBDMax 64\nTicketsMaxBody 1000\nOrdersExpiration 60\n),
    conf => $host->('near', <<'CONF') . $host->('away', ''));
TicketsPublish tcp://127.0.0.1:5556
TicketsReplay tcp://127.0.0.1:5557
TicketsSubscribe tcp://127.0.0.1:5558
TicketsSubscribe tcp://127.0.0.1:6558 tcp://127.0.0.1:6559
TicketsRetention 0
OrdersSubscribe tcp://127.0.0.1:5556 tcp://127.0.0.1:5557
OrdersMaxActive 3
<Location "/api/tickets">
  SetHandler tickets
  AuthType None
</Location>
<Location "/shop/orders">
  SetHandler orders
  AuthType None
</Location>
<LocationMatch "^/shop/orders/[^/]+/payments/?$">
  OrdersPayments On
  Require user payments
</LocationMatch>
CONF
is $code, 0, 'virtual hosts are dumped' or diag $output;
for my $service (qw(tickets orders)) {
    is_deeply $of->{"$service $_"}, ['not used'], "$service: $_ does not have it" for 'the main server', 'the virtual host away';
}
my %tickets = map { ($_ => 1) } @{ $of->{'tickets the virtual host near'} };
ok $tickets{$_}, "$_ is in effect" for 'TicketsPublish tcp://127.0.0.1:5556', 'TicketsSubscribe tcp://127.0.0.1:5558',
    'TicketsSubscribe tcp://127.0.0.1:6558 tcp://127.0.0.1:6559', 'TicketsRetention 0', 'TicketsMaxBody 1000', 'DBDMax 64';
my %orders = map { ($_ => 1) } @{ $of->{'orders the virtual host near'} };
ok $orders{$_}, "$_ is in effect" for '<Location "/shop/orders"> SetHandler orders', 'OrdersExpiration 60', 'OrdersMaxActive 3',
    '<LocationMatch "^/shop/orders/[^/]+/payments/?$"> OrdersPayments On';

# Secrets: passwords of the database, and secret keys.
my $keys = join '', map { <<"CONF" } qw(Tickets Orders);
${_}CurvePublicKey "\@dir\@/own.public"
${_}CurveSecretKey "\@dir\@/own.secret"
${_}CurveAllow "\@dir\@/allow"
CONF
for (['pgsql', 'host=db.example dbname=shop user=shop password=hush-hush'], ['pgsql', q(host=db.example password='hush-hush' sslpassword=hush-hush)],
     ['pgsql', 'postgresql://shop:hush-hush@db.example/shop?password=hush-hush'], ['mysql', 'host=db.example,pass=hush-hush,reconnect=0']) {
    my ($driver, $params) = @$_;
    ($of, $code, $output) = dump_of('TICKETS ORDERS', apis => $apis, site => "DBDriver $driver\nDBDParams \"$params\"\nDBDMax 64\n$keys" . <<"CONF");
TicketsSubscribe tcp://192.0.2.1:5558 - $peer->{public}
OrdersSubscribe tcp://192.0.2.1:5556 tcp://192.0.2.1:5557 $peer->{public}
CONF
    is $code, 0, "DBDParams of $driver are dumped" or diag $output;
    unlike $output, qr/hush/, '... without the password';
    unlike $output, qr/\Q$_->{secret}\E/, '... and no secret key is there' for $own, $peer;
    my ($shown) = grep { /^DBDParams/ } @{ $of->{'orders the main server'} };
    like $shown, qr/db\.example.*\*\*\*/, '... but who the server is';
    my %line = map { ($_ => 1) } map { @$_ } values %$of;
    ok $line{$_}, "$_ is shown" for "TicketsCurveSecretKey $dir/own.secret", "OrdersCurveAllow $dir/allow",
        "TicketsSubscribe tcp://192.0.2.1:5558 - $peer->{public}", "OrdersSubscribe tcp://192.0.2.1:5556 tcp://192.0.2.1:5557 $peer->{public}";
}
$server->write_conf(site => qq(DBDriver sqlite3\nDBDParams "host=h password=hush-hush"\n), conf => '');
($code, $output) = $server->configtest;
isnt $code, 0, 'parameters of another driver are refused';
unlike $output, qr/hush/, '... without showing their password';

# However much is logged.
$server->write_conf(conf => '', site => qq(LogLevel trace8\nDBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\n$keys) . <<"CONF");
TicketsPublish tcp://127.0.0.1:\@port:tickets_pub\@
OrdersSubscribe tcp://127.0.0.1:\@port:tickets_pub\@ - $own->{public}
CONF
$server->start;
wait_until { api(POST => '/api/tickets', vhost => $server, user => 'alice', json => { title => 'T', price => 1 })->code == 201 } 20, 'a ticket';
$server->graceful->stop;
cmp_ok length($server->error_log), '>', 1000, 'much is logged';
unlike $server->error_log, qr/\Q$own->{secret}\E/, '... but not the secret key';

log_is_clean;
done_testing;
