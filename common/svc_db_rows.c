/* svc_db_rows: see the header. */
#include "svc_db_rows.h"

#include <string.h>

#include <apr_strings.h>

svc_db_rows_t svc_db_rows(const char *label, const char *service,
                          const char *head, const char *row, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(pool, head, row, NULL);
    svc_db_rows_t rows;
    int size, i;

    for (size = 0; size < SVC_DB_ROWS_SIZES; size++) {
        rows.sql[size] = svc_db_sql(label, service, text, pool);
        for (i = 0; i < 1 << size; i++) /* as many again */
            text = apr_pstrcat(pool, text, ", ", row, NULL);
    }
    return rows;
}

svc_err_t *svc_db_rows_insert(svc_db_t *db, const svc_db_rows_t *statements,
                              const apr_array_header_t *rows, int count,
                              apr_pool_t *pool)
{
    int top = svc_db_engine(db) == SVC_DB_SQLITE ? 0 : SVC_DB_ROWS_SIZES - 1;
    const char **args = apr_palloc(pool, ((apr_size_t)count << top) *
                                             sizeof(*args));
    int size = top, done, i;
    svc_err_t *err = NULL;

    for (done = 0; done < rows->nelts && !err; done += 1 << size) {
        while (1 << size > rows->nelts - done)
            size--;
        for (i = 0; i < 1 << size; i++)
            memcpy(args + i * count,
                   APR_ARRAY_IDX(rows, done + i, const char *const *),
                   (apr_size_t)count * sizeof(*args));
        err = svc_db_run(NULL, db, &statements->sql[size], args, pool);
    }
    return err;
}
