/* mod_tickets_http: see the header. Each route parses, calls the service and
 * answers; the rules are in tickets_service.
 */
#include "mod_tickets_http.h"

#include <apr_strings.h>

#include "svc_ap_create.h"
#include "svc_ap_fetch.h"
#include "svc_ap_history.h"
#include "svc_ap_query.h"
#include "svc_ap_worker.h"
#include "svc_id.h"
#include "tickets_json.h"
#include "tickets_list.h"
#include "tickets_service.h"

/* --- reading -------------------------------------------------------------------- */

/* The first COUNT of TICKETS. */
static svc_json_t *write_all(const apr_array_header_t *tickets, int count,
                             apr_pool_t *pool)
{
    svc_json_t *json = svc_json_array(pool);
    int i;

    for (i = 0; i < count; i++)
        svc_json_append(json, tickets_json_write(
                                  &APR_ARRAY_IDX(tickets, i, ticket_t), pool));
    return json;
}

static tickets_list_filter_t read_filter(svc_ap_query_t *query)
{
    static const char *const reserved[] = { "any", "true", "false", NULL };
    tickets_list_filter_t filter;

    /* The places of the words are the values of tickets_list_reserved_t. */
    filter.reserved = svc_ap_query_choice(query, "reserved", reserved,
                                          TICKETS_LIST_FREE);
    filter.user_id = svc_ap_query_text(query, "userId",
                                       TICKETS_LIST_MAX_USER);
    filter.title = svc_ap_query_text(query, "title", TICKETS_MAX_TITLE);
    filter.min_cents = svc_ap_query_cents(query, "minPrice");
    filter.max_cents = svc_ap_query_cents(query, "maxPrice");
    if (filter.max_cents >= 0 && filter.min_cents > filter.max_cents)
        svc_ap_query_refuse(query, "maxPrice",
                            "maxPrice must not be less than minPrice");
    return filter;
}

static svc_err_t *list(svc_ap_request_t *request)
{
    static const char *const filters[] = { "reserved", "userId", "title",
                                           "minPrice", "maxPrice", NULL };
    request_rec *r = request->r;
    svc_ap_query_t *query = svc_ap_query_read(r, filters);
    svc_ap_query_page_t page = svc_ap_query_page(query);
    tickets_list_filter_t filter = read_filter(query);
    svc_ap_db_loan_t loan;
    apr_array_header_t *tickets;
    apr_int64_t next;
    svc_err_t *err;

    if ((err = svc_ap_query_end(query)) ||
        (err = svc_ap_worker_borrow(&loan, request->instance, r)))
        return err;
    err = tickets_list_page(&tickets, &next, loan.db, &filter, page.after,
                            page.limit, TICKETS_LIST_BUDGET_MS, r->pool);
    svc_ap_db_give_back(&loan);
    if (err)
        return err;
    if (next)
        svc_ap_query_link_next(query, &page, next);
    svc_ap_http_send(r, HTTP_OK, write_all(tickets, tickets->nelts,
                                             r->pool));
    return NULL;
}

static svc_err_t *get(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    const char *id = svc_id_parse(request->id, r->pool);
    const void *row = NULL;
    const ticket_t *ticket;
    int is_known;
    svc_err_t *err = NULL;

    if (id)
        err = svc_ap_fetch(&row, request->instance, id,
                           tickets_service_get_many, r);
    if (!err && !row)
        err = svc_err_make(r->pool, SVC_ERR_NOT_FOUND,
                           "There is no such ticket");
    if (err)
        return err;
    ticket = row;
    err = svc_ap_http_is_known(&is_known, r,
                               tickets_service_etag(ticket, r->pool));
    if (!err && !is_known)
        svc_ap_http_send(r, HTTP_OK, tickets_json_write(ticket, r->pool));
    return err;
}

static svc_err_t *history(svc_ap_request_t *request)
{
    return svc_ap_history_answer(request, tickets_service_history);
}

/* --- one ticket or many are created --------------------------------------------- */

