/* svc_leader: see the header. */
#include "svc_leader.h"

#include <unistd.h>

#include "svc_log.h"
#include "svc_outage.h"
#include "svc_time.h"

#define SWEEP_MS 500
#define LOOK_MS 500       /* between looks whether the database answers */
#define TRIM_MS 10000     /* between looks for what is too old */
#define TRIM_LIMIT 1000   /* events, and keys, removed by one command */
#define MARK_MS 1000      /* how often the published position is stored */
#define RECONNECT_MS 500
#define READY_MS 200      /* for the writer to open the database */

struct svc_leader_t {
    const svc_leader_config_t *config;
    apr_pool_t *pool;
    apr_pool_t *scratch; /* cleared at every turn */
    svc_bus_t *bus;
    svc_publisher_t *publisher;
    svc_subscriber_t *subscriber;
    svc_db_t *db;            /* NULL: not connected */
    apr_int64_t connect_at;  /* when to try again */
    apr_int64_t look_at;
    apr_int64_t sweep_at;
    apr_int64_t mark_at;
    apr_int64_t marked;      /* the position stored last */
    apr_int64_t trim_at;
    svc_command_t *trimming; /* handed in; NULL: none */
    struct trim_t *trim;     /* its baton */
    svc_outage_t outage;     /* of the database */
    int is_over;             /* see svc_leader_is_over */
};

svc_err_t *svc_leader_create(svc_leader_t **out,
                             const svc_leader_config_t *config,
                             apr_pool_t *pool)
{
    svc_leader_t *leader = apr_pcalloc(pool, sizeof(*leader));
    svc_err_t *err = svc_bus_create(&leader->bus, config->name, config->curve,
                                    pool);

    if (err)
        return err;
    leader->config = config;
    leader->pool = pool;
    apr_pool_create(&leader->scratch, pool);
    svc_stats_lead(config->publisher.stats, (int)getpid(), svc_time_ticks());
    leader->publisher = svc_publisher_create(&config->publisher, leader->bus,
                                             pool);
    leader->subscriber = svc_subscriber_create(&config->subscriber,
                                               leader->bus, pool);
    *out = leader;
    return NULL;
}

static svc_err_t *mark(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    (void)pool;
    return svc_stream_set_published(tx, *(apr_int64_t *)baton);
}

/* Stores how far was published, so that what a crash leaves is published by
 * whoever starts next. */
static void mark_published(svc_leader_t *leader, apr_int64_t now)
{
    const svc_publisher_config_t *publisher = &leader->config->publisher;
    apr_int64_t position = atomic_load(&publisher->stats->published_to);
    svc_command_t *command;
    void *baton;

    if (now < leader->mark_at || position == leader->marked)
        return;
    command = svc_writer_command(&baton, sizeof(position), NULL, mark);
    *(apr_int64_t *)baton = position;
    svc_writer_submit(leader->config->subscriber.writer, command);
    svc_writer_release(command);
    leader->marked = position;
    leader->mark_at = now + MARK_MS;
}

static svc_err_t *sweep(svc_leader_t *leader, apr_int64_t now)
{
    const svc_leader_config_t *config = leader->config;
    apr_int64_t db_now;
    svc_err_t *err;

    if (!config->sweep || now < leader->sweep_at)
        return NULL;
    leader->sweep_at = now + SWEEP_MS;
    if ((err = svc_db_now(&db_now, leader->db, leader->scratch)))
        return err;
    return config->sweep(leader->db, config->subscriber.writer, db_now,
                         leader->scratch);
}

/* What removes what is too old. The leader, and its configuration, may end
 * before it is carried out. */
typedef struct trim_t {
    apr_int64_t retention_ms, idempotency_ttl_ms;
    const svc_inbox_t *inbox;
    const svc_idempotency_t *idempotency;
    int removed, forgotten; /* out: events, keys */
} trim_t;

static svc_err_t *run_trim(void *baton, svc_stream_tx_t *tx, apr_pool_t *pool)
{
    trim_t *trim = baton;
    apr_int64_t before = tx->now - trim->retention_ms;
    svc_err_t *err = svc_idempotency_forget(
        &trim->forgotten, tx, trim->idempotency,
        tx->now - trim->idempotency_ttl_ms, TRIM_LIMIT);

    (void)pool;
    trim->removed = 0;
    if (err || !trim->retention_ms)
        return err;
    err = svc_stream_trim(&trim->removed, tx, before, TRIM_LIMIT);
    return err ? err : svc_inbox_forget(tx, trim->inbox, before);
}

/* Removes what is too old, a bounded number in each transaction; the next ones
 * at once, if there may be more. */
