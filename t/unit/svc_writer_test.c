/* svc_writer: each of its rules, with real threads on a real SQLite file:
 * commands that wait are committed together, in order of their rows; what one
 * is refused does not touch the others; writers take turns; nothing is answered
 * before it is durable, and nothing is left in the queue.
 */
#include "jobs.h"
#include "svc_lock.h"

#include <sys/stat.h>
#include <sys/wait.h>

#define MANY 20

/* MANY commands that the writer takes as one batch. */
typedef struct crowd_t {
    svc_command_t *gate, *command[MANY];
    job_t *job[MANY];
    svc_err_t *answer[MANY];
} crowd_t;

static void gather_crowd(crowd_t *crowd, jobs_t *jobs)
{
    int i;

    crowd->gate = jobs_block(jobs);
    for (i = 0; i < MANY; i++)
        svc_writer_submit(jobs->writer, crowd->command[i]);
}

static void finish_crowd(crowd_t *crowd, jobs_t *jobs)
{
    int i;

    must(jobs_await(jobs, crowd->gate));
    for (i = 0; i < MANY; i++)
        crowd->answer[i] = jobs_await(jobs, crowd->command[i]);
    svc_writer_release(crowd->gate);
}

static void release_crowd(crowd_t *crowd)
{
    int i;

    for (i = 0; i < MANY; i++)
        svc_writer_release(crowd->command[i]);
}

static void one_command(void)
{
    jobs_t *jobs = jobs_start(fixture_params("one.db"), "");
    svc_db_t *db;
    apr_int64_t n = -1;
    int commits;
    svc_err_t *err;

    succeeds(svc_writer_ready(jobs->writer, 10000, fixture.pool),
             "the writer opens its database");
    db = fixture_open("one.db");
    succeeds(job_do(&n, jobs, JOB_COUNT, "a", fixture.pool),
             "a command is carried out");
    is_int(n, 0, "... and hands back what it found");
    is_int(fixture_int(db, "SELECT n FROM x_a WHERE id = 'a'"), 0,
           "once it is answered another connection sees the row");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_log"), 1,
           "... and its event");
    ok(wait_until(atomic_load(&jobs->commits) >= 1, 5000),
       "on_commit is called");
    commits = atomic_load(&jobs->commits);
    err = job_do(NULL, jobs, JOB_REFUSE, "a", fixture.pool);
    fails(err, SVC_ERR_CONFLICT, "a refusal is the command's answer");
    is_str(err ? err->message : "", "a is refused", "... with its sentence");
    is_int(atomic_load(&jobs->commits), commits,
           "a transaction without events does not ring");
    fails(job_do(NULL, jobs, JOB_HALF, "a", fixture.pool), SVC_ERR_CONFLICT,
          "a command may write and then say no");
    is_int(fixture_int(db, "SELECT n FROM x_a WHERE id = 'a'"), 1,
           "... what it wrote stays");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_log"), 2,
           "... with its event");
    fails(job_do(NULL, jobs, JOB_POISON, "b", fixture.pool), SVC_ERR_INTERNAL,
          "what the database refuses is INTERNAL");
    succeeds(job_do(NULL, jobs, JOB_COUNT, "a", fixture.pool),
             "the next command works");
    fails(job_do(NULL, jobs, JOB_AWAY, "a", fixture.pool), SVC_ERR_UNAVAILABLE,
          "a database that is away is UNAVAILABLE");
    succeeds(job_do(&n, jobs, JOB_COUNT, "a", fixture.pool),
             "once it is back the writer goes on");
    is_int(n, 3, "... and nothing was lost or done twice");
    fixture_do(db, "CREATE TABLE of_somebody_else (id BIGINT)");
    succeeds(job_do(&n, jobs, JOB_COUNT, "a", fixture.pool),
             "a command survives that another connection changed the schema");
    fixture_do(db, "ALTER TABLE x_a ADD COLUMN more BIGINT");
    succeeds(job_do(&n, jobs, JOB_COUNT, "a", fixture.pool),
             "... of its own table as well");
    fixture_do(db, "DROP TABLE of_somebody_else");
    if (fixture_is_file())
        fixture_do(db, "VACUUM");
    succeeds(job_do(&n, jobs, JOB_COUNT, "a", fixture.pool),
             "... and a VACUUM");
    is_int(n, 6, "... each exactly once");
    svc_db_close(db);
    jobs_stop(jobs);
}

