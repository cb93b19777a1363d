/* sim_schedule: see the header. */
#include "sim_schedule.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "sim_backup.h"
#include "sim_bus.h"
#include "sim_check.h"
#include "sim_client.h"
#include "sim_node.h"
#include "sim_payments.h"

#define STEPS 800
#define QUIET_ROUND_MS 100
#define QUIET_ROUNDS 400 /* by then it must be quiet */
#define SILENCE_MS 3000  /* longer than any message is late */
#define RESTORE_MS 6000

const char *const sim_schedule_names[SIM_SCHEDULE_MODES] = {
    "one", "two", "instances", "shared", "plain", "retention", "restore"
};
const char *const sim_schedule_meanings[SIM_SCHEDULE_MODES] = {
    "one orders service", "two orders services that compete",
    "two machines of each service on its database",
    "both services on one database file",
    "publishers without replay, and messages late, repeated and reordered",
    "event logs that are kept for seconds",
    "databases that are restored from backups"
};

sim_schedule_counts_t sim_schedule_counts;
static apr_pool_t *schedule_pool; /* lives as long as the schedule */

/* What a seed decides before anything happens. */
typedef struct plan_t {
    sim_bus_weather_t weather;
    sim_node_config_t config;
    int max_tickets;
    int kills, cuts, restores, payments; /* steps in a thousand */
} plan_t;

/* Followers of a publisher without replay can stand everything but losses. */
static void plan_without_losses(plan_t *plan)
{
    plan->config.without_replay = 1;
    plan->weather.loss = 0;
    plan->weather.in_order = 0;
    plan->weather.connect_ms = -1;
    plan->kills = plan->cuts = 0;
}

static void make_plan(plan_t *plan, sim_schedule_mode_t mode)
{
    static const int pages[] = { 0, 1, 2, 3 };
    static const int levels[] = { 0, 20, 100, 300 };
    static const int kills[] = { 0, 6, 15, 30 };
    sim_bus_weather_t *weather = &plan->weather;

    weather->loss = levels[sim_world_pick(4)];
    weather->repetition = levels[sim_world_pick(4)];
    weather->delay = levels[sim_world_pick(4)];
    weather->late_ms = sim_world_chance(500) ? 40 : 1500;
    weather->in_order = sim_world_chance(300);
    weather->connect_ms = sim_world_chance(500) ? 5 : 600;
    plan->max_tickets = 2 + sim_world_pick(6);
    plan->config.expiration_ms = 1000 + sim_world_pick(8000);
    plan->cuts = 10;
    plan->kills = kills[sim_world_pick(4)];
    weather->page = pages[sim_world_pick(4)];
    /* A payment for another service's order, or one that is no more, would be
     * set aside. */
    if (mode != SIM_SCHEDULE_TWO && mode != SIM_SCHEDULE_RESTORE) {
        plan->config.with_payments = 1;
        plan->payments = sim_world_chance(500) ? 10 : 2;
    }
    if (mode == SIM_SCHEDULE_PLAIN)
        plan_without_losses(plan);
    if (mode == SIM_SCHEDULE_RETENTION ||
        (mode == SIM_SCHEDULE_TWO && sim_world_chance(500)))
        plan->config.retention_ms = 200 + sim_world_pick(3000);
    if (mode == SIM_SCHEDULE_RESTORE) {
        plan->restores = 8;
        plan->config.expected_logs = "SVC032";
    }
}

static void build(sim_schedule_mode_t mode, const plan_t *plan,
                  const char *folder, apr_pool_t *pool)
{
    sim_store_t *tickets = sim_model_add(SIM_MODEL_OF_TICKETS, "tickets");
    sim_store_t *orders = sim_model_add(SIM_MODEL_OF_ORDERS, "orders");
    const sim_node_config_t *config = &plan->config;
    sim_store_t *others;

    tickets->path = apr_pstrcat(pool, folder, "/tickets.db", NULL);
    orders->path = mode == SIM_SCHEDULE_SHARED
                       ? tickets->path
                       : apr_pstrcat(pool, folder, "/orders.db", NULL);
    sim_node_add(tickets, "tickets", config, pool);
    sim_node_add(orders, "orders", config, pool);
    if (mode == SIM_SCHEDULE_TWO) {
        others = sim_model_add(SIM_MODEL_OF_ORDERS, "others");
        others->path = apr_pstrcat(pool, folder, "/others.db", NULL);
        sim_node_add(others, "others", config, pool);
    } else if (mode == SIM_SCHEDULE_INSTANCES) {
        sim_node_add(tickets, "tickets-2", config, pool);
        sim_node_add(orders, "orders-2", config, pool);
    }
    sim_node_connect(pool);
}

