# A plain ZeroMQ SUB socket in another language sees every change once, in order, as a CloudEvent with the promised
# fields; and once a second the heartbeat with the log's head.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes 'time';
use Time::Local 'timegm';
use TestSvc;
use TestSvc::Event;

my %ear = (TICKETS => TestSvc::Event->subscriber(endpoint("SHOP_TICKETS_PUB")),
           ORDERS  => TestSvc::Event->subscriber(endpoint("SHOP_ORDERS_PUB")));

# Events of our own entities, in order of arrival; heartbeats and other suites' rows are left out.
my (%mine, @heard, @beats);
sub listen_until (&$$) {
    my ($condition, $seconds, $what) = @_;
    wait_until {
        for my $service (sort keys %ear) {
            while (my ($subject, $event) = $ear{$service}->next(0)) {
                my $record = { service => $service, subject => $subject, event => $event, at => time };
                push @{ $subject eq 'heartbeat' ? \@beats : \@heard }, $record;
            }
        }
        $condition->();
    } $seconds, $what;
}
sub heard { return grep { $mine{ $_->{event}{subject} } } @heard }
sub heard_of { my ($id) = @_; return grep { $_->{event}{subject} eq $id } @heard }

listen_until { my %of = map { $_->{service} => 1 } @beats; keys %of == 2 } 10, 'a heartbeat of both services';

my $before = time;
my $ticket = new_ticket(title => "Caf\x{e9} \x{266a}", price => '20.5');
$mine{ $ticket->{id} } = 1;
my $edited = api(PUT => "/api/tickets/$ticket->{id}", user => 'alice', json => { title => 'Edited', price => 7 });
is $edited->code, 200, 'a ticket is edited';
wait_until { (db('shop')->selectrow_array('SELECT version FROM orders_tickets WHERE id = ?', undef, $ticket->{id}) || 0) == 1 }
    10, 'orders to know the new price';
my $order = new_order(ticket => $ticket);
$mine{ $order->{id} } = 1;
listen_until { order($order->{id})->{status} eq 'awaiting:payment' } 10, 'the order is reserved';
is api(DELETE => "/api/orders/$order->{id}", user => 'bob')->code, 204, 'the order is cancelled';
listen_until { heard_of($ticket->{id}) >= 4 && heard_of($order->{id}) >= 3 } 10, 'all events of ticket and order';

my @ticket = heard_of($ticket->{id});
my @order  = heard_of($order->{id});
is_deeply [map { $_->{subject} } @ticket], [qw(ticket:created ticket:updated ticket:updated ticket:updated)],
    'a ticket tells that it was created, edited, reserved and released';
is_deeply [map { $_->{subject} } @order], [qw(order:created order:updated order:cancelled)],
    'an order tells that it was created, reserved and cancelled';

my %data = (id => $ticket->{id}, userId => 'alice');
is_deeply $ticket[0]{event}{data}, { %data, version => 0, title => "Caf\x{e9} \x{266a}", price => 20.5 },
    'ticket:created carries id, version, title, price and userId, and no orderId';
is_deeply $ticket[1]{event}{data}, { %data, version => 1, title => 'Edited', price => 7 }, 'ticket:updated after an edit carries the new fields';
is_deeply $ticket[2]{event}{data}, { %data, version => 2, title => 'Edited', price => 7, orderId => $order->{id} },
    'ticket:updated of a reservation carries the orderId';
is_deeply $ticket[3]{event}{data}, { %data, version => 3, title => 'Edited', price => 7 }, 'ticket:updated of a release has no orderId';

my %order = (id => $order->{id}, userId => 'bob', expiresAt => $order->{expiresAt}, ticket => { id => $ticket->{id}, price => 7 });
is_deeply $order[0]{event}{data}, { %order, version => 0, status => 'created' },
    'order:created carries id, version, status, userId, expiresAt and its ticket';
is_deeply $order[1]{event}{data}, { %order, version => 1, status => 'awaiting:payment' }, 'order:updated carries the same fields';
is_deeply $order[2]{event}{data}, { id => $order->{id}, version => 2, cancelReason => 'user', ticket => { id => $ticket->{id} } },
    'order:cancelled carries id, version, the reason and its ticket';

