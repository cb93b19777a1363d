# Services in databases of their own, one of which is restored from a backup or keeps its log for a while only: followers
# end with what the source has, orders and reservations with what can be true, and nobody else's are touched.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;
use TestSvc::Truth;

# --- one tickets service, three orders services that follow it; it follows them
my %port = map { $_ => TestSvc::Server::free_port() } 'tickets_pub', 'tickets_replay', map { ("pub$_", "replay$_") } 1 .. 3;
my $database = qq(DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\nDBDMax 64\n);
my $tickets = TestSvc::Server->new(modules => ['tickets'], ports => {%port}, site => $database . <<'CONF');
TicketsPublish   tcp://127.0.0.1:@port:tickets_pub@
TicketsReplay    tcp://127.0.0.1:@port:tickets_replay@
TicketsSubscribe tcp://127.0.0.1:@port:pub1@ tcp://127.0.0.1:@port:replay1@
TicketsSubscribe tcp://127.0.0.1:@port:pub2@ tcp://127.0.0.1:@port:replay2@
TicketsSubscribe tcp://127.0.0.1:@port:pub3@ tcp://127.0.0.1:@port:replay3@
CONF
my ($orders, $others, $late) = map { TestSvc::Server->new(modules => ['orders'], ports => {%port}, site => $database . <<"CONF") } 1 .. 3;
OrdersPublish   tcp://127.0.0.1:\@port:pub$_\@
OrdersReplay    tcp://127.0.0.1:\@port:replay$_\@
OrdersSubscribe tcp://127.0.0.1:\@port:tickets_pub\@ tcp://127.0.0.1:\@port:tickets_replay\@
CONF

sub backup {
    my ($server, $name) = @_;
    $server->stop;
    $server->engine->backup($server->db_file, $name);
    $server->start;
}
sub restore {
    my ($server, $name) = @_;
    $server->stop;
    $server->engine->restore($server->db_file, $name);
    $server->start;
}
sub change {   # what nobody does to a service that runs
    my ($server, @sql) = @_;
    my $db = db($server, write => 1);
    $db->do($_) for @sql;
    $db->disconnect;
}
sub head { my ($server, $service) = @_; return db($server)->selectrow_array("SELECT source, position FROM ${service}_head") }
sub value { my ($server, $sql, @args) = @_; return scalar db($server)->selectrow_array($sql, undef, @args) }
sub said { my ($server, $tag) = @_; return scalar(() = $server->error_log =~ /\b$tag\b/g) }

# Does $to have all that $from told? The cursor names the last event of its log.
sub has_followed {
    my ($from, $service, $to, $follower) = @_;
    my ($source, $position) = head($from, $service);
    my $id = value($from, "SELECT event_id FROM ${service}_log WHERE position = ? UNION ALL " .
                          "SELECT event_id FROM ${service}_trimmed WHERE position = ?", $position, $position);
    my @cursor = db($to)->selectrow_array("SELECT position, event_id FROM ${follower}_cursor WHERE source = ?", undef, $source);
    return @cursor && $cursor[0] == $position && $cursor[1] eq $id;
}
sub wait_all {   # until everybody that runs has followed everybody; twice, for what is told for what was told
    for (1, 2) {
        for my $server (grep { $_->pid } $orders, $others, $late) {
            wait_until { has_followed($server, 'orders', $tickets, 'tickets') || !(head($server, 'orders'))[1] } 20, 'tickets to follow orders';
            wait_until { has_followed($tickets, 'tickets', $server, 'orders') } 20, 'orders to follow tickets';
        }
    }
}
my $columns = 'id, title, cents, user_id, version, order_id';
sub replica_is_right {
    my ($server, $name) = @_;
    my ($is, $want) = map { db($_->[0])->selectall_arrayref("SELECT $columns FROM $_->[1] ORDER BY id") } [$server, 'orders_tickets'], [$tickets, 'tickets'];
    is_deeply $is, $want, $name;
}
sub status { my ($server, $order) = @_; return order($order->{id}, vhost => $server)->{status} }
sub holder { my ($ticket) = @_; return ticket($ticket->{id}, vhost => $tickets)->{orderId} || '' }
sub sell { return new_ticket(vhost => $tickets, title => $_[0]) }
sub buy {      # and wait until it has its ticket
    my ($server, $ticket) = @_;
    my $order = new_order(vhost => $server, ticket => $ticket);
    wait_until { status($server, $order) eq 'awaiting:payment' } 15, 'an order to have its ticket';
    return $order;
}
sub edit {
    my ($ticket, $title) = @_;
    my $answer = api(PUT => "/api/tickets/$ticket->{id}", vhost => $tickets, user => 'alice', json => { title => $title, price => 5 });
    die $answer->as_string unless $answer->code == 200;
}

