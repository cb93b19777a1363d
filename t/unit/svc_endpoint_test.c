/* svc_endpoint: which addresses are taken, and which of them only this machine
 * can reach.
 */
#include "tap.h"

#include "svc_endpoint.h"

static void clashes(void)
{
    static const struct {
        const char *a, *b;
        int clash, leads; /* may both be bound; does a client of a reach b */
    } table[] = {
        { "tcp://127.0.0.1:1", "tcp://127.0.0.1:1", 1, 1 },
        { "tcp://127.0.0.1:1", "tcp://127.0.0.1:01", 1, 1 },
        { "tcp://127.0.0.1:1", "tcp://127.0.0.1:2", 0, 0 },
        { "tcp://127.0.0.1:1", "tcp://127.0.0.2:1", 0, 0 },
        { "tcp://127.0.0.1:1", "tcp://*:1", 1, 1 },
        { "tcp://127.0.0.1:1", "tcp://0.0.0.0:1", 1, 1 },
        { "tcp://*:1", "tcp://127.0.0.1:1", 1, 0 },
        { "tcp://*:1", "tcp://0.0.0.0:1", 1, 0 },
        { "tcp://localhost:1", "tcp://127.0.0.1:1", 1, 1 },
        { "tcp://localhost:1", "tcp://*:1", 1, 1 },
        { "tcp://[::1]:1", "tcp://[::]:1", 1, 1 },
        { "tcp://[::1]:1", "tcp://*:1", 0, 0 },
        { "tcp://127.0.0.1:1", "tcp://[::]:1", 0, 0 },
        { "tcp://192.0.2.1:1", "tcp://192.0.2.1:1", 1, 1 },
        { "tcp://192.0.2.1:1", "tcp://*:1", 1, 0 },
        { "tcp://shop.example:1", "tcp://*:1", 1, 0 },
        { "ipc:///a", "ipc:///a", 1, 1 },
        { "ipc:///a", "ipc:///b", 0, 0 },
        { "ipc:///a", "tcp://127.0.0.1:1", 0, 0 }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        is_int(svc_endpoint_clashes(table[i].a, table[i].b), table[i].clash,
               "%s and %s %s be bound at once", table[i].a, table[i].b,
               table[i].clash ? "cannot" : "can");
        is_int(svc_endpoint_leads_to(table[i].a, table[i].b), table[i].leads,
               "who connects to %s %s %s", table[i].a,
               table[i].leads ? "reaches" : "does not reach", table[i].b);
    }
}

int main(void)
{
    static const struct {
        const char *text;
        int connects, binds; /* may it be used so? */
    } table[] = {
        { "tcp://127.0.0.1:5556", 1, 1 },   { "tcp://*:5556", 1, 1 },
        { "tcp://0.0.0.0:1", 1, 1 },        { "tcp://[::1]:65535", 1, 1 },
        { "tcp://[::]:5556", 1, 1 },        { "tcp://[fe80::1]:5556", 1, 1 },
        { "tcp://localhost:5556", 1, 0 },   { "tcp://a.example:5556", 1, 0 },
        { "ipc:///run/t.sock", 1, 1 },      { "ipc:///t", 1, 1 },
        { "", 0, 0 },                       { "tcp", 0, 0 },
        { "tcp://", 0, 0 },                 { "tcp://127.0.0.1", 0, 0 },
        { "tcp://:5556", 0, 0 },            { "tcp://127.0.0.1:", 0, 0 },
        { "tcp://127.0.0.1:0", 0, 0 },      { "tcp://127.0.0.1:65536", 0, 0 },
        { "tcp://127.0.0.1:+5", 0, 0 },     { "tcp://127.0.0.1:-5", 0, 0 },
        { "tcp://127.0.0.1:5x", 0, 0 },     { "tcp://127.0.0.1:x", 0, 0 },
        { "tcp://127.0.0.1:123456", 0, 0 }, { "tcp://127.0.0.1:*", 0, 0 },
        { "tcp://127.0.0.1: 56", 0, 0 },    { "udp://127.0.0.1:5556", 0, 0 },
        { "inproc://x", 0, 0 },             { "http://127.0.0.1:80", 0, 0 },
        { "127.0.0.1:5556", 0, 0 },         { "TCP://127.0.0.1:5556", 0, 0 },
        { "ipc://", 0, 0 },                 { "ipc:///", 0, 0 },
        { "ipc://relative", 0, 0 },
        { "tcp://127.0.0.1:1,tcp://127.0.0.1:2", 0, 0 },
        { "tcp://eth0;127.0.0.1:5556", 0, 0 },
        { "tcp://a b:5556", 0, 0 }
    };
    static const struct {
        const char *text;
        int is_local;
    } places[] = {
        { "tcp://127.0.0.1:5556", 1 },  { "tcp://127.5.0.1:5556", 1 },
        { "tcp://[::1]:5556", 1 },      { "tcp://localhost:5556", 1 },
        { "ipc:///run/t.sock", 1 },     { "tcp://*:5556", 0 },
        { "tcp://0.0.0.0:5556", 0 },    { "tcp://[::]:5556", 0 },
        { "tcp://10.0.0.1:5556", 0 },   { "tcp://192.168.127.1:5556", 0 },
        { "tcp://[::1ff]:5556", 0 },    { "tcp://[fe80::1]:5556", 0 },
        { "tcp://a.example:5556", 0 },  { "tcp://localhost.example:5556", 0 },
        { "tcp://128.0.0.1:5556", 0 },  { "tcp://1270.0.0.1:5556", 0 },
        { "tcp://127.example.org:5556", 0 },
        { "tcp://127.0.0.1.example.org:5556", 0 }
    };
    size_t i;

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        const char *connects = svc_endpoint_refusal(table[i].text, 0);
        const char *binds = svc_endpoint_refusal(table[i].text, 1);

        ok((connects == NULL) == table[i].connects, "\"%s\" %s be connected to",
           table[i].text, table[i].connects ? "can" : "cannot");
        ok((binds == NULL) == table[i].binds, "\"%s\" %s be bound", table[i].text,
           table[i].binds ? "can" : "cannot");
        if (!table[i].connects)
            ok(connects && strncmp(connects, "must ", 5) == 0,
               "... the refusal ends a sentence that says what must be");
    }
    for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        is_int(svc_endpoint_is_local(places[i].text), places[i].is_local,
               "%s is %s", places[i].text,
               places[i].is_local ? "loopback" : "not loopback");
    clashes();
    return tap_end();
}
