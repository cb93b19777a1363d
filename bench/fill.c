/* fill: databases with a long event log, written by the services' own code, a
 * thousand changes in a transaction.
 *
 * fill tickets DATABASE PUBLISHER PRICES TICKETS VERSIONS GROUP
 *     so many TICKETS, each in so many VERSIONS; GROUP tickets at a time take
 *     turns, version by version. PRICES is the CSV of weekly prices.
 * fill orders DATABASE PUBLISHER TICKETS-DATABASE
 *     an order for each of its tickets, and nothing else.
 *
 * The log looks as if PUBLISHER had published all of it.
 */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "bench.h"
#include "orders_schema.h"
#include "orders_service.h"
#include "orders_store.h"
#include "svc_schema.h"
#include "svc_stream.h"
#include "tickets_schema.h"
#include "tickets_service.h"

#define BATCH 1000
#define SELLER "alice"
#define BUYER "bob"
static const orders_terms_t terms = { 24LL * 3600 * 1000, 0 };

typedef struct price_t {
    const char *title;
    apr_int64_t cents;
} price_t;

typedef struct fill_t {
    svc_db_t *db;
    const svc_stream_t *stream;
    apr_pool_t *pool, *scratch; /* scratch: cleared after each transaction */
    svc_stream_tx_t tx;
    int changes; /* in this transaction */
} fill_t;

static void must(const svc_err_t *err)
{
    if (err)
        bench_die("fill: %s (%s)", err->message,
                  err->detail ? err->detail : "-");
}

static void open_fill(fill_t *fill, const char *file, const char *service,
                      const svc_schema_t *schema, const char *publisher,
                      apr_pool_t *pool)
{
    memset(fill, 0, sizeof(*fill));
    fill->pool = pool;
    apr_pool_create(&fill->scratch, pool);
    fill->stream = svc_stream_create(service, publisher, pool);
    must(svc_db_open(&fill->db, "sqlite3", file, pool, pool));
    must(svc_schema_migrate(fill->db, schema, pool));
    must(svc_stream_setup(fill->db, fill->stream, pool));
}

static void commit(fill_t *fill)
{
    if (fill->changes)
        must(svc_stream_commit(&fill->tx));
    fill->changes = 0;
    apr_pool_clear(fill->scratch);
    if (svc_db_needs_checkpoint(fill->db))
        svc_db_checkpoint(fill->db);
}

/* Before each change. */
static svc_stream_tx_t *change(fill_t *fill)
{
    if (fill->changes == BATCH)
        commit(fill);
    if (fill->changes++ == 0)
        must(svc_stream_begin(&fill->tx, fill->db, fill->stream,
                              fill->scratch));
    return &fill->tx;
}

static void close_fill(fill_t *fill)
{
    const char *source;
    apr_int64_t head;

    commit(fill);
    must(svc_stream_head(&source, &head, fill->db, fill->stream, fill->pool));
    change(fill);
    must(svc_stream_set_published(&fill->tx, head));
    commit(fill);
    svc_db_checkpoint(fill->db);
    svc_db_close(fill->db);
    printf("%" APR_INT64_T_FMT "\n", head);
}

/* week,show,price: a title is the show and the week */
static apr_array_header_t *read_prices(const char *file, apr_pool_t *pool)
{
    apr_array_header_t *prices = apr_array_make(pool, 2000, sizeof(price_t));
    FILE *in = fopen(file, "r");
    char line[400];

    if (!in || !fgets(line, sizeof(line), in))
        bench_die("fill: cannot read %s", file);
    while (fgets(line, sizeof(line), in)) {
        char *show = strchr(line, ','), *price = strrchr(line, ',');
        price_t *row = apr_array_push(prices);

        if (!show || show == price)
            bench_die("fill: a line of %s: %s", file, line);
        *show++ = *price++ = '\0';
        row->title = apr_pstrcat(pool, show, ", ", line, NULL);
        row->cents = (apr_int64_t)(atof(price) * 100 + 0.5);
    }
    fclose(in);
    return prices;
}

