/* svc_db_rows: an INSERT of many rows. To a server each statement is a round
 * trip, so there it goes in as few as can be: of 64, 32, 16, ... rows. SQLite
 * has no round trips, and gets row by row.
 */
#ifndef SVC_DB_ROWS_H
#define SVC_DB_ROWS_H

#include <apr_tables.h>

#include "svc_db.h"

#define SVC_DB_ROWS_SIZES 7 /* 1, 2, 4, ... rows */

/* One statement for each number of rows. Like svc_db_sql_t it must outlive every
 * connection that it is used on. */
typedef struct svc_db_rows_t {
    svc_db_sql_t sql[SVC_DB_ROWS_SIZES];
} svc_db_rows_t;

/* HEAD is "INSERT INTO table (columns) VALUES ", ROW "(%s, %lld, ...)". */
#define SVC_DB_ROWS(label, head, row) \
    { { { label, SVC_DB_SAME(head row) }, \
        { label, SVC_DB_SAME(head SVC_DB_ROWS_2(row)) }, \
        { label, SVC_DB_SAME(head SVC_DB_ROWS_4(row)) }, \
        { label, SVC_DB_SAME(head SVC_DB_ROWS_8(row)) }, \
        { label, SVC_DB_SAME(head SVC_DB_ROWS_16(row)) }, \
        { label, SVC_DB_SAME(head SVC_DB_ROWS_32(row)) }, \
        { label, SVC_DB_SAME(head SVC_DB_ROWS_64(row)) } } }
#define SVC_DB_ROWS_2(row) row ", " row
#define SVC_DB_ROWS_4(row) SVC_DB_ROWS_2(row) ", " SVC_DB_ROWS_2(row)
#define SVC_DB_ROWS_8(row) SVC_DB_ROWS_4(row) ", " SVC_DB_ROWS_4(row)
#define SVC_DB_ROWS_16(row) SVC_DB_ROWS_8(row) ", " SVC_DB_ROWS_8(row)
#define SVC_DB_ROWS_32(row) SVC_DB_ROWS_16(row) ", " SVC_DB_ROWS_16(row)
#define SVC_DB_ROWS_64(row) SVC_DB_ROWS_32(row) ", " SVC_DB_ROWS_32(row)

/* The same for the tables of one service: see svc_db_sql. */
svc_db_rows_t svc_db_rows(const char *label, const char *service,
                          const char *head, const char *row, apr_pool_t *pool);

/* Inserts ROWS (const char *const *: the arguments of each, COUNT of them), in
 * their order. */
svc_err_t *svc_db_rows_insert(svc_db_t *db, const svc_db_rows_t *statements,
                              const apr_array_header_t *rows, int count,
                              apr_pool_t *pool);

#endif
