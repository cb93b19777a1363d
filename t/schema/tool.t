# svc-schema: what it says, with which exit code, and what it leaves alone.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use File::Temp ();
use TestSvc;
use TestSvc::Schema;
use TestSvc::Server;

my $server = TestSvc::Server->new;
my $driver = $server->engine->engine;
my $tmp = File::Temp->newdir('schema.XXXXXX', TMPDIR => 1);
sub tool { return schema_tool(undef, @_) }
sub save { my ($name, $text) = @_; open my $out, '>', "$tmp/$name" or die $!; print $out $text; close $out or die $!; return "$tmp/$name" }

# --- how it is called
my ($code, $output) = tool('--help');
is $code, 0, '--help is fine';
like $output, qr/^usage: svc-schema /, '... and says how it is called';
($code, $output) = tool('--version');
like "$code $output", qr/^0 svc-schema \d+\.\d+\.\d+\n\z/, '--version says its version';
for (['nothing'], ['no command', '--driver', $driver, 'tickets'], ['no driver', 'tickets', 'status'], ['an odd driver', '--driver', 'oracle', 'tickets', 'status'],
     ['an odd service', '--driver', $driver, 'seats', 'status'], ['an odd command', '--driver', $driver, 'tickets', 'drop'],
     ['a word more', '--driver', $driver, 'tickets', 'status', 'now'], ['an odd option', '--driver', $driver, '--force', 'tickets', 'status'],
     ['a version that never was', '--driver', $driver, '--from', 0, '--to', 999, 'tickets', 'print'],
     ['no number', '--driver', $driver, '--from', 'x', 'tickets', 'print'], ['a begin where it is looked up', '--driver', $driver, '--from', 1, 'tickets', 'migrate']) {
    my ($name, @args) = @$_;
    ($code, $output) = tool(@args);
    is $code, 2, "$name is exit code 2";
    like $output, qr/^usage: /m, '... and it says how it is called';
}
($code, $output) = tool('--driver', $driver, 'tickets', 'status');
is "$code $output", "1 svc-schema: DBDriver $driver needs DBDParams: where the data is\n", 'no --params: a sentence';

# --- an empty database, an old one, one of today
for my $service (qw(tickets orders)) {
    ($code, $output) = schema_tool($server, $service, 'status');
    is $code, 3, "an empty database of $service is exit code 3";
    my ($last) = $output =~ /^$service: schema 0 in the database, (\d+) in this program: to be upgraded by\n/ or diag $output;
    like $output, qr/^CREATE TABLE ${service}_log\n/m, '... and it says what is missing';
    ($code, my $script) = schema_tool($server, $service, 'print');
    is $code, 0, 'its SQL can be had';
    is $script, (tool('--driver', $driver, '--from', 0, $service, 'print'))[1], '... as --from 0 says it';
    unlike $script, qr/^(?!--|$|[A-Z ]|\)).*$/m, '... pure SQL';
    ($code, $output) = schema_tool($server, '--to', 1, $service, 'migrate');
    is "$code $output", "0 $service: schema 1, was 0\n", 'it makes the tables of an earlier version';
    ($code, $output) = schema_tool($server, $service, 'status');
    is $code, 3, 'these are exit code 3';
    like $output, qr/^$service: schema 1 in the database/, '... with their version';
    unlike $output, qr/^CREATE TABLE ${service}_log\n/m, '... and without what is there';

    # What is for another version changes nothing.
    my $before = structure($server);
    for my $from (grep { $_ != 1 } 0 .. $last - 1) {
        my $file = save('wrong.sql', (tool('--driver', $driver, '--from', $from, $service, 'print'))[1]);
        isnt((schema_run($server, $file))[0], 0, "the SQL that begins at version $from is refused by the database");
        is structure($server), $before, '... and changes nothing';
        is((schema_version($server, $service))[0], 1, '... nor the version');
    }
    ($code, $output) = schema_run($server, save('right.sql', (schema_tool($server, $service, 'print'))[1]));
    is $code, 0, 'what it prints runs' or diag $output;
    ($code, $output) = schema_tool($server, $service, 'status');
    is "$code $output", "0 $service: schema $last in the database, $last in this program: up to date\n", 'and brings it up to date';
    is_deeply [schema_tool($server, $service, 'print')], [0, ''], 'then there is nothing to print';
    ($code, $output) = schema_tool($server, $service, 'migrate');
    is "$code $output", "0 $service: schema $last, there was nothing to do\n", 'nor to do';
}

# --- parameters from a file; a database that is not there
my $params = $server->engine->params($server->db_file);
($code, $output) = tool('--driver', $driver, '--params', '@' . save('params', "$params\n"), 'tickets', 'status');
is $code, 0, 'the parameters may be in a file' or diag $output;
($code, $output) = tool('--driver', $driver, '--params', "\@$tmp/none", 'tickets', 'status');
is "$code $output", "1 svc-schema: the file of --params cannot be read\n", '... which has to be there';
($code, $output) = tool('--driver', $driver, '--params', '@' . save('long', 'x' x 4096), 'tickets', 'status');
is "$code $output", "1 svc-schema: the first line of the file of --params is longer than 4095 bytes\n", '... and its line to be read as a whole';
(my $away = $params) =~ s{/(?=[^/ ]+(?: |\z))}{/away/};
$away =~ s/host=/host=\/away/;
for my $command (qw(status print migrate)) {
    next if $driver eq 'sqlite3' && $command ne 'migrate';   # a file that is not there is an empty database
    ($code, $output) = tool('--driver', $driver, '--params', $away, 'tickets', $command);
    is $code, 1, "$command without a database is exit code 1";
    like $output, qr/^svc-schema: cannot open the (?:database|lock file \S+): .+[^\n]\n\z/s, '... and it says why';
}
if ($driver eq 'sqlite3') {
    my $file = "$tmp/new.db";
    is_deeply [map { (tool('--driver', $driver, '--params', $file, 'tickets', $_))[0] } 'status', 'print'], [3, 0], 'a file that is not there is an empty database';
    is_deeply [glob "$tmp/new*"], [], '... and is not made';
    ($code, $output) = tool('--driver', $driver, '--params', 'new.db', 'tickets', 'status');
    like $output, qr/must be the absolute path/, 'a relative path is refused, as by httpd';
}

log_is_clean;
done_testing;
