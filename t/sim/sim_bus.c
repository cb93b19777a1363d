/* sim_bus: see the header. */
#include "sim_bus.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_tables.h>

#define MAX_PREFIXES 6
#define MAX_LINKS 64
#define MAX_CUTS 16

typedef struct message_t message_t;
struct message_t {
    message_t *next;
    apr_int64_t at; /* when it can be received */
    int from;       /* the socket that sent it */
    int count;
    svc_bus_frame_t *frames;
};

struct svc_bus_t {
    apr_array_header_t *sockets; /* svc_bus_socket_t * */
};

struct svc_bus_socket_t {
    const sim_process_t *owner; /* NULL: a publisher that is no process */
    svc_bus_kind_t kind;
    const char *endpoint;
    const char *prefixes[MAX_PREFIXES];
    int id; /* never used again */
    int is_open;
    message_t *inbox; /* in order of time */
    int peer;         /* who sent what was received last; -1: nobody yet */
    int was_lost;     /* its connection, and that was not asked for */
};

/* A connection of a SUB or DEALER to the socket that is bound. */
typedef struct link_t {
    int client, server;  /* ids */
    apr_int64_t up_at;
    apr_int64_t last_at[2]; /* of the last message to the client, the server */
} link_t;

typedef struct cut_t {
    const sim_process_t *a, *b;
    apr_int64_t until;
} cut_t;

static struct {
    apr_pool_t *pool;
    apr_array_header_t *sockets; /* svc_bus_socket_t *, all that ever were */
    link_t links[MAX_LINKS];     /* the newest replace the oldest */
    int link_count;
    cut_t cuts[MAX_CUTS];
    int cut_count;
    sim_bus_weather_t weather;
} net;

sim_bus_counts_t sim_bus_counts;
void (*sim_bus_on_publish)(const sim_process_t *process, const char *subject,
                           const char *text);

void sim_bus_begin(apr_pool_t *pool)
{
    memset(&net, 0, sizeof(net));
    net.pool = pool;
    net.sockets = apr_array_make(pool, 32, sizeof(svc_bus_socket_t *));
}

void sim_bus_weather(const sim_bus_weather_t *weather)
{
    net.weather = *weather;
}

static svc_bus_socket_t *socket_at(int i)
{
    return APR_ARRAY_IDX(net.sockets, i, svc_bus_socket_t *);
}

static svc_bus_socket_t *add_socket(const sim_process_t *owner,
                                    svc_bus_kind_t kind, const char *endpoint)
{
    svc_bus_socket_t *socket = apr_pcalloc(net.pool, sizeof(*socket));

    socket->owner = owner;
    socket->kind = kind;
    socket->endpoint = apr_pstrdup(net.pool, endpoint);
    socket->id = net.sockets->nelts;
    socket->is_open = 1;
    socket->peer = -1;
    APR_ARRAY_PUSH(net.sockets, svc_bus_socket_t *) = socket;
    return socket;
}

void sim_bus_bury(const sim_process_t *process)
{
    int i;

    for (i = 0; i < net.sockets->nelts; i++) {
        if (socket_at(i)->owner == process)
            socket_at(i)->is_open = 0;
    }
}

void sim_bus_cut(const sim_process_t *a, const sim_process_t *b,
                 apr_int64_t until)
{
    net.cuts[net.cut_count++ % MAX_CUTS] = (cut_t){ a, b, until };
}

void sim_bus_mend(void)
{
    net.cut_count = 0;
}

/* --- what happens to a message on its way -------------------------------------- */

static int is_cut(const svc_bus_socket_t *from, const svc_bus_socket_t *to)
{
    int i;

    for (i = 0; i < MAX_CUTS && i < net.cut_count; i++) {
        const cut_t *cut = &net.cuts[i];

        if (sim_world_ticks() < cut->until &&
            ((cut->a == from->owner && cut->b == to->owner) ||
             (cut->a == to->owner && cut->b == from->owner)))
            return 1;
    }
    return 0;
}

/* The connection between the two, which begins when it is first looked for. */
static link_t *find_link(const svc_bus_socket_t *client,
                         const svc_bus_socket_t *server)
{
    link_t *link;
    int i;

    for (i = 0; i < MAX_LINKS && i < net.link_count; i++) {
        link = &net.links[i];
        if (link->client == client->id && link->server == server->id)
            return link;
    }
    link = &net.links[net.link_count++ % MAX_LINKS];
    memset(link, 0, sizeof(*link));
    link->client = client->id;
    link->server = server->id;
    link->up_at = sim_world_ticks();
    if (net.weather.connect_ms >= 0)
        link->up_at += 1 + sim_world_pick(net.weather.connect_ms + 1);
    return link;
}

