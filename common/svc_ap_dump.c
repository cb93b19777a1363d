/* svc_ap_dump: see the header. */
#include "svc_ap_dump.h"

#include <apr_lib.h>
#include <apr_strings.h>
#include <http_core.h>

#include "svc_ap_check.h"
#include "svc_ap_db.h"
#include "svc_db_mask.h"
#include "svc_link.h"

#define NAME_WIDTH "25"

void svc_ap_dump_line(apr_file_t *out, const char *name, const char *value,
                      int is_set)
{
    if (value)
        apr_file_printf(out, "  %-" NAME_WIDTH "s %s%s\n", name, value,
                        is_set ? "" : "  # default");
    else
        apr_file_printf(out, "  # %s is not set\n", name);
}

void svc_ap_dump_number(apr_file_t *out, const char *name, apr_int64_t value,
                        int is_set)
{
    char text[24];

    apr_snprintf(text, sizeof(text), "%" APR_INT64_T_FMT, value);
    svc_ap_dump_line(out, name, text, is_set);
}

/* What is printed about: one server. */
typedef struct dump_t {
    apr_file_t *out;
    const char *service;
    const svc_ap_conf_t *conf;
    apr_pool_t *pool;
} dump_t;

/* The directive of the service with this NOUN; VALUE NULL: it is not set. */
static void line(const dump_t *dump, const char *noun, const char *value,
                 int is_set)
{
    svc_ap_dump_line(dump->out,
                     svc_ap_conf_directive(dump->service, noun, dump->pool),
                     value, is_set);
}

static void limit(const dump_t *dump, const char *noun, apr_int64_t value,
                  apr_int64_t otherwise)
{
    svc_ap_dump_number(dump->out,
                       svc_ap_conf_directive(dump->service, noun, dump->pool),
                       value >= 0 ? value : otherwise, value >= 0);
}

static void dump_places(const dump_t *dump)
{
    const apr_array_header_t *bases = dump->conf->bases;
    int i;

    for (i = 0; bases && i < bases->nelts; i++)
        apr_file_printf(dump->out, "  <Location \"%s\"> SetHandler %s\n",
                        APR_ARRAY_IDX(bases, i, const char *), dump->service);
    if (!bases)
        apr_file_printf(dump->out, "  SetHandler %s\n", dump->service);
}

static void dump_database(const dump_t *dump)
{
    const svc_ap_conf_t *conf = dump->conf;
    const char *params = svc_db_mask(conf->dbd_driver, conf->dbd_params,
                                     dump->pool);

    svc_ap_dump_line(dump->out, "DBDriver", conf->dbd_driver, 1);
    svc_ap_dump_line(dump->out, "DBDParams",
                     apr_pstrcat(dump->pool, "\"", params, "\"", NULL), 1);
    svc_ap_dump_number(dump->out, "DBDMax",
                       conf->dbd_max > 0 ? conf->dbd_max : SVC_AP_DB_MAX,
                       conf->dbd_max > 0);
}

static void dump_subscriptions(const dump_t *dump)
{
    const apr_array_header_t *peers = dump->conf->subscribe;
    int i;

    if (!peers)
        line(dump, "Subscribe", NULL, 0);
    for (i = 0; peers && i < peers->nelts; i++) {
        const svc_link_peer_t *peer = &APR_ARRAY_IDX(peers, i, svc_link_peer_t);
        const char *replay = peer->replay ? peer->replay : "-";

        line(dump, "Subscribe",
             peer->server_key
                 ? apr_pstrcat(dump->pool, peer->publish, " ", replay, " ",
                               peer->server_key, NULL)
                 : peer->replay
                       ? apr_pstrcat(dump->pool, peer->publish, " ", replay,
                                     NULL)
                       : peer->publish, 1);
    }
}

/* Of keys only the names of their files: nothing of what is in them. */
static void dump_events(const dump_t *dump)
{
    const svc_ap_conf_t *conf = dump->conf;

    line(dump, "Publish", conf->publish, 1);
    line(dump, "Replay", conf->replay, 1);
    dump_subscriptions(dump);
    line(dump, "CurvePublicKey", conf->curve_public, 1);
    line(dump, "CurveSecretKey", conf->curve_secret, 1);
    line(dump, "CurveAllow", conf->curve_allow, 1);
    line(dump, "InsecureEndpoint", conf->allows_insecure == 1 ? "On" : "Off",
         conf->allows_insecure >= 0);
}

static void dump_limits(const dump_t *dump)
{
    const svc_ap_conf_t *conf = dump->conf;

    limit(dump, "MaxBody", conf->max_body, SVC_AP_CONF_MAX_BODY);
    limit(dump, "Retention", conf->retention, SVC_AP_CONF_RETENTION);
    limit(dump, "IdempotencyTTL", conf->idempotency_ttl,
          SVC_AP_CONF_IDEMPOTENCY_TTL);
    line(dump, "Schema", conf->leaves_schema == 1 ? "Off" : "Auto",
         conf->leaves_schema >= 0);
}

void svc_ap_dump(module *module, const char *service, server_rec *main,
                 svc_ap_dump_own_fn own, apr_pool_t *pool)
{
    char *flag = apr_pstrcat(pool, "DUMP_", service, NULL), *c;
    dump_t dump = { NULL, service, NULL, pool };
    server_rec *s;

    for (c = flag; *c; c++)
        *c = (char)apr_toupper(*c);
    if (!ap_exists_config_define(flag) ||
        apr_file_open_stdout(&dump.out, pool) != APR_SUCCESS)
        return;
    apr_file_printf(dump.out, "mod_%s:\n", service);
    for (s = main; s; s = s->next) {
        dump.conf = ap_get_module_config(s->module_config, module);
        apr_file_printf(dump.out, "%s%s\n", svc_ap_check_server_name(s, pool),
                        dump.conf->is_used ? "" : ": not used");
        if (!dump.conf->is_used)
            continue;
        dump_places(&dump);
        dump_database(&dump);
        dump_events(&dump);
        dump_limits(&dump);
        if (own)
            own(dump.out, s);
    }
}
