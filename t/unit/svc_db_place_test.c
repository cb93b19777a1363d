/* svc_db_place: where DBDParams say that the data is, and which places are
 * refused in a sentence that names the directive.
 */
#include "fixture.h"

#include "svc_db_place.h"

static void files(void)
{
    static const struct {
        const char *driver, *params, *file;
    } table[] = {
        { "sqlite3", "/var/lib/t.db", "/var/lib/t.db" },
        { "sqlite3", "relative.db", "relative.db" },
        { "sqlite3", "file:/var/lib/t.db", "/var/lib/t.db" },
        { "sqlite3", "file:/var/lib/t.db?mode=rw", "/var/lib/t.db" },
        { "sqlite3", "file:///var/lib/t.db?x=1#y", "/var/lib/t.db" },
        { "sqlite3", "file://localhost/var/lib/t.db", "/var/lib/t.db" },
        { "sqlite3", NULL, NULL },
        { NULL, "/var/lib/t.db", NULL },
        { "pgsql", "host=/tmp dbname=t", NULL },
        { "mysql", "host=h,dbname=t", NULL },
        { "oracle", "x", NULL }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        is_str(svc_db_place_file(table[i].driver, table[i].params,
                                 fixture.pool), table[i].file,
               "%s %s lies in %s",
               table[i].driver ? table[i].driver : "no driver",
               table[i].params ? table[i].params : "without parameters",
               table[i].file ? table[i].file : "no file");
}

static void refusals(void)
{
    static const struct {
        const char *driver, *params, *says;
    } table[] = {
        { "oracle", "x", "DBDriver" },
        { "sqlite2", "/tmp/t.db", "DBDriver" },
        { "SQLITE3", "/tmp/t.db", "DBDriver" },
        { "sqlite3", NULL, "DBDParams" },
        { "pgsql", NULL, "DBDParams" },
        { "mysql", "host=h", "reconnect=0" },
        { "mysql", "host=h reconnect=1", "reconnect=0" },
        { "sqlite3", "t.db", "DBDParams" },
        { "sqlite3", ":memory:", "DBDParams" },
        { "sqlite3", "", "DBDParams" },
        { "sqlite3", "file:t.db", "DBDParams" },
        { "sqlite3", "file://host", "DBDParams" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *why = svc_db_place_refusal(table[i].driver,
                                               table[i].params, fixture.pool);

        ok(why && strstr(why, table[i].says),
           "%s \"%s\" is refused, and %s is named", table[i].driver,
           table[i].params ? table[i].params : "(none)", table[i].says);
    }
    ok(!svc_db_place_refusal("sqlite3", fixture_path("t.db"), fixture.pool),
       "a file in a local folder is taken");
    ok(!svc_db_place_refusal("sqlite3", "/none/there/t.db", fixture.pool),
       "a folder that is not there yet is no reason to refuse");
    ok(!svc_db_place_refusal("sqlite3", "/t.db", fixture.pool),
       "a file at the top is taken");
    ok(!svc_db_place_refusal("pgsql", "host=h dbname=t", fixture.pool),
       "parameters of PostgreSQL are taken");
    ok(!svc_db_place_refusal("mysql", "host=h reconnect=0", fixture.pool),
       "parameters of MariaDB are taken");
}

static void remote(void)
{
    ok(svc_db_place_is_remote(0x6969), "NFS is remote");
    ok(svc_db_place_is_remote((long)0xff534d42), "CIFS is remote");
    ok(svc_db_place_is_remote((long)(int)0xff534d42),
       "... also where f_type is a signed 32 bit number");
    ok(svc_db_place_is_remote((long)0xfe534d42), "SMB2 is remote");
    ok(svc_db_place_is_remote(0x01021997), "9P is remote");
    ok(!svc_db_place_is_remote(0xef53), "ext4 is not");
    ok(!svc_db_place_is_remote(0x01021994), "tmpfs is not");
    ok(!svc_db_place_is_remote(0x794c7630), "overlayfs is not");
}

int main(void)
{
    fixture_begin();
    files();
    refusals();
    remote();
    return fixture_end();
}
