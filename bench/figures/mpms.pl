# GET and POST of a ticket on each MPM, and with conf/tuned.conf, which was chosen by this.
package Bench::Mpms;
use strict;
use warnings FATAL => 'all';
use Bench;

my ($Rounds, $Seconds, $Clients) = (3, 1, 64);
my @Ways = (
    ['event, two processes', mpm => 'event'],
    ['event, conf/tuned.conf', mpm => 'event', limits => '', conf => qq{LogLevel notice\nInclude "\@top\@/conf/tuned.conf"\n}],
    ['worker, two processes', mpm => 'worker'],
    ['worker, conf/tuned.conf', mpm => 'worker', limits => '', conf => qq{LogLevel notice\nInclude "\@top\@/conf/tuned.conf"\n}],
    ['prefork', mpm => 'prefork'],
);

my (@reads, @writes);
my %server;
for (@Ways) {
    my ($name, @how) = @$_;
    my $server = $server{$name} = server(@how, modules => ['tickets'], site => site('tickets'));
    start_all($server);
    hit($server, sell(1000));
    my @gets = map { "GET /api/tickets/$_->[0]" } query($server, 'SELECT id FROM tickets');
    open my $file, '>', $server->dir . '/htdocs/ticket.json' or die "htdocs: $!";
    print $file 'x' x 120;
    close $file;
    push @reads, $name => sub { hit($server, \@gets, clients => $Clients, seconds => $Seconds) },
        "$name, static" => sub { hit($server, ['GET /ticket.json'], clients => $Clients, seconds => $Seconds) };
    push @writes, $name => sub { hit($server, sell(1000), clients => $Clients, seconds => $Seconds) };
}
my ($read, $written) = (by_turns($Rounds, @reads), by_turns($Rounds, @writes));
my $first = $Ways[0][0];
for (map { $_->[0] } @Ways) {
    compare($read->{$_}, $read->{"$_, static"}, figure => "GET, $_", reference => 'a static file');
    compare($written->{$_}, $written->{$first}, figure => "POST, $_", reference => $first);
}
my $errors = 0;
for my $server (values %server) {
    $server->stop;
    $errors += log_errors($server);
}
row(figure => 'the error logs of the MPMs', measured => 'read', errors => $errors);
