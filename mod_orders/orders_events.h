/* orders_events: what the orders service hears, and what that does.
 *
 * ticket:created and ticket:updated keep the replica, move an order on when its
 * ticket was reserved for it, and cancel one whose ticket went to somebody else.
 * payment:created pays an order; expiration:complete cancels one that is
 * overdue. What is told of all this: orders_change.
 */
#ifndef ORDERS_EVENTS_H
#define ORDERS_EVENTS_H

#include "orders.h"
#include "svc_inbox.h"

/* NULL-terminated prefixes of the subjects that are followed. */
extern const char *const orders_events_subjects[];

/* Applies one event that arrived; a svc_inbox_apply_fn. */
svc_err_t *orders_events_apply(svc_inbox_outcome_t *outcome,
                               const svc_inbox_context_t *context,
                               const svc_event_t *event);

#endif
