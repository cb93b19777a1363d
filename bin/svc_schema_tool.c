/* svc-schema: looks at the tables of a service, says the SQL that makes or
 * upgrades them, or does it, for administrators who do not let httpd do that
 * (TicketsSchema Off, OrdersSchema Off). See docs/man/svc-schema.8.
 *
 * It knows the schemas and engines by the modules' own files; here are only the
 * words of the command line.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_getopt.h>
#include <apr_strings.h>

#include "orders_schema.h"
#include "svc_db_place.h"
#include "svc_lock.h"
#include "svc_schema_script.h"
#include "svc_version.h"
#include "tickets_schema.h"

#define MAX_PARAMS 4096

enum { DONE = 0, FAILED = 1, USAGE = 2, BEHIND = 3, NEWER = 4 }; /* exit codes */

typedef struct job_t {
    const char *driver, *params;
    int from;            /* -1: what the database has */
    svc_schema_t schema; /* up to the version that is wanted */
    apr_pool_t *pool;
} job_t;

static int usage(FILE *out)
{
    fputs("usage: svc-schema --driver DRIVER [--params PARAMS] [--from N] "
          "[--to N] SERVICE COMMAND\n"
          "       svc-schema --version\n"
          "SERVICE is tickets or orders; DRIVER (sqlite3, pgsql, mysql) and "
          "PARAMS are what\nhttpd's DBDriver and DBDParams say. "
          "PARAMS @FILE is the first line of FILE.\n"
          "  status   the version of the database and of this program, and "
          "what is missing\n"
          "  print    the SQL that upgrades it, for sqlite3, psql or mariadb; "
          "--from 0: all of\n           it, for an empty database; needs no "
          "PARAMS with --from\n"
          "  migrate  upgrade it now\n"
          "--to N stops at version N. Exit code: 0 up to date, or done; "
          "1 failed; 2 usage;\n3 older than this program, or empty; "
          "4 newer.\n", out);
    return out == stderr ? USAGE : DONE;
}

static int complain(const char *why)
{
    fprintf(stderr, "svc-schema: %.*s\n", /* some drivers end their lines */
            (int)(strlen(why) - (strchr(why, '\0')[-1] == '\n')), why);
    return FAILED;
}

static int fail(const svc_err_t *err)
{
    return complain(err->detail ? err->detail : err->message);
}

/* A password on the command line can be seen by everybody. Says what is wrong. */
static const char *read_params(const char **out, const char *path,
                               apr_pool_t *pool)
{
    char line[MAX_PARAMS];
    FILE *file = fopen(path, "r");
    int is_read = file && fgets(line, sizeof(line), file);
    int is_cut = is_read && !strchr(line, '\n') && getc(file) != EOF;

    if (file)
        fclose(file);
    if (!is_read)
        return "the file of --params cannot be read";
    if (is_cut)
        return apr_psprintf(pool, "the first line of the file of --params is "
                                  "longer than %d bytes", MAX_PARAMS - 1);
    line[strcspn(line, "\r\n")] = '\0';
    *out = apr_pstrdup(pool, line);
    return NULL;
}

/* SQLite: a file that is not there is an empty database, and stays so. */
static int is_absent(const job_t *job)
{
    const char *file = svc_db_place_file(job->driver, job->params, job->pool);

    return file && access(file, F_OK) != 0 && errno == ENOENT;
}

static svc_err_t *read_version(apr_int64_t *out, const job_t *job)
{
    svc_db_t *db;
    svc_err_t *err;

    *out = 0;
    if (is_absent(job))
        return NULL;
    if ((err = svc_db_open(&db, job->driver, job->params, job->pool,
                           job->pool)))
        return err;
    err = svc_schema_version(out, db, &job->schema, job->pool);
    svc_db_close(db);
    return err;
}

static int refuse_newer(const job_t *job, apr_int64_t version)
{
    fail(svc_schema_refusal(&job->schema, version, job->pool));
    return NEWER;
}

static int status(job_t *job)
{
    apr_int64_t version;
    svc_err_t *err = read_version(&version, job);

    if (err)
        return fail(err);
    printf("%s: schema %d in the database, %d in this program: %s\n",
           job->schema.service, (int)version, job->schema.version,
           version == job->schema.version  ? "up to date"
           : version < job->schema.version ? "to be upgraded by"
                                           : "use a newer program");
    if (version < job->schema.version) {
        fputs(svc_schema_script_summary(&job->schema, (int)version,
                                        job->pool), stdout);
        return BEHIND;
    }
    return version == job->schema.version ? DONE : NEWER;
}

static int print(job_t *job)
{
    apr_int64_t version = job->from;
    svc_err_t *err = job->from < 0 ? read_version(&version, job) : NULL;

    if (err)
        return fail(err);
    if (version > job->schema.version)
        return refuse_newer(job, version);
    if (version < job->schema.version)
        fputs(svc_schema_script(&job->schema, svc_db_sql_engine(job->driver),
                                (int)version, job->pool), stdout);
    return DONE;
}

