# A database whose tables only a newer module knows is never touched. httpd refuses to start on it, in one sentence, and
# so does configtest; where it cannot be read in time httpd starts and answers 503. A server that runs is not ended at a
# restart because somebody upgraded its database: it answers 503.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes 'time';
use TestSvc;
use TestSvc::Database;
use TestSvc::Schema;
use TestSvc::Server;
use TestSvc::Truth;

my @Services = qw(tickets orders);

sub set_version { my ($server, %version) = @_; my $db = db($server, write => 1); $db->do("UPDATE ${_}_schema SET version = $version{$_}") for keys %version; $db->disconnect }
sub refuses {
    my ($server, $service) = @_;
    my $sentence = qr/SVC073: mod_$service: the database has schema 99 of $service, this module knows only \d+: use a newer module/;
    my ($code, $output) = $server->configtest;
    isnt $code, 0, "configtest refuses a newer schema of $service";
    is scalar(() = $output =~ /$sentence/g), 1, '... in one sentence' or diag $output;
    is scalar(grep { /\S/ && !/AH00014: Configuration check failed/ } split /\n/, $output), 1, '... and no more' or diag $output;
    ok !eval { $server->start; 1 }, 'httpd does not start';
    like $server->stdout, $sentence, '... and says so';
}

my $server = TestSvc::Server->new->start;
works_ok($server, 'at first');
my %version = map { $_ => (schema_version($server, $_))[0] } @Services;

# --- upgraded while it runs: it goes on, and after a restart it answers 503
set_version($server, map { $_ => 99 } @Services);
is api(GET => '/api/tickets', vhost => $server)->code, 200, 'a server that runs goes on';
wait_quiet($server);
my $before = rows_of($server);
for my $how ('graceful', 'restart') {
    $server->$how;
    wait_until { api(GET => '/api/tickets', vhost => $server)->code == 503 && api(GET => '/api/orders', vhost => $server, user => 'bob')->code == 503 }
        10, 'the children of before to be gone';
    unavailable_ok($server, "after $how");
}
for my $service (@Services) {
    my @lines = grep { /SVC010: mod_$service/ } split /\n/, $server->error_log;
    like $lines[-1], qr/schema 99 of $service.*knows only \d+: use a newer module/, "mod_$service says so in one sentence";
    cmp_ok scalar(@lines), '<=', 8, '... once in each process';
}
is_deeply rows_of($server), $before, 'the database is not touched';
$server->stop;

# --- newer at the start
refuses($server, 'tickets');
set_version($server, tickets => $version{tickets});
refuses($server, 'orders');
set_version($server, tickets => 99);
for my $service (@Services) {
    my ($code, $output) = schema_tool($server, $service, 'status');
    is "$code $output", "4 $service: schema 99 in the database, $version{$service} in this program: use a newer program\n", 'svc-schema says so, too';
    for my $command (qw(print migrate)) {
        ($code, $output) = schema_tool($server, $service, $command);
        is $code, 4, "... and refuses to $command";
        is $output, "svc-schema: the database has schema 99 of $service, this module knows only $version{$service}: use a newer module\n",
            '... in a sentence';
    }
}
is_deeply rows_of($server), $before, 'the database is not touched';

# --- with its own version again
set_version($server, %version);
is_deeply [$server->configtest], [0, "Syntax OK\n"], 'configtest has nothing to say about its own version';
$server->start;
works_ok($server, 'with its own schema again');
$server->stop;
log_is_clean(server => $server, except => [qr/SVC010|SVC060|SVC073|AH00014/], name => 'no other line in its log');

# --- a server that hangs, of which nothing can be known
if (!$server->engine->is_file) {
    my $engine = TestSvc::Database->new($server->engine->engine, "$server->{engine}{dir}/of_its_own")->start;
    my $waits = TestSvc::Server->new(engine => $engine);
    $engine->freeze;
    my $begin = time;
    my ($code, $output) = $waits->configtest;
    is "$code $output", "0 Syntax OK\n", 'a server that hangs is no error of the configuration';
    cmp_ok time - $begin, '>', 1, '... though it was asked';
    $waits->start;
    problem_ok api(GET => '/api/tickets', vhost => $waits), 503, undef, 'httpd starts all the same, and answers 503';
    $engine->thaw;
    wait_until { api(GET => '/api/tickets', vhost => $waits)->code == 200 } 20, 'reads';
    works_ok($waits, 'when it goes on');
    $waits->stop;
    $engine->stop;
}

log_is_clean;
done_testing;
