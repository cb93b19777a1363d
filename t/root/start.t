# Started as root with `User www-data`, on an empty folder that root made: the children, who are not root, have a
# database at once, also after a graceful restart; what is not empty is not given away.
# Of SQLite only: it is about a folder.
use strict;
use warnings FATAL => 'all';
use Test::More;
use TestSvc;
use TestSvc::Server;
use TestSvc::Truth;

die "this one needs root\n" unless $> == 0;
my $user = $ENV{TEST_USER} || 'www-data';
my ($uid, $gid) = (getpwnam $user)[2, 3];
die "there is no user $user\n" unless defined $uid;

sub owner { my @stat = stat $_[0] or return "$_[0]: $!"; return $stat[4] }
sub dance {
    my ($server, $name) = @_;
    my $order = new_order(vhost => $server, ticket => new_ticket(vhost => $server));
    ok((eval { wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 10, 'the dance' } || diag $@), $name);
}

my $server = TestSvc::Server->new(user => $user);
my $data = $server->dir . '/data';
chown 0, 0, $data;
chmod 0755, $data;
is owner($data), 0, 'the folder is root\'s';
opendir my $dir, $data or die $!;
is scalar(grep { !/^\./ } readdir $dir), 0, 'and empty';

$server->start;
sub uids { return grep { defined } map { (stat "/proc/$_")[4] } $server->children }
ok((eval { wait_until { my @uids = uids(); @uids > 1 && !grep { $_ != $uid } @uids } 10, 'the children' } || diag join ' ', uids()),
   "there are children, and all of them are $user");
is owner('/proc/' . $server->pid), 0, 'their parent is root';
dance($server, 'a ticket is made and ordered, events flow');
is owner($data), $uid, "the empty folder was given to $user";
is_deeply [map { owner($_) } glob "$data/*"], [map { $uid } glob "$data/*"], 'and everything in it';
is_deeply [grep { (stat $_)[2] & 0007 } glob "$data/*"], [], 'nobody else may read or write it';

$server->graceful;
dance($server, 'after a graceful restart too');
$server->restart;
dance($server, 'and after a restart');
my ($leader) = map { $server->wait_leader($_) } qw(tickets);
kill KILL => $leader;
$server->wait_leader('tickets', $leader);
dance($server, 'and after a leader was killed');
wait_quiet($server);
truth_ok($server);
$server->stop;

$server->start;
dance($server, 'and started once more on what is there');
$server->kill9_parent_and_children;
$server->start;
dance($server, 'and after everything was killed');
$server->stop;
log_is_clean(server => $server, except => [qr/exit signal Killed/], name => 'its error log has no unexpected line');

# A folder of root's with something in it is not given away: httpd runs, says so, and answers 503.
my $closed = TestSvc::Server->new(user => $user);
$data = $closed->dir . '/data';
chown 0, 0, $data;
open my $precious, '>', "$data/precious" or die $!;
close $precious;
$closed->start;
is owner($data), 0, 'a folder of root\'s with something in it stays root\'s';
is owner("$data/precious"), 0, 'so does what is in it';
problem_ok api(POST => '/api/tickets', vhost => $closed, user => 'alice', json => { title => 'x', price => 1 }), 503, undef,
    'without a folder that SQLite can write to it answers 503';
like $closed->error_log, qr/SVC0\d\d: .*\Q$data\E/, 'and the log names the place';
$closed->stop;

# A link in the folder's place of the database is not followed.
my $linked = TestSvc::Server->new(user => $user);
$data = $linked->dir . '/data';
my $victim = $linked->dir . '/victim';
open my $file, '>', $victim or die $!;
close $file;
chown 0, 0, $victim;
chown $uid, $gid, $data;
symlink $victim, "$data/shop.db" or die $!;
eval { $linked->start };
is owner($victim), 0, 'a file that a link points to is not given away';
$linked->stop;

done_testing;
