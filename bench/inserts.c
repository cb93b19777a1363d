/* inserts DATABASE PRICES BATCH THREADS SECONDS: what SQLite itself needs to
 * write what POST /api/tickets writes: a ticket, its event and the counter of
 * the log, in the service's own tables, by prepared statements, durable as the
 * service is (WAL, synchronous=FULL). BATCH tickets in a transaction; THREADS
 * connections that write at the same time, each waiting for the lock as SQLite
 * waits (busy_timeout). Titles and prices are those of the CSV file PRICES.
 * Ids and events are made beforehand. Prints "requests N seconds S p50 MS p99
 * MS", requests being tickets, and the times those of transactions.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include <apr_general.h>
#include <sqlite3.h>

#include "bench.h"
#include "svc_id.h"
#include "svc_schema.h"
#include "svc_stream.h"
#include "tickets_json.h"
#include "tickets_schema.h"

#define ROWS 100000 /* made beforehand for each thread; the end is the end */
#define SOURCE "urn:uuid:00000000-0000-7000-8000-000000000000"

typedef struct row_t {
    const char *id, *event_id, *title, *event;
    int64_t cents;
} row_t;

typedef struct writer_t {
    pthread_t thread;
    sqlite3 *db;
    sqlite3_stmt *begin, *commit, *head, *position, *ticket, *log;
    row_t *rows;
    size_t row_count, written;
    int64_t *times; /* of transactions */
    size_t time_count;
} writer_t;

static struct {
    const char *file;
    int batch;
    int64_t end;
    apr_pool_t *pool;
    row_t prices[4000]; /* title and cents */
    size_t price_count;
} inserts;

static void check(int rc, sqlite3 *db)
{
    if (rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
        bench_die("inserts: %s", sqlite3_errmsg(db));
}

/* The tables, as the service makes them. */
static void make_tables(void)
{
    const svc_stream_t *stream = svc_stream_create("tickets", "",
                                                   inserts.pool);
    svc_db_t *made;
    svc_err_t *err;

    svc_db_setup(inserts.pool);
    if ((err = svc_db_open(&made, "sqlite3", inserts.file, inserts.pool,
                           inserts.pool)) ||
        (err = svc_schema_migrate(made, &tickets_schema, inserts.pool)) ||
        (err = svc_stream_setup(made, stream, inserts.pool)))
        bench_die("inserts: %s (%s)", err->message, err->detail);
    svc_db_close(made);
}

/* week,show,price: a title is the show and the week */
static void read_prices(const char *file)
{
    FILE *in = fopen(file, "r");
    char line[400];

    if (!in || !fgets(line, sizeof(line), in))
        bench_die("inserts: cannot read %s", file);
    while (fgets(line, sizeof(line), in) && inserts.price_count < 4000) {
        char *show = strchr(line, ','), *price = strrchr(line, ','), *title;
        row_t *row = &inserts.prices[inserts.price_count++];

        if (!show || show == price)
            bench_die("inserts: a line of %s: %s", file, line);
        *show++ = *price++ = '\0';
        if (asprintf(&title, "%s, %s", show, line) < 0)
            bench_die("out of memory");
        row->title = title;
        row->cents = (int64_t)(atof(price) * 100 + 0.5);
    }
    fclose(in);
}

/* As many rows as will be written, with what the service would compute. */
static void make_rows(writer_t *writer, size_t count)
{
    svc_event_t event = { .type = "ticket:created", .source = SOURCE };
    apr_pool_t *scratch;
    size_t i;

    apr_pool_create(&scratch, inserts.pool);
    writer->rows = calloc(count, sizeof(*writer->rows));
    writer->times = calloc(count, sizeof(*writer->times));
    for (i = 0; i < count; i++) {
        row_t *row = &writer->rows[i];
        ticket_t ticket = { .user_id = "alice" };

        *row = inserts.prices[i % inserts.price_count];
        row->id = strdup(svc_id_new(scratch));
        row->event_id = strdup(svc_id_new(scratch));
        ticket.id = row->id;
        ticket.title = row->title;
        ticket.cents = row->cents;
        event.id = row->event_id;
        event.entity = row->id;
        event.time = 1767225600000;
        event.position = (apr_int64_t)i + 1;
        event.data = tickets_json_write(&ticket, scratch);
        row->event = strdup(svc_event_encode(&event, scratch));
        apr_pool_clear(scratch);
    }
    writer->row_count = count;
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    check(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), db);
    return statement;
}

