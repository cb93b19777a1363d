/* svc_source: what is known of one log that is followed: how far it was taken,
 * how long it is, whether it is still the log that it was, and how far a
 * snapshot of its state has come. A state machine without input or output;
 * svc_subscriber feeds it.
 *
 * NOW is svc_time_ticks everywhere. Used by one thread.
 */
#ifndef SVC_SOURCE_H
#define SVC_SOURCE_H

#include "svc_inbox.h"

#define SVC_SOURCE_LAG_MS 5000 /* a log that ends before what was taken may be
                                  the one of a machine that lags; after so long
                                  it is believed to have been restored */

typedef struct svc_source_t {
    const char *name;        /* "urn:uuid:..." */
    struct svc_link_t *link; /* who spoke for it last; the subscriber's */
    struct svc_link_t *asked; /* who was asked last; NULL: nobody */
    svc_inbox_cursor_t tail; /* taken up to here: written, being written or
                                gathered */
    apr_int64_t head;        /* its length, as far as is known */
    apr_int64_t heard_at;    /* when it was last heard of */
    apr_int64_t ask_at;      /* when to ask (again) for what follows */
    apr_int64_t reset_at;    /* since when it says that the event at the tail is
                                not there; 0: it does not */
    apr_int64_t written;     /* the database has it up to here */
    apr_int64_t moved_at;    /* when that moved last; 0: never */
    apr_int64_t mark;        /* see svc_source_mark */
    apr_int64_t marked_at;
    apr_int64_t event_at;    /* when its last event was written; 0: never */
    char event_time[32];     /* when that was recorded, as it says; "" */
    int is_unanswered;       /* what was asked last brought nothing: ask another
                                of its machines, if there is one */
    int is_loaded;           /* the tail was read from the database */
    int is_doubtful;         /* it may have been replaced by another: nothing is
                                taken before it confirms the event at the tail */
    int needs_snapshot;      /* it is another log, or a snapshot has begun: no
                                event is taken before the snapshot's end */
    svc_inbox_cursor_t snapshot; /* where the one that has begun leads to;
                                    position 0: none has begun */
    const char *after;       /* the last id that its pages have covered; "" */
    char event_id[256];      /* storage of tail.event_id */
    char snapshot_id[256];   /* of snapshot.event_id */
    char last[256];          /* of after */
} svc_source_t;

typedef enum {
    SVC_SOURCE_NEXT,  /* right after the tail: take it */
    SVC_SOURCE_KNOWN, /* a duplicate */
    SVC_SOURCE_LATER  /* something before it is missing, or to be confirmed */
} svc_source_place_t;

svc_source_t *svc_source_create(const char *name, apr_pool_t *pool);

/* Begins to follow from CURSOR, as the database has it. */
void svc_source_load(svc_source_t *source, const svc_inbox_cursor_t *cursor);

/* Goes on from CURSOR, to which another follower has moved it in the same
 * database: what is missing is asked for soon. What was confirmed stays so. */
void svc_source_reload(svc_source_t *source, const svc_inbox_cursor_t *cursor,
                       apr_int64_t now);

/* The source said that its log ends at HEAD. A log that is shorter than what
 * was taken, or that comes back after a silence, has to be confirmed. */
void svc_source_hear(svc_source_t *source, apr_int64_t head, apr_int64_t now);

/* The connection to it was lost: who speaks for it now may have another log. It
 * has to be confirmed as well, also when nothing was taken yet: what still waits
 * to be received may be of the log before. */
void svc_source_doubt(svc_source_t *source);

/* Where an event at POSITION stands. */
svc_source_place_t svc_source_place(const svc_source_t *source,
                                    apr_int64_t position);

/* The event at the next position was taken. */
void svc_source_take(svc_source_t *source, apr_int64_t position,
                     const char *event_id);

/* A request that named the tail's event was answered with EVENTS. */
void svc_source_confirm(svc_source_t *source);

/* It was answered with RESET. True when that settles that a snapshot is needed:
 * at once when the log reaches the tail, else after SVC_SOURCE_LAG_MS in which it
 * was heard of, and nobody confirmed the tail. */
int svc_source_reset(svc_source_t *source, apr_int64_t head, apr_int64_t now);

/* A page of a snapshot that leads to AT came, of the ids greater than AFTER up
 * to LAST (empty: all). False when it is not the page that was asked for; else
 * it was taken, and with the last one the tail is AT. */
int svc_source_take_page(svc_source_t *source, const svc_inbox_cursor_t *at,
                         const char *after, const char *last);

/* The database has it up to POSITION now. */
void svc_source_wrote(svc_source_t *source, apr_int64_t position,
                      apr_int64_t now);

/* Notes how far it is behind, in time: at marked_at everything was written that
 * it was known to have then. Now and then. */
void svc_source_mark(svc_source_t *source, apr_int64_t now);

/* Is everything taken that the source is known to have? */
int svc_source_is_complete(const svc_source_t *source);

/* It was asked already: not again before that had time to be answered. */
void svc_source_asked(svc_source_t *source, apr_int64_t now);

/* Is it time to ask for what follows? Then the next time is later. */
int svc_source_wants_more(svc_source_t *source, apr_int64_t now);

#endif
