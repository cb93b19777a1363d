/* svc_id: identifiers. UUIDs of version 7 (RFC 9562 section 5.7): 48 bits of
 * milliseconds, then 74 random bits. Clients must treat them as opaque.
 */
#ifndef SVC_ID_H
#define SVC_ID_H

#include <apr_pools.h>

#define SVC_ID_LENGTH 36

/* A new identifier, 36 characters, lower case, allocated from POOL. Any thread. */
const char *svc_id_new(apr_pool_t *pool);

/* TEXT as a UUID of any version in lower case (RFC 9562 section 4: input is
 * case-insensitive), allocated from POOL; NULL when it is not one. */
const char *svc_id_parse(const char *text, apr_pool_t *pool);

/* The SHA-1 of LENGTH bytes in 40 hexadecimal digits, allocated from POOL: to
 * tell texts apart whose author gains nothing by making two alike. */
const char *svc_id_digest(const char *text, apr_size_t length,
                          apr_pool_t *pool);

#endif
