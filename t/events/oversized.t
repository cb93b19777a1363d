# A message over the limit of a frame (64 KiB), live or as an answer to REPLAY, is dropped with its connection; the
# follower connects again and misses nothing that came after it.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;

my $json = JSON::PP->new->utf8->canonical;

sub created {
    my ($source, $sequence, %data) = @_;
    my $id = new_uuid();
    return cloudevent(type => 'ticket:created', subject => $id, source => $source, sequence => $sequence,
                      data => { id => $id, version => 0, title => 'Good', price => 5, userId => 'zoe', %data });
}
sub known { my ($server, $event) = @_;   # the tables may still be being made
    return scalar eval { db($server)->selectrow_array('SELECT 1 FROM orders_tickets WHERE id = ?', undef, $event->{data}{id}) } }
sub ends_clean {
    my ($server) = @_;
    cmp_ok $server->stop, '<', 10, 'it stops';
    log_is_clean(server => $server, except => [qr/SVC03\d: mod_orders/], name => 'its error log has no unexpected line');
}
my $Base = "DBDriver sqlite3\nDBDParams \"\@dir\@/data/shop.db\"\nDBDMax 64\nOrdersSubscribe tcp://127.0.0.1:\@port:pub\@";

# --- live, from a publisher without replay
{
    my $server = TestSvc::Server->new(modules => ['orders'], site => "$Base\n")->start;
    my $source = 'urn:uuid:' . new_uuid();
    my $bus = TestSvc::Event->publisher($server->endpoint('pub'))->wait_subscriber('ticket:created');
    my $before = created($source, 1);
    $bus->send('ticket:created', $before);
    wait_until { known($server, $before) } 10, 'the first event';
    my $huge = created($source, 2, title => 'x' x 200_000);
    $bus->send('ticket:created', $huge);
    my $after = created($source, 3);    # what is sent while the follower is away goes to nobody
    ok((eval { wait_until { $bus->send('ticket:created', $after); known($server, $after) } 15, 'the follower to be back' } || diag $@),
       'after a live message of 200 000 bytes the follower is back and takes the next event');
    ok !known($server, $huge), 'the huge one has no effect';
    $bus->close;
    ends_clean($server);
}

# --- live, and in an answer, from a publisher with replay
{
    my $server = TestSvc::Server->new(modules => ['orders'], site => "$Base tcp://127.0.0.1:\@port:replay\@\n")->start;
    my $source = 'urn:uuid:' . new_uuid();
    my $bus = TestSvc::Event->publisher($server->endpoint('pub'))->wait_subscriber('ticket:created');
    my $replayer = TestSvc::Event->replayer($server->endpoint('replay'));
    my @log;
    my $fat = 0;       # answers that are still to be too large
    my $serve = sub {
        $replayer->answer(0.02, sub {
            my (undef, $position, undef, $limit) = @_;
            return ('EVENTS', $source, scalar @log, 'ticket:created', 'x' x 200_000) if $limit && $fat-- > 0;
            return ('EVENTS', $source, scalar @log, $limit ? map { ($_->{type}, $_) } @log[$position .. $#log] : ());
        }) for 1 .. 3;
    };
    my $heartbeat = sub {
        my $event = cloudevent(type => 'heartbeat', source => $source, sequence => scalar @log, data => { head => scalar @log });
        delete $event->{subject};
        $bus->send('heartbeat', $event);
    };
    my $followed = sub { my ($name) = @_;
        ok((eval { wait_until { $heartbeat->(); $serve->(); known($server, $log[-1]) } 15, 'the last event' } || diag $@), $name) };

    push @log, created($source, 1);
    $followed->('the log is followed');
    $bus->send('ticket:created', created($source, 2, title => 'x' x 200_000));
    push @log, created($source, 2);
    $followed->('after a live message of 200 000 bytes it is followed on');
    $fat = 2;
    push @log, created($source, 3);
    $followed->('after answers of 200 000 bytes, too');
    cmp_ok $fat, '<', 1, 'they were given';
    $_->close for $bus, $replayer;
    ends_clean($server);
}

log_is_clean;
done_testing;
