/* svc_subscriber, over real ZeroMQ sockets, from a tickets log to the replica of
 * orders: whatever is lost, late, repeated or restarted, the replica ends up
 * equal to the source, and each event takes effect once.
 */
#include "jobs.h"

#include "orders_events.h"
#include "orders_schema.h"
#include "svc_publisher.h"
#include "svc_subscriber.h"
#include "svc_time.h"
#include "tickets_events.h"
#include "tickets_schema.h"
#include "tickets_service.h"

#define TICKETS 40

static svc_db_t *tickets, *orders;
static svc_stream_t *stream, *elsewhere;
static svc_stats_t pub_stats, sub_stats;
static svc_publisher_config_t pub_config;
static svc_subscriber_config_t sub_config;
static svc_bus_t *pub_bus, *sub_bus;
static svc_publisher_t *publisher;   /* NULL: it is down */
static svc_subscriber_t *subscriber; /* NULL: it is down */
static const char *ids[TICKETS];
static int versions[TICKETS];
static apr_pool_t *scratch;

static void turn(void)
{
    apr_int64_t now = svc_time_ticks();
    int again = 0;

    apr_pool_clear(scratch);
    if (publisher)
        must(svc_publisher_turn(&again, publisher, tickets, now, scratch));
    if (subscriber) {
        must(svc_subscriber_turn(&again, subscriber, orders, now, scratch));
        svc_bus_wait(sub_bus, NULL, 0, again ? 0 : 2);
    }
}

static void start_publisher(void)
{
    must(svc_bus_create(&pub_bus, "test", NULL, fixture.pool));
    publisher = svc_publisher_create(&pub_config, pub_bus, fixture.pool);
}

static void stop_publisher(void)
{
    svc_bus_destroy(pub_bus);
    publisher = NULL;
}

static void start_subscriber(void)
{
    must(svc_bus_create(&sub_bus, "test", NULL, fixture.pool));
    subscriber = svc_subscriber_create(&sub_config, sub_bus, fixture.pool);
}

static void stop_subscriber(void)
{
    svc_subscriber_destroy(subscriber);
    svc_bus_destroy(sub_bus);
    subscriber = NULL;
}

static void edit(const svc_stream_t *instance, int i)
{
    static const svc_etag_condition_t none = { NULL, NULL };
    ticket_t ticket = { .id = ids[i], .user_id = "seller" };
    svc_stream_tx_t tx;

    must(svc_stream_begin(&tx, tickets, instance, fixture.pool));
    versions[i]++;
    ticket.title = apr_psprintf(fixture.pool, "T%d-%d", i, versions[i]);
    ticket.cents = 100 * i + versions[i];
    must(tickets_service_edit(&ticket, &tx, &none, fixture.pool));
    must(svc_stream_commit(&tx));
    if (instance == stream)
        atomic_fetch_add(&pub_stats.logged, 1); /* as the writer does */
}

static void create(int i)
{
    ticket_t ticket = { .title = "T", .cents = 100 * i + 1,
                        .user_id = "seller" };
    svc_stream_tx_t tx;

    must(svc_stream_begin(&tx, tickets, stream, fixture.pool));
    must(tickets_service_create(&ticket, &tx, fixture.pool));
    must(svc_stream_commit(&tx));
    ids[i] = ticket.id;
    versions[i] = 0;
}

static int head(void)
{
    return (int)fixture_int(tickets, "SELECT position FROM tickets_head");
}

static int cursor(void)
{
    apr_int64_t position = 0;

    must(svc_db_get(&position, orders,
                    fixture_sql("SELECT MAX(position) FROM orders_cursor"),
                    NULL, fixture.pool));
    return (int)position;
}

static int is_there(void)
{
    turn();
    return cursor() == head();
}

/* Does an event arrive within a moment of its commit? */
static int comes(void)
{
    edit(stream, 0);
    return wait_until(is_there(), 100);
}

/* Is the replica equal to the source, field by field? */
static void is_equal(const char *when)
{
    static const char *const columns =
        "id || title || cents || user_id || version || "
        "coalesce(order_id, '-')";
    apr_int64_t begin;
    const char *a, *b;

    ok(wait_until(is_there(), 10000), "%s: the follower catches up", when);
    begin = svc_time_ticks(); /* and knows it: so it has counted all */
    wait_until((turn(), atomic_load(&sub_stats.caught_up_at) > begin), 5000);
    a = fixture_text(tickets, apr_psprintf(fixture.pool,
            "SELECT %s FROM tickets ORDER BY id", columns));
    b = fixture_text(orders, apr_psprintf(fixture.pool,
            "SELECT %s FROM orders_tickets ORDER BY id", columns));
    ok(strcmp(a, b) == 0, "%s: the replica equals the source", when);
}

