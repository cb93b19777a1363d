/* crash: ends a child of httpd by SIGKILL at a numbered place, once. A library
 * for LD_PRELOAD: it stands before zmq_send, zmq_msg_recv and what apr_dbd's
 * drivers call, so that what is tested is what is shipped. t/lib/TestSvc/Crash.pm is its other
 * half.
 *
 * The folder CRASH_DIR holds
 *   armed     "PLACE SERVICE NTH ALL I", put there by the suite: the child that
 *             is NTH to come by PLACE for SERVICE (tickets or orders) dies; with
 *             ALL = 1 its whole process group does, as in a power loss
 *   armed.I+1 takes its place then, if it is there
 *   passed.I  a byte for each time the place was passed since, by whichever child
 *   died.I    "PID PLACE SERVICE" of the one that died
 *
 * Without `armed`, and in httpd's parent, nothing happens.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <zmq.h>

/* The places, in the order of an event's life. */
enum {
    COMMIT = 1,     /* a client's change is written, but for COMMIT */
    COMMITTED = 2,  /* it is committed, and neither answered nor published */
    PUBLISH = 3,    /* an event is read, and not sent */
    HALF_SENT = 4,  /* its first frame is sent, the second is not */
    MARK = 5,       /* it is sent; that this was done is not stored */
    RECEIVED = 6,   /* a live event is received, and not applied */
    CURSOR = 7,     /* being applied: the cursor is moved, nothing else */
    EFFECT = 8,     /* being applied: what it causes is done, but not told */
    APPLY = 9,      /* being applied: all is written, but for COMMIT */
    APPLIED = 10,   /* it is committed; what it caused is not published */
    REQUEST = 11,   /* a request for replay is received, and not answered */
    ANSWER = 12,    /* a page of the answer is half sent */
    PAGE = 13       /* a page is received, and not applied */
};

/* The databases' headers are not needed to build the modules, nor are they for
 * this. */
typedef struct sqlite3_stmt sqlite3_stmt;
typedef struct PGconn PGconn;
typedef struct PGresult PGresult;
typedef struct MYSQL MYSQL;
typedef struct MYSQL_STMT MYSQL_STMT;
int sqlite3_step(sqlite3_stmt *statement);
PGresult *PQexec(PGconn *conn, const char *sql);
PGresult *PQexecPrepared(PGconn *conn, const char *name, int count,
                         const char *const *values, const int *lengths,
                         const int *formats, int format);
int mysql_query(MYSQL *conn, const char *sql);
int mysql_stmt_prepare(MYSQL_STMT *statement, const char *sql,
                       unsigned long length);
int mysql_stmt_execute(MYSQL_STMT *statement);
#define SQLITE_DONE 101
#define PGRES_COMMAND_OK 1

static pid_t parent; /* httpd's: the library is loaded once, by it */

/* Whose thread this is: a writer or leader is of one service, and so are all
 * tables that it touches. */
static _Thread_local const char *service = "";

/* The transaction of this thread. */
static _Thread_local struct {
    int moves_cursor;
    int has_event;
    int has_mark;
} tx;

/* The message that this thread is sending, and the one it is receiving. */
static _Thread_local struct {
    int frame;    /* the index of the next one; 0: of a new message */
    int is_event; /* published */
} sending;
static _Thread_local struct {
    int frame;
    enum { OTHER, LIVE, ANSWERED, ASKED } kind;
    int has_event;
} receiving;

__attribute__((constructor)) static void remember_parent(void)
{
    parent = getpid();
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (!found) {
        fprintf(stderr, "crash: there is no %s\n", name);
        abort();
    }
    return found;
}

static void path(char *out, size_t size, const char *name)
{
    const char *dir = getenv("CRASH_DIR");

    snprintf(out, size, "%s/%s", dir ? dir : "/nonexistent", name);
}

static void path_of(char *out, size_t size, const char *name, int index)
{
    char text[40];

    snprintf(text, sizeof(text), "%s.%d", name, index);
    path(out, size, text);
}

static int is_armed(int place, int *nth, int *all, int *index)
{
    char name[4096], wanted[20] = "";
    int wanted_place = 0, n;
    FILE *file;

    path(name, sizeof(name), "armed");
    if (getpid() == parent || !(file = fopen(name, "re")))
        return 0;
    n = fscanf(file, "%d %19s %d %d %d", &wanted_place, wanted, nth, all,
               index);
    fclose(file);
    return n == 5 && wanted_place == place && strcmp(wanted, service) == 0;
}

