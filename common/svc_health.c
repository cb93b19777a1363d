/* svc_health: see the header. */
#include "svc_health.h"

#include <string.h>

#include <apr_strings.h>

#define NO_LEADER_MS 2000 /* from one leader to the next it takes moments */

typedef struct look_t {
    svc_health_t *health;
    const svc_stats_t *stats;
    const svc_health_config_t *config;
    apr_int64_t now, ticks;
    apr_pool_t *pool;
} look_t;

static const char *const engines[] = { "SQLite", "PostgreSQL", "MariaDB",
                                       "of an unknown kind" };

const char *svc_health_word(svc_health_state_t state)
{
    static const char *const words[] = { "ok", "degraded", "down" };

    return words[state];
}

/* SINCE in ticks; 0: not known. */
static void complain(const look_t *look, svc_health_state_t state,
                     const char *what, apr_int64_t since, const char *message)
{
    svc_health_problem_t *problem = apr_array_push(look->health->problems);

    problem->what = what;
    problem->since = since ? look->now - (look->ticks - since) : 0;
    problem->message = message;
    if (look->health->state < state)
        look->health->state = state;
}

static const char *seconds(const look_t *look, apr_int64_t since)
{
    apr_int64_t s = (look->ticks - since) / 1000;

    return s < 120 ? apr_psprintf(look->pool, "%" APR_INT64_T_FMT " seconds", s)
                   : apr_psprintf(look->pool, "%" APR_INT64_T_FMT " minutes",
                                  s / 60);
}

static const char *events(const look_t *look, apr_int64_t count)
{
    return apr_psprintf(look->pool, "%" APR_INT64_T_FMT " event%s", count,
                        count == 1 ? "" : "s");
}

static int leader(const svc_stats_t *stats)
{
    int pid = atomic_load(&stats->leader_pid);

    return svc_stats_is_alive(pid) ? pid : 0;
}

/* --- the database ------------------------------------------------------------------- */

static int is_up(const look_t *look)
{
    apr_int64_t at = atomic_load(&look->stats->database_at);

    if (look->config->database_answers >= 0)
        return look->config->database_answers;
    /* Without a leader nobody has looked since, which says nothing about the
     * database; a leader that hangs may well hang there. */
    return at && !atomic_load(&look->stats->database_failed_at) &&
           (look->ticks - at < SVC_HEALTH_STUCK_MS || !leader(look->stats));
}

static void examine_database(const look_t *look)
{
    apr_int64_t at = atomic_load(&look->stats->database_at);
    apr_int64_t failed_at = atomic_load(&look->stats->database_failed_at);

    look->health->is_database_up = is_up(look);
    if (look->health->is_database_up)
        return;
    complain(look, SVC_HEALTH_DOWN, "database", failed_at ? failed_at : at,
             apr_psprintf(look->pool,
                          "The database (%s) %s: reads and writes are answered "
                          "503 until it does; the error log says why (SVC010, "
                          "SVC040, SVC072).",
                          engines[look->config->engine],
                          at ? "does not answer"
                             : "has not answered yet since httpd was started"));
}

/* --- the leader ---------------------------------------------------------------------- */

int svc_health_has_leader(const svc_stats_t *stats, apr_int64_t ticks)
{
    return leader(stats) &&
           ticks - atomic_load(&stats->turn_at) < SVC_HEALTH_STUCK_MS;
}

static void examine_leader(const look_t *look)
{
    apr_int64_t turn_at = atomic_load(&look->stats->turn_at);
    apr_int64_t age = look->ticks - turn_at;
    int pid = look->health->leader_pid = leader(look->stats);

    if (!pid && turn_at && age > NO_LEADER_MS)
        complain(look, SVC_HEALTH_DEGRADED, "leader", turn_at,
                 "No process leads: events are neither published nor applied, "
                 "and no order expires; the error log says why (SVC004, "
                 "SVC005).");
    else if (!pid && !turn_at &&
             look->now - atomic_load(&look->stats->started_at) >
                 SVC_HEALTH_STUCK_MS)
        complain(look, SVC_HEALTH_DEGRADED, "leader", 0,
                 "No process has led since httpd was started: events are "
                 "neither published nor applied; the error log says why "
                 "(SVC004, SVC005).");
    else if (pid && age > SVC_HEALTH_STUCK_MS)
        complain(look, SVC_HEALTH_DEGRADED, "leader", turn_at,
                 apr_psprintf(look->pool,
                              "The process that leads (pid %d) has not moved "
                              "for %s: events wait.", pid,
                              seconds(look, turn_at)));
}

static void examine_publisher(const look_t *look)
{
    apr_int64_t at = atomic_load(&look->stats->bind_failed_at);

    if (at && look->health->leader_pid && look->ticks - at > NO_LEADER_MS)
        complain(look, SVC_HEALTH_DEGRADED, "publisher", at,
                 "The endpoints for events cannot be bound, so nobody hears of "
                 "what happens here; the error log says why (SVC020).");
}

/* --- writes ----------------------------------------------------------------------------- */

