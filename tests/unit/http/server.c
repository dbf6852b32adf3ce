/*
 * The server and the raw clients that the tests of http/ use. Its handler answers by path; what it answers names what
 * it saw, so that a test can tell one request from another.
 */
#include "server.h"

#include "relyd/certificate.h"
#include "relyd/pool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

const struct rely_loop_options server_options = {
    .max_head_bytes = 1000,
    .max_body_bytes = 1000,
    .max_memory_bytes = 1 << 26,
    .head_timeout_ms = 10000,
    .body_timeout_ms = 10000,
    .idle_timeout_ms = 10000,
    .max_connections = 100,
};

static void note_gone(void *context)
{
    struct server *server = context;
    atomic_store(&server->kept, NULL);
    atomic_fetch_add(&server->gone_count, 1);
}

static void answer_seen(struct rely_http_request *request)
{
    struct rely_slice token = {NULL, 0};
    enum rely_bearer bearer = rely_http_bearer(request, &token);
    size_t count = 0;
    struct rely_slice first = rely_http_find_header(request, RELY_LIT("x-twice"), &count);
    char peer[RELY_PEER_SIZE];
    rely_http_peer(request, peer);
    struct rely_slice text = rely_pool_printf(
        request->scratch, "%.*s %.*s query=%.*s body=%.*s bearer=%d:%.*s twice=%zu unix=%d:%u peer=%s first=%.*s",
        RELY_ARG(request->method), RELY_ARG(request->path), RELY_ARG(request->query), RELY_ARG(request->body),
        (int)bearer, RELY_ARG(token), count, request->is_unix, request->peer_uid, peer, RELY_ARG(first));
    struct rely_http_header header = {RELY_LIT("x-relyd-test"), RELY_LIT("yes")};
    rely_http_respond(request, &(struct rely_http_response){.status = 200,
                                                            .content_type = RELY_LIT("text/plain"),
                                                            .headers = &header,
                                                            .header_count = 1,
                                                            .body = text});
}

static void answer_split(struct rely_http_request *request)
{
    struct rely_http_header header = {RELY_LIT("x-subject"), RELY_LIT("a\r\nset-cookie: b")};
    rely_http_respond(request, &(struct rely_http_response){
                                   .status = 200, .headers = &header, .header_count = 1, .body = RELY_LIT("x")});
}

static void answer_problem(struct rely_http_request *request)
{
    struct rely_problems problems = {0};
    rely_problems_add(&problems, "name", "too_long", "a \"name\"");
    rely_http_problem(request, 422, "invalid_fields", "two\nlines", &problems);
}

static void answer_big(struct rely_http_request *request)
{
    size_t size = 4 * 1024 * 1024;
    char *body = rely_alloc(size);
    memset(body, 'x', size);
    rely_http_respond(request, &(struct rely_http_response){.status = 200, .body = rely_slice(body, size)});
    free(body);
}

/* What one handler has taken of it the next one has again. */
static void check_scratch(struct server *server, const struct rely_pool *scratch)
{
    if (server->scratch == NULL)
        server->scratch = scratch->next;
    RELY_ASSERT(scratch->next == server->scratch);
}

static bool needs_body(const struct rely_http_request *request)
{
    return !rely_slice_starts(request->path, RELY_LIT("/bodyless"));
}

static size_t limit_body(const struct rely_http_request *request)
{
    return rely_slice_equal(request->path, RELY_LIT("/large")) ? 2000 : 1000;
}

/* What the client's certificate says whose it is. */
static void answer_names(struct rely_http_request *request)
{
    const struct rely_certificate *certificate = request->certificate;
    struct rely_slice body = RELY_LIT("no certificate");
    if (certificate != NULL)
        body = rely_pool_printf(request->scratch, "until %lld, %zu%s:", (long long)certificate->until_s,
                                certificate->name_count, certificate->has_more ? ", more" : "");
    for (size_t i = 0; certificate != NULL && i < certificate->name_count; i++)
        body = rely_pool_printf(request->scratch, "%.*s [%.*s]", RELY_ARG(body), RELY_ARG(certificate->names[i]));
    rely_http_respond(request, &(struct rely_http_response){
                                   .status = 200, .body = rely_pool_printf(request->scratch, "%.*s.", RELY_ARG(body))});
}

static bool is_to_be_put_off(const struct rely_http_request *request)
{
    return !request->is_again && (rely_slice_starts(request->path, RELY_LIT("/again")) ||
                                  rely_slice_equal(request->path, RELY_LIT("/bodyless/again")));
}

