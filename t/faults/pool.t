# More readers than connections, and those that there are do not come back: they are held by a lock in the database (a
# server), by a server that stands still, or by a disk that does (SQLite). Who gets none within five seconds is answered 503
# with Retry-After and does not wait for ever, as mod_dbd's own pool would have it; then all works again.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use POSIX ();
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Database;
use TestSvc::Server;
use TestSvc::Slow;
use TestSvc::Trade;

my $slow = TestSvc::Slow->new;
my $shared = TestSvc::Database->shared;
my $engine = $shared->is_file ? $shared : TestSvc::Database->new($shared->engine, "$shared->{dir}/of_its_own")->start;
my $readers = 10;
my $server = TestSvc::Server->new(engine => $engine, mpm => 'event', $engine->is_file ? (env => $slow->env) : (),   # one process, with threads
    limits => "StartServers 1\nServerLimit 1\nThreadLimit 16\nThreadsPerChild 16\nMaxRequestWorkers 16\nMinSpareThreads 1\nMaxSpareThreads 16\n");
$server->write_conf(site => $server->{site} =~ s/DBDMax 64/DBDMax 2/r);
$server->start->wait_database;
new_ticket(vhost => $server) for 1 .. 3;

sub read_all {   # at the same moment, each twice
    return map { @$_ } TestSvc::Clients->start($readers, $server, sub {
        my ($client) = @_;
        return [map { my $begin = $client->now;
                      my $answer = $client->send(GET => '/api/tickets');
                      { code => $answer->{code}, took => $client->now - $begin, again => $answer->{headers}{'retry-after'} || '' } } 1, 2];
    })->wait;
}
sub lines { return scalar(() = $server->error_log =~ /SVC060.*raise DBDMax/g) }

# While GUARD holds what readers want; it is let go after SECONDS.
sub exhausted_ok {
    my ($name, $hold, $release) = @_;
    my $before = lines();
    my $guard = $hold->();
    my $letting = $release && fork;
    die "fork: $!" unless !$release || defined $letting;
    if ($release && !$letting) { sleep 12; $release->(); POSIX::_exit(0) }
    my @answers = read_all();
    undef $guard;
    waitpid $letting, 0 if $letting;
    my %codes;
    $codes{ $_->{code} }++ for @answers;
    my ($longest) = sort { $b <=> $a } map { $_->{took} } @answers;
    note sprintf '%s: %s; %.1f s the longest', $name, join(', ', map { "$_: $codes{$_}" } sort keys %codes), $longest;
    is_deeply [grep { $_ != 200 && $_ != 503 } keys %codes], [], "$name: who gets no connection is answered 503";
    is_deeply [grep { $_->{code} == 503 && $_->{again} !~ /^[1-9]\d*\z/ } @answers], [], '... with Retry-After';
    cmp_ok $longest, '>', 4, '... after a while';
    cmp_ok $longest, '<', 10.5, '... and not for ever';
    cmp_ok lines(), '>', $before, '... and the log says what to do';
    @answers = read_all();
    is_deeply [grep { $_->{code} != 200 || $_->{took} > 2 } @answers], [], "$name: afterwards all are served at once" or diag explain \@answers;
    works_ok($server, $name);
}

is_deeply [grep { $_->{code} != 200 } read_all()], [], 'readers take turns at two connections';
if ($engine->is_file) {
    exhausted_ok('a disk that stands still', sub {
        $slow->take(7000);
        my $writer = TestSvc::Clients->start(1, $server, sub { my ($client) = @_;
            return $client->send(POST => '/api/tickets', user => 'alice', json => { title => 'Slowly', price => 1 })->{code} });
        sleep 0.5;           # it is being written now
        $slow->take(0);      # and what comes next is not
        return $writer;
    });
} else {
    exhausted_ok('a lock', sub {
        my $db = $engine->connect($server->db_file, write => 1);
        $db->do($engine->engine eq 'pgsql' ? 'BEGIN; LOCK TABLE tickets IN ACCESS EXCLUSIVE MODE' : 'LOCK TABLES tickets WRITE');
        return $db;
    });
    exhausted_ok('a server that stands still', sub { $engine->freeze; return }, sub { $engine->thaw });
}
cmp_ok $server->stop, '<', 10, 'httpd stops';
log_is_clean(server => $server, except => [qr/SVC01[01]|SVC035|SVC04\d|SVC060|dbd:error/]);
$engine->stop;
log_is_clean;
done_testing;
