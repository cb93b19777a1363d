# The manual (docs/manual) and the modules do not drift apart: each directive that exists is there, with the syntax,
# default and context of conf/reference.conf and docs/directives.md; and what is made of it are good manual pages and HTML.
use strict;
use warnings FATAL => 'all';
use File::Temp 'tempdir';
use FindBin;
use Test::More;
use XML::LibXML ();

chdir "$FindBin::Bin/../.." or die "chdir: $!";
my $build = $ENV{TEST_BUILD} || 'build';
$build = "$FindBin::Bin/../../$build" unless $build =~ m{^/};
my $httpd = $ENV{TEST_HTTPD} || '/usr/sbin/apache2';
my $modules = $ENV{TEST_MODULES} || '/usr/lib/apache2/modules';
my $dir = tempdir(CLEANUP => 1);

sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!"; local $/; return scalar <$in> }
sub none { my ($name, @complaints) = @_; ok(!@complaints, $name) or diag join "\n", @complaints }
sub words { my ($text) = @_; $text =~ s/\s+/ /g; $text =~ s/^ | $//g; return $text }
sub xml { my ($text) = @_; $text =~ s/&/&amp;/g; $text =~ s/</&lt;/g; $text =~ s/>/&gt;/g; return $text }

# conf/reference.conf: name -> its syntax, default (undef: none), context, text.
my (%reference, $entry);
for (split /\n/, slurp('conf/reference.conf')) {
    if (/^# Syntax: +((\w+) .*?)\s*$/) {
        $reference{$2} = $entry = { syntax => $1, text => '' };
    } elsif ($entry && /^# Context: +(.*?) +Default: +(.*)$/) {
        my ($context, $default) = ($1, $2);
        $context =~ s/^server\b/server config/;
        $context =~ s/, location\b//;   # it is a kind of directory in httpd's manual
        $entry->{context} = $context;
        ($entry->{default}) = $default =~ /^([^,;]+)/;
        undef $entry->{default} if $entry->{default} eq 'none';
    } elsif ($entry && /^# (.*)$/) {
        $entry->{text} .= "$1\n";
    } else {
        undef $entry;
    }
}
cmp_ok scalar(keys %reference), '>', 10, 'conf/reference.conf has directives';

# docs/directives.md: name -> its default.
my %readme;
for (grep { /^\| `(?:Tickets|Orders)/ } split /\n/, slurp('docs/directives.md')) {
    my (undef, $names, $default) = split / *(?<!\\)\| */;
    $default =~ s/:.*//;
    undef $default if $default eq 'none';
    $readme{$_} = $default for $names =~ /`(\w+)/g;
}

# What to put into the page for a directive that it lacks.
sub skeleton {
    my ($name) = @_;
    my $is = $reference{$name} or return "describe $name in conf/reference.conf first";
    (my $syntax = xml($is->{syntax})) =~ s{\b([A-Z][A-Z-]+)\b}{<var>\L$1\E</var>}g;
    return join '', "<directivesynopsis>\n<name>$name</name>\n<description>...</description>\n<syntax>$syntax</syntax>\n",
        (defined $is->{default} ? "<default>$name $is->{default}</default>\n" : ''),
        '<contextlist>', (map { "<context>$_</context>" } split /, /, $is->{context}), "</contextlist>\n",
        "<status>External</status>\n\n<usage>\n<p>", xml($is->{text}) =~ s/\n\z//r, "</p>\n</usage>\n</directivesynopsis>";
}

{
    open my $conf, '>', "$dir/httpd.conf" or die "httpd.conf: $!";
    print $conf "ServerName localhost\nErrorLog /dev/null\n";
    print $conf "LoadModule mpm_event_module $modules/mod_mpm_event.so\nLoadModule dbd_module $modules/mod_dbd.so\n";
    print $conf map { "LoadModule ${_}_module $build/mod_$_.so\n" } qw(tickets orders);
}
my $known = qx('$httpd' -d '$dir' -f '$dir/httpd.conf' -L 2>&1);
my $parser = XML::LibXML->new(validation => 1, load_ext_dtd => 1, no_network => 1);

for my $module (qw(mod_tickets mod_orders)) {
    my $page = "docs/manual/mod/$module.xml";
    my %context;   # of each directive, as the module's command table has it
    while ($known =~ /^((?:Tickets|Orders)\w+) \($module\.c\)\n\t.*\n\tAllowed in \*\.conf (.*)$/mg) {
        my ($name, $where) = ($1, $2);
        $context{$name} = $where =~ /^only outside/ ? 'server config, virtual host' : $where =~ /^only inside/ ? 'directory' : $where;
    }
    cmp_ok scalar(keys %context), '>', 5, "httpd knows the directives of $module";

    my $document = eval { $parser->parse_file($page) };
    ok $document, "$page is valid" or diag $@ or next;
    my %manual = map { ($_->findvalue('name') => $_) } $document->findnodes('//directivesynopsis');
    none "$page has each directive that exists", map { "$_ is missing; put this into $page and complete it:\n" . skeleton($_) }
        grep { !$manual{$_} } sort keys %context;
    none '... and no other', grep { !$context{$_} } sort keys %manual;
    my @wrong;
    for my $name (grep { $manual{$_} && $reference{$_} } sort keys %context) {
        my ($node, $is) = ($manual{$name}, $reference{$name});
        my %manual = (
            syntax  => words($node->findvalue('syntax')),
            default => $node->findvalue('default') || "$name none",
            context => join(', ', map { $_->textContent } $node->findnodes('contextlist/context')),
        );
        my %expected = (syntax => $is->{syntax}, default => "$name " . ($is->{default} // 'none'), context => $is->{context});
        # the manual's arguments are in italics, not in capitals
        push @wrong, map { "$name: $_ is '$manual{$_}' there, '$expected{$_}' in conf/reference.conf" }
            grep { $_ eq 'syntax' ? uc $manual{$_} ne uc $expected{$_} : $manual{$_} ne $expected{$_} } sort keys %expected;
        push @wrong, "$name: context is '$manual{context}' there, and '$context{$name}' in the module" if $manual{context} ne $context{$name};
        push @wrong, "$name: default is '" . ($is->{default} // 'none') . "' in conf/reference.conf, and '" . ($readme{$name} // 'none') . "' in docs/directives.md"
            if exists $readme{$name} && ($is->{default} // 'none') ne ($readme{$name} // 'none');
        push @wrong, "$name is not in docs/directives.md" if !exists $readme{$name};
    }
    none '... with the syntax, default and context that they have elsewhere', @wrong;

    (my $example = slurp("conf/" . $module =~ s/^mod_//r . '.conf')) =~ s/\A(?:#.*\n)+\n//;
    is words($document->findvalue('//section[@id="example"]/highlight[1]')), words($example), '... and the example of conf/';
}

is system("BUILD='$dir' bin/manual.sh"), 0, 'bin/manual.sh makes the manual';
for my $module (qw(mod_tickets mod_orders)) {
    my @names = map { $_->textContent } $parser->parse_file("docs/manual/mod/$module.xml")->findnodes('//directivesynopsis/name');
    my $page = slurp("$dir/manual/$module.8");
    none "$module.8 has each directive", grep { $page !~ /^\.SS $_$/m } @names;
    my $html = XML::LibXML->new(recover => 0)->parse_html_file("$dir/manual/$module.html");
    my %id;
    $id{ $_->value }++ for $html->findnodes('//@id');
    none "$module.html has each directive once", grep { ($id{ lc $_ } || 0) != 1 } @names;
    none '... and all of its links into itself lead somewhere',
        grep { !$id{$_} } map { $_->value =~ /^#(.*)/ ? $1 : () } $html->findnodes('//@href');
    none '... and asks no server for anything', map { $_->nodeName } $html->findnodes('//link | //script | //img');
}
for my $program (glob "'$build'/svc-*") {
    (my $name = $program) =~ s{.*/}{};
    my ($file) = glob "$dir/manual/$name.[18]";
    ok $file && -e $file, "$name has a manual page in docs/man" or next;
    (my $page = slurp($file)) =~ s/\\-/-/g;
    like $page, qr/^\.SH NAME\n\Q$name\E - /m, '... which begins with what it is';
    my $help = qx('$program' --help);
    ok length $help, '... it says how it is used with --help';
    none '... and the page names each option that --help names', grep { $page !~ /\Q$_\E/ } $help =~ /(?<!\S)(--?[a-z]+)/g;
}
for my $page (sort glob "$dir/manual/*.[18]") {
    (my $name = $page) =~ s{.*/}{};
    is qx(mandoc -Tlint -Wwarning '$page' 2>&1), '', "mandoc finds nothing wrong with $name";
    is qx(groff -ww -man -Tutf8 -z '$page' 2>&1), '', '... nor does groff';
    unlike slurp($page), qr/@[A-Z]+@/, '... and nothing in it is still to be filled in';
}

done_testing;
