/* svc_publisher, over real ZeroMQ sockets: what the log holds is published in
 * order, once; a heartbeat tells the head; replay answers in bounded pages, and
 * nonsense with a sentence.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "jobs.h"

#include "svc_publisher.h"
#include "svc_time.h"

static svc_db_t *db;
static svc_stream_t *stream, *elsewhere;
static svc_stats_t stats;
static svc_publisher_config_t config;
static svc_bus_t *bus, *client;
static svc_publisher_t *publisher;
static svc_bus_socket_t *sub, *dealer;
static apr_int64_t now;
static const char *source;

/* An endpoint of TCP that is free now: libzmq takes an ipc path from whoever
 * has it, so only TCP can be in use. */
static const char *free_endpoint(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0)
        must(svc_err_make(fixture.pool, SVC_ERR_INTERNAL, "no free port"));
    close(fd);
    return apr_psprintf(fixture.pool, "tcp://127.0.0.1:%d",
                        ntohs(address.sin_port));
}

static void turn(void)
{
    int again;

    do {
        again = 0;
        must(svc_publisher_turn(&again, publisher, db, now, fixture.pool));
    } while (again);
}

/* COUNT events in one transaction of INSTANCE. */
static void write_events(const svc_stream_t *instance, int count)
{
    svc_stream_tx_t tx;
    int i;

    must(svc_stream_begin(&tx, db, instance, fixture.pool));
    for (i = 0; i < count; i++)
        svc_stream_emit(&tx, "x:y", "018f3a7e-1234-7abc-8def-0123456789ab",
                        NULL, NULL, NULL);
    must(svc_stream_commit(&tx));
    atomic_fetch_add(&stats.logged, 1); /* as the writer does */
}

/* The next message on SOCKET, waiting for it; 0 frames after 2 s. */
static int receive(svc_bus_frame_t **frames, svc_bus_socket_t *socket)
{
    apr_time_t until = apr_time_now() + 2000000;
    int count;

    while (!(count = svc_bus_receive(frames, socket, fixture.pool)) &&
           apr_time_now() < until)
        svc_bus_wait(client, NULL, 0, 10);
    return count;
}

/* The position of the next event on SUB; heartbeats are passed by. */
static int next_position(void)
{
    svc_bus_frame_t *frames;
    svc_event_t event;

    while (receive(&frames, sub) == 2) {
        must(svc_event_decode(&event, frames[0].data, frames[1].data,
                              frames[1].length, fixture.pool));
        if (strcmp(event.type, SVC_EVENT_HEARTBEAT) != 0)
            return (int)event.position;
    }
    return -1;
}

/* Takes everything that is there; how many events were among it. */
static int drain(void)
{
    svc_bus_frame_t *frames;
    int events = 0;

    svc_bus_wait(client, NULL, 0, 50);
    while (svc_bus_receive(&frames, sub, fixture.pool) > 0)
        events += strcmp(frames[0].data, SVC_EVENT_HEARTBEAT) != 0;
    return events;
}

static void start(void)
{
    must(svc_bus_create(&bus, "test", NULL, fixture.pool));
    publisher = svc_publisher_create(&config, bus, fixture.pool);
    turn();
}

/* Until SUB's connection is up, heartbeats are sent and lost. */
static int is_connected(void)
{
    svc_bus_frame_t *frames;

    now += 1000;
    turn();
    svc_bus_wait(client, NULL, 0, 5);
    return svc_bus_receive(&frames, sub, fixture.pool) > 0;
}

static void publishing(void)
{
    svc_bus_frame_t *frames;
    svc_event_t event;
    int i, wrong = 0;

    ok(wait_until(is_connected(), 5000), "a subscriber gets heartbeats");
    drain();
    write_events(stream, 3);
    turn();
    for (i = 1; i <= 3; i++)
        wrong += next_position() != i;
    is_int(wrong, 0, "what was committed is published, in order");
    turn();
    is_int(drain(), 0, "... once");
    write_events(elsewhere, 2);
    write_events(stream, 1);
    turn();
    is_int(next_position(), 6, "what another instance wrote is left to it");
    is_int(atomic_load(&stats.published), 4, "events are counted");
    is_int(atomic_load(&stats.published_to), 6, "... and the position kept");
    write_events(stream, 1200);
    turn();
    for (i = 7; i <= 1206; i++)
        wrong += next_position() != i;
    is_int(wrong, 0, "more than a page is published in order as well");
    turn();
    drain();
    now += 999;
    turn();
    svc_bus_wait(client, NULL, 0, 100);
    is_int(svc_bus_receive(&frames, sub, fixture.pool), 0,
           "within a second no heartbeat");
    now += 1;
    turn();
    ok(receive(&frames, sub) == 2 &&
           strcmp(frames[0].data, SVC_EVENT_HEARTBEAT) == 0,
       "after a second there is one");
    must(svc_event_decode(&event, frames[0].data, frames[1].data,
                          frames[1].length, fixture.pool));
    is_str(event.source, source, "it names the log");
    is_int(event.position, 1206, "... and its head");
}

