package TestSvc::Schema;
# The tables of a suite's own httpd before it starts: made by svc-schema or by the files of conf/schema with the client
# of the engine, filled with rows, compared.
use strict;
use warnings FATAL => 'all';
use Carp 'croak';
use Cwd 'abs_path';
use Exporter 'import';
use Test::Builder ();
use TestSvc qw(api db new_order new_ticket order problem_ok wait_until);
use TestSvc::Database ();
use TestSvc::Truth qw(truth_ok wait_quiet);

our @EXPORT = qw(schema_tool schema_version schema_run schema_files structure rows_of put_rows wait_ready works_ok unavailable_ok);

my $Test = Test::Builder->new;
(my $Top = abs_path(__FILE__)) =~ s{/t/lib/TestSvc/Schema\.pm$}{};
my $Tool = ($ENV{TEST_BUILD} || "$Top/build") . '/svc-schema';

sub output_of {   # exit code and what was printed; stdout alone where that is asked for
    my ($stderr, @command) = @_;
    my $pid = open my $pipe, '-|';
    croak "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT if $stderr;
        { no warnings; exec @command }
        exit 127;
    }
    my $output = do { local $/; <$pipe> };
    close $pipe;
    return ($? >> 8, defined $output ? $output : '');
}

# With a server: on its database. Exit code and what it says.
sub schema_tool {
    my ($server, @args) = @_;
    return output_of(1, $Tool, @args) unless $server;
    return output_of(1, $Tool, '--driver', $server->engine->engine, '--params', $server->engine->params($server->db_file), @args);
}

sub schema_version {   # of the database, and of the program
    my ($server, $service) = @_;
    my ($code, $output) = schema_tool($server, $service, 'status');
    return $output =~ /^$service: schema (\d+) in the database, (\d+) in this program/ ? ($1, $2) : croak "status says $code $output";
}

