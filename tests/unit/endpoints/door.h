/*
 * door: requests as they are written down, played through the handler and the refuser of the data plane; answers as one
 * text.
 */
#ifndef RELYD_TESTS_ENDPOINTS_DOOR_H
#define RELYD_TESTS_ENDPOINTS_DOOR_H

#include "worker.h"

#include "../mint/mint.h"
#include "relyd/edition.h"

/* A worker whose issuer has its key, with a route `default`. */
int set_up_door(void **state);
#define DOOR_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_door, tear_down_worker)

/* Of the listener, and of whoever asks there; set_up_door makes it open. */
extern struct rely_data_door door;
extern bool door_speaks_http2, door_is_unix; /* a peer by a unix socket is root */
extern bool door_may_hold;                   /* an answer */

/* A route, which replaces one of its name: of `relyd`, unless it has other audiences. */
void put_door_route(struct worker *worker, const char *name, struct rely_route_record record);

/* With these claims beside iss, sub, aud and an exp that is the end of the year 2099; it is right. */
const char *sign_claims(const char *claims);
/* `sub` is app. */
const char *sign_app(void);
/* By a key that its issuer has not: it is tried with all that it has. */
const char *sign_without_kid(void);
/* A header's line. */
const char *bear(const char *token);

/* In: line - `POST /v1/review?x`; headers - `name: value`, lines with LF between, in lower case; body - NULL: none.
 * Returns: status, headers and trailers a line each, as `name: value`, trailers with `> ` in front, `~ N` where the body
 * is held back from there, an empty line, and the body. Where the id of the decision stands it has `ID`. Valid until the next. */
const char *play(struct worker *worker, const char *line, const char *headers, const char *body);
/* The same with any bytes. */
const char *play_bytes(struct worker *worker, const char *line, const char *headers, struct rely_slice body);
/* What http/ refuses. In: line - NULL: it cannot be told. */
const char *play_refused(struct worker *worker, const char *line, const struct rely_http_refusal *refusal);
/* As play returns it: what has come since, for one that waited. */
const char *read_answer(void);
/* Of the last answer. */
extern struct rely_buf played_body;

#define expect_answer(worker, line, headers, body, ...)                                                                \
    assert_string_equal(play((worker), (line), (headers), (body)), (__VA_ARGS__))

#endif
