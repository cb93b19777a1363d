/* svc_recent: the last events of a service, published or applied, for people who
 * look on.
 *
 * Used by one thread, the leader's. What is read is cut to its place; nothing of
 * an event's data is kept but the version of its entity.
 */
#ifndef SVC_RECENT_H
#define SVC_RECENT_H

#include "svc_stats.h"

/* Reads what is told of the event TEXT, as it goes on the wire; "" and -1 for what
 * it does not say. */
void svc_recent_read(svc_stats_event_t *out, const char *text,
                     apr_pool_t *scratch);

/* The event TEXT was published, or applied. */
void svc_recent_remember(svc_stats_t *stats, int is_published, const char *text,
                         apr_pool_t *scratch);

#endif
