/* svc_link: one publisher that is followed: its two sockets, and what is asked
 * of it. Used by one thread, the subscriber's.
 */
#ifndef SVC_LINK_H
#define SVC_LINK_H

#include "svc_bus.h"
#include "svc_source.h"
#include "svc_stats.h"

#define SVC_LINK_MAX_PAGE 500 /* events asked for at a time */

/* A TicketsSubscribe or OrdersSubscribe line. */
typedef struct svc_link_peer_t {
    const char *publish; /* its PUB endpoint */
    const char *replay;  /* its ROUTER endpoint; NULL: it has none */
    const char *server_key; /* its public key; NULL: it does not use CURVE */
} svc_link_peer_t;

typedef struct svc_link_t {
    const svc_link_peer_t *peer;
    svc_bus_socket_t *sub;
    svc_bus_socket_t *dealer; /* NULL: no replay */
    svc_source_t *source;     /* what it answers for; NULL: not known yet */
    apr_int64_t ask_at;       /* when to ask for the source's name (again) */
    int introductions;        /* such requests that are not answered yet */
    int has_refused;          /* a replay, and that was said */
    apr_int64_t opened_at;    /* when it was connected to */
    apr_int64_t heard_at;     /* when anything came from there; 0: never */
    apr_int64_t event_at;     /* when an event did */
} svc_link_t;

/* Connects to PEER and subscribes to SUBJECTS (NULL-terminated) and heartbeats.
 * POOL is the bus thread's. */
svc_err_t *svc_link_open(svc_link_t **out, const svc_link_peer_t *peer,
                         const char *const *subjects, svc_bus_t *bus,
                         apr_pool_t *pool);

/* Asks which log is kept there, when it is time to. */
void svc_link_introduce(svc_link_t *link, apr_int64_t now, apr_pool_t *scratch);

/* Asks for what follows FROM in the log of SOURCE. False when nobody is there to
 * be asked. */
int svc_link_ask(svc_link_t *link, const svc_source_t *source,
                 const svc_inbox_cursor_t *from, apr_pool_t *scratch);

/* Asks for the next page of the snapshot of SOURCE; the same. */
int svc_link_ask_snapshot(svc_link_t *link, const svc_source_t *source,
                          apr_pool_t *scratch);

/* Says in STATS, as subscription INDEX, what is known of it; SOURCE, the log that
 * it speaks for, may be NULL. */
void svc_link_tell(const svc_link_t *link, svc_source_t *source,
                   svc_stats_t *stats, int index, apr_int64_t now);

/* Whether messages from there wake the thread. */
void svc_link_listen(svc_link_t *link, int on);

#endif
