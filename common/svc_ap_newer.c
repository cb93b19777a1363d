/* svc_ap_newer: see the header. */
#include "svc_ap_newer.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <mpm_common.h>

#include "svc_db_place.h"
#include "svc_schema.h"

#define WAIT_MS 2000

static apr_int64_t read_version(const svc_ap_service_t *service,
                                const svc_ap_conf_t *conf, apr_pool_t *pool)
{
    const char *file = svc_db_place_file(conf->dbd_driver, conf->dbd_params,
                                         pool);
    apr_int64_t version = 0;
    svc_db_t *db;

    if (file && access(file, R_OK) != 0)
        return 0; /* nothing is made here */
    svc_db_setup(pool);
    if (svc_db_open(&db, conf->dbd_driver, conf->dbd_params, pool, pool))
        return 0;
    if (svc_schema_version(&version, db, service->schema, pool))
        version = 0;
    svc_db_close(db);
    return version;
}

/* A process of its own, as User, which can be ended: a driver may wait for a
 * server for minutes, and what root makes User could not write. */
static void answer(int out, const svc_ap_service_t *service,
                   const svc_ap_conf_t *conf, server_rec *s, apr_pool_t *pool)
{
    apr_int64_t version = 0;

    if (ap_run_drop_privileges(pool, s) == OK || geteuid() != 0)
        version = read_version(service, conf, pool);
    if (write(out, &version, sizeof(version)) != sizeof(version))
        _exit(1);
    _exit(0);
}

/* The version of the database; 0 when it cannot be known. */
static apr_int64_t ask(const svc_ap_service_t *service,
                       const svc_ap_conf_t *conf, server_rec *s,
                       apr_pool_t *scratch)
{
    apr_int64_t version = 0;
    struct pollfd answered;
    int ends[2], status;
    pid_t pid;

    if (pipe(ends) != 0)
        return 0;
    pid = fork();
    if (pid == 0)
        answer(ends[1], service, conf, s, scratch);
    close(ends[1]);
    answered.fd = ends[0];
    answered.events = POLLIN;
    if (pid > 0 && poll(&answered, 1, WAIT_MS) == 1 &&
        read(ends[0], &version, sizeof(version)) != sizeof(version))
        version = 0;
    close(ends[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    return version;
}

static int is_asked(const server_rec *main, const server_rec *s,
                    const svc_ap_service_t *service, const svc_ap_conf_t *conf)
{
    for (; main != s; main = main->next) {
        const svc_ap_conf_t *other = ap_get_module_config(main->module_config,
                                                          service->module);

        if (other->is_used &&
            strcmp(other->dbd_driver, conf->dbd_driver) == 0 &&
            strcmp(other->dbd_params, conf->dbd_params) == 0)
            return 1;
    }
    return 0;
}

int svc_ap_newer_check(const svc_ap_service_t *service, server_rec *main,
                       apr_pool_t *scratch)
{
    server_rec *s;

    if (ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK; /* a restart, or it was asked */
    for (s = main; s; s = s->next) {
        const svc_ap_conf_t *conf = ap_get_module_config(s->module_config,
                                                         service->module);
        apr_int64_t version;

        if (!conf->is_used || is_asked(main, s, service, conf))
            continue;
        version = ask(service, conf, s, scratch);
        if (version <= service->schema->version)
            continue;
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_CRIT, 0, s,
                     "SVC073: %s: %s", service->module_name,
                     svc_schema_refusal(service->schema, version,
                                        scratch)->detail);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}
