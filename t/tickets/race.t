# Many clients change one ticket at once: of those that name the same version in If-Match exactly one succeeds, and
# without a condition all do, each as a version of its own.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Clients;

my $Clients = 8;
my @tickets = map { new_ticket(title => "Race $_") } 1 .. 20;

my @codes = TestSvc::Clients->start($Clients, 'shop', sub {
    my ($client, $number) = @_;
    return [ map {
        my $answer = $client->send(PUT => "/api/tickets/$_->{id}", user => 'alice', headers => { 'If-Match' => '"0"' },
                                   json => { title => "By $number", price => 1 + $number });
        [ $answer->{code}, $answer->{json}{title} ];
    } @tickets ];
}, keep_alive => 0)->wait;
for my $n (0 .. $#tickets) {
    my @answers = map { $_->[$n] } @codes;
    my @won = grep { $_->[0] == 200 } @answers;
    my $ticket = ticket($tickets[$n]{id});
    is_deeply [ sort map { $_->[0] } @answers ], [ 200, (412) x ($Clients - 1) ],
        "ticket $n: one change succeeds, the others are a 412";
    is_deeply [ @$ticket{qw(version title)} ], [ 1, $won[0][1] ], 'and it is the one that is kept';
}

my $busy = new_ticket;
my @versions = map { @$_ } TestSvc::Clients->start($Clients, 'shop', sub {
    my ($client, $number) = @_;
    return [ map {
        my $answer = $client->send(PUT => "/api/tickets/$busy->{id}", user => 'alice',
            json => { title => "$number $_", price => 1 });
        $answer->{code} == 200 ? $answer->{json}{version} : $answer->{text};
    } 1 .. 25 ];
}, keep_alive => 0)->wait;
is_deeply [ sort { $a <=> $b } @versions ], [ 1 .. 25 * $Clients ],
    'without a condition each change is a version of its own';
is ticket($busy->{id})->{version}, 25 * $Clients, 'and the ticket is at the last of them';
my $told = db('shop')->selectcol_arrayref('SELECT event FROM tickets_log WHERE entity_id = ? ORDER BY position', undef,
                                          $busy->{id});
is_deeply [ map { JSON::PP->new->utf8->decode($_)->{data}{version} } @$told ], [ 0 .. 25 * $Clients ], 'told once each, in order';

# A client that reads, changes and tries again loses no change: ten from each add up.
my $sum = new_ticket(price => 1);
TestSvc::Clients->start(4, 'shop', sub {
    my ($client) = @_;
    for (1 .. 10) {
        for (;;) {
            my $now = $client->send(GET => "/api/tickets/$sum->{id}");
            my $answer = $client->send(PUT => "/api/tickets/$sum->{id}", user => 'alice',
                headers => { 'If-Match' => $now->{headers}{etag} },
                                       json => { title => 'Sum', price => $now->{json}{price} + 1 });
            last if $answer->{code} == 200;
            die $answer->{text} unless $answer->{code} == 412;
        }
    }
    return 1;
}, keep_alive => 0)->wait;
is ticket($sum->{id})->{price}, 41, 'changes under If-Match add up';

log_is_clean;
done_testing;
