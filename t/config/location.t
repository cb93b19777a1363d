# An API is in its Location and in no folder: what httpd is told about folders and files does not concern it.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Server;

plan tests => 4;

my $server = TestSvc::Server->new(conf => <<'CONF');
<Directory "/">
  AllowOverride All
  Require all denied
</Directory>
<Location "/api/tickets/elsewhere">
  SetHandler none
</Location>
CONF
mkdir $server->dir . "/htdocs/$_" for qw(api api/tickets);
open my $file, '>', $server->dir . '/htdocs/api/tickets/.htaccess' or die "htaccess: $!";
print $file "This is no directive\n";
close $file;
$server->start->wait_database;

my $get = sub { LWP::UserAgent->new(env_proxy => 0)->get($server->url($_[0]))->code };
is $get->('/api/tickets'), 200, 'a folder of the same name does not matter, nor what is denied or written there';
is $get->('/api/orders'), 401, 'what the Location requires does';
is $get->('/'), 403, 'a folder is guarded as before';
is $get->('/api/tickets/elsewhere'), 500, 'a Location inside that has another handler is a file again';
$server->stop;
