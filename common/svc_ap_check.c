/* svc_ap_check: see the header. */
#include "svc_ap_check.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <ap_mpm.h>
#include <http_log.h>

#include "svc_ap_db.h"
#include "svc_curve.h"
#include "svc_db_place.h"
#include "svc_endpoint.h"
#include "svc_link.h"

const char *svc_ap_check_server_name(const server_rec *s, apr_pool_t *pool)
{
    if (!s->is_virtual)
        return "the main server";
    return apr_psprintf(pool, "the virtual host %s (%s:%u)",
                        s->server_hostname ? s->server_hostname : "without "
                                                                  "name",
                        s->defn_name ? s->defn_name : "?", s->defn_line_number);
}

static const char *directive(const char *service, const char *noun,
                             apr_pool_t *pool)
{
    return svc_ap_conf_directive(service, noun, pool);
}

/* --- keys ---------------------------------------------------------------------- */

/* Which directives about keys there are: not one without the others. */
static const char *check_keys_set(const svc_ap_conf_t *conf,
                                  const char *service, apr_pool_t *pool)
{
    const char *public_key = directive(service, "CurvePublicKey", pool);
    const char *secret_key = directive(service, "CurveSecretKey", pool);
    const char *allow = directive(service, "CurveAllow", pool);
    const char *binds = conf->publish ? conf->publish : conf->replay;

    if (conf->curve_public && !conf->curve_secret)
        return apr_psprintf(pool, "%s needs %s: the two are one pair",
                            public_key, secret_key);
    if (conf->curve_secret && !conf->curve_public)
        return apr_psprintf(pool, "%s needs %s: the two are one pair",
                            secret_key, public_key);
    if (conf->curve_allow && !conf->curve_secret)
        return apr_psprintf(pool, "%s needs %s and %s: without keys nobody "
                                  "can be told from others",
                            allow, public_key, secret_key);
    if (conf->curve_secret && binds && !conf->curve_allow)
        return apr_psprintf(pool, "%s needs %s: without a list nobody could "
                                  "connect to %s", secret_key, allow, binds);
    return NULL;
}

static apr_status_t wipe(void *curve)
{
    svc_curve_wipe(curve, sizeof(svc_bus_curve_t));
    return APR_SUCCESS;
}

static const char *read_keys(svc_bus_curve_t *curve, const svc_ap_conf_t *conf,
                             const char *service, apr_pool_t *pconf,
                             apr_pool_t *scratch)
{
    const char *noun = "CurvePublicKey", *file = conf->curve_public;
    const char *refusal = svc_curve_read_public(curve->public_key, file,
                                                scratch);
    char public_key[SVC_BUS_KEY_LENGTH + 1];
    apr_array_header_t *allowed = NULL;

    if (!refusal) {
        noun = "CurveSecretKey", file = conf->curve_secret;
        refusal = svc_curve_read_secret(curve->secret_key, file, scratch);
    }
    if (!refusal && (!svc_bus_key_public(public_key, curve->secret_key) ||
                     strcmp(public_key, curve->public_key) != 0))
        refusal = apr_psprintf(scratch, "is not the secret key of the public "
                                        "one in %s", conf->curve_public);
    if (!refusal && conf->curve_allow) {
        noun = "CurveAllow", file = conf->curve_allow;
        refusal = svc_curve_read_list(&allowed, file, pconf, scratch);
    }
    curve->allowed = allowed ? allowed
                             : apr_array_make(pconf, 0, sizeof(svc_bus_key_t));
    return refusal ? apr_psprintf(scratch, "%s %s %s",
                                  directive(service, noun, scratch), file,
                                  refusal)
                   : NULL;
}

