/* svc_leader: what is too old is removed from the log and the quarantine, a
 * bounded number at a time, while others write; and nothing else is.
 */
#include "jobs.h"

#include "svc_leader.h"

#define DAY_MS (24LL * 3600 * 1000)

static jobs_t *jobs;
static svc_db_t *db;
static svc_leader_config_t config;
static svc_leader_config_t *its_config; /* the leader's */
static svc_leader_t *leader;
static apr_pool_t *pool; /* the leader's */

static svc_err_t *apply(svc_inbox_outcome_t *outcome,
                        const svc_inbox_context_t *context,
                        const svc_event_t *event)
{
    (void)context;
    (void)event;
    *outcome = SVC_INBOX_IGNORED;
    return NULL;
}

/* Its configuration ends with it, as it does in a process of httpd. */
static void start(apr_int64_t retention_ms)
{
    apr_pool_create(&pool, fixture.pool);
    its_config = malloc(sizeof(*its_config));
    *its_config = config;
    its_config->retention_ms = retention_ms;
    must(svc_leader_create(&leader, its_config, pool));
}

static void stop(void)
{
    svc_leader_destroy(leader);
    memset(its_config, 0xff, sizeof(*its_config));
    free(its_config);
    apr_pool_destroy(pool);
}

static void turn(void)
{
    svc_leader_turn(leader, NULL, 0, 1);
}

static int trimmed(void)
{
    return (int)atomic_load(&jobs->stats.trimmed);
}

static int rows(const char *table)
{
    return (int)fixture_int(db, apr_psprintf(fixture.pool,
                                             "SELECT COUNT(*) FROM %s", table));
}

/* COUNT events of AGE_MS, at the next positions. */
static void write_events(int count, apr_int64_t age_ms)
{
    apr_int64_t head = fixture_int(db, "SELECT position FROM x_head");

    fixture_do(db, apr_psprintf(fixture.pool,
        "INSERT INTO x_log (position, event_id, subject, entity_id, "
        "recorded_at, publisher, event) WITH RECURSIVE c(n) AS (SELECT 1 "
        "UNION ALL SELECT n + 1 FROM c WHERE n < %d) SELECT %d + n, "
        "'e' || (%d + n), 's', 'e', %" APR_INT64_T_FMT " + n, '', '{}' FROM c",
        count, (int)head, (int)head, apr_time_now() / 1000 - age_ms));
    fixture_do(db, apr_psprintf(fixture.pool, "UPDATE x_head SET position = "
                                "position + %d", count));
}

static void set_aside(const char *id, apr_int64_t age_ms)
{
    fixture_do(db, apr_psprintf(fixture.pool,
        "INSERT INTO x_quarantine (id, position, subject, reason, recorded_at) "
        "VALUES ('%s', 0, 's', 'r', %" APR_INT64_T_FMT ")", id,
        apr_time_now() / 1000 - age_ms));
}

static void use_keys(int count, apr_int64_t age_ms)
{
    fixture_do(db, apr_psprintf(fixture.pool,
        "INSERT INTO x_idempotency (user_id, idempotency_key, fingerprint, "
        "recorded_at, answer) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL "
        "SELECT n + 1 FROM c WHERE n < %d) SELECT 'u', '%s' || n, 'f', "
        "%" APR_INT64_T_FMT " + n, '{}' FROM c", count,
        age_ms > DAY_MS ? "old" : "young", apr_time_now() / 1000 - age_ms));
}

static void forgotten_keys(void)
{
    use_keys(2500, 2 * DAY_MS);
    use_keys(10, DAY_MS / 2);
    start(0);
    ok(wait_until((turn(), rows("x_idempotency") <= 10), 15000),
       "idempotency keys are forgotten when their time is over, also without a "
       "retention");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_idempotency WHERE "
                           "idempotency_key LIKE 'young%%'"), 10,
           "... and not before");
    stop();
}

static void for_ever(void)
{
    int i;

    write_events(3500, 2 * DAY_MS);
    write_events(10, DAY_MS / 2);
    set_aside("old", 2 * DAY_MS);
    set_aside("young", DAY_MS / 2);
    start(0);
    for (i = 0; i < 50; i++)
        turn();
    must(job_do(NULL, jobs, JOB_COUNT, "a", fixture.pool));
    is_int(rows("x_log"), 3511, "without a retention all events are kept");
    is_int(rows("x_quarantine"), 2, "... and what was set aside");
    stop();
}

static void in_bounds(void)
{
    int before = 0, most = 0, steps = 0, written = 0;
    apr_time_t until = apr_time_now() + 15000000;

    start(DAY_MS);
    while (before < 3500 && apr_time_now() < until) {
        turn();
        if (trimmed() == before)
            continue;
        steps++;
        most = trimmed() - before > most ? trimmed() - before : most;
        before = trimmed();
        must(job_do(NULL, jobs, JOB_COUNT, "a", fixture.pool));
        written++;
    }
    is_int(trimmed(), 3500, "what is older than the retention is removed");
    is_int(most, 1000, "... 1000 events at a time");
    is_int(steps, 4, "... one after the other, without a pause");
    is_int(fixture_int(db, "SELECT MIN(position) FROM x_log"), 3501,
           "... from the begin of the log");
    is_int(rows("x_log"), 11 + written, "... and no more; others write meanwhile");
    is_int(fixture_int(db, "SELECT position FROM x_head"), 3511 + written,
           "... at the next positions");
    is_str(fixture_text(db, "SELECT position || event_id FROM x_trimmed"),
           "3500e3500", "the last one that was removed is noted");
    is_str(fixture_text(db, "SELECT id FROM x_quarantine"), "young",
           "what was set aside before that is forgotten, too");
    stop();
}

/* It ends while its command waits for the writer. */
static void given_up(void)
{
    svc_command_t *gate;
    int i;

    fixture_do(db, "UPDATE x_log SET recorded_at = 0");
    gate = jobs_block(jobs);
    start(DAY_MS);
    for (i = 0; i < 20; i++)
        turn();
    is_int(rows("x_log") > 0, 1, "the writer is busy: nothing is removed yet");
    stop();
    must(jobs_await(jobs, gate));
    svc_writer_release(gate);
    ok(wait_until(rows("x_log") == 1, 10000),
       "a leader that has ended meanwhile does no harm: what it has handed in "
       "is carried out");
    is_int(trimmed(), 3500, "... if not counted");
}

int main(void)
{
    apr_array_header_t *peers;

    fixture_begin();
    peers = apr_array_make(fixture.pool, 1, sizeof(svc_link_peer_t));
    jobs = jobs_start(fixture_params("x.db"), "");
    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    db = fixture_open("x.db");
    config.name = "test";
    config.driver = fixture.driver;
    config.params = fixture_params("x.db");
    config.publisher.name = "test";
    config.publisher.stream = jobs->config.stream;
    config.publisher.stats = &jobs->stats;
    config.subscriber.name = "test";
    config.subscriber.peers = peers;
    config.subscriber.subjects = (const char *const[]){ "x:", NULL };
    config.subscriber.inbox = svc_inbox_create("x", fixture.pool);
    config.subscriber.handler = &(svc_inbox_handler_t){ .apply = apply };
    config.subscriber.writer = jobs->writer;
    config.idempotency = svc_idempotency_create("x", fixture.pool);
    config.idempotency_ttl_ms = DAY_MS;
    config.subscriber.stats = &jobs->stats;
    forgotten_keys();
    for_ever();
    in_bounds();
    given_up();
    svc_db_close(db);
    jobs_stop(jobs);
    return fixture_end();
}