/* How often the place was passed, with this time: appending is atomic. */
static int count_pass(int index)
{
    char name[4096];
    int fd, passed;

    path_of(name, sizeof(name), "passed", index);
    fd = open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write(fd, ".", 1) != 1)
        return 0;
    passed = (int)lseek(fd, 0, SEEK_CUR);
    close(fd);
    return passed;
}

static void come_by(int place)
{
    int nth = 0, all = 0, index = 0, fd, length;
    char name[4096], armed[4096], text[100];

    if (!is_armed(place, &nth, &all, &index) || count_pass(index) != nth)
        return;
    path_of(name, sizeof(name), "armed", index + 1);
    path(armed, sizeof(armed), "armed");
    rename(name, armed);
    path_of(name, sizeof(name), "died", index);
    fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return;
    length = snprintf(text, sizeof(text), "%d %d %s\n", (int)getpid(), place,
                      service);
    if (write(fd, text, (size_t)length) == length)
        kill(all ? 0 : getpid(), SIGKILL);
}

static int begins(const void *data, size_t length, const char *prefix)
{
    return length >= strlen(prefix) &&
           memcmp(data, prefix, strlen(prefix)) == 0;
}

static int is_subject(const void *data, size_t length)
{
    return begins(data, length, "ticket:") || begins(data, length, "order:");
}

int zmq_send(void *socket, const void *data, size_t length, int flags)
{
    int (*send)(void *, const void *, size_t, int) =
        (int (*)(void *, const void *, size_t, int))next("zmq_send");
    int rc;

    if (sending.frame == 0) {
        sending.is_event = is_subject(data, length);
        if (sending.is_event)
            come_by(PUBLISH);
    } else if (sending.is_event)
        come_by(HALF_SENT);
    else if (sending.frame > 4 && is_subject(data, length))
        come_by(ANSWER); /* peer, EVENTS, source, head, one subject before */
    rc = send(socket, data, length, flags);
    if (rc >= 0)
        sending.frame = flags & ZMQ_SNDMORE ? sending.frame + 1 : 0;
    return rc;
}

int zmq_msg_recv(zmq_msg_t *message, void *socket, int flags)
{
    int (*receive)(zmq_msg_t *, void *, int) =
        (int (*)(zmq_msg_t *, void *, int))next("zmq_msg_recv");
    int rc = receive(message, socket, flags);
    const void *data = rc >= 0 ? zmq_msg_data(message) : NULL;
    size_t length = rc >= 0 ? zmq_msg_size(message) : 0;

    if (rc < 0)
        return rc;
    if (receiving.frame == 0) {
        receiving.kind = is_subject(data, length)           ? LIVE
                         : begins(data, length, "EVENTS")   ? ANSWERED
                                                            : OTHER;
        receiving.has_event = 0;
    } else if (receiving.frame == 1 && begins(data, length, "REPLAY"))
        receiving.kind = ASKED; /* after the peer's name */
    else if (receiving.kind == ANSWERED && is_subject(data, length))
        receiving.has_event = 1;
    if (zmq_msg_more(message)) {
        receiving.frame++;
        return rc;
    }
    receiving.frame = 0;
    if (receiving.kind == LIVE)
        come_by(RECEIVED);
    else if (receiving.kind == ANSWERED && receiving.has_event)
        come_by(PAGE);
    else if (receiving.kind == ASKED && !(length == 1 && begins(data, 1, "0")))
        come_by(REQUEST); /* the last frame is how many are asked for */
    return rc;
}

static int names(const char *sql, const char *table)
{
    char name[40];
    int i;
    static const char *const services[] = { "tickets", "orders" };

    for (i = 0; i < 2; i++) {
        snprintf(name, sizeof(name), " %s_%s ", services[i], table);
        if (strstr(sql, name)) {
            service = services[i];
            return 1;
        }
    }
    return 0;
}

static int is_written(const char *sql, const char *table)
{
    return names(sql, table) &&
           (begins(sql, strlen(sql), "INSERT") ||
            begins(sql, strlen(sql), "UPDATE"));
}

static int is_commit(const char *sql)
{
    return strcmp(sql, "COMMIT") == 0;
}

static void before(const char *sql)
{
    names(sql, "head");
    if (begins(sql, strlen(sql), "BEGIN"))
        memset(&tx, 0, sizeof(tx));
    if (is_written(sql, "log")) {
        if (tx.moves_cursor)
            come_by(EFFECT);
        tx.has_event = 1;
    }
    if (is_written(sql, "publisher"))
        tx.has_mark = 1;
    if (is_commit(sql))
        come_by(tx.moves_cursor ? APPLY : tx.has_event ? COMMIT : 0);
    if (is_commit(sql) && tx.has_mark)
        come_by(MARK);
}

