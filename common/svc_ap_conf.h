/* svc_ap_conf: what both services are configured with; svc_ap_check judges it.
 *
 * A module's server configuration begins with a svc_ap_conf_t. Every directive
 * passes the module record as its info, so that one setter serves both.
 *
 * mod_dbd keeps its settings to itself, and SetHandler and AuthType are the
 * core's; httpd calls every module that lists a directive, so these are listed
 * here as well, only to be seen.
 */
#ifndef SVC_AP_CONF_H
#define SVC_AP_CONF_H

#include <httpd.h>
#include <http_config.h>

/* A subscription: svc_link_peer_t with its endpoints checked. */
struct svc_link_peer_t;
struct svc_bus_curve_t;

typedef struct svc_ap_conf_t {
    const char *dbd_driver;  /* DBDriver; NULL: not set */
    const char *dbd_params;  /* DBDParams; NULL: not set */
    int dbd_max;             /* DBDMax; 0: not set */
    int is_used;             /* SetHandler names this service here */
    apr_array_header_t *bases; /* const char *: paths where it is mounted */
    int has_auth;            /* AuthType is set somewhere here */
    const char *publish;     /* PUB endpoint; NULL: not published */
    const char *replay;      /* ROUTER endpoint; NULL: no replay */
    apr_array_header_t *subscribe; /* svc_link_peer_t; NULL: none */
    const char *curve_public; /* file of this service's public key; NULL */
    const char *curve_secret; /* file of its secret key; NULL: not set */
    const char *curve_allow;  /* file of its clients' public keys; NULL */
    const struct svc_bus_curve_t *curve; /* what is in these files, read by
                                            check_config; NULL: no keys */
    apr_off_t max_body;      /* bytes; -1: not set */
    apr_int64_t retention;   /* days that the event log is kept; 0: for ever;
                                -1: not set */
    apr_int64_t idempotency_ttl; /* seconds that a key is remembered; -1: not
                                    set */
    int leaves_schema;       /* tables are not made or changed here; -1: not
                                set */
    int allows_insecure;     /* endpoints that are not loopback; -1: not set */
    struct svc_ap_instance_t *instance; /* set in post_config; NULL: not used */
} svc_ap_conf_t;

/* The per-directory configuration: where the API is mounted. A module's begins
 * with it. */
typedef struct svc_ap_conf_dir_t {
    int is_api;       /* 1: SetHandler names this service, 0: another; -1: unset */
    const char *base; /* path of the Location, e.g. "/api/tickets" */
} svc_ap_conf_dir_t;

#define SVC_AP_CONF_MAX_BODY 65536 /* bytes, the default */
#define SVC_AP_CONF_ARRAY 16       /* times as much for an array of entities */
#define SVC_AP_CONF_RETENTION 7    /* days, the default */
#define SVC_AP_CONF_IDEMPOTENCY_TTL 86400 /* seconds, the default */

/* The text that `httpd -L` has about a directive: what is written after its name,
 * what holds without it, and what it does. The manual says the same, and
 * t/layout.t compares. */
#define SVC_AP_CONF_HELP(arguments, otherwise, text) \
    arguments " (default: " otherwise "): " text

/* Directives of one service; PREFIX is "Tickets" or "Orders", MODULE the
 * address of its module record. */