/* Commands of one transaction have each their own origin. */
static void origins(void)
{
    jobs_t *jobs = jobs_start(fixture_params("origins.db"), "");
    svc_db_t *db;
    crowd_t crowd;
    int i;

    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    db = fixture_open("origins.db");
    for (i = 0; i < MANY; i++) {
        const char *row = apr_psprintf(fixture.pool, "row-%02d", i);
        char request[10] = "";
        svc_origin_t origin = { NULL, request };

        crowd.command[i] = job_make(&crowd.job[i], JOB_COUNT, row);
        apr_cpystrn(request, row, sizeof(request));
        if (i % 2)
            svc_writer_command_origin(crowd.command[i], &origin);
    }
    gather_crowd(&crowd, jobs);
    finish_crowd(&crowd, jobs);
    release_crowd(&crowd);
    for (i = 0; i < MANY; i++) {
        const char *row = apr_psprintf(fixture.pool, "row-%02d", i);
        const char *text = fixture_text(db, apr_psprintf(
            fixture.pool, "SELECT event FROM x_log WHERE entity_id = '%s'",
            row));
        svc_event_t event;

        must(svc_event_decode(&event, "x:counted", text, strlen(text),
                              fixture.pool));
        is_str(event.origin.request_id, i % 2 ? row : NULL,
               "the event of command %d carries its origin%s", i,
               i % 2 ? "" : ", which is none");
    }
    svc_db_close(db);
    jobs_stop(jobs);
}

static void batches(void)
{
    jobs_t *jobs = jobs_start(fixture_params("batches.db"), "");
    svc_db_t *db;
    crowd_t crowd;
    int i, bad_order = 0, bad_n = 0, bad_answer = 0, bad_head = 0;
    long long before_batches, before_commands;
    apr_int64_t begun_at;
    const char *seen = "", *wanted = "";

    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    db = fixture_open("batches.db");
    /* four rows, five commands each, handed in from the last row to the first */
    for (i = 0; i < MANY; i++)
        crowd.command[i] = job_make(&crowd.job[i], JOB_COUNT,
                                    apr_psprintf(fixture.pool, "row-%c",
                                                 'd' - i % 4));
    gather_crowd(&crowd, jobs);
    before_batches = atomic_load(&jobs->stats.batches);
    before_commands = atomic_load(&jobs->stats.commands);
    is_int(svc_stats_queued(&jobs->stats, &begun_at), MANY + 1,
           "who looks sees how many commands wait");
    ok(begun_at > 0, "... and since when there is one in work");
    finish_crowd(&crowd, jobs);
    is_int(svc_stats_queued(&jobs->stats, &begun_at), 0,
           "... and that none waits in the end");
    is_int(atomic_load(&jobs->stats.batches) - before_batches, 2,
           "commands that wait are committed together");
    is_int(atomic_load(&jobs->stats.commands) - before_commands, MANY + 1,
           "... each is counted");
    for (i = 1; i < MANY; i++) /* the first is the gate itself */
        bad_order += strcmp(jobs_seen[i], jobs_seen[i + 1]) > 0;
    is_int(bad_order, 0, "rows are touched in order of their ids");
    for (i = 0; i < MANY; i++) {
        bad_n += crowd.job[i]->n != i / 4;
        bad_answer += crowd.answer[i] != NULL;
        bad_head += crowd.job[i]->head != 1; /* the gate's event */
    }
    is_int(bad_answer, 0, "all of them succeed");
    is_int(bad_n, 0, "commands for one row get consecutive versions, in the "
                     "order they came");
    is_int(bad_head, 0, "the counter of positions is raised after the last row "
                        "was touched");
    seen = fixture_text(db, "SELECT entity_id FROM x_log WHERE position > 1 "
                            "ORDER BY position");
    for (i = 0; i < MANY; i++)
        wanted = apr_psprintf(fixture.pool, "%s%srow-%c", wanted,
                              *wanted ? " " : "", 'a' + i / 5);
    is_str(seen, wanted, "the log has them in the order they were done");
    is_int(fixture_int(db, "SELECT COUNT(*) - MAX(position) FROM x_log"), 0,
           "... without a gap");
    release_crowd(&crowd);
    svc_db_close(db);
    jobs_stop(jobs);
}

