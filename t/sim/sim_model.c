/* sim_model: see the header. */
#include "sim_model.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <apr_strings.h>

#include "sim_payments.h"
#include "sim_world.h"

sim_model_world_t sim_model_world;
sim_model_counts_t sim_model_counts;

void sim_model_begin(void)
{
    memset(&sim_model_world, 0, sizeof(sim_model_world));
}

sim_store_t *sim_model_add(sim_model_kind_t kind, const char *name)
{
    sim_store_t *store = &sim_model_world.stores[sim_model_world.count++];

    store->kind = kind;
    store->name = name;
    return store;
}

/* --- looking things up --------------------------------------------------------- */

sim_model_ticket_t *sim_model_ticket(sim_store_t *store, const char *id)
{
    int i;

    for (i = 0; i < store->model.ticket_count; i++) {
        if (strcmp(store->model.tickets[i].id, id) == 0)
            return &store->model.tickets[i];
    }
    return NULL;
}

sim_model_order_t *sim_model_order(sim_store_t *store, const char *id)
{
    int i;

    for (i = store->model.order_count - 1; i >= 0; i--) {
        if (strcmp(store->model.orders[i].id, id) == 0)
            return &store->model.orders[i];
    }
    return NULL;
}

sim_model_order_t *sim_model_order_anywhere(const char *id)
{
    sim_model_order_t *order = NULL;
    int i;

    for (i = 0; i < sim_model_world.count && !order; i++)
        order = sim_model_order(&sim_model_world.stores[i], id);
    return order;
}

sim_store_t *sim_model_tickets(void)
{
    return &sim_model_world.stores[0];
}

static int is(const sim_model_order_t *order, const char *status)
{
    return strcmp(order->status, status) == 0;
}

int sim_model_is_pending(const sim_model_order_t *order)
{
    return is(order, "created") || is(order, "awaiting:payment");
}

/* --- from the log: tickets ------------------------------------------------------ */

static void read_text(char *out, apr_size_t size, const svc_json_t *data,
                      const char *key)
{
    const char *text = svc_json_get_string(data, key);

    apr_cpystrn(out, text ? text : "", size);
}

static apr_int64_t read_cents(const svc_json_t *data)
{
    double price = 0;

    svc_json_get_number(&price, data, "price");
    return (apr_int64_t)(price * 100 + 0.5);
}

/* "2026-05-14T12:00:00.000Z" in milliseconds. */
static apr_int64_t read_time(const svc_json_t *data, const char *key)
{
    const char *text = svc_json_get_string(data, key);
    struct tm at;
    int ms = 0;

    memset(&at, 0, sizeof(at));
    if (!text || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &at.tm_year,
                        &at.tm_mon, &at.tm_mday, &at.tm_hour, &at.tm_min,
                        &at.tm_sec, &ms) != 7)
        return 0;
    at.tm_year -= 1900;
    at.tm_mon--;
    return (apr_int64_t)timegm(&at) * 1000 + ms;
}

/* Counts anew for which orders tickets were reserved. */
static void count_reservations(void)
{
    sim_model_t *tickets = &sim_model_tickets()->model;
    int i, k;

    for (i = 0; i < sim_model_world.count; i++) {
        sim_model_t *model = &sim_model_world.stores[i].model;

        for (k = 0; k < model->order_count; k++)
            model->orders[k].was_reserved = 0;
    }
    for (i = 0; i < tickets->ticket_count; i++) {
        const sim_model_ticket_t *ticket = &tickets->tickets[i];

        for (k = 1; k <= ticket->version; k++) {
            const char *before = ticket->at[k - 1].order_id;
            const char *after = ticket->at[k].order_id;
            sim_model_order_t *order =
                *after ? sim_model_order_anywhere(after) : NULL;

            if (order && strcmp(before, after) != 0)
                order->was_reserved++;
        }
    }
}

void sim_model_tear(void)
{
    sim_model_world.is_torn = 1;
}

void sim_model_heal(void)
{
    sim_model_world.is_torn = 0;
    count_reservations();
}

/* A ticket changed hands, or not: who may do that? */
static void judge_reservation(const sim_model_ticket_t *ticket,
                              const char *before, const char *after)
{
    sim_model_order_t *order;

    if (strcmp(before, after) == 0)
        return;
    if (*before && *after) {
        sim_world_broken("ticket %s went from order %s to order %s without "
                         "being released", sim_world_short(ticket->id),
                         sim_world_short(before), sim_world_short(after));
    } else if (sim_model_world.is_torn) {
        return;
    } else if (*after) {
        order = sim_model_order_anywhere(after);
        if (!order || strcmp(order->ticket_id, ticket->id) != 0)
            sim_world_broken("ticket %s was reserved for order %s, which %s",
                             sim_world_short(ticket->id),
                             sim_world_short(after),
                             order ? "is for another" : "nobody made");
        else if (order->was_reserved++)
            sim_world_broken("ticket %s was reserved a second time for order "
                             "%s: one event took effect twice",
                             sim_world_short(ticket->id),
                             sim_world_short(after));
    } else {
        order = sim_model_order_anywhere(before);
        if (!order || !is(order, "cancelled"))
            sim_world_broken("ticket %s was released while its order %s is %s",
                             sim_world_short(ticket->id),
                             sim_world_short(before),
                             order ? order->status : "unknown");
    }
}

