/* svc_ap_status_section: a view of a service in mod_status' own page, and as the
 * lines of its ?auto; docs/status.md has them.
 */
#ifndef SVC_AP_STATUS_SECTION_H
#define SVC_AP_STATUS_SECTION_H

#include "svc_ap_instance.h"

/* status_hook (mod_status.h): writes a section for each of INSTANCES
 * (svc_ap_instance_t *; NULL: none) of SERVICE. */
void svc_ap_status_section(request_rec *r, int flags,
                           const svc_ap_service_t *service,
                           const apr_array_header_t *instances);

#endif