static void trim(svc_leader_t *leader, apr_int64_t now)
{
    const svc_leader_config_t *config = leader->config;
    svc_writer_t *writer = config->subscriber.writer;
    svc_err_t *err;
    void *baton;

    if (leader->trimming && svc_writer_is_done(&err, writer, leader->trimming)) {
        if (!err)
            atomic_fetch_add(&config->publisher.stats->trimmed,
                             leader->trim->removed);
        if (!err && (leader->trim->removed == TRIM_LIMIT ||
                     leader->trim->forgotten >= TRIM_LIMIT))
            leader->trim_at = now;
        svc_writer_release(leader->trimming);
        leader->trimming = NULL;
    }
    if (leader->trimming || now < leader->trim_at)
        return;
    leader->trimming = svc_writer_command(&baton, sizeof(*leader->trim), NULL,
                                          run_trim);
    leader->trim = baton;
    leader->trim->retention_ms = config->retention_ms;
    leader->trim->idempotency_ttl_ms = config->idempotency_ttl_ms;
    leader->trim->inbox = config->subscriber.inbox;
    leader->trim->idempotency = config->idempotency;
    svc_writer_submit(writer, leader->trimming);
    leader->trim_at = now + TRIM_MS;
}

/* What was published of the log that was counts for nothing now. */
static void resign(svc_leader_t *leader)
{
    svc_log(SVC_LOG_WARNING,
            "SVC088: %s: the event log is not the one that was published: the "
            "database has less than it had (a failover to a server that was "
            "behind, or a backup?); followers are made to compare",
            leader->config->name);
    atomic_store(&leader->config->publisher.stats->published_to, 0);
    leader->is_over = 1;
}

/* Sees that the database answers, and how long the log is; for those who ask how
 * the service is. */
static svc_err_t *look(svc_leader_t *leader, apr_int64_t now)
{
    const svc_publisher_config_t *publisher = &leader->config->publisher;
    const char *source;
    apr_int64_t head;
    svc_err_t *err;

    if (now < leader->look_at)
        return NULL;
    err = svc_stream_head(&source, &head, leader->db, publisher->stream,
                          leader->scratch);
    if (err)
        return err;
    svc_stats_database_answered(publisher->stats, source, head, now);
    leader->look_at = now + LOOK_MS;
    return NULL;
}

static svc_err_t *take_turn(int *again, svc_leader_t *leader, apr_int64_t now)
{
    svc_err_t *err;

    if (leader->is_over || (!leader->db && now < leader->connect_at))
        return NULL;
    leader->connect_at = now + RECONNECT_MS;
    if ((err = svc_writer_ready(leader->config->subscriber.writer, READY_MS,
                                leader->scratch))) {
        svc_stats_database_failed(leader->config->publisher.stats, now);
        return NULL; /* the writer says what is wrong */
    }
    if (!leader->db) {
        if ((err = svc_db_open(&leader->db, leader->config->driver,
                               leader->config->params, leader->pool,
                               leader->scratch)))
            return err;
        svc_publisher_doubt(leader->publisher);
    }
    if ((err = look(leader, now)) ||
        (err = svc_publisher_turn(again, leader->publisher, leader->db, now,
                                  leader->scratch)))
        return err;
    if (svc_publisher_is_astray(leader->publisher)) {
        resign(leader);
        return NULL;
    }
    if ((err = svc_subscriber_turn(again, leader->subscriber, leader->db, now,
                                   leader->scratch)))
        return err;
    mark_published(leader, now);
    trim(leader, now);
    return sweep(leader, now);
}

static void note(svc_leader_t *leader, const svc_err_t *err)
{
    const char *name = leader->config->name, *outage;

    if (err && svc_outage_begins(&leader->outage))
        svc_log(SVC_LOG_ERR, "SVC040: %s: the event bus waits for the "
                             "database: %s",
                name, err->detail ? err->detail : err->message);
    if (!err && (outage = svc_outage_ends(&leader->outage, leader->scratch)))
        svc_log(SVC_LOG_NOTICE, "SVC041: %s: the event bus goes on, %s", name,
                outage);
    if (err) {
        svc_stats_database_failed(leader->config->publisher.stats,
                                  svc_time_ticks());
        leader->look_at = 0;
    }
}

void svc_leader_turn(svc_leader_t *leader, const int *fds, int count,
                     int max_wait_ms)
{
    int again = 0;
    svc_err_t *err;

    apr_pool_clear(leader->scratch);
    atomic_store(&leader->config->publisher.stats->turn_at, svc_time_ticks());
    err = take_turn(&again, leader, svc_time_ticks());
    if (err || leader->db)
        note(leader, err);
    if (err && leader->db) {
        svc_db_close(leader->db);
        leader->db = NULL;
    }
    svc_bus_wait(leader->bus, fds, count,
                 again || !leader->db ? 0 : max_wait_ms);
    /* While there is no database, sockets that can be read must not make this
     * spin. */
    if (!leader->db)
        apr_sleep(50 * 1000);
}

int svc_leader_is_over(const svc_leader_t *leader)
{
    return leader->is_over;
}

void svc_leader_destroy(svc_leader_t *leader)
{
    svc_stats_lead_no_more(leader->config->publisher.stats, (int)getpid());
    if (leader->trimming)
        svc_writer_release(leader->trimming);
    svc_subscriber_destroy(leader->subscriber);
    svc_bus_destroy(leader->bus);
    if (leader->db)
        svc_db_close(leader->db);
}