static void remove_files(void)
{
    static const char *const endings[] = { "", "-wal", "-shm", ".lock",
                                           ".lock.next" };
    char path[300];
    size_t i;
    int k;

    for (k = 0; k < sim_model_world.count; k++) {
        for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
            snprintf(path, sizeof(path), "%s%s", sim_model_world.stores[k].path,
                     endings[i]);
            unlink(path);
        }
    }
}

/* --- what happens ----------------------------------------------------------------- */

static sim_node_t *any_node(void)
{
    return &sim_node_all.node[sim_world_pick(sim_node_all.count)];
}

static void turn(sim_node_t *node, int leads, int kill_after)
{
    int survived = leads ? sim_node_lead(node, kill_after)
                         : sim_node_write(node, kill_after);

    if (!survived) {
        sim_schedule_counts.kills++;
        sim_client_lose(node);
    } else
        sim_client_look(node);
}

static void kill_somebody(void)
{
    sim_node_t *node = any_node();
    int leads = sim_world_chance(500);
    int after = 1 + sim_world_pick(sim_world_chance(500) ? 8 : 40);

    if (!sim_node_is_up(node))
        return;
    if (sim_world_chance(800))
        turn(node, leads, after);
    else {
        sim_schedule_counts.kills++;
        sim_client_lose(node);
        sim_node_kill(node);
    }
}

static void start_somebody(void)
{
    sim_node_t *node = any_node();

    if (node->writer)
        return;
    sim_schedule_counts.restarts += node->process.life > 0;
    sim_node_start(node);
}

static void pause_somebody(void)
{
    sim_node_t *node = any_node();
    int ms = sim_world_pick(sim_world_chance(300) ? 5000 : 500);

    if (!sim_node_is_up(node))
        return;
    sim_schedule_counts.pauses++;
    sim_world_trace("%s sleeps for %d ms", node->process.name, ms);
    node->paused_until = sim_world_ticks() + ms;
}

static void cut_somebody_off(void)
{
    sim_node_t *one = any_node(), *other = any_node();
    int ms = sim_world_pick(3000);

    sim_schedule_counts.cuts++;
    sim_world_trace("%s and %s are cut off for %d ms", one->process.name,
                    other->process.name, ms);
    sim_bus_cut(&one->process, &other->process, sim_world_ticks() + ms);
}

static void adjust_clocks(void)
{
    int ms = sim_world_pick(8000);

    sim_schedule_counts.adjustments++;
    sim_world_trace("the clock is set forward by %d ms", ms);
    sim_world_adjust(ms);
    sim_node_adjusted();
}

/* What an operator does in despair, quickly or not. */
static void back_up_or_restore(void)
{
    sim_store_t *store = any_node()->store;
    int i;

    if (sim_world_chance(600)) {
        sim_world_trace("%s is backed up at #%d", store->name,
                        (int)store->model.position);
        sim_backup_take(store, schedule_pool);
        return;
    }
    for (i = 0; i < sim_node_all.count; i++) {
        if (sim_node_all.node[i].store == store) {
            sim_client_lose(&sim_node_all.node[i]);
            sim_node_kill(&sim_node_all.node[i]);
        }
    }
    if (!sim_backup_restore(store))
        return;
    sim_schedule_counts.restores++;
    sim_world_trace("%s is restored to #%d", store->name,
                    (int)store->model.position);
    sim_world_pass(sim_world_chance(500) ? 50 : RESTORE_MS);
}

static void step(const plan_t *plan)
{
    sim_node_t *node = any_node();
    int lot = sim_world_pick(1000);

    sim_schedule_counts.steps++;
    sim_world_pass(sim_world_pick(12));
    if (lot < plan->payments)
        sim_payments_act(sim_node_all.node[1].store, schedule_pool);
    else if (lot < 760) {
        if (sim_node_is_up(node))
            turn(node, lot < 400, 0);
    } else if (lot < 880) {
        if (node->writer)
            sim_client_ask(node);
    } else if (lot < 930)
        start_somebody();
    else if (lot < 938)
        pause_somebody();
    else if (lot < 948)
        sim_world_pass(sim_world_pick(700));
    else if (lot < 950)
        adjust_clocks();
    else if ((lot -= 950) < plan->cuts)
        cut_somebody_off();
    else if ((lot -= plan->cuts) < plan->restores)
        back_up_or_restore();
    else if (lot - plan->restores < plan->kills)
        kill_somebody();
}

