# A database server that is lost or hangs: its connections are ended, it is restarted, killed (-9) or stopped in the middle
# of everything. httpd goes on; no request waits longer than ten seconds; what was answered 2xx is there, what was
# answered "nothing was changed" is not, every event takes effect once, and when the server is back all works by itself.
# Of servers only: a file is always there.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Database;
use TestSvc::Server;
use TestSvc::Truth;

my $shared = TestSvc::Database->shared;
my $engine = TestSvc::Database->new($shared->engine, "$shared->{dir}/of_its_own")->start;
my $server = TestSvc::Server->new(engine => $engine)->start->wait_database;

sub works {
    my ($name) = @_;
    wait_until { api(GET => '/api/tickets', vhost => $server)->code == 200 } 15, 'reads';
    my $ticket = wait_until { my $answer = api(POST => '/api/tickets', vhost => $server, user => 'alice',
                                               json => { title => $name, price => 3 });
                              $answer->code == 201 && $answer->json } 15, 'writes';
    my $order = wait_until { my $answer = api(POST => '/api/orders', vhost => $server, user => 'bob', json => { ticketId => $ticket->{id} });
                             $answer->code == 201 && $answer->json } 15, 'orders';
    ok((eval { wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 15, 'the dance' } || diag $@), "$name: all works");
    wait_quiet($server);
    truth_ok($server, "$name: each event has taken effect once");
}

# Clients that read and write until they are told to stop, with what they were answered and how long that took.
sub busy {
    my ($name) = @_;
    return TestSvc::Clients->start(6, $server, sub {
        my ($client, $number) = @_;
        my %got = (made => [], refused => [], unknown => [], odd => [], longest => 0, failed => 0);
        my $count = 0;
        until ($client->is_told_to_stop) {
            my $title = "$name $number." . ++$count;
            my $begin = $client->now;
            my $answer = $number % 3 ? $client->send(POST => '/api/tickets', user => 'alice', json => { title => $title, price => 7 })
                                     : $client->send(GET => '/api/tickets?limit=1');
            my $took = $client->now - $begin;
            $got{longest} = $took if $took > $got{longest};
            $got{failed}++ if $answer->{code} == 503;
            if ($answer->{code} == 201)                              { push @{ $got{made} }, $title }
            elsif ($answer->{text} =~ /made is unknown/)             { push @{ $got{unknown} }, $title }
            elsif ($answer->{code} == 503 && $number % 3)            { push @{ $got{refused} }, $title }
            elsif ($answer->{code} != 503 && $answer->{code} != 200) { push @{ $got{odd} }, "$answer->{code} " . substr $answer->{text}, 0, 100 }
            $client->pause(0.02) if $answer->{code} == 503;
        }
        return \%got;
    });
}

sub survives {   # what is done to the server
    my ($name, $longest, $what) = @_;
    my $clients = busy($name);
    sleep 0.7;
    $what->();
    sleep 0.7;
    my %all = (longest => 0);
    for my $got ($clients->enough->wait) {
        push @{ $all{$_} }, @{ $got->{$_} } for qw(made refused unknown odd);
        $all{failed} += $got->{failed};
        $all{longest} = $got->{longest} if $got->{longest} > $all{longest};
    }
    works($name);
    my %there;
    $there{ $_->[0] }++ for @{ db($server)->selectall_arrayref('SELECT title FROM tickets') };
    note sprintf '%s: %d made, %d refused, %d unknown, %d failed, %.1f s the longest', $name,
        map({ scalar @{ $all{$_} || [] } } qw(made refused unknown)), $all{failed}, $all{longest};
    is_deeply [grep { ($there{$_} || 0) != 1 } @{ $all{made} }], [], "$name: every ticket that was answered 201 is there once";
    is_deeply [grep { $there{$_} } @{ $all{refused} || [] }], [], "$name: none that was answered 503 is there, but for unknown outcomes";
    is_deeply [grep { ($there{$_} || 0) > 1 } @{ $all{unknown} || [] }], [], "$name: none of those is there twice";
    is_deeply $all{odd} || [], [], "$name: no answer but 2xx and 503";
    cmp_ok $all{longest}, '<', $longest, "$name: no request waits longer than $longest s";
}

works('at first');
survives('connections are ended', 5, sub {
    for (1 .. 5) {
        my $db = $engine->admin;
        if ($engine->engine eq 'pgsql') { $db->do('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL') }
        else { for my $id (@{ $db->selectcol_arrayref("SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND user = 'root'") }) {
            eval { $db->do("KILL CONNECTION $id") } } }
        sleep 0.2;
    }
});
survives('the server is restarted', 11, sub { $engine->stop; $engine->start });
survives('the server is killed', 11, sub { $engine->crash; sleep 1; $engine->start });
survives('the server hangs', 11, sub { $engine->freeze; sleep 15; $engine->thaw });
survives('the server hangs for a moment', 11, sub { $engine->freeze; sleep 3; $engine->thaw });

cmp_ok $server->stop, '<', 10, 'httpd stops';
log_is_clean(server => $server, except => [qr/SVC01[01]|SVC035|SVC04\d|SVC060|dbd:error/]);
$engine->stop;
log_is_clean;
done_testing;
