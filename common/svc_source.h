/* svc_source: what is known of one log that is followed: how far it was taken,
 * how long it is, and whether it is still the log that it was. A state machine
 * without input or output; svc_subscriber feeds it.
 *
 * NOW is svc_time_ticks everywhere. Used by one thread.
 */
#ifndef SVC_SOURCE_H
#define SVC_SOURCE_H

#include "svc_inbox.h"

typedef struct svc_source_t {
    const char *name;        /* "urn:uuid:..." */
    void *link;              /* the subscriber's: who answers replay for it */
    svc_inbox_cursor_t tail; /* taken up to here: written, being written or
                                gathered */
    apr_int64_t head;        /* its length, as far as is known */
    apr_int64_t heard_at;    /* when it was last heard of */
    apr_int64_t ask_at;      /* when to ask (again) for what follows the tail */
    int is_loaded;           /* the tail was read from the database */
    int is_doubtful;         /* it may have been replaced by another: nothing is
                                taken before it confirms the event at the tail */
    int has_reset;           /* it said that the event at the tail is not there */
    int has_diverged;        /* it is another log: nothing is taken any more */
    char event_id[256];      /* storage of tail.event_id */
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

/* Where an event at POSITION stands. */
svc_source_place_t svc_source_place(const svc_source_t *source,
                                    apr_int64_t position);

/* The event at the next position was taken. */
void svc_source_take(svc_source_t *source, apr_int64_t position,
                     const char *event_id);

/* A request that named the tail's event was answered with EVENTS. */
void svc_source_confirm(svc_source_t *source);

/* It was answered with RESET. True when that is news. A log that only ends
 * before the tail may lag, and is asked again; else it is another log. */
int svc_source_reset(svc_source_t *source, apr_int64_t head, apr_int64_t now);

/* Is everything taken that the source is known to have? */
int svc_source_is_complete(const svc_source_t *source);

/* Is it time to ask for what follows the tail? Then the next time is later. */
int svc_source_wants_more(svc_source_t *source, apr_int64_t now);

#endif
