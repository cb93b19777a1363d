# Which prices POST and PUT take, and that every cent of them comes back.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Clients;

# The price stands in the body as it is written here.
sub create { return api(POST => '/api/tickets', user => 'alice', type => 'application/json',
    content => qq({"title":"T","price":$_[0]})) }
sub price_in { my ($json) = @_; return $json =~ /"price":([^,}]*)[,}]/ ? $1 : 'none' }

my $db = db('shop');
my $ticket = new_ticket;

# [as written, as answered, cents]
for ([ '20',        '20',         2000 ],      [ '20.5',        '20.5',       2050 ],
     [ '20.50',     '20.5',       2050 ],      [ '20.10',       '20.1',       2010 ],
     [ '0.01',      '0.01',       1 ],         [ '0.1',         '0.1',        10 ],
     [ '1e3',       '1000',       100000 ],    [ '1.5E+1',      '15',         1500 ],
     [ '1999e-2',   '19.99',      1999 ],      [ '20.0',        '20',         2000 ],
     [ '8.2',       '8.2',        820 ],       [ '4.35',        '4.35',       435 ],
     [ '1.005e2',   '100.5',      10050 ],     [ '78.40',       '78.4',       7840 ],
     [ '9999999.99', '9999999.99', 999999999 ], [ '9999999',    '9999999',    999999900 ],
     [ '0.070000000000000000001', '0.07', 7 ],   # its nearest double is that of 0.07
     [ '"20"',      '20',         2000 ],      [ '"20.00"',     '20',         2000 ],
     [ '"20.5"',    '20.5',       2050 ],      [ '"0.01"',      '0.01',       1 ],
     [ '"0020"',    '20',         2000 ],      [ '"0000000.50"', '0.5',       50 ],
     [ '"101"',     '101',        10100 ],     [ '"777.77"',    '777.77',     77777 ],
     [ '"9999999.99"', '9999999.99', 999999999 ]) {
    my ($sent, $answered, $cents) = @$_;
    my $answer = create($sent);
    is $answer->code, 201, "accepts the price $sent" or next;
    is price_in($answer->content), $answered, "... and answers the number $answered";
    is_deeply [ $db->selectrow_array('SELECT cents FROM tickets WHERE id = ?', undef, $answer->json->{id}) ], [$cents],
        '... and keeps it in cents';
}

my $about = qr/^Price /;
my @refused = (
    '0', '0.0', '-0', '-0.0', '-1', '-10', '-0.01', '1e-400', '0.001', '0.005', '0.009', '19.999', '20.123',
    '0.30000000000000004', '9999999.991', '9999999.995', '10000000', '9999999.999', '1e7', '1e308',
    '12345678901234567890', '1' . '0' x 300, '4.350000000000001',
    'true', 'false', 'null', '[]', '[20]', '{}', '{"amount":20}',
    '""', '"0"', '"0.00"', '"-0"', '"-1"', '"+5"', '".5"', '"5."', '" 20"', '"20 "', '"20\n"', '"1,5"', '"1e3"',
    '"0x10"',
    '"XX"', '"invalid"', '"Infinity"', '"NaN"', '"20.005"', '"0.001"', '"10000000"', '"9999999.999"', '"00000001"',
    '"1.2.3"',
    '"$20"', '"\u0661"');
for my $price (@refused) {
    problem_ok create($price), 400, [ { field => 'price', message => $about } ],
        'refuses the price ' . substr($price, 0, 40) . ' with 400 and names the field';
}
problem_ok create($_), 400, [ { field => 'price', message => qr/greater than 0/ } ], "says what is wrong with $_"
    for '0', '-10', '"0"', '-0';
problem_ok create($_), 400, undef, "refuses what is no JSON number: $_"
    for '1e400', '-1e400', 'NaN', 'Infinity', '+5', '.5', '5.', '0x10', '020', '1,5', '';
for my $price ('0', '"1e3"', '0.30000000000000004', 'null') {
    problem_ok api(PUT => "/api/tickets/$ticket->{id}", user => 'alice', type => 'application/json',
                   content => qq({"title":"T","price":$price})), 400, [ { field => 'price', message => $about } ],
        "PUT refuses the price $price, too";
}
is_deeply ticket($ticket->{id}), $ticket, 'and changes nothing';

# A sample of all prices there are, each as a number and as a text.
srand(my $seed = $ENV{PRICE_SEED} || time);
my @cents = map { 1 + int rand 10**(1 + int rand 9) } 1 .. 200;
sub wire { my ($cents) = @_; my $text = sprintf '%d.%02d', int $cents / 100, $cents % 100; return $text }
my @lost = map { @$_ } TestSvc::Clients->start(2, 'shop', sub {
    my ($client, $number) = @_;
    my @lost;
    for my $cents (@cents[ grep { $_ % 2 == $number } 0 .. $#cents ]) {
        my $text = wire($cents);
        (my $short = $text) =~ s{(?:\.00|(\.\d)0)\z}{defined $1 ? $1 : ""}e;
        for my $sent ($text, 0 + $text) {   # Perl sends the first as a JSON text, the second as a number
            my $answer = $client->send(POST => '/api/tickets', user => 'alice',
                json => { title => 'T', price => $sent });
            my $got = $answer->{code} == 201 ? price_in($answer->{text}) : $answer->{code};
            push @lost, "$sent came back as $got" if $got ne $short;
        }
    }
    return \@lost;
}, keep_alive => 0)->wait;
ok !@lost, '200 prices of any size come back as they were, from number and text' or diag "PRICE_SEED=$seed",
    map { "\n$_" } @lost;

log_is_clean;
done_testing;
