# Orders' replica of a ticket is right whatever a publisher without replay does to the events: duplicates, stale and
# reordered versions, gaps; one ticket's trouble is never another's.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Event;

my $source = 'urn:uuid:' . new_uuid();
my $sequence = 0;
my $bus = TestSvc::Event->publisher(endpoint('RAW_TICKETS_PUB'))->wait_subscriber('ticket:created')->wait_subscriber('ticket:updated');
my $raw = db('raw', unicode => 1);

sub announce {   # version $version of ticket $id
    my ($id, $version, %data) = @_;
    my $type = $version ? 'ticket:updated' : 'ticket:created';
    $bus->send($type, cloudevent(type => $type, subject => $id, source => $source, sequence => ++$sequence, data => {
        id => $id, version => $version, title => "version $version", price => 10 + $version, userId => 'zoe', %data }));
}
sub row { return $raw->selectrow_hashref('SELECT id, title, cents, version, user_id, order_id FROM orders_tickets WHERE id = ?', undef, $_[0]) }
sub version { my $row = row($_[0]); return $row ? $row->{version} : undef }
sub waiting { return scalar $raw->selectrow_array('SELECT COUNT(*) FROM orders_parked WHERE entity_id = ?', undef, $_[0]) }
sub barrier {   # what was sent before was taken when this has arrived
    my $id = new_uuid();
    announce($id, 0);
    wait_until { row($id) } 10, 'a later event to be applied';
}

my $id = new_uuid();
announce($id, 0, title => "\x{266a} Cats", price => 0.01);
barrier();
is_deeply row($id), { id => $id, title => "\x{266a} Cats", cents => 1, version => 0, user_id => 'zoe', order_id => undef },
    'ticket:created makes the row';
announce($id, 1, title => 'Dogs', price => 9999999.99);
barrier();
is_deeply row($id), { id => $id, title => 'Dogs', cents => 999999999, version => 1, user_id => 'zoe', order_id => undef },
    'ticket:updated changes it, to the cent';

announce($id, 1, title => 'Dogs again');
announce($id, 0, title => 'Cats again');
barrier();
is row($id)->{title}, 'Dogs', 'duplicates are dropped, also with other content';
is waiting($id), 0, 'and do not wait for anything';

announce($id, 2);
announce($id, 3);
announce($id, 1, title => 'stale');
announce($id, 2, title => 'stale');
barrier();
is row($id)->{title}, 'version 3', 'stale versions are dropped';

my $swapped = new_uuid();
announce($swapped, 0);
announce($swapped, 2);
barrier();
is version($swapped), 0, 'version 2 waits for version 1';
is waiting($swapped), 1, 'in the database';
announce($swapped, 1);
barrier();
is row($swapped)->{title}, 'version 2', 'and is applied when that arrives';
is waiting($swapped), 0, 'nothing is left waiting';

my $reversed = new_uuid();
announce($reversed, 0);
announce($reversed, $_) for 3, 2, 1;
barrier();
is row($reversed)->{title}, 'version 3', 'versions 3, 2, 1 end at 3';
is waiting($reversed), 0, 'nothing is left waiting';

my $late = new_uuid();
announce($late, 1);
announce($late, 2);
barrier();
is row($late), undef, 'updates of a ticket that was not created yet wait';
announce($late, 0);
barrier();
is row($late)->{title}, 'version 2', 'and are applied when it was';

my ($gapped, $other) = (new_uuid(), new_uuid());
announce($gapped, 0);
announce($other, 0);
announce($gapped, 5);
announce($gapped, 5);
announce($gapped, 4);
announce($other, 1);
barrier();
is version($gapped), 0, 'a gap is waited for';
is waiting($gapped), 2, 'with each version once';
is version($other), 1, 'another ticket does not wait with it';
announce($gapped, 1);
announce($gapped, 2);
barrier();
is version($gapped), 2, 'as far as there is no gap it goes on';
announce($gapped, 3);
barrier();
is row($gapped)->{title}, 'version 5', 'the last missing one brings it to the end';
is waiting($gapped), 0, 'nothing is left waiting';

# All at once: six tickets of 25 versions, every event twice, in a random order (the seed is told).
my $seed = $ENV{SEED} || int rand 1_000_000;
srand $seed;
my @ids = map { new_uuid() } 1 .. 6;
my @events = map { my $one = $_; map { ([$one, $_], [$one, $_]) } 0 .. 24 } @ids;
for my $i (reverse 1 .. $#events) {
    my $j = int rand $i + 1;
    @events[$i, $j] = @events[$j, $i];
}
announce(@$_) for @events;
barrier();
is_deeply [map { (row($_) || {})->{title} } @ids], [('version 24') x 6], '300 shuffled events end at the highest versions' or diag "SEED=$seed";
is $raw->selectrow_array('SELECT COUNT(*) FROM orders_parked WHERE entity_id IN (?, ?, ?, ?, ?, ?)', undef, @ids), 0,
    'and nothing waits any more';

# A burst goes into few transactions, in order.
my @burst = map { new_uuid() } 1 .. 100;
for my $version (0 .. 4) {
    announce($_, $version) for @burst;
}
barrier();
is $raw->selectrow_array("SELECT COUNT(*) FROM orders_tickets WHERE version = 4 AND title = 'version 4' AND id IN ("
    . join(', ', ('?') x @burst) . ')', undef, @burst), 100, 'a burst of 500 events is applied completely';

# The replica is what an order is made from.
my $order = new_order(vhost => 'raw', ticket => $reversed);
is_deeply $order->{ticket}, { id => $reversed, title => 'version 3', price => 13, version => 3 }, 'an order embeds what the replica says';

$bus->close;
log_is_clean;
done_testing;
