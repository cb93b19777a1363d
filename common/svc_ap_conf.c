/* svc_ap_conf: see the header. */
#include "svc_ap_conf.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>
#include <http_log.h>

#include "svc_ap_db.h"
#include "svc_db_place.h"
#include "svc_endpoint.h"
#include "svc_subscriber.h"

static svc_ap_conf_t *conf_of(const cmd_parms *cmd)
{
    return ap_get_module_config(cmd->server->module_config,
                                (module *)cmd->info);
}

static const char *set_endpoint(const char **field, cmd_parms *cmd,
                                const char *arg)
{
    const char *refusal = svc_endpoint_refusal(arg, 1);

    if (refusal)
        return apr_psprintf(cmd->pool, "%s: '%s' %s", cmd->cmd->name, arg,
                            refusal);
    *field = arg;
    return NULL;
}

const char *svc_ap_conf_set_publish(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    return set_endpoint(&conf_of(cmd)->publish, cmd, arg);
}

const char *svc_ap_conf_set_replay(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    return set_endpoint(&conf_of(cmd)->replay, cmd, arg);
}

const char *svc_ap_conf_set_subscribe(cmd_parms *cmd, void *dir,
                                      const char *publish, const char *replay)
{
    svc_ap_conf_t *conf = conf_of(cmd);
    const char *refusal = svc_endpoint_refusal(publish, 0);
    const char *which = publish;
    svc_link_peer_t *peer;

    (void)dir;
    if (!refusal && replay) {
        refusal = svc_endpoint_refusal(replay, 0);
        which = replay;
    }
    if (refusal)
        return apr_psprintf(cmd->pool, "%s: '%s' %s", cmd->cmd->name, which,
                            refusal);
    if (!conf->subscribe)
        conf->subscribe = apr_array_make(cmd->pool, 2,
                                         sizeof(svc_link_peer_t));
    peer = apr_array_push(conf->subscribe);
    peer->publish = publish;
    peer->replay = replay;
    return NULL;
}

const char *svc_ap_conf_number(apr_int64_t *out, cmd_parms *cmd,
                               const char *arg, apr_int64_t min,
                               apr_int64_t max)
{
    if (*arg && strlen(arg) <= 15 &&
        strspn(arg, "0123456789") == strlen(arg)) {
        *out = apr_atoi64(arg);
        if (*out >= min && *out <= max)
            return NULL;
    }
    return apr_psprintf(cmd->pool,
                        "%s: '%s' is not a number from %" APR_INT64_T_FMT
                        " to %" APR_INT64_T_FMT,
                        cmd->cmd->name, arg, min, max);
}

const char *svc_ap_conf_set_max_body(cmd_parms *cmd, void *dir, const char *arg)
{
    apr_int64_t bytes = 0;
    const char *refusal = svc_ap_conf_number(&bytes, cmd, arg, 1, 1 << 30);

    (void)dir;
    conf_of(cmd)->max_body = bytes;
    return refusal;
}

const char *svc_ap_conf_set_retention(cmd_parms *cmd, void *dir,
                                      const char *arg)
{
    (void)dir;
    return svc_ap_conf_number(&conf_of(cmd)->retention, cmd, arg, 0, 36500);
}

const char *svc_ap_conf_set_insecure_endpoint(cmd_parms *cmd, void *dir, int on)
{
    (void)dir;
    conf_of(cmd)->allows_insecure = on;
    return NULL;
}

const char *svc_ap_conf_see_driver(cmd_parms *cmd, void *dir, const char *args)
{
    (void)dir;
    conf_of(cmd)->dbd_driver = ap_getword_conf(cmd->pool, &args);
    return NULL;
}

const char *svc_ap_conf_see_params(cmd_parms *cmd, void *dir, const char *args)
{
    (void)dir;
    conf_of(cmd)->dbd_params = ap_getword_conf(cmd->pool, &args);
    return NULL;
}

const char *svc_ap_conf_see_max(cmd_parms *cmd, void *dir, const char *args)
{
    (void)dir;
    conf_of(cmd)->dbd_max = atoi(ap_getword_conf(cmd->temp_pool, &args));
    return NULL;
}

static const char *service_of(const cmd_parms *cmd)
{
    /* "mod_tickets.c" -> "tickets" */
    const char *name = ((module *)cmd->info)->name + strlen("mod_");

    return apr_pstrmemdup(cmd->temp_pool, name, strlen(name) - strlen(".c"));
}

static const char *without_slash(const char *path, apr_pool_t *pool)
{
    apr_size_t length = strlen(path);

    return length > 1 && path[length - 1] == '/'
               ? apr_pstrmemdup(pool, path, length - 1)
               : path;
}

