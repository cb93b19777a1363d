# CURVE between two httpds and to clients: whose public key is on the list follows, whoever else connects gets
# neither events nor answers; the list is read again at a graceful restart. That somebody gets nothing is seen when
# another one has got plenty meanwhile.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use IO::Socket::INET ();
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;

sub spew {
    my ($file, $text) = @_;
    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out or die "$file: $!";
    chmod 0644, $file;
}

# --- two services, each with keys of its own; tickets may be reached from anywhere
my ($tickets, $orders) = map { TestSvc::Server->new(modules => [$_]) } qw(tickets orders);
my %keys = map { mkdir $_->dir . '/keys'; ($_->{modules}[0] => new_keys($_->dir . '/keys/own')) } $tickets, $orders;
my %client = map { ($_ => new_keys($tickets->dir . "/keys/$_")) } qw(ann ben eve);
my @clients = sort keys %client;

sub allow {   # the keys of a server's list, by name
    my ($server, @names) = @_;
    my $list = "# who may follow\n\n" . join '', map { ($client{$_} || $keys{$_})->{public} . "  $_\n" } @names;
    spew($server->dir . '/keys/allow', $list);
}
sub site {
    my ($prefix, $me, $other, $address) = @_;
    my $name = $other->{modules}[0];
    my ($pub, $replay) = map { $me->port($_) } qw(pub replay);
    $me->write_conf(site => <<"CONF");
DBDriver sqlite3
DBDParams "\@dir\@/data/shop.db"
DBDMax 64
${prefix}Publish        tcp://$address:$pub
${prefix}Replay         tcp://$address:$replay
${prefix}CurvePublicKey keys/own.public
${prefix}CurveSecretKey "\@dir\@/keys/own.secret"
${prefix}CurveAllow     keys/allow
${prefix}Subscribe      @{[ $other->endpoint('pub') ]} @{[ $other->endpoint('replay') ]} $keys{$name}{public}
CONF
}
site('Tickets', $tickets, $orders, '0.0.0.0');
site('Orders', $orders, $tickets, '127.0.0.1');
allow($tickets, qw(orders ann ben));
allow($orders, 'tickets');
$_->start for $tickets, $orders;

sub dance {
    my ($name) = @_;
    my $ticket = eval { new_ticket(vhost => $tickets) } or return fail "$name: $@";
    my $order = eval { new_order(vhost => $orders, ticket => $ticket) } or return fail "$name: $@";
    ok((eval { wait_until { order($order->{id}, vhost => $orders)->{status} eq 'awaiting:payment' } 10, 'the dance' } || diag $@), $name);
}
dance('two services with keys follow one another');

# --- clients
my ($pub, $replay) = map { $tickets->endpoint($_) } qw(pub replay);
my $server_key = $keys{tickets}{public};
sub curve { my ($name, $server) = @_; return { %{ $client{$name} }, server => $server || $server_key } }
sub listen_as { return TestSvc::Event->subscriber($pub, '', @_) }
sub answered { my $page = eval { replay($replay, @_) }; return $page && $page->{kind} }
sub drain { my ($ear) = @_; my $n = 0; $n++ while $ear->next(0); return $n }
sub hears {   # a new ticket
    my ($ear) = @_;
    my $title = 'for ' . new_uuid();
    new_ticket(vhost => $tickets, title => $title);
    return eval {
        wait_until { my ($subject, $event) = $ear->next(1); $subject && $subject eq 'ticket:created' && $event->{data}{title} eq $title }
            10, 'the event of a ticket';
    };
}
# A PUB socket sends to whom it knows by then.
sub comes_in { my ($ear) = @_; return eval { wait_until { $ear->next(1) } 10, 'the first event' } && hears($ear) }

my $ann = listen_as(curve('ann'));
ok comes_in($ann), 'a client on the list gets events';
is answered(curve => curve('ann')), 'EVENTS', 'and a replay';

my %shut = (
    'a client that is not on the list'       => curve('eve'),
    'a client with a wrong server key'       => curve('ben', $client{eve}{public}),
    'a client without a key'                 => undef,
    'a client with a listed key that is not its own' => { %{ curve('eve') }, public => $client{ben}{public} },
);
my %ear = map { ($_ => listen_as($shut{$_} || ())) } sort keys %shut;
ok((eval { wait_until { $tickets->error_log =~ /SVC070: mod_tickets: .*\Q$client{eve}{public}\E/ } 10, 'the refusal' }),
    'the log says whose key is not on the list');
for my $who (sort keys %shut) {
    is answered(curve => $shut{$who}, seconds => 1), undef, "$who gets no replay";
}
for (1 .. 20) { ok hears($ann), 'meanwhile the client on the list goes on' or last }
is drain($ear{$_}), 0, "$_ gets no event" for sort keys %shut;
dance('nor does it disturb the services');

# What travels is not readable: a client that speaks no ZeroMQ at all sees the greeting and no more.
{
    my $raw = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $tickets->port('pub')) or die "$!";
    my ($all, $more) = ('', 1);   # ZMTP 3: signature and version, then mechanism, role and filler
    syswrite $raw, "\xff" . "\0" x 8 . "\x7f\x03";
    $more = sysread $raw, $all, 64, length $all while $more && length $all < 64;
    syswrite $raw, "\0NULL" . "\0" x 48;
    $more = sysread $raw, $all, 4096, length $all while $more;
    like $all, qr/CURVE/, 'the greeting says CURVE';
    unlike $all, qr/ticket:|specversion/, 'to whom says NULL nothing more is said, and the connection is closed';
}

