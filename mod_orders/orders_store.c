/* orders_store: see the header. */
#include "orders_store.h"

#define ORDER_COLUMNS ORDERS_STORE_COLUMNS
#define ORDER_FROM " FROM orders o " ORDERS_STORE_TICKET
#define TICKET_COLUMNS \
    "id, source, title, user_id, order_id, cents, version"
/* What every transition does besides; the ticket may be no more. */
#define CHANGE \
    "version = version + 1, ticket_version = COALESCE((SELECT t.version " \
    "FROM orders_tickets t WHERE t.id = orders.ticket_id), ticket_version)"
#define CANCEL \
    "UPDATE orders SET status = 'cancelled', cancel_reason = %s, " \
    "active_ticket_id = NULL, due_at = NULL, " CHANGE " WHERE id = %s "

static void read_order(order_t *order, const svc_db_row_t *row)
{
    order->id = svc_db_row_text(row, 0);
    order->user_id = svc_db_row_text(row, 1);
    order->status = svc_db_row_text(row, 2);
    order->cancel_reason = svc_db_row_text(row, 3);
    order->ticket_id = svc_db_row_text(row, 4);
    order->ticket_title = svc_db_row_text(row, 5);
    order->expires_at = svc_db_row_int(row, 6);
    order->cents = svc_db_row_int(row, 7);
    order->version = svc_db_row_int(row, 8);
    order->ticket_version = svc_db_row_int(row, 9);
    order->ticket_version_then = svc_db_row_int(row, 10);
    order->position = svc_db_row_int(row, 11);
    order->payment_id = svc_db_row_text(row, 12);
}

static svc_err_t *take_order(void *baton, const svc_db_row_t *row)
{
    read_order(baton, row);
    return NULL;
}

svc_err_t *orders_store_take(void *baton, const svc_db_row_t *row)
{
    read_order(apr_array_push(baton), row);
    return NULL;
}

static svc_err_t *take_ids(void *baton, const svc_db_row_t *row)
{
    APR_ARRAY_PUSH((apr_array_header_t *)baton, const char *) =
        svc_db_row_text(row, 0);
    return NULL;
}

svc_err_t *orders_store_get(int *found, order_t *out, svc_db_t *db,
                            const char *id, apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "orders_store_get",
        SVC_DB_SAME("SELECT " ORDER_COLUMNS ORDER_FROM "WHERE o.id = %s")
    };
    const char *args[] = { id };
    svc_err_t *err;

    out->id = NULL;
    err = svc_db_each(db, &sql, args, take_order, out, pool);
    *found = out->id != NULL;
    return err;
}

svc_err_t *orders_store_all(apr_array_header_t **out, svc_db_t *db,
                            const char *after, int limit, apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "orders_store_all",
        SVC_DB_SAME("SELECT " ORDER_COLUMNS ORDER_FROM
                    "WHERE o.id > %s ORDER BY o.id LIMIT %lld")
    };
    const char *args[] = { after, svc_db_arg(limit, pool) };

    *out = apr_array_make(pool, limit, sizeof(order_t));
    return svc_db_each(db, &sql, args, orders_store_take, *out, pool);
}

svc_err_t *orders_store_overdue(apr_array_header_t **out, svc_db_t *db,
                                apr_int64_t now, int limit, apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "orders_store_overdue",
        SVC_DB_SAME("SELECT id FROM orders WHERE due_at <= %lld "
                    "ORDER BY due_at LIMIT %lld")
    };
    const char *args[] = { svc_db_arg(now, pool), svc_db_arg(limit, pool) };

    *out = apr_array_make(pool, 16, sizeof(const char *));
    return svc_db_each(db, &sql, args, take_ids, *out, pool);
}

svc_err_t *orders_store_active(const char **out, svc_db_t *db,
                               const char *ticket_id, apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "orders_store_active",
        SVC_DB_SAME("SELECT id FROM orders WHERE active_ticket_id = %s")
    };
    const char *args[] = { ticket_id };
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(const char *));
    svc_err_t *err = svc_db_each(db, &sql, args, take_ids, ids, pool);

    *out = ids->nelts ? APR_ARRAY_IDX(ids, 0, const char *) : NULL;
    return err;
}

