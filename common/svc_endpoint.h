/* svc_endpoint: addresses of ZeroMQ sockets as an operator writes them. Pure. */
#ifndef SVC_ENDPOINT_H
#define SVC_ENDPOINT_H

#include <apr_pools.h>

/* Why TEXT cannot be an endpoint, as the end of a sentence ("must be ..."); NULL
 * when it can: tcp://HOST:PORT or ipc:///PATH. With BINDS, HOST must be an
 * address of this machine or *, for libzmq looks up no names there. */
const char *svc_endpoint_refusal(const char *text, int binds);

/* True when only this machine can reach TEXT: ipc, 127.0.0.0/8, [::1],
 * localhost. */
int svc_endpoint_is_local(const char *text);

/* True when A and B cannot both be bound on one machine. */
int svc_endpoint_clashes(const char *a, const char *b);

/* True when who connects to TEXT reaches the endpoint BOUND of this machine, as
 * far as the texts tell: names are not looked up. */
int svc_endpoint_leads_to(const char *text, const char *bound);

#endif
