# Configurations that work, but about which something must be said, and where a service may be switched on: only in
# the server's configuration, in one virtual host or in several.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Server;

my $site = qq(DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\n);   # nothing is published

# Without AuthType: a warning, for reading works.
{
    my $server = TestSvc::Server->new;
    my $hosts = join '', map { <<"CONF" } qw(tickets orders);
Listen 127.0.0.1:\@port:$_\@
<VirtualHost 127.0.0.1:\@port:$_\@>
  ServerName $_.example
  DBDParams "\@dir\@/data/$_.db"
  <Location "/api/$_">
    SetHandler $_
  </Location>
</VirtualHost>
CONF
    $server->write_conf(site => $site . $hosts, conf => '');
    my ($code, $output) = $server->configtest;
    is $code, 0, 'a service in a server with authentication elsewhere only is accepted' or diag $output;
    # The main server of TestSvc::Server has its own AuthType; what follows has none at all.
    my $file = $server->dir . '/httpd.conf';
    open my $in, '<', $file or die "$file: $!";
    my $text = do { local $/; <$in> };
    close $in;
    $text =~ s{<IfModule.*?</IfModule>\n}{}gs;
    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out;
    ($code, $output) = $server->configtest;
    is $code, 0, 'a service without AuthType is accepted' or diag $output;
    for my $service (qw(tickets orders)) {
        my $warning = qr/^SVC051: the virtual host $service\.example \(\S+:\d+\): SetHandler $service without AuthType/m;
        is scalar(() = $output =~ /$warning/g), 1,
            "with one warning that names SetHandler $service and where it stands" or diag $output;
    }
    like $output, qr/^Syntax OK$/m, 'and the rest is fine';
}

# Two virtual hosts on one database are one service; another database is another one. A path of one's own.
{
    my $server = TestSvc::Server->new(site => $site, conf => <<'CONF')->start;
Listen 127.0.0.1:@port:second@
<VirtualHost 127.0.0.1:@port:second@>
</VirtualHost>
Listen 127.0.0.1:@port:third@
<VirtualHost 127.0.0.1:@port:third@>
  DBDParams "@dir@/data/third.db"
  TicketsMaxBody 100
  TicketsPublish tcp://127.0.0.1:@port:third_pub@
  TicketsReplay tcp://127.0.0.1:@port:third_replay@
  <Location "/box/office">
    SetHandler tickets
    AuthType Basic
    AuthName "box"
    AuthBasicProvider file
    AuthUserFile "@top@/t/conf/users"
    <LimitExcept GET>
      Require valid-user
    </LimitExcept>
  </Location>
</VirtualHost>
CONF
    my ($second, $third) = map { 'http://127.0.0.1:' . $server->port($_) } qw(second third);
    my $ticket = new_ticket(vhost => $server);
    is_deeply ticket($ticket->{id}, vhost => $second), $ticket, 'two virtual hosts on one database are one service';
    is api(GET => '/api/orders', vhost => $second, user => 'bob')->code, 200,
        'what the server has its virtual hosts have';
    is api(GET => "/box/office/$ticket->{id}", vhost => $third)->code, 404, 'another database is another service';
    my $made = api(POST => '/box/office', vhost => $third, user => 'alice', json => { title => 'T', price => 1 });
    is $made->code, 201, 'which may be anywhere';
    is $made->header('Location'), '/box/office/' . $made->json->{id}, 'and says so';
    is api(GET => $made->header('Location'), vhost => $third)->code, 200, 'and is found there';
    problem_ok api(POST => '/box/office', vhost => $third, user => 'alice', json => { title => 'x' x 90, price => 1 }),
        413,
        [ { message => qr/\b100 bytes\b/ } ], 'TicketsMaxBody counts where it stands';
    is api(POST => '/api/tickets', vhost => $server, user => 'alice', json => { title => 'x' x 90, price => 1 })->code,
        201, 'and nowhere else';
    $server->stop;
    log_is_clean(server => $server);
}

# .htaccess is for whoever may write in a folder: it does not switch on a service.
{
    my $server = TestSvc::Server->new(conf => qq(<Directory "\@dir\@/htdocs">\nAllowOverride All\n</Directory>\n));
    for my $service (qw(tickets orders)) {
        my $folder = $server->dir . "/htdocs/$service";
        mkdir $folder or die "$folder: $!";
        open my $out, '>', "$folder/.htaccess" or die "$folder: $!";
        print $out "SetHandler $service\n";
    }
    mkdir $server->dir . '/htdocs/other';
    open my $out, '>', $server->dir . '/htdocs/other/.htaccess' or die $!;
    print $out "SetHandler default-handler\nAuthType None\n";
    close $out;
    $server->start;
    for my $service (qw(tickets orders)) {
        my $answer = api(GET => "/$service/", vhost => $server);
        is $answer->code, 500, "SetHandler $service in .htaccess is refused";
        unlike $answer->content, qr/"id"|\[\]/, 'and shows nothing';
        is api(GET => "/$service/x", vhost => $server)->code, 500, 'nor does what is below';
    }
    isnt api(GET => '/other/', vhost => $server)->code, 500, 'SetHandler of others is none of our business';
    my $sentence = qr/SetHandler: this service is set in the server's configuration, not in \.htaccess/;
    is scalar(() = $server->error_log =~ /$sentence/g), 4, 'the error log says why';
    is api(GET => '/api/tickets', vhost => $server)->code, 200, 'the service itself works on';
    $server->stop;
    log_is_clean(server => $server, except
        => [ qr/:alert\].*\.htaccess: SetHandler: this service/, qr/AH01276|AH01630|autoindex/ ]);
}

# A setting outside a service's own virtual host comes with it; nearer ones win.
{
    my $server = TestSvc::Server->new(conf => <<'CONF')->start;
OrdersExpiration 60
TicketsMaxBody 100
OrdersMaxBody 100
Listen 127.0.0.1:@port:near@
<VirtualHost 127.0.0.1:@port:near@>
  TicketsMaxBody 200
</VirtualHost>
CONF
    my $near = 'http://127.0.0.1:' . $server->port('near');
    my $body = { title => 'x' x 100, price => 1 };
    problem_ok api(POST => '/api/tickets', vhost => $server, user => 'alice', json => $body), 413, undef,
        'the server allows 100 bytes';
    is api(POST => '/api/tickets', vhost => $near, user => 'alice', json => $body)->code, 201, 'the virtual host 200';
    my $order = new_order(vhost => $near, ticket => new_ticket(vhost => $near));
    my ($left) = db($server)->selectrow_array(
        'SELECT o.expires_at - l.recorded_at FROM orders o JOIN orders_log l ON l.position = o.position');
    cmp_ok abs($left - 60000), '<=', 50, 'and has the time to pay of the server';
    problem_ok api(POST => '/api/orders', vhost => $near, user => 'bob', json => { ticketId => 'x' x 100 }), 413,
        undef, 'and its limit for orders';
    $server->stop;
    log_is_clean(server => $server);
}

log_is_clean;
done_testing;
