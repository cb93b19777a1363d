# GET /api/tickets/:id beside a static file of the same size from the same httpd, on SQLite and on PostgreSQL.
package Bench::Reading;
use strict;
use warnings FATAL => 'all';
use Bench;

my ($Tickets, $Rounds, $Seconds, $Clients) = (5000, 7, 1.5, 64);

sub measure {
    my ($name, $target, %opt) = @_;
    my $server = server(%opt, modules => ['tickets'], site => site('tickets'));
    start_all($server);
    my $made = hit($server, sell($Tickets));
    # What autovacuum does within a minute: PostgreSQL plans by what it knows of a table.
    $server->engine->connect($server->db_file, write => 1)->do('ANALYZE') unless $server->engine->is_file;
    my @ids = map { $_->[0] } query($server, 'SELECT id FROM tickets ORDER BY position');
    my $body = `curl -s @{[ $server->url("/api/tickets/$ids[0]") ]}`;
    open my $file, '>', $server->dir . '/htdocs/ticket.json' or die "htdocs: $!";
    print $file $body;
    close $file;
    my @gets = map { "GET /api/tickets/$_" } @ids;
    my %how = (clients => $Clients, seconds => $Seconds);
    my @ways = (ticket => sub { hit($server, \@gets, %how) }, static => sub { hit($server, ['GET /ticket.json'], %how) });
    by_turns(1, @ways);   # warm
    my $results = by_turns($Rounds, @ways);
    $server->stop;
    compare($results->{ticket}, $results->{static}, figure => "GET /api/tickets/:id, $name, $Clients clients", target => $target,
            reference => sprintf('a static file of %d bytes', length $body));
    row(figure => "the error log, $name", measured => 'read', errors => log_errors($server) + $made->{failed}) if log_errors($server) + $made->{failed};
}

measure('SQLite', 1.2);
{
    my $postgres = postgres();
    measure('PostgreSQL', 0.9, engine => $postgres);
    $postgres->stop;
}
1;
