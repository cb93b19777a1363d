# The rules about files that the architecture rests on: who includes whom, who may see httpd and each foreign
# library, what each file and each module exports, how long things are, and that all directives are documented.
use strict;
use warnings FATAL => 'all';
use File::Temp 'tempdir';
use FindBin;
use Test::More;

chdir "$FindBin::Bin/.." or die "chdir: $!";
my $build = $ENV{TEST_BUILD} || 'build';
my $httpd = $ENV{TEST_HTTPD} || (grep { -x } '/usr/sbin/apache2', '/usr/sbin/httpd')[0] || 'httpd';

# The layers, lowest first; an include may go down or stay on its layer. A new file is placed here.
my @layers = (
    [ base      => qw(svc_err svc_log svc_outage svc_stats svc_time svc_etag svc_money svc_origin svc_version) ],
    [ tools     => qw(svc_db svc_db_sql svc_db_class svc_db_mask svc_db_place svc_db_rows svc_db_session svc_db_watch svc_json svc_bus svc_curve svc_door svc_endpoint svc_id svc_lock) ],
    [ domain_io => qw(svc_stream svc_event svc_schema svc_schema_script svc_inbox svc_idempotency svc_recent
                      MODULE MODULE_store MODULE_list_store MODULE_payments_store MODULE_json MODULE_change MODULE_replica MODULE_events
                      MODULE_schema) ],
    [ use_cases => qw(MODULE_service MODULE_list svc_queue svc_writer svc_batch svc_gather svc_replay svc_publisher svc_source svc_link svc_sources
                      svc_subscriber svc_leader svc_health) ],
    [ edge      => qw(mod_MODULE_private mod_MODULE_conf mod_MODULE_http
                      svc_ap_route svc_ap_http svc_ap_query svc_ap_check svc_ap_newer svc_ap_conf svc_ap_db svc_ap_dump svc_ap_fetch svc_ap_files svc_ap_instance svc_ap_module svc_ap_create svc_ap_history svc_ap_worker
                      svc_ap_status svc_ap_status_view svc_ap_status_page svc_ap_status_json svc_ap_status_prometheus svc_ap_status_section) ],
    [ wiring    => qw(mod_MODULE) ],
);
my %layer;   # stem -> number
for my $n (0 .. $#layers) {
    for my $stem (@{ $layers[$n] }[1 .. $#{ $layers[$n] }]) {
        for my $module ($stem =~ /MODULE/ ? qw(tickets orders) : '') {
            (my $name = $stem) =~ s/MODULE/$module/;
            $layer{$name} = $n;
        }
    }
}

# A foreign library has one includer. mod_dbd.h does not compile without apr_dbd.h before it.
my %includer = (
    'jansson.h'         => [qw(svc_json)],
    'zmq.h'             => [qw(svc_bus)],
    'apr_dbd.h'         => [qw(svc_db svc_ap_db)],
    'mod_dbd.h'         => [qw(svc_ap_db)],
    'apr_thread_proc.h' => [qw(svc_ap_worker)],
);

my @files = sort glob '{common,mod_tickets,mod_orders}/*.[ch]';
my (%text, %includes);   # file -> its text without comments; file -> [[name, is it ours], ...]
for my $file (@files) {
    open my $in, '<', $file or die "$file: $!";
    local $/;
    my $code = <$in>;
    $code =~ s{("(?:[^"\\\n]|\\.)*")|/\*.*?\*/|//[^\n]*}{defined $1 ? $1 : ' '}gse;
    $text{$file} = $code;
    $includes{$file} = [];
    push @{ $includes{$file} }, [$2, $1 eq '"'] while $code =~ /^\s*#\s*include\s*(["<])([^">]+)[">]/mg;
}
my %home = map { m{([^/]+)$} ? ($1 => $_) : () } grep { /\.h$/ } @files;   # header -> its file

sub stem   { my ($stem) = $_[0] =~ m{([^/]+)\.[ch]$}; return $stem }
sub folder { my ($folder) = $_[0] =~ m{^([^/]+)/}; return $folder }
sub none {   # each complaint is a reason
    my ($name, @complaints) = @_;
    ok(!@complaints, $name) or diag join "\n", @complaints;
}

cmp_ok scalar(@files), '>', 20, 'the sources are here';

none 'each file has its place in the layers (t/layout.t)',
    map { "$_ has none" } grep { !defined $layer{ stem($_) } } @files;

{
    my ($include_dir) = map { chomp; $_ } qx(apxs -q INCLUDEDIR);
    my %of_httpd = map { m{([^/]+)$} ? ($1 => 1) : () } glob "$include_dir/*.h";
    ok $of_httpd{'httpd.h'}, 'the headers of httpd are known';
    none 'only mod_* and svc_ap_* include headers of httpd', map {
        my $file = $_;
        my @seen = grep { $of_httpd{$_} } map { $_->[0] } @{ $includes{$file} };
        stem($file) =~ /^(?:mod_|svc_ap_)/ ? () : map { "$file includes $_" } @seen;
    } @files;
}

none 'each foreign library has one includer', map {
    my $file = $_;
    my @foreign = grep { $includer{$_} } map { $_->[0] } @{ $includes{$file} };
    map { my $header = $_; (grep { $_ eq stem($file) } @{ $includer{$header} }) ? () : "$file includes $header" } @foreign;
} @files;

{
    my @wrong;
    for my $file (@files) {
        for my $name (map { $_->[0] } grep { $_->[1] } @{ $includes{$file} }) {
            my $target = $home{$name} or next;   # a header of a library, in quotes
            my ($from, $to) = ($layer{ stem($file) }, $layer{ stem($name) });
            push @wrong, "$file ($layers[$from][0]) includes $name ($layers[$to][0])"
                if defined $from && defined $to && $to > $from;
            push @wrong, "$file includes $name of $target"
                if folder($target) ne 'common' && folder($target) ne folder($file);
            push @wrong, "$file includes $name, which knows httpd"
                if stem($name) =~ /^(?:svc_ap_|mod_)/ && stem($file) !~ /^(?:svc_ap_|mod_)/;
        }
    }
    none 'includes point down, and never from one module to the other', @wrong;
}

{
    my (%state, @cycles);   # 1: on the way, 2: done
    my $visit;
    $visit = sub {
        my ($header, @path) = @_;
        if (($state{$header} || 0) == 1) { push @cycles, join ' -> ', @path, $header; return }
        return if $state{$header};
        $state{$header} = 1;
        $visit->($_, @path, $header) for grep { $home{$_} } map { $_->[0] } @{ $includes{ $home{$header} } };
        $state{$header} = 2;
    };
    $visit->($_) for sort keys %home;
    none 'headers do not include one another in a circle', @cycles;
}

{
    my (@wrong, $seen);
    for my $file (grep { /\.c$/ } @files) {
        (my $object = "$build/obj/$file") =~ s/\.c$/.o/;
        push @wrong, "$object is not built" and next unless -e $object;
        for (qx(nm -g --defined-only '$object')) {
            my ($symbol) = /^\S+ [A-Z] (\S+)$/ or next;
            next if $symbol =~ /^__/ || ($file =~ m{/mod_(\w+)\.c$} && $symbol eq "$1_module");
            $seen++;
            my $stem = stem($file);
            push @wrong, "$file defines $symbol" unless $symbol =~ /^\Q$stem\E(?:_|$)/;
        }
    }
    ok $seen, 'the objects define something';
    none "each name that is not static begins with its file's stem", @wrong;
}

for my $module (qw(tickets orders)) {
    my @exported = map { /^\S+ \S (\S+)$/ ? $1 : () } qx(nm -D --defined-only '$build/mod_$module.so');
    is_deeply \@exported, ["${module}_module"], "mod_$module.so exports its module record and nothing else";
}

none 'transactions are statements, never apr_dbd_transaction_*', grep { $text{$_} =~ /apr_dbd_transaction_/ } @files;
none "log lines carry tags of our own, not httpd's APLOGNO", grep { $text{$_} =~ /APLOGNO/ } @files;

{
    my (%places, %named);   # a message begins with its tag and a colon; others may name it
    for my $file (@files) {
        push @{ $places{$1} }, $file while $text{$file} =~ /"[^"\n]*\b((?:TKT|ORD|SVC)\d{3}):/g;
        $named{$1} = 1 while $text{$file} =~ /\b((?:TKT|ORD|SVC)\d{3})\b/g;
    }
    cmp_ok scalar(keys %places), '>', 2, 'log lines carry tags';
    my $manual = do { local (@ARGV, $/) = 'docs/operations.md'; <> };
    none 'each log tag is explained in docs/operations.md', grep { $manual !~ /^\| $_ \|/m } sort keys %places;
    none 'each log tag that is named is logged', grep { !$places{$_} } sort keys %named;
    none 'each log tag is used in one place',
        map { "$_ in @{ $places{$_} }" } grep { @{ $places{$_} } > 1 } sort keys %places;
}

