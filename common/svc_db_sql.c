/* svc_db_sql: see the header. */
#include "svc_db_sql.h"

#include <string.h>

#include <apr_strings.h>

svc_db_sql_t svc_db_sql(const char *label, const char *service,
                        const char *format, apr_pool_t *pool)
{
    svc_db_sql_t sql;
    const char *text = format;
    const char *at;
    int i;

    while ((at = strchr(text, '#')))
        text = apr_pstrcat(pool, apr_pstrmemdup(pool, text,
                                                (apr_size_t)(at - text)),
                           service, at + 1, NULL);
    sql.label = label;
    for (i = 0; i < SVC_DB_ENGINES; i++)
        sql.text[i] = text;
    return sql;
}

int svc_db_sql_count(const char *text)
{
    int count = 0;

    for (; (text = strchr(text, '%')); text++) {
        if (text[1] == '%')
            text++;
        else
            count++;
    }
    return count;
}

svc_db_engine_t svc_db_sql_engine(const char *driver)
{
    static const char *const names[] = { "sqlite3", "pgsql", "mysql" };
    svc_db_engine_t engine = SVC_DB_SQLITE;

    while (engine < SVC_DB_ENGINES && strcmp(driver, names[engine]) != 0)
        engine++;
    return engine;
}
