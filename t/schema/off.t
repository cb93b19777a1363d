# TicketsSchema Off, OrdersSchema Off: httpd never makes or changes a table. Where they are missing or old, it starts and
# answers 503, says in one line of each process what to do, and goes on by itself when that is done.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Schema;
use TestSvc::Server;

my $Off = "TicketsSchema off\nOrdersSchema OFF\n";

sub said { my ($server, $tag, $module) = @_; return grep { /$tag: $module: / } split /\n/, $server->error_log }

# --- an empty database
{
    my $server = TestSvc::Server->new(conf => $Off)->start;
    unavailable_ok($server, 'no tables');
    is structure($server), "", "nothing was made";
    for my $service (qw(tickets orders)) {
        my @lines = said($server, 'SVC072', "mod_$service");
        like $lines[0], qr/SVC072: mod_$service: the database has no tables of $service, this module needs schema \d+: upgrade it with svc-schema/,
            "mod_$service says what to do";
        cmp_ok scalar(@lines), '<=', 4, '... once in each process';
    }
    for my $service (qw(tickets orders)) {
        my ($code, $output) = schema_run($server, schema_files($server, $service, 0));
        is $code, 0, "the tables of $service are made by hand" or diag $output;
    }
    works_ok($server, 'the tables are there');
    my $made = structure($server);
    is_deeply [map { scalar said($server, $_, 'mod_tickets') > 4 ? 'often' : 'seldom' } qw(SVC072 SVC010)], ['seldom', 'seldom'], 'no more was said';
    $server->stop;
    $server->start;
    works_ok($server, 'a start later');
    is structure($server), $made, 'the tables are as they were made';
    $server->stop;
    log_is_clean(server => $server, except => [qr/SVC072|SVC060|DBD|AH006\d\d/], name => 'no other line in its log');
}

# --- tables of an earlier version, with something in them; the other service is up to date
{
    my $server = TestSvc::Server->new(conf => $Off);
    is((schema_tool($server, '--to', 1, 'tickets', 'migrate'))[0], 0, 'tickets has the tables of version 1');
    is((schema_tool($server, 'orders', 'migrate'))[0], 0, 'orders those of today');
    my $before = structure($server);
    my (undef, $last) = schema_version($server, 'tickets');
    $server->start;
    problem_ok api(GET => '/api/tickets', vhost => $server), 503, undef, 'tickets is a 503';
    is api(GET => '/api/orders', vhost => $server, user => 'bob')->code, 200, 'orders works';
    like((said($server, 'SVC072', 'mod_tickets'))[0], qr/the database has schema 1 of tickets, this module needs schema $last: upgrade it/,
         'the log says what to do');
    is structure($server), $before, 'nothing was changed';
    my ($code, $output) = schema_tool($server, 'tickets', 'migrate');
    is "$code $output", "0 tickets: schema $last, was 1\n", 'somebody does it';
    works_ok($server, 'upgraded');
    $server->stop;
    log_is_clean(server => $server, except => [qr/SVC072|SVC060|DBD|AH006\d\d/], name => 'no other line in its log');
}

# --- Auto is the default, and one of the two modules may be Off
{
    my $server = TestSvc::Server->new(conf => "TicketsSchema Off\nOrdersSchema AUTO\n")->start;
    wait_until { api(GET => '/api/orders', vhost => $server, user => 'bob')->code == 200 } 10, 'orders makes its tables';
    problem_ok api(GET => '/api/tickets', vhost => $server), 503, undef, 'tickets does not';
    unlike structure($server), qr/\btickets_log\b/, 'there are none of it';
    $server->stop;
}

log_is_clean;
done_testing;