static void neighbours(void)
{
    jobs_t *jobs = jobs_start(fixture_params("neighbours.db"), "");
    svc_db_t *db;
    crowd_t crowd;
    int i, wrong = 0;

    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    db = fixture_open("neighbours.db");
    for (i = 0; i < MANY; i++)
        crowd.command[i] = job_make(&crowd.job[i],
                                    i % 5 == 2 ? JOB_REFUSE : JOB_COUNT,
                                    apr_psprintf(fixture.pool, "r%02d", i));
    gather_crowd(&crowd, jobs);
    finish_crowd(&crowd, jobs);
    for (i = 0; i < MANY; i++)
        wrong += i % 5 == 2 ? !crowd.answer[i] ||
                                  crowd.answer[i]->kind != SVC_ERR_CONFLICT
                            : crowd.answer[i] != NULL;
    is_int(wrong, 0, "a refusal of one command does not touch its neighbours");
    is_int(atomic_load(&jobs->stats.batches), 2, "... in one transaction");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_a WHERE id <> 'gate'"),
           MANY - MANY / 5, "... all of them are there");
    release_crowd(&crowd);

    for (i = 0; i < MANY; i++)
        crowd.command[i] = job_make(&crowd.job[i],
                                    i == 7 || i == 13 ? JOB_POISON : JOB_COUNT,
                                    apr_psprintf(fixture.pool, "p%02d", i));
    gather_crowd(&crowd, jobs);
    finish_crowd(&crowd, jobs);
    for (i = wrong = 0; i < MANY; i++)
        wrong += i == 7 || i == 13
                     ? !crowd.answer[i] ||
                           crowd.answer[i]->kind != SVC_ERR_INTERNAL
                     : crowd.answer[i] != NULL || crowd.job[i]->n != 0;
    is_int(wrong, 0, "a command that the database refuses fails alone");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_a WHERE id LIKE 'p%%'"),
           MANY - 2, "... the others are there, once");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_log WHERE entity_id LIKE "
                           "'p%%'"), MANY - 2, "... with their events");
    is_int(fixture_int(db, "SELECT COUNT(*) - MAX(position) FROM x_log"), 0,
           "... and the log has no gap");
    release_crowd(&crowd);
    svc_db_close(db);
    jobs_stop(jobs);
}

static void transient(void)
{
    jobs_t *jobs = jobs_start(fixture_params("transient.db"), "");
    atomic_int runs = 0;
    crowd_t crowd;
    int i, wrong = 0;
    svc_db_t *db;

    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    for (i = 0; i < MANY; i++)
        crowd.command[i] = job_make(&crowd.job[i],
                                    i == 3 ? JOB_TRANSIENT : JOB_COUNT,
                                    apr_psprintf(fixture.pool, "t%02d", i));
    crowd.job[3]->failures = 2;
    crowd.job[3]->expired = 5;
    crowd.job[3]->runs = &runs;
    gather_crowd(&crowd, jobs);
    finish_crowd(&crowd, jobs);
    for (i = 0; i < MANY; i++)
        wrong += crowd.answer[i] != NULL || crowd.job[i]->n != 0;
    is_int(wrong, 0, "a transient failure is tried again, for the whole batch");
    is_int(atomic_load(&runs), 3, "... as often as it takes");
    db = fixture_open("transient.db");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_log"), MANY + 1,
           "... and each takes effect once");
    is_int(atomic_load(&jobs->stats.expired), 5,
           "... and what was undone is not counted");
    release_crowd(&crowd);
    svc_db_close(db);
    jobs_stop(jobs);
}

