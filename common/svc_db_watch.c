/* svc_db_watch: see the header. */
#include "svc_db_watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "svc_time.h"

#define NO_SOCKET (-1)
#define FOREVER APR_INT64_MAX

struct svc_db_watch_t {
    int keeps_socket;
    atomic_int socket; /* that it waits on, or did last */
    _Atomic ino_t inode; /* tells that from a later one of the same number */
    _Atomic apr_int64_t deadline; /* 0: it does not wait, or was ended */
    apr_pool_t *pool;
    svc_db_watch_t *next, **link;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static svc_db_watch_t *first;

static apr_status_t leave(void *baton)
{
    svc_db_watch_t *watch = baton;

    pthread_mutex_lock(&mutex);
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    pthread_mutex_unlock(&mutex);
    return APR_SUCCESS;
}

svc_db_watch_t *svc_db_watch_add(int keeps_socket, apr_pool_t *pool)
{
    svc_db_watch_t *watch = apr_pcalloc(pool, sizeof(*watch));

    watch->keeps_socket = keeps_socket;
    watch->socket = NO_SOCKET;
    watch->pool = pool;
    pthread_mutex_lock(&mutex);
    watch->next = first;
    watch->link = &first;
    if (first)
        first->link = &watch->next;
    first = watch;
    pthread_mutex_unlock(&mutex);
    apr_pool_cleanup_register(pool, watch, leave, apr_pool_cleanup_null);
    return watch;
}

void svc_db_watch_remove(svc_db_watch_t *watch)
{
    apr_pool_cleanup_run(watch->pool, watch, leave);
}

void svc_db_watch_begin(svc_db_watch_t *watch, int socket, int limit_ms)
{
    struct stat known;
    int is_open = socket >= 0 && fstat(socket, &known) == 0;

    watch->socket = is_open ? socket : NO_SOCKET;
    watch->inode = is_open ? known.st_ino : 0;
    watch->deadline = limit_ms && is_open ? svc_time_ticks() + limit_ms
                                          : FOREVER;
}

void svc_db_watch_wait(svc_db_watch_t *watch, int limit_ms)
{
    watch->deadline = svc_time_ticks() + limit_ms;
}

int svc_db_watch_end(svc_db_watch_t *watch)
{
    apr_int64_t deadline = watch->deadline;

    if (deadline &&
        atomic_compare_exchange_strong(&watch->deadline, &deadline, 0))
        return 0;
    pthread_mutex_lock(&mutex); /* until its socket is shut: not later, under */
    pthread_mutex_unlock(&mutex); /* the next statement */
    return 1;
}

/* A driver closes the socket of a connection that it finds lost; its number may
 * be somebody else's by now. */
static void end(const svc_db_watch_t *watch)
{
    int socket = watch->socket;
    struct stat now;

    if (socket != NO_SOCKET && fstat(socket, &now) == 0 &&
        now.st_ino == watch->inode)
        shutdown(socket, SHUT_RDWR);
}

static void end_unused(void)
{
    svc_db_watch_t *watch;

    for (watch = first; watch; watch = watch->next) {
        if (watch->keeps_socket && !watch->deadline)
            end(watch);
    }
}

void svc_db_watch_turn(void)
{
    apr_int64_t now = svc_time_ticks();
    svc_db_watch_t *watch;

    pthread_mutex_lock(&mutex);
    for (watch = first; watch; watch = watch->next) {
        apr_int64_t deadline = watch->deadline;

        if (!deadline || now < deadline ||
            !atomic_compare_exchange_strong(&watch->deadline, &deadline, 0))
            continue;
        if (watch->socket == NO_SOCKET)
            end_unused();
        else
            end(watch);
    }
    pthread_mutex_unlock(&mutex);
}
