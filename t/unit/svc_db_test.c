/* svc_db: what is written is read back as it was, failures are told apart, and a
 * failure or, on SQLite, a changed schema leaves the connection usable.
 */
#include "fixture.h"

static int waiting_is_over;

typedef struct seen_t {
    int calls;
    const char *text;
    apr_int64_t number;
    svc_err_t *err; /* what the row function answers */
} seen_t;

static svc_err_t *see(void *baton, const svc_db_row_t *row)
{
    seen_t *seen = baton;

    seen->calls++;
    seen->text = svc_db_row_text(row, 0);
    seen->number = svc_db_row_int(row, 1);
    return seen->err;
}

static const svc_db_sql_t insert = {
    "insert", SVC_DB_SAME("INSERT INTO a (id, t, n) VALUES (%s, %s, %lld)")
};
static const svc_db_sql_t get = {
    "get", SVC_DB_SAME("SELECT t, n FROM a WHERE id = %s")
};
static const svc_db_sql_t all = {
    "all", SVC_DB_SAME("SELECT t, n FROM a ORDER BY id")
};
static const svc_db_sql_t percent = {
    "percent", SVC_DB_SAME("SELECT t, n FROM a WHERE id LIKE 'e%%' AND n = %lld")
};

static svc_db_t *start(const char *file)
{
    svc_db_t *db = fixture_open(file);

    fixture_do(db, "CREATE TABLE a (id VARCHAR(9) NOT NULL PRIMARY KEY, "
                   "t VARCHAR(255), n BIGINT)");
    if (svc_db_engine(db) == SVC_DB_MYSQL) /* as svc_schema does */
        fixture_do(db, "ALTER TABLE a CONVERT TO CHARACTER SET utf8mb4");
    return db;
}

static svc_err_t *put(svc_db_t *db, const char *id, const char *text,
                      const char *number)
{
    const char *args[] = { id, text, number };

    return svc_db_run(NULL, db, &insert, args, fixture.pool);
}

static seen_t look(svc_db_t *db, const char *id)
{
    const char *args[] = { id };
    seen_t seen = { 0, "unset", -7, NULL };

    must(svc_db_each(db, &get, args, see, &seen, fixture.pool));
    return seen;
}

static void values(void)
{
    static const char *const evil = "'; DROP TABLE a; -- %s %lld \\ \" `";
    svc_db_t *db = start("values.db");
    const char *args[] = { "7" };
    seen_t seen = { 0, NULL, 0, NULL };

    must(put(db, "null", NULL, NULL));
    must(put(db, "empty", "", "7"));
    must(put(db, "evil", evil, "-1"));
    must(put(db, "utf8", "caf\xc3\xa9 \xf0\x9f\x8e\xad",
             svc_db_arg(APR_INT64_MAX, fixture.pool)));
    must(put(db, "low", "x", svc_db_arg(APR_INT64_MIN, fixture.pool)));
    must(put(db, "digits", "007", "9007199254740993"));
    ok(!look(db, "null").text, "NULL is read as NULL");
    is_int(look(db, "null").number, 0, "an integer of NULL is 0");
    is_str(look(db, "empty").text, "", "\"\" is read as \"\", not as NULL");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM a WHERE t IS NULL"), 1,
           "only NULL was written as NULL");
    is_str(look(db, "evil").text, evil, "a text is a text, whatever is in it");
    is_str(look(db, "utf8").text, "caf\xc3\xa9 \xf0\x9f\x8e\xad",
           "UTF-8 comes back");
    is_int(look(db, "utf8").number, APR_INT64_MAX, "so does 2^63-1");
    is_int(look(db, "low").number, APR_INT64_MIN, "... and -2^63");
    is_str(look(db, "digits").text, "007", "digits in a text stay a text");
    is_int(look(db, "digits").number, APR_INT64_C(9007199254740993),
           "integers beyond 2^53 are exact");
    if (fixture_is_file())
        is_str(fixture_text(db, "SELECT DISTINCT typeof(n) FROM a WHERE n IS "
                                "NOT NULL"), "integer",
               "integers are stored as such");
    is_int(look(db, "none").calls, 0, "no row, no call");
    must(svc_db_each(db, &percent, args, see, &seen, fixture.pool));
    ok(seen.calls == 1 && seen.number == 7,
       "a percent sign that is written twice is one, and no parameter");
    svc_db_close(db);
}

