/* svc_bus: see the header. */
#include "svc_bus.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>
#include <zmq.h>

#include "svc_time.h"

#define MAX_FDS 4
#define HEAL_MS 200 /* libzmq would have said by then that it connects again */

struct svc_bus_t {
    void *context;
    apr_array_header_t *sockets; /* svc_bus_socket_t * */
    zmq_pollitem_t *items;       /* room for all sockets and MAX_FDS */
    int capacity;
    apr_pool_t *pool;
};

struct svc_bus_socket_t {
    void *zmq;
    const char *endpoint;
    void *monitor;            /* tells of lost connections; NULL: it binds */
    int is_deaf;              /* see svc_bus_listen */
    apr_int64_t heal_at;      /* when to connect anew, in svc_time_ticks; 0:
                                 no need */
};

svc_bus_frame_t svc_bus_text(const char *text)
{
    svc_bus_frame_t frame = { text, strlen(text) };

    return frame;
}

svc_err_t *svc_bus_create(svc_bus_t **out, apr_pool_t *pool)
{
    svc_bus_t *bus = apr_pcalloc(pool, sizeof(*bus));

    bus->pool = pool;
    bus->sockets = apr_array_make(pool, 8, sizeof(svc_bus_socket_t *));
    bus->context = zmq_ctx_new();
    if (!bus->context)
        return svc_err_ours(pool, SVC_ERR_UNAVAILABLE, "No event bus",
                            "zmq_ctx_new: %s", zmq_strerror(zmq_errno()));
    *out = bus;
    return NULL;
}

void svc_bus_destroy(svc_bus_t *bus)
{
    int i;

    for (i = 0; i < bus->sockets->nelts; i++) {
        svc_bus_socket_t *socket =
            APR_ARRAY_IDX(bus->sockets, i, svc_bus_socket_t *);

        if (socket->monitor) {
            zmq_socket_monitor(socket->zmq, NULL, 0);
            zmq_close(socket->monitor);
        }
        zmq_close(socket->zmq);
    }
    while (zmq_ctx_term(bus->context) != 0 && zmq_errno() == EINTR)
        ;
}

static void set(void *zmq, int option, int value)
{
    zmq_setsockopt(zmq, option, &value, sizeof(value));
}

static void configure(void *zmq, svc_bus_kind_t kind)
{
    apr_int64_t max_size = SVC_BUS_MAX_FRAME;

    set(zmq, ZMQ_LINGER, 0); /* what was not sent is in the event log */
    /* What a peer does not fetch is kept for it: no more than a few pages. */
    set(zmq, ZMQ_SNDHWM, kind == SVC_BUS_PUB      ? 20000
                         : kind == SVC_BUS_ROUTER ? 16
                                                  : 1000);
    set(zmq, ZMQ_RCVHWM, kind == SVC_BUS_SUB ? 20000
                         : kind == SVC_BUS_ROUTER ? 64 : 1000);
    zmq_setsockopt(zmq, ZMQ_MAXMSGSIZE, &max_size, sizeof(max_size));
    /* A peer that vanished without a word is noticed within 3 s. */
    set(zmq, ZMQ_HEARTBEAT_IVL, 1000);
    set(zmq, ZMQ_HEARTBEAT_TIMEOUT, 3000);
    set(zmq, ZMQ_HEARTBEAT_TTL, 5000);
    set(zmq, ZMQ_HANDSHAKE_IVL, 5000);
    set(zmq, ZMQ_RECONNECT_IVL, 50);
    set(zmq, ZMQ_RECONNECT_IVL_MAX, 1000);
    if (kind == SVC_BUS_DEALER)
        set(zmq, ZMQ_IMMEDIATE, 1); /* a request is for who is there now */
}