svc_err_t *orders_store_count_unpaid(apr_int64_t *out, svc_stream_tx_t *tx,
                                     const char *user_id)
{
    static const svc_db_sql_t sql = {
        "orders_store_count_unpaid",
        SVC_DB_SAME("SELECT COUNT(*) FROM orders WHERE user_id = %s "
                    "AND due_at > %lld")
    };
    const char *args[] = { user_id, svc_db_arg(tx->now, tx->pool) };

    return svc_db_get(out, tx->db, &sql, args, tx->pool);
}

void orders_store_insert(svc_stream_tx_t *tx, const order_t *order)
{
    static const svc_db_rows_t statements = SVC_DB_ROWS(
        "orders_store_insert",
        "INSERT INTO orders (id, position, user_id, ticket_id, cents, status, "
        "expires_at, version, ticket_version, active_ticket_id, due_at) "
        "VALUES ",
        "(%s, %lld, %s, %s, %lld, %s, %lld, %lld, %lld, %s, %lld)");
    const char *expires_at = svc_db_arg(order->expires_at, tx->pool);
    const char *args[] = { order->id,
                           svc_db_arg(order->position, tx->pool),
                           order->user_id,
                           order->ticket_id,
                           svc_db_arg(order->cents, tx->pool),
                           order->status,
                           expires_at,
                           svc_db_arg(order->version, tx->pool),
                           svc_db_arg(order->ticket_version_then, tx->pool),
                           order->ticket_id,
                           expires_at };

    svc_stream_insert(tx, &statements, args, sizeof(args) / sizeof(args[0]));
}

#define AWAIT \
    "UPDATE orders SET status = 'awaiting:payment', " CHANGE \
    " WHERE id = %s AND ticket_id = %s AND status = 'created'"

svc_err_t *orders_store_await(int *changed, order_t *out, svc_stream_tx_t *tx,
                              const char *id, const char *ticket_id)
{
    static const svc_db_sql_t sql = {
        "orders_store_await",
        /* PostgreSQL tells what it has made of the row: one round trip. */
        { AWAIT,
          "WITH o AS (" AWAIT " RETURNING *) SELECT " ORDER_COLUMNS " FROM o "
          ORDERS_STORE_TICKET,
          AWAIT }
    };
    const char *args[] = { id, ticket_id };
    svc_err_t *err;

    if (svc_db_engine(tx->db) != SVC_DB_PGSQL) {
        err = svc_db_run(changed, tx->db, &sql, args, tx->pool);
        return err || !*changed ? err : orders_store_get(changed, out, tx->db,
                                                         id, tx->pool);
    }
    out->id = NULL;
    err = svc_db_each(tx->db, &sql, args, take_order, out, tx->pool);
    *changed = out->id != NULL;
    return err;
}

svc_err_t *orders_store_hold(int *changed, svc_stream_tx_t *tx, const char *id,
                             const char *payment_id)
{
    static const svc_db_sql_t sql = {
        "orders_store_hold",
        SVC_DB_SAME("UPDATE orders SET payment_id = %s WHERE id = %s "
                    "AND payment_id IS NULL AND due_at > %lld "
                    "AND status IN ('created', 'awaiting:payment')")
    };
    const char *args[] = { payment_id, id, svc_db_arg(tx->now, tx->pool) };

    return svc_db_run(changed, tx->db, &sql, args, tx->pool);
}

svc_err_t *orders_store_complete(int *changed, svc_stream_tx_t *tx,
                                 const char *id)
{
    static const svc_db_sql_t sql = {
        "orders_store_complete",
        SVC_DB_SAME("UPDATE orders SET status = 'complete', due_at = NULL, "
                    CHANGE " WHERE id = %s AND payment_id IS NOT NULL "
                    "AND due_at > %lld AND status = 'awaiting:payment'")
    };
    const char *args[] = { id, svc_db_arg(tx->now, tx->pool) };

    return svc_db_run(changed, tx->db, &sql, args, tx->pool);
}

svc_err_t *orders_store_touch(svc_stream_tx_t *tx, const char *id)
{
    static const svc_db_sql_t sql = {
        "orders_store_touch",
        SVC_DB_SAME("UPDATE orders SET " CHANGE " WHERE id = %s")
    };
    const char *args[] = { id };

    return svc_db_run(NULL, tx->db, &sql, args, tx->pool);
}

