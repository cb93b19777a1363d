/* svc_ap_conf: see the header. */
#include "svc_ap_conf.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

#include "svc_curve.h"
#include "svc_endpoint.h"
#include "svc_link.h"

static svc_ap_conf_t *conf_of(const cmd_parms *cmd)
{
    return ap_get_module_config(cmd->server->module_config,
                                (module *)cmd->info);
}

const char *svc_ap_conf_directive(const char *service, const char *noun,
                                  apr_pool_t *pool)
{
    return apr_psprintf(pool, "%c%s%s", apr_toupper(service[0]), service + 1,
                        noun);
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

/* A key as text, or the path of a file that holds one; NULL and why not. */
static const char *server_key(const char **refusal, cmd_parms *cmd,
                              const char *arg)
{
    char *key = apr_palloc(cmd->pool, SVC_BUS_KEY_LENGTH + 1);
    svc_bus_key_t bytes;

    if (arg[0] == '/') {
        *refusal = svc_curve_read_public(key, arg, cmd->pool);
        return *refusal ? NULL : key;
    }
    if (svc_bus_key_read(&bytes, arg))
        return arg;
    *refusal = "is not a server key: 40 characters of Z85, or the path of a "
               "file, from /, that holds them";
    return NULL;
}

const char *svc_ap_conf_set_subscribe(cmd_parms *cmd, void *dir,
                                      const char *publish, const char *replay,
                                      const char *key)
{
    svc_ap_conf_t *conf = conf_of(cmd);
    const char *refusal = svc_endpoint_refusal(publish, 0);
    const char *which = publish;
    svc_link_peer_t peer = { publish, replay, NULL };

    (void)dir;
    if (replay && strcmp(replay, "-") == 0)
        peer.replay = NULL;
    if (!refusal && peer.replay) {
        refusal = svc_endpoint_refusal(replay, 0);
        which = replay;
    }
    if (!refusal && key) {
        peer.server_key = server_key(&refusal, cmd, key);
        which = key;
    }
    if (refusal)
        return apr_psprintf(cmd->pool, "%s: '%s' %s", cmd->cmd->name, which,
                            refusal);
    if (!conf->subscribe)
        conf->subscribe = apr_array_make(cmd->pool, 2,
                                         sizeof(svc_link_peer_t));
    APR_ARRAY_PUSH(conf->subscribe, svc_link_peer_t) = peer;
    return NULL;
}

static const char *set_file(const char **field, cmd_parms *cmd, const char *arg)
{
    *field = ap_server_root_relative(cmd->pool, arg);
    return *field ? NULL
                  : apr_psprintf(cmd->pool, "%s: '%s' is not the path of a "
                                            "file", cmd->cmd->name, arg);
}

const char *svc_ap_conf_set_curve_public(cmd_parms *cmd, void *dir,
                                         const char *arg)
{
    (void)dir;
    return set_file(&conf_of(cmd)->curve_public, cmd, arg);
}

const char *svc_ap_conf_set_curve_secret(cmd_parms *cmd, void *dir,
                                         const char *arg)
{
    (void)dir;
    return set_file(&conf_of(cmd)->curve_secret, cmd, arg);
}

const char *svc_ap_conf_set_curve_allow(cmd_parms *cmd, void *dir,
                                        const char *arg)
{
    (void)dir;
    return set_file(&conf_of(cmd)->curve_allow, cmd, arg);
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

const char *svc_ap_conf_set_idempotency_ttl(cmd_parms *cmd, void *dir,
                                            const char *arg)
{
    (void)dir;
    return svc_ap_conf_number(&conf_of(cmd)->idempotency_ttl, cmd, arg, 1,
                              366 * 86400);
}

const char *svc_ap_conf_set_schema(cmd_parms *cmd, void *dir, const char *arg)
{
    (void)dir;
    if (strcasecmp(arg, "auto") != 0 && strcasecmp(arg, "off") != 0)
        return apr_psprintf(cmd->pool, "%s must be Auto or Off",
                            cmd->cmd->name);
    conf_of(cmd)->leaves_schema = strcasecmp(arg, "off") == 0;
    return NULL;
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
    conf->idempotency_ttl = -1;
    conf->leaves_schema = -1;
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
    merged->curve_public = add->curve_public ? add->curve_public
                                             : base->curve_public;
    merged->curve_secret = add->curve_secret ? add->curve_secret
                                             : base->curve_secret;
    merged->curve_allow = add->curve_allow ? add->curve_allow
                                           : base->curve_allow;
    merged->max_body = add->max_body >= 0 ? add->max_body : base->max_body;
    merged->retention = add->retention >= 0 ? add->retention : base->retention;
    merged->idempotency_ttl = add->idempotency_ttl >= 0
                                  ? add->idempotency_ttl
                                  : base->idempotency_ttl;
    merged->leaves_schema = add->leaves_schema >= 0 ? add->leaves_schema
                                                    : base->leaves_schema;
    merged->allows_insecure = add->allows_insecure >= 0
                                  ? add->allows_insecure
                                  : base->allows_insecure;
}

void svc_ap_conf_init_dir(svc_ap_conf_dir_t *conf)
{
    memset(conf, 0, sizeof(*conf));
    conf->is_api = -1;
}

void svc_ap_conf_merge_dir(svc_ap_conf_dir_t *merged,
                           const svc_ap_conf_dir_t *base,
                           const svc_ap_conf_dir_t *add)
{
    merged->is_api = add->is_api >= 0 ? add->is_api : base->is_api;
    merged->base = add->base ? add->base : base->base;
}
