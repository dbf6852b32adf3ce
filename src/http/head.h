/*
 * The parts of http/ that know nothing of libh2o: pure functions over bytes.
 */
#ifndef RELYD_HTTP_HEAD_H
#define RELYD_HTTP_HEAD_H

#include "relyd/http.h"

/* What the raw head of a request says about its framing. */
struct rely_http_framing {
    bool is_chunked;
    bool has_length;
};

/**
 * Judge the raw head of a request, which libh2o has already accepted.
 *
 * Spec:     RFC 9112 s2.2 (line ends), s3.2 (Host), s5.2 (obs-fold), s6.1 and s6.3 (framing).
 * In:       input - begins with the request line, holds at least the whole head; max_bytes - of the head; is_http11 -
 *           then Host is required.
 * Out:      *out - set only when 0 is returned; *fault - a sentence, set otherwise.
 * Returns:  0, or the status to answer: 400 or 431.
 * Cost:     one memchr per line.
 */
int rely_http_check_head(struct rely_slice input, size_t max_bytes, bool is_http11, struct rely_http_framing *out,
                         const char **fault);

/* The target of a request line, as it was sent. */
struct rely_http_target {
    struct rely_slice authority; /* of an absolute-form; ptr NULL: another form */
    struct rely_slice path;      /* begins with '/'; ptr NULL: the target has none (`*`, `host:443`, `x/y`) */
    struct rely_slice query;     /* without '?'; ptr NULL: none */
};

/**
 * Take a target apart. Slices are the target's own.
 *
 * Spec:     RFC 9112 s3.2.1 (origin-form), s3.2.2 (absolute-form of http and https); RFC 9110 s4.2.3: an empty path is
 *           `/`. Of other forms nothing is set, and they name nothing here.
 */
void rely_http_read_target(struct rely_slice target, struct rely_http_target *out);

/* The value of the escape (`%2F`) that the text begins with, or -1. */
int rely_http_hex_byte(struct rely_slice text);

/* The bearer token in one Authorization value, as rely_http_bearer has it. */
enum rely_bearer rely_http_read_bearer(struct rely_slice value, struct rely_slice *token);

/* Is there a control character other than a tab? A claim of a token may become a header: CR or LF in it would let a
 * stranger write headers of his own. */
bool rely_http_has_control(struct rely_slice text);

/* "Not Found" for 404; never NULL. */
const char *rely_http_phrase(int status);

/* The body of a problem; appended. */
void rely_http_print_problem(struct rely_buf *out, int status, const char *code, const char *detail,
                             const struct rely_problems *problems);

#endif
