package Bench;
# The words of the figures: servers, the helper programs, databases, quantiles, and the lines of the table.
use strict;
use warnings FATAL => 'all';
use Cwd 'abs_path';
use DBI ();
use Exporter 'import';
use File::Temp ();
use List::Util qw(min sum0);
use POSIX ();
use Time::HiRes qw(sleep time);
use TestSvc::Database;
use TestSvc::Server;

our @EXPORT = qw(say_now work prices sell hit server start_all site servers postgres query value wait_for differences cpu_of peaks_mb log_errors
                 start_tool wait_tool stop_tool tool start_fsyncs stop_fsyncs quantile median ms thousands fill_tickets by_turns compare row);

(my $Top = abs_path(__FILE__)) =~ s{/bench/Bench\.pm$}{};
my $Work;
my @Rows;
my $Postgres = 0;

sub say_now { print STDERR "bench: @_\n" }

sub work { return $Work ||= File::Temp->newdir('figures.XXXXXX', TMPDIR => 1) }   # removed at the end

sub prices { return "$Top/t/data/broadway-weekly-prices.csv" }

# --- servers ---

# An httpd, not started, with modules and site of TestSvc::Server's. Each process has a thread for every connection of a
# figure: when all its threads are busy the event MPM closes idle connections, and a request that is on its way over one
# is lost. prefork has a process for each.
sub server {
    my (%opt) = @_;
    my $mpm = $opt{mpm} ||= 'event';
    return TestSvc::Server->new(
        conf   => "LogLevel notice\nMaxKeepAliveRequests 0\nKeepAliveTimeout 60\n<Directory />\nAllowOverride None\n</Directory>\n",
        limits => $mpm eq 'prefork' ? "StartServers 64\nMinSpareServers 8\nMaxSpareServers 128\nMaxRequestWorkers 128\n"
                                    : "StartServers 2\nMinSpareThreads 96\nMaxSpareThreads 192\nThreadLimit 96\n"
                                    . "ThreadsPerChild 96\nMaxRequestWorkers 192\n",
        %opt);
}

# The DBD directives of a server, and what it publishes as service NAME.
sub site {
    my (@names) = @_;
    return qq{DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\nDBDMax 96\n}
         . join '', map { "\u${_}Publish tcp://127.0.0.1:\@port:${_}_pub\@\n\u${_}Replay tcp://127.0.0.1:\@port:${_}_replay\@\n" } @names;
}

# Two httpds, not started: one with mod_tickets, one with mod_orders, each with a database of its own. follow: who follows
# the other ([tickets, orders]); the rest is for server.
sub servers {
    my (%opt) = @_;
    my %follows = map { $_ => 1 } @{ delete $opt{follow} || [qw(tickets orders)] };
    my %server = map { $_ => server(%opt, modules => [$_]) } qw(tickets orders);
    for my $name (qw(tickets orders)) {
        my $other = $name eq 'tickets' ? 'orders' : 'tickets';
        my $site = site($name);
        $site .= "\u${name}Subscribe " . join(' ', map { $server{$other}->endpoint("${other}_$_") } qw(pub replay)) . "\n"
            if $follows{$name};
        $server{$name}->write_conf(site => $site);
    }
    return @server{qw(tickets orders)};
}

sub start_all {   # until their tables are there
    my (@servers) = @_;
    for my $server (@servers) {
        $server->start;
        for my $name (@{ $server->{modules} }) {
            wait_for(sub { eval { value($server, "SELECT COUNT(*) FROM ${name}_head") } }, 20, "the tables of $name");
        }
    }
}

# A private PostgreSQL, running: as durable as it is by default, and with room for what a figure writes. It is stopped
# when the result goes.
sub postgres {
    my $dir = work() . '/pg' . ++$Postgres;
    my $engine = TestSvc::Database->new('pgsql', $dir);
    mkdir $dir or die "$dir: $!\n";
    $engine->make;
    open my $conf, '>>', "$dir/data/postgresql.conf" or die "postgresql.conf: $!\n";
    print $conf "shared_buffers = 256MB\nmax_wal_size = 2GB\n";
    close $conf or die "postgresql.conf: $!\n";
    return $engine->start;
}

# Sends REQUESTS, a reference to a list of lines for load, over CLIENTS connections as fast as they are answered: for
# SECONDS, or 0: once. What load prints comes back, with rate: answers a second, and cpu_us: the server's and its
# database's processor time for each.
sub hit {
    my ($server, $requests, %opt) = @_;
    my $file = work() . '/requests';
    open my $out, '>:utf8', $file or die "$file: $!";
    print $out map { "$_\n" } @$requests;
    close $out or die "$file: $!";
    my $cpu = cpu_of($server);
    my $load = tool('load', $server->port, $opt{user} || 'alice:secret', 0, $opt{seconds} || 0, $opt{clients} || 64, $file, '-');
    $load->{rate} = $load->{requests} / $load->{seconds};
    $load->{cpu_us} = 1e6 * (cpu_of($server) - $cpu) / $load->{requests};
    return $load;
}

