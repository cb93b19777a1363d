/* mod_orders: buys tickets at /api/orders. This file only wires the module
 * into httpd; README.md has a tour of the source.
 */
#include <httpd.h>
#include <http_config.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_status.h>
#include <mpm_common.h>

#include "mod_orders_conf.h"
#include "mod_orders_http.h"
#include "svc_ap_dump.h"
#include "svc_ap_module.h"
#include "svc_ap_route.h"
#include "svc_ap_status.h"
#include "svc_ap_status_section.h"
#include "svc_ap_worker.h"
#include "orders_events.h"
#include "orders_schema.h"
#include "orders_service.h"

static const svc_ap_service_t orders = {
    .module = &orders_module,
    .name = "orders",
    .module_name = "mod_orders",
    .base = "/api/orders",
    .routes = mod_orders_http_routes,
    .cache_control = "no-store",
    .schema = &orders_schema,
    .subjects = orders_events_subjects,
    .handler = &orders_events_handler,
    .state = orders_events_state,
    .sweep = orders_service_sweep
};

static apr_array_header_t *instances; /* NULL before post_config */

static int orders_check_config(apr_pool_t *pconf, apr_pool_t *plog,
                                apr_pool_t *ptemp, server_rec *s)
{
    int status = svc_ap_module_check_config(&orders, s, pconf, ptemp);

    (void)plog;
    if (status == OK)
        mod_orders_conf_check(s, ptemp);
    return status;
}

static void orders_test_config(apr_pool_t *pconf, server_rec *s)
{
    svc_ap_dump(&orders_module, orders.name, s, mod_orders_conf_dump, pconf);
}

static int orders_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                               apr_pool_t *ptemp, server_rec *s)
{
    (void)plog;
    (void)ptemp;
    return svc_ap_module_post_config(&instances, &orders, pconf, s);
}

static void orders_child_init(apr_pool_t *pchild, server_rec *s)
{
    svc_ap_module_child_init(instances, &orders, pchild, s);
}

static void orders_child_stopping(apr_pool_t *pchild, int graceful)
{
    (void)pchild;
    (void)graceful;
    svc_ap_worker_stop_leading(instances);
}

static int orders_translate_name(request_rec *r)
{
    return svc_ap_module_translate_name(r, &orders);
}

static int orders_map_to_storage(request_rec *r)
{
    return svc_ap_module_map_to_storage(r, &orders);
}

static int orders_handler(request_rec *r)
{
    return svc_ap_route_dispatch(r, &orders);
}

static int orders_status_handler(request_rec *r)
{
    return svc_ap_status_handle(r, &orders, instances);
}

/* In the page of mod_status, where that is loaded. */
static int orders_status_hook(request_rec *r, int flags)
{
    svc_ap_status_section(r, flags, &orders, instances);
    return OK;
}

static int orders_log_transaction(request_rec *r)
{
    svc_ap_route_note(r, &orders);
    return DECLINED;
}

static void orders_insert_error_filter(request_rec *r)
{
    svc_ap_http_insert_error_filter(r, &orders);
}

static void orders_register_hooks(apr_pool_t *pool)
{
    static const char *const after_dbd[] = { "mod_dbd.c", NULL };

    (void)pool;
    svc_ap_http_register();
    ap_hook_check_config(orders_check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(orders_test_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(orders_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* The threads read through mod_dbd's pool, which is made there. */
    ap_hook_child_init(orders_child_init, after_dbd, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(orders_child_stopping, NULL, NULL,
                           APR_HOOK_MIDDLE);
    ap_hook_translate_name(orders_translate_name, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_map_to_storage(orders_map_to_storage, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(orders_handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(orders_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    APR_OPTIONAL_HOOK(ap, status_hook, orders_status_hook, NULL, NULL,
                      APR_HOOK_MIDDLE);
    ap_hook_log_transaction(orders_log_transaction, NULL, NULL,
                            APR_HOOK_MIDDLE);
    ap_hook_insert_error_filter(orders_insert_error_filter, NULL, NULL,
                                APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA orders_module = {
    STANDARD20_MODULE_STUFF,
    mod_orders_conf_create_dir,
    mod_orders_conf_merge_dir,
    mod_orders_conf_create,
    mod_orders_conf_merge,
    mod_orders_conf_commands,
    orders_register_hooks,
    AP_MODULE_FLAG_NONE
};
