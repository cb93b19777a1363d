/* mod_orders_conf: see the header. */
#include "mod_orders_conf.h"

#define DEFAULT_EXPIRATION 900     /* seconds */
#define MAX_EXPIRATION (366 * 86400)

static const char *set_expiration(cmd_parms *cmd, void *dir, const char *arg)
{
    orders_conf_t *conf = ap_get_module_config(cmd->server->module_config,
                                               &orders_module);

    (void)dir;
    return svc_ap_conf_number(&conf->expiration, cmd, arg, 1, MAX_EXPIRATION);
}

const command_rec mod_orders_conf_commands[] = {
    SVC_AP_CONF_COMMANDS("Orders", &orders_module),
    AP_INIT_TAKE1("OrdersExpiration", set_expiration, NULL, RSRC_CONF,
                  "seconds that a buyer has to pay, 900 by default"),
    { .name = NULL }
};

apr_int64_t mod_orders_conf_expiration_ms(server_rec *s)
{
    const orders_conf_t *conf = ap_get_module_config(s->module_config,
                                                     &orders_module);

    return 1000 * (conf->expiration >= 0 ? conf->expiration
                                         : DEFAULT_EXPIRATION);
}

void *mod_orders_conf_create(apr_pool_t *pool, server_rec *s)
{
    orders_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)s;
    svc_ap_conf_init(&conf->common);
    conf->expiration = -1;
    return conf;
}

void *mod_orders_conf_merge(apr_pool_t *pool, void *base_conf, void *add_conf)
{
    orders_conf_t *merged = apr_pcalloc(pool, sizeof(*merged));
    const orders_conf_t *base = base_conf, *add = add_conf;

    svc_ap_conf_merge(&merged->common, &base->common, &add->common, pool);
    merged->expiration = add->expiration >= 0 ? add->expiration
                                              : base->expiration;
    return merged;
}
