/* svc_db_watch: see the header. */
#include "svc_db_watch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "svc_time.h"

#define NO_SOCKET (-1)

struct svc_db_watch_t {
    int keeps_socket;
    atomic_int socket; /* that it waits on, or did last */
    _Atomic apr_int64_t deadline; /* 0: it does not wait */
    atomic_int was_ended;
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

void svc_db_watch_begin(svc_db_watch_t *watch, int socket, int limit_ms)
{
    watch->socket = socket;
    watch->was_ended = 0;
    watch->deadline = limit_ms && socket >= 0 ? svc_time_ticks() + limit_ms : 0;
}

void svc_db_watch_wait(svc_db_watch_t *watch, int limit_ms)
{
    watch->deadline = svc_time_ticks() + limit_ms;
}

int svc_db_watch_end(svc_db_watch_t *watch)
{
    watch->deadline = 0;
    return watch->was_ended;
}

static void end_unused(void)
{
    svc_db_watch_t *watch;

    for (watch = first; watch; watch = watch->next) {
        if (watch->keeps_socket && watch->socket != NO_SOCKET &&
            !watch->deadline)
            shutdown(watch->socket, SHUT_RDWR);
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
        watch->was_ended = 1;
        if (watch->socket == NO_SOCKET)
            end_unused();
        else
            shutdown(watch->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&mutex);
}
