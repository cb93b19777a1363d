/* svc_db_session: what is said to a session, and what its first answer means.
 */
#include "fixture.h"

#include "svc_db_session.h"

static void judging(void)
{
    static const struct {
        const char *answer;
        int is_pooled, is_refused;
        const char *what;
    } table[] = {
        { "0 UTF8", 0, 0, "who was connected to" },
        { "4711 UTF8", 1, 0, "another process: a pooler" },
        { "0 LATIN1", 0, 1, "LATIN1" },
        { "0 SQL_ASCII", 0, 1, "SQL_ASCII, which is any bytes" },
        { "", 0, 1, "no answer" }
    };
    svc_err_t *refusal;
    size_t i;
    int is_pooled;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        is_pooled = -1;
        /* Without a PGconn the process that was connected to is 0. */
        refusal = svc_db_session_judge(&is_pooled, NULL, table[i].answer,
                                       fixture.pool);
        ok(is_pooled == table[i].is_pooled &&
               (refusal != NULL) == table[i].is_refused,
           "judged: %s", table[i].what);
    }
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
    judging();
    saying();
    return fixture_end();
}
