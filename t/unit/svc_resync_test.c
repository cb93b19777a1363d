/* svc_subscriber where the log cannot simply be followed on: one of several
 * machines lags, the log was restored from a backup, or it does not go back so
 * far; two followers at once; a database that refuses; and what it says.
 *
 * Time is made here: each turn is STEP_MS later than the one before.
 * Of SQLite only: it asks and spoils in that dialect.
 */
#include "jobs.h"

#include "orders_events.h"
#include "orders_schema.h"
#include "svc_publisher.h"
#include "svc_subscriber.h"
#include "tickets_events.h"
#include "tickets_schema.h"
#include "tickets_service.h"

#define STEP_MS 40

/* A machine of the tickets service. */
typedef struct machine_t {
    svc_db_t *db;
    svc_stream_t *stream;
    svc_stats_t stats;
    svc_publisher_config_t config;
    svc_bus_t *bus;
    svc_publisher_t *publisher; /* NULL: it is down */
} machine_t;

/* A follower; all have one database. */
typedef struct follower_t {
    svc_bus_t *bus;
    svc_subscriber_t *subscriber; /* NULL: it is down */
} follower_t;

static machine_t good, lagging;
static follower_t first, second;
static svc_db_t *orders;
static svc_stats_t stats;
static svc_subscriber_config_t config;
static apr_int64_t now = 1000000;
static apr_pool_t *scratch;
static svc_bus_t *raw_bus;
static svc_bus_socket_t *raw, *silent, *silent_router;

static void turn_machine(machine_t *machine)
{
    int again = 0;

    if (machine->publisher)
        must(svc_publisher_turn(&again, machine->publisher, machine->db, now,
                                scratch));
}

static void turn_follower(follower_t *follower)
{
    int again = 0;

    if (!follower->subscriber)
        return;
    must(svc_subscriber_turn(&again, follower->subscriber, orders, now,
                             scratch));
    svc_bus_wait(follower->bus, NULL, 0, 0);
}

static void turn(void)
{
    apr_pool_clear(scratch);
    now += STEP_MS;
    turn_machine(&good);
    turn_machine(&lagging);
    turn_follower(&first);
    turn_follower(&second);
    apr_sleep(1000);
}

/* Turns for MS of our time. */
static void turn_for(int ms)
{
    apr_int64_t until = now + ms;

    while (now < until)
        turn();
}

#define turn_until(condition) wait_until((turn(), (condition)), 15000)

static void start_machine(machine_t *machine)
{
    must(svc_bus_create(&machine->bus, "test", NULL, fixture.pool));
    machine->publisher = svc_publisher_create(&machine->config, machine->bus,
                                              fixture.pool);
}

static void stop_machine(machine_t *machine)
{
    svc_bus_destroy(machine->bus);
    machine->publisher = NULL;
}

static void start_follower(follower_t *follower)
{
    must(svc_bus_create(&follower->bus, "test", NULL, fixture.pool));
    follower->subscriber = svc_subscriber_create(&config, follower->bus,
                                                 fixture.pool);
}

static void stop_follower(follower_t *follower)
{
    svc_subscriber_destroy(follower->subscriber);
    svc_bus_destroy(follower->bus);
    follower->subscriber = NULL;
}

/* --- the tickets -------------------------------------------------------------------- */

static const char *create(machine_t *at, const char *title)
{
    ticket_t ticket = { .title = title, .cents = 100, .user_id = "seller" };
    svc_stream_tx_t tx;

    must(svc_stream_begin(&tx, at->db, at->stream, fixture.pool));
    must(tickets_service_create(&ticket, &tx, fixture.pool));
    must(svc_stream_commit(&tx));
    return ticket.id;
}

static void edit(machine_t *at, const char *id, const char *title)
{
    static const svc_etag_condition_t none = { NULL, NULL };
    ticket_t ticket = { .id = id, .title = title, .cents = 200,
                        .user_id = "seller" };
    svc_stream_tx_t tx;

    must(svc_stream_begin(&tx, at->db, at->stream, fixture.pool));
    must(tickets_service_edit(&ticket, &tx, &none, fixture.pool));
    must(svc_stream_commit(&tx));
}

/* Puts COUNT tickets into the tables at once. */
static void create_many(machine_t *at, int count)
{
    fixture_do(at->db, apr_psprintf(fixture.pool,
        "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c "
        "WHERE n < %d) INSERT INTO tickets (id, position, title, cents, "
        "user_id, version) SELECT printf('018f3a7e-0000-7abc-8def-%%012d', n), "
        "n + 100000, 'many ' || n, 5, 'u', n %% 3 FROM c", count));
}

