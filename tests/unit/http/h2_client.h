/*
 * A client of HTTP/2 that makes its frames by hand, so that it can send what no client would, and notes what comes back.
 * Its bytes go over a socket, or to a made-up loop.
 */
#ifndef TEST_H2_CLIENT_H
#define TEST_H2_CLIENT_H

#include <nghttp2/nghttp2.h>

#include "relyd/base.h"

#define H2_STREAMS_KEPT 256 /* of those that it has begun, the last */
#define H2_CODES 16         /* of errors */

struct h2_answer {
    uint32_t id;
    int status;       /* 0: none yet */
    bool was_told_on; /* 100 has come */
    bool has_ended;
    int reset;         /* the code of RST_STREAM; -1: none */
    char fields[1000]; /* of its head, but for :status and date, each "name: value\n" */
    char trailers[200];
    char body[1000]; /* its beginning */
    size_t body_len;
};

struct h2_client {
    int fd; /* -1: a made-up loop has its bytes */
    nghttp2_hd_deflater *packer;
    nghttp2_hd_inflater *unpacker;
    struct rely_buf out, in; /* what is not sent yet; what is not a whole frame */
    uint32_t next_id;
    struct h2_answer answers[H2_STREAMS_KEPT], forgotten;
    int goaway; /* its code; -1: none has come */
    uint32_t goaway_last;
    unsigned goaways, resets[H2_CODES], pongs, settings, frames; /* that have come */
    uint32_t announced[H2_CODES];                                /* its settings */
    bool opens_windows; /* for each byte that comes there is room for another */
    bool is_closed;
};

/* In: settings - the payload of its SETTINGS. */
void h2_begin(struct h2_client *client, int fd, struct rely_slice settings);
void h2_end(struct h2_client *client);

/* --- to be sent: h2_flush or the loop sends it --- */

void h2_frame(struct h2_client *client, uint8_t type, uint8_t flags, uint32_t id, struct rely_slice payload);
/* One whose payload is a number: RST_STREAM, WINDOW_UPDATE. */
void h2_number(struct h2_client *client, uint8_t type, uint32_t id, uint32_t number);
/* In: fields - "name: value\n" each; flags - END_STREAM, END_HEADERS or not. Returns its stream. */
uint32_t h2_open(struct h2_client *client, const char *fields, uint8_t flags);
/* A request that is one: more - further fields, as above. */
uint32_t h2_ask(struct h2_client *client, const char *method, const char *path, const char *more);
/* The same, of which a body comes. */
uint32_t h2_ask_with_body(struct h2_client *client, const char *method, const char *path, const char *more);
void h2_body(struct h2_client *client, uint32_t id, struct rely_slice bytes, bool is_last);
void h2_flush(struct h2_client *client);

/* --- what has come --- */

void h2_take(struct h2_client *client, struct rely_slice bytes);
/* Fails when that stream is no more among those that are kept. */
struct h2_answer *h2_find(struct h2_client *client, uint32_t id);
/* Over a socket: send all, and read until this stream has ended or was reset. Fails when that does not come. */
const struct h2_answer *h2_await(struct h2_client *client, uint32_t id);
/* Send a PING, and read until it is answered: all that was sent before has been looked at. False: the connection has
 * ended. */
bool h2_await_pong(struct h2_client *client);
/* Read until the peer closes. */
void h2_await_end(struct h2_client *client);

#endif
