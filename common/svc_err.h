/* svc_err: the error value that every layer hands upwards.
 *
 * NULL means success. A function never logs an error that it also returns;
 * an error is logged once, where it ends: svc_ap_http (requests) or the
 * threads of svc_ap_worker.
 *
 * An error and everything it points to live in the pool it was made in.
 * Making and reading errors is safe in any thread that may use that pool.
 */
#ifndef SVC_ERR_H
#define SVC_ERR_H

#include <apr_pools.h>

typedef enum {
    SVC_ERR_INVALID,         /* 400: what was sent is not acceptable */
    SVC_ERR_UNAUTHENTICATED, /* 401 */
    SVC_ERR_FORBIDDEN,       /* 403 */
    SVC_ERR_NOT_FOUND,       /* 404 */
    SVC_ERR_METHOD,          /* 405 */
    SVC_ERR_CONFLICT,        /* 409 */
    SVC_ERR_PRECONDITION,    /* 412 */
    SVC_ERR_TOO_LARGE,       /* 413 */
    SVC_ERR_MEDIA_TYPE,      /* 415 */
    SVC_ERR_UNPROCESSABLE,   /* 422: its Idempotency-Key is for another body */
    SVC_ERR_UNAVAILABLE,     /* 503: the database cannot serve at the moment */
    SVC_ERR_RETRY,           /* 503: transient; the whole transaction may be run again */
    SVC_ERR_INTERNAL         /* 500 */
} svc_err_kind_t;

/* One bad field of a request. */
typedef struct svc_err_field_t svc_err_field_t;
struct svc_err_field_t {
    const char *field;     /* the name the client used */
    const char *message;   /* what was wrong and what is allowed */
    svc_err_field_t *next; /* in the order they were added */
};

typedef struct svc_err_t {
    svc_err_kind_t kind;
    const char *message;     /* safe to show to a client */
    const char *detail;      /* for the log only; NULL: nothing more is known */
    svc_err_field_t *fields; /* NULL: the error is not about fields */
    int retry_after;         /* seconds; 0: not said */
} svc_err_t;

/* An error whose client-safe message is made from FORMAT (printf-like). */
svc_err_t *svc_err_make(apr_pool_t *pool, svc_err_kind_t kind,
                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* An error of ours: MESSAGE goes to the client, the formatted text to the log. */
svc_err_t *svc_err_ours(apr_pool_t *pool, svc_err_kind_t kind,
                        const char *message, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Appends a bad field. ERR may point to NULL: then an INVALID error is made. */
void svc_err_add_field(svc_err_t **err, apr_pool_t *pool, const char *field,
                       const char *message);

/* True for errors that say something about the request or the state of an
 * entity; such an error is data: it does not undo the transaction it arose in.
 */
int svc_err_is_domain(const svc_err_t *err);

/* A deep copy into POOL, so that an error can outlive the pool it arose in.
 * NULL gives NULL. */
svc_err_t *svc_err_copy(const svc_err_t *err, apr_pool_t *pool);

#endif
