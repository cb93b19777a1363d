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
TestSvc::Trade::works($server, 'at first');

sub survives {   # what is done to the primary
    my ($name, $longest, $what) = @_;
    my $trade = TestSvc::Trade->start($server, $name);
    sleep 1;
    $what->();
    my $back = time;
    sleep 1;
    my $all = $trade->end(longest => $longest);
    cmp_ok $all->{last} - $back, '<', 5, "$name: 5 s after the promotion nobody is answered 503 any more";
    return $all;
}

survives('the primary is killed', 10, sub {
    $pair->crash;
    sleep 1;
    $pair->promote;
});

# What was the primary comes back as a standby, and is it again by a switchover, in good order.
$pair->copy_primary;
$pair->standby->start;
$pair->synchronous(1);
survives('a switchover', 10, sub {
    $pair->primary->stop;
    $pair->promote;
    $pair->rejoin;
    $pair->synchronous(1);
});


is $server->pid, $pid, 'httpd was never restarted';
cmp_ok $server->stop, '<', 10, 'httpd stops';
log_is_clean(server => $server, except => [qr/SVC01[01]|SVC035|SVC04\d|SVC060|dbd:error/]);
$pair->stop;
log_is_clean;
done_testing;
