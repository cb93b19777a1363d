/* svc_db_class: see the header. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif
#include "svc_db_class.h"

#include <dlfcn.h>
#include <string.h>

#define DEADLOCK 1213

/* SQLite result codes (sqlite.org/rescode.html). */
static svc_err_kind_t class_sqlite(int code, const char *text)
{
    static const char *const unavailable[] = {
        "no such table", "readonly", "disk I/O error", "disk is full",
        "unable to open"
    };
    size_t i;

    switch (code) {
    case 5: /* BUSY: recovery after a kill, or the last close */
    case 6: /* LOCKED */
    case 15: /* PROTOCOL: the lock of the write-ahead log was contended */
    case 17: /* SCHEMA */
        return SVC_ERR_RETRY;
    case 1: /* ERROR, of an old-style prepared statement: see the text */
        if (text && (strstr(text, "schema") || strstr(text, "locked")))
            return SVC_ERR_RETRY;
        for (i = 0; text && i < sizeof(unavailable) / sizeof(unavailable[0]);
             i++) {
            if (strstr(text, unavailable[i]))
                return SVC_ERR_UNAVAILABLE;
        }
        return SVC_ERR_INTERNAL;
    case 3: /* PERM */
    case 8: /* READONLY */
    case 10: /* IOERR */
    case 13: /* FULL */
    case 14: /* CANTOPEN */
        return SVC_ERR_UNAVAILABLE;
    default:
        return SVC_ERR_INTERNAL;
    }
}

/* SQLSTATE classes (PostgreSQL manual, appendix A). */
static svc_err_kind_t class_pgsql(const char *text)
{
    static const char *const retry[] = { "40",    "55P03", "57P01", "57P02",
                                         "57P03", "08",    "25P03", "26000",
                                         "0A000" };
    static const char *const unavailable[] = { "53",    "57014", "58",
                                               "25006", "42P01", "42501",
                                               "28",    "3D000" };
    const char *state = text ? strstr(text, ":  ") : NULL;
    size_t i;

    if (!state)
        return SVC_ERR_RETRY; /* no SQLSTATE: the connection is gone */
    state += 3;
    for (i = 0; i < sizeof(retry) / sizeof(retry[0]); i++) {
        if (strncmp(state, retry[i], strlen(retry[i])) == 0)
            return SVC_ERR_RETRY;
    }
    for (i = 0; i < sizeof(unavailable) / sizeof(unavailable[0]); i++) {
        if (strncmp(state, unavailable[i], strlen(unavailable[i])) == 0)
            return SVC_ERR_UNAVAILABLE;
    }
    return SVC_ERR_INTERNAL;
}

/* Error numbers of MariaDB's server and client. */
static svc_err_kind_t class_mysql(int code)
{
    switch (code) {
    case 1020: /* record has changed since last read */
    case 1152: /* aborted connection */
    case 1158: /* the network, reading or writing */
    case 1159:
    case 1160:
    case 1161:
    case 1184: /* aborted connection */
    case 1205: /* lock wait timeout */
    case DEADLOCK: /* or a certification failure of Galera */
    case 1180: /* error during COMMIT: Galera, a node that is being cut off */
    case 1243: /* unknown prepared statement */
    case 1317: /* query was interrupted */
    case 1412: /* table definition has changed */
    case 1615: /* prepared statement needs to be re-prepared */
    case 1927: /* connection was killed */
    case 2006: /* server has gone away */
    case 2013: /* lost connection during query */
    case 2014: /* commands out of sync */
    case 2030: /* statement not prepared */
    case 2055: /* lost connection, with the system's reason */
        return SVC_ERR_RETRY;
    case 1021: /* disk full */
    case 1040: /* too many connections */
    case 1047: /* Galera: node is not part of the primary component */
    case 1053: /* server shutdown */
    case 1114: /* table full */
    case 1142: /* not permitted */
    case 1146: /* no such table */
    case 1203: /* too many connections of this user */
    case 1290: /* read only */
    case 1836:
    case 1969: /* took longer than max_statement_time */
    case 2002: /* cannot connect */
    case 2003:
        return SVC_ERR_UNAVAILABLE;
    default:
        return SVC_ERR_INTERNAL;
    }
}

svc_err_kind_t svc_db_class(svc_db_engine_t engine, int code, const char *text)
{
    switch (engine) {
    case SVC_DB_SQLITE:
        return class_sqlite(code, text);
    case SVC_DB_PGSQL:
        return class_pgsql(text);
    default:
        return class_mysql(code);
    }
}

int svc_db_class_is_conflict(svc_db_engine_t engine, int code, const char *text)
{
    if (engine == SVC_DB_MYSQL)
        return code == DEADLOCK;
    return engine == SVC_DB_PGSQL && text &&
           (strstr(text, ":  40001") || strstr(text, ":  40P01"));
}

void svc_db_class_session(void *native)
{
    int (*set_verbosity)(void *, int);
    void *symbol = dlsym(RTLD_DEFAULT, "PQsetErrorVerbosity");

    memcpy(&set_verbosity, &symbol, sizeof(symbol));
    if (native && symbol)
        set_verbosity(native, 3 /* PQERRORS_SQLSTATE */);
}