static void handle_request(struct rely_http_request *request, void *context)
{
    struct server *server = context;
    check_scratch(server, request->scratch);
    int count = atomic_fetch_add(&server->handled_count, 1) + 1;
    if (is_to_be_put_off(request)) {
        rely_http_put_off(request, note_gone, server);
        atomic_store(&server->kept, request);
    } else if (rely_slice_equal(request->path, RELY_LIT("/defer")) ||
               rely_slice_equal(request->path, RELY_LIT("/again/defer"))) {
        rely_http_defer(request, note_gone, server);
        snprintf(server->kept_text, sizeof server->kept_text, "%.*s %.*s", RELY_ARG(request->path),
                 RELY_ARG(request->body));
        atomic_store(&server->kept, request);
    } else if (rely_slice_equal(request->path, RELY_LIT("/defer-and-answer"))) {
        rely_http_defer(request, note_gone, server);
        rely_http_respond(request, &(struct rely_http_response){.status = 200, .body = RELY_LIT("at once")});
    } else if (rely_slice_equal(request->path, RELY_LIT("/split"))) {
        answer_split(request);
    } else if (rely_slice_equal(request->path, RELY_LIT("/problem"))) {
        answer_problem(request);
    } else if (rely_slice_equal(request->path, RELY_LIT("/big"))) {
        answer_big(request);
    } else if (rely_slice_equal(request->path, RELY_LIT("/hold"))) {
        pthread_barrier_wait(&server->hold);
        pthread_barrier_wait(&server->hold);
        answer_seen(request);
    } else if (rely_slice_equal(request->path, RELY_LIT("/count"))) {
        struct rely_slice text = rely_pool_printf(request->scratch, "count=%d;", count);
        rely_http_respond(request, &(struct rely_http_response){.status = 200, .body = text});
    } else if (rely_slice_equal(request->path, RELY_LIT("/keep"))) {
        rely_loop_hold(request->loop, 600000);
        answer_seen(request);
    } else if (rely_slice_equal(request->path, RELY_LIT("/let-go"))) {
        rely_loop_hold(request->loop, 0);
        answer_seen(request);
    } else if (rely_slice_equal(request->path, RELY_LIT("/names"))) {
        answer_names(request);
    } else if (rely_slice_equal(request->path, RELY_LIT("/held"))) {
        bool may_hold = rely_http_may_hold(request);
        rely_http_respond(request, &(struct rely_http_response){
                                       .status = 200, .body = RELY_LIT("now, then"), .held_from = may_hold ? 5 : 0});
    } else if (rely_slice_equal(request->path, RELY_LIT("/204"))) {
        rely_http_respond(request, &(struct rely_http_response){.status = 204});
    } else if (rely_slice_equal(request->path, RELY_LIT("/304"))) {
        rely_http_respond(request, &(struct rely_http_response){.status = 304});
    } else {
        answer_seen(request);
    }
}

static void handle_other(struct rely_http_request *request, void *context)
{
    (void)context;
    rely_http_respond(request, &(struct rely_http_response){.status = 200, .body = RELY_LIT("the other listener")});
}

static void *run_server(void *argument)
{
    struct server *server = argument;
    struct rely_err err = {0};
    server->options.counters = &server->counters;
    server->options.protocol = &rely_http_protocol;
    server->loop = rely_loop_new(&server->options, &err);
    for (int i = 0; i < 3; i++) {
        if (server->fds[i] < 0)
            continue;
        const struct rely_http_plane plane = {.handle = i == 1 ? handle_other : handle_request,
                                              .refuse = server->refuse,
                                              .needs_body = needs_body,
                                              .limit_body = server->has_large_bodies ? limit_body : NULL,
                                              .context = server,
                                              .speaks_http2 = server->speaks_http2};
        const struct rely_http_plane *used = server->plane != NULL ? server->plane : &plane;
        RELY_ASSERT(rely_http_listen(server->loop, server->fds[i], used, &err));
        if (i == 0 && server->tls != NULL)
            rely_loop_secure(server->loop, server->tls);
        if (i == 1 && server->other_room > 0)
            rely_loop_set_apart(server->loop, server->other_room);
    }
    pthread_barrier_wait(&server->ready);
    rely_loop_run(server->loop);
    return NULL;
}

/* Frees on the loop's thread, as the contract wants. */
static void *run_and_free(void *argument)
{
    struct server *server = argument;
    run_server(server);
    pthread_barrier_wait(&server->ready); /* until the test has looked at the stopped loop */
    rely_loop_free(server->loop);
    return NULL;
}

static int port_of(int fd)
{
    struct sockaddr_in name;
    socklen_t size = sizeof(name);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &size), 0);
    return ntohs(name.sin_port);
}

