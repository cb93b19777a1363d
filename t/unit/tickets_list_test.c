/* tickets_list: whatever is asked for, paging shows exactly what a plain query
 * over the whole table gives; a search ends in time and goes on where it ended;
 * and each query walks the index that was made for it.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "fixture.h"

#include "tickets_list.h"
#include "tickets_schema.h"

#define LONG_MS 60000 /* time enough for everything */

static svc_db_t *db;

/* COUNT tickets at the positions STEP, 2 * STEP, ...; every third is reserved,
 * there are five sellers, four prices, and a few titles. */
static void fill(int count, int step)
{
    fixture_do(db, "DELETE FROM tickets");
    fixture_do(db, apr_psprintf(fixture.pool,
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < %d) INSERT INTO tickets (id, position, title, cents, user_id, "
        "version, order_id) SELECT printf('%%08d', i * 7919 %% 100003), i * %d, "
        "CASE i %% 4 WHEN 0 THEN 'Hamlet ' || i WHEN 1 THEN 'HAMLET' WHEN 2 "
        "THEN 'Macbeth' ELSE 'The hamlet' END, 100 * (1 + i %% 5), "
        "'user' || (i %% 7), 0, CASE WHEN i %% 3 = 0 THEN 'order' || i END "
        "FROM n", count, step));
}

static apr_array_header_t *page(apr_int64_t *next,
                                const tickets_list_filter_t *filter,
                                apr_int64_t after, int limit,
                                apr_int64_t budget_ms)
{
    apr_array_header_t *list = NULL;

    must(tickets_list_page(&list, next, db, filter, after, limit, budget_ms,
                           fixture.pool));
    return list;
}

/* The positions of all pages from the first on, with spaces between; PAGES
 * counts them. */
static const char *walk(int *pages, const tickets_list_filter_t *filter,
                        int limit, apr_int64_t budget_ms)
{
    apr_array_header_t *all = apr_array_make(fixture.pool, 64,
                                             sizeof(const char *));
    apr_int64_t after = 0, next = 0;
    int i;

    for (*pages = 0; *pages == 0 || next; (*pages)++) {
        apr_array_header_t *list = page(&next, filter, after, limit,
                                        budget_ms);

        if (list->nelts > limit || (next && next <= after))
            return "a page is too long, or leads back";
        for (i = 0; i < list->nelts; i++)
            APR_ARRAY_PUSH(all, const char *) = svc_db_arg(
                APR_ARRAY_IDX(list, i, ticket_t).position, fixture.pool);
        after = next;
    }
    return apr_array_pstrcat(fixture.pool, all, ' ');
}

/* What walk must give, by a query that knows no index. */
static const char *expected(const tickets_list_filter_t *filter)
{
    static const char *const state[] = {
        "1", "order_id IS NOT NULL", "order_id IS NULL"
    };
    apr_pool_t *pool = fixture.pool;

    return fixture_text(db, apr_psprintf(pool,
        "SELECT position FROM tickets NOT INDEXED WHERE %s AND %s AND %s AND "
        "cents >= %" APR_INT64_T_FMT " AND cents <= %" APR_INT64_T_FMT
        " ORDER BY position", state[filter->reserved],
        filter->user_id ? apr_psprintf(pool, "user_id = '%s'", filter->user_id)
                        : "1",
        filter->title ? apr_psprintf(pool, "instr(lower(title), lower('%s'))",
                                     filter->title)
                      : "1",
        filter->min_cents,
        filter->max_cents < 0 ? APR_INT64_MAX : filter->max_cents));
}

/* --- what is shown ------------------------------------------------------------ */

