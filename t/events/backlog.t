# A follower that was away while 10 000 events happened: back again it takes them page by page, each once, also when
# its leader is killed (-9) again and again in the middle.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes 'time';
use TestSvc;
use TestSvc::Clients;
use TestSvc::Recorder;
use TestSvc::Server;
use TestSvc::Truth;

my $Count = 10_000;
my ($seller, $buyer) = TestSvc::Server->pair;
$_->start for $seller, $buyer;

my $ordered = new_order(vhost => $buyer, ticket => new_ticket(vhost => $seller, title => 'Before'));
wait_until { order($ordered->{id}, vhost => $buyer)->{status} eq 'awaiting:payment' } 10, 'the dance';
wait_quiet([$seller, $buyer]);
my $source = db($seller)->selectrow_array('SELECT source FROM tickets_head');
sub head { return scalar db($seller)->selectrow_array('SELECT position FROM tickets_head') }
sub cursor { my ($at) = eval { db($buyer)->selectrow_array('SELECT position FROM orders_cursor WHERE source = ?', undef, $source) }; return $at || 0 }
my $from = cursor();
is $from, head(), 'the follower is at the head';

# --- away
$buyer->stop;
my $begin = time;
my @answers = TestSvc::Clients->start(4, $seller, sub {   # tickets, each edited four times
    my ($client, $number) = @_;
    my %codes;
    for my $i (1 .. $Count / 20) {
        my $made = $client->send(POST => '/api/tickets', user => 'alice', json => { title => "Ticket $number.$i", price => 5 });
        $codes{ $made->{code} }++;
        $codes{ $client->send(PUT => "/api/tickets/$made->{json}{id}", user => 'alice',
                              json => { title => "Ticket $number.$i at $_", price => $_ })->{code} }++ for 1 .. 4;
    }
    return \%codes;
})->wait;
is_deeply \@answers, [({ 201 => $Count / 20, 200 => $Count / 5 }) x 4], "$Count changes are made while orders is away";
note sprintf '%.1f s', time - $begin;
is head(), $from + $Count, 'each is one event';

# --- back
$begin = time;
$buyer->start;
my $kills = 0;
for my $part (1 .. 4) {            # each time a fifth of the way has been gone
    my $goal = $from + $Count / 5 * $part;
    wait_until { cursor() >= $goal } 60, "the follower to come to $goal";
    last if cursor() == head();
    my $leader = $buyer->wait_leader('orders');
    kill KILL => $leader;
    $kills++ if cursor() < head();
    $buyer->wait_leader('orders', $leader);
}
cmp_ok $kills, '>=', 2, "its leader is killed in the middle ($kills times)";
wait_until { cursor() == head() } 60, 'the follower to catch up';
note sprintf '%.1f s', time - $begin;
wait_quiet([$seller, $buyer]);
truth_ok([$seller, $buyer], 'in the end the replica is the source, and every version was applied once');
is db($buyer)->selectrow_array('SELECT COUNT(*) FROM orders_tickets WHERE version = 4'), $Count / 5, 'each ticket in its last version';
is db($buyer)->selectrow_array('SELECT (SELECT COUNT(*) FROM orders_parked) + (SELECT COUNT(*) FROM orders_quarantine)'), 0, 'nothing waits or was set aside';

my $recorder = TestSvc::Recorder->new($seller->endpoint('tickets_pub'), $seller->endpoint('tickets_replay'));
$recorder->stream_ok($seller, 'tickets', 'an observer can read the whole log in pages');
$recorder->close;
my $last = new_order(vhost => $buyer, ticket => new_ticket(vhost => $seller, title => 'After'));
wait_until { order($last->{id}, vhost => $buyer)->{status} eq 'awaiting:payment' } 10, 'the dance';
pass 'and the services go on';

cmp_ok $_->stop, '<', 10, 'it stops' for $buyer, $seller;
log_is_clean(server => $_, except => [qr/children are killed successively/], name => 'its error log has no unexpected line') for $seller, $buyer;
log_is_clean;
done_testing;
