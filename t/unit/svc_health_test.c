/* svc_health: from what the processes of a service tell to its state, and to the
 * sentences that say what is wrong. Time is a number here.
 */
#include "fixture.h"

#include "svc_health.h"

#define NOW 1779969600000 /* ms since 1970; any time will do */
#define TICKS 5000000

static svc_stats_t stats;
static svc_health_config_t config;
static svc_health_t *health;
static svc_stats_peer_t peer;

/* A service that is well: this process leads, the database answers, one
 * publisher is followed. */
static void begin(void)
{
    memset(&stats, 0, sizeof(stats));
    atomic_store(&stats.started_at, NOW - 3600000);
    svc_stats_lead(&stats, (int)getpid(), TICKS - 100);
    svc_stats_database_answered(&stats, "urn:uuid:a", 12, TICKS - 200);
    memset(&peer, 0, sizeof(peer));
    strcpy(peer.endpoint, "tcp://127.0.0.1:5556");
    strcpy(peer.source, "urn:uuid:b");
    peer.has_replay = peer.is_complete = 1;
    peer.position = peer.head = 40;
    peer.opened_at = TICKS - 60000;
    peer.heard_at = TICKS - 900;
    peer.moved_at = peer.marked_at = peer.event_at = TICKS - 800;
    svc_stats_set_peer(&stats, 0, &peer);
    config = (svc_health_config_t){ "orders", SVC_DB_SQLITE, 1, -1 };
}

static void examine(void)
{
    health = svc_health_examine(&stats, &config, NOW, TICKS, fixture.pool);
}

static const svc_health_problem_t *problem(int index)
{
    static const svc_health_problem_t none = { "none", 0, "" };

    return index < health->problems->nelts
               ? &APR_ARRAY_IDX(health->problems, index, svc_health_problem_t)
               : &none;
}

/* There is one problem, WHAT, and its sentence has WORDS. */
static void is_wrong(svc_health_state_t state, const char *what,
                     const char *words, const char *name)
{
    examine();
    is_str(svc_health_word(health->state), svc_health_word(state), "%s", name);
    is_str(problem(0)->what, what, "... it is said what is wrong");
    ok(strstr(problem(0)->message, words) != NULL, "... in words: %s",
       problem(0)->message);
    is_str(problem(1)->what, "none", "... and nothing else");
}

static const char *peer_state(void)
{
    examine();
    return APR_ARRAY_IDX(health->peers, 0, svc_health_peer_t).state;
}

static void well(void)
{
    begin();
    examine();
    is_str(svc_health_word(health->state), "ok", "nothing is wrong");
    is_int(health->problems->nelts, 0, "... and nothing is said");
    is_int(health->leader_pid, getpid(), "... the leader is known");
    is_str(peer_state(), "following", "... and follows");
    ok(svc_health_has_leader(&stats, TICKS), "there is a leader");
}

static void database(void)
{
    begin();
    svc_stats_database_failed(&stats, TICKS - 7000);
    svc_stats_database_failed(&stats, TICKS - 10);
    is_wrong(SVC_HEALTH_DOWN, "database", "The database (SQLite) does not "
                                          "answer", "the database failed");
    is_int(problem(0)->since, NOW - 7000, "... since it did first");
    is_str(peer_state(), "stopped", "... so nothing is applied");
    svc_stats_database_answered(&stats, "urn:uuid:a", 12, TICKS - 5);
    examine();
    is_int(health->state, SVC_HEALTH_OK, "it answers again");
    atomic_store(&stats.database_at, TICKS - SVC_HEALTH_STUCK_MS);
    is_wrong(SVC_HEALTH_DOWN, "database", "does not answer",
             "it has not answered for long");
    begin();
    atomic_store(&stats.database_at, 0);
    config.engine = SVC_DB_PGSQL;
    is_wrong(SVC_HEALTH_DOWN, "database",
             "The database (PostgreSQL) has not answered yet",
             "it never answered");
    config.database_answers = 1;
    examine();
    ok(health->is_database_up, "what a request has seen counts");
    begin();
    config.database_answers = 0;
    examine();
    ok(!health->is_database_up, "... also when that is nothing");
    begin();
    svc_stats_lead_no_more(&stats, (int)getpid());
    atomic_store(&stats.database_at, TICKS - 60000);
    examine();
    ok(health->is_database_up, "without a leader it is as it was seen last");
    atomic_store(&stats.database_failed_at, TICKS - 59000);
    examine();
    ok(!health->is_database_up, "... also when that was a failure");
}

