/* svc_db_class: what each engine's failures mean: run it again, wait, or ours.
 */
#include "tap.h"

#include "svc_db_class.h"

static const char *name(svc_err_kind_t kind)
{
    return kind == SVC_ERR_RETRY         ? "is tried again"
           : kind == SVC_ERR_UNAVAILABLE ? "means that the database is away"
                                         : "is a fault of ours";
}

static void check(svc_db_engine_t engine, const char *what, int code,
                  const char *text, svc_err_kind_t kind)
{
    is_int(svc_db_class(engine, code, text), kind, "%s %d %s: %s",
           engine == SVC_DB_SQLITE ? "SQLite"
           : engine == SVC_DB_PGSQL ? "PostgreSQL" : "MariaDB",
           code, what, name(kind));
}

static void sqlite(void)
{
    check(SVC_DB_SQLITE, "BUSY", 5, "database is locked", SVC_ERR_RETRY);
    check(SVC_DB_SQLITE, "LOCKED", 6, "database table is locked", SVC_ERR_RETRY);
    check(SVC_DB_SQLITE, "PROTOCOL", 15, "locking protocol", SVC_ERR_RETRY);
    check(SVC_DB_SQLITE, "SCHEMA", 17, "database schema has changed",
          SVC_ERR_RETRY);
    check(SVC_DB_SQLITE, "schema changed", 1, "database schema has changed",
          SVC_ERR_RETRY);
    check(SVC_DB_SQLITE, "no table", 1, "no such table: tickets",
          SVC_ERR_UNAVAILABLE);
    check(SVC_DB_SQLITE, "bad SQL", 1, "near \"x\": syntax error",
          SVC_ERR_INTERNAL);
    check(SVC_DB_SQLITE, "no text", 1, NULL, SVC_ERR_INTERNAL);
    check(SVC_DB_SQLITE, "PERM", 3, "access permission denied",
          SVC_ERR_UNAVAILABLE);
    check(SVC_DB_SQLITE, "READONLY", 8, "attempt to write a readonly database",
          SVC_ERR_UNAVAILABLE);
    check(SVC_DB_SQLITE, "IOERR", 10, "disk I/O error", SVC_ERR_UNAVAILABLE);
    check(SVC_DB_SQLITE, "FULL", 13, "database or disk is full",
          SVC_ERR_UNAVAILABLE);
    check(SVC_DB_SQLITE, "CANTOPEN", 14, "unable to open database file",
          SVC_ERR_UNAVAILABLE);
    check(SVC_DB_SQLITE, "CONSTRAINT", 19, "UNIQUE constraint failed: a.b",
          SVC_ERR_INTERNAL);
    check(SVC_DB_SQLITE, "MISUSE", 21, "bad parameter or other API misuse",
          SVC_ERR_INTERNAL);
}

static void pgsql(void)
{
    static const struct {
        const char *text;
        svc_err_kind_t kind;
        const char *what;
    } table[] = {
        { "ERROR:  40001\n", SVC_ERR_RETRY, "serialization failure" },
        { "ERROR:  40P01\n", SVC_ERR_RETRY, "deadlock" },
        { "ERROR:  55P03\n", SVC_ERR_RETRY, "lock not available" },
        { "FATAL:  57P01\n", SVC_ERR_RETRY, "admin shutdown" },
        { "FATAL:  57P02\n", SVC_ERR_RETRY, "crash shutdown" },
        { "FATAL:  57P03\n", SVC_ERR_RETRY, "cannot connect now" },
        { "ERROR:  08006\n", SVC_ERR_RETRY, "connection failure" },
        { "ERROR:  26000\n", SVC_ERR_RETRY, "statement forgotten" },
        { "server closed the connection unexpectedly", SVC_ERR_RETRY,
          "a lost connection" },
        { "ERROR:  53300\n", SVC_ERR_UNAVAILABLE, "too many connections" },
        { "ERROR:  53100\n", SVC_ERR_UNAVAILABLE, "disk full" },
        { "ERROR:  57014\n", SVC_ERR_UNAVAILABLE, "query cancelled" },
        { "ERROR:  25006\n", SVC_ERR_UNAVAILABLE, "read-only" },
        { "ERROR:  42P01\n", SVC_ERR_UNAVAILABLE, "no such table" },
        { "ERROR:  42501\n", SVC_ERR_UNAVAILABLE, "not permitted" },
        { "FATAL:  28P01\n", SVC_ERR_UNAVAILABLE, "bad password" },
        { "FATAL:  3D000\n", SVC_ERR_UNAVAILABLE, "no such database" },
        { "ERROR:  23505\n", SVC_ERR_INTERNAL, "unique violation" },
        { "ERROR:  22001\n", SVC_ERR_INTERNAL, "text too long" },
        { "ERROR:  42601\n", SVC_ERR_INTERNAL, "syntax error" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        check(SVC_DB_PGSQL, table[i].what, 7, table[i].text, table[i].kind);
    check(SVC_DB_PGSQL, "no text", 7, NULL, SVC_ERR_RETRY);
}

static void mysql(void)
{
    static const int retry[] = { 1180, 1205, 1213, 1927, 2006, 2013, 2030 };
    static const int away[] = { 1021, 1040, 1047, 1053, 1114, 1146, 1290,
                                2002, 2003 };
    static const int ours[] = { 1062, 1064, 1406, 1366 };
    size_t i;

    for (i = 0; i < sizeof(retry) / sizeof(retry[0]); i++)
        check(SVC_DB_MYSQL, "", retry[i], "x", SVC_ERR_RETRY);
    for (i = 0; i < sizeof(away) / sizeof(away[0]); i++)
        check(SVC_DB_MYSQL, "", away[i], NULL, SVC_ERR_UNAVAILABLE);
    for (i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        check(SVC_DB_MYSQL, "", ours[i], "x", SVC_ERR_INTERNAL);
}

/* Whoever reads "undone" does not look whether a COMMIT was carried out. */
static void conflicts(void)
{
    ok(svc_db_class_is_conflict(SVC_DB_MYSQL, 1213, NULL),
       "MariaDB: a deadlock, and a conflict of two nodes, undo the transaction");
    ok(!svc_db_class_is_conflict(SVC_DB_MYSQL, 1205, "x") &&
           !svc_db_class_is_conflict(SVC_DB_MYSQL, 2013, "x") &&
           !svc_db_class_is_conflict(SVC_DB_MYSQL, 1180, "x"),
       "... a wait that was too long, a lost connection and a COMMIT that failed "
       "leave it open");
    ok(svc_db_class_is_conflict(SVC_DB_PGSQL, 7, "ERROR:  40P01\n") &&
           svc_db_class_is_conflict(SVC_DB_PGSQL, 7, "ERROR:  40001\n"),
       "PostgreSQL: so do a deadlock and a serialization failure");
    ok(!svc_db_class_is_conflict(SVC_DB_PGSQL, 7, "ERROR:  40003\n") &&
           !svc_db_class_is_conflict(SVC_DB_PGSQL, 7, NULL),
       "... what is unknown stays unknown");
    ok(!svc_db_class_is_conflict(SVC_DB_SQLITE, 5, "database is locked"),
       "SQLite undoes nothing by itself");
}

int main(void)
{
    sqlite();
    pgsql();
    mysql();
    conflicts();
    return tap_end();
}