/* What POST hands to the writer; CREATED is anew at each run. */
typedef struct creation_t {
    apr_array_header_t *wanted, *created; /* ticket_t */
    int is_many;
} creation_t;

static svc_err_t *run_create(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    creation_t *creation = baton;
    svc_err_t *err = NULL;
    int i;

    creation->created = apr_array_copy(pool, creation->wanted);
    for (i = 0; i < creation->created->nelts && !err; i++)
        err = tickets_service_create(
            &APR_ARRAY_IDX(creation->created, i, ticket_t), tx, pool);
    return err;
}

static void describe(svc_idempotency_answer_t *out, const void *baton,
                     apr_pool_t *pool)
{
    const creation_t *creation = baton;
    const ticket_t *first = (const ticket_t *)creation->created->elts;
    svc_json_t *json = creation->is_many
                           ? write_all(creation->created,
                                       creation->created->nelts, pool)
                           : tickets_json_write(first, pool);

    if (!creation->is_many) {
        out->id = first->id;
        out->etag = tickets_service_etag(first, pool);
    }
    out->body = svc_json_text(NULL, json, pool);
}

static svc_err_t *create(svc_ap_request_t *request)
{
    svc_ap_create_t *create;
    creation_t *creation;
    svc_json_t *body;
    const char *user;
    int i;
    svc_err_t *err = svc_ap_http_read_json(&body, &request->status, request->r,
                                           request->instance, 1);

    if (err || request->status != OK ||
        (err = svc_ap_create_prepare(&create, request, body,
                                     sizeof(*creation), NULL, run_create,
                                     describe)))
        return err;
    creation = create->baton;
    creation->is_many = svc_json_is_array(body);
    if ((err = tickets_json_read_all(&creation->wanted, body, create->pool)))
        return err;
    user = apr_pstrdup(create->pool, request->user);
    for (i = 0; i < creation->wanted->nelts; i++)
        APR_ARRAY_IDX(creation->wanted, i, ticket_t).user_id = user;
    svc_writer_command_weigh(create->command, creation->wanted->nelts);
    return svc_ap_create_execute(create, request);
}

/* --- one is edited -------------------------------------------------------------- */

/* What PUT hands to the writer. */
typedef struct change_t {
    ticket_t ticket; /* in: as sent; out: as it is now */
    svc_etag_condition_t condition;
} change_t;

static svc_err_t *run_edit(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    change_t *change = baton;
    ticket_t ticket = change->ticket; /* it may be run again: keep the input */
    svc_err_t *err = tickets_service_edit(&ticket, tx, &change->condition,
                                          pool);

    if (!err)
        change->ticket = ticket;
    return err;
}

static svc_err_t *edit(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    svc_command_t *command;
    change_t *change;
    svc_json_t *body;
    apr_pool_t *pool;
    void *baton;
    svc_err_t *err = svc_ap_http_read_json(&body, &request->status, r,
                                           request->instance, 0);

    if (err || request->status != OK)
        return err;
    command = svc_ap_worker_command(&baton, sizeof(*change), request->id,
                                    run_edit, r);
    pool = svc_writer_command_pool(command);
    change = baton;
    change->condition = svc_ap_http_condition(r, pool);
    change->ticket.id = apr_pstrdup(pool, request->id);
    change->ticket.user_id = apr_pstrdup(pool, request->user);
    if ((err = tickets_json_read(&change->ticket, body, pool)) ||
        (err = svc_ap_worker_execute(request->instance, command, r->pool)))
        return err;
    apr_table_setn(r->headers_out, "ETag",
                   tickets_service_etag(&change->ticket, r->pool));
    svc_ap_http_send(r, HTTP_OK, tickets_json_write(&change->ticket, r->pool));
    return NULL;
}

const svc_ap_route_t mod_tickets_http_routes[] = {
    { "GET", "", 0, list, NULL },
    { "POST", "", 1, create, NULL },
    { "GET", ":id", 0, get, NULL },
    { "PUT", ":id", 1, edit, NULL },
    { "GET", ":id/history", 1, history, NULL },
    { NULL, NULL, 0, NULL, NULL }
};
