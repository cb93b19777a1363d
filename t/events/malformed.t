# Whatever arrives on the wire, what follows it is applied: a message that is no event, or an event that makes no
# sense, is set aside in the database with one log line that says why.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Event;

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $source = 'urn:uuid:' . new_uuid();
my $sequence = 0;
my $raw = db('raw');
my %bus = (tickets => TestSvc::Event->publisher(endpoint('RAW_TICKETS_PUB')), orders => TestSvc::Event->publisher(endpoint('RAW_ORDERS_PUB')));
$bus{tickets}->wait_subscriber('ticket:created')->wait_subscriber('ticket:updated');
$bus{orders}->wait_subscriber('order:created')->wait_subscriber('order:cancelled');

sub event {   # a good one, to be spoiled
    my ($type, $data, %attributes) = @_;
    my $event = cloudevent(type => $type, subject => $data->{id}, source => $source, sequence => ++$sequence, data => $data);
    for my $name (keys %attributes) {
        if (defined $attributes{$name}) { $event->{$name} = $attributes{$name} } else { delete $event->{$name} }
    }
    return $event;
}
sub good_ticket { return { id => new_uuid(), version => 0, title => 'Good', price => 5, userId => 'zoe', @_ } }
sub known { return $raw->selectrow_array('SELECT 1 FROM orders_tickets WHERE id = ?', undef, $_[0]) }
sub send_raw { my ($bus, @frames) = @_; $bus{$bus}{socket}->send_multipart(\@frames) }
sub follows {   # a good event after it is applied
    my $ticket = good_ticket();
    send_raw(tickets => 'ticket:created', $json->encode(event('ticket:created', $ticket)));
    wait_until { known($ticket->{id}) } 10, 'the good event after the bad one';
}
sub lines { return grep { /SVC030: mod_$_[0]:/ } new_log_lines() }
sub quarantined { return scalar $raw->selectrow_array("SELECT COUNT(*) FROM $_[0]_quarantine") }

# Sends one bad message to orders; it must leave one row, one line with the reason, and no ticket.
sub is_set_aside {
    my ($name, $reason, @frames) = @_;
    my ($lines, $rows, $tickets) = (scalar(my @before = lines('orders')), quarantined('orders'),
                                    $raw->selectrow_array('SELECT COUNT(*) FROM orders_tickets'));
    send_raw(tickets => @frames);
    follows();
    my @now;   # said when the batch is committed, and can be seen
    eval { wait_until { @now = lines('orders'); @now > $lines } 5, 'a line in the log' };
    is @now - $lines, 1, "$name: one line in the log";
    like $now[-1] || '', $reason, '... that says why';
    is quarantined('orders') - $rows, 1, '... one row set aside';
    is $raw->selectrow_array('SELECT COUNT(*) FROM orders_tickets') - $tickets, 1, '... and no ticket made of it';
}

follows();

# --- messages that are no events
is_set_aside 'one frame', qr/two frames/, 'ticket:created';
is_set_aside 'three frames', qr/two frames/, 'ticket:created', $json->encode(event('ticket:created', good_ticket())), 'more';
is_set_aside 'not JSON', qr/: \S+ \S+ .*JSON|: .*\w+ \w+/, 'ticket:created', 'hello';
is_set_aside 'half of it', qr/SVC030/, 'ticket:created', substr $json->encode(event('ticket:created', good_ticket())), 0, 100;
is_set_aside 'nothing', qr/SVC030/, 'ticket:created', '';
is_set_aside 'an array', qr/object/, 'ticket:created', '[]';
is_set_aside 'not UTF-8', qr/SVC030/, 'ticket:created', "{\"id\":\"\xff\"}";
is_set_aside 'a NUL byte', qr/SVC030/, 'ticket:created', $json->encode(event('ticket:created', good_ticket())) . "\0";
is_set_aside 'a subject that is not UTF-8', qr/SVC030/, "ticket:created\xff", '{}';

# --- attributes
for my $case (
    ['no id',               qr/"id"/,          id => undef],
    ['an empty id',         qr/"id"/,          id => ''],
    ['a number as id',      qr/"id"/,          id => 7],
    ['a long id',           qr/"id"/,          id => 'x' x 300],
    ['no source',           qr/"source"/,      source => undef],
    ['no specversion',      qr/"specversion"/, specversion => undef],
    ['specversion 0.3',     qr/"specversion"/, specversion => '0.3'],
    ['no type',             qr/"type"/,        type => undef],
    ['the type of another', qr/"type"/,        type => 'ticket:updated'],
    ['a subject of no text', qr/"subject"/,    subject => 5],
    ['a sequence of text',  qr/"sequence"/,    sequence => 'first'],
    ['a negative sequence', qr/"sequence"/,    sequence => '-1'],
    ['a huge sequence',     qr/"sequence"/,    sequence => '9' x 25],
    ['no data',             qr/data/,          data => undef],
    ['data that is text',   qr/data/,          data => 'x'],
) {
    my ($name, $reason, %spoiled) = @$case;
    is_set_aside $name, $reason, 'ticket:created', $json->encode(event('ticket:created', good_ticket(), %spoiled));
}

