/* orders_events: what the orders service tells and hears.
 *
 * Told: order:created, order:updated, order:cancelled. Heard: ticket:created
 * and ticket:updated, which keep the replica, move an order on when its ticket
 * was reserved for it, and cancel one whose ticket went to somebody else.
 */
#ifndef ORDERS_EVENTS_H
#define ORDERS_EVENTS_H

#include "orders.h"
#include "svc_inbox.h"

/* NULL-terminated prefixes of the subjects that are followed. */
extern const char *const orders_events_subjects[];

/* Tells that ORDER was made; ON_POSITION inserts it. */
void orders_events_created(svc_stream_tx_t *tx, const order_t *order,
                           svc_stream_position_fn on_position, void *baton);

/* Tells the last change of the order ID, which was made in this transaction:
 * order:cancelled when it is cancelled now, else order:updated. OUT (may be
 * NULL) gets the order, in POOL. */
svc_err_t *orders_events_changed(order_t *out, svc_stream_tx_t *tx,
                                 const char *id, apr_pool_t *pool);

/* What is done with events and snapshots of tickets services. */
extern const svc_inbox_handler_t orders_events_handler;

/* A page of the state of all orders that are not cancelled; a
 * svc_replay_state_fn. */
svc_err_t *orders_events_state(apr_array_header_t *events, const char **last,
                               svc_db_t *db, const char *after, int limit,
                               apr_pool_t *pool);

#endif
