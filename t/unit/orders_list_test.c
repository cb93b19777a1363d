/* orders_list_store: whatever status is asked for, paging shows exactly what a
 * plain query over the whole table gives, and walks the index that was made for
 * it; an older database gets that index with its orders in it.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "fixture.h"

#include "orders_list_store.h"
#include "orders_schema.h"

static svc_db_t *db;

/* COUNT orders of three users in every status and for every reason. */
static void fill(int count)
{
    fixture_do(db, apr_psprintf(fixture.pool,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < %d) INSERT INTO orders (id, position, user_id, ticket_id, "
        "cents, status, cancel_reason, expires_at, version, ticket_version) "
        "SELECT printf('%%08d', i * 7919 %% 100003), i * 5, "
        "'user' || (i * 31 / 7 %% 3), 't', 100, CASE WHEN i %% 7 > 3 THEN "
        "'cancelled' WHEN i %% 7 = 1 THEN 'created' WHEN i %% 7 = 2 THEN "
        "'awaiting:payment' ELSE 'complete' END, CASE i %% 7 WHEN 4 THEN 'user' "
        "WHEN 5 THEN 'expired' WHEN 6 THEN 'reserved' END, 0, 0, 0 FROM n",
        count));
}

/* The positions of all pages, with spaces between. */
static const char *walk(const char *user, orders_list_t which, int limit)
{
    apr_array_header_t *all = apr_array_make(fixture.pool, 64,
                                             sizeof(const char *));
    apr_array_header_t *list;
    apr_int64_t after = 0;
    int i;

    do {
        must(orders_list_store_page(&list, db, user, which, after, limit,
                                    fixture.pool));
        if (list->nelts > limit)
            return "a page is too long";
        for (i = 0; i < list->nelts; i++) {
            after = APR_ARRAY_IDX(list, i, order_t).position;
            APR_ARRAY_PUSH(all, const char *) = svc_db_arg(after, fixture.pool);
        }
    } while (list->nelts == limit);
    return apr_array_pstrcat(fixture.pool, all, ' ');
}

static const struct {
    const char *name;
    orders_list_t which;
    const char *condition;
} lists[] = {
    { "created", ORDERS_LIST_CREATED, "status = 'created'" },
    { "awaiting:payment", ORDERS_LIST_AWAITING,
      "status = 'awaiting:payment'" },
    { "complete", ORDERS_LIST_COMPLETE, "status = 'complete'" },
    { "cancelled", ORDERS_LIST_CANCELLED, "status = 'cancelled'" },
    { "pending", ORDERS_LIST_PENDING,
      "status IN ('created', 'awaiting:payment')" },
    { "paid", ORDERS_LIST_PAID, "status = 'complete'" },
    { "expired", ORDERS_LIST_EXPIRED,
      "status = 'cancelled' AND cancel_reason = 'expired'" },
    { "all", ORDERS_LIST_ALL, "1" },
    { "not cancelled", ORDERS_LIST_LIVE, "status <> 'cancelled'" }
};

static void lists_of(const char *user)
{
    static const int limits[] = { 1, 7, 1000 };
    size_t i, k;

    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        const char *want = fixture_text(db, apr_psprintf(fixture.pool,
            "SELECT position FROM orders NOT INDEXED WHERE user_id = '%s' AND "
            "%s ORDER BY position", user, lists[i].condition));
        int right = 0;

        for (k = 0; k < 3; k++)
            right += strcmp(walk(user, lists[i].which, limits[k]), want) == 0;
        ok(right == 3 && *want, "the pages of the orders of %s that are %s",
           user, lists[i].name);
    }
}

static void moving(void)
{
    apr_array_header_t *list;

    fixture_do(db, "UPDATE orders SET status = 'cancelled', cancel_reason = "
                   "'expired' WHERE user_id = 'user1' AND status = 'created'");
    is_str(walk("user1", ORDERS_LIST_CREATED, 10), "",
           "an order that expires leaves its list");
    is_str(walk("user1", ORDERS_LIST_EXPIRED, 10),
           fixture_text(db, "SELECT position FROM orders WHERE user_id = "
                            "'user1' AND cancel_reason = 'expired' "
                            "ORDER BY position"),
           "... and comes to its place among the expired");
    must(orders_list_store_page(&list, db, "nobody", ORDERS_LIST_ALL, 0, 10,
                                fixture.pool));
    is_int(list->nelts, 0, "another user has none");
}

static svc_err_t *take_detail(void *baton, const svc_db_row_t *row)
{
    char **plan = baton;

    *plan = apr_pstrcat(fixture.pool, *plan, svc_db_row_text(row, 3), "\n",
                        NULL);
    return NULL;
}

static void plan(const svc_db_sql_t *sql, const char *search,
                 const char *when)
{
    static const char *const args[] = { "1", "1", "1", "1", "1", "1", "1",
                                        "1", "1", "1", "1", "1", "1" };
    svc_db_sql_t *explain = apr_pmemdup(fixture.pool, sql, sizeof(*sql));
    char *text = apr_pstrdup(fixture.pool, "");
    int is_right;

    explain->text[SVC_DB_SQLITE] = apr_pstrcat(
        fixture.pool, "EXPLAIN QUERY PLAN ", sql->text[SVC_DB_SQLITE], NULL);
    must(svc_db_each(db, explain, args, take_detail, &text, fixture.pool));
    is_right = ok(strstr(text, search) != NULL, "%s searches %s, %s",
                  sql->label, search, when);
    is_right &= ok(!strstr(text, "SCAN o") && !strstr(text, "AUTOMATIC"),
                   "... and no whole table");
    if (!is_right)
        printf("# %s", text);
}

static void plans(const char *when)
{
    plan(&orders_list_store_sql[0],
         "SEARCH orders USING INDEX orders_list (user_id=? AND "
         "list_status=? AND position>?)", when);
    plan(&orders_list_store_sql[0], "SEARCH o USING PRIMARY KEY (id=?)", when);
    plan(&orders_list_store_sql[1],
         "SEARCH o USING INDEX orders_user (user_id=? AND position>?)", when);
    ok(!orders_list_store_sql[2].label, "these are both");
}

int main(void)
{
    svc_schema_t old = { "orders", 2, orders_schema.steps,
                         orders_schema.read_version };

    fixture_begin();
    db = fixture_open("x.db");
    must(svc_schema_migrate(db, &old, fixture.pool));
    fill(2000);
    svc_db_close(db);
    db = fixture_open("x.db");
    succeeds(svc_schema_migrate(db, &orders_schema, fixture.pool),
             "a database with orders in it is upgraded");
    lists_of("user0");
    is_str(fixture_text(db, "PRAGMA integrity_check"), "ok",
           "the database is whole");
    moving();
    plans("with nothing known of the tables");
    fixture_do(db, "ANALYZE");
    svc_db_close(db);
    db = fixture_open("x.db");
    plans("with statistics");
    svc_db_close(db);
    return fixture_end();
}
