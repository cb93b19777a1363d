/* svc_stats: the counters of one service, shared by all processes of one httpd,
 * and what its processes tell of themselves: what the leader sees, what waits for
 * the writers, the last events.
 *
 * The edge places the structure in shared memory made before the fork and kept
 * over restarts; in unit tests it is an ordinary variable. Zeroed memory is a
 * good beginning. Every field is an atomic, so any thread of any process may read
 * or add without a lock, and who is killed in the middle leaves nothing locked.
 *
 * Counters only grow. Points in time are svc_time_ticks (0: never) unless they
 * say otherwise.
 */
#ifndef SVC_STATS_H
#define SVC_STATS_H

#include <stdatomic.h>

#include <apr_pools.h>

#define SVC_STATS_ROUTES 12     /* of one service, and what is no route of it */
#define SVC_STATS_STATUSES 18   /* of HTTP that are told apart */
#define SVC_STATS_CLASSES 4     /* of them: 2xx to 5xx */
#define SVC_STATS_BUCKETS 17    /* of latencies; the last has no bound */
#define SVC_STATS_PEERS 16      /* subscriptions that are told of */
#define SVC_STATS_RECENT 32     /* events that are remembered */
#define SVC_STATS_PROCESSES 256 /* whose queues are told of */
#define SVC_STATS_LINE 64       /* bytes of a cache line: what different threads
                                   write often stands apart, if the whole
                                   begins at such a line */

/* --- counters --------------------------------------------------------------------- */

/* How long the answers of one class took: how many were at or below each bound,
 * and above the one before. */
typedef struct svc_stats_latency_t {
    atomic_llong bucket[SVC_STATS_BUCKETS];
    atomic_llong sum_us;
    atomic_llong spare[6]; /* to whole lines */
} svc_stats_latency_t;

typedef struct svc_stats_route_t {
    atomic_llong status[SVC_STATS_STATUSES];
    atomic_llong spare[6];
    svc_stats_latency_t latency[SVC_STATS_CLASSES];
} svc_stats_route_t;

/* --- values that are written as a whole --------------------------------------------- */

/* Room for a value of SIZE bytes that one process writes and all read. */
#define SVC_STATS_BOX(size) \
    struct { \
        atomic_uint turn; /* odd: being written */ \
        atomic_llong words[((size) + 7) / 8]; \
    }

/* A publisher that is followed, as the leader sees it. */
typedef struct svc_stats_peer_t {
    char endpoint[256];      /* where it publishes */
    char source[256];        /* the log it speaks for; "": not known */
    int has_replay;          /* it can be asked for what was missed */
    int is_complete;         /* all that it is known to have is written here */
    apr_int64_t position;    /* written here up to there */
    apr_int64_t head;        /* its last position, as far as is known */
    apr_int64_t opened_at;   /* when it was connected to */
    apr_int64_t heard_at;    /* anything from it, a heartbeat too; 0: never */
    apr_int64_t moved_at;    /* when the position moved last; 0: never */
    apr_int64_t marked_at;   /* all was written that it was known to have then */
    apr_int64_t event_at;    /* when its last event came; 0: not seen */
    char event_time[32];     /* when that was recorded there, in RFC 3339; "" */
} svc_stats_peer_t;

/* An event that this service published or applied. */
typedef struct svc_stats_event_t {
    int is_published;        /* else applied */
    char source[128];        /* whose log it is in */
    char type[48];           /* "ticket:updated" */
    char subject[64];        /* the entity's id */
    apr_int64_t position;
    apr_int64_t version;     /* of the entity; -1: it has none */
    char time[32];           /* in RFC 3339; "": it did not say */
} svc_stats_event_t;

/* --- a process ------------------------------------------------------------------------ */

/* What a writer tells of itself. */
typedef struct svc_stats_process_t {
    atomic_int pid;        /* 0: nobody's */
    atomic_llong queued;   /* commands that are not answered yet */
    atomic_llong begun_at; /* when the batch in work was begun; 0: none is */
    atomic_llong spare[5];
} svc_stats_process_t;

/* -------------------------------------------------------------------------------------- */

