/* svc_log: see the header. */
#include "svc_log.h"

#include <stdarg.h>
#include <stdio.h>

static svc_log_fn log_sink;

void svc_log_set(svc_log_fn sink)
{
    log_sink = sink;
}

void svc_log(svc_log_level_t level, const char *format, ...)
{
    char message[2000];
    va_list args;

    if (!log_sink)
        return;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    log_sink(level, message);
}
