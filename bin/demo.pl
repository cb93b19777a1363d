#!/usr/bin/perl
# bin/demo.pl: put the weekly prices of 77 Broadway shows (t/data) through the HTTP API of the running server
# (PORT, default 8080): alice makes a ticket per show at its first week's price and edits it for each later week.
use strict;
use warnings FATAL => 'all';
use FindBin;
use HTTP::Tiny;
use JSON::PP ();
use MIME::Base64 'encode_base64';
use Time::HiRes 'time';

my $url = 'http://127.0.0.1:' . ($ENV{PORT} || 8080);
my $json = JSON::PP->new->utf8;
my $agent = HTTP::Tiny->new(timeout => 30, default_headers => {
    'Content-Type' => 'application/json', Authorization => 'Basic ' . encode_base64('alice:secret', '') });

sub fail { print STDERR "\n" if -t STDOUT; print STDERR "demo: @_\n"; exit 1 }

sub send_ticket {
    my ($method, $path, $title, $price) = @_;
    # The price goes as text, as existing clients send it: no binary fraction comes near it.
    my $answer = $agent->request($method, $url . $path, { content => $json->encode({ title => $title, price => $price }) });
    fail("nothing answers on $url; start it with make run, or say which PORT=") if $answer->{status} == 599;
    fail("$method $path answered $answer->{status}: $answer->{content}") unless $answer->{success};
    return $json->decode($answer->{content});
}

open my $csv, '<:encoding(UTF-8)', "$FindBin::Bin/../t/data/broadway-weekly-prices.csv" or fail("the prices: $!");
my (undef, @weeks) = map { chomp; [split /,/] } <$csv>;   # week, show, price; by week; no quotes in it
my (%id, $edits, $done, $shown);
my $begin = time;
for my $week (@weeks) {
    my ($date, $show, $price) = @$week;
    if (defined $id{$show}) {
        send_ticket(PUT => "/api/tickets/$id{$show}", $show, $price);
        $edits++;
    } else {
        $id{$show} = send_ticket(POST => '/api/tickets', $show, $price)->{id};
    }
    $done++;
    my $percent = int 100 * $done / @weeks;
    next if defined $shown && $percent == $shown || !-t STDOUT && $percent % 10;
    $shown = $percent;
    local $| = 1;
    printf '%s%3d %%  week ending %s  %d of %d prices%s', -t STDOUT ? "\r" : '', $percent, $date, $done, scalar @weeks,
        -t STDOUT ? '' : "\n";
}
print "\n" if -t STDOUT;
my $seconds = time - $begin;
printf "%d tickets made and %d price changes in %.1f s, one client, one at a time (%.0f a second).\n",
    scalar keys %id, $edits, $seconds, @weeks / $seconds;
my $hamilton = $agent->get("$url/api/tickets/$id{Hamilton}")->{content};
print "One of them: $hamilton\n";
