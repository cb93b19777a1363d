package TestSvc::Crash;
# Has a child of a suite's httpd die at a numbered place of the code, once, at a moment that the suite chooses. The
# dying is done by t/crash/crash.c, which is preloaded into httpd.
use strict;
use warnings FATAL => 'all';
use Cwd 'abs_path';
use File::Temp ();
use TestSvc 'wait_until';

our %Place = (
    commit  => 1, committed => 2, publish => 3, half_sent => 4, mark   => 5, received => 6, cursor => 7,
    effect  => 8, apply     => 9, applied => 10, request  => 11, answer => 12, page   => 13,
);
(my $Top = abs_path(__FILE__)) =~ s{/t/lib/TestSvc/Crash\.pm$}{};
my $Library = ($ENV{TEST_BUILD} || "$Top/build") . '/crash.so';

sub new {
    my ($class) = @_;
    die "there is no $Library: ./apxs-build.sh crash\n" unless -e $Library;
    my $tmp = File::Temp->newdir('crash.XXXXXX', TMPDIR => 1);
    return bless { tmp => $tmp, dir => $tmp->dirname }, $class;
}

sub env { my ($self) = @_; return { LD_PRELOAD => $Library, CRASH_DIR => $self->{dir} } }

sub arm {
    my ($self, $place, $service, %opt) = @_;
    unlink map { "$self->{dir}/$_" } qw(armed passed died);
    my $number = $Place{$place} || die "there is no place '$place'\n";
    open my $file, '>', "$self->{dir}/arming" or die "arming: $!";
    printf {$file} "%d %s %d %d\n", $number, $service, $opt{nth} || 1, $opt{all} ? 1 : 0;
    close $file or die "arming: $!";
    rename "$self->{dir}/arming", "$self->{dir}/armed" or die "armed: $!";
}

sub died {   # the pid of who died there, or undef
    my ($self) = @_;
    open my $file, '<', "$self->{dir}/died" or return;
    my $line = <$file>;
    return defined $line && $line =~ /^(\d+) \d+ \w+\n\z/ ? $1 : undef;
}

sub wait_died { my ($self, $seconds, $what) = @_; return wait_until { $self->died } $seconds, $what }

1;

__END__

=head1 NAME

TestSvc::Crash - a child of httpd dies at a numbered place

=head1 SYNOPSIS

    my $crash = TestSvc::Crash->new;
    my $server = TestSvc::Server->new(env => $crash->env)->start;
    $crash->arm('publish', 'tickets');                      # the next one to publish an event of tickets dies
    new_ticket(vhost => $server);
    my $pid = $crash->wait_died(10, 'the leader to die');

The places are numbered and described in t/crash/crash.c. C<nth>: the nth to come by dies (1); C<all>: the whole
httpd dies there, as in a power loss.

=cut
