# docs/openapi.yaml is an OpenAPI 3.1 document about which spectral has nothing to say, and it has the routes,
# parameters, headers and answers that docs/http.md has, and no others.
use strict;
use warnings FATAL => 'all';
use File::Temp ();
use JSON::PP ();
use Test::More;

my $Json = JSON::PP->new->canonical;

sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!"; local $/; return scalar <$in> }

sub complaints {
    my ($file) = @_;
    my $said = qx{t/openapi/node_modules/.bin/spectral lint --quiet -F hint -f json -r t/openapi/spectral.yaml '$file' 2>&1};
    my $results = eval { $Json->decode($said) };
    return $results ? map { join ': ', join('.', @{ $_->{path} }), $_->{code}, $_->{message} } @$results : "spectral says: $said";
}

is_deeply [complaints('docs/openapi.yaml')], [], 'spectral has no complaint';

# It would have.
my $good = slurp('docs/openapi.yaml');
like $good, qr/^openapi: 3\.1\./m, 'it is OpenAPI 3.1';
my %spoilt = (   # what spectral calls it, how it is made
    'operation-operationId'        => sub { s/^      operationId: editTicket\n//m },
    'operation-operationId-unique' => sub { s/operationId: getTicket$/operationId: getOrder/m },
    'invalid-ref'                  => sub { s{schemas/cancelReason'}{schemas/none'} },
    'oas3-valid-media-example'     => sub { s/price: 20\.5, userId/price: x, userId/ },
    'answers-keep-caches-right'    => sub { s/^        Vary: .*\n//m },
    'asks-who-that-is'             => sub { s/^        WWW-Authenticate: .*\n//m },
    'says-what-is-allowed'         => sub { s/^        Allow: .*\n//m },
    'says-when-to-come-back'       => sub { s/^        Retry-After: .*retryAfter'.*\n//m },
    'errors-are-problems'          => sub { s{^        application/problem\+json:}{        application/json:}m },
    'successes-are-json'           => sub { s{^        application/json:(?=\n          schema: \{ type: array)}{        text/json:}m },
    'heads-have-no-body'           => sub { s/ticketsHead'/tickets'/ },
    'any-operation-may-fail'       => sub { s/^        '500': .*\n//m },
);
my $bad = $good;
for my $name (sort keys %spoilt) {
    my $before = $bad;
    $spoilt{$name}->() for $bad;
    isnt $bad, $before, "$name is provoked";
}
my $file = File::Temp->new(SUFFIX => '.yaml');
print $file $bad;
close $file;
my %said = map { (split /: /)[1] => 1 } complaints("$file");
is_deeply [grep { !$said{$_} } sort keys %spoilt], [], 'and spectral finds each of them';

# Routes: the table of docs/http.md.
my @operations = @{ $Json->decode(scalar qx{node t/openapi/operations.mjs docs/openapi.yaml}) };
my (%operation, %row);
for my $operation (grep { $_->{method} !~ /^(?:HEAD|OPTIONS)\z/ } @operations) {
    (my $path = $operation->{path}) =~ s/\{(\w+)\}/:$1/g;
    $operation{"$operation->{method} $path"} = $operation;
}
my $text = slurp('docs/http.md');
while ($text =~ /^\| ((?:GET|POST|PUT|DELETE) \S+)(.*)$/mg) {
    $row{$1} .= $2;
}
cmp_ok scalar(keys %row), '>', 8, 'docs/http.md has routes';
is_deeply [sort keys %operation], [sort keys %row], 'the document has the routes of docs/http.md';
my %named = map { $_ => 1 } $text =~ /^### ((?:GET|POST|PUT|DELETE) \S+)$/mg;
is_deeply [sort keys %operation], [sort keys %named], 'and docs/http.md explains each of them, and no other';
for my $path (sort map { $_->{path} } grep { $_->{method} eq 'OPTIONS' } @operations) {
    my @methods = sort map { $_->{method} } grep { $_->{path} eq $path } @operations;
    is scalar(grep { $_ eq 'HEAD' } @methods), scalar(grep { $_ eq 'GET' } @methods), "$path has HEAD if it has GET, and OPTIONS";
}

# What any of them may answer is said once, below that table, and is not in its rows.
my %anywhere = map { $_ => 1 } qw(400 401 403 413 415 500 503);
for my $route (sort keys %operation) {
    my $operation = $operation{$route};
    my @query = map { $_->{name} } grep { $_->{in} eq 'query' } @{ $operation->{parameters} };
    my ($listed) = $row{$route} =~ /;((?: `\w+`,?)+)/;
    is_deeply [defined $listed ? $listed =~ /`(\w+)`/g : ()], \@query, "$route: docs/http.md has the parameters";
    my %told = map { $_ => 1 } $row{$route} =~ /\b([2-5]\d\d)\b/g;
    my @unknown = grep { !$operation->{responses}{$_} } sort keys %told;
    my @untold = grep { !$told{$_} && !$anywhere{$_} } sort keys %{ $operation->{responses} };
    is_deeply [\@unknown, \@untold], [[], []], '... and the answers';
}

# Parameters and headers: docs/http.md.
my %parameter = map { map { ("$_->{in} $_->{name}" => $_->{name}) } grep { $_->{in} ne 'path' } @{ $_->{parameters} } } @operations;
is_deeply [grep { $text !~ /`\Q$parameter{$_}\E[`:]/ } sort keys %parameter], [], 'docs/http.md has each parameter and header of a request';
my %in_tables = map { map { $_ => 1 } /`(\w+)`/g } map { $_ =~ /^\| (`\w+`(?:, `\w+`)*) \|/mg } $text =~ /^(\| parameter \|.*?)\n\n/msg;
is_deeply [grep { !$parameter{"query $_"} } sort keys %in_tables], [], '... and its tables of parameters have no other';
my %header = map { map { map { $_ => 1 } keys %{ $_->{headers} } } values %{ $_->{responses} } } @operations;
my ($table) = $text =~ /^(\| header \|.*?)\n\n/ms;
my %told = map { $_ => 1 } $table =~ /^\| `([\w-]+)/mg;
is_deeply [sort keys %header], [sort keys %told], 'the headers of answers are those of docs/http.md';
my %status = map { map { $_ => 1 } grep { $_ >= 400 } keys %{ $_->{responses} } } @operations;
my ($errors) = $text =~ /^## Errors\n.*?^(\| status \|.*?)\n\n/ms;
my %explained = map { map { $_ => 1 } /\d\d\d/g } $errors =~ /^\| (\d\d\d(?:, \d\d\d)*) \|/mg;
is_deeply [sort keys %status], [sort keys %explained], 'and so are the statuses of errors';

done_testing;