typedef struct svc_stats_t {
    svc_stats_route_t routes[SVC_STATS_ROUTES];
    svc_stats_process_t processes[SVC_STATS_PROCESSES];
    svc_stats_process_t overflow; /* of processes that found no place */

    atomic_llong batches;      /* transactions committed by writers */
    atomic_llong commands;     /* commands in them */
    atomic_llong logged;       /* transactions in which this httpd wrote events */
    atomic_llong published;    /* events handed to the PUB socket */
    atomic_llong published_to; /* log position up to which events were published; 0: not known */
    atomic_llong received;     /* events that arrived from publishers */
    atomic_llong applied;      /* events that took effect or were passed by in order */
    atomic_llong duplicates;   /* events dropped because they were already known */
    atomic_llong quarantined;  /* bad events set aside */
    atomic_llong parked;       /* events that had to wait for an earlier version */
    atomic_llong unknown;      /* events passed by: their subject is not known */
    atomic_llong snapshots;    /* snapshots of a followed log that were taken */
    atomic_llong replays;      /* REPLAY and SNAPSHOT requests answered */
    atomic_llong trimmed;      /* events removed from the log for their age */
    atomic_llong expired;      /* orders cancelled because they were overdue */
    atomic_llong caught_up_at; /* when the follower last knew that it had everything, in svc_time_ticks; 0: never */

    atomic_llong started_at;      /* when counting began, ms since 1970 */
    atomic_llong schema_version;  /* of the database; 0: it was not seen yet */
    atomic_llong quarantined_at;  /* when an event was last set aside */

    /* The leader's. */
    atomic_int leader_pid;        /* 0: nobody leads */
    atomic_llong turn_at;         /* its last turn */
    atomic_llong database_at;     /* when it last had an answer from it */
    atomic_llong database_failed_at; /* since when it has none; 0: it has */
    atomic_llong bind_failed_at;  /* since when an endpoint cannot be bound */
    atomic_llong head;            /* last position of this service's log */
    SVC_STATS_BOX(256) log;       /* its name, as text */
    SVC_STATS_BOX(sizeof(svc_stats_peer_t)) peers[SVC_STATS_PEERS];
    atomic_int peer_count;        /* subscriptions; may be more than PEERS */
    SVC_STATS_BOX(sizeof(svc_stats_event_t)) recent[SVC_STATS_RECENT];
    atomic_llong recent_count;    /* events ever remembered */
} svc_stats_t;

_Static_assert(sizeof(svc_stats_route_t) % SVC_STATS_LINE == 0 &&
                   sizeof(svc_stats_process_t) == SVC_STATS_LINE,
               "whole lines");

/* --- requests: any thread --------------------------------------------------------------- */

/* A request was answered with STATUS after US microseconds. */
void svc_stats_request(svc_stats_t *stats, int route, int status,
                       apr_int64_t us);

/* The status that is counted at INDEX; 0: all others. */
int svc_stats_status(int index);

/* The bound of a bucket of latencies, in microseconds; -1: it has none. */
apr_int64_t svc_stats_bound(int bucket);

/* The latency in milliseconds that a part QUANTILE (0 to 1) of those in BUCKETS
 * were not above, supposing that they are spread evenly within each; 0 when there
 * are none. */
double svc_stats_quantile(const long long buckets[SVC_STATS_BUCKETS],
                          double quantile);

/* --- writers ------------------------------------------------------------------------------ */

/* A place for the writer of process PID, also that of one that is dead. */
svc_stats_process_t *svc_stats_enter(svc_stats_t *stats, int pid);
void svc_stats_leave(svc_stats_process_t *process);

/* How many commands are not answered yet in all processes that live. BEGUN_AT
 * gets since when the one that is longest in work is; 0: none is. */
long long svc_stats_queued(const svc_stats_t *stats, apr_int64_t *begun_at);

/* Is there a process PID? */
int svc_stats_is_alive(int pid);

/* --- the leader; there is one at a time --------------------------------------------------- */

/* PID leads from now on, and nothing of what the last one saw is known. */
void svc_stats_lead(svc_stats_t *stats, int pid, apr_int64_t now);
void svc_stats_lead_no_more(svc_stats_t *stats, int pid);

/* The database answered: the log NAME ends at HEAD; or it did not answer. */
void svc_stats_database_answered(svc_stats_t *stats, const char *name,
                                 apr_int64_t head, apr_int64_t now);
void svc_stats_database_failed(svc_stats_t *stats, apr_int64_t now);

/* What is known of subscription INDEX; more than SVC_STATS_PEERS are not kept. */
void svc_stats_set_peer(svc_stats_t *stats, int index,
                        const svc_stats_peer_t *peer);
void svc_stats_remember(svc_stats_t *stats, const svc_stats_event_t *event);

/* Copies TEXT, cut to SIZE bytes with its NUL between two characters of UTF-8. */
void svc_stats_text(char *to, apr_size_t size, const char *text);

/* --- reading them: any thread; false when there is nothing ----------------------------------- */

int svc_stats_get_log(char name[256], const svc_stats_t *stats);
int svc_stats_get_peer(svc_stats_peer_t *out, const svc_stats_t *stats,
                       int index);

/* The last events, the newest first; returns their number. */
int svc_stats_get_recent(svc_stats_event_t out[SVC_STATS_RECENT],
                         const svc_stats_t *stats);

#endif
