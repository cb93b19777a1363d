# make dist: what is unpacked from its file builds both modules by itself, without git or npm, and makes the same file.
use strict;
use warnings FATAL => 'all';
use Cwd 'getcwd';
use File::Temp 'tempdir';
use FindBin;
use Test::More;

chdir "$FindBin::Bin/../.." or die "chdir: $!";
my $top = getcwd;
my $dir = tempdir(CLEANUP => 1);

sub run { my ($command) = @_; my $output = qx{($command) 2>&1 </dev/null}; return ($? >> 8, $output) }
sub slurp { my ($file) = @_; open my $in, '<:raw', $file or return ''; local $/; return scalar <$in> }

my ($version) = slurp('common/svc_version.h') =~ /^#define SVC_VERSION "(.*)"$/m;
my $name = "mod_tickets-orders-$version";
# The suites run in a copy without git, where other suites make files: those are no part of it.
my ($code, $output) = run("mkdir '$dir/source' && tar -c --exclude=./.git --exclude=./build --exclude=./run --exclude=./tmp " .
    "--exclude=./db --exclude=./t/logs --exclude=node_modules . | tar -x -C '$dir/source'");
is $code, 0, 'the source is here' or diag $output;
chdir "$dir/source" or die "chdir: $!";
($code, $output) = run("BUILD='$dir/first' make -s dist");
is $code, 0, 'make dist makes a file' or diag $output;
is $output, "$dir/first/$name.tar.gz\n", '... and says which: its name has the version of common/svc_version.h';

my @names = map { chomp; $_ } qx(tar -tzf '$dir/first/$name.tar.gz');
is_deeply [grep { !m{^\Q$name\E/} } @names], [], 'all of it is in a folder of that name';
is_deeply [grep { m{^[^/]+/(?:\.git|build|run)/|/node_modules/} } @names], [], 'nothing that is built or fetched is in it';

($code, $output) = run("cd '$dir' && tar -xzf first/$name.tar.gz");
is $code, 0, 'it can be unpacked' or diag $output;
chdir "$dir/$name" or die "chdir: $!";
mkdir "$dir/bin" or die "mkdir: $!";
for my $tool (qw(git npm node)) {   # whoever asks for these is found out
    open my $script, '>', "$dir/bin/$tool" or die "$tool: $!";
    print $script "#!/bin/sh\necho '$tool' \"\$@\" >>'$dir/asked'\nexit 1\n";
    close $script;
    chmod 0755, "$dir/bin/$tool";
}
{
    local $ENV{PATH} = "$dir/bin:$ENV{PATH}";
    delete local @ENV{qw(BUILD SANITIZE CC MAKEFLAGS MAKELEVEL)};
    ($code, $output) = run('make');
    is $code, 0, 'make builds there' or diag $output;
    ok -s "build/$_", "... $_" for qw(mod_tickets.so mod_orders.so svc-keygen);
    is slurp("$dir/asked"), '', '... without git or npm';
    is +(run('build/svc-keygen --version'))[1], "svc-keygen $version\n", '... and is of that version';
    ($code, $output) = run("BUILD='$dir/second' make -s dist");
    is $code, 0, 'make dist works there as well' or diag $output;
}
ok slurp("$dir/first/$name.tar.gz") eq slurp("$dir/second/$name.tar.gz"), '... and makes the same file, byte for byte';

# --- a version that is not told in the changelog of the packages
my $header = slurp('common/svc_version.h');
open my $out, '>', 'common/svc_version.h' or die "svc_version.h: $!";
print $out $header =~ s/"\Q$version\E"/"99.0"/r;
close $out;
($code, $output) = run('make -s dist');
isnt $code, 0, 'a version that the changelog does not have is refused';
like $output, qr/^version: SVC_VERSION is 99\.0, and \S+changelog begins with '\Q$version\E'/m, '... in a sentence that says where to tell it';

chdir $top;
done_testing;
