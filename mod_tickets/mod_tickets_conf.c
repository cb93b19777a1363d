/* mod_tickets_conf: see the header. */
#include "mod_tickets_conf.h"

const command_rec mod_tickets_conf_commands[] = {
    SVC_AP_CONF_COMMANDS("Tickets", &tickets_module),
    { .name = NULL }
};

void *mod_tickets_conf_create(apr_pool_t *pool, server_rec *s)
{
    tickets_conf_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)s;
    svc_ap_conf_init(&conf->common);
    return conf;
}

void *mod_tickets_conf_merge(apr_pool_t *pool, void *base_conf, void *add_conf)
{
    tickets_conf_t *merged = apr_pcalloc(pool, sizeof(*merged));
    const tickets_conf_t *base = base_conf, *add = add_conf;

    svc_ap_conf_merge(&merged->common, &base->common, &add->common, pool);
    return merged;
}

void *mod_tickets_conf_create_dir(apr_pool_t *pool, char *path)
{
    tickets_conf_dir_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)path;
    svc_ap_conf_init_dir(&conf->common);
    return conf;
}

void *mod_tickets_conf_merge_dir(apr_pool_t *pool, void *base_conf,
                                 void *add_conf)
{
    tickets_conf_dir_t *merged = apr_pcalloc(pool, sizeof(*merged));
    const tickets_conf_dir_t *base = base_conf, *add = add_conf;

    svc_ap_conf_merge_dir(&merged->common, &base->common, &add->common);
    return merged;
}
