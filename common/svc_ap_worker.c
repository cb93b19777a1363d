/* svc_ap_worker: see the header. */
#include "svc_ap_worker.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <apr_portable.h>
#include <apr_thread_proc.h>
#include <http_log.h>
#include <scoreboard.h>

#include "svc_ap_fetch.h"
#include "svc_db_watch.h"
#include "svc_lock.h"
#include "svc_log.h"

#define READY_MS 5000          /* a request waits so long for the first opening */
#define TURN_MS 250            /* the leader looks at the log at least so often */
#define WATCH_MS 250           /* between looks for a server that hangs */
#define ELECT_MS 50            /* between attempts to become the leader */
#define ELECT_PREFORK_MS 500   /* the same with one thread per process */

struct svc_ap_worker_t {
    svc_ap_instance_t *instance;
    apr_pool_t *pool; /* with an allocator of its own: pools are not
                         thread-safe, and prefork's have no mutex at all */
    apr_pool_t *writer_pool, *leader_pool; /* one per thread, alike */
    apr_pool_t *watch_pool;
    svc_writer_t *writer;
    apr_thread_t *writer_thread, *leader_thread; /* NULL: not started */
    apr_thread_t *watch_thread;
    atomic_int ends_watch;
    apr_file_t *wake_in, *wake_out; /* wakes the leading thread to stop */
    atomic_int stops_leading;
    int elect_ms;
    int is_failing; /* there is no bus to be had, and that was said */
    int generation; /* of httpd's configuration, when this process began */
};

static apr_pool_t *own_pool(apr_pool_t *parent)
{
    apr_allocator_t *allocator;
    apr_pool_t *pool;

    apr_allocator_create(&allocator);
    apr_pool_create_ex(&pool, parent, NULL, allocator);
    apr_allocator_owner_set(allocator, pool);
    return pool;
}

static int descriptor(apr_file_t *file)
{
    apr_os_file_t fd = -1;

    apr_os_file_get(&fd, file);
    return fd;
}

static void *APR_THREAD_FUNC write_thread(apr_thread_t *thread, void *baton)
{
    svc_ap_worker_t *worker = baton;

    (void)thread;
    svc_writer_work(worker->writer);
    return NULL;
}

/* False once httpd has restarted gracefully. A child may have to answer a slow
 * request before it is told, and must not lead meanwhile by what was configured
 * before: a key may have been taken off the list. */
static int is_current(const svc_ap_worker_t *worker)
{
    return ap_get_scoreboard_global()->running_generation ==
           worker->generation;
}

/* Leads until told to stop. */
static void lead(svc_ap_worker_t *worker)
{
    svc_ap_instance_t *instance = worker->instance;
    int fds[] = { descriptor(instance->doorbell_out),
                  descriptor(worker->wake_out) };
    svc_leader_config_t config = instance->leader_config;
    const char *name = config.name;
    apr_pool_t *pool = own_pool(worker->leader_pool);
    svc_leader_t *leader;
    svc_err_t *err;

    config.subscriber.writer = worker->writer;
    err = svc_leader_create(&leader, &config, pool);
    if (err) {
        if (!worker->is_failing)
            svc_log(SVC_LOG_ERR, "SVC004: %s: %s; trying on", name,
                    err->detail);
        worker->is_failing = 1;
    } else {
        worker->is_failing = 0;
        svc_log(SVC_LOG_NOTICE,
                "SVC001: %s: this process (pid %d) leads the event bus", name,
                (int)getpid());
        while (!worker->stops_leading && is_current(worker) &&
               !svc_leader_is_over(leader)) {
            svc_ap_instance_hear(instance);
            svc_leader_turn(leader, fds, 2, TURN_MS);
        }
        svc_leader_destroy(leader);
        svc_log(SVC_LOG_NOTICE,
                "SVC002: %s: this process (pid %d) no longer leads the event "
                "bus",
                name, (int)getpid());
    }
    apr_pool_destroy(pool);
}

static void *APR_THREAD_FUNC lead_thread(apr_thread_t *thread, void *baton)
{
    svc_ap_worker_t *worker = baton;
    struct pollfd wake = { descriptor(worker->wake_out), POLLIN, 0 };
    svc_lock_t *lock = NULL;
    svc_err_t *err = svc_lock_open(&lock, worker->instance->leader_lock, 0,
                                   worker->leader_pool, worker->leader_pool);

    (void)thread;
    if (err) {
        svc_log(SVC_LOG_CRIT,
                "SVC005: %s: this process can never lead, and its events "
                "wait: %s",
                worker->instance->service->module_name, err->detail);
        return NULL;
    }
    while (!worker->stops_leading) {
        if (is_current(worker) && svc_lock_try(lock)) {
            lead(worker);
            svc_lock_release(lock);
        }
        if (!worker->stops_leading)
            poll(&wake, 1, worker->elect_ms);
    }
    return NULL;
}

static void *APR_THREAD_FUNC watch_thread(apr_thread_t *thread, void *baton)
{
    svc_ap_worker_t *worker = baton;

    (void)thread;
    while (!worker->ends_watch) {
        svc_db_watch_turn();
        apr_sleep(WATCH_MS * 1000);
    }
    return NULL;
}

static void stop_leading(svc_ap_worker_t *worker)
{
    apr_size_t length = 1;

    worker->stops_leading = 1;
    if (worker->wake_in) /* else it was not started */
        apr_file_write(worker->wake_in, "!", &length);
}

