#!/usr/bin/perl
# bin/demo.pl: put the weekly prices of 77 Broadway shows (t/data) through the HTTP API of the running server
# (PORT, default 8080): alice makes a ticket per show at its first week's price and edits it for each later week.
use strict;
use warnings FATAL => 'all';
use FindBin;
use IO::Socket::INET ();
use JSON::PP ();
use MIME::Base64 'encode_base64';
use Time::HiRes 'time';

my $port = $ENV{PORT} || 8080;
my $json = JSON::PP->new->utf8;
my $terminal = -t STDOUT;
my $connection;
$| = 1;
$SIG{PIPE} = 'IGNORE';

sub fail { print "\n" if $terminal; print STDERR "demo: @_\n"; exit 1 }

# One connection for all requests, and each request in one write: HTTP::Tiny takes two, which Nagle's algorithm and
# delayed acknowledgements turn into 40 ms each.
sub request {
    my ($method, $path, $content) = @_;
    $connection ||= IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5)
        or fail("nothing answers on http://127.0.0.1:$port; start it with make run, or say which PORT=");
    print $connection "$method $path HTTP/1.1\r\nHost: 127.0.0.1:$port\r\nContent-Type: application/json\r\n",
        'Authorization: Basic ', encode_base64('alice:secret', ''), "\r\nContent-Length: ", length $content, "\r\n\r\n",
        $content;
    my $head = do { local $/ = "\r\n\r\n"; <$connection> };
    my ($status) = ($head || '') =~ m{^HTTP/1\.\d (\d+)} or fail("the server on port $port gave no answer to $method $path");
    my ($length) = $head =~ /^Content-Length: (\d+)/mi or fail("$method $path answered $status");
    read($connection, my $body, $length) == $length or fail("$method $path: the answer broke off");
    undef $connection if $head =~ /^Connection: close/mi;   # after 100 requests, by default
    fail("$method $path answered $status: $body") unless $status =~ /^2/;
    return $json->decode($body);
}

open my $csv, '<:encoding(UTF-8)', "$FindBin::Bin/../t/data/broadway-weekly-prices.csv" or fail("the prices: $!");
my (undef, @weeks) = map { s/\r?\n\z//; [split /,/] } <$csv>;   # week, show, price; in order; no quotes in it
my (%id, $edits, $done);
my $shown = '';
my $begin = time;
for my $week (@weeks) {
    my ($date, $show, $price) = @$week;
    # The price goes as text, as existing clients send it: no binary fraction comes near it.
    my $content = $json->encode({ title => $show, price => $price });
    if (defined $id{$show}) {
        request(PUT => "/api/tickets/$id{$show}", $content);
        $edits++;
    } else {
        $id{$show} = request(POST => '/api/tickets', $content)->{id};
    }
    my $percent = int 100 * ++$done / @weeks;
    next if $percent eq $shown || (!$terminal && $percent % 10);
    $shown = $percent;
    printf '%s%3d %%  week ending %s, %d of %d prices%s', $terminal ? "\r" : '', $percent, $date, $done, scalar @weeks,
        $terminal ? '' : "\n";
}
my $seconds = time - $begin;
print "\n" if $terminal;
printf "%d tickets made and %d price changes in %.1f s by one client, one at a time (%.0f a second).\n",
    scalar keys %id, $edits, $seconds, @weeks / $seconds;
print 'One of them: ', $json->canonical->encode(request(GET => "/api/tickets/$id{Hamilton}", '')), "\n";
