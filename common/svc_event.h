/* svc_event: one event on the wire: a CloudEvents 1.0 object in JSON
 * (cloudevents/spec, "JSON Event Format") with the `sequence` extension, with
 * `traceparent` of the distributed tracing extension, and with `requestid`.
 */
#ifndef SVC_EVENT_H
#define SVC_EVENT_H

#include "svc_json.h"
#include "svc_origin.h"

/* The subject of the publisher's sign of life, which is not in any log. */
#define SVC_EVENT_HEARTBEAT "heartbeat"

/* "urn:uuid:" and a UUID. */
#define SVC_EVENT_SOURCE_LENGTH 45

typedef struct svc_event_t {
    const char *id;        /* unique; a repeated event keeps it */
    const char *source;    /* which log it belongs to */
    const char *type;      /* the subject of DESIGN: "ticket:created" */
    const char *entity;    /* CloudEvents' subject: the entity's id; NULL: none */
    apr_int64_t time;      /* when it was recorded, ms */
    apr_int64_t position;  /* in the log of its source, from 1; 0: not said */
    svc_json_t *data;      /* of an event of our own; see svc_event_data */
    const char *text;      /* as it arrived; NULL in an event of our own */
    const char *data_text; /* the part of it, or NULL: there are no data */
    apr_size_t data_length; /* bytes */
    svc_origin_t origin;
} svc_event_t;

/* The event as JSON text, allocated from POOL. */
const char *svc_event_encode(const svc_event_t *event, apr_pool_t *pool);

/* Reads LENGTH bytes, followed by a NUL, that arrived under SUBJECT. Everything
 * in OUT lives in POOL, but for its text, which is TEXT. INVALID, with a
 * sentence, when it is not such an event: a required attribute is missing or of
 * a wrong type, `specversion` is another, `type` is not SUBJECT, `sequence` is
 * not digits. A bad `traceparent` or `requestid` is as if it were not there.
 * `time` is not read (it stays 0), nor is `data`, which are looked at by
 * svc_event_data. */
svc_err_t *svc_event_decode(svc_event_t *out, const char *subject,
                            const char *text, apr_size_t length,
                            apr_pool_t *pool);

/* The data of EVENT, in POOL: an object. INVALID when there are none, or when
 * they are not JSON. A tree is large: read one at a time, and clear POOL. */
svc_err_t *svc_event_data(svc_json_t **out, const svc_event_t *event,
                          apr_pool_t *pool);

#endif
