/* load PORT USER:PASSWORD RATE SECONDS CONNECTIONS REQUESTS OUT: sends the
 * requests that the file REQUESTS lists, one a line ("POST /api/tickets
 * {...}", "GET /api/tickets/1"), over keep-alive connections to 127.0.0.1.
 *
 * RATE > 0: so many a second, open loop: each request has its instant, and
 * when no connection is free it waits and is late. RATE 0: closed loop, each
 * connection sends its next request as soon as the last one is answered.
 * Ends after SECONDS, or when the list ends; SECONDS 0: at its end only.
 * A list that is shorter than the time in a closed loop begins anew.
 *
 * OUT, unless it is "-", gets a line per request: "due sent answered status
 * id"; times are nanoseconds of bench_now, due is sent in a closed loop, status
 * 0 means that the connection broke, id is the end of Location or "-".
 * Prints "requests N seconds S cpu SECONDS late N failed N conflicts N p50 MS
 * p99 MS max MS": late is how many were sent over 1 ms after they were due,
 * conflicts how many were answered by 409, failed how many neither by that nor
 * by 2xx; the times are from due to answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench.h"

#define LATE_NS 1000000
#define MAX_ANSWER (4 << 20)

typedef struct outcome_t {
    int64_t due, sent, answered;
    int status;
    char id[37];
} outcome_t;

typedef struct connection_t {
    int fd;
    int is_busy;
    size_t request; /* index of its outcome, while it is busy */
    char *buffer;
    size_t length, capacity;
    struct connection_t *next; /* of those that are free */
} connection_t;

static struct {
    struct sockaddr_in address;
    char authorization[400];
    int64_t begin, interval, end; /* interval 0: closed loop; end 0: none */
    char **texts;                 /* the requests, as they are sent */
    size_t text_count;
    outcome_t *outcomes;
    size_t due, sent, done; /* requests: so many are due, sent, answered */
    connection_t *free;
    int epoll, timer;
} load;

/* --- what is sent -------------------------------------------------------------- */

static void set_authorization(const char *user)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrs"
                                 "tuvwxyz0123456789+/";
    size_t i, length = strlen(user);
    char *at = load.authorization;

    if (length > 200)
        bench_die("load: the user is too long");
    if (length == 0)
        return;
    at += sprintf(at, "Authorization: Basic ");
    for (i = 0; i < length; i += 3) {
        unsigned three = (unsigned char)user[i] << 16;

        three |= i + 1 < length ? (unsigned)(unsigned char)user[i + 1] << 8 : 0;
        three |= i + 2 < length ? (unsigned)(unsigned char)user[i + 2] : 0;
        *at++ = digits[three >> 18 & 63];
        *at++ = digits[three >> 12 & 63];
        *at++ = i + 1 < length ? digits[three >> 6 & 63] : '=';
        *at++ = i + 2 < length ? digits[three & 63] : '=';
    }
    strcpy(at, "\r\n");
}

static char *make_text(char *line)
{
    char *path = strchr(line, ' '), *body, *text;

    line[strcspn(line, "\r\n")] = '\0';
    if (!path)
        bench_die("load: not a request: %s", line);
    *path++ = '\0';
    body = strchr(path, ' ');
    if (body)
        *body++ = '\0';
    if (body && asprintf(&text,
                         "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s"
                         "Content-Type: application/json\r\n"
                         "Content-Length: %zu\r\n\r\n%s",
                         line, path, load.authorization, strlen(body),
                         body) < 0)
        bench_die("out of memory");
    if (!body && asprintf(&text, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n",
                          line, path, load.authorization) < 0)
        bench_die("out of memory");
    return text;
}

static void read_requests(const char *file)
{
    FILE *in = fopen(file, "r");
    char *line = NULL;
    size_t size = 0;

    while (in && getline(&line, &size, in) > 0) {
        load.texts = bench_grow(load.texts, load.text_count,
                                sizeof(*load.texts));
        load.texts[load.text_count++] = make_text(line);
    }
    if (!load.text_count)
        bench_die("load: no requests in %s", file);
    fclose(in);
    free(line);
}

/* --- connections --------------------------------------------------------------- */

static void connect_one(connection_t *connection)
{
    struct epoll_event event = { EPOLLIN, { .ptr = connection } };
    int yes = 1;

    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connection->length = 0;
    if (connection->fd < 0 ||
        connect(connection->fd, (struct sockaddr *)&load.address,
                sizeof(load.address)) != 0)
        bench_die("load: cannot connect: %s", strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, connection->fd, &event);
}

