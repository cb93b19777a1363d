/* svc_ap_check: whether what a service is configured with can work, and is safe.
 *
 * Runs in the parent process, as root if httpd is started so; `httpd -t` runs it
 * too. Nothing is opened or made that stays.
 */
#ifndef SVC_AP_CHECK_H
#define SVC_AP_CHECK_H

#include "svc_ap_conf.h"

/* check_config: looks at the servers in which MODULE's service is used, and
 * reads their keys. Says what is wrong in one sentence that names the
 * directive, on the terminal, and returns HTTP_INTERNAL_SERVER_ERROR; or OK. */
int svc_ap_check_config(module *module, const char *service, server_rec *main,
                        apr_pool_t *pconf, apr_pool_t *scratch);

/* What an operator calls S: "the virtual host www.example (FILE:LINE)". */
const char *svc_ap_check_server_name(const server_rec *s, apr_pool_t *pool);

#endif
