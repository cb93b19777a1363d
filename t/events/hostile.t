# What no publisher of ours would send: values from the future, of every wrong type, far too large, far too deep, and of
# another's log. Nothing of it takes effect, each is set aside with one line in the log (or ends its connection), and
# what comes after it is applied: to a follower of a plain publisher, and to one of a log with replay.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $server = TestSvc::Server->new(site => <<'CONF')->start;
DBDriver sqlite3
DBDParams "@dir@/data/shop.db"
DBDMax 64
OrdersSubscribe  tcp://127.0.0.1:@port:plain_tickets@
TicketsSubscribe tcp://127.0.0.1:@port:plain_orders@
OrdersSubscribe  tcp://127.0.0.1:@port:log_pub@ tcp://127.0.0.1:@port:log_replay@
CONF
my %bus = map { $_ => TestSvc::Event->publisher($server->endpoint($_)) } qw(plain_tickets plain_orders log_pub);
my $replayer = TestSvc::Event->replayer($server->endpoint('log_replay'));
$bus{plain_tickets}->wait_subscriber('ticket:created');
$bus{plain_orders}->wait_subscriber('order:created');
my @leaders = map { $server->wait_leader($_) } qw(tickets orders);
my $db = db($server);
my $source = 'urn:uuid:' . new_uuid();
my $sequence = 0;

sub ticket_data { my $data = { id => new_uuid(), version => 0, title => 'Good', price => 5, userId => 'zoe', @_ }; return $data }
sub event { my ($type, $data, %with) = @_;
    return { %{ cloudevent(type => $type, subject => ref $data eq 'HASH' ? $data->{id} : new_uuid(), source => $source, sequence => ++$sequence, data => $data) }, %with } }
sub raw { my ($bus, @frames) = @_; $bus{$bus}{socket}->send_multipart([map { ref $_ ? $json->encode($_) : $_ } @frames]) }
sub known { return $db->selectrow_array('SELECT 1 FROM orders_tickets WHERE id = ?', undef, $_[0]) }
sub count { return scalar $db->selectrow_array("SELECT COUNT(*) FROM $_[0]") }
sub lines { my ($module) = @_; return scalar grep { /SVC030: mod_$module:/ } split /\n/, $server->error_log }
sub good_ticket_comes {          # sent again: a connection may just have been ended
    my $data = ticket_data();
    my $good = event('ticket:created', $data);
    return wait_until { raw('plain_tickets', 'ticket:created', $good); known($data->{id}) } 15, 'a good event after the bad one';
}
my $for_sale = new_ticket(vhost => $server);
sub order_data { return { id => new_uuid(), version => 0, status => 'created', userId => 'zoe', expiresAt => '2030-01-01T00:00:00.000Z',
                          ticket => { id => $for_sale->{id}, price => 20 }, @_ } }
sub good_order_comes {           # takes the ticket and gives it back
    my $data = order_data();
    my $holder = sub { ticket($for_sale->{id}, vhost => $server)->{orderId} || '' };
    my ($made, $gone) = (event('order:created', $data), event('order:cancelled', { id => $data->{id}, version => 1, cancelReason => 'user', ticket => { id => $for_sale->{id} } }));
    wait_until { raw('plain_orders', 'order:created', $made); $holder->() eq $data->{id} } 15, 'a good order after the bad one';
    return wait_until { raw('plain_orders', 'order:cancelled', $gone); $holder->() eq '' } 15, 'its end';
}
good_ticket_comes();
good_order_comes();

# The bad one is set aside: one row, one line, no effect; what follows is applied.
sub is_set_aside {
    my ($name, $side, @frames) = @_;
    my $other = $side eq 'orders' ? 'plain_tickets' : 'plain_orders';
    my ($rows, $lines, $parked, $tickets) = (count("${side}_quarantine"), lines($side), count("${side}_parked"), count('orders_tickets'));
    my $before = ticket($for_sale->{id}, vhost => $server)->{version};
    raw($other, @frames);
    my $came = eval { $side eq 'orders' ? good_ticket_comes() : good_order_comes() } or diag $@;
    eval { wait_until { lines($side) > $lines } 5, 'the line, which comes after the commit' };
    my @is = (!!$came, count("${side}_quarantine") - $rows, lines($side) - $lines, count("${side}_parked") - $parked,
              count('orders_tickets') - $tickets, ticket($for_sale->{id}, vhost => $server)->{version} - $before);
    is_deeply \@is, [!!1, 1, 1, 0, $side eq 'orders' ? (1, 0) : (0, 2)], "$name is set aside, and the next event applied"
        or diag 'applied after it, rows set aside, lines in the log, events parked, tickets, versions';
}

# --- every field, of every wrong type
my %wrong = ('a number' => 7, 'a fraction' => 7.5, 'a text' => 'x', 'an empty text' => '', true => JSON::PP::true, null => undef,
             'an array' => [1], 'an object' => { a => 1 });
