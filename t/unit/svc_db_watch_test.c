/* svc_db_watch: who waits longer than it would is ended, nobody else is.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "svc_db_watch.h"
#include "svc_time.h"

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

/* Ends what nobody uses. */
static void wait_too_long(void)
{
    svc_db_watch_t *waits = svc_db_watch_add(0, fixture.pool);
    apr_int64_t end = svc_time_ticks() + 1;

    svc_db_watch_wait(waits, 1);
    while (svc_time_ticks() < end)
        ;
    svc_db_watch_turn();
    ok(svc_db_watch_end(waits), "somebody waited too long for mod_dbd");
    svc_db_watch_remove(waits);
}

static void not_ours(void)
{
    svc_db_watch_t *lost = svc_db_watch_add(1, fixture.pool);
    svc_db_watch_t *removed = svc_db_watch_add(1, fixture.pool);
    svc_db_watch_t *patient = svc_db_watch_add(1, fixture.pool);
    int a[2], b[2], c[2], other[2];

    connection(a);
    connection(b);
    connection(c);
    connection(other);
    svc_db_watch_begin(lost, a[0], 1000);
    dup2(other[0], a[0]); /* the driver closes its own, somebody opens one */
    svc_db_watch_end(lost);
    svc_db_watch_begin(removed, b[0], 1000);
    svc_db_watch_end(removed);
    svc_db_watch_remove(removed);
    svc_db_watch_begin(patient, c[0], 0);
    wait_too_long();
    ok(!is_ended(other[0]), "a number that is another socket's now is let be");
    ok(!is_ended(b[0]), "... and so is who was removed");
    ok(!is_ended(c[0]), "... and one in use that may take as long as it likes");
    ok(!svc_db_watch_end(patient), "... which is told so");
    svc_db_watch_begin(patient, -1, 1);
    wait_too_long();
    ok(!svc_db_watch_end(patient), "without a socket there is nothing to end");
    svc_db_watch_remove(lost);
    svc_db_watch_remove(patient);
    close(a[0]), close(a[1]), close(b[0]), close(b[1]), close(c[0]), close(c[1]);
    close(other[0]), close(other[1]);
}

static void *turn(void *stops)
{
    while (!*(atomic_int *)stops)
        svc_db_watch_turn();
    return NULL;
}

/* A statement whose answer comes just when its time is over: it is ended and told
 * so, or neither, and nothing is left over for the next. */
static void just_in_time(void)
{
    svc_db_watch_t *watch = svc_db_watch_add(0, fixture.pool);
    atomic_int stops = 0;
    int i, wrong = 0, a[2];
    pthread_t thread;

    connection(a);
    pthread_create(&thread, NULL, turn, &stops);
    for (i = 0; i < 300; i++) {
        apr_int64_t begin = svc_time_ticks();

        svc_db_watch_begin(watch, a[0], 1);
        while (svc_time_ticks() <= begin)
            ;
        if (svc_db_watch_end(watch)) {
            wrong += !is_ended(a[0]);
            close(a[0]), close(a[1]);
            connection(a);
        }
        svc_db_watch_begin(watch, a[0], 10000);
        wrong += is_ended(a[0]) || svc_db_watch_end(watch);
    }
    stops = 1;
    pthread_join(thread, NULL);
    is_int(wrong, 0, "one that is answered just then is ended and told, or "
                     "neither");
    svc_db_watch_remove(watch);
    close(a[0]), close(a[1]);
}

int main(void)
{
    fixture_begin();
    statements();
    unused();
    not_ours();
    just_in_time();
    return fixture_end();
}
