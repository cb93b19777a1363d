/* svc_ap_status: the handlers tickets-status and orders-status: how a service is,
 * as a page, as JSON, as Prometheus' text, and as one word for load balancers.
 *
 * Who may see it is up to the configuration (Require). It shows no users, no
 * titles and nothing of what the database or the keys are reached by.
 */
#ifndef SVC_AP_STATUS_H
#define SVC_AP_STATUS_H

#include "svc_ap_instance.h"

/* The handler: DECLINED unless the request's handler is SERVICE's name with
 * "-status" after it. INSTANCES (svc_ap_instance_t *) are all of SERVICE in this
 * httpd: a virtual host that has none shows the only one. */
int svc_ap_status_handle(request_rec *r, const svc_ap_service_t *service,
                         const apr_array_header_t *instances);

#endif
