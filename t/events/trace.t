# A request's trace and its id run through to the event, and through those that come of it in the other service; so do
# those of events from elsewhere. What is malformed is ignored. The bytes of an event are the same live and replayed.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Event;
use TestSvc::Recorder;
use TestSvc::Server;
use TestSvc::Truth;

delete $ENV{TEST_PRISM};   # its server adds a header, which docs/openapi.yaml does not have

my $server = TestSvc::Server->new(conf => <<'CONF')->start;
LoadModule unique_id_module "@modules@/mod_unique_id.so"
LoadModule headers_module "@modules@/mod_headers.so"
Header always set X-Request-Id "%{UNIQUE_ID}e"
ErrorLogFormat "[%{u}t] [%-m:%l] [pid %P:tid %T] [%L] %E: [client\ %a] %M"
OrdersSubscribe tcp://127.0.0.1:@port:payments_pub@
CONF
my $payments = TestSvc::Event->publisher($server->endpoint('payments_pub'))->wait_subscriber('payment:created');
my %ear = map { $_ => TestSvc::Recorder->new($server->endpoint("${_}_pub"), $server->endpoint("${_}_replay")) } qw(tickets orders);
my @at = (vhost => $server);

my $number = 0;
sub new_trace { return sprintf '00-%032x-%016x-01', ++$number, $number + 100 }
sub origin    { my ($event) = @_; return { map { $_ => $event->{$_} } grep { exists $event->{$_} } qw(traceparent requestid) } }
sub events_of {   # of an entity, as they stand in the log
    my ($where, $service, $id) = @_;
    return map { JSON::PP->new->utf8->decode($_) }
        @{ db($where)->selectcol_arrayref("SELECT event FROM ${service}_log WHERE entity_id = ? ORDER BY position", undef, $id) };
}
sub ask {   # ... with this traceparent; the answer, and the origin that its events should have
    my ($method, $path, $user, $trace, @more) = @_;
    my $answer = api($method => $path, @at, user => $user, headers => { defined $trace ? (traceparent => $trace) : () }, @more);
    return ($answer, { requestid => $answer->header('X-Request-Id'), defined $trace ? (traceparent => $trace) : () });
}
sub sell { return ask(POST => '/api/tickets', 'alice', $_[0], json => { title => 'Traced', price => 20 }) }

# --- a request and its event
my ($sold, $sale) = sell(new_trace());
is $sold->code, 201, 'a ticket is sold in a request with a traceparent';
my $ticket = $sold->json;
my ($created) = events_of($server, 'tickets', $ticket->{id});
like $sale->{requestid}, qr/^\S{1,64}\z/, 'mod_unique_id has given the request an id';
is_deeply origin($created), $sale, 'its event carries both';
is_deeply api(GET => "/api/tickets/$ticket->{id}/history", @at, user => 'alice')->json, [$created], 'as does the history';

my ($edited, $edit) = ask(PUT => "/api/tickets/$ticket->{id}", 'alice', undef, json => { title => 'Traced', price => 21 });
is $edited->code, 200, 'it is edited without one';
is_deeply origin((events_of($server, 'tickets', $ticket->{id}))[1]), $edit, 'that event carries the id alone';

for my $bad ('', 'x', '00-' . '0' x 32 . '-00f067aa0ba902b7-01', '00-4bf92f3577b34da6a3ce929d0e0e4736-' . '0' x 16 . '-01',
             '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01', '01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
             new_trace() . '-x', new_trace() . ', ' . new_trace(), 'x' x 4000) {
    my ($answer, $origin) = sell($bad);
    delete $origin->{traceparent};
    is $answer->code, 201, 'a request with the traceparent "' . substr($bad, 0, 60) . '" is carried out';
    is_deeply origin(events_of($server, 'tickets', $answer->json->{id})), $origin, '... which is ignored';
}

my $plain = api(POST => '/api/tickets', user => 'alice', headers => { traceparent => my $trace = new_trace() }, json => { title => 'Plain', price => 1 })->json;
is_deeply origin(events_of('shop', 'tickets', $plain->{id})), { traceparent => $trace }, 'without mod_unique_id there is no requestid';

# --- the dance
wait_quiet($server);
my ($bought, $purchase) = ask(POST => '/api/orders', 'bob', new_trace(), json => { ticketId => $ticket->{id} });
is $bought->code, 201, 'an order is made';
my $order = $bought->json;
wait_quiet($server);
my ($ordered, $awaits) = events_of($server, 'orders', $order->{id});
my $reserved = (events_of($server, 'tickets', $ticket->{id}))[2];
is_deeply [map { $_->{type} } $ordered, $reserved, $awaits], [qw(order:created ticket:updated order:updated)], 'its ticket is reserved';
is_deeply [map { origin($_) } $ordered, $reserved, $awaits], [($purchase) x 3], 'one trace shows it, from the request to the end, in both services';

my ($given_back, $return) = ask(DELETE => "/api/orders/$order->{id}", 'bob', new_trace());
is $given_back->code, 204, 'it is cancelled';
wait_quiet($server);
is_deeply [map { origin($_) } (events_of($server, 'orders', $order->{id}))[2], (events_of($server, 'tickets', $ticket->{id}))[3]], [($return) x 2],
    'cancellation and release are another trace';

# --- events from elsewhere
my $source = 'urn:uuid:' . new_uuid();
sub pay {   # an order, by an event with these attributes; the origin of what comes of it
    my (%attributes) = @_;
    my $order = new_order(@at, ticket => (sell(new_trace()))[0]->json);
    wait_quiet($server);
    $payments->send('payment:created', { %{ cloudevent(type => 'payment:created', source => $source, sequence => ++$number,
                                                       data => { id => new_uuid(), orderId => $order->{id} }) }, %attributes });
    wait_until { order($order->{id}, @at)->{status} eq 'complete' } 10, 'the payment';
    return origin((events_of($server, 'orders', $order->{id}))[-1]);
}
my %said = (traceparent => new_trace(), requestid => 'payment/7');
is_deeply pay(%said), \%said, 'what a payments service says of its event is carried on';
is_deeply pay(traceparent => 'x', requestid => 'not one'), {}, 'an event that says it wrongly is applied, and that is not carried on';
is_deeply pay(traceparent => 7, requestid => { a => 1 }), {}, 'nor what is not even a text';
is_deeply pay(), {}, 'one that says nothing gives nothing, whatever went before';

# --- what is logged, and what is sent
my ($missing, $miss) = ask(GET => '/api/tickets/none', 'alice', undef);
is $missing->code, 404, 'a request fails';
like $server->error_log, qr/ \[\Q$miss->{requestid}\E\] \[client [\d.:]+\] SVC061: GET /, 'the line about it has its id, by ErrorLogFormat';

wait_quiet($server);
for my $service (qw(tickets orders)) {
    $ear{$service}->stream_ok($server, $service, "$service: what was heard, what is replayed and what is stored are the same bytes");
    cmp_ok $ear{$service}->live, '>', 0, '... and some of it was heard';
    $ear{$service}->close;
}
truth_ok($server, 'all is as it should be');
$payments->close;
$server->stop;
log_is_clean(server => $server);
log_is_clean;
done_testing;
