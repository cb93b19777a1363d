/* orders_service: the use cases of buying tickets, and their rules. They know
 * nothing of HTTP. Reads take a connection; changes run in the writer's
 * transaction. Texts in results live in POOL.
 */
#ifndef ORDERS_SERVICE_H
#define ORDERS_SERVICE_H

#include "orders.h"
#include "orders_list_store.h"
#include "svc_etag.h"
#include "svc_stream.h"
#include "svc_writer.h"

/* Up to LIMIT of the orders of USER_ID that WHICH says, made after position
 * AFTER, in that order; OUT is an array of order_t. */
svc_err_t *orders_service_list(apr_array_header_t **out, svc_db_t *db,
                               const char *user_id, orders_list_t which,
                               apr_int64_t after, int limit, apr_pool_t *pool);

/* NOT_FOUND, or FORBIDDEN when it is another user's. ID need not be a UUID. */
svc_err_t *orders_service_get(order_t *out, svc_db_t *db, const char *id,
                              const char *user_id, apr_pool_t *pool);

/* What holds for an order that is made now. */
typedef struct orders_terms_t {
    apr_int64_t expiration_ms; /* time to pay, ms */
    int max_active;            /* unpaid orders that a user may hold; 0: any */
} orders_terms_t;

/* Orders ORDER->ticket_id for ORDER->user_id; fills in the rest. NOT_FOUND when
 * the replica has no such ticket, CONFLICT when the user holds as many unpaid
 * orders as TERMS allow, or the ticket is somebody's. */
svc_err_t *orders_service_create(order_t *order, svc_stream_tx_t *tx,
                                 const orders_terms_t *terms,
                                 apr_pool_t *pool);

/* Up to LIMIT events of the order after position AFTER; see svc_stream_history.
 * Errors as of orders_service_get. */
svc_err_t *orders_service_history(svc_stream_history_t *out, svc_db_t *db,
                                  const svc_stream_t *stream, const char *id,
                                  const char *user_id, apr_int64_t after,
                                  int limit, apr_pool_t *pool);

/* Cancels the order. Success when it is cancelled already. NOT_FOUND,
 * FORBIDDEN, PRECONDITION, CONFLICT (complete), judged in this order. */
svc_err_t *orders_service_cancel(svc_stream_tx_t *tx, const char *id,
                                 const char *user_id,
                                 const svc_etag_condition_t *condition,
                                 apr_pool_t *pool);

/* PAYMENT (its id, order_id, which need not be a UUID, and cents) has arrived.
 * Sets its status and reason, and ORDER to the order as it is then; with
 * IS_REPEATED the payment had arrived before, and nothing was done now. That it
 * is to be refunded (ORDERS_REFUNDED) is a change of the order and no error.
 * NOT_FOUND: no such order. CONFLICT: a payment of that id was for another
 * order. */
svc_err_t *orders_service_pay(int *is_repeated, order_t *order,
                              orders_payment_t *payment, svc_stream_tx_t *tx,
                              apr_pool_t *pool);

/* Why PAYMENT cannot pay its order, as a CONFLICT; NULL when it does or will. */
svc_err_t *orders_service_refusal(const orders_payment_t *payment,
                                  apr_pool_t *pool);

/* Hands in the cancellation of what is overdue; a svc_leader_sweep_fn. */
svc_err_t *orders_service_sweep(svc_db_t *db, svc_writer_t *writer,
                                apr_int64_t now, apr_pool_t *scratch);

/* The entity tag of an order, with its quotes: its version, and the embedded
 * ticket's once that has changed since. */
const char *orders_service_etag(const order_t *order, apr_pool_t *pool);

#endif
