/* svc_schema: see the header. */
#include "svc_schema.h"

#include <string.h>

#include <apr_strings.h>

#define MAX_TRIES 20
#define PAUSE_MS 50

/* TEXT with WORDS replaced by BY, everywhere. */
static const char *replace(const char *text, const char *words, const char *by,
                           apr_pool_t *pool)
{
    const char *done = "", *at;

    for (; (at = strstr(text, words)); text = at + strlen(words))
        done = apr_pstrcat(pool, done,
                           apr_pstrmemdup(pool, text, (apr_size_t)(at - text)),
                           by, NULL);
    return apr_pstrcat(pool, done, text, NULL);
}

/* Text is compared byte by byte, as SQLite does: ids and names are the same on
 * all engines, and in the same order, whatever the language of the server. */
static const char *compare_bytes(const char *ddl, apr_pool_t *pool)
{
    const char *done = "", *at, *end;

    for (; (at = strstr(ddl, "VARCHAR(")) && (end = strchr(at, ')'));
         ddl = end + 1)
        done = apr_pstrcat(pool, done,
                           apr_pstrmemdup(pool, ddl,
                                          (apr_size_t)(end + 1 - ddl)),
                           " COLLATE \"C\"", NULL);
    return apr_pstrcat(pool, done, ddl, NULL);
}

/* MariaDB commits at each change of a table: one that broke off in the middle is
 * begun again, and two machines may be at it at once. */
static const char *if_not_exists(const char *ddl, apr_pool_t *pool)
{
    static const char *const words[] = { "CREATE TABLE ", "INDEX ",
                                         "ADD COLUMN " };
    size_t i;

    if (strstr(ddl, "IF NOT EXISTS"))
        return ddl;
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        ddl = replace(ddl, words[i],
                      apr_pstrcat(pool, words[i], "IF NOT EXISTS ", NULL),
                      pool);
    return ddl;
}

static const char *dialect(svc_db_engine_t engine, const char *ddl,
                           apr_pool_t *pool)
{
    int is_table = strncmp(ddl, "CREATE TABLE", 12) == 0;

    switch (engine) {
    case SVC_DB_SQLITE: /* the primary key is the place on disk, as on InnoDB */
        return is_table ? apr_pstrcat(pool, ddl, " WITHOUT ROWID", NULL) : ddl;
    case SVC_DB_PGSQL: /* it has one type for long texts, and before 18 it
                          stores what is computed from other columns */
        ddl = replace(ddl, "MEDIUMTEXT", "TEXT", pool);
        return compare_bytes(replace(ddl, ") VIRTUAL", ") STORED", pool),
                             pool);
    default:
        ddl = if_not_exists(ddl, pool);
        return is_table ? apr_pstrcat(pool, ddl,
                                      " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 "
                                      "COLLATE=utf8mb4_nopad_bin", NULL)
                        : ddl;
    }
}

/* One machine at a time; where there is one writers' lock for all, or where
 * every step can be repeated, nothing is needed. */
static const char *lock_text(svc_db_engine_t engine, const char *service,
                             apr_pool_t *pool)
{
    if (engine != SVC_DB_PGSQL)
        return NULL;
    return apr_psprintf(pool, "SELECT pg_advisory_xact_lock(hashtext("
                              "current_schema() || ' %s'))", service);
}

static void push(apr_array_header_t *statements, const char *sql)
{
    if (sql)
        APR_ARRAY_PUSH(statements, const char *) = sql;
}

apr_array_header_t *svc_schema_begin(const svc_schema_t *schema,
                                     svc_db_engine_t engine, int may_be_empty,
                                     apr_pool_t *pool)
{
    apr_array_header_t *statements = apr_array_make(pool, 3, sizeof(char *));
    const char *create = apr_psprintf(
        pool,
        "CREATE TABLE IF NOT EXISTS %s_schema "
        "(id BIGINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL)",
        schema->service);

    push(statements, lock_text(engine, schema->service, pool));
    if (!may_be_empty)
        return statements;
    push(statements, dialect(engine, create, pool));
    push(statements, apr_psprintf(pool, "INSERT INTO %s_schema (id, version) "
                                        "VALUES (1, 0) ON CONFLICT DO NOTHING",
                                  schema->service));
    return statements;
}

apr_array_header_t *svc_schema_upgrade(const svc_schema_t *schema,
                                       svc_db_engine_t engine, int from,
                                       apr_pool_t *pool)
{
    apr_array_header_t *statements = apr_array_make(pool, 32, sizeof(char *));
    int step, i;

    for (step = from; step < schema->version; step++) {
        for (i = 0; schema->steps[step][i]; i++)
            push(statements, dialect(engine, schema->steps[step][i], pool));
    }
    push(statements, apr_psprintf(pool, "UPDATE %s_schema SET version = %d "
                                        "WHERE id = 1",
                                  schema->service, schema->version));
    return statements;
}