my %fits = (                     # what is no mistake there
    'id' => { 'a text' => 1 }, source => { 'a text' => 1 }, time => { map { $_ => 1 } keys %wrong }, datacontenttype => { map { $_ => 1 } keys %wrong },
    subject => { 'a text' => 1, 'null' => 1, 'an empty text' => 1 }, sequence => { null => 1 },   # null means unset
    'data.title' => { 'a text' => 1 }, 'data.price' => { 'a number' => 1, 'a fraction' => 1 },
    'data.userId' => { 'a text' => 1, 'an empty text' => 1, null => 1 }, 'data.orderId' => { null => 1 },
);
for my $field (qw(specversion id source type subject sequence)) {
    for my $kind (grep { !$fits{$field}{$_} } sort keys %wrong) {
        is_set_aside("$kind as $field", 'orders', 'ticket:created', event('ticket:created', ticket_data(), $field => $wrong{$kind}));
    }
}
is_set_aside("$_ as data", 'orders', 'ticket:created', event('ticket:created', $wrong{$_})) for grep { $_ ne 'an object' } sort keys %wrong;
for my $field (qw(id version title price userId orderId)) {
    for my $kind (grep { !$fits{"data.$field"}{$_} } sort keys %wrong) {
        is_set_aside("$kind as data.$field", 'orders', 'ticket:created', event('ticket:created', ticket_data($field => $wrong{$kind}), subject => new_uuid()));
    }
}
for my $kind (sort keys %wrong) {
    is_set_aside("$kind as an order's id", 'tickets', 'order:created', event('order:created', order_data(id => $wrong{$kind}), subject => new_uuid()));
    is_set_aside("$kind as an order's version", 'tickets', 'order:created', event('order:created', order_data(version => $wrong{$kind})));
    is_set_aside("$kind as an order's ticket", 'tickets', 'order:created', event('order:created', order_data(ticket => $wrong{$kind})));
    is_set_aside("$kind as its id", 'tickets', 'order:created', event('order:created', order_data(ticket => { id => $wrong{$kind}, price => 20 })));
}

# --- from the future
is_set_aside('specversion 2.0', 'orders', 'ticket:created', event('ticket:created', ticket_data(), specversion => '2.0'));
for my $number (qw(9223372036854775807 9223372036854775808 18446744073709551617 1e30 -9223372036854775808)) {
    (my $version = $json->encode(event('ticket:created', ticket_data(version => 4711)))) =~ s/4711/$number/;
    is_set_aside("version $number of a new ticket", 'orders', 'ticket:created', $version);
    (my $order = $json->encode(event('order:created', order_data(version => 4711)))) =~ s/4711/$number/;
    is_set_aside("version $number of a new order", 'tickets', 'order:created', $order);
    (my $price = $json->encode(event('ticket:created', ticket_data(price => 4711)))) =~ s/4711/$number/;
    is_set_aside("price $number", 'orders', 'ticket:created', $price);
}

# --- what is JSON, and what is not
my $nested = $json->encode(event('ticket:created', ticket_data(), extra => 'here'));
my $deep = 20_000;
(my $arrays = $nested) =~ s/"here"/('[' x $deep) . (']' x $deep)/e;
is_set_aside("$deep arrays in one another", 'orders', 'ticket:created', $arrays);
(my $objects = $nested) =~ s/"here"/('{"a":' x 10_000) . '1' . ('}' x 10_000)/e;
is_set_aside('10000 objects in one another', 'orders', 'ticket:created', $objects);
is_set_aside('only opening brackets', 'orders', 'ticket:created', '[' x 60_000);
(my $twice = $json->encode(event('ticket:created', ticket_data()))) =~ s/"version":0/"version":0,"version":1/;
is_set_aside('a version twice', 'orders', 'ticket:created', $twice);
(my $sources = $json->encode(event('ticket:created', ticket_data()))) =~ s/"source":/"source":"urn:uuid:other","source":/;
is_set_aside('a source twice', 'orders', 'ticket:created', $sources);
for my $case (['a byte that is no UTF-8', "\xff"], ['half a character', "\xe2\x82"], ['a surrogate in UTF-8', "\xed\xa0\x80"],
              ['an overlong slash', "\xc0\xaf"], ['half a surrogate pair', '\ud800'], ['an escaped NUL', '\u0000']) {
    my ($name, $bytes) = @$case;
    (my $text = $json->encode(event('ticket:created', ticket_data(title => 'HERE')))) =~ s/HERE/$bytes/;
    is_set_aside("$name in a title", 'orders', 'ticket:created', $text);
}

# --- far too much of it
raw('plain_tickets', 'ticket:created', 'x' x 1_000_000);
ok((eval { good_ticket_comes() } || diag $@), 'a frame of a megabyte ends the connection, and the next event is applied');
is_set_aside('a message of 3000 frames', 'orders', 'ticket:created', ('x') x 2999);
raw('plain_orders', 'order:created', 'x' x 1_000_000);
ok((eval { good_order_comes() } || diag $@), 'the same from orders');

