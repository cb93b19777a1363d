/* tickets_list: see the header. */
#include "tickets_list.h"

#include "svc_time.h"

/* A window that takes less makes the next one larger, one that takes more makes
 * it smaller; so the last one is not over the time by much. */
#define QUICK_MS 20
#define SLOW_MS 80

/* Reads a part of the list: tickets_list_store_window or _priced. */
typedef svc_err_t *(*read_fn)(apr_array_header_t **out, svc_db_t *db,
                              const tickets_list_filter_t *filter,
                              apr_int64_t after, apr_int64_t up_to, int limit,
                              apr_pool_t *pool);

/* A search on its way. */
typedef struct search_t {
    svc_db_t *db;
    const tickets_list_filter_t *filter;
    read_fn read;
    apr_int64_t at;    /* the last position that was looked at */
    apr_int64_t last;  /* and the last that there is */
    apr_int64_t width; /* of the next window */
    apr_array_header_t *found;
    int wanted;
    apr_pool_t *pool;
} search_t;

static int fold(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter;
}

/* PART stands in TEXT, where ASCII letters are the same in either case and all
 * others are not: what the engines say of those differs. */
static int has_part(const char *text, const char *part)
{
    size_t i;

    for (;; text++) {
        for (i = 0; part[i] && fold(text[i]) == fold(part[i]); i++)
            ;
        if (!part[i])
            return 1;
        if (!*text)
            return 0;
    }
}

/* Reads one window, as far as tickets are wanted. */
static svc_err_t *search_window(search_t *search)
{
    const char *part = search->filter->title ? search->filter->title : "";
    apr_int64_t up_to = search->last - search->at > search->width
                            ? search->at + search->width
                            : search->last;
    int limit = search->wanted - search->found->nelts, i;
    apr_array_header_t *read;
    svc_err_t *err = search->read(&read, search->db, search->filter,
                                  search->at, up_to, limit, search->pool);

    if (err)
        return err;
    for (i = 0; i < read->nelts; i++) {
        const ticket_t *ticket = &APR_ARRAY_IDX(read, i, ticket_t);

        if (has_part(ticket->title, part))
            APR_ARRAY_PUSH(search->found, ticket_t) = *ticket;
    }
    search->at = read->nelts < limit
                     ? up_to
                     : APR_ARRAY_IDX(read, limit - 1, ticket_t).position;
    return NULL;
}

static svc_err_t *search_all(search_t *search, apr_int64_t budget_ms)
{
    apr_int64_t begin = svc_time_ticks(), now = begin;
    int is_over = 0;
    svc_err_t *err = NULL;

    while (!err && !is_over && search->at < search->last &&
           search->found->nelts < search->wanted) {
        apr_int64_t window_begin = now, from = search->at;

        err = search_window(search);
        now = svc_time_ticks();
        /* Not when it ended at its limit of rows: that says nothing of it. */
        if (now - window_begin < QUICK_MS && search->at >= from + search->width)
            search->width *= 2;
        else if (now - window_begin > SLOW_MS)
            search->width = search->width / 2 + 1;
        is_over = now - begin >= budget_ms;
    }
    return err;
}

/* Chooses how to search. */
static svc_err_t *begin_search(search_t *search)
{
    const tickets_list_filter_t *filter = search->filter;
    apr_int64_t count = 0;
    svc_err_t *err = tickets_list_store_last(&search->last, search->db,
                                             search->pool);

    search->read = tickets_list_store_window;
    search->width = TICKETS_LIST_WINDOW;
    if (err || (filter->min_cents < 0 && filter->max_cents < 0))
        return err;
    err = tickets_list_store_count(&count, search->db, filter,
                                   TICKETS_LIST_PRICED + 1, search->pool);
    if (count <= TICKETS_LIST_PRICED) { /* all of them at once */
        search->read = tickets_list_store_priced;
        search->width = search->last;
    }
    return err;
}

static svc_err_t *search_page(apr_array_header_t **out, apr_int64_t *next,
                              svc_db_t *db,
                              const tickets_list_filter_t *filter,
                              apr_int64_t after, int limit,
                              apr_int64_t budget_ms, apr_pool_t *pool)
{
    search_t search = { .db = db, .filter = filter, .at = after,
                        .wanted = limit + 1, .pool = pool };
    svc_err_t *err;

    search.found = apr_array_make(pool, limit < 64 ? limit : 64,
                                  sizeof(ticket_t));
    if (!(err = begin_search(&search)))
        err = search_all(&search, budget_ms);
    *out = search.found;
    *next = search.at < search.last ? search.at : 0;
    return err;
}

svc_err_t *tickets_list_page(apr_array_header_t **out, apr_int64_t *next,
                             svc_db_t *db, const tickets_list_filter_t *filter,
                             apr_int64_t after, int limit,
                             apr_int64_t budget_ms, apr_pool_t *pool)
{
    int is_search = filter->title || filter->min_cents >= 0 ||
                    filter->max_cents >= 0;
    svc_err_t *err;

    /* One more than asked for tells whether there is a next page. */
    *next = 0;
    err = is_search ? search_page(out, next, db, filter, after, limit,
                                  budget_ms, pool)
                    : tickets_list_store_page(out, db, filter, after,
                                              limit + 1, pool);
    if (!err && (*out)->nelts > limit) {
        *next = APR_ARRAY_IDX(*out, limit - 1, ticket_t).position;
        (*out)->nelts = limit;
    }
    return err;
}
