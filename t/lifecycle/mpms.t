# On event, worker and prefork alike: nothing that was answered is lost and every event takes effect once, through
# graceful restarts under load, restarts, kill -9 of the leaders and of everything; and stopping leaves nothing behind.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Fcntl qw(:flock);
use IO::Socket::INET ();
use Time::HiRes 'time';
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;
use TestSvc::Truth;

# A client that sells and buys until it is told to stop. What it remembers: ids of 201s, and codes it did not expect.
sub trade {
    my ($client, $number) = @_;
    my %got = (tickets => [], orders => [], odd => [], answered => 0, lost => 0);
    my $note = sub {
        my ($list, $answer, $what) = @_;
        if ($answer->{code} == 201)  { push @{ $got{$list} }, $answer->{json}{id} }
        elsif ($answer->{code} == 0) { push @{ $got{odd} }, $what . ': ' . substr($answer->{text}, 0, 80) if !$got{lost}++ }
        else                         { push @{ $got{odd} }, "$what: $answer->{code} " . substr($answer->{text}, 0, 120) }
        $got{answered}++ if $answer->{code};
        return $answer->{code} == 201;
    };
    my $seller = 'user' . ($number + 1);
    until ($client->is_told_to_stop || @{ $got{odd} } > 20) {
        my $made = $client->send(POST => '/api/tickets', user => $seller, json => { title => "Of $seller", price => 5 });
        unless ($note->(tickets => $made, 'POST ticket')) { $client->pause(0.05); next }
        my ($bought, $until) = (undef, $client->now + 8);
        do {             # a 404 says: the follower has not brought it yet
            $bought = $client->send(POST => '/api/orders', user => $seller, json => { ticketId => $made->{json}{id} });
        } while ($bought->{code} == 404 && $client->now < $until && !$client->is_told_to_stop && !$client->pause(0.02));
        $note->(orders => $bought, 'POST order') unless $bought->{code} == 404 && $client->is_told_to_stop;
    }
    return \%got;
}

sub collect {
    my %all = (tickets => [], orders => [], odd => [], answered => 0, lost => 0);
    for my $got (@_) {
        push @{ $all{$_} }, @{ $got->{$_} } for qw(tickets orders odd);
        $all{$_} += $got->{$_} for qw(answered lost);
    }
    return \%all;
}

sub rows { my ($server, $table) = @_; return scalar db($server)->selectrow_array("SELECT COUNT(*) FROM $table") }

sub missing {   # ids that were answered 201 and are not there
    my ($server, $got) = @_;
    my $db = db($server);
    my @missing;
    for my $table (qw(tickets orders)) {
        my %there = map { $_->[0] => 1 } @{ $db->selectall_arrayref("SELECT id FROM $table") };
        push @missing, grep { !$there{$_} } @{ $got->{$table} };
    }
    return \@missing;
}

sub sells {     # the whole dance still works
    my ($server, $name) = @_;
    my $ticket = new_ticket(vhost => $server);
    my $order = new_order(vhost => $server, ticket => $ticket);
    ok((eval { wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 10, 'the reservation' } || diag $@), $name);
}

sub wait_rows { my ($server, $more) = @_; my $n = rows($server, 'orders') + $more;
                wait_until { rows($server, 'orders') >= $n } 15, "$more more orders" }

sub wait_leaders { my ($server, %not) = @_; return map { $_ => $server->wait_leader($_, $not{$_}) } qw(tickets orders) }

sub is_free { my ($file) = @_; open my $lock, '+<', $file or return "$file: $!"; return flock($lock, LOCK_EX | LOCK_NB) ? () : $file }

sub lifecycle {
    my ($mpm) = @_;
    my $server = TestSvc::Server->new(mpm => $mpm)->start;
    sells($server, "$mpm: sells after the start");

    # --- graceful restarts under a stream of requests, each on a connection of its own
    my $clients = TestSvc::Clients->start(3, $server, \&trade, keep_alive => 0);
    for (1 .. 2) {
        wait_rows($server, 5);
        $server->graceful;
    }
    wait_rows($server, 5);
    my $got = collect($clients->enough->wait);
    is_deeply $got->{odd}, [], "$mpm: every request around two graceful restarts is answered, and with 201";
    cmp_ok $got->{answered}, '>', 20, "$mpm: there were many" or diag $got->{answered};
    wait_quiet($server);
    is_deeply missing($server, $got), [], "$mpm: all of it is there";
    truth_ok($server, "$mpm: after graceful restarts each event has taken effect once");

    # --- restart: connections are cut, but what was answered stays
    $clients = TestSvc::Clients->start(2, $server, \&trade);
    wait_rows($server, 5);
    $server->restart;
    wait_rows($server, 5);
    $got = collect($clients->enough->wait);
    is_deeply [grep { !/^POST \w+: \D/ } @{ $got->{odd} }], [], "$mpm: around a restart requests are lost at most, never answered wrongly";
    wait_quiet($server);
    is_deeply missing($server, $got), [], "$mpm: what was answered is there after a restart";
    truth_ok($server, "$mpm: after a restart each event has taken effect once");

    # --- kill -9 of the leaders under load
    $clients = TestSvc::Clients->start(3, $server, \&trade);
    for my $round (1 .. 2) {
        my %leader = wait_leaders($server);
        wait_rows($server, 5);
        my $begin = time;
        kill KILL => $_ for keys %{ { reverse %leader } };
        wait_leaders($server, %leader);
        cmp_ok time - $begin, '<', 4, "$mpm: kill $round of the leaders: others lead soon";
        wait_rows($server, 5);
    }
    $got = collect($clients->enough->wait);
    is_deeply [grep { !/^POST \w+: \D/ } @{ $got->{odd} }], [], "$mpm: while leaders are killed requests are lost at most, never answered wrongly";
    wait_quiet($server);
    is_deeply missing($server, $got), [], "$mpm: what was answered is there after the leaders were killed";
    truth_ok($server, "$mpm: after the kills each event has taken effect once");

    # --- kill -9 of everything under load
    $clients = TestSvc::Clients->start(3, $server, \&trade);
    wait_rows($server, 20);
    $server->kill9_parent_and_children;
    $got = collect($clients->enough->wait);
    cmp_ok @{ $got->{tickets} }, '>', 3, "$mpm: everything is killed in the middle of work";
    $server->start;
    wait_quiet($server);
    is_deeply missing($server, $got), [], "$mpm: every 2xx is there after everything was killed";
    truth_ok($server, "$mpm: and each event has taken effect once");
    sells($server, "$mpm: it goes on selling");

    # --- stop: nothing is left
    my @ports = map { $server->port($_) } qw(http tickets_pub tickets_replay orders_pub orders_replay);
    cmp_ok $server->stop, '<', 10, "$mpm: it stops, with all its processes";
    my @locks = glob "$server->{dir}/logs/*.leader $server->{dir}/data/*.lock";
    is scalar @locks, $server->engine->is_file ? 3 : 2, "$mpm: a leader lock per module and the writers' lock of a file exist";
    is_deeply [map { is_free($_) } @locks], [], "$mpm: none of them is held";
    is_deeply [grep { !IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $_, Listen => 1, ReuseAddr => 1) } @ports], [],
        "$mpm: all its ports are free";
    log_is_clean(server => $server, except => [qr/exit signal Killed|children are killed successively/], name => "$mpm: its error log has no unexpected line");
}

lifecycle($_) for qw(event worker prefork);
log_is_clean;
done_testing;
