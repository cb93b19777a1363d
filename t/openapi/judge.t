# What judges the answers (t/openapi/judge.mjs, prism) accepts each example of docs/openapi.yaml, and refuses it as soon
# as it is spoilt: so a suite that ends without a violation has shown something.
use strict;
use warnings FATAL => 'all';
use File::Temp ();
use JSON::PP ();
use Test::More;
use TestSvc::Judge;

my $Json = JSON::PP->new->canonical->allow_nonref;
my $judge = TestSvc::Judge->new('docs/openapi.yaml');
my $operations = $Json->decode(scalar qx{node t/openapi/operations.mjs docs/openapi.yaml});
my ($examples, %let_through, %known) = (0);

sub copy { return $Json->decode($Json->encode($_[0])) }

sub wrong {   # of an exchange, with what differs from it
    my ($exchange, %change) = @_;
    my %now = (%$exchange, %change);
    $now{headers} = [ map { [$_, $now{headers}{$_}] } sort keys %{ $now{headers} } ];
    $now{answerHeaders} = [ map { [$_, $now{answerHeaders}{$_}] } sort keys %{ $now{answerHeaders} } ];
    $now{answerBody} = $Json->encode($now{answerBody}) if exists $now{answerBody};
    $now{body} = $Json->encode($now{body}) if exists $now{body};
    utf8::encode($_) for grep { defined } @now{qw(body answerBody)};
    return $judge->violations(%now);
}

sub refuses {
    my ($name, @exchange) = @_;
    $let_through{$name}++ unless wrong(@exchange);
}

