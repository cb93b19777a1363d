package TestSvc::Following;
# What a follower in any language has to withstand: a publisher by the book of docs/events.md, line by line, and a real
# server that is stopped, killed, restored from a backup and cleaned up.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use JSON::PP ();
use Test::More;
use TestSvc qw(api db log_is_clean new_order new_ticket wait_until);
use TestSvc::Clients;
use TestSvc::Event;
use TestSvc::Follower;
use TestSvc::Server;

our @EXPORT = qw(keeps_the_rules follows_a_server);

my $Json = JSON::PP->new->utf8->canonical;

# --- a publisher that says what the suite wants ---------------------------------------------------------------------

my ($Source, $Pub, $Router, @Log);   # @Log: [subject, text] of each position, from 1

sub event {   # the next event of the log: of ticket $id, unless $type says otherwise
    my ($id, $version, $type) = @_;
    $type ||= $version ? 'ticket:updated' : 'ticket:created';
    push @Log, [$type, $Json->encode(cloudevent(type => $type, subject => $id, source => $Source, sequence => @Log + 1,
        data => { id => $id, title => "T $version", price => 5, userId => 'alice', version => $version }))];
    return scalar @Log;
}
sub id_at      { return $_[0] == 0 ? '' : $_[0] > @Log ? '?' : $Json->decode($Log[$_[0] - 1][1])->{id} }
sub line_of    { my $event = $Json->decode($Log[$_[0] - 1][1]); return "$_[0] $event->{type} $event->{subject} $event->{data}{version}" }
sub publish    { $Pub->send(@{ $Log[$_ - 1] }) for @_ }
sub heartbeat  { $Pub->send('heartbeat', cloudevent(type => 'heartbeat', source => $Source, sequence => $_[0], data => { head => $_[0] })) }
sub events     { my ($from, $to, $head) = @_; return ('EVENTS', $Source, defined $head ? $head : scalar @Log, map { @{ $Log[$_ - 1] } } $from .. $to) }
sub page {     # what the events at @positions left, as a page of the snapshot at $at: ids after $after up to $last
    my ($at, $after, $last, @positions) = @_;
    return ('SNAPSHOT', $Source, $at, id_at($at), $after, $last, map {
        my ($type, $text) = @{ $Log[$_ - 1] };
        $text =~ s/"sequence":"\d+"/sprintf '"sequence":"%020d"', $at/e;
        ($type, $text);
    } @positions);
}

sub restart {  # returns when it has subscribed anew
    my ($follower) = @_;
    $follower->kill9;
    wait_until { my ($frame) = TestSvc::Event::receive($Pub->{socket}, 0.1); defined $frame && !unpack 'C', $frame } 10, 'it to be gone';
    $Pub->{heard} = {};
    $follower->start;
    $Pub->wait_subscriber;
}

# The bytes that wait in the kernel for who is connected to ENDPOINT.
sub unread {
    my ($endpoint) = @_;
    my $port = sprintf '%04X', $endpoint =~ /:(\d+)\z/;
    open my $table, '<', '/proc/net/tcp' or die "/proc/net/tcp: $!";
    my $bytes = 0;
    /^\s*\d+: \S+ 0100007F:$port \w+ \w+:(\w+)/ and $bytes += hex $1 while <$table>;
    return $bytes;
}

# What the follower asks next, as one text ("REPLAY 3" with the right names left out, or all of it), and the answer.
# While nothing is asked the publisher is heard: a heartbeat now and then.
sub asked {
    my ($head, @answer) = @_;
    my $what;
    wait_until {
        heartbeat($head) if defined $head;
        $Router->answer(0.2, sub {
            my ($word, @frames) = @_;
            my ($source, $position, $event_id, @more) = @frames;
            $what = $word eq 'REPLAY' && $source eq ($position ? $Source : $source) && $event_id eq id_at($position) && "@more" eq '500'
                ? "REPLAY $position" : join ' ', $word, map { $_ eq $Source ? 'source' : $_ eq '' ? '-' : $_ } @frames;
            return @answer ? ('', @answer) : ();
        });
    } 15, 'the follower to ask';
    return $what;
}
sub has_lines {
    my ($follower, $lines, $name) = @_;
    wait_until { my @printed = $follower->lines; @printed >= @$lines } 10, "lines: $name";
    is_deeply [$follower->lines], $lines, $name;
}

