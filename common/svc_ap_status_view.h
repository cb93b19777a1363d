/* svc_ap_status_view: what is shown of a service, gathered once for an answer, in
 * whatever format it is given then.
 */
#ifndef SVC_AP_STATUS_VIEW_H
#define SVC_AP_STATUS_VIEW_H

#include "svc_ap_instance.h"
#include "svc_health.h"

/* One route; several threads go on counting, so the parts need not agree to the
 * last request. */
typedef struct svc_ap_status_view_route_t {
    const char *name; /* "GET /api/tickets/:id"; "other" */
    long long status[SVC_STATS_STATUSES];
    long long bucket[SVC_STATS_CLASSES][SVC_STATS_BUCKETS];
    long long sum_us[SVC_STATS_CLASSES];
} svc_ap_status_view_route_t;

typedef struct svc_ap_status_view_t {
    const svc_ap_instance_t *instance;
    const svc_health_t *health;
    apr_int64_t now;   /* ms since 1970 */
    apr_int64_t ticks; /* svc_time_ticks */
    const char *source; /* the name of its log; NULL: not known yet */
    apr_array_header_t *routes; /* svc_ap_status_view_route_t */
    svc_stats_event_t recent[SVC_STATS_RECENT]; /* the newest first */
    int recent_count;
    apr_pool_t *pool;
} svc_ap_status_view_t;

/* A view of INSTANCE. R is the request it is for. While no process leads, nobody
 * looks whether the database answers: then it is asked, which may take as long as
 * any request does. Not if MAY_ASK is false: then the view comes at once, with
 * what was seen last. */
svc_ap_status_view_t *svc_ap_status_view(const svc_ap_instance_t *instance,
                                         int may_ask, request_rec *r);

/* A counter of it. */
long long svc_ap_status_view_count(const atomic_llong *counter);

#endif
