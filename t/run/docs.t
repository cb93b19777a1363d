# make run shows docs/openapi.yaml at /docs/: in a viewer that comes with everything it needs and asks no other server;
# without the viewer, on a plain page that says how to get it.
use strict;
use warnings FATAL => 'all';
use File::Temp ();
use IO::Socket::INET ();
use POSIX ();
use Test::More;
use TestSvc;

(my $top = __FILE__) =~ s{/?t/run/docs\.t\z}{};
chdir $top or die "$top: $!" if length $top;

sub slurp { my ($file) = @_; open my $in, '<', $file or die "$file: $!"; local $/; return scalar <$in> }

sub run {   # make run, as long as the object is there
    my $probe = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "no port: $!";
    my $self = bless { owner => $$, dir => File::Temp->newdir('run.XXXXXX', TMPDIR => 1), port => $probe->sockport };
    close $probe;
    chmod 0755, "$self->{dir}";
    open my $said, '>', "$self->{dir}/said" or die "$self->{dir}/said: $!";
    $self->{pid} = fork;
    die "fork: $!" unless defined $self->{pid};
    if (!$self->{pid}) {
        open STDOUT, '>&', $said;
        open STDERR, '>&', $said;
        @ENV{qw(RUN PORT BUILD HTTPD)} = ("$self->{dir}", $self->{port}, 'build', $ENV{TEST_HTTPD});
        { no warnings; exec 'bin/run.sh' }
        POSIX::_exit(127);
    }
    wait_until { slurp("$self->{dir}/said") =~ m{^The API to read and to try: \S+/docs/$}m || waitpid($self->{pid}, POSIX::WNOHANG) } 60,
        'make run to be ready';
    return $self;
}

sub get { my ($self, $path) = @_; return api(GET => $path, vhost => "http://127.0.0.1:$self->{port}") }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};
    kill 'TERM', $pid;
    waitpid $pid, 0;
    return $?;
}

sub DESTROY { my ($self) = @_; local $?; stop($self) if $self->{pid} && $self->{owner} == $$ }   # the suite died: nothing is left

{
    my $run = run();
    my $page = get($run, '/docs/');
    is $page->code, 200, 'there is a page' or diag slurp("$run->{dir}/said");
    like $page->header('Content-Type'), qr{^text/html\b}, 'of HTML';
    is get($run, '/docs')->header('Location'), "http://127.0.0.1:$run->{port}/docs/", 'also without the slash';
    my @parts = $page->content =~ /\b(?:src|href)="([^"]*)"/g;
    is_deeply [grep { m{^/|:} } @parts], [], 'all it refers to lies beside it';
    unlike $page->content, qr{<script[^>]*>[^<]}, 'it has no script in itself';
    like $page->content, qr{Content-Security-Policy"\s+content="default-src 'self'}, 'and forbids the browser to ask elsewhere';
    unlike get($run, '/docs/start.js')->content, qr{https?://}, 'nor does the script that starts the viewer name another server';
    my %type = (js => 'text/javascript', css => 'text/css', png => 'image/png', yaml => 'application/yaml');
    for my $part (sort @parts, 'asyncapi.yaml') {
        my $answer = get($run, "/docs/$part");
        is $answer->code, 200, "$part is there";
        my ($ending) = $part =~ /(\w+)\z/;
        like $answer->header('Content-Type'), qr{^\Q$type{$ending}\E\b}, "... as $type{$ending}";
    }
    ok scalar(grep { /swagger-ui-bundle\.js/ } @parts), 'the viewer is one of them';
    is get($run, '/docs/openapi.yaml')->content, slurp('docs/openapi.yaml'), 'what it shows is docs/openapi.yaml';
    like get($run, '/docs/LICENSE')->content, qr/Apache License/, 'its license is there too';
    is stop($run), 0, 'make run stops';
}
{
    rename 'docs/viewer/node_modules', 'docs/viewer/away' or die "the viewer: $!";
    my $run = run();
    rename 'docs/viewer/away', 'docs/viewer/node_modules' or die "the viewer: $!";
    my $page = get($run, '/docs/');
    is $page->code, 200, 'without the viewer there is a page' or diag slurp("$run->{dir}/said");
    like $page->content, qr/href="openapi\.yaml"/, 'that leads to the document';
    like $page->content, qr/not installed.*npm/s, 'and says how to get the viewer';
    is_deeply [grep { get($run, "/docs/$_")->code != 200 } $page->content =~ /href="([^"]*)"/g], [], 'its links work';
    is stop($run), 0, 'make run stops';
}
done_testing;
