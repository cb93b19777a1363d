# The network between a tickets and an orders service is cut for a minute, while both go on selling and buying, and
# healed: within seconds all that happened meanwhile is known on both sides, without anybody doing anything. Two pairs
# at once, for two kinds of cut: in one the link goes down, in the other every packet is lost without a word.
# In network namespaces: each httpd has one of its own, joined by two cables, one between the services and one to here.
use strict;
use warnings FATAL => 'all';
use Test::More;
use POSIX ();
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;
use TestSvc::Truth;

die "this one needs root\n" unless $> == 0;
my $Cut = 60;                    # seconds

# First of all a network of the suite's own, so that it leaves nothing behind, and two of it do not meet.
if (!$ENV{NETWORK_OF_ITS_OWN}) {
    system(qw(unshare --net true)) == 0 or die "this machine does not permit network namespaces (unshare --net)\n";
    $ENV{NETWORK_OF_ITS_OWN} = 1;
    exec qw(unshare --net), $^X, (map { "-I$_" } @INC), $0 or die "unshare: $!\n";
}
sub run { system(@_) == 0 or die "failed: @_\n" }
run(qw(ip link set lo up));

my @namespaces;                  # each lives as long as a process that sleeps in it
END { local $?; kill 'KILL', @namespaces if @namespaces }
sub namespace {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    if (!$pid) { { no warnings; exec qw(unshare --net sleep 600) } POSIX::_exit(127) }
    push @namespaces, $pid;
    wait_until { (readlink "/proc/$pid/ns/net" || '') ne readlink '/proc/self/ns/net' and (readlink "/proc/$pid/exe" || '') =~ m{/(?:sleep|coreutils|busybox)$} }
        5, 'a network namespace';
    run(inside($pid), qw(ip link set lo up));
    return $pid;
}
sub inside { my ($pid) = @_; return ('nsenter', "--net=/proc/$pid/ns/net", '--') }
sub cable {                      # NAME at both ends; pid 0 is here
    my ($name, $pid, $address, $other, $other_address) = @_;
    my @there = $pid ? inside($pid) : ();
    run(@there, qw(ip link add), $name, qw(type veth peer name), $name, 'netns', $other);
    for my $end ([[@there], $address], [[inside($other)], $other_address]) {
        run(@{ $end->[0] }, qw(ip address add), "$end->[1]/24", 'dev', $name);
        run(@{ $end->[0] }, qw(ip link set), $name, 'up');
    }
}

my $user = $ENV{TEST_USER} || 'www-data';
sub pair {
    my ($number, $name) = @_;
    my $net = "10.8$number";
    my @pid = (namespace(), namespace());
    cable("seller$number", 0, "$net.1.1", $pid[0], "$net.1.2");
    cable("buyer$number", 0, "$net.2.1", $pid[1], "$net.2.2");
    cable("between", $pid[0], "$net.3.1", $pid[1], "$net.3.2");
    my $seller = TestSvc::Server->new(modules => ['tickets'], user => $user, host => "$net.1.2", bus => "$net.3.1",
                                      within => [inside($pid[0])], conf => "TicketsInsecureEndpoint On\n");
    my $buyer = TestSvc::Server->new(modules => ['orders'], user => $user, host => "$net.2.2", bus => "$net.3.2",
                                     within => [inside($pid[1])], conf => "OrdersInsecureEndpoint On\n");
    $seller->follow($buyer);
    $buyer->follow($seller);
    return { name => $name, seller => $seller, buyer => $buyer, both => [$seller, $buyer], pid => \@pid, bus => ["$net.3.1", "$net.3.2"] };
}

# Packets to an address that nobody has are sent, and taken by nobody.
sub lose { my ($pair, $what) = @_;
    run(inside($pair->{pid}[$_]), qw(ip neigh replace), $pair->{bus}[1 - $_], qw(lladdr 02:00:00:00:00:99 dev between nud permanent)) for 0, 1 }
sub find { my ($pair) = @_; run(inside($pair->{pid}[$_]), qw(ip neigh del), $pair->{bus}[1 - $_], qw(dev between)) for 0, 1 }
sub link_goes { my ($pair, $how) = @_; run(inside($pair->{pid}[0]), qw(ip link set between), $how) }

my @pairs = (pair(1, 'the link is down'), pair(2, 'packets are lost'));
$pairs[0]{cut} = sub { link_goes($_[0], 'down') };
$pairs[0]{heal} = sub { link_goes($_[0], 'up') };
$pairs[1]{cut} = \&lose;
$pairs[1]{heal} = \&find;
$_->start for map { @{ $_->{both} } } @pairs;

sub connections {   # between the two services, as one of them sees them
    my ($pair, $i) = @_;
    my $other = join '', map { sprintf '%02X', $_ } reverse split /\./, $pair->{bus}[1 - $i];
    open my $table, '<', "/proc/$pair->{pid}[$i]/net/tcp" or die "net/tcp: $!";
    return scalar grep { / $other:[0-9A-F]{4} 01 / } <$table>;
}
sub position { my ($server, $table) = @_; my ($n) = db($server)->selectrow_array("SELECT MAX(position) FROM $table"); return $n || 0 }

