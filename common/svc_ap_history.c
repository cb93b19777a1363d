/* svc_ap_history: see the header. */
#include "svc_ap_history.h"

#include <string.h>

#include <apr_strings.h>

#include "svc_ap_query.h"
#include "svc_ap_worker.h"

/* The first COUNT events as an array; they are JSON already. */
static const char *join(const svc_stream_history_t *history, int count,
                        apr_pool_t *pool)
{
    apr_array_header_t *parts = apr_array_make(pool, count,
                                               sizeof(const char *));
    int i;

    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(parts, const char *) =
            APR_ARRAY_IDX(history->entries, i, svc_stream_entry_t).text;
    return apr_pstrcat(pool, "[", apr_array_pstrcat(pool, parts, ','), "]",
                       NULL);
}

svc_err_t *svc_ap_history_answer(svc_ap_request_t *request,
                                 svc_ap_history_read_fn read)
{
    request_rec *r = request->r;
    const svc_ap_instance_t *instance = request->instance;
    svc_ap_query_t *query = svc_ap_query_read(r, NULL);
    svc_ap_query_page_t page = svc_ap_query_page(query);
    svc_stream_history_t history;
    svc_ap_db_loan_t loan;
    const char *text;
    svc_err_t *err;
    int count;

    if ((err = svc_ap_query_end(query)) ||
        (err = svc_ap_worker_borrow(&loan, instance, r)))
        return err;
    /* One more than asked for tells whether there is a next page. */
    err = read(&history, loan.db, instance->writer_config.stream, request->id,
               request->user, page.after, page.limit + 1, r->pool);
    svc_ap_db_give_back(&loan);
    if (err)
        return err;
    count = history.entries->nelts > page.limit ? page.limit
                                                : history.entries->nelts;
    if (count < history.entries->nelts)
        svc_ap_query_link_next(query, &page,
                               APR_ARRAY_IDX(history.entries, count - 1,
                                             svc_stream_entry_t).position);
    apr_table_setn(r->headers_out, "History-Complete",
                   history.is_complete ? "true" : "false");
    text = join(&history, count, r->pool);
    svc_ap_http_send_text(r, HTTP_OK, text, strlen(text));
    return NULL;
}
