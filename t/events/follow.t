# A follower of a publisher that answers REPLAY takes every event once and in order of the log, whatever the publisher
# does: a late start, gaps, a lost last message, late, repeated or wrong answers, errors, a restart in the middle, a
# publisher that goes away, a log that is another one. The publisher is played by the suite.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use Time::HiRes 'time';
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;

my $server = TestSvc::Server->new(modules => ['orders'], site => <<'CONF');
DBDriver sqlite3
DBDParams "@dir@/data/shop.db"
DBDMax 64
OrdersSubscribe tcp://127.0.0.1:@port:tickets_pub@ tcp://127.0.0.1:@port:tickets_replay@
CONF

my $json = JSON::PP->new->utf8->canonical;
my $urn = 'urn:uuid:' . new_uuid();
my @log;                 # the event log that is played; position 1 is $log[0]
my $page = 100;          # events in one answer at most
my @asked;               # the requests so far: [source, position, event-id, limit]
my ($bus, $replayer);

sub record {             # adds an event to the log without publishing it
    my ($id, $version, %data) = @_;
    my $type = $version ? 'ticket:updated' : 'ticket:created';
    push @log, cloudevent(type => $type, subject => $id, source => $urn, sequence => @log + 1, data => {
        id => $id, version => $version, title => "version $version", price => 10, userId => 'zoe', %data });
    return $log[-1];
}
sub publish { $bus->send($_->{type}, $_) for @_ }
sub heartbeat {
    my ($head) = (@_, scalar @log);
    my $event = cloudevent(type => 'heartbeat', source => $urn, sequence => $head, data => { head => $head });
    delete $event->{subject};
    $bus->send('heartbeat', $event);
}
sub events {             # an honest answer
    my ($source, $position, $event_id, $limit) = @_;
    my $to = $position + ($limit < $page ? $limit : $page);
    $to = @log if $to > @log;
    return ('EVENTS', $urn, scalar @log, map { ($_->{type}, $_) } @log[$position .. $to - 1]);
}
my $answer = \&events;   # what is answered now
sub reply { my ($peer, @frames) = @_; $replayer->{socket}->send_multipart([$peer, map { ref $_ ? $json->encode($_) : $_ } @frames]) if @frames }
my $peer;                # who asked last
sub serve {
    return unless $replayer;
    ($peer, my ($replay, @request)) = TestSvc::Event::receive($replayer->{socket}, 0.02) or return;
    push @asked, \@request;
    reply($peer, $answer->(@request));
}
sub serve_until (&$$) { my ($condition, $seconds, $what) = @_; wait_until { serve() for 1 .. 5; $condition->() } $seconds, $what }
sub asked_for_events { return grep { $_->[3] > 0 } @asked }

my $db;
sub row { my ($title) = ($db ||= db($server))->selectrow_array('SELECT title FROM orders_tickets WHERE id = ?', undef, $_[0]); return defined $title ? $title : '' }
sub cursor { my @row = ($db ||= db($server))->selectrow_array('SELECT position, event_id FROM orders_cursor WHERE source = ?', undef, $urn); return @row }
sub is_followed {        # the cursor stands at the end of the log, with the id of its last event
    my ($name) = @_;
    my $ok = eval { serve_until { ((cursor())[0] || 0) == @log } 10, 'the cursor to come to ' . @log };
    is_deeply [cursor()], [scalar @log, $log[-1]{id}], $name;
}

sub come { ($bus, $replayer) = (TestSvc::Event->publisher($server->endpoint('tickets_pub')), TestSvc::Event->replayer($server->endpoint('tickets_replay'))) }

