/* svc_queue: the commands that wait for the writer's thread, and those who wait
 * for their answers. It knows nothing of databases.
 *
 * A command is QUEUED, then TAKEN, then DONE; who gives up waiting withdraws it
 * only while it is QUEUED. The functions may be called in any thread, unless
 * they say otherwise.
 */
#ifndef SVC_QUEUE_H
#define SVC_QUEUE_H

#include "svc_writer.h"

typedef struct svc_queue_t svc_queue_t;

typedef enum {
    SVC_QUEUE_QUEUED,
    SVC_QUEUE_TAKEN,
    SVC_QUEUE_DONE
} svc_queue_state_t;

/* What svc_writer.h hands out without showing it. */
struct svc_command_t {
    apr_pool_t *pool;
    svc_writer_run_fn run;
    void *baton;
    const char *key;
    svc_origin_t origin;         /* see svc_writer_command_origin */
    int weight;                  /* see svc_writer_command_weigh */
    svc_err_t *answer;           /* the writer's until svc_queue_answer */
    /* The rest is the queue's, under its mutex. */
    struct apr_thread_cond_t *answered; /* NULL: nobody waits */
    svc_command_t *next;
    svc_queue_state_t state;
    apr_uint32_t references;
    apr_uint64_t order;          /* of arrival */
};

/* Lives in POOL, which is used only now. UNANSWERED always has the number of the
 * commands that were handed in and are not answered yet. */
svc_queue_t *svc_queue_create(atomic_llong *unanswered, apr_pool_t *pool);

/* Gives up a reference to COMMAND; the last one frees it. */
void svc_queue_release(svc_command_t *command);

/* Adds COMMAND, which the queue refers to until it is answered. */
void svc_queue_submit(svc_queue_t *queue, svc_command_t *command);

/* The same, and waits for the answer up to BUDGET_MS; see
 * svc_writer_execute. */
svc_err_t *svc_queue_execute(svc_queue_t *queue, svc_command_t *command,
                             int budget_ms, apr_pool_t *pool);

/* Has the command been answered? ERR gets the answer then. */
int svc_queue_is_done(svc_err_t **err, svc_queue_t *queue,
                      svc_command_t *command);

/* Takes out commands that weigh up to MAX together, or one that is heavier by
 * itself, so at most MAX of them, in the order in which their rows are to be
 * touched; returns their number. The writer's thread. */
int svc_queue_take(svc_command_t **batch, int max, svc_queue_t *queue);

/* Wakes those who wait for the COUNT commands of BATCH, which belong to the
 * queue no longer. True when one of them was submitted: its owner has to be
 * told to look. The writer's thread. */
int svc_queue_answer(svc_queue_t *queue, svc_command_t **batch, int count);

/* Sleeps until there is something to do, or for TIMEOUT_MS (-1: for ever);
 * false when it is time to end: svc_queue_stop was called and nothing waits.
 * The writer's thread. */
int svc_queue_wait(svc_queue_t *queue, int timeout_ms);

/* No more waiting for commands. */
void svc_queue_stop(svc_queue_t *queue);

#endif
