/*
 * An input as small choices, one byte each; zeros when it is at its end.
 */
#ifndef RELYD_TESTS_FUZZ_CHOICES_H
#define RELYD_TESTS_FUZZ_CHOICES_H

#include <stddef.h>
#include <stdint.h>

void choices_begin(const uint8_t *data, size_t size);
/* 0 to count - 1. */
unsigned choose(unsigned count);
const char *choose_text(const char *const *texts, unsigned count);
/* Up to this many bytes as they are; owned by mint. */
const char *choose_bytes(unsigned most);

#define CHOOSE_TEXT(...)                                                                                               \
    choose_text((const char *const[]){__VA_ARGS__},                                                                    \
                (unsigned)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)))

#endif
