/* svc_ap_create: see the header. */
#include "svc_ap_create.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_ap_worker.h"

static svc_err_t *run_once(svc_ap_create_t *create, svc_stream_tx_t *tx,
                           apr_pool_t *pool)
{
    svc_err_t *refused, *err;

    memset(&create->answer, 0, sizeof(create->answer));
    err = svc_idempotency_claim(&create->is_replayed, &create->answer, tx,
                                create->idempotency, &create->request, pool);
    if (err || create->is_replayed)
        return err;
    refused = create->make(create->baton, tx, pool);
    if (refused && !svc_err_is_domain(refused))
        return refused;
    if (!refused)
        create->describe(&create->answer, create->baton, pool);
    err = svc_idempotency_settle(tx, create->idempotency, &create->request,
                                 refused ? NULL : &create->answer);
    return err ? err : refused;
}

static svc_err_t *run(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    svc_ap_create_t *create = baton;

    return create->request.key ? run_once(create, tx, pool)
                               : create->make(create->baton, tx, pool);
}

svc_err_t *svc_ap_create_prepare(svc_ap_create_t **out,
                                 const svc_ap_request_t *request,
                                 const svc_json_t *body, apr_size_t size,
                                 const char *key, svc_writer_run_fn make,
                                 svc_ap_create_describe_fn describe)
{
    request_rec *r = request->r;
    const svc_ap_instance_t *instance = request->instance;
    const char *header = apr_table_get(r->headers_in, "Idempotency-Key");
    const char *idempotency_key = NULL;
    svc_ap_create_t *create;
    svc_command_t *command;
    void *baton;
    svc_err_t *err;

    if (header && (err = svc_idempotency_read_key(&idempotency_key, header,
                                                  r->pool)))
        return err;
    /* Rows are touched in the order of these: see svc_writer.h. */
    command = svc_ap_worker_command(&baton, sizeof(*create),
                                    key ? key : idempotency_key, run, r);
    create = *out = baton;
    create->command = command;
    create->pool = svc_writer_command_pool(command);
    create->baton = apr_pcalloc(create->pool, size);
    create->make = make;
    create->describe = describe;
    create->idempotency = instance->idempotency;
    if (idempotency_key) {
        create->request.user_id = apr_pstrdup(create->pool, request->user);
        create->request.key = apr_pstrdup(create->pool, idempotency_key);
        create->request.fingerprint =
            svc_idempotency_fingerprint(body, create->pool);
        create->request.ttl_ms = instance->leader_config.idempotency_ttl_ms;
    }
    return NULL;
}

svc_err_t *svc_ap_create_execute(svc_ap_create_t *create,
                                 svc_ap_request_t *request)
{
    request_rec *r = request->r;
    svc_idempotency_answer_t *answer = &create->answer;
    svc_err_t *err = svc_ap_worker_execute(request->instance, create->command,
                                           r->pool);

    if (err)
        return err;
    if (!create->request.key)
        create->describe(answer, create->baton, r->pool);
    if (create->is_replayed)
        apr_table_setn(r->headers_out, "Idempotent-Replayed", "true");
    if (answer->etag)
        apr_table_setn(r->headers_out, "ETag", answer->etag);
    if (answer->id)
        apr_table_setn(r->headers_out, "Location",
                       apr_pstrcat(r->pool, request->base, "/", answer->id,
                                   NULL));
    svc_ap_http_send_text(r, HTTP_CREATED, answer->body, strlen(answer->body));
    return NULL;
}
