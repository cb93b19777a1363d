/* mod_tickets_conf: the directives of mod_tickets. */
#ifndef MOD_TICKETS_CONF_H
#define MOD_TICKETS_CONF_H

#include "svc_ap_conf.h"

extern module AP_MODULE_DECLARE_DATA tickets_module;

/* The module's server configuration. */
typedef struct tickets_conf_t {
    svc_ap_conf_t common; /* first: see svc_ap_conf.h */
} tickets_conf_t;

/* Its per-directory configuration. */
typedef struct tickets_conf_dir_t {
    svc_ap_conf_dir_t common; /* first: see svc_ap_conf.h */
} tickets_conf_dir_t;

extern const command_rec mod_tickets_conf_commands[];

/* create_dir_config and merge_dir_config. */
void *mod_tickets_conf_create_dir(apr_pool_t *pool, char *path);
void *mod_tickets_conf_merge_dir(apr_pool_t *pool, void *base, void *add);

/* create_server_config and merge_server_config. */
void *mod_tickets_conf_create(apr_pool_t *pool, server_rec *s);
void *mod_tickets_conf_merge(apr_pool_t *pool, void *base, void *add);

#endif
