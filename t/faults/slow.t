# A disk that takes its time, while there is trade: each write to it takes 300 ms, and then (a server's; SQLite's own lock
# has no timeout) one that takes longer than a request would wait. Nothing is lost, no request takes longer than ten
# seconds, and what waits does not pile up: a commit carries all who wait, and nobody waits twice.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Database;
use TestSvc::Server;
use TestSvc::Slow;
use TestSvc::Trade;

my $slow = TestSvc::Slow->new;
my $shared = TestSvc::Database->shared;
my $engine = $shared->is_file ? $shared : TestSvc::Database->new($shared->engine, "$shared->{dir}/of_its_own", env => $slow->env)->start;
my $server = TestSvc::Server->new(engine => $engine, conf => trade_conf(), $engine->is_file ? (env => $slow->env) : ())->start->wait_database;
my $pid = $server->pid;

sub grows_little {   # since there were $before MB; a sanitizer keeps what was freed
    my ($before) = @_;
    return if $ENV{SANITIZE};
    my $now = memory();
    cmp_ok $now - $before, '<', 16, sprintf '... memory does not grow (%.1f MB before, %.1f MB after)', $before, $now;
}
sub memory {   # of all children, in MB
    my $kb = 0;
    for my $child ($server->children) {
        open my $status, '<', "/proc/$child/status" or next;
        $kb += join('', <$status>) =~ /^RssAnon:\s+(\d+) kB/m ? $1 : 0;
    }
    return $kb / 1024;
}

works_ok($server, 'at first');
survives_ok($server, 'a quick disk', sub { sleep 1 });
my $before = memory();
my $all = survives_ok($server, 'a slow disk', sub { $slow->take(300); sleep 5; $slow->take(0) }, clients => 12);
cmp_ok $all->{longest}, '>', 0.3, '... it was slow';
cmp_ok scalar @{ $all->{made} }, '>', 5 / 0.3, '... one write to it carries what several clients wait for';
is_deeply $all->{codes}{503} || 0, 0, '... and nobody is sent away';
grows_little($before);
if (!$engine->is_file) {
    $all = survives_ok($server, 'a disk that stands still', sub { $slow->take(12_000); sleep 3; $slow->take(0); sleep 10 });
    cmp_ok $all->{longest}, '>', 3, '... it stood still';
    grows_little($before);
}

is $server->pid, $pid, 'httpd was not restarted';
cmp_ok $server->stop, '<', 10, 'httpd stops';
log_is_clean(server => $server, except => [$engine->is_file ? () : qr/SVC01[01]|SVC035|SVC04\d|SVC060|dbd:error/]);
$engine->stop;
log_is_clean;
done_testing;
