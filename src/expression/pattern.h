/*
 * pattern: a text with wildcards, against a text. For this folder.
 */
#ifndef RELYD_EXPRESSION_PATTERN_H
#define RELYD_EXPRESSION_PATTERN_H

#include "relyd/base.h"

/**
 * Does the whole value match the pattern: `*` any run of characters, `?` exactly one?
 *
 * In:       both UTF-8; the pattern of RELY_TEXT_MAX characters at most.
 * Cost:     at most characters of the value x those of the pattern / 64 steps: no part of the value is read twice.
 */
bool rely_pattern_matches(struct rely_slice pattern, struct rely_slice value);
/* How many characters a text has that is known to be UTF-8. */
size_t rely_pattern_count(struct rely_slice text);

#endif
