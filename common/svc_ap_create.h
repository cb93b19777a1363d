/* svc_ap_create: a POST that creates something: as often as it is sent with one
 * Idempotency-Key it does it once (svc_idempotency), and it is answered with
 * 201, Location, ETag and what was created.
 */
#ifndef SVC_AP_CREATE_H
#define SVC_AP_CREATE_H

#include "svc_ap_route.h"
#include "svc_idempotency.h"
#include "svc_writer.h"

/* Tells what was created, from BATON; OUT may point into it, and into POOL. In
 * the writer's thread where there is a key, else in the request's. */
typedef void (*svc_ap_create_describe_fn)(svc_idempotency_answer_t *out,
                                          const void *baton, apr_pool_t *pool);

/* What is handed to the writer. */
typedef struct svc_ap_create_t {
    svc_command_t *command;
    apr_pool_t *pool; /* the command's, for what BATON points to */
    void *baton;      /* zeroed, for the maker to fill in */
    svc_writer_run_fn make;
    svc_ap_create_describe_fn describe;
    const svc_idempotency_t *idempotency;
    svc_idempotency_request_t request;
    svc_idempotency_answer_t answer; /* out, with a key */
    int is_replayed;                 /* out */
} svc_ap_create_t;

/* Prepares it, with SIZE bytes of baton. KEY as in svc_writer_command. INVALID
 * when the header Idempotency-Key is not one; BODY is what the key is for. */
svc_err_t *svc_ap_create_prepare(svc_ap_create_t **out,
                                 const svc_ap_request_t *request,
                                 const svc_json_t *body, apr_size_t size,
                                 const char *key, svc_writer_run_fn make,
                                 svc_ap_create_describe_fn describe);

/* Has it done, and answers, unless there is an error. */
svc_err_t *svc_ap_create_execute(svc_ap_create_t *create,
                                 svc_ap_request_t *request);

#endif