static void rows(void)
{
    svc_db_t *db = start("rows.db");
    const char *args[] = { "b" };
    apr_int64_t number = -3;
    seen_t seen = { 0, NULL, 0, NULL };
    svc_err_t *err;
    int changed = -1;

    must(put(db, "a", "one", "1"));
    must(put(db, "b", "two", "2"));
    must(put(db, "c", "three", "3"));
    must(svc_db_each(db, &all, NULL, see, &seen, fixture.pool));
    ok(seen.calls == 3 && seen.number == 3, "each row is seen once, in order");
    seen.calls = 0;
    seen.err = svc_err_make(fixture.pool, SVC_ERR_CONFLICT, "enough");
    err = svc_db_each(db, &all, NULL, see, &seen, fixture.pool);
    ok(err == seen.err && seen.calls == 1,
       "an error about the request ends the walk and is returned");
    seen.calls = 0;
    seen.err = svc_err_make(fixture.pool, SVC_ERR_INTERNAL, "enough");
    err = svc_db_each(db, &all, NULL, see, &seen, fixture.pool);
    ok(err == seen.err, "so is one of ours");
    is_int(seen.calls, 1, "... without walking a second time");
    succeeds(put(db, "d", "four", "4"), "the connection is free afterwards");
    must(svc_db_get(&number, db, fixture_sql("SELECT n FROM a WHERE id = %s"),
                    args, fixture.pool));
    is_int(number, 2, "a single integer is read");
    args[0] = "none";
    must(svc_db_get(&number, db, fixture_sql("SELECT n FROM a WHERE id = %s"),
                    args, fixture.pool));
    is_int(number, 2, "... and left as it was when there is no row");
    must(svc_db_run(&changed, db,
                    fixture_sql("UPDATE a SET n = 0 WHERE id < %s"), args,
                    fixture.pool));
    is_int(changed, 4, "the number of changed rows is told");
    args[0] = "";
    must(svc_db_run(&changed, db,
                    fixture_sql("UPDATE a SET n = 0 WHERE id = %s"), args,
                    fixture.pool));
    is_int(changed, 0, "... also when it is none");
    svc_db_close(db);
}

/* Gives the write lock of *HELD back when it has been held for too long. */
static void *let_go(void *held)
{
    svc_db_t **db = held;
    apr_pool_t *pool;

    apr_pool_create(&pool, NULL);
    wait_until(__atomic_load_n(&waiting_is_over, __ATOMIC_ACQUIRE), 6000);
    svc_db_rollback(*db, pool);
    apr_pool_destroy(pool);
    return NULL;
}

static void busy(void)
{
    svc_db_t *db = start("busy.db"), *other = fixture_open("busy.db");
    pthread_t thread;
    svc_err_t *err;

    must(svc_db_begin(db, fixture.pool));
    pthread_create(&thread, NULL, let_go, &db);
    err = svc_db_begin(other, fixture.pool);
    __atomic_store_n(&waiting_is_over, 1, __ATOMIC_RELEASE);
    fails(err, SVC_ERR_RETRY,
          "a second writer is told to try again within 6 s");
    pthread_join(thread, NULL);
    svc_db_rollback(other, fixture.pool);
    svc_db_close(other);
    svc_db_close(db);
}

static void transactions(void)
{
    svc_db_t *db = start("tx.db"), *other = fixture_open("tx.db");

    must(svc_db_begin(db, fixture.pool));
    must(put(db, "a", "x", "1"));
    is_int(fixture_int(other, "SELECT COUNT(*) FROM a"), 0,
           "a reader does not wait for a writer and sees what was committed");
    svc_db_rollback(db, fixture.pool);
    is_int(fixture_int(db, "SELECT COUNT(*) FROM a"), 0,
           "a rollback undoes everything");
    must(svc_db_begin(db, fixture.pool));
    must(put(db, "a", "x", "1"));
    succeeds(svc_db_commit(db, fixture.pool), "a commit succeeds");
    is_int(fixture_int(other, "SELECT COUNT(*) FROM a"), 1,
           "... and others see it");
    succeeds(svc_db_begin(other, fixture.pool),
             "the other one may write afterwards");
    succeeds(svc_db_commit(other, fixture.pool), "... and commit");
    svc_db_close(other);
    svc_db_close(db);
}

