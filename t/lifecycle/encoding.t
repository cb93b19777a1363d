# A database whose characters are not those of Unicode. On PostgreSQL it is refused in one sentence before anything is made in
# it, and nothing is answered but 503: not every title could be kept there. On MariaDB the tables have their own characters.
# Of servers only: SQLite has no other.
use strict;
use warnings FATAL => 'all';
use utf8;
use Apache::Test qw(-withtestmore);
use DBI;
use TestSvc;
use TestSvc::Database;
use TestSvc::Server;

my $engine = TestSvc::Database->shared;
my $is_pgsql = $engine->engine eq 'pgsql';
my $title = "Łódź \x{2603} 東京 \x{1f3ad}" . "é" x 240;

sub server_on {   # a new database with these characters
    my ($name, $characters) = @_;
    $engine->admin->do("CREATE DATABASE $name " . ($is_pgsql ? "ENCODING '$characters' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
                                                              : "CHARACTER SET $characters"));
    my $server = TestSvc::Server->new;
    my $site = $server->{site};
    $site =~ s/^DBDriver.*/'DBDriver ' . $engine->engine/me;
    $site =~ s/^DBDParams.*/"DBDParams \"" . ($is_pgsql ? "host=$engine->{dir} dbname=$name user=svc connect_timeout=4"
        : "sock=$engine->{dir}\/mysql.sock user=root dbname=$name reconnect=0 group=svc") . '"'/me;
    $server->write_conf(site => $site);
    return $server->start;
}
sub sell { my ($server) = @_; return api(POST => '/api/tickets', vhost => $server, user => 'alice', json => { title => $title, price => 5 }) }

for my $characters ($is_pgsql ? qw(LATIN1 SQL_ASCII) : ()) {
    my $name = 'encoding_' . lc $characters;
    my $server = server_on($name, $characters);
    wait_until { $server->error_log =~ /SVC010: mod_orders/ } 10, 'the refusal';
    problem_ok $_, 503, [ { field => undef } ], "$characters: it is a 503"
        for sell($server), api(GET => '/api/tickets', vhost => $server), api(GET => '/api/orders', vhost => $server, user => 'bob');
    like $server->error_log, qr/SVC010: mod_tickets: no database \(pgsql\): the database has the encoding $characters, in which not every title/,
        "... and the log says why";
    my $db = DBI->connect("dbi:Pg:host=$engine->{dir};dbname=$name", 'svc', undef, { RaiseError => 1 });
    is_deeply $db->selectcol_arrayref("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), [], '... before anything was made';
    $server->stop;
    log_is_clean(server => $server, except => [qr/SVC010|SVC040|SVC060/]);
}

my $server = server_on('encoding_good', $is_pgsql ? 'UTF8' : 'latin1')->wait_database;
my $answer = sell($server);
is $answer->code, 201, ($is_pgsql ? 'UTF8' : 'a database that is latin1') . ': any title is taken';
is ticket($answer->json->{id}, vhost => $server)->{title}, $title, '... and read back as it was';
is order(new_order(vhost => $server, ticket => $answer->json)->{id}, vhost => $server)->{ticket}{title}, $title, '... also in the other service';
is_deeply $engine->admin->selectcol_arrayref("SELECT DISTINCT table_collation FROM information_schema.tables WHERE table_schema = 'encoding_good'"),
    ['utf8mb4_nopad_bin'], '... for that is how the tables are made' unless $is_pgsql;
$server->stop;
log_is_clean(server => $server);
log_is_clean;
done_testing;
