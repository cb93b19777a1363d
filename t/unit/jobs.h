/* jobs: a small service with a writer in a thread of its own, and commands that
 * show what the writer does with them.
 */
#ifndef JOBS_H
#define JOBS_H

#include <stdatomic.h>

#include <apr_thread_proc.h>

#include "fixture.h"
#include "svc_writer.h"

#define JOBS_MAX_SEEN 4000

static const char *const jobs_step[] = {
    SVC_SCHEMA_COMMON("x"), SVC_SCHEMA_TRIMMED("x"),
    SVC_SCHEMA_IDEMPOTENCY("x"), SVC_SCHEMA_HISTORY("x"),
    "CREATE TABLE x_a (id VARCHAR(36) NOT NULL PRIMARY KEY, n BIGINT NOT NULL)",
    NULL
};
static const char *const *const jobs_steps[] = { jobs_step };
static const svc_schema_t jobs_schema = {
    "x", 1, jobs_steps,
    { "x_version", SVC_DB_SAME("SELECT version FROM x_schema WHERE id = 1") }
};

/* A writer and its thread. */
typedef struct jobs_t {
    svc_writer_t *writer;
    svc_writer_config_t config;
    svc_stats_t stats;
    atomic_int commits; /* calls of on_commit */
    apr_thread_t *thread;
    apr_pool_t *pool;
} jobs_t;

typedef enum {
    JOB_COUNT,    /* counts up the row ID and tells its number */
    JOB_WAIT,     /* the same, once the gate is open */
    JOB_REFUSE,   /* writes nothing and says no */
    JOB_HALF,     /* counts, then says no */
    JOB_POISON,   /* breaks a rule of the database */
    JOB_TRANSIENT,/* asks to be run again, FAILURES times, then counts */
    JOB_AWAY      /* says that the database is away */
} job_kind_t;

typedef struct job_t {
    job_kind_t kind;
    const char *id;
    int failures;
    int expired;          /* orders that it would cancel as overdue */
    apr_int64_t n;        /* handed back: the row's number */
    apr_int64_t head;     /* handed back: the log's head as seen inside */
    atomic_int *runs;     /* counts runs; NULL: nobody asks */
} job_t;

static atomic_int jobs_gate;    /* 1: open */
static atomic_int jobs_waiting; /* commands that stand before it */
/* The ids in the order in which they were touched; only the writer's thread
 * adds, and the test looks when it rests. */
static char jobs_seen[JOBS_MAX_SEEN][40];
static atomic_int jobs_seen_count;

static inline svc_err_t *job_count(job_t *job, svc_stream_tx_t *tx)
{
    static const svc_db_sql_t update = {
        "job_update", SVC_DB_SAME("UPDATE x_a SET n = n + 1 WHERE id = %s")
    };
    static const svc_db_sql_t insert = {
        "job_insert", SVC_DB_SAME("INSERT INTO x_a (id, n) VALUES (%s, 0)")
    };
    static const svc_db_sql_t read = {
        "job_read", SVC_DB_SAME("SELECT n FROM x_a WHERE id = %s")
    };
    static const svc_db_sql_t read_head = {
        "job_head", SVC_DB_SAME("SELECT position FROM x_head")
    };
    const char *args[] = { job->id };
    svc_json_t *data = svc_json_object(tx->pool);
    int changed = 0, at;
    svc_err_t *err = svc_db_run(&changed, tx->db, &update, args, tx->pool);

    if (!err && !changed)
        err = svc_db_run(NULL, tx->db, &insert, args, tx->pool);
    if (err || (err = svc_db_get(&job->n, tx->db, &read, args, tx->pool)) ||
        (err = svc_db_get(&job->head, tx->db, &read_head, NULL, tx->pool)))
        return err;
    svc_json_set_int(data, "version", job->n);
    svc_stream_emit(tx, "x:counted", apr_pstrdup(tx->pool, job->id), data,
                    NULL, NULL);
    at = atomic_fetch_add(&jobs_seen_count, 1);
    if (at < JOBS_MAX_SEEN)
        apr_cpystrn(jobs_seen[at], job->id, sizeof(jobs_seen[0]));
    return NULL;
}

static inline svc_err_t *job_poison(const job_t *job, svc_stream_tx_t *tx)
{
    static const svc_db_sql_t sql = {
        "job_poison", SVC_DB_SAME("INSERT INTO x_a (id, n) VALUES (%s, NULL)")
    };
    const char *args[] = { job->id };

    return svc_db_run(NULL, tx->db, &sql, args, tx->pool);
}

