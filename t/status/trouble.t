# What is wrong is said in words, and no longer once it is right again: the database is away, writes wait, a publisher is
# silent, a follower is behind, the leader was killed.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;
use TestSvc::Database;
use TestSvc::Server;
use TestSvc::Status;
use TestSvc::Truth;

sub message {   # of the problem about WHAT
    my ($server, $service, $what) = @_;
    my ($problem) = grep { $_->{what} eq $what } @{ status($server, $service)->{problems} };
    return $problem ? $problem->{message} : '';
}

sub becomes {   # within SECONDS
    my ($seconds, $name, $condition) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok(eval { wait_until(sub { $condition->() }, $seconds, $name) }, $name) || diag $@;
}

sub is_well { my ($server, $service, $name) = @_; becomes(15, $name, sub { status($server, $service)->{state} eq 'ok' }) }

# --- the database is away
{
    my $engine = TestSvc::Database->shared;
    my $own = $engine->is_file ? $engine : TestSvc::Database->new($engine->engine, "$engine->{dir}/of_status")->start;
    my $server = TestSvc::Server->new(conf => status_conf(), engine => $own);
    my $away = sub { $engine->is_file ? rename("$server->{dir}/data", "$server->{dir}/data.away") || die $! : $own->stop };
    my $back = sub { $engine->is_file ? rename("$server->{dir}/data.away", "$server->{dir}/data") || die $! : $own->start };
    if ($engine->is_file) {   # an open file goes on to exist
        $away->();
        $server->start;
    } else {
        $server->start;
        becomes(15, 'a service becomes ready', sub { ready($server, 'tickets') == 200 });
        $away->();
    }
    becomes(15, 'without its database a service is not ready', sub { ready($server, 'tickets') == 503 });
    my $answer = api(GET => '/status/tickets?format=ready', vhost => $server);
    is $answer->content, "unavailable\n", '... which is one word';
    is api(GET => '/status/tickets?format=live', vhost => $server)->code, 200, '... but live';
    my $status = status($server, 'tickets');
    is_deeply [$status->{state}, $status->{database}{state}], [qw(down down)], '... and down';
    is $status->{problems}[0]{what}, 'database', '... the database is named first';
    like $status->{problems}[0]{message}, qr/^The database \(\w+\) .*answer.*503/, '... in words';
    unlike $answer->content . api(GET => '/status/tickets?format=html', vhost => $server)->content, qr/shop\.db|password|SELECT/, '... with no secret';
    like api(GET => '/status/tickets', vhost => $server)->content, qr{<li class="down"><b>The database}, '... also on the page as it is sent';
    $back->();
    becomes(20, 'it is ready when the database is there', sub { ready($server, 'tickets') == 200 });
    is_well($server, 'tickets', '... and nothing is wrong');
    new_ticket(vhost => $server);
    $server->stop;
    $own->stop;
    log_is_clean(server => $server, except => [qr/SVC010|SVC011|SVC04\d|SVC060|DBD|AH006\d\d/], name => 'no other line in its log');
}

# --- writes wait
{
    my $server = TestSvc::Server->new(conf => status_conf())->start;
    new_ticket(vhost => $server);
    wait_quiet($server);
    is_well($server, 'tickets', 'a service is well');
    my $hold = $server->engine->hold_writers($server->db_file);
    my $client = TestSvc::Clients->start(1, $server, sub { my ($client) = @_;
        return $client->send(POST => '/api/tickets', user => 'alice', json => { title => 'slow', price => 1 }) });
    becomes(9, 'a write that waits is a problem', sub { message($server, 'tickets', 'writes') =~ /waits? for the database/ });
    my $status = status($server, 'tickets');
    is $status->{state}, 'degraded', '... but not the end';
    cmp_ok $status->{writer}{queued}, '>=', 1, '... it is counted';
    is ready($server, 'tickets'), 200, '... and reads go on';
    undef $hold;
    $client->wait;
    is_well($server, 'tickets', 'when it is written all is well');
    becomes(5, '... and nothing waits', sub { status($server, 'tickets')->{writer}{queued} == 0 });
    $server->stop;
    log_is_clean(server => $server, except => [qr/SVC011|SVC060|SVC035/]);
}

# --- the other service is away; a follower is behind
{
    my ($seller, $buyer) = TestSvc::Server->pair(conf => '');
    for ($seller, $buyer) {
        my $service = $_->{modules}[0];
        $_->write_conf(conf => "<Location \"/status/$service\">\n  SetHandler $service-status\n</Location>\n");
        $_->start;
    }
    new_ticket(vhost => $seller);
    becomes(15, 'a follower has everything', sub { my $source = status_source($buyer, 'orders');
        $source && $source->{state} eq 'following' && $source->{position} == 1 && $source->{lag} == 0 });
    is_well($buyer, 'orders', '... and all is well');

    my $hold = $buyer->engine->hold_writers($buyer->db_file);
    new_ticket(vhost => $seller) for 1 .. 5;
    becomes(15, 'what it cannot write it is behind', sub { status_source($buyer, 'orders')->{lag} == 5 });
    is status_source($buyer, 'orders')->{state}, 'catching-up', '... which its state says';
    undef $hold;
    becomes(15, 'it catches up', sub { my $source = status_source($buyer, 'orders'); $source->{lag} == 0 && $source->{state} eq 'following' });

    $seller->stop;
    becomes(15, 'a publisher that is away is a problem', sub { problems_of($buyer, 'orders') eq 'source' });
    my $endpoint = $seller->endpoint('tickets_pub');
    like message($buyer, 'orders', 'source'), qr/^Nothing has been heard from \Q$endpoint\E for \d+ seconds/, '... in words that name it';
    is status_source($buyer, 'orders')->{state}, 'silent', '... it is silent';
    is ready($buyer, 'orders'), 200, '... which is no reason not to be ready';
    $seller->start;
    is_well($buyer, 'orders', 'when it is back all is well');
    $_->stop for $seller, $buyer;
    log_is_clean(server => $_, except => [qr/SVC011|SVC035|SVC060/]) for $seller, $buyer;
}

log_is_clean;
done_testing;