#define LOST_EVENTS \
    (ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
#define FOUND_EVENTS \
    (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_DELAYED | ZMQ_EVENT_CONNECT_RETRIED)

/* libzmq connects again by itself after a lost connection, but never after one
 * that it closed itself for breaking the protocol or ZMQ_MAXMSGSIZE
 * (session_base_t::engine_error). So every loss is watched, and healed here. */
static void watch(svc_bus_t *bus, svc_bus_socket_t *socket)
{
    const char *address = apr_psprintf(bus->pool, "inproc://monitor-%d",
                                       bus->sockets->nelts);

    zmq_socket_monitor(socket->zmq, address, LOST_EVENTS | FOUND_EVENTS);
    socket->monitor = zmq_socket(bus->context, ZMQ_PAIR);
    if (socket->monitor) {
        set(socket->monitor, ZMQ_LINGER, 0);
        zmq_connect(socket->monitor, address);
    }
}

static void heal(svc_bus_socket_t *socket)
{
    zmq_msg_t message;
    apr_uint16_t event;

    if (!socket->monitor)
        return;
    zmq_msg_init(&message);
    while (zmq_msg_recv(&message, socket->monitor, ZMQ_DONTWAIT) >= 0) {
        if (!zmq_msg_more(&message)) /* the second frame is the address */
            continue;
        memcpy(&event, zmq_msg_data(&message), sizeof(event));
        socket->heal_at = event & LOST_EVENTS ? svc_time_ticks() + HEAL_MS : 0;
    }
    zmq_msg_close(&message);
    if (!socket->heal_at || svc_time_ticks() < socket->heal_at)
        return;
    zmq_disconnect(socket->zmq, socket->endpoint);
    zmq_connect(socket->zmq, socket->endpoint);
    socket->heal_at = 0;
}

svc_err_t *svc_bus_open(svc_bus_socket_t **out, svc_bus_t *bus,
                        svc_bus_kind_t kind, const char *endpoint,
                        apr_pool_t *pool)
{
    static const int types[] = { ZMQ_PUB, ZMQ_ROUTER, ZMQ_SUB, ZMQ_DEALER };
    int binds = kind == SVC_BUS_PUB || kind == SVC_BUS_ROUTER;
    void *zmq = zmq_socket(bus->context, types[kind]);
    svc_bus_socket_t *socket;

    if (zmq)
        configure(zmq, kind);
    if (!zmq || (binds ? zmq_bind(zmq, endpoint)
                       : zmq_connect(zmq, endpoint)) != 0) {
        svc_err_t *err = svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                                      "No event bus", "cannot %s %s: %s",
                                      binds ? "bind" : "connect to", endpoint,
                                      zmq_strerror(zmq_errno()));

        if (zmq)
            zmq_close(zmq);
        return err;
    }
    socket = apr_pcalloc(bus->pool, sizeof(*socket));
    socket->zmq = zmq;
    socket->endpoint = apr_pstrdup(bus->pool, endpoint);
    if (!binds)
        watch(bus, socket);
    APR_ARRAY_PUSH(bus->sockets, svc_bus_socket_t *) = socket;
    *out = socket;
    return NULL;
}

void svc_bus_subscribe(svc_bus_socket_t *socket, const char *prefix)
{
    zmq_setsockopt(socket->zmq, ZMQ_SUBSCRIBE, prefix, strlen(prefix));
}

int svc_bus_send(svc_bus_socket_t *socket, const svc_bus_frame_t *frames,
                 int count)
{
    int i;

    for (i = 0; i < count; i++) {
        int flags = ZMQ_DONTWAIT | (i + 1 < count ? ZMQ_SNDMORE : 0);

        while (zmq_send(socket->zmq, frames[i].data, frames[i].length, flags) <
               0) {
            if (zmq_errno() != EINTR)
                return 0;
        }
    }
    return 1;
}

static int receive_frame(svc_bus_frame_t *frame, int *more,
                         svc_bus_socket_t *socket, apr_pool_t *pool)
{
    zmq_msg_t message;
    int rc;

    zmq_msg_init(&message);
    while ((rc = zmq_msg_recv(&message, socket->zmq, ZMQ_DONTWAIT)) < 0 &&
           zmq_errno() == EINTR)
        ;
    if (rc >= 0) {
        frame->length = zmq_msg_size(&message);
        frame->data = apr_pstrmemdup(pool, zmq_msg_data(&message),
                                     frame->length);
        *more = zmq_msg_more(&message);
    }
    zmq_msg_close(&message);
    return rc >= 0;
}

int svc_bus_receive(svc_bus_frame_t **frames, svc_bus_socket_t *socket,
                    apr_pool_t *pool)
{
    apr_array_header_t *list = apr_array_make(pool, 2, sizeof(svc_bus_frame_t));
    svc_bus_frame_t frame;
    int more = 1, count = 0;

    /* Once the first frame is there the others are: messages are atomic. */
    while (more && receive_frame(&frame, &more, socket, pool)) {
        if (++count <= SVC_BUS_MAX_FRAMES)
            APR_ARRAY_PUSH(list, svc_bus_frame_t) = frame;
    }
    *frames = (svc_bus_frame_t *)list->elts;
    return count <= SVC_BUS_MAX_FRAMES ? count : -1;
}

void svc_bus_listen(svc_bus_socket_t *socket, int on)
{
    socket->is_deaf = !on;
}

void svc_bus_wait(svc_bus_t *bus, const int *fds, int count, int timeout_ms)
{
    int i, n = bus->sockets->nelts;

    if (!bus->items || bus->capacity < n) {
        bus->capacity = n + 8;
        bus->items = apr_pcalloc(bus->pool, sizeof(bus->items[0]) *
                                                (size_t)(bus->capacity +
                                                         MAX_FDS));
    }
    for (i = 0; i < n; i++) {
        svc_bus_socket_t *socket =
            APR_ARRAY_IDX(bus->sockets, i, svc_bus_socket_t *);

        heal(socket);
        bus->items[i].socket = socket->zmq;
        bus->items[i].events = socket->is_deaf ? 0 : ZMQ_POLLIN;
    }
    for (i = 0; i < count && i < MAX_FDS; i++, n++) {
        bus->items[n].socket = NULL;
        bus->items[n].fd = fds[i];
        bus->items[n].events = ZMQ_POLLIN;
    }
    zmq_poll(bus->items, n, timeout_ms);
}
