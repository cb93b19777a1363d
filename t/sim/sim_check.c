/* sim_check: see the header. */
#include "sim_check.h"

#include <string.h>

#include <apr_strings.h>

#include "sim_payments.h"
#include "sim_world.h"
#include "svc_event.h"

/* Where a check stands. */
typedef struct check_t {
    sim_store_t *store;
    apr_pool_t *pool;
    apr_int64_t number; /* what a query of one integer gave */
    int rows;           /* what a query of many gave */
    const sim_model_t *followed; /* whose log is followed */
} check_t;

/* --- the log --------------------------------------------------------------------- */

static svc_err_t *take_log(void *baton, const svc_db_row_t *row)
{
    check_t *check = baton;
    sim_model_t *model = &check->store->model;
    apr_int64_t position = svc_db_row_int(row, 0), version = -1;
    const char *subject = svc_db_row_text(row, 1);
    const char *text = svc_db_row_text(row, 2);
    svc_event_t event;
    svc_err_t *err = svc_event_decode(&event, subject, text, strlen(text),
                                      check->pool);

    check->rows++;
    if (position != model->position + 1)
        sim_world_broken("%s: the log has position %d after %d",
                         check->store->name, (int)position,
                         (int)model->position);
    if (!err)
        err = svc_event_data(&event.data, &event, check->pool);
    if (err || event.position != position || !event.entity ||
        strcmp(event.source, model->source) != 0 ||
        !svc_json_get_count(&version, event.data, "version")) {
        sim_world_broken("%s: the log has no good event at position %d: %s",
                         check->store->name, (int)position, text);
        return NULL;
    }
    model->position = position;
    apr_cpystrn(model->last_id, event.id, sizeof(model->last_id));
    if (check->store->kind == SIM_MODEL_OF_TICKETS)
        sim_model_take_ticket(check->store, &event, version);
    else
        sim_model_take_order(check->store, &event, version,
                             svc_db_row_int(row, 3));
    return NULL;
}

static svc_err_t *take_head(void *baton, const svc_db_row_t *row)
{
    check_t *check = baton;
    sim_model_t *model = &check->store->model;
    const char *source = svc_db_row_text(row, 0);

    check->number = svc_db_row_int(row, 1);
    if (!*model->source)
        apr_cpystrn(model->source, source, sizeof(model->source));
    else if (strcmp(model->source, source) != 0)
        sim_world_broken("%s: the log has another identity now",
                         check->store->name);
    return NULL;
}

/* --- the rows --------------------------------------------------------------------- */

static int is_text(const char *text, const char *wanted)
{
    return strcmp(text ? text : "", wanted) == 0;
}

static int is_state(const sim_model_state_t *state, const char *title,
                    apr_int64_t cents, const char *seller,
                    const char *order_id)
{
    return is_text(title, state->title) && cents == state->cents &&
           is_text(seller, state->seller) && is_text(order_id, state->order_id);
}

static svc_err_t *take_ticket(void *baton, const svc_db_row_t *row)
{
    check_t *check = baton;
    const char *id = svc_db_row_text(row, 0);
    const sim_model_ticket_t *ticket = sim_model_ticket(check->store, id);

    check->rows++;
    if (!ticket || ticket->version != svc_db_row_int(row, 4) ||
        !is_state(&ticket->at[ticket->version], svc_db_row_text(row, 1),
                  svc_db_row_int(row, 2), svc_db_row_text(row, 3),
                  svc_db_row_text(row, 5)))
        sim_world_broken("ticket %s is not as its last event says",
                         sim_world_short(id));
    return NULL;
}

