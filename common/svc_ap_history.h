/* svc_ap_history: GET of an entity's history: its events as they were published,
 * oldest first, as far back as the log is kept. History-Complete tells whether
 * that is to the first of them.
 */
#ifndef SVC_AP_HISTORY_H
#define SVC_AP_HISTORY_H

#include "svc_ap_route.h"
#include "svc_stream.h"

/* Reads a page of the history of ID for USER_ID; see svc_stream_history. */
typedef svc_err_t *(*svc_ap_history_read_fn)(svc_stream_history_t *out,
                                             svc_db_t *db,
                                             const svc_stream_t *stream,
                                             const char *id,
                                             const char *user_id,
                                             apr_int64_t after, int limit,
                                             apr_pool_t *pool);

/* Answers REQUEST with what READ gives. */
svc_err_t *svc_ap_history_answer(svc_ap_request_t *request,
                                 svc_ap_history_read_fn read);

#endif
