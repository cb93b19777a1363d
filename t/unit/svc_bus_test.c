/* svc_bus with keys, over real sockets: who is on the list gets events and
 * answers; who is not, has another server's key, or no key at all, gets nothing.
 * That somebody gets nothing is seen when a client on the list has got plenty
 * meanwhile.
 */
#include "fixture.h"

#include "svc_bus.h"

typedef struct client_t {
    svc_bus_t *bus;
    svc_bus_curve_t curve;
    svc_bus_socket_t *sub, *dealer;
    int events, answers;
} client_t;

static svc_bus_curve_t ours;
static apr_array_header_t *allowed;
static svc_bus_t *server;
static svc_bus_socket_t *pub, *router;
static const char *pub_endpoint, *router_endpoint;
static client_t *everyone[8];
static int count;

static void allow(apr_array_header_t *list, const char *public_key)
{
    svc_bus_key_t key;

    svc_bus_key_read(&key, public_key);
    APR_ARRAY_PUSH(list, svc_bus_key_t) = key;
}

static void make_pair(svc_bus_curve_t *curve)
{
    if (!svc_bus_key_pair(curve->public_key, curve->secret_key))
        must(svc_err_make(fixture.pool, SVC_ERR_INTERNAL, "no keys"));
    curve->allowed = apr_array_make(fixture.pool, 1, sizeof(svc_bus_key_t));
}

static void start_server(void)
{
    must(svc_bus_create(&server, "server", &ours, fixture.pool));
    must(svc_bus_open(&pub, server, SVC_BUS_PUB, pub_endpoint, NULL,
                      fixture.pool));
    must(svc_bus_open(&router, server, SVC_BUS_ROUTER, router_endpoint, NULL,
                      fixture.pool));
}

/* SERVER_KEY NULL: a client without keys. */
static client_t *connect_client(const char *name, const char *server_key)
{
    client_t *client = apr_pcalloc(fixture.pool, sizeof(*client));

    make_pair(&client->curve);
    must(svc_bus_create(&client->bus, name, server_key ? &client->curve : NULL,
                        fixture.pool));
    must(svc_bus_open(&client->sub, client->bus, SVC_BUS_SUB, pub_endpoint,
                      server_key, fixture.pool));
    must(svc_bus_open(&client->dealer, client->bus, SVC_BUS_DEALER,
                      router_endpoint, server_key, fixture.pool));
    svc_bus_subscribe(client->sub, "");
    everyone[count++] = client;
    return client;
}

static void client_turn(client_t *client, apr_pool_t *pool)
{
    svc_bus_frame_t *frames, question = svc_bus_text("?");

    svc_bus_send(client->dealer, &question, 1);
    svc_bus_wait(client->bus, NULL, 0, 0);
    while (svc_bus_receive(&frames, client->sub, pool) > 0)
        client->events++;
    while (svc_bus_receive(&frames, client->dealer, pool) > 0)
        client->answers++;
}

/* The server publishes and answers once, but lets in nobody. */
static int serve(void)
{
    svc_bus_frame_t *frames, event = svc_bus_text("event");
    apr_pool_t *pool;
    int i;

    apr_pool_create(&pool, fixture.pool);
    svc_bus_send(pub, &event, 1);
    while (svc_bus_receive(&frames, router, pool) > 0)
        svc_bus_send(router, frames, 2);
    for (i = 0; i < count; i++)
        client_turn(everyone[i], pool);
    apr_pool_destroy(pool);
    return 1;
}

static int turn(void)
{
    svc_bus_wait(server, NULL, 0, 0);
    return serve();
}

static int gets(client_t *client, int n)
{
    return wait_until((turn(), client->events >= n && client->answers >= n),
                      10000);
}

static int is_silent(const client_t *client)
{
    return client->events == 0 && client->answers == 0;
}

static void door(client_t *listed)
{
    client_t *unlisted, *stranger, *plain;

    ok(gets(listed, 1), "a client on the list gets events and answers");

    fixture_expect("SVC070: server: ");
    fixture_expect("SVC071: ");
    unlisted = connect_client("unlisted", ours.public_key);
    stranger = connect_client("stranger", unlisted->curve.public_key);
    allow(allowed, stranger->curve.public_key);
    plain = connect_client("plain", NULL);
    ok(wait_until((turn(), fixture_logged("SVC071: unlisted: ") == 2 &&
                               fixture_logged("SVC071: stranger: ") == 2 &&
                               fixture_logged("SVC071: plain: ") == 2), 10000),
       "who is not on the list, takes the server for another one or has no key "
       "is told that it is not let in");
    ok(strstr(fixture_line("SVC071: unlisted: "), "not on the list") != NULL,
       "... the first one why");
    ok(strstr(fixture_line("SVC071: stranger: "), "server key") != NULL,
       "... the second one why");
    ok(strstr(fixture_line("SVC071: plain: "), "only one side uses CURVE") !=
           NULL, "... the third one why");
    ok(strstr(fixture_line("SVC070: server: "), unlisted->curve.public_key) !=
           NULL, "the server says whom it refused");
    listed->events = listed->answers = 0;
    ok(gets(listed, 300), "the client on the list gets more events and answers");
    ok(is_silent(unlisted), "who is not on the list gets neither");
    ok(is_silent(stranger), "nor does who takes the server for another one");
    ok(is_silent(plain), "nor does who has no key");
    is_int(fixture_logged("SVC071: unlisted: "), 2,
           "it goes on trying, and is told so once for each connection");
    is_int(fixture_logged("SVC070"), 1, "... as is the server");

    allow(allowed, unlisted->curve.public_key);
    ok(gets(unlisted, 1), "once it is on the list it comes in by itself");
}

