/* svc_ap_module: see the header. */
#include "svc_ap_module.h"

#include <http_config.h>
#include <http_core.h>
#include <http_log.h>

#include "svc_ap_check.h"
#include "svc_ap_newer.h"
#include "svc_ap_worker.h"
#include "svc_log.h"

/* One copy of this file is linked into each module, so these are that module's. */
static server_rec *log_server;
static int log_index;

static void log_to_httpd(svc_log_level_t level, const char *message)
{
    ap_log_error_(__FILE__, __LINE__, log_index, (int)level, 0, log_server,
                  "%s", message);
}

int svc_ap_module_check_config(const svc_ap_service_t *service,
                               server_rec *main, apr_pool_t *pconf,
                               apr_pool_t *scratch)
{
    int rc = svc_ap_check_config(service->module, service->name, main, pconf,
                                 scratch);

    return rc == OK ? svc_ap_newer_check(service, main, scratch) : rc;
}

int svc_ap_module_post_config(apr_array_header_t **instances,
                              const svc_ap_service_t *service,
                              apr_pool_t *pconf, server_rec *main)
{
    *instances = NULL;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK;
    *instances = svc_ap_instance_create_all(service, main, pconf);
    return *instances ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

void svc_ap_module_child_init(const apr_array_header_t *instances,
                              const svc_ap_service_t *service,
                              apr_pool_t *pchild, server_rec *main)
{
    log_server = main;
    log_index = service->module->module_index;
    svc_log_set(log_to_httpd);
    if (instances)
        svc_ap_worker_start(instances, pchild);
}

int svc_ap_module_translate_name(request_rec *r,
                                 const svc_ap_service_t *service)
{
    const svc_ap_conf_dir_t *dir =
        ap_get_module_config(r->per_dir_config, service->module);

    /* Before map_to_storage httpd forgets the Locations, until it is over. */
    if (dir->is_api == 1 && dir->base)
        apr_table_setn(r->notes, service->module_name, dir->base);
    return DECLINED;
}

int svc_ap_module_map_to_storage(const request_rec *r,
                                 const svc_ap_service_t *service)
{
    return apr_table_get(r->notes, service->module_name) ? OK : DECLINED;
}
