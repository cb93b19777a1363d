/* svc_writer: a request that gives up: a command that was not taken is
 * withdrawn and never run; one that was taken ends as "unknown", runs on with
 * its own memory, and takes effect.
 *
 * The writer is compiled in here with a shorter budget.
 */
#include "svc_writer.h"

#undef SVC_WRITER_BUDGET_MS
#define SVC_WRITER_BUDGET_MS 400

#include "svc_writer.c"

#include "jobs.h"

typedef struct waiter_t {
    jobs_t *jobs;
    const char *id;
    atomic_int *runs, *freed;
    apr_thread_t *thread;
    apr_pool_t *pool;
    svc_err_t *err;
} waiter_t;

static void *APR_THREAD_FUNC wait_in_vain(apr_thread_t *thread, void *baton)
{
    waiter_t *waiter = baton;
    job_t *job;
    svc_command_t *command = job_make(&job, JOB_COUNT, waiter->id);

    (void)thread;
    job->runs = waiter->runs;
    job_watch(command, waiter->freed);
    waiter->err = svc_err_copy(svc_writer_execute(waiter->jobs->writer,
                                                  command, waiter->pool),
                               waiter->pool);
    svc_writer_release(command);
    return NULL;
}

static void withdrawn(void)
{
    jobs_t *jobs = jobs_start(fixture_params("withdrawn.db"), "");
    waiter_t waiters[5];
    atomic_int runs = 0, freed = 0;
    apr_status_t status;
    svc_command_t *gate, *last[2] = { NULL, NULL };
    int i, wrong = 0;
    svc_db_t *db;

    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    gate = jobs_block(jobs);
    for (i = 0; i < 5; i++) {
        waiters[i] = (waiter_t){ .jobs = jobs, .id = "vain", .runs = &runs,
                                 .freed = &freed };
        apr_pool_create(&waiters[i].pool, NULL);
        apr_thread_create(&waiters[i].thread, NULL, wait_in_vain, &waiters[i],
                          waiters[i].pool);
        if (i == 2) { /* one that does not give up stands between */
            last[0] = job_make(NULL, JOB_COUNT, "stays");
            svc_writer_submit(jobs->writer, last[0]);
        }
    }
    for (i = 0; i < 5; i++) {
        apr_thread_join(&status, waiters[i].thread);
        wrong += !waiters[i].err ||
                 waiters[i].err->kind != SVC_ERR_UNAVAILABLE ||
                 !strstr(waiters[i].err->message, "nothing was changed");
        apr_pool_destroy(waiters[i].pool);
    }
    is_int(wrong, 0, "requests that give up before they were taken are told "
                     "that nothing was changed");
    is_int(atomic_load(&freed), 5, "... and their memory is freed at once");
    last[1] = job_make(NULL, JOB_COUNT, "after");
    svc_writer_submit(jobs->writer, last[1]);
    succeeds(jobs_await(jobs, gate), "the writer goes on");
    succeeds(jobs_await(jobs, last[0]),
             "the command between the withdrawn ones is carried out");
    succeeds(jobs_await(jobs, last[1]),
             "... and the one handed in after the last of them");
    is_int(atomic_load(&runs), 0, "a withdrawn command is never run");
    db = fixture_open("withdrawn.db");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_a WHERE id = 'vain'"), 0,
           "... and changes nothing");
    svc_db_close(db);
    svc_writer_release(gate);
    svc_writer_release(last[0]);
    svc_writer_release(last[1]);
    jobs_stop(jobs);
}

static void taken(void)
{
    jobs_t *jobs = jobs_start(fixture_params("taken.db"), "");
    apr_time_t began = apr_time_now();
    atomic_int freed = 0;
    svc_command_t *command;
    svc_err_t *err;
    svc_db_t *db;
    job_t *job;

    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    atomic_store(&jobs_gate, 0);
    command = job_make(&job, JOB_WAIT, "slow");
    job_watch(command, &freed);
    err = svc_writer_execute(jobs->writer, command, fixture.pool);
    fails(err, SVC_ERR_UNAVAILABLE, "a request that was taken gives up in time");
    ok(err && strstr(err->message, "unknown"),
       "... and is told that the outcome is unknown");
    ok(apr_time_now() - began < 5000000, "... within its budget");
    svc_writer_release(command); /* the writer holds its own reference */
    is_int(atomic_load(&freed), 0,
           "its memory is not freed while the writer uses it");
    atomic_store(&jobs_gate, 1);
    ok(wait_until(atomic_load(&freed) == 1, 5000),
       "... but once the writer is done with it");
    db = fixture_open("taken.db");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_a WHERE id = 'slow'"), 1,
           "... and it takes effect");
    svc_db_close(db);
    succeeds(job_do(NULL, jobs, JOB_COUNT, "next", fixture.pool),
             "the next command is carried out");
    jobs_stop(jobs);
}

int main(void)
{
    fixture_begin();
    withdrawn();
    taken();
    return fixture_end();
}
