/* svc_ap_db: see the header. */
#include "svc_ap_db.h"

#include <stdatomic.h>

#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_dbd.h> /* mod_dbd.h needs it before */
#include <mod_dbd.h>

#include "svc_db_watch.h"
#include "svc_time.h"

#define HANGS_MS 2000  /* a server that mod_dbd asks whether it is there */
#define QUICK_MS 1000  /* to find out that a connection was lost */

struct svc_ap_db_gate_t {
    const char *driver, *params;
    apr_thread_mutex_t *mutex;
    apr_thread_cond_t *freed;
    int free;         /* places */
    atomic_int lent;  /* places that are taken */
    atomic_int alive; /* connections that mod_dbd has */
};

int svc_ap_db_is_loaded(void)
{
    return APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open) != NULL;
}

svc_ap_db_gate_t *svc_ap_db_gate(const char *driver, const char *params,
                                 int max, apr_pool_t *pool)
{
    const char *key = apr_pstrcat(pool, "svc_ap_db_gate_1 ", driver, " ",
                                  params, NULL);
    void *found = NULL;
    svc_ap_db_gate_t *gate;

    apr_pool_userdata_get(&found, key, pool);
    if (found)
        return found;
    gate = apr_pcalloc(pool, sizeof(*gate));
    gate->driver = apr_pstrdup(pool, driver);
    gate->params = apr_pstrdup(pool, params);
    gate->free = max > 0 ? max : SVC_AP_DB_MAX;
    apr_thread_mutex_create(&gate->mutex, APR_THREAD_MUTEX_DEFAULT, pool);
    apr_thread_cond_create(&gate->freed, pool);
    apr_pool_userdata_setn(gate, key, NULL, pool);
    return gate;
}

static int enter(svc_ap_db_gate_t *gate)
{
    apr_int64_t deadline = svc_time_ticks() + SVC_AP_DB_WAIT_MS;
    apr_int64_t left;
    int is_in;

    apr_thread_mutex_lock(gate->mutex);
    while (gate->free == 0 && (left = deadline - svc_time_ticks()) > 0)
        apr_thread_cond_timedwait(gate->freed, gate->mutex, left * 1000);
    is_in = gate->free > 0;
    if (is_in) {
        gate->free--;
        gate->lent++;
    }
    apr_thread_mutex_unlock(gate->mutex);
    return is_in;
}

static void leave(svc_ap_db_gate_t *gate)
{
    apr_thread_mutex_lock(gate->mutex);
    gate->free++;
    gate->lent--;
    apr_thread_cond_signal(gate->freed);
    apr_thread_mutex_unlock(gate->mutex);
}

static apr_status_t lose(void *gate)
{
    atomic_fetch_sub(&((svc_ap_db_gate_t *)gate)->alive, 1);
    return APR_SUCCESS;
}

/* Counts a connection for as long as mod_dbd has it. */
static void count(svc_ap_db_gate_t *gate, const ap_dbd_t *record)
{
    void *known = NULL;

    apr_pool_userdata_get(&known, "svc_ap_db", record->pool);
    if (known)
        return;
    apr_pool_userdata_setn(gate, "svc_ap_db", NULL, record->pool);
    atomic_fetch_add(&gate->alive, 1);
    apr_pool_cleanup_register(record->pool, gate, lose, apr_pool_cleanup_null);
}

static apr_status_t close_own(void *db)
{
    svc_db_close(db);
    return APR_SUCCESS;
}

/* The wrapper of a pooled connection is kept with it. mod_dbd opens one when a
 * process begins, maybe on a file that is replaced by the time that the database
 * is ready, and never gives it up: then one of our own stands for it. */
static svc_err_t *wrapper(svc_db_t **out, const svc_ap_db_gate_t *gate,
                          const ap_dbd_t *record, const char *service,
                          apr_pool_t *pool)
{
    void *known = NULL;
    svc_err_t *err;

    apr_pool_userdata_get(&known, service, record->pool);
    *out = known;
    if (known)
        return NULL;
    *out = svc_db_adopt(record->driver, record->handle, record->pool);
    if (svc_db_has_moved(*out)) {
        if ((err = svc_db_open(out, gate->driver, gate->params, record->pool,
                               pool)))
            return err;
        apr_pool_pre_cleanup_register(record->pool, *out, close_own);
    }
    apr_pool_userdata_setn(*out, service, NULL, record->pool);
    return NULL;
}

/* Will mod_dbd find the server, if it has to open a connection? While it does it
 * keeps out all who want one or give one back, for as long as a server that hangs
 * keeps it waiting, one after the other. So one of our own is opened before. */
static int is_served(const svc_ap_db_gate_t *gate, apr_pool_t *pool)
{
    svc_db_t *probe;

    if (gate->alive >= gate->lent || /* with the one that we want */
        svc_db_sql_engine(gate->driver) == SVC_DB_SQLITE)
        return 1;
    if (svc_db_open(&probe, gate->driver, gate->params, pool, pool))
        return 0;
    svc_db_close(probe);
    return 1;
}

/* mod_dbd gives none when the one that it has was lost, and removes that one: then
 * there may be another, or a new one to be had. If it took long to find that out,
 * the server hangs, and the next would take as long. */
static ap_dbd_t *open_one(svc_ap_db_gate_t *gate, server_rec *server,
                          apr_pool_t *pool)
{
    APR_OPTIONAL_FN_TYPE(ap_dbd_open) *open =
        APR_RETRIEVE_OPTIONAL_FN(ap_dbd_open);
    svc_db_watch_t *watch = svc_db_watch_add(0, pool);
    ap_dbd_t *record = NULL;
    apr_int64_t begin;
    int before;

    do {
        before = gate->alive;
        if (!is_served(gate, pool))
            break;
        begin = svc_time_ticks();
        svc_db_watch_wait(watch, HANGS_MS);
        record = open(pool, server);
        svc_db_watch_end(watch);
    } while (!record && gate->alive < before &&
             svc_time_ticks() - begin < QUICK_MS);
    if (record)
        count(gate, record);
    return record;
}

svc_err_t *svc_ap_db_borrow(svc_ap_db_loan_t *loan, svc_ap_db_gate_t *gate,
                            server_rec *server, const char *service,
                            apr_pool_t *pool)
{
    ap_dbd_t *record;
    svc_err_t *err;

    if (!enter(gate))
        return svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                            "All database connections are in use",
                            "no connection of mod_dbd's pool got free within "
                            "%d ms: raise DBDMax",
                            SVC_AP_DB_WAIT_MS);
    loan->gate = gate;
    loan->server = server;
    record = open_one(gate, server, pool);
    if (!record) {
        leave(gate);
        return svc_err_ours(pool, SVC_ERR_UNAVAILABLE,
                            "The database is not available",
                            "mod_dbd has no connection to give");
    }
    loan->record = record;
    if ((err = wrapper(&loan->db, gate, record, service, pool)))
        svc_ap_db_give_back(loan);
    return err;
}

void svc_ap_db_give_back(svc_ap_db_loan_t *loan)
{
    APR_OPTIONAL_FN_TYPE(ap_dbd_close) *close =
        APR_RETRIEVE_OPTIONAL_FN(ap_dbd_close);

    close(loan->server, loan->record);
    leave(loan->gate);
}
