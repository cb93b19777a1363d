/* svc_schema: see the header. */
#include "svc_schema.h"

#include <string.h>

#include <apr_strings.h>

static const char *replace(const char *text, const char *what,
                           const char *with, apr_pool_t *pool)
{
    const char *at;

    while ((at = strstr(text, what)))
        text = apr_pstrcat(pool, apr_pstrmemdup(pool, text,
                                                (apr_size_t)(at - text)),
                           with, at + strlen(what), NULL);
    return text;
}

/* A table's primary key is its place on disk on SQLite, as it is on InnoDB. What
 * is computed from other columns can be indexed without being stored, but not on
 * PostgreSQL before 18; SQLite on the other hand adds it to a table only so. */
static const char *dialect(svc_db_engine_t engine, const char *ddl,
                           apr_pool_t *pool)
{
    static const char *const suffix[SVC_DB_ENGINES] = {
        " WITHOUT ROWID", "",
        " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
    };

    if (engine == SVC_DB_PGSQL) /* it has one type for texts of any length */
        ddl = replace(replace(ddl, "MEDIUMTEXT", "TEXT", pool), ") VIRTUAL",
                      ") STORED", pool);
    if (strncmp(ddl, "CREATE TABLE", 12) != 0)
        return ddl;
    return apr_pstrcat(pool, ddl, suffix[engine], NULL);
}

static svc_err_t *upgrade(svc_db_t *db, const svc_schema_t *schema,
                          apr_int64_t from, apr_pool_t *pool)
{
    const char *set = apr_psprintf(
        pool, "UPDATE %s_schema SET version = %d WHERE id = 1",
        schema->service, schema->version);
    apr_int64_t step;
    int i;

    for (step = from; step < schema->version; step++) {
        for (i = 0; schema->steps[step][i]; i++) {
            svc_err_t *err = svc_db_text(
                db, dialect(svc_db_engine(db), schema->steps[step][i], pool),
                pool);

            if (err)
                return err;
        }
    }
    return svc_db_text(db, set, pool);
}

static svc_err_t *migrate(svc_db_t *db, const svc_schema_t *schema,
                          apr_pool_t *pool)
{
    const char *create = apr_psprintf(
        pool,
        "CREATE TABLE IF NOT EXISTS %s_schema "
        "(id BIGINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL)",
        schema->service);
    const char *insert = apr_psprintf(
        pool,
        "INSERT INTO %s_schema (id, version) SELECT 1, 0 "
        "WHERE NOT EXISTS (SELECT 1 FROM %s_schema)",
        schema->service, schema->service);
    apr_int64_t version = -1;
    svc_err_t *err;

    if ((err = svc_db_text(db, dialect(svc_db_engine(db), create, pool),
                           pool)) ||
        (err = svc_db_text(db, insert, pool)) ||
        (err = svc_db_get(&version, db, &schema->read_version, NULL, pool)))
        return err;
    if (version > schema->version)
        return svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                            "The database is not available",
                            "the database has schema %" APR_INT64_T_FMT
                            " of %s, this module knows only %d: use a newer "
                            "module",
                            version, schema->service, schema->version);
    return version < schema->version ? upgrade(db, schema, version, pool)
                                     : NULL;
}

svc_err_t *svc_schema_migrate(svc_db_t *db, const svc_schema_t *schema,
                              apr_pool_t *pool)
{
    svc_err_t *err = svc_db_begin(db, pool);

    if (err)
        return err;
    err = migrate(db, schema, pool);
    if (!err)
        err = svc_db_commit(db, pool);
    if (err)
        svc_db_rollback(db, pool);
    return err;
}
