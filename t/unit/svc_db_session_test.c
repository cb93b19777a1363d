/* svc_db_session: what is said to a session, and what its first answer means.
 */
#include "fixture.h"

#include "svc_db_session.h"

/* What PostgreSQL would answer, answered by whatever is here. */
static void meeting(void)
{
    static const struct {
        svc_db_sql_t answer;
        int is_pooled, is_refused;
        const char *what;
    } table[] = {
        { { "own", SVC_DB_SAME("SELECT 0, 'UTF8'") }, 0, 0,
          "who was connected to" },
        { { "pooler", SVC_DB_SAME("SELECT 4711, 'UTF8'") }, 1, 0,
          "another process: a pooler" },
        { { "latin", SVC_DB_SAME("SELECT 0, 'LATIN1'") }, 0, 1, "LATIN1" },
        { { "ascii", SVC_DB_SAME("SELECT 0, 'SQL_ASCII'") }, 0, 1,
          "SQL_ASCII, which is any bytes" },
        { { "none", SVC_DB_SAME("SELECT 0, NULL") }, 0, 1, "no encoding" }
    };
    svc_db_t *db = fixture_open("meeting.db");
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        /* Without a PGconn the process that was connected to is 0. */
        svc_db_session_meeting_t meeting = { NULL, -1, fixture.pool };
        svc_err_t *err = svc_db_each(db, &table[i].answer, NULL,
                                     svc_db_session_meet, &meeting,
                                     fixture.pool);

        ok(meeting.is_pooled == table[i].is_pooled &&
               (err && err->kind == SVC_ERR_UNAVAILABLE) ==
                   table[i].is_refused,
           "met: %s", table[i].what);
    }
    svc_db_close(db);
}

static void saying(void)
{
    const char *begins = svc_db_session_begin(SVC_DB_PGSQL, 1, 7,
                                              fixture.pool);
    const char *const *setup = svc_db_session_setup(SVC_DB_PGSQL, 1);

    is_str(svc_db_session_begin(SVC_DB_PGSQL, 0, 7, fixture.pool), "BEGIN",
           "a session of one's own has its settings already");
    ok(strstr(begins, "SET LOCAL lock_timeout") &&
           strstr(begins, "SET LOCAL statement_timeout = '7s'"),
       "a pooler's is told them in each transaction, for this one");
    ok(!strstr(setup[0], "timeout") && !setup[1], "... and not for ever");
    is_str(svc_db_session_begin(SVC_DB_SQLITE, 0, 7, fixture.pool),
           "BEGIN IMMEDIATE", "SQLite takes the write lock at once");
    is_str(svc_db_session_limit(SVC_DB_PGSQL, 0, 0, fixture.pool),
           "SET statement_timeout = '0s'", "no limit is 0");
}

int main(void)
{
    fixture_begin();
    meeting();
    saying();
    return fixture_end();
}