/* 6000 tickets, 1200 of each price: one price is few, two are many. */
static void combinations(void)
{
    static const char *const users[] = { NULL, "user3", "nobody" };
    static const char *const titles[] = { NULL, "hamlet", "MACB", "nosuch" };
    static const int prices[][2] = { { -1, -1 }, { 200, 200 }, { 201, -1 },
                                     { -1, 199 }, { 150, 400 } };
    size_t u, t, p;
    int state, pages, wrong = 0, all = 0;

    fill(6000, 3);
    for (state = 0; state < 3; state++)
        for (u = 0; u < 3; u++)
            for (t = 0; t < 4; t++)
                for (p = 0; p < 5; p++) {
                    tickets_list_filter_t filter = { state, users[u], titles[t],
                                                     prices[p][0],
                                                     prices[p][1] };
                    const char *want = expected(&filter);
                    int limit = (all % 2) ? 97 : 1000;
                    int is_same = strcmp(walk(&pages, &filter, limit, LONG_MS),
                                         want) == 0;

                    all++;
                    wrong += !is_same;
                    if (!is_same)
                        printf("# state %d, user %s, title %s, price %d to "
                               "%d\n", state, users[u] ? users[u] : "-",
                               titles[t] ? titles[t] : "-", prices[p][0],
                               prices[p][1]);
                }
    is_int(wrong, 0, "all pages of all %d combinations of filters are what a "
                     "plain query gives", all);
}

static void pages(void)
{
    tickets_list_filter_t filter = { TICKETS_LIST_FREE, NULL, NULL, -1, -1 };
    apr_array_header_t *list;
    apr_int64_t next;

    fill(10, 10); /* free: 10 20 40 50 70 80 100 */
    list = page(&next, &filter, 0, 7, 0);
    ok(list->nelts == 7 && next == 0, "a full last page has no next one");
    list = page(&next, &filter, 0, 6, 0);
    ok(list->nelts == 6 && next == 80,
       "the next page begins after the last ticket of the page before");
    filter.title = "a";
    list = page(&next, &filter, 0, 7, 0);
    ok(list->nelts == 7 && next == 0, "so it is with a title");
    list = page(&next, &filter, 0, 6, 0);
    ok(list->nelts == 6 && next == 80, "... on each page");
    fixture_do(db, "UPDATE tickets SET order_id = 'x' WHERE position = 10");
    fixture_do(db, "UPDATE tickets SET order_id = NULL WHERE position = 60");
    list = page(&next, &filter, 50, 7, 0);
    ok(list->nelts == 4 && APR_ARRAY_IDX(list, 0, ticket_t).position == 60,
       "a ticket that was released is in its old place");
    list = page(&next, &filter, 0, 1, 0);
    is_int(APR_ARRAY_IDX(list, 0, ticket_t).position, 20,
           "one that was reserved is not");
    list = page(&next, &filter, APR_INT64_MAX, 7, 0);
    ok(list->nelts == 0 && next == 0, "nothing comes after the last position");
    fixture_do(db, "DELETE FROM tickets");
    list = page(&next, &filter, 0, 7, 0);
    ok(list->nelts == 0 && next == 0, "no ticket at all is one empty page");
}

static int finds(const char *title, const char *part)
{
    tickets_list_filter_t filter = { TICKETS_LIST_ANY, NULL, part, -1, -1 };
    const char *args[] = { title };
    apr_int64_t next;

    fill(1, 1);
    must(svc_db_run(NULL, db, fixture_sql("UPDATE tickets SET title = %s"),
                    args, fixture.pool));
    return page(&next, &filter, 0, 10, 0)->nelts;
}

static void titles(void)
{
    static const struct {
        const char *title, *part;
        int is_found;
    } cases[] = {
        { "Hamlet", "Hamlet", 1 }, { "Hamlet", "hAMLET", 1 },
        { "Hamlet", "aml", 1 }, { "Hamlet", "t", 1 }, { "Hamlet", "h", 1 },
        { "Hamlet", "Hamlets", 0 }, { "Hamlet", "x", 0 },
        { "aab", "ab", 1 }, { "aaab", "aab", 1 }, { "abac", "abad", 0 },
        { "100% true", "0% t", 1 }, { "1000 true", "0% t", 0 },
        { "a_b", "a_b", 1 }, { "acb", "a_b", 0 }, { "a%b", "%%", 0 },
        { "a\\b", "\\B", 1 }, { "a*b?[c]", "*B?[C", 1 }, { "abc", "a*c", 0 },
        { "it's", "T'S", 1 }, { "say \"x\"", "Y \"X", 1 },
        { "x", "' OR '1'='1", 0 }, { "x", "x') OR 1=1 --", 0 },
        { "Café", "CAFé", 1 }, { "Café", "CAFÉ", 0 }, { "É", "é", 0 },
        { "ÀÉ", "Àé", 0 }, { "Straße", "STRASSE", 0 }, { "Straße", "RAß", 1 },
        { "\xe2\x84\xaa", "k", 0 }, { "I", "ı", 0 }, { "日本", "本", 1 },
        { "a b", "A B", 1 }, { "a  b", "a b", 0 }, { "[", "{", 0 },
        { "@", "`", 0 }
    };
    size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        is_int(finds(cases[i].title, cases[i].part), cases[i].is_found,
               "\"%s\" is %sa part of \"%s\"", cases[i].part,
               cases[i].is_found ? "" : "not ", cases[i].title);
}

