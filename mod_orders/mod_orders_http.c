/* mod_orders_http: see the header. Each route parses, calls the service and
 * answers; the rules are in orders_service.
 */
#include "mod_orders_http.h"

#include <apr_strings.h>

#include "mod_orders_conf.h"
#include "orders_json.h"
#include "orders_service.h"
#include "svc_ap_query.h"
#include "svc_ap_worker.h"
#include "svc_time.h"

/* The follower says once a second that it has everything. Without that for so
 * long, a ticket that is not known may only not have arrived yet. */
#define BEHIND_MS 3000

/* What POST and DELETE hand to the writer. */
typedef struct change_t {
    const char *id; /* DELETE: of the order */
    const char *user_id;
    const char *ticket_id;
    svc_etag_condition_t condition;
    apr_int64_t expiration_ms;
    order_t order; /* out, POST: the order that was made */
} change_t;

static svc_err_t *list(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    svc_json_t *json = svc_json_array(r->pool);
    svc_ap_query_t *query = svc_ap_query_read(r, NULL);
    svc_ap_query_page_t page = svc_ap_query_page(
        query, ORDERS_DEFAULT_LIMIT, ORDERS_MAX_LIMIT);
    svc_ap_db_loan_t loan;
    apr_array_header_t *orders;
    svc_err_t *err;
    int i;

    if ((err = svc_ap_query_end(query)) ||
        (err = svc_ap_worker_borrow(&loan, request->instance, r)))
        return err;
    /* One more than asked for tells whether there is a next page. */
    err = orders_service_list(&orders, loan.db, request->user, page.after,
                              page.limit + 1, r->pool);
    svc_ap_db_give_back(&loan);
    if (err)
        return err;
    for (i = 0; i < orders->nelts && i < page.limit; i++)
        svc_json_append(json,
                        orders_json_write(&APR_ARRAY_IDX(orders, i, order_t),
                                          r->pool));
    if (orders->nelts > page.limit)
        svc_ap_query_link_next(
            query, &page,
            APR_ARRAY_IDX(orders, page.limit - 1, order_t).position);
    svc_ap_http_send(r, HTTP_OK, json);
    return NULL;
}

static svc_err_t *get(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    svc_ap_db_loan_t loan;
    order_t order;
    int is_known;
    svc_err_t *err = svc_ap_worker_borrow(&loan, request->instance, r);

    if (err)
        return err;
    err = orders_service_get(&order, loan.db, request->id, request->user,
                             r->pool);
    svc_ap_db_give_back(&loan);
    if (!err)
        err = svc_ap_http_is_known(&is_known, r,
                                   orders_service_etag(&order, r->pool));
    if (!err && !is_known)
        svc_ap_http_send(r, HTTP_OK, orders_json_write(&order, r->pool));
    return err;
}

static svc_err_t *run_create(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    change_t *change = baton;

    change->order.ticket_id = change->ticket_id;
    change->order.user_id = change->user_id;
    return orders_service_create(&change->order, tx, change->expiration_ms,
                                 pool);
}

static svc_err_t *run_cancel(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    const change_t *change = baton;

    return orders_service_cancel(tx, change->id, change->user_id,
                                 &change->condition, pool);
}

/* A new command with what every change needs. */
static change_t *new_change(svc_command_t **command,
                            const svc_ap_request_t *request, const char *key,
                            svc_writer_run_fn run)
{
    request_rec *r = request->r;
    change_t *change;
    apr_pool_t *pool;
    void *baton;

    *command = svc_ap_worker_command(&baton, sizeof(*change), key, run, r);
    pool = svc_writer_command_pool(*command);
    change = baton;
    change->id = apr_pstrdup(pool, request->id);
    change->user_id = apr_pstrdup(pool, request->user);
    change->condition = svc_ap_http_condition(r, pool);
    change->expiration_ms = mod_orders_conf_expiration_ms(r->server);
    return change;
}

static void hint_retry(const svc_ap_request_t *request, svc_err_t *err)
{
    const svc_ap_instance_t *instance = request->instance;
    apr_int64_t caught_up_at = atomic_load(&instance->stats->caught_up_at);

    if (err->kind == SVC_ERR_NOT_FOUND && instance->conf->subscribe &&
        svc_time_ticks() - caught_up_at > BEHIND_MS)
        err->retry_after = 1;
}

static svc_err_t *create(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    const char *ticket_id;
    svc_command_t *command;
    svc_json_t *body;
    change_t *change;
    svc_err_t *err = svc_ap_http_read_json(&body, &request->status, r,
                                           request->instance);

    if (err || request->status != OK ||
        (err = orders_json_read(&ticket_id, body, r->pool)))
        return err;
    change = new_change(&command, request, ticket_id, run_create);
    change->ticket_id = apr_pstrdup(svc_writer_command_pool(command),
                                    ticket_id);
    if ((err = svc_ap_worker_execute(request->instance, command, r->pool))) {
        hint_retry(request, err);
        return err;
    }
    apr_table_setn(r->headers_out, "ETag",
                   orders_service_etag(&change->order, r->pool));
    apr_table_setn(r->headers_out, "Location",
                   apr_pstrcat(r->pool, request->base, "/", change->order.id,
                               NULL));
    svc_ap_http_send(r, HTTP_CREATED,
                     orders_json_write(&change->order, r->pool));
    return NULL;
}

static svc_err_t *cancel(svc_ap_request_t *request)
{
    svc_command_t *command;
    svc_err_t *err;

    new_change(&command, request, request->id, run_cancel);
    err = svc_ap_worker_execute(request->instance, command, request->r->pool);
    if (!err)
        request->r->status = HTTP_NO_CONTENT;
    return err;
}

const svc_ap_route_t mod_orders_http_routes[] = {
    { "GET", 0, 1, list },
    { "POST", 0, 1, create },
    { "GET", 1, 1, get },
    { "DELETE", 1, 1, cancel },
    { NULL, 0, 0, NULL }
};