# --- data
for my $case (
    ['an id that is no UUID',  qr/data\.id/,      id => 'x'],
    ['a number as data.id',    qr/data\.id/,      id => 5],
    ['no version',             qr/data\.version/, version => undef],
    ['a negative version',     qr/data\.version/, version => -1],
    ['version 0.5',            qr/data\.version/, version => 0.5],
    ['a text as version',      qr/data\.version/, version => '0'],
    ['version 1 when created', qr/data\.version/, version => 1],
    ['no title',               qr/data\.title/,   title => undef],
    ['an empty title',         qr/data\.title/,   title => ''],
    ['a number as title',      qr/data\.title/,   title => 5],
    ['price 0',                qr/data\.price/,   price => 0],
    ['a negative price',       qr/data\.price/,   price => -1],
    ['three decimals',         qr/data\.price/,   price => 1.005],
    ['a price too high',       qr/data\.price/,   price => 10000000],
    ['no price',               qr/data\.price/,   price => undef],
    ['a number as userId',     qr/data\.userId/,  userId => 5],
    ['a long userId',          qr/data\.userId/,  userId => 'x' x 256],
    ['an orderId of no UUID',  qr/data\.orderId/, orderId => 'x'],
    ['a number as orderId',    qr/data\.orderId/, orderId => 5],
) {
    my ($name, $reason, %spoiled) = @$case;
    my $data = good_ticket(%spoiled);
    delete @$data{ grep { !defined $data->{$_} } keys %$data };
    is_set_aside $name, $reason, 'ticket:created', $json->encode(event('ticket:created', $data, subject => new_uuid()));
}
(my $endless = $json->encode(event('ticket:created', good_ticket(price => 12345)))) =~ s/12345/1e400/;
is_set_aside 'price 1e400', qr/SVC030/, 'ticket:created', $endless;

my $twice = good_ticket();
send_raw(tickets => 'ticket:created', $json->encode(event('ticket:created', $twice)));
follows();
is_set_aside 'an update to version 0', qr/data\.version/, 'ticket:updated', $json->encode(event('ticket:updated', $twice));
is_set_aside 'a ticket of another source', qr/another source/, 'ticket:updated',
    $json->encode(event('ticket:updated', { %$twice, version => 1, title => 'Stolen' }, source => 'urn:uuid:' . new_uuid()));
is $raw->selectrow_array('SELECT title FROM orders_tickets WHERE id = ?', undef, $twice->{id}), 'Good', '... and it is not changed';

my $kept = $raw->selectrow_hashref("SELECT * FROM orders_quarantine WHERE reason LIKE '%another source%' ORDER BY id DESC LIMIT 1");
is $kept->{subject}, 'ticket:updated', 'what is set aside keeps its subject';
is $json->decode($kept->{event})->{data}{title}, 'Stolen', 'and its text';

# --- what is big
my $long = $json->encode(event('ticket:created', good_ticket(title => 'x' x 30_000)));
is_set_aside 'a title of 30 000 characters', qr/data\.title/, 'ticket:created', $long;
is $raw->selectrow_array('SELECT event FROM orders_quarantine ORDER BY id DESC LIMIT 1'), undef, '... and its text is not kept';
my $large = event('ticket:created', good_ticket(), traceparent => 'y' x 30_000);
send_raw(tickets => 'ticket:created', $json->encode($large));
wait_until { known($large->{data}{id}) } 10, 'a good event with a large attribute';
pass 'an event of 30 000 bytes is taken when it is good';

# --- what is unknown, but not wrong
my $before = lines('orders');
send_raw(tickets => 'ticket:created.v2', $json->encode(event('ticket:created.v2', { id => new_uuid(), any => 'thing' })));
send_raw(tickets => 'ticket:created', $json->encode(event('ticket:created', my $more = good_ticket(seat => 'A1'))));
my $nameless = good_ticket();
delete $nameless->{userId};
send_raw(tickets => 'ticket:created', $json->encode(event('ticket:created', $nameless)));
my $unsaid = good_ticket();
send_raw(tickets => 'ticket:created', $json->encode(event('ticket:created', $unsaid, sequence => undef, time => undef, datacontenttype => undef)));
follows();
is scalar(lines('orders')), $before, 'a type that is not known is passed over in silence';
ok known($more->{id}), 'an unknown member of data is ignored';
ok known($nameless->{id}), 'a seller need not be told';
ok known($unsaid->{id}), 'sequence, time and datacontenttype need not be there';

# --- the same on the side of tickets
my $ticket = new_ticket(vhost => 'raw');
sub order_data { return { id => new_uuid(), version => 0, status => 'created', userId => 'zoe', expiresAt => '2030-01-01T00:00:00.000Z',
                          ticket => { id => $ticket->{id}, price => 20 }, @_ } }
my @bad = (
    ['not JSON',                'order:created', 'hello'],
    ['no ticket',               'order:created', event('order:created', order_data(ticket => undef))],
    ['a ticket that is text',   'order:created', event('order:created', order_data(ticket => 'x'))],
    ['a ticket of no UUID',     'order:created', event('order:created', order_data(ticket => { id => 5 }))],
    ['an id that is no UUID',   'order:created', event('order:created', order_data(id => 'x'), subject => 'x')],
    ['a negative version',      'order:created', event('order:created', order_data(version => -1))],
    ['a cancel without ticket', 'order:cancelled', event('order:cancelled', { id => new_uuid(), version => 1 })],
);
my ($lines, $rows) = (scalar(my @before = lines('tickets')), quarantined('tickets'));
for my $case (@bad) {
    my ($name, $subject, $event) = @$case;
    send_raw(orders => $subject, ref $event ? $json->encode($event) : $event);
}
send_raw(orders => 'order:created');
my $order = order_data();
send_raw(orders => 'order:created', $json->encode(event('order:created', $order)));
wait_until { (ticket($ticket->{id}, vhost => 'raw')->{orderId} || '') eq $order->{id} } 10, 'the good order after the bad ones';
is ticket($ticket->{id}, vhost => 'raw')->{version}, 1, 'none of the bad orders changed the ticket';
is lines('tickets') - $lines, @bad + 1, 'each bad order is one line in the log';
is quarantined('tickets') - $rows, @bad + 1, 'and one row set aside';

$_->close for values %bus;
log_is_clean(except => [qr/SVC030: mod_(?:orders|tickets): /]);
done_testing;
