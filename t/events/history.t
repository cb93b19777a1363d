# GET .../history: the events of a ticket or an order, as they were published, oldest first, for its owner; as far back as
# the log is kept, which History-Complete tells.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Server;
use TestSvc::Truth;

my $server = TestSvc::Server->new->start;
my @at = (vhost => $server);
my $ticket = new_ticket(@at, title => 'Hamlet');
is api(PUT => "/api/tickets/$ticket->{id}", @at, user => 'alice', json => { title => 'Othello', price => 30 })->code, 200, 'a ticket is edited';
wait_quiet($server);
my $order = new_order(@at, ticket => $ticket);
wait_until { order($order->{id}, @at)->{status} eq 'awaiting:payment' } 10, 'the reservation';
is api(DELETE => "/api/orders/$order->{id}", @at, user => 'bob')->code, 204, 'it is ordered, and given back';
wait_quiet($server);

sub history { my ($path, $user, $query) = @_; return api(GET => "/api/$path/history" . ($query || ''), @at, defined $user ? (user => $user) : ()) }
my $answer = history("tickets/$ticket->{id}", 'alice');
is $answer->code, 200, 'its seller sees what happened to a ticket';
is_deeply [ map { "$_->{type} $_->{data}{version}" } @{ $answer->json } ],
    [ 'ticket:created 0', 'ticket:updated 1', 'ticket:updated 2', 'ticket:updated 3' ], 'each change, oldest first';
is_deeply [ map { $_->{data}{orderId} } @{ $answer->json } ], [ undef, undef, $order->{id}, undef ], 'with what it did';
is $answer->header('History-Complete'), 'true', 'and nothing is missing';
is $answer->header('Link'), undef, 'on one page';
like $answer->header('Content-Type'), qr{^application/json}, 'as JSON';
my $rows = db($server)->selectcol_arrayref('SELECT event FROM tickets_log WHERE entity_id = ? ORDER BY position', undef, $ticket->{id});
is_deeply $answer->json, [ map { JSON::PP->new->utf8->decode($_) } @$rows ], 'these are the events as they were published';

$answer = history("orders/$order->{id}", 'bob');
is $answer->code, 200, 'its buyer sees what happened to an order';
is_deeply [ map { "$_->{type} $_->{data}{version}" } @{ $answer->json } ],
    [ 'order:created 0', 'order:updated 1', 'order:cancelled 2' ], 'each change, oldest first';
is $answer->header('Cache-Control'), 'no-store', 'which no cache keeps';

my @pages;
for (my $query = '?limit=2'; defined $query;) {
    my $page = history("tickets/$ticket->{id}", 'alice', $query);
    push @pages, [ map { $_->{data}{version} } @{ $page->json } ];
    my $link = $page->header('Link');
    ($query) = defined $link ? $link =~ m{^</api/tickets/\Q$ticket->{id}\E/history(\?\S+)>; rel="next"\z} : undef;
}
is_deeply \@pages, [ [ 0, 1 ], [ 2, 3 ] ], 'pages of two show each event once';

problem_ok history("tickets/$ticket->{id}", undef), 401, undef, 'a user is needed for that of a ticket, which all may read';
problem_ok history("orders/$order->{id}", undef), 401, undef, 'and for that of an order';
problem_ok history("tickets/$ticket->{id}", 'bob'), 403, undef, 'only the seller';
problem_ok history("orders/$order->{id}", 'alice'), 403, undef, 'only the buyer';
problem_ok history("tickets/$order->{id}", 'alice'), 404, undef, 'an unknown ticket has no history';
problem_ok history('orders/x', 'bob'), 404, undef, 'nor a malformed id';
problem_ok history("tickets/$ticket->{id}", 'alice', '?limit=0&reserved=any'), 400, [ { field => 'limit' }, { field => 'reserved' } ],
    'every bad parameter is named';
