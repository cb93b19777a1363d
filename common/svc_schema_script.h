/* svc_schema_script: a schema as SQL for psql, mariadb or sqlite3, for those who
 * do not let a server change their tables. It is what svc_schema_migrate sends.
 */
#ifndef SVC_SCHEMA_SCRIPT_H
#define SVC_SCHEMA_SCRIPT_H

#include "svc_schema.h"

/* The SQL that brings a database from version FROM (0: it has no tables) to
 * SCHEMA's; it refuses any other database, and does nothing to it if its client
 * stops at the first error. One that broke off on MariaDB can be run again. */
const char *svc_schema_script(const svc_schema_t *schema,
                              svc_db_engine_t engine, int from,
                              apr_pool_t *pool);

/* The names of what an upgrade from version FROM to SCHEMA's makes, a line for
 * each: "CREATE INDEX tickets_order". */
const char *svc_schema_script_summary(const svc_schema_t *schema, int from,
                                      apr_pool_t *pool);

#endif
