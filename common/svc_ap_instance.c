/* svc_ap_instance: see the header. */
#include "svc_ap_instance.h"

#include <string.h>

#include <apr_shm.h>
#include <apr_strings.h>
#include <http_config.h>
#include <http_log.h>

#include "svc_ap_files.h"
#include "svc_db_place.h"
#include "svc_id.h"
#include "svc_lock.h"
#include "svc_time.h"
#include "svc_version.h"

#define DAY_MS (24LL * 3600 * 1000)

/* Kept by the parent process from one configuration to the next. */
typedef struct retained_t {
    svc_stats_t *stats;
    apr_file_t *doorbell_in, *doorbell_out;
} retained_t;

/* APR's shared memory is not aligned as the counters are. */
static svc_stats_t *align(void *memory)
{
    apr_uintptr_t at = (apr_uintptr_t)memory;

    return (svc_stats_t *)((at + SVC_STATS_LINE - 1) &
                           ~(apr_uintptr_t)(SVC_STATS_LINE - 1));
}

static retained_t *retain(const char *key, apr_pool_t *process_pool)
{
    retained_t *retained;
    apr_shm_t *memory;

    /* A restart may bring a newer module, which counts otherwise. */
    key = apr_psprintf(process_pool, "%s\n" SVC_VERSION "\n%" APR_SIZE_T_FMT,
                       key, sizeof(svc_stats_t));
    if ((retained = ap_retained_data_get(key)))
        return retained->stats ? retained : NULL;
    retained = ap_retained_data_create(key, sizeof(*retained));
    if (apr_shm_create(&memory, sizeof(svc_stats_t) + SVC_STATS_LINE, NULL,
                       process_pool) != APR_SUCCESS ||
        apr_file_pipe_create_ex(&retained->doorbell_out,
                                &retained->doorbell_in, APR_FULL_NONBLOCK,
                                process_pool) != APR_SUCCESS)
        return NULL;
    retained->stats = align(apr_shm_baseaddr_get(memory));
    memset(retained->stats, 0, sizeof(svc_stats_t));
    atomic_store(&retained->stats->started_at, svc_time_now());
    return retained;
}

void svc_ap_instance_ring(void *baton)
{
    const svc_ap_instance_t *instance = baton;
    apr_size_t length = 1;

    apr_file_write(instance->doorbell_in, "!", &length); /* full: it rings */
}

void svc_ap_instance_hear(svc_ap_instance_t *instance)
{
    char rings[256];
    apr_size_t length;

    do {
        length = sizeof(rings);
    } while (apr_file_read(instance->doorbell_out, rings, &length) ==
                 APR_SUCCESS &&
             length == sizeof(rings));
}

/* A fixed path, so that the processes before and after a restart exclude each
 * other; different for what may run side by side. */
static const char *leader_lock_path(const svc_ap_service_t *service,
                                    const char *key, apr_pool_t *pool)
{
    const char *digest = svc_id_digest(key, strlen(key), pool);

    return ap_runtime_dir_relative(
        pool, apr_psprintf(pool, "%s.%.16s.leader", service->module_name, digest));
}

static void configure(svc_ap_instance_t *instance, apr_pool_t *pconf)
{
    const svc_ap_service_t *service = instance->service;
    const svc_ap_conf_t *conf = instance->conf;
    svc_stream_t *stream = svc_stream_create(
        service->name, conf->publish ? conf->publish : "", pconf);
    svc_writer_config_t *writer = &instance->writer_config;
    svc_leader_config_t *leader = &instance->leader_config;

    writer->name = service->module_name;
    writer->driver = conf->dbd_driver;
    writer->params = conf->dbd_params;
    writer->schema = service->schema;
    writer->leaves_schema = conf->leaves_schema == 1;
    writer->stream = stream;
    writer->stats = instance->stats;
    writer->on_commit = svc_ap_instance_ring;
    writer->on_commit_baton = instance;

    leader->name = service->module_name;
    leader->driver = conf->dbd_driver;
    leader->params = conf->dbd_params;
    leader->curve = conf->curve;
    leader->sweep = service->sweep;
    instance->idempotency = svc_idempotency_create(service->name, pconf);
    leader->idempotency = instance->idempotency;
    leader->idempotency_ttl_ms =
        1000 * (conf->idempotency_ttl >= 0 ? conf->idempotency_ttl
                                           : SVC_AP_CONF_IDEMPOTENCY_TTL);
    leader->retention_ms = (conf->retention >= 0 ? conf->retention
                                                 : SVC_AP_CONF_RETENTION) *
                           DAY_MS;
    leader->publisher.name = service->module_name;
    leader->publisher.publish = conf->publish;
    leader->publisher.replay = conf->replay;
    leader->publisher.stream = stream;
    leader->publisher.state = service->state;
    leader->publisher.stats = instance->stats;
    leader->subscriber.name = service->module_name;
    leader->subscriber.peers =
        conf->subscribe ? conf->subscribe
                        : apr_array_make(pconf, 0,
                                         sizeof(svc_link_peer_t));
    leader->subscriber.subjects = service->subjects;
    leader->subscriber.inbox = svc_inbox_create(service->name, pconf);
    leader->subscriber.handler = service->handler;
    leader->subscriber.stats = instance->stats;
}

