/* svc_door: who may connect to the sockets of a bus that has keys.
 *
 * libzmq asks once for each new connection, in frames (ZAP,
 * rfc.zeromq.org/spec/27); this says yes or no, and logs whom it refused.
 * Belongs to the thread of its bus; opens nothing.
 */
#ifndef SVC_DOOR_H
#define SVC_DOOR_H

#include "svc_bus.h"

#define SVC_DOOR_DOMAIN "svc" /* what the sockets of a bus are called */

typedef struct svc_door_t svc_door_t;

/* NAME is for the log; ALLOWED (svc_bus_key_t) must outlive the door. */
svc_door_t *svc_door_create(const char *name, const apr_array_header_t *allowed,
                            apr_pool_t *pool);

/* The status to answer the request of COUNT FRAMES with: "200" when the client's
 * key is on the list, "400" when it is not, "500" when it is no such request.
 * NOW is svc_time_ticks: a refusal is logged at most once in a second, and that
 * of one client, who tries on, once in a minute. */
const char *svc_door_judge(svc_door_t *door, const svc_bus_frame_t *frames,
                           int count, apr_int64_t now, apr_pool_t *scratch);

#endif
