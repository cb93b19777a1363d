/* orders_payments_store: the rows of the table `orders_payments`: every payment
 * that was heard of, and what became of it; all SQL about them is here.
 */
#ifndef ORDERS_PAYMENTS_STORE_H
#define ORDERS_PAYMENTS_STORE_H

#include "orders.h"
#include "svc_stream.h"

/* FOUND is 0 when no such payment was heard of. Texts in OUT live in POOL. */
svc_err_t *orders_payments_store_get(int *found, orders_payment_t *out,
                                     svc_db_t *db, const char *id,
                                     apr_pool_t *pool);

/* RETRY when another machine took a payment of this id since it was looked for:
 * whoever tries again finds it. */
svc_err_t *orders_payments_store_insert(svc_stream_tx_t *tx,
                                        const orders_payment_t *payment);

/* recorded -> STATUS, for REASON (NULL: none). CHANGED is 0 when the payment
 * was not in that state. */
svc_err_t *orders_payments_store_settle(int *changed, svc_stream_tx_t *tx,
                                        const char *id, const char *status,
                                        const char *reason);

#endif
