# A database that cannot be used never stops httpd: reads and writes are answered 503 (500 when it is broken) with
# Retry-After until it is there, and then everything works by itself. The log says what is wrong, once per process.
# Of SQLite only: it spoils the file.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc;
use TestSvc::Server;
use TestSvc::Truth;

my $uuid = '01234567-89ab-7cde-8f01-23456789abcd';

sub is_unavailable {
    my ($server, $name, $code) = (@_, 503);
    my %answer = (
        'GET list'    => api(GET => '/api/tickets', vhost => $server),
        'GET one'     => api(GET => "/api/tickets/$uuid", vhost => $server),
        'POST'        => api(POST => '/api/tickets', vhost => $server, user => 'alice', json => { title => 'x', price => 1 }),
        'PUT'         => api(PUT => "/api/tickets/$uuid", vhost => $server, user => 'alice', json => { title => 'x', price => 1 }),
        'GET orders'  => api(GET => '/api/orders', vhost => $server, user => 'bob'),
        'POST order'  => api(POST => '/api/orders', vhost => $server, user => 'bob', json => { ticketId => $uuid }),
        'DELETE'      => api(DELETE => "/api/orders/$uuid", vhost => $server, user => 'bob'),
    );
    for my $what (sort keys %answer) {
        problem_ok $answer{$what}, $code, [ { field => undef } ], "$name: $what is a $code";
        like $answer{$what}->header('Retry-After') || '', qr/^[1-9]\d*\z/, '... with Retry-After';
        unlike $answer{$what}->content, qr/sqlite|PRAGMA|SELECT|INSERT|\.db/i, '... that gives away no file and no SQL';
    }
}

sub works {
    my ($server, $name) = @_;
    wait_until { api(GET => '/api/tickets', vhost => $server)->code == 200
                 && api(POST => '/api/tickets', vhost => $server, user => 'alice', json => { title => 'x', price => 1 })->code == 201 }
        10, "$name: it to work";
    my $order;   # each process finds out for itself, so that one may lag behind
    wait_until { $order = eval { new_order(vhost => $server, ticket => new_ticket(vhost => $server)) } } 10, "$name: an order";
    ok((eval { wait_until { order($order->{id}, vhost => $server)->{status} eq 'awaiting:payment' } 10, 'the dance' } || diag $@),
       "$name: it works by itself, the dance too");
    wait_quiet($server);
    truth_ok($server, "$name: and its database is right");
}

sub said { my ($server, $module) = @_; return scalar(() = $server->error_log =~ /SVC010: $module: /g) }

# --- the folder is missing
{
    my $server = TestSvc::Server->new;
    rename "$server->{dir}/data", "$server->{dir}/data.away" or die $!;
    is_deeply [($server->configtest)[0]], [0], 'a folder that is missing is no error of the configuration';
    $server->start;
    pass 'httpd starts without its database';
    is_unavailable($server, 'no folder');
    for my $module (qw(mod_tickets mod_orders)) {
        cmp_ok said($server, $module), '>=', 1, "$module says what is wrong";
        cmp_ok said($server, $module), '<=', 4, '... once per process, not at every attempt';
    }
    like $server->error_log, qr{SVC010.*\Q$server->{dir}\E/data/shop\.db}, 'the log names the file';
    rename "$server->{dir}/data.away", "$server->{dir}/data" or die $!;
    works($server, 'the folder is there');
    $server->stop;
    log_is_clean(server => $server, except => [qr/SVC010|SVC04\d|SVC060|DBD|AH006\d\d/], name => 'no other line in its log');
}

# --- the files cannot be read
{
    my $server = TestSvc::Server->new->start;
    my $ticket = new_ticket(vhost => $server);
    $server->stop;
    my @files = glob "$server->{dir}/data/*";
    chmod 0, @files;
    die "run this as somebody who is not root, who can read everything\n" if $> == 0;
    $server->start;
    is_unavailable($server, 'unreadable');
    chmod 0640, @files;
    works($server, 'readable again');
    is ticket($ticket->{id}, vhost => $server)->{title}, 'A show', 'what was in it is still there';
    $server->stop;
    log_is_clean(server => $server, except => [qr/SVC010|SVC04\d|SVC060|DBD|AH006\d\d/], name => 'no other line in its log');
}

# --- the file is something else
{
    my $server = TestSvc::Server->new;
    open my $file, '>', $server->db_file or die $!;
    print $file "This is not a database, but a shopping list.\n" x 100;
    close $file;
    $server->start;
    is_unavailable($server, 'not a database', 500);   # waiting alone will not help
    unlink $server->db_file;
    works($server, 'the file is gone');
    $server->stop;
    log_is_clean(server => $server, except => [qr/SVC010|SVC04\d|SVC060|DBD|AH006\d\d/], name => 'no other line in its log');
}

log_is_clean;
done_testing;