static void leader(void)
{
    begin();
    svc_stats_lead_no_more(&stats, 1);
    examine();
    is_int(health->leader_pid, getpid(), "only the leader gives up leading");
    svc_stats_lead_no_more(&stats, (int)getpid());
    examine();
    is_int(health->state, SVC_HEALTH_OK, "no leader for a moment is no problem");
    is_int(health->leader_pid, 0, "... there is none, though");
    ok(!svc_health_has_leader(&stats, TICKS), "... and it shows");
    atomic_store(&stats.turn_at, TICKS - 3000);
    is_wrong(SVC_HEALTH_DEGRADED, "leader", "No process leads",
             "no leader for long");
    is_int(problem(0)->since, NOW - 3000, "... since the last one's turn");
    begin();
    atomic_store(&stats.leader_pid, 0x3ffffff); /* no such process */
    atomic_store(&stats.turn_at, TICKS - 3000);
    is_wrong(SVC_HEALTH_DEGRADED, "leader", "No process leads",
             "the leader was killed");
    begin();
    atomic_store(&stats.turn_at, TICKS - 8000);
    is_wrong(SVC_HEALTH_DEGRADED, "leader", "has not moved for 8 seconds",
             "the leader hangs");
    begin();
    atomic_store(&stats.turn_at, 0);
    atomic_store(&stats.leader_pid, 0);
    is_wrong(SVC_HEALTH_DEGRADED, "leader", "No process has led",
             "there never was a leader");
    atomic_store(&stats.started_at, NOW - 1000);
    examine();
    is_int(health->state, SVC_HEALTH_OK, "... which takes a moment");
}

static void writes(void)
{
    svc_stats_process_t *process;

    begin();
    process = svc_stats_enter(&stats, (int)getpid());
    atomic_store(&process->queued, 2);
    atomic_store(&process->begun_at, TICKS - 1000);
    examine();
    is_int(health->state, SVC_HEALTH_OK, "writes wait a moment");
    is_int(health->queued, 2, "... and are counted");
    atomic_store(&process->begun_at, TICKS - 6000);
    is_wrong(SVC_HEALTH_DEGRADED, "writes", "2 writes wait for the database, "
             "which has not taken the first for 6 seconds",
             "writes wait for long");
    atomic_store(&process->queued, 1);
    is_wrong(SVC_HEALTH_DEGRADED, "writes", "1 write waits", "one does");
}

static void sources(void)
{
    begin();
    peer.heard_at = TICKS - 130000;
    svc_stats_set_peer(&stats, 0, &peer);
    is_wrong(SVC_HEALTH_DEGRADED, "source",
             "Nothing has been heard from tcp://127.0.0.1:5556 for 2 minutes",
             "a publisher is silent");
    is_str(peer_state(), "silent", "... its state says so");
    is_int(problem(0)->since, NOW - 130000, "... since then");
    peer.has_replay = 0;
    peer.source[0] = '\0';
    svc_stats_set_peer(&stats, 0, &peer);
    examine();
    is_int(health->state, SVC_HEALTH_OK,
           "one without replay may be silent: it need not have heartbeats");
    begin();
    peer.heard_at = 0;
    peer.opened_at = TICKS - 1000;
    peer.source[0] = '\0';
    peer.is_complete = 0;
    peer.marked_at = 0;
    svc_stats_set_peer(&stats, 0, &peer);
    is_str(peer_state(), "catching-up", "one that was just connected to");
    is_int(health->state, SVC_HEALTH_OK, "... has a moment to say something");
    begin();
    peer.position = 15;
    peer.is_complete = 0;
    svc_stats_set_peer(&stats, 0, &peer);
    is_str(peer_state(), "catching-up", "a follower is behind");
    is_int(APR_ARRAY_IDX(health->peers, 0, svc_health_peer_t).lag, 25,
           "... by so many events");
    is_int(health->state, SVC_HEALTH_OK, "... for a moment, which is usual");
    peer.marked_at = TICKS - 30000;
    svc_stats_set_peer(&stats, 0, &peer);
    is_wrong(SVC_HEALTH_DEGRADED, "source",
             "in the last 30 seconds is not all known here: 25 events behind, "
             "and catching up", "a follower is far behind");
    peer.moved_at = TICKS - 20000;
    svc_stats_set_peer(&stats, 0, &peer);
    is_wrong(SVC_HEALTH_DEGRADED, "source", "are not applied: 25 events behind, "
             "and nothing has moved for 20 seconds", "... and stands");
    is_str(peer_state(), "stopped", "... its state says so");
    begin();
    config.subscriptions = 3;
    is_wrong(SVC_HEALTH_DEGRADED, "source", "Of 3 subscriptions 2 could not",
             "a subscription could not be opened");
}

static void others(void)
{
    begin();
    atomic_store(&stats.bind_failed_at, TICKS - 9000);
    is_wrong(SVC_HEALTH_DEGRADED, "publisher", "cannot be bound",
             "an endpoint is in use");
    begin();
    atomic_store(&stats.quarantined, 3);
    atomic_store(&stats.quarantined_at, TICKS - 60000);
    is_wrong(SVC_HEALTH_DEGRADED, "events",
             "3 since httpd was started, the last one 60 seconds ago: look "
             "into orders_quarantine", "events were set aside");
    atomic_store(&stats.quarantined_at, TICKS - SVC_HEALTH_RECENT_MS);
    examine();
    is_int(health->state, SVC_HEALTH_OK, "... which is said for an hour");
    atomic_store(&stats.quarantined_at, TICKS - 60000);
    svc_stats_database_failed(&stats, TICKS - 7000);
    examine();
    is_str(problem(0)->what, "database", "the worst is said first");
    is_str(problem(1)->what, "events", "... and then the rest");
    is_int(health->state, SVC_HEALTH_DOWN, "... and the worst is the state");
}

int main(void)
{
    fixture_begin();
    well();
    database();
    leader();
    writes();
    sources();
    others();
    return fixture_end();
}
