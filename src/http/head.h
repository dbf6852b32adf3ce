/*
 * The parts of http/ that know of no connection: pure functions over bytes.
 */
#ifndef RELYD_HTTP_HEAD_H
#define RELYD_HTTP_HEAD_H

#include "relyd/http.h"

#include <strings.h>

/* Why bytes are no request. */
struct rely_http_fault {
    enum rely_http_refusal_kind kind;
    const char *detail; /* static: a sentence; NULL: the kind's own */
};

/* How far a part of a request has come. */
enum rely_http_progress {
    RELY_HTTP_BROKEN, /* it will never be one: the fault is set */
    RELY_HTTP_UNFINISHED,
    RELY_HTTP_WHOLE
};

/* --- words and values ---------------------------------------------------------------------------------- */

/* The same in any case. */
static inline bool rely_http_is_same_word(struct rely_slice text, struct rely_slice expected)
{
    return text.len == expected.len && strncasecmp(text.ptr, expected.ptr, expected.len) == 0;
}

/* Without the blanks and tabs around it. */
static inline struct rely_slice rely_http_trim_blanks(struct rely_slice text)
{
    while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t'))
        text = rely_slice(text.ptr + 1, text.len - 1);
    while (text.len > 0 && (text.ptr[text.len - 1] == ' ' || text.ptr[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* --- head.c ------------------------------------------------------------------------------------------ */

/* How far a head has been looked through. Zero-filled: not at all. */
struct rely_http_scan {
    size_t line; /* where the line that has no end yet begins */
    size_t seen; /* no line ends between there and here */
};

/**
 * Find the end of a request's head.
 *
 * Spec:     RFC 9112 s2.2: lines end in CR LF, one empty line in front is ignored; a bare LF is refused, because others
 *           end a line there.
 * In:       input - from the head's first byte on; *scan - of the last call over fewer of the same bytes.
 * Out:      *len - of the head with its empty line, on WHOLE; *fault on BROKEN: also for what begins with no method, such
 *           as a TLS handshake, which would never have an end.
 * Cost:     every byte is looked at once, however many calls there are.
 */
enum rely_http_progress rely_http_measure_head(struct rely_slice input, struct rely_http_scan *scan, size_t *len,
                                               struct rely_http_fault *fault);

/* One header, as it was sent: the value without the blanks around it. */
struct rely_http_field {
    struct rely_slice name, value;
};
#define RELY_HTTP_FIELDS_MAX 100

/* A request's head. Slices are the input's. */
struct rely_http_head {
    struct rely_slice method, target;
    bool is_http11;
    bool is_last;               /* by its version, or because it says so: no request is read behind it */
    bool is_chunked;            /* then length is 0 */
    bool expects_continue;      /* the client waits for 100 before it sends the body */
    bool has_other_expectation; /* that nobody knows: 417, where a body is read */
    uint64_t length;            /* of the body */
    size_t field_count;
    struct rely_http_field fields[RELY_HTTP_FIELDS_MAX];
};

/**
 * Read the head of a request that has one meaning only: what a proxy in front may read otherwise (request smuggling) is
 * refused, and nothing is made up or mended.
 *
 * Spec:     RFC 9112 s3 (request line), s3.2 (Host: one, and a possible one), s5 (a name up to its colon, no folding),
 *           s6.1 to s6.3 (one Content-Length of digits, or one Transfer-Encoding, which is `chunked`, and never both);
 *           RFC 9110 s5.5 (no control characters but a tab).
 * In:       head - as rely_http_measure_head has found it.
 * Out:      *out on true, else *fault.
 * Cost:     one pass.
 */
RELY_MUST_USE bool rely_http_parse_head(struct rely_slice head, struct rely_http_head *out,
                                        struct rely_http_fault *fault);

/* Method and target of a request line that may be broken, or cut off, behind them: for whoever words a refusal. NULL
 * where there is none. */
void rely_http_peek_line(struct rely_slice input, struct rely_slice *method, struct rely_slice *target);

/* May the byte stand in a token (RFC 9110 s5.6.2)? */
bool rely_http_is_token_byte(char byte);
/* Is it free of blanks and control characters? */
bool rely_http_is_target(struct rely_slice text);
/* RFC 9112 s3.2: what can be a host and its port (RFC 3986 s3.2.2), or nothing. */
bool rely_http_can_be_host(struct rely_slice value);
/* The value of a Content-Length header: digits; more than there are numbers is the largest. */
RELY_MUST_USE bool rely_http_read_length(struct rely_slice value, uint64_t *length);
/* The value of the first header of this name, and how many there are. In: count - may be NULL. */
struct rely_slice rely_http_head_find(const struct rely_http_head *head, struct rely_slice name, size_t *count);

/* --- chunks.c ---------------------------------------------------------------------------------------- */

/* Where a reader of chunks stands. Zero-filled, but for max_bytes: at the beginning. */
struct rely_http_chunks {
    int state;
    unsigned digits;        /* of the size that is being read */
    size_t extension_bytes; /* so far */
    uint64_t left;          /* of this chunk */
    uint64_t total;         /* of all chunks so far, this one counted whole */
    uint64_t max_bytes;     /* set by the caller: more are refused as soon as they are announced */
};
/* They are read over, so that nobody sends much of them. */
#define RELY_HTTP_CHUNK_EXTENSIONS_MAX 4096

/**
 * Read chunks in place.
 *
 * Spec:     RFC 9112 s7.1, strictly: CR LF, at most 16 hexadecimal digits, no blanks, no trailers. Extensions are thrown away.
 * In:       bytes - the next of the body as it was sent, *len of them.
 * Out:      the first *len bytes are the body's own, on UNFINISHED and WHOLE; *used - of those that came in: all on
 *           UNFINISHED, those up to the end of the body on WHOLE.
 */
enum rely_http_progress rely_http_read_chunks(struct rely_http_chunks *chunks, char *bytes, size_t *len, size_t *used,
                                              struct rely_http_fault *fault);

/* --- target.c, text.c, phrase.c, problem.c ------------------------------------------------------------ */

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

/* Is there a control character other than a tab? A claim of a token may become a header: CR or LF in it would let a
 * stranger write headers of his own. */
bool rely_http_has_control(struct rely_slice text);

/* "Not Found" for 404; never NULL. */
const char *rely_http_phrase(int status);

/* The body of a problem; appended. */
void rely_http_print_problem(struct rely_buf *out, int status, const char *code, const char *detail,
                             const struct rely_problems *problems);

#endif
