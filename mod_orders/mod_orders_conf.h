/* mod_orders_conf: the directives of mod_orders. */
#ifndef MOD_ORDERS_CONF_H
#define MOD_ORDERS_CONF_H

#include "svc_ap_conf.h"

extern module AP_MODULE_DECLARE_DATA orders_module;

/* The module's server configuration. */
typedef struct orders_conf_t {
    svc_ap_conf_t common;   /* first: see svc_ap_conf.h */
    apr_int64_t expiration; /* seconds to pay; -1: not set */
} orders_conf_t;

extern const command_rec mod_orders_conf_commands[];

/* The time to pay that is in effect for S, in milliseconds. */
apr_int64_t mod_orders_conf_expiration_ms(server_rec *s);

/* create_server_config and merge_server_config. */
void *mod_orders_conf_create(apr_pool_t *pool, server_rec *s);
void *mod_orders_conf_merge(apr_pool_t *pool, void *base, void *add);

#endif