sub spoilt {   # [what, body], each wrong in one place
    my ($body) = @_;
    if (ref $body eq 'ARRAY') {
        return (['an object for an array', {}], map {
            my $at = $_;
            map { my $copy = copy($body); $copy->[$at] = $_->[1]; ["[$at] $_->[0]", $copy] } spoilt($body->[$at]);
        } 0 .. $#$body);
    }
    return (['an array for an object', [$body]], ['null', undef], ['a field more', { %$body, more => 1 }], map {
        my $key = $_;
        my %without = %$body;
        delete $without{$key};
        ($key eq 'orderId' || $key eq 'field' || ($key eq 'title' && keys %$body == 4) ? () : ["without $key", \%without], ["null for $key", { %$body, $key => undef }],
         ["an object for $key", { %$body, $key => { x => 1 } }],
         $key =~ /^(?:id|ticketId|orderId|expiresAt|time|status|type|cancelReason|sequence|subject|source)\z/
             ? ["another text for $key", { %$body, $key => 'x' }] : (),
         ref $body->{$key} ? map { ["$key $_->[0]", { %$body, $key => $_->[1] }] } spoilt($body->{$key}) : ());
    } sort keys %$body);
}

for my $operation (@$operations) {
    my %request = (method => $operation->{method}, url => "http://127.0.0.1$operation->{example}",
                   headers => { Authorization => 'Basic YWxpY2U6c2VjcmV0' });
    my ($sent) = @{ $operation->{requests} };
    if ($sent) {
        $request{body} = $sent->{value};
        $request{headers}{'Content-Type'} = 'application/json';
    }
    for my $status (sort keys %{ $operation->{responses} }) {
        my $response = $operation->{responses}{$status};
        my $name = "$operation->{id} $status";
        my %headers = map { $_ => $response->{headers}{$_}{example} } keys %{ $response->{headers} };
        $_ = $Json->encode($_) for grep { ref } values %headers;   # true
        $headers{'Content-Type'} = $response->{type} if $response->{type};
        for my $example (@{ $response->{bodies} } ? @{ $response->{bodies} } : {}) {
            my %exchange = (%request, status => $status, answerHeaders => \%headers,
                            exists $example->{value} ? (answerBody => $example->{value}) : ());
            is_deeply [wrong(\%exchange)], [], join ' ', "$name is as it is documented", $example->{name} || ();
            $examples++;
            next unless exists $example->{value};
            my @spoilt = spoilt($example->{value});
            splice @spoilt, 4 if $known{ $Json->encode($example->{value}) }++;   # the same component
            shift @spoilt if $name eq 'createTickets 201';                       # takes and gives one or an array
            refuses("$name $example->{name}, $_->[0]", \%exchange, answerBody => $_->[1]) for @spoilt;
            refuses("$name as text", \%exchange, answerHeaders => { %headers, 'Content-Type' => 'text/plain' });
        }
        my %exchange = (%request, status => $status, answerHeaders => \%headers,
                        @{ $response->{bodies} } ? (answerBody => $response->{bodies}[0]{value}) : ());
        for my $header (grep { $response->{headers}{$_}{required} } sort keys %{ $response->{headers} }) {
            my %without = %headers;
            delete $without{$header};
            refuses("$name without $header", \%exchange, answerHeaders => \%without);
            refuses("$name with another $header", \%exchange, answerHeaders => { %headers, $header => '?' });
        }
        refuses("$name with a header more", \%exchange, answerHeaders => { %headers, 'X-More' => 1 });
    }
    my ($good) = grep { $_ < 300 } sort keys %{ $operation->{responses} };
    my $response = $operation->{responses}{$good};
    for my $status (418, 299) {
        refuses("$operation->{id} $status", \%request, status => $status,
                answerHeaders => { Vary => 'Authorization', 'Cache-Control' => 'no-cache' });
    }
    for my $request (@{ $operation->{requests} }) {
        my %exchange = (%request, body => $request->{value}, status => 400, answerHeaders => {});
        is_deeply [grep { /request/ } wrong({ %exchange, status => $good })], [],
            "$operation->{id} takes what it is documented to take: $request->{name}";
        ok scalar(grep { /request/ } wrong({ %exchange, status => $good, body => { other => 1 } })),
            '... and to take anything else is refused';
    }
}
cmp_ok $examples, '>', 150, 'there are examples';
is_deeply [sort keys %let_through], [], 'each of them is refused when it is spoilt';

# What is not in the document at all.
my %head = (Vary => 'Authorization', 'Cache-Control' => 'no-cache');
my %ticket = (status => 200, answerHeaders => { %head, 'Content-Type' => 'application/json' }, answerBody => []);
for ([ 'a path that is none', '/api/tickets/a/b', 'GET' ], [ 'a method that is none', '/api/tickets', 'PATCH' ],
     [ 'a method in small letters', '/api/tickets', 'get' ], [ 'a parameter that is none', '/api/tickets?limit=x', 'GET' ]) {
    my ($what, $path, $method) = @$_;
    ok scalar(wrong({ %ticket, method => $method, url => "http://127.0.0.1$path", headers => {} })), "$what cannot be a success";
}
is_deeply [wrong({ %ticket, method => 'GET', url => 'http://127.0.0.1/api/tickets?limit=1', headers => {} })], [], 'what is in it can';
is_deeply [wrong({ %ticket, method => 'GET', url => 'http://127.0.0.1/other', headers => {} })], [], 'another path is not judged';
is $judge->summary->{elsewhere}, 1, '... and counted as such';

# Another document: what was right is a violation.
my $text = do { local (@ARGV, $/) = 'docs/openapi.yaml'; <> };
$text =~ s/required: \[id, title, price, userId, version\]/required: [id, title, price, userId, version, seat]/ or die 'no ticket';
my $file = File::Temp->new(SUFFIX => '.yaml');
print $file $text;
close $file;
$judge = TestSvc::Judge->new("$file");
my %one = (method => 'GET', url => 'http://127.0.0.1/api/tickets/01a2060f-b39e-70c0-b518-32859397a84e', headers => {}, status => 200,
           answerHeaders => { %head, ETag => '"0"', 'Content-Type' => 'application/json' },
           answerBody => { id => '01a2060f-b39e-70c0-b518-32859397a84e', title => 'Hamlet', price => 1, userId => 'alice', version => 0 });
like join("\n", wrong(\%one)), qr/getTicket 200: response.body: .*required property 'seat'/, 'it is the document that decides';

done_testing;
