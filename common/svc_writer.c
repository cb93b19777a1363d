/* svc_writer: see the header. */
#include "svc_writer.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "svc_db_place.h"
#include "svc_lock.h"
#include "svc_log.h"
#include "svc_outage.h"
#include "svc_queue.h"
#include "svc_time.h"

#define MAX_BATCH 256
#define PAUSE_MS 5
#define AWAY_MOST 6            /* 320 ms: until the database is back */
#define CONFLICT_MOST 2        /* 20 ms: whoever has won is done by then */
#define REOPEN_MS 500          /* between attempts to reach the database */

struct svc_writer_t {
    const svc_writer_config_t *config;
    apr_pool_t *pool;
    apr_pool_t *scratch; /* cleared for every attempt */
    svc_queue_t *queue;
    svc_stats_process_t *told; /* what others may know of it */
    apr_thread_mutex_t *mutex;  /* of what tells how the opening went */
    apr_thread_cond_t *settled; /* the first opening succeeded or failed */
    int is_settled;
    atomic_int was_ready; /* the schema is there; once set, for ever */
    svc_err_t *down; /* why the database cannot be reached; NULL: it can */
    int is_behind; /* its tables are not there or old, and left so */
    int was_behind; /* that is what was said of it */
    svc_outage_t outage; /* of the database */
    svc_db_t *db;    /* NULL: not connected */
    svc_lock_t *lock; /* NULL: the engine needs none, or not opened yet */
};

svc_writer_t *svc_writer_create(const svc_writer_config_t *config,
                                apr_pool_t *pool)
{
    svc_writer_t *writer = apr_pcalloc(pool, sizeof(*writer));

    writer->config = config;
    writer->pool = pool;
    writer->told = svc_stats_enter(config->stats, (int)getpid());
    writer->queue = svc_queue_create(&writer->told->queued, pool);
    if (apr_thread_mutex_create(&writer->mutex, APR_THREAD_MUTEX_DEFAULT,
                                pool) != APR_SUCCESS ||
        apr_thread_cond_create(&writer->settled, pool) != APR_SUCCESS)
        abort(); /* out of memory */
    apr_pool_create(&writer->scratch, pool);
    return writer;
}

svc_command_t *svc_writer_command(void **baton, apr_size_t size,
                                  const char *key, svc_writer_run_fn run)
{
    svc_command_t *command;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL); /* the global allocator is thread-safe */
    command = apr_pcalloc(pool, sizeof(*command));
    command->pool = pool;
    command->run = run;
    command->key = apr_pstrdup(pool, key);
    command->baton = apr_pcalloc(pool, size);
    command->references = 1;
    command->weight = 1;
    *baton = command->baton;
    return command;
}

void svc_writer_command_weigh(svc_command_t *command, int weight)
{
    command->weight = weight;
}

void svc_writer_command_origin(svc_command_t *command,
                               const svc_origin_t *origin)
{
    command->origin = svc_origin_copy(origin, command->pool);
}

apr_pool_t *svc_writer_command_pool(const svc_command_t *command)
{
    return command->pool;
}

void svc_writer_release(svc_command_t *command)
{
    svc_queue_release(command);
}

svc_err_t *svc_writer_execute(svc_writer_t *writer, svc_command_t *command,
                              apr_pool_t *pool)
{
    return svc_queue_execute(writer->queue, command, SVC_WRITER_BUDGET_MS,
                             pool);
}

void svc_writer_submit(svc_writer_t *writer, svc_command_t *command)
{
    svc_queue_submit(writer->queue, command);
}

int svc_writer_is_done(svc_err_t **err, svc_writer_t *writer,
                       svc_command_t *command)
{
    return svc_queue_is_done(err, writer->queue, command);
}

void svc_writer_stop(svc_writer_t *writer)
{
    svc_queue_stop(writer->queue);
}

