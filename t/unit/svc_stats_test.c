/* svc_stats: requests are counted in their places, quantiles are estimated, values
 * that are written while they are read arrive whole, and what dead processes told
 * is forgotten.
 */
#include "fixture.h"

#include <sched.h>
#include <sys/wait.h>

#include "svc_stats.h"
#include "svc_time.h"

static svc_stats_t stats;

static long long count_of(int route, int status)
{
    int i;

    for (i = 0; svc_stats_status(i) != status; i++)
        ;
    return atomic_load(&stats.routes[route].status[i]);
}

static void requests(void)
{
    int i;

    svc_stats_request(&stats, 2, 201, 1000);
    svc_stats_request(&stats, 2, 201, 1001);
    svc_stats_request(&stats, 2, 404, 99);
    svc_stats_request(&stats, 2, 418, 20000000);
    svc_stats_request(&stats, 3, 503, 0);
    svc_stats_request(&stats, 3, 100, 1);
    is_int(count_of(2, 201), 2, "a request is counted by its status");
    is_int(count_of(3, 503), 1, "... and route");
    is_int(count_of(2, 0), 1, "a status that is not told apart is another");
    is_int(count_of(3, 0), 1, "... one that is none, too");
    for (i = 0; svc_stats_bound(i) != 1000; i++)
        ;
    is_int(atomic_load(&stats.routes[2].latency[0].bucket[i]), 1,
           "a latency at a bound is below it");
    is_int(atomic_load(&stats.routes[2].latency[0].bucket[i + 1]), 1,
           "... above it is in the next bucket");
    is_int(atomic_load(&stats.routes[2].latency[2].bucket[0]), 1,
           "... by class of status");
    is_int(atomic_load(&stats.routes[2].latency[2]
                           .bucket[SVC_STATS_BUCKETS - 1]), 1,
           "... and above all bounds in the last");
    is_int(atomic_load(&stats.routes[2].latency[0].sum_us), 2001,
           "... and added up");
    svc_stats_request(&stats, 2, 201, -5000000);
    is_int(atomic_load(&stats.routes[2].latency[0].sum_us), 2001,
           "a clock that was put back takes nothing away");
    is_int(svc_stats_bound(SVC_STATS_BUCKETS - 1), -1,
           "the last bucket has no bound");
}

static int about(double got, double wanted)
{
    return got > wanted - 0.001 && got < wanted + 0.001;
}

static void quantiles(void)
{
    long long none[SVC_STATS_BUCKETS] = { 0 };
    long long one[SVC_STATS_BUCKETS] = { [3] = 10 };
    long long two[SVC_STATS_BUCKETS] = { [0] = 98, [6] = 2 };
    long long over[SVC_STATS_BUCKETS] = { [SVC_STATS_BUCKETS - 1] = 3 };

    ok(about(svc_stats_quantile(none, 0.5), 0), "of nothing it is 0");
    ok(about(svc_stats_quantile(one, 0.5), 0.75),
       "the median of one bucket is its middle");
    ok(about(svc_stats_quantile(one, 1), 1), "... the greatest is its bound");
    ok(about(svc_stats_quantile(two, 0.98), 0.1), "98 of 100 are in the first");
    ok(about(svc_stats_quantile(two, 0.99), 7.5), "the 99th is in the other");
    ok(about(svc_stats_quantile(over, 0.5), 10000),
       "above all bounds it is the greatest that is known");
}

static void texts(void)
{
    char text[6];

    svc_stats_text(text, sizeof(text), "abc");
    is_str(text, "abc", "a short text is copied");
    svc_stats_text(text, sizeof(text), "abcde");
    is_str(text, "abcde", "... and one that just fits");
    svc_stats_text(text, sizeof(text), "abcdefgh");
    is_str(text, "abcde", "a long one is cut");
    svc_stats_text(text, sizeof(text), "abcd\xc3\xa9z");
    is_str(text, "abcd", "... not in the middle of a character");
    svc_stats_text(text, sizeof(text), "ab\xe2\x82\xac\xe2\x82\xac");
    ok(svc_json_is_utf8(text) && strncmp(text, "ab", 2) == 0,
       "... so that it stays UTF-8");
}

/* --- processes ------------------------------------------------------------------- */