/* Reads the keys into CONF; they are forgotten with PCONF. */
static const char *check_keys(svc_ap_conf_t *conf, const char *service,
                              apr_pool_t *pconf, apr_pool_t *scratch)
{
    const char *refusal = check_keys_set(conf, service, scratch);
    svc_bus_curve_t *curve;

    conf->curve = NULL;
    if (refusal || !conf->curve_secret)
        return refusal;
    if ((refusal = svc_bus_curve_refusal()))
        return apr_psprintf(scratch, "%s cannot be used: %s",
                            directive(service, "CurveSecretKey", scratch),
                            refusal);
    curve = apr_pcalloc(pconf, sizeof(*curve));
    apr_pool_cleanup_register(pconf, curve, wipe, apr_pool_cleanup_null);
    refusal = read_keys(curve, conf, service, pconf, scratch);
    conf->curve = curve;
    return refusal;
}

/* --- endpoints ------------------------------------------------------------------- */

/* REMEDY: how to protect the endpoint. */
static const char *check_open(const svc_ap_conf_t *conf, const char *service,
                              const char *noun, const char *endpoint,
                              const char *remedy, apr_pool_t *pool)
{
    if (!endpoint || conf->allows_insecure == 1 ||
        svc_endpoint_is_local(endpoint))
        return NULL;
    return apr_psprintf(pool, "%s %s can be reached from other machines, and "
                              "nothing protects it: use a loopback address, "
                              "%s, or say %s On if that is meant",
                        directive(service, noun, pool), endpoint, remedy,
                        directive(service, "InsecureEndpoint", pool));
}

/* That two directives name one endpoint, or two of which one is in the way of
 * the other. */
static const char *both(const char *name, const char *endpoint,
                        const char *other_name, const char *other,
                        apr_pool_t *pool)
{
    if (strcmp(endpoint, other) == 0)
        return apr_psprintf(pool, "%s and %s are both %s: each needs an "
                                  "endpoint of its own", name, other_name,
                            endpoint);
    return apr_psprintf(pool, "%s %s and %s %s cannot both be bound: each "
                              "needs an endpoint of its own", name, endpoint,
                        other_name, other);
}

static const char *check_bound(const svc_ap_conf_t *conf, const char *service,
                               apr_pool_t *pool)
{
    const char *remedy = apr_psprintf(pool, "or keys (%s)",
                                      directive(service, "CurveSecretKey",
                                                pool));
    const char *refusal;

    if (conf->publish && conf->replay &&
        svc_endpoint_clashes(conf->publish, conf->replay))
        return both(directive(service, "Publish", pool),
                    conf->publish,
                    directive(service, "Replay", pool),
                    conf->replay, pool);
    if (conf->curve)
        return NULL; /* for those on the list alone */
    refusal = check_open(conf, service, "Publish", conf->publish, remedy, pool);
    return refusal ? refusal
                   : check_open(conf, service, "Replay", conf->replay, remedy,
                                pool);
}

/* Does who connects to ENDPOINT (may be NULL) reach this service? */
static int is_own(const svc_ap_conf_t *conf, const char *endpoint)
{
    return endpoint &&
           ((conf->publish && svc_endpoint_leads_to(endpoint, conf->publish)) ||
            (conf->replay && svc_endpoint_leads_to(endpoint, conf->replay)));
}

static const char *check_subscription(const svc_ap_conf_t *conf,
                                      const char *service,
                                      const svc_link_peer_t *peer,
                                      apr_pool_t *pool)
{
    static const char remedy[] = "or its server key as the third argument";
    const char *refusal;

    if (is_own(conf, peer->publish) || is_own(conf, peer->replay))
        return apr_psprintf(pool, "%s %s follows this service itself",
                            directive(service, "Subscribe", pool),
                            is_own(conf, peer->publish) ? peer->publish
                                                        : peer->replay);
    if (peer->server_key)
        return conf->curve
                   ? NULL
                   : apr_psprintf(pool, "%s %s has a server key and needs %s "
                                        "and %s: this service must show a key "
                                        "of its own there",
                                  directive(service, "Subscribe", pool),
                                  peer->publish,
                                  directive(service, "CurvePublicKey", pool),
                                  directive(service, "CurveSecretKey", pool));
    refusal = check_open(conf, service, "Subscribe", peer->publish, remedy,
                         pool);
    return refusal ? refusal
                   : check_open(conf, service, "Subscribe", peer->replay,
                                remedy, pool);
}

