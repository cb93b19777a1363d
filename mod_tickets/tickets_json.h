/* tickets_json: tickets in JSON; the names on the wire are only here. */
#ifndef TICKETS_JSON_H
#define TICKETS_JSON_H

#include <apr_tables.h>

#include "svc_json.h"
#include "tickets.h"

/* Reads {title, price} into OUT's title (trimmed) and cents, which live in
 * POOL. INVALID with one entry per bad field, title before price. */
svc_err_t *tickets_json_read(ticket_t *out, const svc_json_t *body,
                             apr_pool_t *pool);

/* Reads one ticket, or an array of 1 to TICKETS_MAX_CREATED; OUT is an array of
 * ticket_t. Of an array, a bad field is named with its index: "[3].price", those of
 * the first TICKETS_MAX_REFUSED bad tickets. */
svc_err_t *tickets_json_read_all(apr_array_header_t **out,
                                 const svc_json_t *body, apr_pool_t *pool);

/* The ticket as clients and events see it; orderId only while reserved. */
svc_json_t *tickets_json_write(const ticket_t *ticket, apr_pool_t *pool);

#endif
