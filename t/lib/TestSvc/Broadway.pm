package TestSvc::Broadway;
# Real input: the weekly ticket prices of 77 Broadway shows, 2022-05 to 2023-05, put through the API by several clients.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use TestSvc qw(db wait_until);
use TestSvc::Clients;

our @EXPORT = qw(broadway_shows sell_broadway buy_broadway broadway_prices);

sub broadway_shows {   # { show => [price of its first week, of its second, ...] }, prices as they stand in the file
    (my $file = __FILE__) =~ s{lib/TestSvc/Broadway\.pm$}{data/broadway-weekly-prices.csv};
    open my $csv, '<:encoding(UTF-8)', $file or die "$file: $!";
    my (undef, @lines) = <$csv>;
    my %shows;
    for (@lines) {
        my ($week, $show, $price) = /^(\d{4}-\d\d-\d\d),([^,"]+),(\d+\.\d\d)\r?\n?\z/ or die "a line of the prices: $_";
        push @{ $shows{$show} }, $price;
    }
    return \%shows;
}

# A write that is carried out exactly once, whatever becomes of its answers. $done->() says whether it was: then
# the answer was lost, not the write. Returns the answer that counts.
sub insist {
    my ($client, $write, $done) = @_;
    my ($until, $tries, $answer) = ($client->now + 45, 0);
    while ($client->now < $until) {
        $answer = $write->();
        return $answer if $answer->{code} && $answer->{code} < 500 && $answer->{code} != 412;
        $tries++;
        $client->pause(0.05);
        my $found = $done->();
        return { %$found, tries => $tries } if $found;
    }
    die "in vain: $answer->{code} $answer->{text}";
}

# $count clients make a ticket per show at its first price, and apply each later week as an edit, in order per show;
# the shows are dealt out among the clients, who take turns through theirs, week by week. With If-Match when $careful.
# Returns { show => { id, edits, answers => {code => n} } }.
sub sell_broadway {
    my ($where, $count, $careful) = @_;
    my $shows = broadway_shows();
    return TestSvc::Clients->start($count, $where, sub {
        my ($client, $number) = @_;
        my @mine = grep { my $show = $_; $number == ord(substr $show, length($show) / 2, 1) % $count } sort keys %$shows;
        my %sold;
        for my $show (@mine) {
            $sold{$show} = { id => make($client, $show, $shows->{$show}[0], $careful), answers => {} };
        }
        for my $week (1 .. 60) {
            for my $show (grep { $week < @{ $shows->{$_} } } @mine) {
                my $code = edit($client, $sold{$show}{id}, $week, $show, $shows->{$show}[$week], $careful);
                $sold{$show}{answers}{$code}++;
            }
        }
        return \%sold;
    });
}

sub make {
    my ($client, $show, $price, $careful) = @_;
    my $made = insist($client,
        sub { $client->send(POST => '/api/tickets', user => 'alice', json => { title => $show, price => $price }) },
        sub {          # the answer was lost: is it there? The list is the only way to know
            return unless $careful;
            my $list = $client->send(GET => '/api/tickets?limit=1000');
            my ($found) = grep { $_->{title} eq $show } @{ $list->{code} == 200 ? $list->{json} : [] };
            return $found && { code => 201, json => $found };
        });
    die "POST $show: $made->{code} $made->{text}" unless $made->{code} == 201;
    return $made->{json}{id};
}

sub edit {             # brings the ticket from version $week - 1 to $week
    my ($client, $id, $week, $show, $price, $careful) = @_;
    my $answer = insist($client,
        sub { $client->send(PUT => "/api/tickets/$id", user => 'alice', json => { title => $show, price => $price },
                            headers => $careful ? { 'If-Match' => '"' . ($week - 1) . '"' } : {}) },
        sub {
            return unless $careful;
            my $now = $client->send(GET => "/api/tickets/$id");
            return unless $now->{code} == 200;
            die "$show: version $now->{json}{version} where $week was wanted" if $now->{json}{version} > $week;
            return $now->{json}{version} == $week && { code => 200, json => $now->{json} };
        });
    die "PUT $show, week $week: $answer->{code} $answer->{text}" unless $answer->{code} == 200;
    return $answer->{tries} ? 'repeated' : 200;
}

# Eight clients, each a user of its own, order every show at once: the shows in the same order, so that they collide.
# Returns for each of them { ticket id => code }; code 0 when no answer came after several tries. $pause: seconds
# between two purchases.
sub buy_broadway {
    my ($where, $ids, $pause) = @_;
    return TestSvc::Clients->start(8, $where, sub {
        my ($client, $number) = @_;
        my %code;
        for my $id (@$ids) {
            my ($until, $answer) = ($client->now + 30);
            do {
                $answer = $client->send(POST => '/api/orders', user => 'user' . ($number + 1), json => { ticketId => $id });
            } while (($answer->{code} == 0 || $answer->{code} >= 500) && $client->now < $until && !$client->pause(0.05));
            $code{$id} = $answer->{code};
            $client->pause($pause) if $pause;
        }
        return \%code;
    });
}

sub broadway_prices {  # what a table says of the shows: { id => [title, cents, version] }
    my ($where, $table, @ids) = @_;
    my $db = db($where, unicode => 1);
    my $rows = $db->selectall_arrayref("SELECT id, title, cents, version FROM $table WHERE id IN (" . join(', ', ('?') x @ids) . ')', undef, @ids);
    return { map { my ($id, @row) = @$_; $id => \@row } @$rows };
}

1;