void server_start(struct server *server, const struct rely_loop_options *options)
{
    int fds[3] = {server->fds[0], server->fds[1], server->fds[2]};
    struct rely_err err = {0};
    *server = (struct server){.options = *options,
                              .fds = {fds[0], fds[1], fds[2]},
                              .other_room = server->other_room,
                              .refuse = server->refuse,
                              .plane = server->plane,
                              .tls = server->tls,
                              .speaks_http2 = server->speaks_http2,
                              .has_large_bodies = server->has_large_bodies};
    if (server->fds[0] <= 0)
        server->fds[0] = rely_loop_bind("127.0.0.1:0", true, &err);
    assert_true(server->fds[0] >= 0);
    for (int i = 1; i < 3; i++)
        if (server->fds[i] == 0)
            server->fds[i] = -1;
    server->port = port_of(server->fds[0]);
    pthread_barrier_init(&server->ready, NULL, 2);
    pthread_barrier_init(&server->hold, NULL, 2);
    assert_int_equal(pthread_create(&server->thread, NULL, run_and_free, server), 0);
    pthread_barrier_wait(&server->ready);
}

void server_stop(struct server *server, int drain_ms)
{
    rely_loop_stop(server->loop, drain_ms);
    pthread_barrier_wait(&server->ready);
    pthread_join(server->thread, NULL);
    pthread_barrier_destroy(&server->ready);
    server->has_stopped = true;
}

static void limit_reading(int fd)
{
    struct timeval limit = {.tv_sec = 5};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

int client_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    limit_reading(fd);
    return fd;
}

int client_connect_unix(const char *path)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    limit_reading(fd);
    assert_int_equal(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

void client_send(int fd, const char *text)
{
    size_t len = strlen(text);
    assert_int_equal(send(fd, text, len, MSG_NOSIGNAL), len);
}

void client_reset(int fd)
{
    const struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
}

/* Byte by byte up to the empty line: what follows belongs to the next response. */
static size_t read_head(int fd, char *out, size_t size)
{
    size_t len = 0;
    while (len + 1 < size && recv(fd, out + len, 1, 0) == 1) {
        len++;
        if (len >= 4 && memcmp(out + len - 4, "\r\n\r\n", 4) == 0)
            break;
    }
    out[len] = '\0';
    return len;
}

int client_read(int fd, char *out, size_t size, bool is_head)
{
    int status = 0;
    size_t len = read_head(fd, out, size), body = 0;
    if (sscanf(out, "HTTP/1.1 %d", &status) != 1)
        return 0;
    const char *length = strcasestr(out, "\r\ncontent-length:");
    if (length != NULL && !is_head)
        body = strtoul(strchr(length, ':') + 1, NULL, 10);
    assert_true(len + body < size);
    for (size_t got = 0; got < body;) {
        ssize_t part = recv(fd, out + len + got, body - got, 0);
        if (part <= 0)
            return 0;
        got += (size_t)part;
    }
    out[len + body] = '\0';
    return status;
}

int client_ask(int fd, const char *request)
{
    char answer[4096];
    client_send(fd, request);
    return client_read(fd, answer, sizeof(answer), false);
}

void client_expect(int fd, int status, const char *word)
{
    static char answer[65536];
    assert_int_equal(client_read(fd, answer, sizeof(answer), false), status);
    if (word != NULL && strstr(answer, word) == NULL)
        fail_msg("no '%s' in: %s", word, answer);
}

bool client_is_closed(int fd)
{
    char bytes[4096];
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0)
        ;
    return got == 0 || errno == ECONNRESET;
}

int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(int ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L}, NULL);
}

double cpu_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

void wait_for(atomic_int *value, int number)
{
    for (int i = 0; i < 5000 && atomic_load(value) < number; i++)
        sleep_ms(1);
    assert_true(atomic_load(value) >= number);
}

uint64_t read_counter(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void await_counter(const uint64_t *counter, uint64_t value)
{
    for (int i = 0; i < 5000 && read_counter(counter) != value; i++)
        sleep_ms(1);
    assert_int_equal(read_counter(counter), value);
}

void await_at_least(const uint64_t *counter, uint64_t value)
{
    for (int i = 0; i < 5000 && read_counter(counter) < value; i++)
        sleep_ms(1);
    assert_true(read_counter(counter) >= value);
}

uint64_t sum_cuts(const struct server *server)
{
    uint64_t sum = 0;
    for (int cut = 0; cut < RELY_CUT_COUNT; cut++)
        sum += read_counter(&server->counters.cuts[cut]);
    return sum;
}