static void restarting(void)
{
    svc_stream_tx_t tx;
    apr_int64_t marked = 1206;

    must(svc_stream_begin(&tx, db, stream, fixture.pool));
    must(svc_stream_set_published(&tx, marked));
    must(svc_stream_commit(&tx));
    atomic_fetch_add(&stats.logged, 1);
    svc_bus_destroy(bus);
    write_events(stream, 2);
    atomic_store(&stats.published_to, 0); /* another httpd */
    must(svc_bus_create(&bus, "test", NULL, fixture.pool));
    publisher = svc_publisher_create(&config, bus, fixture.pool);
    write_events(stream, 1);
    turn();
    is_int(atomic_load(&stats.published_to), 1209,
           "a restarted publisher publishes what was left, and no more");
    is_int(atomic_load(&stats.published), 1204 + 3, "... 3 events");
    svc_bus_destroy(bus);
    atomic_store(&stats.published_to, 1208); /* the same httpd, a new leader */
    start();
    is_int(atomic_load(&stats.published), 1204 + 4,
           "a new leader goes on where the last one was");
    drain();
}

static void bound_already(void)
{
    svc_bus_t *other;
    svc_bus_socket_t *socket;

    svc_bus_destroy(bus);
    must(svc_bus_create(&other, "test", NULL, fixture.pool));
    must(svc_bus_open(&socket, other, SVC_BUS_PUB, config.publish,
                      NULL, fixture.pool));
    start();
    is_int(fixture_logged("SVC020"), 1, "an endpoint in use is said");
    now += 500;
    turn();
    now += 500;
    turn();
    is_int(fixture_logged("SVC020"), 1, "... once");
    svc_bus_destroy(other);
    now += 500;
    turn();
    is_int(fixture_logged("SVC021"), 1, "... when it is free it is bound");
    ok(wait_until(is_connected(), 5000), "... and heartbeats go out");
    ok(wait_until((write_events(stream, 1), turn(), drain() > 0), 5000),
       "... and events");
}

/* The database lost its last events, as by a failover to a server that lagged, and
 * has others in their place. */
static void astray(void)
{
    int head = (int)fixture_int(db, "SELECT position FROM x_head");

    svc_publisher_doubt(publisher);
    write_events(stream, 1);
    turn();
    is_int(next_position(), head + 1,
           "a log that still has what was published goes on");
    fixture_do(db, apr_psprintf(fixture.pool, "DELETE FROM x_log WHERE "
                                              "position > %d", head - 2));
    fixture_do(db, apr_psprintf(fixture.pool, "UPDATE x_head SET position = %d",
                                head - 2));
    svc_publisher_doubt(publisher);
    turn();
    ok(!svc_publisher_is_astray(publisher), "a log that is shorter may lag");
    write_events(stream, 5);
    turn();
    ok(svc_publisher_is_astray(publisher), "one that has another event is "
                                           "another log");
    is_int(drain(), 0, "... of which nothing is published");
    svc_bus_destroy(bus);
    atomic_store(&stats.published_to, 0);
    start();
    ok(!svc_publisher_is_astray(publisher) &&
           wait_until(is_connected(), 5000),
       "... until all begins anew");
}

/* --- replay ---------------------------------------------------------------------- */

/* Sends REQUEST and takes its answer. As any client must, it asks again after a
 * second, for a connection that is just being made anew loses what is on it. */
static int answered(svc_bus_frame_t **answer, const svc_bus_frame_t *request,
                    int length)
{
    int tries, count = 0;

    while (svc_bus_receive(answer, dealer, fixture.pool) != 0)
        ; /* an answer to a request that was sent twice */
    for (tries = 0; tries < 5 && !count; tries++) {
        svc_bus_send(dealer, request, length);
        wait_until((turn(), svc_bus_wait(client, NULL, 0, 5),
                    count = svc_bus_receive(answer, dealer, fixture.pool)),
                   1000);
    }
    return count;
}

static int asked(svc_bus_frame_t **answer, const char *first,
                 const char *of, const char *position, const char *event_id,
                 const char *limit)
{
    svc_bus_frame_t request[] = { svc_bus_text(first), svc_bus_text(of),
                                  svc_bus_text(position),
                                  svc_bus_text(event_id),
                                  svc_bus_text(limit) };

    return answered(answer, request, 5);
}

