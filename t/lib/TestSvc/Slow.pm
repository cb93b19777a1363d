package TestSvc::Slow;
# A disk that takes its time to have written: t/crash/slow.c, preloaded into whoever writes the data.
use strict;
use warnings FATAL => 'all';
use Cwd 'abs_path';
use File::Temp ();

(my $Top = abs_path(__FILE__)) =~ s{/t/lib/TestSvc/Slow\.pm$}{};
my $Library = ($ENV{TEST_BUILD} || "$Top/build") . '/slow.so';

sub new {
    my ($class) = @_;
    die "there is no $Library: ./apxs-build.sh crash\n" unless -e $Library;
    my $tmp = File::Temp->newdir('slow.XXXXXX', TMPDIR => 1);
    chmod 0755, $tmp->dirname;
    return bless { tmp => $tmp, file => $tmp->dirname . '/ms' }, $class;
}

sub env { my ($self) = @_; return { LD_PRELOAD => $Library, SLOW_DISK => $self->{file} } }

sub take {   # so many milliseconds each time, from now on; 0: as few as it needs
    my ($self, $ms) = @_;
    if (!$ms) { unlink $self->{file}; return }
    open my $file, '>', "$self->{file}.new" or die "$self->{file}.new: $!";
    print {$file} "$ms\n";
    close $file or die "$self->{file}.new: $!";
    rename "$self->{file}.new", $self->{file} or die "$self->{file}: $!";
}

1;

__END__

=head1 NAME

TestSvc::Slow - a slow disk

=head1 SYNOPSIS

    my $slow = TestSvc::Slow->new;
    my $engine = TestSvc::Database->new('pgsql', $dir, env => $slow->env)->start;    # a server's disk
    my $server = TestSvc::Server->new(env => $slow->env)->start;                     # SQLite's
    $slow->take(300);
    ...
    $slow->take(0);

=cut
