/* svc_schema: tables are made once, upgraded step by step with their data, and
 * never downgraded; a step that fails leaves nothing behind.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "fixture.h"

#include "orders_schema.h"
#include "svc_schema_script.h"
#include "tickets_schema.h"

static const char *const step_1[] = {
    "CREATE TABLE x_a (id VARCHAR(9) NOT NULL PRIMARY KEY)", NULL
};
static const char *const step_2[] = {
    "ALTER TABLE x_a ADD COLUMN n BIGINT",
    "UPDATE x_a SET n = 7",
    "CREATE TABLE x_b (id VARCHAR(9) NOT NULL PRIMARY KEY)", NULL
};
static const char *const bad_step[] = {
    "CREATE TABLE x_b (id VARCHAR(9) NOT NULL PRIMARY KEY)",
    "CREATE TABLE x_a (id VARCHAR(9) NOT NULL PRIMARY KEY)", NULL
};
static const char *const *const steps[] = { step_1, step_2 };
static const char *const *const bad_steps[] = { step_1, bad_step };

#define READ { "x_version", \
               SVC_DB_SAME("SELECT version FROM x_schema WHERE id = 1") }
static const svc_schema_t one = { "x", 1, steps, READ };
static const svc_schema_t two = { "x", 2, steps, READ };
static const svc_schema_t broken = { "x", 2, bad_steps, READ };

#define COUNT "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'"
#define VERSION "SELECT version FROM x_schema"

/* A new connection, as each start of a process makes one. */
static svc_db_t *reopen(svc_db_t *db, const char *name)
{
    svc_db_close(db);
    return fixture_open(name);
}

static void migrations(void)
{
    svc_db_t *db = fixture_open("x.db");
    svc_err_t *err;

    succeeds(svc_schema_migrate(db, &one, fixture.pool),
             "an empty database gets its tables");
    is_int(fixture_int(db, VERSION), 1, "... and a version");
    fixture_do(db, "INSERT INTO x_a (id) VALUES ('kept')");
    db = reopen(db, "x.db");
    succeeds(svc_schema_migrate(db, &one, fixture.pool),
             "the same schema again changes nothing");
    is_int(fixture_int(db, COUNT), 2, "... no table more");
    is_str(fixture_text(db, "SELECT id FROM x_a"), "kept", "... no row less");
    db = reopen(db, "x.db");
    fails(svc_schema_migrate(db, &broken, fixture.pool), SVC_ERR_INTERNAL,
          "a step that fails is an error");
    is_int(fixture_int(db, VERSION), 1, "... the version stays");
    is_int(fixture_int(db, COUNT), 2, "... what the step had made is undone");
    db = reopen(db, "x.db");
    succeeds(svc_schema_migrate(db, &two, fixture.pool),
             "a newer schema upgrades an older database");
    is_int(fixture_int(db, VERSION), 2, "... to its version");
    is_int(fixture_int(db, "SELECT n FROM x_a WHERE id = 'kept'"), 7,
           "... with its data");
    is_int(fixture_int(db, COUNT), 3, "... and its new tables");
    db = reopen(db, "x.db");
    err = svc_schema_migrate(db, &one, fixture.pool);
    fails(err, SVC_ERR_UNAVAILABLE, "an older schema refuses a newer database");
    ok(err && err->detail && strstr(err->detail, "schema 2") &&
           strstr(err->detail, "1"),
       "... and a sentence for the log names both versions");
    is_int(fixture_int(db, VERSION), 2, "... and leaves it as it is");
    succeeds(svc_schema_migrate(db, &two, fixture.pool),
             "the connection is usable after a refusal");
    svc_db_close(db);
}

static apr_int64_t version_of(svc_db_t *db)
{
    apr_int64_t version = -1;

    must(svc_schema_version(&version, db, &two, fixture.pool));
    return version;
}

