/* svc_db_mask: what of DBDParams may be shown. */
#include "fixture.h"

#include "svc_db_mask.h"

static void shown(void)
{
    static const struct {
        const char *driver, *params, *shown;
    } table[] = {
        { "sqlite3", "/var/lib/shop/shop.db", "/var/lib/shop/shop.db" },
        { "sqlite3", "host=h password=hush", "host=h password=***" },
        { "pgsql", "host=h dbname=d user=u connect_timeout=4",
          "host=h dbname=d user=u connect_timeout=4" },
        { "pgsql", "host=h password=hush user=u", "host=h password=*** user=u" },
        { "pgsql", "password = hush host = h", "password = *** host = h" },
        { "pgsql", "PASSWORD=hush", "PASSWORD=***" },
        { "pgsql", "password='hu sh' host=h", "password=*** host=h" },
        { "pgsql", "password='hu\\' sh' host=h", "password=*** host=h" },
        { "pgsql", "password='hush host=h", "password=***" },
        { "pgsql", "password=hu\\ sh host=h", "password=*** host=h" },
        { "pgsql", "password=hu,sh;=x host=h", "password=*** host=h" },
        { "pgsql", "password=hush sh host=h", "password=*** *** host=h" },
        { "pgsql", "sslpassword=hush passfile=/p", "sslpassword=*** passfile=/p" },
        { "pgsql", "new_setting=hush", "new_setting=***" },
        { "pgsql", "host='a b' password=hush", "host='a b' password=***" },
        { "pgsql", "password=", "password=***" },
        { "pgsql", "hush", "***" },
        { "pgsql", "", "" },
        { "pgsql", "postgresql://u:hush@h:5432/d?sslmode=require",
          "postgresql://u:***@h:5432/d?sslmode=require" },
        { "pgsql", "postgres://u:hu@sh/x@h/d", "postgres://u:***@h/d" },
        { "pgsql", "postgres://u:hu?sh@h/d?password=hush&sslmode=require",
          "postgres://***" },
        { "pgsql", "postgresql://host/db?user=shop&password=p@ssw0rd",
          "postgresql://***" },
        { "pgsql", "postgresql://shop@host/db?password=p@ss",
          "postgresql://***" },
        { "pgsql", "postgresql://shop@host:5432/db?password=hush@tail",
          "postgresql://***" },
        { "pgsql", "postgres://u:hush@h/d?password=hush&sslmode=require",
          "postgres://u:***@h/d?password=***&sslmode=require" },
        { "pgsql", "postgresql://u@h/d?user=u&password=hush",
          "postgresql://u@h/d?user=u&password=***" },
        { "pgsql", "postgresql:///d", "postgresql:///d" },
        { "mysql", "host=h dbname=d user=u pass=hush reconnect=0",
          "host=h dbname=d user=u pass=*** reconnect=0" },
        { "mysql", "host=h,pass=hush,user=u", "host=h,pass=***,user=u" },
        { "mysql", "host=h;pass=hu,sh|user=u", "host=h;pass=***,***|user=u" },
        { "mysql", "pass=hu sh host=h", "pass=*** *** host=h" },
        { "mysql", "pass=hu,sh=x host=h", "pass=***,sh=*** host=h" },
        { "mysql", "pass = 'hush'", "pass = ***" }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        is_str(svc_db_mask(table[i].driver, table[i].params, fixture.pool),
               table[i].shown, "%s: %s", table[i].driver, table[i].shown);
}

int main(void)
{
    fixture_begin();
    shown();
    return fixture_end();
}
