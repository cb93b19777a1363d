/* svc_publisher: tells the world what the event log holds. One in each httpd,
 * module and database: in the process that leads.
 *
 * PUB is the fast path: each row of the log that this instance wrote, strictly
 * in order of position, and a heartbeat with the log's head once a second. The
 * ROUTER answers those who missed something (svc_replay); an empty delimiter
 * frame, as REQ sockets send it, is answered with one.
 */
#ifndef SVC_PUBLISHER_H
#define SVC_PUBLISHER_H

#include "svc_replay.h"
#include "svc_stats.h"

typedef struct svc_publisher_t svc_publisher_t;

typedef struct svc_publisher_config_t {
    const char *name;    /* for the log: "mod_tickets" */
    const char *publish; /* PUB endpoint; NULL: not published */
    const char *replay;  /* ROUTER endpoint; NULL: no replay */
    const svc_stream_t *stream;
    svc_replay_state_fn state; /* for snapshots; NULL: there are none */
    svc_stats_t *stats;
} svc_publisher_config_t;

/* Used by one thread, that of BUS. */
svc_publisher_t *svc_publisher_create(const svc_publisher_config_t *config,
                                      svc_bus_t *bus, apr_pool_t *pool);

/* Is the log still the one whose events were published? It is looked again at
 * each heartbeat, and once more at the next turn after this was called: when the
 * database may have come back with less than it had. */
void svc_publisher_doubt(svc_publisher_t *publisher);

/* It is not: nothing more is published or answered. */
int svc_publisher_is_astray(const svc_publisher_t *publisher);

/* Publishes what is new, sends the heartbeat when it is due, answers a bounded
 * number of requests. AGAIN is set when more is left to do at once. NOW is
 * svc_time_ticks. An error is of the database. */
svc_err_t *svc_publisher_turn(int *again, svc_publisher_t *publisher,
                              svc_db_t *db, apr_int64_t now,
                              apr_pool_t *scratch);

#endif