# --- a late start: the log has a history
my @ids = map { new_uuid() } 1 .. 10;
for my $version (0 .. 2) {
    record($_, $version) for @ids;
}
$page = 7;
come();
$server->start;
is_followed('a follower that starts late gets the whole history');
is_deeply [map { row($_) } @ids], [('version 2') x 10], 'and has the last version of everything';
is $asked[0][0], '', 'it asks first whose log it is';
is $asked[0][3], 0, 'and for no event';
my @pages = asked_for_events();
is_deeply $pages[0], [$urn, 0, '', $pages[0][3]], 'then for what follows position 0';
cmp_ok $pages[0][3], '<=', 500, 'in pages of at most 500';
is_deeply [map { $_->[1] } @pages[0 .. 4]], [0, 7, 14, 21, 28], 'page after page, each from the end of the one before';
is $pages[1][2], $log[6]{id}, 'naming the event there';
$page = 100;

# --- live
$bus->wait_subscriber('ticket:created')->wait_subscriber('ticket:updated')->wait_subscriber('heartbeat');
@asked = ();
publish(record($ids[0], 3));
is_followed('a live event is taken');
is row($ids[0]), 'version 3', 'it takes effect';
is_deeply [asked_for_events()], [], 'without a question';
publish($log[-1], $log[-1], $log[0], $log[20]);
publish(record($ids[0], 4));
is_followed('repeated and old events do no harm');
is row($ids[0]), 'version 4', '... none of them has an effect';

# --- a gap
my @lost = map { record($ids[1], $_) } 3 .. 5;
publish($lost[2]);
is_followed('when a live event shows a gap, what is missing is asked for');
is row($ids[1]), 'version 5', '... and applied in order';
@lost = map { record($ids[2], $_) } 3 .. 6;
publish(@lost[3, 1, 0, 2]);
is_followed('live events in a wrong order come right');
is row($ids[2]), 'version 6', '... with every version';

# --- a lost tail
record($ids[3], $_) for 3 .. 4;
heartbeat();
is_followed('a heartbeat reveals that the last messages were lost');
is row($ids[3]), 'version 4', '... and they are fetched';