static svc_ap_instance_t *create(const svc_ap_service_t *service,
                                 server_rec *s, const svc_ap_conf_t *conf,
                                 apr_pool_t *pconf)
{
    svc_ap_instance_t *instance = apr_pcalloc(pconf, sizeof(*instance));
    const char *key = apr_pstrcat(pconf, service->module_name, "\n",
                                  conf->dbd_driver, "\n", conf->dbd_params,
                                  "\n", conf->publish ? conf->publish : "",
                                  NULL);
    retained_t *retained = retain(key, s->process->pool);
    const char *file = svc_db_place_file(conf->dbd_driver, conf->dbd_params,
                                         pconf);
    const char *lock;

    if (!retained) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s,
                     "SVC053: %s: no shared memory or pipe to be had",
                     service->module_name);
        return NULL;
    }
    instance->service = service;
    instance->server = s;
    instance->conf = conf;
    instance->stats = retained->stats;
    instance->doorbell_in = retained->doorbell_in;
    instance->doorbell_out = retained->doorbell_out;
    instance->leader_lock = leader_lock_path(service, key, pconf);
    configure(instance, pconf);
    if (file) {
        svc_ap_files_give(file, 1, s, pconf);
        lock = apr_pstrcat(pconf, file, ".lock", NULL);
        svc_ap_files_give(lock, 0, s, pconf);
        svc_ap_files_give(svc_lock_turn_path(lock, pconf), 0, s, pconf);
    }
    svc_ap_files_give(instance->leader_lock, 0, s, pconf);
    return instance;
}

/* What only a later virtual host with this database says counts for all. */
static void complete(svc_ap_conf_t *conf, server_rec *s,
                     const svc_ap_service_t *service)
{
    for (s = s->next; s; s = s->next) {
        const svc_ap_conf_t *other = ap_get_module_config(s->module_config,
                                                          service->module);

        if (!other->is_used ||
            strcmp(other->dbd_driver, conf->dbd_driver) != 0 ||
            strcmp(other->dbd_params, conf->dbd_params) != 0)
            continue;
        if (conf->retention < 0)
            conf->retention = other->retention;
        if (conf->idempotency_ttl < 0)
            conf->idempotency_ttl = other->idempotency_ttl;
        if (conf->leaves_schema < 0)
            conf->leaves_schema = other->leaves_schema;
        if (!conf->subscribe)
            conf->subscribe = other->subscribe;
    }
}

apr_array_header_t *svc_ap_instance_create_all(const svc_ap_service_t *service,
                                               server_rec *main,
                                               apr_pool_t *pconf)
{
    apr_array_header_t *all = apr_array_make(pconf, 2,
                                             sizeof(svc_ap_instance_t *));
    server_rec *s;
    int i;

    for (s = main; s; s = s->next) {
        svc_ap_conf_t *conf = ap_get_module_config(s->module_config,
                                                   service->module);

        conf->instance = NULL;
        if (!conf->is_used)
            continue;
        for (i = 0; i < all->nelts; i++) {
            svc_ap_instance_t *other =
                APR_ARRAY_IDX(all, i, svc_ap_instance_t *);

            if (strcmp(other->conf->dbd_driver, conf->dbd_driver) == 0 &&
                strcmp(other->conf->dbd_params, conf->dbd_params) == 0)
                conf->instance = other;
        }
        if (!conf->instance) {
            complete(conf, s, service);
            conf->instance = create(service, s, conf, pconf);
            if (!conf->instance)
                return NULL;
            APR_ARRAY_PUSH(all, svc_ap_instance_t *) = conf->instance;
        }
    }
    return all;
}
