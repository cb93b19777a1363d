/* orders_service: see the header. */
#include "orders_service.h"

#include <string.h>

#include <apr_strings.h>

#include "orders_change.h"
#include "orders_store.h"
#include "svc_id.h"

#define SWEEP_LIMIT 500 /* orders cancelled by one command */

svc_err_t *orders_service_list(apr_array_header_t **out, svc_db_t *db,
                               const char *user_id, apr_int64_t after,
                               int limit, apr_pool_t *pool)
{
    return orders_store_list(out, db, user_id, after, limit, pool);
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

static svc_err_t *insert(void *baton, svc_stream_tx_t *tx,
                         apr_int64_t position)
{
    order_t *order = baton;

    order->position = position;
    return orders_store_insert(tx, order);
}

svc_err_t *orders_service_create(order_t *order, svc_stream_tx_t *tx,
                                 apr_int64_t expiration_ms, apr_pool_t *pool)
{
    const char *holder;
    orders_ticket_t ticket;
    int found, changed, tries = 0;
    svc_err_t *err = orders_store_active(&holder, tx->db, order->ticket_id,
                                         pool);

    if (!err && holder) /* the row's expiry counts, not the sweep's */
        err = orders_change_expire(&changed, tx, holder);
    order->id = svc_id_new(pool);
    if (err)
        return err;
    /* Where several write at once, the ticket may become known right after it
     * could not be claimed: only one that was there before is another's. */
    do {
        if ((err = orders_store_claim(&changed, tx, order->ticket_id,
                                      order->id)) ||
            (err = orders_store_get_ticket(&found, &ticket, tx->db,
                                           order->ticket_id, pool)))
            return err;
    } while (found && !changed && tries++ == 0);
    if (!found)
        return svc_err_make(pool, SVC_ERR_NOT_FOUND, "There is no such ticket");
    if (!changed)
        return svc_err_make(pool, SVC_ERR_CONFLICT,
                            "Ticket is already reserved");
    order->status = ORDERS_CREATED;
    order->cancel_reason = NULL;
    order->expires_at = tx->now + expiration_ms;
    order->cents = ticket.cents;
    order->version = 0;
    order->ticket_title = ticket.title;
    order->ticket_version = order->ticket_version_then = ticket.version;
    orders_change_created(tx, order, insert, order);
    return NULL;
}

svc_err_t *orders_service_cancel(svc_stream_tx_t *tx, const char *id,
                                 const char *user_id,
                                 const svc_etag_condition_t *condition,
                                 apr_pool_t *pool)
{
    order_t order;
    int changed;
    svc_err_t *err = orders_service_get(&order, tx->db, id, user_id, pool);

    if (err)
        return err;
    if (!svc_etag_allows(condition, orders_service_etag(&order, pool)))
        return svc_err_make(pool, SVC_ERR_PRECONDITION,
                            "The order is at version %" APR_INT64_T_FMT ", "
                            "which the request's conditions exclude",
                            order.version);
    if ((err = orders_change_expire(&changed, tx, order.id)) || changed)
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

/* What the sweep hands to the writer. */
typedef struct sweep_t {
    apr_array_header_t *ids; /* const char * */
    svc_stats_t *stats;
} sweep_t;

static svc_err_t *run_sweep(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    sweep_t *sweep = baton;
    svc_err_t *err = NULL;
    int i, changed, expired = 0;

    (void)pool;
    for (i = 0; i < sweep->ids->nelts && !err; i++) {
        err = orders_change_expire(&changed, tx,
                                   APR_ARRAY_IDX(sweep->ids, i, const char *));
        expired += !err && changed;
    }
    if (!err)
        atomic_fetch_add(&sweep->stats->expired, expired);
    return err;
}

svc_err_t *orders_service_sweep(svc_db_t *db, svc_writer_t *writer,
                                svc_stats_t *stats, apr_int64_t now,
                                apr_pool_t *scratch)
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
    sweep->stats = stats;
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
