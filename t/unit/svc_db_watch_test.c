/* svc_db_watch: who waits longer than it would is ended, nobody else is.
 */
#include "fixture.h"

#include <sys/socket.h>

#include "svc_db_watch.h"

#define LONG_MS 60000 /* does not pass meanwhile, however busy the machine */
#define SHORT_MS 1
#define PASS_SHORT() apr_sleep(5 * 1000)

/* Two ends of a connection: the one that is watched, and the server's. */
static void connection(int ends[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) {
        perror("socketpair");
        exit(255);
    }
}

static int is_ended(int socket)
{
    char byte;

    return recv(socket, &byte, 1, MSG_DONTWAIT) == 0;
}

static void statements(void)
{
    svc_db_watch_t *slow = svc_db_watch_add(0, fixture.pool);
    svc_db_watch_t *done = svc_db_watch_add(0, fixture.pool);
    svc_db_watch_t *patient = svc_db_watch_add(0, fixture.pool);
    int a[2], b[2], c[2];

    connection(a);
    connection(b);
    connection(c);
    svc_db_watch_begin(slow, a[0], LONG_MS);
    svc_db_watch_begin(done, b[0], LONG_MS);
    svc_db_watch_begin(patient, c[0], 0);
    svc_db_watch_turn();
    ok(!is_ended(a[0]), "before its time a statement goes on");
    ok(!svc_db_watch_end(done), "one that is answered was not ended");
    svc_db_watch_begin(slow, a[0], SHORT_MS);
    svc_db_watch_begin(done, b[0], SHORT_MS);
    svc_db_watch_end(done);
    PASS_SHORT();
    svc_db_watch_turn();
    ok(is_ended(a[0]), "one that waits for too long is ended");
    ok(svc_db_watch_end(slow), "... and is told");
    ok(!is_ended(b[0]), "one that was answered is not");
    ok(!is_ended(c[0]), "nor is one that may take as long as it likes");
    svc_db_watch_begin(slow, b[0], LONG_MS);
    svc_db_watch_turn();
    ok(!svc_db_watch_end(slow), "the next one has its own time");
    close(a[0]), close(a[1]), close(b[0]), close(b[1]), close(c[0]), close(c[1]);
}

static void unused(void)
{
    apr_pool_t *pool;
    svc_db_watch_t *waits, *unused, *used, *moves;
    int a[2], b[2], c[2];

    apr_pool_create(&pool, fixture.pool);
    unused = svc_db_watch_add(1, pool);
    used = svc_db_watch_add(1, pool);
    moves = svc_db_watch_add(0, pool);
    waits = svc_db_watch_add(0, pool);
    connection(a);
    connection(b);
    connection(c);
    svc_db_watch_begin(unused, a[0], LONG_MS);
    svc_db_watch_end(unused);
    svc_db_watch_begin(used, b[0], LONG_MS);
    svc_db_watch_begin(moves, c[0], LONG_MS);
    svc_db_watch_end(moves);
    svc_db_watch_wait(waits, LONG_MS);
    svc_db_watch_turn();
    ok(!is_ended(a[0]), "while somebody waits for mod_dbd, all go on");
    svc_db_watch_wait(waits, SHORT_MS);
    PASS_SHORT();
    svc_db_watch_turn();
    ok(is_ended(a[0]), "when he waits too long, connections that nobody uses "
                       "are ended");
    ok(!is_ended(b[0]), "... not those in use");
    ok(!is_ended(c[0]), "... nor those whose socket may be another one now");
    apr_pool_destroy(pool);
    svc_db_watch_turn();
    ok(1, "who is gone is not looked at");
    close(a[0]), close(a[1]), close(b[0]), close(b[1]), close(c[0]), close(c[1]);
}

int main(void)
{
    fixture_begin();
    statements();
    unused();
    return fixture_end();
}