static svc_err_t *take_order(void *baton, const svc_db_row_t *row)
{
    check_t *check = baton;
    const char *id = svc_db_row_text(row, 0);
    const sim_model_order_t *order = sim_model_order(check->store, id);
    int is_live = order && strcmp(order->status, "cancelled") != 0;

    check->rows++;
    if (!order || order->version != svc_db_row_int(row, 7) ||
        !is_text(svc_db_row_text(row, 1), order->user) ||
        !is_text(svc_db_row_text(row, 2), order->ticket_id) ||
        svc_db_row_int(row, 3) != order->cents ||
        !is_text(svc_db_row_text(row, 4), order->status) ||
        !is_text(svc_db_row_text(row, 5), order->reason) ||
        !is_text(svc_db_row_text(row, 8), is_live ? order->ticket_id : ""))
        sim_world_broken("order %s is not as its last event says",
                         sim_world_short(id));
    else if (order->expires_at != svc_db_row_int(row, 6))
        sim_world_broken("order %s has another expiresAt than its event",
                         sim_world_short(id));
    return NULL;
}

/* Each row of the replica is the ticket as it was at that version. */
static svc_err_t *take_replica(void *baton, const svc_db_row_t *row)
{
    check_t *check = baton;
    const char *id = svc_db_row_text(row, 0);
    apr_int64_t version = svc_db_row_int(row, 4);
    const sim_model_ticket_t *ticket = sim_model_ticket(sim_model_tickets(), id);

    check->rows++;
    if (!sim_model_world.is_torn &&
        (!ticket || version > ticket->version ||
         !is_state(&ticket->at[version], svc_db_row_text(row, 1),
                   svc_db_row_int(row, 2), svc_db_row_text(row, 3),
                   svc_db_row_text(row, 5)) ||
         !is_text(svc_db_row_text(row, 7), sim_model_tickets()->model.source)))
        sim_world_broken("%s: its replica of ticket %s at version %d is not "
                         "what the ticket was", check->store->name,
                         sim_world_short(id), (int)version);
    if (!is_text(svc_db_row_text(row, 6), sim_model_claim(check->store, id)))
        sim_world_broken("%s: ticket %s is claimed by %s, not by the order "
                         "that lives", check->store->name, sim_world_short(id),
                         svc_db_row_text(row, 6));
    return NULL;
}

static svc_err_t *take_payment(void *baton, const svc_db_row_t *row)
{
    check_t *check = baton;

    sim_payments_judge_row(check->store, svc_db_row_text(row, 0),
                           svc_db_row_text(row, 1), svc_db_row_text(row, 2));
    return NULL;
}

/* --- all of it --------------------------------------------------------------------- */

enum {
    READ_HEAD, READ_LOG, READ_TICKETS, READ_ORDERS, READ_REPLICA, READ_PAYMENTS,
    READ_CURSOR, READ_LEFT, STATEMENTS
};

static const char *const statements[STATEMENTS] = {
    "SELECT source, position FROM #_head",
    "SELECT position, subject, event, recorded_at FROM #_log "
    "WHERE position > %lld ORDER BY position",
    "SELECT id, title, cents, user_id, version, order_id FROM tickets",
    "SELECT id, user_id, ticket_id, cents, status, cancel_reason, expires_at, "
    "version, active_ticket_id FROM orders",
    "SELECT id, title, cents, user_id, version, order_id, claimed_by, source "
    "FROM orders_tickets",
    "SELECT payment_id, order_id, status FROM orders_payments",
    "SELECT position, event_id FROM #_cursor WHERE source = %s",
    "SELECT (SELECT COUNT(*) FROM #_parked) + "
    "(SELECT COUNT(*) FROM #_quarantine)"
};

/* The address of a statement is its name on a connection: they are made once.
 */
static const svc_db_sql_t *sql(const sim_store_t *store, int number)
{
    static svc_db_sql_t made[2][STATEMENTS];
    static apr_pool_t *pool;
    svc_db_sql_t *out = &made[store->kind][number];

    if (!pool)
        apr_pool_create(&pool, NULL);
    if (!out->label)
        *out = svc_db_sql("sim", store->kind == SIM_MODEL_OF_TICKETS
                                     ? "tickets" : "orders",
                          statements[number], pool);
    return out;
}

static void each(check_t *check, int number, const char *const *args,
                 svc_db_row_fn fn)
{
    svc_err_t *err;

    check->rows = 0;
    err = svc_db_each(check->store->db, sql(check->store, number), args, fn,
                      check, check->pool);
    if (err)
        sim_world_broken("%s cannot be read: %s", check->store->name,
                         err->detail);
}

