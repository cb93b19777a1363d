/* fixture: what a unit test stands on: APR, a private folder that is removed at
 * the end, databases in it, or on the private server that t/check.sh runs where
 * DB= names one, a sink for the log, and waiting for conditions.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <ftw.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_time.h>

#include "svc_db.h"
#include "svc_log.h"
#include "svc_schema.h"
#include "svc_stream.h"
#include "tap.h"

#define FIXTURE_MAX_LINES 4000

static struct {
    apr_pool_t *pool;   /* lives until fixture_end */
    char folder[64];
    pthread_mutex_t mutex; /* of the lines */
    char *lines[FIXTURE_MAX_LINES];
    int levels[FIXTURE_MAX_LINES];
    int count;
    const char *driver; /* DBDriver: TEST_DB, sqlite3 where that is not set */
    const char *databases[16]; /* made on a server */
    int database_count;
    const char *expected[16]; /* tags that may be warnings or worse */
    int expected_count;
} fixture = { .folder = "/tmp/unit.XXXXXX", .mutex = PTHREAD_MUTEX_INITIALIZER };

static inline void fixture_sink(svc_log_level_t level, const char *message)
{
    pthread_mutex_lock(&fixture.mutex);
    if (fixture.count < FIXTURE_MAX_LINES) {
        fixture.levels[fixture.count] = (int)level;
        fixture.lines[fixture.count++] = strdup(message);
    }
    pthread_mutex_unlock(&fixture.mutex);
}

static inline void fixture_begin(void)
{
    const char *tmp = getenv("TMPDIR");

    apr_initialize();
    apr_pool_create(&fixture.pool, NULL);
    if (tmp && strlen(tmp) < 40)
        sprintf(fixture.folder, "%s/unit.XXXXXX", tmp);
    if (!mkdtemp(fixture.folder)) {
        perror("mkdtemp");
        exit(255);
    }
    fixture.driver = getenv("TEST_DB") ? getenv("TEST_DB") : "sqlite3";
    svc_db_setup(fixture.pool);
    svc_log_set(fixture_sink);
}

static inline const char *fixture_path(const char *name)
{
    return apr_pstrcat(fixture.pool, fixture.folder, "/", name, NULL);
}

/* A tag whose lines may be warnings or worse. */
static inline void fixture_expect(const char *tag)
{
    fixture.expected[fixture.expected_count++] = tag;
}

/* How many lines carry TAG. */
static inline int fixture_logged(const char *tag)
{
    int i, count = 0;

    pthread_mutex_lock(&fixture.mutex);
    for (i = 0; i < fixture.count; i++)
        count += strncmp(fixture.lines[i], tag, strlen(tag)) == 0;
    pthread_mutex_unlock(&fixture.mutex);
    return count;
}

/* The last line that carries TAG; "" when there is none. */
static inline const char *fixture_line(const char *tag)
{
    const char *line = "";
    int i;

    pthread_mutex_lock(&fixture.mutex);
    for (i = 0; i < fixture.count; i++) {
        if (strncmp(fixture.lines[i], tag, strlen(tag)) == 0)
            line = fixture.lines[i];
    }
    pthread_mutex_unlock(&fixture.mutex);
    return line;
}