# --- tickets from an older backup, which then grew past the position that was followed
$_->start->wait_database for $tickets, $orders;
my ($kept, $edited) = map { sell($_) } 'kept', 'edited';
wait_all();
backup($tickets, 'old');
edit($edited, 'edited after the backup');
my $vanishing = sell('vanishing');
my ($on_kept, $on_vanishing) = map { buy($orders, $_) } $kept, $vanishing;
wait_all();
my ($source, $followed) = head($tickets, 'tickets');
restore($tickets, 'old');
sell("new history $_") for 1 .. 12;
cmp_ok +(head($tickets, 'tickets'))[1], '>', $followed, 'the restored log has grown past what was followed';
wait_all();
replica_is_right($orders, 'after tickets were restored from a backup the replica equals them, field by field');
is value($orders, 'SELECT title FROM orders_tickets WHERE id = ?', $edited->{id}), 'edited', '... an edit after the backup is gone';
is said($orders, 'SVC032'), 1, '... the log says so, once';
like $orders->error_log, qr/SVC032: mod_orders: the log of \Q$source\E .* position $followed\b/, '... with the source and the position';
is said($orders, 'SVC038'), 1, '... and that it took a snapshot';
my $gone = order($on_vanishing->{id}, vhost => $orders);
is "$gone->{status} $gone->{cancelReason}", 'cancelled reserved', 'an order for a ticket that is no more is cancelled';
is api(GET => "/api/orders/$gone->{id}", vhost => $orders, user => 'bob')->code, 200, '... and can be read';
is status($orders, $on_kept), 'awaiting:payment', 'one for a ticket that is there stays';
is holder($kept), $on_kept->{id}, '... and has its ticket again';
is api(POST => '/api/orders', vhost => $orders, user => 'bob', json => { ticketId => $vanishing->{id} })->code, 404, 'what is no more cannot be ordered';
my $ticket = sell('for sale');
my $order = buy($orders, $ticket);
is holder($ticket), $order->{id}, 'what is there can';
is said($tickets, 'SVC032'), 0, 'tickets followed orders on, from its own older cursor';

# --- tickets from an older backup that is shorter
wait_all();
backup($tickets, 'shorter');
wait_all();
edit($edited, 'once more') for 1 .. 3;
$vanishing = sell('vanishing as well');
wait_all();
restore($tickets, 'shorter');
wait_until { said($orders, 'SVC032') == 2 } 20, 'the shorter log to be believed';
wait_all();
replica_is_right($orders, 'after a restored log that is shorter the replica equals the source, too');
is value($orders, 'SELECT COUNT(*) FROM orders_tickets WHERE id = ?', $vanishing->{id}), 0, '... what came after it is gone';
is status($orders, $_), 'awaiting:payment', '... orders stay' for $on_kept, $order;
$order = buy($orders, sell('after the shorter log'));
is said($orders, 'SVC032'), 2, '... that was said once';

# --- orders from an older backup, beside another orders service
$others->start->wait_database;
my ($swapped, $released, $free, $foreign) = map { sell($_) } 'swapped', 'released', 'free', 'foreign';
wait_all();
my $before = buy($orders, $swapped);
my $of_others = buy($others, $foreign);
wait_all();
backup($orders, 'old');
wait_all();
is api(DELETE => "/api/orders/$before->{id}", vhost => $orders, user => 'bob')->code, 204, 'an order is cancelled after the backup';
wait_until { !holder($swapped) } 10, 'its release';
wait_all();
my ($instead, $lost) = map { buy($orders, $_) } $swapped, $released;
wait_all();
restore($orders, 'old');
wait_until { said($tickets, 'SVC032') == 1 } 20, 'tickets to notice';
wait_until { said($tickets, 'SVC038') == 1 } 20, 'the snapshot';
is holder($released), '', 'after orders were restored from a backup, tickets releases what they do not have';
is holder($swapped), $before->{id}, '... and the order that is back has its ticket';
wait_all();
is status($orders, $before), 'awaiting:payment', '... it awaits payment';
is holder($foreign), $of_others->{id}, "another orders service's reservation is not touched";
is status($others, $of_others), 'awaiting:payment', '... nor its order';
is value($tickets, 'SELECT version FROM tickets WHERE id = ?', $foreign->{id}), 1, '... at any time';
is api(GET => "/api/orders/$lost->{id}", vhost => $orders, user => 'bob')->code, 404, 'what was ordered after the backup is not there';
$order = buy($orders, $released);
is holder($released), $order->{id}, 'its ticket can be ordered again';
buy($orders, $free);
buy($others, sell('for the others'));
wait_all();
replica_is_right($_, 'the replica equals the source') for $orders, $others;
is said($tickets, 'SVC032'), 1, 'tickets has said so once';
is said($tickets, 'SVC038'), 1, '... and taken one snapshot';
is value($tickets, 'SELECT COUNT(*) FROM tickets_quarantine'), 0, '... nothing is set aside';

