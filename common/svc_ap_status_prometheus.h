/* svc_ap_status_prometheus: a view of a service in Prometheus' text format, version
 * 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats); docs/status.md has
 * the metrics.
 */
#ifndef SVC_AP_STATUS_PROMETHEUS_H
#define SVC_AP_STATUS_PROMETHEUS_H

#include "svc_ap_status_view.h"

#define SVC_AP_STATUS_PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* In the pool of VIEW. */
const char *svc_ap_status_prometheus(const svc_ap_status_view_t *view);

#endif