void sim_model_take_ticket(sim_store_t *store, const svc_event_t *event,
                           apr_int64_t version)
{
    sim_model_ticket_t *ticket = sim_model_ticket(store, event->entity);
    sim_model_state_t *state;

    if (!ticket && store->model.ticket_count < SIM_MODEL_TICKETS) {
        ticket = &store->model.tickets[store->model.ticket_count++];
        apr_cpystrn(ticket->id, event->entity, sizeof(ticket->id));
        ticket->version = -1;
    }
    if (!ticket || version >= SIM_MODEL_VERSIONS) {
        sim_world_broken("the simulation is too small for its tickets");
        return;
    }
    if (version != ticket->version + 1 ||
        (version == 0) != (strcmp(event->type, "ticket:created") == 0))
        sim_world_broken("ticket %s: %s has version %d after version %d",
                         sim_world_short(ticket->id), event->type,
                         (int)version, ticket->version);
    state = &ticket->at[version];
    read_text(state->title, sizeof(state->title), event->data, "title");
    read_text(state->seller, sizeof(state->seller), event->data, "userId");
    read_text(state->order_id, sizeof(state->order_id), event->data, "orderId");
    state->cents = read_cents(event->data);
    judge_reservation(ticket, version > 0 ? ticket->at[version - 1].order_id
                                          : "", state->order_id);
    ticket->version = (int)version;
    sim_world_trace("%s #%d %s %s v%d for %s", store->name,
                    (int)event->position, event->type,
                    sim_world_short(ticket->id), (int)version,
                    *state->order_id ? sim_world_short(state->order_id) : "-");
}

/* --- from the log: orders ------------------------------------------------------- */

/* Was the ticket ever reserved for this order? Or for one that STORE does not
 * know? */
static int was_reserved(const sim_model_order_t *order, sim_store_t *store)
{
    const sim_model_ticket_t *ticket = sim_model_ticket(sim_model_tickets(),
                                                        order->ticket_id);
    int i;

    for (i = 0; ticket && i <= ticket->version; i++) {
        const char *holder = ticket->at[i].order_id;

        if (*holder && (store ? !sim_model_order(store, holder)
                              : strcmp(holder, order->id) == 0))
            return 1;
    }
    return 0;
}

static void judge_cancel(sim_store_t *store, const sim_model_order_t *order,
                         apr_int64_t at)
{
    if (!sim_model_is_pending(order))
        sim_world_broken("order %s was cancelled while %s",
                         sim_world_short(order->id), order->status);
    else if (sim_model_world.is_torn)
        return;
    else if (strcmp(order->reason, "expired") == 0 && at < order->expires_at)
        sim_world_broken("order %s expired %d ms before its time",
                         sim_world_short(order->id),
                         (int)(order->expires_at - at));
    else if (strcmp(order->reason, "user") == 0 && !order->is_cancel_asked)
        sim_world_broken("order %s was cancelled for its buyer, who did not "
                         "ask", sim_world_short(order->id));
    else if (strcmp(order->reason, "reserved") == 0 &&
             (!is(order, "created") || !was_reserved(order, store)))
        sim_world_broken("order %s was cancelled as reserved, and nobody else "
                         "ever had its ticket", sim_world_short(order->id));
}

static void count(const char *status, const char *reason)
{
    sim_model_counts_t *counts = &sim_model_counts;

    counts->made += strcmp(status, "created") == 0;
    counts->reserved += strcmp(status, "awaiting:payment") == 0;
    counts->cancelled += strcmp(reason, "user") == 0;
    counts->expired += strcmp(reason, "expired") == 0;
    counts->lost += strcmp(reason, "reserved") == 0;
}

static void judge_update(const sim_model_order_t *order, const char *status,
                         apr_int64_t at)
{
    if (strcmp(status, "awaiting:payment") == 0 && is(order, "created")) {
        if (!sim_model_world.is_torn && !was_reserved(order, NULL))
            sim_world_broken("order %s awaits payment, and its ticket was "
                             "never reserved for it",
                             sim_world_short(order->id));
    } else if (strcmp(status, "created") == 0 && is(order, "created")) {
        ; /* it asks again */
    } else if (strcmp(status, "complete") == 0 &&
               is(order, "awaiting:payment")) {
        sim_payments_judge_complete(order, at);
    } else
        sim_world_broken("order %s went from %s to %s",
                         sim_world_short(order->id), order->status, status);
}

static sim_model_order_t *add_order(sim_store_t *store,
                                    const svc_event_t *event)
{
    sim_model_order_t *order =
        &store->model.orders[store->model.order_count];
    const svc_json_t *ticket = svc_json_get_object(event->data, "ticket");

    if (store->model.order_count == SIM_MODEL_ORDERS) {
        sim_world_broken("the simulation is too small for its orders");
        return order - 1;
    }
    store->model.order_count++;
    memset(order, 0, sizeof(*order));
    order->version = -1;
    apr_cpystrn(order->id, event->entity, sizeof(order->id));
    read_text(order->user, sizeof(order->user), event->data, "userId");
    order->expires_at = read_time(event->data, "expiresAt");
    if (ticket) {
        read_text(order->ticket_id, sizeof(order->ticket_id), ticket, "id");
        order->cents = read_cents(ticket);
    }
    return order;
}