/* All events that there are are removed, as by age. */
static void trim(machine_t *at)
{
    svc_stream_tx_t tx;
    int removed;

    must(svc_stream_begin(&tx, at->db, at->stream, fixture.pool));
    must(svc_stream_trim(&removed, &tx, tx.now + 1, 100000));
    must(svc_stream_commit(&tx));
}

static int head(const machine_t *at)
{
    return (int)fixture_int(at->db, "SELECT position FROM tickets_head");
}

static int cursor(const machine_t *at)
{
    const char *source;
    apr_int64_t position;
    svc_inbox_cursor_t cursor;

    must(svc_stream_head(&source, &position, at->db, at->stream, scratch));
    must(svc_inbox_read_cursor(&cursor, orders, config.inbox, source, scratch));
    return (int)cursor.position;
}

/* Is the replica equal to the source, field by field? */
static int equals(const machine_t *at)
{
    static const char *const columns =
        "SELECT id || title || cents || user_id || version || "
        "coalesce(order_id, '-') FROM ";

    return strcmp(fixture_text(at->db, apr_pstrcat(fixture.pool, columns,
                                   "tickets ORDER BY id", NULL)),
                  fixture_text(orders, apr_pstrcat(fixture.pool, columns,
                                   "orders_tickets WHERE source <> 'urn:raw' "
                                   "ORDER BY id", NULL))) == 0;
}

static void is_followed(const machine_t *at, const char *what)
{
    ok(turn_until(cursor(at) == head(at)), "%s: the follower catches up", what);
    ok(equals(at), "%s: the replica equals the source", what);
}

static const char *title_of(const char *id)
{
    return fixture_text(orders, apr_psprintf(fixture.pool,
        "SELECT title FROM orders_tickets WHERE id = '%s'", id));
}

static int quarantined(void)
{
    return (int)fixture_int(orders, "SELECT COUNT(*) FROM orders_quarantine");
}

/* The one that lags gets what the good one has now. */
static void copy_good(void)
{
    svc_db_t *db = fixture_open("good.db");

    fixture_do(db, apr_psprintf(fixture.pool, "VACUUM INTO '%s'",
                                fixture_path("lagging.db")));
    svc_db_close(db);
    lagging.db = fixture_open("lagging.db");
}

/* --- several machines ---------------------------------------------------------------- */

static const char *a, *b;

static void one_lags(void)
{
    long long lagged;
    int i;

    a = create(&good, "a");
    b = create(&good, "b");
    edit(&good, a, "a1");
    copy_good();
    edit(&good, a, "a2");
    edit(&good, b, "b1");
    start_machine(&good);
    start_follower(&first);
    is_followed(&good, "one machine");
    start_machine(&lagging);
    lagged = atomic_load(&lagging.stats.replays);
    for (i = 0; i < 5; i++) {
        turn_for(4000);
        edit(&good, b, apr_psprintf(fixture.pool, "b while lagging %d", i));
        ok(turn_until(cursor(&good) == head(&good)),
           "beside a machine that lags for %d s, events arrive", 4 * i + 4);
    }
    is_followed(&good, "after that");
    ok(atomic_load(&lagging.stats.replays) - lagged >= 5,
       "the one that lags was asked, again and again");
    is_int(fixture_logged("SVC032"), 0, "... and nobody took its word");
    is_int(fixture_logged("SVC038"), 0, "... or its state");
}

/* What one machine has is less than what was followed, and nobody has more. */
static void nobody_confirms(void)
{
    apr_int64_t begin;
    int followed = cursor(&good);

    stop_machine(&good);
    begin = now;
    ok(turn_until(fixture_logged("SVC032")),
       "when nobody confirms what was taken, the shorter log is believed");
    ok(now - begin >= SVC_SOURCE_LAG_MS - 1000 - STEP_MS,
       "... not before its patience ends");
    ok(strstr(fixture_line("SVC032"),
              apr_psprintf(fixture.pool, "position %d", followed)) != NULL,
       "... it is said from where");
    is_followed(&lagging, "the shorter log");
    is_str(title_of(a), "a1", "... what came after it is gone");
    ok(turn_until(fixture_logged("SVC038")), "... which is said");
    edit(&lagging, b, "b in the other history");
    is_followed(&lagging, "the shorter log, growing");
    is_int(fixture_logged("SVC032"), 1, "... that was one snapshot");
}