static int open_store(sim_store_t *store)
{
    svc_err_t *err;

    if (store->db)
        return 1;
    apr_pool_create(&store->pool, NULL);
    err = svc_db_open(&store->db, "sqlite3", store->path, store->pool,
                      store->pool);
    if (err)
        sim_world_broken("%s cannot be opened: %s", store->name, err->detail);
    return !err;
}

void sim_check_close(sim_store_t *store)
{
    if (store->db)
        svc_db_close(store->db);
    if (store->pool)
        apr_pool_destroy(store->pool);
    store->db = NULL;
    store->pool = NULL;
}

static void check_payments(check_t *check)
{
    sim_model_t *model = &check->store->model;
    int i;

    for (i = 0; i < model->order_count; i++)
        model->orders[i].paid = 0;
    each(check, READ_PAYMENTS, NULL, take_payment);
    sim_payments_judge_orders(check->store);
}

void sim_check_commit(sim_store_t *store)
{
    int is_tickets = store->kind == SIM_MODEL_OF_TICKETS;
    int entities;
    check_t check = { .store = store };
    const char *args[1];

    if (!open_store(store))
        return;
    apr_pool_create(&check.pool, store->pool);
    args[0] = svc_db_arg(store->model.position, check.pool);
    each(&check, READ_HEAD, NULL, take_head);
    each(&check, READ_LOG, args, take_log);
    if (check.number != store->model.position)
        sim_world_broken("%s: the log's head says %d, and its last position "
                         "is %d", store->name, (int)check.number,
                         (int)store->model.position);
    each(&check, is_tickets ? READ_TICKETS : READ_ORDERS, NULL,
         is_tickets ? take_ticket : take_order);
    entities = store->model.ticket_count + store->model.order_count;
    if (check.rows != entities)
        sim_world_broken("%s has %d rows, and its events tell of %d",
                         store->name, check.rows, entities);
    if (!is_tickets) {
        each(&check, READ_REPLICA, NULL, take_replica);
        check_payments(&check);
        sim_model_judge_orders();
    }
    apr_pool_destroy(check.pool);
}

static svc_err_t *take_number(void *baton, const svc_db_row_t *row)
{
    check_t *check = baton;

    check->number = svc_db_row_int(row, 0);
    return NULL;
}

/* Is the cursor at the end of the log? */
static svc_err_t *take_cursor(void *baton, const svc_db_row_t *row)
{
    check_t *check = baton;

    check->number = svc_db_row_int(row, 0) == check->followed->position &&
                    is_text(svc_db_row_text(row, 1), check->followed->last_id);
    return NULL;
}

/* Has FOLLOWER taken all of the log of SOURCE? */
static int has_all(sim_store_t *follower, const sim_store_t *source)
{
    check_t check = { .store = follower, .followed = &source->model };
    const char *args[] = { source->model.source };

    check.number = source->model.position == 0; /* without a cursor */
    if (!open_store(follower))
        return 0;
    apr_pool_create(&check.pool, follower->pool);
    each(&check, READ_CURSOR, args, take_cursor);
    apr_pool_destroy(check.pool);
    return (int)check.number;
}

int sim_check_is_quiet(void)
{
    sim_store_t *tickets = sim_model_tickets();
    int i;

    /* A log gets its identity after the commit that makes its tables. */
    for (i = 0; i < sim_model_world.count; i++) {
        if (!*sim_model_world.stores[i].model.source)
            sim_check_commit(&sim_model_world.stores[i]);
    }
    for (i = 1; i < sim_model_world.count; i++) {
        sim_store_t *orders = &sim_model_world.stores[i];

        if (!has_all(orders, tickets) || !has_all(tickets, orders))
            return 0;
    }
    return 1;
}

