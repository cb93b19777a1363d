/* svc_bus: sockets of ZeroMQ; the only file that knows libzmq.
 *
 * A context, its sockets and their use belong to one thread, which makes them
 * after the fork (libzmq's contexts do not survive it). Nothing here waits
 * except svc_bus_wait. Messages are limited in size and in frames. A lost
 * connection is made again, also after a peer sent what is not allowed.
 */
#ifndef SVC_BUS_H
#define SVC_BUS_H

#include "svc_err.h"

#define SVC_BUS_MAX_FRAME 65536 /* bytes; the connection of a peer that sends
                                   more is closed */
#define SVC_BUS_MAX_FRAMES 2048

typedef struct svc_bus_t svc_bus_t;
typedef struct svc_bus_socket_t svc_bus_socket_t;

typedef enum {
    SVC_BUS_PUB,    /* binds */
    SVC_BUS_ROUTER, /* binds */
    SVC_BUS_SUB,    /* connects */
    SVC_BUS_DEALER  /* connects */
} svc_bus_kind_t;

/* One frame; a received one has a NUL after its LENGTH bytes. */
typedef struct svc_bus_frame_t {
    const char *data;
    apr_size_t length;
} svc_bus_frame_t;

/* A text as a frame. */
svc_bus_frame_t svc_bus_text(const char *text);

svc_err_t *svc_bus_create(svc_bus_t **out, apr_pool_t *pool);

/* Closes all sockets without waiting for what was not yet sent. */
void svc_bus_destroy(svc_bus_t *bus);

/* Binds or connects to ENDPOINT. UNAVAILABLE when it cannot (a port in use);
 * the error lives in POOL. */
svc_err_t *svc_bus_open(svc_bus_socket_t **out, svc_bus_t *bus,
                        svc_bus_kind_t kind, const char *endpoint,
                        apr_pool_t *pool);

/* SUB: asks for messages whose first frame begins with PREFIX. */
void svc_bus_subscribe(svc_bus_socket_t *socket, const char *prefix);

/* Sends COUNT frames as one message, without waiting. False when it could not
 * be taken (no peer, or too much unsent): the message is gone. */
int svc_bus_send(svc_bus_socket_t *socket, const svc_bus_frame_t *frames,
                 int count);

/* Takes one message, without waiting. Returns its number of frames, put into
 * *FRAMES (allocated from POOL); 0 when none waits; -1 when one was dropped
 * for having more than SVC_BUS_MAX_FRAMES frames. */
int svc_bus_receive(svc_bus_frame_t **frames, svc_bus_socket_t *socket,
                    apr_pool_t *pool);

/* Whether svc_bus_wait ends for messages on SOCKET: yes, until told otherwise. */
void svc_bus_listen(svc_bus_socket_t *socket, int on);

/* Waits until a socket or one of the COUNT file descriptors can be read, or
 * TIMEOUT_MS have passed. */
void svc_bus_wait(svc_bus_t *bus, const int *fds, int count, int timeout_ms);

#endif
