# With the tables made by somebody else, the user that the modules connect as needs SELECT, INSERT, UPDATE and DELETE on
# them and nothing more: all works, retention and expiry too. Without even these it is a 503, until they are granted.
# Of servers only: SQLite's files have no users.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Schema;
use TestSvc::Server;
use TestSvc::Truth;

my $payments = do { local (@ARGV, $/) = 't/conf/payments.conf'; <> };
my $off = "TicketsSchema Off\nOrdersSchema Off\n";
my $server = TestSvc::Server->new;
my $engine = $server->engine;
my $is_pgsql = $engine->engine eq 'pgsql';
my $owner = $engine->params($server->db_file);
(my $params = $owner) =~ s/user=\w+/user=shop_clerk/;
my ($place) = $owner =~ ($is_pgsql ? qr/search_path=(\w+)/ : qr/dbname=(\w+)/);
(my $site = $server->{site}) =~ s/^DBDriver.*\nDBDParams.*/DBDriver @{[$engine->engine]}\nDBDParams "$params"/m;
$server->write_conf(site => $site, conf => "OrdersExpiration 1\n$payments$off");

sub admin { my $db = $engine->admin; $db->do($_) for @_; $db->disconnect }
admin($is_pgsql ? ('SET client_min_messages = warning', 'DROP ROLE IF EXISTS shop_clerk', 'CREATE ROLE shop_clerk LOGIN', 'REVOKE CREATE, TEMPORARY ON DATABASE postgres FROM PUBLIC')
                : ('DROP USER IF EXISTS shop_clerk', 'CREATE USER shop_clerk'));

sub line { my ($tag) = @_; return wait_until { my ($line) = $server->error_log =~ /($tag: mod_tickets: .*)/; $line } 15, "$tag in the log" }

# --- step by step to what is needed
$server->start;
unavailable_ok($server, 'a user without any right');
line($is_pgsql ? 'SVC072' : 'SVC010');
$server->stop;
admin($is_pgsql ? "GRANT USAGE ON SCHEMA $place TO shop_clerk" : "GRANT SELECT, INSERT, UPDATE, DELETE ON $place.* TO shop_clerk");
$server->start;
unavailable_ok($server, 'no tables');
like line('SVC072'), qr/no tables of tickets/, '... and the log says what is missing';
for my $service (qw(tickets orders)) {
    my ($code, $output) = schema_run($server, schema_files($server, $service, 0));
    is $code, 0, "the owner makes the tables of $service" or diag $output;
}
if ($is_pgsql) {
    wait_until { $server->error_log =~ /SVC010: mod_tickets: no database .*42501/ } 15, 'the log to say that a right is missing';
    unavailable_ok($server, 'no right to read the tables');
    admin("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA $place TO shop_clerk");
}

# --- all works
wait_ready($server);
is api(GET => '/api/tickets', vhost => $server)->code, 200, 'it works by itself';
my $ticket = new_ticket(vhost => $server);
is api(PUT => "/api/tickets/$ticket->{id}", vhost => $server, user => 'alice', json => { title => 'New', price => 7 })->code, 200, 'a ticket is edited';
my $order = new_order(vhost => $server, ticket => $ticket);
wait_until { order($order->{id}, vhost => $server)->{status} eq 'cancelled' } 15, 'the order expires';
is order($order->{id}, vhost => $server)->{cancelReason}, 'expired', 'an order expires';
$server->write_conf(conf => "$payments$off");
$server->restart;
my @orders = map { my $made = new_order(vhost => $server, ticket => new_ticket(vhost => $server));
                   wait_until { order($made->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 15, 'the ticket is reserved'; $made } 1, 2;
is api(POST => "/api/orders/$orders[0]{id}/payments", vhost => $server, user => 'payments', json => { paymentId => 'p1' })->code, 201, 'an order is paid';
is api(DELETE => "/api/orders/$orders[1]{id}", vhost => $server, user => 'bob')->code, 204, 'another is cancelled';
is api(POST => "/api/orders/$orders[1]{id}/payments", vhost => $server, user => 'payments', json => { paymentId => 'p2' })->code, 409, 'and paid too late';
for my $again ('', 'again') {
    my $answer = api(POST => '/api/tickets', vhost => $server, user => 'alice', json => [map { { title => "Lot $_", price => 3 } } 1 .. 20],
                     headers => { 'Idempotency-Key' => 'lots' });
    is $answer->code, 201, "many are made $again";
    is $answer->header('Idempotent-Replayed') || '', $again && 'true', '... once';
}
is api(GET => "/api/tickets/$ticket->{id}/history", vhost => $server, user => 'alice')->code, 200, 'a history is read';
is api(GET => '/api/tickets?title=lot&minPrice=1&limit=5', vhost => $server)->code, 200, 'a list is searched';
wait_quiet($server);
truth_ok($server);

# --- what is too old is removed: as if a year had passed
my $db = db($server, write => 1);
$db->do("UPDATE ${_}_log SET recorded_at = recorded_at - 366 * 86400000.0") for qw(tickets orders);
$db->do("UPDATE ${_}_idempotency SET recorded_at = recorded_at - 366 * 86400000.0") for qw(tickets);
$db->disconnect;
$server->restart;
ok((eval { wait_until { db($server)->selectrow_array('SELECT COUNT(*) FROM tickets_log') == 0 } 30, 'the log is trimmed' } || diag $@), 'the log is trimmed');
ok((eval { wait_until { db($server)->selectrow_array('SELECT COUNT(*) FROM tickets_idempotency') == 0 } 30, 'keys are forgotten' } || diag $@), 'keys are forgotten');

# --- svc-schema's status needs no more either; to change anything it does
my @mine = ('--driver', $engine->engine, '--params', $params);
my ($code, $output) = schema_tool(undef, @mine, 'tickets', 'status');
is $code, 0, 'svc-schema can say the version as this user' or diag $output;
$db = db($server, write => 1);
my ($version) = schema_version($server, 'tickets');
$db->do('UPDATE tickets_schema SET version = 2');
($code, $output) = schema_tool(undef, @mine, 'tickets', 'migrate');
is $code, 1, 'it cannot change tables';
like $output, qr/^svc-schema: .*(?:42501|denied)/, '... and says why';
is db($server)->selectrow_array('SELECT version FROM tickets_schema'), 2, '... and leaves all as it is';
$db->do("UPDATE tickets_schema SET version = $version");
$db->disconnect;

# --- Auto on tables that are up to date needs no more either
$server->write_conf(conf => $payments);
$server->restart;
is api(GET => '/api/tickets', vhost => $server)->code, 200, 'where the tables are up to date Auto needs no more rights';
new_ticket(vhost => $server);
$server->stop;
log_is_clean(server => $server, except => [qr/SVC072|SVC010|SVC060|DBD|AH006\d\d|dbd:error/], name => 'no other line in its log');
admin($is_pgsql ? ("DROP OWNED BY shop_clerk", 'DROP ROLE shop_clerk') : 'DROP USER shop_clerk');

log_is_clean;
done_testing;