static void stopping(void)
{
    jobs_t *jobs = jobs_start(fixture_params("stop.db"), "");
    svc_command_t *gate, *command[600];
    svc_db_t *db;
    int i;

    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    gate = jobs_block(jobs);
    for (i = 0; i < 600; i++) {
        command[i] = job_make(NULL, JOB_COUNT, "s");
        svc_writer_submit(jobs->writer, command[i]);
        svc_writer_release(command[i]); /* the queue has its own */
    }
    svc_writer_stop(jobs->writer);
    atomic_store(&jobs_gate, 1);
    svc_writer_release(gate);
    jobs_stop(jobs);
    db = fixture_open("stop.db");
    is_int(fixture_int(db, "SELECT n FROM x_a WHERE id = 's'"), 599,
           "stopping ends with an empty queue, however long it is");
    svc_db_close(db);
    ok(atomic_load(&jobs->stats.batches) < 10,
       "600 commands took few transactions (%lld)",
       (long long)atomic_load(&jobs->stats.batches));
}

static void the_lock(void)
{
    jobs_t *jobs = jobs_start(fixture_params("lock.db"), "");
    svc_command_t *gate;
    svc_lock_t *lock = NULL;
    atomic_int freed = 0;
    svc_err_t *err;

    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    must(svc_lock_open(&lock, fixture_path("lock.db.lock"), 0, fixture.pool,
                       fixture.pool));
    ok(wait_until(svc_lock_try(lock), 5000),
       "a writer that rests does not hold DBFILE.lock");
    gate = job_make(NULL, JOB_COUNT, "a");
    svc_writer_submit(jobs->writer, gate);
    wait_until(svc_writer_is_done(&err, jobs->writer, gate), 200);
    ok(!svc_writer_is_done(&err, jobs->writer, gate),
       "while another holds it no command is carried out");
    svc_lock_release(lock);
    succeeds(jobs_await(jobs, gate), "... once it is free they are");
    svc_writer_release(gate);
    gate = jobs_block(jobs);
    job_watch(gate, &freed);
    ok(!svc_lock_try(lock), "during a transaction the writer holds it");
    must(jobs_await(jobs, gate));
    ok(wait_until(svc_lock_try(lock), 5000), "... and lets go afterwards");
    svc_lock_release(lock);
    svc_writer_release(gate);
    ok(wait_until(atomic_load(&freed) == 1, 5000),
       "the memory of a command is freed when both sides are done with it");
    jobs_stop(jobs);
}

static void not_there_yet(void)
{
    jobs_t *jobs = jobs_start(fixture_params("later/x.db"), "");
    apr_time_t began;
    svc_err_t *err;
    int n = 0;

    ok(wait_until(fixture_logged("SVC010"), 5000),
       "a database that is not there is said in the log");
    began = apr_time_now();
    err = svc_writer_ready(jobs->writer, 5000, fixture.pool);
    fails(err, SVC_ERR_UNAVAILABLE, "... and to those who ask");
    err = job_do(NULL, jobs, JOB_COUNT, "a", fixture.pool);
    fails(err, SVC_ERR_UNAVAILABLE, "a command is refused");
    ok(apr_time_now() - began < 4000000, "... nobody waits for long");
    ok(err && !strstr(err->message, "later"),
       "... and the client is not told where the file is");
    while (n < 3 && job_do(NULL, jobs, JOB_COUNT, "a", fixture.pool))
        n++;
    is_int(fixture_logged("SVC010"), 1, "it is said once, not each time");
    mkdir(fixture_path("later"), 0700);
    ok(wait_until(!svc_writer_ready(jobs->writer, 100, fixture.pool), 5000),
       "once it can be made it is made");
    succeeds(job_do(NULL, jobs, JOB_COUNT, "a", fixture.pool),
             "... and commands are carried out");
    ok(wait_until(fixture_logged("SVC003"), 2000), "... and the log says so");
    jobs_stop(jobs);
}

