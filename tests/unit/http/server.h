/* A real loop in a thread of its own, talked to by raw sockets. */
#ifndef TEST_HTTP_SERVER_H
#define TEST_HTTP_SERVER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "relyd/bind.h"
#include "relyd/http.h"

struct server {
    struct rely_loop_options options;
    struct rely_loop_counters counters;
    int fds[3];     /* listening; -1: none */
    int port;       /* of fds[0] */
    int other_room; /* connections that fds[1] has room for, apart from the others; 0: it has none of its own */
    rely_http_refuser refuse;
    const struct rely_http_plane *plane; /* borrowed: of all listeners, in place of the one here; NULL: that one */
    struct rely_tls *tls;                /* borrowed: of fds[0]; NULL: clear text */
    struct rely_loop *loop;
    pthread_t thread;
    pthread_barrier_t ready;
    pthread_barrier_t hold; /* met twice by the handler of /hold */
    /* what the handler does with /defer and /slow */
    _Atomic(struct rely_http_request *) kept;
    char kept_text[100]; /* its path and body */
    atomic_int gone_count;
    atomic_int handled_count;
    const char *scratch; /* where the pool begins; NULL: nobody has taken anything of it yet */
    bool speaks_http2;
    bool has_large_bodies; /* on /large: 2,000 bytes, elsewhere 1,000 */
    bool has_stopped;
};

/* Limits that a test reaches, and times that none does. */
extern const struct rely_loop_options server_options;

void server_start(struct server *server, const struct rely_loop_options *options);
/* Also without having been stopped by the test. */
void server_stop(struct server *server, int drain_ms);

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST_OF(length) "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n\r\n"

int client_connect(int port);
int client_connect_unix(const char *path);
void client_send(int fd, const char *text);
/* Closes with a reset, and not in an orderly way. */
void client_reset(int fd);
/* Reads one response with Content-Length (or none for 204, 304 and HEAD) into out; returns its status, 0 at the end. */
int client_read(int fd, char *out, size_t size, bool is_head);
/* The status of its answer. */
int client_ask(int fd, const char *request);
/* Reads an answer that has this status, and this word (NULL: any) in it. */
void client_expect(int fd, int status, const char *word);
/* Reads until the peer closes; false after 5 s. */
bool client_is_closed(int fd);
/* Waits until *value is at least the number; fails after 5 s. */
void wait_for(atomic_int *value, int number);
/* The same of a counter of the loop's, exactly. */
void await_counter(const uint64_t *counter, uint64_t value);
/* The same, at least. */
void await_at_least(const uint64_t *counter, uint64_t value);
uint64_t read_counter(const uint64_t *counter);
uint64_t sum_cuts(const struct server *server);

int64_t now_ms(void);
void sleep_ms(int ms);
/* Processor time that all threads of this process have used. */
double cpu_seconds(void);

extern const struct CMUnitTest text_tests[], route_tests[], head_tests[], h2_head_tests[], timer_tests[], bind_tests[],
    loop_tests[], watch_tests[], turns_tests[], tls_tests[], hostile_tests[], connection_tests[], again_tests[],
    h2_tests[];
extern const size_t text_count, route_count, head_count, h2_head_count, timer_count, bind_count, loop_count,
    watch_count, turns_count, tls_count, hostile_count, connection_count, again_count, h2_count;

#endif