/* --- how it is searched ------------------------------------------------------- */

static void windows(void)
{
    tickets_list_filter_t filter = { TICKETS_LIST_ANY, NULL, "needle", -1, -1 };
    apr_array_header_t *list;
    apr_int64_t next;
    int count;

    fill(50000, 1);
    list = page(&next, &filter, 0, 10, 0);
    ok(list->nelts == 0 && next == TICKETS_LIST_WINDOW,
       "when the time is over the page is short, and the next one goes on "
       "after what was looked at");
    is_str(walk(&count, &filter, 10, 0), "", "nothing is found on any page");
    is_int(count, 3, "... of one window each");
    list = page(&next, &filter, 0, 10, LONG_MS);
    ok(list->nelts == 0 && next == 0, "with time enough one page tells that");
    fixture_do(db, "UPDATE tickets SET title = 'Needle' WHERE position IN "
                   "(5, 20000, 20001, 49999, 50000)");
    is_str(walk(&count, &filter, 10, LONG_MS), "5 20000 20001 49999 50000",
           "what is far apart is found on one page");
    is_int(count, 1, "... of one");
    is_str(walk(&count, &filter, 10, 0), "5 20000 20001 49999 50000",
           "with little time it is found all the same");
    is_int(count, 3, "... on more pages");
    list = page(&next, &filter, 0, 2, 0);
    ok(list->nelts == 2 && next == TICKETS_LIST_WINDOW,
       "a page that is full when the time is over has a next one");
    list = page(&next, &filter, 0, 1, 0);
    ok(list->nelts == 1 && next == 5, "a full one goes on after its last");
    list = page(&next, &filter, 49999, 1, 0);
    ok(list->nelts == 1 && next == 0,
       "a ticket in the last place is on a last page");

    fixture_do(db, "UPDATE tickets SET position = position * 1000000");
    is_str(walk(&count, &filter, 10, LONG_MS),
           "5000000 20000000000 20001000000 49999000000 50000000000",
           "windows grow where there are few tickets");
    is_int(count, 1, "... so that gaps take no time");
}

static void prices(void)
{
    tickets_list_filter_t filter = { TICKETS_LIST_ANY, NULL, NULL, 12345,
                                     12345 };
    apr_array_header_t *list;
    apr_int64_t next;

    fill(100000, 1);
    fixture_do(db, "UPDATE tickets SET cents = 12345 "
                   "WHERE position IN (70, 99990)");
    list = page(&next, &filter, 0, 10, 0);
    ok(list->nelts == 2 && next == 0,
       "what has a rare price is found at once, however far apart");
    list = page(&next, &filter, 70, 10, 0);
    ok(list->nelts == 1 && next == 0, "... on any page");
    list = page(&next, &filter, 0, 1, 0);
    ok(list->nelts == 1 && next == 70, "... of any length");
    filter.title = "macbeth"; /* 70 is, 99990 is */
    filter.reserved = TICKETS_LIST_RESERVED; /* 99990 is */
    list = page(&next, &filter, 0, 10, 0);
    ok(list->nelts == 1 && next == 0 &&
           APR_ARRAY_IDX(list, 0, ticket_t).position == 99990,
       "... with any other filter");
    filter = (tickets_list_filter_t){ TICKETS_LIST_ANY, "nobody", NULL, 100,
                                      -1 };
    list = page(&next, &filter, 0, 10, 0);
    ok(list->nelts == 0 && next == TICKETS_LIST_WINDOW,
       "what has a common price is searched for in windows");
}

/* --- how the database does it ------------------------------------------------- */

static svc_err_t *take_detail(void *baton, const svc_db_row_t *row)
{
    char **plan = baton;

    *plan = apr_pstrcat(fixture.pool, *plan, svc_db_row_text(row, 3), "\n",
                        NULL);
    return NULL;
}

