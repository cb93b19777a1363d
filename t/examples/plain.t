# A plain SUB socket sees the events as they happen: five lines of Python, with no protocol at all.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use JSON::PP ();
use TestSvc;
use TestSvc::Follower;

# The program as it stands in docs/events.md, with the endpoint of this server in place of its own.
my $text = do { local (@ARGV, $/) = 'docs/events.md'; <> };
my ($program) = $text =~ /^```python\n(.*?zmq\.SUB.*?)^```/ms or die 'docs/events.md has no program with a SUB socket';
my $pub = endpoint('SHOP_TICKETS_PUB');
is $program =~ s/tcp:\/\/127\.0\.0\.1:5556/$pub/, 1, 'the program of docs/events.md names an endpoint';
cmp_ok scalar(my @lines = split /\n/, $program), '<=', 6, 'and has six lines at most';

my $pid = open my $output, '-|', TestSvc::Follower::python(), '-u', '-c', $program or die "python: $!";
my @tickets;
my $wanted = wait_until {   # it hears what happens after it has connected: tickets are made until it does
    push @tickets, new_ticket(title => 'Plainly ' . @tickets);
    my $ready = '';
    vec($ready, fileno $output, 1) = 1;
    select($ready, undef, undef, 0.1) && $tickets[-1];
} 10, 'the program to print something';
my $said = '';
wait_until { sysread($output, $said, 65536, length $said) or die 'the program ended'; $said =~ /\Q$wanted->{id}\E.*\n/ } 10, 'that ticket';
like $said, qr/^ticket:created .*\Q$wanted->{id}\E/m, 'it prints the ticket:created of that ticket';
kill 'KILL', $pid;
close $output;
log_is_clean;
done_testing;
