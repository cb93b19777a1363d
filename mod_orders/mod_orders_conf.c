/* mod_orders_conf: see the header. */
#include "mod_orders_conf.h"

#include <string.h>

#include <http_log.h>

#define DEFAULT_EXPIRATION 900     /* seconds */
#define MAX_EXPIRATION (366 * 86400)
#define MAX_ACTIVE 1000000

static const char *set_expiration(cmd_parms *cmd, void *dir, const char *arg)
{
    orders_conf_t *conf = ap_get_module_config(cmd->server->module_config,
                                               &orders_module);

    (void)dir;
    return svc_ap_conf_number(&conf->expiration, cmd, arg, 1, MAX_EXPIRATION);
}

static const char *set_max_active(cmd_parms *cmd, void *dir, const char *arg)
{
    orders_conf_t *conf = ap_get_module_config(cmd->server->module_config,
                                               &orders_module);

    (void)dir;
    return svc_ap_conf_number(&conf->max_active, cmd, arg, 0, MAX_ACTIVE);
}

/* Is there, beside CMD, a Require that does not admit every buyer? It may stand
 * in a section of its own. */
static int is_guarded(const cmd_parms *cmd)
{
    const ap_directive_t *directive = cmd->directive->parent
                                          ? cmd->directive->parent->first_child
                                          : NULL;
    int has_require = 0;

    for (; directive; directive = directive->next) {
        const char *name = directive->directive;

        if (strcasecmp(name, "SetHandler") == 0)
            return 0; /* the whole API */
        if (strcasecmp(name, "Require") == 0)
            has_require |= strcasecmp(directive->args, "valid-user") != 0 &&
                           strcasecmp(directive->args, "all granted") != 0;
        has_require |= strncasecmp(name, "<Require", 8) == 0 ||
                       strncasecmp(name, "<If", 3) == 0 ||
                       strncasecmp(name, "<Limit", 6) == 0;
    }
    return has_require;
}

static const char *set_payments(cmd_parms *cmd, void *dir, int on)
{
    ((orders_conf_dir_t *)dir)->payments = on;
    if (on && !is_guarded(cmd))
        ap_log_error_(cmd->directive->filename, cmd->directive->line_num,
                      orders_module.module_index, APLOG_STARTUP | APLOG_WARNING,
                      0, cmd->server,
                      "ORD001: %s:%d: OrdersPayments On without a Require "
                      "beside it that admits the payments service alone: "
                      "whoever may order can say that he has paid",
                      cmd->directive->filename, cmd->directive->line_num);
    return NULL;
}

const command_rec mod_orders_conf_commands[] = {
    SVC_AP_CONF_COMMANDS("Orders", &orders_module),
    AP_INIT_TAKE1("OrdersExpiration", set_expiration, NULL, RSRC_CONF,
                  "seconds that a buyer has to pay, 900 by default"),
    AP_INIT_TAKE1("OrdersMaxActive", set_max_active, NULL, RSRC_CONF,
                  "unpaid orders that a user may hold, 0 by default: any"),
    AP_INIT_FLAG("OrdersPayments", set_payments, NULL, ACCESS_CONF,
                 "On: payments may be told here, by whom Require allows"),
    { .name = NULL }
};

orders_terms_t mod_orders_conf_terms(server_rec *s)
{
    const orders_conf_t *conf = ap_get_module_config(s->module_config,
                                                     &orders_module);
    orders_terms_t terms = {
        1000 * (conf->expiration >= 0 ? conf->expiration : DEFAULT_EXPIRATION),
        conf->max_active >= 0 ? (int)conf->max_active : 0
    };

    return terms;
}

int mod_orders_conf_has_payments(const request_rec *r)
{
    const orders_conf_dir_t *conf = ap_get_module_config(r->per_dir_config,
                                                         &orders_module);

    return conf->payments == 1;
}

void *mod_orders_conf_create(apr_pool_t *pool, server_rec *s)
{
    orders_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)s;
    svc_ap_conf_init(&conf->common);
    conf->expiration = -1;
    conf->max_active = -1;
    return conf;
}

void *mod_orders_conf_merge(apr_pool_t *pool, void *base_conf, void *add_conf)
{
    orders_conf_t *merged = apr_pcalloc(pool, sizeof(*merged));
    const orders_conf_t *base = base_conf, *add = add_conf;

    svc_ap_conf_merge(&merged->common, &base->common, &add->common, pool);
    merged->expiration = add->expiration >= 0 ? add->expiration
                                              : base->expiration;
    merged->max_active = add->max_active >= 0 ? add->max_active
                                              : base->max_active;
    return merged;
}

void *mod_orders_conf_create_dir(apr_pool_t *pool, char *path)
{
    orders_conf_dir_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)path;
    svc_ap_conf_init_dir(&conf->common);
    conf->payments = -1;
    return conf;
}

void *mod_orders_conf_merge_dir(apr_pool_t *pool, void *base_conf,
                                void *add_conf)
{
    orders_conf_dir_t *merged = apr_pcalloc(pool, sizeof(*merged));
    const orders_conf_dir_t *base = base_conf, *add = add_conf;

    svc_ap_conf_merge_dir(&merged->common, &base->common, &add->common);
    merged->payments = add->payments >= 0 ? add->payments : base->payments;
    return merged;
}
