/* svc_etag: entity tags and the two conditional headers (RFC 9110 section 13).
 * An entity's tag is its version; the precondition is judged inside the
 * transaction that changes the entity, so it travels with the command.
 */
#ifndef SVC_ETAG_H
#define SVC_ETAG_H

/* The conditional headers of a request; NULL where one was not sent. */
typedef struct svc_etag_condition_t {
    const char *if_match;
    const char *if_none_match;
} svc_etag_condition_t;

/* True when the comma-separated list LIST (or "*") names ETAG, which is given
 * with its quotes. With WEAK, W/"x" equals "x". A tag that mod_deflate or
 * mod_brotli suffixed ("x-gzip", "x-br") equals "x". */
int svc_etag_list_has(const char *list, const char *etag, int weak);

/* True when a change of an existing entity with this ETAG may go on. */
int svc_etag_allows(const svc_etag_condition_t *condition, const char *etag);

#endif
