/* mod_tickets: sells tickets at /api/tickets. This file only wires the module
 * into httpd; README.md has a tour of the source.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_status.h>
#include <mpm_common.h>

#include "mod_tickets_conf.h"
#include "mod_tickets_http.h"
#include "svc_ap_dump.h"
#include "svc_ap_module.h"
#include "svc_ap_route.h"
#include "svc_ap_status.h"
#include "svc_ap_status_section.h"
#include "svc_ap_worker.h"
#include "tickets_events.h"
#include "tickets_schema.h"

static const svc_ap_service_t tickets = {
    .module = &tickets_module,
    .name = "tickets",
    .module_name = "mod_tickets",
    .base = "/api/tickets",
    .routes = mod_tickets_http_routes,
    .cache_control = "no-cache",
    .schema = &tickets_schema,
    .subjects = tickets_events_subjects,
    .handler = &tickets_events_handler,
    .state = tickets_events_state
};

static apr_array_header_t *instances; /* NULL before post_config */

static int tickets_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    return svc_ap_module_check_config(&tickets, s, pconf, ptemp);
}

static void tickets_test_config(apr_pool_t *pconf, server_rec *s)
{
    svc_ap_dump(&tickets_module, tickets.name, s, NULL, pconf);
}

static int tickets_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                               apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    (void)ptemp;
    return svc_ap_module_post_config(&instances, &tickets, pconf, s);
}

static void tickets_child_init(apr_pool_t *pchild, server_rec *s)
{
    svc_ap_module_child_init(instances, &tickets, pchild, s);
}

static void tickets_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    (void)graceful;
    svc_ap_worker_stop_leading(instances);
}

static int tickets_translate_name(request_rec *r)
{
    return svc_ap_module_translate_name(r, &tickets);
}

static int tickets_map_to_storage(request_rec *r)
{
    return svc_ap_module_map_to_storage(r, &tickets);
}

static int tickets_handler(request_rec *r)
{
    return svc_ap_route_dispatch(r, &tickets);
}

static int tickets_status_handler(request_rec *r)
{
    return svc_ap_status_handle(r, &tickets, instances);
}

/* In the page of mod_status, where that is loaded. */
static int tickets_status_hook(request_rec *r, int flags)
{
    svc_ap_status_section(r, flags, &tickets, instances);
    return OK;
}

static int tickets_log_transaction(request_rec *r)
{
    svc_ap_route_note(r, &tickets);
    return DECLINED;
}

static void tickets_insert_error_filter(request_rec *r)
{
    svc_ap_http_insert_error_filter(r, &tickets);
}

static void tickets_register_hooks(apr_pool_t *pool)
{
    static const char *const after_dbd[] = { "mod_dbd.c", NULL };

    (void)pool;
    svc_ap_http_register();
    ap_hook_check_config(tickets_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(tickets_test_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(tickets_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* The threads read through mod_dbd's pool, which is made there. */
    ap_hook_child_init(tickets_child_init, after_dbd, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(tickets_child_stopping, NULL, NULL,
                           APR_HOOK_MIDDLE);
    ap_hook_translate_name(tickets_translate_name, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_map_to_storage(tickets_map_to_storage, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(tickets_handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(tickets_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ap, status_hook, tickets_status_hook, NULL, NULL,
                      APR_HOOK_MIDDLE);
    ap_hook_log_transaction(tickets_log_transaction, NULL, NULL,
                            APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(tickets_insert_error_filter, NULL, NULL,
                                APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA tickets_module = {
    STANDARD20_MODULE_STUFF,
    mod_tickets_conf_create_dir,
    mod_tickets_conf_merge_dir,
    mod_tickets_conf_create,
    mod_tickets_conf_merge,
    mod_tickets_conf_commands,
    tickets_register_hooks,
    AP_MODULE_FLAG_NONE
};
