/* svc_ap_query: the parameters of a list, as the query of its URL has them, and
 * the Link to its next page.
 *
 * Every list has `limit` and `cursor`; what it filters by is named when the
 * query is read. Each parameter is read by one of the functions below, in the
 * order in which errors shall name them; then svc_ap_query_end tells them all.
 * A parameter is refused when it is not known, given twice, badly escaped, or
 * not UTF-8 (a NUL is not). Names are case-sensitive. A bad value reads as if it
 * had not been given.
 *
 * All of it belongs to the request's thread and pool.
 */
#ifndef SVC_AP_QUERY_H
#define SVC_AP_QUERY_H

#include <httpd.h>

#include "svc_err.h"

#define SVC_AP_QUERY_DEFAULT_LIMIT 100 /* elements of a page */
#define SVC_AP_QUERY_MAX_LIMIT 1000

typedef struct svc_ap_query_t svc_ap_query_t;

/* A page of a list. */
typedef struct svc_ap_query_page_t {
    apr_int64_t after; /* position that it begins after */
    int limit;
} svc_ap_query_page_t;

/* Splits the query of R. FILTERS are the names beside limit and cursor; they end
 * with NULL and outlive the request; NULL: there are none. */
svc_ap_query_t *svc_ap_query_read(request_rec *r, const char *const *filters);

/* limit and cursor. */
svc_ap_query_page_t svc_ap_query_page(svc_ap_query_t *query);

/* A text of 1 to MAX characters; NULL: not given. */
const char *svc_ap_query_text(svc_ap_query_t *query, const char *name, int max);

/* The place in CHOICES, which end with NULL, of the one that was named;
 * DEFAULT_CHOICE: none was. */
int svc_ap_query_choice(svc_ap_query_t *query, const char *name,
                        const char *const *choices, int default_choice);

/* A price (svc_money_of_text), 0 too, as cents; -1: not given. */
apr_int64_t svc_ap_query_cents(svc_ap_query_t *query, const char *name);

/* Refuses NAME for a reason that the caller found. */
void svc_ap_query_refuse(svc_ap_query_t *query, const char *name,
                         const char *message);

/* INVALID names every parameter that is bad, those that are not known last. */
svc_err_t *svc_ap_query_end(svc_ap_query_t *query);

/* Sets Link: rel="next" (RFC 8288) to the page after position LAST, with the
 * same filters. */
void svc_ap_query_link_next(svc_ap_query_t *query,
                            const svc_ap_query_page_t *page, apr_int64_t last);

#endif
