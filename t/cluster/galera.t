# Three httpd as three machines, each on a node of its own of one Galera cluster: all serve and write, and the log has no
# gap. Conflicts between the nodes are settled within the answers. A node that is killed, cut off or given an empty disk
# has its httpd answer 503 until it is back, without a restart, while the others trade on.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Galera;
use TestSvc::Machines;
use TestSvc::Server;
use TestSvc::Truth;

my @name = ('the first node', 'the second node', 'the third node');
my @services = qw(tickets orders);
my $away = qr/SVC0(?:03|1[01]|35|4[01]|60)|SVC033: .* The database is not available|DBD|AH006\d\d/;   # what httpd says while its node is not there

my $begun = time;
sub note_time { note sprintf '%6.1f s: %s', time - $begun, $_[0] }

my $galera = TestSvc::Galera->new(3)->start;
my @nodes = $galera->nodes;
note_time('three nodes are one cluster');

# --- an empty database, and three who make its tables at once, each on its node
for my $round (1 .. 2) {
    my $cluster = TestSvc::Machines->new(3, engines => \@nodes)->start;
    my @machines = $cluster->all;
    $_->wait_database for @machines;
    my @tickets = map { new_ticket(vhost => $_) } @machines;
    my @orders = map { new_order(vhost => $machines[$_], ticket => $tickets[$_ - 1]) } 0 .. 2;
    ok((eval { wait_until { !grep { order($_->{id}, vhost => $machines[0])->{status} ne 'awaiting:payment' } @orders } 10, 'the orders' } || diag $@),
        "three that start at once on an empty database trade with one another ($round)");
    is_deeply [map { db($machines[0])->selectrow_array("SELECT COUNT(*), MAX(id) FROM ${_}_head") } @services], [1, 1, 1, 1], '... as one service, with one log each';
    wait_quiet($_) for @machines;
    truth_ok($machines[$_], "... $name[$_] has all as it must be") for 0 .. 2;
    $_->stop for @machines;
    log_is_clean(server => $machines[$_], name => "... and the error log of its httpd has no unexpected line") for 0 .. 2;
}
note_time('tables were made');

# --- all three write
my $cluster = TestSvc::Machines->new(3, engines => \@nodes)->start;
my @machines = $cluster->all;
$_->wait_database for @machines;
my %recorder = map { $_ => $cluster->recorder($_) } @services;
sub all_right {
    my ($seen, $name) = @_;
    diag $seen->summary, map { "\n$seen->{text}{$_} x $_" } sort keys %{ $seen->{text} || {} } if $ENV{V};
    is_deeply $seen->{odd}, [], "$name: all answers are expected ones";
    is_deeply $seen->{stale}, [], '... what one machine has written all read at once';
    cmp_ok $seen->{slowest}, '<', 10.5, sprintf '... the slowest answer took %.2f s', $seen->{slowest};
    wait_quiet($_, 30) for @machines;
    $seen->is_kept($machines[0], '... nothing that was acknowledged is lost, and nothing was made twice');
    truth_ok($machines[$_], "... $name[$_] has all as it must be") for 0 .. 2;
    $recorder{$_}->stream_ok($machines[0], $_, "... the log of $_ is one stream without gaps") for @services;
}

my $conflicts = sub { $galera->count('wsrep_local_cert_failures') + $galera->count('wsrep_local_bf_aborts') };
my $trade = $cluster->trade;
wait_until { $conflicts->() > 5 && db($machines[0])->selectrow_array('SELECT COUNT(*) FROM tickets') >= 200 } 60, 'trade, and conflicts';   # each is read back twice
my $seen = $trade->end;
is $seen->{codes}{503} || 0, 0, 'clients trade at all three nodes at once: no request has to be repeated';
cmp_ok $seen->{read_back}, '>', 50, '... many read at another node what was just written';
cmp_ok $conflicts->(), '>', 5, '... nodes were in conflict: ' . $conflicts->() . ' times';
all_right($seen, 'three nodes write');
note_time('all three wrote');

# --- a node is not there for a while
my %is = (
    'killed'  => [sub { $nodes[2]->crash }, sub { $nodes[2]->start }],
    'cut off' => [sub { $nodes[1]->cut_off(1) }, sub { $nodes[1]->cut_off(0); $nodes[1]->await }],
    'killed, and loses its disk,' => [sub { $nodes[0]->crash; $nodes[0]->wipe }, sub { $nodes[0]->start }],
);
sub codes { my ($where) = @_; return join ' ', map { $_->code } api(GET => '/api/tickets', vhost => $where),
    api(POST => '/api/tickets', vhost => $where, user => 'alice', json => { title => 'Asked', price => 1 }), api(GET => '/api/orders', vhost => $where, user => 'bob') }

for (['killed', 2], ['cut off', 1], ['killed, and loses its disk,', 0]) {
    my ($what, $i) = @$_;
    my ($dead, $survivor) = ($machines[$i], $machines[($i + 1) % 3]);
    $trade = $cluster->trade;
    my $before = $recorder{tickets}->take;
    wait_until { $recorder{tickets}->take > $before + 20 } 20, 'some trade';
    $is{$what}[0]->();
    my $since = time;
    ok((eval { wait_until { codes($dead) eq '503 503 503' } 15, 'its httpd to say so' } || diag codes($dead)), "$name[$i] is $what: its httpd answers 503");
    $before = $recorder{tickets}->take;
    ok((eval { wait_until { $recorder{tickets}->take > $before + 20 } 20, 'the others to go on' } || diag $@), '... the others trade on');
    my $order = new_order(vhost => $survivor, ticket => new_ticket(vhost => $survivor));
    ok((eval { wait_until { order($order->{id}, vhost => $survivor)->{status} eq 'awaiting:payment' } 10, 'the order' } || diag $@), '... buy and sell');
    is codes($dead), '503 503 503', '... while it answers 503';
    note_time("$what: the others have traded on");
    $is{$what}[1]->();
    note_time("$what: it is back");
    ok((eval { wait_until { codes($dead) eq '200 201 200' } 10, 'its httpd' } || diag codes($dead)), '... it comes back, and its httpd serves without a restart');
    is order($order->{id}, vhost => $dead)->{status}, 'awaiting:payment', '... with what was done meanwhile';
    my $own = new_order(vhost => $dead, ticket => new_ticket(vhost => $dead));
    ok((eval { wait_until { order($own->{id}, vhost => $survivor)->{status} eq 'awaiting:payment' } 10, 'the order' } || diag $@), '... and sells and buys');
    all_right($trade->end, "$name[$i] was $what while all traded");
    note_time("$what: all is right");
}
ok $nodes[2]->log_has(qr/IST received/), 'the node that was killed took only what it had missed';
ok $nodes[0]->log_has(qr/SST received/), 'the node without a disk took all';
unlike $_->error_log, qr/answered 500/, 'no request was answered 500' for @machines;

$_->close for values %recorder;
for my $server (@machines) {
    cmp_ok $server->stop, '<', 10, 'it stops';
    log_is_clean(server => $server, except => [$away], name => 'its error log has no unexpected line');
}
$galera->stop;
log_is_clean;
done_testing;