static void from_nothing(void)
{
    int i;

    for (i = 0; i < TICKETS; i++)
        create(i);
    for (i = 0; i < 1200; i++)
        edit(stream, i % TICKETS);
    atomic_store(&pub_stats.published_to, head()); /* long ago */
    start_publisher();
    start_subscriber();
    is_equal("from an empty cursor, 1240 events");
    is_int(atomic_load(&sub_stats.applied), 1240, "each took effect once");
    is_int(atomic_load(&pub_stats.published), 0, "... all of it was replayed");
    ok(wait_until((turn(), atomic_load(&sub_stats.caught_up_at) > 0), 5000),
       "the follower knows that it has everything");
}

static void live(void)
{
    long long replays, before;
    int i;

    ok(wait_until(comes(), 5000), "a live event arrives");
    is_equal("live");
    before = atomic_load(&sub_stats.applied);
    replays = atomic_load(&pub_stats.replays);
    for (i = 0; i < 500; i++) {
        edit(stream, i % TICKETS);
        if (i % 10 == 0)
            turn();
    }
    is_equal("500 live events");
    is_int(atomic_load(&sub_stats.applied) - before, 500,
           "each took effect once");
    is_int(atomic_load(&pub_stats.replays) - replays, 0,
           "... and nothing had to be asked for");
}

static void gaps(void)
{
    long long before = atomic_load(&sub_stats.applied);

    edit(elsewhere, 1); /* this publisher does not send it */
    edit(stream, 2);
    is_equal("a lost message before the last");
    edit(elsewhere, 3);
    edit(elsewhere, 3);
    is_equal("lost last messages, revealed by a heartbeat");
    is_int(atomic_load(&sub_stats.applied) - before, 4,
           "each took effect once");
}

static void restarts(void)
{
    long long before = atomic_load(&sub_stats.applied);

    stop_publisher();
    edit(stream, 4);
    edit(stream, 5);
    wait_until((turn(), 0), 50);
    start_publisher();
    is_equal("the publisher was restarted");
    edit(stream, 4);
    is_equal("... and goes on");
    stop_subscriber();
    edit(stream, 6);
    edit(stream, 6);
    wait_until((turn(), 0), 50);
    start_subscriber();
    is_equal("the follower was restarted");
    stop_subscriber();
    stop_publisher();
    edit(stream, 7);
    start_subscriber();
    wait_until((turn(), 0), 50);
    start_publisher();
    is_equal("both were");
    is_int(atomic_load(&sub_stats.applied) - before, 6,
           "each event took effect once");
}

/* Two followers on one database: one does not know that it was replaced. */
static void two_followers(void)
{
    svc_bus_t *first_bus = sub_bus;
    svc_subscriber_t *first = subscriber;
    svc_bus_t *second_bus;
    svc_subscriber_t *second;
    int i;

    start_subscriber();
    second = subscriber;
    second_bus = sub_bus;
    for (i = 0; i < 200; i++) {
        edit(stream, i % TICKETS);
        subscriber = first;
        sub_bus = first_bus;
        turn();
        subscriber = second;
        sub_bus = second_bus;
        turn();
    }
    is_equal("two followers at once");
    is_int(fixture_int(orders, "SELECT COUNT(*) FROM orders_quarantine"), 0,
           "... nothing is set aside for that");
    stop_subscriber();
    subscriber = first;
    sub_bus = first_bus;
    edit(stream, 0);
    is_equal("the first follower alone again");
}

/* --- a publisher without replay -------------------------------------------------- */

static svc_bus_t *raw_bus;
static svc_bus_socket_t *raw;

static const char *raw_id = "018f3a7e-1234-7abc-8def-0123456789ab";

static void send_raw(int version)
{
    const char *subject = version ? "ticket:updated" : "ticket:created";
    const char *text = apr_psprintf(
        fixture.pool, "{\"specversion\":\"1.0\",\"id\":\"raw-%d\","
        "\"source\":\"urn:raw\",\"type\":\"%s\",\"data\":{\"id\":\"%s\","
        "\"version\":%d,\"title\":\"raw %d\",\"price\":5,\"userId\":\"u\"}}",
        version, subject, raw_id, version, version);
    svc_bus_frame_t frames[] = { svc_bus_text(subject), svc_bus_text(text) };

    svc_bus_send(raw, frames, 2);
}

static int raw_version(void)
{
    return (int)fixture_int(orders, apr_psprintf(fixture.pool,
        "SELECT version FROM orders_tickets WHERE id = '%s'", raw_id));
}

static int quarantined(void)
{
    return (int)fixture_int(orders, "SELECT COUNT(*) FROM orders_quarantine");
}

