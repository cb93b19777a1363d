/* orders_service: see the header. */
#include "orders_service.h"

#include <string.h>

#include <apr_hash.h>
#include <apr_strings.h>

#include "orders_change.h"
#include "orders_store.h"
#include "svc_id.h"

#define SWEEP_LIMIT 500 /* orders cancelled by one command */

svc_err_t *orders_service_list(apr_array_header_t **out, svc_db_t *db,
                               const char *user_id, orders_list_t which,
                               apr_int64_t after, int limit, apr_pool_t *pool)
{
    return orders_list_store_page(out, db, user_id, which, after, limit, pool);
}

svc_err_t *orders_service_get(order_t *out, svc_db_t *db, const char *id,
                              const char *user_id, apr_pool_t *pool)
{
    const char *key = svc_id_parse(id, pool);
    int found = 0;
    svc_err_t *err = key ? orders_store_get(&found, out, db, key, pool) : NULL;

    if (err)
        return err;
    if (!found)
        return svc_err_make(pool, SVC_ERR_NOT_FOUND, "There is no such order");
    if (strcmp(out->user_id, user_id) != 0)
        return svc_err_make(pool, SVC_ERR_FORBIDDEN,
                            "This order is another user's");
    return NULL;
}

svc_err_t *orders_service_history(svc_stream_history_t *out, svc_db_t *db,
                                  const svc_stream_t *stream, const char *id,
                                  const char *user_id, apr_int64_t after,
                                  int limit, apr_pool_t *pool)
{
    order_t order;
    svc_err_t *err = orders_service_get(&order, db, id, user_id, pool);

    return err ? err : svc_stream_history(out, db, stream, order.id,
                                          order.position, after, limit, pool);
}

/* --- an order is made ----------------------------------------------------------- */

/* The orders of each user that this transaction has made: their rows come with
 * the commit, so they cannot be counted there yet. */
static int *made_by(svc_stream_tx_t *tx, const char *user_id)
{
    static const char key[] = "orders_service_made_by";
    void *found = NULL;
    apr_hash_t *made;
    int *count;

    apr_pool_userdata_get(&found, key, tx->pool);
    made = found ? found : apr_hash_make(tx->pool);
    apr_pool_userdata_setn(made, key, NULL, tx->pool);
    count = apr_hash_get(made, user_id, APR_HASH_KEY_STRING);
    if (!count) {
        count = apr_pcalloc(tx->pool, sizeof(*count));
        apr_hash_set(made, apr_pstrdup(tx->pool, user_id),
                     APR_HASH_KEY_STRING, count);
    }
    return count;
}

static svc_err_t *check_limit(svc_stream_tx_t *tx, const char *user_id,
                              int max_active, apr_pool_t *pool)
{
    apr_int64_t unpaid = 0;
    svc_err_t *err;

    if (!max_active)
        return NULL;
    err = orders_store_count_unpaid(&unpaid, tx, user_id);
    if (!err && unpaid + *made_by(tx, user_id) >= max_active)
        err = svc_err_make(pool, SVC_ERR_CONFLICT,
                           "You have %d unpaid orders, as many as are "
                           "allowed: pay or cancel one first", max_active);
    return err;
}

typedef struct insertion_t {
    order_t *order;
    int max_active;
} insertion_t;

/* The log's counter is locked now, so all that other machines have made is
 * there: when they made too many meanwhile, the whole is judged again. */
static svc_err_t *insert(void *baton, svc_stream_tx_t *tx,
                         apr_int64_t position)
{
    insertion_t *insertion = baton;
    order_t *order = insertion->order;
    apr_int64_t unpaid = 0;
    svc_err_t *err;

    order->position = position;
    orders_store_insert(tx, order);
    if (!insertion->max_active)
        return NULL;
    err = svc_stream_insert_now(tx);
    if (!err)
        err = orders_store_count_unpaid(&unpaid, tx, order->user_id);
    if (!err && unpaid > insertion->max_active)
        err = svc_err_ours(tx->pool, SVC_ERR_RETRY,
                           "The database is not available",
                           "another machine made orders of this user");
    return err;
}

/* The ticket is somebody's. An order that is overdue has it no longer: the row's
 * expiry counts, not the sweep's. FREED is 1 then. */
