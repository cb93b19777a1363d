# Each line of conf/reference.conf that is an example can be copied as it stands, and all of them together.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Event;
use TestSvc::Server;

my $server = TestSvc::Server->new;
my $dir = $server->dir;
mkdir "$dir/shop" or die "shop: $!";
for my $service (qw(tickets orders)) {
    my $keys = new_keys("$dir/shop/$service");
    open my $list, '>', "$dir/shop/$service.allow" or die "$service.allow: $!";
    print $list "$keys->{public}\n";
    close $list or die "$service.allow: $!";
    chmod 0644, "$dir/shop/$service.allow";
}

my $file = TestSvc::conf_file('reference.conf');
$file =~ s{t/conf/}{conf/};
open my $in, '<', $file or die "$file: $!";
my @examples = map { s/^#(?! |-|$)// ? $_ : () } <$in>;
my @directives = grep { /^\s*(?:Tickets|Orders)/ } @examples;
cmp_ok scalar(@directives), '>', 20, 'the reference has examples';
$server->write_conf(site => qq(DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\n), conf => join '', @examples);
my ($code, $output) = $server->configtest;
is "$code $output", "0 Syntax OK\n", 'all of them are accepted together';
for my $directive (grep { !/^\s|^\w+Curve/ } @directives) {
    my $follows = $directive =~ /^OrdersSubscribe/ ? '' : "OrdersSubscribe tcp://127.0.0.1:6999\n";
    $server->write_conf(conf => "$follows$directive");
    ($code, $output) = $server->configtest;
    chomp $directive;
    is "$code $output", "0 Syntax OK\n", "$directive alone";
}

log_is_clean;
done_testing;