static void nobody_at_the_door(void)
{
    client_t *listed = everyone[0], *late;

    late = connect_client("late", ours.public_key);
    allow(allowed, late->curve.public_key);
    listed->events = 0;
    ok(wait_until((serve(), listed->events >= 300), 10000) && is_silent(late),
       "while nobody answers at the door nobody comes in");
    ok(gets(late, 1), "and then who is on the list does");
}

/* The list is that of the bus: another one in this process has its own. */
static void two_buses(void)
{
    const char *elsewhere = apr_psprintf(fixture.pool, "ipc://%s/other",
                                         fixture.folder);
    svc_bus_curve_t other;
    svc_bus_t *bus;
    svc_bus_socket_t *socket, *sub;
    client_t *listed = everyone[0];

    make_pair(&other);
    must(svc_bus_create(&bus, "other", &other, fixture.pool));
    must(svc_bus_open(&socket, bus, SVC_BUS_PUB, elsewhere, NULL,
                      fixture.pool));
    must(svc_bus_open(&sub, listed->bus, SVC_BUS_SUB, elsewhere,
                      other.public_key, fixture.pool));
    fixture_expect("SVC070: other: ");
    ok(wait_until((svc_bus_wait(bus, NULL, 0, 0), turn(),
                   fixture_logged("SVC070: other: ")), 10000),
       "another bus in this process has a list of its own");
    listed->events = listed->answers = 0;
    ok(gets(listed, 1), "and does not disturb the first");
    svc_bus_destroy(bus);
}

/* The new server has another list, as after a graceful restart. */
static void another_list(void)
{
    client_t *kept = everyone[0], *removed = everyone[1];
    int refused = fixture_logged("SVC071: unlisted: ");

    svc_bus_destroy(server);
    allowed = apr_array_make(fixture.pool, 2, sizeof(svc_bus_key_t));
    ours.allowed = allowed;
    allow(allowed, kept->curve.public_key);
    start_server();
    kept->events = kept->answers = 0;
    ok(gets(kept, 1), "who is still on the list is let in again");
    ok(wait_until((turn(), fixture_logged("SVC071: unlisted: ") ==
                               refused + 2), 10000),
       "whose key was taken off the list is refused");
    kept->events = kept->answers = 0;
    removed->events = removed->answers = 0; /* what it still had in its queue */
    ok(gets(kept, 300) && is_silent(removed), "... and gets nothing any more");
}

static void without_keys(void)
{
    svc_bus_t *bus;
    svc_bus_socket_t *socket = NULL;

    must(svc_bus_create(&bus, "keyless", NULL, fixture.pool));
    fails(svc_bus_open(&socket, bus, SVC_BUS_SUB, pub_endpoint,
                       ours.public_key, fixture.pool), SVC_ERR_UNAVAILABLE,
          "a bus without keys cannot show one");
    svc_bus_destroy(bus);
    must(svc_bus_create(&bus, "wrong", &ours, fixture.pool));
    fails(svc_bus_open(&socket, bus, SVC_BUS_SUB, pub_endpoint, "no key",
                       fixture.pool), SVC_ERR_UNAVAILABLE,
          "what is no server key is not taken for one");
    svc_bus_destroy(bus);
    memset(ours.secret_key, '"', SVC_BUS_KEY_LENGTH);
    must(svc_bus_create(&bus, "broken", &ours, fixture.pool));
    fails(svc_bus_open(&socket, bus, SVC_BUS_PUB,
                       apr_pstrcat(fixture.pool, pub_endpoint, "2", NULL),
                       NULL, fixture.pool), SVC_ERR_UNAVAILABLE,
          "without a key of its own a bus does not bind");
    svc_bus_destroy(bus);
}

static void secrets(void)
{
    int i, k, told = 0;

    for (i = 0; i < fixture.count; i++) {
        told += strstr(fixture.lines[i], ours.secret_key) != NULL;
        for (k = 0; k < count; k++)
            told += strstr(fixture.lines[i],
                           everyone[k]->curve.secret_key) != NULL;
    }
    ok(fixture.count > 5, "there are lines in the log");
    is_int(told, 0, "none of them has a secret key");
}

int main(void)
{
    client_t *listed;
    int i;

    fixture_begin();
    pub_endpoint = apr_psprintf(fixture.pool, "ipc://%s/pub", fixture.folder);
    router_endpoint = apr_psprintf(fixture.pool, "ipc://%s/rep",
                                   fixture.folder);
    make_pair(&ours);
    allowed = apr_array_make(fixture.pool, 4, sizeof(svc_bus_key_t));
    ours.allowed = allowed;
    start_server();
    listed = connect_client("listed", ours.public_key);
    allow(allowed, listed->curve.public_key);
    door(listed);
    nobody_at_the_door();
    two_buses();
    another_list();
    secrets();
    without_keys();
    svc_bus_destroy(server);
    for (i = 0; i < count; i++)
        svc_bus_destroy(everyone[i]->bus);
    return fixture_end();
}