static const price_t *price_at(const apr_array_header_t *prices, int i)
{
    return &APR_ARRAY_IDX(prices, i % prices->nelts, price_t);
}

static void fill_group(fill_t *fill, const apr_array_header_t *prices,
                       int first, int count, int versions)
{
    static const svc_etag_condition_t always;
    apr_pool_t *pool;
    const char **ids;
    int i, version;

    apr_pool_create(&pool, fill->pool);
    ids = apr_pcalloc(pool, sizeof(*ids) * (size_t)count);
    for (version = 0; version < versions; version++) {
        if (version == 1) /* a new ticket is in its table from the commit on */
            commit(fill);
        for (i = 0; i < count; i++) {
            svc_stream_tx_t *tx = change(fill);
            ticket_t *ticket = apr_pcalloc(fill->scratch, sizeof(*ticket));

            ticket->title = price_at(prices, first + i)->title;
            ticket->cents = price_at(prices, first + i + version)->cents;
            ticket->user_id = SELLER;
            ticket->id = ids[i];
            if (version > 0) {
                must(tickets_service_edit(ticket, tx, &always, fill->scratch));
            } else {
                must(tickets_service_create(ticket, tx, fill->scratch));
                ids[i] = apr_pstrdup(pool, ticket->id);
            }
        }
    }
    apr_pool_destroy(pool);
}

static void fill_tickets(char **argv, apr_pool_t *pool)
{
    apr_array_header_t *prices = read_prices(argv[2], pool);
    int tickets = atoi(argv[3]), versions = atoi(argv[4]);
    int group = atoi(argv[5]), first;
    fill_t fill;

    open_fill(&fill, argv[0], "tickets", &tickets_schema, argv[1], pool);
    for (first = 0; first < tickets; first += group)
        fill_group(&fill, prices, first,
                   group < tickets - first ? group : tickets - first, versions);
    close_fill(&fill);
}

static svc_err_t *order_one(void *baton, const svc_db_row_t *row)
{
    fill_t *fill = baton;
    svc_stream_tx_t *tx = change(fill);
    order_t *order = apr_pcalloc(fill->scratch, sizeof(*order));
    orders_ticket_t ticket = { .source = svc_db_row_text(row, 5) };
    int changed;

    ticket.id = apr_pstrdup(fill->scratch, svc_db_row_text(row, 0));
    ticket.title = svc_db_row_text(row, 1);
    ticket.user_id = svc_db_row_text(row, 2);
    ticket.cents = svc_db_row_int(row, 3);
    ticket.version = svc_db_row_int(row, 4);
    must(orders_store_insert_ticket(&changed, tx, &ticket));
    order->ticket_id = ticket.id;
    order->user_id = BUYER;
    must(orders_service_create(order, tx, &terms, fill->scratch));
    return NULL;
}

static void fill_orders(char **argv, apr_pool_t *pool)
{
    static const svc_db_sql_t sql = {
        "fill_orders",
        SVC_DB_SAME("SELECT t.id, title, user_id, cents, version, source "
                    "FROM tickets t, tickets_head ORDER BY t.position")
    };
    svc_db_t *tickets;
    fill_t fill;

    open_fill(&fill, argv[0], "orders", &orders_schema, argv[1], pool);
    must(svc_db_open(&tickets, "sqlite3", argv[2], pool, pool));
    must(svc_db_each(tickets, &sql, NULL, order_one, &fill, pool));
    svc_db_close(tickets);
    close_fill(&fill);
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    svc_db_setup(pool);
    if (argc == 8 && strcmp(argv[1], "tickets") == 0)
        fill_tickets(argv + 2, pool);
    else if (argc == 5 && strcmp(argv[1], "orders") == 0)
        fill_orders(argv + 2, pool);
    else
        bench_die("fill tickets DATABASE PUBLISHER PRICES TICKETS VERSIONS "
                  "GROUP | fill orders DATABASE PUBLISHER TICKETS-DATABASE");
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
