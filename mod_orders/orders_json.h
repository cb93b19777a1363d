/* orders_json: orders in JSON; the names on the wire are only here. */
#ifndef ORDERS_JSON_H
#define ORDERS_JSON_H

#include "orders.h"
#include "svc_json.h"

/* Reads {ticketId} into *TICKET_ID (lower case, in POOL). INVALID when it is
 * missing, not a string or not a UUID. */
svc_err_t *orders_json_read(const char **ticket_id, const svc_json_t *body,
                            apr_pool_t *pool);

/* The order as its owner sees it, with its ticket embedded. */
svc_json_t *orders_json_write(const order_t *order, apr_pool_t *pool);

/* The data of order:created and order:updated. */
svc_json_t *orders_json_write_event(const order_t *order, apr_pool_t *pool);

/* The data of order:cancelled. */
svc_json_t *orders_json_write_cancelled(const order_t *order,
                                        apr_pool_t *pool);

/* The data of order:refund-required, for PAYMENT and its reason. */
svc_json_t *orders_json_write_refund(const order_t *order,
                                     const orders_payment_t *payment,
                                     apr_pool_t *pool);

/* Reads the data of ticket:created and ticket:updated; OUT lives in POOL, its
 * source is not set. INVALID, with a sentence, when a field is not as it must
 * be. */
svc_err_t *orders_json_read_ticket(orders_ticket_t *out, const svc_json_t *data,
                                   apr_pool_t *pool);

/* The same for payment:created: {id, orderId, amount?}. What became of it is
 * not set. */
svc_err_t *orders_json_read_payment(orders_payment_t *out,
                                    const svc_json_t *data, apr_pool_t *pool);

/* Reads {paymentId, amount?}, the body of a payment that is told by HTTP, into
 * OUT's id and cents; amount as the price of a ticket. INVALID names each bad
 * field. */
svc_err_t *orders_json_read_payment_body(orders_payment_t *out,
                                         const svc_json_t *body,
                                         apr_pool_t *pool);

/* The same for expiration:complete: {orderId}. */
svc_err_t *orders_json_read_expiration(const char **order_id,
                                       const svc_json_t *data,
                                       apr_pool_t *pool);

#endif
