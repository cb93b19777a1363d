/* svc_ap_newer: whether a database has tables that only a newer module knows.
 *
 * Asked when httpd starts, and by `httpd -t`, where a refusal is seen by whoever
 * starts it. Never at a restart: it would end a server that runs, with all else
 * that it serves, because somebody upgraded a database; the writers answer 503.
 */
#ifndef SVC_AP_NEWER_H
#define SVC_AP_NEWER_H

#include "svc_ap_instance.h"

/* check_config: HTTP_INTERNAL_SERVER_ERROR, having said why on the terminal, when
 * a database of SERVICE is newer; OK when none is, or when that cannot be read
 * within two seconds: a database that is down does not stop httpd. */
int svc_ap_newer_check(const svc_ap_service_t *service, server_rec *main,
                       apr_pool_t *scratch);

#endif
