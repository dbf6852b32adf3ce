/*
 * One connection of HTTP/2 over the loop that fuzzers make up: its test says what time it is, how much of it is taken at
 * once, and looks inside.
 */
#ifndef TEST_H2_LINE_H
#define TEST_H2_LINE_H

#include "h2_client.h"
#include "h2_handler.h"
#include "made_up_loop.h"
#include "server.h"

#include "h2.h"

struct h2_line {
    struct h2_client client;
    struct h2_handler handler;
    struct rely_http_plane plane;
    struct rely_http_connection *connection; /* the world's, until it has closed */
    struct rely_buf sent;                    /* of which the connection has read up to world.input_at */
};

/* In: settings - of the client, as h2_begin has them. */
struct h2_line *h2_line_begin(struct rely_slice settings);
/* The connection closes, if it has not. */
void h2_line_end(struct h2_line *line);
/* What the client has sent is there to be read; what the loop would call next. */
void h2_line_turn(struct h2_line *line);
/* The same until there is nothing to be done. */
void h2_line_run(struct h2_line *line);
/* Send, and look at what comes: the stream has had its answer, or was reset, or the connection is told to end. */
const struct h2_answer *h2_line_get(struct h2_line *line, const char *path);
/* So many requests, some at once. */
void h2_line_get_many(struct h2_line *line, const char *path, unsigned count);
/* So many frames that lead to nothing. */
void h2_line_send_idle_frames(struct h2_line *line, unsigned count);

extern const struct CMUnitTest h2_stream_tests[], h2_limit_tests[], h2_time_tests[];
extern const size_t h2_stream_count, h2_limit_count, h2_time_count;

#endif
