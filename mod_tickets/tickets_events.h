/* tickets_events: what the tickets service tells and hears.
 *
 * Told: ticket:created, ticket:updated. Heard: order:created (and order:updated,
 * while the order is still `created`) reserves the ticket if it is free, order:cancelled frees it if it is that order's; both
 * are told again as ticket:updated. The snapshot of an orders service, which has
 * every order that is not cancelled, does the same for all of them at once.
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

/* What is done with events and snapshots of orders services. */
extern const svc_inbox_handler_t tickets_events_handler;

/* A page of the state of all tickets; a svc_replay_state_fn. */
svc_err_t *tickets_events_state(apr_array_header_t *events, const char **last,
                                svc_db_t *db, const char *after, int limit,
                                apr_pool_t *pool);

#endif
