# Real input: 1546 weekly prices of 77 Broadway shows. Each show is a ticket made at its first price, each later week an
# edit, from several clients at once, while orders follows; then eight buyers want each of them at once.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Broadway;
use TestSvc::Truth;

my $shows = broadway_shows();
is keys %$shows, 77, 'there are 77 shows';
my $weeks = 0;
$weeks += @$_ for values %$shows;
is $weeks, 1546, 'and 1546 weekly prices';

my %sold = map { %$_ } sell_broadway('shop', 6)->wait;
is keys %sold, 77, 'a ticket is made for each show';
my %answers;
for my $sale (values %sold) {
    $answers{$_} += $sale->{answers}{$_} for keys %{ $sale->{answers} };
}
is_deeply \%answers, { 200 => 1546 - 77 }, 'each later week is an edit that is answered 200';
wait_quiet('shop');

my %id = map { $_ => $sold{$_}{id} } keys %sold;
my $expected = { map { my $price = $shows->{$_}[-1]; (my $cents = $price) =~ s/\.//; $id{$_} => [$_, $cents + 0, @{ $shows->{$_} } - 1] } keys %id };
is_deeply broadway_prices('shop', 'tickets', values %id), $expected, 'every ticket has its show\'s last price, and version weeks - 1';
is_deeply broadway_prices('shop', 'orders_tickets', values %id), $expected, 'so has every replica';
my @wrong = grep { ticket($id{$_})->{price} != $shows->{$_}[-1] } sort keys %id;
is_deeply \@wrong, [], 'and the API says the same';

my @codes = buy_broadway('shop', [map { $id{$_} } sort keys %id])->wait;
my %bad;
for my $show (sort keys %id) {
    my %count;
    $count{ $_->{ $id{$show} } }++ for @codes;
    $bad{$show} = \%count unless keys %count == 2 && $count{201} == 1 && $count{409} == 7;
}
is_deeply \%bad, {}, 'of eight buyers of each show one is answered 201 and seven 409' or diag explain \%bad;
wait_quiet('shop');
my $list = join ', ', map { db('shop')->quote($_) } values %id;
is_deeply db('shop')->selectall_arrayref("SELECT status, COUNT(*) FROM orders WHERE ticket_id IN ($list) GROUP BY status"),
    [['awaiting:payment', 77]], 'each show has one order, which waits for payment';
is db('shop')->selectrow_array("SELECT COUNT(*) FROM orders o JOIN tickets t ON t.order_id = o.id WHERE t.id IN ($list) AND o.cents = t.cents"), 77,
    'every ticket is reserved for it, at its last price';
truth_ok('shop');
log_is_clean;
done_testing;
