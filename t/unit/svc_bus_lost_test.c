/* svc_bus, over real sockets: what becomes of a connection that is lost, and of
 * a peer that leaves while nobody reads what it has sent.
 */
#include "fixture.h"

#include "svc_bus.h"

static const char *endpoint;

static svc_bus_socket_t *open_socket(svc_bus_t *bus, svc_bus_kind_t kind)
{
    svc_bus_socket_t *socket = NULL;

    must(svc_bus_open(&socket, bus, kind, endpoint, NULL, fixture.pool));
    return socket;
}

static svc_bus_t *new_bus(void)
{
    svc_bus_t *bus = NULL;

    must(svc_bus_create(&bus, "test", NULL, fixture.pool));
    return bus;
}

static int send_text(svc_bus_socket_t *socket, const char *text)
{
    svc_bus_frame_t frame = svc_bus_text(text);

    return svc_bus_send(socket, &frame, 1);
}

static int received(svc_bus_socket_t *socket)
{
    svc_bus_frame_t *frames;

    return svc_bus_receive(&frames, socket, fixture.pool);
}

/* A message got from PUB to SUB, which needs a connection. */
static int is_connected(svc_bus_t *bus, svc_bus_socket_t *pub,
                        svc_bus_socket_t *sub)
{
    send_text(pub, "hello");
    svc_bus_wait(bus, NULL, 0, 5);
    return received(sub) > 0;
}

static void lost(void)
{
    svc_bus_t *ours = new_bus(), *theirs = new_bus();
    svc_bus_socket_t *pub = open_socket(theirs, SVC_BUS_PUB), *sub;

    sub = open_socket(ours, SVC_BUS_SUB);
    svc_bus_subscribe(sub, "");
    ok(wait_until(is_connected(ours, pub, sub), 5000), "a message arrives");
    is_int(svc_bus_was_lost(sub), 0, "a connection that holds was not lost");
    svc_bus_destroy(theirs);
    theirs = new_bus();
    pub = open_socket(theirs, SVC_BUS_PUB);
    ok(wait_until(is_connected(ours, pub, sub), 5000),
       "a connection that was lost is made again");
    is_int(svc_bus_was_lost(sub), 1, "... one can ask for that then");
    is_int(svc_bus_was_lost(sub), 0, "... once");
    ok(wait_until(is_connected(ours, pub, sub), 5000), "messages arrive");
    is_int(svc_bus_was_lost(sub), 0, "... on the connection that there is");
    svc_bus_destroy(theirs);
    ok(wait_until(svc_bus_was_lost(sub), 5000),
       "a loss is known before there is another connection");
    is_int(svc_bus_was_lost(pub = open_socket(ours, SVC_BUS_PUB)), 0,
           "a socket that binds has no one connection to lose");
    svc_bus_destroy(ours);
}

/* libzmq has timers for connections, the longest of 1 s; it must not be one that
 * looks at the connection of a peer that has left. */
static void left(void)
{
    svc_bus_t *ours = new_bus(), *theirs = new_bus();
    svc_bus_socket_t *router = open_socket(ours, SVC_BUS_ROUTER);
    svc_bus_socket_t *dealer = open_socket(theirs, SVC_BUS_DEALER);
    int i, sent = 0, got = 0;

    ok(wait_until(send_text(dealer, "first"), 5000), "a peer sends");
    for (i = 0; i < 5000; i++)
        sent += send_text(dealer, "another one that nobody reads");
    ok(sent > 100, "... more than is taken from it at a time");
    svc_bus_wait(ours, NULL, 0, 1000);
    apr_sleep(100 * 1000); /* so that the queue is full */
    svc_bus_destroy(theirs);
    apr_sleep(1500 * 1000);
    while (received(router) == 2)
        got++;
    ok(got >= 1, "it leaves, and what it has sent can be read");
    theirs = new_bus();
    dealer = open_socket(theirs, SVC_BUS_DEALER);
    ok(wait_until(send_text(dealer, "again"), 5000), "it comes back");
    ok(wait_until(received(router) == 2, 5000), "... and is heard");
    svc_bus_destroy(theirs);
    svc_bus_destroy(ours);
}

int main(void)
{
    fixture_begin();
    endpoint = apr_psprintf(fixture.pool, "ipc://%s/bus", fixture.folder);
    lost();
    left();
    return fixture_end();
}