{
    my (@long_files, @long_functions);
    for my $file (@files) {
        open my $in, '<', $file or die "$file: $!";
        my ($begin, $what) = (0, '');
        while (<$in>) {
            $what = $_ if /^\w.*\(/;
            $begin = $. if /^\{/;
            if (/^\}/ && $begin) {
                my $lines = $. - $begin + 1;
                push @long_functions, "$file: $lines lines: $what" if $lines > 80;
                note "$file: $lines lines: $what" if $lines > 60;
                $begin = 0;
            }
        }
        push @long_files, "$file has $. lines" if $. > 500;
    }
    none 'no file is longer than 500 lines', @long_files;
    none 'no function is longer than 80 lines', @long_functions;
}

{
    my $dir = tempdir(CLEANUP => 1);
    my $modules = $ENV{TEST_MODULES} || '/usr/lib/apache2/modules';
    open my $conf, '>', "$dir/httpd.conf" or die "httpd.conf: $!";
    print $conf "ServerName localhost\nErrorLog /dev/null\n";
    print $conf "LoadModule mpm_event_module $modules/mod_mpm_event.so\nLoadModule dbd_module $modules/mod_dbd.so\n";
    my $folder = $build =~ m{^/} ? $build : "$FindBin::Bin/../$build";
    print $conf map { "LoadModule ${_}_module $folder/mod_$_.so\n" } qw(tickets orders);
    close $conf;
    my $list = qx('$httpd' -d '$dir' -f '$dir/httpd.conf' -L 2>/dev/null);
    # Of each directive [arguments, default, where it may stand], as httpd, the reference and docs/directives.md have it.
    my %exists;
    while ($list =~ /^((?:Tickets|Orders)\w+) \(mod_\w+\.c\)\n\t(.*)\n((?:\t.*\n)+)/mg) {
        my ($name, $help, $where) = ($1, $2, $3);
        my ($arguments, $default, $text) = $help =~ /^(.+?) \(default: (.+?)\): (.{8,})$/ or fail("the help of $name: $help");
        $exists{$name} = [$arguments, $default, $where =~ /only inside <Directory>/ ? 'directory, location' : 'server, virtual host'];
    }
    cmp_ok scalar(keys %exists), '>', 5, 'httpd knows our directives';

    my (%reference, @wrong);
    my @blocks = split /\n\n+/, do { local (@ARGV, $/) = 'conf/reference.conf'; <> };
    for (grep { /^# Syntax:/m } @blocks) {
        my ($name, $arguments) = /^# Syntax:  (\w+) (.+)$/m;
        my ($where, $default) = /^# Context: (.+?)\s{2,}Default: ([^,;\n]+)/m;
        my ($why) = /^# Context: .*\n((?:# .*\n)+)#\S/m;
        push @wrong, "$name: no sentence, or no example" unless length($why || '') > 40 && /^#(?:\Q$name\E |<)/m;
        $reference{$name} = [$arguments, $default, $where];
    }
    is_deeply \%reference, \%exists, 'conf/reference.conf has the syntax, the context and the default of each directive, as httpd -L';
    none 'and says of each what it is for, with an example', @wrong;

    my %table;
    my ($text) = do { local (@ARGV, $/) = 'docs/directives.md'; <> };
    while ($text =~ /^\| (`.*?`) \| ([^|]*?) \| (.+) \|$/mg) {
        my ($names, $default, $meaning) = ($1, $2, $3);
        s/\\\|/|/g, s/:.*// for $names, $default;
        my $where = $meaning =~ /^in a `<Location>`/ ? 'directory, location' : 'server, virtual host';
        $table{$1} = [$2, $default, $where]
            while $names =~ /`((?:Tickets|Orders)\w+) (.+?)`/g;
    }
    is_deeply \%table, \%exists, "docs/directives.md has the syntax and the default of each directive, as httpd -L";
    for my $document (grep { -f } glob 'README.md docs/*.md conf/*') {
        my $text = do { local (@ARGV, $/) = $document; <> };
        my %named = map { ($_ => 1) } $text =~ /(?<![\w.-])((?:Tickets|Orders)[A-Z][A-Za-z]+)\b/g;
        none "$document names no directive that does not exist", grep { !$exists{$_} } sort keys %named;
    }
}

{   # no example that nobody has seen running, or can find
    my $text = sub { join '', map { open my $in, '<', $_ or die "$_: $!"; local $/; <$in> } @_ };
    my $suites = $text->(grep { -f } map { chomp; $_ } qx(find t bin -name '*.t' -o -name '*.pm' -o -name run.sh));
    my $documents = $text->('README.md', glob 'docs/*.md');
    my $installed = $text->('bin/install.sh');
    my @examples = map { m{^conf/(.+)} && $1 ne 'reference.conf' ? $1 : () } grep { -f } glob 'conf/*';   # that one is comments
    cmp_ok scalar(@examples), '>', 10, 'there are examples';
    none 'each example in conf/ is started by a suite', grep { $suites !~ /['\/]\Q$_\E\b/ } @examples;
    none 'each is mentioned in a document, and installed', grep {
        (my $name = $_) =~ s/\.conf\z//;
        $_ ne 'run.conf.in' && ($documents !~ m{\(\S*conf/\Q$_\E\)} || $installed !~ /(?<![\w-])\Q$name\E(?![\w-])/);
    } @examples;
}

is readlink 'README', 'README.md', 'README is a link to README.md';

done_testing;