static void release(connection_t *connection)
{
    connection->is_busy = 0;
    connection->length = 0;
    connection->next = load.free;
    load.free = connection;
}

static void send_request(connection_t *connection, int64_t due)
{
    const char *text = load.texts[load.sent % load.text_count];
    ssize_t length = (ssize_t)strlen(text);
    outcome_t *outcome;

    load.outcomes = bench_grow(load.outcomes, load.sent,
                               sizeof(*load.outcomes));
    outcome = &load.outcomes[load.sent];
    memset(outcome, 0, sizeof(*outcome));
    outcome->sent = bench_now();
    outcome->due = due ? due : outcome->sent;
    strcpy(outcome->id, "-");
    connection->is_busy = 1;
    connection->request = load.sent++;
    /* A request fits into the socket's buffer. One that cannot be sent has
     * lost its connection: that is noticed by reading. */
    if (send(connection->fd, text, (size_t)length, MSG_NOSIGNAL) != length)
        shutdown(connection->fd, SHUT_RDWR);
}

/* Sends what is due as far as connections are free. */
static void send_due(void)
{
    int64_t now = bench_now();

    while (load.free) {
        connection_t *connection = load.free;
        int64_t due = load.begin + (int64_t)load.sent * load.interval;

        if (load.interval && (now < due || load.sent == load.text_count))
            return;
        if (load.end ? (load.interval ? due : now) >= load.end
                     : load.sent == load.text_count)
            return;
        load.free = connection->next;
        send_request(connection, load.interval ? due : 0);
    }
}

static int is_over(void)
{
    int64_t due = load.begin + (int64_t)load.sent * load.interval;

    if (load.done < load.sent)
        return 0;
    if ((load.interval || !load.end) && load.sent == load.text_count)
        return 1;
    return load.end && (load.interval ? due : bench_now()) >= load.end;
}

/* --- what is answered ---------------------------------------------------------- */

/* The value of header NAME ("\r\nName: "); NULL: it is not there. */
static const char *header(const char *head, const char *name)
{
    const char *found = strcasestr(head, name);

    return found ? found + strlen(name) : NULL;
}

/* The length of a whole answer; 0: not there yet; -1: not understood. */
static ssize_t whole(char *buffer, size_t length, int status)
{
    char *end = memmem(buffer, length, "\r\n\r\n", 4);
    const char *size;
    size_t all;

    if (!end)
        return 0;
    all = (size_t)(end - buffer) + 4;
    *end = '\0';
    size = header(buffer, "\r\nContent-Length: ");
    if (!size && status != 204 && status != 304)
        return -1;
    all += size && status != 304 ? strtoul(size, NULL, 10) : 0;
    if (all > length)
        *end = '\r'; /* it is looked for again */
    return all > length ? 0 : (ssize_t)all;
}

static void note(const connection_t *connection, int status)
{
    outcome_t *outcome = &load.outcomes[connection->request];
    const char *location = status ? header(connection->buffer,
                                           "\r\nLocation: ") : NULL;
    const char *end = location ? location + strcspn(location, "\r\n") : NULL;

    outcome->answered = bench_now();
    outcome->status = status;
    if (end && end - location >= 36)
        memcpy(outcome->id, end - 36, 36);
    load.done++;
}

static void hear(connection_t *connection)
{
    ssize_t got, all;
    int status = 0;

    if (connection->capacity - connection->length < 16384) {
        connection->capacity = connection->capacity * 2 + 32768;
        connection->buffer = realloc(connection->buffer, connection->capacity);
        if (!connection->buffer || connection->capacity > MAX_ANSWER)
            bench_die("load: an answer is too long");
    }
    got = recv(connection->fd, connection->buffer + connection->length,
               connection->capacity - connection->length - 1, 0);
    if (got > 0) {
        connection->length += (size_t)got;
        connection->buffer[connection->length] = '\0';
        if (connection->length >= 12)
            status = atoi(connection->buffer + 9);
        all = whole(connection->buffer, connection->length, status);
        if (all == 0)
            return;
        if (all > 0 && !header(connection->buffer, "\r\nConnection: close")) {
            note(connection, status);
            release(connection);
            return;
        }
        note(connection, all > 0 ? status : 0);
    } else if (connection->is_busy)
        note(connection, 0);
    close(connection->fd);
    connect_one(connection);
    if (connection->is_busy)
        release(connection);
}

