/* svc_bus: sockets of ZeroMQ; the only file that knows libzmq.
 *
 * A context, its sockets and their use belong to one thread, which makes them
 * after the fork (libzmq's contexts do not survive it). Nothing here waits
 * except svc_bus_wait. Messages are limited in size and in frames. A lost
 * connection is made again, also after a peer sent what is not allowed.
 *
 * CURVE: what a bus with keys binds is encrypted, and open to the clients on
 * its list alone. libzmq asks for each new connection whether it may come in,
 * inside the process (ZAP, rfc.zeromq.org/spec/27), and svc_bus_wait answers.
 * If libzmq cannot promise that nobody comes in unasked, nothing is bound.
 */
#ifndef SVC_BUS_H
#define SVC_BUS_H

#include <apr_tables.h>

#include "svc_err.h"

#define SVC_BUS_MAX_FRAME 65536 /* bytes; the connection of a peer that sends
                                   more is closed */
#define SVC_BUS_MAX_FRAMES 2048
#define SVC_BUS_KEY_LENGTH 40 /* characters of a key: 32 bytes in Z85 */
#define SVC_BUS_KEY_BYTES 32

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

/* A key as libzmq hands it over. */
typedef struct svc_bus_key_t {
    unsigned char bytes[SVC_BUS_KEY_BYTES];
} svc_bus_key_t;

/* Who a bus is, towards both those that connect to it and those that it
 * connects to, and who may connect. */
typedef struct svc_bus_curve_t {
    char public_key[SVC_BUS_KEY_LENGTH + 1];
    char secret_key[SVC_BUS_KEY_LENGTH + 1];
    const apr_array_header_t *allowed; /* svc_bus_key_t: clients' public keys */
} svc_bus_curve_t;

/* A text as a frame. */
svc_bus_frame_t svc_bus_text(const char *text);

/* NAME is for the log: "mod_tickets". With CURVE (not NULL, must outlive the
 * bus) every socket that binds demands a key of its list. */
svc_err_t *svc_bus_create(svc_bus_t **out, const char *name,
                          const svc_bus_curve_t *curve, apr_pool_t *pool);

/* Closes all sockets without waiting for what was not yet sent. */
void svc_bus_destroy(svc_bus_t *bus);

/* Binds or connects to ENDPOINT. UNAVAILABLE when it cannot (a port in use);
 * the error lives in POOL. SERVER_KEY, for a socket that connects: the public
 * key that the other side must prove to have; NULL: a connection without CURVE.
 * Such a key needs a bus with keys. */
svc_err_t *svc_bus_open(svc_bus_socket_t **out, svc_bus_t *bus,
                        svc_bus_kind_t kind, const char *endpoint,
                        const char *server_key, apr_pool_t *pool);

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

/* Was the connection of this SUB or DEALER lost since this was asked last? After
 * a message was received: whether it may be one of a new connection. */
int svc_bus_was_lost(svc_bus_socket_t *socket);

/* Whether svc_bus_wait ends for messages on SOCKET: yes, until told otherwise. */
void svc_bus_listen(svc_bus_socket_t *socket, int on);

/* Waits until a socket or one of the COUNT file descriptors can be read, or
 * TIMEOUT_MS have passed. Lets in, or refuses, clients that wait at the door:
 * call it at least every few seconds. */
void svc_bus_wait(svc_bus_t *bus, const int *fds, int count, int timeout_ms);

/* --- keys; any thread, no bus needed ------------------------------------------- */

/* Why this libzmq cannot keep a door, as a sentence; NULL when it can. */
const char *svc_bus_curve_refusal(void);

/* Reads TEXT, Z85 of SVC_BUS_KEY_LENGTH characters. False when it is none. */
int svc_bus_key_read(svc_bus_key_t *key, const char *text);

/* KEY as text, allocated from POOL. */
const char *svc_bus_key_text(const svc_bus_key_t *key, apr_pool_t *pool);

/* The public key that belongs to SECRET_KEY, both as text. False when it is not a
 * key. */
int svc_bus_key_public(char public_key[SVC_BUS_KEY_LENGTH + 1],
                       const char *secret_key);

/* Makes a new pair. False when libzmq has no CURVE. */
int svc_bus_key_pair(char public_key[SVC_BUS_KEY_LENGTH + 1],
                     char secret_key[SVC_BUS_KEY_LENGTH + 1]);

#endif