void sim_model_take_order(sim_store_t *store, const svc_event_t *event,
                          apr_int64_t version, apr_int64_t at)
{
    sim_model_order_t *order = sim_model_order(store, event->entity);
    char status[sizeof(order->status)], before[sizeof(order->status)];
    int is_created = strcmp(event->type, "order:created") == 0;

    if (is_created == (order != NULL))
        sim_world_broken("order %s: %s when it %s",
                         sim_world_short(event->entity), event->type,
                         order ? "was there" : "was not there");
    if (!order)
        order = add_order(store, event);
    if (version != order->version + 1)
        sim_world_broken("order %s: %s has version %d after version %d",
                         sim_world_short(order->id), event->type,
                         (int)version, order->version);
    read_text(status, sizeof(status), event->data, "status");
    if (strcmp(event->type, "order:cancelled") == 0) {
        read_text(order->reason, sizeof(order->reason), event->data,
                  "cancelReason");
        judge_cancel(store, order, at);
        apr_cpystrn(status, "cancelled", sizeof(status));
    } else if (strcmp(event->type, "order:refund-required") == 0) {
        const char *payment_id = svc_json_get_string(event->data, "paymentId");

        sim_payments_judge_refund(order, payment_id ? payment_id : "?");
        apr_cpystrn(status, order->status, sizeof(status));
    } else if (!is_created)
        judge_update(order, status, at);
    apr_cpystrn(before, order->status, sizeof(before));
    apr_cpystrn(order->status, status, sizeof(order->status));
    if (is_created || strcmp(order->status, before) != 0)
        count(order->status, order->reason);
    order->version = (int)version;
    sim_world_trace("%s #%d %s %s v%d ticket %s %s %s", store->name,
                    (int)event->position, event->type,
                    sim_world_short(order->id), (int)version,
                    sim_world_short(order->ticket_id), order->status,
                    order->reason);
}

/* A ticket has at most one order that is not cancelled. */
static void judge_holders(void)
{
    sim_store_t *store;
    int i, k, m;

    for (i = 0; i < sim_model_world.count; i++) {
        store = &sim_model_world.stores[i];
        for (k = 0; k < store->model.order_count; k++) {
            const sim_model_order_t *order = &store->model.orders[k];

            if (is(order, "cancelled"))
                continue;
            for (m = k + 1; m < store->model.order_count; m++) {
                const sim_model_order_t *other = &store->model.orders[m];

                if (!is(other, "cancelled") &&
                    strcmp(order->ticket_id, other->ticket_id) == 0)
                    sim_world_broken("ticket %s has two orders at once: %s and "
                                     "%s", sim_world_short(order->ticket_id),
                                     sim_world_short(order->id),
                                     sim_world_short(other->id));
            }
        }
    }
}

/* Of two orders services only one may get as far as payment. */
static void judge_across(void)
{
    const sim_model_t *one = &sim_model_world.stores[1].model;
    const sim_model_t *two = &sim_model_world.stores[2].model;
    int i, k;

    for (i = 0; i < one->order_count; i++) {
        if (is(&one->orders[i], "cancelled") || is(&one->orders[i], "created"))
            continue;
        for (k = 0; k < two->order_count; k++) {
            if (!is(&two->orders[k], "cancelled") &&
                !is(&two->orders[k], "created") &&
                strcmp(one->orders[i].ticket_id, two->orders[k].ticket_id) == 0)
                sim_world_broken("ticket %s is sold by two orders services at "
                                 "once", sim_world_short(
                                             one->orders[i].ticket_id));
        }
    }
}

void sim_model_judge_orders(void)
{
    judge_holders();
    judge_across();
}

const char *sim_model_claim(const sim_store_t *store, const char *ticket_id)
{
    int i;

    for (i = 0; i < store->model.order_count; i++) {
        if (!is(&store->model.orders[i], "cancelled") &&
            strcmp(store->model.orders[i].ticket_id, ticket_id) == 0)
            return store->model.orders[i].id;
    }
    return "";
}

void sim_model_publish(sim_store_t *store, apr_int64_t position)
{
    if (position <= SIM_MODEL_POSITIONS)
        store->model.is_published[position] = 1;
}

void sim_model_judge_prompt(const sim_store_t *store, apr_int64_t since)
{
    apr_int64_t now = sim_world_now();
    int i;

    for (i = 0; i < store->model.order_count; i++) {
        const sim_model_order_t *order = &store->model.orders[i];
        apr_int64_t due = order->expires_at > since ? order->expires_at : since;

        if (sim_model_is_pending(order) && now > due + SIM_MODEL_PROMPT_MS)
            sim_world_broken("order %s is not cancelled %d ms after it expired,"
                             " and its service runs", sim_world_short(order->id),
                             (int)(now - due));
    }
}
