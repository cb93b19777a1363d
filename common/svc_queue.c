/* svc_queue: see the header. */
#include "svc_queue.h"

#include <stdlib.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "svc_time.h"

struct svc_queue_t {
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *work; /* something to do, or stop */
    svc_command_t *first;
    svc_command_t **last;
    apr_uint64_t arrivals;
    atomic_llong *unanswered;
    int stopping;
};

svc_queue_t *svc_queue_create(atomic_llong *unanswered, apr_pool_t *pool)
{
    svc_queue_t *queue = apr_pcalloc(pool, sizeof(*queue));

    queue->last = &queue->first;
    queue->unanswered = unanswered;
    if (apr_thread_mutex_create(&queue->mutex, APR_THREAD_MUTEX_DEFAULT,
                                pool) != APR_SUCCESS ||
        apr_thread_cond_create(&queue->work, pool) != APR_SUCCESS)
        abort(); /* out of memory */
    return queue;
}

void svc_queue_release(svc_command_t *command)
{
    if (apr_atomic_dec32(&command->references) == 0)
        apr_pool_destroy(command->pool);
}

/* Signals are given after the mutex is free: who wakes up needs it. */
static void enqueue(svc_queue_t *queue, svc_command_t *command)
{
    apr_atomic_inc32(&command->references);
    command->state = SVC_QUEUE_QUEUED;
    command->answer = NULL;
    command->order = queue->arrivals++;
    command->next = NULL;
    *queue->last = command;
    queue->last = &command->next;
    atomic_fetch_add(queue->unanswered, 1);
}

void svc_queue_submit(svc_queue_t *queue, svc_command_t *command)
{
    apr_thread_mutex_lock(queue->mutex);
    enqueue(queue, command);
    apr_thread_mutex_unlock(queue->mutex);
    apr_thread_cond_signal(queue->work);
}

static void withdraw(svc_queue_t *queue, svc_command_t *command)
{
    svc_command_t **at = &queue->first;

    while (*at != command)
        at = &(*at)->next;
    *at = command->next;
    if (queue->last == &command->next)
        queue->last = at;
    command->state = SVC_QUEUE_DONE;
    atomic_fetch_sub(queue->unanswered, 1);
    svc_queue_release(command); /* the queue's reference */
}

svc_err_t *svc_queue_execute(svc_queue_t *queue, svc_command_t *command,
                             int budget_ms, apr_pool_t *pool)
{
    apr_int64_t deadline = svc_time_ticks() + budget_ms;
    apr_int64_t left;
    svc_err_t *answer;

    if (apr_thread_cond_create(&command->answered, command->pool) !=
        APR_SUCCESS)
        abort(); /* out of memory */
    apr_thread_mutex_lock(queue->mutex);
    enqueue(queue, command);
    apr_thread_mutex_unlock(queue->mutex);
    apr_thread_cond_signal(queue->work);
    apr_thread_mutex_lock(queue->mutex);
    while (command->state != SVC_QUEUE_DONE &&
           (left = deadline - svc_time_ticks()) > 0)
        apr_thread_cond_timedwait(command->answered, queue->mutex,
                                  left * 1000);
    if (command->state == SVC_QUEUE_DONE)
        answer = command->answer;
    else if (command->state == SVC_QUEUE_QUEUED) {
        withdraw(queue, command);
        answer = svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                              "The service is too busy; nothing was changed",
                              "a command waited %d ms and was withdrawn",
                              budget_ms);
    } else
        answer = svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                              "The database did not answer in time; whether "
                              "the change was made is unknown",
                              "a command was begun and not ended within %d ms",
                              budget_ms);
    apr_thread_mutex_unlock(queue->mutex);
    return answer;
}

int svc_queue_is_done(svc_err_t **err, svc_queue_t *queue,
                      svc_command_t *command)
{
    int done;

    apr_thread_mutex_lock(queue->mutex);
    done = command->state == SVC_QUEUE_DONE;
    *err = done ? command->answer : NULL;
    apr_thread_mutex_unlock(queue->mutex);
    return done;
}

static int by_key(const void *a, const void *b)
{
    const svc_command_t *left = *(svc_command_t *const *)a;
    const svc_command_t *right = *(svc_command_t *const *)b;
    int order = strcmp(left->key ? left->key : "", right->key ? right->key : "");

    return order ? order : left->order < right->order ? -1 : 1;
}

int svc_queue_take(svc_command_t **batch, int max, svc_queue_t *queue)
{
    int count = 0, weight = 0;

    apr_thread_mutex_lock(queue->mutex);
    while (queue->first &&
           (count == 0 || weight + queue->first->weight <= max)) {
        svc_command_t *command = queue->first;

        weight += command->weight;
        queue->first = command->next;
        command->state = SVC_QUEUE_TAKEN;
        batch[count++] = command;
    }
    if (!queue->first)
        queue->last = &queue->first;
    apr_thread_mutex_unlock(queue->mutex);
    qsort(batch, (size_t)count, sizeof(batch[0]), by_key);
    return count;
}

int svc_queue_answer(svc_queue_t *queue, svc_command_t **batch, int count)
{
    int i, was_submitted = 0;

    apr_thread_mutex_lock(queue->mutex);
    atomic_fetch_sub(queue->unanswered, count);
    for (i = 0; i < count; i++)
        batch[i]->state = SVC_QUEUE_DONE;
    apr_thread_mutex_unlock(queue->mutex);
    for (i = 0; i < count; i++) {
        if (batch[i]->answered)
            apr_thread_cond_signal(batch[i]->answered);
        else
            was_submitted = 1;
        svc_queue_release(batch[i]);
    }
    return was_submitted;
}

int svc_queue_wait(svc_queue_t *queue, int timeout_ms)
{
    int go_on;

    apr_thread_mutex_lock(queue->mutex);
    while (!queue->first && !queue->stopping) {
        if (timeout_ms < 0)
            apr_thread_cond_wait(queue->work, queue->mutex);
        else if (apr_thread_cond_timedwait(queue->work, queue->mutex,
                                           timeout_ms * 1000))
            break;
    }
    go_on = queue->first || !queue->stopping;
    apr_thread_mutex_unlock(queue->mutex);
    return go_on;
}

void svc_queue_stop(svc_queue_t *queue)
{
    apr_thread_mutex_lock(queue->mutex);
    queue->stopping = 1;
    apr_thread_cond_signal(queue->work);
    apr_thread_mutex_unlock(queue->mutex);
}
