/* orders_change: see the header. */
#include "orders_change.h"

#include <string.h>

#include "orders_json.h"
#include "orders_payments_store.h"
#include "orders_store.h"

/* --- what is told ---------------------------------------------------------------- */

void orders_change_created(svc_stream_tx_t *tx, const order_t *order,
                           svc_stream_position_fn on_position, void *baton)
{
    svc_stream_emit(tx, "order:created", order->id,
                    orders_json_write_event(order, tx->pool), on_position,
                    baton);
}

static int is_cancelled(const order_t *order)
{
    return strcmp(order->status, ORDERS_CANCELLED) == 0;
}

static void tell(svc_stream_tx_t *tx, const order_t *order)
{
    if (is_cancelled(order))
        svc_stream_emit(tx, "order:cancelled", order->id,
                        orders_json_write_cancelled(order, tx->pool), NULL,
                        NULL);
    else
        svc_stream_emit(tx, "order:updated", order->id,
                        orders_json_write_event(order, tx->pool), NULL, NULL);
}

static void tell_refund(svc_stream_tx_t *tx, const order_t *order,
                        const orders_payment_t *payment)
{
    svc_stream_emit(tx, "order:refund-required", order->id,
                    orders_json_write_refund(order, payment, tx->pool), NULL,
                    NULL);
}

/* --- a payment that has its order -------------------------------------------------- */

/* Completes the order by the payment that it has, if it awaits payment. */
static svc_err_t *complete(int *changed, svc_stream_tx_t *tx, const char *id,
                           const char *payment_id)
{
    int settled;
    order_t order;
    svc_err_t *err = orders_store_complete(changed, tx, id);

    if (err || !*changed ||
        (err = orders_payments_store_settle(&settled, tx, payment_id,
                                            ORDERS_PAID, NULL)))
        return err;
    err = orders_store_get(&settled, &order, tx->db, id, tx->pool);
    if (!err)
        tell(tx, &order);
    return err;
}

static const char *refund_reason(const order_t *order)
{
    if (is_cancelled(order))
        return strcmp(order->cancel_reason, ORDERS_EXPIRED) == 0
                   ? ORDERS_REFUND_EXPIRED : ORDERS_REFUND_CANCELLED;
    return order->payment_id ? ORDERS_REFUND_PAID : ORDERS_REFUND_AMOUNT;
}

/* The order was cancelled with a payment that had been recorded. */
static svc_err_t *give_back(svc_stream_tx_t *tx, const order_t *order)
{
    orders_payment_t payment = { .id = order->payment_id,
                                 .reason = refund_reason(order) };
    order_t now;
    int changed, found;
    svc_err_t *err = orders_payments_store_settle(
        &changed, tx, payment.id, ORDERS_REFUNDED, payment.reason);

    if (err || !changed ||
        (err = orders_store_touch(tx, order->id)) ||
        (err = orders_store_get(&found, &now, tx->db, order->id, tx->pool)))
        return err;
    tell_refund(tx, &now, &payment);
    return NULL;
}

svc_err_t *orders_change_tell_order(svc_stream_tx_t *tx, const order_t *order)
{
    int changed;

    tell(tx, order);
    if (!order->payment_id)
        return NULL;
    return is_cancelled(order) ? give_back(tx, order)
                               : complete(&changed, tx, order->id,
                                          order->payment_id);
}

svc_err_t *orders_change_tell(svc_stream_tx_t *tx, const char *id)
{
    int found;
    order_t order;
    svc_err_t *err = orders_store_get(&found, &order, tx->db, id, tx->pool);

    return err ? err : orders_change_tell_order(tx, &order);
}

svc_err_t *orders_change_expire(int *changed, svc_stream_tx_t *tx,
                                const char *id)
{
    svc_err_t *err = orders_store_cancel(changed, tx, id, ORDERS_EXPIRED,
                                         tx->now);

    if (err || !*changed)
        return err;
    tx->expired++;
    return orders_change_tell(tx, id);
}

/* --- a payment that arrives -------------------------------------------------------- */

/* The order is this payment's: it completes it, now or when it can. */
static svc_err_t *take(orders_payment_t *payment, svc_stream_tx_t *tx)
{
    int changed;
    svc_err_t *err;

    payment->status = ORDERS_RECORDED;
    if ((err = orders_payments_store_insert(tx, payment)) ||
        (err = complete(&changed, tx, payment->order_id, payment->id)))
        return err;
    if (changed)
        payment->status = ORDERS_PAID;
    return NULL;
}

/* It cannot be: why is judged by the order as it is now that its row is ours. */
static svc_err_t *refuse(orders_payment_t *payment, svc_stream_tx_t *tx)
{
    order_t order;
    int found;
    svc_err_t *err = orders_store_touch(tx, payment->order_id);

    if (err || (err = orders_store_get(&found, &order, tx->db,
                                       payment->order_id, tx->pool)))
        return err;
    payment->status = ORDERS_REFUNDED;
    payment->reason = refund_reason(&order);
    if ((err = orders_payments_store_insert(tx, payment)))
        return err;
    tell_refund(tx, &order, payment);
    return NULL;
}

static svc_err_t *repeat(orders_payment_t *payment,
                         const orders_payment_t *known, svc_stream_tx_t *tx)
{
    if (strcmp(known->order_id, payment->order_id) != 0)
        return svc_err_make(tx->pool, SVC_ERR_CONFLICT,
                            "The payment %s is for another order",
                            payment->id);
    payment->status = known->status;
    payment->reason = known->reason;
    svc_stream_vouch(tx);
    return NULL;
}

svc_err_t *orders_change_pay(int *is_repeated, orders_payment_t *payment,
                             svc_stream_tx_t *tx)
{
    orders_payment_t known;
    order_t order;
    int found, changed = 0;
    svc_err_t *err = orders_payments_store_get(is_repeated, &known, tx->db,
                                               payment->id, tx->pool);

    payment->status = payment->reason = NULL;
    if (err)
        return err;
    if (*is_repeated)
        return repeat(payment, &known, tx);
    if ((err = orders_store_get(&found, &order, tx->db, payment->order_id,
                                tx->pool)))
        return err;
    if (!found)
        return svc_err_make(tx->pool, SVC_ERR_NOT_FOUND,
                            "There is no order %s", payment->order_id);
    /* The row's expiry counts, not the sweep's. */
    if ((err = orders_change_expire(&changed, tx, order.id)))
        return err;
    changed = 0;
    if (payment->cents == 0 || payment->cents == order.cents)
        err = orders_store_hold(&changed, tx, order.id, payment->id);
    if (err)
        return err;
    if (changed)
        return take(payment, tx);
    /* Another machine may have taken this very payment, and the row with it. */
    err = orders_payments_store_get(is_repeated, &known, tx->db, payment->id,
                                    tx->pool);
    if (err)
        return err;
    return *is_repeated ? repeat(payment, &known, tx) : refuse(payment, tx);
}
