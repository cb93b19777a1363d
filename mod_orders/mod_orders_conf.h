/* mod_orders_conf: the directives of mod_orders. */
#ifndef MOD_ORDERS_CONF_H
#define MOD_ORDERS_CONF_H

#include <apr_file_io.h>

#include "orders_service.h"
#include "svc_ap_conf.h"

extern module AP_MODULE_DECLARE_DATA orders_module;

/* The module's server configuration. */
typedef struct orders_conf_t {
    svc_ap_conf_t common;   /* first: see svc_ap_conf.h */
    apr_int64_t expiration; /* seconds to pay; -1: not set */
    apr_int64_t max_active; /* unpaid orders of a user; 0: any; -1: not set */
    apr_array_header_t *payments; /* const char *: where OrdersPayments is On, as
                                     written; NULL: nowhere */
} orders_conf_t;

/* Its per-directory configuration. */
typedef struct orders_conf_dir_t {
    svc_ap_conf_dir_t common; /* first: see svc_ap_conf.h */
    int payments;             /* the payments route exists here; -1: not set */
} orders_conf_dir_t;

extern const command_rec mod_orders_conf_commands[];

/* What is in effect for S. */
orders_terms_t mod_orders_conf_terms(server_rec *s);

/* Is OrdersPayments on where R is? */
int mod_orders_conf_has_payments(const request_rec *r);

/* check_config: warns of what works, but hardly can be meant. */
void mod_orders_conf_check(server_rec *main, apr_pool_t *pool);

/* svc_ap_dump's: the directives that mod_orders alone has. */
void mod_orders_conf_dump(apr_file_t *out, server_rec *s);

/* create_dir_config and merge_dir_config. */
void *mod_orders_conf_create_dir(apr_pool_t *pool, char *path);
void *mod_orders_conf_merge_dir(apr_pool_t *pool, void *base, void *add);

/* create_server_config and merge_server_config. */
void *mod_orders_conf_create(apr_pool_t *pool, server_rec *s);
void *mod_orders_conf_merge(apr_pool_t *pool, void *base, void *add);

#endif
