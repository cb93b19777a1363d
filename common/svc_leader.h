/* svc_leader: what the process that leads does for its service: publish, follow,
 * sweep, and remove what is too old (events, idempotency keys), in one thread,
 * turn by turn.
 */
#ifndef SVC_LEADER_H
#define SVC_LEADER_H

#include "svc_idempotency.h"
#include "svc_publisher.h"
#include "svc_subscriber.h"

/* Periodic work of a service: reads with DB what is due and hands commands to
 * WRITER without waiting. NOW is the database's clock. */
typedef svc_err_t *(*svc_leader_sweep_fn)(svc_db_t *db, svc_writer_t *writer,
                                          apr_int64_t now, apr_pool_t *scratch);

typedef struct svc_leader_config_t {
    const char *name;   /* for the log */
    const char *driver; /* DBDriver */
    const char *params; /* DBDParams */
    const svc_bus_curve_t *curve; /* keys of the bus; NULL: none */
    svc_publisher_config_t publisher;
    svc_subscriber_config_t subscriber;
    svc_leader_sweep_fn sweep; /* NULL: none */
    apr_int64_t retention_ms;  /* how long events are kept; 0: for ever */
    const svc_idempotency_t *idempotency; /* keys, and how long each is */
    apr_int64_t idempotency_ttl_ms;       /* remembered */
} svc_leader_config_t;

typedef struct svc_leader_t svc_leader_t;

/* Opens the bus. Call in the thread that will take the turns; CONFIG and POOL,
 * which is that thread's, must outlive the leader. */
svc_err_t *svc_leader_create(svc_leader_t **out,
                             const svc_leader_config_t *config,
                             apr_pool_t *pool);

/* One turn: does what there is to do, then waits at most MAX_WAIT_MS for a
 * message, or for one of the COUNT file descriptors. Logs its own trouble. */
void svc_leader_turn(svc_leader_t *leader, const int *fds, int count,
                     int max_wait_ms);

/* True once it has found that the log which it published was replaced by another
 * one: it does no more. Whoever leads next begins anew, with new connections, by
 * which followers learn to compare what they have. */
int svc_leader_is_over(const svc_leader_t *leader);

/* Closes the bus and the database. */
void svc_leader_destroy(svc_leader_t *leader);

#endif
