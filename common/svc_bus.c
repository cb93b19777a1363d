/* svc_bus: see the header. */
#include "svc_bus.h"

#include <errno.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>
#include <zmq.h>

#include "svc_door.h"
#include "svc_log.h"
#include "svc_time.h"

#define MAX_FDS 4
#define HEAL_MS 200 /* libzmq would have said by then that it connects again */
#define HEAL_REFUSED_MS 1000 /* between attempts of a client that is not wanted */
#define MAX_FAILURES 3       /* handshakes in a row; then it is said */
#define MAX_AT_DOOR 100      /* clients that are answered in one go */

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN /* zmq.h hides it; libzmq has it since 4.3 */
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif

struct svc_bus_socket_t {
    const svc_bus_t *bus;
    void *zmq;
    const char *endpoint;
    void *monitor;            /* tells of lost connections; NULL: it binds */
    int is_deaf;              /* see svc_bus_listen */
    int was_lost;             /* see svc_bus_was_lost */
    apr_int64_t heal_at;      /* when to connect anew, in svc_time_ticks; 0:
                                 no need */
    int is_refused;           /* by the other side's list, the last time */
    int failures;             /* handshakes since one succeeded; MAX_FAILURES
                                 and more: that was said */
};

struct svc_bus_t {
    const char *name;
    void *context;
    const svc_bus_curve_t *curve; /* NULL: no keys */
    svc_bus_socket_t door;        /* answers libzmq; .zmq NULL: no keys */
    svc_door_t *judge;
    apr_array_header_t *sockets; /* svc_bus_socket_t * */
    zmq_pollitem_t *items;       /* room for all sockets, the door and MAX_FDS */
    int capacity;
    apr_pool_t *pool;
    apr_pool_t *scratch;
};

svc_bus_frame_t svc_bus_text(const char *text)
{
    svc_bus_frame_t frame = { text, strlen(text) };

    return frame;
}

static int set(void *zmq, int option, int value)
{
    return zmq_setsockopt(zmq, option, &value, sizeof(value));
}

static int set_text(void *zmq, int option, const char *text)
{
    return zmq_setsockopt(zmq, option, text, strlen(text));
}

/* --- the door: who may connect ------------------------------------------------- */

/* A client needs a key of the list. CURVE alone lets in every key; it takes the
 * domain, its enforcement and the door together (measured with libzmq 4.3.4).
 * Not 0 when one of them cannot be had. */
static int guard(void *zmq, const svc_bus_curve_t *curve)
{
    return set(zmq, ZMQ_ZAP_ENFORCE_DOMAIN, 1) ||
           set_text(zmq, ZMQ_ZAP_DOMAIN, SVC_DOOR_DOMAIN) ||
           set_text(zmq, ZMQ_CURVE_PUBLICKEY, curve->public_key) ||
           set_text(zmq, ZMQ_CURVE_SECRETKEY, curve->secret_key) ||
           set(zmq, ZMQ_CURVE_SERVER, 1);
}

/* The other side must be SERVER_KEY, and learns who this one is. */
static int introduce(void *zmq, const svc_bus_curve_t *curve,
                     const char *server_key)
{
    if (!curve) {
        errno = EINVAL; /* nothing to introduce oneself with */
        return -1;
    }
    return set_text(zmq, ZMQ_CURVE_SERVERKEY, server_key) ||
           set_text(zmq, ZMQ_CURVE_PUBLICKEY, curve->public_key) ||
           set_text(zmq, ZMQ_CURVE_SECRETKEY, curve->secret_key);
}

/* Before any socket is bound: libzmq looks for it at that moment. */
static int open_door(svc_bus_t *bus)
{
    bus->door.zmq = zmq_socket(bus->context, ZMQ_REP);
    if (!bus->door.zmq)
        return -1;
    bus->judge = svc_door_create(bus->name, bus->curve->allowed, bus->pool);
    set(bus->door.zmq, ZMQ_LINGER, 0);
    return zmq_bind(bus->door.zmq, "inproc://zeromq.zap.01");
}

static svc_err_t *no_bus(const char *what, apr_pool_t *pool)
{
    return svc_err_ours(pool, SVC_ERR_UNAVAILABLE, "No event bus", "%s: %s",
                        what, zmq_strerror(zmq_errno()));
}

