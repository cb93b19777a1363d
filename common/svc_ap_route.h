/* svc_ap_route: from a request to the function that answers it, with the checks
 * that come before any body is read: 404, 401, 405.
 */
#ifndef SVC_AP_ROUTE_H
#define SVC_AP_ROUTE_H

#include "svc_ap_http.h"

/* A request of the API. */
typedef struct svc_ap_request_t {
    request_rec *r;
    const svc_ap_instance_t *instance;
    const char *base; /* path of the collection, without a slash at its end */
    const char *path; /* what comes after it, as in svc_ap_route_t */
    const char *id;   /* of the entity, unescaped; NULL: the collection */
    const char *user; /* r->user; NULL: anonymous */
    int status;       /* set to httpd's status when it must make the answer */
    int route;        /* as which it is counted */
} svc_ap_request_t;

/* A route; METHOD GET answers HEAD as well. */
typedef struct svc_ap_route_t {
    const char *method;
    const char *path; /* "": the collection, ":id": an entity, ":id/PART" */
    int needs_user;
    svc_err_t *(*answer)(svc_ap_request_t *request);
    int (*exists)(const request_rec *r); /* NULL: everywhere */
} svc_ap_route_t;

/* What is no route of a service is counted as this one. */
#define SVC_AP_ROUTE_OTHER (SVC_STATS_ROUTES - 1)

/* The handler: DECLINED unless the request's handler is SERVICE's name. Counts
 * the request, and how long it took, before its answer is sent. */
int svc_ap_route_dispatch(request_rec *r, const svc_ap_service_t *service);

/* log_transaction: counts a request of SERVICE that httpd itself has answered,
 * such as one that Require does not let in. */
void svc_ap_route_note(request_rec *r, const svc_ap_service_t *service);

/* The route that is counted at INDEX, as "GET /api/tickets/:id"; NULL: none is. */
const char *svc_ap_route_name(const svc_ap_service_t *service, int index,
                              apr_pool_t *pool);

#endif
