/* svc_ap_http: the half of HTTP that both services share: reading a JSON body,
 * answering with JSON, and errors as application/problem+json (RFC 9457), also
 * where httpd itself makes the answer.
 *
 * All of it belongs to the request's thread; what it allocates is the request's.
 */
#ifndef SVC_AP_HTTP_H
#define SVC_AP_HTTP_H

#include "svc_ap_instance.h"
#include "svc_etag.h"
#include "svc_json.h"

/* Reads the body, which must be application/json with one object, or, with
 * TAKES_ARRAY, an array instead: MEDIA_TYPE, TOO_LARGE (over the instance's
 * limit; SVC_AP_CONF_ARRAY times that for an array) or INVALID otherwise. STATUS
 * is not OK when httpd's own filters refused the body; then that is the
 * handler's result. */
svc_err_t *svc_ap_http_read_json(svc_json_t **out, int *status, request_rec *r,
                                 const svc_ap_instance_t *instance,
                                 int takes_array);

/* The request's If-Match and If-None-Match, allocated from POOL. */
svc_etag_condition_t svc_ap_http_condition(const request_rec *r,
                                           apr_pool_t *pool);

/* Answers a GET of an entity with ETAG: sets the header; true when the answer
 * is made already: 304. PRECONDITION when If-Match excludes the entity. */
svc_err_t *svc_ap_http_is_known(int *is_known, request_rec *r,
                                const char *etag);

/* Sends JSON with STATUS. */
void svc_ap_http_send(request_rec *r, int status, const svc_json_t *json);

/* The same of LENGTH bytes of text that is JSON. */
void svc_ap_http_send_text(request_rec *r, int status, const char *text,
                           apr_size_t length);

/* Sees to it that a 401 has WWW-Authenticate, which RFC 9110 section 11.6.1
 * demands: as the authentication module makes it, or, where that only speaks
 * when it refuses a credential, one of our own. */
void svc_ap_http_challenge(request_rec *r);

/* Sends ERR as a problem, and logs it: ours as error, the client's as info. */
void svc_ap_http_send_error(request_rec *r, const svc_ap_service_t *service,
                            const svc_err_t *err);

/* Sets the headers that every answer of SERVICE has. */
void svc_ap_http_set_headers(request_rec *r, const svc_ap_service_t *service);

/* Registers the filter of svc_ap_http_insert_error_filter; in register_hooks. */
void svc_ap_http_register(void);

/* insert_error_filter: makes httpd's own error pages problems, under the paths
 * that SetHandler gave to SERVICE. */
void svc_ap_http_insert_error_filter(request_rec *r,
                                     const svc_ap_service_t *service);

#endif
