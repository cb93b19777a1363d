# A database of each earlier version, with what a shop had in it then, is upgraded: by httpd itself, by the files of
# conf/schema and by svc-schema. It ends up with the tables that a new one has, and serves all that was in it.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Schema;
use TestSvc::Server;
use TestSvc::Truth;

my $Payments = do { local (@ARGV, $/) = 't/conf/payments.conf'; <> };
my $Off = "TicketsSchema Off\nOrdersSchema Off\n";
my @All = (["/api/tickets?reserved=any&limit=1000", "alice"], ["/api/tickets", "alice"], map { ["/api/orders?status=all", $_] } qw(bob carol));

sub all_of { my ($server) = @_; return { map { ("@$_" => api(GET => $_->[0], user => $_->[1], vhost => $server)->json) } @All } }
sub reserved { my ($server, $order) = @_; wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 10, 'a ticket is reserved'; return $order }
sub pay {
    my ($server, $order, $id) = @_;
    return api(POST => "/api/orders/$order->{id}/payments", vhost => $server, user => 'payments', json => { paymentId => $id })->code;
}

# --- what there was: with version 1, and since version 2, which knows payments
my $shop = TestSvc::Server->new(conf => "OrdersExpiration 1\n$Payments")->start;
my @tickets = map { new_ticket(vhost => $shop, title => $_, price => 12.5) } 'Hamlet', "L'\x{c9}t\x{e9} \"100 %\"", 'Cats; --', 'Expired', 'Cancelled', 'Paid', 'Free';
is api(PUT => "/api/tickets/$tickets[0]{id}", vhost => $shop, user => 'alice', json => { title => 'Hamlet, again', price => '9999999.99' })->code,
    200, 'a ticket is edited';
my $expired = reserved($shop, new_order(vhost => $shop, ticket => $tickets[3]));
wait_until { order($expired->{id}, vhost => $shop)->{status} eq 'cancelled' } 10, 'an order expires';
$shop->write_conf(conf => $Payments);
$shop->restart;
my $cancelled = reserved($shop, new_order(vhost => $shop, ticket => $tickets[4]));
is api(DELETE => "/api/orders/$cancelled->{id}", vhost => $shop, user => 'bob')->code, 204, 'an order is cancelled';
my @waiting = map { reserved($shop, new_order(vhost => $shop, ticket => $_)) } @tickets[1, 2, 5];
wait_quiet($shop);
truth_ok($shop, 'the shop is right');
my %was = (1 => { rows => rows_of($shop), says => all_of($shop) });
is pay($shop, $waiting[2], 'pay-1'), 201, 'an order is paid';
is pay($shop, $cancelled, 'pay-2'), 409, 'a payment comes too late';
wait_quiet($shop);
truth_ok($shop, 'the shop with payments is right');
$was{2} = { rows => rows_of($shop), says => all_of($shop) };
my $wanted = structure($shop);
my %last = map { $_ => (schema_version($shop, $_))[1] } qw(tickets orders);
is_deeply [map { (schema_version($shop, $_))[0] } sort keys %last], [map { $last{$_} } sort keys %last], 'httpd has made the tables of this version';
$shop->stop;

sub upgraded {   # SERVER's, which were of version FROM
    my ($server, $from, $way) = @_;
    for my $service (qw(tickets orders)) {
        for ($way eq 'files' ? schema_files($server, $service, $from, $last{$service}) : ()) {
            my ($code, $output) = schema_run($server, $_);
            is $code, 0, "$_ runs" or diag $output;
        }
        next if $way ne 'svc-schema';
        my ($code, $output) = schema_tool($server, $service, 'migrate');
        is "$code $output", "0 $service: schema $last{$service}, was $from\n", 'svc-schema does it';
    }
}

my ($newest) = sort { $b <=> $a } values %last;
for my $from (1 .. $newest - 1) {
    my $was = $was{ $from > 1 ? 2 : 1 };
    for my $way ('httpd', 'files', 'svc-schema') {
        my $name = "from version $from by $way";
        my $server = TestSvc::Server->new(conf => $Payments . ($way eq 'httpd' ? '' : $Off));
        my %from = map { $_ => $from < $last{$_} ? $from : $last{$_} } keys %last;
        for my $service (sort keys %from) {
            my ($code, $output) = schema_tool($server, '--to', $from{$service}, $service, 'migrate');
            is $code, 0, "$name: there is an old database of $service" or diag $output;
        }
        put_rows($server, $was->{rows});
        upgraded($server, $from, $way);
        $server->start->wait_database;
        is_deeply [map { (schema_version($server, $_))[0] } sort keys %last], [map { $last{$_} } sort keys %last], "$name: it has the version of today";
        is structure($server), $wanted, "$name: its tables are those of a new database";
        is_deeply all_of($server), $was->{says}, "$name: it says of all that there was what the old one said";
        is pay($server, $waiting[0], 'pay-3'), 201, "$name: an old order is paid";
        is api(DELETE => "/api/orders/$waiting[1]{id}", vhost => $server, user => 'bob')->code, 204, "$name: another is cancelled";
        wait_until { !ticket($tickets[2]{id}, vhost => $server)->{orderId} } 10, 'its ticket is free again';
        my $again = new_order(vhost => $server, ticket => $tickets[2]);
        reserved($server, $again);
        wait_quiet($server);
        truth_ok($server, "$name: and all is right");
        $server->stop;
        log_is_clean(server => $server, name => "$name: its error log has no unexpected line");
    }
}

log_is_clean;
done_testing;
