/* svc_gather: collects what a follower received, and has it written batch by
 * batch.
 *
 * While one batch is being written the next is gathered, so the batches grow
 * with the load and nothing is delayed without it; and there are never more
 * than two, so memory is bounded. A batch that the database refuses is tried
 * again until it is written: nothing is skipped.
 *
 * Used by one thread, the subscriber's.
 */
#ifndef SVC_GATHER_H
#define SVC_GATHER_H

#include "svc_batch.h"
#include "svc_writer.h"

typedef struct svc_gather_config_t {
    const char *name; /* for the log: "mod_orders" */
    const svc_inbox_t *inbox;
    const svc_inbox_handler_t *handler;
    svc_writer_t *writer;
    svc_stats_t *stats;
} svc_gather_config_t;

typedef struct svc_gather_t svc_gather_t;

/* A cursor of SOURCE was found moved by another follower when a batch was
 * written: what is known of it is stale. */
typedef void (*svc_gather_stale_fn)(void *baton, const char *source);

svc_gather_t *svc_gather_create(const svc_gather_config_t *config,
                                svc_gather_stale_fn on_stale, void *baton,
                                apr_pool_t *pool);

/* Is there no room in the batch that is being gathered? */
int svc_gather_is_full(const svc_gather_t *gather);

/* Is nothing gathered or being written? */
int svc_gather_is_idle(const svc_gather_t *gather);

/* The batch to add to, and its pool. A page of a snapshot closes it. */
svc_batch_t *svc_gather_batch(apr_pool_t **pool, svc_gather_t *gather);

/* Looks whether the batch that was handed in is written, and logs what became
 * of it; hands in the next. NOW is svc_time_ticks. */
void svc_gather_look(svc_gather_t *gather, apr_int64_t now);
void svc_gather_hand_in(svc_gather_t *gather, apr_int64_t now);

/* Gives up what was not handed in yet. */
void svc_gather_destroy(svc_gather_t *gather);

#endif