#define SVC_AP_CONF_COMMANDS(prefix, module) \
    AP_INIT_TAKE1(prefix "Publish", svc_ap_conf_set_publish, module, \
                  RSRC_CONF, \
                  SVC_AP_CONF_HELP("ENDPOINT", "none", \
                                   "bind the PUB socket there")), \
    AP_INIT_TAKE1(prefix "Replay", svc_ap_conf_set_replay, module, RSRC_CONF, \
                  SVC_AP_CONF_HELP("ENDPOINT", "none", \
                                   "bind the ROUTER socket that answers " \
                                   "replay requests there")), \
    AP_INIT_TAKE123(prefix "Subscribe", svc_ap_conf_set_subscribe, module, \
                    RSRC_CONF, \
                    SVC_AP_CONF_HELP("PUB-ENDPOINT [REPLAY-ENDPOINT " \
                                     "[SERVER-KEY]]", "none", \
                                     "follow the publisher there; may be " \
                                     "repeated")), \
    AP_INIT_TAKE1(prefix "CurvePublicKey", svc_ap_conf_set_curve_public, \
                  module, RSRC_CONF, \
                  SVC_AP_CONF_HELP("FILE", "none", \
                                   "the public key of this service")), \
    AP_INIT_TAKE1(prefix "CurveSecretKey", svc_ap_conf_set_curve_secret, \
                  module, RSRC_CONF, \
                  SVC_AP_CONF_HELP("FILE", "none", "its secret key")), \
    AP_INIT_TAKE1(prefix "CurveAllow", svc_ap_conf_set_curve_allow, module, \
                  RSRC_CONF, \
                  SVC_AP_CONF_HELP("FILE", "none", \
                                   "the public keys of those who may " \
                                   "connect")), \
    AP_INIT_TAKE1(prefix "MaxBody", svc_ap_conf_set_max_body, module, \
                  RSRC_CONF, \
                  SVC_AP_CONF_HELP("BYTES", \
                                   APR_STRINGIFY(SVC_AP_CONF_MAX_BODY), \
                                   "a larger request body is answered 413")), \
    AP_INIT_TAKE1(prefix "Retention", svc_ap_conf_set_retention, module, \
                  RSRC_CONF, \
                  SVC_AP_CONF_HELP("DAYS", \
                                   APR_STRINGIFY(SVC_AP_CONF_RETENTION), \
                                   "how long the event log is kept; 0: for " \
                                   "ever")), \
    AP_INIT_TAKE1(prefix "IdempotencyTTL", svc_ap_conf_set_idempotency_ttl, \
                  module, RSRC_CONF, \
                  SVC_AP_CONF_HELP("SECONDS", \
                                   APR_STRINGIFY(SVC_AP_CONF_IDEMPOTENCY_TTL), \
                                   "how long an Idempotency-Key is " \
                                   "remembered")), \
    AP_INIT_TAKE1(prefix "Schema", svc_ap_conf_set_schema, module, RSRC_CONF, \
                  SVC_AP_CONF_HELP("Auto|Off", "Auto", \
                                   "Auto: the tables are made and upgraded " \
                                   "here; Off: they are left as they are")), \
    AP_INIT_FLAG(prefix "InsecureEndpoint", \
                 svc_ap_conf_set_insecure_endpoint, module, RSRC_CONF, \
                 SVC_AP_CONF_HELP("On|Off", "Off", \
                                  "allow endpoints that other machines can " \
                                  "reach without keys")), \
    AP_INIT_RAW_ARGS("DBDriver", svc_ap_conf_see_driver, module, RSRC_CONF, \
                     "mod_dbd's: the database driver"), \
    AP_INIT_RAW_ARGS("DBDParams", svc_ap_conf_see_params, module, RSRC_CONF, \
                     "mod_dbd's: where the data is"), \
    AP_INIT_RAW_ARGS("DBDMax", svc_ap_conf_see_max, module, RSRC_CONF, \
                     "mod_dbd's: the most connections of one process"), \
    AP_INIT_RAW_ARGS("SetHandler", svc_ap_conf_see_handler, module, \
                     OR_FILEINFO, "the core's: the handler of a location"), \
    AP_INIT_RAW_ARGS("AuthType", svc_ap_conf_see_auth, module, OR_AUTHCFG, \
                     "mod_authn_core's: how users are authenticated")

/* Setters; see SVC_AP_CONF_COMMANDS. */
const char *svc_ap_conf_set_publish(cmd_parms *cmd, void *dir, const char *arg);
const char *svc_ap_conf_set_replay(cmd_parms *cmd, void *dir, const char *arg);
const char *svc_ap_conf_set_subscribe(cmd_parms *cmd, void *dir,
                                      const char *publish, const char *replay,
                                      const char *key);
const char *svc_ap_conf_set_curve_public(cmd_parms *cmd, void *dir,
                                         const char *arg);
const char *svc_ap_conf_set_curve_secret(cmd_parms *cmd, void *dir,
                                         const char *arg);
const char *svc_ap_conf_set_curve_allow(cmd_parms *cmd, void *dir,
                                        const char *arg);
const char *svc_ap_conf_set_max_body(cmd_parms *cmd, void *dir,
                                     const char *arg);
const char *svc_ap_conf_set_retention(cmd_parms *cmd, void *dir,
                                      const char *arg);
const char *svc_ap_conf_set_idempotency_ttl(cmd_parms *cmd, void *dir,
                                            const char *arg);
const char *svc_ap_conf_set_schema(cmd_parms *cmd, void *dir, const char *arg);
const char *svc_ap_conf_set_insecure_endpoint(cmd_parms *cmd, void *dir,
                                              int on);
const char *svc_ap_conf_see_driver(cmd_parms *cmd, void *dir, const char *args);
const char *svc_ap_conf_see_params(cmd_parms *cmd, void *dir, const char *args);
const char *svc_ap_conf_see_max(cmd_parms *cmd, void *dir, const char *args);
const char *svc_ap_conf_see_handler(cmd_parms *cmd, void *dir,
                                    const char *args);
const char *svc_ap_conf_see_auth(cmd_parms *cmd, void *dir, const char *args);

/* The directive of SERVICE with this NOUN: "TicketsPublish". */
const char *svc_ap_conf_directive(const char *service, const char *noun,
                                  apr_pool_t *pool);

/* Reads ARG as a whole number from MIN to MAX into OUT; the sentence to refuse
 * it with otherwise. */
const char *svc_ap_conf_number(apr_int64_t *out, cmd_parms *cmd,
                               const char *arg, apr_int64_t min,
                               apr_int64_t max);

/* Sets a new server configuration's common part to "not set". */
void svc_ap_conf_init(svc_ap_conf_t *conf);

/* Merges the common part of a virtual host with the main server's. */
void svc_ap_conf_merge(svc_ap_conf_t *merged, const svc_ap_conf_t *base,
                       const svc_ap_conf_t *add, apr_pool_t *pool);

/* The same for the per-directory configuration. */
void svc_ap_conf_init_dir(svc_ap_conf_dir_t *conf);
void svc_ap_conf_merge_dir(svc_ap_conf_dir_t *merged,
                           const svc_ap_conf_dir_t *base,
                           const svc_ap_conf_dir_t *add);

#endif
