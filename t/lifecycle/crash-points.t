# A child of httpd dies (kill -9, in its own code) at each place between a request and its last effect: before and after
# each COMMIT, between a commit and what it causes, in the middle of a message and of a page of replay. Each time another
# child takes over, and in the end every write is there exactly as often as it was answered, every event took effect
# once, and an observer got one stream of events without gaps. With both services in one httpd, and in two; with one
# child dying, and with the whole httpd.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use MIME::Base64 'encode_base64';
use Net::HTTP ();
use TestSvc;
use TestSvc::Crash;
use TestSvc::Recorder;
use TestSvc::Server;
use TestSvc::Truth;

my %other = (tickets => 'orders', orders => 'tickets');
my $json = JSON::PP->new->utf8->canonical;
my $made = 0;
my $world;               # the httpds that are tested: { name, tickets, orders, where, crash, recorders }

sub world {
    my ($name, %server) = @_;
    $_->start for $server{tickets} == $server{orders} ? $server{tickets} : @server{qw(tickets orders)};
    $world = { name => $name, %server, dead => 0 };
    $world->{where} = $server{tickets} == $server{orders} ? $server{tickets} : [@server{qw(tickets orders)}];
    for my $service (qw(tickets orders)) {
        $server{$service}->wait_leader($service);
        $world->{recorder}{$service} = TestSvc::Recorder->new(map { $server{$service}->endpoint("${service}_$_") } qw(pub replay));
    }
}
sub is_pair { return ref $world->{where} eq 'ARRAY' }
sub end_world {
    cmp_ok $_->stop, '<', 10, "$world->{name}: it stops" for is_pair() ? @{ $world->{where} } : $world->{where};
    $_->close for values %{ $world->{recorder} };
    log_is_clean(server => $world->{$_}, except => [qr/exit signal Killed|children are killed successively/],
                 name => "$world->{name}: the error log of $_ has no unexpected line") for qw(tickets orders);
    undef $world;
}

# --- one client

sub body_of { my ($http) = @_; my ($text, $part) = (''); $text .= $part while $http->read_entity_body($part, 10_000); return $text }

# A kept connection that is served by the child PID (or by any other, or, without PID, by whichever comes).
sub connection {
    my ($server, $pid, $is_other) = @_;
    my @tried;
    for (1 .. 60) {
        my $http = Net::HTTP->new(PeerAddr => '127.0.0.1', PeerPort => $server->port, Host => '127.0.0.1', KeepAlive => 1, Timeout => 20)
            or die "connect: $@";
        return $http unless $pid;
        push @tried, $http;
        $http->write_request(GET => '/api/nothing');
        my ($code) = $http->read_response_headers;
        body_of($http);
        my $is_it = $pid == ($server->child_of($http->sockport) || die "nobody serves the connection\n");
        return $http if $is_other ? !$is_it : $is_it;
    }
    die 'no connection is served by ' . ($is_other ? "another than $pid" : $pid) . "\n";
}

sub post {   # (code, decoded body); code 0: no answer
    my ($http, $path, $user, $body) = @_;
    $http->write_request(POST => $path, 'Content-Type' => 'application/json', Authorization => 'Basic ' . encode_base64("$user:secret", ''), $json->encode($body));
    my ($code) = eval { $http->read_response_headers };
    return (0, undef) unless $code;
    return ($code, $json->decode(body_of($http)));
}

my %path = (ticket => '/api/tickets', order => '/api/orders');
my %at = (ticket => 'tickets', order => 'orders');
my %user = (ticket => 'alice', order => 'bob');

# The ids that a POST of BODY has made.
sub made {
    my ($kind, $body) = @_;
    my ($column, $value) = $kind eq 'ticket' ? ('title', $body->{title}) : ('ticket_id', $body->{ticketId});
    return @{ db($world->{where})->selectcol_arrayref("SELECT id FROM $at{$kind} WHERE $column = ?", undef, $value) };
}

# --- a death and what comes after it

sub dies {   # returns the pid
    my ($service, $all, $name) = @_;
    my $server = $world->{$service};
    my $pid = eval { $world->{crash}->wait_died(15, $name) };
    ok $pid, "$name: somebody dies there" or do { diag $@; return };
    if ($all) {
        wait_until { !grep { TestSvc::Server::alive($_) } $server->pid } 5, 'the whole httpd to die';
        $server->kill9_parent_and_children;
        $server->start;
        ok $server->wait_leader($service), '... with all its httpd, which is started again';
    } else {
        ok((eval { wait_until { !TestSvc::Server::alive($pid) } 5, 'the child to be gone' } || diag $@), '... and is gone');
        isnt $server->wait_leader($service, $pid), $pid, '... and another child leads';
    }
    return $pid;
}

sub is_true {   # all is quiet and as it must be
    my ($name, $order) = @_;
    ok((eval { wait_until { order($order->{id}, vhost => $world->{orders})->{status} eq 'awaiting:payment' } 20, 'the reservation' } || diag $@), '... the order gets its ticket');
    my $ticket = ticket($order->{ticketId}, vhost => $world->{tickets});
    is_deeply [@$ticket{qw(orderId version)}], [$order->{id}, 1], '... once';
    is order($order->{id}, vhost => $world->{orders})->{version}, 1, '... which is told to the order once';
    ok((eval { wait_quiet($world->{where}); 1 } || diag $@), '... the services become quiet');
    truth_ok($world->{where}, '... and all that must hold does');
    $world->{recorder}{$_}->stream_ok($world->{where}, $_, "... an observer of $_ has one stream without gaps") for qw(tickets orders);
    is db($world->{where})->selectrow_array('SELECT (SELECT COUNT(*) FROM tickets_quarantine) + (SELECT COUNT(*) FROM orders_quarantine)'), 0,
        '... nothing was set aside';
}