/* --- the loop ------------------------------------------------------------------ */

/* Wakes the loop when the next request is due. */
static void set_timer(void)
{
    int64_t due = load.begin + (int64_t)load.sent * load.interval;
    struct itimerspec when = { { 0, 0 }, { due / 1000000000,
                                           due % 1000000000 } };

    if (load.interval)
        timerfd_settime(load.timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void run(void)
{
    struct epoll_event events[64];
    uint64_t ticks;
    int i, count;

    load.begin = bench_now();
    load.end = load.end ? load.begin + load.end : 0;
    while (send_due(), !is_over()) {
        if (load.free)
            set_timer();
        count = epoll_wait(load.epoll, events, 64, 1000);
        for (i = 0; i < count; i++) {
            if (events[i].data.ptr)
                hear(events[i].data.ptr);
            else if (read(load.timer, &ticks, sizeof(ticks)) < 0)
                continue; /* it was set anew meanwhile */
        }
    }
}

static void write_outcomes(const char *file)
{
    FILE *out = fopen(file, "w");
    size_t i;

    if (!out)
        bench_die("load: cannot write %s", file);
    for (i = 0; i < load.sent; i++) {
        const outcome_t *outcome = &load.outcomes[i];

        fprintf(out, "%lld %lld %lld %d %s\n", (long long)outcome->due,
                (long long)outcome->sent, (long long)outcome->answered,
                outcome->status, outcome->id);
    }
    fclose(out);
}

static int by_time(const void *a, const void *b)
{
    const int64_t *left = a, *right = b;

    return *left < *right ? -1 : *left > *right;
}

/* The QUANTILE of COUNT sorted times, in ms. */
static double at(double quantile, const int64_t *times, size_t count)
{
    size_t index = (size_t)(quantile * (double)count);

    return count ? (double)times[index < count ? index : count - 1] / 1e6 : 0;
}

static void report(void)
{
    int64_t *times = malloc((load.sent + 1) * sizeof(*times));
    int64_t last = load.begin;
    size_t i, late = 0, failed = 0, conflicts = 0;

    if (!times)
        bench_die("out of memory");
    for (i = 0; i < load.sent; i++) {
        const outcome_t *outcome = &load.outcomes[i];

        times[i] = outcome->answered - outcome->due;
        late += outcome->sent - outcome->due > LATE_NS;
        conflicts += outcome->status == 409;
        failed += outcome->status != 409 && outcome->status / 100 != 2;
        last = outcome->answered > last ? outcome->answered : last;
    }
    qsort(times, load.sent, sizeof(*times), by_time);
    printf("requests %zu seconds %.4f cpu %.3f late %zu failed %zu "
           "conflicts %zu p50 %.3f p99 %.3f max %.3f\n",
           load.sent, (double)(last - load.begin) / 1e9, bench_cpu(), late,
           failed, conflicts, at(0.5, times, load.sent), at(0.99, times, load.sent),
           at(1, times, load.sent));
    free(times);
}

int main(int argc, char **argv)
{
    struct epoll_event tick = { EPOLLIN, { .ptr = NULL } };
    double rate;
    int i;

    if (argc != 8)
        bench_die("load PORT USER:PASSWORD RATE SECONDS CONNECTIONS REQUESTS "
                  "OUT");
    prctl(PR_SET_TIMERSLACK, 1000UL);
    load.address.sin_family = AF_INET;
    load.address.sin_port = htons((uint16_t)atoi(argv[1]));
    load.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    set_authorization(argv[2]);
    rate = atof(argv[3]);
    load.interval = rate > 0 ? (int64_t)(1e9 / rate) : 0;
    load.end = (int64_t)(atof(argv[4]) * 1e9);
    read_requests(argv[6]);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    epoll_ctl(load.epoll, EPOLL_CTL_ADD, load.timer, &tick);
    for (i = 0; i < atoi(argv[5]); i++) {
        connection_t *connection = calloc(1, sizeof(*connection));

        if (!connection)
            bench_die("out of memory");
        connect_one(connection);
        release(connection);
    }
    run();
    if (strcmp(argv[7], "-") != 0)
        write_outcomes(argv[7]);
    report();
    return 0;
}
