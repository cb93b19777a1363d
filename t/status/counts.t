# What is counted is exact, whoever answers a request, httpd too; and counters never go backwards while httpd runs: not at
# graceful and other restarts, not when children are killed.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Server;
use TestSvc::Status;
use TestSvc::Truth;

my $server = TestSvc::Server->new(conf => status_conf())->start;
my $none = '01234567-89ab-7cde-8f01-23456789abcd';

sub ask { my ($method, $path, %opt) = @_; return api($method => $path, vhost => $server, %opt)->code }

# --- exact
my $ticket = new_ticket(vhost => $server);
my $path = "/api/tickets/$ticket->{id}";
ask(GET => '/api/tickets') for 1 .. 3;
ask(HEAD => '/api/tickets');
ask(GET => '/api/tickets?limit=0');
ask(GET => $path) for 1 .. 2;
ask(GET => $path, headers => { 'If-None-Match' => '"0"' });
ask(GET => "/api/tickets/$none");
ask(PUT => $path, user => 'alice', json => { title => 'New', price => 3 });
ask(PUT => $path, user => 'bob', json => { title => 'New', price => 3 });
ask(PUT => $path, user => 'alice', json => { title => 'New', price => 3 }, headers => { 'If-Match' => '"9"' });
ask(POST => '/api/tickets', user => 'alice', json => { title => '', price => 1 });
ask(POST => '/api/tickets', user => 'alice', content => 'x', type => 'text/plain');
ask(GET => "$path/history", user => 'alice');
ask(DELETE => $path, user => 'alice');
ask(OPTIONS => '/api/tickets');
ask(GET => '/api/tickets/a/b/c');
my $status = status($server, 'tickets');
my %wanted = (
    'GET /api/tickets'             => { 200 => 4, 400 => 1 },
    'POST /api/tickets'            => { 201 => 1, 400 => 1, 415 => 1 },
    'GET /api/tickets/:id'         => { 200 => 2, 304 => 1, 404 => 1 },
    'PUT /api/tickets/:id'         => { 200 => 1, 403 => 1, 412 => 1 },
    'GET /api/tickets/:id/history' => { 200 => 1 },
    'other'                        => { 204 => 1, 404 => 1, 405 => 1 },
);
is_deeply { map { $_->{route} => $_->{status} } @{ $status->{requests} } }, \%wanted, 'each request is counted once, by its route and status';
for my $route (@{ $status->{requests} }) {
    my $total = 0;
    $total += $_ for values %{ $wanted{ $route->{route} } };
    my $counted = 0;
    $counted += $_ for @{ $route->{latency}{buckets} };
    is_deeply [$route->{latency}{count}, $counted], [$total, $total], "$route->{route}: so is how long each took";
    cmp_ok $route->{latency}{p50Ms}, '<=', $route->{latency}{p99Ms}, '... the median is not above the rest';
    cmp_ok $route->{latency}{sumSeconds}, '>', 0, '... it took time';
}
# what httpd itself refuses, before the handler
is ask(POST => '/api/tickets', json => { title => 'x', price => 1 }), 401, 'httpd says 401';
ok eval { wait_until { (route_of(status($server, 'tickets'), 'POST /api/tickets')->{status}{401} || 0) == 1 } 5, 'the 401' },
    'a request that httpd refuses is counted at its route' or diag $@;
is total_of(status($server, 'orders')), 0, 'the other service has counted nothing';

# --- events, expirations
{
    my $before = status($server, 'orders');
    my $order = new_order(vhost => $server, ticket => $ticket);
    wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 10, 'the reservation';
    my $db = db($server, write => 1);
    $db->do("UPDATE orders SET due_at = 1 WHERE id = '$order->{id}'");
    $db->disconnect;
    wait_until { order($order->{id}, vhost => $server)->{status} eq 'cancelled' } 10, 'the expiry';
    wait_quiet($server);
    my ($orders, $tickets) = map { status($server, $_) } qw(orders tickets);
    is $orders->{expirations}, 1, 'an expiration is counted';
    is $orders->{events}{published}, $before->{events}{published} + 3, 'so is each event that is published';
    is $orders->{log}{head}, 3, '... which stand in the log';
    is $orders->{sources}[0]{position}, $tickets->{log}{head}, '... of the other all are here';
    is $orders->{events}{quarantined} + $tickets->{events}{quarantined}, 0, 'none was bad';
}

# --- never backwards
sub counters {
    my %now;
    for my $service (qw(tickets orders)) {
        my ($value, $type, $wrong) = metrics(api(GET => "/status/$service?format=prometheus", vhost => $server)->content);
        die "@$wrong" if @$wrong;
        for my $series (keys %$value) {
            my ($name) = $series =~ /^(\w+)/;
            $name =~ s/_(?:bucket|sum|count)\z// unless $type->{$name};
            $now{$series} = $value->{$series} if $type->{$name} ne 'gauge' || $name eq 'svc_start_time_seconds';
        }
    }
    return \%now;
}
my $before = counters();
sub not_less {
    my ($name) = @_;
    my $now = counters();
    is_deeply [grep { !exists $now->{$_} || $now->{$_} < $before->{$_} } sort keys %$before], [], $name;
    is_deeply [map { $now->{qq(svc_start_time_seconds{service="$_"})} } qw(tickets orders)],
        [map { $before->{qq(svc_start_time_seconds{service="$_"})} } qw(tickets orders)], '... counting has not begun anew';
    $before = $now;
}
cmp_ok scalar(keys %$before), '>', 60, 'there are counters';
my $answered = total_of(status($server, 'tickets'));
$server->graceful;
not_less('after a graceful restart no counter is less');
is total_of(status($server, 'tickets')), $answered, '... and none was lost';
new_ticket(vhost => $server);
$server->restart;
not_less('after a restart no counter is less');
is total_of(status($server, 'tickets')), $answered + 1, '... and none was lost';
my $leader = $server->wait_leader('tickets');
kill KILL => $server->children;
my $next = $server->wait_leader('tickets', $leader);
wait_until { ask(GET => '/api/tickets') == 200 } 10, 'new children';
not_less('after all children were killed no counter is less');
wait_until { status($server, 'tickets')->{leader}{pid} } 10, 'the next leader';
is status($server, 'tickets')->{leader}{pid}, $next, 'the next leader is named';
ok eval { wait_until { status($server, 'tickets')->{writer}{queued} == 0 } 5, 'nothing to wait' }, 'nothing waits for those who died';
new_ticket(vhost => $server);
cmp_ok total_of(status($server, 'tickets')), '>', $answered + 1, 'counting goes on';
ok eval { wait_until { problems_of($server, 'tickets') eq '' } 10, 'no problem' }, 'and nothing is wrong' or diag explain status($server, 'tickets');
my $old = status($server, 'tickets');
$server->stop;
$server->start;
wait_until { status($server, 'tickets')->{state} eq 'ok' } 10, 'the start';
my $new = status($server, 'tickets');
cmp_ok $new->{uptimeSeconds}, '<', $old->{uptimeSeconds}, 'when httpd is started anew, so is counting';
is total_of($new), 0, '... from nothing';
is $new->{log}{head}, $old->{log}{head}, '... but for what is in the database';
$server->stop;
log_is_clean(server => $server, except => [qr/exit signal Killed/]);
log_is_clean;
done_testing;
