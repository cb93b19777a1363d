# Of servers only.
# The examples of conf/ for database servers, each as it stands, on two machines: the database is made by the SQL of
# docs/deployment.md, and its user has no more rights than that gives. Machines come and go, one at a time.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Database;
use TestSvc::Deploy;
use TestSvc::Example;
use TestSvc::Truth;

my $engine = TestSvc::Database->shared;
my $is_pgsql = $engine->engine eq 'pgsql';

sub admin_does { my $admin = $engine->admin; $admin->do("SET client_min_messages = warning") if $is_pgsql; $admin->do($_) for @_; $admin->disconnect }
sub drop { admin_does('DROP DATABASE IF EXISTS shop', $is_pgsql ? 'DROP ROLE IF EXISTS shop' : q{DROP USER IF EXISTS 'shop'@'%'}) }
sub connections {   # of the example's user
    my $admin = $engine->admin;
    return scalar $admin->selectrow_array($is_pgsql ? q{SELECT COUNT(*) FROM pg_stat_activity WHERE usename = 'shop'}
                                                    : q{SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'shop'});
}

for my $file ($is_pgsql ? 'shop-postgresql.conf' : ('shop-mariadb.conf', 'shop-galera.conf')) {
    drop();
    admin_does(split /;\n/, join '', documented($engine->name, 'sql'));
    my %machine = TestSvc::Example->machines({ map { ("shop-$_.example" => [$file]) } 1, 2 });
    my ($first, $second) = @machine{'shop-1.example', 'shop-2.example'};
    my $key = $first->keys_of('shop');
    $first->put('shop/shop.allow', $key);
    for my $name (qw(shop.public shop.secret shop.allow)) {
        open my $in, '<', $first->dir . "/etc/shop/$name" or die "$name: $!";
        $second->put("shop/$name", do { local $/; <$in> }) if $first != $second;
    }
    chmod 0400, $second->dir . '/etc/shop/shop.secret' or die "shop.secret: $!";
    $_->put_users->start for $first, $second;

    dances($first, $first, "$file: on one machine");
    dances($first, $second, '... sold at one, bought at the other');
    my $ticket = new_ticket(vhost => $second);
    is_deeply ticket($ticket->{id}, vhost => $first), $ticket, 'what was written on one machine is read on the other at once';

    if ($file eq 'shop-galera.conf') {   # the rest is what MariaDB is asked above; t/cluster/galera.t is about nodes
        ends_clean($first, $second);
        next;
    }

    # No more connections than docs/deployment.md counts, under what load there may be.
    my @clients = map { TestSvc::Clients->start(8, $_, sub {
        my ($client) = @_;
        return [map { ($client->send(GET => '/api/tickets')->{code}, $client->send(POST => '/api/tickets', user => 'alice',
                                     json => { title => 'Many', price => 5 })->{code}) } 1 .. 8];
    }, keep_alive => 0) } $first, $second;   # httpd closes connections that wait when all its threads are at work
    my $most = 0;
    while (grep { $_->running } @clients) {
        my $n = connections();
        $most = $n if $n > $most;
    }
    my %codes;
    $codes{$_}++ for map { @$_ } map { $_->wait } @clients;
    is_deeply \%codes, { 200 => 128, 201 => 128 }, 'eight clients of each machine read and write' or diag explain(\%codes), map { $_->error_log } $first, $second;
    my $bound = 2 * (3 * (29 + 2) + 2);   # the processes of TestSvc::Server
    note "$most connections, counted $bound";
    cmp_ok $most, '>', 10, 'their connections were seen';
    cmp_ok $most, '<=', $bound, '... and were no more than machines x (processes x (DBDMax + 2) + 2)';
    if (!$is_pgsql) {
        my $statements = ($engine->admin->selectrow_array("SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'"))[1];
        my $each = $statements / connections();
        note "$each statements for each";
        cmp_ok $each, '<=', 60, 'each keeps no more than 60 prepared statements';
    }
    wait_quiet($first, 30);
    truth_ok($first);

    # As in an upgrade: one machine after the other, without a moment in which nobody sells.
    $first->graceful_stop;
    dances($second, $second, 'while the first machine is away the second one sells');
    $first->start;
    $second->graceful_stop;
    dances($first, $first, 'and the first one while the second is away');
    $second->start;
    dances($second, $first, 'both are back');

    # A newer module has upgraded the tables.
    $engine->connect('=shop', write => 1)->do('UPDATE tickets_schema SET version = version + 1');
    is api(POST => '/api/tickets', vhost => $first, user => 'alice', json => { title => 'Older', price => 5 })->code, 201,
        'an older module that runs goes on when a newer one has upgraded the tables';
    $second->stop;
    ok !eval { $second->start; 1 }, 'one that starts after that refuses to';
    like $second->stdout, qr/SVC073: mod_tickets: .*newer/, '... and says why';
    $engine->connect('=shop', write => 1)->do('UPDATE tickets_schema SET version = version - 1');
    $second->start;
    dances($second, $first, 'with the version that it knows it does');
    wait_quiet($first, 30);
    truth_ok($first);

    $_->stop for $first, $second;
    log_is_clean(server => $first);
    unlike $_->error_log, qr/pass(?:word)?=/, 'its password is in no log' for $first, $second;
    log_is_clean(server => $second);
}

# A server that cannot be reached, and everything logged that there is to log: not its password.
{
    my $params = $is_pgsql ? 'password=hush-hush' : 'pass=hush-hush reconnect=0';
    my $server = TestSvc::Server->new(site => 'DBDriver ' . $engine->engine . "\nDBDParams \"host=127.0.0.1 port=\@port:nobody\@ dbname=shop user=shop $params\"\n" .
                                              "DBDMax 64\nOrdersSubscribe tcp://127.0.0.1:\@port:nobody\@\nLogLevel trace8\n")->start;
    problem_ok api(POST => '/api/tickets', vhost => $server, user => 'alice', json => { title => 'T', price => 5 }), 503, undef,
        'a database server that is not there is a 503';
    like $server->error_log, qr/SVC010: mod_tickets: /, '... and is logged';
    $server->stop;
    unlike $server->error_log, qr/hush/, '... without its password';
}

drop();
log_is_clean;
done_testing;
