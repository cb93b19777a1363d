/* mod_orders_http: see the header. Each route parses, calls the service and
 * answers; the rules are in orders_service.
 */
#include "mod_orders_http.h"

#include <string.h>

#include <apr_strings.h>

#include "mod_orders_conf.h"
#include "orders_json.h"
#include "orders_service.h"
#include "svc_ap_create.h"
#include "svc_ap_history.h"
#include "svc_ap_query.h"
#include "svc_ap_worker.h"
#include "svc_time.h"

/* The follower says once a second that it has everything. Without that for so
 * long, a ticket that is not known may only not have arrived yet. */
#define BEHIND_MS 3000

/* --- reading -------------------------------------------------------------------- */

static svc_err_t *list(svc_ap_request_t *request)
{
    static const char *const filters[] = { "status", NULL };
    /* The places of the words are the values of orders_list_t. */
    static const char *const statuses[] = {
        ORDERS_CREATED, ORDERS_AWAITING, ORDERS_COMPLETE, ORDERS_CANCELLED,
        "pending", "paid", ORDERS_EXPIRED, "all", NULL
    };
    request_rec *r = request->r;
    svc_json_t *json = svc_json_array(r->pool);
    svc_ap_query_t *query = svc_ap_query_read(r, filters);
    svc_ap_query_page_t page = svc_ap_query_page(query);
    orders_list_t which = svc_ap_query_choice(query, "status", statuses,
                                              ORDERS_LIST_LIVE);
    svc_ap_db_loan_t loan;
    apr_array_header_t *orders;
    svc_err_t *err;
    int i;

    if ((err = svc_ap_query_end(query)) ||
        (err = svc_ap_worker_borrow(&loan, request->instance, r)))
        return err;
    /* One more than asked for tells whether there is a next page. */
    err = orders_service_list(&orders, loan.db, request->user, which,
                              page.after, page.limit + 1, r->pool);
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

static svc_err_t *history(svc_ap_request_t *request)
{
    return svc_ap_history_answer(request, orders_service_history);
}

/* --- an order is made ----------------------------------------------------------- */

/* What POST hands to the writer. */
typedef struct creation_t {
    const char *user_id, *ticket_id;
    orders_terms_t terms;
    order_t order; /* out */
} creation_t;

static svc_err_t *run_create(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    creation_t *creation = baton;

    creation->order.ticket_id = creation->ticket_id;
    creation->order.user_id = creation->user_id;
    return orders_service_create(&creation->order, tx, &creation->terms, pool);
}

static void describe(svc_idempotency_answer_t *out, const void *baton,
                     apr_pool_t *pool)
{
    const order_t *order = &((const creation_t *)baton)->order;

    out->id = order->id;
    out->etag = orders_service_etag(order, pool);
    out->body = svc_json_text(NULL, orders_json_write(order, pool), pool);
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
    svc_ap_create_t *create;
    creation_t *creation;
    svc_json_t *body;
    svc_err_t *err = svc_ap_http_read_json(&body, &request->status, r,
                                           request->instance, 0);

    if (err || request->status != OK ||
        (err = orders_json_read(&ticket_id, body, r->pool)) ||
        (err = svc_ap_create_prepare(&create, request, body,
                                     sizeof(*creation), ticket_id, run_create,
                                     describe)))
        return err;
    creation = create->baton;
    creation->user_id = apr_pstrdup(create->pool, request->user);
    creation->ticket_id = apr_pstrdup(create->pool, ticket_id);
    creation->terms = mod_orders_conf_terms(r->server);
    if ((err = svc_ap_create_execute(create, request)))
        hint_retry(request, err);
    return err;
}

/* --- it is cancelled ------------------------------------------------------------ */

/* What DELETE hands to the writer. */
typedef struct cancellation_t {
    const char *id, *user_id;
    svc_etag_condition_t condition;
} cancellation_t;

static svc_err_t *run_cancel(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    const cancellation_t *cancellation = baton;

    return orders_service_cancel(tx, cancellation->id, cancellation->user_id,
                                 &cancellation->condition, pool);
}

static svc_err_t *cancel(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    svc_command_t *command;
    cancellation_t *cancellation;
    apr_pool_t *pool;
    void *baton;
    svc_err_t *err;

    command = svc_ap_worker_command(&baton, sizeof(*cancellation), request->id,
                                    run_cancel, r);
    pool = svc_writer_command_pool(command);
    cancellation = baton;
    cancellation->id = apr_pstrdup(pool, request->id);
    cancellation->user_id = apr_pstrdup(pool, request->user);
    cancellation->condition = svc_ap_http_condition(r, pool);
    err = svc_ap_worker_execute(request->instance, command, r->pool);
    if (!err)
        r->status = HTTP_NO_CONTENT;
    return err;
}

/* --- it is paid ------------------------------------------------------------------- */

/* What the payments route hands to the writer. */
typedef struct paying_t {
    orders_payment_t said;    /* as sent */
    orders_payment_t payment; /* out: what became of it */
    order_t order;            /* out */
    int is_repeated;          /* out */
} paying_t;

static svc_err_t *run_pay(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    paying_t *paying = baton;

    paying->payment = paying->said;
    return orders_service_pay(&paying->is_repeated, &paying->order,
                              &paying->payment, tx, pool);
}

static svc_err_t *pay(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    svc_command_t *command;
    paying_t *paying;
    svc_json_t *body;
    apr_pool_t *pool;
    void *baton;
    svc_err_t *err = svc_ap_http_read_json(&body, &request->status, r,
                                           request->instance, 0);

    if (err || request->status != OK)
        return err;
    command = svc_ap_worker_command(&baton, sizeof(*paying), request->id,
                                    run_pay, r);
    pool = svc_writer_command_pool(command);
    paying = baton;
    paying->said.order_id = apr_pstrdup(pool, request->id);
    if ((err = orders_json_read_payment_body(&paying->said, body, pool)) ||
        (err = svc_ap_worker_execute(request->instance, command, r->pool)) ||
        (err = orders_service_refusal(&paying->payment, r->pool)))
        return err;
    apr_table_setn(r->headers_out, "ETag",
                   orders_service_etag(&paying->order, r->pool));
    svc_ap_http_send(r, strcmp(paying->payment.status, ORDERS_RECORDED) == 0
                            ? HTTP_ACCEPTED
                            : paying->is_repeated ? HTTP_OK : HTTP_CREATED,
                     orders_json_write(&paying->order, r->pool));
    return NULL;
}

const svc_ap_route_t mod_orders_http_routes[] = {
    { "GET", "", 1, list, NULL },
    { "POST", "", 1, create, NULL },
    { "GET", ":id", 1, get, NULL },
    { "DELETE", ":id", 1, cancel, NULL },
    { "GET", ":id/history", 1, history, NULL },
    { "POST", ":id/payments", 1, pay, mod_orders_conf_has_payments },
    { NULL, NULL, 0, NULL, NULL }
};