/* The good one comes back: for the follower it is another history now. */
static void replaced_in_a_moment(void)
{
    int said = fixture_logged("SVC032");

    stop_machine(&lagging);
    stop_follower(&first);
    start_machine(&good);
    start_follower(&first);
    is_followed(&good, "a log that goes on from another event");
    is_int(fixture_logged("SVC032"), said + 1, "... which is said");
    said++;
    /* The last event is another one, the head is the same, there is no silence:
     * nothing shows it but that the connection was lost. */
    stop_machine(&good);
    fixture_do(good.db, "UPDATE tickets_log SET event_id = 'another' WHERE "
                        "position = (SELECT position FROM tickets_head)");
    fixture_do(good.db, apr_psprintf(fixture.pool, "UPDATE tickets SET "
               "title = 'restored' WHERE id = '%s'", a));
    start_machine(&good);
    ok(turn_until(fixture_logged("SVC032") == said + 1),
       "a log that was replaced in a moment by one as long is noticed");
    edit(&good, b, "after the replacement");
    is_followed(&good, "... its state");
    is_str(title_of(a), "restored", "... it has what it has");
}

/* --- snapshots ---------------------------------------------------------------------- */

static void not_kept(void)
{
    int taken = fixture_logged("SVC038"), said = fixture_logged("SVC032");

    stop_follower(&first);
    create_many(&good, 1300);
    edit(&good, a, "unseen");
    trim(&good);
    start_follower(&first);
    is_followed(&good, "a log that does not go back so far, 1300 tickets");
    ok(turn_until(fixture_logged("SVC038") > taken), "... by a snapshot");
    is_int(fixture_logged("SVC032"), said, "... it is no other log");
    edit(&good, a, "seen");
    is_followed(&good, "... and it goes on");
    is_int(fixture_logged("SVC038"), taken + 1, "... by events");
    stop_follower(&first);
    edit(&good, a, "unseen, but kept");
    start_follower(&first);
    is_followed(&good, "who is exactly at what was removed");
    is_int(fixture_logged("SVC038"), taken + 1, "... needs no snapshot");
}

/* A leader that does not know that it was replaced. */
static void two_followers(void)
{
    int i;

    stop_follower(&first);
    fixture_do(good.db, "UPDATE tickets SET title = 'changed', cents = 7 "
                        "WHERE title LIKE 'many%7'");
    fixture_do(good.db, "DELETE FROM tickets WHERE title LIKE 'many%3'");
    edit(&good, a, "unseen");
    trim(&good);
    start_follower(&first);
    start_follower(&second);
    for (i = 0; i < 40; i++) {
        edit(&good, b, apr_psprintf(fixture.pool, "meanwhile %d", i));
        turn();
    }
    is_followed(&good, "two followers at once in a snapshot");
    is_int(quarantined(), 0, "... nothing is set aside for that");
    stop_follower(&second);
    edit(&good, a, "alone");
    is_followed(&good, "the first follower alone again");
}

/* Another follower has taken a part of what this one has gathered, and ended. */
static void overtaken(void)
{
    const char *id = NULL;
    int i, at = cursor(&good);

    for (i = 0; i < 20; i++)
        edit(&good, a, i < 7 ? "taken by another" : "taken by nobody");
    must(svc_stream_event_id(&id, good.db, good.stream, at + 7, scratch));
    fixture_do(orders, apr_psprintf(fixture.pool, "UPDATE orders_cursor SET "
               "position = %d, event_id = '%s' WHERE position = %d", at + 7, id,
               at));
    is_followed(&good, "one that was overtaken");
    is_str(title_of(a), "taken by nobody", "... nothing is left out");
}

/* A database that refuses a page. */
static void refused(void)
{
    int taken = fixture_logged("SVC038");

    stop_follower(&first);
    fixture_do(good.db, "UPDATE tickets SET title = 'refused' "
                        "WHERE title LIKE 'many%5'");
    edit(&good, a, "unseen");
    trim(&good);
    fixture_do(orders, "CREATE TRIGGER no BEFORE UPDATE ON orders_tickets "
                       "WHEN NEW.title = 'refused' AND NEW.id LIKE '%7%5' "
                       "BEGIN SELECT RAISE(ABORT, 'no'); END");
    start_follower(&first);
    ok(turn_until(fixture_logged("SVC035")),
       "a page that the database refuses is said");
    turn_for(2000);
    is_int(fixture_logged("SVC035"), 1, "... once");
    is_int(fixture_logged("SVC038"), taken, "... there is no end before it");
    ok(cursor(&good) < head(&good), "... and the cursor stays");
    fixture_do(orders, "DROP TRIGGER no");
    is_followed(&good, "when it is accepted");
    ok(turn_until(fixture_logged("SVC038") > taken), "... by that snapshot");
    is_int(fixture_logged("SVC038"), taken + 1, "... alone");
    is_int(quarantined(), 0, "... nothing was set aside");
}