svc_err_t *svc_writer_ready(svc_writer_t *writer, int timeout_ms,
                            apr_pool_t *pool)
{
    apr_int64_t deadline = svc_time_ticks() + timeout_ms;
    apr_int64_t left;
    svc_err_t *err = NULL;

    if (writer->was_ready)
        return NULL;
    apr_thread_mutex_lock(writer->mutex);
    while (!writer->is_settled && (left = deadline - svc_time_ticks()) > 0)
        apr_thread_cond_timedwait(writer->settled, writer->mutex, left * 1000);
    if (!writer->was_ready)
        err = writer->down ? svc_err_copy(writer->down, pool)
                           : svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                                          "The database is not available",
                                          "the database is still being opened");
    apr_thread_mutex_unlock(writer->mutex);
    return err;
}

/* --- the writer's thread ------------------------------------------------- */

static void disconnect(svc_writer_t *writer)
{
    if (writer->db)
        svc_db_close(writer->db);
    writer->db = NULL;
}

static svc_err_t *check_schema(svc_writer_t *writer)
{
    const svc_schema_t *schema = writer->config->schema;
    apr_int64_t version;
    svc_err_t *err;

    if (!writer->config->leaves_schema)
        return svc_schema_migrate(writer->db, schema, writer->scratch);
    if ((err = svc_schema_version(&version, writer->db, schema,
                                  writer->scratch)))
        return err;
    writer->is_behind = version < schema->version;
    return svc_schema_refusal(schema, version, writer->scratch);
}

static svc_err_t *connect_db(svc_writer_t *writer)
{
    const svc_writer_config_t *config = writer->config;
    svc_err_t *err = svc_db_open(&writer->db, config->driver, config->params,
                                 writer->pool, writer->scratch);

    if (err || writer->was_ready)
        return err;
    if ((err = check_schema(writer)) ||
        (err = svc_stream_setup(writer->db, config->stream, writer->scratch)))
        disconnect(writer);
    return err;
}

static svc_err_t *lock(svc_writer_t *writer)
{
    const char *file = svc_db_place_file(writer->config->driver,
                                         writer->config->params,
                                         writer->scratch);
    svc_err_t *err = NULL;

    if (!file)
        return NULL;
    if (!writer->lock)
        err = svc_lock_open(&writer->lock,
                            apr_pstrcat(writer->scratch, file, ".lock", NULL), 1,
                            writer->pool, writer->scratch);
    return err ? err : svc_lock_acquire(writer->lock, writer->scratch);
}

static void unlock(svc_writer_t *writer)
{
    if (writer->lock)
        svc_lock_release(writer->lock);
}

/* Tells those who wait in svc_writer_ready, and the log when it is news. */
static void settle(svc_writer_t *writer, svc_err_t *err)
{
    const char *name = writer->config->name;
    const char *file = svc_db_place_file(writer->config->driver,
                                         writer->config->params,
                                         writer->scratch);
    const char *why = err && err->detail ? err->detail
                                         : err ? err->message : NULL;
    int was_down = writer->down != NULL;
    const char *outage = NULL;
    int is_first = !writer->was_ready;
    int is_news = err &&
                  (!was_down || writer->is_behind != writer->was_behind);

    writer->was_behind = writer->is_behind;
    if (err)
        svc_outage_begins(&writer->outage);
    else
        outage = svc_outage_ends(&writer->outage, writer->scratch);
    apr_thread_mutex_lock(writer->mutex);
    if (is_news)
        writer->down = svc_err_copy(err, writer->pool);
    if (!err) {
        writer->down = NULL;
        writer->was_ready = 1;
        atomic_store(&writer->config->stats->schema_version,
                     writer->config->schema->version);
    }
    writer->is_settled = 1;
    apr_thread_cond_broadcast(writer->settled);
    apr_thread_mutex_unlock(writer->mutex);
    if (is_news && writer->is_behind)
        svc_log(SVC_LOG_ERR, "SVC072: %s: %s (%s; the Schema directive says "
                             "Off)", name, why,
                file ? file : writer->config->driver);
    else if (is_news)
        svc_log(SVC_LOG_ERR, "SVC010: %s: no database (%s): %s", name,
                file ? file : writer->config->driver, why);
    else if (!err && (is_first || was_down))
        svc_log(was_down ? SVC_LOG_NOTICE : SVC_LOG_INFO,
                "SVC003: %s: database ready (%s)%s%s", name,
                writer->config->driver, outage ? ", " : "",
                outage ? outage : "");
}

