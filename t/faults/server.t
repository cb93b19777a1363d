# A database server that is lost or hangs while there is trade: its sessions are ended again and again, it is restarted,
# stopped at once and without farewell (PostgreSQL: immediate), killed (-9), or stands still for a moment and for long.
# httpd goes on; no request waits longer than ten seconds; what was answered 2xx is there, what was answered "nothing was
# changed" is not, every event takes effect once, and when the server is back all works by itself.
# Of servers only: a file is always there.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Database;
use TestSvc::Server;
use TestSvc::Trade;

my $shared = TestSvc::Database->shared;
my $engine = TestSvc::Database->new($shared->engine, "$shared->{dir}/of_its_own")->start;
my $server = TestSvc::Server->new(engine => $engine, conf => trade_conf())->start->wait_database;
my $pid = $server->pid;

sub end_sessions {   # all but our own; how many
    my $db = $engine->admin;
    return scalar @{ $db->selectcol_arrayref('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL') }
        if $engine->engine eq 'pgsql';
    my $ids = $db->selectcol_arrayref(q{SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'root'});
    return scalar grep { eval { $db->do("KILL CONNECTION $_"); 1 } } @$ids;   # one may be gone by itself
}

sub noticed_ok {
    my ($all, $name) = @_;
    cmp_ok $all->{codes}{503} || 0, '>', 0, "$name: it was noticed";
    cmp_ok scalar @{ $all->{made} }, '>', 10, '... and there was trade before or after';
}

works_ok($server, 'at first');
my $all = survives_ok($server, 'sessions are ended again and again', sub { my $ended = 0; for (1 .. 8) { $ended += end_sessions(); sleep 0.15 } return $ended });
cmp_ok $all->{result}, '>=', 16, "... many of them ($all->{result})";
noticed_ok(survives_ok($server, 'the server is restarted', sub { $engine->stop; $engine->start }), 'the restart');
noticed_ok(survives_ok($server, 'the server is stopped at once', sub { $engine->end('QUIT'); $engine->start }), 'the end') if $engine->engine eq 'pgsql';
noticed_ok(survives_ok($server, 'the server is killed', sub { $engine->crash; sleep 1; $engine->start }), 'the death');
noticed_ok(survives_ok($server, 'the server hangs', sub { $engine->freeze; sleep 12; $engine->thaw }), 'the silence');
survives_ok($server, 'the server hangs for a moment', sub { $engine->freeze; sleep 3; $engine->thaw });

is $server->pid, $pid, 'httpd was not restarted';
is $server->generation, 1, 'nor told to';
cmp_ok $server->stop, '<', 10, 'httpd stops';
log_is_clean(server => $server, except => [qr/SVC01[01]|SVC035|SVC04\d|SVC060|dbd:error/]);
$engine->stop;
log_is_clean;
done_testing;