# --- answers that come late, twice, or not at all
@asked = ();
my @held;
record($ids[4], 3);
$answer = sub { push @held, [$peer, @_]; return };
heartbeat();
serve_until { @held } 5, 'a question';
my $begin = time;
serve_until { @held >= 2 } 5, 'the question again';
cmp_ok time - $begin, '<', 3, 'a question that is not answered is asked again';
$answer = sub { return events(@_) };
is_followed('the second one is answered');
is row($ids[4]), 'version 3', '... and takes effect';
record($ids[4], 4);
for my $held (@held) {
    my ($peer, @request) = @$held;
    reply($peer, events(@request));
}
heartbeat();
is_followed('answers to old questions come late, and twice');
is row($ids[4]), 'version 4', '... and each event takes effect once';
record($ids[4], 5);
$answer = sub { my @answer = events(@_); return (@answer, @answer[3 .. $#answer], @answer[3 .. $#answer]) };
heartbeat();
is_followed('a page that repeats its events is taken');
is row($ids[4]), 'version 5', '... once in effect';
$answer = \&events;

record($ids[5], $_) for 3 .. 6;
my $wrong = 0;
$answer = sub { my ($source, $position, @rest) = @_; return $wrong++ < 2 ? events($source, $position + 2, @rest) : events($source, $position, @rest) };
heartbeat();
is_followed('a page that begins too late is not taken: it is asked for again');
is row($ids[5]), 'version 6', '... and nothing was left out';
$answer = \&events;

# --- errors
record($ids[6], 3);
my $refusals = 0;
$answer = sub { $refusals++; return ('ERROR', 'the suite is not in the mood') };
heartbeat();
serve_until { $refusals >= 3 } 10, 'three refusals';
is row($ids[6]), 'version 2', 'while the publisher answers ERROR nothing moves';
my @said = grep { /SVC033/ } split /\n/, $server->error_log;
like $said[0] || '', qr/not in the mood/, 'the log says what the publisher said';
is @said, 1, 'once, not once a second';
$answer = \&events;
is_followed('when it answers again, it is followed again');
record($ids[6], 4);
my $nonsense = 0;
$answer = sub { return $nonsense++ < 2 ? ('WHAT', 'ever') : events(@_) };
heartbeat();
is_followed('an answer that is none is survived');
$answer = \&events;

# --- what does not concern orders, and what is bad, moves the cursor too
push @log, cloudevent(type => 'seat:painted', subject => new_uuid(), source => $urn, sequence => @log + 1, data => { colour => 'red' });
record($ids[7], 3, price => -5);
record($ids[8], 3);
heartbeat();
is_followed('events of another kind are passed over, bad ones set aside');
is row($ids[8]), 'version 3', '... what follows them is applied';
is $db->selectrow_array('SELECT COUNT(*) FROM orders_quarantine WHERE position = ?', undef, @log - 1), 1, '... and the bad one is kept';
record($ids[7], 4);
record($ids[8], 4);
heartbeat();
is_followed('after a bad event its ticket waits, the cursor does not');
is row($ids[8]), 'version 4', '... nor do the other tickets';

# --- a restart in the middle
record($ids[9], $_) for 3 .. 40;
$page = 10;
my @stop = cursor();
$answer = sub { return $_[1] >= $stop[0] + 20 ? () : events(@_) };     # silent after two pages
heartbeat();
serve_until { (cursor())[0] == $stop[0] + 20 } 10, 'two pages';
@asked = ();
undef $db;
$server->restart;
$answer = \&events;
is_followed('after a restart in the middle of a backlog it is followed on');
is row($ids[9]), 'version 40', '... to the end';
@pages = asked_for_events();
is_deeply [@{ $pages[0] }[1, 2]], [$stop[0] + 20, $log[ $stop[0] + 19 ]{id}], 'from the cursor that was kept, not from the beginning';
$page = 100;

# --- the leader is killed in the middle
record($ids[9], $_) for 41 .. 80;
my $leader = $server->wait_leader('orders');
$bus->wait_subscriber('heartbeat');
publish($log[-40]);
kill KILL => $leader;
$server->wait_leader('orders', $leader);
is_followed('when the leader is killed another one follows on');
is row($ids[9]), 'version 80', '... nothing is lost';

# --- the publisher goes away and comes back
$_->close for $bus, $replayer;
undef $replayer;
record($ids[0], $_) for 5 .. 9;
come();
$bus->wait_subscriber('heartbeat', 15);
heartbeat();
is_followed('a publisher that was away is followed again');
is row($ids[0]), 'version 9', '... with what it recorded meanwhile';
$bus->wait_subscriber('ticket:updated', 15);
publish(record($ids[0], 10));
is_followed('and live events arrive again');

# --- a head that is lower than the cursor only means: ask
@asked = ();
heartbeat(@log - 5);
serve_until { asked_for_events() } 5, 'a question';
publish(record($ids[0], 11));
is_followed('a heartbeat with a lower head does not stop the follower');

# --- the log is another one: a snapshot of the state takes the place of what was followed
my $position = @log;
my @state = sort { $a->{subject} cmp $b->{subject} } map {   # at other versions, higher and lower; the last two are gone
    my $n = $_;
    cloudevent(type => 'ticket:updated', subject => $ids[$n], source => $urn, sequence => $position + 1, data => {
        id => $ids[$n], version => 1 + 20 * ($n % 2), title => "restored $n", price => 1, userId => 'zoe' });
} 0 .. 7;
my $stray = cloudevent(type => 'ticket:updated', subject => 'ffffffff-ffff-4fff-bfff-ffffffffffff', source => $urn,
    sequence => 1, data => { id => $ids[0], version => 99, title => 'of no snapshot', price => 1, userId => 'zoe' });
my $other_id = new_uuid();
my @wrong = (['SNAPSHOT', $urn, $position + 1, $other_id, 'zzz', '', 'ticket:updated', $stray],   # another page
             ['SNAPSHOT', $urn, $position + 1, $other_id], ['SNAPSHOT'], ['SNAPSHOT', $urn, 'x', '', '', 'zz', 'ticket:updated']);
my @snapshots;           # the requests for one
$answer = sub {
    my ($kind, @request) = @_;
    return ('RESET', $urn, $position + 1) unless @_ == 6 && $kind eq 'SNAPSHOT';
    push @snapshots, \@request;
    my ($source, $at, $id, $after) = @request;
    reply($peer, @$_) for @wrong;
    my @page = grep { $_->{subject} gt $after } @state;
    my $last = @page > 5 ? $page[4]{subject} : '';
    splice @page, 5;
    return ('SNAPSHOT', $urn, $position + 1, $other_id, $after, $last, map { ($_->{type}, $_) } @page);
};
sub serve_raw {          # requests with the name of what is asked
    ($peer, my @request) = TestSvc::Event::receive($replayer->{socket}, 0.02) or return;
    reply($peer, $answer->(@request));
}
heartbeat($position + 1);
eval { wait_until { serve_raw() for 1 .. 5; ((cursor())[1] || '') eq $other_id } 10, 'the snapshot to be taken' };
is_deeply [cursor()], [$position + 1, $other_id], 'after RESET a snapshot is taken, and the cursor stands where it leads';
is_deeply [map { [@$_[0 .. 3]] } @snapshots], [[$urn, 0, '', ''], [$urn, $position + 1, $other_id, $state[4]{subject}]],
    '... page after page, each from the end of the one before';
is_deeply [map { row($_) } @ids], [(map { "restored $_" } 0 .. 7), '', ''],
    '... each ticket has its state, whatever its version was, and what is not there any more is gone';
my @resets = grep { /SVC032/ } split /\n/, $server->error_log;
is @resets, 1, '... which is said once';
like $resets[0], qr/\Q$urn\E.*position $position\b/, '... with the source and the position';
is scalar(grep { /SVC038/ } split /\n/, $server->error_log), 1, '... and that it is done';
$#log = $position;       # the new history has one event more
$log[$position] = cloudevent(id => $other_id, type => 'ticket:updated', source => $urn, subject => $ids[0], sequence => $position + 1, data => {});
$answer = \&events;
publish(record($ids[0], 2));
is_followed('and the log is followed on');
is row($ids[0]), 'version 2', '... from the versions of the snapshot';

# --- the log does not go back so far
$position = @log;
push @log, map { cloudevent(type => 'ticket:updated', source => $urn, subject => $ids[1], sequence => $position + $_, data => {}) } 1 .. 50;
@snapshots = ();
$answer = sub { return @_ == 6 || $_[2] < 1 ? () : ('SNAPSHOT', $urn, scalar @log, $log[-1]{id}, '', '', 'ticket:updated', $state[3]) };
my $only = $state[3]{data}{id};
heartbeat();
eval { wait_until { serve_raw() for 1 .. 5; ((cursor())[0] || 0) == @log } 10, 'the snapshot to be taken' };
is_deeply [cursor()], [scalar @log, $log[-1]{id}], 'a snapshot may be the answer to REPLAY';
is_deeply [grep { row($_) } @ids], [$only], '... it is taken as well';
is scalar(grep { /SVC032/ } split /\n/, $server->error_log), 1, '... and is no other log';

is $db->selectrow_array('SELECT COUNT(*) FROM orders_parked WHERE entity_id <> ?', undef, $ids[7]), 0, 'nothing is left waiting';
$_->close for $bus, $replayer;
cmp_ok $server->stop, '<', 10, 'it stops';
log_is_clean(server => $server, except => [qr/SVC03[0234]: mod_orders/, qr/exit signal Killed|children are killed successively/], name => 'its error log has no unexpected line');
log_is_clean;
done_testing;
