# POST /api/tickets with an array: all of its tickets are made in one transaction, in the order sent, or none of them.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Broadway;
use TestSvc::Server;

my $run = "$$-" . time;
sub post { my ($json, %opt) = @_; return api(POST => '/api/tickets', user => 'alice', json => $json, %opt) }
sub count { return db('shop')->selectrow_array('SELECT COUNT(*) FROM tickets WHERE title LIKE ?', undef, "$_[0] $run%") }
sub tickets { my ($name, $count) = @_; return [ map { { title => "$name $run $_", price => "$_.25" } } 1 .. $count ] }

my $sent = tickets('Seat', 5);
my $answer = post($sent);
is $answer->code, 201, 'five tickets are made';
my $made = $answer->json;
is_deeply [ map { [ @$_{qw(title price userId version)} ] } @$made ],
    [ map { [ $_->{title}, 0 + $_->{price}, 'alice', 0 ] } @$sent ], 'and answered in the order sent';
uuid_like $_->{id} for @$made;
is_deeply [ map { ticket($_->{id}) } @$made ], $made, 'each of them can be read';
is $answer->header('Location'), undef, 'there is no one place where they are';
is $answer->header('ETag'), undef, 'nor one version';
is $answer->header('Cache-Control'), 'no-cache', 'the usual headers are there';
my $log = db('shop')->selectall_arrayref('SELECT l.position, l.subject, l.entity_id FROM tickets_log l JOIN tickets t '
    . 'ON t.id = l.entity_id WHERE t.title LIKE ? ORDER BY l.position', undef, "Seat $run%");
is_deeply [ map { $_->[2] } @$log ], [ map { $_->{id} } @$made ], 'each has its event, in that order';
is_deeply [ map { $_->[0] - $log->[0][0] } @$log ], [ 0 .. 4 ], 'at positions without a gap';
is_deeply [ map { $_->[1] } @$log ], [ ('ticket:created') x 5 ], 'and each tells that it was created';
is scalar @{ post([ $sent->[0] ])->json }, 1, 'an array of one is answered by an array of one';

my $none = tickets('None', 4);
@$none[1, 3] = ({ title => ' ', price => -1 }, { title => "None $run 3" });
problem_ok post($none), 400, [ { field => '[1].title', message => qr/required/ }, { field => '[1].price', message => qr/greater than 0/ },
    { field => '[3].price', message => qr/required/ } ], 'every bad field is named with its index';
is count('None'), 0, 'and none of them is made';
for my $element (1, 'text', undef, [], [ { title => 'T', price => 1 } ]) {
    problem_ok post([ { title => "None $run", price => 1 }, $element ]), 400, [ { field => '[1]', message => qr/object with title and price/ } ],
        'an element that is no object is refused';
}
is count('None'), 0, 'with all others';
is scalar @{ post([ ({}) x 1000 ])->json->{errors} }, 200, 'of many bad tickets the first hundred are named';
problem_ok post([]), 400, [ { field => undef, message => qr/0 tickets; 1 to 1000/ } ], 'an empty array is refused';
problem_ok post(tickets('None', 1001)), 400, [ { field => undef, message => qr/1001 tickets; 1 to 1000/ } ], 'so are 1001 tickets';
is count('None'), 0, 'whole';
problem_ok post([ { title => 'T', price => 1 } ], user => undef), 401, undef, 'a user is needed';
problem_ok api(PUT => '/api/tickets/' . $made->[0]{id}, user => 'alice', json => [ { title => 'T', price => 1 } ]), 400,
    [ { field => undef, message => qr/JSON object$/ } ], 'PUT takes one ticket';

is scalar @{ post(tickets('Hall', 1000))->json }, 1000, 'a thousand are made';
is count('Hall'), 1000, 'and are there';

# The limit of an array is 16 times that of one ticket.
my $wide = "\x{1f3ad}" x 250;
is post([ map { { title => $wide, price => $_ } } 1 .. 900 ])->code, 201, 'almost a MiB is taken';
problem_ok post([ map { { title => $wide, price => $_, note => $wide } } 1 .. 600 ], headers => { Connection => 'close' }), 413,
    [ { field => undef, message => qr/1048576 bytes/ } ], 'more than that is a 413';
problem_ok post({ title => 'T', price => 1, x => 'x' x 70000 }), 413, [ { message => qr/65536 bytes/ } ], 'one ticket still has 64 KiB';
my $small = { vhost => 'small' };
is post([ map { { title => "S $_", price => 1 } } 1 .. 60 ], %$small)->code, 201, 'TicketsMaxBody 512 allows an array of 8192 bytes';
problem_ok post([ map { { title => "S $_" . 'x' x 200, price => 1 } } 1 .. 60 ], %$small), 413, [ { message => qr/\b8192 bytes/ } ],
    'and no more';
problem_ok post({ title => 'x' x 600, price => 1 }, %$small), 413, [ { message => qr/\b512 bytes/ } ], 'one ticket 512';
sub in_pieces { my @pieces = unpack '(a500)*', $_[0]; return sub { return @pieces ? shift @pieces : '' } }
{
    my $agent = LWP::UserAgent->new(keep_alive => 0);
    my %answer;
    for ([ one => '{"title":"' . 'x' x 600 . '","price":1}' ], [ many => '[' . join(',', ('{"title":"Piece","price":1}') x 100) . ']' ],
         [ 'too many' => '[' . join(',', ('{"title":"Piece","price":1}') x 400) . ']' ]) {
        my ($name, $text) = @$_;
        my $request = HTTP::Request->new(POST => base_url('small') . '/api/tickets',
            [ 'Content-Type' => 'application/json', Authorization => 'Basic ' . MIME::Base64::encode_base64('alice:secret', '') ], in_pieces($text));
        $answer{$name} = $agent->request($request)->code;
    }
    is_deeply \%answer, { one => 413, many => 201, 'too many' => 413 }, 'a body without Content-Length has the same limits';
}

# A year of weekly prices of Broadway shows, through the API, two arrays.
my $shows = broadway_shows();
my @weeks = map { my $show = $_; map { { title => $show, price => $_ } } @{ $shows->{$show} } } sort keys %$shows;
cmp_ok scalar(@weeks), '>', 1000, 'the prices are there';
my $server = TestSvc::Server->new->start;
my @made = map { @{ post($_, vhost => $server)->json } } [ @weeks[0 .. 999] ], [ @weeks[1000 .. $#weeks] ];
is_deeply [ map { [ $_->{title}, $_->{price} ] } @made ], [ map { [ $_->{title}, 0 + $_->{price} ] } @weeks ], 'all are made, as they were sent';
my $db = db($server);
wait_until { $db->selectrow_array('SELECT COUNT(*) FROM orders_tickets') == @weeks } 20, 'the replica';
is $db->selectrow_array('SELECT COUNT(*) FROM tickets t JOIN orders_tickets o ON o.id = t.id AND o.title = t.title AND o.cents = t.cents'),
    scalar(@weeks), 'and are known to orders';
$server->stop;
log_is_clean(server => $server);
log_is_clean;
done_testing;
