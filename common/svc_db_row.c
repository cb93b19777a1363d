/* svc_db_row: see the header. */
#include "svc_db_row.h"

#include <apr_strings.h>
#include <apr_dbd.h>

const char *svc_db_row_text(const svc_db_row_t *row, int column)
{
    char *text = NULL;

    if (apr_dbd_datum_get(row->driver, row->row, column, APR_DBD_TYPE_STRING,
                          &text) != APR_SUCCESS)
        return NULL;
    /* The other drivers free a row's text when they read on. */
    return row->engine == SVC_DB_SQLITE ? text : apr_pstrdup(row->pool, text);
}

apr_int64_t svc_db_row_int(const svc_db_row_t *row, int column)
{
    const char *text = svc_db_row_text(row, column);

    return text ? apr_atoi64(text) : 0;
}

svc_err_t *svc_db_row_take_int(void *baton, const svc_db_row_t *row)
{
    *(apr_int64_t *)baton = svc_db_row_int(row, 0);
    return NULL;
}