const char *svc_ap_conf_see_handler(cmd_parms *cmd, void *dir, const char *args)
{
    svc_ap_conf_dir_t *conf = dir;
    const char *handler = ap_getword_conf(cmd->temp_pool, &args);

    conf->is_api = strcmp(handler, service_of(cmd)) == 0;
    if (!conf->is_api)
        return NULL;
    if (ap_check_cmd_context(cmd, NOT_IN_HTACCESS))
        return "SetHandler: this service is set in the server's "
               "configuration, not in .htaccess";
    conf_of(cmd)->is_used = 1;
    if (cmd->path && cmd->path[0] == '/' && cmd->directive->parent &&
        strcasecmp(cmd->directive->parent->directive, "<Location") == 0)
        conf->base = without_slash(cmd->path, cmd->pool);
    if (conf->base) {
        svc_ap_conf_t *server = conf_of(cmd);

        if (!server->bases)
            server->bases = apr_array_make(cmd->pool, 1, sizeof(char *));
        APR_ARRAY_PUSH(server->bases, const char *) = conf->base;
    }
    return NULL;
}

const char *svc_ap_conf_see_auth(cmd_parms *cmd, void *dir, const char *args)
{
    (void)dir;
    (void)args;
    if (!ap_check_cmd_context(cmd, NOT_IN_HTACCESS))
        conf_of(cmd)->has_auth = 1;
    return NULL;
}

void svc_ap_conf_init(svc_ap_conf_t *conf)
{
    memset(conf, 0, sizeof(*conf));
    conf->max_body = -1;
    conf->retention = -1;
    conf->allows_insecure = -1;
}

void svc_ap_conf_merge(svc_ap_conf_t *merged, const svc_ap_conf_t *base,
                       const svc_ap_conf_t *add, apr_pool_t *pool)
{
    merged->dbd_driver = add->dbd_driver ? add->dbd_driver : base->dbd_driver;
    merged->dbd_params = add->dbd_params ? add->dbd_params : base->dbd_params;
    merged->dbd_max = add->dbd_max ? add->dbd_max : base->dbd_max;
    merged->is_used = add->is_used || base->is_used;
    merged->bases = add->bases && base->bases
                        ? apr_array_append(pool, base->bases, add->bases)
                        : add->bases ? add->bases : base->bases;
    merged->has_auth = add->has_auth || base->has_auth;
    merged->publish = add->publish ? add->publish : base->publish;
    merged->replay = add->replay ? add->replay : base->replay;
    merged->subscribe = add->subscribe ? add->subscribe : base->subscribe;
    merged->max_body = add->max_body >= 0 ? add->max_body : base->max_body;
    merged->retention = add->retention >= 0 ? add->retention : base->retention;
    merged->allows_insecure = add->allows_insecure >= 0
                                  ? add->allows_insecure
                                  : base->allows_insecure;
}

void *svc_ap_conf_create_dir(apr_pool_t *pool, char *path)
{
    svc_ap_conf_dir_t *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)path;
    conf->is_api = -1;
    return conf;
}

void *svc_ap_conf_merge_dir(apr_pool_t *pool, void *base_conf, void *add_conf)
{
    svc_ap_conf_dir_t *merged = apr_pcalloc(pool, sizeof(*merged));
    const svc_ap_conf_dir_t *base = base_conf, *add = add_conf;

    merged->is_api = add->is_api >= 0 ? add->is_api : base->is_api;
    merged->base = add->base ? add->base : base->base;
    return merged;
}

/* --- check_config -------------------------------------------------------------- */

static const char *server_name(const server_rec *s, apr_pool_t *pool)
{
    if (!s->is_virtual)
        return "the main server";
    return apr_psprintf(pool, "the virtual host %s (%s:%u)",
                        s->server_hostname ? s->server_hostname : "without "
                                                                  "name",
                        s->defn_name ? s->defn_name : "?", s->defn_line_number);
}

/* The directive of SERVICE with this noun: "TicketsPublish". */
static const char *directive(const char *service, const char *noun,
                             apr_pool_t *pool)
{
    return apr_psprintf(pool, "%c%s%s", apr_toupper(service[0]), service + 1,
                        noun);
}

static const char *check_open(const svc_ap_conf_t *conf, const char *service,
                              const char *noun, const char *endpoint,
                              apr_pool_t *pool)
{
    if (!endpoint || conf->allows_insecure == 1 ||
        svc_endpoint_is_local(endpoint))
        return NULL;
    return apr_psprintf(pool, "%s %s can be reached from other machines, and "
                              "nothing protects it: use a loopback address, "
                              "or say %s On if that is meant",
                        directive(service, noun, pool), endpoint,
                        directive(service, "InsecureEndpoint", pool));
}

static const char *check_subscriptions(const svc_ap_conf_t *conf,
                                       const char *service, apr_pool_t *pool)
{
    const char *refusal = NULL;
    int i;

    for (i = 0; conf->subscribe && i < conf->subscribe->nelts && !refusal;
         i++) {
        const svc_link_peer_t *peer =
            &APR_ARRAY_IDX(conf->subscribe, i, svc_link_peer_t);

        if (conf->publish && strcmp(peer->publish, conf->publish) == 0)
            return apr_psprintf(pool, "%s %s follows this service itself",
                                directive(service, "Subscribe", pool),
                                peer->publish);
        refusal = check_open(conf, service, "Subscribe", peer->publish, pool);
        if (!refusal)
            refusal = check_open(conf, service, "Subscribe", peer->replay,
                                 pool);
    }
    return refusal;
}

