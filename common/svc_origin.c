/* svc_origin: see the header. */
#include "svc_origin.h"

#include <string.h>

#include <apr_strings.h>

#define TRACE_LENGTH 55 /* 00-TRACE-PARENT-FLAGS */

/* COUNT lower-case hexadecimal digits, and END after them. */
static int is_hex(const char *text, size_t count, char end)
{
    return strspn(text, "0123456789abcdef") == count && text[count] == end;
}

/* The ids are not all zero: that would be none. */
static int is_trace(const char *text)
{
    return text && strlen(text) == TRACE_LENGTH &&
           strncmp(text, "00-", 3) == 0 && is_hex(text + 3, 32, '-') &&
           strspn(text + 3, "0") < 32 && is_hex(text + 36, 16, '-') &&
           strspn(text + 36, "0") < 16 && is_hex(text + 53, 2, '\0');
}

static int is_request(const char *text)
{
    const char *at = text;

    while (at && *at > 32 && *at < 127)
        at++;
    return at && !*at && at > text && at - text <= SVC_ORIGIN_MAX_REQUEST;
}

svc_origin_t svc_origin(const char *traceparent, const char *request_id)
{
    svc_origin_t origin = { is_trace(traceparent) ? traceparent : NULL,
                            is_request(request_id) ? request_id : NULL };

    return origin;
}

svc_origin_t svc_origin_copy(const svc_origin_t *origin, apr_pool_t *pool)
{
    svc_origin_t copy = { apr_pstrdup(pool, origin->traceparent),
                          apr_pstrdup(pool, origin->request_id) };

    return copy;
}
