package TestSvc::Trade;
# A trading load for suites in which something goes wrong meanwhile: clients sell, edit, buy, cancel, pay and look, and
# keep what they were answered; afterwards that is compared with what is there.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use Test::Builder ();
use Time::HiRes qw(sleep time);
use TestSvc qw(api db order wait_until);
use TestSvc::Clients ();
use TestSvc::Truth qw(truth_ok wait_quiet);

our @EXPORT = qw(works_ok survives_ok trade_conf no_open_transaction_ok);

my $Test = Test::Builder->new;
my $Longest = 10.5;   # seconds for a request: 10, and a little for its client
my $Stories = 0;

# The route of payments, which TestSvc::Server does not have by itself.
sub trade_conf {
    return qq(<LocationMatch "^/api/orders/[^/]+/payments/?\$">\n  OrdersPayments On\n  Require user payments\n</LocationMatch>\n);
}

# --- one client --------------------------------------------------------------------------------------------------

sub ask {   # sends it and keeps what became of it; what may be a matter of course is no news
    my ($client, $got, $method, $path, %opt) = @_;
    my $begin = $client->now;
    my $answer = $client->send($method, $path, %opt);
    my $took = $client->now - $begin;
    my $code = $answer->{code};
    ($got->{longest}, $got->{slowest}) = ($took, "$method $path: $code") if $took > $got->{longest};
    $got->{codes}{$code}++;
    my $is_right = $code =~ /^(?:200|201|202|204|404|409)\z/ || $code == 503 && ($answer->{headers}{'retry-after'} || '') =~ /^[1-9]\d*\z/;
    push @{ $got->{odd} }, "$method $path: $code " . substr $answer->{text}, 0, 150 unless $is_right;
    $got->{last} = $begin + $took if $code == 503;
    $client->pause(0.02) if $code == 503;
    $answer->{is_unknown} = $code == 503 && $answer->{text} =~ /was made is unknown/;
    return $answer;
}

sub sell {   # a ticket, whose title is told once; an edit of it
    my ($client, $got, $name) = @_;
    my $title = "$name " . $client->number . '.' . ++$got->{count};
    my %keyed = $got->{count} % 2 ? (headers => { 'Idempotency-Key' => qq("$title") }) : ();
    my $made = ask($client, $got, POST => '/api/tickets', user => 'alice', json => { title => $title, price => 7 }, %keyed);
    push @{ $got->{ $made->{code} == 201 ? 'made' : $made->{is_unknown} ? 'unknown' : 'refused' } }, $title;
    push @{ $got->{keyed} }, $title if %keyed && $made->{code} == 503;
    return unless $made->{code} == 201 && $got->{count} % 3 == 0;
    my $edited = ask($client, $got, PUT => "/api/tickets/$made->{json}{id}", user => 'alice', json => { title => $title, price => 8 });
    $got->{edited}{ $made->{json}{id} } = $edited->{json}{version} if $edited->{code} == 200;
}

sub buy {   # one of the newest tickets; then pay for it, or cancel, or leave it
    my ($client, $got) = @_;
    my $offered = ask($client, $got, GET => '/api/tickets?limit=20');
    my @free = $offered->{code} == 200 ? @{ $offered->{json} } : ();
    return $client->pause(0.02) unless @free;
    my $order = ask($client, $got, POST => '/api/orders', user => 'bob', json => { ticketId => $free[rand @free]{id} });
    return unless $order->{code} == 201;
    my $id = $order->{json}{id};
    push @{ $got->{ordered} }, $id;
    my $what = ++$got->{count} % 3;
    if ($what == 0) {
        my $gone = ask($client, $got, DELETE => "/api/orders/$id", user => 'bob');
        push @{ $got->{cancelled} }, $id if $gone->{code} == 204;
    } elsif ($what == 1) {
        my $paid = ask($client, $got, POST => "/api/orders/$id/payments", user => 'payments', json => { paymentId => "of $id" });
        push @{ $got->{paid} }, $id if $paid->{code} =~ /^20/;
    }
}

sub look {
    my ($client, $got) = @_;
    ask($client, $got, GET => $got->{count}++ % 2 ? '/api/tickets?limit=1' : '/api/orders?limit=1', user => 'bob');
}

