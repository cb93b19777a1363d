# The packages for Debian: made from what make dist makes, without a complaint of lintian; installed beside Debian's
# apache2, enabled, asked, upgraded, removed and purged, as an administrator does it.
# In a copy of this system that is gone afterwards: an overlay over /, with a network and processes of its own.
use strict;
use warnings FATAL => 'all';
use File::Path 'make_path';
use File::Temp 'tempdir';
use FindBin;
use Test::More;
use TestSvc;

die "this one needs root\n" unless $> == 0;
my $top = "$FindBin::Bin/../../..";

sub run { my @command = @_; open my $pipe, '-|', 'sh', '-c', 'exec "$@" 2>&1 </dev/null', 'sh', @command or die "sh: $!";
    my $output = do { local $/; <$pipe> }; close $pipe; return ($? >> 8 || $? & 127, defined $output ? $output : '') }
sub must { my ($code, $output) = run(@_); die "failed: @_\n$output" if $code; return $output }
sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!"; local $/; return scalar <$in> }
sub spew { my ($file, $text) = @_; open my $out, '>', $file or die "$file: $!"; print $out $text; close $out or die "$file: $!" }

# --- first, where there is a network: Debian's apache2, of which this system has but the program
if (!$ENV{COPY_OF_ITS_OWN}) {
    my $dir = tempdir('debian.XXXXXX', TMPDIR => 1, CLEANUP => 1);
    make_path("$dir/apache2/partial", "$dir/lists/partial");
    my @apt = (qw(apt-get -y --no-install-recommends --download-only -o Debug::NoLocking=1 -o APT::Sandbox::User=root
                  -o), "Dir::Cache::archives=$dir/apache2");
    my ($code) = run(@apt, qw(install apache2));
    if ($code) {   # the lists of this system are too old, or there are none
        push @apt, '-o', "Dir::State::lists=$dir/lists";
        must(@apt, 'update');
        must(@apt, 'install', 'apache2');
    }
    local $ENV{COPY_OF_ITS_OWN} = $dir;
    # bash, as process 1, also waits for what nobody waits for.
    system(qw(unshare --net --mount --pid --fork --kill-child --mount-proc bash -c), '"$@"; exit $?', 'bash',
        $^X, (map { "-I$_" } @INC), $0);
    exit($? >> 8 || $? & 127);
}
my $dir = $ENV{COPY_OF_ITS_OWN};
must(qw(ip link set lo up));

# --- made, also in a higher version
must('sh', '-c', "mkdir '$dir/source' && cd '$top' && tar -c --exclude=./.git --exclude=./build --exclude=./run --exclude=./tmp " .
    "--exclude=./db --exclude=./t/logs --exclude=node_modules . | tar -x --no-same-owner -C '$dir/source'");