static void of_a_file(void)
{
    svc_db_t *db = fixture_open("file.db");

    fails(svc_db_commit(db, fixture.pool), SVC_ERR_INTERNAL,
          "a commit without a transaction is an error, not a success");
    svc_db_rollback(db, fixture.pool);
    is_str(fixture_text(db, "PRAGMA journal_mode"), "wal",
           "the file is in WAL mode");
    is_int(fixture_int(db, "PRAGMA synchronous"), 2,
           "commits are synchronous (FULL)");
    is_int(fixture_int(db, "PRAGMA wal_autocheckpoint"), 0,
           "commits do not checkpoint by themselves");
    svc_db_close(db);
}

static void failures(void)
{
    svc_db_t *db = start("fail.db"), *bad = NULL;
    svc_err_t *err;

    must(put(db, "a", "x", "1"));
    err = put(db, "a", "x", "1");
    fails(err, SVC_ERR_INTERNAL, "a duplicate key is INTERNAL");
    ok(err && err->detail && strstr(err->detail, "insert") &&
           !strstr(err->message, "insert") && !strstr(err->message, "UNIQUE"),
       "the log gets the statement's name, the client none of it");
    succeeds(put(db, "b", "x", "1"), "the next statement works");
    fixture_do(db, "INSERT INTO a (id) VALUES ('b') ON CONFLICT DO NOTHING");
    ok(1, "... but for one that may be there, on every engine");
    fails(svc_db_run(NULL, db, fixture_sql("INSERT INTO none VALUES (1)"),
                     NULL, fixture.pool), SVC_ERR_UNAVAILABLE,
          "a table that is not there is UNAVAILABLE");
    fails(svc_db_run(NULL, db, fixture_sql("INSRT INTO a"), NULL,
                     fixture.pool), SVC_ERR_INTERNAL,
          "a statement that cannot be read is INTERNAL");
    fails(put(db, NULL, "x", "1"), SVC_ERR_INTERNAL,
          "NULL where it is not allowed is INTERNAL");
    must(svc_db_begin(db, fixture.pool));
    must(put(db, "c", "x", "1"));
    fails(put(db, "c", "x", "1"), SVC_ERR_INTERNAL,
          "a duplicate key inside a transaction is INTERNAL, too");
    svc_db_rollback(db, fixture.pool);
    is_int(fixture_int(db, "SELECT COUNT(*) FROM a"), 2,
           "... and a rollback undoes what was before it");
    fails(svc_db_open(&bad, "sqlite3", fixture_path("no/folder.db"),
                      fixture.pool, fixture.pool), SVC_ERR_UNAVAILABLE,
          "a file that cannot be opened is UNAVAILABLE");
    fails(svc_db_open(&bad, "nosuch", "x", fixture.pool, fixture.pool),
          SVC_ERR_UNAVAILABLE, "a driver that is not there is UNAVAILABLE");
    ok(!bad, "nothing is handed back then");
    svc_db_close(db);
}

