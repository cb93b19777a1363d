# Of SQLite only: the page that make run shows at /, driven in Chromium (t/console/driver.mjs): the story that a newcomer
# is told, and what the page says when something goes wrong. SHOTS=folder keeps pictures of it.
use strict;
use warnings FATAL => 'all';
use DBI ();
use File::Temp ();
use IO::Socket::INET ();
use IPC::Open2 'open2';
use JSON::PP ();
use POSIX ();
use Test::More;
use TestSvc;

(my $top = __FILE__) =~ s{/?t/console/console\.t\z}{};
chdir $top or die "$top: $!" if length $top;

my $Json = JSON::PP->new->utf8->canonical->allow_nonref;
my $dir = File::Temp->newdir('run.XXXXXX', TMPDIR => 1);
chmod 0755, "$dir";
my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "no port: $!";
my $port = $probe->sockport;
close $probe;
my $url = "http://127.0.0.1:$port";
my ($owner, $server, $driver, $to, $from) = ($$);

sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!"; local $/; return scalar <$in> }

sub start {   # make run
    open my $said, '>', "$dir/said" or die "$dir/said: $!";
    defined($server = fork) or die "fork: $!";
    if (!$server) {
        open STDOUT, '>&', $said;
        open STDERR, '>&', $said;
        @ENV{qw(RUN PORT BUILD HTTPD)} = ("$dir", $port, 'build', $ENV{TEST_HTTPD});
        { no warnings; exec 'bin/run.sh' }
        POSIX::_exit(127);
    }
    wait_until { slurp("$dir/said") =~ m{^See both at work, in a browser: \Q$url\E/$}m || waitpid($server, POSIX::WNOHANG) } 60,
        'make run to be ready';
}

sub stop { my $pid = $server or return; undef $server; kill 'TERM', $pid; waitpid $pid, 0; return $? }