/* Before the sub-pools of pchild go, among them mod_dbd's connections. */
static apr_status_t join(void *baton)
{
    svc_ap_worker_t *worker = baton;
    apr_status_t status;

    stop_leading(worker);
    if (worker->leader_thread)
        apr_thread_join(&status, worker->leader_thread);
    svc_writer_stop(worker->writer);
    if (worker->writer_thread)
        apr_thread_join(&status, worker->writer_thread);
    worker->ends_watch = 1;
    if (worker->watch_thread) /* the last, as it may have to end the others */
        apr_thread_join(&status, worker->watch_thread);
    return APR_SUCCESS;
}

static void start(svc_ap_instance_t *instance, apr_pool_t *pchild,
                  int is_threaded)
{
    apr_pool_t *pool = own_pool(pchild);
    svc_ap_worker_t *worker = apr_pcalloc(pool, sizeof(*worker));
    apr_status_t status;

    worker->pool = pool;
    worker->writer_pool = own_pool(pool);
    worker->leader_pool = own_pool(pool);
    worker->watch_pool = own_pool(pool);
    worker->instance = instance;
    worker->elect_ms = is_threaded ? ELECT_MS : ELECT_PREFORK_MS;
    ap_mpm_query(AP_MPMQ_GENERATION, &worker->generation);
    instance->worker = worker;
    instance->gate = svc_ap_db_gate(instance->conf->dbd_driver,
                                    instance->conf->dbd_params,
                                    instance->conf->dbd_max, pchild);
    instance->fetch = svc_ap_fetch_create(
        svc_db_sql_engine(instance->conf->dbd_driver), is_threaded, pchild);
    worker->writer = svc_writer_create(&instance->writer_config,
                                       worker->writer_pool);
    status = apr_file_pipe_create_ex(&worker->wake_out, &worker->wake_in,
                                     APR_FULL_NONBLOCK, pool);
    apr_pool_pre_cleanup_register(pchild, worker, join);
    if (status == APR_SUCCESS)
        status = apr_thread_create(&worker->writer_thread, NULL, write_thread,
                                   worker, worker->writer_pool);
    if (status == APR_SUCCESS)
        status = apr_thread_create(&worker->leader_thread, NULL, lead_thread,
                                   worker, worker->leader_pool);
    if (status == APR_SUCCESS &&
        svc_db_sql_engine(instance->conf->dbd_driver) != SVC_DB_SQLITE)
        status = apr_thread_create(&worker->watch_thread, NULL, watch_thread,
                                   worker, worker->watch_pool);
    if (status != APR_SUCCESS)
        ap_log_error(APLOG_MARK, APLOG_CRIT, status, instance->server,
                     "SVC006: %s: a thread cannot be started",
                     instance->service->module_name);
}

/* Blocks all signals; BEFORE gets what was blocked before. */
static void block_signals(sigset_t *before)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

void svc_ap_worker_start(const apr_array_header_t *instances,
                         apr_pool_t *pchild)
{
    int is_threaded = 0, i;
    sigset_t before;

    ap_mpm_query(AP_MPMQ_IS_THREADED, &is_threaded);
    /* The threads take no signals, and none may end this process, which joins
     * them, while they are being made. */
    block_signals(&before);
    for (i = 0; i < instances->nelts; i++)
        start(APR_ARRAY_IDX(instances, i, svc_ap_instance_t *), pchild,
              is_threaded);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void svc_ap_worker_stop_leading(const apr_array_header_t *instances)
{
    svc_ap_worker_t *worker;
    int i;

    for (i = 0; i < instances->nelts; i++) {
        worker = APR_ARRAY_IDX(instances, i, svc_ap_instance_t *)->worker;
        /* A child may be told to stop before its child_init ran. */
        if (worker)
            stop_leading(worker);
    }
}

svc_err_t *svc_ap_worker_borrow(svc_ap_db_loan_t *loan,
                                const svc_ap_instance_t *instance,
                                request_rec *r)
{
    svc_err_t *err = svc_writer_ready(instance->worker->writer, READY_MS,
                                      r->pool);

    return err ? err
               : svc_ap_db_borrow(loan, instance->gate, instance->server,
                                  instance->service->name, r->pool);
}

static apr_status_t release(void *command)
{
    svc_writer_release(command);
    return APR_SUCCESS;
}

svc_command_t *svc_ap_worker_command(void **baton, apr_size_t size,
                                     const char *key, svc_writer_run_fn run,
                                     request_rec *r)
{
    svc_command_t *command = svc_writer_command(baton, size, key, run);
    svc_origin_t origin = svc_origin(
        apr_table_get(r->headers_in, "traceparent"),
        apr_table_get(r->subprocess_env, "UNIQUE_ID")); /* mod_unique_id's */

    svc_writer_command_origin(command, &origin);
    apr_pool_cleanup_register(r->pool, command, release,
                              apr_pool_cleanup_null);
    return command;
}

svc_err_t *svc_ap_worker_execute(const svc_ap_instance_t *instance,
                                 svc_command_t *command, apr_pool_t *pool)
{
    svc_writer_t *writer = instance->worker->writer;
    svc_err_t *err;
    sigset_t before;

    block_signals(&before);
    err = svc_writer_ready(writer, READY_MS, pool);
    if (!err)
        err = svc_writer_execute(writer, command, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}
