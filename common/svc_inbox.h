/* svc_inbox: what a follower keeps in its own database, moved in the same
 * transaction as the effect of the events: one cursor per source, events that
 * wait for an earlier version of their entity, and bad events set aside.
 *
 * Tables: <service>_cursor, <service>_parked, <service>_quarantine.
 */
#ifndef SVC_INBOX_H
#define SVC_INBOX_H

#include <apr_hash.h>

#include "svc_stream.h"

#define SVC_INBOX_MAX_TEXT 8000         /* bytes of an event that are kept */
#define SVC_INBOX_MAX_PARKED 10000      /* rows */
#define SVC_INBOX_MAX_QUARANTINED 1000  /* rows; the oldest go first */

typedef struct svc_inbox_t svc_inbox_t;

/* A place in the log of one source. */
typedef struct svc_inbox_cursor_t {
    apr_int64_t position; /* of the last event that took effect; 0: none yet */
    const char *event_id; /* its id; "" at position 0 */
} svc_inbox_cursor_t;

/* What became of an event. */
typedef enum {
    SVC_INBOX_APPLIED,   /* it took effect; the next version may be waiting */
    SVC_INBOX_SETTLED,   /* it took effect, and nothing can wait for it */
    SVC_INBOX_DUPLICATE, /* it was known: nothing to do */
    SVC_INBOX_IGNORED,   /* it concerns nothing here */
    SVC_INBOX_UNKNOWN,   /* its subject is not known here */
    SVC_INBOX_EARLY      /* an earlier version of its entity is missing */
} svc_inbox_outcome_t;

/* Where and how an event is applied. */
typedef struct svc_inbox_context_t {
    svc_stream_tx_t *tx;
    const svc_inbox_t *inbox;
    int is_ordered; /* the source has a log: nothing is missing before it */
} svc_inbox_context_t;

/* A part of the state of a source: the entities whose id is greater than AFTER,
 * up to LAST; all of them when LAST is "". */
typedef struct svc_inbox_range_t {
    const char *source;
    const char *after, *last;
    apr_hash_t *present; /* the ids that there are, as keys */
} svc_inbox_range_t;

/* One of several events that are applied together. */
typedef struct svc_inbox_item_t {
    const svc_event_t *event;
    int is_done;                 /* out: 0: it was left */
    svc_inbox_outcome_t outcome; /* out, when it is done */
} svc_inbox_item_t;

/* What a service does with what it hears, in the transaction of a context. A
 * domain error says what is wrong with an event; nothing may have been written
 * then. What is emitted goes back to what the event does: the caller says so in
 * the transaction, but for apply_many, which says it itself. */
typedef struct svc_inbox_handler_t {
    /* Applies one event. */
    svc_err_t *(*apply)(svc_inbox_outcome_t *outcome,
                        const svc_inbox_context_t *context,
                        const svc_event_t *event);
    /* Applies COUNT events of logs together, with the effect that apply has for
     * one after the other, but in fewer statements. Those that it leaves are
     * given to apply then: if one of an entity, all of it. NULL: none is. */
    svc_err_t *(*apply_many)(const svc_inbox_context_t *context,
                             svc_inbox_item_t *items, int count);
    /* Brings one entity to the state in EVENT, which is of a snapshot, whatever
     * its version is here. */
    svc_err_t *(*replace)(const svc_inbox_context_t *context,
                          const svc_event_t *event);
    /* Gives up what is here of the source, within RANGE, and is not present. */
    svc_err_t *(*prune)(const svc_inbox_context_t *context,
                        const svc_inbox_range_t *range);
} svc_inbox_handler_t;

/* Read-only afterwards, for any thread; POOL must outlive all connections. */
svc_inbox_t *svc_inbox_create(const char *service, apr_pool_t *pool);

/* The cursor for SOURCE; position 0 when there is none. */
svc_err_t *svc_inbox_read_cursor(svc_inbox_cursor_t *out, svc_db_t *db,
                                 const svc_inbox_t *inbox, const char *source,
                                 apr_pool_t *pool);

/* Moves the cursor if it still stands at FROM (compare and swap); MOVED says
 * whether it did. Do this first in the transaction: it fences off a follower
 * that has lost its leadership without knowing. */
svc_err_t *svc_inbox_move_cursor(int *moved, svc_stream_tx_t *tx,
                                 const svc_inbox_t *inbox, const char *source,
                                 const svc_inbox_cursor_t *from,
                                 const svc_inbox_cursor_t *to);

/* Does the cursor stand at FROM? Then it stays there to the end of the
 * transaction, unless this moves it. */
svc_err_t *svc_inbox_hold_cursor(int *holds, svc_stream_tx_t *tx,
                                 const svc_inbox_t *inbox, const char *source,
                                 const svc_inbox_cursor_t *from);

/* Keeps an event that came before its time, under its entity and VERSION.
 * KEPT is 0 when there is no room or the event is too long. */
svc_err_t *svc_inbox_park(int *kept, svc_stream_tx_t *tx,
                          const svc_inbox_t *inbox, const char *entity,
                          apr_int64_t version, const char *subject,
                          const char *text);

/* Takes out the event of ENTITY parked under exactly VERSION (TEXT is NULL
 * when there is none) and forgets those of lower versions. */
svc_err_t *svc_inbox_unpark(const char **subject, const char **text,
                            svc_stream_tx_t *tx, const svc_inbox_t *inbox,
                            const char *entity, apr_int64_t version);

/* Is any event parked at all? */
svc_err_t *svc_inbox_has_parked(int *out, svc_stream_tx_t *tx,
                                const svc_inbox_t *inbox);

/* Sets a bad event aside with the reason. SOURCE and TEXT may be NULL; TEXT is
 * left out when it is too long or not UTF-8. */
svc_err_t *svc_inbox_quarantine(svc_stream_tx_t *tx, const svc_inbox_t *inbox,
                                const char *source, apr_int64_t position,
                                const char *subject, const char *text,
                                const char *reason);

/* Forgets bad events that were set aside before BEFORE (ms). */
svc_err_t *svc_inbox_forget(svc_stream_tx_t *tx, const svc_inbox_t *inbox,
                            apr_int64_t before);

#endif
