/*
 * The load generator's parts: prepared requests, latencies, one connection's answer. One thread, no locks.
 */
#ifndef RELYD_BENCH_LOAD_H
#define RELYD_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct load_options {
    int port;
    int connections;
    double seconds;
    double rate;          /* requests a second, open loop; 0: closed loop */
    int expect;           /* the status that every answer must have */
    const char *template; /* file: a request with {token} and {length} in it */
    const char *tokens;   /* file: one token a line; NULL: the template has none */
    size_t first, count;  /* which of them; count 0: all behind the first */
    bool is_once;         /* each token once, then stop; otherwise round and round */
    bool is_poisson;      /* open loop: random gaps; otherwise even ones */
    bool is_spinning;     /* closed loop: never sleep, so that the server need not wake this core */
    bool is_secure;       /* TLS, by the parts of secure.c */
    bool is_fresh;   /* closed loop: a connection for each request, with a handshake of its own where there is TLS */
    bool is_patient; /* open loop: sleep until the next request is due, for low rates beside another load */
};

/* --- requests.c: every request's bytes, made before the clock starts --- */

struct load_requests {
    char *bytes;     /* owned: all requests, one behind the other */
    size_t *offsets; /* owned: count + 1 */
    size_t count;
    size_t next;
};

void load_requests_read(const struct load_options *options, struct load_requests *requests);
/* False when each has been sent once and is_once was asked for. */
bool load_requests_take(struct load_requests *requests, bool is_once, const char **bytes, size_t *len);

/* --- latencies.c: a histogram with 64 steps per power of two, so that a value is right to 1.6 % --- */

#define LOAD_STEPS 64
#define LOAD_BUCKETS (LOAD_STEPS * 40)

struct load_latencies {
    uint64_t counts[LOAD_BUCKETS];
    uint64_t total;
    int64_t max_ns;
    double sum_ns;
};

void load_latencies_add(struct load_latencies *latencies, int64_t ns);
/* The latency that this share of the requests did not exceed, in microseconds. */
double load_latencies_at(const struct load_latencies *latencies, double share);

/* --- answer.c: where an answer ends, and its status --- */

#define LOAD_ANSWER_MAX 32768

struct load_answer {
    char bytes[LOAD_ANSWER_MAX];
    size_t used;
};

/* The bytes of the first answer, 0: not whole yet, -1: not HTTP/1.1 or too long. *status, *is_last only when > 0. */
long load_answer_end(const struct load_answer *answer, int *status, bool *is_last);

/* --- secure.c: a client's side of TLS 1.3. One suite and one curve, and nothing is resumed --- */

struct ssl_st; /* OpenSSL's SSL */

/* Owned by the caller; the handshake has not begun. */
struct ssl_st *load_secure_new(int fd);
/* 1: done, 0: not yet, -1: failed. */
int load_secure_shake_hands(struct ssl_st *ssl);
/* As send() and recv() of a socket that does not wait: -1 with EAGAIN, or with EPROTO for whatever TLS does not like. */
ssize_t load_secure_send(struct ssl_st *ssl, const char *bytes, size_t len);
ssize_t load_secure_receive(struct ssl_st *ssl, char *out, size_t size);
/* Says that it was the end before. */
void load_secure_free(struct ssl_st *ssl);

#endif
