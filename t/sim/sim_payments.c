/* sim_payments: see the header. */
#include "sim_payments.h"

#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "sim_bus.h"
#include "sim_world.h"

#define MAX_PAYMENTS 100

static struct {
    sim_payments_one_t made[MAX_PAYMENTS];
    int count;
} payments;

sim_payments_counts_t sim_payments_counts;

void sim_payments_begin(void)
{
    payments.count = 0;
}

static void tell(const sim_payments_one_t *payment, apr_pool_t *pool)
{
    svc_json_t *data = svc_json_object(pool);
    svc_event_t event = { .id = payment->id, .source = "payments",
                          .type = "payment:created", .data = data,
                          .time = sim_world_now() };

    svc_json_set_string(data, "id", payment->id);
    svc_json_set_string(data, "orderId", payment->order_id);
    if (payment->cents)
        svc_json_set_cents(data, "amount", payment->cents);
    sim_bus_publish(SIM_PAYMENTS_ENDPOINT, event.type,
                    svc_event_encode(&event, pool));
}

/* One of the newest orders; mostly one that can be paid. */
static const sim_model_order_t *any_order(const sim_model_t *model)
{
    const sim_model_order_t *order = NULL;
    int i, newest = model->order_count < 6 ? model->order_count : 6;

    for (i = 0; i < 4 && newest > 0; i++) {
        order = &model->orders[model->order_count - 1 -
                               sim_world_pick(newest)];
        if (sim_model_is_pending(order))
            break;
    }
    return order;
}

void sim_payments_act(const sim_store_t *store, apr_pool_t *pool)
{
    const sim_model_order_t *order;
    sim_payments_one_t *payment;

    if (payments.count > 0 && sim_world_chance(300)) {
        payment = &payments.made[sim_world_pick(payments.count)];
        sim_world_trace("payment %s is told again", payment->id);
        tell(payment, pool);
        return;
    }
    order = any_order(&store->model);
    if (!order || payments.count == MAX_PAYMENTS)
        return;
    payment = &payments.made[payments.count++];
    memset(payment, 0, sizeof(*payment));
    sprintf(payment->id, "p%d", payments.count);
    apr_cpystrn(payment->order_id, order->id, sizeof(payment->order_id));
    if (sim_world_chance(700))
        payment->cents = order->cents + sim_world_chance(150);
    sim_payments_counts.made++;
    sim_world_trace("payment %s for order %s, which is %s", payment->id,
                    sim_world_short(order->id), order->status);
    tell(payment, pool);
}

void sim_payments_repeat(apr_pool_t *pool)
{
    int i;

    for (i = 0; i < payments.count; i++) {
        if (!payments.made[i].is_settled)
            tell(&payments.made[i], pool);
    }
}

int sim_payments_are_settled(void)
{
    int i;

    for (i = 0; i < payments.count; i++) {
        if (!payments.made[i].is_settled)
            return 0;
    }
    return 1;
}

sim_payments_one_t *sim_payments_find(const char *id)
{
    int i;

    for (i = 0; i < payments.count; i++) {
        if (strcmp(payments.made[i].id, id) == 0)
            return &payments.made[i];
    }
    return NULL;
}

void sim_payments_judge_complete(const sim_model_order_t *order,
                                 apr_int64_t at)
{
    int i;

    sim_payments_counts.completed++;
    if (at >= order->expires_at)
        sim_world_broken("order %s was completed after it had expired",
                         sim_world_short(order->id));
    for (i = 0; i < payments.count; i++) {
        const sim_payments_one_t *payment = &payments.made[i];

        if (strcmp(payment->order_id, order->id) == 0 &&
            (!payment->cents || payment->cents == order->cents))
            return;
    }
    sim_world_broken("order %s is complete, and nobody has paid for it",
                     sim_world_short(order->id));
}

void sim_payments_judge_refund(const sim_model_order_t *order,
                               const char *payment_id)
{
    sim_payments_one_t *payment = sim_payments_find(payment_id);

    sim_payments_counts.refunded++;
    if (!payment || strcmp(payment->order_id, order->id) != 0)
        sim_world_broken("a refund was asked for payment %s of order %s, which "
                         "nobody made", payment_id, sim_world_short(order->id));
    else if (payment->refunds++)
        sim_world_broken("payment %s is refunded twice", payment_id);
}

void sim_payments_judge_row(sim_store_t *store, const char *id,
                            const char *order_id, const char *status)
{
    sim_payments_one_t *payment = sim_payments_find(id);
    sim_model_order_t *order = sim_model_order(store, order_id);
    int is_paid = strcmp(status, "paid") == 0;
    int is_refunded = strcmp(status, "refunded") == 0;

    if (!payment || !order || strcmp(payment->order_id, order_id) != 0) {
        sim_world_broken("payment %s is known, and nobody made it", id);
        return;
    }
    order->paid += is_paid;
    payment->is_settled = is_paid || is_refunded;
    if (payment->refunds != is_refunded)
        sim_world_broken("payment %s is %s, and its refund was asked for %d "
                         "times", id, status, payment->refunds);
    /* An order that is overdue is not completed; it is about to be cancelled. */
    if (!payment->is_settled && strcmp(order->status, "created") != 0 &&
        !(strcmp(order->status, "awaiting:payment") == 0 &&
          sim_world_now() >= order->expires_at))
        sim_world_broken("payment %s is %s, and its order %s", id, status,
                         order->status);
}

void sim_payments_judge_orders(const sim_store_t *store)
{
    int i;

    for (i = 0; i < store->model.order_count; i++) {
        const sim_model_order_t *order = &store->model.orders[i];

        if (order->paid != (strcmp(order->status, "complete") == 0))
            sim_world_broken("order %s is %s, and %d payments have paid it",
                             sim_world_short(order->id), order->status,
                             order->paid);
    }
}