my (%id, %source, @wrong);
for my $record (heard()) {
    my $event = $record->{event};
    push @wrong, "$record->{subject}: " . join ' ', sort keys %$event
        unless join(' ', sort keys %$event) eq 'data datacontenttype id sequence source specversion subject time type';
    push @wrong, "specversion $event->{specversion}" unless $event->{specversion} eq '1.0';
    push @wrong, "type $event->{type} under $record->{subject}" unless $event->{type} eq $record->{subject};
    push @wrong, "subject $event->{subject} with data of $event->{data}{id}" unless $event->{subject} eq $event->{data}{id};
    push @wrong, "time $event->{time}" unless $event->{time} =~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/;
    push @wrong, "sequence $event->{sequence}" unless $event->{sequence} =~ /^\d{20}\z/;
    push @wrong, "datacontenttype $event->{datacontenttype}" unless $event->{datacontenttype} eq 'application/json';
    $id{ $event->{id} }++;
    $source{ $record->{service} }{ $event->{source} }++;
}
is_deeply \@wrong, [], 'each event has exactly the attributes of CloudEvents 1.0 that are promised';
is keys %id, heard() + 0, 'each event has an id of its own';
is_deeply [map { scalar keys %{ $source{$_} } } qw(ORDERS TICKETS)], [1, 1], 'all events of a service have one source';
my ($tickets, $orders) = map { (keys %{ $source{$_} })[0] } qw(TICKETS ORDERS);
like $tickets, qr/^urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\z/, 'a source is a urn:uuid';
isnt $tickets, $orders, 'the two services have different sources';
is $tickets, db('shop')->selectrow_array('SELECT source FROM tickets_head'), 'the source is the identity kept in the database';

my ($y, $m, $d, $h, $min, $s) = $ticket[0]{event}{time} =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):([\d.]+)Z/;
my $told = timegm(0, $min, $h, $d, $m - 1, $y) + $s;
ok $told > $before - 1 && $told < time + 1, 'time is when it happened';

for my $service (qw(TICKETS ORDERS)) {
    my @at = map { $_->{event}{sequence} + 0 } grep { $_->{service} eq $service } @heard;
    is_deeply \@at, [$at[0] .. $at[0] + $#at], "$service come in order of position, without a gap";
}

# The heartbeat: three in a row, about a second apart, with source and head.
@beats = ();
listen_until { (grep { $_->{service} eq 'TICKETS' } @beats) >= 4 } 10, 'four heartbeats';
my @tickets = grep { $_->{service} eq 'TICKETS' } @beats;
my @apart = map { $tickets[$_]{at} - $tickets[$_ - 1]{at} } 1 .. $#tickets;
is_deeply [grep { $_ < 0.5 || $_ > 2 } @apart], [], 'a heartbeat comes about once a second' or diag "@apart";
is $tickets[0]{event}{source}, $tickets, 'it carries the source';
is $tickets[0]{event}{type}, 'heartbeat', 'its type is heartbeat';
my ($head) = db('shop')->selectrow_array('SELECT position FROM tickets_head');
is $tickets[-1]{event}{data}{head}, $head, 'it carries the head of the log';
is $tickets[-1]{event}{sequence} + 0, $head, 'also as its sequence';
ok !exists $tickets[-1]{event}{subject}, 'it is about no entity';

my $next = new_ticket;
listen_until { grep { $_->{event}{data}{head} == $head + 1 } @beats } 5, 'the head grows with the log';

# Topic filters are the subjects.
my $picky = TestSvc::Event->subscriber(endpoint('SHOP_TICKETS_PUB'), 'ticket:updated', 'heartbeat');
wait_until { my ($subject) = $picky->next(0); ($subject || '') eq 'heartbeat' } 5, 'the filter is in place';
api(PUT => "/api/tickets/$next->{id}", user => 'alice', json => { title => 'x', price => 1 });
new_ticket;
api(PUT => "/api/tickets/$next->{id}", user => 'alice', json => { title => 'y', price => 2 });
my @picked;
wait_until { my ($subject, $event) = $picky->next(0);
             push @picked, $event if $subject && $subject ne 'heartbeat'; @picked == 2 } 5, 'two updates';
is_deeply [map { "$_->{type} $_->{data}{title}" } @picked], ['ticket:updated x', 'ticket:updated y'],
    'who subscribes to ticket:updated hears of updates alone';

log_is_clean;
done_testing;