my ($version) = slurp("$dir/source/common/svc_version.h") =~ /^#define SVC_VERSION "(.*)"$/m;
(my $higher = $version) =~ s/(\d+)$/$1 + 1/e;
sub make_packages {
    my ($folder, @options) = @_;
    local $ENV{DEB_BUILD_OPTIONS} = 'nocheck noautodbgsym';   # the unit tests have their own place
    local $ENV{BUILD} = "$dir/$folder";
    my ($code, $output) = run("$dir/source/bin/deb.sh", @options);
    is $code, 0, "bin/deb.sh makes packages, of which lintian has nothing to say ($folder)" or BAIL_OUT($output);
    my @packages = sort glob "$dir/$folder/deb/*.deb";
    is_deeply [map { m{/([^/_]+)_} } @packages], [qw(libapache2-mod-orders libapache2-mod-tickets mod-tickets-orders-common)],
        '... the three of them';
    return @packages;
}
my @packages = make_packages('first');
is slurp((glob "$dir/first/deb/*.dsc")[0]) =~ /^Version: (\S+)$/m ? $1 : '', "$version-0upstream1", 'they have the version of common/svc_version.h';
for my $package (@packages) {
    my $control = must('dpkg-deb', '--field', $package);
    unlike $control, qr/\$\{/, ($package =~ m{([^/_]+)_[^/]*$})[0] . ' depends on what it needs';
}
{
    my $header = "$dir/source/common/svc_version.h";
    spew($header, slurp($header) =~ s/"\Q$version\E"/"$higher"/r);
    my $changelog = "$dir/source/packaging/debian/changelog";
    my $old = slurp($changelog);
    my ($who) = $old =~ /^ -- (.*>)/m;
    chomp(my $now = must('date', '-R'));
    spew($changelog, "mod-tickets-orders ($higher-0upstream1) unstable; urgency=medium\n\n  * Higher.\n\n -- $who  $now\n\n$old");
}
my @higher = make_packages('second', '-b');

# --- the copy of this system
# Not below this suite's folders, which Apache::Test searches for core files at the end.
my ($upper, $root) = map { "/mnt/$_" } qw(upper root);
must(qw(mount -t tmpfs -o mode=755 tmpfs /mnt));
make_path($upper, $root, '/mnt/work');
must(qw(mount -t overlay -o), "lowerdir=/,upperdir=$upper,workdir=/mnt/work", 'overlay', $root);
must(qw(mount --rbind /dev), "$root/dev");
must(qw(mount -t proc proc), "$root/proc");
# It has no init system: there, nothing is started unless a policy says so.
spew("$root/usr/sbin/policy-rc.d", "#!/bin/sh\nexit 0\n");
chmod 0755, "$root/usr/sbin/policy-rc.d";
unlink "$root/var/lib/man-db/auto-update";   # an index of all manual pages takes longer than all else
sub inside { return run('chroot', $root, qw(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root DEBIAN_FRONTEND=noninteractive), @_) }
sub inside_ok { my ($name, @command) = @_; my ($code, $output) = inside(@command);
    local $Test::Builder::Level = $Test::Builder::Level + 1; is $code, 0, $name or diag $output; return $output }
sub is_enabled { my ($module) = @_; return (inside('a2query', '-q', '-m', $module))[0] == 0 }
make_path("$root$dir/debs");
sub bring { my @files = @_; must('cp', @files, "$root$dir/debs/"); return map { m{([^/]+)$}; "$dir/debs/$1" } @files }
sub changed {   # paths that are not as in this system, but for what apache2 writes as it runs, and logs
    my @found = split /\n/, must('find', $upper, '-mindepth', 1, '-printf', '%P\n');
    return grep { !(-d "$upper/$_" && -d "/$_") && !m{^(?:run|tmp|var/(?:run|log|cache|tmp)|root)/|^var/lib/dpkg/} && index("/$_", $dir) != 0 }
        sort @found;
}
my @apache2 = glob "$dir/apache2/*.deb";
inside_ok("Debian's apache2 is there", qw(dpkg --install), bring(@apache2)) if @apache2;
inside('service', 'apache2', 'start');
my $here = 'http://127.0.0.1';
is api(GET => '/api/tickets', vhost => $here)->code, 404, '... and runs, and knows nothing of tickets';
my @before = changed();

# --- installed
inside_ok('the packages are installed', qw(dpkg --install), bring(@packages));
ok !is_enabled($_), "... which does not enable $_" for qw(tickets orders);
is api(GET => '/api/tickets', vhost => $here)->code, 404, '... and leaves the server as it was';
is join(':', (stat "$root/var/lib/mod-tickets-orders")[4, 2] ), join(':', scalar getpwnam('www-data'), 040750), 'the folder of the database is for the server alone';
ok -s "$root$_", "there is $_" for map { ("/usr/share/man/man8/mod_$_.8.gz", "/usr/share/doc/libapache2-mod-$_/mod_$_.html",
    "/usr/share/doc/mod-tickets-orders-common/examples/$_.conf") } qw(tickets orders);
ok -s "$root/usr/share/doc/mod-tickets-orders-common/$_", "... and $_" for qw(README.Debian README.md copyright http.md openapi.yaml events.md);
is inside_ok('svc-keygen runs', qw(svc-keygen --version)), "svc-keygen $version\n", '... and is of this version';

# --- enabled, as README.Debian says
my $readme = slurp("$root/usr/share/doc/mod-tickets-orders-common/README.Debian");
my ($options, $users) = $readme =~ /^    htpasswd (-B -c) (\S+) alice$/m or die "README.Debian does not say how to make users\n";
inside_ok("$_->[1] gets a password", 'sh', '-c', "echo secret | htpasswd -i $_->[0] $users $_->[1]") for [$options, 'alice'], ['-B', 'bob'];
like $readme, qr/^    a2enmod tickets orders$/m, 'README.Debian says how to enable them';
inside_ok('... and so it is done', qw(a2enmod tickets orders));
ok is_enabled($_), "... also $_" for qw(dbd tickets orders);
like inside_ok('configtest has nothing against it', qw(apache2ctl configtest)), qr/^Syntax OK$/m, '... and says so';
inside_ok('the server is restarted', qw(service apache2 restart));

my $list = api(GET => '/api/tickets', vhost => $here);
is $list->code, 200, 'tickets can be looked at by anybody' or diag $list->as_string;
is $list->content =~ s/\s//gr, '[]', '... and there are none';
is api(POST => '/api/tickets', vhost => $here, json => { title => 'A show', price => 20 })->code, 401, 'to sell one needs a user';
my $ticket = new_ticket(vhost => $here, title => 'Hamlet');
my $order = new_order(vhost => $here, ticket => $ticket);
ok eval { wait_until { order($order->{id}, vhost => $here)->{status} eq 'awaiting:payment' } 10, 'the ticket to be reserved' }, 'a ticket is sold and ordered'
    or diag $@, (inside('tail', '-n', 20, '/var/log/apache2/error.log'))[1];

# --- upgraded
spew("$root/etc/apache2/mods-available/tickets.conf", slurp("$root/etc/apache2/mods-available/tickets.conf") . "TicketsMaxBody 300\n");
sub pids { return grep { (readlink("/proc/$_/exe") || '') =~ m{/apache2( \(deleted\))?$} } map { m{(\d+)$} } glob '/proc/[0-9]*' }
sub maps { my ($pid) = @_; open my $in, '<', "/proc/$pid/maps" or return ''; local $/; return scalar <$in> }
my %before = map { $_ => 1 } pids();
inside_ok('the higher version is installed', qw(dpkg --install), bring(@higher));
is inside_ok('svc-keygen runs', qw(svc-keygen --version)), "svc-keygen $higher\n", '... and is of the higher version';
ok is_enabled($_), "$_ is still enabled" for qw(tickets orders);
my @pids = pids();
cmp_ok scalar(@pids), '>=', 2, 'the server runs';
is_deeply [grep { $before{$_} } @pids], [], '... with new processes';
is_deeply [grep { maps($_) !~ m{/mod_tickets\.so$}m || maps($_) =~ m{/mod_\w+\.so \(deleted\)}m } @pids], [], '... that have the new modules';
like slurp("$root/etc/apache2/mods-available/tickets.conf"), qr/^TicketsMaxBody 300$/m, 'what the administrator has changed stays';
is api(POST => '/api/tickets', vhost => $here, user => 'alice', json => { title => 'x' x 300, price => 1 })->code, 413, '... and is in force';
is ticket($ticket->{id}, vhost => $here)->{orderId}, $order->{id}, 'tickets and orders are still there';
is order($order->{id}, vhost => $here)->{status}, 'awaiting:payment', '... as they were';
inside_ok("svc-schema says that the tables of $_ are up to date", qw(runuser -u www-data -- svc-schema --driver sqlite3 --params),
    '/var/lib/mod-tickets-orders/shop.db', $_, 'status') for qw(tickets orders);

# --- removed
inside_ok('the packages are removed', qw(dpkg --remove libapache2-mod-tickets libapache2-mod-orders mod-tickets-orders-common));
ok !is_enabled($_), "... so $_ is not enabled any more" for qw(tickets orders);
like inside_ok('configtest has nothing against it', qw(apache2ctl configtest)), qr/^Syntax OK$/m, '... and says so';
is api(GET => '/api/tickets', vhost => $here)->code, 404, 'the server runs without them';
ok -s "$root/$_", "$_ is still there" for 'var/lib/mod-tickets-orders/shop.db', 'etc/apache2/mods-available/tickets.conf';

# --- purged
inside_ok('they are purged', qw(dpkg --purge libapache2-mod-tickets libapache2-mod-orders mod-tickets-orders-common));
my %known = map { $_ => 1 } @before;
# a2enmod enabled dbd as well, which is httpd's, and keeps books; the users are the administrator's.
my $others = qr{^etc/apache2/(?:shop\.users|mods-enabled/dbd\.load)$|^var/lib/apache2/module/\w+(?:/dbd)?$};
is_deeply [grep { !$known{$_} && !/$others/ } changed()], [], 'nothing of them is left';
is +(inside(qw(dpkg --list), '*mod-tickets*', '*mod-orders*'))[1] =~ /^[a-z]i|^rc/m ? 1 : 0, 0, '... also not in the list of packages';
is api(GET => '/', vhost => $here)->code, 200, 'the server still runs';

# --- stopped
inside_ok('the server is stopped', qw(service apache2 stop));
wait_until { !pids() } 10, 'the server to end';
is_deeply [pids()], [], '... and no process of it is left';
done_testing;
