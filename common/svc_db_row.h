/* svc_db_row: a row of a result, while svc_db walks over it. What it hands out
 * lives in the row's pool, which is that of svc_db_each.
 */
#ifndef SVC_DB_ROW_H
#define SVC_DB_ROW_H

#include "svc_db_sql.h"
#include "svc_err.h"

struct apr_dbd_driver_t;
struct apr_dbd_row_t;

typedef struct svc_db_row_t {
    const struct apr_dbd_driver_t *driver;
    svc_db_engine_t engine;
    struct apr_dbd_row_t *row;
    apr_pool_t *pool;
} svc_db_row_t;

/* A column of the current row, counted from 0. Text is NULL for SQL's NULL; an
 * integer is 0 for NULL. */
const char *svc_db_row_text(const svc_db_row_t *row, int column);
apr_int64_t svc_db_row_int(const svc_db_row_t *row, int column);

/* A svc_db_row_fn: keeps the first column, in the apr_int64_t that BATON is. */
svc_err_t *svc_db_row_take_int(void *baton, const svc_db_row_t *row);

#endif