static svc_err_t *free_overdue(int *freed, svc_stream_tx_t *tx,
                               const char *ticket_id, apr_pool_t *pool)
{
    const char *holder;
    svc_err_t *err = orders_store_active(&holder, tx->db, ticket_id, pool);

    return err || !holder ? err : orders_change_expire(freed, tx, holder);
}

/* Claims the ticket for the order; TICKET is as it is then. FOUND is 0 when there
 * is none, CHANGED when it is this order's now. */
static svc_err_t *claim(int *found, int *changed, orders_ticket_t *ticket,
                        const order_t *order, svc_stream_tx_t *tx,
                        apr_pool_t *pool)
{
    const char *id = order->ticket_id;
    int freed = 0;
    svc_err_t *err = orders_store_claim(changed, ticket, tx, id, order->id,
                                        pool);

    if (!err && !*changed)
        err = free_overdue(&freed, tx, id, pool);
    if (!err && freed)
        err = orders_store_claim(changed, ticket, tx, id, order->id, pool);
    *found = *changed;
    if (!err && !*found)
        err = orders_store_get_ticket(found, ticket, tx->db, id, pool);
    if (err || !*found || *changed)
        return err;
    /* Where several write at once, the ticket may become known right after it
     * could not be claimed: only one that was there before is another's. */
    return orders_store_claim(changed, ticket, tx, id, order->id, pool);
}

static void fill_in(order_t *order, const orders_ticket_t *ticket,
                    apr_int64_t expires_at)
{
    order->status = ORDERS_CREATED;
    order->cancel_reason = NULL;
    order->expires_at = expires_at;
    order->cents = ticket->cents;
    order->version = 0;
    order->ticket_title = ticket->title;
    order->ticket_version = order->ticket_version_then = ticket->version;
}

svc_err_t *orders_service_create(order_t *order, svc_stream_tx_t *tx,
                                 const orders_terms_t *terms, apr_pool_t *pool)
{
    insertion_t *insertion = apr_pcalloc(tx->pool, sizeof(*insertion));
    orders_ticket_t ticket;
    int found, changed = 0;
    svc_err_t *limit = check_limit(tx, order->user_id, terms->max_active, pool);
    svc_err_t *err = NULL;

    if (limit && !svc_err_is_domain(limit))
        return limit;
    order->id = svc_id_new(pool);
    err = limit ? orders_store_get_ticket(&found, &ticket, tx->db,
                                          order->ticket_id, pool)
                : claim(&found, &changed, &ticket, order, tx, pool);
    if (err)
        return err;
    if (!found)
        return svc_err_make(pool, SVC_ERR_NOT_FOUND, "There is no such ticket");
    if (limit)
        return limit;
    if (!changed)
        return svc_err_make(pool, SVC_ERR_CONFLICT,
                            "Ticket is already reserved");
    fill_in(order, &ticket, tx->now + terms->expiration_ms);
    if (terms->max_active)
        ++*made_by(tx, order->user_id);
    insertion->order = order;
    insertion->max_active = terms->max_active;
    orders_change_created(tx, order, insert, insertion);
    return NULL;
}

/* --- it is cancelled, or paid ----------------------------------------------------- */

/* The order as it is now, if CONDITION and USER_ID allow to cancel it. */
static svc_err_t *get_allowed(order_t *order, svc_db_t *db, const char *id,
                              const char *user_id,
                              const svc_etag_condition_t *condition,
                              apr_pool_t *pool)
{
    svc_err_t *err = orders_service_get(order, db, id, user_id, pool);

    if (err || svc_etag_allows(condition, orders_service_etag(order, pool)))
        return err;
    return svc_err_make(pool, SVC_ERR_PRECONDITION,
                        "The order is at version %" APR_INT64_T_FMT ", "
                        "which the request's conditions exclude",
                        order->version);
}

