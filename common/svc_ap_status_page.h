/* svc_ap_status_page: a view of a service as a page for people. What it looks like
 * is in status.html; this puts the figures in, which the page then keeps up to
 * date by itself.
 */
#ifndef SVC_AP_STATUS_PAGE_H
#define SVC_AP_STATUS_PAGE_H

#include "svc_ap_status_view.h"

/* Of the page: it asks no other server, and nothing of what it shows is run. */
#define SVC_AP_STATUS_PAGE_POLICY \
    "default-src 'none'; style-src 'unsafe-inline'; " \
    "script-src 'unsafe-inline'; connect-src 'self'; img-src data:; " \
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"

/* In the pool of VIEW. */
const char *svc_ap_status_page(const svc_ap_status_view_t *view);

#endif
