package TestSvc::Example;
# A server that runs the examples of conf/ as they stand: copies of them are included, in which only places have been
# replaced (sub example), nothing that says who may do what. And what their users have: tokens, certificates.
use strict;
use warnings FATAL => 'all';
use Carp 'croak';
use Cwd 'abs_path';
use Digest::SHA 'hmac_sha256';
use Exporter 'import';
use File::Temp ();
use JSON::PP ();
use MIME::Base64 'encode_base64url';
use POSIX ();
use TestSvc::Database ();
use TestSvc::Event 'new_keys';
use parent 'TestSvc::Server';

our @EXPORT = qw(jwt openssl);

(my $Conf = abs_path(__FILE__)) =~ s{/t/lib/TestSvc/Example\.pm$}{/conf};
my $Json = JSON::PP->new->utf8->canonical;

sub new {   # $files: of conf/, in the order in which they are included
    my ($class, $files, %opt) = @_;
    # As it stands: on SQLite, unless it is about a server.
    my $of_server = grep { read_conf($_) =~ /^\s*DBDriver (?!sqlite3)/m } @$files;
    my $self = $class->SUPER::new(modules => [], site => '', apis => '',
        $of_server ? () : (engine => TestSvc::Database->new('sqlite3')), %opt);
    mkdir "$self->{dir}/$_" or croak "$_: $!" for 'etc', 'etc/shop';
    $self->example($_) for @$files;
    $self->write_conf(conf => join '', $self->{conf}, map { /\.conf\z/ ? "Include etc/shop/$_\n" : () } @$files);
    return $self;
}

sub machines {
    my ($class, $files, %opt) = @_;
    my ($n, $ports) = (1, {});
    my %hosts = map { ($_ => '127.0.0.' . ++$n) } sort keys %$files;
    return map { ($_ => $class->new($files->{$_}, host => $hosts{$_}, bus => $hosts{$_}, hosts => \%hosts, ports => $ports, %opt)) }
        sort keys %hosts;
}

sub read_conf {
    my ($name) = @_;
    open my $in, '<', "$Conf/$name" or croak "conf/$name: $!";
    local $/;
    return scalar <$in>;
}

