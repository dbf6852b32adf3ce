/*
 * The language of expressions a second time, for comparing: written from the grammar alone, over arrays of code points,
 * as an automaton that eats one character after the other, and a set of reachable places in place of pieces. Slow.
 */
#ifndef RELYD_TESTS_EXPRESSION_ORACLE_H
#define RELYD_TESTS_EXPRESSION_ORACLE_H

#include "relyd/expression.h"

/* Code points: of an expression, a name, a text or a value. */
struct oracle_chars {
    size_t count;
    uint32_t codes[20000];
};

struct oracle_term {
    struct oracle_chars claim; /* its names with 0 between */
    struct oracle_chars text;
    bool is_pattern;
};

struct oracle_expression {
    size_t column; /* of the fault; 0: none */
    size_t term_count;
    struct oracle_term terms[RELY_EXPRESSION_TERMS_MAX];
};

/* Decode UTF-8. False when it is none: then out holds what stands in front of the fault. */
bool oracle_decode(struct rely_slice text, struct oracle_chars *out);

/* Read an expression; out is a static one, good until the next call. */
const struct oracle_expression *oracle_parse(struct rely_slice text);

/* Does a term match one text? */
bool oracle_matches(const struct oracle_term *term, struct rely_slice text);

#endif