static void open_one(writer_t *writer)
{
    check(sqlite3_open(inserts.file, &writer->db), writer->db);
    check(sqlite3_busy_timeout(writer->db, 60000), writer->db);
    check(sqlite3_exec(writer->db,
                       "PRAGMA synchronous=FULL; "
                       "PRAGMA wal_autocheckpoint=4000", NULL, NULL, NULL),
          writer->db);
    writer->begin = prepare(writer->db, "BEGIN IMMEDIATE");
    writer->commit = prepare(writer->db, "COMMIT");
    writer->head = prepare(writer->db, "UPDATE tickets_head SET position = "
                                       "position + ?1 WHERE id = 1");
    writer->position = prepare(writer->db, "SELECT position FROM tickets_head "
                                           "WHERE id = 1");
    writer->ticket = prepare(
        writer->db, "INSERT INTO tickets (id, position, title, cents, user_id, "
                    "version) VALUES (?1, ?2, ?3, ?4, ?5, 0)");
    writer->log = prepare(
        writer->db, "INSERT INTO tickets_log (position, event_id, subject, "
                    "entity_id, recorded_at, publisher, event) VALUES (?1, ?2, "
                    "'ticket:created', ?3, ?4, '', ?5)");
}

static void close_one(writer_t *writer)
{
    sqlite3_stmt *all[] = { writer->begin, writer->commit, writer->head,
                            writer->position, writer->ticket, writer->log };
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        sqlite3_finalize(all[i]);
    check(sqlite3_close(writer->db), writer->db);
}

static void finish(sqlite3_stmt *statement, const writer_t *writer)
{
    check(sqlite3_step(statement), writer->db);
    check(sqlite3_reset(statement), writer->db);
}

static void set(sqlite3_stmt *statement, int at, const char *value)
{
    sqlite3_bind_text(statement, at, value, -1, SQLITE_STATIC);
}

static void write_batch(writer_t *writer, int count)
{
    int64_t position;
    int i;

    finish(writer->begin, writer);
    sqlite3_bind_int(writer->head, 1, count);
    finish(writer->head, writer);
    check(sqlite3_step(writer->position), writer->db);
    position = sqlite3_column_int64(writer->position, 0) - count;
    check(sqlite3_reset(writer->position), writer->db);
    for (i = 0; i < count; i++) {
        const row_t *row = &writer->rows[writer->written++];

        position++;
        set(writer->ticket, 1, row->id);
        sqlite3_bind_int64(writer->ticket, 2, position);
        set(writer->ticket, 3, row->title);
        sqlite3_bind_int64(writer->ticket, 4, row->cents);
        set(writer->ticket, 5, "alice");
        finish(writer->ticket, writer);
        sqlite3_bind_int64(writer->log, 1, position);
        set(writer->log, 2, row->event_id);
        set(writer->log, 3, row->id);
        sqlite3_bind_int64(writer->log, 4, 1767225600000);
        set(writer->log, 5, row->event);
        finish(writer->log, writer);
    }
    finish(writer->commit, writer);
}

static void *work(void *baton)
{
    writer_t *writer = baton;
    int64_t begin = bench_now();

    while (begin < inserts.end &&
           writer->written + (size_t)inserts.batch <= writer->row_count) {
        int64_t end;

        write_batch(writer, inserts.batch);
        end = bench_now();
        writer->times[writer->time_count++] = end - begin;
        begin = end;
    }
    return NULL;
}

static int by_time(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return *left < *right ? -1 : *left > *right;
}

static void report(const writer_t *writers, int threads, int64_t begin)
{
    size_t written = 0, count = 0;
    int64_t *times = NULL;
    double seconds = (double)(bench_now() - begin) / 1e9;
    int i;

    for (i = 0; i < threads; i++) {
        const writer_t *writer = &writers[i];

        times = realloc(times, (count + writer->time_count + 1) *
                                   sizeof(*times));
        memcpy(times + count, writer->times,
               writer->time_count * sizeof(*times));
        count += writer->time_count;
        written += writer->written;
    }
    qsort(times, count, sizeof(*times), by_time);
    printf("requests %zu seconds %.4f p50 %.3f p99 %.3f\n", written, seconds,
           (double)times[count / 2] / 1e6,
           (double)times[count * 99 / 100] / 1e6);
}

int main(int argc, char **argv)
{
    writer_t *writers;
    int i, threads;
    int64_t begin;

    if (argc != 6)
        bench_die("inserts DATABASE PRICES BATCH THREADS SECONDS");
    apr_initialize();
    apr_pool_create(&inserts.pool, NULL);
    inserts.file = argv[1];
    inserts.batch = atoi(argv[3]);
    threads = atoi(argv[4]);
    make_tables();
    read_prices(argv[2]);
    writers = calloc((size_t)threads, sizeof(*writers));
    for (i = 0; i < threads; i++) {
        make_rows(&writers[i], ROWS * (threads == 1 ? 4 : 1) / (size_t)threads);
        open_one(&writers[i]);
    }
    begin = bench_now();
    inserts.end = begin + (int64_t)(atof(argv[5]) * 1e9);
    for (i = 0; i < threads; i++) {
        if (pthread_create(&writers[i].thread, NULL, work, &writers[i]))
            bench_die("inserts: no thread");
    }
    for (i = 0; i < threads; i++)
        pthread_join(writers[i].thread, NULL);
    report(writers, threads, begin);
    for (i = 0; i < threads; i++)
        close_one(&writers[i]);
    return 0; /* the rows go with the process */
}