problem_ok api(DELETE => "/api/tickets/$ticket->{id}/history", @at, user => 'alice'), 405, undef, 'history cannot be deleted';
is api(OPTIONS => "/api/tickets/$ticket->{id}/history", @at)->header('Allow'), 'OPTIONS, GET, HEAD', 'OPTIONS says what can be done';
problem_ok api(GET => "/api/tickets/$ticket->{id}/histories", @at, user => 'alice'), 404, [ { message => qr/nothing at this path/ } ],
    'another part of a ticket does not exist';
is api(HEAD => "/api/orders/$order->{id}/history", @at, user => 'bob')->header('Content-Length'), length $answer->content, 'HEAD answers like GET';

# What is older than the retention is gone, and the answer says so.
$server->stop;
my $db = db($server, write => 1);
for (['tickets', $ticket], ['orders', $order]) {
    my ($service, $entity) = @$_;
    my ($first) = $db->selectrow_array("SELECT MIN(position) FROM ${service}_log WHERE entity_id = ?", undef, $entity->{id});
    $db->do("UPDATE ${service}_log SET recorded_at = recorded_at - 259200000 WHERE entity_id = ? AND position <= ?", undef, $entity->{id}, $first + 1);
}
$db->disconnect;
$server->write_conf(conf => "TicketsRetention 1\nOrdersRetention 1\n");
$server->start;
wait_until { history("tickets/$ticket->{id}", 'alice')->header('History-Complete') eq 'false' } 25, 'old events to be removed';
is_deeply [ map { $_->{data}{version} } @{ history("tickets/$ticket->{id}", 'alice')->json } ], [ 2, 3 ],
    'a ticket whose first events are gone shows the others, and says so';
wait_until { history("orders/$order->{id}", 'bob')->header('History-Complete') eq 'false' } 25, 'old events of orders to be removed';
is_deeply [ map { $_->{data}{version} } @{ history("orders/$order->{id}", 'bob')->json } ], [2], 'an order alike';
my $young = new_ticket(@at);
is history("tickets/$young->{id}", 'alice')->header('History-Complete'), 'true', 'that of a new ticket is complete';
$server->stop;
log_is_clean(server => $server);

# Where Require does not guard GET the service has httpd look at who asks. What that cannot do is ours to answer for, and
# a page to log in is no answer of an API.
my $apis = <<'CONF';
LoadModule request_module        "@modules@/mod_request.so"
LoadModule session_module        "@modules@/mod_session.so"
LoadModule session_cookie_module "@modules@/mod_session_cookie.so"
LoadModule auth_form_module      "@modules@/mod_auth_form.so"
<Location "/broken/tickets">
  SetHandler tickets
  AuthType Basic
  AuthName "shop"
  AuthBasicProvider file
  AuthUserFile "@dir@/nosuch"
  <LimitExcept GET>
    Require valid-user
  </LimitExcept>
</Location>
<Location "/form/tickets">
  SetHandler tickets
  AuthType form
  AuthName "shop"
  AuthFormProvider file
  AuthUserFile "@top@/t/conf/users"
  AuthFormLoginRequiredLocation "/login"
  Session On
  SessionCookieName session path=/
  <LimitExcept GET>
    Require valid-user
  </LimitExcept>
</Location>
CONF
my $other = TestSvc::Server->new(modules => ['tickets'], apis => $apis, site => qq(DBDriver sqlite3\nDBDParams "\@dir\@/data/shop.db"\nDBDMax 64\n))->start;
my $path = "tickets/$ticket->{id}/history";
problem_ok api(GET => "/broken/$path", vhost => $other, user => 'alice'), 500, [ { message => qr/cannot be authenticated/ } ],
    'users that cannot be looked up are a 500';
problem_ok api(GET => "/broken/$path", vhost => $other), 401, undef, 'who says nothing is asked who he is';
my $form = api(GET => "/form/$path", vhost => $other, headers => { Cookie => 'session=x' });
problem_ok $form, 401, [ { message => qr/Not authorized/ } ], 'who has a cookie that says nothing is refused';
is $form->header('Location'), undef, 'and not sent to a page to log in';
$other->stop;
log_is_clean(server => $other, except => [qr/AH01620|SVC060/]);
log_is_clean;
done_testing;
