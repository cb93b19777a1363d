# Three httpd on one database on a server, as three machines: each serves and publishes all. They may start at once on an
# empty database. Who follows all three has one stream without gaps: observers, the three themselves, and an orders service
# elsewhere that has a database of its own. Each in turn is killed, all of it, while clients trade at all of them: the
# others go on within two seconds, and nothing that was acknowledged is lost.
# For PostgreSQL and MariaDB (DB=pgsql, DB=mysql).
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Database;
use TestSvc::Machines;
use TestSvc::Server;
use TestSvc::Truth;

my @name = ('the first machine', 'the second machine', 'the third machine');
my @services = qw(tickets orders);
sub head_of { my ($where, $service) = @_; return scalar db($where)->selectrow_array("SELECT position FROM ${service}_head") }

# --- an empty database, and three who make its tables at once
for my $round (1 .. 3) {
    my $cluster = TestSvc::Machines->new(3)->start;
    my @machines = $cluster->all;
    $_->wait_database for @machines;
    my @tickets = map { new_ticket(vhost => $_) } @machines;
    my @orders = map { new_order(vhost => $machines[$_], ticket => $tickets[$_ - 1]) } 0 .. 2;
    ok((eval { wait_until { !grep { order($_->{id}, vhost => $machines[0])->{status} ne 'awaiting:payment' } @orders } 10, 'the orders' } || diag $@),
        "three that start at once on an empty database trade with one another ($round)");
    is_deeply [map { db($machines[0])->selectrow_array("SELECT COUNT(*), MAX(id) FROM ${_}_head") } @services], [1, 1, 1, 1], '... as one service, with one log each';
    wait_quiet($machines[0]);
    truth_ok($machines[0]);
    $_->stop for @machines;
    log_is_clean(server => $machines[$_], name => "the error log of $name[$_] has no unexpected line") for 0 .. 2;
}

# --- all serve, all publish, some follow from elsewhere
my $cluster = TestSvc::Machines->new(3);
my @machines = $cluster->all;
my $elsewhere = TestSvc::Server->new(modules => ['orders'], engine => TestSvc::Database->new('sqlite3'));
$elsewhere->follow(@machines);
$cluster->follow($elsewhere)->start;
$_->wait_database for @machines, $elsewhere->start;
my %recorder = map { $_ => $cluster->recorder($_) } @services;

sub source_of { my ($where, $service) = @_; return scalar db($where)->selectrow_array("SELECT source FROM ${service}_head") }
sub publishers { my ($service) = @_; return @{ db($machines[0])->selectcol_arrayref("SELECT DISTINCT publisher FROM ${service}_log") } }
my $source = source_of($machines[0], 'tickets');
sub taken_elsewhere { my ($n) = db($elsewhere)->selectrow_array('SELECT position FROM orders_cursor WHERE source = ?', undef, $source); return $n || 0 }
sub all_quiet {   # ... and what is elsewhere has followed, and was followed
    wait_quiet($machines[0]);
    wait_until { taken_elsewhere() == head_of($machines[0], 'tickets')
                 && (db($machines[0])->selectrow_array('SELECT position FROM tickets_cursor WHERE source = ?', undef, source_of($elsewhere, 'orders')) || 0)
                     == head_of($elsewhere, 'orders') } 20, 'the service elsewhere';
    wait_quiet($machines[0]);
}
sub right_everywhere {
    my ($name) = @_;
    all_quiet();
    truth_ok($machines[0], "$name: positions, versions, events, replicas, one order for each ticket");
    my $columns = 'id, title, cents, user_id, version, order_id';
    is_deeply db($elsewhere)->selectall_arrayref("SELECT $columns FROM orders_tickets ORDER BY id"),
        db($machines[0])->selectall_arrayref("SELECT $columns FROM tickets ORDER BY id"), '... the replica elsewhere, too';
    my %active;
    $active{$_}++ for map { @{ db($_)->selectcol_arrayref(q{SELECT ticket_id FROM orders WHERE status <> 'cancelled'}) } } $machines[0], $elsewhere;
    is_deeply [grep { $active{$_} > 1 } keys %active], [], '... no ticket has an order at both';
    is_deeply [map { scalar db($_)->selectrow_array('SELECT COUNT(*) FROM orders_quarantine') } $machines[0], $elsewhere], [0, 0], '... nothing was set aside';
}
sub is_reserved { my ($order, $where) = @_;
    return eval { wait_until { order($order->{id}, vhost => $where)->{status} eq 'awaiting:payment' } 10, 'the reservation' } || diag $@ }

$_->{live}->next(5) or die "no heartbeat\n" for map { $recorder{$_} } @services;
my %begun = map { $_ => head_of($machines[0], $_) } @services;
my $trade = $cluster->trade;
wait_until { db($machines[0])->selectrow_array('SELECT COUNT(*) FROM tickets') >= 200   # each is read back twice
             && !grep { publishers($_) < @machines } @services } 60, 'trade at all three';
