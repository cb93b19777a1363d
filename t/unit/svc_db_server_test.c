/* svc_db on a server: sessions that are lost, prepared statements that are gone,
 * locks, deadlocks and transactions that are left open; what each means to those
 * who come after.
 * Of servers only.
 */
#include "fixture.h"

static const svc_db_sql_t set = {
    "set", SVC_DB_SAME("UPDATE a SET n = %lld WHERE id = %s")
};
static const svc_db_sql_t get = {
    "get", SVC_DB_SAME("SELECT n FROM a WHERE id = %s")
};
static const svc_db_sql_t insert = {
    "insert", SVC_DB_SAME("INSERT INTO a (id, n) VALUES (%s, 0)")
};

static int is_pgsql;

static svc_err_t *put(svc_db_t *db, const char *id, const char *n)
{
    const char *args[] = { n, id };

    return svc_db_run(NULL, db, &set, args, fixture.pool);
}

static apr_int64_t look(svc_db_t *db, const char *id)
{
    const char *args[] = { id };
    apr_int64_t n = -1;

    must(svc_db_get(&n, db, &get, args, fixture.pool));
    return n;
}

/* A table of three rows, all 0. */
static void start(void)
{
    svc_db_t *db = fixture_open("x");

    fixture_do(db, "CREATE TABLE a (id VARCHAR(9) NOT NULL PRIMARY KEY, "
                   "n BIGINT)");
    fixture_do(db, "INSERT INTO a (id, n) VALUES ('1', 0), ('2', 0), ('3', 0)");
    svc_db_close(db);
}

static apr_int64_t session(svc_db_t *db)
{
    return fixture_int(db, is_pgsql ? "SELECT pg_backend_pid()"
                                    : "SELECT CONNECTION_ID()");
}

/* Ends the session of DB, as an operator would; returns when it is gone. */
static void end_session(svc_db_t *db)
{
    const char *id = svc_db_arg(session(db), fixture.pool);
    svc_db_t *other = fixture_open("x");

    if (is_pgsql)
        fixture_int(other, apr_psprintf(fixture.pool,
                    "SELECT COUNT(pg_terminate_backend(%s))", id));
    else
        fixture_do(other, apr_psprintf(fixture.pool, "KILL CONNECTION %s", id));
    ok(wait_until(fixture_int(other, apr_psprintf(fixture.pool, is_pgsql
                      ? "SELECT COUNT(*) FROM pg_stat_activity WHERE pid = %s"
                      : "SELECT COUNT(*) FROM information_schema.processlist "
                        "WHERE id = %s", id)) == 0, 5000),
       "a session is ended");
    svc_db_close(other);
}

static void lost_outside(void)
{
    svc_db_t *db = fixture_open("x");
    svc_err_t *err;

    must(put(db, "1", "1"));
    is_int(look(db, "1"), 1, "both statements are prepared");
    end_session(db);
    err = put(db, "1", "2");
    if (is_pgsql) { /* libpq makes a new one of it */
        succeeds(err, "the next statement has another, and prepares again");
        is_int(look(db, "1"), 2, "... so does the one after it");
        is_str(fixture_text(db, "SELECT current_setting('lock_timeout')"),
               "4s",
               "... which has our settings");
    } else
        fails(err, SVC_ERR_RETRY, "the next statement says so, and is to be "
                                  "tried on another connection");
    svc_db_close(db);
}

static void lost_inside(void)
{
    svc_db_t *db = fixture_open("x"), *other = fixture_open("x");

    must(put(db, "2", "0"));
    must(svc_db_begin(db, fixture.pool));
    must(put(db, "2", "1"));
    end_session(db);
    fails(put(db, "2", "2"), SVC_ERR_RETRY,
          "lost in a transaction: all of it is to be run again");
    ok(put(db, "3", "7") != NULL, "... what comes after it is not done either");
    ok(svc_db_commit(db, fixture.pool) != NULL, "... nor committed");
    is_int(look(other, "2") + look(other, "3"), 0, "nothing of it is there");
    succeeds(put(other, "2", "3"), "and nothing is locked");
    svc_db_close(db);
    svc_db_close(other);
}

static void forgotten(void)
{
    svc_db_t *db = fixture_open("x");

    must(put(db, "1", "3"));
    is_int(look(db, "1"), 3, "both statements are prepared");
    if (is_pgsql) {
        fixture_do(db, "DEALLOCATE ALL");
        succeeds(put(db, "1", "4"), "a statement that the session forgot is "
                                    "prepared again");
        is_int(look(db, "1"), 4, "... each of them");
        fixture_do(db, "DEALLOCATE ALL");
        must(svc_db_begin(db, fixture.pool));
        fails(put(db, "1", "5"), SVC_ERR_RETRY,
              "inside a transaction that means: run it again");
        svc_db_rollback(db, fixture.pool);
        is_int(look(db, "1"), 4, "... afterwards it works");
    }
    svc_db_close(db);
}

