/*
 * view_text: the words of a JSON text, strings and numbers. Used by view.c, which knows the structure around them.
 */
#ifndef RELYD_TOKEN_VIEW_TEXT_H
#define RELYD_TOKEN_VIEW_TEXT_H

#include "relyd/base.h"

/* Where the reader stands. Zero `decoded` and `fault` to begin with. */
struct rely_view_text {
    const char *at;         /* borrowed: the next byte */
    const char *end;        /* borrowed: behind the last byte */
    struct rely_pool *pool; /* borrowed */
    char *decoded;          /* from the pool, at the first escape: free space for the rest of the text, decoded */
    const char *fault;      /* static: what is wrong */
};

/* Record what is wrong; always returns false, for `return rely_view_text_fail(...)`. */
static inline bool rely_view_text_fail(struct rely_view_text *text, const char *fault)
{
    text->fault = fault;
    return false;
}

/**
 * Read the string whose opening quote is the next byte.
 *
 * Spec:     RFC 8259 s7, RFC 3629. U+0000 and lone surrogates are refused.
 * Out:      *out - the decoded text, in the input where nothing was escaped, else in the pool; set only on true.
 *           The reader stands behind the closing quote on true.
 */
bool rely_view_text_string(struct rely_view_text *text, struct rely_slice *out);

/* Read the number whose first byte is the next byte, as written. Spec: RFC 8259 s6. *out is set only on true. */
bool rely_view_text_number(struct rely_view_text *text, struct rely_slice *out);

/* The value of a number as written that a view holds; false when it overflows a double. */
bool rely_view_text_value(struct rely_slice number, double *out);

#endif