# Has the engine's own client run a file of SQL. Exit code and what it says.
sub schema_run {
    my ($server, $file) = @_;
    my $engine = $server->engine;
    my $params = $engine->params($server->db_file);
    if ($engine->engine eq 'sqlite3') { return output_of(1, 'sh', '-c', 'exec sqlite3 -bail "$1" <"$2"', 'sh', $params, $file) }
    if ($engine->engine eq 'pgsql')   { return output_of(1, TestSvc::Database::program('psql'), '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, $params) }
    my ($socket, $name) = $params =~ /sock=(\S+).* dbname=(\S+)/ or croak "odd: $params";
    return output_of(1, 'sh', '-c', 'exec "$1" --no-defaults --socket="$2" --user=root "$3" <"$4"', 'sh',
                     TestSvc::Database::program('mariadb'), $socket, $name, $file);
}

# The files of conf/schema that bring SERVICE from version FROM to TO.
sub schema_files {
    my ($server, $service, $from, $to) = @_;
    my $folder = "$Top/conf/schema/" . $server->engine->engine;
    return "$folder/$service.sql" if $from == 0;
    return map { "$folder/$service-$_-to-" . ($_ + 1) . '.sql' } $from .. $to - 1;
}

# Until each writer of each process has what it waited for.
sub wait_ready {
    my ($server, $seconds) = @_;
    wait_until {
        my %alive = map { $_ => 1 } $server->children;
        my ($log, %last) = $server->error_log;
        $last{"$1 $3"} = $2 while $log =~ /\[pid (\d+)[^]]*\] (SVC003|SVC010|SVC072): (mod_\w+): /g;
        keys %last && !grep { /^(\d+)/ && $alive{$1} && $last{$_} ne 'SVC003' } keys %last;
    } $seconds || 15, 'all processes have their database';
}

# All that needs the database is refused until it is there, with no word of what is wrong with it.
sub unavailable_ok {
    my ($server, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $uuid = '01234567-89ab-7cde-8f01-23456789abcd';
    my %ticket = (user => 'alice', json => { title => 'x', price => 1 });
    for (['GET tickets', GET => '/api/tickets'], ['GET a ticket', GET => "/api/tickets/$uuid"],
         ['POST a ticket', POST => '/api/tickets', %ticket], ['PUT a ticket', PUT => "/api/tickets/$uuid", %ticket],
         ['GET orders', GET => '/api/orders', user => 'bob'], ['DELETE an order', DELETE => "/api/orders/$uuid", user => 'bob'],
         ['POST an order', POST => '/api/orders', user => 'bob', json => { ticketId => $uuid }]) {
        my ($what, $method, $path, %opt) = @$_;
        my $answer = api($method => $path, vhost => $server, %opt);
        problem_ok($answer, 503, [ { field => undef } ], "$name: $what is a 503");
        $Test->like($answer->header('Retry-After') || '', qr/^[1-9]\d*\z/, '... with Retry-After');
        $Test->unlike($answer->content, qr/schema|svc-|(?:tickets|orders)_/, '... and no word of tables');
    }
}

sub works_ok {   # by itself, when all processes have what they waited for
    my ($server, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    wait_ready($server);
    my $order = new_order(vhost => $server, ticket => new_ticket(vhost => $server));
    my $is_reserved = eval { wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 10, 'the dance' };
    $Test->ok($is_reserved, "$name: it works by itself, the dance too") or $Test->diag($@);
    wait_quiet($server);
    truth_ok($server, "$name: and its database is right");
}

# What the tables and indexes of both services are, as text that can be compared.
sub structure {
    my ($server) = @_;
    my $db = db($server);
    my $engine = $server->engine->engine;
    my @lines;
    if ($engine eq 'sqlite3') {
        @lines = @{ $db->selectcol_arrayref('SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name') };
        s/\s+/ /g, s/\( /(/g, s/ \)/)/g for @lines;
    } elsif ($engine eq 'pgsql') {
        @lines = map { join ' ', map { defined $_ ? $_ : '-' } @$_ } @{ $db->selectall_arrayref(
            'SELECT table_name, ordinal_position, column_name, data_type, character_maximum_length, is_nullable, collation_name, ' .
            'generation_expression FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position') };
        my ($schema) = $db->selectrow_array('SELECT current_schema()');
        push @lines, map { s/\b\Q$schema\E\.//gr }
            @{ $db->selectcol_arrayref('SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexname') };
    } else {
        @lines = map { ($db->selectrow_array("SHOW CREATE TABLE $_"))[1] } sort @{ $db->selectcol_arrayref('SHOW TABLES') };
    }
    return join "\n", @lines, '';
}

sub columns {   # of a table, but for those that are computed
    my ($db, $engine, $table) = @_;
    return @{ $db->selectcol_arrayref("SELECT name FROM pragma_table_info('$table')") } if $engine eq 'sqlite3';
    return @{ $db->selectcol_arrayref('SELECT column_name FROM information_schema.columns WHERE table_name = ? AND ' .
        ($engine eq 'pgsql' ? "table_schema = current_schema() AND is_generated = 'NEVER'"
                            : "table_schema = DATABASE() AND extra NOT LIKE '%GENERATED%'"), undef, $table) };
}

sub tables {
    my ($server, $db) = @_;
    my @all = $server->engine->is_file ? @{ $db->selectcol_arrayref("SELECT name FROM sqlite_master WHERE type = 'table'") }
                                       : $server->engine->tables($db, $server->db_file);
    return sort grep { !/_schema\z/ } @all;
}

sub rows_of {   # all rows of all tables but the versions: table -> [{ column => value }, ...]
    my ($server) = @_;
    my $db = db($server, unicode => 1);
    return { map { my $table = $_;
                   my @columns = columns($db, $server->engine->engine, $table);
                   ($table => $db->selectall_arrayref('SELECT ' . join(', ', @columns) . " FROM $table", { Slice => {} }))
                 } tables($server, $db) };
}

# Those rows as far as there are such tables and columns here. Dies when a row would be lost.
sub put_rows {
    my ($server, $rows) = @_;
    my $db = db($server, write => 1, unicode => 1);
    my %here = map { $_ => [columns($db, $server->engine->engine, $_)] } tables($server, $db);
    for my $table (sort keys %$rows) {
        croak "there is no $table here, and rows of it" if !$here{$table} && @{ $rows->{$table} };
        my @columns = @{ $here{$table} || [] } or next;
        my $insert = $db->prepare("INSERT INTO $table (" . join(', ', @columns) . ') VALUES (' . join(', ', ('?') x @columns) . ')');
        $insert->execute(@$_{@columns}) for @{ $rows->{$table} };
    }
    $db->disconnect;
}

1;

__END__

=head1 NAME

TestSvc::Schema - the tables of a suite's own httpd, before it starts

=head1 SYNOPSIS

    my $server = TestSvc::Server->new(conf => "TicketsSchema Off\nOrdersSchema Off\n");
    my ($code, $output) = schema_tool($server, '--to', 1, 'tickets', 'migrate');
    put_rows($server, rows_of($other));              # what another one holds, in the tables of an earlier version
    schema_run($server, $_) for schema_files($server, 'tickets', 1, 3);
    is structure($server), structure($other);

C<schema_tool(undef, @args)> runs svc-schema without a database. C<schema_version($server, $service)> is the version of
the database and that of the program. C<wait_ready($server)> waits until all its processes have their database.
C<works_ok($server, $name)> asserts that then all works by itself, C<unavailable_ok($server, $name)> that all is answered 503.

=cut