/* A change by another thread. */
typedef struct change_t {
    svc_db_t *db;
    const char *id;
    apr_pool_t *pool;
    svc_err_t *err;
} change_t;

static void *make(void *baton)
{
    change_t *change = baton;
    const char *args[] = { "9", change->id };

    change->err = svc_db_run(NULL, change->db, &set, args, change->pool);
    return NULL;
}

static void deadlock(void)
{
    svc_db_t *db = fixture_open("x"), *other = fixture_open("x");
    change_t change = { other, "1", NULL, NULL };
    pthread_t thread;
    svc_err_t *err;

    apr_pool_create(&change.pool, NULL);
    must(svc_db_begin(db, fixture.pool));
    must(put(db, "1", "8"));
    must(svc_db_begin(other, fixture.pool));
    must(put(other, "2", "9"));
    pthread_create(&thread, NULL, make, &change);
    err = put(db, "2", "8");
    if (err)
        svc_db_rollback(db, fixture.pool);
    pthread_join(thread, NULL);
    ok(!err != !change.err, "of two who wait for one another one is told");
    fails(err ? err : change.err, SVC_ERR_RETRY, "... to run it all again");
    svc_db_rollback(db, fixture.pool);
    svc_db_rollback(other, fixture.pool);
    succeeds(put(db, "1", "0"), "both can go on");
    succeeds(put(other, "2", "0"), "... on their connections");
    svc_db_close(db);
    svc_db_close(other);
    apr_pool_destroy(change.pool);
}

static void locks(void)
{
    svc_db_t *db = fixture_open("x"), *other = fixture_open("x");

    must(svc_db_begin(db, fixture.pool));
    must(put(db, "1", "8"));
    must(svc_db_begin(other, fixture.pool));
    fixture_do(other, is_pgsql ? "SET LOCAL lock_timeout = '200ms'"
                               : "SET SESSION innodb_lock_wait_timeout = 1");
    fails(put(other, "1", "9"), SVC_ERR_RETRY,
          "who waits too long for a lock may try again");
    svc_db_rollback(other, fixture.pool);
    must(svc_db_commit(db, fixture.pool));
    succeeds(put(other, "1", "9"), "... and succeeds when it is free");
    if (is_pgsql) {
        must(svc_db_begin(db, fixture.pool));
        fixture_do(db, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ");
        look(db, "1");
        must(put(other, "1", "10"));
        fails(svc_db_text(db, "UPDATE a SET n = 11 WHERE id = '1'",
                          fixture.pool), SVC_ERR_RETRY,
              "who lost against another at the same time may try again");
        svc_db_rollback(db, fixture.pool);
    }
    svc_db_close(db);
    svc_db_close(other);
}

static void left_open(void)
{
    svc_db_t *db = fixture_open("x"), *other = fixture_open("x");
    const char *args[] = { "new" };
    svc_err_t *err;

    must(put(other, "3", "0"));
    must(svc_db_begin(db, fixture.pool));
    must(put(db, "3", "1"));
    svc_db_close(db);
    ok(wait_until(!(err = put(other, "3", "2")), 3000),
       "a connection that is closed in a transaction leaves no lock");
    db = fixture_open("x");
    is_int(look(db, "3"), 2, "... nor what it had written");
    must(svc_db_begin(db, fixture.pool));
    must(svc_db_run(NULL, db, &insert, args, fixture.pool));
    fails(svc_db_run(NULL, db, &insert, args, fixture.pool), SVC_ERR_INTERNAL,
          "a duplicate key is no matter of trying again");
    svc_db_rollback(db, fixture.pool);
    is_int(fixture_int(db, "SELECT COUNT(*) FROM a WHERE id = 'new'"), 0,
           "after it is rolled back nothing of it is there");
    succeeds(put(db, "3", "4"), "and the next user of the connection");
    is_int(look(other, "3"), 4, "... has his change committed at once");
    svc_db_close(db);
    svc_db_close(other);
}

int main(void)
{
    if (fixture_lacks_server())
        return 0;
    fixture_begin();
    is_pgsql = strcmp(fixture.driver, "pgsql") == 0;
    start();
    lost_outside();
    lost_inside();
    forgotten();
    deadlock();
    locks();
    left_open();
    return fixture_end();
}