/* --- what is said -------------------------------------------------------------------- */

static void unknown_subjects(void)
{
    static const char *const subjects[] = { "ticket:painted", "ticket:sung",
                                            "ticket:painted" };
    svc_stream_tx_t tx;
    int i;

    for (i = 0; i < 9; i++) {
        must(svc_stream_begin(&tx, good.db, good.stream, fixture.pool));
        svc_stream_emit(&tx, subjects[i % 3], a, NULL, NULL, NULL);
        must(svc_stream_commit(&tx));
        turn();
    }
    edit(&good, a, "after unknown subjects");
    is_followed(&good, "events of subjects that are not known");
    ok(turn_until(atomic_load(&stats.unknown) == 9), "... are counted");
    is_int(fixture_logged("SVC037"), 2, "each subject is said once");
    ok(strstr(fixture_line("SVC037"), "ticket:sung") != NULL, "... by name");
    is_int(quarantined(), 0, "... and none is set aside");
}

static void send_event(svc_bus_socket_t *socket, const char *source, int number,
                       int version, int position)
{
    const char *subject = version ? "ticket:updated" : "ticket:created";
    const char *sequence =
        position ? apr_psprintf(fixture.pool, "\"sequence\":\"%020d\",",
                                position) : "";
    const char *text = apr_psprintf(
        fixture.pool, "{\"specversion\":\"1.0\",\"id\":\"e-%d-%d\","
        "\"source\":\"%s\",\"type\":\"%s\",%s\"data\":{\"id\":"
        "\"018f3a7e-2222-7abc-8def-%012d\",\"version\":%d,\"title\":\"t\","
        "\"price\":5,\"userId\":\"u\"}}",
        number, version, source, subject, sequence, number, version);
    svc_bus_frame_t frames[] = { svc_bus_text(subject), svc_bus_text(text) };

    svc_bus_send(socket, frames, 2);
}

static void send_heartbeat(const char *source, int position)
{
    const char *text = apr_psprintf(
        fixture.pool, "{\"specversion\":\"1.0\",\"id\":\"h\",\"source\":\"%s\","
        "\"type\":\"heartbeat\",\"sequence\":\"%020d\",\"data\":{}}",
        source, position);
    svc_bus_frame_t frames[] = { svc_bus_text("heartbeat"),
                                 svc_bus_text(text) };

    svc_bus_send(silent, frames, 2);
}

static int version_of(int number)
{
    return (int)fixture_int(orders, apr_psprintf(fixture.pool,
        "SELECT version FROM orders_tickets WHERE id = "
        "'018f3a7e-2222-7abc-8def-%012d'", number));
}

static void waiting(void)
{
    ok(turn_until((send_event(raw, "urn:raw", 1, 0, 0), version_of(1) == 0)),
       "a publisher without a log is followed");
    send_event(raw, "urn:raw", 1, 3, 0);
    send_event(raw, "urn:raw", 1, 2, 0);
    ok(turn_until(atomic_load(&stats.parked) == 2),
       "events that come early are counted");
    ok(fixture_logged("SVC036") >= 1 && fixture_logged("SVC036") <= 2,
       "... and said, once for a batch");
    send_event(raw, "urn:raw", 1, 1, 0);
    ok(turn_until(version_of(1) == 3), "... until their time has come");
    send_event(raw, "urn:raw", 2, 0, 70);
    ok(turn_until(version_of(2) == 0),
       "a position means nothing where no log can be asked for");
    is_int(fixture_int(orders, "SELECT COUNT(*) FROM orders_cursor "
                               "WHERE source = 'urn:raw'"), 0,
           "... there is no cursor");
}

/* --- too many sources ----------------------------------------------------------------- */

