/* svc_schema_script: see the header. */
#include "svc_schema_script.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_db_session.h"

static const struct {
    const char *driver, *name, *client;
} engines[SVC_DB_ENGINES] = {
    { "sqlite3", "SQLite", "sqlite3 -bail DBFILE <FILE" },
    { "pgsql", "PostgreSQL", "psql -v ON_ERROR_STOP=1 -f FILE DBNAME" },
    { "mysql", "MariaDB", "mariadb DBNAME <FILE" }
};

/* A table with each column on a line of its own; other statements as they are.
 * What is in inner parentheses, or in quotes, stays together. */
static const char *in_lines(const char *sql, apr_pool_t *pool)
{
    char *out = apr_palloc(pool, strlen(sql) * 4 + 1), *to = out;
    int depth = 0, is_quoted = 0;

    if (strncmp(sql, "CREATE TABLE", 12) != 0)
        return sql;
    for (; *sql; sql++) {
        is_quoted ^= *sql == '\'';
        if (!is_quoted && *sql == ')' && --depth == 0)
            *to++ = '\n';
        *to++ = *sql;
        if (is_quoted)
            continue;
        if ((*sql == '(' && ++depth == 1) || (*sql == ',' && depth == 1)) {
            memcpy(to, "\n  ", 3);
            to += 3;
            sql += sql[1] == ' ';
        }
    }
    *to = '\0';
    return out;
}

/* Here a duplicate is nobody's business but the client's. */
static const char *for_client(svc_db_engine_t engine, const char *sql,
                              apr_pool_t *pool)
{
    const char *plain = svc_db_session_sql(engine, sql, pool);

    if (plain != sql) /* it ended in ON CONFLICT DO NOTHING */
        plain = apr_pstrcat(pool, "INSERT IGNORE", plain + strlen("INSERT"),
                            NULL);
    return in_lines(plain, pool);
}

static const char *append(const char *script, svc_db_engine_t engine,
                          const apr_array_header_t *statements,
                          apr_pool_t *pool)
{
    int i;

    for (i = 0; i < statements->nelts; i++)
        script = apr_pstrcat(
            pool, script,
            for_client(engine, APR_ARRAY_IDX(statements, i, const char *),
                       pool),
            ";\n", NULL);
    return script;
}

/* Ends in a duplicate key when the version is not FROM. */
static const char *guard(const svc_schema_t *schema, int from, apr_pool_t *pool)
{
    return apr_psprintf(pool, "INSERT INTO %s_schema (id, version) SELECT id, "
                              "version FROM %s_schema WHERE version <> %d;\n",
                        schema->service, schema->service, from);
}

static const char *comment(const svc_schema_t *schema, svc_db_engine_t engine,
                           int from, apr_pool_t *pool)
{
    return apr_pstrcat(
        pool,
        apr_psprintf(pool, "-- The tables of %s on %s: from schema %d%s to "
                           "%d.\n-- Made by `svc-schema --driver %s --from %d "
                           "--to %d %s print`: do not edit.\n-- To run it: "
                           "%s\n", schema->service, engines[engine].name,
                     from, from ? "" : " (none)", schema->version,
                     engines[engine].driver, from, schema->version,
                     schema->service, engines[engine].client),
        engine == SVC_DB_MYSQL
            ? "-- Each change is permanent at once: if this breaks off, run it "
              "again.\n"
            : "", "\n", NULL);
}

static const char *opening(svc_db_engine_t engine)
{
    switch (engine) {
    case SVC_DB_SQLITE: /* its client would not wait for a httpd that writes */
        return "PRAGMA busy_timeout = 10000;\nBEGIN IMMEDIATE;\n";
    case SVC_DB_PGSQL:
        return "BEGIN;\n";
    default:
        return svc_db_session_mysql;
    }
}

const char *svc_schema_script(const svc_schema_t *schema,
                              svc_db_engine_t engine, int from,
                              apr_pool_t *pool)
{
    const char *script = apr_pstrcat(pool, comment(schema, engine, from, pool),
                                     opening(engine), NULL);

    script = append(script, engine,
                    svc_schema_begin(schema, engine, from == 0, pool), pool);
    script = apr_pstrcat(pool, script, guard(schema, from, pool), "\n", NULL);
    script = append(script, engine,
                    svc_schema_upgrade(schema, engine, from, pool), pool);
    return engine == SVC_DB_MYSQL ? script
                                  : apr_pstrcat(pool, script, "COMMIT;\n",
                                                NULL);
}

/* "CREATE TABLE x", "CREATE UNIQUE INDEX x", "ALTER TABLE x ADD COLUMN y". */
static const char *heading(const char *sql, apr_pool_t *pool)
{
    static const char *const last[] = { "TABLE ", "INDEX ", "COLUMN " };
    const char *end = NULL, *at;
    size_t i;

    for (i = 0; i < sizeof(last) / sizeof(last[0]); i++) {
        if ((at = strstr(sql, last[i])))
            end = at + strlen(last[i]);
    }
    return end ? apr_pstrmemdup(pool, sql,
                                (apr_size_t)(end - sql) + strcspn(end, " ("))
               : sql;
}

const char *svc_schema_script_summary(const svc_schema_t *schema, int from,
                                      apr_pool_t *pool)
{
    const char *summary = "";
    int step, i;

    for (step = from; step < schema->version; step++) {
        for (i = 0; schema->steps[step][i]; i++)
            summary = apr_pstrcat(pool, summary,
                                  heading(schema->steps[step][i], pool), "\n",
                                  NULL);
    }
    return summary;
}
