/* mod_tickets_http: see the header. Each route parses, calls the service and
 * answers; the rules are in tickets_service.
 */
#include "mod_tickets_http.h"

#include <apr_strings.h>

#include "svc_ap_query.h"
#include "svc_ap_worker.h"
#include "tickets_json.h"
#include "tickets_service.h"

/* What POST and PUT hand to the writer. */
typedef struct change_t {
    ticket_t ticket; /* in: as sent; out: as it is now */
    svc_etag_condition_t condition;
} change_t;

static svc_err_t *list(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    svc_json_t *json = svc_json_array(r->pool);
    svc_ap_query_t *query = svc_ap_query_read(r, NULL);
    svc_ap_query_page_t page = svc_ap_query_page(
        query, TICKETS_DEFAULT_LIMIT, TICKETS_MAX_LIMIT);
    svc_ap_db_loan_t loan;
    apr_array_header_t *tickets;
    svc_err_t *err;
    int i;

    if ((err = svc_ap_query_end(query)) ||
        (err = svc_ap_worker_borrow(&loan, request->instance, r)))
        return err;
    /* One more than asked for tells whether there is a next page. */
    err = tickets_service_list(&tickets, loan.db, page.after, page.limit + 1,
                               r->pool);
    svc_ap_db_give_back(&loan);
    if (err)
        return err;
    for (i = 0; i < tickets->nelts && i < page.limit; i++)
        svc_json_append(json, tickets_json_write(
                                  &APR_ARRAY_IDX(tickets, i, ticket_t),
                                  r->pool));
    if (tickets->nelts > page.limit)
        svc_ap_query_link_next(
            query, &page,
            APR_ARRAY_IDX(tickets, page.limit - 1, ticket_t).position);
    svc_ap_http_send(r, HTTP_OK, json);
    return NULL;
}

static svc_err_t *get(svc_ap_request_t *request)
{
    request_rec *r = request->r;
    svc_ap_db_loan_t loan;
    ticket_t ticket;
    int is_known;
    svc_err_t *err = svc_ap_worker_borrow(&loan, request->instance, r);

    if (err)
        return err;
    err = tickets_service_get(&ticket, loan.db, request->id, r->pool);
    svc_ap_db_give_back(&loan);
    if (err)
        return err;
    err = svc_ap_http_is_known(&is_known, r,
                               tickets_service_etag(&ticket, r->pool));
    if (!err && !is_known)
        svc_ap_http_send(r, HTTP_OK, tickets_json_write(&ticket, r->pool));
    return err;
}

static svc_err_t *run_create(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    change_t *change = baton;

    return tickets_service_create(&change->ticket, tx, pool);
}

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

/* Reads the body into a new command. */
static svc_err_t *read_change(svc_command_t **command, change_t **change,
                              svc_ap_request_t *request,
                              svc_writer_run_fn run)
{
    request_rec *r = request->r;
    svc_json_t *body;
    apr_pool_t *pool;
    void *baton;
    svc_err_t *err = svc_ap_http_read_json(&body, &request->status, r,
                                           request->instance);

    if (err || request->status != OK)
        return err;
    *command = svc_ap_worker_command(&baton, sizeof(**change), request->id,
                                     run, r);
    pool = svc_writer_command_pool(*command);
    *change = baton;
    (*change)->condition = svc_ap_http_condition(r, pool);
    (*change)->ticket.id = apr_pstrdup(pool, request->id);
    (*change)->ticket.user_id = apr_pstrdup(pool, request->user);
    return tickets_json_read(&(*change)->ticket, body, pool);
}

static svc_err_t *change(svc_ap_request_t *request, svc_writer_run_fn run,
                         int status)
{
    request_rec *r = request->r;
    svc_command_t *command = NULL;
    change_t *changed = NULL;
    svc_err_t *err = read_change(&command, &changed, request, run);

    if (err || request->status != OK ||
        (err = svc_ap_worker_execute(request->instance, command, r->pool)))
        return err;
    apr_table_setn(r->headers_out, "ETag",
                   tickets_service_etag(&changed->ticket, r->pool));
    if (status == HTTP_CREATED)
        apr_table_setn(r->headers_out, "Location",
                       apr_pstrcat(r->pool, request->base, "/",
                                   changed->ticket.id, NULL));
    svc_ap_http_send(r, status, tickets_json_write(&changed->ticket, r->pool));
    return NULL;
}

static svc_err_t *create(svc_ap_request_t *request)
{
    return change(request, run_create, HTTP_CREATED);
}

static svc_err_t *edit(svc_ap_request_t *request)
{
    return change(request, run_edit, HTTP_OK);
}

const svc_ap_route_t mod_tickets_http_routes[] = {
    { "GET", 0, 0, list },
    { "POST", 0, 1, create },
    { "GET", 1, 0, get },
    { "PUT", 1, 1, edit },
    { NULL, 0, 0, NULL }
};
