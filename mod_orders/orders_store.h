/* orders_store: the rows of the tables `orders` and `orders_tickets` (the
 * replica); all SQL about them is here, but for that of lists
 * (orders_list_store).
 *
 * Texts in results live in POOL. A row that is not there is a value, not an
 * error. Transitions are guarded in their WHERE: CHANGED is 0 when the row was
 * not in a state that allows them.
 */
#ifndef ORDERS_STORE_H
#define ORDERS_STORE_H

#include "orders.h"
#include "svc_stream.h"

/* FOUND is 0 when there is no such order. */
svc_err_t *orders_store_get(int *found, order_t *out, svc_db_t *db,
                            const char *id, apr_pool_t *pool);

/* A svc_db_row_fn for rows of these columns, of an order `o` joined with its
 * ticket: appends an order_t to the array that is the baton. */
#define ORDERS_STORE_COLUMNS \
    "o.id, o.user_id, o.status, o.cancel_reason, o.ticket_id, t.title, " \
    "o.expires_at, o.cents, o.version, t.version, o.ticket_version, o.position, " \
    "o.payment_id"
#define ORDERS_STORE_TICKET "LEFT JOIN orders_tickets t ON t.id = o.ticket_id "
svc_err_t *orders_store_take(void *baton, const svc_db_row_t *row);

/* Up to LIMIT orders of any status whose id is greater than AFTER, in order of
 * id; OUT is an array of order_t. */
svc_err_t *orders_store_all(apr_array_header_t **out, svc_db_t *db,
                            const char *after, int limit, apr_pool_t *pool);

/* The ids of up to LIMIT orders that are overdue at NOW, as const char *. */
svc_err_t *orders_store_overdue(apr_array_header_t **out, svc_db_t *db,
                                apr_int64_t now, int limit, apr_pool_t *pool);

/* The id of the order that is not cancelled and has TICKET_ID; NULL: none. */
svc_err_t *orders_store_active(const char **out, svc_db_t *db,
                               const char *ticket_id, apr_pool_t *pool);

/* The number of orders of USER_ID that are neither paid, nor cancelled, nor
 * overdue. */
svc_err_t *orders_store_count_unpaid(apr_int64_t *out, svc_stream_tx_t *tx,
                                     const char *user_id);

/* Inserts it when the transaction is committed: see svc_stream_insert. */
void orders_store_insert(svc_stream_tx_t *tx, const order_t *order);

/* created -> awaiting:payment, if the order is for TICKET_ID. OUT is the order
 * then. */
svc_err_t *orders_store_await(int *changed, order_t *out, svc_stream_tx_t *tx,
                              const char *id, const char *ticket_id);

/* Binds the order to a payment, if it can still be paid and no other payment
 * has it; its version stays. */
svc_err_t *orders_store_hold(int *changed, svc_stream_tx_t *tx, const char *id,
                             const char *payment_id);

/* awaiting:payment -> complete, if it has a payment and is not overdue. */
svc_err_t *orders_store_complete(int *changed, svc_stream_tx_t *tx,
                                 const char *id);

/* A new version in the same state, whatever that is. */
svc_err_t *orders_store_touch(svc_stream_tx_t *tx, const char *id);

/* created or awaiting:payment -> cancelled; gives back the claim on the
 * ticket. With OVERDUE_AT not 0 only an order that was due by then. */
svc_err_t *orders_store_cancel(int *changed, svc_stream_tx_t *tx,
                               const char *id, const char *reason,
                               apr_int64_t overdue_at);

/* created -> cancelled, as `reserved`. */
svc_err_t *orders_store_lose(int *changed, svc_stream_tx_t *tx, const char *id);

/* FOUND is 0 when the replica has no such ticket. */
svc_err_t *orders_store_get_ticket(int *found, orders_ticket_t *out,
                                   svc_db_t *db, const char *id,
                                   apr_pool_t *pool);

/* Adds a ticket to the replica, if it is not there. One that was there before may
 * have been sold: then it is claimed. */
svc_err_t *orders_store_insert_ticket(int *changed, svc_stream_tx_t *tx,
                                      const orders_ticket_t *ticket);

/* Brings a ticket of the replica from the version FROM to TICKET's, if it is of
 * the same source. */
svc_err_t *orders_store_update_ticket(int *changed, svc_stream_tx_t *tx,
                                      const orders_ticket_t *ticket,
                                      apr_int64_t from);

/* Brings a ticket of the replica to TICKET's state, whatever its version. */
svc_err_t *orders_store_replace_ticket(svc_stream_tx_t *tx,
                                       const orders_ticket_t *ticket);

svc_err_t *orders_store_delete_ticket(svc_stream_tx_t *tx, const char *id);

/* The ids, as const char *, of up to LIMIT tickets of SOURCE in the replica that
 * are greater than AFTER and not greater than LAST ("": no bound), in order. */
svc_err_t *orders_store_tickets_of(apr_array_header_t **out, svc_db_t *db,
                                   const char *source, const char *after,
                                   const char *last, int limit,
                                   apr_pool_t *pool);

/* Claims the ticket for ORDER_ID, if no order of this service has a claim and
 * the ticket is not reserved, or reserved for an order that is cancelled here.
 * The row really changes, so that a claim and the follower conflict. OUT is the
 * ticket then, from POOL: it may outlive the transaction. */
svc_err_t *orders_store_claim(int *changed, orders_ticket_t *out,
                              svc_stream_tx_t *tx, const char *ticket_id,
                              const char *order_id, apr_pool_t *pool);

#endif
