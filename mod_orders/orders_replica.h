/* orders_replica: the copy of the tickets that tickets services sell. It is fed
 * by ticket:created and ticket:updated alone. Each of these may also move an
 * order on, when its ticket was reserved for it, or cancel one whose ticket
 * went to somebody else.
 */
#ifndef ORDERS_REPLICA_H
#define ORDERS_REPLICA_H

#include "svc_inbox.h"

/* Applies one event of these two types, which has data. */
svc_err_t *orders_replica_apply(svc_inbox_outcome_t *outcome,
                                const svc_inbox_context_t *context,
                                const svc_event_t *event);

/* See svc_inbox_handler_t. The versions of one ticket are folded in memory, so
 * that its row is written once however many there are. */
svc_err_t *orders_replica_apply_many(const svc_inbox_context_t *context,
                                     svc_inbox_item_t *items, int count);
svc_err_t *orders_replica_replace(const svc_inbox_context_t *context,
                                  const svc_event_t *event);
svc_err_t *orders_replica_prune(const svc_inbox_context_t *context,
                                const svc_inbox_range_t *range);

#endif
