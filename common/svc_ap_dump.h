/* svc_ap_dump: `httpd -t -D DUMP_TICKETS` and `-D DUMP_ORDERS`: what is in effect
 * in each virtual host, as directives. Secrets are not shown.
 *
 * From the test_config hook, in the parent process and its only thread.
 */
#ifndef SVC_AP_DUMP_H
#define SVC_AP_DUMP_H

#include <apr_file_io.h>

#include "svc_ap_conf.h"

/* Prints the directives of S that the module alone has; NULL: none. */
typedef void (*svc_ap_dump_own_fn)(apr_file_t *out, server_rec *s);

/* Prints to the terminal if -D DUMP_<SERVICE> was given; else does nothing. */
void svc_ap_dump(module *module, const char *service, server_rec *main,
                 svc_ap_dump_own_fn own, apr_pool_t *pool);

/* One line, for svc_ap_dump_own_fn: "  NAME VALUE", and that it is the default
 * unless IS_SET. */
void svc_ap_dump_line(apr_file_t *out, const char *name, const char *value,
                      int is_set);
void svc_ap_dump_number(apr_file_t *out, const char *name, apr_int64_t value,
                        int is_set);

#endif
