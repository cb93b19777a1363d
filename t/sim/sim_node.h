/* sim_node: one process of a simulated service: the shipped writer and leader
 * on a database, taken turn by turn, that can be killed and started again.
 */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "sim_model.h"
#include "sim_world.h"
#include "svc_leader.h"

#define SIM_NODE_MAX 4

struct sim_node_config_t;

typedef struct sim_node_t {
    sim_process_t process; /* first: see sim_world.h */
    sim_store_t *store;
    const struct sim_node_config_t *config;
    const char *publish, *replay; /* endpoints */
    svc_stats_t stats;
    svc_writer_config_t writer_config;
    svc_leader_config_t leader_config;
    svc_writer_t *writer; /* NULL: it is down */
    svc_leader_t *leader;
    apr_int64_t paused_until;         /* in sim_world_ticks */
    apr_int64_t wrote_at, led_at;     /* the last turns */
    apr_int64_t alive_since;          /* turns have come often since then; by
                                         sim_world_now */
} sim_node_t;

typedef struct sim_node_all_t {
    sim_node_t node[SIM_NODE_MAX];
    int count;
} sim_node_all_t;

extern sim_node_all_t sim_node_all;

/* Snapshots that were taken, since the program began. */
extern long sim_node_snapshots;

/* No nodes. */
void sim_node_begin(void);

/* How all nodes are configured. */
typedef struct sim_node_config_t {
    apr_int64_t expiration_ms;
    apr_int64_t retention_ms;  /* 0: for ever */
    int without_replay;        /* there are no replay endpoints */
    int with_payments;         /* orders services follow sim_payments */
    const char *expected_logs; /* tags of warnings that may come */
} sim_node_config_t;

/* A new node on STORE, which is down. CONFIG and POOL outlive all of its lives.
 */
sim_node_t *sim_node_add(sim_store_t *store, const char *name,
                         const sim_node_config_t *config, apr_pool_t *pool);

/* Everyone follows everyone of the other service. Once, when all are there. */
void sim_node_connect(apr_pool_t *pool);

void sim_node_start(sim_node_t *node);

/* Without a goodbye. */
void sim_node_kill(sim_node_t *node);

/* Can it take turns now? */
int sim_node_is_up(const sim_node_t *node);

/* One turn of the writer or the leader; KILL_AFTER as in sim_world_kill_after.
 * False when it was killed. */
int sim_node_write(sim_node_t *node, int kill_after);
int sim_node_lead(sim_node_t *node, int kill_after);

/* The machines' clock was set: what is overdue since then has its time anew. */
void sim_node_adjusted(void);

/* Ends all nodes, after the schedule. */
void sim_node_end(void);

#endif
