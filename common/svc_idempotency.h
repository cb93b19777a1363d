/* svc_idempotency: requests that may be sent again without being done again
 * (IETF draft-ietf-httpapi-idempotency-key-header). Who sends a key gets the
 * answer of the first request with it, as long as the key is remembered.
 *
 * The key is claimed, and the answer stored, in the transaction of the effect:
 * one is not there without the other, whatever crashes. A claim is an INSERT
 * that another transaction with the same key waits for; only an effect that was
 * made keeps its key.
 *
 * Table: <service>_idempotency. The writer's thread, but for the two functions
 * that read a request.
 */
#ifndef SVC_IDEMPOTENCY_H
#define SVC_IDEMPOTENCY_H

#include "svc_json.h"
#include "svc_stream.h"

#define SVC_IDEMPOTENCY_MAX_KEY 255 /* characters */

/* The statements of one service; see svc_stream_t for how long it lives. */
typedef struct svc_idempotency_t svc_idempotency_t;

/* What a request says; all of it must outlive the command. */
typedef struct svc_idempotency_request_t {
    const char *user_id;
    const char *key;         /* NULL: none was sent */
    const char *fingerprint; /* of the body, svc_idempotency_fingerprint */
    apr_int64_t ttl_ms;      /* how long a key is remembered */
} svc_idempotency_request_t;

/* What was created, as the client is told: the parts of a 201. */
typedef struct svc_idempotency_answer_t {
    const char *id;   /* NULL: it is not one entity */
    const char *etag; /* NULL alike */
    const char *body; /* JSON */
} svc_idempotency_answer_t;

svc_idempotency_t *svc_idempotency_create(const char *service,
                                          apr_pool_t *pool);

/* Reads the header HEADER: a string of RFC 9651 in quotes, or the same without
 * them. INVALID, naming the header, when it is neither, empty, or too long. Any
 * thread. */
svc_err_t *svc_idempotency_read_key(const char **out, const char *header,
                                    apr_pool_t *pool);

/* Two bodies have the same fingerprint when they are the same JSON value: the
 * order of members and white space do not matter. Any thread. */
const char *svc_idempotency_fingerprint(const svc_json_t *body,
                                        apr_pool_t *pool);

/* Claims the key. With IS_KNOWN it was used before: OUT, which lives in POOL, is
 * the answer, and there is nothing more to do. UNPROCESSABLE when it was used
 * for another body. */
svc_err_t *svc_idempotency_claim(int *is_known, svc_idempotency_answer_t *out,
                                 svc_stream_tx_t *tx,
                                 const svc_idempotency_t *idempotency,
                                 const svc_idempotency_request_t *request,
                                 apr_pool_t *pool);

/* After a claim: stores the answer, or, with NULL, leaves the key free because
 * the request was refused. */
svc_err_t *svc_idempotency_settle(svc_stream_tx_t *tx,
                                  const svc_idempotency_t *idempotency,
                                  const svc_idempotency_request_t *request,
                                  const svc_idempotency_answer_t *answer);

/* Forgets up to about LIMIT keys that were used before BEFORE (ms); REMOVED
 * gets their number. */
svc_err_t *svc_idempotency_forget(int *removed, svc_stream_tx_t *tx,
                                  const svc_idempotency_t *idempotency,
                                  apr_int64_t before, int limit);

#endif
