# examples/follow.js keeps the rules of docs/events.md, and follows a real server through everything.
use strict;
use warnings FATAL => 'all';
use Apache::Test qw(-withtestmore);
use TestSvc::Following;

keeps_the_rules('node');
follows_a_server('node');
done_testing;