static void reconnect(svc_writer_t *writer)
{
    svc_err_t *err;

    apr_pool_clear(writer->scratch);
    writer->is_behind = 0;
    if (!(err = lock(writer))) {
        err = connect_db(writer);
        unlock(writer);
    }
    settle(writer, err);
}

/* Hands out the answers, and rings for those that nobody waits for. */
static void answer(svc_writer_t *writer, svc_command_t **batch, int count)
{
    if (svc_queue_answer(writer->queue, batch, count))
        writer->config->on_commit(writer->config->on_commit_baton);
}

/* One attempt at the whole batch in one transaction. */
static svc_err_t *attempt(svc_writer_t *writer, svc_command_t **batch,
                          int count, svc_stream_tx_t *tx)
{
    svc_err_t *err = svc_stream_begin(tx, writer->db, writer->config->stream,
                                      writer->scratch);
    int i;

    for (i = 0; i < count && !err; i++) {
        svc_command_t *command = batch[i];

        tx->origin = command->origin;
        err = command->run(command->baton, tx, command->pool);
        command->answer = NULL;
        if (err && svc_err_is_domain(err)) {
            command->answer = svc_err_copy(err, command->pool);
            err = NULL;
        }
    }
    return err ? err : svc_stream_commit(tx);
}

/* Twice as long after each of the first MOST tries. */
static void pause_before(int tries, int most)
{
    int ms = PAUSE_MS << (tries < most ? tries : most);

    /* Jitter, against lockstep; rand() would give all processes the same. */
    apr_sleep((ms / 2 + apr_time_now() % ms) * 1000);
}

/* COMMIT was sent, and nobody can say what became of it. */
static svc_err_t *unknown(const svc_err_t *why, apr_pool_t *pool)
{
    return svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                        "The database did not answer in time; whether the "
                        "change was made is unknown",
                        "a COMMIT was not answered, and then: %s",
                        why->detail ? why->detail : why->message);
}

/* After a failure that was no lost conflict: the connection may hold half a
 * transaction or statements that the session forgot, so it is not used again.
 * If COMMIT may have been
 * carried out all the same, the new one is asked: nothing is guessed. */
static svc_err_t *recover(int *committed, svc_writer_t *writer,
                          const svc_stream_tx_t *tx, apr_int64_t deadline)
{
    svc_err_t *err;
    int tries = 0;

    *committed = 0;
    if (writer->db) {
        svc_db_rollback(writer->db, writer->scratch);
        if (svc_db_was_undone(writer->db))
            return NULL;
    }
    for (;;) {
        disconnect(writer);
        err = connect_db(writer);
        if (!tx->last_position)
            return err;
        if (!err)
            err = svc_stream_has(committed, writer->db, writer->config->stream,
                                 tx->last_position, tx->last_id,
                                 writer->scratch);
        if (!err)
            return NULL;
        if (svc_time_ticks() >= deadline)
            return unknown(err, writer->scratch);
        pause_before(tries++, AWAY_MOST);
    }
}

/* Is what the database refused refused for good? Where others write at the same
 * time they may have changed what it was about: it is tried once more. */
static int is_final(const svc_writer_t *writer, const svc_err_t *err, int tries)
{
    return err->kind == SVC_ERR_INTERNAL &&
           (tries > 0 || svc_db_sql_engine(writer->config->driver) ==
                             SVC_DB_SQLITE);
}

/* Carries out a batch under the lock: retries what is transient, and runs the
 * commands one by one when the batch as a whole is refused. */