# --- the log is kept for a while only
$others->stop;                       # it will have missed what is not kept
TestSvc::Clients->start(4, $tickets, sub {
    my ($client) = @_;
    $client->send(POST => '/api/tickets', user => 'alice', json => { title => 'old', price => 1 })->{code} == 201 or die 'not made' for 1 .. 700;
    return 1;
})->wait;
wait_until { has_followed($tickets, 'tickets', $orders, 'orders') } 20, 'orders to follow';
$orders->stop;                       # it has taken exactly what will be removed
$tickets->stop;
my $old_head = (head($tickets, 'tickets'))[1];
my $log_begins = value($tickets, 'SELECT MIN(position) FROM tickets_log');
is $log_begins, 1, 'at first the log is whole';
change($tickets, 'UPDATE tickets_log SET recorded_at = 0',
    "INSERT INTO tickets_quarantine (id, position, subject, reason, recorded_at) VALUES ('old', 0, 's', 'r', 0)",
    "INSERT INTO tickets_quarantine (id, position, subject, reason, recorded_at) VALUES ('young', 0, 's', 'r', " . int(time * 1000) . ')',
    # More tickets than a snapshot takes in a moment.
    'INSERT INTO tickets (id, position, title, cents, user_id, version) VALUES ' .
    join(', ', map { sprintf q(('018f3a7e-0000-7abc-8def-%012d', %d, 'of many', 5, 'zoe', 0)), $_, 1000000 + $_ } 1 .. 8000));
$tickets->write_conf(conf => "TicketsRetention 0\n");
$tickets->start;
$tickets->wait_leader('tickets');
sell('told under TicketsRetention 0');
wait_until { (value($tickets, 'SELECT MAX(position) FROM tickets_publisher') || 0) > $old_head } 10, 'the leader to be at work';
is value($tickets, 'SELECT MIN(position) FROM tickets_log'), 1, 'TicketsRetention 0 keeps all, however old';
is value($tickets, "SELECT COUNT(*) FROM tickets_quarantine WHERE id = 'old'"), 1, '... also what was set aside';
$tickets->stop;
$tickets->write_conf(conf => "TicketsRetention 1\n");
my $hold = $tickets->engine->hold_writers($tickets->db_file);   # until there are requests, too
$tickets->start;
my $sellers = TestSvc::Clients->start(2, $tickets, sub {
    my ($client) = @_;
    my %code;
    until ($client->is_told_to_stop) {
        my $answer = $client->send(POST => '/api/tickets', user => 'alice', json => { title => 'meanwhile', price => 1 });
        $code{ $answer->{code} }++;
        $client->pause(0.01);
    }
    return \%code;
});
undef $hold;
wait_until { value($tickets, 'SELECT MIN(position) FROM tickets_log') > $old_head } 30, 'old events to be removed';
is value($tickets, 'SELECT MIN(position) FROM tickets_log'), $old_head + 1, 'with TicketsRetention 1 old events are removed, and only they';
wait_until { value($tickets, 'SELECT MAX(position) FROM tickets_log') > $old_head + 20 } 10, 'more events';
my %code;
for my $client ($sellers->enough->wait) { $code{$_} += $client->{$_} for keys %$client }
is_deeply [keys %code], [201], 'no request fails meanwhile' or diag explain \%code;
my ($count, $first, $last) = db($tickets)->selectrow_array('SELECT COUNT(*), MIN(position), MAX(position) FROM tickets_log');
is $count, $last - $first + 1, '... and positions go on without a gap';
is_deeply db($tickets)->selectcol_arrayref('SELECT id FROM tickets_quarantine'), ['young'], 'what was set aside that long ago is forgotten, too';