static const char *check_subscriptions(const svc_ap_conf_t *conf,
                                       const char *service, apr_pool_t *pool)
{
    const char *refusal = NULL;
    int i;

    for (i = 0; conf->subscribe && i < conf->subscribe->nelts && !refusal; i++)
        refusal = check_subscription(
            conf, service,
            &APR_ARRAY_IDX(conf->subscribe, i, svc_link_peer_t), pool);
    return refusal;
}

/* --- a server -------------------------------------------------------------------- */

static const char *check_server(svc_ap_conf_t *conf, const char *service,
                                apr_pool_t *pconf, apr_pool_t *scratch)
{
    const char *refusal;

    if (!svc_ap_db_is_loaded())
        return apr_psprintf(scratch, "SetHandler %s needs mod_dbd: load it "
                                     "and set DBDriver and DBDParams",
                            service);
    if (!conf->dbd_driver)
        return apr_psprintf(scratch, "SetHandler %s needs a database: set "
                                     "DBDriver and DBDParams", service);
    if ((refusal = svc_db_place_refusal(conf->dbd_driver, conf->dbd_params,
                                        scratch)) ||
        (refusal = check_keys(conf, service, pconf, scratch)) ||
        (refusal = check_bound(conf, service, scratch)))
        return refusal;
    return check_subscriptions(conf, service, scratch);
}

static int is_same(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static int follows_same(const apr_array_header_t *a,
                        const apr_array_header_t *b)
{
    int i;

    for (i = 0; i < a->nelts && i < b->nelts; i++) {
        const svc_link_peer_t *mine = &APR_ARRAY_IDX(a, i, svc_link_peer_t);
        const svc_link_peer_t *theirs = &APR_ARRAY_IDX(b, i, svc_link_peer_t);

        if (!is_same(mine->publish, theirs->publish) ||
            !is_same(mine->replay, theirs->replay) ||
            !is_same(mine->server_key, theirs->server_key))
            return 0;
    }
    return a->nelts == b->nelts;
}

/* Two virtual hosts with one database are one service, and bind once. */
static const char *check_shared(const svc_ap_conf_t *a, const svc_ap_conf_t *b,
                                const char *service, apr_pool_t *pool)
{
    const struct {
        const char *noun, *mine, *theirs;
    } table[] = {
        { "Publish", a->publish, b->publish },
        { "Replay", a->replay, b->replay },
        { "CurvePublicKey", a->curve_public, b->curve_public },
        { "CurveSecretKey", a->curve_secret, b->curve_secret },
        { "CurveAllow", a->curve_allow, b->curve_allow }
    };
    const char *noun = NULL;
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (!is_same(table[i].mine, table[i].theirs))
            noun = table[i].noun;
    }
    /* What only one of them says counts for both. */
    if (a->retention >= 0 && b->retention >= 0 && a->retention != b->retention)
        noun = "Retention";
    if (a->idempotency_ttl >= 0 && b->idempotency_ttl >= 0 &&
        a->idempotency_ttl != b->idempotency_ttl)
        noun = "IdempotencyTTL";
    if (a->leaves_schema >= 0 && b->leaves_schema >= 0 &&
        a->leaves_schema != b->leaves_schema)
        noun = "Schema";
    if (a->subscribe && b->subscribe &&
        !follows_same(a->subscribe, b->subscribe))
        noun = "Subscribe";
    if (!noun)
        return NULL;
    return apr_psprintf(pool, "%s differs between two virtual hosts that share "
                              "one database: they are one service",
                        directive(service, noun, pool));
}