static void carry_out(svc_writer_t *writer, svc_command_t **batch, int count)
{
    apr_int64_t deadline = svc_time_ticks() + SVC_WRITER_BUDGET_MS;
    svc_stream_tx_t tx;
    svc_err_t *err, *failed;
    int i, tries, committed = 0;

    for (tries = 0;; tries++) {
        apr_pool_clear(writer->scratch);
        memset(&tx, 0, sizeof(tx));
        err = writer->db ? NULL : connect_db(writer);
        if (!err)
            err = attempt(writer, batch, count, &tx);
        if (!err)
            break;
        failed = recover(&committed, writer, &tx, deadline);
        if (committed)
            break;
        if (failed) /* what became of it is not known */
            err = failed;
        else if (is_final(writer, err, tries))
            break;
        if ((err->kind != SVC_ERR_RETRY && err->kind != SVC_ERR_INTERNAL) ||
            svc_time_ticks() >= deadline)
            break;
        pause_before(tries, writer->db && svc_db_was_undone(writer->db)
                                ? CONFLICT_MOST : AWAY_MOST);
    }
    if (!err || committed) {
        atomic_fetch_add(&writer->config->stats->batches, 1);
        atomic_fetch_add(&writer->config->stats->commands, count);
        atomic_fetch_add(&writer->config->stats->expired, tx.expired);
        if (tx.last_position) {
            atomic_fetch_add(&writer->config->stats->logged, 1);
            writer->config->on_commit(writer->config->on_commit_baton);
        }
        return;
    }
    if (err->kind == SVC_ERR_INTERNAL && count > 1) {
        for (i = 0; i < count; i++)
            carry_out(writer, &batch[i], 1);
        return;
    }
    svc_log(SVC_LOG_ERR, "SVC011: %s: %d command(s) failed: %s",
            writer->config->name, count,
            err->detail ? err->detail : err->message);
    for (i = 0; i < count; i++)
        batch[i]->answer = svc_err_copy(err, batch[i]->pool);
}

static void work_once(svc_writer_t *writer)
{
    svc_command_t *batch[MAX_BATCH];
    svc_err_t *err;
    int i, count;

    atomic_store(&writer->told->begun_at, svc_time_ticks());
    err = lock(writer);
    count = svc_queue_take(batch, MAX_BATCH, writer->queue); /* after the lock:
                                                        the more, the better */

    if (err) {
        for (i = 0; i < count; i++)
            batch[i]->answer = svc_err_copy(err, batch[i]->pool);
    } else {
        if (count)
            carry_out(writer, batch, count);
        unlock(writer);
    }
    answer(writer, batch, count);
    atomic_store(&writer->told->begun_at, 0);
}

static void checkpoint(svc_writer_t *writer)
{
    if (!writer->db || !svc_db_needs_checkpoint(writer->db))
        return;
    apr_pool_clear(writer->scratch);
    if (lock(writer) == NULL) {
        svc_db_checkpoint(writer->db);
        unlock(writer);
    }
}

/* The database cannot be reached: nobody is kept waiting for it. */
static void refuse_all(svc_writer_t *writer)
{
    svc_command_t *batch[MAX_BATCH];
    int i, count = svc_queue_take(batch, MAX_BATCH, writer->queue);

    for (i = 0; i < count; i++)
        batch[i]->answer = svc_err_copy(writer->down, batch[i]->pool);
    answer(writer, batch, count);
}

void svc_writer_turn(svc_writer_t *writer)
{
    if (!writer->db)
        reconnect(writer);
    if (writer->db)
        work_once(writer);
    else
        refuse_all(writer);
    checkpoint(writer);
}

void svc_writer_work(svc_writer_t *writer)
{
    do {
        svc_writer_turn(writer);
    } while (svc_queue_wait(writer->queue, writer->db ? -1 : REOPEN_MS));
    disconnect(writer);
    svc_stats_leave(writer->told);
}