my %snapshots = map { $_ => said($_, 'SVC038') } $orders, $others;
$orders->start;
wait_until { has_followed($tickets, 'tickets', $orders, 'orders') } 20, 'orders to follow';
is said($orders, 'SVC038'), $snapshots{$orders}, 'a follower that has taken exactly what was removed goes on without a snapshot';
$others->start->wait_database;
wait_until { has_followed($tickets, 'tickets', $others, 'orders') } 20, 'the others to follow';
is said($others, 'SVC038'), $snapshots{$others} + 1, 'one that has not gets a snapshot';
is said($others, 'SVC032'), 0, '... and is not told that the log is another one';
replica_is_right($others, '... of all there is');

# --- a new follower, whose leader is killed in the middle of its snapshot
$late->start->wait_database;
my $all = value($tickets, 'SELECT COUNT(*) FROM tickets');
my $some = 0;
wait_until {
    for (1 .. 20) { last if $some = eval { value($late, 'SELECT COUNT(*) FROM orders_tickets') }; sleep 0.002 }
    $some;
} 20, 'the first page';
$hold = $late->engine->hold_writers($late->db_file);
$some = value($late, 'SELECT COUNT(*) FROM orders_tickets');
cmp_ok $some, '<', $all, "a new follower is in the middle of its snapshot: $some of $all tickets";
ok !value($late, 'SELECT COUNT(*) FROM orders_cursor'), '... and has no cursor yet';
my $leader = $late->wait_leader('orders');
kill KILL => $leader;
$late->wait_leader('orders', $leader);
undef $hold;
wait_until { has_followed($tickets, 'tickets', $late, 'orders') } 30, 'the new follower to follow';
replica_is_right($late, 'when its leader is killed there the next one begins anew, and all is right in the end');
is said($late, 'SVC038'), 1, '... by one snapshot that came to its end';
is said($late, 'SVC032'), 0, '... nothing is said of another log';

# --- then all live on events
$ticket = sell('for all');
wait_until { has_followed($tickets, 'tickets', $_, 'orders') } 10, 'all to follow' for $orders, $others, $late;
is value($_, 'SELECT title FROM orders_tickets WHERE id = ?', $ticket->{id}), 'for all', 'a new ticket is known to each' for $orders, $others, $late;
$order = buy($late, $ticket);
wait_all();
is holder($ticket), $order->{id}, 'and can be ordered';
is said($orders, 'SVC038'), $snapshots{$orders}, 'without another snapshot';
is said($others, 'SVC038'), $snapshots{$others} + 1, '... of any of them';
$_->stop for $tickets, $orders, $others, $late;
log_is_clean(server => $tickets, except => [qr/SVC032/], name => "tickets' error log has no unexpected line");
log_is_clean(server => $_, except => [qr/SVC032/, qr/exit signal Killed/], name => "an orders service's neither") for $orders, $others, $late;

# --- both services in one file, restored together: both logs and both cursors come back
{
    my $both = TestSvc::Server->new->start;
    my ($one, $two) = map { new_ticket(vhost => $both, title => $_) } 'one', 'two';
    my $first = new_order(vhost => $both, ticket => $one);
    wait_until { status($both, $first) eq 'awaiting:payment' } 10, 'the dance';
    wait_quiet($both);
    backup($both, 'old');
    my $second = new_order(vhost => $both, ticket => $two);
    wait_until { status($both, $second) eq 'awaiting:payment' } 10, 'the dance';
    new_ticket(vhost => $both) for 1 .. 3;
    api(DELETE => "/api/orders/$first->{id}", vhost => $both, user => 'bob');
    wait_quiet($both);
    restore($both, 'old');
    is status($both, $first), 'awaiting:payment', 'both services in one file are restored together';
    is api(GET => "/api/orders/$second->{id}", vhost => $both, user => 'bob')->code, 404, '... what came after the backup is not there';
    my $third = new_order(vhost => $both, ticket => $two);
    wait_until { status($both, $third) eq 'awaiting:payment' } 10, 'the dance';
    wait_quiet($both);
    truth_ok($both, '... they go on, and all is right');
    is said($both, 'SVC032'), 0, '... nobody speaks of another log';
    is said($both, 'SVC038'), 0, '... or takes a snapshot';
    $both->stop;
    log_is_clean(server => $both, name => 'its error log has no unexpected line');
}

log_is_clean;
done_testing;