/* Endpoints are bound once per database; another one cannot have them too. */
static const char *check_pair(const svc_ap_conf_t *a, const svc_ap_conf_t *b,
                              const char *service, apr_pool_t *pool)
{
    const char *names[] = { directive(service, "Publish", pool),
                            directive(service, "Replay", pool) };
    const char *mine[] = { a->publish, a->replay };
    const char *theirs[] = { b->publish, b->replay };
    int i, k;

    if (is_same(a->dbd_driver, b->dbd_driver) &&
        is_same(a->dbd_params, b->dbd_params))
        return check_shared(a, b, service, pool);
    for (i = 0; i < 2; i++) {
        for (k = 0; k < 2; k++) {
            if (!mine[i] || !theirs[k] ||
                !svc_endpoint_clashes(mine[i], theirs[k]))
                continue;
            if (strcmp(mine[i], theirs[k]) != 0)
                return both(names[i], mine[i], names[k], theirs[k], pool);
            return apr_psprintf(pool, "%s %s is used for two databases: each "
                                      "needs an endpoint of its own", names[i],
                                mine[i]);
        }
    }
    return NULL;
}

/* Both modules bind endpoints in this process and check only themselves: what is
 * taken is noted in the pool of the configuration. */
static const char *check_taken(const svc_ap_conf_t *conf, const char *service,
                               apr_pool_t *pconf, apr_pool_t *pool)
{
    static const char key[] = "svc_ap_check_endpoints_1";
    const char *mine[] = { conf->publish, conf->replay };
    void *found = NULL;
    apr_table_t *taken; /* endpoint -> directive */
    const apr_array_header_t *entries;
    int i, k;

    apr_pool_userdata_get(&found, key, pconf);
    taken = found ? found : apr_table_make(pconf, 8);
    apr_pool_userdata_setn(taken, key, NULL, pconf);
    entries = apr_table_elts(taken);
    for (i = 0; i < 2; i++) {
        const char *name = directive(
            service, i ? "Replay" : "Publish", pconf);

        for (k = 0; mine[i] && k < entries->nelts; k++) {
            const apr_table_entry_t *other =
                &APR_ARRAY_IDX(entries, k, apr_table_entry_t);

            if (strcmp(other->val, name) != 0 &&
                svc_endpoint_clashes(other->key, mine[i]))
                return both(other->val, other->key, name, mine[i], pool);
        }
        if (mine[i])
            apr_table_setn(taken, mine[i], name);
    }
    return NULL;
}

static int refuse(const server_rec *s, const char *refusal, apr_pool_t *pool)
{
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s,
                 "SVC050: %s: %s", svc_ap_check_server_name(s, pool),
                 refusal);
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* With fewer connections than threads the gate of svc_ap_db makes readers wait:
 * slow, but safe. */
static void check_max(const server_rec *s, const svc_ap_conf_t *conf,
                      apr_pool_t *pconf, apr_pool_t *pool)
{
    static const char key[] = "svc_ap_check_max_1"; /* said once, by either */
    int max = conf->dbd_max > 0 ? conf->dbd_max : SVC_AP_DB_MAX, threads;
    void *said = NULL;

    apr_pool_userdata_get(&said, key, pconf);
    if (said || ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads) != APR_SUCCESS ||
        max >= threads)
        return;
    apr_pool_userdata_setn(key, key, NULL, pconf);
    ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, s,
                 "SVC054: %s: DBDMax %d%s is less than the %d threads of a "
                 "process (ThreadsPerChild): as many can read at once, the "
                 "others wait for them; DBDMax %d lets all",
                 svc_ap_check_server_name(s, pool), max,
                 conf->dbd_max > 0 ? "" : ", the default,", threads,
                 threads + 4);
}

int svc_ap_check_config(module *module, const char *service, server_rec *main,
                        apr_pool_t *pconf, apr_pool_t *scratch)
{
    server_rec *s, *other;

    for (s = main; s; s = s->next) {
        svc_ap_conf_t *conf = ap_get_module_config(s->module_config, module);
        const char *refusal;

        if (!conf->is_used)
            continue;
        if ((refusal = check_server(conf, service, pconf, scratch)))
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
        check_max(s, conf, pconf, scratch);
        if (!conf->has_auth)
            ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_WARNING, 0, s,
                         "SVC051: %s: SetHandler %s without AuthType: what "
                         "needs a user will answer 500",
                         svc_ap_check_server_name(s, scratch), service);
    }
    return OK;
}