static void put(svc_bus_socket_t *to, int from, apr_int64_t at,
                const svc_bus_frame_t *frames, int count)
{
    message_t *message = apr_palloc(net.pool, sizeof(*message));
    message_t **place = &to->inbox;
    int i;

    message->at = at;
    message->from = from;
    message->count = count;
    message->frames = apr_palloc(net.pool,
                                 sizeof(frames[0]) * (apr_size_t)count);
    for (i = 0; i < count; i++) {
        message->frames[i].length = frames[i].length;
        message->frames[i].data = apr_pstrmemdup(net.pool, frames[i].data,
                                                 frames[i].length);
    }
    while (*place && (*place)->at <= at)
        place = &(*place)->next;
    message->next = *place;
    *place = message;
}

static void carry(const svc_bus_socket_t *from, svc_bus_socket_t *to,
                  link_t *link, const svc_bus_frame_t *frames, int count)
{
    const sim_bus_weather_t *weather = &net.weather;
    apr_int64_t *last_at = &link->last_at[to->id == link->server];
    /* A request and its answer have one connection, which may break but keeps
     * the order. Events reach a subscriber from several publishers. */
    int is_live = from->kind == SVC_BUS_PUB;
    int copies = 1;

    sim_bus_counts.sent++;
    if (is_cut(from, to) || sim_world_chance(weather->loss)) {
        sim_bus_counts.lost++;
        return;
    }
    if (is_live && sim_world_chance(weather->repetition)) {
        sim_bus_counts.repeated++;
        copies++;
    }
    while (copies--) {
        apr_int64_t at = sim_world_ticks() + sim_world_pick(3);

        if (sim_world_chance(weather->delay)) {
            sim_bus_counts.late++;
            at += sim_world_pick(weather->late_ms + 1);
        }
        if ((weather->in_order || !is_live) && at < *last_at)
            at = *last_at;
        *last_at = at;
        put(to, from->id, at, frames, count);
    }
}

/* --- svc_bus.h ----------------------------------------------------------------- */

svc_bus_frame_t svc_bus_text(const char *text)
{
    svc_bus_frame_t frame = { text, strlen(text) };

    return frame;
}

svc_err_t *svc_bus_create(svc_bus_t **out, const char *name,
                          const svc_bus_curve_t *curve, apr_pool_t *pool)
{
    (void)name;
    (void)curve;
    *out = apr_palloc(pool, sizeof(**out));
    (*out)->sockets = apr_array_make(pool, 8, sizeof(svc_bus_socket_t *));
    return NULL;
}

void svc_bus_destroy(svc_bus_t *bus)
{
    int i;

    for (i = 0; i < bus->sockets->nelts; i++)
        APR_ARRAY_IDX(bus->sockets, i, svc_bus_socket_t *)->is_open = 0;
}

static svc_bus_socket_t *find_bound(svc_bus_kind_t kind, const char *endpoint)
{
    int i;

    for (i = net.sockets->nelts - 1; i >= 0; i--) {
        if (socket_at(i)->is_open && socket_at(i)->kind == kind &&
            strcmp(socket_at(i)->endpoint, endpoint) == 0)
            return socket_at(i);
    }
    return NULL;
}

svc_err_t *svc_bus_open(svc_bus_socket_t **out, svc_bus_t *bus,
                        svc_bus_kind_t kind, const char *endpoint,
                        const char *server_key, apr_pool_t *pool)
{
    (void)server_key;
    if ((kind == SVC_BUS_PUB || kind == SVC_BUS_ROUTER) &&
        find_bound(kind, endpoint))
        return svc_err_ours(pool, SVC_ERR_UNAVAILABLE, "No event bus",
                            "cannot bind %s: in use", endpoint);
    *out = add_socket(sim_world_process(), kind, endpoint);
    APR_ARRAY_PUSH(bus->sockets, svc_bus_socket_t *) = *out;
    return NULL;
}

void svc_bus_subscribe(svc_bus_socket_t *socket, const char *prefix)
{
    int i = 0;

    while (socket->prefixes[i])
        i++;
    socket->prefixes[i] = apr_pstrdup(net.pool, prefix);
}

