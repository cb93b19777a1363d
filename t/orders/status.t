# GET /api/orders with status: what each word shows, what is refused, and that pages are stable while orders change. Two
# services of their own, because an order stays `created` only while nobody sells.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Event;
use TestSvc::Pages;
use TestSvc::Server;

my ($tickets, $orders) = TestSvc::Server->pair;
my $follow = "OrdersSubscribe tcp://127.0.0.1:\@port:payments_pub\@\n";
$orders->write_conf(conf => "${follow}OrdersExpiration 2\n");
my $bus = TestSvc::Event->publisher($orders->endpoint('payments_pub'));
$_->start->wait_database for $tickets, $orders;

sub page {
    my ($query, $user) = @_;
    return api(GET => "/api/orders$query", vhost => $orders, user => $user || 'bob');
}

sub walk { return walk_pages(\&page, @_) }   # all pages from here on

sub status { return order($_[0], vhost => $orders)->{status} }

my @ticket = map { new_ticket(vhost => $tickets, title => "Seat $_")->{id} } 1 .. 9;
my $known = db($orders);
wait_until { 9 == ($known->selectrow_array('SELECT COUNT(*) FROM orders_tickets'))[0] } 10, 'all tickets are known';
my %id;   # name of an order here -> its id
sub buy {
    my ($name, %opt) = @_;
    return $id{$name} = new_order(vhost => $orders, ticket => shift @ticket, %opt)->{id};
}

buy('expired');
wait_until { status($id{expired}) eq 'cancelled' } 10, 'one expires';
$orders->write_conf(conf => $follow);
$orders->restart;
$bus->wait_subscriber('payment:created');
buy($_) for qw(paid waiting ended);
buy('other', user => 'carol');
wait_until { !grep { status($_) ne 'awaiting:payment' } @id{qw(paid waiting ended)} } 10, 'three are reserved';
$bus->send('payment:created', cloudevent(type => 'payment:created', subject => 'p1', source => 'urn:uuid:' . new_uuid(),
    sequence => 1, data => { id => 'p1', orderId => $id{paid} }));
wait_until { status($id{paid}) eq 'complete' } 10, 'one is paid';
is api(DELETE => "/api/orders/$id{ended}", vhost => $orders, user => 'bob')->code, 204, 'one is cancelled by its buyer';
$tickets->stop;
buy($_) for qw(new newer);

# --- what each word shows

my %name = reverse %id;
for ([ ''                         => qw(paid waiting new newer) ],
     [ '?status=created'          => qw(new newer) ],
     [ '?status=awaiting:payment' => qw(waiting) ],
     [ '?status=awaiting%3Apayment' => qw(waiting) ],
     [ '?status=complete'         => qw(paid) ],
     [ '?status=cancelled'        => qw(expired ended) ],
     [ '?status=pending'          => qw(waiting new newer) ],
     [ '?status=paid'             => qw(paid) ],
     [ '?status=expired'          => qw(expired) ],
     [ '?status=all'              => qw(expired paid waiting ended new newer) ]) {
    my ($query, @names) = @$_;
    my $answer = page($query);
    is_deeply [ map { $name{$_} } @{ ids($answer) } ], \@names, "'$query' shows: @names";
    is $answer->header('Cache-Control'), 'no-store', '... and nobody may keep it';
    is_deeply [ walk($query ? "$query&limit=1" : '?limit=1') ], [ map { [ $id{$_} ] } @names ], '... page by page';
}
is_deeply page('?status=expired')->json->[0], order($id{expired}, vhost => $orders), 'each order as GET shows it';
is page('?status=expired')->json->[0]{cancelReason}, 'expired', 'an expired one says that it is';
is page('?status=cancelled')->json->[1]{cancelReason}, 'user', 'and a cancelled one says why';
is_deeply ids(page('?status=all', 'carol')), [ $id{other} ], 'another user sees theirs';
is page('?status=all', 'dave')->content, '[]', 'and a third one none';

# --- what is refused

for my $bad ('', 'Created', 'ALL', 'awaiting', 'awaiting%20payment', 'created,paid', 'user', 'reserved', "all'%20OR%20'1'='1", '0', '%C3%A9') {
    problem_ok page("?status=$bad"), 400, [ { field => 'status', message => qr/created, .*expired or all\z/ } ],
        "refuses status='$bad'";
}
problem_ok page('?status'), 400, [ { field => 'status' } ], 'refuses a status without a value';
problem_ok page('?status=all&status=all'), 400, [ { field => 'status', message => qr/once/ } ], 'refuses two';
problem_ok page('?status=%ff'), 400, [ { field => 'status', message => qr/UTF-8/ } ], 'refuses one that is not UTF-8';
problem_ok page("?$_=1"), 400, [ { field => $_, message => qr/; limit, cursor and status are\z/ } ], "does not know $_"
    for qw(Status userId title reserved minPrice);
problem_ok page('?status=x&limit=0&cursor=x'), 400, [ map { { field => $_ } } qw(limit cursor status) ],
    'names all that is wrong';
problem_ok api(GET => '/api/orders?status=x', vhost => $orders), 401, undef, '401 comes before 400';

# --- pages

like next_of(page('?status=pending&limit=1')), qr/\?limit=1&cursor=p[0-9a-f]+&status=pending\z/, 'the Link has the status';
like next_of(page('?status=all&limit=4')), qr/&status=all\z/, 'whichever it is';
unlike next_of(page('?limit=1')), qr/status/, 'or none';
my $first = page('?status=all&limit=2');
my $pending = page('?status=pending&limit=1');
is api(DELETE => "/api/orders/$id{new}", vhost => $orders, user => 'bob')->code, 204, 'an order is cancelled meanwhile';
buy('newest');
is_deeply [ walk(next_of($first)) ], [ [ @id{qw(waiting ended)} ], [ @id{qw(new newer)} ], [ $id{newest} ] ],
    'a list of all keeps each order in its place, and a new one comes last';
is_deeply [ walk(next_of($pending)) ], [ [ $id{newer} ], [ $id{newest} ] ], 'a list of a status has what is in it by now';
is_deeply ids(page('?status=cancelled')), [ @id{qw(expired ended new)} ], 'where it went to it has its old place';

my $head = api(HEAD => '/api/orders?status=all&limit=2', vhost => $orders, user => 'bob');
my $get = page('?status=all&limit=2');
is $head->content, '', 'HEAD has no body';
is $head->header($_), $get->header($_), "but the $_ of GET" for qw(Content-Type Content-Length Link Cache-Control Vary);

$orders->stop;
log_is_clean(server => $_) for $tickets, $orders;
log_is_clean;
done_testing;