static svc_err_t *take_final(void *baton, const svc_db_row_t *row)
{
    check_t *check = baton;
    const char *id = svc_db_row_text(row, 0);
    const sim_model_ticket_t *ticket = sim_model_ticket(sim_model_tickets(),
                                                        id);

    check->rows++;
    if (ticket && ticket->version != svc_db_row_int(row, 4))
        sim_world_broken("%s: it is quiet, and the replica has ticket %s at "
                         "version %d of %d", check->store->name,
                         sim_world_short(id), (int)svc_db_row_int(row, 4),
                         ticket->version);
    return NULL;
}

static void check_orders(const sim_store_t *store)
{
    int i;

    for (i = 0; i < store->model.order_count; i++) {
        if (strcmp(store->model.orders[i].status, "created") == 0)
            sim_world_broken("it is quiet, and order %s is still `created`",
                             sim_world_short(store->model.orders[i].id));
    }
}

/* A ticket is held by an order that waits or is complete, or by nobody. */
static void check_tickets(void)
{
    sim_model_t *model = &sim_model_tickets()->model;
    int i;

    for (i = 0; i < model->ticket_count; i++) {
        const sim_model_ticket_t *ticket = &model->tickets[i];
        const char *holder = ticket->at[ticket->version].order_id;
        const sim_model_order_t *order = sim_model_order_anywhere(holder);

        if (*holder && (!order || strcmp(order->status, "cancelled") == 0))
            sim_world_broken("it is quiet, and ticket %s is reserved for order "
                             "%s, which is %s", sim_world_short(ticket->id),
                             sim_world_short(holder),
                             order ? "cancelled" : "unknown");
    }
}

static void check_published(const sim_store_t *store)
{
    int i;

    for (i = 1; i <= store->model.position && i <= SIM_MODEL_POSITIONS; i++) {
        if (!store->model.is_published[i])
            sim_world_broken("%s: the event at position %d was never published",
                             store->name, i);
    }
}

void sim_check_quiet(int can_wait)
{
    int i;

    sim_model_heal();
    for (i = 0; i < sim_model_world.count; i++) {
        sim_store_t *store = &sim_model_world.stores[i];
        check_t check = { .store = store };

        sim_check_commit(store);
        apr_pool_create(&check.pool, store->pool);
        check_published(store);
        each(&check, READ_LEFT, NULL, take_number);
        if (check.number)
            sim_world_broken("%s: %d events were set aside or still wait",
                             store->name, (int)check.number);
        if (store->kind == SIM_MODEL_OF_ORDERS) {
            each(&check, READ_REPLICA, NULL, take_final);
            if (check.rows != sim_model_tickets()->model.ticket_count)
                sim_world_broken("%s: it is quiet, and the replica has %d of "
                                 "%d tickets", store->name, check.rows,
                                 sim_model_tickets()->model.ticket_count);
            if (!can_wait)
                check_orders(store);
        }
        apr_pool_destroy(check.pool);
    }
    check_tickets();
}

static svc_err_t *take_digest(void *baton, const svc_db_row_t *row)
{
    const char *text;
    int i;

    for (i = 0; i < *(int *)baton; i++) {
        text = svc_db_row_text(row, i);
        sim_world_digest_add(text ? text : "-");
    }
    return NULL;
}

void sim_check_digest(void)
{
    int i, columns;

    for (i = 0; i < sim_model_world.count; i++) {
        sim_store_t *store = &sim_model_world.stores[i];
        int is_tickets = store->kind == SIM_MODEL_OF_TICKETS;
        const char *args[] = { "0" };
        apr_pool_t *pool;

        apr_pool_create(&pool, store->pool);
        columns = 4;
        svc_db_each(store->db, sql(store, READ_LOG), args, take_digest,
                    &columns, pool);
        columns = is_tickets ? 6 : 9;
        svc_db_each(store->db, sql(store, is_tickets ? READ_TICKETS
                                                     : READ_ORDERS),
                    NULL, take_digest, &columns, pool);
        columns = 8;
        if (!is_tickets)
            svc_db_each(store->db, sql(store, READ_REPLICA), NULL, take_digest,
                        &columns, pool);
        apr_pool_destroy(pool);
    }
}
