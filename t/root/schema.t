# As root, on a database that belongs to User: svc-schema makes no file that User could not write, and httpd's look at the
# version before its start leaves none either.
# Of SQLite only: it is about its files.
use strict;
use warnings FATAL => 'all';
use Test::More;
use TestSvc;
use TestSvc::Schema;
use TestSvc::Server;

die "this one needs root\n" unless $> == 0;
my $user = $ENV{TEST_USER} || 'www-data';
my ($uid) = (getpwnam $user)[2];
die "there is no user $user\n" unless defined $uid;

my $server = TestSvc::Server->new(user => $user);
my $data = $server->dir . '/data';
sub of_root { return [grep { (stat $_)[4] != $uid } glob "$data/*"] }
sub works { my ($name) = @_; ok((eval { new_order(vhost => $server, ticket => new_ticket(vhost => $server)) } || diag $@), $name) }

my ($code, $output) = schema_tool($server, 'tickets', 'migrate');
is $code, 1, 'svc-schema makes no tables as root in a folder of another user';
like $output, qr/^svc-schema: \Q$data\E\S* belongs to another user.*runuser/, '... and says what to do';
is_deeply [glob "$data/*"], [], '... and no file';

for my $service (qw(tickets orders)) {
    my @command = ('runuser', '-u', $user, '--', "$ENV{TEST_BUILD}/svc-schema", '--driver', 'sqlite3', '--params', $server->db_file, $service, 'migrate');
    is system("@command >/dev/null"), 0, "as that user it makes the tables of $service";
}
$server->write_conf(conf => "TicketsSchema Off\nOrdersSchema Off\n");
$server->start;
works('httpd started by root works on them');
is_deeply of_root(), [], 'no file is root\'s';
is((schema_tool($server, 'tickets', 'status'))[0], 0, 'root may look while it runs');
$server->kill9_parent_and_children;
is((schema_tool($server, 'tickets', 'status'))[0], 0, 'and after a crash');
is_deeply of_root(), [], 'no file is root\'s';
$server->start;
works('it works after that');
$server->stop;

my ($version) = schema_version($server, 'tickets');
db($server, write => 1)->do('UPDATE tickets_schema SET version = 99');
ok !eval { $server->start; 1 }, 'a newer database is refused';
like $server->stdout, qr/SVC073: mod_tickets: .*use a newer module/, '... with a sentence';
is_deeply of_root(), [], 'no file is root\'s';
db($server, write => 1)->do('UPDATE tickets_schema SET version = ' . $version);
$server->start;
works('with its own version it works');
$server->stop;
log_is_clean(server => $server, except => [qr/exit signal Killed|AH00052/], name => 'its error log has no unexpected line');

done_testing;
