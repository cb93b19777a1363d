package TestSvc::Status;
# What a service says of itself: the JSON, and Prometheus' text, which is read by its rules.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use TestSvc;

our @EXPORT = qw(status_conf status status_source problems_of ready metrics route_of total_of);

sub status_conf {
    return join '', map { "<Location \"/status/$_\">\n  SetHandler $_-status\n</Location>\n" } qw(tickets orders);
}

sub get {
    my ($server, $service, $format) = @_;
    return api(GET => "/status/$service?format=$format", vhost => $server);
}

sub status {
    my ($server, $service) = @_;
    my $answer = get($server, $service, 'json');
    die "status of $service: " . $answer->as_string unless $answer->code == 200;
    return $answer->json;
}

sub status_source { my ($server, $service) = @_; return status($server, $service)->{sources}[0] }
sub problems_of   { my ($server, $service) = @_; return join ' ', map { $_->{what} } @{ status($server, $service)->{problems} } }
sub ready         { my ($server, $service) = @_; return get($server, $service, 'ready')->code }

sub route_of {
    my ($status, $route) = @_;
    my ($found) = grep { $_->{route} eq $route } @{ $status->{requests} };
    return $found || die "there is no route $route\n";
}

sub total_of {   # all requests
    my ($status) = @_;
    my $total = 0;
    $total += $_ for map { values %{ $_->{status} } } @{ $status->{requests} };
    return $total;
}

# The text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats), strictly: a hash of the series
# ("name{label="value"}" => number), one of the types, and a list of what is wrong.
sub metrics {
    my ($text) = @_;
    my (%value, %type, %help, %ended, @wrong);
    my $family = '';
    push @wrong, 'the last line does not end' unless $text =~ /\n\z/;
    for (split /\n/, $text) {
        if (/^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)$/) {
            push @wrong, "HELP of $1 comes twice" if $help{$1}++;
            push @wrong, "the family $1 is not together" if $ended{$1};
            $ended{$family} = 1 if $family ne $1;
            $family = $1;
        } elsif (/^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/) {
            my ($name, $type) = ($1, $2);
            push @wrong, "TYPE of $name comes twice" if $type{$name};
            push @wrong, "TYPE of $name is not after its HELP" if $name ne $family;
            push @wrong, "the counter $name does not end in _total" if $type eq 'counter' && $name !~ /_total\z/;
            $type{$name} = $type;
        } elsif (/^([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (-?[0-9]+(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?)$/) {
            my ($name, $labels, $number) = ($1, $2, $3);
            my $base = $name;
            $base =~ s/_(?:bucket|sum|count)\z// if ($type{$family} || '') eq 'histogram';
            push @wrong, "$name is not in its family, but in '$family'" if $base ne $family;
            push @wrong, "$name has no type" unless $type{$base};
            push @wrong, "$name has a label twice: $labels" if do { my %seen; grep { $seen{$_}++ } $labels =~ /(\w+)="/g };
            push @wrong, "${name}{$labels} comes twice" if exists $value{"${name}{$labels}"};
            push @wrong, "the counter ${name}{$labels} is negative" if $type{$base} && $type{$base} ne 'gauge' && $number < 0;
            $value{"${name}{$labels}"} = $number;
        } else {
            push @wrong, "a line is none: $_";
        }
    }
    push @wrong, "$_ has no HELP" for grep { !$help{$_} } sort keys %type;
    my %bucket;   # series without le -> [[le, count], ...]
    for my $series (keys %value) {
        push @{ $bucket{"$1\{$2}"} }, [$3, $value{$series}] if $series =~ /^(\w+)_bucket\{(.*),le="([^"]*)"\}\z/;
    }
    for my $series (sort keys %bucket) {
        my @sorted = sort { ($a->[0] eq '+Inf' ? 9**99 : $a->[0]) <=> ($b->[0] eq '+Inf' ? 9**99 : $b->[0]) } @{ $bucket{$series} };
        push @wrong, "$series has no bucket +Inf" if $sorted[-1][0] ne '+Inf';
        push @wrong, "$series has buckets that go down" if grep { $sorted[$_][1] < $sorted[$_ - 1][1] } 1 .. $#sorted;
        my ($name, $labels) = $series =~ /^(\w+)(\{.*)\z/;
        push @wrong, "$series: its count is not the bucket +Inf" unless ($value{"${name}_count$labels"} // -1) == $sorted[-1][1];
        push @wrong, "$series has no sum" unless defined $value{"${name}_sum$labels"};
    }
    return (\%value, \%type, \@wrong);
}

1;

__END__

=head1 NAME

TestSvc::Status - what a service says of itself

=head1 FUNCTIONS

=over

=item status_conf

For C<conf> of a L<TestSvc::Server>: /status/tickets and /status/orders.

=item status($server, $service), status_source($server, $service), problems_of($server, $service), ready($server, $service)

The JSON, decoded; the first of its sources; what its problems are about, with spaces between; the code of C<?format=ready>.

=item route_of($status, $route), total_of($status)

The entry of a route; the number of all requests.

=item metrics($text)

Reads Prometheus' text format strictly: returns the values by series, the types by name, and a list of what is wrong.

=back

=cut
