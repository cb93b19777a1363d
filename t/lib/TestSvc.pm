package TestSvc;
# The words the suites are written in: call the API, wait for something, look at the answer, the database, the log.
use strict;
use warnings FATAL => 'all';
use Apache::Test ();
use Exporter 'import';
use HTTP::Request ();
use JSON::PP ();
use LWP::UserAgent ();
use MIME::Base64 'encode_base64';
use Scalar::Util 'blessed';
use Test::Builder ();
use TestSvc::Database ();
use TestSvc::Judge ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(api exchange base_url wait_until problem_ok uuid_like new_ticket new_order ticket order
                 db endpoint log_is_clean new_log_lines);

my $Json = JSON::PP->new->utf8->canonical->allow_nonref;
my $Test = Test::Builder->new;
my $Agent = LWP::UserAgent->new(agent => 'TestSvc', keep_alive => 0, max_redirect => 0, timeout => 30);
my $Suite = $$;
my $Log;          # the shared server's error log, and where this suite's part of it begins
my $LogStart = 0;

INIT {
    if (-e conf_file('apache_test_config.pm')) {
        $Log = Apache::Test::vars('t_logs') . '/error_log';
        $LogStart = -s $Log || 0;
    }
}

sub conf_file {
    my ($name) = @_;
    (my $top = __FILE__) =~ s{lib/TestSvc\.pm$}{};
    return "${top}conf/$name";
}

sub base_url {
    my ($where) = @_;
    return $where->url if blessed $where;
    return $where if $where =~ m{^https?:};
    my $port = (Apache::Test::config()->{vhosts}{$where} || die "no virtual host '$where' in extra.conf.in\n")->{port};
    return "http://127.0.0.1:$port";
}

sub api {
    my ($method, $path, %opt) = @_;
    my %known = map { $_ => 1 } qw(user password json content type headers vhost agent);
    my ($wrong) = grep { !$known{$_} } sort keys %opt;
    die "api: unknown option '$wrong'\n" if defined $wrong;

    my $request = HTTP::Request->new($method, base_url($opt{vhost} || 'shop') . $path);
    if (exists $opt{json}) {
        $request->content($Json->encode($opt{json}));
        $request->content_type('application/json');
    }
    $request->content($opt{content}) if defined $opt{content};
    $request->content_type($opt{type}) if defined $opt{type};
    $request->header(%{ $opt{headers} }) if $opt{headers} && %{ $opt{headers} };
    if (defined $opt{user}) {
        my $password = defined $opt{password} ? $opt{password} : 'secret';
        $request->header(Authorization => 'Basic ' . encode_base64("$opt{user}:$password", ''));
    }
    return exchange($request, $opt{agent} || $Agent);
}

sub exchange {
    my ($request, $agent) = (@_, $Agent);
    return bless $agent->request($request), 'TestSvc::Response' unless $ENV{TEST_PRISM};
    my $sent = $request->content;
    if (ref $sent) {   # given piece by piece
        (my $give, $sent) = ($sent, '');
        $request->content(sub { my $piece = $give->(); $sent .= $piece; return $piece });
    }
    my $response = $agent->request($request);
    if (my @wrong = TestSvc::Judge->violations_of($request, $sent, $response)) {
        my $name = $request->method . ' ' . $request->uri . ' is answered as docs/openapi.yaml says';
        die join "\n", "not so: $name", @wrong, '' if $$ != $Suite;   # a child has no assertions
        $Test->ok(0, $name);
        $Test->diag(join "\n", @wrong, $response->as_string);
    }
    return bless $response, 'TestSvc::Response';
}

sub wait_until (&@) {
    my ($condition, $seconds, $what) = @_;
    $what = 'what the suite waits for' unless defined $what;
    my $deadline = time + ($seconds || 5);
    while (1) {
        my $value = $condition->();
        return $value if $value;
        die "waited $seconds s in vain: $what\n" if time > $deadline;
        sleep 0.05;
    }
}