static void changed_schema(void)
{
    svc_db_t *db = start("schema.db"), *other = fixture_open("schema.db");
    const char *args[] = { "a" };
    seen_t seen = { 0, NULL, 0, NULL };
    apr_time_t began;

    must(put(db, "a", "x", "1"));
    ok(look(db, "a").calls == 1, "both statements are prepared");
    fixture_do(other, "ALTER TABLE a ADD COLUMN more BIGINT");
    began = apr_time_now();
    succeeds(put(db, "b", "y", "2"),
             "a write after another connection changed the schema works");
    is_str(look(db, "b").text, "y", "... and a read");
    ok(apr_time_now() - began < 500000, "... at once, without waiting");
    must(put(db, "c1", "y", "2"));
    fixture_do(other, "ALTER TABLE a ADD COLUMN still_more BIGINT");
    must(svc_db_begin(db, fixture.pool));
    fails(put(db, "c2", "y", "2"), SVC_ERR_RETRY,
          "inside a transaction a changed schema means: run it again");
    svc_db_rollback(db, fixture.pool);
    fixture_do(db, "ALTER TABLE a ADD COLUMN of_my_own BIGINT");
    must(put(db, "c3", "y", "2"));
    fixture_do(db, "ALTER TABLE a ADD COLUMN another BIGINT");
    must(svc_db_begin(db, fixture.pool));
    fixture_do(db, "UPDATE a SET n = 1 WHERE id = 'none'");
    fails(put(db, "c4", "y", "2"), SVC_ERR_RETRY,
          "... also when another statement went well in between");
    svc_db_rollback(db, fixture.pool);
    must(put(db, "c5", "y", "2"));
    ok(look(db, "a").calls == 1, "afterwards both work again");
    fixture_do(other, "ALTER TABLE a ADD COLUMN last BIGINT");
    must(svc_db_begin(db, fixture.pool));
    fails(svc_db_each(db, &get, args, see, &seen, fixture.pool), SVC_ERR_RETRY,
          "a read inside a transaction is told the same");
    svc_db_rollback(db, fixture.pool);
    ok(look(db, "a").calls == 1, "... and works afterwards");
    fixture_do(db, "ALTER TABLE a ADD COLUMN very_last BIGINT");
    must(svc_db_begin(db, fixture.pool));
    fixture_do(db, "UPDATE a SET n = 1 WHERE id = 'none'");
    fails(svc_db_each(db, &get, args, see, &seen, fixture.pool), SVC_ERR_RETRY,
          "... also when another statement went well in between");
    svc_db_rollback(db, fixture.pool);
    must(put(db, "c6", "y", "2"));
    fixture_do(other, "DROP TABLE a");
    fails(put(db, "c", "z", "3"), SVC_ERR_UNAVAILABLE,
          "a table that was dropped is UNAVAILABLE");
    fixture_do(other, "CREATE TABLE a (id VARCHAR(9), t VARCHAR(9), n BIGINT)");
    succeeds(put(db, "d", "z", "3"), "once it is back, the statement works");
    is_str(look(db, "d").text, "z", "... and the read as well");
    svc_db_close(other);
    svc_db_close(db);
}

static void the_rest(void)
{
    svc_db_t *db = start("rest.db");
    apr_int64_t now = 0, before = apr_time_now() / 1000;
    svc_db_sql_t sql = svc_db_sql("x", "tickets", "SELECT # FROM #_log",
                                  fixture.pool);

    must(svc_db_now(&now, db, fixture.pool));
    ok(now >= before - 1 && now <= apr_time_now() / 1000 + 1,
       "the database's clock is in milliseconds since 1970");
    is_str(sql.text[SVC_DB_PGSQL], "SELECT tickets FROM tickets_log",
           "each # becomes the service's name, for every engine");
    is_int(svc_db_sql_engine("sqlite3"), SVC_DB_SQLITE, "sqlite3 is known");
    is_int(svc_db_sql_engine("pgsql"), SVC_DB_PGSQL, "pgsql is known");
    is_int(svc_db_sql_engine("mysql"), SVC_DB_MYSQL, "mysql is known");
    is_int(svc_db_sql_engine("odbc"), SVC_DB_ENGINES, "others are not");
    is_int(svc_db_engine(db), svc_db_sql_engine(fixture.driver), "a connection knows its engine");
    must(put(db, "a", "x", "1"));
    svc_db_checkpoint(db);
    succeeds(put(db, "b", "x", "1"), "one can write after a checkpoint");
    svc_db_close(db);
    if (fixture_is_file())
        ok(access(fixture_path("rest.db-wal"), F_OK) != 0,
           "the last close leaves no write-ahead log");
}

int main(void)
{
    fixture_begin();
    values();
    rows();
    transactions();
    failures();
    if (fixture_is_file()) {
        of_a_file();
        busy();
        changed_schema();
    }
    the_rest();
    return fixture_end();
}