sub trade {
    my ($name, $where, $clients) = @_;
    return TestSvc::Clients->start($clients, $where, sub {
        my ($client, $number) = @_;
        my %got = (longest => 0, last => 0, count => 0, codes => {}, odd => []);
        (\&sell, \&buy, \&look)[$number % 3]->($client, \%got, $name) until $client->is_told_to_stop;
        return \%got;
    }, keep_alive => 0);   # httpd, when all its threads are busy, closes what is kept alive, maybe just when it is used
}

sub written { return db($_[0])->selectrow_array('SELECT (SELECT position FROM tickets_head) + (SELECT position FROM orders_head)') }

sub goes_on {   # returns when something more was done
    my ($where) = @_;
    my $from = wait_until { eval { written($where) } } 20, 'the database';
    wait_until { (eval { written($where) } || 0) >= $from + 60 } 30, 'the trade to go on';
}

# --- all of them -------------------------------------------------------------------------------------------------

sub sum_of {
    my %all = (longest => 0, slowest => '', last => 0, codes => {}, map { $_ => [] } qw(made refused unknown keyed ordered cancelled paid odd));
    $all{edited} = {};
    for my $got (@_) {
        push @{ $all{$_} }, @{ $got->{$_} || [] } for grep { ref $all{$_} eq 'ARRAY' } keys %all;
        $all{codes}{$_} += $got->{codes}{$_} for keys %{ $got->{codes} };
        $all{edited}{$_} = $got->{edited}{$_} for keys %{ $got->{edited} || {} };
        @all{qw(longest slowest)} = @$got{qw(longest slowest)} if $got->{longest} > $all{longest};
        $all{last} = $got->{last} if $got->{last} > $all{last};
    }
    return \%all;
}

sub none_ok {   # each complaint is a reason
    my ($name, @complaints) = @_;
    $Test->ok(!@complaints, $name) or $Test->diag(join "\n", @complaints > 5 ? (@complaints[0 .. 4], @complaints - 5 . ' more') : @complaints);
}

# What was answered 2xx is there, what was refused is not, nothing is there twice.
sub kept_ok {
    my ($name, $where, $all) = @_;
    my $db = db($where);
    my (%titles, %orders, %payments);
    $titles{ $_->[0] }++ for @{ $db->selectall_arrayref('SELECT title FROM tickets') };
    $orders{ $_->[0] } = $_->[1] for @{ $db->selectall_arrayref('SELECT id, status FROM orders') };
    $payments{ $_->[0] } = 1 for @{ $db->selectall_arrayref('SELECT order_id FROM orders_payments') };
    my %version = map { @$_ } @{ $db->selectall_arrayref('SELECT id, version FROM tickets') };
    none_ok("$name: what was answered 2xx is there",
        (map { "a ticket that was made: $_" } grep { !$titles{$_} } @{ $all->{made} }),
        (map { "an edit of $_" } grep { ($version{$_} || 0) < $all->{edited}{$_} } keys %{ $all->{edited} }),
        (map { "an order: $_" } grep { !$orders{$_} } @{ $all->{ordered} }),
        (map { "a cancellation of $_" } grep { ($orders{$_} || '') ne 'cancelled' } @{ $all->{cancelled} }),
        (map { "a payment of $_" } grep { !$payments{$_} } @{ $all->{paid} }));
    none_ok("$name: what was answered that nothing was changed is not", grep { $titles{$_} } @{ $all->{refused} });
    none_ok("$name: nothing is there twice", grep { $titles{$_} > 1 } sort keys %titles);
}

# A POST with an Idempotency-Key that was answered 503 can be sent again, whatever became of it: then it is there once.
sub repeated_ok {
    my ($name, $where, @titles) = @_;
    my (@wrong, %ids);
    for my $title (@titles > 20 ? @titles[0 .. 19] : @titles) {
        my @answers = map { api(POST => '/api/tickets', vhost => $where, user => 'alice', json => { title => $title, price => 7 },
                                headers => { 'Idempotency-Key' => qq("$title") }) } 1, 2;
        my ($first, $second) = map { $_->code . ' ' . $_->content } @answers;
        push @wrong, "$title: $first" unless $first =~ /^201 /;
        push @wrong, "$title: $first, and then $second" unless $first eq $second;
        my ($count) = db($where)->selectrow_array('SELECT COUNT(*) FROM tickets WHERE title = ?', undef, $title);
        push @wrong, "$title is there $count times" unless $count == 1;
    }
    none_ok("$name: what was refused or unknown is sent again with its Idempotency-Key, and made once", @wrong);
}

