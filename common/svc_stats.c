/* svc_stats: see the header. */
#include "svc_stats.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include <apr_strings.h>

#define TRIES 100 /* to read a value that is being written; who was killed while
                     writing never ends */

/* --- requests ------------------------------------------------------------------------ */

static const int statuses[SVC_STATS_STATUSES] = {
    200, 201, 202, 204, 304, 400, 401, 403, 404, 405, 409, 412, 413, 415, 422,
    500, 503, 0
};

static const apr_int64_t bounds[SVC_STATS_BUCKETS] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000,
    500000, 1000000, 2500000, 5000000, 10000000, -1
};

int svc_stats_status(int index)
{
    return statuses[index];
}

apr_int64_t svc_stats_bound(int bucket)
{
    return bounds[bucket];
}

static void add(atomic_llong *counter, long long n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

void svc_stats_request(svc_stats_t *stats, int route, int status,
                       apr_int64_t us)
{
    svc_stats_route_t *counted = &stats->routes[route];
    svc_stats_latency_t *latency;
    int class = status / 100 - 2, at = 0, bucket = 0;

    if (us < 0)
        us = 0; /* the clock was put back */
    if (class < 0)
        class = 0;
    if (class >= SVC_STATS_CLASSES)
        class = SVC_STATS_CLASSES - 1;
    while (statuses[at] && statuses[at] != status)
        at++;
    while (bounds[bucket] >= 0 && us > bounds[bucket])
        bucket++;
    latency = &counted->latency[class];
    add(&counted->status[at], 1);
    add(&latency->bucket[bucket], 1);
    add(&latency->sum_us, us);
}

double svc_stats_quantile(const long long buckets[SVC_STATS_BUCKETS],
                          double quantile)
{
    long long total = 0, below = 0;
    double rank, from;
    int i;

    for (i = 0; i < SVC_STATS_BUCKETS; i++)
        total += buckets[i];
    if (total == 0)
        return 0;
    rank = quantile * (double)total;
    for (i = 0; i < SVC_STATS_BUCKETS - 1; i++) {
        if ((double)(below + buckets[i]) >= rank && buckets[i] > 0)
            break;
        below += buckets[i];
    }
    from = i ? (double)bounds[i - 1] / 1000 : 0;
    if (i == SVC_STATS_BUCKETS - 1)
        return from; /* it was more: nobody knows how much */
    return from + ((double)bounds[i] / 1000 - from) *
                      (rank - (double)below) / (double)buckets[i];
}

/* --- writers -------------------------------------------------------------------------- */

int svc_stats_is_alive(int pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno != ESRCH);
}

svc_stats_process_t *svc_stats_enter(svc_stats_t *stats, int pid)
{
    int i;

    for (i = 0; i < SVC_STATS_PROCESSES; i++) {
        svc_stats_process_t *process = &stats->processes[i];
        int holder = atomic_load(&process->pid);

        if ((holder && holder != pid && svc_stats_is_alive(holder)) ||
            !atomic_compare_exchange_strong(&process->pid, &holder, pid))
            continue;
        atomic_store(&process->queued, 0);
        atomic_store(&process->begun_at, 0);
        return process;
    }
    return &stats->overflow;
}

void svc_stats_leave(svc_stats_process_t *process)
{
    atomic_store(&process->pid, 0);
}

long long svc_stats_queued(const svc_stats_t *stats, apr_int64_t *begun_at)
{
    long long queued = 0;
    int i;

    *begun_at = 0;
    for (i = 0; i < SVC_STATS_PROCESSES; i++) {
        const svc_stats_process_t *process = &stats->processes[i];
        int pid = atomic_load(&process->pid);
        apr_int64_t at;

        if (!pid || !svc_stats_is_alive(pid))
            continue;
        queued += atomic_load(&process->queued);
        at = atomic_load(&process->begun_at);
        if (at && (!*begun_at || at < *begun_at))
            *begun_at = at;
    }
    return queued;
}

/* --- values that are written as a whole ------------------------------------------------ */

/* A sequence lock (Boehm, "Can seqlocks get along with programming language
 * memory models?"), by words, so that nothing is read that is not an atomic. */