svc_err_t *svc_bus_create(svc_bus_t **out, const char *name,
                          const svc_bus_curve_t *curve, apr_pool_t *pool)
{
    svc_bus_t *bus = apr_pcalloc(pool, sizeof(*bus));

    bus->name = name;
    bus->curve = curve;
    bus->pool = pool;
    apr_pool_create(&bus->scratch, pool);
    bus->sockets = apr_array_make(pool, 8, sizeof(svc_bus_socket_t *));
    bus->context = zmq_ctx_new();
    if (!bus->context)
        return no_bus("zmq_ctx_new", pool);
    if (curve && open_door(bus) != 0) {
        svc_err_t *err = no_bus("the list of allowed clients cannot be "
                                "enforced", pool);

        svc_bus_destroy(bus);
        return err;
    }
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
    if (bus->door.zmq)
        zmq_close(bus->door.zmq); /* last: nobody comes in without it */
    while (zmq_ctx_term(bus->context) != 0 && zmq_errno() == EINTR)
        ;
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
    /* A peer that vanished without a word is noticed by the kernel within seconds.
     * Not by ZMQ_HEARTBEAT_IVL: with that libzmq 4.3.4 aborts the process when a
     * peer leaves while its queue here is full (zeromq/libzmq#4364, #3937). */
    set(zmq, ZMQ_TCP_KEEPALIVE, 1);
    set(zmq, ZMQ_TCP_KEEPALIVE_IDLE, 1);
    set(zmq, ZMQ_TCP_KEEPALIVE_INTVL, 1);
    set(zmq, ZMQ_TCP_KEEPALIVE_CNT, 4);
    /* Also when something is on its way; one who publishes is more patient, for
     * it is the same to the kernel when the other side does not read. */
    set(zmq, ZMQ_TCP_MAXRT,
        kind == SVC_BUS_SUB || kind == SVC_BUS_DEALER ? 5000 : 10000);
    set(zmq, ZMQ_HANDSHAKE_IVL, 5000);
    /* Unanswered, the kernel tries at longer and longer intervals, and would
     * notice half a minute late that a network is back. */
    set(zmq, ZMQ_CONNECT_TIMEOUT, 2000);
    set(zmq, ZMQ_RECONNECT_IVL, 50);
    set(zmq, ZMQ_RECONNECT_IVL_MAX, 1000);
    if (kind == SVC_BUS_DEALER)
        set(zmq, ZMQ_IMMEDIATE, 1); /* a request is for who is there now */
}

/* --- a socket that connects: lost connections, refused ones ------------------- */

#define FAILED_EVENTS \
    (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
#define LOST_EVENTS (ZMQ_EVENT_DISCONNECTED | FAILED_EVENTS)
#define FOUND_EVENTS \
    (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_DELAYED | \
     ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED)

/* libzmq connects again by itself after a lost connection, but never after one
 * that it closed itself for breaking the protocol or ZMQ_MAXMSGSIZE, or that
 * was refused (session_base_t::engine_error). So every loss is watched, and
 * healed here. */
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

/* A service that is ending fails a handshake, too: one is no news. */
static void count_failure(const svc_bus_t *bus, svc_bus_socket_t *socket,
                          int is_refused)
{
    int before = socket->failures;

    socket->is_refused = is_refused;
    if (socket->failures < MAX_FAILURES)
        socket->failures += is_refused ? MAX_FAILURES : 1;
    if (before < MAX_FAILURES && socket->failures >= MAX_FAILURES)
        svc_log(SVC_LOG_WARNING, "SVC071: %s: %s does not let this service "
                                 "in: %s; trying on",
                bus->name, socket->endpoint,
                is_refused ? "its public key is not on the list there"
                           : "the server key of the subscription is not the "
                             "one there, or only one side uses CURVE");
}

static void heed(const svc_bus_t *bus, svc_bus_socket_t *socket, int event)
{
    if (event & FAILED_EVENTS)
        count_failure(bus, socket, event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH);
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED &&
        socket->failures >= MAX_FAILURES)
        svc_log(SVC_LOG_NOTICE, "SVC042: %s: %s lets this service in now",
                bus->name, socket->endpoint);
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
        socket->failures = socket->is_refused = 0;
    socket->heal_at = 0;
    socket->was_lost |= (event & LOST_EVENTS) != 0;
    if (event & LOST_EVENTS)
        socket->heal_at = svc_time_ticks() +
                          (socket->is_refused ? HEAL_REFUSED_MS : HEAL_MS);
}

/* Takes note of what has become of the connection. */
static void look(const svc_bus_t *bus, svc_bus_socket_t *socket)
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
        heed(bus, socket, event);
    }
    zmq_msg_close(&message);
}

static void heal(const svc_bus_t *bus, svc_bus_socket_t *socket)
{
    look(bus, socket);
    if (!socket->heal_at || svc_time_ticks() < socket->heal_at)
        return;
    zmq_disconnect(socket->zmq, socket->endpoint);
    zmq_connect(socket->zmq, socket->endpoint);
    socket->heal_at = 0;
}

