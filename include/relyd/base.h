/*
 * base: what every folder may use. Slices, faults, growing text, field problems; the request pool is in pool.h.
 * Knows nothing of tokens, HTTP or the registry.
 */
#ifndef RELYD_BASE_H
#define RELYD_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rely_pool; /* pool.h */

/* Bytes that somebody else owns: not NUL-terminated, may hold any byte. {NULL, 0} is "absent". */
struct rely_slice {
    const char *ptr; /* borrowed; the declaring struct's comment says from whom */
    size_t len;      /* bytes */
};

#define RELY_LIT(literal) ((struct rely_slice){(literal), sizeof(literal) - 1})
/* For printf's "%.*s". */
#define RELY_ARG(slice) (int)(slice).len, (slice).ptr

static inline struct rely_slice rely_slice(const char *ptr, size_t len)
{
    return (struct rely_slice){ptr, len};
}

static inline struct rely_slice rely_slice_of(const char *text)
{
    return (struct rely_slice){text, text == NULL ? 0 : strlen(text)};
}

/* Byte for byte; two empty slices are equal. Not constant-time: never for secrets. */
static inline bool rely_slice_equal(struct rely_slice a, struct rely_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The same, where absent and empty are two things. */
static inline bool rely_slice_same(struct rely_slice a, struct rely_slice b)
{
    return a.ptr == NULL || b.ptr == NULL ? a.ptr == b.ptr : rely_slice_equal(a, b);
}

/* Is it one of these? */
static inline bool rely_slice_is_among(const struct rely_slice *texts, size_t count, struct rely_slice text)
{
    for (size_t i = 0; i < count; i++)
        if (rely_slice_equal(texts[i], text))
            return true;
    return false;
}

static inline bool rely_slice_starts(struct rely_slice text, struct rely_slice prefix)
{
    return text.len >= prefix.len && memcmp(text.ptr, prefix.ptr, prefix.len) == 0;
}

/* A result that decides something must not be dropped: `enum RELY_MUST_USE_TYPE x`, or in front of a prototype. */
#define RELY_MUST_USE __attribute__((warn_unused_result))
#ifdef __clang__
#define RELY_MUST_USE_TYPE RELY_MUST_USE
#else
#define RELY_MUST_USE_TYPE [[nodiscard]] /* GCC knows it of types in this spelling only, in C11 as well */
#endif

/* A bug, never an input: says where and aborts, in every build. */
#define RELY_ASSERT(claim) ((claim) ? (void)0 : rely_bug(#claim, __FILE__, __LINE__))
_Noreturn void rely_bug(const char *claim, const char *file, int line);

/* Something must not go on and somebody must be told: one line in the form of the log's events to standard error, at
 * once, since the log's own thread would not come to it; then abort. Waits half a second at most for who reads there.
 */
_Noreturn void rely_alarm(const char *event, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * Allocate zeroed memory; a failure ends the process (docs/decisions/0003), which fails closed.
 *
 * In:       size - bytes, already limited by the caller; 0 is allowed.
 * Owner:    the caller, who frees with free().
 */
void *rely_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *rely_realloc(void *old, size_t size) __attribute__((returns_nonnull));
char *rely_strdup_slice(struct rely_slice text) __attribute__((malloc, returns_nonnull));

/* What everybody else only reads, for whoever made it: the one way past const, so that each use can be found. */
static inline void *rely_as_owner(const void *object)
{
    union {
        const void *read;
        void *owned;
    } both = {object};
    return both.owned;
}

/* For a result that says whether something went wrong where nothing is left to be done about it; each use says why. */
static inline void rely_drop(bool result)
{
    (void)result;
}

/* --- faults: what went wrong on our side, never a review's outcome ------------------------- */

enum rely_err_code {
    RELY_ERR_NONE = 0,
    RELY_ERR_INVALID,      /* the input breaks a rule; the message says which */
    RELY_ERR_NOT_FOUND,    /* the object named does not exist */
    RELY_ERR_CONFLICT,     /* it exists already, or changed meanwhile, or is in use */
    RELY_ERR_LIMIT,        /* a quota is full */
    RELY_ERR_PRECONDITION, /* If-Match did not match */
    RELY_ERR_FORBIDDEN,    /* it is not for whoever asks */
    RELY_ERR_IO,           /* disk, socket, network */
    RELY_ERR_AWAY,         /* another process has it for the moment */
    RELY_ERR_DAMAGED,      /* the registry holds what nobody has written: it is believed no more */
    RELY_ERR_INTERNAL      /* a bug or an unexpected answer of a library */
};

/* First failure wins; callers add context in front. Zero-filled is "no fault". */
struct rely_err {
    enum rely_err_code code;
    int cause; /* enum rely_cause, where it is of what an issuer serves: rely_err_because; else 0 */
    char message[512];
};

/* Record a fault unless one is recorded already; always returns false, for `return rely_err_set(...)`. */
bool rely_err_set(struct rely_err *err, enum rely_err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Put context in front of a recorded fault; always returns false. */
bool rely_err_prefix(struct rely_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- growing text ---------------------------------------------------------------------------- */

/* A growing byte string on the heap. Zero-filled is empty. Always NUL-terminated when ptr is set. */
struct rely_buf {
    char *ptr; /* owned: rely_buf_fini frees */
    size_t len;
    size_t cap;
};

/* Make room for `more` bytes and the final NUL. */
void rely_buf_reserve(struct rely_buf *buf, size_t more);

/* Append bytes. */
static inline void rely_buf_put(struct rely_buf *buf, struct rely_slice text)
{
    if (buf->cap - buf->len <= text.len)
        rely_buf_reserve(buf, text.len);
    if (text.len != 0)
        memcpy(buf->ptr + buf->len, text.ptr, text.len);
    buf->len += text.len;
    buf->ptr[buf->len] = '\0';
}

static inline void rely_buf_putc(struct rely_buf *buf, char c)
{
    rely_buf_put(buf, rely_slice(&c, 1));
}

/* printf behind what is there. */
void rely_buf_printf(struct rely_buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A JSON string with its quotes; control characters and the line separators U+2028/9 are escaped, bytes that
 * are not UTF-8 become U+FFFD. */
void rely_buf_put_json(struct rely_buf *buf, struct rely_slice text);
/* The same string to whoever parses it, and one that shows on any terminal as what it is: all but printable ASCII
 * stands as \uXXXX, so that nothing steers (C1 controls), turns the line round (bidirectional marks and scripts),
 * stacks up or is not seen. For lines that people read raw. */
void rely_buf_put_json_plainly(struct rely_buf *buf, struct rely_slice text);
void rely_buf_fini(struct rely_buf *buf);

static inline struct rely_slice rely_buf_slice(const struct rely_buf *buf)
{
    return (struct rely_slice){buf->ptr, buf->len};
}

/* --- one entry per wrong field ----------------------------------------------------------------- */

#define RELY_PROBLEMS_MAX 32

struct rely_problem {
    char field[64];    /* JSON path as the caller wrote it: `audiences[2]` */
    char code[40];     /* stable, snake case: `too_long`, `required`, `invalid_url` */
    char message[320]; /* a sentence that names the field, the limit and what was found */
    size_t column;     /* of a text: where, from 1, in characters; 0: nowhere in particular */
};

/* What is wrong with one write; more than RELY_PROBLEMS_MAX are counted, not kept. */
struct rely_problems {
    size_t count; /* 0 = nothing wrong */
    struct rely_problem items[RELY_PROBLEMS_MAX];
};

/* Note one wrong field. */
void rely_problems_add(struct rely_problems *problems, const char *field, const char *code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Of the problem that was noted last. */
void rely_problems_set_column(struct rely_problems *problems, size_t column);

#endif
