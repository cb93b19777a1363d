/* svc_ap_instance: one service on one database in this httpd. Virtual hosts
 * that name the same DBDriver and DBDParams share it.
 *
 * Made in post_config: what all processes share (counters, the doorbell that
 * tells the leader of a commit, the files that belong to User). What must
 * survive a restart is retained by the parent process.
 */
#ifndef SVC_AP_INSTANCE_H
#define SVC_AP_INSTANCE_H

#include <apr_file_io.h>

#include "svc_ap_conf.h"
#include "svc_ap_db.h"
#include "svc_leader.h"

struct svc_ap_route_t;

/* What a module brings; static. */
typedef struct svc_ap_service_t {
    module *module;
    const char *name;        /* "tickets" */
    const char *module_name; /* "mod_tickets" */
    const char *base;        /* usual path of the collection */
    const struct svc_ap_route_t *routes; /* ends with a NULL method; fewer than
                                            SVC_STATS_ROUTES */
    const char *cache_control; /* of every answer */
    const svc_schema_t *schema;
    const char *const *subjects; /* see svc_subscriber_config_t */
    const svc_inbox_handler_t *handler;
    svc_replay_state_fn state;   /* a page of a snapshot */
    svc_leader_sweep_fn sweep;   /* NULL: none */
} svc_ap_service_t;

typedef struct svc_ap_instance_t {
    const svc_ap_service_t *service;
    server_rec *server;        /* the first that uses it */
    const svc_ap_conf_t *conf; /* that server's */
    const char *leader_lock;   /* path of the lock that the leader holds */
    svc_stats_t *stats;        /* shared by all processes, kept over restarts */
    apr_file_t *doorbell_in;   /* pipe, kept over restarts: rung at commits */
    apr_file_t *doorbell_out;
    svc_idempotency_t *idempotency;
    svc_writer_config_t writer_config;
    svc_leader_config_t leader_config;
    struct svc_ap_worker_t *worker; /* set in child_init; per process */
    svc_ap_db_gate_t *gate;         /* set in child_init; per process */
    struct svc_ap_fetch_t *fetch;   /* alike; NULL: each reads for itself */
} svc_ap_instance_t;

/* post_config: makes the instances of SERVICE for all servers that use it, as an
 * array of svc_ap_instance_t *. NULL when shared memory cannot be had. */
apr_array_header_t *svc_ap_instance_create_all(const svc_ap_service_t *service,
                                               server_rec *main,
                                               apr_pool_t *pconf);

/* Rings the doorbell of the svc_ap_instance_t BATON. Any thread or process. */
void svc_ap_instance_ring(void *baton);

/* Forgets the rings so far; the leader, before it looks at the log. */
void svc_ap_instance_hear(svc_ap_instance_t *instance);

#endif
