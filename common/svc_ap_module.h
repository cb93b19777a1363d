/* svc_ap_module: the hooks that are the same in both modules.
 *
 * A module calls these from its own hooks with its service and its instances.
 */
#ifndef SVC_AP_MODULE_H
#define SVC_AP_MODULE_H

#include "svc_ap_instance.h"

/* check_config: whether SERVICE can work as it is configured, and its databases
 * are not too new. OK or HTTP_INTERNAL_SERVER_ERROR, having said why. */
int svc_ap_module_check_config(const svc_ap_service_t *service,
                               server_rec *main, apr_pool_t *pconf,
                               apr_pool_t *scratch);

/* post_config: makes the instances, unless httpd only reads its configuration
 * for the first of two times. OK or HTTP_INTERNAL_SERVER_ERROR. */
int svc_ap_module_post_config(apr_array_header_t **instances,
                              const svc_ap_service_t *service,
                              apr_pool_t *pconf, server_rec *main);

/* child_init: sends what pure files log to httpd's error log, and starts the
 * threads. */
void svc_ap_module_child_init(const apr_array_header_t *instances,
                              const svc_ap_service_t *service,
                              apr_pool_t *pchild, server_rec *main);

/* What is below a Location of this service is in no file system, so httpd need not
 * look along its path for folders and .htaccess files: that would cost more than
 * the answer. translate_name sees which Location it is, and declines, so that
 * r->filename is what others expect; map_to_storage is OK for ours. */
int svc_ap_module_translate_name(request_rec *r,
                                 const svc_ap_service_t *service);
int svc_ap_module_map_to_storage(const request_rec *r,
                                 const svc_ap_service_t *service);

#endif