static void many_sources(void)
{
    int i;

    ok(turn_until((send_event(silent, "urn:silent:0", 100, 0, 1),
                   version_of(100) == 0)),
       "a log that has just begun is followed");
    send_event(silent, "urn:silent:0", 101, 0, 3);
    for (i = 1; i < 300; i++)
        send_heartbeat(apr_psprintf(fixture.pool, "urn:silent:%d", i), 9);
    send_event(silent, "urn:silent:100", 102, 0, 5);
    send_event(silent, "urn:silent:299", 103, 0, 5);
    ok(turn_until(version_of(103) == 0),
       "of more sources than can be followed events are taken as they come");
    is_int(fixture_int(orders, "SELECT COUNT(*) FROM orders_cursor "
                               "WHERE source = 'urn:silent:299'"), 0,
           "... without a cursor");
    ok(version_of(101) == -1 && version_of(102) == -1,
       "... while those that are followed have theirs in order");
    send_event(silent, "urn:silent:0", 101, 0, 2);
    ok(turn_until(version_of(101) == 0), "... to whom nothing is lost");
    edit(&good, a, "after many sources");
    ok(turn_until(cursor(&good) == head(&good)), "the others are followed on");
}

static void setup_machine(machine_t *machine, const char *name)
{
    machine->config.name = "test";
    machine->config.publish = apr_psprintf(fixture.pool, "ipc://%s/%s.pub",
                                           fixture.folder, name);
    machine->config.replay = apr_psprintf(fixture.pool, "ipc://%s/%s.rep",
                                          fixture.folder, name);
    machine->config.stats = &machine->stats;
    machine->config.state = tickets_events_state;
    machine->config.stream = machine->stream =
        svc_stream_create("tickets", machine->config.publish, fixture.pool);
}

static void add_peer(apr_array_header_t *peers, const char *publish,
                     const char *replay)
{
    svc_link_peer_t *peer = apr_array_push(peers);

    peer->publish = publish;
    peer->replay = replay;
}

static void setup(jobs_t *jobs)
{
    apr_array_header_t *peers = apr_array_make(fixture.pool, 4,
                                               sizeof(svc_link_peer_t));
    const char *names[] = { "raw", "silent", "silent.rep" };
    svc_bus_socket_t **sockets[] = { &raw, &silent, &silent_router };
    const char *endpoints[3];
    int i;

    must(svc_bus_create(&raw_bus, "test", NULL, fixture.pool));
    for (i = 0; i < 3; i++) {
        endpoints[i] = apr_psprintf(fixture.pool, "ipc://%s/%s",
                                    fixture.folder, names[i]);
        must(svc_bus_open(sockets[i], raw_bus,
                          i < 2 ? SVC_BUS_PUB : SVC_BUS_ROUTER, endpoints[i], NULL,
                          fixture.pool));
    }
    setup_machine(&good, "good");
    setup_machine(&lagging, "lagging");
    good.db = fixture_database("good.db", &tickets_schema, good.stream);
    add_peer(peers, good.config.publish, good.config.replay);
    add_peer(peers, lagging.config.publish, lagging.config.replay);
    add_peer(peers, endpoints[0], NULL);
    add_peer(peers, endpoints[1], endpoints[2]);
    config.name = "test";
    config.peers = peers;
    config.subjects = orders_events_subjects;
    config.inbox = svc_inbox_create("orders", fixture.pool);
    config.handler = &orders_events_handler;
    config.writer = jobs->writer;
    config.stats = &stats;
}

int main(void)
{
    jobs_t *jobs;

    fixture_begin();
    fixture_expect("SVC032: test: the log of");
    fixture_expect("SVC035: test: events cannot be applied");
    fixture_expect("SVC011: test");
    apr_pool_create(&scratch, fixture.pool);
    jobs = jobs_prepare(fixture_params("orders.db"), "");
    jobs->config.schema = &orders_schema;
    jobs->config.stream = svc_stream_create("orders", "", jobs->pool);
    jobs_run(jobs);
    must(svc_writer_ready(jobs->writer, 10000, fixture.pool));
    orders = fixture_open("orders.db");
    setup(jobs);

    one_lags();
    nobody_confirms();
    replaced_in_a_moment();
    not_kept();
    two_followers();
    overtaken();
    refused();
    unknown_subjects();
    waiting();
    many_sources();

    stop_follower(&first);
    stop_machine(&good);
    svc_bus_destroy(raw_bus);
    jobs_stop(jobs);
    svc_db_close(orders);
    svc_db_close(good.db);
    svc_db_close(lagging.db);
    return fixture_end();
}