sub problem_ok {
    my ($response, $status, $expected, $name) = @_;
    $name = "answers a problem with $status" unless defined $name;
    my @wrong;
    my $json = eval { $response->json };
    push @wrong, 'the code is ' . $response->code unless $response->code == $status;
    push @wrong, "the type is '" . ($response->header('Content-Type') || '') . "'"
        unless ($response->header('Content-Type') || '') =~ m{^application/problem\+json\b};
    if (ref $json ne 'HASH') {
        push @wrong, 'the body is no JSON object';
    } else {
        push @wrong, 'status is not the code' unless ($json->{status} || 0) eq $status;
        push @wrong, 'there is no title' unless length($json->{title} || '');
        my $errors = ref $json->{errors} eq 'ARRAY' ? $json->{errors} : [];
        push @wrong, 'errors[] is missing or empty' unless @$errors;
        for my $error (@$errors) {
            push @wrong, 'an error without a message' unless ref $error eq 'HASH' && length($error->{message} || '');
        }
        if ($expected) {
            push @wrong, @$errors . ' errors, not ' . @$expected unless @$errors == @$expected;
            for my $i (0 .. $#$expected) {
                my ($is, $want) = ($errors->[$i] || {}, $expected->[$i]);
                my $field = defined $is->{field} ? $is->{field} : '(none)';
                push @wrong, "errors[$i] is about $field, not $want->{field}"
                    if defined $want->{field} && $field ne $want->{field};
                push @wrong, "errors[$i] is about $field, not about none"
                    if exists $want->{field} && !defined $want->{field} && exists $is->{field};
                push @wrong, "errors[$i] says '" . ($is->{message} || '') . "', not $want->{message}"
                    if defined $want->{message} && ($is->{message} || '') !~ $want->{message};
            }
        }
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $Test->ok(!@wrong, $name) or $Test->diag(join "\n", @wrong, $response->as_string);
    return !@wrong;
}

sub uuid_like {
    my ($id, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $Test->like($id, qr/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z/,
                       defined $name ? $name : 'is a UUID of version 7');
}

sub expect_json {
    my ($response, $code, $what) = @_;
    die "$what was answered\n" . $response->as_string unless $response->code == $code;
    return $response->json;
}

sub new_ticket {
    my (%opt) = (user => 'alice', title => 'A show', price => 20, vhost => 'shop', @_);
    my $answer = api(POST => '/api/tickets', vhost => $opt{vhost}, user => $opt{user},
                     json => { title => $opt{title}, price => $opt{price} });
    return expect_json($answer, 201, 'POST /api/tickets');
}

sub new_order {
    my (%opt) = (user => 'bob', vhost => 'shop', @_);
    my $id = ref $opt{ticket} ? $opt{ticket}{id} : $opt{ticket};
    my $deadline = time + 5;   # a 404 with Retry-After says: the follower has not brought this ticket yet
    my $answer;
    do {
        $answer = api(POST => '/api/orders', vhost => $opt{vhost}, user => $opt{user}, json => { ticketId => $id });
    } while ($answer->code == 404 && time < $deadline && sleep 0.05);
    return expect_json($answer, 201, 'POST /api/orders');
}

sub ticket {
    my ($id, %opt) = @_;
    return expect_json(api(GET => "/api/tickets/$id", %opt), 200, "GET /api/tickets/$id");
}

sub order {
    my ($id, %opt) = @_;
    return expect_json(api(GET => "/api/orders/$id", user => 'bob', %opt), 200, "GET /api/orders/$id");
}

sub file_of {   # what names the database of WHERE
    my ($where) = @_;
    return blessed $where ? $where->db_file
         : $where =~ m{/} ? $where
         :                  Apache::Test::vars('t_logs') . "/$where.db";
}

sub db {
    my ($where, %opt) = @_;
    my @places = ref $where eq 'ARRAY' ? @$where : $where;   # services apart: together they have each table once
    my $engine = blessed $places[0] ? $places[0]->engine : TestSvc::Database->shared;
    return $engine->connect([map { file_of($_) } @places], %opt);
}

sub endpoint {
    my ($name) = @_;
    open my $conf, '<', conf_file('extra.conf') or die "extra.conf: $!\n";
    while (defined(my $line = <$conf>)) {
        return $1 if $line =~ /^Define \Q$name\E\s+(\S+)/;
    }
    die "no 'Define $name' in extra.conf.in\n";
}

sub read_log {
    my ($file, $from) = @_;
    open my $log, '<', $file or return;
    seek $log, $from, 0;
    chomp(my @lines = <$log>);
    return @lines;
}

sub new_log_lines { return read_log($Log, $LogStart) }

sub log_is_clean {
    my (%opt) = @_;
    my @lines = $opt{server} ? read_log($opt{server}->error_log_file, 0) : new_log_lines();
    my @bad = grep { /^[^\n]*?:(?:emerg|alert|crit|error|warn)\]/ || /exit signal|runtime error:|Sanitizer/ } @lines;
    for my $allowed (@{ $opt{except} || [] }) {
        @bad = grep { $_ !~ $allowed } @bad;
    }
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    # What a library prints before it aborts stands there without httpd's stamp.
    my @plain = (grep { /exit signal/ } @bad) ? grep({ !/^\[/ } @lines) : ();
    $Test->ok(!@bad, $opt{name} || 'the error log has no unexpected line') or $Test->diag(join "\n", @bad, @plain);
    return !@bad;
}

package TestSvc::Response;
# An HTTP::Response that knows JSON.
use parent -norequire, 'HTTP::Response';

sub json {
    my ($self) = @_;
    return $Json->decode($self->content);
}

1;

__END__

=head1 NAME

TestSvc - the words the suites are written in

=head1 SYNOPSIS

    use strict;
    use warnings FATAL => 'all';
    use Apache::Test qw(-withtestmore);
    use TestSvc;

    my $answer = api(POST => '/api/tickets', user => 'alice', json => { title => 'Hamlet', price => 20 });
    is $answer->code, 201, 'a ticket is made';
    uuid_like $answer->json->{id};
    wait_until { order($id)->{status} eq 'awaiting:payment' } 5, 'the order is reserved';
    log_is_clean;
    done_testing;

=head1 FUNCTIONS

Where a function takes C<vhost>, that is a virtual host of t/conf/extra.conf.in (default C<shop>), a
L<TestSvc::Server>, or a URL such as C<http://127.0.0.1:8080>.

=over

=item api($method, $path, %opt)

One request on a connection of its own; returns an L<HTTP::Response> (C<code>, C<header>, C<content>) with C<json>, the
decoded body. Options: C<user> (their password is C<secret>, or C<password>), C<json> (Perl data to send),
C<content> and C<type> (raw), C<headers> (a hash), C<vhost>, C<agent> (an L<LWP::UserAgent>, for https).

=item exchange($request)

The same for an HTTP::Request that C<api> cannot make. Where TEST_PRISM is set (C<make test-openapi>) both have the answer
judged by docs/openapi.yaml, see L<TestSvc::Judge>.

=item base_url($vhost)

C<http://127.0.0.1:PORT>.

=item wait_until { condition } $seconds, $what

Polls every 50 ms and returns the condition's true value; dies naming C<$what> when the time is over.

=item problem_ok($response, $status, [ { field => 'title', message => qr/.../ }, ... ], $name)

Asserts an C<application/problem+json> of that status, with a title and an C<errors[]> of exactly these entries (any,
when none are given). C<< field => undef >> asks for an entry without field.

=item uuid_like($id, $name)

Asserts a UUID of version 7.

=item new_ticket(%opt), new_order(%opt)

Make one and return it decoded, or die. C<title>, C<price>, C<user> (alice), C<vhost>; C<ticket> (a ticket or its id),
C<user> (bob), C<vhost>. new_order waits up to five seconds for the ticket to be known to orders.

=item ticket($id, %opt), order($id, %opt)

Get one, decoded, or die; options as for api (C<user> of order: bob).

=item db($vhost, %opt)

A read-only DBI handle on its database, of whatever engine (L<TestSvc::Database>); of several servers,
C<db([$seller, $buyer])>, on all their tables at once. Strings are bytes, or with C<unicode> characters; with C<write> it
may write.

=item endpoint($name)

The value of a C<Define> line of extra.conf.in, for example C<SHOP_TICKETS_PUB>.

=item log_is_clean(except => [qr/.../, ...], server => $server)

Asserts that since the suite began the error log has no line of level warn or above, no crash and no sanitizer report,
but for those expected. Each suite ends with it.

=item new_log_lines

The error log since the suite began.

=back

=cut
