package TestSvc::Judge;
# Has what the suites ask and are answered judged by docs/openapi.yaml (t/openapi/judge.mjs), where TEST_PRISM is set.
use strict;
use warnings FATAL => 'all';
use HTTP::Tiny ();
use JSON::PP ();
use MIME::Base64 'encode_base64';

my $Json = JSON::PP->new->utf8->canonical;
my $Http = HTTP::Tiny->new(keep_alive => 0, timeout => 60);

sub new {   # starts one that judges by DOCUMENT
    my ($class, $document) = @_;
    pipe my $read_in, my $in or die "pipe: $!\n";
    pipe my $out, my $write_out or die "pipe: $!\n";
    my $pid = fork;
    die "fork: $!\n" unless defined $pid;
    if (!$pid) {
        open STDIN, '<&', $read_in;
        open STDOUT, '>&', $write_out;
        close $_ for $read_in, $in, $out, $write_out;   # it ends when nobody holds the other end any more
        { no warnings; exec 'node', 't/openapi/judge.mjs', $document }
        require POSIX;
        POSIX::_exit(127);
    }
    close $_ for $read_in, $write_out;
    my $self = bless { pid => $pid, in => $in, owner => $$ }, $class;
    while (defined(my $line = <$out>)) {
        $self->{url} = $1, last if $line =~ /^(http:\S+)/;
    }
    die "t/openapi/judge.mjs does not run\n" unless $self->{url};
    return $self;
}

sub url { return $_[0]{url} }

sub ask {
    my ($url, $method, $content) = @_;
    my $answer = $Http->request($method, $url, defined $content ? { content => $content } : {});
    die "the judge says $answer->{status}: $answer->{content}\n" unless $answer->{status} == 200;
    return $Json->decode($answer->{content});
}

# What is wrong with an exchange: {method, url, headers => [[name, value]], body, status, answerHeaders, answerBody}.
sub violations {
    my ($self, %exchange) = @_;
    my $url = ref $self ? $self->{url} : $ENV{TEST_PRISM};
    $exchange{$_} = encode_base64($exchange{$_}, '') for grep { defined $exchange{$_} } qw(body answerBody);
    $exchange{status} += 0;
    return @{ ask($url, POST => $Json->encode(\%exchange))->{violations} };
}

sub summary { return ask($_[0]{url}, 'GET') }

sub pairs {   # of HTTP::Headers, without what LWP adds
    my ($headers) = @_;
    my @pairs;
    $headers->scan(sub { push @pairs, [@_] unless $_[0] =~ /^(?:::)?(?:Client|X-Died)/i });
    return \@pairs;
}

sub pairs_of {   # of HTTP::Tiny's
    my ($headers) = @_;
    return [map { my $name = $_; map { [$name, $_] } ref $headers->{$name} ? @{ $headers->{$name} } : $headers->{$name} } sort keys %$headers];
}

# Of LWP's request, its body, and response.
sub violations_of {
    my ($self, $request, $sent, $response) = @_;
    return if ($response->header('Client-Warning') || '') eq 'Internal response' || $response->header('Client-Aborted');   # of LWP
    return $self->violations(
        method => $request->method, url => '' . $request->uri, headers => pairs($request->headers),
        body => $sent, status => $response->code, answerHeaders => pairs($response->headers),
        answerBody => $response->content);
}

sub DESTROY {
    my ($self) = @_;
    return unless $self->{owner} == $$;
    local ($?, $!);
    close $self->{in};
    waitpid $self->{pid}, 0;
}

1;

__END__

=head1 NAME

TestSvc::Judge - judges answers by docs/openapi.yaml

=head1 SYNOPSIS

    my $judge = TestSvc::Judge->new('docs/openapi.yaml');
    my @wrong = $judge->violations(method => 'GET', url => 'http://127.0.0.1/api/tickets', headers => [],
                                   status => 200, answerHeaders => [['Vary', 'Authorization']], answerBody => '[]');

=head1 METHODS

=over

=item new($document)

Starts node with t/openapi/judge.mjs; it ends with the object. t/suites.pl keeps one for all suites, and TEST_PRISM is
its C<url>: then each exchange of C<api> and of L<TestSvc::Clients> is judged, and a violation fails the suite.

=item violations(%exchange), violations_of($request, $sent, $response)

Texts that say what is wrong. As methods of the class they ask the one at TEST_PRISM.

=item summary

C<judged>, C<elsewhere> (about other paths), C<violations>, C<seen> and C<unseen> (["listTickets 200", ...]).

=back

=cut
