/* svc_db_sql: a statement, as each engine knows it. No database is needed, any
 * thread.
 */
#ifndef SVC_DB_SQL_H
#define SVC_DB_SQL_H

#include <apr_pools.h>

typedef enum {
    SVC_DB_SQLITE,
    SVC_DB_PGSQL,
    SVC_DB_MYSQL,
    SVC_DB_ENGINES
} svc_db_engine_t;

/* A statement in the dialect of each engine. Parameters are %s (text) and %lld
 * (integer); a literal % is written twice. An INSERT may end in ON CONFLICT DO
 * NOTHING, on MariaDB as well. The structure must outlive every connection it is
 * used on: its address is the key of the prepared statement. */
typedef struct svc_db_sql_t {
    const char *label; /* its name in a message */
    const char *text[SVC_DB_ENGINES];
} svc_db_sql_t;

/* One text for all three engines. */
#define SVC_DB_SAME(text) { text, text, text }

/* The same for the tables of one service: every # in FORMAT becomes its name,
 * which is their prefix. POOL must outlive every connection. */
svc_db_sql_t svc_db_sql(const char *label, const char *service,
                        const char *format, apr_pool_t *pool);

/* How many parameters TEXT has. */
int svc_db_sql_count(const char *text);

/* The engine of mod_dbd's DBDriver value; SVC_DB_ENGINES for one that is not
 * supported. */
svc_db_engine_t svc_db_sql_engine(const char *driver);

#endif