sub sell {   # $count requests: real titles and prices
    my ($count) = @_;
    open my $csv, '<:encoding(UTF-8)', prices() or die prices() . ": $!";
    my (undef, @rows) = map { s/\r?\n\z//; [split /,/] } <$csv>;
    return [map { my ($week, $show, $price) = @{ $rows[$_ % @rows] };
                  qq(POST /api/tickets {"title": "$show, $week", "price": $price}) } 0 .. $count - 1];
}

sub log_errors {   # how many lines its error log has that should not be there
    my ($server) = @_;
    my @lines = grep { /:(?:emerg|alert|crit|error|warn)\]/ } split /\n/, $server->error_log;
    say_now("error log: $_") for @lines;
    return scalar @lines;
}

sub cpu_of {   # seconds of processor time that its processes and its database's have used
    my ($server) = @_;
    my $ticks = 0;
    for my $pid ($server->pids, $server->engine->is_file ? () : $server->engine->pids) {
        open my $file, '<', "/proc/$pid/stat" or next;
        my $line = <$file>;
        $ticks += sum0((split ' ', $line =~ s/^.*\) //r)[11, 12]) if defined $line;
    }
    return $ticks / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

sub peaks_mb {   # the most memory that each of its children ever had, largest first
    my ($server) = @_;
    my @peaks;
    for my $pid ($server->children) {
        open my $file, '<', "/proc/$pid/status" or next;
        push @peaks, map { /^VmHWM:\s+(\d+)/ ? $1 / 1024 : () } <$file>;
    }
    @peaks = sort { $b <=> $a } @peaks;
    return @peaks;
}

# --- databases ---

# The rows of the tickets from $from to $to, written by SQL on a server that is stopped, on SQLite: 100 sellers, every tenth is reserved, every hundred-thousandth
# has a title of its own, titles and prices are real ones. What the log would say of them is left out: no list reads it.
sub fill_tickets {
    my ($server, $from, $to) = @_;
    my $db = DBI->connect('dbi:SQLite:dbname=' . $server->db_file, '', '', { RaiseError => 1, PrintError => 0 });
    $db->do('PRAGMA synchronous = OFF');
    $db->do('CREATE TEMP TABLE prices (n INTEGER PRIMARY KEY, title, cents)');
    $db->begin_work;
    open my $csv, '<:encoding(UTF-8)', prices() or die prices() . ": $!";
    my (undef, @rows) = map { s/\r?\n\z//; [split /,/] } <$csv>;
    $db->do('INSERT INTO prices VALUES (?, ?, ?)', undef, $_, "$rows[$_][1], $rows[$_][0]", int($rows[$_][2] * 100 + 0.5))
        for 0 .. $#rows;
    $db->do(<<'SQL', undef, $from, $to, scalar @rows);
WITH RECURSIVE n (i) AS (SELECT CAST(? AS INTEGER) UNION ALL SELECT i + 1 FROM n WHERE i < CAST(? AS INTEGER))
INSERT INTO tickets (id, position, title, cents, user_id, version, order_id)
SELECT printf('%08x-0000-7000-8000-000000000000', i), i, CASE WHEN i % 100000 = 77777 THEN 'A needle' ELSE title END,
       cents, 'seller' || (i % 100), 0, CASE WHEN i % 10 = 0 THEN printf('%08x-0000-7000-8000-000000000001', i) END
FROM n JOIN prices ON prices.n = i * 7919 % CAST(? AS INTEGER)
SQL
    $db->do('UPDATE tickets_head SET position = ?', undef, $to);
    $db->commit;
    $db->selectall_arrayref('PRAGMA wal_checkpoint(TRUNCATE)');
    $db->disconnect;
}

# The rows that SQL gives on the server's database, where $other's is "other"; the names of their tables differ.
sub query {
    my ($server, $sql, $other) = @_;
    my $db;
    if ($server->engine->is_file) {
        $db = DBI->connect('dbi:SQLite:dbname=' . $server->db_file, '', '', { RaiseError => 1, PrintError => 0 });
        $db->sqlite_busy_timeout(5000);
        $db->do('ATTACH ? AS other', undef, $other->db_file) if $other;
    } else {
        $sql =~ s/\bother\.//g;
        $db = $server->engine->connect([map { $_->db_file } $server, $other || ()]);
    }
    my $rows = $db->selectall_arrayref($sql);
    $db->disconnect;
    return @$rows;
}

sub value { my ($row) = query(@_); return $row ? $row->[0] : 0 }

# How many tickets are not the same in the replica of $orders and the table of $tickets.
sub differences {
    my ($tickets, $orders) = @_;
    my $columns = 'id, title, cents, user_id, version, order_id';
    my ($here, $there) = ("SELECT $columns FROM tickets", "SELECT $columns FROM other.orders_tickets");
    return value($tickets, "SELECT (SELECT COUNT(*) FROM ($here EXCEPT $there) AS here) + "
                         . "(SELECT COUNT(*) FROM ($there EXCEPT $here) AS there)", $orders);
}

sub wait_for {   # until $is_there->()
    my ($is_there, $seconds, $name) = @_;
    my $deadline = time + $seconds;
    until ($is_there->()) {
        die "waited $seconds s in vain for $name\n" if time > $deadline;
        sleep 0.02;
    }
}

# --- the helper programs (bench/*.c) ---

sub start_tool {
    my ($name, @args) = @_;
    my $pid = open my $out, '-|', "$Top/build/bench/$name", @args or die "$name: $!\n";
    return { name => $name, pid => $pid, out => $out };
}

# Its output: a hash when that is one line "name value name value", else the lines.
sub wait_tool {
    my ($tool, $seconds) = @_;
    local $SIG{ALRM} = sub { kill 'KILL', $tool->{pid}; die "$tool->{name} took over $seconds s\n" };
    alarm($seconds || 0);
    my @lines = readline $tool->{out};
    my $ended = close $tool->{out};
    alarm 0;
    $ended or die "$tool->{name} failed\n";
    chomp @lines;
    return @lines == 1 && $lines[0] =~ / / ? { split ' ', $lines[0] } : \@lines;
}

sub stop_tool { my ($tool) = @_; kill 'TERM', $tool->{pid}; return wait_tool($tool, 20) }

sub tool { return wait_tool(start_tool(@_)) }

# How long the disk takes for what a commit asks of it: writes two pages and makes them durable 50 times a second.
sub start_fsyncs { return start_tool('disk', work() . '/disk', 1_000_000, 20_000) }

sub stop_fsyncs {   # p50 and p99 of it, in ms
    my @ms = map { $_ / 1000 } @{ stop_tool(@_) };
    return (quantile(0.5, @ms), quantile(0.99, @ms));
}

# --- figures ---

sub quantile {
    my ($q, @values) = @_;
    @values = sort { $a <=> $b } @values;
    return $values[min($#values, int($q * @values))];
}

sub median { return quantile(0.5, @_) }

sub thousands { return scalar reverse join ' ', unpack '(A3)*', reverse $_[0] }
sub ms { return sprintf '%.2f ms', $_[0] }

# Calls each of WAYS (name => function that returns what load prints) ROUNDS times, by turns: a load on the machine, and
# what it has written so far, meet all of them alike. Returns their results by name.
sub by_turns {
    my ($rounds, @ways) = @_;
    my %results;
    for (1 .. $rounds) {
        for (my $i = 0; $i < @ways; $i += 2) {
            push @{ $results{ $ways[$i] } }, $ways[$i + 1]->();
        }
    }
    return \%results;
}

sub cpu_note {   # processor time for each answer, of those results that have it
    my @us = map { my $all = $_; defined $all->[0]{cpu_us} ? sprintf '%.1f us', median(map { $_->{cpu_us} } @$all) : () } @_;
    return @us ? '; CPU of the server for each: ' . join ', of the reference: ', @us : '';
}

# A line of the table: RESULTS of what is measured beside those of its REFERENCE, which takes TARGET times the rate or
# more; the ratio is the median of the rounds' own. What else is in %row is taken over.
sub compare {
    my ($results, $reference, %row) = @_;
    my $target = delete $row{target};
    my @ratios = map { $results->[$_]{rate} / $reference->[$_]{rate} } 0 .. $#$results;
    my $ratio = median(@ratios);
    row(measured => sprintf('%.0f/s', median(map { $_->{rate} } @$results)), ratio => sprintf('%.2f', $ratio),
        p50 => ms(median(map { $_->{p50} } @$results)), p99 => ms(median(map { $_->{p99} } @$results)),
        max => ms(quantile(1, map { $_->{max} } @$results)), errors => sum0(map { $_->{failed} } @$results, @$reference),
        defined $target ? (target => sprintf('%.1f x', $target), met => $ratio >= $target ? 'yes' : 'no') : (),
        note => sprintf('ratios %s%s', join(' ', map { sprintf '%.2f', $_ } sort { $a <=> $b } @ratios), cpu_note($results, $reference)),
        %row, reference => sprintf('%s: %.0f/s', $row{reference}, median(map { $_->{rate} } @$reference)));
}

# A line of the table, all of it texts: figure and measured; reference, ratio, target, met (yes, no), p50, p99, max and
# note where there are any. errors is a number: what was lost, refused or wrong.
sub row {
    my (%row) = @_;
    push @Rows, \%row;
    say_now(join ', ', map { defined $row{$_} ? "$_ $row{$_}" : () } qw(figure measured reference p50 p99 max errors note));
}

sub rows { return @Rows }

1;
