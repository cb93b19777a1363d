# Writers take turns by DBFILE.lock: while somebody else has it, reads go on and a write waits; after ten seconds it
# is answered 503 "nothing was changed", and nothing was; when the lock is free in time, the write is done.
# Of SQLite only: the other engines have no such file.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Fcntl qw(:flock);
use Time::HiRes 'time';
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;
use TestSvc::Truth;

# With one request per process there must be enough of them for those that wait.
my $prefork = ($ENV{TEST_MPM} || '') eq 'prefork' && "StartServers 12\nMinSpareServers 6\nMaxSpareServers 24\nMaxRequestWorkers 32\n";
my $server = TestSvc::Server->new($prefork ? (limits => $prefork) : ())->start;
my $ticket = new_ticket(vhost => $server);
my $order = new_order(vhost => $server, ticket => $ticket);
wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 10, 'the reservation';
wait_quiet($server);

open my $lock, '+<', $server->db_file . '.lock' or die "the lock file: $!";
sub hold { wait_until { flock($lock, LOCK_EX | LOCK_NB) } 10, 'the lock' }
sub positions { return [map { db($server)->selectrow_array("SELECT position FROM ${_}_head") } qw(tickets orders)] }

sub make {   # POSTs of several clients at once: what each was answered, and after how many seconds
    my ($count, $title) = @_;
    return TestSvc::Clients->start($count, $server, sub {
        my ($client) = @_;
        my $begin = $client->now;
        my $answer = $client->send(POST => '/api/tickets', user => 'alice', json => { title => $title, price => 3 });
        return { code => $answer->{code}, json => $answer->{json}, retry => $answer->{headers}{'retry-after'}, seconds => $client->now - $begin };
    });
}

# --- released in time
hold();
my $clients = make(4, 'patient');
my $begin = time;
my $read = 0;
wait_until { api(GET => "/api/tickets/$ticket->{id}", vhost => $server)->code == 200 && $read++; time - $begin > 1.5 } 10, 'a while';
cmp_ok $read, '>', 10, 'reads go on while the lock is taken';
flock $lock, LOCK_UN;
my @answers = $clients->wait;
is_deeply [map { $_->{code} } @answers], [(201) x 4], 'a write waits for the lock and is done when it is free';
is_deeply [grep { $_->{seconds} < 1 } @answers], [], 'it did wait';
is_deeply [grep { $_->{seconds} > 8 } @answers], [], 'and no longer than needed';
is scalar(grep { api(GET => "/api/tickets/$_->{json}{id}", vhost => $server)->code == 200 } @answers), 4, 'all four are there';
wait_quiet($server);

# --- not released
my $before;
hold();
$before = positions();
$clients = make(3, 'in vain');
my $edit = TestSvc::Clients->start(1, $server, sub { my ($client) = @_;
    return $client->send(DELETE => "/api/orders/$order->{id}", user => 'bob') });
@answers = $clients->wait;
my ($deleted) = $edit->wait;
is_deeply [map { $_->{code} } @answers], [(503) x 3], 'after ten seconds a write is given up';
is_deeply [grep { $_->{seconds} < 9 || $_->{seconds} > 14 } @answers], [], 'no request waits much longer' or diag join ' ', map { $_->{seconds} } @answers;
like $answers[0]{json}{detail} || '', qr/nothing was changed/i, 'it says that nothing was changed';
like $answers[0]{retry} || '', qr/^[1-9]\d*\z/, 'with Retry-After';
is $deleted->{code}, 503, 'so is a DELETE';
is_deeply positions(), $before, 'indeed nothing was';
flock $lock, LOCK_UN;
my $after = new_ticket(vhost => $server, title => 'after all');
is ticket($after->{id}, vhost => $server)->{title}, 'after all', 'when the lock is free again, writing goes on';
is order($order->{id}, vhost => $server)->{status}, 'awaiting:payment', 'what was given up is not done later';
is db($server)->selectrow_array("SELECT COUNT(*) FROM tickets WHERE title = 'in vain'"), 0, 'by none of them';
wait_quiet($server);
truth_ok($server);

# --- stopping while somebody has the lock
hold();
$clients = make(2, 'at the end');
api(GET => "/api/tickets/$ticket->{id}", vhost => $server) for 1 .. 20;   # meanwhile they arrive, or not: both is well
flock $lock, LOCK_UN;
cmp_ok $server->graceful_stop(20), '<', 15, 'a graceful stop ends with what waits answered';
@answers = $clients->wait;
is_deeply [grep { $_->{code} != 201 && $_->{code} != 0 } @answers], [], 'no answer is wrong';
my $made = grep { $_->{code} == 201 } @answers;
cmp_ok db($server)->selectrow_array("SELECT COUNT(*) FROM tickets WHERE title = 'at the end'"), '>=', $made, 'and what was answered is there';

log_is_clean(server => $server, except => [qr/SVC060: .*withdrawn/], name => 'its error log has no unexpected line');
log_is_clean;
done_testing;
