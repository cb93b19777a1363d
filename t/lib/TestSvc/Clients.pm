package TestSvc::Clients;
# Several client processes at once, each with a keep-alive connection of its own.
use strict;
use warnings FATAL => 'all';
use Errno ();
use HTTP::Tiny ();
use JSON::PP ();
use MIME::Base64 'encode_base64';
use POSIX ();
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes ();
use TestSvc ();

my $Json = JSON::PP->new->utf8->canonical->allow_nonref;

# HTTP::Tiny sends head and body apart: without TCP_NODELAY each request with a body would wait 40 ms for an ACK.
my $connect = \&HTTP::Tiny::Handle::connect;
{
    no warnings 'redefine';
    *HTTP::Tiny::Handle::connect = sub {
        my $handle = $connect->(@_);
        setsockopt $handle->{fh}, IPPROTO_TCP, TCP_NODELAY, 1 or die "TCP_NODELAY: $!";
        return $handle;
    };
}

sub start {
    my ($class, $count, $where, $work, %opt) = @_;
    my $url = TestSvc::base_url($where);
    my $self = bless { owner => $$, clients => [] }, $class;
    for my $number (0 .. $count - 1) {
        open my $result, '+>', undef or die "a file for the result: $!";
        my $pid = fork;
        die "fork: $!" unless defined $pid;
        run_child($number, $url, $work, $result, %opt) unless $pid;
        push @{ $self->{clients} }, { pid => $pid, result => $result };
    }
    return $self;
}

sub run_child {   # never returns: what the suite has open (sockets, servers) must not be closed by a client
    my ($number, $url, $work, $result, %opt) = @_;
    my $client = bless { url => $url, stop => 0, number => $number, http => HTTP::Tiny->new(
        keep_alive => exists $opt{keep_alive} ? $opt{keep_alive} : 1, timeout => 30) }, 'TestSvc::Client';
    local $SIG{TERM} = sub { $client->{stop} = 1 };
    my $value = eval { $work->($client, $number) };
    print {$result} $Json->encode($@ ? { error => "$@" } : { value => $value });
    close $result;
    POSIX::_exit(0);
}

sub enough {   # tells them; they end when they look
    my ($self) = @_;
    kill 'TERM', map { $_->{pid} } grep { !defined $_->{status} } @{ $self->{clients} };
    return $self;
}

sub running {   # how many are still at work
    my ($self) = @_;
    for my $client (grep { !defined $_->{status} } @{ $self->{clients} }) {
        $client->{status} = $? if waitpid($client->{pid}, POSIX::WNOHANG()) == $client->{pid};
    }
    return scalar grep { !defined $_->{status} } @{ $self->{clients} };
}

sub wait {
    my ($self) = @_;
    my @values;
    for my $client (@{ $self->{clients} }) {
        unless (defined $client->{status}) {
            1 while waitpid($client->{pid}, 0) < 0 && $!{EINTR};
            $client->{status} = $?;
        }
        seek $client->{result}, 0, 0;
        my $text = do { local $/; readline $client->{result} };
        my $result = defined $text && length $text ? $Json->decode($text) : { error => "it ended with $client->{status}" };
        die "a client failed: $result->{error}\n" if defined $result->{error};
        push @values, $result->{value};
    }
    $self->{clients} = [];
    return @values;
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{owner} == $$;
    local ($?, $!, $@);
    for my $client (grep { !defined $_->{status} } @{ $self->{clients} }) {
        kill 'KILL', $client->{pid};
        waitpid $client->{pid}, 0;
    }
}

package TestSvc::Client;

sub is_told_to_stop { return $_[0]{stop} }
sub number          { return $_[0]{number} }
sub now             { return Time::HiRes::time() }
sub pause           { Time::HiRes::sleep($_[1]); return }

sub send {   # code 0: the answer was lost, or nobody was there
    my ($self, $method, $path, %opt) = @_;
    my %headers = %{ $opt{headers} || {} };
    $headers{Authorization} = 'Basic ' . MIME::Base64::encode_base64("$opt{user}:secret", '') if defined $opt{user};
    my %request = (headers => \%headers);
    if (exists $opt{json}) {
        $headers{'Content-Type'} = 'application/json';
        $request{content} = $Json->encode($opt{json});
    }
    my $answer = $self->{http}->request($method, $self->{url} . $path, \%request);
    return { code => 0, text => $answer->{content} } if $answer->{status} == 599;
    if ($ENV{TEST_PRISM}) {
        my @wrong = TestSvc::Judge->violations(
            method => $method, url => $self->{url} . $path, headers => TestSvc::Judge::pairs_of(\%headers),
            body => $request{content}, status => $answer->{status},
            answerHeaders => TestSvc::Judge::pairs_of($answer->{headers}), answerBody => $answer->{content});
        die join "\n", "$method $path is not answered as docs/openapi.yaml says", @wrong, '' if @wrong;
    }
    my $is_json = ($answer->{headers}{'content-type'} || '') =~ m{^application/(?:problem\+)?json};
    return { code => $answer->{status}, text => $answer->{content}, headers => $answer->{headers},
             json => $is_json ? scalar eval { $Json->decode($answer->{content}) } : undef };
}

1;

__END__

=head1 NAME

TestSvc::Clients - several client processes at once

=head1 SYNOPSIS

    my $clients = TestSvc::Clients->start(4, 'shop', sub {
        my ($client, $number) = @_;
        my $answer = $client->send(POST => '/api/tickets', user => 'alice', json => { title => 'A', price => 1 });
        return $answer->{code};    # anything that JSON can say
    });
    my @codes = $clients->wait;    # dies when one of them died

=head1 METHODS

=over

=item start($count, $where, $work, keep_alive => 1)

Forks C<$count> processes that each call C<< $work->($client, $number) >>. C<$where> as in L<TestSvc>.

=item enough

Asks them to end: C<< $client->is_told_to_stop >> is true from then on.

=item running

How many of them have not ended.

=item wait

Waits for all and returns what each of them returned.

=item $client->send($method, $path, user => ..., json => ..., headers => {...})

C<{ code, json, text, headers }>; code 0 when there was no answer. HTTP::Tiny repeats a PUT or DELETE once when the
connection was closed under it.

=back

=cut