static void newer_schema(void)
{
    svc_db_t *db = fixture_open("newer.db");
    jobs_t *jobs;

    must(svc_schema_migrate(db, &jobs_schema, fixture.pool));
    fixture_do(db, "UPDATE x_schema SET version = 9");
    svc_db_close(db);
    jobs = jobs_start(fixture_params("newer.db"), "");
    fails(svc_writer_ready(jobs->writer, 5000, fixture.pool),
          SVC_ERR_UNAVAILABLE, "a newer schema is not touched");
    fails(job_do(NULL, jobs, JOB_COUNT, "a", fixture.pool),
          SVC_ERR_UNAVAILABLE, "... commands are refused");
    jobs_stop(jobs);
    db = fixture_open("newer.db");
    is_int(fixture_int(db, "SELECT version FROM x_schema"), 9,
           "... and it stays as it is");
    svc_db_close(db);
}

/* Tables that are somebody else's to make. */
static void left_schema(void)
{
    jobs_t *jobs = jobs_prepare(fixture_path("left/x.db"), "");
    svc_db_t *db;

    fixture_expect("SVC072");
    jobs->config.leaves_schema = 1;
    jobs_run(jobs);
    fails(svc_writer_ready(jobs->writer, 5000, fixture.pool),
          SVC_ERR_UNAVAILABLE, "there is no database yet");
    is_int(fixture_logged("SVC072"), 0, "... which is no matter of tables");
    mkdir(fixture_path("left"), 0700);
    ok(wait_until(fixture_logged("SVC072"), 5000),
       "when there is one without tables, that is news");
    fails(job_do(NULL, jobs, JOB_COUNT, "a", fixture.pool),
          SVC_ERR_UNAVAILABLE, "... commands are refused");
    db = fixture_open("left/x.db");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM sqlite_master"), 0,
           "... and none is made");
    apr_sleep(1200 * 1000); /* two attempts more */
    is_int(fixture_logged("SVC072"), 1, "it is said once");
    must(svc_schema_migrate(db, &jobs_schema, fixture.pool));
    svc_db_close(db);
    ok(wait_until(!svc_writer_ready(jobs->writer, 100, fixture.pool), 5000),
       "once somebody has made them it goes on by itself");
    succeeds(job_do(NULL, jobs, JOB_COUNT, "a", fixture.pool),
             "... and commands are carried out");
    jobs_stop(jobs);
}

/* --- several writers ------------------------------------------------------------ */

#define CLIENTS 4
#define EACH 40

typedef struct client_t {
    jobs_t *jobs;
    const char *id;
    apr_thread_t *thread;
    apr_pool_t *pool;
    int failed;
    apr_time_t longest;
} client_t;

static void *APR_THREAD_FUNC client_thread(apr_thread_t *thread, void *baton)
{
    client_t *client = baton;
    apr_pool_t *pool;
    int i;

    (void)thread;
    apr_pool_create(&pool, client->pool);
    for (i = 0; i < EACH; i++) {
        apr_time_t began = apr_time_now(), took;

        client->failed += job_do(NULL, client->jobs, JOB_COUNT, client->id,
                                 pool) != NULL;
        took = apr_time_now() - began;
        if (took > client->longest)
            client->longest = took;
        apr_pool_clear(pool);
    }
    return NULL;
}

