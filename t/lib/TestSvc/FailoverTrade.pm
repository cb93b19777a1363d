package TestSvc::FailoverTrade;
# A trading load while something happens to the database, and what must be true of its answers afterwards: sellers, sellers
# who repeat with an Idempotency-Key until they know, buyers, readers.
use strict;
use warnings FATAL => 'all';
use Test::More ();
use TestSvc qw(db wait_until api order);
use TestSvc::Clients;
use TestSvc::Truth;

my @Kinds = qw(sell repeat buy read);

sub start {
    my ($class, $server, $name) = @_;
    my $clients = TestSvc::Clients->start(2 * @Kinds, $server, sub {
        my ($client, $number) = @_;
        my %got = (made => [], refused => [], unknown => [], ordered => [], odd => [], longest => 0, failed => 0, last => 0);
        my $do = TestSvc::FailoverTrade->can($Kinds[$number % @Kinds]);
        for (my $count = 1; !$client->is_told_to_stop; $count++) {
            $do->($client, \%got, "$name $number.$count");
        }
        return \%got;
    });
    return bless { server => $server, name => $name, clients => $clients }, $class;
}

sub written { my ($server) = @_; return db($server)->selectrow_array('SELECT (SELECT position FROM tickets_head) + (SELECT position FROM orders_head)') }

sub busy {   # returns when they have done something more
    my ($self) = @_;
    my $from = wait_until { eval { written($self->{server}) } } 20, 'the database';
    wait_until { (eval { written($self->{server}) } || 0) >= $from + 60 } 30, 'the trade to go on';
    return $self;
}

# One request: how long it took, and what came that must not.
sub ask {
    my ($client, $got, @request) = @_;
    my $begin = $client->now;
    my $answer = $client->send(@request);
    my $end = $client->now;
    $got->{longest} = $end - $begin if $end - $begin > $got->{longest};
    $got->{last} = $end if $answer->{code} == 503;
    $got->{failed}++ if $answer->{code} == 503;
    push @{ $got->{odd} }, "@request[0, 1]: $answer->{code} " . substr $answer->{text}, 0, 100
        unless grep { $_ == $answer->{code} } 200, 201, 503, $request[1] eq '/api/orders' ? 404 : ();
    $client->pause(0.02) if $answer->{code} == 503;
    return $answer;
}

sub sell {
    my ($client, $got, $title) = @_;
    my $answer = ask($client, $got, POST => '/api/tickets', user => 'alice', json => { title => $title, price => 7 });
    push @{ $got->{ $answer->{code} == 201                    ? 'made'
                  : $answer->{text} =~ /made is unknown/      ? 'unknown'
                  :                                             'refused' } }, $title;
}

sub repeat {   # until it is known; a client that is told to stop still wants to know
    my ($client, $got, $title) = @_;
    my $deadline = $client->now + 60;
    while ($client->now < $deadline) {
        my $answer = ask($client, $got, POST => '/api/tickets', user => 'alice', headers => { 'Idempotency-Key' => qq("$title") },
                         json => { title => $title, price => 7 });
        next unless $answer->{code} == 201;
        push @{ $got->{made} }, $title;
        return;
    }
    push @{ $got->{odd} }, "$title: repeated for a minute in vain";
}

sub buy {   # a ticket that was made for it; a 404 says that orders has not heard of it yet
    my ($client, $got, $title) = @_;
    my $answer = ask($client, $got, POST => '/api/tickets', user => 'alice', json => { title => $title, price => 9 });
    my $ticket = $answer->{code} == 201 ? $answer->{json}{id} : return;
    push @{ $got->{made} }, $title;
    until ($client->is_told_to_stop) {
        $answer = ask($client, $got, POST => '/api/orders', user => 'bob', json => { ticketId => $ticket });
        push @{ $got->{ordered} }, $answer->{json}{id} if $answer->{code} == 201;
        return if $answer->{code} != 404;
        $client->pause(0.02);
    }
}

sub read {
    my ($client, $got) = @_;
    ask($client, $got, GET => '/api/tickets?limit=1');
    ask($client, $got, GET => '/api/orders?limit=1', user => 'bob');
}

