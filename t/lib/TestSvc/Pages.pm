package TestSvc::Pages;
# The pages of a list, one after the other.
use strict;
use warnings FATAL => 'all';
use Exporter 'import';
use TestSvc ();

our @EXPORT = qw(ids next_of walk_pages);

sub ids { return [ map { $_->{id} } @{ $_[0]->json } ] }

# The query of the next page, from its "?"; undef on the last one.
sub next_of {
    my ($answer) = @_;
    my $link = $answer->header('Link');
    return unless defined $link;
    return $link =~ m{^</[^<>?"\s]*(\?[^<>"\s]*)>; rel="next"\z} ? $1 : die "no Link as it should be: $link\n";
}

# The ids of each page from $query on; $page->($query) asks for one.
sub walk_pages {
    my ($page, $query) = @_;
    my @pages;
    while (defined $query) {
        my $answer = $page->($query);
        die $answer->as_string unless $answer->code == 200 && @pages < 50;
        push @pages, ids($answer);
        $query = next_of($answer);
    }
    return @pages;
}

1;
