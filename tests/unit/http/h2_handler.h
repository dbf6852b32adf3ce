/*
 * What answers the requests of HTTP/2 of these tests, by path, in a real loop or a made-up one.
 */
#ifndef TEST_H2_HANDLER_H
#define TEST_H2_HANDLER_H

#include <pthread.h>
#include <stdatomic.h>

#include "relyd/http.h"

#define H2_WAITS_MAX 200
#define H2_LARGE_BYTES 200000

struct h2_handler {
    struct h2_wait {
        struct h2_handler *handler;
        struct rely_http_request *request;
        bool is_put_off;
    } waits[H2_WAITS_MAX]; /* the loop's */
    atomic_int waiting, gone, handled, refused;
    pthread_barrier_t hold;                 /* met twice by /hold-and-free */
    size_t header_bytes;                    /* of a header of each late answer */
    enum rely_http_refusal_kind refused_as; /* the last */
};

/* /wait, /again (put off), /free (answers all that wait), /hold-and-free, /large, /trailers, /end (trailers without a body), /204, /304,
 * /split (a header that must not be sent), /peer (who asks, in a real loop); any other is told what the handler saw. */
struct rely_http_plane h2_plane(struct h2_handler *handler);
/* On the loop's thread. */
void h2_answer_waiting(struct h2_handler *handler);
/* Those that were put off go to the handler. On the loop's thread, and not from a handler. */
void h2_handle_again(struct h2_handler *handler);

#endif
