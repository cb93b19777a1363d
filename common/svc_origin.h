/* svc_origin: what a change goes back to: the trace that it is part of, and the
 * request that began it. An event carries both, as do the events that come of it,
 * in whatever service.
 */
#ifndef SVC_ORIGIN_H
#define SVC_ORIGIN_H

#include <apr_pools.h>

#define SVC_ORIGIN_MAX_REQUEST 64 /* bytes of a request's id */

/* Each NULL where there is none; if not, it is as svc_origin has it. */
typedef struct svc_origin_t {
    const char *traceparent; /* W3C Trace Context, version 00, 55 bytes */
    const char *request_id;  /* 1 to SVC_ORIGIN_MAX_REQUEST visible ASCII */
} svc_origin_t;

/* What is acceptable of both texts, which may be NULL; the rest is as if it were
 * not there. They are not copied. */
svc_origin_t svc_origin(const char *traceparent, const char *request_id);

svc_origin_t svc_origin_copy(const svc_origin_t *origin, apr_pool_t *pool);

#endif
