/* svc_replay: answers those who missed something of the event log.
 *
 *   REPLAY source position event-id limit
 *     -> EVENTS source head (subject event)*    what follows position
 *     -> RESET source head                      the event there is another one,
 *                                               or the log does not reach there
 *     -> SNAPSHOT source position event-id after last (subject event)*
 *                                               what follows is not kept any
 *                                               more: the first page of the
 *                                               state of all entities
 *     -> ERROR sentence
 *   SNAPSHOT source position event-id after limit
 *     -> SNAPSHOT, the page after the id `after`; RESET; ERROR
 *
 * Numbers are decimal text. An empty source means whatever log is kept here;
 * limit 0 of REPLAY asks for source and head alone. A SNAPSHOT request at
 * position 0 begins anew. Pages of a snapshot are in order of the entity's id:
 * one covers the ids greater than `after` up to `last`, or all of them when
 * `last` is empty: it is the last one then. The position of a snapshot is taken
 * before its first page, and followers go on from there.
 *
 * Used by one thread, that of the publisher. Everything lives in SCRATCH.
 */
#ifndef SVC_REPLAY_H
#define SVC_REPLAY_H

#include "svc_bus.h"
#include "svc_stream.h"

#define SVC_REPLAY_MAX_PAGE 500 /* events in one answer */

/* One page of the state of a service, of up to LIMIT entities whose id is
 * greater than AFTER, in order of id: puts svc_event_t with type, entity and
 * data into EVENTS. *LAST gets the id through which the page goes, NULL when
 * nothing follows. Entities that a follower need not have are left out. */
typedef svc_err_t *(*svc_replay_state_fn)(apr_array_header_t *events,
                                          const char **last, svc_db_t *db,
                                          const char *after, int limit,
                                          apr_pool_t *pool);

/* Appends the answer to a request of COUNT frames to ANSWER, an array of
 * svc_bus_frame_t. STATE may be NULL: then snapshots are refused. An error is
 * of the database; ANSWER is as it was then. */
svc_err_t *svc_replay_answer(apr_array_header_t *answer,
                             const svc_bus_frame_t *frames, int count,
                             svc_db_t *db, const svc_stream_t *stream,
                             svc_replay_state_fn state, apr_pool_t *scratch);

#endif