svc_err_t *svc_bus_open(svc_bus_socket_t **out, svc_bus_t *bus,
                        svc_bus_kind_t kind, const char *endpoint,
                        const char *server_key, apr_pool_t *pool)
{
    static const int types[] = { ZMQ_PUB, ZMQ_ROUTER, ZMQ_SUB, ZMQ_DEALER };
    int binds = kind == SVC_BUS_PUB || kind == SVC_BUS_ROUTER;
    void *zmq = zmq_socket(bus->context, types[kind]);
    svc_bus_socket_t *socket;

    if (zmq)
        configure(zmq, kind);
    if (!zmq ||
        (binds ? bus->curve && guard(zmq, bus->curve)
               : server_key && introduce(zmq, bus->curve, server_key)) ||
        (binds ? zmq_bind(zmq, endpoint) : zmq_connect(zmq, endpoint)) != 0) {
        svc_err_t *err = svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                                      "No event bus", "cannot %s %s: %s",
                                      binds ? "bind" : "connect to", endpoint,
                                      zmq_strerror(zmq_errno()));

        if (zmq)
            zmq_close(zmq);
        return err;
    }
    socket = apr_pcalloc(bus->pool, sizeof(*socket));
    socket->bus = bus;
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
        frame->data = pool ? apr_pstrmemdup(pool, zmq_msg_data(&message),
                                            frame->length) : NULL;
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
    while (more && receive_frame(&frame, &more, socket,
                                 count < SVC_BUS_MAX_FRAMES ? pool : NULL)) {
        if (++count <= SVC_BUS_MAX_FRAMES)
            APR_ARRAY_PUSH(list, svc_bus_frame_t) = frame;
    }
    *frames = (svc_bus_frame_t *)list->elts;
    return count <= SVC_BUS_MAX_FRAMES ? count : -1;
}

int svc_bus_was_lost(svc_bus_socket_t *socket)
{
    int was_lost;

    look(socket->bus, socket);
    was_lost = socket->was_lost;
    socket->was_lost = 0;
    return was_lost;
}

void svc_bus_listen(svc_bus_socket_t *socket, int on)
{
    socket->is_deaf = !on;
}

/* Answers libzmq, for the clients that wait. */
static void answer_door(svc_bus_t *bus)
{
    svc_bus_frame_t *frames;
    int i, count;

    for (i = 0; bus->door.zmq && i < MAX_AT_DOOR; i++) {
        svc_bus_frame_t answer[] = {
            svc_bus_text("1.0"), svc_bus_text(""), svc_bus_text(""),
            svc_bus_text(""), svc_bus_text(""), svc_bus_text("")
        }; /* version, request id, status, text, user, metadata */

        apr_pool_clear(bus->scratch);
        if ((count = svc_bus_receive(&frames, &bus->door, bus->scratch)) == 0)
            return;
        if (count > 1)
            answer[1] = frames[1];
        answer[2] = svc_bus_text(svc_door_judge(bus->judge, frames, count,
                                                svc_time_ticks(),
                                                bus->scratch));
        svc_bus_send(&bus->door, answer, 6);
    }
}

void svc_bus_wait(svc_bus_t *bus, const int *fds, int count, int timeout_ms)
{
    int i, n = bus->sockets->nelts;

    if (!bus->items || bus->capacity < n) {
        bus->capacity = n + 8;
        bus->items = apr_pcalloc(bus->pool, sizeof(bus->items[0]) *
                                                (size_t)(bus->capacity + 1 +
                                                         MAX_FDS));
    }
    for (i = 0; i < n; i++) {
        svc_bus_socket_t *socket =
            APR_ARRAY_IDX(bus->sockets, i, svc_bus_socket_t *);

        heal(bus, socket);
        bus->items[i].socket = socket->zmq;
        bus->items[i].events = socket->is_deaf ? 0 : ZMQ_POLLIN;
    }
    if (bus->door.zmq) {
        bus->items[n].socket = bus->door.zmq;
        bus->items[n++].events = ZMQ_POLLIN;
    }
    for (i = 0; i < count && i < MAX_FDS; i++, n++) {
        bus->items[n].socket = NULL;
        bus->items[n].fd = fds[i];
        bus->items[n].events = ZMQ_POLLIN;
    }
    zmq_poll(bus->items, n, timeout_ms);
    answer_door(bus);
}

/* --- keys ------------------------------------------------------------------------ */

const char *svc_bus_curve_refusal(void)
{
    svc_bus_curve_t curve = { .allowed = NULL };
    const char *refusal = NULL;
    void *context, *zmq;

    if (!zmq_has("curve") ||
        !svc_bus_key_pair(curve.public_key, curve.secret_key))
        return "this libzmq is built without CURVE";
    context = zmq_ctx_new();
    zmq = context ? zmq_socket(context, ZMQ_PUB) : NULL;
    if (!zmq || guard(zmq, &curve) != 0)
        refusal = "this libzmq cannot enforce a list of clients, as 4.3 and "
                  "later can";
    if (zmq)
        zmq_close(zmq);
    if (context)
        zmq_ctx_term(context);
    return refusal;
}

int svc_bus_key_read(svc_bus_key_t *key, const char *text)
{
    return strlen(text) == SVC_BUS_KEY_LENGTH &&
           zmq_z85_decode(key->bytes, text) != NULL;
}

const char *svc_bus_key_text(const svc_bus_key_t *key, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, SVC_BUS_KEY_LENGTH + 1);

    return zmq_z85_encode(text, key->bytes, SVC_BUS_KEY_BYTES);
}

int svc_bus_key_public(char public_key[SVC_BUS_KEY_LENGTH + 1],
                       const char *secret_key)
{
    return zmq_curve_public(public_key, secret_key) == 0;
}

int svc_bus_key_pair(char public_key[SVC_BUS_KEY_LENGTH + 1],
                     char secret_key[SVC_BUS_KEY_LENGTH + 1])
{
    return zmq_curve_keypair(public_key, secret_key) == 0;
}
