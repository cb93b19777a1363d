/* tickets_events: what the tickets service tells and hears.
 *
 * Told: ticket:created, ticket:updated. Heard: order:created reserves the
 * ticket if it is free, order:cancelled frees it if it is that order's; both
 * are told again as ticket:updated.
 */
#ifndef TICKETS_EVENTS_H
#define TICKETS_EVENTS_H

#include "svc_inbox.h"
#include "tickets.h"

/* NULL-terminated prefixes of the subjects that are followed. */
extern const char *const tickets_events_subjects[];

/* Tells that TICKET was created; ON_POSITION inserts it. */
void tickets_events_created(svc_stream_tx_t *tx, const ticket_t *ticket,
                            svc_stream_position_fn on_position, void *baton);

/* Tells that TICKET changed; it is given as it is now. */
void tickets_events_updated(svc_stream_tx_t *tx, const ticket_t *ticket);

/* Applies one event that arrived; a svc_inbox_apply_fn. */
svc_err_t *tickets_events_apply(svc_inbox_outcome_t *outcome,
                                const svc_inbox_context_t *context,
                                const svc_event_t *event);

#endif
