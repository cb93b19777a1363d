/* svc_health: how a service is, in words: from what its processes tell in
 * svc_stats to a state and the sentences that say what is wrong, the worst first.
 *
 * Looks at memory only: it answers at once whatever hangs. Any thread.
 */
#ifndef SVC_HEALTH_H
#define SVC_HEALTH_H

#include <apr_tables.h>

#include "svc_db.h"
#include "svc_stats.h"

#define SVC_HEALTH_SILENT_MS 5000   /* a heartbeat comes once a second */
#define SVC_HEALTH_STUCK_MS 5000    /* the leader turns four times a second */
#define SVC_HEALTH_BEHIND_MS 10000  /* a follower catches up within moments */
#define SVC_HEALTH_WAITING_MS 2000  /* a write is answered within moments */
#define SVC_HEALTH_RECENT_MS 3600000 /* so long an event that was set aside is
                                        said */

typedef enum {
    SVC_HEALTH_OK,
    SVC_HEALTH_DEGRADED, /* requests are answered, but something is wrong */
    SVC_HEALTH_DOWN      /* the database cannot be used */
} svc_health_state_t;

typedef struct svc_health_problem_t {
    const char *what;     /* "database", "leader", "writes", "publisher",
                             "source", "events" */
    apr_int64_t since;    /* ms since 1970; 0: not known */
    const char *message;  /* one sentence */
} svc_health_problem_t;

/* A subscription. */
typedef struct svc_health_peer_t {
    svc_stats_peer_t told;
    const char *state;    /* "following", "catching-up", "stopped", "silent" */
    apr_int64_t lag;      /* events that it has and this service has not */
} svc_health_peer_t;

typedef struct svc_health_t {
    svc_health_state_t state;
    apr_array_header_t *problems; /* svc_health_problem_t */
    apr_array_header_t *peers;    /* svc_health_peer_t */
    int leader_pid;               /* 0: none */
    int is_database_up;
    long long queued;             /* commands that are not answered yet */
} svc_health_t;

typedef struct svc_health_config_t {
    const char *service;      /* "tickets": prefix of the tables */
    svc_db_engine_t engine;
    int subscriptions;        /* that are configured */
    int database_answers;     /* a request has seen so; -1: nobody asked,
                                 so it is as the last leader saw it */
} svc_health_config_t;

/* Everything lives in POOL. NOW is svc_time_now, TICKS svc_time_ticks. */
svc_health_t *svc_health_examine(const svc_stats_t *stats,
                                 const svc_health_config_t *config,
                                 apr_int64_t now, apr_int64_t ticks,
                                 apr_pool_t *pool);

/* "ok", "degraded", "down". */
const char *svc_health_word(svc_health_state_t state);

/* Does a leader live, and turn? If not, nobody looks whether the database
 * answers. */
int svc_health_has_leader(const svc_stats_t *stats, apr_int64_t ticks);

#endif