# --- before
for my $pair (@pairs) {
    my $order = new_order(vhost => $pair->{buyer}, ticket => new_ticket(vhost => $pair->{seller}));
    ok((eval { wait_until { order($order->{id}, vhost => $pair->{buyer})->{status} eq 'awaiting:payment' } 10, 'the dance' } || diag $@),
       "$pair->{name}: before, the services know each other");
    $pair->{known} = [map { new_ticket(vhost => $pair->{seller}, title => "Known $_")->{id} } 1 .. 600];
    wait_quiet($pair->{both});
    cmp_ok connections($pair, $_), '>=', 4, '... by connections from ' . ('tickets', 'orders')[$_] for 0, 1;
    $pair->{sellers} = TestSvc::Clients->start(1, $pair->{seller}, sub {
        my ($client) = @_;
        my %codes;
        until ($client->is_told_to_stop) {
            my $made = $client->send(POST => '/api/tickets', user => 'alice', json => { title => 'Made meanwhile', price => 5 });
            $codes{ $made->{code} }++;
            $codes{ $client->send(PUT => "/api/tickets/$made->{json}{id}", user => 'alice', json => { title => 'Edited meanwhile', price => 6 })->{code} }++;
            $client->pause(0.1);
        }
        return \%codes;
    });
    $pair->{buyers} = TestSvc::Clients->start(1, $pair->{buyer}, sub {
        my ($client) = @_;
        my %codes;
        for my $id (@{ $pair->{known} }) {
            last if $client->is_told_to_stop;
            my $made = $client->send(POST => '/api/orders', user => 'bob', json => { ticketId => $id });
            $codes{ $made->{code} }++;
            $codes{ 'gone ' . $client->send(DELETE => "/api/orders/$made->{json}{id}", user => 'bob')->{code} }++ if rand() < 0.2;
            $client->pause(0.1);
        }
        return \%codes;
    });
}
for my $pair (@pairs) {
    my $goal = position($pair->{buyer}, 'orders_log') + 20;
    wait_until { position($pair->{buyer}, 'orders_log') >= $goal } 10, 'both to be busy';
}

# --- cut
my $begin = time;
$_->{cut}->($_) for @pairs;
for my $pair (@pairs) {
    for my $i (0, 1) {
        ok((eval { wait_until { connections($pair, $i) == 0 } 15, 'the connections to be given up' } || diag $@),
           "$pair->{name}: " . ('tickets', 'orders')[$i] . ' notices that nobody is there any more');
    }
    $pair->{taken} = [position($pair->{seller}, 'tickets_cursor'), position($pair->{buyer}, 'orders_cursor')];
}
sleep $begin + $Cut - time;      # the one thing here that is a time: how long the network is away
for my $pair (@pairs) {
    is_deeply [position($pair->{seller}, 'tickets_cursor'), position($pair->{buyer}, 'orders_cursor')], $pair->{taken},
        "$pair->{name}: for a minute nothing gets through";
    cmp_ok position($pair->{seller}, 'tickets_log') - $pair->{taken}[1], '>', 100, '... while tickets are made';
    cmp_ok position($pair->{buyer}, 'orders_log') - $pair->{taken}[0], '>', 100, '... and ordered';
}

# --- healed
$_->{heal}->($_) for @pairs;
my $healed = time;
my %quiet;                       # pair -> when it had caught up with what was there when it was healed
my @goal = map { [position($_->{seller}, 'tickets_log'), position($_->{buyer}, 'orders_log')] } @pairs;
eval { wait_until {
    for my $i (grep { !$quiet{$_} } 0 .. $#pairs) {
        $quiet{$i} = time - $healed if position($pairs[$i]{buyer}, 'orders_cursor') >= $goal[$i][0]
                                    && position($pairs[$i]{seller}, 'tickets_cursor') >= $goal[$i][1];
    }
    keys %quiet == @pairs } 90, 'both to catch up'; 1 } or diag $@;
for my $i (0 .. $#pairs) {
    cmp_ok $quiet{$i} || 'inf', '<', 10, sprintf "$pairs[$i]{name}: healed, both know everything after %.1f s", $quiet{$i} || -1;
}
for my $pair (@pairs) {
    my ($sold) = $pair->{sellers}->enough->wait;
    my ($bought) = $pair->{buyers}->enough->wait;
    is_deeply [sort keys %$sold], [200, 201], "$pair->{name}: every ticket was made and edited" or diag explain $sold;
    is_deeply [sort keys %$bought], [201, 'gone 204'], '... every order made or cancelled' or diag explain $bought;
    ok((eval { wait_quiet($pair->{both}); 1 } || diag $@), '... the services become quiet');
    truth_ok($pair->{both}, '... and all that must hold does');
    is_deeply db($pair->{buyer})->selectall_arrayref("SELECT status, COUNT(*) FROM orders WHERE status = 'created' GROUP BY status"), [],
        '... every order got its ticket or was cancelled';
    is_deeply db($pair->{both})->selectall_arrayref('SELECT o.id, t.id FROM orders o JOIN tickets t ON t.id = o.ticket_id ' .
        "WHERE o.status <> 'cancelled' AND t.order_id IS NOT o.id"), [], '... which is reserved for it';
    is db($pair->{both})->selectrow_array('SELECT (SELECT COUNT(*) FROM tickets_quarantine) + (SELECT COUNT(*) FROM orders_quarantine)'), 0,
        '... nothing was set aside';
    for my $server (@{ $pair->{both} }) {
        cmp_ok $server->stop, '<', 10, '... it stops';
        log_is_clean(server => $server, name => '... its error log has no unexpected line');
    }
}
done_testing;