sub page {   # what, arguments...: what driver.mjs does; dies when it cannot
    local $SIG{ALRM} = sub { die "the browser has not done @_ within 60 s\n" };
    alarm 60;
    print $to $Json->encode([@_]), "\n" or die "the browser is gone: $!";
    my $line = <$from>;
    alarm 0;
    my $answer = $Json->decode($line // die "the browser is gone at @_\n");
    return $answer->{ok} unless defined $answer->{error};
    my $shot = ($ENV{SHOTS} || 't/logs') . '/failed.png';
    print $to $Json->encode(['shot', $shot, 1]), "\n";
    $line = <$from>;
    die "@_: $answer->{error}\n(see $shot)\n";
}

sub sees { my ($selector, $name) = @_; ok eval { page(sees => $selector) }, $name or diag $@ }
sub shot { my ($name, $full) = @_; page(shot => "$ENV{SHOTS}/$name.png", $full) if $ENV{SHOTS} }
sub tickets { return $Json->decode(api(GET => '/api/tickets?reserved=any&limit=1000', vhost => $url)->content) }

sub sell {
    my ($title, $price) = @_;
    page(fill => '#sell [name=title]', $title);
    page(fill => '#sell [name=price]', $price);
    page(click => '#sell button');
}
my %button = (bad => '.message.bad button:has-text("Try again")', dismiss => '.message button:has-text("Dismiss")');
sub dismiss { page(click => $button{dismiss}) while page(count => $button{dismiss}) }
sub ticket_row { my ($title) = @_; return qq{#tickets > li:has(b:text-is("$title"))} }
sub order_row { my ($title) = @_; return qq{#orders > li:has(b:text-is("$title"))} }
sub event_row { my ($type, $version) = @_; return qq{#events tbody tr:has-text("$type"):has-text("version $version,")} }

END {   # whatever happened, nothing is left
    if (defined $owner && $owner == $$) {
        my $status = $?;
        close $to if $to;
        waitpid $driver, 0 if $driver;
        stop();
        $? = $status;
    }
}

start();
$driver = open2($from, $to, 'node', 't/console/driver.mjs', "$url/");
$from->autoflush; $to->autoflush;
note 'Chromium ' . $Json->decode(scalar <$from>)->{ok};

# --- nothing is there yet
is page('open'), 200, 'make run serves a page at /';
is api(GET => '/api/orders', vhost => $url)->code, 401, 'orders still need a user';
is api(POST => '/api/tickets', json => { title => 'x', price => 1 }, vhost => $url)->code, 401, 'selling, too';
is api(POST => '/api/orders/01a2060f-b39e-70c0-b518-32859397a84e/payments', json => { paymentId => 'x' }, user => 'bob', vhost => $url)->code, 401,
    'a buyer may not say what was paid';
sees "#none:has-text(\"make demo PORT=$port\")", 'without tickets it says how to get some';
is_deeply [map { /^(\w+)/ } @{ page(texts => '#steps li') }], [qw(Sell Order Watch Pay)], 'and what to try first';
sees '#no-events', 'nothing has happened';
sees '#state-tickets.ok:has-text("tickets: ok")', 'the tickets service is said to be well';
sees '#state-orders.ok:has-text("orders: ok")', 'and the orders service';
shot('empty', 1);

# --- sell
sell('Hamlet', '-1');
sees '#sell-price-error:has-text("Price must be")', 'a bad price is told beside its field';
sees '#sell [name=price][aria-invalid=true]', 'which is marked';
is page('focus'), 'price', 'and has the focus';
is page(count => '#sell-title-error:not(:empty)'), 0, 'the title is not to blame';
sell('Hamlet', '20.5');
sees ticket_row('Hamlet') . ':has-text("20.50")', 'a good one is on sale';
is page(count => '#sell [aria-invalid]'), 0, 'the error is gone';
sees '#step-sell.done', 'the first step is done';
sees event_row('ticket:created', 0) . ':has(td:nth-child(2):has-text("published")):has(td:nth-child(3):has-text("applied"))',
    'the event appears: published by tickets, applied by orders';

# --- the real data set: search, pages
is system("PORT=$port bin/demo.pl >$dir/demo 2>&1"), 0, 'make demo loads the real prices' or diag slurp("$dir/demo");
sees '#shown:has-text("20 shown, there are more")', 'the list shows a page of them, by itself';
page(click => '#more');
page(counts => '#tickets > li', 40);
page(click => '#more') for 1 .. 2;
page(counts => '#tickets > li', 78);
is page(count => '#more:visible'), 0, '"more" leads to the end: 77 shows and Hamlet';
page(fill => '#search [name=title]', 'haMILTon');
page(counts => '#tickets > li', 1);
like page(text => '#tickets > li'), qr/^Hamilton\n/, 'a title is found while it is typed';
page(fill => '#search [name=title]', '');
page(fill => '#search [name=maxPrice]', '21');
page(fill => '#search [name=minPrice]', '20');
sees ticket_row('Hamlet'), 'prices are searched for';
my @cheap = grep { $_->{price} >= 20 && $_->{price} <= 21 } @{ tickets() };
page(counts => '#tickets > li', scalar @cheap);
page(fill => '#search [name=minPrice]', '30');
sees '#search-minPrice-error:not(:empty), #search-maxPrice-error:not(:empty)', 'a range that is none is told beside its field';
page(fill => '#search [name=maxPrice]', '');
page(fill => '#search [name=minPrice]', '9999999');
sees '#none:has-text("No ticket has such a title")', 'nothing found is said';
page(click => '#none button');
sees '#shown:has-text("20 shown")', 'and the search can be cleared';

# --- order, pay
page(choose => '#who', 'bob');
sees '#whose:has-text("bob")', 'bob comes';
page(click => ticket_row('Hamlet') . ' [data-action=order]');
sees order_row('Hamlet') . ':has-text("awaiting payment")', 'his order awaits payment as soon as the ticket is reserved for it';
sees ticket_row('Hamlet') . ' .reserved', 'the ticket is shown as reserved';
sees '#step-order.done', 'the second step is done';
sees '#step-reserve.done', 'and the third';
sees event_row('order:created', 0) . ':has(td:nth-child(2):has-text("applied")):has(td:nth-child(3):has-text("published"))',
    'order:created was published by orders, applied by tickets';
sees event_row('order:updated', 1), 'order:updated was published';
sees event_row('ticket:updated', 1) . ':has(td:nth-child(2):has-text("published")):has(td:nth-child(3):has-text("applied"))',
    'ticket:updated came back';
my ($before, $after) = map { /^(\d+):(\d\d) left$/ ? $1 * 60 + $2 : -1 } @{ page(changes => '#orders .left') };
ok $before > $after && $after > 800, 'the countdown runs' or diag "$before, $after";
page(check => '#search [name=reserved]', JSON::PP::false);
sees '#shown', 'reserved tickets can be hidden';
page(misses => ticket_row('Hamlet'));
page(check => '#search [name=reserved]', JSON::PP::true);
sees ticket_row('Hamlet'), 'and shown again';
my ($second) = page(text => '#tickets > li:nth-child(2) b');
page(click => '#tickets > li:nth-child(2) [data-action=order]');
sees order_row($second) . ':has-text("awaiting payment")', 'he orders another';
page(click => order_row('Hamlet') . ' [data-action=pay]');
sees order_row('Hamlet') . ':has(.complete)', 'he pays through the payments service: the order is complete';
sees event_row('order:updated', 2), 'order:updated tells it';
sees ticket_row($second) . ' .reserved', 'the other ticket is reserved, too';
page('top');
shot('busy');
is page(count => order_row('Hamlet') . ' button'), 0, 'and can be neither paid nor cancelled';
page(click => order_row($second) . ' [data-action=cancel]');
sees order_row($second) . ':has-text("cancelled: by the buyer")', 'the other he cancels';
sees '#step-close.done', 'the last step is done';
sees event_row('order:cancelled', 2) . ':has(td:nth-child(2):has-text("applied"))', 'order:cancelled was applied by tickets';
sees "#tickets > li:nth-child(2) [data-action=order]", 'its ticket can be ordered again';

# --- what can go wrong
dismiss();
page(lose => '/api/tickets');
sell('Once', '7');
sees '.message.bad:has-text("Whether it was done is not known")', 'a lost answer is said to leave it open';
page(click => $button{bad});
sees '.message.good:has-text("The first attempt had done it already")', 'sent again with its key it turns out to be done';
is scalar(grep { $_->{title} eq 'Once' } @{ tickets() }), 1, 'once';
dismiss();

{   # the seller's price, changed by two at once
    page(choose => '#who', 'bob');
    page(fill => '#search [name=title]', 'Once');
    page(click => ticket_row('Once') . ' [data-action=price]');
    page(fill => '#tickets [name=price]', '0');
    page(click => '#tickets form button.main');
    sees '#edit-error:has-text("Price must be")', 'a bad price is told beside its field there, too';
    page(fill => '#tickets [name=price]', '9');
    page(click => '#tickets form button.main');
    sees ticket_row('Once') . ':has-text("9.00"):has-text("version 1")', 'a price is changed';
    dismiss();
    page(click => ticket_row('Once') . ' [data-action=price]');
    my ($once) = grep { $_->{title} eq 'Once' } @{ tickets() };
    is api(PUT => "/api/tickets/$once->{id}", json => { title => 'Once', price => 8 }, user => 'bob', vhost => $url)->code, 200,
        'somebody else changes it meanwhile';
    page(fill => '#tickets [name=price]', '10');
    page(click => '#tickets form button.main');
    sees '.message.bad:has-text("Somebody changed it"):has-text("412")', 'then the change is refused in words';
    sees ticket_row('Once') . ':has-text("8.00"):has-text("version 2")', 'and the ticket is shown as it is now';
    dismiss();
    page(fill => '#search [name=title]', '');
}

{   # two buyers at once
    page(sees => ticket_row($second));
    my ($wanted) = grep { $_->{title} eq $second } @{ tickets() };
    page(hold => '/api/tickets', '/status/');
    is api(POST => '/api/orders', json => { ticketId => $wanted->{id} }, user => 'carol', vhost => $url)->code, 201, 'carol orders a ticket';
    page(click => ticket_row($second) . ' [data-action=order]');
    sees '.message.bad:has-text("already reserved"):has-text("409")', 'bob, who is later, is told so';
    page('release');
    sees ticket_row($second) . ' .reserved', 'and sees that it is reserved';
    dismiss();
}

page(pretend => 'Basic Ym9iOndyb25n');
page(click => '#tickets > li:nth-child(3) [data-action=order]');
sees '.message.bad:has-text("does not let bob in"):has-text("401")', 'a wrong password is told in words, and no dialog asks for another';
page('pretend');
dismiss();

{   # a database that another program holds
    my $db = DBI->connect("dbi:SQLite:dbname=$dir/data/shop.db", '', '', { RaiseError => 1, AutoCommit => 1, sqlite_use_immediate_transaction => 0 });
    $db->do('BEGIN IMMEDIATE');
    sell('Patience', '12');
    sees '.message.bad:has-text("503"):has-text("asks to wait 1 second")', 'a 503 is told with its reason and its Retry-After';
    $db->do('ROLLBACK');
    $db->disconnect;
    page(click => $button{bad});
    sees '.message.good:has-text("Patience")', 'tried again it is sold';
    is scalar(grep { $_->{title} eq 'Patience' } @{ tickets() }), 1, 'once';
    dismiss();
}

is stop(), 0, 'make run is stopped';
sees '#down:has-text("does not answer")', 'that the server is gone is said by itself';
sees '#state-tickets.down:has-text("no answer")', 'and at the services';
sell('Later', '15');
sees '.message.bad:has-text("httpd or the network is down")', 'selling fails in words';
shot('error');
start();
page(misses => '#down');
pass 'when it is back the message goes away';
page(click => $button{bad});
sees '.message.good:has-text("Later")', 'and the same request is sent again';
is scalar(grep { $_->{title} eq 'Later' } @{ tickets() }), 1, 'with one ticket as outcome';
dismiss();

# --- how it looks elsewhere
page(scheme => 'dark');
page('top');
shot('dark');
page(scheme => 'light');
page(size => 390, 844);
page('top');
ok !page('overflows'), 'on a phone nothing sticks out';
shot('narrow', 1);
is_deeply page('wrong'), { faults => [], dialogs => [], elsewhere => [] },
    'all the time no script failed, no dialog came up, and nothing was asked of another server';
is stop(), 0, 'make run stops';
done_testing;