static int wants(const svc_bus_socket_t *socket, const svc_bus_frame_t *subject)
{
    int i;

    for (i = 0; socket->prefixes[i]; i++) {
        if (strncmp(subject->data, socket->prefixes[i],
                    strlen(socket->prefixes[i])) == 0)
            return 1;
    }
    return 0;
}

static void publish(const svc_bus_socket_t *from, const svc_bus_frame_t *frames,
                    int count)
{
    link_t *link;
    int i, before = net.sockets->nelts;

    for (i = 0; i < before; i++) {
        svc_bus_socket_t *to = socket_at(i);

        if (!to->is_open || to->kind != SVC_BUS_SUB ||
            strcmp(to->endpoint, from->endpoint) != 0)
            continue;
        link = find_link(to, from);
        if (sim_world_ticks() >= link->up_at && wants(to, &frames[0]))
            carry(from, to, link, frames, count);
    }
}

static int request(svc_bus_socket_t *from, const svc_bus_frame_t *frames,
                   int count)
{
    svc_bus_socket_t *to = find_bound(SVC_BUS_ROUTER, from->endpoint);
    link_t *link = to ? find_link(from, to) : NULL;
    svc_bus_frame_t routed[16];

    if (!to || sim_world_ticks() < link->up_at)
        return 0;
    /* libzmq's routing ids are five bytes, of which the first is 0. */
    routed[0].data = apr_psprintf(net.pool, "@%04d", from->id);
    routed[0].length = 5;
    memcpy(routed + 1, frames, sizeof(frames[0]) * (size_t)count);
    if (net.weather.page && apr_atoi64(frames[count - 1].data) > 0)
        routed[count] = svc_bus_text(apr_itoa(net.pool, net.weather.page));
    carry(from, to, link, routed, count + 1);
    return 1;
}

static void answer(const svc_bus_socket_t *from, const svc_bus_frame_t *frames,
                   int count)
{
    int id = (int)apr_atoi64(frames[0].data + 1);

    if (id < net.sockets->nelts && socket_at(id)->is_open)
        carry(from, socket_at(id), find_link(socket_at(id), from), frames + 1,
              count - 1);
}

int svc_bus_send(svc_bus_socket_t *socket, const svc_bus_frame_t *frames,
                 int count)
{
    sim_world_point("before a message is sent");
    switch (socket->kind) {
    case SVC_BUS_PUB:
        sim_bus_on_publish(socket->owner, frames[0].data, frames[1].data);
        publish(socket, frames, count);
        return 1;
    case SVC_BUS_DEALER:
        return request(socket, frames, count);
    case SVC_BUS_ROUTER:
        answer(socket, frames, count);
        return 1;
    default:
        return 0;
    }
}

int svc_bus_receive(svc_bus_frame_t **frames, svc_bus_socket_t *socket,
                    apr_pool_t *pool)
{
    message_t *message = socket->inbox;
    int i;

    if (!message || message->at > sim_world_ticks())
        return 0;
    socket->inbox = message->next;
    socket->was_lost |= socket->peer >= 0 && socket->peer != message->from;
    socket->peer = message->from;
    *frames = apr_palloc(pool, sizeof(message->frames[0]) *
                                   (apr_size_t)message->count);
    for (i = 0; i < message->count; i++) {
        (*frames)[i].length = message->frames[i].length;
        (*frames)[i].data = apr_pstrmemdup(pool, message->frames[i].data,
                                           message->frames[i].length);
    }
    sim_world_point("after a message was received");
    return message->count;
}

int svc_bus_was_lost(svc_bus_socket_t *socket)
{
    int was_lost = socket->was_lost;

    if (socket->peer >= 0 && !socket_at(socket->peer)->is_open) {
        was_lost = 1;
        socket->peer = -1;
    }
    socket->was_lost = 0;
    return was_lost;
}

void svc_bus_listen(svc_bus_socket_t *socket, int on)
{
    (void)socket;
    (void)on;
}

void svc_bus_wait(svc_bus_t *bus, const int *fds, int count, int timeout_ms)
{
    (void)bus;
    (void)fds;
    (void)count;
    (void)timeout_ms;
}

void sim_bus_publish(const char *endpoint, const char *subject,
                     const char *text)
{
    svc_bus_socket_t *from = find_bound(SVC_BUS_PUB, endpoint);
    svc_bus_frame_t frames[] = { svc_bus_text(subject), svc_bus_text(text) };

    if (!from)
        from = add_socket(NULL, SVC_BUS_PUB, endpoint);
    publish(from, frames, 2);
}
