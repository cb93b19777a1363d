# What a standby is worth, that does not get what its primary has. A primary that waits for it acknowledges nothing that
# would be lost with it, however it is asked. One that does not wait loses what it had acknowledged: then all that follow
# the events notice that the log is another one, and take its state anew.
# Of PostgreSQL only: two private servers.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Database;
use TestSvc::Failover;
use TestSvc::Server;
use TestSvc::Trade;

my $dir = TestSvc::Database->shared->{dir};
my $pair = TestSvc::Failover->new("$dir/replication")->start->synchronous(1);
my $server = TestSvc::Server->new(engine => $pair)->start->wait_database;
my $end_sessions = 'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL';

# A client whose request got no answer repeats it, with its key; the server that made the change is asked on a new
# connection, and knows of it. That its standby does not is not seen there.
sub sell {
    my ($count) = @_;
    return TestSvc::Clients->start($count, $server, sub {
        my ($client) = @_;
        my $answer = $client->send(POST => '/api/tickets', user => 'alice', headers => { 'Idempotency-Key' => '"once"' },
                                   json => { title => 'Once', price => 5 });
        return [$answer->{code}, $answer->{json}{id}];
    });
}
works_ok($server, 'at first');
$pair->cut;
my $first = sell(1);
wait_until {   # others may COMMIT as well: until it was this one
    $pair->admin->do($end_sessions);
    db($server)->selectrow_array("SELECT COUNT(*) FROM tickets WHERE title = 'Once'");
} 10, 'the ticket to be seen';
my $repeats = sell(4);
my @codes = map { $_->[0] } $first->wait, $repeats->wait;
is_deeply \@codes, [(503) x 5], 'while the standby is away neither the request nor its repeats are answered 201';
$pair->mend;
my @answers = sell(2)->wait;
is_deeply [map { $_->[0] } @answers], [201, 201], 'when it is back they are';
is $answers[0][1], $answers[1][1], '... of one ticket';
is db($server)->selectrow_array("SELECT COUNT(*) FROM tickets WHERE title = 'Once'"), 1, '... which is there once';

survives_ok($server, 'the standby is lost, then the primary is killed', sub {
    $pair->cut;
    wait_until { $pair->admin->selectrow_array("SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'") } 20, 'somebody to wait for it';
    $pair->admin->do($end_sessions);
    wait_until { api(POST => '/api/tickets', vhost => $server, user => 'alice', json => { title => 'Alone', price => 5 })->code == 503 } 30, 'a refusal';
    $pair->crash;
    $pair->promote;
}, clients => 8);

cmp_ok $server->stop, '<', 10, 'httpd stops';
log_is_clean(server => $server, except => [qr/SVC01[01]|SVC032|SVC033|SVC035|SVC04\d|SVC060|SVC088|dbd:(?:error|crit)/]);
$pair->stop;
log_is_clean;
done_testing;