/* Looking at a version changes nothing, and says what is to be done. */
static void versions(void)
{
    svc_db_t *db = fixture_open("v.db");
    svc_err_t *err;

    is_int(version_of(db), 0, "an empty database has version 0");
    is_int(fixture_int(db, COUNT), 0, "... and stays empty");
    err = svc_schema_refusal(&two, 0, fixture.pool);
    fails(err, SVC_ERR_UNAVAILABLE, "it cannot serve");
    is_str(err ? err->detail : NULL,
           "the database has no tables of x, this module needs schema 2: "
           "upgrade it with svc-schema or the files of conf/schema",
           "... and what is to be done is said");
    must(svc_schema_migrate(db, &one, fixture.pool));
    is_int(version_of(db), 1, "an old one has the version of its tables");
    fails(svc_schema_refusal(&two, 1, fixture.pool), SVC_ERR_UNAVAILABLE,
          "... and cannot serve either");
    must(svc_schema_migrate(db, &two, fixture.pool));
    is_int(version_of(db), 2, "one of today has today's");
    succeeds(svc_schema_refusal(&two, 2, fixture.pool), "... and can serve");
    fails(svc_schema_refusal(&two, 3, fixture.pool), SVC_ERR_UNAVAILABLE,
          "a newer one cannot");
    svc_db_close(db);
}

/* The SQL for people is what the module itself would send. */
static void scripts(void)
{
    svc_db_t *db = fixture_open("s.db");
    const char *script = svc_schema_script(&two, SVC_DB_SQLITE, 0,
                                           fixture.pool);

    is_int(svc_schema_begin(&two, SVC_DB_PGSQL, 0, fixture.pool)->nelts, 1,
           "PostgreSQL takes a lock first");
    ok(strstr(script, "\nBEGIN IMMEDIATE;\n") &&
           strcmp(script + strlen(script) - 9, "\nCOMMIT;\n") == 0,
       "on SQLite it is one transaction");
    ok(!strstr(svc_schema_script(&two, SVC_DB_MYSQL, 0, fixture.pool),
               "COMMIT;"), "on MariaDB, which has none for tables, it is not");
    ok(!strstr(svc_schema_script(&two, SVC_DB_SQLITE, 1, fixture.pool),
               "IF NOT EXISTS"), "an upgrade does not make the first table");
    is_str(svc_schema_script_summary(&two, 1, fixture.pool),
           "ALTER TABLE x_a ADD COLUMN n\nUPDATE x_a SET n = 7\n"
           "CREATE TABLE x_b\n", "what it makes can be said in a few words");
    svc_db_close(db);
}

static void from_nothing(void)
{
    svc_db_t *db = fixture_open("y.db");

    succeeds(svc_schema_migrate(db, &two, fixture.pool),
             "an empty database goes through all steps");
    is_int(fixture_int(db, VERSION), 2, "... to the last version");
    is_int(fixture_int(db, COUNT), 3, "... with all tables");
    svc_db_close(db);
}

static void both_services(void)
{
    svc_db_t *db = fixture_open("both.db");
    int tables;

    succeeds(svc_schema_migrate(db, &tickets_schema, fixture.pool),
             "the tables of tickets are made");
    succeeds(svc_schema_migrate(db, &orders_schema, fixture.pool),
             "the tables of orders are made in the same file");
    tables = (int)fixture_int(db, COUNT);
    db = reopen(db, "both.db");
    succeeds(svc_schema_migrate(db, &tickets_schema, fixture.pool),
             "tickets again");
    succeeds(svc_schema_migrate(db, &orders_schema, fixture.pool),
             "orders again");
    is_int(fixture_int(db, COUNT), tables, "nothing is made twice");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM sqlite_master WHERE "
                           "type = 'table' AND name NOT LIKE 'tickets%%' "
                           "AND name NOT LIKE 'orders%%'"), 0,
           "every table carries the name of its service");
    svc_db_close(db);
}

int main(void)
{
    fixture_begin();
    migrations();
    versions();
    scripts();
    from_nothing();
    both_services();
    return fixture_end();
}