/* --- and how it ends ---------------------------------------------------------------- */

static void heal(void)
{
    static const sim_bus_weather_t calm = { .connect_ms = -1 };
    int i;

    sim_world_trace("the network heals");
    sim_bus_weather(&calm);
    sim_bus_mend();
    for (i = 0; i < sim_node_all.count; i++) {
        sim_node_t *node = &sim_node_all.node[i];

        node->paused_until = 0;
        if (!node->writer)
            sim_node_start(node);
    }
}

/* Everybody takes his turns, and time passes. */
static void round_of_all(void)
{
    int i;

    for (i = 0; i < sim_node_all.count; i++) {
        turn(&sim_node_all.node[i], 0, 0);
        turn(&sim_node_all.node[i], 1, 0);
    }
    sim_world_pass(QUIET_ROUND_MS);
}

/* Without replay there are no cursors to look at: nothing new for a while. */
static int is_quiet(void)
{
    static apr_int64_t last, since;
    apr_int64_t total = 0;
    int i;

    if (!sim_node_all.node[0].config->without_replay)
        return sim_check_is_quiet();
    for (i = 0; i < sim_model_world.count; i++)
        total += sim_model_world.stores[i].model.position;
    if (total != last)
        since = sim_world_ticks();
    last = total;
    return sim_world_ticks() - since > SILENCE_MS;
}

static void wait_until_quiet(void)
{
    int round;

    for (round = 0; round < QUIET_ROUNDS && !sim_world_verdict(); round++) {
        round_of_all();
        if (round % 8 == 0)
            sim_payments_repeat(schedule_pool);
        if (sim_client_is_idle() && is_quiet() && sim_payments_are_settled()) {
            sim_world_trace("it is quiet");
            /* Without a log, an order may be heard of before the end of the one
             * that it follows: it is passed by. */
            sim_check_quiet(sim_node_all.node[0].config->without_replay);
            return;
        }
    }
    sim_world_broken("it does not become quiet");
}

/* The clock goes on until nothing can expire any more; each order in time. */
static void let_expire(void)
{
    apr_int64_t until = sim_world_now();
    int i, k;

    for (i = 1; i < sim_model_world.count; i++) {
        const sim_model_t *model = &sim_model_world.stores[i].model;

        for (k = 0; k < model->order_count; k++) {
            if (sim_model_is_pending(&model->orders[k]) &&
                model->orders[k].expires_at > until)
                until = model->orders[k].expires_at;
        }
    }
    until += SIM_MODEL_PROMPT_MS + 1000;
    sim_world_trace("all orders expire");
    while (sim_world_now() < until && !sim_world_verdict()) {
        round_of_all();
        sim_world_pass(QUIET_ROUND_MS);
    }
}

/* What nobody holds can be ordered. */
static void order_everything(void)
{
    sim_model_t *model = &sim_model_tickets()->model;
    int i;

    for (i = 0; i < model->ticket_count; i++) {
        if (!*model->tickets[i].at[model->tickets[i].version].order_id)
            sim_client_order(&sim_node_all.node[1], model->tickets[i].id);
    }
}

static void end_well(void)
{
    heal();
    wait_until_quiet();
    let_expire();
    wait_until_quiet();
    if (sim_world_verdict())
        return;
    order_everything();
    wait_until_quiet();
}

int sim_schedule_run(unsigned long long seed, sim_schedule_mode_t mode,
                     int is_told, const char *folder)
{
    apr_pool_t *pool;
    plan_t plan = { .max_tickets = 0 };
    int i;

    apr_pool_create(&pool, NULL);
    schedule_pool = pool;
    sim_world_begin(seed * SIM_SCHEDULE_MODES + mode, is_told);
    make_plan(&plan, mode);
    sim_bus_begin(pool);
    sim_bus_weather(&plan.weather);
    sim_model_begin();
    sim_node_begin();
    sim_backup_begin();
    sim_payments_begin();
    sim_client_begin(plan.max_tickets);
    build(mode, &plan, folder, pool);
    sim_world_trace("seed %llu, %s", seed, sim_schedule_names[mode]);
    for (i = 0; i < sim_node_all.count; i++)
        sim_node_start(&sim_node_all.node[i]);
    for (i = 0; i < STEPS && !sim_world_verdict(); i++)
        step(&plan);
    if (!sim_world_verdict())
        end_well();
    sim_check_digest();
    sim_node_end();
    for (i = 0; i < sim_model_world.count; i++)
        sim_check_close(&sim_model_world.stores[i]);
    remove_files();
    apr_pool_destroy(pool);
    return !sim_world_verdict();
}
