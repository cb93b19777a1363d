/* svc_stats: the counters of one service, shared by all processes of one httpd.
 *
 * The edge places the structure in shared memory made before the fork and kept
 * over restarts; in unit tests it is an ordinary variable. Every field is an
 * atomic, so any thread of any process may read or add.
 */
#ifndef SVC_STATS_H
#define SVC_STATS_H

#include <stdatomic.h>

typedef struct svc_stats_t {
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
    atomic_llong expired;      /* orders cancelled by the sweep */
    atomic_llong caught_up_at; /* when the follower last knew that it had everything, in svc_time_ticks; 0: never */
} svc_stats_t;

#endif
