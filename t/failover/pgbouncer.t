# PgBouncer in transaction mode before PostgreSQL, as conf/pgbouncer.ini has it but for three sessions where it has twenty:
# every transaction of httpd's connections may meet another session. Nothing is prepared in one, or said to one, that the
# next would miss or find; the schema comes from the role. The server, and the pooler, may be restarted.
# Of PostgreSQL only: a private server and its pooler.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Database;
use TestSvc::Pooler;
use TestSvc::Server;
use TestSvc::Trade;

{   package Pooled;   # one database, shop, whose tables are in the schema market
    our @ISA = 'TestSvc::Database';
    my %Attributes = (RaiseError => 1, PrintError => 0, AutoInactiveDestroy => 1);
    sub place  { "host=$_[0]{behind}{dir} port=$_[0]{behind}{port} dbname=shop" }
    sub params { $_[0]->place . ' user=shop password=secret connect_timeout=4' }
    sub create { 'market' }
    sub admin  { DBI->connect("dbi:Pg:host=$_[0]{dir};dbname=" . ($_[0]{behind} ? 'shop' : 'postgres'), 'svc', undef, \%Attributes) }
    sub client { my ($self) = @_; (my $place = $self->place) =~ tr/ /;/; DBI->connect("dbi:Pg:$place", 'shop', 'secret', \%Attributes) }
}

my $engine = Pooled->new('pgsql', TestSvc::Database->shared->{dir} . '/pooled')->start;
$engine->admin->do($_) for q{CREATE ROLE shop LOGIN PASSWORD 'secret'}, 'CREATE DATABASE shop OWNER shop';
my $pooler = $engine->{behind} = TestSvc::Pooler->new($engine)
    ->configure({ shop => 'secret' }, sub { s/^default_pool_size = .*/default_pool_size = 3/m })->start;
$engine->admin->do($_) for 'CREATE SCHEMA market AUTHORIZATION shop', 'ALTER ROLE shop SET search_path = market';

my $server = TestSvc::Server->new(engine => $engine)->start->wait_database;
works_ok($server, 'at first');
is_deeply $engine->admin->selectcol_arrayref("SELECT DISTINCT schemaname FROM pg_tables WHERE tableowner = 'shop'"), ['market'],
    'the tables are where the role has its search_path';

my $trade = survives_ok($server, 'three sessions', sub {
    return $engine->admin->selectrow_array("SELECT COUNT(*) FROM pg_stat_activity WHERE usename = 'shop'");
}, clients => 8);
cmp_ok $trade->{result}, '<=', 3, 'all connections share three sessions';
is $trade->{codes}{503} || 0, 0, '... and nobody is answered 503';

# What others find in the sessions.
my $fresh = $engine->admin;
my @settings = qw(lock_timeout statement_timeout idle_in_transaction_session_timeout default_transaction_isolation);
my %left;
for my $client (map { $engine->client } 1 .. 3) {
    $client->{pg_server_prepare} = 0;
    $client->begin_work;   # the session stays with this one
    $left{ join ' ', map { $client->selectrow_array("SHOW $_") } @settings }++;
    $left{prepared} += $client->selectrow_array('SELECT COUNT(*) FROM pg_prepared_statements');
    $client->rollback;
}
is_deeply \%left, { join(' ', map { $fresh->selectrow_array("SHOW $_") } @settings) => 3, prepared => 0 },
    'a session that was used has its settings of the beginning, and no prepared statements';

# The settings are there all the same, in each transaction.
my $holder = $engine->admin;
$holder->begin_work;
$holder->do('LOCK TABLE market.tickets IN EXCLUSIVE MODE');
my $begin = time;
my $answer = api(POST => '/api/tickets', vhost => $server, user => 'alice', json => { title => 'Locked', price => 5 });
problem_ok $answer, 503, [ { field => undef } ], 'who waits for a lock for too long is answered 503';
cmp_ok time - $begin, '<', 11, '... within the time that is promised';
$holder->rollback;
like $engine->log, qr/canceling statement due to (?:lock|statement) timeout/, '... by a limit that the transaction has';

for (['the server is restarted', sub { $engine->stop; $engine->start }], ['the server is killed', sub { $engine->crash; sleep 1; $engine->start }],
     ['the pooler is restarted', sub { $pooler->stop; $pooler->start }]) {
    my ($name, $what) = @$_;
    survives_ok($server, $name, $what, clients => 8);
}

cmp_ok $server->stop, '<', 10, 'httpd stops';
log_is_clean(server => $server, except => [qr/SVC01[01]|SVC033|SVC035|SVC04\d|SVC060|dbd:(?:error|crit)/]);
$pooler->stop;
$engine->stop;
log_is_clean;
done_testing;
