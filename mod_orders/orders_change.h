/* orders_change: what becomes of an order, and what is told of it: each change
 * of an order has exactly one event, order:created, order:updated,
 * order:cancelled or order:refund-required.
 *
 * The one hard thing is money. A payment either completes its order or is to be
 * refunded, and each is told once: whoever makes an order awaiting:payment or
 * cancels it calls orders_change_tell, which settles a payment that was
 * recorded before.
 */
#ifndef ORDERS_CHANGE_H
#define ORDERS_CHANGE_H

#include "orders.h"
#include "svc_stream.h"

/* Tells that ORDER was made; ON_POSITION inserts it. */
void orders_change_created(svc_stream_tx_t *tx, const order_t *order,
                           svc_stream_position_fn on_position, void *baton);

/* Tells the last change of the order ID, which was made in this transaction:
 * order:cancelled when it is cancelled now, else order:updated. Then what
 * follows for a payment that was recorded: it completes an order that has come
 * to await payment (unless that is overdue), and is to be refunded when the
 * order was cancelled; either is a further change of the order. */
svc_err_t *orders_change_tell(svc_stream_tx_t *tx, const char *id);

/* The same, for one who has read the order since. */
svc_err_t *orders_change_tell_order(svc_stream_tx_t *tx, const order_t *order);

/* Cancels the order as expired, and tells it, if it is overdue. */
svc_err_t *orders_change_expire(int *changed, svc_stream_tx_t *tx,
                                const char *id);

/* PAYMENT (its id, order_id and cents) has arrived. What became of it is handed
 * back in its status and reason, which live in the transaction's pool:
 * ORDERS_PAID, the order is complete; ORDERS_RECORDED, it will be when its
 * ticket is reserved; ORDERS_REFUNDED, it cannot pay the order, for that
 * reason. With IS_REPEATED it had arrived before, and nothing was done now.
 * NOT_FOUND when there is no such order, CONFLICT when a payment of that id was
 * for another order; nothing was written then. */
svc_err_t *orders_change_pay(int *is_repeated, orders_payment_t *payment,
                             svc_stream_tx_t *tx);

#endif
