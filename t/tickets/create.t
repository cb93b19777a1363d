# POST /api/tickets: what is answered and kept, and which titles are accepted. Prices have a suite of their own.
use strict;
use warnings FATAL => 'all';
use utf8;
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;

my $Json = JSON::PP->new->utf8->allow_nonref;
binmode Test::More->builder->$_, ':encoding(UTF-8)' for qw(output failure_output todo_output);

sub create { return api(POST => '/api/tickets', user => 'alice', json => $_[0]) }
sub escaped { my ($text) = @_; $text =~ s/([^!-~])/sprintf '<%x>', ord $1/ge; return substr $text, 0, 60 }

my $answer = create({ title => 'Hamlet', price => 20.1 });
is $answer->code, 201, 'makes a ticket';
my $made = $answer->json;
uuid_like $made->{id};
is_deeply $made, { id => $made->{id}, title => 'Hamlet', price => 20.1, userId => 'alice', version => 0 },
    'with these fields and no others';
is $answer->header('Location'), "/api/tickets/$made->{id}", 'Location names it';
is $answer->header('ETag'), '"0"', 'ETag is version 0';
is $answer->header('Content-Type'), 'application/json', 'the answer is JSON';
is $answer->header('Cache-Control'), 'no-cache', 'Cache-Control as for all tickets';
is $answer->header('Vary'), 'Authorization', 'Vary as for all tickets';
is_deeply api(GET => $answer->header('Location'))->json, $made, 'GET shows what was answered';
is api(POST => '/api/tickets/', user => 'alice', json => { title => 'A', price => 1 })->code, 201,
    'a slash at the end does not matter';

my $db = db('shop');
is_deeply $db->selectrow_hashref('SELECT title, cents, user_id, version, order_id FROM tickets WHERE id = ?', undef,
    $made->{id}),
    { title => 'Hamlet', cents => 2010, user_id => 'alice', version => 0, order_id => undef }, 'the row holds it';
my @events = map { $Json->decode($_->[0]) }
    @{ $db->selectall_arrayref('SELECT event FROM tickets_log WHERE entity_id = ?', undef, $made->{id}) };
is scalar @events, 1, 'exactly one event tells of it';
is $events[0]{type}, 'ticket:created', 'as ticket:created';
is_deeply $events[0]{data}, $made, 'with the ticket as it was answered';

my $again = create({ title => 'Hamlet', price => 20.1 })->json;
isnt $again->{id}, $made->{id}, 'the same again is another ticket';
cmp_ok $again->{id}, 'gt', $made->{id}, 'whose id sorts after the first';

$answer = create({ title => 'B', price => 1, id => 'mine', userId => 'bob', version => 7, orderId => $made->{id},
    more => [ {} ] });
is $answer->code, 201, 'unknown keys do no harm';
is_deeply $answer->json, { id => $answer->json->{id}, title => 'B', price => 1, userId => 'alice', version => 0 },
    'and have no effect';

# Titles that are accepted: [as sent, as kept, what].
my $spaces = join '', map { chr } 0x9 .. 0xd, 0x20, 0xa0, 0x1680, 0x2000 .. 0x200a, 0x2028, 0x2029, 0x202f, 0x205f,
    0x3000, 0xfeff;
for ([ '  Hamlet ',               'Hamlet',              'ASCII spaces are trimmed' ],
     [ "\t\r\n\x0b\x0cHamlet\n",  'Hamlet',              'so is other ASCII white space' ],
     [ "${spaces}Hamlet$spaces",  'Hamlet',              'so is Unicode white space' ],
     [ " a${spaces}b ",           "a${spaces}b",         'white space inside is kept' ],
     [ "\x{200b}a\x{85}",         "\x{200b}a\x{85}",     'what trim() of JavaScript keeps is kept' ],
     [ 'x',                       'x',                   'one character is enough' ],
     [ '0',                       '0',                   'the text 0 is a title' ],
     [ 'x' x 255,                 'x' x 255,             '255 characters are accepted' ],
     [ '  ' . 'x' x 255 . ' ',    'x' x 255,             'counted after trimming' ],
     [ 'ä' x 255,                 'ä' x 255,             '255 characters of 2 bytes are accepted' ],
     [ '日' x 255,                '日' x 255,            '255 characters of 3 bytes are accepted' ],
     [ "\x{1f3ad}" x 255,         "\x{1f3ad}" x 255,     '255 characters of 4 bytes are accepted' ],
     [ "e\x{301}",                "e\x{301}",            'characters are kept as they were composed' ],
     [ q{'"\\/</script>;--%s%00}, q{'"\\/</script>;--%s%00}, 'nothing in a title is special' ],
     [ "a\x01b\x7f",              "a\x01b\x7f",          'not even control characters' ]) {
    my ($sent, $kept, $what) = @$_;
    my $made = create({ title => $sent, price => 1 });
    is $made->code, 201, $what or diag $made->as_string;
    is $made->json->{title}, $kept, '... and answered';
    is ticket($made->json->{id})->{title}, $kept, '... and kept';
}

# Titles that are refused.
for ([ undef, 'null' ], [ '', 'an empty text' ], [ '   ', 'spaces' ], [ $spaces, 'white space' ], [ 2, 'a number' ],
     [ JSON::PP::false, 'a boolean' ], [ [], 'an empty array' ], [ ['x'], 'an array' ], [ { a => 1 }, 'an object' ],
     [ 'x' x 256, '256 characters' ], [ '日' x 256, '256 characters of 3 bytes' ],
     [ "\x{1f3ad}" x 256, '256 characters of 4 bytes' ]) {
    my ($title, $what) = @$_;
    problem_ok create({ title => $title, price => 1 }), 400, [ { field => 'title', message => qr/^Title / } ],
        "refuses $what as a title with 400 and names the field";
}
problem_ok create({ price => 1 }), 400, [ { field => 'title', message => qr/required/ } ],
    'refuses a ticket without a title';
problem_ok create({ Title => 'x', price => 1 }), 400, [ { field => 'title' } ], 'the letters of a key matter';
problem_ok create({ title => 'x' }), 400, [ { field => 'price', message => qr/required/ } ],
    'refuses a ticket without a price';

for ([ {}, 'neither' ], [ { title => '', price => -1 }, 'two bad ones' ],
     [ { price => 0, title => undef }, 'them in another order' ]) {
    problem_ok create($_->[0]), 400, [ { field => 'title' }, { field => 'price' } ],
        "answers $_->[1] with the title before the price";
}

my ($before) = $db->selectrow_array('SELECT position FROM tickets_head');
problem_ok create({ title => '', price => 1 }), 400;
is_deeply [ $db->selectrow_array('SELECT position FROM tickets_head') ], [$before], 'a refused ticket leaves no event';

log_is_clean;
done_testing;