static svc_err_t *give_back(svc_stream_tx_t *tx, const char *order_id)
{
    static const svc_db_sql_t sql = {
        "orders_store_give_back",
        SVC_DB_SAME("UPDATE orders_tickets SET claimed_by = NULL "
                    "WHERE id = (SELECT ticket_id FROM orders WHERE id = %s) "
                    "AND claimed_by = %s")
    };
    const char *args[] = { order_id, order_id };

    return svc_db_run(NULL, tx->db, &sql, args, tx->pool);
}

/* Locks the ticket's row before the order's is, as whoever applies an event of the
 * ticket does: two who wait for one another are told so after a second only.
 * Where one writes at a time nobody waits. */
static svc_err_t *hold_claim(svc_stream_tx_t *tx, const char *order_id)
{
    static const svc_db_sql_t sql = {
        "orders_store_hold_claim",
        SVC_DB_SAME("UPDATE orders_tickets SET claimed_by = claimed_by "
                    "WHERE id = (SELECT ticket_id FROM orders WHERE id = %s) "
                    "AND claimed_by = %s")
    };
    const char *args[] = { order_id, order_id };

    return svc_db_engine(tx->db) == SVC_DB_SQLITE
               ? NULL : svc_db_run(NULL, tx->db, &sql, args, tx->pool);
}

static svc_err_t *cancel(int *changed, svc_stream_tx_t *tx, const char *id,
                         const svc_db_sql_t *sql, const char *const *args)
{
    svc_err_t *err = hold_claim(tx, id);

    if (err || (err = svc_db_run(changed, tx->db, sql, args, tx->pool)) ||
        !*changed)
        return err;
    return give_back(tx, id);
}

svc_err_t *orders_store_cancel(int *changed, svc_stream_tx_t *tx,
                               const char *id, const char *reason,
                               apr_int64_t overdue_at)
{
    static const svc_db_sql_t any = {
        "orders_store_cancel",
        SVC_DB_SAME(CANCEL "AND status IN ('created', 'awaiting:payment')")
    };
    static const svc_db_sql_t overdue = {
        "orders_store_expire",
        SVC_DB_SAME(CANCEL "AND due_at <= %lld "
                    "AND status IN ('created', 'awaiting:payment')")
    };
    const char *args[] = { reason, id, svc_db_arg(overdue_at, tx->pool) };

    return cancel(changed, tx, id, overdue_at ? &overdue : &any, args);
}

svc_err_t *orders_store_lose(int *changed, svc_stream_tx_t *tx, const char *id)
{
    static const svc_db_sql_t sql = {
        "orders_store_lose", SVC_DB_SAME(CANCEL "AND status = 'created'")
    };
    const char *args[] = { ORDERS_RESERVED, id };

    return cancel(changed, tx, id, &sql, args);
}

static svc_err_t *take_ticket(void *baton, const svc_db_row_t *row)
{
    orders_ticket_t *ticket = baton;

    ticket->id = svc_db_row_text(row, 0);
    ticket->source = svc_db_row_text(row, 1);
    ticket->title = svc_db_row_text(row, 2);
    ticket->user_id = svc_db_row_text(row, 3);
    ticket->order_id = svc_db_row_text(row, 4);
    ticket->cents = svc_db_row_int(row, 5);
    ticket->version = svc_db_row_int(row, 6);
    return NULL;
}

svc_err_t *orders_store_get_ticket(int *found, orders_ticket_t *out,
                                   svc_db_t *db, const char *id,
                                   apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "orders_store_get_ticket",
        SVC_DB_SAME("SELECT " TICKET_COLUMNS " FROM orders_tickets "
                    "WHERE id = %s")
    };
    const char *args[] = { id };
    svc_err_t *err;

    out->id = NULL;
    err = svc_db_each(db, &sql, args, take_ticket, out, pool);
    *found = out->id != NULL;
    return err;
}

svc_err_t *orders_store_insert_ticket(int *changed, svc_stream_tx_t *tx,
                                      const orders_ticket_t *ticket)
{
    static const svc_db_sql_t sql = {
        "orders_store_insert_ticket",
        SVC_DB_SAME("INSERT INTO orders_tickets (id, source, title, user_id, "
                    "order_id, cents, version, claimed_by) "
                    "VALUES (%s, %s, %s, %s, %s, %lld, %lld, "
                    "(SELECT o.id FROM orders o WHERE o.active_ticket_id = %s))"
                    " ON CONFLICT DO NOTHING")
    };
    const char *args[] = { ticket->id,
                           ticket->source,
                           ticket->title,
                           ticket->user_id,
                           ticket->order_id,
                           svc_db_arg(ticket->cents, tx->pool),
                           svc_db_arg(ticket->version, tx->pool),
                           ticket->id };

    return svc_db_run(changed, tx->db, &sql, args, tx->pool);
}

