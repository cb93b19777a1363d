# Three servers, or three svc-schema, that begin at once on an empty database: its tables are made once, by one of them,
# and all work. The same on tables of an earlier version.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use POSIX ();
use TestSvc;
use TestSvc::Schema;
use TestSvc::Server;
use TestSvc::Truth;

my $wanted = do {
    my $server = TestSvc::Server->new;
    schema_tool($server, $_, 'migrate') for qw(tickets orders);
    structure($server);
};

sub at_once {   # what each of three processes returns
    my (@work) = @_;
    my @pipes = map { my $work = $_;
        my $pid = open my $pipe, '-|';
        die "fork: $!" unless defined $pid;
        if (!$pid) { print $work->(); close STDOUT; POSIX::_exit(0) }
        $pipe } @work;
    return map { my $pipe = $_; local $/; my $text = <$pipe>; close $pipe; $text } @pipes;
}

for my $from (0, 1) {
    my $name = $from ? "version $from" : 'an empty database';
    my $server = TestSvc::Server->new;
    if ($from) { schema_tool($server, '--to', $from, $_, 'migrate') for qw(tickets orders) }
    my @said = at_once(map { my $service = $_; map { sub { my ($code, $output) = schema_tool($server, $service, 'migrate'); "$code $output" } } 1 .. 3 } qw(tickets orders));
    is_deeply [grep { !/^0 / } @said], [], "six svc-schema at once on $name: none fails";
    is structure($server), $wanted, '... and the tables are right';
}

for my $from (0, 1) {
    my $name = $from ? "version $from" : 'an empty database';
    my $first = TestSvc::Server->new;
    my @servers = ($first, map { TestSvc::Server->new(data => $first) } 1, 2);
    for my $server (@servers) {
        my $follows = sub { my ($service, $other) = @_; map { "${service}Subscribe " . $_->endpoint("${other}_pub") . ' ' . $_->endpoint("${other}_replay") . "\n" } @servers };
        $server->write_conf(site => join '', "DBDriver sqlite3\nDBDParams \"" . $first->db_file . "\"\nDBDMax 64\n",
            map({ my $service = $_; map { "\u$service$_ " . $server->endpoint($service . ($_ eq 'Publish' ? '_pub' : '_replay')) . "\n" } qw(Publish Replay) } qw(tickets orders)),
            $follows->('Tickets', 'orders'), $follows->('Orders', 'tickets'));
    }
    if ($from) { schema_tool($first, '--to', $from, $_, 'migrate') for qw(tickets orders) }
    $_->launch for @servers;
    $_->await->wait_database for @servers;
    pass "three httpds at once on $name: all have a database";
    is structure($first), $wanted, '... and the tables are right';
    my @sources = map { @{ db($first)->selectcol_arrayref("SELECT source FROM ${_}_head") } } qw(tickets orders);
    is scalar(@sources), 2, '... each log has one identity';
    for my $server (@servers) {
        my $order = new_order(vhost => $server, ticket => new_ticket(vhost => $server));
        ok((eval { wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 10, 'the dance' } || diag $@), '... each of them works');
    }
    wait_quiet($first);
    truth_ok($first, '... and all is right');
    $_->stop for @servers;
    log_is_clean(server => $_, name => '... and its error log has no unexpected line') for @servers;
}

log_is_clean;
done_testing;