static inline int fixture_remove(const char *path, const struct stat *info,
                                 int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static inline void log_is_clean(void)
{
    int i, k, bad = 0;

    for (i = 0; i < fixture.count; i++) {
        int is_expected = fixture.levels[i] > SVC_LOG_WARNING;

        for (k = 0; k < fixture.expected_count; k++)
            is_expected |= strncmp(fixture.lines[i], fixture.expected[k],
                                   strlen(fixture.expected[k])) == 0;
        if (!is_expected) {
            bad++;
            printf("# unexpected in the log: %s\n", fixture.lines[i]);
        }
    }
    is_int(bad, 0, "the log has no unexpected warning or error");
}

/* Waits until CONDITION holds, at most MS milliseconds; is it true? */
#define wait_until(condition, ms) \
    ({ \
        apr_time_t until_ = apr_time_now() + (ms) * 1000L; \
        int holds_; \
        while (!(holds_ = (condition) != 0) && apr_time_now() < until_) \
            apr_sleep(1000); \
        holds_; \
    })

/* --- errors -------------------------------------------------------------------- */

#define succeeds(err, ...) fixture_succeeds(__FILE__, __LINE__, err, __VA_ARGS__)
#define fails(err, kind, ...) \
    fixture_fails(__FILE__, __LINE__, err, kind, __VA_ARGS__)

static inline int fixture_succeeds(const char *file, int line,
                                   const svc_err_t *err, const char *name)
{
    tap_ok(!err, file, line, "%s", name);
    if (err)
        printf("# kind %d: %s (%s)\n", (int)err->kind, err->message,
               err->detail ? err->detail : "-");
    return !err;
}

static inline int fixture_fails(const char *file, int line,
                                const svc_err_t *err, svc_err_kind_t kind,
                                const char *name)
{
    int is_right = err && err->kind == kind;

    tap_ok(is_right, file, line, "%s", name);
    if (err && !is_right)
        printf("# kind %d: %s (%s)\n", (int)err->kind, err->message,
               err->detail ? err->detail : "-");
    else if (!err)
        printf("# no error\n");
    return is_right;
}

/* What must go well for the test to make sense. */
#define must(err) fixture_must(__FILE__, __LINE__, err)

static inline void fixture_must(const char *file, int line,
                                const svc_err_t *err)
{
    if (!err)
        return;
    printf("Bail out! %s line %d: %s (%s)\n", file, line, err->message,
           err->detail ? err->detail : "-");
    fflush(stdout);
    nftw(fixture.folder, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
    _exit(255);
}

/* --- databases ----------------------------------------------------------------- */

static inline int fixture_is_file(void)
{
    return strcmp(fixture.driver, "sqlite3") == 0;
}

/* For a test of servers only, before all else: is there none? */
static inline int fixture_lacks_server(void)
{
    const char *engine = getenv("TEST_DB");

    if (engine && strcmp(engine, "sqlite3") != 0)
        return 0;
    printf("1..0 # SKIP of servers only: DB=pgsql or DB=mysql t/check.sh\n");
    return 1;
}

/* DBDParams of the whole server, not of a database. */
static inline const char *fixture_server(void)
{
    const char *folder = getenv("TEST_DB_DIR");

    return apr_psprintf(fixture.pool, strcmp(fixture.driver, "pgsql") == 0
                            ? "host=%s dbname=postgres user=svc"
                            : "sock=%s/mysql.sock user=root",
                        folder ? folder : "/nonexistent");
}

/* Runs SQL on the server, outside of all databases. */
static inline void fixture_on_server(const char *sql)
{
    svc_db_t *db = NULL;

    must(svc_db_open(&db, fixture.driver, fixture_server(), fixture.pool,
                     fixture.pool));
    must(svc_db_text(db, sql, fixture.pool));
    svc_db_close(db);
}

/* What names the database NAME on a server: this test's own, made when first
 * asked for and removed at the end. */
static inline const char *fixture_schema(const char *name)
{
    char *own = apr_psprintf(fixture.pool, "unit_%d_%s", (int)getpid(), name);
    char *at;
    int i;

    for (at = own; *at; at++) {
        if (*at == '.' || *at == '/')
            *at = '_';
    }
    for (i = 0; i < fixture.database_count; i++) {
        if (strcmp(fixture.databases[i], own) == 0)
            return own;
    }
    fixture.databases[fixture.database_count++] = own;
    fixture_on_server(apr_pstrcat(fixture.pool, "CREATE SCHEMA ", own, NULL));
    return own;
}

static inline void fixture_drop_all(void)
{
    int i;

    for (i = 0; i < fixture.database_count; i++)
        fixture_on_server(apr_pstrcat(
            fixture.pool, "DROP SCHEMA ", fixture.databases[i],
            strcmp(fixture.driver, "pgsql") == 0 ? " CASCADE" : "", NULL));
}

/* DBDParams of the database NAME: a file in the private folder, or one on the
 * server. */
static inline const char *fixture_params(const char *name)
{
    if (fixture_is_file())
        return fixture_path(name);
    return apr_pstrcat(fixture.pool, fixture_server(),
                       strcmp(fixture.driver, "pgsql") == 0
                           ? " options=-csearch_path=" : " dbname=",
                       fixture_schema(name), NULL);
}

/* A connection to it. */
static inline svc_db_t *fixture_open(const char *name)
{
    svc_db_t *db = NULL;

    must(svc_db_open(&db, fixture.driver, fixture_params(name), fixture.pool,
                     fixture.pool));
    if (strcmp(fixture.driver, "mysql") == 0) /* for rows from a recursion */
        must(svc_db_text(db, "SET SESSION max_recursive_iterations = 100000",
                         fixture.pool));
    return db;
}

/* The same with the tables of SCHEMA, and STREAM's log. */
static inline svc_db_t *fixture_database(const char *name,
                                         const svc_schema_t *schema,
                                         const svc_stream_t *stream)
{
    svc_db_t *db = fixture_open(name);

    must(svc_schema_migrate(db, schema, fixture.pool));
    must(svc_stream_setup(db, stream, fixture.pool));
    return db;
}

/* Statements live as long as the connections that prepared them. */
static inline svc_db_sql_t *fixture_sql(const char *text)
{
    svc_db_sql_t *sql = apr_palloc(fixture.pool, sizeof(*sql));

    *sql = svc_db_sql("fixture", "", text, fixture.pool);
    return sql;
}

/* Runs SQL without parameters. */
static inline void fixture_do(svc_db_t *db, const char *text)
{
    must(svc_db_text(db, text, fixture.pool));
}

/* The one integer that SQL gives; -1 when it gives no row. */
static inline apr_int64_t fixture_int(svc_db_t *db, const char *text)
{
    apr_int64_t value = -1;

    must(svc_db_get(&value, db, fixture_sql(text), NULL, fixture.pool));
    return value;
}

static inline svc_err_t *fixture_take_text(void *baton, const svc_db_row_t *row)
{
    char **all = baton;
    const char *text = svc_db_row_text(row, 0);

    text = text ? text : "NULL";
    *all = *all ? apr_pstrcat(fixture.pool, *all, " ", text, NULL)
                : apr_pstrdup(fixture.pool, text);
    return NULL;
}

/* The first column of all rows that SQL gives, with spaces between. */
static inline const char *fixture_text(svc_db_t *db, const char *text)
{
    char *all = NULL;

    must(svc_db_each(db, fixture_sql(text), NULL, fixture_take_text, &all,
                     fixture.pool));
    return all ? all : "";
}

/* Ends the test: the log, the folder, the plan. */
static inline int fixture_end(void)
{
    int i;

    log_is_clean();
    svc_log_set(NULL);
    fixture_drop_all();
    apr_pool_destroy(fixture.pool);
    nftw(fixture.folder, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
    ok(access(fixture.folder, F_OK) != 0, "the test leaves no files behind");
    for (i = 0; i < fixture.count; i++)
        free(fixture.lines[i]);
    apr_terminate();
    return tap_end();
}

#endif
