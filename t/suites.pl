#!/usr/bin/perl
# t/suites.pl SUITE...: start the shared server when a suite needs it, run each suite that no other lane has taken, stop
# the server, and write how many assertions passed and failed to the file "result". Started by t/check.sh, in a private copy.
# A suite that is skipped, plans nothing, hangs or dies is a failure; so are a server that does not start, does not
# stop, or crashed, and a sanitizer's report. With TEST_PRISM what is asked and answered is judged by docs/openapi.yaml.
use strict;
use warnings FATAL => 'all';
use FindBin;
use lib "$FindBin::Bin/lib";
use TAP::Harness ();
use TAP::Parser::Aggregator ();
use TestSvc::Judge ();
use TestSvc::Server ();
use Time::HiRes qw(sleep time);
use TestSvc::Database ();

my @suites = @ARGV;
my $Limit = $ENV{SOAK} ? 7200 : 420;   # seconds for one suite
my @as = $ENV{TEST_USER} ? ('runuser', '-u', $ENV{TEST_USER}, '--') : ();
my $port = TestSvc::Server::free_port();   # what is free when it is asked by itself another lane would find free, too
my @failures;                          # what failed beside assertions
$ENV{$_} = 1 for qw(APACHE_TEST_ULIMIT_SET APACHE_TEST_NO_STICKY_PREFERENCES);
$ENV{APACHE_TEST_STARTUP_TIMEOUT} = 60;
delete @ENV{ grep { /^PG/ } keys %ENV };   # what libpq would listen to
delete @ENV{qw(http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY)};
$| = 1;

sub needs_server { return $_[0] =~ /\.t\z/ && $_[0] !~ m{^t/(?:layout\.t|root/)} }

sub runner {   # Apache::Test's own program
    my (@action) = @_;
    my @command = (@as, $^X, 't/TEST', '-httpd', $ENV{TEST_HTTPD}, '-apxs', $ENV{TEST_APXS},
                   '-httpd_conf', "$ENV{HOME}/t/conf/modules.conf", '-servername', '127.0.0.1', '-port', $port, @action);
    my $output = do {
        open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh', @command or die "t/TEST: $!";
        local $/;
        my $text = <$pipe>;
        close $pipe;
        $text;
    };
    return ($? == 0, $output);
}

sub pid_of_server {
    open my $file, '<', 't/logs/httpd.pid' or return;
    my $pid = <$file>;
    chomp $pid;
    return $pid;
}

sub start_server {
    my ($ok, $output) = runner('-start-httpd');
    print $output;
    return pid_of_server() if $ok && $output =~ /server \S+ started/ && pid_of_server();
    print_log(40);
    push @failures, 'the server did not start';
    return;
}

sub log_lines { open my $log, '<', 't/logs/error_log' or return; return <$log> }
sub print_log { my @lines = log_lines(); print splice @lines, -$_[0] < -@lines ? 0 : -$_[0] }

sub stop_server {
    my ($pid) = @_;
    if (!kill 0, $pid) {
        push @failures, 'the server died';
    } else {
        my %left = map { $_ => 1 } $pid, children($pid);
        kill 'TERM', $pid;
        my $deadline = time + 15;
        while (%left && time < $deadline) {
            delete @left{ grep { !-d "/proc/$_" } keys %left };
            sleep 0.05;
        }
        push @failures, 'the server did not stop, left: ' . join ' ', sort keys %left if %left;
    }
    push @failures, map { chomp; "the error log says: $_" }
        grep { /exit signal (?!Killed)|runtime error:|Sanitizer:/ } log_lines();
}

sub children {
    my ($parent) = @_;
    my @children;
    for my $dir (glob '/proc/[0-9]*') {
        open my $file, '<', "$dir/stat" or next;
        push @children, $1 if (<$file> || '') =~ /^(\d+) .*\) \w $parent /;
    }
    return @children;
}

sub command_of {
    my ($suite) = @_;
    my @command = ('timeout', '-k', 10, $Limit);
    push @command, $suite =~ /\.t\z/ ? ($^X, '-It/lib', $suite) : "./$suite";
    return [$suite =~ m{^t/root/} ? @command : (@as, @command)];
}