sub works_ok {   # reads, writes, orders, events; and what must hold holds
    my ($where, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $is_served = eval {
        wait_until { api(GET => '/api/tickets', vhost => $where)->code == 200 } 15, 'reads';
        my $ticket = wait_until { my $answer = api(POST => '/api/tickets', vhost => $where, user => 'alice', json => { title => "After: $name", price => 3 });
                                  $answer->code == 201 && $answer->json } 15, 'writes';
        my $order = wait_until { my $answer = api(POST => '/api/orders', vhost => $where, user => 'bob', json => { ticketId => $ticket->{id} });
                                 $answer->code == 201 && $answer->json } 15, 'orders';
        wait_until { order($order->{id}, vhost => $where)->{status} eq 'awaiting:payment' } 15, 'the dance';
        wait_quiet($where);
        1;
    };
    $Test->ok($is_served, "$name: all works by itself") or $Test->diag($@);
    truth_ok($where, "$name: and all that must hold does");
    return $is_served;
}

# A connection with a transaction left open would have its next user write into that, or hold its locks for ever.
sub no_open_transaction_ok {
    my ($where, $name) = @_;
    my $engine = $where->engine;
    return if $engine->is_file;
    my $open = $engine->engine eq 'pgsql'
        ? q{SELECT pid FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'}
        : q{SELECT trx_mysql_thread_id FROM information_schema.innodb_trx t JOIN information_schema.processlist p ON p.id = t.trx_mysql_thread_id WHERE p.command = 'Sleep'};
    my $is_none = eval { wait_until { !@{ $engine->admin->selectcol_arrayref($open) } } 5, 'no transaction to be open'; 1 };
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $Test->ok($is_none, "$name: no connection has a transaction left open");
}

sub started { my ($where) = @_; return sprintf 'process %d, start %d', $where->pid, $where->generation }

# WHAT is done while there is trade, without httpd being started or restarted; returns what became of it all.
sub survives_ok {
    my ($where, $name, $what, %opt) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $story = ++$Stories . " $$";
    my $started = started($where);
    my $clients = trade($story, $where, $opt{clients} || 6);
    goes_on($where);
    my $result = $what->($clients);
    goes_on($where);
    my $all = sum_of($clients->enough->wait);
    $Test->note(sprintf '%s: %s; %d made, %d refused, %d unknown; the longest %.1f s (%s)', $name,
        join(', ', map { "$_: $all->{codes}{$_}" } sort keys %{ $all->{codes} }), map({ scalar @{ $all->{$_} } } qw(made refused unknown)),
        @$all{qw(longest slowest)});
    works_ok($where, $name);
    kept_ok($name, $where, $all);
    repeated_ok($name, $where, @{ $all->{keyed} }) if @{ $all->{keyed} };
    none_ok("$name: no answer but 2xx, 404, 409, and 503 with Retry-After", @{ $all->{odd} });
    $Test->cmp_ok($all->{longest}, '<', $opt{longest} || $Longest, sprintf '%s: no request takes longer than %s s', $name, $opt{longest} || $Longest)
        or $Test->diag($all->{slowest});
    no_open_transaction_ok($where, $name);
    $Test->is_eq(started($where), $started, "$name: httpd was not restarted");
    $all->{result} = $result;
    return $all;
}

1;

__END__

=head1 NAME

TestSvc::Trade - a trading load while something goes wrong

=head1 SYNOPSIS

    my $server = TestSvc::Server->new(engine => $engine, conf => trade_conf())->start->wait_database;
    my $all = survives_ok($server, 'the server is killed', sub { $engine->crash; $engine->start });
    cmp_ok $all->{codes}{503}, '>', 0, 'which was noticed';

=head1 FUNCTIONS

=over

=item survives_ok($server, $name, $what, %opt)

Has clients (C<clients>: 6) sell, buy, cancel, pay and look while C<< $what->($clients) >> is done, and asserts that afterwards
everything works by itself and is true (L<TestSvc::Truth>), that what was answered 2xx is there and what was refused is not,
that no request took longer than 10.5 s (or C<longest>), that each was answered as it may be, and that httpd was not restarted. Returns what happened:
C<codes>, C<made>, C<refused>, C<unknown>, C<longest>, C<last> (when the last 503 came), and C<result>, which is what C<$what> returned.

=item works_ok($server, $name), no_open_transaction_ok($server, $name), trade_conf

=back

=cut
