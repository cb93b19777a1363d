/* svc_subscriber: follows publishers. One in each httpd, module and database:
 * in the process that leads.
 *
 * What arrives on SUB is only the fast path. For a source whose publisher
 * answers REPLAY, events are taken strictly in order of position from the
 * cursor that is kept in this service's own database; what is missing (a gap,
 * a late start, a lost last message that a heartbeat reveals) is asked for. Where
 * the log does not go back so far, or is another one than was followed (restored
 * from a backup), a snapshot of the source's state takes the place of what was
 * known. A publisher without replay is taken as it comes, guarded by the versions.
 */
#ifndef SVC_SUBSCRIBER_H
#define SVC_SUBSCRIBER_H

#include "svc_batch.h"
#include "svc_link.h"
#include "svc_writer.h"

typedef struct svc_subscriber_config_t {
    const char *name;                /* for the log: "mod_orders" */
    const apr_array_header_t *peers; /* svc_link_peer_t */
    const char *const *subjects;     /* NULL-terminated: what is followed */
    const svc_inbox_t *inbox;
    const svc_inbox_handler_t *handler;
    svc_writer_t *writer;
    svc_stats_t *stats;
} svc_subscriber_config_t;

typedef struct svc_subscriber_t svc_subscriber_t;

/* Used by one thread, that of BUS. Connects to all peers. */
svc_subscriber_t *svc_subscriber_create(const svc_subscriber_config_t *config,
                                        svc_bus_t *bus, apr_pool_t *pool);

/* Takes what has arrived, hands a batch to the writer, asks for what is
 * missing. AGAIN is set when more is left to do at once. NOW is
 * svc_time_ticks. An error is of the database, from reading a cursor. */
svc_err_t *svc_subscriber_turn(int *again, svc_subscriber_t *subscriber,
                               svc_db_t *db, apr_int64_t now,
                               apr_pool_t *scratch);

/* Gives up what was not handed in yet; it will be asked for again. */
void svc_subscriber_destroy(svc_subscriber_t *subscriber);

#endif
