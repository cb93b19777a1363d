# Which paths and methods there are: 404 for a path that is none, 405 with the exact Allow for a method that is none,
# OPTIONS, and who is asked for a user before that.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Event 'new_uuid';

my $ticket = new_ticket;
my $order = new_order(ticket => $ticket);
my %allowed = (
    '/api/tickets'              => 'GET HEAD OPTIONS POST',
    '/api/tickets/'             => 'GET HEAD OPTIONS POST',
    "/api/tickets/$ticket->{id}" => 'GET HEAD OPTIONS PUT',
    '/api/tickets/no-such'      => 'GET HEAD OPTIONS PUT',
    '/api/orders'               => 'GET HEAD OPTIONS POST',
    "/api/orders/$order->{id}"  => 'DELETE GET HEAD OPTIONS',
    '/api/orders/no-such'       => 'DELETE GET HEAD OPTIONS',
);

sub allow_of { my ($answer) = @_; return join ' ', sort split /\s*,\s*/, $answer->header('Allow') || '' }

for my $path (sort keys %allowed) {
    my $options = api(OPTIONS => $path, user => 'bob');
    is $options->code, 204, "OPTIONS $path answers 204";
    is allow_of($options), $allowed{$path}, "... with Allow: $allowed{$path}";
    is $options->content, '', '... and no body';
    for my $method (qw(POST PUT DELETE PATCH BREW PROPFIND get MOVE)) {
        next if $allowed{$path} =~ /\b$method\b/;
        my $answer = api($method => $path, user => 'bob', type => 'application/json', content => '{}');
        problem_ok $answer, 405, [ { field => undef, message => qr/\b$method\b/ } ], "$method $path is not allowed";
        is allow_of($answer), $allowed{$path}, "... with Allow: $allowed{$path}";
    }
}
is api(OPTIONS => '/api/tickets')->code, 204, 'OPTIONS on tickets needs no user';
problem_ok api(OPTIONS => '/api/orders'), 401, undef, 'where Require guards all methods OPTIONS needs one as well';
is ticket($ticket->{id})->{title}, $ticket->{title}, 'none of that did anything';

# Without authentication by httpd our own order of checks shows.
for my $method (qw(DELETE PATCH BREW)) {
    problem_ok api($method => '/api/tickets', vhost => 'plain'), 405, undef, "$method on tickets is a 405 for anyone";
}
problem_ok api(PUT => '/api/tickets/x/y', vhost => 'plain'), 404, undef, 'a path that is none is a 404 for anyone';

for my $service (qw(tickets orders)) {
    my $some = new_uuid();
    for my $path ("/api/$service/x/y", "/api/$service/$some/history/x", "/api/$service/x/y/", "/api/$service/a%2Fb") {
        for my $method (qw(GET POST OPTIONS DELETE BREW)) {
            problem_ok api($method => $path, user => 'bob', content => '{}', type => 'text/plain'), 404,
                [ { field => undef } ],
                "$method $path: no such path comes before all else";
        }
    }
}
is api(GET => '/api/tickets.html')->code, 404, 'a path beside the API is none of ours';
unlike api(GET => '/api/ticketsx')->header('Content-Type'), qr/json/, 'and gets the answer of httpd';
problem_ok api(GET => '/api/tickets/%00'), 404, undef, 'NUL in a path is a 404';
is api(GET => "/api//./x/../tickets//$ticket->{id}//")->code, 200, 'dots and double slashes are resolved by httpd';

log_is_clean;
done_testing;
