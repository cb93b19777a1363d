/* svc_ap_status_json: a view of a service as JSON; docs/status.md has its fields.
 */
#ifndef SVC_AP_STATUS_JSON_H
#define SVC_AP_STATUS_JSON_H

#include "svc_ap_status_view.h"
#include "svc_json.h"

/* In the pool of VIEW. */
svc_json_t *svc_ap_status_json(const svc_ap_status_view_t *view);

#endif
