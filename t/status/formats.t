# How a service is, in each format: the page, JSON, Prometheus' text, one word, mod_status' page and ?auto; which one is
# sent, to whom, and what stands in it: nothing about users or titles.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use Fcntl qw(:flock F_SETLKW F_WRLCK SEEK_SET);
use JSON::PP ();
use TestSvc;
use TestSvc::Server;
use TestSvc::Status;
use TestSvc::Truth;

my $server = TestSvc::Server->new(conf => status_conf() . <<'CONF')->start;
LoadModule status_module "@modules@/mod_status.so"
<Location "/server-status">
  SetHandler server-status
</Location>
<Location "/guarded">
  SetHandler tickets-status
  Require all denied
</Location>
CONF
my $ticket = new_ticket(vhost => $server, title => 'Secret <title> & more');
my $order = new_order(vhost => $server, ticket => $ticket);
wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 10, 'the reservation';
wait_quiet($server);

sub ask { my ($path, %headers) = @_; return api(GET => $path, vhost => $server, headers => \%headers) }

# --- which one
for my $case (
    ['',                                                       'text/html',        'who says nothing gets the page'],
    ['*/*',                                                    'text/html',        'who takes anything does too'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8', 'text/html', 'a browser does'],
    ['application/json',                                       'application/json', 'who wants JSON gets it'],
    ['text/html;q=0.5, application/json',                      'application/json', '... who prefers it'],
    ['application/json;q=0.5,text/html',                       'text/html',        '... not who prefers the page'],
    ['application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2', 'text/plain', 'Prometheus gets its text'],
    ['text/html;q=0.5, application/json;q=1e99',               'application/json', 'who gives more than 1 gives 1'],
    ['text/html;q=nan, application/json;q=0.1',                'application/json', '... and no number is nothing'],
    ['text/html;q=0.5, application/json;seq=0.1; Q=0.6',       'application/json', '... and q is a parameter of its own'],
    ['image/png',                                              'text/html',        'who wants what there is not gets the page'],
    [';;,, ,text/html;q=,"',                                   'text/html',        'who says nonsense does'],
) {
    my ($accept, $type, $name) = @$case;
    my $answer = ask('/status/tickets', length $accept ? (Accept => $accept) : ());
    is $answer->code, 200, $name;
    like $answer->header('Content-Type'), qr{^\Q$type\E\b}, '... by its type';
}
my %type = (html => 'text/html; charset=utf-8', json => 'application/json', prometheus => 'text/plain; version=0.0.4; charset=utf-8',
            ready => 'text/plain', live => 'text/plain');
for my $format (sort keys %type) {
    my $answer = ask("/status/orders?x=1&format=$format", Accept => 'text/html');
    is $answer->code, 200, "format=$format is answered";
    like $answer->header('Content-Type'), qr{^\Q$type{$format}\E}, '... by its type, whatever Accept says';
    is $answer->header('Cache-Control'), 'no-store', '... not to be stored';
    is $answer->header('Content-Length'), length $answer->content, '... with its length';
    my $head = api(HEAD => "/status/orders?format=$format", vhost => $server);
    is $head->code . $head->content, '200', '... HEAD is the same without a body';
    is $head->header('Content-Type'), $answer->header('Content-Type'), '... of the same type';
}
problem_ok ask('/status/tickets?format=xml'), 400, [{ field => 'format', message => qr/html, json, prometheus, ready, live$/ }],
    'another format is a 400 that names those there are';
for my $method (qw(POST PUT DELETE OPTIONS PATCH)) {
    my $answer = api($method => '/status/tickets', vhost => $server);
    problem_ok $answer, 405, undef, "$method is a 405";
    is $answer->header('Allow'), 'GET, HEAD', '... with Allow';
}
is ask('/guarded?format=json')->code, 403, 'Require decides who may look';

# --- the words
is ask('/status/tickets?format=ready')->content, "ready\n", 'ready is one word';
is ask('/status/tickets?format=live')->content, "live\n", 'live is one word';

# --- JSON
my %json = map { $_ => status($server, $_) } qw(tickets orders);
for my $service (qw(tickets orders)) {
    my $json = $json{$service};
    is_deeply [sort keys %$json], [sort qw(service version time state problems uptimeSeconds requests latencyBoundsMs writer log sources events
                                           leader database recent), $service eq 'orders' ? 'expirations' : ()], "$service: every field is there";
    is $json->{service}, $service, '... it says who it is';
    is $json->{state} . @{ $json->{problems} }, 'ok0', '... nothing is wrong';
    my $other = $service eq 'tickets' ? 'orders' : 'tickets';
    my ($source) = @{ $json->{sources} };
    is $source->{source}, $json{$other}{log}{source}, '... it follows the log of the other';
    is $source->{endpoint}, $server->endpoint("${other}_pub"), '... at its endpoint';
    is_deeply [@$source{qw(position head lag state)}], [2, 2, 0, 'following'], '... to its end';
    like $source->{lastEventTime}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\z/, '... whose last event has a time';
    cmp_ok $source->{ageSeconds}, '<', 60, '... and came not long ago';
    is $json->{log}{head}, 2, '... its own log has two events';
    is_deeply [@{ $json->{events} }{qw(published quarantined unknown)}], [2, 0, 0], '... they were published';
    is $json->{leader}{pid}, $server->leader_pid($service), '... the leader is named';
    is $json->{database}{state}, 'up', '... the database is up';
    my ($version) = db($server)->selectrow_array("SELECT version FROM ${service}_schema");
    is $json->{database}{schemaVersion}, $version, '... its schema is the one there';
    is $json->{writer}{queued}, 0, '... no write waits';
    cmp_ok $json->{writer}{commits}, '<=', $json->{writer}{commands}, '... a commit has a command';
}
is $json{tickets}{events}{applied}, 1, 'order:created took effect, order:updated concerned nothing';
is $json{orders}{events}{applied}, 2, 'both events of the ticket took effect';
my @recent = @{ $json{tickets}{recent} };
is_deeply [map { [@$_{qw(position type subject version source)}] } grep { $_->{direction} eq 'published' } @recent],
    [map { [@$_, $json{tickets}{log}{source}] } [2, 'ticket:updated', $ticket->{id}, 1], [1, 'ticket:created', $ticket->{id}, 0]],
    'the events that were published, the newest first';
is_deeply [map { [@$_{qw(position type subject version source)}] } grep { $_->{direction} eq 'applied' } @recent],
    [[1, 'order:created', $order->{id}, 0, $json{orders}{log}{source}]], '... and those that took effect';
is_deeply [sort map { $_->{direction} } @recent], [qw(applied published published)], '... and no others';

# --- the page
my $page = ask('/status/tickets')->content;
my ($embedded) = $page =~ m{<script type="application/json" id="first">(.*?)</script>}s;
my $first = JSON::PP->new->decode($embedded);
is $first->{log}{source}, $json{tickets}{log}{source}, 'the page has the figures in it';
unlike $page, qr{(?:src|href)="(?!\?|data:)}, '... refers to no other server';
unlike $page, qr{https?://|//cdn}, '... not even by name';
like ask('/status/tickets')->header('Content-Security-Policy'), qr/default-src 'none'.*connect-src 'self'/, '... and forbids the browser to ask one';
unlike $page, qr/\@(?:service|state|problems|json)\@/, '... all places are filled';
for my $format (qw(html json prometheus)) {
    unlike ask("/status/$_?format=$format")->content, qr/alice|bob|Secret|shop\.db/, "$format of $_ names no user, no title, no file"
        for qw(tickets orders);
}

# --- Prometheus
for my $service (qw(tickets orders)) {
    my $text = ask("/status/$service?format=prometheus")->content;
    my ($value, $type, $wrong) = metrics($text);
    is_deeply $wrong, [], "$service: what Prometheus reads is right";
    my $of = qq({service="$service"});
    is_deeply [@$value{map { "svc_$_$of" } qw(state database_up leader_up)}], [0, 1, 1], '... all is well';
    is $value->{"svc_events_published_total$of"}, 2, '... with its events';
    is $value->{qq(svc_requests_total{service="$service",route="POST /api/$service",status="201"})}, 1, '... and its requests';
    is $value->{qq(svc_request_duration_seconds_count{service="$service",route="POST /api/$service",class="2xx"})}, 1, '... and how long they took';
    my $document = do { local (@ARGV, $/) = 'docs/status.md'; <> };
    is_deeply [grep { $document !~ /`$_`/ } sort keys %$type], [], '... each metric stands in docs/status.md';
    my ($promtool) = grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH};   # Debian's package prometheus
    if ($promtool) {
        open my $out, '|-', "$promtool check metrics >/dev/null 2>&1" or die "promtool: $!";
        print $out $text;
        close $out;
        is $?, 0, '... and promtool says so, too';
    }
}
cmp_ok scalar(@{ (metrics(qq(x{a="1"} 1\n# TYPE y counter\ny{} -1\nz 1)))[2] }), '>', 4, 'the reader of this suite is strict';

# --- mod_status
my $auto = ask('/server-status?auto')->content;
my %auto = map { /^(\w+): (.*)$/ ? ($1 => $2) : () } split /\n/, $auto;
is_deeply [@auto{qw(TicketsState OrdersState)}], [qw(ok ok)], '?auto of mod_status has the states';
is_deeply [@auto{qw(TicketsDatabase TicketsProblems)}], ['up', 0], '... the database';
is_deeply [@auto{qw(TicketsLogHead OrdersLogHead OrdersMaxLag TicketsPublished OrdersApplied)}], [2, 2, 0, 2, 2], '... the events';
is $auto{TicketsLeaderPid}, $server->leader_pid('tickets'), '... the leader';
is $auto{TicketsRequests}, total_of(status($server, 'tickets')), '... the requests';
is_deeply [grep { !exists $auto{"Orders$_"} } qw(Errors5xx Commits Commands Queued Quarantined Expirations)], [], '... and the rest';
like ask('/server-status')->content, qr{<h2>mod_tickets</h2>.*<th align="left">state</th><td>ok</td>.*<h2>mod_orders</h2>}s,
    'its page has a section for each';

$server->stop;
log_is_clean(server => $server, except => [qr/AH01630: client denied.*guarded/]);

# --- a virtual host of its own, for administration
{
    my $vhost = sub {
        my ($port) = @_;
        return <<"CONF";
<VirtualHost 127.0.0.1:\@port:$port\@>
  DBDriver sqlite3
  DBDParams "\@dir\@/data/$port.db"
  <Location "/api/tickets">
    SetHandler tickets
    AuthType Basic
    AuthName "shop"
    AuthUserFile "\@top\@/t/conf/users"
    Require all granted
  </Location>
</VirtualHost>
CONF
    };
    my $hosts = "Listen 127.0.0.1:\@port:admin\@\n<VirtualHost 127.0.0.1:\@port:admin\@>\n" . status_conf() . "</VirtualHost>\n";
    my $apart = TestSvc::Server->new(modules => ['tickets'], site => '', apis => $vhost->('http'), conf => $hosts)->start;
    my $admin = 'http://127.0.0.1:' . $apart->port('admin');
    api(GET => '/api/tickets', vhost => $apart);
    is route_of(status($admin, 'tickets'), 'GET /api/tickets')->{status}{200}, 1, 'a virtual host without the service shows the only one';
    $apart->stop;

    # Nobody leads while another holds the lock for it: then the database is asked, the service's, not the asked virtual host's.
    my ($file) = glob "$apart->{dir}/{,*/}*.leader" or die 'no lock of a leader';
    open my $lock, '+<', $file or die "$file: $!";
    my $whole = pack 's s l! l! i', F_WRLCK, SEEK_SET, 0, 0, 0;   # of which kind is up to how APR was built
    fcntl $lock, F_SETLKW, $whole or die "$file: $!";
    flock $lock, LOCK_EX or die "$file: $!";
    $apart->start;
    is status($admin, 'tickets')->{leader}{pid}, undef, 'without a leader the status says so';
    is ready($admin, 'tickets'), 200, '... and a virtual host without the service asks the database of the one that has it';
    $apart->stop;
    close $lock;
    $apart->write_conf(conf => "Listen 127.0.0.1:\@port:second\@\n" . $vhost->('second') . $hosts);
    $apart->start;
    problem_ok api(GET => '/status/tickets', vhost => $admin), 404, undef, '... if there are two, it is a 404';
    $apart->stop;
    log_is_clean(server => $apart);
}
log_is_clean;
done_testing;
