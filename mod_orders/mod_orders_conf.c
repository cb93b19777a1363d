/* mod_orders_conf: see the header. */
#include "mod_orders_conf.h"

#include <string.h>

#include <apr_strings.h>
#include <http_log.h>

#include "svc_ap_check.h"
#include "svc_ap_dump.h"

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

/* As it is written: <LocationMatch "...">. */
static const char *section_of(const ap_directive_t *section, apr_pool_t *pool)
{
    return section ? apr_pstrcat(pool, section->directive, " ", section->args,
                                 NULL)
                   : "";
}

static const char *set_payments(cmd_parms *cmd, void *dir, int on)
{
    orders_conf_t *conf = ap_get_module_config(cmd->server->module_config,
                                               &orders_module);

    ((orders_conf_dir_t *)dir)->payments = on;
    if (on) {
        if (!conf->payments)
            conf->payments = apr_array_make(cmd->pool, 1, sizeof(char *));
        APR_ARRAY_PUSH(conf->payments, const char *) =
            section_of(cmd->directive->parent, cmd->pool);
    }
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
                  SVC_AP_CONF_HELP("SECONDS",
                                   APR_STRINGIFY(DEFAULT_EXPIRATION),
                                   "time to pay")),
    AP_INIT_TAKE1("OrdersMaxActive", set_max_active, NULL, RSRC_CONF,
                  SVC_AP_CONF_HELP("NUMBER", "0",
                                   "unpaid orders that a user may hold; 0: "
                                   "no limit")),
    AP_INIT_FLAG("OrdersPayments", set_payments, NULL, ACCESS_CONF,
                 SVC_AP_CONF_HELP("On|Off", "Off",
                                  "the payments route exists here, for whom "
                                  "Require admits")),
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

/* What one virtual host of a database follows counts for all of them. */
static int is_following(server_rec *main, const svc_ap_conf_t *conf)
{
    server_rec *s;

    for (s = main; s; s = s->next) {
        const svc_ap_conf_t *other = ap_get_module_config(s->module_config,
                                                          &orders_module);

        if (other->is_used && other->subscribe &&
            strcmp(other->dbd_driver, conf->dbd_driver) == 0 &&
            strcmp(other->dbd_params, conf->dbd_params) == 0)
            return 1;
    }
    return 0;
}

void mod_orders_conf_check(server_rec *main, apr_pool_t *pool)
{
    server_rec *s;

    for (s = main; s; s = s->next) {
        const svc_ap_conf_t *conf = ap_get_module_config(s->module_config,
                                                         &orders_module);

        if (conf->is_used && !is_following(main, conf))
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, s,
                         "ORD002: %s: SetHandler orders without "
                         "OrdersSubscribe: no ticket will be known here, and "
                         "none can be ordered",
                         svc_ap_check_server_name(s, pool));
    }
}

void mod_orders_conf_dump(apr_file_t *out, server_rec *s)
{
    const orders_conf_t *conf = ap_get_module_config(s->module_config,
                                                     &orders_module);
    int i;

    svc_ap_dump_number(out, "OrdersExpiration",
                       conf->expiration >= 0 ? conf->expiration
                                             : DEFAULT_EXPIRATION,
                       conf->expiration >= 0);
    svc_ap_dump_number(out, "OrdersMaxActive",
                       conf->max_active >= 0 ? conf->max_active : 0,
                       conf->max_active >= 0);
    if (!conf->payments)
        svc_ap_dump_line(out, "OrdersPayments", "Off", 0);
    for (i = 0; conf->payments && i < conf->payments->nelts; i++)
        apr_file_printf(out, "  %s OrdersPayments On\n",
                        APR_ARRAY_IDX(conf->payments, i, const char *));
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
    merged->payments = add->payments && base->payments
                           ? apr_array_append(pool, base->payments,
                                              add->payments)
                           : add->payments ? add->payments : base->payments;
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
