/* svc_ap_worker: the threads of one process: a writer for each instance, and
 * the thread that leads when this process is the one that does.
 *
 * Lifecycle: started in child_init, after mod_dbd's. child_stopping ends the
 * leading at once, so that another process takes over while this one still
 * answers its last requests; the writers run until pre_cleanup and end with an
 * empty queue. The leader is whoever holds a lock on a file with a fixed path:
 * it spans restarts, and the kernel frees it when its holder is killed.
 */
#ifndef SVC_AP_WORKER_H
#define SVC_AP_WORKER_H

#include "svc_ap_instance.h"

typedef struct svc_ap_worker_t svc_ap_worker_t;

/* child_init: starts the threads of all INSTANCES (svc_ap_instance_t *). They
 * end, and are joined, before PCHILD is destroyed. */
void svc_ap_worker_start(const apr_array_header_t *instances,
                         apr_pool_t *pchild);

/* child_stopping: stops leading, and frees the lock. */
void svc_ap_worker_stop_leading(const apr_array_header_t *instances);

/* svc_ap_db_borrow for a request, once the schema is there. The connection is one
 * of the instance's virtual host: R, which may be about another one (its status),
 * only has the pool. */
svc_err_t *svc_ap_worker_borrow(svc_ap_db_loan_t *loan,
                                const svc_ap_instance_t *instance,
                                request_rec *r);

/* svc_writer_command for a request, which gives its reference back at its end; its
 * events carry on the request's trace and its id. */
svc_command_t *svc_ap_worker_command(void **baton, apr_size_t size,
                                     const char *key, svc_writer_run_fn run,
                                     request_rec *r);

/* svc_writer_execute for a request's thread, once the schema is there; its error lives in POOL or the
 * command's. Signals wait meanwhile: prefork's child ends in its handler of
 * SIGTERM, where it could not wait for a lock that it holds itself. */
svc_err_t *svc_ap_worker_execute(const svc_ap_instance_t *instance,
                                 svc_command_t *command, apr_pool_t *pool);

#endif