svc_err_t *orders_store_update_ticket(int *changed, svc_stream_tx_t *tx,
                                      const orders_ticket_t *ticket,
                                      apr_int64_t from)
{
    static const svc_db_sql_t sql = {
        "orders_store_update_ticket",
        SVC_DB_SAME("UPDATE orders_tickets SET title = %s, user_id = %s, "
                    "order_id = %s, cents = %lld, version = %lld "
                    "WHERE id = %s AND source = %s AND version = %lld")
    };
    const char *args[] = { ticket->title,
                           ticket->user_id,
                           ticket->order_id,
                           svc_db_arg(ticket->cents, tx->pool),
                           svc_db_arg(ticket->version, tx->pool),
                           ticket->id,
                           ticket->source,
                           svc_db_arg(from, tx->pool) };

    return svc_db_run(changed, tx->db, &sql, args, tx->pool);
}

svc_err_t *orders_store_replace_ticket(svc_stream_tx_t *tx,
                                       const orders_ticket_t *ticket)
{
    static const svc_db_sql_t sql = {
        "orders_store_replace_ticket",
        SVC_DB_SAME("UPDATE orders_tickets SET title = %s, user_id = %s, "
                    "order_id = %s, cents = %lld, version = %lld "
                    "WHERE id = %s AND source = %s")
    };
    const char *args[] = { ticket->title,
                           ticket->user_id,
                           ticket->order_id,
                           svc_db_arg(ticket->cents, tx->pool),
                           svc_db_arg(ticket->version, tx->pool),
                           ticket->id,
                           ticket->source };

    return svc_db_run(NULL, tx->db, &sql, args, tx->pool);
}

svc_err_t *orders_store_delete_ticket(svc_stream_tx_t *tx, const char *id)
{
    static const svc_db_sql_t sql = {
        "orders_store_delete_ticket",
        SVC_DB_SAME("DELETE FROM orders_tickets WHERE id = %s")
    };
    const char *args[] = { id };

    return svc_db_run(NULL, tx->db, &sql, args, tx->pool);
}

svc_err_t *orders_store_tickets_of(apr_array_header_t **out, svc_db_t *db,
                                   const char *source, const char *after,
                                   const char *last, int limit,
                                   apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "orders_store_tickets_of",
        SVC_DB_SAME("SELECT id FROM orders_tickets "
                    "WHERE id > %s AND (%s = '' OR id <= %s) AND source = %s "
                    "ORDER BY id LIMIT %lld")
    };
    const char *args[] = { after, last, last, source, svc_db_arg(limit, pool) };

    *out = apr_array_make(pool, 16, sizeof(const char *));
    return svc_db_each(db, &sql, args, take_ids, *out, pool);
}

#define CLAIM \
    "UPDATE orders_tickets SET claimed_by = %s WHERE id = %s " \
    "AND claimed_by IS NULL AND (order_id IS NULL OR EXISTS (SELECT 1 " \
    "FROM orders o WHERE o.id = orders_tickets.order_id " \
    "AND o.status = 'cancelled'))"

svc_err_t *orders_store_claim(int *changed, orders_ticket_t *out,
                              svc_stream_tx_t *tx, const char *ticket_id,
                              const char *order_id, apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "orders_store_claim",
        { CLAIM, CLAIM " RETURNING " TICKET_COLUMNS, CLAIM }
    };
    const char *args[] = { order_id, ticket_id };
    svc_err_t *err;

    if (svc_db_engine(tx->db) != SVC_DB_PGSQL) {
        err = svc_db_run(changed, tx->db, &sql, args, tx->pool);
        return err || !*changed
                   ? err
                   : orders_store_get_ticket(changed, out, tx->db, ticket_id,
                                             pool);
    }
    out->id = NULL;
    err = svc_db_each(tx->db, &sql, args, take_ticket, out, pool);
    *changed = out->id != NULL;
    return err;
}
