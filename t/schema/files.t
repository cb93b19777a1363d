# conf/schema is what the steps in the source say: as `make schema` writes it.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Cwd 'abs_path';
use File::Temp ();
use TestSvc;
use TestSvc::Schema;

(my $top = abs_path(__FILE__)) =~ s{/t/schema/files\.t$}{};
$ENV{BUILD} = $ENV{TEST_BUILD} || "$top/build";

sub slurp { my ($file) = @_; open my $in, '<', $file or return "$file: $!"; local $/; return scalar <$in> }

my $tmp = File::Temp->newdir('schema.XXXXXX', TMPDIR => 1);
is system("$top/bin/schema-files.sh", $tmp->dirname), 0, 'the files are written';
for my $engine (qw(sqlite3 pgsql mysql)) {
    my @wanted = map { m{([^/]+)\z} } sort glob "$tmp/$engine/*";
    cmp_ok scalar(@wanted), '>=', 6, "there are files for $engine";
    is_deeply [map { m{([^/]+)\z} } sort glob "$top/conf/schema/$engine/*"], \@wanted, '... the same in conf/schema';
    for my $name (@wanted) {
        is slurp("$top/conf/schema/$engine/$name"), slurp("$tmp/$engine/$name"),
            "conf/schema/$engine/$name is up to date (make schema writes it anew)";
    }
}

# Whoever upgrades from version to version ends up with what an empty database gets.
for my $service (qw(tickets orders)) {
    my (undef, $all) = schema_tool(undef, '--driver', 'sqlite3', '--from', 0, $service, 'print');
    my ($last) = $all =~ / to (\d+)\.\n/;
    my $pieces = join '', map { (schema_tool(undef, '--driver', 'sqlite3', '--from', $_ - 1, '--to', $_, $service, 'print'))[1] } 1 .. $last;
    my @changes = map { [grep { /^(?:CREATE|ALTER|DROP|  )/ } split /\n/, $_] } $all, $pieces;
    is_deeply $changes[1], $changes[0], "all steps of $service one by one are what an empty database gets";
}

log_is_clean;
done_testing;