sub keeps_the_rules {
    my ($language) = @_;
    ($Source, @Log) = ('urn:uuid:' . new_uuid());
    my ($pub, $replay) = map { 'tcp://127.0.0.1:' . TestSvc::Server::free_port() } 1 .. 2;
    ($Pub, $Router) = (TestSvc::Event->publisher($pub), TestSvc::Event->replayer($replay));
    my $follower = TestSvc::Follower->new($language, $pub, $replay)->start;
    $Pub->wait_subscriber;
    my ($a, $b, $c, $d) = sort map { new_uuid() } 1 .. 4;

    # --- pages, and an answer that is lost
    event($a, 0); event($b, 0); event($a, 1); event($c, 0, 'ticket:painted'); event($c, 0);
    is asked(5), 'REPLAY 0', 'before anything else it asks for all that is in the log';
    is asked(5, events(1, 2)), 'REPLAY 0', 'an answer that does not come is asked for again';
    is asked(undef, events(3, 5)), 'REPLAY 2', 'it asks on until it has the head';
    has_lines($follower, [map { line_of($_) } 1, 2, 3, 5], 'each event takes effect, one of a type that it does not know none');
    is_deeply [@{ $follower->state }{qw(source position event_id)}], [$Source, 5, id_at(5)], 'the cursor is the last event';

    # --- live
    publish(event($b, 1));
    has_lines($follower, [map { line_of($_) } 1, 2, 3, 5, 6], 'the next event is taken as it comes');
    publish(6, 5, 1, event($c, 1));
    has_lines($follower, [map { line_of($_) } 1, 2, 3, 5, 6, 7], 'events that come again are dropped');
    event($a, 2);
    publish(event($a, 3));
    is asked(undef, events(8, 9)), 'REPLAY 7', 'a gap makes it ask at once';
    has_lines($follower, [map { line_of($_) } 1, 2, 3, 5 .. 9], 'and nothing is missed');
    event($b, 2);
    is asked(10, events(10, 10)), 'REPLAY 9', 'so does a heartbeat that shows a later head';
    wait_until { $follower->position == 10 } 5, 'event 10';

    # --- refused: nothing is taken until the log was compared
    event($b, 3);
    is asked(11, 'ERROR', 'The database is not available'), 'REPLAY 10', 'it asks for event 11';
    publish(11);
    is asked(11, events(11, 11)), 'REPLAY 10', 'after a refusal it takes no live event before it was answered';
    wait_until { $follower->position == 11 } 5, 'event 11';
    like $follower->errors, qr/The database is not available/, 'and says the sentence';

    # --- silence, a disconnect, a start: who speaks then may be another log
    is asked(undef, events(12, 11)), 'REPLAY 11', 'after a silence it asks, though nothing seems to be missing';
    event($c, 2);
    $Pub->close;
    $Pub = TestSvc::Event->publisher($pub)->wait_subscriber;
    publish(12);
    is asked(undef, events(12, 12)), 'REPLAY 11', 'so it does when the connection was lost, before it takes the next event';
    wait_until { $follower->position == 12 } 5, 'event 12';
    restart($follower);
    publish(event($c, 3));
    is asked(13, events(13, 13)), 'REPLAY 12', 'so it does after a start';
    my @lines = map { line_of($_) } 1, 2, 3, 5 .. 13;
    has_lines($follower, \@lines, 'with no event twice');

    # --- RESET by a log that ends before the cursor, and snapshots
    is asked(9, 'RESET', $Source, 9), 'REPLAY 13', 'a head that is lower than the position makes it ask';
    is asked(undef, events(14, 13)), 'REPLAY 13', 'a RESET with a lower head makes it ask again';
    wait_until { heartbeat(13); !$Router->answer(0.3, sub { ('', events(14, 13)) }) } 5, 'it to be content';
    is_deeply [$follower->lines], \@lines, 'it was a machine that lagged: nothing has changed';

    is asked(9, 'RESET', $Source, 9), 'REPLAY 13', 'it is reset again';
    my ($again, $what, $before) = (0, undef, $follower->state);
    $again++ while ($what = asked(undef, 'RESET', $Source, 9)) eq 'REPLAY 13';   # ends: asked() has a deadline
    cmp_ok $again, '>', 1, 'and again';
    is $what, 'SNAPSHOT source 0 - - 500', 'for some seconds; then it takes a snapshot';
    is asked(9, 'RESET', $Source, 14), 'REPLAY 13', 'after a snapshot that is answered by RESET it begins anew';

    # The history that is true now: a, b and d exist, c does not; d changes while the snapshot is taken.
    splice @Log, 9;
    event($b, 2); event($d, 0); event($a, 4); event($b, 3); event($a, 5);   # 10 .. 14
    my $newer = event($d, 1);                                               # 15
    is asked(undef, page(14, '', $a, 14)), 'SNAPSHOT source 0 - - 500', 'a RESET with a head that is not lower begins a snapshot at once';
    is asked(undef, page(14, $a, $c)), join(' ', 'SNAPSHOT source 14', id_at(14), $a, '500'), 'the next page is asked for by what the last one says';
    is asked(), join(' ', 'SNAPSHOT source 14', id_at(14), $c, '500'), 'after a page without any item, too';
    is_deeply $follower->state, $before, 'in the middle of a snapshot nothing has changed';
    restart($follower);
    is_deeply $follower->state, $before, 'nor after a kill in it';
    my $cursor = join ' ', 'REPLAY source 13', $before->{event_id}, '500';   # an event that does not exist now
    is asked(15, 'RESET', $Source, 15), $cursor, 'it asks with the cursor that it had';
    is asked(undef, page(14, '', $c, 14, 13)), 'SNAPSHOT source 0 - - 500', 'and begins a new snapshot';
    is asked(undef, page(14, $c, '', $newer)), join(' ', 'SNAPSHOT source 14', id_at(14), $c, '500'), 'whose last page is the last';
    is asked(15, events(15, 15)), 'REPLAY 14', 'it goes on from the position of the snapshot';
    publish(event($d, 2));
    has_lines($follower, [@lines, '14 snapshot', line_of(16)], 'a change that the snapshot contained takes no second effect');
    my %kept = map { $_ => $follower->state->{tickets}{$_}{version} } keys %{ $follower->state->{tickets} };
    is_deeply \%kept, { $a => 5, $b => 3, $d => 2 }, 'rows are replaced, and those that do not exist are removed';

    # --- what was on its way before the log was compared
    $follower->signal('STOP');
    my @log = @Log;
    event($c, 7); event($c, 8);   # 17, 18 of a log that is no more
    publish(18, 17);
    my $bytes = length join '', map { @{ $Log[$_ - 1] } } 17, 18;
    wait_until { unread($pub) >= $bytes } 10, 'both to be with the follower, which does not read';
    @Log = @log;
    $follower->signal('CONT');
    is asked(undef, events(17, 16)), 'REPLAY 16', 'a gap makes it compare';
    publish(event($a, 6));
    has_lines($follower, [@lines, '14 snapshot', map { line_of($_) } 16, 17], 'and what had come until then it does not take');

    # --- SNAPSHOT as the answer to a newcomer
    my $newcomer = TestSvc::Follower->new($language, $pub, $replay);
    $follower->kill9;
    $newcomer->start;
    is asked(17, page(17, '', '', 17, 13, 16)), 'REPLAY 0', 'a newcomer asks from the beginning';
    is asked(17, events(18, 17)), 'REPLAY 17', 'takes the snapshot that it is answered with, and asks what came after it';
    wait_until { $newcomer->lines } 5, 'the newcomer to say so';
    is_deeply $newcomer->state, $follower->state, 'and is where the other is';
    $newcomer->kill9;
    $_->close for $Pub, $Router;
}