# --- what is unknown here
raw('plain_tickets', 'ticket:exploded', event('ticket:exploded', ticket_data()));
my ($tickets, $rows) = (count('orders_tickets'), count('orders_quarantine'));
raw('plain_tickets', 'ticket:exploded', event('ticket:exploded', ticket_data(version => 'x')));
good_ticket_comes();
is_deeply [count('orders_tickets') - $tickets, count('orders_quarantine') - $rows], [1, 0], 'a subject that is not known is passed by, whatever is in it';
my $nowhere = order_data(ticket => { id => new_uuid(), price => 1 });
raw('plain_orders', 'order:created', event('order:created', $nowhere));
raw('plain_orders', 'order:cancelled', event('order:cancelled', { id => $nowhere->{id}, version => 1, cancelReason => 'user', ticket => $nowhere->{ticket} }));
ok((eval { good_order_comes() } || diag $@), 'orders of a ticket that is not known here do no harm');
like $server->error_log, qr/TKT020:.*$nowhere->{ticket}{id}|TKT020:.*$nowhere->{id}/, '... and are named in the log';

# --- in a log with replay
my @log;
my $urn = 'urn:uuid:' . new_uuid();
my $answer;                      # what is answered now; undef: the truth
sub record { my $data = ticket_data(@_); push @log, { %{ event('ticket:created', $data) }, source => $urn, sequence => sprintf '%020d', @log + 1 }; return $log[-1] }
sub honest { my (undef, $position, undef, $limit) = @_; my $to = $position + ($limit > 100 ? 100 : $limit); $to = @log if $to > @log;
             return ('EVENTS', $urn, scalar @log, map { ($_->{type}, $_) } @log[$position .. $to - 1]) }
sub heartbeat { my $event = cloudevent(type => 'heartbeat', source => $urn, sequence => scalar @log, data => { head => scalar @log });
                delete $event->{subject}; raw('log_pub', 'heartbeat', $event) }
sub cursor { my ($at) = $db->selectrow_array('SELECT position FROM orders_cursor WHERE source = ?', undef, $urn); return $at || 0 }
sub follows {
    return wait_until {
        heartbeat();
        $replayer->answer(0.02, sub { return $answer && $_[3] > 0 ? $answer->(@_) : honest(@_) }) for 1 .. 3;
        cursor() == @log } 15, 'the log to be followed to its end';
}
record() for 1 .. 3;
ok((eval { follows() } || diag $@), 'a log is followed');
my $foreign = sub { my $event = event('ticket:created', ticket_data(title => 'foreign')); $event->{sequence} = sprintf '%020d', scalar @log; return $event };
for my $case (
    ['events of another source',    sub { return ('EVENTS', $urn, scalar @log, 'ticket:created', $foreign->()) }],
    ['a page of another source',    sub { return ('EVENTS', 'urn:uuid:' . new_uuid(), 10) }],
    ['a head that is no number',    sub { return ('EVENTS', $urn, 'many') }],
    ['a negative head',             sub { return ('EVENTS', $urn, '-5') }],
    ['no head',                     sub { return ('EVENTS', $urn) }],
    ['a subject without an event',  sub { my @page = honest(@_); return (@page, 'ticket:created') }],
    ['events that are no JSON',     sub { return ('EVENTS', $urn, scalar @log, ('ticket:created', '{{{') x 3) }],
    ['an empty answer',             sub { return ('') }],
    ['an answer of 3000 frames',    sub { return ('EVENTS', $urn, ('x') x 2998) }],
    ['a page in reverse',           sub { my ($kind, $name, $head, @events) = honest(@_); return ($kind, $name, $head, map { @events[2 * $_, 2 * $_ + 1] } reverse 0 .. @events / 2 - 1) }],
    ['a megabyte',                  sub { return ('EVENTS', $urn, scalar @log, 'ticket:created', 'x' x 1_000_000) }],
    ['REPLAY',                      sub { return ('REPLAY', @_) }],
) {
    my ($name, $bad) = @$case;
    my @new = (record(), record());
    my $given = 0;
    $answer = sub { return $given++ < 2 ? $bad->(@_) : honest(@_) };
    ok((eval { follows() } || diag $@), "after $name as an answer the log is followed to its end") ;
    cmp_ok $given, '>=', 1, '... which was given';
    is_deeply [map { known($_->{data}{id}) } @new], [1, 1], '... nothing left out';
}
undef $answer;
is $db->selectrow_array("SELECT COUNT(*) FROM orders_tickets WHERE title = 'foreign' AND source = ?", undef, $urn), 0, 'what another source says is never its own';
raw('log_pub', 'ticket:created', { %{ event('ticket:created', ticket_data()) }, source => $urn, sequence => '9' x 18 });
record();
ok((eval { follows() } || diag $@), 'a live event from the far future of the log is not believed');

is_deeply [map { $server->wait_leader($_) } qw(tickets orders)], \@leaders, 'who took all this is still alive';
$_->close for values %bus, $replayer;
cmp_ok $server->stop, '<', 10, 'it stops';
log_is_clean(server => $server, except => [qr/SVC030: mod_(?:orders|tickets): |SVC03[347]: mod_orders: /], name => 'its error log has no unexpected line');
log_is_clean;
done_testing;
