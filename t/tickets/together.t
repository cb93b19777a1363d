# Many clients of one process read tickets at the same time. On a database server they are read together; each gets the
# one that it asked for, as new as its own last change.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Server;

my ($Clients, $Rounds) = (24, 30);

plan tests => 4;

my $server = TestSvc::Server->new(limits => "StartServers 1\nServerLimit 1\nThreadLimit 32\n"
    . "ThreadsPerChild 32\nMaxRequestWorkers 32\nMinSpareThreads 1\nMaxSpareThreads 32\n");
$server->start->wait_database;
my @tickets = map { new_ticket(vhost => $server, title => "Seat $_") } 1 .. $Clients + 10;

my @wrong = map { @$_ } TestSvc::Clients->start($Clients, $server, sub {
    my ($client, $number) = @_;
    my ($mine, @wrong) = $tickets[$number];
    for my $round (1 .. $Rounds) {
        my $put = $client->send(PUT => "/api/tickets/$mine->{id}", user => 'alice', json => { title => $mine->{title}, price => $round });
        my $got = $client->send(GET => "/api/tickets/$mine->{id}");
        push @wrong, "own: $put->{code}, $got->{text}" unless $got->{code} == 200 && $got->{json}{price} == $round && $got->{json}{version} == $round;
        my $other = $tickets[($number * 7 + $round * 3) % @tickets];
        my $same = $client->send(GET => '/api/tickets/' . uc $other->{id});
        push @wrong, "another: $same->{text}" unless $same->{code} == 200 && $same->{json}{title} eq $other->{title};
        my $all = $client->send(GET => "/api/tickets/$tickets[-1]{id}");   # wanted by many at once
        push @wrong, "the last: $all->{text}" unless $all->{code} == 200 && $all->{json}{id} eq $tickets[-1]{id};
        for my $none ('00000000-0000-7000-8000-' . sprintf('%012d', $number * 100 + $round), 'none') {
            my $missing = $client->send(GET => "/api/tickets/$none");
            push @wrong, "none: $missing->{text}" unless $missing->{code} == 404;
        }
    }
    return \@wrong;
})->wait;
is_deeply \@wrong, [], "$Clients clients get what they ask for, and 404 for what is not there";

is scalar($server->children), 1, 'one process answered them all';
is api(GET => "/api/tickets/$tickets[0]{id}", vhost => $server)->code, 200, 'and goes on';
$server->stop;
log_is_clean(server => $server);