my $seen = $trade->end;
diag $seen->summary if $ENV{V};
is_deeply $seen->{odd}, [], 'clients trade at all three at once, and all answers are expected ones';
is $seen->{codes}{503} || 0, 0, '... and no request has to be repeated';
is_deeply $seen->{stale}, [], '... what one machine has written all read at once';
cmp_ok $seen->{read_back}, '>', 50, '... which was looked at often';
$seen->is_kept($machines[0], '... and every change is kept');
for my $i (0 .. 2) {
    my $order = new_order(vhost => $elsewhere, ticket => new_ticket(vhost => $machines[$i], title => "From $name[$i]"));
    ok is_reserved($order, $elsewhere), "what $name[$i] sells can be bought elsewhere";
}
right_everywhere('with three machines');
for my $service (@services) {
    my $new = head_of($machines[0], $service) - $begun{$service};
    eval { wait_until { $recorder{$service}->live >= $new } 10, 'all events to be published' };
    is $recorder{$service}->live, $new, "each event of $service is published once, by one of the three";
    is_deeply [sort(publishers($service))], [sort map { $_->endpoint("${service}_pub") } @machines], '... and each of them publishes some';
    $recorder{$service}->stream_ok($machines[0], $service, '... one stream without gaps, and equal to the log');
}

# --- each in turn is killed while all trade
$trade = $cluster->trade;
for my $i (0 .. 2) {
    my $survivor = $machines[($i + 1) % 3];
    my $before = $recorder{tickets}->take;
    wait_until { $recorder{tickets}->take > $before + 20 } 20, 'some trade';
    my $killed = time;
    kill KILL => $machines[$i]->pid, $machines[$i]->children;
    my %took;
    my $sold = new_ticket(vhost => $survivor, title => "After $name[$i] was killed");
    my $posted = time - $killed;
    my $order = new_order(vhost => $survivor, ticket => $sold);
    my $ordered = time - $killed;
    my $position = db($survivor)->selectrow_array('SELECT MAX(position) FROM tickets_log WHERE entity_id = ?', undef, $sold->{id});
    my %until = (
        'an observer of all has all events until then' => sub { $recorder{tickets}->take >= $position },
        'the service elsewhere has them'               => sub { taken_elsewhere() >= $position },
        'an order of a survivor is reserved'           => sub { order($order->{id}, vhost => $survivor)->{version} >= 1 },
    );
    my $deadline = $killed + 20;
    while (keys %took < keys %until && time < $deadline) {
        $took{$_} = time - $killed for grep { !exists $took{$_} && $until{$_}->() } keys %until;
        sleep 0.02;
    }
    $machines[$i]->kill9_parent_and_children;
    note sprintf '%.2f s: the ticket is answered, %.2f s: the order is', $posted, $ordered;   # what took how long
    for my $log (['tickets', $sold], ['orders', $order]) {
        my ($service, $entity) = @$log;
        note sprintf '%.2f s: %s, told at %s', $_->[0] / 1000 - $killed, @$_[1, 2] for @{ db($survivor)->selectall_arrayref(
            "SELECT recorded_at, subject, publisher FROM ${service}_log WHERE entity_id = ? ORDER BY position", undef, $entity->{id}) };
    }
    for my $what (sort keys %until) {
        my $said = defined $took{$what} ? sprintf '%.2f s', $took{$what} : 'never';
        cmp_ok $took{$what} || 99, '<', 2, "$name[$i] was killed: $what: $said";
    }
    $before = $recorder{tickets}->take;
    wait_until { $recorder{tickets}->take > $before + 20 } 20, 'the trade to go on without it';
    ok((eval { $machines[$i]->start } || diag $@), '... and is started again');
    my $back = new_order(vhost => $machines[$i], ticket => new_ticket(vhost => $machines[$i]));
    ok is_reserved($back, $survivor), '... and sells and buys';
}
is $trade->running, 6, 'the traders are still there';
$seen = $trade->end;
diag $seen->summary, map { "\n$seen->{text}{$_} x $_" } sort keys %{ $seen->{text} || {} } if $ENV{V};
is_deeply $seen->{odd}, [], 'who lost a machine went on at another one: all answers are expected ones';
is_deeply $seen->{stale}, [], '... what was written at one is read at the others, also then';
cmp_ok $seen->{slowest}, '<', 10, sprintf '... and the slowest answer took %.2f s', $seen->{slowest};
$seen->is_kept($machines[0], 'nothing that was acknowledged is lost, and nothing was made twice');
right_everywhere('after each was killed');
for my $service (@services) {
    $recorder{$service}->stream_ok($machines[0], $service, "$service is one stream without gaps, whoever was dead, and equal to the log");
    $recorder{$service}->close;
}

for my $server ($elsewhere, @machines) {
    cmp_ok $server->stop, '<', 10, 'it stops';
    log_is_clean(server => $server, except => [qr/children are killed successively/], name => 'its error log has no unexpected line');
}
log_is_clean;
done_testing;
