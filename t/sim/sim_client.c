/* sim_client: see the header. */
#include "sim_client.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "orders_service.h"
#include "tickets_service.h"

#define MAX_REQUESTS 24

typedef enum { CREATE_TICKET, EDIT_TICKET, CREATE_ORDER, CANCEL_ORDER } what_t;

/* What a command works on; it lives in the command's pool. */
typedef struct change_t {
    ticket_t ticket; /* in: as sent; out: as it is now */
    order_t order;   /* the same */
    svc_etag_condition_t condition;
    apr_int64_t expiration_ms;
} change_t;

typedef struct request_t {
    sim_node_t *node; /* NULL: a free place */
    what_t what;
    svc_command_t *command;
    change_t *change;
    char id[SVC_ID_LENGTH + 1], user[12];
    int must_succeed;
} request_t;

static struct {
    request_t requests[MAX_REQUESTS];
    int max_tickets;
    int sold;  /* requests to sell one */
    int asked; /* makes titles different */
} clients;

sim_client_counts_t sim_client_counts;

void sim_client_begin(int max_tickets)
{
    memset(&clients, 0, sizeof(clients));
    clients.max_tickets = max_tickets;
}

/* --- what mod_tickets_http and mod_orders_http run ------------------------------ */

static svc_err_t *create_ticket(void *baton, svc_stream_tx_t *tx,
                                apr_pool_t *pool)
{
    change_t *change = baton;

    return tickets_service_create(&change->ticket, tx, pool);
}

static svc_err_t *edit_ticket(void *baton, svc_stream_tx_t *tx,
                              apr_pool_t *pool)
{
    change_t *change = baton;
    ticket_t ticket = change->ticket; /* it may be run again: keep the input */
    svc_err_t *err = tickets_service_edit(&ticket, tx, &change->condition,
                                          pool);

    if (!err)
        change->ticket = ticket;
    return err;
}

static svc_err_t *create_order(void *baton, svc_stream_tx_t *tx,
                               apr_pool_t *pool)
{
    change_t *change = baton;
    orders_terms_t terms = { change->expiration_ms, 0 };

    return orders_service_create(&change->order, tx, &terms, pool);
}

static svc_err_t *cancel_order(void *baton, svc_stream_tx_t *tx,
                               apr_pool_t *pool)
{
    change_t *change = baton;

    return orders_service_cancel(tx, change->order.id, change->order.user_id,
                                 &change->condition, pool);
}

/* --- asking ----------------------------------------------------------------------- */

/* Hands in REQUEST, which has a user and perhaps an id. */
static void submit(request_t *request, sim_node_t *node, what_t what,
                   const char *tag)
{
    static const svc_writer_run_fn run[] = { create_ticket, edit_ticket,
                                             create_order, cancel_order };
    static const char *const names[] = { "sells a ticket", "edits ticket",
                                         "orders ticket", "cancels order" };
    apr_pool_t *pool;
    void *baton;

    request->node = node;
    request->what = what;
    sim_world_lend(&node->process);
    request->command = svc_writer_command(&baton, sizeof(change_t),
                                          *request->id ? request->id : NULL,
                                          run[what]);
    sim_world_lend(NULL);
    pool = svc_writer_command_pool(request->command);
    request->change = baton;
    request->change->ticket = (ticket_t){
        .id = apr_pstrdup(pool, request->id),
        .title = apr_psprintf(pool, "T%d", ++clients.asked),
        .user_id = apr_pstrdup(pool, request->user),
        .cents = 100 + clients.asked
    };
    request->change->order = (order_t){
        .id = request->change->ticket.id, .user_id = apr_pstrdup(pool,
                                                           request->user),
        .ticket_id = request->change->ticket.id
    };
    request->change->condition.if_match = apr_pstrdup(pool, tag);
    request->change->expiration_ms = node->config->expiration_ms;
    sim_client_counts.asked++;
    sim_world_trace("%s: %s %s %s", node->process.name, request->user,
                    names[what], sim_world_short(request->id));
    svc_writer_submit(node->writer, request->command);
}

static void set_user(request_t *request, const char *user)
{
    if (user)
        apr_cpystrn(request->user, user, sizeof(request->user));
    else
        sprintf(request->user, "u%d", sim_world_pick(SIM_MODEL_USERS));
}

static void ask_tickets(request_t *request, sim_node_t *node)
{
    const sim_model_t *model = &node->store->model;
    const sim_model_ticket_t *ticket;
    char tag[24];

    if (clients.sold < clients.max_tickets && sim_world_chance(500)) {
        clients.sold++;
        set_user(request, NULL);
        submit(request, node, CREATE_TICKET, NULL);
        return;
    }
    if (model->ticket_count == 0)
        return;
    ticket = &model->tickets[sim_world_pick(model->ticket_count)];
    if (ticket->version > SIM_MODEL_VERSIONS / 2)
        return;
    apr_cpystrn(request->id, ticket->id, sizeof(request->id));
    set_user(request, sim_world_chance(900) ? ticket->at[0].seller : NULL);
    sprintf(tag, "\"%d\"", ticket->version);
    submit(request, node, EDIT_TICKET, sim_world_chance(300) ? tag : NULL);
}