# Ends it, and waits until all works again; then says what is not as it must be. All that was acknowledged is there but for
# what C<lost> permits.
sub end {
    my ($self, %bound) = @_;
    my ($server, $name) = @$self{qw(server name)};
    my %all = (longest => 0, last => 0, failed => 0);
    for my $got ($self->{clients}->enough->wait) {
        push @{ $all{$_} }, @{ $got->{$_} } for qw(made refused unknown ordered odd);
        for (qw(longest last)) { $all{$_} = $got->{$_} if $got->{$_} > $all{$_} }
        $all{failed} += $got->{failed};
    }
    works($server, $name);
    my %there;
    $there{ $_->[0] }++ for @{ db($server)->selectall_arrayref('SELECT title FROM tickets') };
    my %orders = map { $_->[0] => $_->[1] } @{ db($server)->selectall_arrayref('SELECT id, cancel_reason FROM orders') };
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::note(sprintf '%s: %d made, %d refused, %d unknown, %d ordered, %d times 503, %.1f s the longest', $name,
                     map({ scalar @{ $all{$_} } } qw(made refused unknown ordered)), @all{qw(failed longest)});
    Test::More::cmp_ok(scalar @{ $all{$_} }, '>', 0, "$name: there is a load ($_)") for qw(made ordered);
    $all{lost} = [grep { !$there{$_} } @{ $all{made} }];
    Test::More::is_deeply($all{lost}, [], "$name: every ticket that was answered 201 is there") unless $bound{lost};
    Test::More::is_deeply([grep { ($there{$_} || 0) > 1 } @{ $all{made} }, @{ $all{unknown} }], [], "$name: none is there twice");
    Test::More::is_deeply([grep { $there{$_} } @{ $all{refused} }], [], "$name: none that was answered 503 is there, but for unknown outcomes");
    Test::More::is_deeply([grep { !exists $orders{$_} } @{ $all{ordered} }], [], "$name: every order that was answered 201 is there") unless $bound{lost};
    Test::More::is_deeply([splice @{ $all{odd} }, 0, 5], [], "$name: no answer but 2xx and 503");
    Test::More::cmp_ok($all{longest}, '<', $bound{longest}, "$name: no request waits for $bound{longest} s");
    return \%all;
}

sub works {   # soon
    my ($server, $name) = @_;
    wait_until { api(GET => '/api/tickets', vhost => $server)->code == 200 } 15, 'reads';
    my $ticket = wait_until { my $answer = api(POST => '/api/tickets', vhost => $server, user => 'alice',
                                               json => { title => $name, price => 3 });
                              $answer->code == 201 && $answer->json } 15, 'writes';
    my $order = wait_until { my $answer = api(POST => '/api/orders', vhost => $server, user => 'bob', json => { ticketId => $ticket->{id} });
                             $answer->code == 201 && $answer->json } 15, 'orders';
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    Test::More::ok((eval { wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 15, 'the dance' } || Test::More::diag($@)),
                   "$name: all works afterwards, by itself");
    wait_quiet($server);
    truth_ok($server, "$name: each event has taken effect once, and all that must hold does");
}

1;

__END__

=head1 NAME

TestSvc::FailoverTrade - a trading load while something happens to the database

=head1 SYNOPSIS

    my $trade = TestSvc::FailoverTrade->start($server, 'the primary is killed')->busy;
    $pair->crash;
    $pair->promote;
    my $all = $trade->busy->end(longest => 10);

=head1 METHODS

=over

=item start($server, $name)

Eight clients. The tickets that they make have titles that begin with C<$name>.

=item busy

Waits until they have changed something, 60 times.

=item end(longest => $seconds, lost => 1)

Ends them, waits until all works again, and asserts: that everything that was answered 201 is there, once (with C<lost>:
not this); that what was answered 503 is not there, but for what the answer calls unknown; that nothing else was
answered; that no request took C<longest> seconds; and the invariants (L<TestSvc::Truth>). Returns all that was seen:
C<made>, C<lost>, C<refused>, C<unknown> (titles), C<ordered> (ids), C<failed> (how often 503), C<last> (when last), C<longest>.

=item works($server, $name)

A function: asserts that a ticket can be sold and bought, and the invariants.

=back

=cut