# --- a real server -----------------------------------------------------------------------------------------------------

sub head { return db($_[0])->selectrow_array('SELECT position FROM tickets_head') }

sub make {   # $count tickets by four clients
    my ($server, $count) = @_;
    my @made = TestSvc::Clients->start(4, $server, sub {
        my ($client, $number) = @_;
        return scalar grep { $client->send(POST => '/api/tickets', user => 'alice',
            json => { title => "Ticket $number.$_ \x{20ac}", price => "$_.50" })->{code} == 201 } 1 .. $count / 4;
    })->wait;
    my $sum = 0;
    $sum += $_ for @made;
    die "$sum of $count tickets were made\n" unless $sum == $count;
}

sub edit {
    my ($server, $ticket, $price) = @_;
    my $answer = api(PUT => "/api/tickets/$ticket->{id}", vhost => $server, user => 'alice', json => { title => 'Edited', price => $price });
    die $answer->as_string unless $answer->code == 200;
}

sub logged {   # the lines that events $from .. $to are worth
    my ($server, $from, $to) = @_;
    return map { "$_->[0] $_->[1] $_->[2] " . $Json->decode($_->[3])->{data}{version} } @{ db($server)->selectall_arrayref(
        'SELECT position, subject, entity_id, event FROM tickets_log WHERE position BETWEEN ? AND ? ORDER BY position', undef, $from, $to) };
}

