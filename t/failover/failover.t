# The primary of two PostgreSQL servers is killed (-9), stopped or frozen in the middle of trading, and its standby is
# promoted: httpd, configured as conf/shop-postgresql-failover.conf has it, follows without a restart. Where the primary
# waits for its standby, all that was acknowledged is there. Meanwhile it answers 2xx or 503, within ten seconds.
# Of PostgreSQL only: two private servers.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Database;
use TestSvc::Example;
use TestSvc::Failover;
use TestSvc::Trade;

my $pair = TestSvc::Failover->new(TestSvc::Database->shared->{dir} . '/failover')->start->synchronous(1);
my $users = do { local (@ARGV, $/) = 't/conf/users'; <> };
my $server = TestSvc::Example->new(['shop.conf', 'shop-postgresql-failover.conf'], engine => $pair,
                                   places => { 'db1.example.org,db2.example.org' => $pair->hosts })
    ->put('shop.users', $users)->start;
my $pid = $server->pid;
works_ok($server, 'at first');

sub survives {   # what is done to the primary
    my ($name, $longest, $what) = @_;
    my $all = survives_ok($server, $name, sub { $what->(); return time }, longest => $longest, clients => 8);
    cmp_ok $all->{last} - $all->{result}, '<', 5, "$name: 5 s after the promotion nobody is answered 503 any more";
    return $all;
}

survives('the primary is killed', 10, sub {
    $pair->crash;
    sleep 1;   # for so long there is no primary
    $pair->promote;
});

# What was the primary comes back as a standby, and is it again by a switchover, in good order.
sub follow_again { $pair->standby->stop if $pair->standby->pid; $pair->copy_primary; $pair->standby->start; $pair->synchronous(1) }
follow_again();
survives('a switchover', 10, sub {
    $pair->primary->stop;
    $pair->promote;
    $pair->rejoin;
    $pair->synchronous(1);
});

# It is made read-only, and its sessions are ended; it runs on, and nobody reads from it or writes to it any more.
survives('the primary is fenced', 10, sub {
    my $db = $pair->admin;
    $db->do('ALTER SYSTEM SET default_transaction_read_only = on');
    $db->do('SELECT pg_reload_conf()');
    wait_until { $pair->admin->selectrow_array('SHOW default_transaction_read_only') eq 'on' } 20, 'new sessions to be read-only';
    $db->do('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL');
    $db->disconnect;
    $pair->promote;
});
is $pair->standby->admin->selectrow_array("SELECT COUNT(*) FROM pg_stat_activity WHERE usename = 'shop'"), 0, 'nobody is connected to the old one';

# Nothing comes from it any more, not even a refusal; whoever promotes the standby sees that it stays away.
follow_again();
survives('the primary hangs', 11, sub {
    $pair->freeze;
    $pair->promote;
    sleep 6;   # for so long it keeps those waiting who asked it
});
$pair->standby->crash;

is $server->pid, $pid, 'httpd was never restarted';
cmp_ok $server->stop, '<', 10, 'httpd stops';
log_is_clean(server => $server, except => [qr/SVC01[01]|SVC033|SVC035|SVC04\d|SVC060|dbd:(?:error|crit)/]);
$pair->stop;
log_is_clean;
done_testing;
