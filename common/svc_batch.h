/* svc_batch: a follower's command: events and pages of snapshots that arrived,
 * applied in one transaction with the cursors that they move.
 */
#ifndef SVC_BATCH_H
#define SVC_BATCH_H

#include "svc_inbox.h"
#include "svc_stats.h"

/* One source's cursor goes from here to there. */
typedef struct svc_batch_move_t {
    const char *source;
    svc_inbox_cursor_t from, to;
    int moved; /* out: 0 when another follower had moved it meanwhile */
} svc_batch_move_t;

typedef struct svc_batch_item_t {
    svc_event_t event;
    int move; /* index of its source's move; -1: from a source without a log */
    const char *subject;
    const char *bad; /* why it cannot be read; NULL: it can */
    int took_effect; /* out, of the run that was committed */
} svc_batch_item_t;

/* A page of the snapshot of one source. Its cursor moves with the last one;
 * before, from and to are equal, and it is only held. */
typedef struct svc_batch_page_t {
    svc_batch_move_t move;
    svc_inbox_range_t range; /* present: filled in when it is applied */
    apr_array_header_t *items; /* svc_batch_item_t */
} svc_batch_page_t;

typedef struct svc_batch_t {
    const svc_inbox_t *inbox;
    const svc_inbox_handler_t *handler;
    svc_stats_t *stats;
    const char *name;          /* for the log: "mod_orders" */
    apr_array_header_t *moves; /* svc_batch_move_t */
    apr_array_header_t *items; /* svc_batch_item_t, in order */
    apr_array_header_t *pages; /* svc_batch_page_t, after the items */
    int is_careful;            /* set aside an event that makes the database
                                  refuse, instead of failing the batch */
    /* Out, of the run that was committed: */
    apr_array_header_t *notes; /* const char *: what was set aside, and why */
    apr_array_header_t *unknown; /* const char *: subjects not known here, one
                                    for each event */
    int applied, duplicates, parked;
    /* Private to svc_batch.c: */
    int has_parked;            /* -1: not looked yet */
} svc_batch_t;

/* Fills BATCH with empty lists from POOL, the command's. */
void svc_batch_init(svc_batch_t *batch, apr_pool_t *pool);

/* Adds EVENT, which arrived under SUBJECT; all of it is kept in POOL, the
 * command's. */
void svc_batch_add(svc_batch_t *batch, const char *subject,
                   const svc_event_t *event, apr_pool_t *pool);

/* What was added last comes from the log of SOURCE, right after FROM: its cursor
 * moves there with this batch, also when it is no event. */
void svc_batch_move(svc_batch_t *batch, const char *source,
                    const svc_inbox_cursor_t *from, apr_pool_t *pool);

/* Adds something that is not an event, to be set aside for REASON. TEXT may be
 * NULL. All are copied. */
void svc_batch_add_bad(svc_batch_t *batch, const char *subject,
                       const char *text, const char *reason, apr_pool_t *pool);

/* Adds a page, still empty, of the snapshot of MOVE->source that leads from
 * MOVE->from to MOVE->to. All are copied. */
void svc_batch_add_page(svc_batch_t *batch, const svc_batch_move_t *move,
                        const char *after, const char *last, apr_pool_t *pool);

/* Adds an entity to the page added last: EVENT if it can be decoded, else the
 * reason in BAD why not. All of it is kept in POOL. */
void svc_batch_add_state(svc_batch_t *batch, const char *subject,
                         const svc_event_t *event, const char *bad,
                         apr_pool_t *pool);

/* Says on the log what was set aside, and counts. Once, after the batch was
 * committed. */
void svc_batch_report(const svc_batch_t *batch);

/* A svc_writer_run_fn whose baton is the svc_batch_t. */
svc_err_t *svc_batch_run(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool);

#endif
