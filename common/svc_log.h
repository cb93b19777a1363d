/* svc_log: lets files that know nothing of httpd write to its error log.
 *
 * The edge sets one sink per process image of a module (each module links its
 * own copy of this file). Every message begins with its tag, e.g. "SVC001: ";
 * a tag belongs to one place in the source.
 */
#ifndef SVC_LOG_H
#define SVC_LOG_H

/* Equal to httpd's APLOG_* levels. */
typedef enum {
    SVC_LOG_CRIT = 2,
    SVC_LOG_ERR = 3,
    SVC_LOG_WARNING = 4,
    SVC_LOG_NOTICE = 5,
    SVC_LOG_INFO = 6,
    SVC_LOG_DEBUG = 7
} svc_log_level_t;

/* MESSAGE is only valid during the call. Called from any thread. */
typedef void (*svc_log_fn)(svc_log_level_t level, const char *message);

/* Sets the sink; NULL drops everything. Call before threads are started. */
void svc_log_set(svc_log_fn sink);

/* Logs a printf-like message, cut at 2000 bytes. Any thread. */
void svc_log(svc_log_level_t level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