# --- off the list, onto the list: at the next graceful restart
my $ben = listen_as(curve('ben'));
ok comes_in($ben), 'another client on the list gets events';
allow($tickets, qw(orders ann eve));
ok hears($ben), 'taken off the list, it does so until httpd restarts';
$tickets->graceful;
ok((eval { wait_until { $tickets->error_log =~ /SVC070: .*\Q$client{ben}{public}\E/ } 10, 'the refusal' }),
    'after a graceful restart it is refused');
drain($ben);
$ann = listen_as(curve('ann'));
ok comes_in($ann), 'the client that is still on the list gets events';
for (1 .. 20) { hears($ann) or last }
is drain($ben), 0, 'who was taken off gets none any more';
is answered(curve => curve('ben'), seconds => 1), undef, 'nor a replay';
is answered(curve => curve('ann')), 'EVENTS', 'the other one does';
my $eve = listen_as(curve('eve'));
ok comes_in($eve), 'who was put on the list gets events';
is answered(curve => curve('eve')), 'EVENTS', 'and a replay';
dance('the services follow one another after the restart');

# --- a service that is taken off the list, too
allow($tickets, 'ann');
$tickets->graceful;
ok((eval { wait_until { $orders->error_log =~ /SVC071: mod_orders: \Q$pub\E does not let this service in: its public key/ } 10, 'SVC071' }),
    'a service that is taken off the list is refused, and says so');
my $missed = new_ticket(vhost => $tickets, title => 'missed');
ok comes_in(listen_as(curve('ann'))), 'while others follow';
is api(GET => "/api/orders/$missed->{id}", vhost => $orders, user => 'bob')->code, 404, 'orders answers';
is db($orders)->selectrow_array('SELECT COUNT(*) FROM orders_tickets WHERE id = ?', undef, $missed->{id}), 0, 'but hears nothing';
allow($tickets, qw(orders ann));
$tickets->graceful;
ok((eval { new_order(vhost => $orders, ticket => $missed) } || diag $@), 'back on the list it gets what it missed');
is scalar(() = $orders->error_log =~ /SVC042: mod_orders: \Q$pub\E lets this service in now/g), 1, 'and says so, once';
dance('and they follow one another again');

for my $server ($tickets, $orders) {
    unlike $server->error_log, qr/\Q$_->{secret}\E/, 'no secret key is in the log' for values %keys, values %client;
    cmp_ok $server->stop, '<', 10, 'it stops';
    log_is_clean(server => $server, except => [qr/SVC07[01]: /], name => 'its error log has no unexpected line');
}

# --- with a child that is busy at the restart: it must not go on leading with the old list
{
    my $busy = TestSvc::Server->new(modules => ['tickets'], mpm => 'prefork',
        limits => "StartServers 1\nMinSpareServers 1\nMaxSpareServers 1\nMaxRequestWorkers 4\n");
    mkdir $busy->dir . '/keys';
    my $own = new_keys($busy->dir . '/keys/own');
    my $curve = { %{ $client{ann} }, server => $own->{public} };
    $busy->write_conf(site => <<'CONF');
DBDriver sqlite3
DBDParams "@dir@/data/shop.db"
TicketsPublish        tcp://127.0.0.1:@port:pub@
TicketsReplay         tcp://127.0.0.1:@port:replay@
TicketsCurvePublicKey keys/own.public
TicketsCurveSecretKey keys/own.secret
TicketsCurveAllow     keys/allow
CONF
    allow($busy, 'ann');
    $busy->start;
    my $leader = $busy->wait_leader('tickets');
    is +(eval { replay($busy->endpoint('replay'), curve => $curve) } || {})->{kind}, 'EVENTS', 'the client is let in';
    my $slow = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $busy->port) or die "$!";
    print $slow "GET /api/tickets HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ";
    $slow->flush;
    wait_until { $busy->children > 1 } 10, 'another child, because the first is busy';
    allow($busy, 'ben');
    $busy->graceful;
    isnt $busy->wait_leader('tickets', $leader, 10), $leader, 'a child of the new generation leads';
    ok kill(0, $leader), 'while the busy one still runs';
    ok((eval { wait_until { my $page = eval { replay($busy->endpoint('replay'), seconds => 1,
        curve => { %{ $client{ben} }, server => $own->{public} }) }; $page && $page->{kind} eq 'EVENTS' } 10, 'the new list' }),
        'the new list counts');
    is +(eval { replay($busy->endpoint('replay'), curve => $curve, seconds => 1) } || {})->{kind}, undef, 'and not the old one';
    print $slow "x\r\nConnection: close\r\n\r\n";
    like scalar(<$slow>), qr{^HTTP/1\.1 200 }, 'the slow request is answered';
    close $slow;
    $busy->stop;
    log_is_clean(server => $busy, except => [qr/SVC070: /], name => 'its error log has no unexpected line');
}

log_is_clean;
done_testing;
