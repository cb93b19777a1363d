# What the error log says while something fails: one line when it begins, one when it is over with how long that was; a few
# lines in a second of requests that fail, however many there are; and what clients do wrong at another level than what is
# wrong here.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use File::Temp ();
use IO::Socket::INET ();
use TestSvc;
use TestSvc::Clients;
use TestSvc::Database;
use TestSvc::Server;

sub lines { my ($server, $pattern) = @_; return grep { /$pattern/ } split /\n/, $server->error_log }

# --- what clients do wrong
{
    my $server = TestSvc::Server->new->start;
    my $uuid = '01234567-89ab-7cde-8f01-23456789abcd';
    my %code = map { $_->[0] => api(@{ $_->[1] }, vhost => $server)->code } (
        ['no user'          => [POST => '/api/tickets', json => { title => 'T', price => 1 }]],
        ['a bad field'      => [POST => '/api/tickets', user => 'alice', json => { title => '', price => 1 }]],
        ['no JSON'          => [POST => '/api/tickets', user => 'alice', content => '{', type => 'application/json']],
        ['not there'        => [GET => "/api/tickets/$uuid"]],
        ['a wrong method'   => [PATCH => '/api/tickets', user => 'alice']],
        ['an unknown order' => [DELETE => "/api/orders/$uuid", user => 'bob']],
        ['an unknown ticket' => [POST => '/api/orders', user => 'bob', json => { ticketId => $uuid }]]);
    is_deeply [grep { $code{$_} < 400 || $code{$_} >= 500 } sort keys %code], [], 'clients make mistakes' or diag explain \%code;
    my @own = lines($server, qr/\bSVC061: /);
    cmp_ok scalar(@own), '>=', 5, '... which are logged';
    is_deeply [grep { !/\[(?:tickets|orders):info\]/ } @own], [], '... at info';
    is_deeply [lines($server, qr/\[(?:tickets|orders):(?:warn|error|crit)\]/)], [], '... and nothing of ours above that';
    $server->stop;
}

# --- a database that is away for a while
{
    my $own = TestSvc::Database->shared;
    my $place = File::Temp->newdir;
    my ($server, $gone, $back);
    if ($own->is_file) {
        $server = TestSvc::Server->new;
        my $data = $server->dir . '/data';
        ($gone, $back) = (sub { rename $data, "$data.away" or die $! }, sub { rename "$data.away", $data or die $! });
    } else {
        $own = TestSvc::Database->new($own->engine, "$place/engine")->start;
        $server = TestSvc::Server->new(engine => $own);
        ($gone, $back) = (sub { $own->crash }, sub { $own->start });
    }
    $gone->();
    $server->start;
    my @clients = TestSvc::Clients->start(6, $server, sub {
        my ($client) = @_;
        my @codes;
        push @codes, $client->send(GET => '/api/tickets')->{code} until $client->is_told_to_stop || @codes == 100;
        return \@codes;
    }, keep_alive => 0);
    my @codes = map { @$_ } map { $_->wait } @clients;
    is_deeply [grep { $_ != 503 } @codes], [], 'every request is a 503 while the database is away';
    my @failures = lines($server, qr/\bSVC060: /);
    my %second;
    for (@failures) { $second{"$1 of $2"}++ if /^\[\w+ \w+ \d+ ([\d:]+)\.\d+ \d+\] .*\[pid (\d+)/ }
    cmp_ok scalar(@failures), '<', scalar @codes, scalar(@codes) . ' of them have not as many lines';
    # The seconds that are counted begin in the middle of those of the log.
    is_deeply [grep { $second{$_} > 10 } sort keys %second], [], '... but at most five in a second of each process' or diag explain \%second;
    wait_until { api(GET => '/api/tickets', vhost => $server); lines($server, qr/SVC060: .* \(and \d+ more before\)/) } 10, 'the number';
    pass '... and later ones say how many there were';
    for my $module (qw(mod_tickets mod_orders)) {
        my %of;
        $of{$_}++ for map { /\[pid (\d+)/ } lines($server, qr/SVC010: $module: /);
        cmp_ok scalar(keys %of), '>=', 1, "$module says that there is no database";
        is_deeply [grep { $_ != 1 } values %of], [], '... once in each process';
    }
    $back->();
    wait_until { api(GET => '/api/tickets', vhost => $server)->code == 200 } 20, 'the database';
    for my $module (qw(mod_tickets mod_orders)) {
        wait_until { lines($server, qr/:notice\] .*SVC003: $module: database ready \(\w+\), after \d+\.\d s and \d+ failures?$/) } 10, 'the end';
        my ($times) = map { /and (\d+) failure/ } lines($server, qr/SVC003: $module: .*, after /);
        cmp_ok $times, '>=', 1, "$module says when that is over, and how often it was tried";
    }
    $server->stop;
    log_is_clean(server => $server, except => [qr/SVC010: /, qr/SVC04\d/, qr/SVC060: /, qr/DBD|AH006\d\d/]);
    $own->stop if !$own->is_file;
}

# --- a port that somebody else has
{
    my $server = TestSvc::Server->new;
    my $other = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $server->port('tickets_pub'), Listen => 1) or die "socket: $!";
    $server->start;
    wait_until { lines($server, qr/SVC020: mod_tickets: /) } 10, 'the line';
    close $other;
    wait_until { lines($server, qr/SVC021: mod_tickets: endpoints bound, after \d+\.\d s and \d+ failures?$/) } 20, 'the end';
    is scalar(lines($server, qr/SVC020: mod_tickets: /)), 1, 'a port that somebody else has is said once';
    is scalar(lines($server, qr/SVC021: mod_tickets: /)), 1, '... and once that it is free';
    $server->stop;
    log_is_clean(server => $server, except => [qr/SVC020: /]);
}

log_is_clean;
done_testing;
