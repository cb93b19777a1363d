/* svc_db_place: see the header. */
#include "svc_db_place.h"

#include <string.h>
#include <sys/vfs.h>

#include <apr_strings.h>

#include "svc_db.h"
#include "svc_db_mask.h"

int svc_db_place_is_remote(long f_type)
{
    static const unsigned long remote[] = {
        0x6969,     /* NFS */
        0x517b,     /* SMB */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x5346414f, /* AFS */
        0x01021997, /* 9P */
        0x0bd00bd0, /* Lustre */
        0x00c36400, /* Ceph */
        0x47504653  /* GPFS */
    };
    size_t i;

    for (i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        if (((unsigned long)f_type & 0xffffffffUL) == remote[i])
            return 1;
    }
    return 0;
}

const char *svc_db_place_file(const char *driver, const char *params,
                        apr_pool_t *pool)
{
    const char *end;

    if (!driver || svc_db_sql_engine(driver) != SVC_DB_SQLITE || !params)
        return NULL;
    if (strncmp(params, "file:", 5) != 0)
        return params;
    params += 5;
    if (strncmp(params, "//", 2) == 0) /* file://[localhost]/path */
        params = strchr(params + 2, '/') ? strchr(params + 2, '/') : "";
    end = strpbrk(params, "?#");
    return end ? apr_pstrmemdup(pool, params, (apr_size_t)(end - params))
               : params;
}

const char *svc_db_place_refusal(const char *driver, const char *params,
                           apr_pool_t *pool)
{
    svc_db_engine_t engine = svc_db_sql_engine(driver);
    const char *file = svc_db_place_file(driver, params, pool);
    struct statfs info;

    if (engine == SVC_DB_ENGINES)
        return apr_psprintf(pool, "DBDriver \"%s\" is not supported: use "
                                  "sqlite3, pgsql or mysql", driver);
    if (!params)
        return apr_psprintf(pool, "DBDriver %s needs DBDParams: where the "
                                  "data is", driver);
    if (engine == SVC_DB_MYSQL && !strstr(params, "reconnect=0"))
        return apr_psprintf(pool, "DBDParams of DBDriver mysql needs "
                                  "reconnect=0: a connection that is lost must "
                                  "not be replaced without a word");
    if (engine != SVC_DB_SQLITE)
        return NULL;
    if (file[0] != '/')
        return apr_psprintf(pool, "DBDParams \"%s\" must be the absolute path "
                                  "of a file: all processes share it",
                            svc_db_mask(driver, params, pool));
    file = apr_pstrmemdup(pool, file, (apr_size_t)(strrchr(file, '/') - file));
    if (*file == '\0')
        file = "/";
    if (statfs(file, &info) == 0 && svc_db_place_is_remote((long)info.f_type))
        return apr_psprintf(pool, "DBDParams \"%s\" lies on a network file "
                                  "system, where SQLite's locks cannot be "
                                  "trusted", params);
    return NULL;
}
