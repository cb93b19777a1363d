package TestSvc::Machines;
# Several httpd on one database, as machines behind a load balancer would be: each with ports and endpoints of its own,
# each publishing, each following all of them. And traders who go from machine to machine and remember what they were
# answered, so that nothing of it can be lost unnoticed.
use strict;
use warnings FATAL => 'all';
use JSON::PP ();
use Test::Builder ();
use TestSvc qw(db);
use TestSvc::Clients;
use TestSvc::Event 'new_uuid';
use TestSvc::Recorder;
use TestSvc::Server;
use Time::HiRes 'time';

my $Test = Test::Builder->new;
my $Json = JSON::PP->new->utf8;

# ENGINES: the database node of each machine; without, all are on the one that the suite runs on.
sub new {
    my ($class, $count, %opt) = @_;
    my $engines = delete $opt{engines};
    my @machines;
    for my $i (0 .. $count - 1) {
        push @machines, TestSvc::Server->new(%opt, @machines ? (data => $machines[0]) : (), $engines ? (engine => $engines->[$i]) : ());
    }
    my $self = bless { machines => \@machines }, $class;
    $self->follow;
    return $self;
}

# All publish, and all follow all of them, besides ELSEWHERE: services of their own, with one module each.
sub follow {
    my ($self, @elsewhere) = @_;
    my @machines = @{ $self->{machines} };
    for my $machine (@machines) {
        my $site = "DBDriver sqlite3\nDBDParams \"" . $machine->db_file . "\"\nDBDMax 64\n";
        for (['tickets', 'orders'], ['orders', 'tickets']) {
            my ($own, $other) = @$_;
            $site .= "\u${own}Publish " . $machine->endpoint("${own}_pub") . "\n\u${own}Replay " . $machine->endpoint("${own}_replay") . "\n";
            $site .= "\u${own}Subscribe " . $_->endpoint("${other}_pub") . ' ' . $_->endpoint("${other}_replay") . "\n"
                for @machines, grep { $_->{modules}[0] eq $other } @elsewhere;
        }
        $machine->write_conf(site => $site);
    }
    return $self;
}

sub all { return @{ $_[0]{machines} } }

sub start {   # all at once
    my ($self) = @_;
    $_->launch for $self->all;
    $_->await for $self->all;
    return $self;
}

sub recorder {   # of all that SERVICE publishes
    my ($self, $service) = @_;
    return TestSvc::Recorder->new([map { $_->endpoint("${service}_pub") } $self->all], [map { $_->endpoint("${service}_replay") } $self->all]);
}

# --- traders ----------------------------------------------------------------------------------------------------------

# Each machine has SELLERS and BUYERS of its own. Who gets no answer, or a 503, asks another machine the same again.
sub trade {
    my ($self, %opt) = @_;
    my @urls = map { $_->url } $self->all;
    my @clients;
    for my $i (0 .. $#urls) {
        my @near_to_far = map { $urls[($i + $_) % @urls] } 0 .. $#urls;
        push @clients, TestSvc::Clients->start($opt{sellers} || 1, $urls[$i], sub { return sell($_[0], @near_to_far) });
        push @clients, TestSvc::Clients->start($opt{buyers} || 1, $urls[$i], sub { return buy($_[0], @near_to_far) });
    }
    return bless { clients => \@clients, began => time }, 'TestSvc::Machines::Trade';
}

sub asks {   # one request until it is answered, at the nearest machine that answers
    my ($client, $seen, $urls, $method, $path, %request) = @_;
    my $deadline = time + 30;
    while (1) {
        for my $url (@$urls) {
            my $begun = time;
            $client->{url} = $url;
            my $answer = $client->send($method, $path, %request);
            my $took = time - $begun;
            $seen->{slowest} = $took if $took > ($seen->{slowest} || 0);
            $seen->{codes}{ $answer->{code} }++;
            return $answer if $answer->{code} && $answer->{code} != 503;
            $seen->{text}{ $answer->{text} }++ if $answer->{code};
        }
        return { code => 0 } if time > $deadline;
        $client->pause(0.05);
    }
}