static const char *plan_of(const svc_db_sql_t *sql)
{
    static const char *const args[] = {
        "1", "1", "1", "1", "1", "1", "1", "1", "1", "1",
        "1", "1", "1", "1", "1", "1", "1", "1", "1", "1"
    };
    svc_db_sql_t *explain = apr_pmemdup(fixture.pool, sql, sizeof(*sql));
    char *plan = apr_pstrdup(fixture.pool, "");

    explain->text[SVC_DB_SQLITE] = apr_pstrcat(
        fixture.pool, "EXPLAIN QUERY PLAN ", sql->text[SVC_DB_SQLITE], NULL);
    must(svc_db_each(db, explain, args, take_detail, &plan, fixture.pool));
    return plan;
}

static void plans(const char *when)
{
    static const struct {
        const char *label, *search;
        int sorts; /* what it reads is not in order, but little */
    } wanted[] = {
        { "all", "tickets_position (position>?)", 0 },
        { "state", "tickets_reserved (is_reserved=? AND position>?)", 0 },
        { "user_state",
          "tickets_user (user_id=? AND is_reserved=? AND position>?)", 0 },
        { "user",
          "tickets_user (user_id=? AND is_reserved=? AND position>?)", 1 },
        { "window_all", "tickets_position (position>? AND position<?)", 0 },
        { "window_state", "tickets_reserved (is_reserved=? AND position>? AND "
                          "position<?)", 0 },
        { "window_user_state", "tickets_user (user_id=? AND is_reserved=? AND "
                               "position>? AND position<?)", 0 },
        { "window_user", "tickets_user (user_id=? AND is_reserved=? AND "
                         "position>? AND position<?)", 1 },
        { "count", "tickets_price (cents>? AND cents<?)", 0 },
        { "priced", "tickets_price (cents>? AND cents<?)", 1 }
    };
    size_t i;

    for (i = 0; tickets_list_store_sql[i].label; i++) {
        const char *plan = plan_of(&tickets_list_store_sql[i]);
        const char *name = tickets_list_store_sql[i].label +
                           strlen("tickets_list_store_");

        is_str(name, wanted[i].label, "the plan of %s, %s", name, when);
        if (!ok(strstr(plan, wanted[i].search) && !strstr(plan, "SCAN tickets"),
                "... searches %s", wanted[i].search) ||
            !ok((strstr(plan, "TEMP B-TREE") != NULL) == wanted[i].sorts,
                "... and sorts %s", wanted[i].sorts ? "little" : "nothing"))
            printf("# %s", plan);
    }
    is_int(i, sizeof(wanted) / sizeof(wanted[0]), "these are all");
}

/* --- an older database -------------------------------------------------------- */

static void upgrade(void)
{
    svc_schema_t old = { "tickets", 2, tickets_schema.steps,
                         tickets_schema.read_version };
    tickets_list_filter_t filter = { TICKETS_LIST_RESERVED, "user0", NULL, -1,
                                     -1 };
    int count;

    db = fixture_open("old.db");
    must(svc_schema_migrate(db, &old, fixture.pool));
    fill(500, 2);
    svc_db_close(db);
    db = fixture_open("old.db");
    succeeds(svc_schema_migrate(db, &tickets_schema, fixture.pool),
             "a database with tickets in it is upgraded");
    is_int(fixture_int(db, "SELECT COUNT(*) FROM tickets WHERE is_reserved = "
                           "(order_id IS NOT NULL)"), 500,
           "each ticket is in the state that it was in");
    is_str(walk(&count, &filter, 7, 0), expected(&filter),
           "and is listed by it");
    is_str(fixture_text(db, "PRAGMA integrity_check"), "ok",
           "the database is whole");
    svc_db_close(db);
}

int main(void)
{
    fixture_begin();
    upgrade();
    db = fixture_open("x.db");
    must(svc_schema_migrate(db, &tickets_schema, fixture.pool));
    combinations();
    pages();
    titles();
    windows();
    prices();
    plans("with nothing known of the tables");
    fixture_do(db, "ANALYZE");
    svc_db_close(db);
    db = fixture_open("x.db");
    plans("with statistics");
    svc_db_close(db);
    return fixture_end();
}