static void replay(void)
{
    svc_bus_frame_t *answer = NULL;
    svc_event_t event;
    const char *id = NULL;
    int count, i, wrong = 0;
    int head = (int)fixture_int(db, "SELECT position FROM x_head");
    const char *head_text = svc_db_arg(head, fixture.pool);

    count = asked(&answer, "REPLAY", source, "0", "", "5");
    is_int(count, 3 + 2 * 5, "a page has as many events as were asked for");
    is_str(answer[0].data, "EVENTS", "... after EVENTS");
    is_str(answer[1].data, source, "... the source");
    is_str(answer[2].data, head_text, "... and the head");
    for (i = 0; i < 5; i++) {
        must(svc_event_decode(&event, answer[3 + 2 * i].data,
                              answer[4 + 2 * i].data,
                              answer[4 + 2 * i].length, fixture.pool));
        wrong += event.position != i + 1;
    }
    is_int(wrong, 0, "... in order from the position on, also what another "
                     "instance wrote");
    must(svc_stream_event_id(&id, db, stream, 1208, fixture.pool));
    count = asked(&answer, "REPLAY", source, "1208", id, "500");
    is_int(count, 3 + 2 * (head - 1208), "from a position with its event: what follows");
    count = asked(&answer, "REPLAY", source, "1208", "another", "100");
    ok(count == 3 && strcmp(answer[0].data, "RESET") == 0 &&
           strcmp(answer[1].data, source) == 0 &&
           strcmp(answer[2].data, head_text) == 0,
       "from a position with another event: RESET, source and head");
    count = asked(&answer, "REPLAY", source, "0", "", "100000");
    is_int(count, 3 + 2 * SVC_REPLAY_MAX_PAGE, "a page is bounded");
    count = asked(&answer, "REPLAY", source, head_text, "", "100");
    is_int(count, 3, "at the head there are no events");
    count = asked(&answer, "REPLAY", "", "0", "", "0");
    ok(count == 3 && strcmp(answer[1].data, source) == 0,
       "without a source and with limit 0: source and head alone");
}

static void nonsense(void)
{
    static const struct {
        const char *first, *of, *position, *limit, *what;
    } table[] = {
        { "PLAY", "", "0", "1", "another verb" },
        { "REPLAY", "urn:other", "0", "1", "another source" },
        { "REPLAY", "", "x", "1", "a position that is no number" },
        { "REPLAY", "", "-1", "1", "a negative position" },
        { "REPLAY", "", "", "1", "no position" },
        { "REPLAY", "", "1234567890123456789", "1", "a position too long" },
        { "REPLAY", "", "0", "many", "a limit that is no number" },
        { "REPLAY", "", "0", "-1", "a negative limit" },
        { "replay", "", "0", "1", "the verb in lower case" }
    };
    svc_bus_frame_t *answer = NULL;
    svc_bus_frame_t one[] = { svc_bus_text("REPLAY") };
    svc_bus_frame_t req[] = { svc_bus_text(""), svc_bus_text("REPLAY"),
                              svc_bus_text(""), svc_bus_text("0"),
                              svc_bus_text(""), svc_bus_text("1") };
    svc_bus_frame_t *many = apr_pcalloc(fixture.pool, sizeof(many[0]) * 3000);
    size_t i;
    int count = 0;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        count = asked(&answer, table[i].first, table[i].of, table[i].position,
                      "", table[i].limit);
        ok(count == 2 && strcmp(answer[0].data, "ERROR") == 0 &&
               answer[1].length > 10,
           "%s is an ERROR with a sentence", table[i].what);
    }
    count = answered(&answer, one, 1);
    ok(count == 2 && strcmp(answer[0].data, "ERROR") == 0,
       "a request of one frame is an ERROR");
    count = answered(&answer, req, 6);
    ok(count == 6 && answer[0].length == 0 &&
           strcmp(answer[1].data, "EVENTS") == 0,
       "a delimiter, as REQ sockets send it, comes back");
    for (i = 0; i < 3000; i++)
        many[i] = svc_bus_text("x");
    svc_bus_send(dealer, many, 3000);
    count = asked(&answer, "REPLAY", "", "0", "", "0");
    ok(count == 3, "a message of 3000 frames is dropped, and the next request "
                   "is answered");
}

int main(void)
{
    fixture_begin();
    fixture_expect("SVC020: test: cannot bind");
    config.name = "test";
    config.publish = free_endpoint();
    config.replay = apr_psprintf(fixture.pool, "ipc://%s/rep", fixture.folder);
    config.stats = &stats;
    config.stream = stream = svc_stream_create("x", config.publish,
                                               fixture.pool);
    elsewhere = svc_stream_create("x", "tcp://other:1", fixture.pool);
    db = fixture_database("x.db", &jobs_schema, stream);
    must(svc_stream_head(&source, &now, db, stream, fixture.pool));
    now = svc_time_now();
    must(svc_bus_create(&client, "test", NULL, fixture.pool));
    must(svc_bus_open(&sub, client, SVC_BUS_SUB, config.publish, NULL,
                      fixture.pool));
    must(svc_bus_open(&dealer, client, SVC_BUS_DEALER, config.replay,
                      NULL, fixture.pool));
    svc_bus_subscribe(sub, "");
    start();
    publishing();
    restarting();
    bound_already();
    astray();
    replay();
    nonsense();
    svc_bus_destroy(client);
    svc_bus_destroy(bus);
    svc_db_close(db);
    return fixture_end();
}