sub new_body {
    my ($on) = @_;
    return { title => 'Crash ' . ++$made, price => 5 } if $on eq 'ticket';
    my $ticket = new_ticket(vhost => $world->{tickets});
    wait_quiet($world->{where});
    return { ticketId => $ticket->{id} };
}

# Somebody of SERVICE dies at PLACE while a ticket (on => 'ticket') or an order (on => 'order') is made. `by` says by
# whose connection: 'leader', 'other', or any.
sub crash_in_dance {
    my ($place, $service, $on, %opt) = @_;
    my $name = "$world->{name}, $service, $place" . ($opt{nth} ? " ($opt{nth})" : '') . ($opt{all} ? ', all' : '')
             . ($opt{by} ? ", the $opt{by}'s request" : '') . ", on a new $on";
    my $body = new_body($on);
    my $server = $world->{ $at{$on} };
    my $http = connection($server, $opt{by} ? ($server->wait_leader($service), $opt{by} eq 'other') : ());
    $world->{crash}->arm($place, $service, %opt{ grep { exists $opt{$_} } qw(nth all) });
    my ($code, $answer) = post($http, $path{$on}, $user{$on}, $body);
    # Until a subscription is in place again after the death before, events come by replay, not live.
    for (1 .. ($place eq 'received' ? 20 : 0)) {
        wait_until { $world->{crash}->died || behind(db($world->{where})) == 0 } 10, 'the event to arrive, live or not';
        last if $world->{crash}->died;
        ($code, $answer) = post(connection($server), $path{$on}, $user{$on}, $body = new_body($on));
    }
    my $pid = dies($service, $opt{all}, $name) or return;

    my @ids = made($on, $body);
    my $is_poster = $place =~ /^commit/;
    if ($is_poster) { is $code, 0, '... the client gets no answer' }
    elsif ($code || $server != $world->{$service}) { is $code, 201, '... the client is answered 201' }
    is @ids, $place eq 'commit' ? 0 : 1, '... what it sent is ' . ($place eq 'commit' ? 'not there: it was not committed' : 'there, once');
    is $ids[0], $answer->{id}, '... under the id that was answered' if $code;
    if (!@ids) {
        ($code) = post(connection($server), $path{$on}, $user{$on}, $body);
        is $code, 201, '... it can be sent again';
        @ids = made($on, $body);
    }
    my $order = $on eq 'order' ? { id => $ids[0], %$body } : new_order(vhost => $world->{orders}, ticket => $ids[0]);
    is_true($name, $order);
}

# Somebody of SERVICE dies at PLACE while one who missed three events asks for them: the other service, which was
# stopped, or, where both are in one httpd, the observer.
sub crash_in_replay {
    my ($place, $service, %opt) = @_;
    my $name = "$world->{name}, $service, $place" . ($opt{all} ? ', all' : '') . ', in a replay';
    my ($asked) = $place eq 'page' ? $other{$service} : $service;
    my @tickets = map { new_ticket(vhost => $world->{tickets}) } 1 .. 3;
    my @orders;
    if (is_pair()) {
        wait_quiet($world->{where});
        my $away = $world->{ $other{$asked} };
        $away->stop;
        if ($asked eq 'tickets') { push @tickets, map { new_ticket(vhost => $world->{tickets}) } 1 .. 3 }
        else                     { @orders = map { new_order(vhost => $world->{orders}, ticket => $_) } @tickets }
        $world->{crash}->arm($place, $service, %opt);
        $away->start;
    } else {
        $world->{crash}->arm($place, $service, %opt);
        cmp_ok $world->{recorder}{$asked}->ask(0), '>', 6, "$name: who asks is answered, if not by the first one asked";
    }
    dies($service, $opt{all}, $name) or return;
    @orders = map { new_order(vhost => $world->{orders}, ticket => $_) } @tickets unless @orders;
    is_true($name, $_) for $orders[-1];
}

sub all_places {
    for my $service (qw(tickets orders)) {
        my $on = $service eq 'tickets' ? 'ticket' : 'order';
        my $heard = $service eq 'tickets' ? 'order' : 'ticket';       # what the other service tells
        crash_in_dance($_, $service, $on, by => 'leader') for qw(commit committed);
        crash_in_dance($_, $service, $on, by => 'other') for is_pair() ? () : qw(commit committed);
        crash_in_dance($_, $service, $on) for qw(publish half_sent mark);
        crash_in_dance($_, $service, $heard) for qw(received cursor apply applied);
        crash_in_dance($_, $service, 'order') for qw(effect);
        crash_in_dance('publish', $service, 'order', nth => $service eq 'tickets' ? 1 : 2);   # what an event has caused
        crash_in_replay($_, $service) for qw(request answer), is_pair() ? 'page' : ();
        crash_in_dance($_, $service, $on, all => 1) for 'committed', is_pair() ? () : qw(publish mark);
        crash_in_dance($_, $service, $heard, all => 1) for 'applied', is_pair() ? () : qw(received cursor);
    }
}

my $crash = TestSvc::Crash->new;
my $shop = TestSvc::Server->new(env => $crash->env);
world('one httpd', tickets => $shop, orders => $shop, crash => $crash);
all_places();
end_world();

my ($seller, $buyer) = TestSvc::Server->pair(env => $crash->env);
world('two httpds', tickets => $seller, orders => $buyer, crash => $crash);
all_places();
end_world();

log_is_clean;
done_testing;