static void after(const char *sql, int is_done)
{
    if (is_commit(sql) && is_done)
        come_by(tx.moves_cursor ? APPLIED : tx.has_event ? COMMITTED : 0);
    if (is_written(sql, "cursor") && is_done) {
        tx.moves_cursor = 1;
        come_by(CURSOR);
    }
}

int sqlite3_step(sqlite3_stmt *statement)
{
    int (*step)(sqlite3_stmt *) =
        (int (*)(sqlite3_stmt *))next("sqlite3_step");
    const char *(*text)(sqlite3_stmt *) =
        (const char *(*)(sqlite3_stmt *))next("sqlite3_sql");
    const char *sql = statement ? text(statement) : NULL;
    int rc;

    if (sql)
        before(sql);
    rc = step(statement);
    if (sql)
        after(sql, rc == SQLITE_DONE);
    return rc;
}

/* --- servers: a statement is prepared under a name, or as an object --------- */

typedef struct prepared_t {
    char name[64];
    char *sql;
    struct prepared_t *next;
} prepared_t;

static prepared_t *prepared;
static pthread_mutex_t prepared_mutex = PTHREAD_MUTEX_INITIALIZER;

static prepared_t *find(const char *name)
{
    prepared_t *found = prepared;

    while (found && strcmp(found->name, name) != 0)
        found = found->next;
    return found;
}

static void remember(const char *name, const char *sql)
{
    prepared_t *entry;

    pthread_mutex_lock(&prepared_mutex);
    entry = find(name);
    if (!entry) {
        entry = calloc(1, sizeof(*entry));
        snprintf(entry->name, sizeof(entry->name), "%s", name);
        entry->next = prepared;
        prepared = entry;
    }
    entry->sql = strdup(sql); /* the old one may be in use */
    pthread_mutex_unlock(&prepared_mutex);
}

static const char *text_of(const char *name)
{
    prepared_t *entry;
    const char *sql;

    pthread_mutex_lock(&prepared_mutex);
    entry = find(name);
    sql = entry ? entry->sql : "";
    pthread_mutex_unlock(&prepared_mutex);
    return sql;
}

static int is_done(const PGresult *result)
{
    int (*status)(const PGresult *) =
        (int (*)(const PGresult *))next("PQresultStatus");

    return result && status(result) == PGRES_COMMAND_OK;
}

PGresult *PQexec(PGconn *conn, const char *sql)
{
    PGresult *(*exec)(PGconn *, const char *) =
        (PGresult *(*)(PGconn *, const char *))next("PQexec");
    char name[64];
    PGresult *result;

    if (sscanf(sql, "PREPARE %63s", name) == 1 && strstr(sql, " AS "))
        remember(name, strstr(sql, " AS ") + 4);
    before(sql);
    result = exec(conn, sql);
    after(sql, is_done(result));
    return result;
}

PGresult *PQexecPrepared(PGconn *conn, const char *name, int count,
                         const char *const *values, const int *lengths,
                         const int *formats, int format)
{
    PGresult *(*exec)(PGconn *, const char *, int, const char *const *,
                      const int *, const int *, int) =
        (PGresult *(*)(PGconn *, const char *, int, const char *const *,
                       const int *, const int *, int))next("PQexecPrepared");
    const char *sql = text_of(name);
    PGresult *result;

    before(sql);
    result = exec(conn, name, count, values, lengths, formats, format);
    after(sql, is_done(result));
    return result;
}

int mysql_query(MYSQL *conn, const char *sql)
{
    int (*query)(MYSQL *, const char *) =
        (int (*)(MYSQL *, const char *))next("mysql_query");
    int rc;

    before(sql);
    rc = query(conn, sql);
    after(sql, rc == 0);
    return rc;
}

int mysql_stmt_prepare(MYSQL_STMT *statement, const char *sql,
                       unsigned long length)
{
    int (*prepare)(MYSQL_STMT *, const char *, unsigned long) =
        (int (*)(MYSQL_STMT *, const char *, unsigned long))next(
            "mysql_stmt_prepare");
    char name[64];

    snprintf(name, sizeof(name), "%p", (void *)statement);
    remember(name, sql);
    return prepare(statement, sql, length);
}

int mysql_stmt_execute(MYSQL_STMT *statement)
{
    int (*execute)(MYSQL_STMT *) =
        (int (*)(MYSQL_STMT *))next("mysql_stmt_execute");
    char name[64];
    const char *sql;
    int rc;

    snprintf(name, sizeof(name), "%p", (void *)statement);
    sql = text_of(name);
    before(sql);
    rc = execute(statement);
    after(sql, rc == 0);
    return rc;
}