static void start_clients(client_t *clients, jobs_t *jobs, const char *id)
{
    int i;

    for (i = 0; i < CLIENTS; i++) {
        memset(&clients[i], 0, sizeof(clients[i]));
        clients[i].jobs = jobs;
        clients[i].id = id;
        apr_pool_create(&clients[i].pool, NULL);
        if (apr_thread_create(&clients[i].thread, NULL, client_thread,
                              &clients[i], clients[i].pool) != APR_SUCCESS)
            must(svc_err_make(fixture.pool, SVC_ERR_INTERNAL, "no thread"));
    }
}

/* How many commands failed or took over 5 s. */
static int join_clients(client_t *clients)
{
    apr_status_t status;
    int i, bad = 0;

    for (i = 0; i < CLIENTS; i++) {
        apr_thread_join(&status, clients[i].thread);
        bad += clients[i].failed + (clients[i].longest > 5000000);
        apr_pool_destroy(clients[i].pool);
    }
    return bad;
}

/* In the forked process: its exit code says whether all went well. */
static void be_another_process(const char *file, int start)
{
    client_t clients[CLIENTS];
    char byte;
    jobs_t *jobs;
    int bad;

    if (read(start, &byte, 1) != 1)
        _exit(9);
    jobs = jobs_start(file, "third");
    bad = svc_writer_ready(jobs->writer, 10000, fixture.pool) != NULL;
    start_clients(clients, jobs, "third");
    bad += join_clients(clients);
    jobs_stop(jobs);
    bad += fixture_logged("SVC010") + fixture_logged("SVC011");
    _exit(bad ? 1 : 0);
}

static void three_writers(void)
{
    const char *file = fixture_params("three.db");
    client_t a[CLIENTS], b[CLIENTS];
    jobs_t *first, *second;
    int pipes[2], status = -1, changes;
    svc_db_t *db;
    pid_t pid;

    if (pipe(pipes) != 0)
        exit(255);
    fflush(stdout);
    if ((pid = fork()) == 0)
        be_another_process(file, pipes[0]);
    first = jobs_start(file, "first");
    second = jobs_start(file, "second");
    ok(write(pipes[1], "x", 1) == 1, "another process writes to the same file");
    start_clients(a, first, "first");
    start_clients(b, second, "second");
    is_int(join_clients(a), 0, "every command of the first writer succeeds");
    is_int(join_clients(b), 0, "... and of the second in the same process");
    waitpid(pid, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
       "... and of the third in the other process (%d)", status);
    jobs_stop(first);
    jobs_stop(second);
    db = fixture_open("three.db");
    is_str(fixture_text(db, "SELECT n FROM x_a ORDER BY id"),
           apr_psprintf(fixture.pool, "%d %d %d", CLIENTS * EACH - 1,
                        CLIENTS * EACH - 1, CLIENTS * EACH - 1),
           "each command took effect once");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM x_log"), 3 * CLIENTS * EACH,
           "... with its event");
    is_int(fixture_int(db, "SELECT MAX(position) FROM x_log"),
           3 * CLIENTS * EACH, "... and the positions have no gap");
    changes = (int)fixture_int(db,
        "SELECT COUNT(*) FROM x_log a JOIN x_log b ON b.position = "
        "a.position + 1 WHERE a.publisher <> b.publisher");
    ok(changes >= 10, "they take turns (%d changes)", changes);
    is_int(fixture_int(db, "SELECT COUNT(DISTINCT source) FROM x_head"), 1,
           "the log has one identity");
    svc_db_close(db);
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    fixture_begin();
    fixture_expect("SVC010: test: no database");
    fixture_expect("SVC011: test: 1 command(s) failed");
    three_writers(); /* forks, so first */
    one_command();
    batches();
    origins();
    neighbours();
    transient();
    stopping();
    if (fixture_is_file()) { /* its lock, and its folder that is missing */
        the_lock();
        not_there_yet();
        left_schema();
    }
    newer_schema();
    is_int(fixture_logged("SVC011"), 4,
           "each command that failed for a reason of ours is said once");
    return fixture_end();
}
