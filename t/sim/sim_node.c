/* sim_node: see the header. */
#include "sim_node.h"

#include <string.h>

#include <apr_strings.h>

#include "orders_events.h"
#include "orders_schema.h"
#include "orders_service.h"
#include "sim_bus.h"
#include "sim_check.h"
#include "sim_payments.h"
#include "svc_log.h"
#include "tickets_events.h"
#include "tickets_schema.h"

#define OFTEN_MS 500 /* between turns of a service that runs */

sim_node_all_t sim_node_all;
long sim_node_snapshots;

/* What the services say of their own trouble. */
static void hear(svc_log_level_t level, const char *message)
{
    const sim_process_t *process = sim_world_process();
    const char *expected =
        process ? ((const sim_node_t *)process)->config->expected_logs : NULL;
    char tag[8];

    if (level > SVC_LOG_NOTICE)
        return;
    sim_world_trace("log: %s", message);
    apr_cpystrn(tag, message, 7);
    sim_node_snapshots += strcmp(tag, "SVC038") == 0;
    if (level <= SVC_LOG_WARNING && (!expected || !strstr(expected, tag)))
        sim_world_broken("a service is in trouble: %s", message);
}

static void published(const sim_process_t *process, const char *subject,
                      const char *text)
{
    static const char key[] = "\"sequence\":\"";
    const char *sequence = strstr(text, key);

    if (strcmp(subject, SVC_EVENT_HEARTBEAT) != 0 && sequence)
        sim_model_publish(((const sim_node_t *)process)->store,
                          apr_atoi64(sequence + strlen(key)));
}

void sim_node_begin(void)
{
    memset(&sim_node_all, 0, sizeof(sim_node_all));
    sim_bus_on_publish = published;
    svc_log_set(hear);
}

static void committed(sim_process_t *process)
{
    sim_check_commit(((sim_node_t *)process)->store);
}

/* The writer rings the leader; here everybody looks when it is his turn. */
static void ring(void *baton)
{
    (void)baton;
}

sim_node_t *sim_node_add(sim_store_t *store, const char *name,
                         const sim_node_config_t *config, apr_pool_t *pool)
{
    sim_node_t *node = &sim_node_all.node[sim_node_all.count++];
    int is_tickets = store->kind == SIM_MODEL_OF_TICKETS;
    const char *service = is_tickets ? "tickets" : "orders";
    const svc_stream_t *stream;

    node->process.name = name;
    node->process.on_commit = committed;
    node->store = store;
    node->config = config;
    node->publish = apr_pstrcat(pool, "sim://", name, NULL);
    if (!config->without_replay)
        node->replay = apr_pstrcat(pool, node->publish, "/replay", NULL);
    stream = svc_stream_create(service, node->publish, pool);
    node->writer_config = (svc_writer_config_t){
        .name = name, .driver = "sqlite3", .params = store->path,
        .schema = is_tickets ? &tickets_schema : &orders_schema,
        .stream = stream, .stats = &node->stats, .on_commit = ring
    };
    node->leader_config = (svc_leader_config_t){
        .name = name, .driver = "sqlite3", .params = store->path,
        .publisher = { .name = name, .publish = node->publish,
                       .replay = node->replay, .stream = stream,
                       .state = is_tickets ? tickets_events_state
                                           : orders_events_state,
                       .stats = &node->stats },
        .subscriber = { .name = name,
                        .subjects = is_tickets ? tickets_events_subjects
                                               : orders_events_subjects,
                        .inbox = svc_inbox_create(service, pool),
                        .handler = is_tickets ? &tickets_events_handler
                                              : &orders_events_handler,
                        .stats = &node->stats },
        .sweep = is_tickets ? NULL : orders_service_sweep,
        .idempotency = svc_idempotency_create(service, pool),
        .idempotency_ttl_ms = 86400000,
        .retention_ms = config->retention_ms
    };
    return node;
}

void sim_node_connect(apr_pool_t *pool)
{
    apr_array_header_t *peers;
    int i, k;

    for (i = 0; i < sim_node_all.count; i++) {
        sim_node_t *node = &sim_node_all.node[i];

        peers = apr_array_make(pool, SIM_NODE_MAX,
                               sizeof(svc_link_peer_t));
        for (k = 0; k < sim_node_all.count; k++) {
            const sim_node_t *peer = &sim_node_all.node[k];

            if (peer->store->kind != node->store->kind)
                APR_ARRAY_PUSH(peers, svc_link_peer_t) =
                    (svc_link_peer_t){ peer->publish, peer->replay, NULL };
        }
        if (node->config->with_payments &&
            node->store->kind == SIM_MODEL_OF_ORDERS)
            APR_ARRAY_PUSH(peers, svc_link_peer_t) =
                (svc_link_peer_t){ SIM_PAYMENTS_ENDPOINT, NULL, NULL };
        node->leader_config.subscriber.peers = peers;
    }
}

static void start(void *baton)
{
    sim_node_t *node = baton;
    svc_err_t *err;

    node->writer = svc_writer_create(&node->writer_config,
                                     node->process.pool);
    node->leader_config.subscriber.writer = node->writer;
    err = svc_leader_create(&node->leader, &node->leader_config,
                            node->process.pool);
    if (err)
        sim_world_broken("%s cannot lead: %s", node->process.name, err->detail);
}

void sim_node_start(sim_node_t *node)
{
    node->process.life++;
    sim_world_trace("%s starts, life %d", node->process.name,
                    node->process.life);
    apr_pool_create(&node->process.pool, NULL);
    memset(&node->stats, 0, sizeof(node->stats));
    node->paused_until = 0;
    node->wrote_at = node->led_at = sim_world_ticks();
    node->alive_since = sim_world_now();
    sim_world_run(&node->process, start, node);
}

void sim_node_kill(sim_node_t *node)
{
    if (!node->writer)
        return;
    sim_world_trace("%s is dead", node->process.name);
    node->writer = NULL;
    node->leader = NULL;
    sim_bus_bury(&node->process);
    sim_world_bury(&node->process);
}

int sim_node_is_up(const sim_node_t *node)
{
    return node->writer && sim_world_ticks() >= node->paused_until;
}

void sim_node_adjusted(void)
{
    int i;

    for (i = 0; i < sim_node_all.count; i++)
        sim_node_all.node[i].alive_since = sim_world_now();
}

static void write_once(void *baton)
{
    svc_writer_turn(((sim_node_t *)baton)->writer);
}

static void lead_once(void *baton)
{
    svc_leader_turn(((sim_node_t *)baton)->leader, NULL, 0, 0);
}

static int take_turn(sim_node_t *node, void (*fn)(void *), apr_int64_t *last,
                     int kill_after)
{
    if (sim_world_ticks() - *last > OFTEN_MS)
        node->alive_since = sim_world_now();
    *last = sim_world_ticks();
    sim_world_kill_after(kill_after);
    if (!sim_world_run(&node->process, fn, node)) {
        sim_node_kill(node);
        return 0;
    }
    return 1;
}

int sim_node_write(sim_node_t *node, int kill_after)
{
    int survived = take_turn(node, write_once, &node->wrote_at, kill_after);

    if (survived && sim_world_ticks() - node->led_at <= OFTEN_MS)
        sim_model_judge_prompt(node->store, node->alive_since);
    return survived;
}

int sim_node_lead(sim_node_t *node, int kill_after)
{
    return take_turn(node, lead_once, &node->led_at, kill_after);
}

void sim_node_end(void)
{
    int i;

    for (i = 0; i < sim_node_all.count; i++)
        sim_node_kill(&sim_node_all.node[i]);
}
