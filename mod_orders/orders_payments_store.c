/* orders_payments_store: see the header. */
#include "orders_payments_store.h"

static svc_err_t *take_payment(void *baton, const svc_db_row_t *row)
{
    orders_payment_t *payment = baton;

    payment->id = svc_db_row_text(row, 0);
    payment->order_id = svc_db_row_text(row, 1);
    payment->cents = svc_db_row_int(row, 2);
    payment->status = svc_db_row_text(row, 3);
    payment->reason = svc_db_row_text(row, 4);
    return NULL;
}

svc_err_t *orders_payments_store_get(int *found, orders_payment_t *out,
                                     svc_db_t *db, const char *id,
                                     apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "orders_payments_store_get",
        SVC_DB_SAME("SELECT payment_id, order_id, cents, status, reason "
                    "FROM orders_payments WHERE payment_id = %s")
    };
    const char *args[] = { id };
    svc_err_t *err;

    out->id = NULL;
    err = svc_db_each(db, &sql, args, take_payment, out, pool);
    *found = out->id != NULL;
    return err;
}

svc_err_t *orders_payments_store_insert(svc_stream_tx_t *tx,
                                        const orders_payment_t *payment)
{
    static const svc_db_sql_t sql = {
        "orders_payments_store_insert",
        SVC_DB_SAME("INSERT INTO orders_payments (payment_id, order_id, "
                    "cents, status, reason, recorded_at) "
                    "VALUES (%s, %s, %lld, %s, %s, %lld) "
                    "ON CONFLICT DO NOTHING")
    };
    const char *args[] = { payment->id,
                           payment->order_id,
                           payment->cents ? svc_db_arg(payment->cents,
                                                       tx->pool)
                                          : NULL,
                           payment->status,
                           payment->reason,
                           svc_db_arg(tx->now, tx->pool) };
    int added = 0;
    svc_err_t *err = svc_db_run(&added, tx->db, &sql, args, tx->pool);

    if (!err && !added)
        err = svc_err_ours(tx->pool, SVC_ERR_RETRY,
                           "The payment is being taken elsewhere",
                           "another machine took the payment %s meanwhile",
                           payment->id);
    return err;
}

svc_err_t *orders_payments_store_settle(int *changed, svc_stream_tx_t *tx,
                                        const char *id, const char *status,
                                        const char *reason)
{
    static const svc_db_sql_t sql = {
        "orders_payments_store_settle",
        SVC_DB_SAME("UPDATE orders_payments SET status = %s, reason = %s "
                    "WHERE payment_id = %s AND status = 'recorded'")
    };
    const char *args[] = { status, reason, id };

    return svc_db_run(changed, tx->db, &sql, args, tx->pool);
}
