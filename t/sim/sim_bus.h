/* sim_bus: svc_bus.h without libzmq: a network in memory between the simulated
 * processes, which loses, repeats, delays and reorders messages as the seed
 * has it. It keeps what libzmq promises and nothing more: messages are whole;
 * PUB drops what nobody connected wants; a DEALER has no peer until its
 * connection is made; a ROUTER answers by routing id; connections are made
 * again by themselves when a peer is back.
 */
#ifndef SIM_BUS_H
#define SIM_BUS_H

#include "sim_world.h"
#include "svc_bus.h"

/* How bad the network is. */
typedef struct sim_bus_weather_t {
    int loss;       /* messages in a thousand */
    int repetition; /* in a thousand */
    int delay;      /* in a thousand are late */
    int late_ms;    /* by up to so much */
    int in_order;   /* late messages hold up those behind them, as TCP does */
    int connect_ms; /* a connection takes up to so long; -1: it is there at once
                     */
    int page;       /* at most so many events in one answer; 0: as many as the
                       follower asks for */
} sim_bus_weather_t;

/* An empty network; its memory is POOL. */
void sim_bus_begin(apr_pool_t *pool);

void sim_bus_weather(const sim_bus_weather_t *weather);

/* What was cut is whole again. */
void sim_bus_mend(void);

/* PROCESS died: its sockets are gone. */
void sim_bus_bury(const sim_process_t *process);

/* Nothing passes between A and B until sim_world_ticks is UNTIL. */
void sim_bus_cut(const sim_process_t *a, const sim_process_t *b,
                 apr_int64_t until);

/* Sends a message as a publisher at ENDPOINT that is no process of ours. */
void sim_bus_publish(const char *endpoint, const char *subject,
                     const char *text);

/* Is told of each message that a process hands to a PUB socket. */
extern void (*sim_bus_on_publish)(const sim_process_t *process,
                                  const char *subject, const char *text);

/* Since the program began: sent, lost, repeated, late. */
typedef struct sim_bus_counts_t {
    long sent, lost, repeated, late;
} sim_bus_counts_t;

extern sim_bus_counts_t sim_bus_counts;

#endif