/* SQLite: what root makes, the user that httpd's children are could not write. */
static const char *refuse_root(const char *file, apr_pool_t *pool)
{
    const char *folder = apr_pstrmemdup(
        pool, file, (apr_size_t)(strrchr(file, '/') - file + 1));
    struct stat info;

    if (geteuid() != 0 ||
        (stat(file, &info) != 0 && stat(folder, &info) != 0) ||
        info.st_uid == 0)
        return NULL;
    return apr_psprintf(pool, "%s belongs to another user, whom root's files "
                              "would shut out: run this as that user, for "
                              "example by runuser -u", file);
}

static svc_err_t *upgrade(const job_t *job)
{
    svc_db_t *db;
    svc_err_t *err = svc_db_open(&db, job->driver, job->params, job->pool,
                                 job->pool);

    if (err)
        return err;
    err = svc_schema_migrate(db, &job->schema, job->pool);
    svc_db_close(db);
    return err;
}

static int migrate(job_t *job)
{
    const char *file = svc_db_place_file(job->driver, job->params, job->pool);
    const char *refusal = file ? refuse_root(file, job->pool) : NULL;
    svc_lock_t *lock = NULL;
    svc_err_t *err = NULL;
    apr_int64_t version;

    if (refusal)
        return complain(refusal);
    if (file)
        err = svc_lock_open(&lock, apr_pstrcat(job->pool, file, ".lock", NULL),
                            1, job->pool, job->pool);
    if (!err && lock)
        err = svc_lock_acquire(lock, job->pool);
    if (err || (err = read_version(&version, job)))
        return fail(err);
    if (version > job->schema.version)
        return refuse_newer(job, version);
    if ((err = upgrade(job)))
        return fail(err);
    if (version == job->schema.version)
        printf("%s: schema %d, there was nothing to do\n", job->schema.service,
               job->schema.version);
    else
        printf("%s: schema %d, was %d\n", job->schema.service,
               job->schema.version, (int)version);
    return DONE;
}

/* A version from MIN to MAX; -1 for anything else. */
static int number(const char *text, int min, int max)
{
    char *end;
    long value = strtol(text, &end, 10);

    return *text && !*end && value >= min && value <= max ? (int)value : -1;
}

/* Options into JOB, what comes after them into WORDS; false: not to be
 * understood. */
static int read_line(job_t *job, const char **to, const char *words[2], int argc,
                     const char *const *argv)
{
    static const apr_getopt_option_t options[] = {
        { "driver", 'd', 1, NULL }, { "params", 'p', 1, NULL },
        { "from", 'f', 1, NULL }, { "to", 't', 1, NULL },
        { NULL, 0, 0, NULL }
    };
    apr_getopt_t *line;
    const char *arg;
    apr_status_t status;
    int option, i;

    apr_getopt_init(&line, job->pool, argc, argv);
    line->interleave = 1;
    while ((status = apr_getopt_long(line, options, &option, &arg)) ==
           APR_SUCCESS) {
        if (option == 'd')
            job->driver = arg;
        if (option == 'p')
            job->params = arg;
        if (option == 't')
            *to = arg;
        if (option == 'f' && (job->from = number(arg, 0, 9999)) < 0)
            return 0;
    }
    for (i = 0; i < 2 && line->ind + i < argc; i++)
        words[i] = line->argv[line->ind + i];
    return status == APR_EOF && line->ind + 2 == argc;
}

static int run(job_t *job, const char *command)
{
    int is_print = strcmp(command, "print") == 0;
    const char *refusal;

    if (job->params && job->params[0] == '@' &&
        (refusal = read_params(&job->params, job->params + 1, job->pool)))
        return complain(refusal);
    if (!is_print || job->from < 0) {
        refusal = svc_db_place_refusal(job->driver, job->params, job->pool);
        if (refusal)
            return complain(refusal);
    }
    return is_print                        ? print(job)
           : strcmp(command, "status") == 0 ? status(job)
                                            : migrate(job);
}

static int understand(job_t *job, int argc, const char *const *argv)
{
    const char *words[2] = { NULL, NULL }, *to = NULL;

    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return usage(stdout);
    if (argc == 2 && strcmp(argv[1], "--version") == 0)
        return puts("svc-schema " SVC_VERSION) < 0 ? FAILED : DONE;
    if (!read_line(job, &to, words, argc, argv) || !job->driver ||
        svc_db_sql_engine(job->driver) == SVC_DB_ENGINES)
        return usage(stderr);
    if (strcmp(words[0], "tickets") == 0)
        job->schema = tickets_schema;
    else if (strcmp(words[0], "orders") == 0)
        job->schema = orders_schema;
    else
        return usage(stderr);
    if ((strcmp(words[1], "status") != 0 && strcmp(words[1], "print") != 0 &&
         strcmp(words[1], "migrate") != 0) ||
        (job->from >= 0 && strcmp(words[1], "print") != 0) ||
        (to && (job->schema.version = number(to, 1, job->schema.version)) < 0))
        return usage(stderr);
    return run(job, words[1]);
}

int main(int argc, const char *const *argv)
{
    job_t job = { .from = -1 };
    int code;

    apr_app_initialize(&argc, &argv, NULL);
    apr_pool_create(&job.pool, NULL);
    svc_db_setup(job.pool);
    code = understand(&job, argc, argv);
    apr_pool_destroy(job.pool);
    apr_terminate();
    if (code != FAILED && (fflush(stdout) != 0 || ferror(stdout)))
        return complain("the output could not be written");
    return code;
}