static svc_err_t *run_all(svc_db_t *db, const apr_array_header_t *statements,
                          apr_pool_t *pool)
{
    svc_err_t *err = NULL;
    int i;

    for (i = 0; i < statements->nelts && !err; i++)
        err = svc_db_text(db, APR_ARRAY_IDX(statements, i, const char *), pool);
    return err;
}

svc_err_t *svc_schema_refusal(const svc_schema_t *schema, apr_int64_t version,
                              apr_pool_t *pool)
{
    if (version == schema->version)
        return NULL;
    if (version > schema->version)
        return svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                            "The database is not available",
                            "the database has schema %" APR_INT64_T_FMT
                            " of %s, this module knows only %d: use a newer "
                            "module",
                            version, schema->service, schema->version);
    return svc_err_ours(
        pool, SVC_ERR_UNAVAILABLE, "The database is not available",
        "the database has %s of %s, this module needs schema %d: upgrade it "
        "with svc-schema or the files of conf/schema",
        version ? apr_psprintf(pool, "schema %" APR_INT64_T_FMT, version)
                : "no tables",
        schema->service, schema->version);
}

static svc_err_t *migrate(svc_db_t *db, const svc_schema_t *schema,
                          apr_pool_t *pool)
{
    svc_db_engine_t engine = svc_db_engine(db);
    apr_int64_t version = -1;
    svc_err_t *err;

    if ((err = run_all(db, svc_schema_begin(schema, engine, 1, pool), pool)) ||
        (err = svc_db_get(&version, db, &schema->read_version, NULL, pool)))
        return err;
    if (version >= schema->version)
        return svc_schema_refusal(schema, version, pool);
    err = svc_db_limit(db, 0, pool); /* an index takes its time */
    return err ? err
               : run_all(db, svc_schema_upgrade(schema, engine, (int)version,
                                                pool), pool);
}

svc_err_t *svc_schema_version(apr_int64_t *out, svc_db_t *db,
                              const svc_schema_t *schema, apr_pool_t *pool)
{
    static const svc_db_sql_t is_there = {
        "svc_schema_is_there",
        { "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' "
          "AND name = %s",
          "SELECT COUNT(*) FROM pg_catalog.pg_class "
          "WHERE oid = pg_catalog.to_regclass(%s)",
          "SELECT COUNT(*) FROM information_schema.tables "
          "WHERE table_schema = DATABASE() AND table_name = %s" }
    };
    const char *args[] = { apr_pstrcat(pool, schema->service, "_schema",
                                       NULL) };
    apr_int64_t count = 0;
    svc_err_t *err = svc_db_get(&count, db, &is_there, args, pool);

    *out = 0;
    return err || !count ? err
                         : svc_db_get(out, db, &schema->read_version, NULL,
                                      pool);
}

/* Mostly there is nothing to do: then nobody's locks are waited for, such as those
 * of processes that were just killed. */
static int is_up_to_date(svc_db_t *db, const svc_schema_t *schema,
                         apr_pool_t *pool)
{
    apr_int64_t version = -1;
    svc_err_t *err = svc_db_get(&version, db, &schema->read_version, NULL,
                                pool);

    return !err && version == schema->version;
}

/* MariaDB has no transaction for this, and one that another node of Galera undoes
 * would undo less than it says. */
static svc_err_t *attempt(svc_db_t *db, const svc_schema_t *schema,
                          apr_pool_t *pool)
{
    svc_err_t *err;

    if (svc_db_engine(db) == SVC_DB_MYSQL)
        return migrate(db, schema, pool);
    if ((err = svc_db_begin(db, pool)))
        return err;
    err = migrate(db, schema, pool);
    if (!err)
        err = svc_db_commit(db, pool);
    if (err)
        svc_db_rollback(db, pool);
    return err;
}

/* Where others are at it as well (Galera has no lock that all nodes know) one may
 * undo what another has just done: whoever lost finds out what is left to do. */
svc_err_t *svc_schema_migrate(svc_db_t *db, const svc_schema_t *schema,
                              apr_pool_t *pool)
{
    svc_err_t *err = NULL;
    int tries;

    for (tries = 0; tries < MAX_TRIES; tries++) {
        if (is_up_to_date(db, schema, pool))
            return err ? svc_db_limit(db, SVC_DB_LIMIT_S, pool) : NULL;
        err = attempt(db, schema, pool);
        if (!err)
            return svc_db_limit(db, SVC_DB_LIMIT_S, pool);
        if (err->kind != SVC_ERR_RETRY)
            break;
        apr_sleep((PAUSE_MS + apr_time_now() % PAUSE_MS) * 1000);
    }
    return err;
}