sub run_suites {
    my @names = @_;
    my $harness = TAP::Harness->new({
        verbosity => $ENV{V} ? 1 : 0,
        timer     => 1,
        failures  => 1,
        exec      => sub { command_of($_[1]) },
    });
    my $all = TAP::Parser::Aggregator->new;
    $all->start;
    my @taken;
    for my $name (@names) {
        (my $mark = $name) =~ s{/}{,}g;
        mkdir "$ENV{TEST_TAKEN}/$mark" or next;   # by one lane alone
        push @taken, $name;
        $harness->aggregate_tests($all, $name);
    }
    $all->stop;
    my ($passed, $failed) = (scalar $all->passed, scalar $all->failed);
    for my $name (@taken) {
        my ($suite) = $all->parsers($name);
        my $why = defined $suite->skip_all ? 'was skipped: ' . ($suite->skip_all || '')
                : $suite->skipped          ? 'skipped ' . $suite->skipped . ' assertions'
                : !$suite->tests_run       ? 'ran no test'
                : $suite->wait && ($suite->wait >> 8) == 124 ? "took over $Limit s"
                : $suite->failed           ? undef
                : $suite->has_problems     ? 'ended badly (plan, exit code or output)'
                :                            undef;
        push @failures, "$name $why" if defined $why;
    }
    return ($passed, $failed);
}

sub result {
    my ($passed, $failed) = @_;
    open my $out, '>', 'result' or die "result: $!";
    print $out "$passed $failed\n";
    close $out or die "result: $!";
    exit($failed ? 1 : 0);
}

sub sum_up {   # how much of the document was seen; nothing at all is a failure, what is wrong already was one
    my ($judge) = @_;
    my $said = $judge->summary;
    my ($seen, $unseen) = map { scalar @{ $said->{$_} } } qw(seen unseen);
    print "check: prism judged $said->{judged} answers by docs/openapi.yaml, $said->{violations} violations, $seen of ",
        $seen + $unseen, " answers that it has; $said->{elsewhere} were about other paths\n";
    push @failures, 'no answer was judged' unless $said->{judged};
    push @failures, "$said->{violations} answers or requests are not as docs/openapi.yaml says" if $said->{violations};
}

# The engine that DB= names, and the sites of the shared server on it.
sub start_engine {
    my $engine = TestSvc::Database->shared;
    my $why = $engine->lacks;
    if (!defined $why) {
        return $engine if eval { $engine->start(@as); 1 };
        $why = $@;
        die $why if $ENV{CI} || $why !~ /does not start/;
    }
    my $says = $engine->name . " cannot be started here: $why";
    die "$says\n" if $ENV{CI};   # nothing is left out there
    print "check: $says; all was left out\n";
    result(0, 0);
}

sub adapt_sites {
    my ($engine) = @_;
    my $file = 't/conf/extra.conf.in';
    open my $in, '<', $file or die "$file: $!";
    my $conf = do { local $/; <$in> };
    open my $out, '>', $file or die "$file: $!";
    print $out $engine->adapt($conf, t_logs => "$ENV{HOME}/t/logs");
    close $out or die "$file: $!";
}

my ($passed, $failed) = (0, 0);
my ($server, $engine);
my $judge = $ENV{TEST_PRISM} ? TestSvc::Judge->new('docs/openapi.yaml') : undef;
$ENV{TEST_PRISM} = $judge->url if $judge;
$SIG{INT} = $SIG{TERM} = sub { stop_server($server) if $server; $engine->stop if $engine; exit 130 };
push @failures, 'there is no suite to run' unless @suites;
$engine = start_engine() if @suites;
adapt_sites($engine) if $engine && !$engine->is_file;
$server = start_server() if grep { needs_server($_) } @suites;
@suites = grep { !needs_server($_) } @suites unless $server;
($passed, $failed) = run_suites(@suites) if @suites;
stop_server($server) if $server;
sum_up($judge) if $judge;
eval { $engine->stop; 1 } or push @failures, $@ if $engine;
push @failures, map { "a sanitizer reported: $_" } glob 't/logs/sanitizer.*';

print "check: $_\n" for @failures;
result($passed, $failed + @failures);