static void without_replay(void)
{
    static const char *const bad_text = "{\"specversion\":\"1.0\"}";
    svc_bus_frame_t bad[] = { svc_bus_text("ticket:created"),
                              svc_bus_text(bad_text), svc_bus_text("more") };

    /* Until the connection is up messages are lost, as on any PUB socket. */
    ok(wait_until((send_raw(0), turn(), raw_version() == 0), 5000),
       "an event of a publisher without a log is applied");
    send_raw(2);
    send_raw(3);
    send_raw(3);
    ok(wait_until((turn(), fixture_int(orders, "SELECT COUNT(*) FROM "
                   "orders_parked") == 2), 5000),
       "later versions wait for the missing one");
    is_int(raw_version(), 0, "... and do not take effect");
    send_raw(1);
    ok(wait_until((turn(), raw_version() == 3), 5000),
       "when it comes all take effect");
    send_raw(2);
    send_raw(0);
    send_raw(4);
    ok(wait_until((turn(), raw_version() == 4), 5000),
       "old ones in between are dropped");
    svc_bus_send(raw, bad, 2);
    svc_bus_send(raw, bad, 1);
    svc_bus_send(raw, bad, 3);
    send_raw(5);
    ok(wait_until((turn(), raw_version() == 5), 5000),
       "bad messages do not stop the stream");
    is_int(quarantined(), 3, "... each is set aside");
    ok(wait_until((turn(), atomic_load(&sub_stats.quarantined) == 3), 5000),
       "... and counted");
    is_int(fixture_int(orders, "SELECT COUNT(*) FROM orders_cursor"), 1,
           "a publisher without replay has no cursor");
    fixture_do(orders, "DELETE FROM orders_tickets WHERE source = 'urn:raw'");
}

/* --- a log that is another one ---------------------------------------------------- */

static void another_log(void)
{
    stop_subscriber();
    stop_publisher();
    fixture_do(tickets, "UPDATE tickets_log SET event_id = 'another' WHERE "
                        "position = (SELECT position FROM tickets_head)");
    edit(stream, 8);
    start_publisher();
    start_subscriber();
    ok(wait_until((turn(), fixture_logged("SVC032")), 8000),
       "a log that is not the one that was followed is said");
    edit(stream, 8);
    is_equal("its state takes the place of what was known");
    is_int(fixture_logged("SVC032"), 1, "... which is said once");
    is_int(fixture_logged("SVC038"), 1, "... and that it is done");
    edit(stream, 8);
    is_equal("... and it is followed on");
}

int main(void)
{
    svc_link_peer_t peers[2];
    jobs_t *jobs;

    fixture_begin();
    fixture_expect("SVC030: test: an event ticket:created");
    fixture_expect("SVC032: test: the log of");
    apr_pool_create(&scratch, fixture.pool);
    pub_config.name = "test";
    pub_config.publish = apr_psprintf(fixture.pool, "ipc://%s/pub",
                                      fixture.folder);
    pub_config.replay = apr_psprintf(fixture.pool, "ipc://%s/rep",
                                     fixture.folder);
    pub_config.stats = &pub_stats;
    pub_config.state = tickets_events_state;
    pub_config.stream = stream = svc_stream_create("tickets",
                                                   pub_config.publish,
                                                   fixture.pool);
    elsewhere = svc_stream_create("tickets", "tcp://other:1", fixture.pool);
    tickets = fixture_database("tickets.db", &tickets_schema, stream);

    jobs = jobs_prepare(fixture_params("orders.db"), "");
    jobs->config.schema = &orders_schema;
    jobs->config.stream = svc_stream_create("orders", "", jobs->pool);
    jobs_run(jobs);
    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    orders = fixture_open("orders.db");

    peers[0].publish = pub_config.publish;
    peers[0].replay = pub_config.replay;
    peers[1].publish = apr_psprintf(fixture.pool, "ipc://%s/raw",
                                    fixture.folder);
    peers[1].replay = NULL;
    must(svc_bus_create(&raw_bus, "test", NULL, fixture.pool));
    must(svc_bus_open(&raw, raw_bus, SVC_BUS_PUB, peers[1].publish,
                      NULL, fixture.pool));
    {
        apr_array_header_t *list = apr_array_make(fixture.pool, 2,
                                                  sizeof(peers[0]));

        APR_ARRAY_PUSH(list, svc_link_peer_t) = peers[0];
        APR_ARRAY_PUSH(list, svc_link_peer_t) = peers[1];
        sub_config.peers = list;
    }
    sub_config.name = "test";
    sub_config.subjects = orders_events_subjects;
    sub_config.inbox = svc_inbox_create("orders", fixture.pool);
    sub_config.handler = &orders_events_handler;
    sub_config.writer = jobs->writer;
    sub_config.stats = &sub_stats;

    from_nothing();
    live();
    gaps();
    restarts();
    two_followers();
    without_replay();
    another_log();
    stop_subscriber();
    stop_publisher();
    svc_bus_destroy(raw_bus);
    jobs_stop(jobs);
    svc_db_close(orders);
    svc_db_close(tickets);
    return fixture_end();
}