static void ask_orders(request_t *request, sim_node_t *node)
{
    sim_model_t *model = &node->store->model;
    const sim_model_t *tickets = &sim_model_tickets()->model;
    sim_model_order_t *order;

    if (model->order_count > 0 && sim_world_chance(350)) {
        int newest = model->order_count < 6 ? model->order_count : 6;

        order = &model->orders[model->order_count - 1 -
                               sim_world_pick(newest)];
        apr_cpystrn(request->id, order->id, sizeof(request->id));
        set_user(request, sim_world_chance(900) ? order->user : NULL);
        order->is_cancel_asked |= strcmp(request->user, order->user) == 0;
        submit(request, node, CANCEL_ORDER, NULL);
    } else if (tickets->ticket_count > 0 &&
               model->order_count + MAX_REQUESTS < SIM_MODEL_ORDERS) {
        apr_cpystrn(request->id, tickets->tickets[sim_world_pick(
                                     tickets->ticket_count)].id,
                    sizeof(request->id));
        set_user(request, NULL);
        submit(request, node, CREATE_ORDER, NULL);
    }
}

/* A free place; NULL: all wait. */
static request_t *new_request(void)
{
    int i;

    for (i = 0; i < MAX_REQUESTS; i++) {
        if (!clients.requests[i].node) {
            memset(&clients.requests[i], 0, sizeof(clients.requests[i]));
            return &clients.requests[i];
        }
    }
    return NULL;
}

void sim_client_order(sim_node_t *node, const char *ticket_id)
{
    request_t *request = new_request();

    if (!request)
        return;
    apr_cpystrn(request->id, ticket_id, sizeof(request->id));
    set_user(request, NULL);
    request->must_succeed = 1;
    submit(request, node, CREATE_ORDER, NULL);
}

void sim_client_ask(sim_node_t *node)
{
    request_t *request = new_request();

    if (!request)
        return;
    if (node->store->kind == SIM_MODEL_OF_TICKETS)
        ask_tickets(request, node);
    else
        ask_orders(request, node);
}

/* --- the answers -------------------------------------------------------------------- */

/* What was granted must be there. */
static void hold_to_it(const request_t *request)
{
    sim_store_t *store = request->node->store;
    const change_t *change = request->change;
    const sim_model_ticket_t *ticket;
    const sim_model_order_t *order;

    switch (request->what) {
    case CREATE_TICKET:
    case EDIT_TICKET:
        ticket = sim_model_ticket(store, change->ticket.id);
        if (!ticket || ticket->version < change->ticket.version ||
            strcmp(ticket->at[change->ticket.version].title,
                   change->ticket.title) != 0 ||
            ticket->at[change->ticket.version].cents != change->ticket.cents)
            sim_world_broken("a change of ticket %s was acknowledged, and is "
                             "not there", sim_world_short(change->ticket.id));
        break;
    case CREATE_ORDER:
        order = sim_model_order(store, change->order.id);
        if (!order || strcmp(order->user, request->user) != 0 ||
            strcmp(order->ticket_id, request->id) != 0 ||
            order->expires_at != change->order.expires_at)
            sim_world_broken("order %s was acknowledged, and is not there",
                             sim_world_short(change->order.id));
        break;
    case CANCEL_ORDER:
        order = sim_model_order(store, request->id);
        if (!order || strcmp(order->status, "cancelled") != 0)
            sim_world_broken("the end of order %s was acknowledged, and it is "
                             "%s", sim_world_short(request->id),
                             order ? order->status : "not there");
        break;
    }
}

static void take_answer(request_t *request, const svc_err_t *err)
{
    if (err) {
        sim_client_counts.refused++;
        sim_world_trace("%s answers %s: no: %s", request->node->process.name,
                        request->user, err->message);
        if (request->must_succeed)
            sim_world_broken("ticket %s is free, and cannot be ordered: %s",
                             sim_world_short(request->id), err->message);
        if (!svc_err_is_domain(err))
            sim_world_broken("a request failed for no fault of its own: %s",
                             err->detail ? err->detail : err->message);
    } else {
        sim_client_counts.granted++;
        sim_world_trace("%s answers %s: yes", request->node->process.name,
                        request->user);
        hold_to_it(request);
    }
    svc_writer_release(request->command);
    request->node = NULL;
}

void sim_client_look(sim_node_t *node)
{
    svc_err_t *err;
    int i;

    for (i = 0; i < MAX_REQUESTS; i++) {
        request_t *request = &clients.requests[i];

        if (request->node == node &&
            svc_writer_is_done(&err, node->writer, request->command))
            take_answer(request, err);
    }
}

void sim_client_lose(const sim_node_t *node)
{
    int i;

    for (i = 0; i < MAX_REQUESTS; i++) {
        if (clients.requests[i].node == node) {
            clients.requests[i].node = NULL;
            sim_client_counts.unknown++;
        }
    }
}

int sim_client_is_idle(void)
{
    int i;

    for (i = 0; i < MAX_REQUESTS; i++) {
        if (clients.requests[i].node)
            return 0;
    }
    return 1;
}
