/* mod_orders_http: the routes of /api/orders. */
#ifndef MOD_ORDERS_HTTP_H
#define MOD_ORDERS_HTTP_H

#include "svc_ap_route.h"

extern const svc_ap_route_t mod_orders_http_routes[];

#endif
