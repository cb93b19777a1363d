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
#include "svc_bus.h"
#include "svc_source.h"
#include "svc_writer.h"

typedef struct svc_gather_config_t {
    const char *name; /* for the log: "mod_orders" */
    const svc_inbox_t *inbox;
    const svc_inbox_handler_t *handler;
    svc_writer_t *writer;
    svc_stats_t *stats;
} svc_gather_config_t;

typedef struct svc_gather_t svc_gather_t;

/* What became of a cursor when a batch was written. It was moved, or another
 * follower had moved it: then what is known of its source is stale. TIME is when
 * the last event of that source was recorded, as it says; NULL: it does not, or
 * there is none. */
typedef void (*svc_gather_written_fn)(void *baton, const svc_batch_move_t *move,
                                      const char *time);

svc_gather_t *svc_gather_create(const svc_gather_config_t *config,
                                svc_gather_written_fn on_written, void *baton,
                                apr_pool_t *pool);

/* Is there no room in the batch that is being gathered? */
int svc_gather_is_full(const svc_gather_t *gather);

/* Is nothing gathered or being written? */
int svc_gather_is_idle(const svc_gather_t *gather);

/* Adds EVENT, which arrived under SUBJECT. It is the next one of the log of
 * SOURCE, whose tail it moves; NULL where there is no log. All is copied. */
void svc_gather_event(svc_gather_t *gather, svc_source_t *source,
                      const char *subject, const svc_event_t *event);

/* Adds a message of COUNT frames (only the first may be looked at when it is 1)
 * that is no event, to be set aside for REASON. With SOURCE it stands in its log
 * right after the tail, and the log is followed past it. */
void svc_gather_bad(svc_gather_t *gather, svc_source_t *source,
                    const svc_bus_frame_t *frames, int count,
                    const char *reason);

/* Adds a page of a snapshot: its COUNT frames are pairs of subject and event.
 * Nothing more can be added to the batch then. */
void svc_gather_page(svc_gather_t *gather, const svc_batch_move_t *move,
                     const char *after, const char *last,
                     const svc_bus_frame_t *frames, int count,
                     apr_pool_t *scratch);

/* Looks whether the batch that was handed in is written, and logs what became
 * of it; hands in the next. NOW is svc_time_ticks. */
void svc_gather_look(svc_gather_t *gather, apr_int64_t now);
void svc_gather_hand_in(svc_gather_t *gather, apr_int64_t now);

/* Gives up what was not handed in yet. */
void svc_gather_destroy(svc_gather_t *gather);

#endif