static void examine_writes(const look_t *look)
{
    apr_int64_t at;

    look->health->queued = svc_stats_queued(look->stats, &at);
    if (look->health->queued && at && look->ticks - at > SVC_HEALTH_WAITING_MS)
        complain(look, SVC_HEALTH_DEGRADED, "writes", at,
                 apr_psprintf(look->pool,
                              "%" APR_INT64_T_FMT " write%s for the database, "
                              "which has not taken the first for %s.",
                              (apr_int64_t)look->health->queued,
                              look->health->queued == 1 ? " waits" : "s wait",
                              seconds(look, at)));
}

/* --- what is followed ------------------------------------------------------------------- */

static const char *state_of(const look_t *look, const svc_stats_peer_t *told)
{
    apr_int64_t heard_at = told->heard_at ? told->heard_at : told->opened_at;
    int is_late = told->marked_at &&
                  look->ticks - told->marked_at > SVC_HEALTH_BEHIND_MS;

    if (look->ticks - heard_at > SVC_HEALTH_SILENT_MS)
        return "silent";
    if (told->has_replay && !told->source[0])
        return "catching-up"; /* it was not heard of yet */
    if (told->is_complete)
        return "following";
    return is_late && look->ticks - told->moved_at > SVC_HEALTH_BEHIND_MS
               ? "stopped"
               : "catching-up";
}

static void examine_peer(const look_t *look, const svc_health_peer_t *peer)
{
    const svc_stats_peer_t *told = &peer->told;
    apr_int64_t heard_at = told->heard_at ? told->heard_at : told->opened_at;
    int is_late = told->marked_at &&
                  look->ticks - told->marked_at > SVC_HEALTH_BEHIND_MS;

    if (strcmp(peer->state, "silent") == 0) {
        if (told->has_replay) /* others have no heartbeats, perhaps */
            complain(look, SVC_HEALTH_DEGRADED, "source", heard_at,
                     apr_psprintf(look->pool,
                                  "Nothing has been heard from %s for %s: what "
                                  "happens there is not known here.",
                                  told->endpoint, seconds(look, heard_at)));
    } else if (told->has_replay && !told->is_complete && is_late) {
        complain(look, SVC_HEALTH_DEGRADED, "source", told->marked_at,
                 strcmp(peer->state, "stopped") == 0
                     ? apr_psprintf(look->pool,
                                    "The events of %s are not applied: %s "
                                    "behind, and nothing has moved for %s "
                                    "(SVC033, SVC035).", told->endpoint,
                                    events(look, peer->lag),
                                    seconds(look, told->moved_at
                                                      ? told->moved_at
                                                      : told->opened_at))
                     : apr_psprintf(look->pool,
                                    "What happened at %s in the last %s is not "
                                    "all known here: %s behind, and catching "
                                    "up.", told->endpoint,
                                    seconds(look, told->marked_at),
                                    events(look, peer->lag)));
    }
}

static void examine_peers(const look_t *look)
{
    int known = atomic_load(&look->stats->peer_count), i;

    for (i = 0; i < known; i++) {
        svc_health_peer_t peer;

        if (!svc_stats_get_peer(&peer.told, look->stats, i))
            continue;
        peer.state = look->health->is_database_up ? state_of(look, &peer.told)
                                                  : "stopped";
        peer.lag = peer.told.head > peer.told.position
                       ? peer.told.head - peer.told.position : 0;
        APR_ARRAY_PUSH(look->health->peers, svc_health_peer_t) = peer;
        if (look->health->leader_pid && look->health->is_database_up)
            examine_peer(look, &peer); /* else it is said what is wrong */
    }
    if (look->health->leader_pid && known &&
        known < look->config->subscriptions)
        complain(look, SVC_HEALTH_DEGRADED, "source", 0,
                 apr_psprintf(look->pool,
                              "Of %d subscriptions %d could not be opened; the "
                              "error log says why (SVC031).",
                              look->config->subscriptions,
                              look->config->subscriptions - known));
}

static void examine_events(const look_t *look)
{
    apr_int64_t at = atomic_load(&look->stats->quarantined_at);

    if (at && look->ticks - at < SVC_HEALTH_RECENT_MS)
        complain(look, SVC_HEALTH_DEGRADED, "events", at,
                 apr_psprintf(look->pool,
                              "Events that cannot be applied were set aside, "
                              "%" APR_INT64_T_FMT " since httpd was started, "
                              "the last one %s ago: look into %s_quarantine "
                              "(SVC030).",
                              (apr_int64_t)atomic_load(
                                  &look->stats->quarantined),
                              seconds(look, at), look->config->service));
}

svc_health_t *svc_health_examine(const svc_stats_t *stats,
                                 const svc_health_config_t *config,
                                 apr_int64_t now, apr_int64_t ticks,
                                 apr_pool_t *pool)
{
    svc_health_t *health = apr_pcalloc(pool, sizeof(*health));
    look_t look = { health, stats, config, now, ticks, pool };

    health->problems = apr_array_make(pool, 4, sizeof(svc_health_problem_t));
    health->peers = apr_array_make(pool, 4, sizeof(svc_health_peer_t));
    examine_database(&look);
    examine_leader(&look);
    examine_writes(&look);
    examine_publisher(&look);
    examine_peers(&look);
    examine_events(&look);
    return health;
}
