/* mod_tickets_http: the routes of /api/tickets. */
#ifndef MOD_TICKETS_HTTP_H
#define MOD_TICKETS_HTTP_H

#include "svc_ap_route.h"

extern const svc_ap_route_t mod_tickets_http_routes[];

#endif
