/* svc_sources: all logs that are followed, by name, with the cursors that this
 * service's database keeps for them. Used by one thread, the subscriber's.
 */
#ifndef SVC_SOURCES_H
#define SVC_SOURCES_H

#include "svc_link.h"

#define SVC_SOURCES_MAX 256 /* that are followed; more cannot be meant */

typedef struct svc_sources_t svc_sources_t;

svc_sources_t *svc_sources_create(const svc_inbox_t *inbox, apr_pool_t *pool);

/* All of them, as svc_source_t *. */
const apr_array_header_t *svc_sources_all(const svc_sources_t *sources);

/* The log NAME; NULL when it is not followed. */
svc_source_t *svc_sources_get(const svc_sources_t *sources, const char *name);

/* The log that LINK speaks for; NULL: it is not known yet, or there is none. */
svc_source_t *svc_sources_of(const svc_sources_t *sources,
                             const svc_link_t *link);

/* The log NAME, which spoke through LINK, with its cursor; it is followed from
 * now on. NULL when no log can be asked for there, or there are too many. An
 * error is of the database. */
svc_err_t *svc_sources_find(svc_source_t **out, svc_sources_t *sources,
                            svc_link_t *link, const char *name, svc_db_t *db,
                            apr_pool_t *scratch);

/* Another follower of the same database has moved the cursor of the log NAME. */
void svc_sources_overtaken(svc_sources_t *sources, const char *name);

/* The cursor of the log NAME was moved to POSITION, with an event that was
 * recorded at TIME (NULL: not known, or none). */
void svc_sources_wrote(svc_sources_t *sources, const char *name,
                       apr_int64_t position, const char *time);

/* Reads again the cursors that were overtaken. */
svc_err_t *svc_sources_reload(svc_sources_t *sources, svc_db_t *db,
                              apr_int64_t now, apr_pool_t *scratch);

/* What LINK speaks for may be another log since its connection was lost; and what
 * was asked there will not be answered. */
void svc_sources_doubt(svc_sources_t *sources, const svc_link_t *link);

#endif
