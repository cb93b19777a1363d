/* svc_writer: the connection is lost just before a COMMIT reaches the server, in
 * the middle, or with its answer on the way: the change is made once, and who
 * asked for it is told so. A proxy of the test's own stands before the server.
 * Of servers only: a file has no connection to lose.
 */
#include "jobs.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef enum {
    NOTHING, /* all goes through */
    BEFORE,  /* COMMIT does not */
    DURING,  /* it does, and nobody waits for what becomes of it */
    AFTER    /* it is carried out; its answer is lost */
} fault_t;

static atomic_int armed, struck; /* a fault_t; how often one happened */
static const char *server_socket;

static int has_commit(const char *data, ssize_t length)
{
    return length > 0 && memmem(data, (size_t)length, "COMMIT", 6) != NULL;
}

static int send_all(int to, const char *data, ssize_t length)
{
    return length > 0 && send(to, data, (size_t)length, MSG_NOSIGNAL) == length;
}

/* What the client sends; false when the connection is over. */
static int forth(int client, int server)
{
    struct pollfd answer = { server, POLLIN, 0 };
    char data[65536];
    ssize_t length = recv(client, data, sizeof(data), 0);
    fault_t fault = has_commit(data, length)
                        ? (fault_t)atomic_exchange(&armed, NOTHING) : NOTHING;

    if (fault != NOTHING)
        atomic_fetch_add(&struck, 1);
    if (fault == BEFORE || !send_all(server, data, length))
        return 0;
    if (fault == AFTER)
        poll(&answer, 1, 10000);
    return fault == NOTHING;
}

static int back(int client, int server)
{
    char data[65536];

    return send_all(client, data, recv(server, data, sizeof(data), 0));
}

static int dial(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    apr_cpystrn(address.sun_path, path, sizeof(address.sun_path));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        perror(path);
        _exit(255);
    }
    return fd;
}

static void *serve(void *socket)
{
    struct pollfd ends[2] = { { *(int *)socket, POLLIN, 0 },
                              { dial(server_socket), POLLIN, 0 } };
    int goes_on = 1;

    free(socket);
    while (goes_on && poll(ends, 2, -1) > 0) {
        if (ends[0].revents)
            goes_on = forth(ends[0].fd, ends[1].fd);
        if (goes_on && ends[1].revents)
            goes_on = back(ends[0].fd, ends[1].fd);
    }
    close(ends[0].fd);
    close(ends[1].fd);
    return NULL;
}

static void *listen_on(void *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t thread;

    apr_cpystrn(address.sun_path, path, sizeof(address.sun_path));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 50) != 0) {
        perror(path);
        _exit(255);
    }
    for (;;) {
        int *client = malloc(sizeof(int));

        *client = accept(fd, NULL, NULL);
        if (pthread_create(&thread, NULL, serve, client) != 0)
            _exit(255);
        pthread_detach(thread);
    }
    return NULL;
}

/* DBDParams of the database NAME, by way of the proxy. */
static const char *by_proxy(const char *name)
{
    int is_pgsql = strcmp(fixture.driver, "pgsql") == 0;
    const char *own = fixture_path(is_pgsql ? ".s.PGSQL.5432" : "proxy");
    const char *schema = fixture_schema(name);
    pthread_t thread;

    server_socket = apr_pstrcat(fixture.pool, getenv("TEST_DB_DIR"),
                                is_pgsql ? "/.s.PGSQL.5432" : "/mysql.sock",
                                NULL);
    if (pthread_create(&thread, NULL, listen_on, (void *)own) != 0)
        _exit(255);
    pthread_detach(thread);
    wait_until(access(own, F_OK) == 0, 5000);
    return apr_psprintf(fixture.pool, is_pgsql
                            ? "host=%s dbname=postgres user=svc "
                              "options=-csearch_path=%s"
                            : "sock=%s/proxy user=root dbname=%s",
                        fixture.folder, schema);
}

/* One command meets FAULT; how often it was run. */
static int meet(jobs_t *jobs, fault_t fault, const char *id)
{
    atomic_int runs = 0;
    job_t *job;
    svc_command_t *command = job_make(&job, JOB_COUNT, id);
    int before = atomic_load(&struck);

    job->runs = &runs;
    atomic_store(&armed, (int)fault);
    succeeds(svc_writer_execute(jobs->writer, command, fixture.pool),
             apr_psprintf(fixture.pool, "%s is answered", id));
    is_int(job->n, 0, "... as the first of its kind");
    is_int(atomic_load(&struck) - before, 1, "... though a COMMIT was hit");
    svc_writer_release(command);
    return atomic_load(&runs);
}

static int is_there_once(svc_db_t *db, const char *id)
{
    return fixture_int(db, apr_psprintf(fixture.pool,
               "SELECT COUNT(*) FROM x_a WHERE id = '%s' AND n = 0", id)) == 1 &&
           fixture_int(db, apr_psprintf(fixture.pool,
               "SELECT COUNT(*) FROM x_log WHERE entity_id = '%s'", id)) == 1;
}

int main(void)
{
    const char *params;
    jobs_t *jobs;
    svc_db_t *db;
    int i, runs;

    if (fixture_lacks_server())
        return 0;
    fixture_begin();
    params = by_proxy("lost");
    jobs = jobs_start(params, "");
    must(job_do(NULL, jobs, JOB_COUNT, "first", fixture.pool));
    db = fixture_open("lost");
    is_int(meet(jobs, BEFORE, "before"), 2,
           "a change whose COMMIT did not arrive is made once more");
    ok(is_there_once(db, "before"), "... and is there once, with its event");
    is_int(meet(jobs, AFTER, "after"), 1,
           "one whose COMMIT was carried out is looked up, not made again");
    ok(is_there_once(db, "after"), "... and is there once, with its event");
    for (i = 0; i < 8; i++) {
        const char *id = apr_psprintf(fixture.pool, "during %d", i);

        runs = meet(jobs, DURING, id);
        ok(runs == 1 || runs == 2, "whatever became of it, which is found out");
        ok(is_there_once(db, id), "... it is there once, with its event");
    }
    succeeds(job_do(NULL, jobs, JOB_COUNT, "last", fixture.pool),
             "afterwards all goes on");
    is_int(fixture_int(db, "SELECT position FROM x_head"),
           fixture_int(db, "SELECT COUNT(*) FROM x_log"),
           "and the log has no gap");
    svc_db_close(db);
    jobs_stop(jobs);
    return fixture_end();
}
