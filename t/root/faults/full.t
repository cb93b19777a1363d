# The disk that the data is on gets full while there is trade: what would write is answered 503, reading goes on, and what
# was answered 2xx is there; once there is room again all works by itself. The disk is a small one in memory, in a mount
# namespace of the suite's own. PostgreSQL has its tables there and its log elsewhere; then once more both on one disk,
# when it ends itself, as MariaDB does, and has to be started again.
use strict;
use warnings FATAL => 'all';
use Test::More;
use POSIX ();
use Time::HiRes qw(sleep time);
use TestSvc;
use TestSvc::Database;
use TestSvc::Server;
use TestSvc::Trade;

die "this one needs root\n" unless $> == 0;
if (!$ENV{MOUNTS_OF_ITS_OWN}) {
    system(qw(unshare --mount true)) == 0 or die "this machine does not permit mount namespaces (unshare --mount)\n";
    $ENV{MOUNTS_OF_ITS_OWN} = 1;
    exec qw(unshare --mount --propagation private), $^X, (map { "-I$_" } @INC), $0 or die "unshare: $!\n";
}
my $user = $ENV{TEST_USER} || 'www-data';
my ($uid, $gid) = (getpwnam $user)[2, 3];
die "there is no user $user\n" unless defined $uid;
my @as = ('runuser', '-u', $user, '--');
my $shared = TestSvc::Database->shared;

sub disk {   # a small one at FOLDER
    my ($folder, $size) = @_;
    mkdir $folder unless -d $folder;
    system('mount', '-t', 'tmpfs', '-o', "size=$size,mode=0700,uid=$uid,gid=$gid", 'tmpfs', $folder) == 0 or die "mount: $?\n";
    return $folder;
}
sub fill {
    my ($disk) = @_;
    open my $file, '>', "$disk/ballast" or die "$disk/ballast: $!";
    for my $part (map { "\0" x $_ } 1 << 20, 1 << 12) { 1 while syswrite $file, $part }
    die "$disk: $!" unless $!{ENOSPC};
}
my $asked = 0;
sub empty { my ($disk) = @_; unlink "$disk/ballast" or die "$disk/ballast: $!" }

sub is_up { my ($engine) = @_; my $pid = $engine->pid; return defined $pid && kill 0, $pid }

sub reads_ok {   # a server may have ended itself: MariaDB does after a while (a failed undo), PostgreSQL when its log has no room
    my ($server, $name) = @_;
    my $engine = $server->engine;
    my $reads = eval { wait_until { api(GET => '/api/tickets', vhost => $server)->code == 200 && 'reads' || !$engine->is_file && !is_up($engine) && 'ended' } 10, 'reading' };
    ok $reads && ($reads eq 'reads' || $engine->engine eq 'mysql'), $name;
}

sub sell {
    my ($server) = @_;
    return api(POST => '/api/tickets', vhost => $server, user => 'alice', json => { title => 'No room ' . ++$asked, price => 1 });
}

sub is_full_ok {   # the disk at DISK, while there is trade
    my ($server, $disk, $name, $more) = @_;
    my $pid = $server->pid;
    my $engine = $server->engine;
    my $all = survives_ok($server, $name, sub {
        fill($disk);
        my $answer = wait_until { my $answer = sell($server); $answer->code != 201 && $answer } 20, 'the disk to be full';
        problem_ok $answer, 503, [ { field => undef } ], "$name: a write is a 503";
        like $answer->header('Retry-After') || '', qr/^[1-9]\d*\z/, '... with Retry-After';
        unlike $answer->content, qr/disk|space|full|\Q$disk\E|INSERT|\.db/i, '... that gives nothing away';
        if ($more) { $more->() } else { reads_ok($server, '... while reading goes on'); sleep 2; reads_ok($server, '... for as long as it is') }
        empty($disk);
        $engine->start unless $engine->is_file || is_up($engine);
    });
    # SQLite's log may have room for what they write.
    cmp_ok $all->{codes}{503} || 0, '>', 0, "$name: the others notice it, too" unless $engine->is_file;
    is $server->pid, $pid, '... and httpd was not restarted';
}

sub done_ok {
    my ($server, $name) = @_;
    cmp_ok $server->stop, '<', 10, "$name: it stops";
    log_is_clean(server => $server, except => [qr/SVC01[01]|SVC035|SVC04\d|SVC060|dbd:error/], name => '... and its log has no other line');
}

if ($shared->is_file) {
    my $server = TestSvc::Server->new(user => $user, conf => trade_conf());
    my $disk = disk($server->dir . '/data', '40m');
    $server->start->wait_database;
    is_full_ok($server, $disk, 'the disk is full');
    is_full_ok($server, $disk, 'the disk is full once more');
    done_ok($server, 'the disk was full');
    system('umount', '-l', $disk);   # before its folder is removed
} else {
    my $dir = "$shared->{dir}/of_its_own";
    mkdir $dir and chown $uid, $gid, $dir;
    my $engine = TestSvc::Database->new($shared->engine, $dir);
    my $disk;
    if ($engine->engine eq 'mysql') {   # its log for people stays outside, or it could not say what it lacks
        $disk = disk("$dir/data", '160m');
        $engine->make(@as);
        $engine->start(@as);
    } else {
        $engine->start(@as);
        $disk = disk("$dir/small", '24m');
        $engine->admin->do("CREATE TABLESPACE small LOCATION '$disk'");
        $engine->admin->do('ALTER ROLE svc SET default_tablespace = small');
    }
    my $server = TestSvc::Server->new(user => $user, conf => trade_conf(), engine => $engine)->start->wait_database;
    is_full_ok($server, $disk, 'the disk is full');
    is_full_ok($server, $disk, 'the disk is full once more');
    done_ok($server, 'the disk was full');
    $engine->stop;
}
if ($shared->engine eq 'pgsql') {
    my $dir = "$shared->{dir}/with_its_log";
    mkdir $dir and chown $uid, $gid, $dir;
    my $engine = TestSvc::Database->new('pgsql', $dir);
    my $disk = disk("$dir/data", '120m');
    $engine->make(@as);
    $engine->start(@as);
    my $server = TestSvc::Server->new(user => $user, conf => trade_conf(), engine => $engine)->start->wait_database;
    is_full_ok($server, $disk, 'the disk is full, of its log, too', sub {
        ok((eval { wait_until { eval { $engine->admin->do('SELECT pg_switch_wal()') }; !is_up($engine) } 20, 'the end' } || diag $@), '... and the server ends itself');
    });
    done_ok($server, 'the disk was full of its log');
    $engine->stop;
}
done_testing;