static inline svc_err_t *job_run(void *baton, svc_stream_tx_t *tx,
                                 apr_pool_t *pool)
{
    job_t *job = baton;
    svc_err_t *err;

    if (job->runs)
        atomic_fetch_add(job->runs, 1);
    switch (job->kind) {
    case JOB_COUNT:
        return job_count(job, tx);
    case JOB_WAIT:
        atomic_fetch_add(&jobs_waiting, 1);
        wait_until(atomic_load(&jobs_gate), 20000);
        atomic_fetch_sub(&jobs_waiting, 1);
        return job_count(job, tx);
    case JOB_REFUSE:
        return svc_err_make(pool, SVC_ERR_CONFLICT, "%s is refused", job->id);
    case JOB_HALF:
        err = job_count(job, tx);
        return err ? err : svc_err_make(pool, SVC_ERR_CONFLICT, "half");
    case JOB_POISON:
        return job_poison(job, tx);
    case JOB_TRANSIENT:
        err = job_count(job, tx);
        tx->expired += job->expired;
        if (!err && job->failures-- > 0)
            err = svc_err_ours(tx->pool, SVC_ERR_RETRY, "again", "again");
        return err;
    default:
        return svc_err_ours(tx->pool, SVC_ERR_UNAVAILABLE, "away", "away");
    }
}

static inline void jobs_on_commit(void *baton)
{
    atomic_fetch_add((atomic_int *)baton, 1);
}

static inline void *APR_THREAD_FUNC jobs_thread(apr_thread_t *thread,
                                                void *baton)
{
    jobs_t *jobs = baton;

    (void)thread;
    svc_writer_work(jobs->writer);
    return NULL;
}

/* A writer on FILE (fixture_params) whose events carry PUBLISHER, not running yet. */
static inline jobs_t *jobs_prepare(const char *file, const char *publisher)
{
    jobs_t *jobs = apr_pcalloc(fixture.pool, sizeof(*jobs));

    apr_pool_create(&jobs->pool, NULL);
    jobs->config.name = "test";
    jobs->config.driver = fixture.driver;
    jobs->config.params = file;
    jobs->config.schema = &jobs_schema;
    jobs->config.stream = svc_stream_create("x", publisher, jobs->pool);
    jobs->config.stats = &jobs->stats;
    jobs->config.on_commit = jobs_on_commit;
    jobs->config.on_commit_baton = &jobs->commits;
    return jobs;
}

static inline void jobs_run(jobs_t *jobs)
{
    apr_pool_t *pool;

    apr_pool_create(&pool, jobs->pool);
    jobs->writer = svc_writer_create(&jobs->config, pool);
    if (apr_thread_create(&jobs->thread, NULL, jobs_thread, jobs,
                          jobs->pool) != APR_SUCCESS)
        must(svc_err_make(fixture.pool, SVC_ERR_INTERNAL, "no thread"));
}

static inline jobs_t *jobs_start(const char *file, const char *publisher)
{
    jobs_t *jobs = jobs_prepare(file, publisher);

    jobs_run(jobs);
    return jobs;
}

static inline void jobs_stop(jobs_t *jobs)
{
    apr_status_t status;

    svc_writer_stop(jobs->writer);
    apr_thread_join(&status, jobs->thread);
    apr_pool_destroy(jobs->pool);
}

/* A command; the caller owns one reference. */
static inline svc_command_t *job_make(job_t **out, job_kind_t kind,
                                      const char *id)
{
    void *baton;
    svc_command_t *command = svc_writer_command(&baton, sizeof(job_t), id,
                                                job_run);
    job_t *job = baton;

    job->kind = kind;
    job->id = apr_pstrdup(svc_writer_command_pool(command), id);
    if (out)
        *out = job;
    return command;
}

static inline apr_status_t job_is_freed(void *baton)
{
    atomic_fetch_add((atomic_int *)baton, 1);
    return APR_SUCCESS;
}

/* COUNT is raised when the memory of COMMAND is freed. */
static inline void job_watch(svc_command_t *command, atomic_int *count)
{
    apr_pool_cleanup_register(svc_writer_command_pool(command), count,
                              job_is_freed, apr_pool_cleanup_null);
}

/* Carries one out; N (may be NULL) gets its number. The answer is copied. */
static inline svc_err_t *job_do(apr_int64_t *n, jobs_t *jobs, job_kind_t kind,
                                const char *id, apr_pool_t *pool)
{
    job_t *job;
    svc_command_t *command = job_make(&job, kind, id);
    svc_err_t *err = svc_err_copy(svc_writer_execute(jobs->writer, command,
                                                     pool), pool);

    if (n && !err)
        *n = job->n;
    svc_writer_release(command);
    return err;
}

/* Hands in a command that keeps the writer busy until the gate opens, so that
 * what follows gathers. */
static inline svc_command_t *jobs_block(jobs_t *jobs)
{
    svc_command_t *command = job_make(NULL, JOB_WAIT, "gate");

    atomic_store(&jobs_gate, 0);
    svc_writer_submit(jobs->writer, command);
    if (!wait_until(atomic_load(&jobs_waiting) == 1, 10000))
        must(svc_err_make(fixture.pool, SVC_ERR_INTERNAL, "not blocked"));
    atomic_store(&jobs_seen_count, 0);
    return command;
}

/* Opens the gate and waits until COMMAND is done; its answer, copied. */
static inline svc_err_t *jobs_await(jobs_t *jobs, svc_command_t *command)
{
    svc_err_t *err = NULL;

    atomic_store(&jobs_gate, 1);
    if (!wait_until(svc_writer_is_done(&err, jobs->writer, command), 10000))
        return svc_err_make(fixture.pool, SVC_ERR_INTERNAL,
                            "the command is not done");
    return svc_err_copy(err, fixture.pool);
}

#endif
