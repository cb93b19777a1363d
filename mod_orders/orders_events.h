/* orders_events: what the orders service hears, and what that does; and what
 * its snapshots hold.
 *
 * ticket:created and ticket:updated: see orders_replica. payment:created pays an
 * order; expiration:complete cancels one that is overdue. What is told of all
 * this: orders_change.
 */
#ifndef ORDERS_EVENTS_H
#define ORDERS_EVENTS_H

#include "svc_inbox.h"

/* NULL-terminated prefixes of the subjects that are followed. */
extern const char *const orders_events_subjects[];

/* What is done with the events and snapshots of others. */
extern const svc_inbox_handler_t orders_events_handler;

/* A page of the state of all orders that are not cancelled; a
 * svc_replay_state_fn. */
svc_err_t *orders_events_state(apr_array_header_t *events, const char **last,
                               svc_db_t *db, const char *after, int limit,
                               apr_pool_t *pool);

#endif