sub odd { my ($seen, $what, $answer) = @_; push @{ $seen->{odd} }, "$what: $answer->{code} " . ($answer->{text} || '') }

# What was written at one machine is read at the others at once.
sub reads_back {
    my ($client, $seen, $urls, $path, $user, $version) = @_;
    for my $url (@$urls[1 .. $#$urls]) {
        $client->{url} = $url;
        my $answer = $client->send(GET => $path, user => $user);
        next if !$answer->{code} || $answer->{code} == 503;
        $seen->{read_back}++;
        push @{ $seen->{stale} }, "$path: $answer->{code} " . $answer->{text} unless $answer->{code} == 200 && $answer->{json}{version} >= $version;
    }
}

sub sell {
    my ($client, @urls) = @_;
    srand $$;   # not what the others draw
    my %seen = (tickets => [], titles => [], codes => {});
    for (my $n = 0; !$client->is_told_to_stop; $n++) {
        my $title = sprintf 'Show %s', my $key = new_uuid();
        my %ticket = (title => $title, price => 1 + $n % 90);
        push @{ $seen{titles} }, $title;
        my $answer = asks($client, \%seen, \@urls, POST => '/api/tickets', user => 'alice', json => \%ticket, headers => { 'Idempotency-Key' => $key });
        odd(\%seen, 'POST /api/tickets', $answer) and next unless $answer->{code} == 201;
        my $id = $answer->{json}{id};
        push @{ $seen{tickets} }, [$id, 0, $ticket{price}];
        reads_back($client, \%seen, \@urls, "/api/tickets/$id", undef, 0);
        next if $n % 2;
        $answer = asks($client, \%seen, \@urls, PUT => "/api/tickets/$id", user => 'alice', json => { %ticket, price => 95 }, headers => { 'If-Match' => '"0"' });
        if ($answer->{code} == 200) { push @{ $seen{tickets} }, [$id, $answer->{json}{version}, 95] }
        elsif ($answer->{code} !~ /^4(?:09|12)$/) { odd(\%seen, 'PUT', $answer) }   # it is sold, or was changed without an answer
    }
    return \%seen;
}

sub buy {
    my ($client, @urls) = @_;
    srand $$;
    my %seen = (orders => [], cancelled => [], codes => {});
    for (my $n = 0; !$client->is_told_to_stop; $n++) {
        my $list = asks($client, \%seen, \@urls, GET => '/api/tickets?limit=200');
        odd(\%seen, 'GET /api/tickets', $list) and next unless $list->{code} == 200;
        my @ids = map { $_->{title} =~ /^Show / ? $_->{id} : () } @{ $list->{json} };   # none that the suite sells itself
        $client->pause(0.02), next unless @ids;
        my $answer = asks($client, \%seen, \@urls, POST => '/api/orders', user => 'bob', json => { ticketId => $ids[rand @ids] },
                          headers => { 'Idempotency-Key' => new_uuid() });
        next if $answer->{code} =~ /^40[49]$/;   # not known there yet, or sold
        odd(\%seen, 'POST /api/orders', $answer) and next unless $answer->{code} == 201;
        my $id = $answer->{json}{id};
        push @{ $seen{orders} }, $id;
        reads_back($client, \%seen, \@urls, "/api/orders/$id", 'bob', 0);
        next if $n % 3;
        $answer = asks($client, \%seen, \@urls, DELETE => "/api/orders/$id", user => 'bob');
        if ($answer->{code} == 204) { push @{ $seen{cancelled} }, $id }
        else                        { odd(\%seen, 'DELETE', $answer) }
    }
    return \%seen;
}

package TestSvc::Machines::Trade;
use TestSvc 'db';

sub running { my ($self) = @_; my $n = 0; $n += $_->running for @{ $self->{clients} }; return $n }

sub end {   # what all of them saw together
    my ($self) = @_;
    $_->enough for @{ $self->{clients} };
    my %seen = (slowest => 0, read_back => 0, map { $_ => [] } qw(tickets titles orders cancelled odd stale));
    for my $one (map { $_->wait } @{ $self->{clients} }) {
        push @{ $seen{$_} }, @{ $one->{$_} || [] } for qw(tickets titles orders cancelled odd stale);
        for my $count (qw(codes text)) { $seen{$count}{$_} += $one->{$count}{$_} for keys %{ $one->{$count} || {} } }
        $seen{slowest} = $one->{slowest} if ($one->{slowest} || 0) > $seen{slowest};
        $seen{read_back} += $one->{read_back} || 0;
    }
    $seen{seconds} = Time::HiRes::time() - $self->{began};
    return bless \%seen, 'TestSvc::Machines::Seen';
}

package TestSvc::Machines::Seen;
use TestSvc 'db';

sub summary {
    my ($self) = @_;
    my $codes = $self->{codes};
    return sprintf '%.1f s: %d tickets, %d orders, %d cancelled; answers %s; the slowest took %.2f s', $self->{seconds},
        scalar(grep { !$_->[1] } @{ $self->{tickets} }), scalar @{ $self->{orders} }, scalar @{ $self->{cancelled} },
        join(', ', map { "$codes->{$_} x $_" } sort keys %$codes), $self->{slowest};
}

# All that was answered with 2xx is there, and was made once, whoever was asked how often.
sub is_kept {
    my ($self, $where, $name) = @_;
    my $db = db($where);
    my (%price, @wrong);
    for (@{ $db->selectcol_arrayref('SELECT event FROM tickets_log') }) {
        my $data = $Json->decode($_)->{data};
        $price{ $data->{id} }[ $data->{version} ] = $data->{price};
    }
    for (@{ $self->{tickets} }) {
        my ($id, $version, $price) = @$_;
        my $is = $price{$id}[$version];
        push @wrong, "ticket $id, version $version at $price: " . (defined $is ? "it is $is" : 'is lost') unless defined $is && $is == $price;
    }
    my %rows = map { @$_ } @{ $db->selectall_arrayref('SELECT title, COUNT(*) FROM tickets GROUP BY title') };
    push @wrong, map { "ticket '$_' was made $rows{$_} times" } grep { ($rows{$_} || 0) > 1 } @{ $self->{titles} };
    my %status = map { @$_ } @{ $db->selectall_arrayref('SELECT id, status FROM orders') };
    push @wrong, map { "order $_ is lost" } grep { !defined $status{$_} } @{ $self->{orders} };
    push @wrong, map { "order $_ is $status{$_}, not cancelled" } grep { ($status{$_} || '') ne 'cancelled' } @{ $self->{cancelled} };
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $Test->ok(!@wrong, $name) or $Test->diag(join "\n", @wrong > 20 ? @wrong[0 .. 19] : @wrong);
    return !@wrong;
}

1;

__END__

=head1 NAME

TestSvc::Machines - several httpd on one database, and traders at all of them

=head1 SYNOPSIS

    my $cluster = TestSvc::Machines->new(3)->start;
    my $recorder = $cluster->recorder('tickets');
    my $trade = $cluster->trade(sellers => 1, buyers => 1);   # at each machine
    ...                                                       # kill some
    my $seen = $trade->end;
    $seen->is_kept(($cluster->all)[0], 'nothing that was acknowledged is lost');

=head1 METHODS

=over

=item new($count, %opt), follow(@elsewhere), all, start, recorder($service)

Options are those of L<TestSvc::Server>, and C<engines>: a L<TestSvc::Database> for each machine, nodes of one database.
C<follow> writes the configurations anew: all follow all, and the services ELSEWHERE.

=item trade(sellers => 1, buyers => 1)

Starts that many of each at each machine. The result has C<running> and C<end>, which tells what they saw: C<codes>,
C<odd> (answers that nobody expects), C<stale> (reads at another machine that did not see what was written before),
C<slowest> (seconds), C<summary>, C<is_kept($where, $name)>.

=back

=cut
