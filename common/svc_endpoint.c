/* svc_endpoint: see the header. */
#include "svc_endpoint.h"

#include <arpa/inet.h>
#include <string.h>

#include <apr_strings.h>

static const char *host_of(const char *text)
{
    return text + strlen("tcp://");
}

/* The colon before the port; NULL when there is none. */
static const char *port_of(const char *text)
{
    return strrchr(host_of(text), ':');
}

static int is_address(const char *host, size_t length)
{
    char text[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];

    if (length == 1 && *host == '*')
        return 1;
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof(text))
        return 0;
    apr_cpystrn(text, host, length + 1);
    return inet_pton(AF_INET, text, address) == 1 ||
           inet_pton(AF_INET6, text, address) == 1;
}

const char *svc_endpoint_refusal(const char *text, int binds)
{
    const char *port;
    apr_int64_t number;

    if (strncmp(text, "ipc:///", 7) == 0 && text[7])
        return NULL;
    if (strncmp(text, "tcp://", 6) != 0)
        return "must be tcp://HOST:PORT or ipc:///PATH";
    port = port_of(text);
    if (!port || port == host_of(text))
        return "must name a host and a port: tcp://HOST:PORT";
    number = apr_atoi64(port + 1);
    if (!port[1] || strlen(port + 1) > 5 ||
        strspn(port + 1, "0123456789") != strlen(port + 1) || number < 1 ||
        number > 65535)
        return "must have a port from 1 to 65535";
    if (strpbrk(text, " \t;,"))
        return "must be one endpoint";
    if (binds && !is_address(host_of(text), (size_t)(port - host_of(text))))
        return "must have an IP address of this machine (or *) as its host, "
               "not a name";
    return NULL;
}

int svc_endpoint_is_local(const char *text)
{
    const char *host;

    if (strncmp(text, "ipc://", 6) == 0)
        return 1;
    host = host_of(text);
    return (strncmp(host, "127.", 4) == 0 &&
            is_address(host, strcspn(host, ":"))) ||
           strncmp(host, "[::1]:", 6) == 0 ||
           strncmp(host, "localhost:", 10) == 0;
}

/* The host, where "localhost" is the address that it stands for. */
static const char *address_of(const char *text, size_t *length)
{
    *length = (size_t)(port_of(text) - host_of(text));
    if (*length != 9 || strncmp(host_of(text), "localhost", 9) != 0)
        return host_of(text);
    return "127.0.0.1"; /* as long */
}

/* '4' or '6' when all addresses of that family are meant; else 0. */
static int wildcard_of(const char *host, size_t length)
{
    if ((length == 1 && *host == '*') ||
        (length == 7 && strncmp(host, "0.0.0.0", 7) == 0))
        return '4';
    return length == 4 && strncmp(host, "[::]", 4) == 0 ? '6' : 0;
}

int svc_endpoint_clashes(const char *a, const char *b)
{
    size_t mine, theirs;
    const char *host, *other;

    if (strncmp(a, "tcp://", 6) != 0 || strncmp(b, "tcp://", 6) != 0)
        return strcmp(a, b) == 0;
    if (apr_atoi64(port_of(a) + 1) != apr_atoi64(port_of(b) + 1))
        return 0;
    host = address_of(a, &mine);
    other = address_of(b, &theirs);
    if (wildcard_of(host, mine))
        return wildcard_of(host, mine) == (*other == '[' ? '6' : '4');
    if (wildcard_of(other, theirs))
        return wildcard_of(other, theirs) == (*host == '[' ? '6' : '4');
    return mine == theirs && strncmp(host, other, mine) == 0;
}

int svc_endpoint_leads_to(const char *text, const char *bound)
{
    return svc_endpoint_is_local(text) ? svc_endpoint_clashes(text, bound)
                                       : strcmp(text, bound) == 0;
}
