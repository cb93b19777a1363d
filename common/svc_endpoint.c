/* svc_endpoint: see the header. */
#include "svc_endpoint.h"

#include <string.h>

#include <apr_lib.h>
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
    size_t i;

    if (length == 1 && *host == '*')
        return 1;
    if (length > 2 && host[0] == '[' && host[length - 1] == ']')
        return strspn(host + 1, "0123456789abcdefABCDEF:.%") == length - 2;
    for (i = 0; i < length; i++) {
        if (!apr_isdigit(host[i]) && host[i] != '.')
            return 0;
    }
    return length > 0;
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
