# POST /api/tickets beside SQLite itself, in batches and one transaction for each request, and beside pgbench.
package Bench::Writing;
use strict;
use warnings FATAL => 'all';
use Bench;

my ($Rounds, $Seconds, $Clients) = (5, 1.5, 64);

sub log_row {   # what the error log says, and tickets without an event or events without a ticket
    my ($name, $server) = @_;
    my $wrong = log_errors($server) + abs(value($server, 'SELECT COUNT(*) FROM tickets') - value($server, 'SELECT COUNT(*) FROM tickets_log'))
              + abs(value($server, 'SELECT COUNT(*) FROM tickets') - value($server, 'SELECT position FROM tickets_head'));
    row(figure => "tickets, events, positions and the error log, $name", measured => 'read', errors => $wrong);
}

# --- SQLite

sub inserts {   # transactions of $batch tickets over $threads connections
    my ($batch, $threads) = @_;
    my $file = work() . '/inserts.db';
    my $result = tool('inserts', $file, prices(), $batch, $threads, $Seconds);
    unlink glob "$file*";
    return { %$result, rate => $result->{requests} / $result->{seconds}, max => 0, failed => 0 };
}

{
    my $server = server(modules => ['tickets'], site => site('tickets'));
    start_all($server);
    my $post = sub { hit($server, sell(2000), clients => $Clients, seconds => $Seconds) };
    $post->();   # warm
    my $disk = start_fsyncs();
    my $results = by_turns($Rounds, post => $post, batched => sub { inserts(64, 1) }, each => sub { inserts(1, $Clients) },
                           single => sub { inserts(1, 1) });
    my $fsync = sprintf 'fsync in this run: p50 %.2f ms, p99 %.2f ms', stop_fsyncs($disk);
    $server->stop;
    compare($results->{post}, $results->{batched}, figure => "POST /api/tickets, SQLite, $Clients clients", target => 0.5,
            reference => 'raw SQLite, 64 rows a commit');
    compare($results->{post}, $results->{each}, figure => 'POST /api/tickets, SQLite, the same', target => 4, errors => 0,
            reference => "raw SQLite, a commit for each row, $Clients connections");
    compare($results->{post}, $results->{single}, figure => 'POST /api/tickets, SQLite, the same', errors => 0, note => $fsync,
            reference => 'raw SQLite, a commit for each row, one connection');
    log_row('SQLite', $server);
}

# --- PostgreSQL: pgbench inserts a ticket and its event by one prepared statement, with positions from a sequence

# Scripts for pgbench, each with a real title, its price, and an event of the service itself.
sub scripts {
    my ($server) = @_;
    my @scripts;
    for my $row (query($server, 'SELECT title, cents, event FROM tickets JOIN tickets_log ON entity_id = id ORDER BY tickets.position LIMIT 20')) {
        my ($title, $cents, $event) = @$row;
        s/\\/\\\\/g, s/'/''/g, s/:/\\072/g for $title, $event;   # pgbench takes :58 for a variable
        my $file = work() . '/script' . @scripts . '.sql';
        open my $out, '>:utf8', $file or die "$file: $!";
        print $out 'WITH ticket AS (INSERT INTO tickets (id, position, title, cents, user_id, version) VALUES '
            . "(gen_random_uuid()::text, nextval('positions'), E'$title', $cents, 'alice', 0) RETURNING id, position) "
            . 'INSERT INTO tickets_log (position, event_id, subject, entity_id, recorded_at, publisher, event) '
            . "SELECT position, gen_random_uuid()::text, E'ticket\\072created', id, 1767225600000, '', E'$event' FROM ticket;\n";
        close $out or die "$file: $!";
        push @scripts, $file;
    }
    return @scripts;
}

# The service's tables once more, empty, in a schema of their own.
sub copy_tables {
    my ($server) = @_;
    my $engine = $server->engine;
    my $schema = $engine->create(work() . '/reference.db');
    my $db = $engine->connect([work() . '/reference.db', $server->db_file], write => 1);
    my ($from) = map { $_->[0] } query($server, 'SELECT current_schema()');
    $db->do("CREATE TABLE $schema.$_ (LIKE $from.$_ INCLUDING ALL)") for qw(tickets tickets_log);
    $db->do("CREATE SEQUENCE $schema.positions CACHE 1");
    $db->disconnect;
    return $schema;
}

sub pgbench {
    my ($engine, $schema, @scripts) = @_;
    local $ENV{PGOPTIONS} = "-csearch_path=$schema";
    my @command = (TestSvc::Database::program('pgbench'), '-h', $engine->{dir}, '-U', 'svc', qw(-n -M prepared -r -j 2 -c), $Clients, '-T', int($Seconds + 0.5),
                   '-l', '--log-prefix=' . work() . '/pgbench', (map { ('-f', $_) } @scripts), 'postgres');
    my $text = do { open my $pipe, '-|', @command or die "pgbench: $!"; local $/; <$pipe> };
    my ($rate) = $text =~ /^tps = ([\d.]+)/m or die "pgbench said: $text";
    my ($failed) = $text =~ /failed transactions: (\d+)/;
    my @ms = map { open my $log, '<', $_ or die; map { (split ' ')[2] / 1000 } <$log> } glob work() . '/pgbench.*';
    unlink glob work() . '/pgbench.*';
    return { rate => $rate, p50 => quantile(0.5, @ms), p99 => quantile(0.99, @ms), max => quantile(1, @ms), failed => $failed || 0 };
}

{
    my $engine = postgres();
    my $server = server(modules => ['tickets'], site => site('tickets'), engine => $engine);
    start_all($server);
    my $post = sub { hit($server, sell(2000), clients => $Clients, seconds => $Seconds) };
    $post->();   # warm
    my @scripts = scripts($server);
    my $schema = copy_tables($server);
    my $reference = sub { pgbench($engine, $schema, @scripts) };
    $reference->();
    my $results = by_turns($Rounds, post => $post, pgbench => $reference);
    $server->stop;
    compare($results->{post}, $results->{pgbench}, figure => "POST /api/tickets, PostgreSQL, $Clients clients", target => 0.8,
            reference => sprintf 'pgbench, the same inserts, %d clients, p50 %s, p99 %s', $Clients,
                map { my $q = $_; ms(median(map { $_->{$q} } @{ $results->{pgbench} })) } qw(p50 p99));
    log_row('PostgreSQL', $server);
    $engine->stop;
}
1;