sub example {   # a copy of conf/NAME, where `make install` has it
    my ($self, $name) = @_;
    my $text = read_conf($name);
    if ($name =~ /\.conf\z/) {
        for ($text) {
            s{\bmodules/(mod_(?:tickets|orders)\.so)}{\@build\@/$1}g;
            s{\bmodules/(mod_\w+\.so)}{\@modules\@/$1}g;
            s{/var/lib/shop\b}{\@dir\@/data}g;
            s{/etc/apache2\b}{\@dir\@/etc}g;
            s{\b127\.0\.0\.1:(\d+)\b}{127.0.0.1:\@port:$1\@}g;
            # Of several machines each is an address of loopback, with the same ports.
            s{\btcp://\*:(\d+)\b}{tcp://$self->{bus}:\@port:$1\@}g;
            s{\b(Define SHOP_ADDRESS) 192\.0\.2\.\d+$}{$1 $self->{bus}}mg;
            s{\btcp://\$\{SHOP_ADDRESS\}:(\d+)\b}{tcp://\$\{SHOP_ADDRESS\}:\@port:$1\@}g;
            s{\btcp://([\w-]+\.example):(\d+)\b}{'tcp://' . ($self->{hosts}{$1} || croak "no host $1") . ":\@port:$2\@"}ge;
            s{^(DBDParams ")(?:host=db\.example|sock=\S+)( .*?)( group=shop)?"$}{$self->server_params($1, $2, $3)}me;
            s{^Listen (\d+)$}{Listen 127.0.0.1:\@port:$1\@}mg;
            s{<VirtualHost \*:(\d+)>}{<VirtualHost *:\@port:$1\@>}g;
            for my $place (keys %{ $self->{places} || {} }) { s{\Q$place\E}{$self->{places}{$place}}g }
        }
        $text = $self->fill($text);
    }
    return $self->put("shop/$name", $text);
}

# Whoever reaches the server and its group of my.cnf; the database, the user and the password are the example's.
sub server_params {
    my ($self, $begin, $rest, $group) = @_;
    my $dir = $self->engine->dir;
    return $begin . ($self->engine->engine eq 'pgsql' ? "host=$dir" : "sock=$dir/mysql.sock") . $rest . ($group ? ' group=svc' : '') . '"';
}

sub db_file {   # as the examples say
    my ($self) = @_;
    for my $file (sort glob "$self->{dir}/etc/shop/*.conf") {
        open my $in, '<', $file or croak "$file: $!";
        my ($params) = map { /^DBDParams "(.*)"$/ ? $1 : () } <$in> or next;
        return $params =~ /\bdbname=(\w+)/ ? "=$1" : $params;
    }
    croak 'no example has DBDParams';
}

sub edit {
    my ($self, $name, $change) = @_;
    open my $in, '<', "$self->{dir}/etc/shop/$name" or croak "$name: $!";
    local $_ = do { local $/; <$in> };
    my $before = $_;
    $change->();
    croak "$name is as before" if $_ eq $before;
    return $self->put("shop/$name", $_);
}

sub put {
    my ($self, $name, $text) = @_;
    open my $out, '>', "$self->{dir}/etc/$name" or croak "etc/$name: $!";
    print $out $text;
    close $out or croak "etc/$name: $!";
    return $self;
}

sub put_users {   # of all examples; the password is secret
    my ($self) = @_;
    return $self->put('shop.users', join '', map { "$_:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n" } qw(alice bob carol));
}

sub keys_of {   # makes a pair, as svc-keygen NAME does there, and returns what is in NAME.public
    my ($self, $name) = @_;
    return new_keys("$self->{dir}/etc/shop/$name")->{public} . "\n";
}

sub jwt {
    my ($key, $claims, $header) = @_;
    my $alg = !$key ? 'none' : defined $key->{secret} ? 'HS256' : 'RS256';
    my $text = join '.', map { encode_base64url(ref $_ ? $Json->encode($_) : $_) }
        { typ => 'JWT', alg => $alg, %{ $header || {} } }, $claims;
    return "$text." unless $key;
    return "$text." . encode_base64url(hmac_sha256($text, $key->{secret})) if $alg eq 'HS256';
    my $file = File::Temp->new;
    print $file $text;
    close $file or croak "$file: $!";
    return "$text." . encode_base64url(openssl(qw(dgst -sha256 -sign), $key->{key}, "$file"));
}

sub openssl {
    my (@arguments) = @_;
    my $said = File::Temp->new;
    my $pid = open my $pipe, '-|';
    croak "fork: $!" unless defined $pid;
    if (!$pid) {
        open STDERR, '>&', $said;
        { no warnings; exec 'openssl', @arguments }
        POSIX::_exit(127);
    }
    my $printed = do { local $/; <$pipe> };
    close $pipe or do { seek $said, 0, 0; croak join '', "openssl @arguments: ", <$said> };
    return $printed;
}

1;

__END__

=head1 NAME

TestSvc::Example - a server that runs the examples of conf/ as they stand

=head1 SYNOPSIS

    my $server = TestSvc::Example->new(['shop.conf', 'auth-bearer.conf'])
        ->put('shop.users', '')->put('shop.secret', "Define SHOP_SECRET $secret\n")->start;
    my $token = jwt({ secret => $secret }, { sub => 'user-1', exp => time + 600 });
    api(GET => '/api/orders', vhost => $server, headers => { Authorization => "Bearer $token" });

=head1 METHODS

Those of L<TestSvc::Server>, and:

=over

=item new(\@names, %opt)

Copies these files of conf/ to DIR/etc/shop/ and includes them in this order. In the copies places are replaced, and
nothing else: the folder of a module; /var/lib/shop by DIR/data; /etc/apache2 by DIR/etc; the ports of 127.0.0.1, of
Listen, of VirtualHost and of endpoints by free ones, which C<port(8443)> tells; C<*> and the machine's own address by
C<bus>; other machines by what C<hosts> has for their names, and other places by what C<places> has for them; a database server by that of the suite. C<conf> is added
before them.

=item machines(\%files, %opt)

Several of them, by name, each with the files of conf/ that %files has for it: C<< { 'shop-1.example' => ['shop.conf'] } >>.
Each has an address of loopback of its own, and all have the same ports.

=item put($name, $text)

Writes DIR/etc/NAME: what the examples read from /etc/apache2.

=item put_users, keys_of($name)

The users alice, bob and carol, whose password is C<secret>; a pair of keys in DIR/etc/shop/NAME.public and NAME.secret,
whose public one is returned as a line.

=item edit($name, sub { s/.../.../ })

Changes the copy of an example, for what it has as a comment; dies when nothing changed.

=back

=head1 FUNCTIONS

=over

=item jwt($key, \%claims, \%header)

A token. C<$key>: C<< { secret => TEXT } >> signs with HS256, C<< { key => FILE } >> with RS256; undef: no signature, and
alg none. C<%header> is added to its header.

=item openssl(@arguments)

What it prints; dies with what it says when it fails.

=back

=cut
