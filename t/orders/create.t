# POST /api/orders: what is answered, kept and told, and every way to be refused.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use HTTP::Date 'str2time';
use JSON::PP ();
use TestSvc;
use TestSvc::Event 'new_uuid';

my $Json = JSON::PP->new->utf8;
my $db = db('shop');

sub buy {
    my ($ticket_id, %opt) = @_;
    return api(POST => '/api/orders', user => 'bob', json => { ticketId => $ticket_id }, %opt);
}

sub known {   # a ticket that has arrived in the replica
    my $ticket = new_ticket(@_);
    wait_until { $db->selectrow_array('SELECT 1 FROM orders_tickets WHERE id = ?', undef, $ticket->{id}) } 10,
        'the ticket is known';
    return $ticket;
}

my $ticket = known(title => 'Hamlet', price => '19.99');
my $answer = buy($ticket->{id});
is $answer->code, 201, 'makes an order' or diag $answer->as_string;
my $order = $answer->json;
uuid_like $order->{id};
like $order->{expiresAt}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/, 'expiresAt is UTC with milliseconds';
my $left = str2time($order->{expiresAt}) - str2time($answer->header('Date'));
ok $left > 898 && $left <= 902, '15 minutes from now' or diag "$left s";
is_deeply $order, { id => $order->{id}, userId => 'bob', status => 'created', expiresAt => $order->{expiresAt},
    version => 0,
                    ticketId => $ticket->{id},
                        ticket => { id => $ticket->{id}, title => 'Hamlet', price => 19.99, version => 0 } },
    'with these fields and no others, the ticket embedded';
like $answer->content, qr/"price":19\.99[,}]/, 'the price is a JSON number';
is $answer->header('Location'), "/api/orders/$order->{id}", 'Location names it';
is $answer->header('ETag'), '"0"', 'ETag is version 0';
is $answer->header('Content-Type'), 'application/json', 'the answer is JSON';
is $answer->header('Cache-Control'), 'no-store', 'nobody may keep it';
is $answer->header('Vary'), 'Authorization', 'Vary as for all orders';
is order($order->{id})->{id}, $order->{id}, 'GET finds it';

my @events = map { $Json->decode($_->[0]) }
    @{ $db->selectall_arrayref('SELECT event FROM orders_log WHERE entity_id = ? ORDER BY position LIMIT 1', undef,
        $order->{id}) };
is $events[0]{type}, 'order:created', 'order:created tells of it';
is_deeply $events[0]{data}, { id => $order->{id}, version => 0, status => 'created', userId => 'bob',
    expiresAt => $order->{expiresAt},
                              ticket => { id => $ticket->{id}, price => 19.99 } }, 'with these fields';

# Reserved: at once, and while it waits for the payment.
my ($head) = $db->selectrow_array('SELECT COUNT(*) FROM orders WHERE ticket_id = ?', undef, $ticket->{id});
for my $when ('at once', 'while it waits for the payment') {
    wait_until { order($order->{id})->{status} eq 'awaiting:payment' } 10,
        'the ticket is reserved' if $when ne 'at once';
    problem_ok buy($ticket->{id}, user => 'carol'), 409, [ { field => undef, message => qr/already reserved/ } ],
        "another buyer is refused $when";
    problem_ok buy($ticket->{id}), 409, [ { message => qr/already reserved/ } ], "and so is the same one $when";
}
is_deeply [ $db->selectrow_array('SELECT COUNT(*) FROM orders WHERE ticket_id = ?', undef, $ticket->{id}) ], [$head],
    'which leaves no order';

# Other ways to write it.
my $upper = known;
is buy(uc $upper->{id})->code, 201, 'the letters of a UUID may be upper case';
is buy($upper->{id}, user => 'carol')->code, 409, 'it is the same ticket';
my $more = known;
$answer = buy(undef, json => { ticketId => $more->{id}, userId => 'carol', status => 'complete',
    expiresAt => '2999-01-01T00:00:00.000Z',
                               version => 5, price => 1 });
is $answer->code, 201, 'unknown keys do no harm';
is_deeply [ @{ $answer->json }{qw(userId status version)} ], [ 'bob', 'created', 0 ], 'and have no effect';
cmp_ok $answer->json->{expiresAt}, 'lt', '2999', 'whatever they are';
my $own = known(user => 'bob');
is buy($own->{id})->code, 201, 'a seller may buy back';

# 400
for ([ {}, 'no ticketId' ], [ { ticketid => $ticket->{id} }, 'a key of other letters' ],
     [ { ticketId => undef }, 'null' ],
     [ { ticketId => '' }, 'an empty text' ], [ { ticketId => 5 }, 'a number' ],
     [ { ticketId => JSON::PP::true }, 'a boolean' ],
     [ { ticketId => [ $ticket->{id} ] }, 'an array' ], [ { ticketId => { id => $ticket->{id} } }, 'an object' ],
     [ { ticketId => 'abc' }, 'no UUID' ], [ { ticketId => "$ticket->{id}0" }, 'a UUID and more' ],
     [ { ticketId => " $ticket->{id}" }, 'a space before' ],
     [ { ticketId => "{$ticket->{id}}" }, 'braces' ], [ { ticketId => '-1' }, 'a number as text' ],
     [ { ticketId => 'x' x 36 }, 'x for all digits' ],
     [ { ticketId => substr $ticket->{id}, 0, 35 }, 'a digit too few' ],
     [ { ticketId => (join '', split /-/, $ticket->{id}) }, 'no dashes' ],
     [ { ticketId => "' OR 1=1 --" }, 'SQL' ]) {
    my ($json, $what) = @$_;
    problem_ok buy(undef, json => $json), 400, [ { field => 'ticketId', message => qr/^TicketId / } ],
        "refuses $what with 400 and names the field";
}
problem_ok buy(undef, json => []), 400, [ { field => undef, message => qr/object/ } ], 'refuses an array for a body';
problem_ok api(POST => '/api/orders', user => 'bob', type => 'application/json',
               content => qq({"ticketId":"$more->{id}","ticketId":"$ticket->{id}"})), 400, undef,
                   'refuses a key that is there twice';

# 404: with the advice to try again only where the ticket may be on its way.
problem_ok my $unknown = buy(new_uuid()), 404, [ { field => undef, message => qr/no such ticket/ } ],
    'answers 404 to a ticket nobody has';
ok eval { wait_until { !defined buy(new_uuid())->header('Retry-After') } 10, 'a final 404' },
    'not to be tried again, once the follower knows that it has everything' or diag $@;
$unknown = buy(new_uuid(), vhost => 'raw');
is $unknown->code, 404, 'the same where the follower cannot know that';
is $unknown->header('Retry-After'), 1, 'but then it may be tried again';
problem_ok $unknown = buy(new_uuid(), vhost => 'small'), 404, undef, 'the same where nobody is followed';
is $unknown->header('Retry-After'), undef, 'and waiting does not help';

# Which refusal comes first.
problem_ok buy(undef, json => {}, user => undef, type => 'text/plain'), 401, undef, '401 comes before 415';
problem_ok buy(undef, content => '{bad', type => 'text/plain'), 415, undef, '415 comes before 400';
problem_ok api(POST => "/api/orders/$order->{id}", user => 'bob', content => '{bad', type => 'text/plain'), 405, undef,
    '405 comes before 415';

log_is_clean;
done_testing;