svc_err_t *orders_service_cancel(svc_stream_tx_t *tx, const char *id,
                                 const char *user_id,
                                 const svc_etag_condition_t *condition,
                                 apr_pool_t *pool)
{
    order_t order;
    int changed;
    svc_err_t *err = get_allowed(&order, tx->db, id, user_id, condition, pool);

    if (err || (err = orders_change_expire(&changed, tx, order.id)) || changed)
        return err;
    /* That holds the claim: until then another machine may have moved it on. */
    if (condition->if_match &&
        (err = get_allowed(&order, tx->db, id, user_id, condition, pool)))
        return err;
    if ((err = orders_store_cancel(&changed, tx, order.id, ORDERS_BY_USER, 0)))
        return err;
    if (changed)
        return orders_change_tell(tx, order.id);
    if ((err = orders_service_get(&order, tx->db, id, user_id, pool)))
        return err;
    if (strcmp(order.status, ORDERS_COMPLETE) == 0)
        return svc_err_make(pool, SVC_ERR_CONFLICT,
                            "A complete order cannot be cancelled");
    svc_stream_vouch(tx);
    return NULL;
}

svc_err_t *orders_service_pay(int *is_repeated, order_t *order,
                              orders_payment_t *payment, svc_stream_tx_t *tx,
                              apr_pool_t *pool)
{
    int found;
    svc_err_t *err;

    *is_repeated = 0;
    payment->order_id = svc_id_parse(payment->order_id, pool);
    if (!payment->order_id)
        return svc_err_make(pool, SVC_ERR_NOT_FOUND, "There is no such order");
    if ((err = orders_change_pay(is_repeated, payment, tx)) ||
        (err = orders_store_get(&found, order, tx->db, payment->order_id,
                                pool)))
        return err;
    payment->status = apr_pstrdup(pool, payment->status);
    payment->reason = apr_pstrdup(pool, payment->reason);
    return NULL;
}

svc_err_t *orders_service_refusal(const orders_payment_t *payment,
                                  apr_pool_t *pool)
{
    static const struct {
        const char *reason, *sentence;
    } table[] = {
        { ORDERS_REFUND_EXPIRED, "The order has expired" },
        { ORDERS_REFUND_CANCELLED, "The order is cancelled" },
        { ORDERS_REFUND_PAID, "The order has another payment" },
        { ORDERS_REFUND_AMOUNT, "The amount is not the price of the order" }
    };
    size_t i;

    if (strcmp(payment->status, ORDERS_REFUNDED) != 0)
        return NULL;
    for (i = 0; i < sizeof(table) / sizeof(table[0]) - 1; i++) {
        if (strcmp(payment->reason, table[i].reason) == 0)
            break;
    }
    return svc_err_make(pool, SVC_ERR_CONFLICT,
                        "%s: this payment is to be refunded",
                        table[i].sentence);
}

/* --- what is overdue -------------------------------------------------------------- */

/* What the sweep hands to the writer. */
typedef struct sweep_t {
    apr_array_header_t *ids; /* const char * */
} sweep_t;

static svc_err_t *run_sweep(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    sweep_t *sweep = baton;
    svc_err_t *err = NULL;
    int i, changed;

    (void)pool;
    for (i = 0; i < sweep->ids->nelts && !err; i++)
        err = orders_change_expire(&changed, tx,
                                   APR_ARRAY_IDX(sweep->ids, i, const char *));
    return err;
}

svc_err_t *orders_service_sweep(svc_db_t *db, svc_writer_t *writer,
                                apr_int64_t now, apr_pool_t *scratch)
{
    apr_array_header_t *overdue;
    svc_command_t *command;
    sweep_t *sweep;
    void *baton;
    int i;
    svc_err_t *err = orders_store_overdue(&overdue, db, now, SWEEP_LIMIT,
                                          scratch);

    if (err || overdue->nelts == 0)
        return err;
    command = svc_writer_command(&baton, sizeof(*sweep), NULL, run_sweep);
    sweep = baton;
    sweep->ids = apr_array_make(svc_writer_command_pool(command),
                                overdue->nelts, sizeof(const char *));
    for (i = 0; i < overdue->nelts; i++)
        APR_ARRAY_PUSH(sweep->ids, const char *) =
            apr_pstrdup(svc_writer_command_pool(command),
                        APR_ARRAY_IDX(overdue, i, const char *));
    svc_writer_submit(writer, command);
    svc_writer_release(command);
    return NULL;
}

const char *orders_service_etag(const order_t *order, apr_pool_t *pool)
{
    if (order->ticket_version == order->ticket_version_then)
        return apr_psprintf(pool, "\"%" APR_INT64_T_FMT "\"", order->version);
    return apr_psprintf(pool,
                        "\"%" APR_INT64_T_FMT ".%" APR_INT64_T_FMT "\"",
                        order->version, order->ticket_version);
}