static void processes(void)
{
    int pid = (int)getpid(), status;
    svc_stats_process_t *mine = svc_stats_enter(&stats, pid);
    svc_stats_process_t *other;
    apr_int64_t begun_at;
    pid_t child;

    atomic_store(&mine->queued, 3);
    is_int(svc_stats_queued(&stats, &begun_at), 3, "what waits is added up");
    is_int(begun_at, 0, "... and nothing is in work");
    child = fork();
    if (child == 0) {
        other = svc_stats_enter(&stats, (int)getpid());
        _exit(other == mine);
    }
    waitpid(child, &status, 0);
    ok(WIFEXITED(status) && WEXITSTATUS(status) == 0,
       "another process has another place");
    other = &mine[1]; /* as if that had been written in shared memory */
    atomic_store(&other->pid, (int)child);
    atomic_store(&other->queued, 40);
    atomic_store(&other->begun_at, 17);
    is_int(svc_stats_queued(&stats, &begun_at), 3,
           "what a dead process told is not counted");
    atomic_store(&mine->pid, 0);
    mine = svc_stats_enter(&stats, pid);
    other = svc_stats_enter(&stats, 1);
    ok(mine != other, "each has a place");
    ok(other == &stats.processes[1], "... also that of a dead one");
    is_int(atomic_load(&other->queued), 0, "... cleaned");
    svc_stats_leave(mine);
    svc_stats_leave(other);
    is_int(svc_stats_queued(&stats, &begun_at), 0, "who leaves waits no more");
}

/* --- values ------------------------------------------------------------------------- */

static atomic_int writing;

static void *write_peers(void *baton)
{
    svc_stats_peer_t peer = { .is_complete = 1 };
    int i;

    (void)baton;
    for (i = 0; atomic_load(&writing); i++) {
        memset(peer.endpoint, 'a' + i % 26, sizeof(peer.endpoint) - 1);
        peer.position = peer.head = i;
        svc_stats_set_peer(&stats, 0, &peer);
    }
    return NULL;
}

static void values(void)
{
    svc_stats_peer_t peer = { .head = 7 }, read;
    pthread_t thread;
    int torn = 0, got = 0, changes = 0;
    apr_int64_t last = 0, deadline;

    ok(!svc_stats_get_peer(&read, &stats, 0), "there is no subscription yet");
    svc_stats_set_peer(&stats, 0, &peer);
    ok(svc_stats_get_peer(&read, &stats, 0) && read.head == 7,
       "what is written can be read");
    ok(!svc_stats_get_peer(&read, &stats, 1), "... and nothing else");
    atomic_store(&writing, 1);
    pthread_create(&thread, NULL, write_peers, NULL);
    wait_until(svc_stats_get_peer(&read, &stats, 0) && read.is_complete, 5000);
    deadline = svc_time_ticks() + 20000;
    while (changes < 20 && svc_time_ticks() < deadline) {
        if (!svc_stats_get_peer(&read, &stats, 0))
            continue;
        got++;
        changes += read.position != last;
        last = read.position;
        sched_yield();
        torn += read.position != read.head ||
                read.endpoint[0] != 'a' + read.position % 26 ||
                read.endpoint[254] != read.endpoint[0];
    }
    atomic_store(&writing, 0);
    pthread_join(thread, NULL);
    ok(changes == 20, "it was read %d times while it changed, and "
                                    "seen to change %d times", got, changes);
    is_int(torn, 0, "... each time as a whole");
    atomic_fetch_or(&stats.peers[0].turn, 1); /* who wrote it was killed */
    ok(!svc_stats_get_peer(&read, &stats, 0),
       "what was left half written is not read");
    svc_stats_set_peer(&stats, 0, &peer);
    ok(svc_stats_get_peer(&read, &stats, 0) && read.head == 7,
       "... until it is written again");
    svc_stats_set_peer(&stats, SVC_STATS_PEERS + 3, &peer);
    is_int(atomic_load(&stats.peer_count), SVC_STATS_PEERS + 4,
           "subscriptions without a place are counted");
    svc_stats_lead(&stats, 1, 1);
    ok(!svc_stats_get_peer(&read, &stats, 0),
       "a new leader begins with what it sees itself");
}

static void recent(void)
{
    svc_stats_event_t event = { .type = "x:happened" };
    svc_stats_event_t read[SVC_STATS_RECENT];
    int i;

    is_int(svc_stats_get_recent(read, &stats), 0, "nothing has happened");
    for (i = 1; i <= 3; i++) {
        event.position = i;
        svc_stats_remember(&stats, &event);
    }
    is_int(svc_stats_get_recent(read, &stats), 3, "events are remembered");
    ok(read[0].position == 3 && read[2].position == 1, "... the newest first");
    for (; i <= 100; i++) {
        event.position = i;
        svc_stats_remember(&stats, &event);
    }
    is_int(svc_stats_get_recent(read, &stats), SVC_STATS_RECENT,
           "... the last ones only");
    ok(read[0].position == 100 &&
           read[SVC_STATS_RECENT - 1].position == 101 - SVC_STATS_RECENT,
       "... in order");
}

int main(void)
{
    fixture_begin();
    requests();
    quantiles();
    texts();
    processes();
    values();
    recent();
    return fixture_end();
}
