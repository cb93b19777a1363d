/* svc_ap_fetch: see the header. */
#include "svc_ap_fetch.h"

#include <stdlib.h>

#include <apr_atomic.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "svc_ap_worker.h"
#include "svc_time.h"

#define MAX_LEADERS 4  /* statements at the same time */
#define FOR_ANOTHER 12 /* so many wait when one more of them is worth it */

/* What one statement brought, kept until the last who waited for it is done. */
typedef struct batch_t {
    apr_pool_t *pool;
    apr_uint32_t references;
} batch_t;

typedef enum {
    QUEUED, /* in the list, as nobody else is */
    LEADS,  /* has to ask, for itself and for those at the list's begin */
    TAKEN,  /* somebody asks for it */
    ANSWERED
} state_t;

typedef struct waiter_t {
    const char *id;
    state_t state;
    const void *row;
    svc_err_t *err;
    batch_t *batch;
    apr_thread_cond_t *changed; /* of who waits */
    struct waiter_t *next;
} waiter_t;

struct svc_ap_fetch_t {
    apr_thread_mutex_t *mutex; /* of all below, and of those in the list */
    waiter_t *first, **last;
    int waiting; /* in the list */
    int leaders; /* those who ask, or are about to; 0: the list is empty */
};

svc_ap_fetch_t *svc_ap_fetch_create(svc_db_engine_t engine, int is_threaded,
                                    apr_pool_t *pool)
{
    svc_ap_fetch_t *fetch;

    if (engine == SVC_DB_SQLITE || !is_threaded)
        return NULL;
    fetch = apr_pcalloc(pool, sizeof(*fetch));
    fetch->last = &fetch->first;
    if (apr_thread_mutex_create(&fetch->mutex, APR_THREAD_MUTEX_DEFAULT,
                                pool) != APR_SUCCESS)
        abort(); /* out of memory */
    return fetch;
}

static svc_err_t *read_rows(const void **rows,
                            const svc_ap_instance_t *instance,
                            const char *const *ids, int count,
                            svc_ap_fetch_fn fn, apr_pool_t *pool,
                            request_rec *r)
{
    svc_ap_db_loan_t loan;
    svc_err_t *err = svc_ap_worker_borrow(&loan, instance, r);

    if (err)
        return err;
    err = fn(rows, loan.db, ids, count, pool);
    svc_ap_db_give_back(&loan);
    return err;
}

static apr_status_t release(void *baton)
{
    batch_t *batch = baton;

    if (apr_atomic_dec32(&batch->references) == 0)
        apr_pool_destroy(batch->pool);
    return APR_SUCCESS;
}

static waiter_t *take(svc_ap_fetch_t *fetch, state_t state)
{
    waiter_t *waiter = fetch->first;

    if (!waiter)
        return NULL;
    fetch->first = waiter->next;
    if (!fetch->first)
        fetch->last = &fetch->first;
    fetch->waiting--;
    waiter->state = state;
    return waiter;
}

/* It is the turn of the next in the list, and of those who came after it; unless
 * they are few, and another will come to them. */
static void pass_on(svc_ap_fetch_t *fetch)
{
    waiter_t *waiter = NULL;

    if (fetch->leaders == 1 || fetch->waiting >= FOR_ANOTHER)
        waiter = take(fetch, LEADS);
    if (waiter)
        apr_thread_cond_signal(waiter->changed);
    else
        fetch->leaders--;
}

/* Asks for SELF and those who wait, and hands out the answers. The mutex is held,
 * but not meanwhile. */