sub agrees {   # it is at the head, and has the tickets that the service has
    my ($follower, $server, $name) = @_;
    wait_until { $follower->position == head($server) } 30, "the follower to catch up: $name";
    my $state = $follower->state;
    my %kept = map { $_->{id} => [$_->{title}, int($_->{price} * 100 + 0.5), $_->{userId}, $_->{version}, $_->{orderId}] } values %{ $state->{tickets} };
    my %true = map { utf8::decode($_->[1]); shift @$_ => $_ } @{ db($server)->selectall_arrayref('SELECT id, title, cents, user_id, version, order_id FROM tickets') };
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply \%kept, \%true, $name;
    is $state->{source}, db($server)->selectrow_array('SELECT source FROM tickets_head'), '... of that source';
}

sub said {     # exactly these lines since line $since; a line is printed a moment after its effect
    my ($follower, $since, @expected) = @_;
    my $name = pop @expected;
    wait_until { my @lines = $follower->lines; @lines >= $since + @expected } 30, "lines: $name";
    my @lines = $follower->lines;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply [@lines[$since .. $#lines]], \@expected, $name;
}

sub has_all {  # printed since line $since: exactly the events from $from to the head
    my ($follower, $server, $since, $from, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    said($follower, $since, logged($server, $from, head($server)), $name);
}

sub printed { my @lines = $_[0]->lines; return scalar @lines }

sub follows_a_server {
    my ($language) = @_;
    my $server = TestSvc::Server->new->start;
    my $follower = TestSvc::Follower->new($language, $server->endpoint('tickets_pub'), $server->endpoint('tickets_replay'));

    # --- late, and live
    my ($hamlet, $macbeth) = map { new_ticket(vhost => $server, title => $_, price => 20.5) } 'Hamlet', 'Macbeth';
    edit($server, $hamlet, 22);
    $follower->start;
    has_all($follower, $server, 0, 1, 'who comes late gets all from the beginning');
    my $order = new_order(vhost => $server, ticket => $macbeth);
    wait_until { ticket_of($server, $macbeth)->{orderId} } 10, 'the ticket to be reserved';
    edit($server, $hamlet, 23);
    has_all($follower, $server, 0, 1, 'then each event as it happens');
    agrees($follower, $server, 'and has the tickets as they are, the reserved one with its order');

    # --- away
    my ($since, $from) = (printed($follower), head($server) + 1);
    $follower->signal('STOP');
    make($server, 16);
    $follower->signal('CONT');
    has_all($follower, $server, $since, $from, 'stopped for a while, it misses nothing and repeats nothing');
    ($since, $from) = (printed($follower), head($server) + 1);
    $follower->kill9;
    make($server, 640);
    edit($server, $hamlet, 24);
    $follower->start;
    has_all($follower, $server, $since, $from, 'killed, and away for more than a page of events, neither');
    agrees($follower, $server, 'and has the tickets as they are');

    # --- killed while it is at work: what it keeps is exact, and nothing is printed again
    my $clients = TestSvc::Clients->start(2, $server, sub {
        my ($client) = @_;
        my $made = 0;
        until ($client->is_told_to_stop) {
            $made += $client->send(POST => '/api/tickets', user => 'alice', json => { title => 'In a stream', price => 7 })->{code} == 201;
            $client->pause(0.002);
        }
        return $made;
    });
    my @wrong;
    for my $round (1 .. 4) {
        my $at = $follower->position;
        wait_until { $follower->position > $at + 10 } 20, 'it to take events';
        $follower->kill9;
        my $kept = $follower->position;
        $since = printed($follower);
        push @wrong, "round $round: printed " . ($follower->lines)[-1] . ", kept $kept" if ($follower->lines)[-1] =~ /^(\d+)/ && $1 > $kept;
        $follower->start;
        wait_until { printed($follower) > $since + 10 } 20, 'it to go on';
        my @lines = ($follower->lines)[$since .. $since + 9];
        my @expected = logged($server, $kept + 1, $kept + 10);
        push @wrong, "round $round: kept $kept, then printed\n" . join "\n", @lines if "@lines" ne "@expected";
    }
    is_deeply \@wrong, [], 'killed in a stream, it goes on with the event after the last that took effect';

    is $follower->errors, '', 'no question remained without an answer';

    # --- the server is killed in the stream, and comes back
    my @lines = $follower->lines;
    $since = @lines;
    my ($before) = $lines[-1] =~ /^(\d+)/;
    $server->kill9_parent_and_children;
    $clients->enough;
    my $made = 0;
    $made += $_ for $clients->wait;
    cmp_ok $made, '>', 40, 'tickets were made all the time';
    $server->start;
    make($server, 8);
    has_all($follower, $server, $since, $before + 1, 'the server is killed and started: nothing is missed or repeated');
    agrees($follower, $server, 'and the tickets are as they are there');

    restored($follower, $server, $hamlet);
    cleaned_up($follower, $server, $hamlet);
    log_is_clean(server => $server, except => [qr/exit signal Killed/, qr/SVC032/]);
}

# The database is put back to what it was, and other things happen then.
sub restored {
    my ($follower, $server, $ticket) = @_;
    my $put_back = sub {   # as docs/operations.md says
        $server->stop;
        $server->engine->restore($server->db_file, 'backup');
        $server->start;
    };
    $server->engine->backup($server->db_file, 'backup');
    my $at = head($server);
    make($server, 8);
    edit($server, $ticket, 30);
    agrees($follower, $server, 'things happen after a backup');

    $follower->kill9;
    $put_back->();
    is head($server), $at, 'the backup is put back';
    make($server, 12);
    edit($server, $ticket, 31);
    my $since = printed($follower);
    $follower->start;
    agrees($follower, $server, 'a follower that was away finds a log that has grown past its position: it has what is there now');
    said($follower, $since, head($server) . ' snapshot', '... by a snapshot');

    $put_back->();
    agrees($follower, $server, 'a follower that listens finds a log that ends before its position: the same');

    make($server, 4);
    edit($server, $ticket, 32);
    agrees($follower, $server, 'it follows what happens next');
    $follower->signal('STOP');
    make($server, 12);            # what it hears of these it hears when they have never happened
    $put_back->();
    make($server, 8);
    edit($server, $ticket, 33);
    edit($server, $ticket, 34);
    $follower->signal('CONT');
    agrees($follower, $server, 'the log is replaced and grows past the position while it does not look: the same');
    make($server, 4);
    agrees($follower, $server, 'and again it follows');
}

# The log does not go back to where the follower is.
sub cleaned_up {
    my ($follower, $server, $ticket) = @_;
    my $grow_old = sub {   # all events up to that position
        my ($to) = @_;
        $server->stop;
        my $db = db($server, write => 1);
        $db->do('UPDATE tickets_log SET recorded_at = 0 WHERE position <= ?', undef, $to);
        $db->disconnect;
        $server->start;
        wait_until { db($server)->selectrow_array('SELECT COUNT(*) FROM tickets_log WHERE position <= ?', undef, $to) == 0 } 20, 'old events to go';
    };
    my $at = head($server);
    $follower->kill9;
    make($server, 12);
    edit($server, $ticket, 40);
    $grow_old->($at);
    my $since = printed($follower);
    $follower->start;
    has_all($follower, $server, $since, $at + 1, 'exactly at the last event that was removed, it gets all that follows');

    $at = head($server);
    $follower->kill9;
    make($server, 12);
    edit($server, $ticket, 41);
    $grow_old->($at + 5);
    $since = printed($follower);
    my $newcomer = TestSvc::Follower->new($follower->{language}, @{ $follower->{ends} })->start;
    $follower->start;
    agrees($follower, $server, 'away for longer than the log is kept, it has what is there now');
    said($follower, $since, head($server) . ' snapshot', '... by a snapshot');
    agrees($newcomer, $server, 'so has one that begins only now');
    said($newcomer, 0, head($server) . ' snapshot', '... of several pages');
    cmp_ok keys %{ $newcomer->state->{tickets} }, '>', 600, '(there is more than a page of tickets)';

    $since = printed($follower);
    $grow_old->(head($server));
    edit($server, $ticket, 42);
    has_all($follower, $server, $since, head($server), 'when the whole log is gone it goes on');
    $newcomer->kill9;
    unlink $newcomer->file('state');
    $grow_old->(head($server));
    $newcomer->start;
    agrees($newcomer, $server, 'and a newcomer finds the state');
    $_->kill9 for $newcomer, $follower;
}

sub ticket_of { my ($server, $ticket) = @_; return TestSvc::ticket($ticket->{id}, vhost => $server) }

1;
