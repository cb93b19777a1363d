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
use TestSvc::Server;

our @EXPORT = qw(say_now work prices servers query value wait_for differences cpu_of peaks_mb log_errors
                 start_tool wait_tool stop_tool tool start_fsyncs stop_fsyncs quantile median row);

(my $Top = abs_path(__FILE__)) =~ s{/bench/Bench\.pm$}{};
my $Work;
my @Rows;

sub say_now { print STDERR "bench: @_\n" }

sub work { return $Work ||= File::Temp->newdir('figures.XXXXXX', TMPDIR => 1) }   # removed at the end

sub prices { return "$Top/t/data/broadway-weekly-prices.csv" }

# --- servers ---

# Two httpds, not started: one with mod_tickets, one with mod_orders, each with a database of its own. Each process has a
# thread for every connection of a figure: when all its threads are busy the event MPM closes idle connections, and a
# request that is on its way over one is lost. follow: who follows the other ([tickets, orders]).
sub servers {
    my (%opt) = @_;
    my %follows = map { $_ => 1 } @{ $opt{follow} || [qw(tickets orders)] };
    my %server = map { $_ => TestSvc::Server->new(
        modules => [$_],
        conf    => "LogLevel notice\nMaxKeepAliveRequests 0\nKeepAliveTimeout 60\n",
        limits  => "StartServers 2\nMinSpareThreads 64\nMaxSpareThreads 192\nThreadLimit 64\nThreadsPerChild 64\n"
                 . "MaxRequestWorkers 192\n",
    ) } qw(tickets orders);
    for my $name (qw(tickets orders)) {
        my $other = $name eq 'tickets' ? 'orders' : 'tickets';
        my $site = qq{DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\nDBDMax 72\n}
                 . "\u${name}Publish tcp://127.0.0.1:\@port:${name}_pub\@\n"
                 . "\u${name}Replay tcp://127.0.0.1:\@port:${name}_replay\@\n";
        $site .= "\u${name}Subscribe " . join(' ', map { $server{$other}->endpoint("${other}_$_") } qw(pub replay)) . "\n"
            if $follows{$name};
        $server{$name}->write_conf(site => $site);
    }
    return @server{qw(tickets orders)};
}

sub log_errors {   # how many lines its error log has that should not be there
    my ($server) = @_;
    my @lines = grep { /:(?:emerg|alert|crit|error|warn)\]/ } split /\n/, $server->error_log;
    say_now("error log: $_") for @lines;
    return scalar @lines;
}

sub cpu_of {   # seconds of processor time that its processes have used
    my ($server) = @_;
    my $ticks = 0;
    for my $pid ($server->pids) {
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

# The rows that SQL gives on the server's database, where $other's is "other".
sub query {
    my ($server, $sql, $other) = @_;
    my $db = DBI->connect('dbi:SQLite:dbname=' . $server->db_file, '', '', { RaiseError => 1, PrintError => 0 });
    $db->sqlite_busy_timeout(5000);
    $db->do('ATTACH ? AS other', undef, $other->db_file) if $other;
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
    return value($tickets, "SELECT (SELECT COUNT(*) FROM ($here EXCEPT $there)) + "
                         . "(SELECT COUNT(*) FROM ($there EXCEPT $here))", $orders);
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

# A line of the table, all of it texts: figure and measured; reference, ratio, target, met (yes, no), p50, p99, max and
# note where there are any. errors is a number: what was lost, refused or wrong.
sub row {
    my (%row) = @_;
    push @Rows, \%row;
    say_now(join ', ', map { defined $row{$_} ? "$_ $row{$_}" : () } qw(figure measured reference p50 p99 max errors note));
}

sub rows { return @Rows }

1;