static void lead(svc_ap_fetch_t *fetch, waiter_t *self,
                 const svc_ap_instance_t *instance, svc_ap_fetch_fn fn,
                 request_rec *r)
{
    waiter_t *taken[SVC_AP_FETCH_MAX] = { self };
    const char *ids[SVC_AP_FETCH_MAX];
    const void *rows[SVC_AP_FETCH_MAX] = { NULL };
    int i, count = 1;
    apr_pool_t *pool;
    batch_t *batch;
    svc_err_t *err;

    while (count < SVC_AP_FETCH_MAX && (taken[count] = take(fetch, TAKEN)))
        count++;
    apr_thread_mutex_unlock(fetch->mutex);
    apr_pool_create(&pool, NULL); /* the global allocator is thread-safe */
    batch = apr_palloc(pool, sizeof(*batch));
    batch->pool = pool;
    batch->references = (apr_uint32_t)count;
    for (i = 0; i < count; i++)
        ids[i] = taken[i]->id;
    err = svc_err_copy(read_rows(rows, instance, ids, count, fn, pool, r), pool);
    apr_thread_mutex_lock(fetch->mutex);
    pass_on(fetch);
    for (i = count; i-- > 0;) { /* SELF last, who need not be woken */
        taken[i]->row = rows[i];
        taken[i]->err = err;
        taken[i]->batch = batch;
        taken[i]->state = ANSWERED;
        if (i == 0)
            break;
        apr_thread_cond_signal(taken[i]->changed);
        apr_thread_mutex_unlock(fetch->mutex); /* who wakes up needs it */
        apr_thread_mutex_lock(fetch->mutex);
    }
}

static void withdraw(svc_ap_fetch_t *fetch, waiter_t *waiter)
{
    waiter_t **at = &fetch->first;

    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    fetch->waiting--;
    if (fetch->last == &waiter->next)
        fetch->last = at;
}

/* Until somebody has asked for it, or it has to ask itself. False when nobody
 * came to that in time. Who is taken is answered, as a statement takes only so
 * long. */
static int wait_turn(svc_ap_fetch_t *fetch, waiter_t *waiter,
                     request_rec *r)
{
    apr_int64_t deadline = svc_time_ticks() + SVC_AP_DB_WAIT_MS;
    apr_int64_t left;

    if (apr_thread_cond_create(&waiter->changed, r->pool) != APR_SUCCESS)
        abort(); /* out of memory */
    *fetch->last = waiter;
    fetch->last = &waiter->next;
    fetch->waiting++;
    while (waiter->state == QUEUED && (left = deadline - svc_time_ticks()) > 0)
        apr_thread_cond_timedwait(waiter->changed, fetch->mutex, left * 1000);
    if (waiter->state == QUEUED) {
        withdraw(fetch, waiter);
        return 0;
    }
    while (waiter->state == TAKEN)
        apr_thread_cond_wait(waiter->changed, fetch->mutex);
    return 1;
}

/* With the others who wait. */
static svc_err_t *read_together(const void **row, svc_ap_fetch_t *fetch,
                                const svc_ap_instance_t *instance,
                                const char *id, svc_ap_fetch_fn fn,
                                request_rec *r)
{
    waiter_t waiter = { .id = id };
    int is_in = 1;

    apr_thread_mutex_lock(fetch->mutex);
    if (fetch->leaders == 0 || (fetch->leaders < MAX_LEADERS &&
                                fetch->waiting >= FOR_ANOTHER)) {
        fetch->leaders++;
        waiter.state = LEADS;
    } else
        is_in = wait_turn(fetch, &waiter, r);
    if (waiter.state == LEADS)
        lead(fetch, &waiter, instance, fn, r);
    apr_thread_mutex_unlock(fetch->mutex);
    if (!is_in)
        return svc_err_ours(r->pool, SVC_ERR_UNAVAILABLE,
                            "The service is too busy",
                            "a request waited %d ms to be read",
                            SVC_AP_DB_WAIT_MS);
    apr_pool_cleanup_register(r->pool, waiter.batch, release,
                              apr_pool_cleanup_null);
    *row = waiter.row;
    return waiter.err;
}

svc_err_t *svc_ap_fetch(const void **row, const svc_ap_instance_t *instance,
                        const char *id, svc_ap_fetch_fn fn, request_rec *r)
{
    *row = NULL;
    return instance->fetch
               ? read_together(row, instance->fetch, instance, id, fn, r)
               : read_rows(row, instance, &id, 1, fn, r->pool, r);
}