static void put(atomic_uint *turn, atomic_llong *words, const void *value,
                size_t size)
{
    unsigned odd = atomic_load_explicit(turn, memory_order_relaxed) | 1;
    const char *from = value;
    size_t at;

    atomic_store_explicit(turn, odd, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    for (at = 0; at < size; at += 8) {
        long long word = 0;

        memcpy(&word, from + at, size - at < 8 ? size - at : 8);
        atomic_store_explicit(&words[at / 8], word, memory_order_relaxed);
    }
    atomic_store_explicit(turn, odd + 1, memory_order_release);
}

static int get(void *value, size_t size, const atomic_uint *turn,
               const atomic_llong *words)
{
    char *to = value;
    unsigned before;
    int tries;
    size_t at;

    for (tries = 0; tries < TRIES; tries++) {
        before = atomic_load_explicit(turn, memory_order_acquire);
        if (before == 0)
            return 0; /* never written */
        if (before & 1)
            continue;
        for (at = 0; at < size; at += 8) {
            long long word = atomic_load_explicit(&words[at / 8],
                                                  memory_order_relaxed);

            memcpy(to + at, &word, size - at < 8 ? size - at : 8);
        }
        atomic_thread_fence(memory_order_acquire);
        if (atomic_load_explicit(turn, memory_order_relaxed) == before)
            return 1;
    }
    return 0;
}

#define PUT(box, value, size) put(&(box)->turn, (box)->words, value, size)
#define GET(value, size, box) get(value, size, &(box)->turn, (box)->words)

void svc_stats_text(char *to, apr_size_t size, const char *text)
{
    char *end = apr_cpystrn(to, text, size);

    if ((apr_size_t)(end - to) < size - 1 || !text[size - 1])
        return; /* all of it */
    while (end > to && ((unsigned char)*--end & 0xc0) == 0x80)
        ;
    if ((unsigned char)*end >= 0xc0)
        *end = '\0'; /* a character that may have lost its end */
}

/* --- the leader --------------------------------------------------------------------------- */

void svc_stats_lead(svc_stats_t *stats, int pid, apr_int64_t now)
{
    atomic_store(&stats->peer_count, 0);
    atomic_store(&stats->bind_failed_at, 0);
    atomic_store(&stats->turn_at, now);
    atomic_store(&stats->leader_pid, pid);
}

void svc_stats_lead_no_more(svc_stats_t *stats, int pid)
{
    atomic_compare_exchange_strong(&stats->leader_pid, &pid, 0);
}

void svc_stats_database_answered(svc_stats_t *stats, const char *name,
                                 apr_int64_t head, apr_int64_t now)
{
    char text[256] = "";

    svc_stats_text(text, sizeof(text), name);
    PUT(&stats->log, text, sizeof(text));
    atomic_store(&stats->head, head);
    atomic_store(&stats->database_failed_at, 0);
    atomic_store(&stats->database_at, now);
}

void svc_stats_database_failed(svc_stats_t *stats, apr_int64_t now)
{
    long long never = 0;

    atomic_compare_exchange_strong(&stats->database_failed_at, &never, now);
}

void svc_stats_set_peer(svc_stats_t *stats, int index,
                        const svc_stats_peer_t *peer)
{
    if (index < SVC_STATS_PEERS)
        PUT(&stats->peers[index], peer, sizeof(*peer));
    if (index >= atomic_load(&stats->peer_count))
        atomic_store(&stats->peer_count, index + 1);
}

void svc_stats_remember(svc_stats_t *stats, const svc_stats_event_t *event)
{
    long long count = atomic_load(&stats->recent_count);

    PUT(&stats->recent[count % SVC_STATS_RECENT], event, sizeof(*event));
    atomic_store(&stats->recent_count, count + 1);
}

/* --- reading ------------------------------------------------------------------------------ */

int svc_stats_get_log(char name[256], const svc_stats_t *stats)
{
    return GET(name, 256, &stats->log);
}

int svc_stats_get_peer(svc_stats_peer_t *out, const svc_stats_t *stats,
                       int index)
{
    return index < SVC_STATS_PEERS &&
           index < atomic_load(&stats->peer_count) &&
           GET(out, sizeof(*out), &stats->peers[index]);
}

int svc_stats_get_recent(svc_stats_event_t out[SVC_STATS_RECENT],
                         const svc_stats_t *stats)
{
    long long count = atomic_load(&stats->recent_count), at;
    int found = 0;

    for (at = count - 1; at >= 0 && at >= count - SVC_STATS_RECENT; at--)
        found += GET(&out[found], sizeof(*out),
                     &stats->recent[at % SVC_STATS_RECENT]);
    return found;
}