static const char *check_server(const svc_ap_conf_t *conf, const char *service,
                                apr_pool_t *pool)
{
    const char *refusal;

    if (!svc_ap_db_is_loaded())
        return apr_psprintf(pool, "SetHandler %s needs mod_dbd: load it and "
                                  "set DBDriver and DBDParams", service);
    if (!conf->dbd_driver)
        return apr_psprintf(pool, "SetHandler %s needs a database: set "
                                  "DBDriver and DBDParams", service);
    if ((refusal = svc_db_place_refusal(conf->dbd_driver, conf->dbd_params,
                                        pool)) ||
        (refusal = check_open(conf, service, "Publish", conf->publish,
                              pool)) ||
        (refusal = check_open(conf, service, "Replay", conf->replay, pool)))
        return refusal;
    if (conf->publish && conf->replay &&
        strcmp(conf->publish, conf->replay) == 0)
        return apr_psprintf(pool, "%s and %s are both %s: each needs an "
                                  "endpoint of its own",
                            directive(service, "Publish", pool),
                            directive(service, "Replay", pool), conf->publish);
    return check_subscriptions(conf, service, pool);
}

/* Endpoints are bound once per database; another one cannot have them too. */
static const char *check_pair(const svc_ap_conf_t *a, const svc_ap_conf_t *b,
                              const char *service, apr_pool_t *pool)
{
    int same_data = strcmp(a->dbd_driver, b->dbd_driver) == 0 &&
                    strcmp(a->dbd_params, b->dbd_params) == 0;
    const char *mine[] = { a->publish, a->replay };
    const char *theirs[] = { b->publish, b->replay };
    int i, k;

    if (same_data) {
        for (i = 0; i < 2; i++) {
            if (strcmp(mine[i] ? mine[i] : "", theirs[i] ? theirs[i] : ""))
                return apr_psprintf(pool, "%s differs between two virtual "
                                          "hosts that share one database: "
                                          "they are one service",
                                    directive(service, i ? "Replay" : "Publish",
                                              pool));
        }
        return NULL;
    }
    for (i = 0; i < 2; i++) {
        for (k = 0; k < 2; k++) {
            if (mine[i] && theirs[k] && strcmp(mine[i], theirs[k]) == 0)
                return apr_psprintf(pool, "%s %s is used for two databases: "
                                          "each needs an endpoint of its own",
                                    directive(service, i ? "Replay" : "Publish",
                                              pool), mine[i]);
        }
    }
    return NULL;
}

/* Both modules bind endpoints in this process and check only themselves: what is
 * taken is noted in the pool of the configuration. */
static const char *check_taken(const svc_ap_conf_t *conf, const char *service,
                               apr_pool_t *pconf, apr_pool_t *pool)
{
    static const char key[] = "svc_ap_conf_endpoints_1";
    const char *mine[] = { conf->publish, conf->replay };
    void *found = NULL;
    apr_table_t *taken;
    const char *other;
    int i;

    apr_pool_userdata_get(&found, key, pconf);
    taken = found ? found : apr_table_make(pconf, 8);
    apr_pool_userdata_setn(taken, key, NULL, pconf);
    for (i = 0; i < 2; i++) {
        const char *name = directive(service, i ? "Replay" : "Publish", pconf);

        other = mine[i] ? apr_table_get(taken, mine[i]) : NULL;
        if (other && strcmp(other, name) != 0)
            return apr_psprintf(pool, "%s and %s are both %s: each needs an "
                                      "endpoint of its own", other, name,
                                mine[i]);
        if (mine[i])
            apr_table_setn(taken, mine[i], name);
    }
    return NULL;
}

static int refuse(const server_rec *s, const char *refusal, apr_pool_t *pool)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s,
                 "SVC050: %s: %s", server_name(s, pool), refusal);
    return HTTP_INTERNAL_SERVER_ERROR;
}

int svc_ap_conf_check(module *module, const char *service, server_rec *main,
                      apr_pool_t *pconf, apr_pool_t *scratch)
{
    server_rec *s, *other;

    for (s = main; s; s = s->next) {
        const svc_ap_conf_t *conf =
            ap_get_module_config(s->module_config, module);
        const char *refusal;

        if (!conf->is_used)
            continue;
        if ((refusal = check_server(conf, service, scratch)))
            return refuse(s, refusal, scratch);
        for (other = main; other != s; other = other->next) {
            const svc_ap_conf_t *before =
                ap_get_module_config(other->module_config, module);

            if (before->is_used &&
                (refusal = check_pair(before, conf, service, scratch)))
                return refuse(s, refusal, scratch);
        }
        if ((refusal = check_taken(conf, service, pconf, scratch)))
            return refuse(s, refusal, scratch);
        if (!conf->has_auth)
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, s,
                         "SVC051: %s: SetHandler %s without AuthType: what "
                         "needs a user will answer 500",
                         server_name(s, scratch), service);
    }
    return OK;
}
