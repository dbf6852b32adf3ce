/*
 * text: encodings and small text rules. base64url, UTF-8, RFC 3339 times, UUIDs, hashes.
 */
#ifndef RELYD_TEXT_H
#define RELYD_TEXT_H

#include "relyd/base.h"

/**
 * Decode strict unpadded base64url.
 *
 * Spec:     RFC 7515 s2, RFC 4648 s5 and s3.5: no padding, no white space, no `+` or `/`, no length of 1 mod 4,
 *           no non-zero trailing bits, so that one byte string has one spelling (a second spelling of a token
 *           would dodge a cache or a revocation keyed by its digest).
 * In:       text - any bytes.
 * Out:      out - at least RELY_BASE64_DECODED(text.len) bytes; *out_len set only on true.
 */
bool rely_base64url_decode(struct rely_slice text, uint8_t *out, size_t *out_len);
#define RELY_BASE64_DECODED(len) ((len) / 4 * 3 + 3)

/* Encode unpadded base64url; out takes RELY_BASE64_ENCODED(len) bytes (with the final NUL), returns the length. */
size_t rely_base64url_encode(const uint8_t *data, size_t len, char *out);
#define RELY_BASE64_ENCODED(len) (((len) + 2) / 3 * 4 + 1)

/**
 * The length of the well-formed UTF-8 character at the front, 0 when there is none.
 *
 * Spec:     RFC 3629 s4: the second byte's range keeps out overlong forms, surrogates and all above U+10FFFF.
 * In:       len - at least 1.
 */
size_t rely_utf8_measure(const char *text, size_t len);

/**
 * Count the Unicode code points of UTF-8 text.
 *
 * Spec:     RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF.
 * Out:      *count - set only on true. False: not UTF-8.
 */
bool rely_utf8_count(struct rely_slice text, size_t *count);

/* Does the text hold a control character (U+0000-1F, U+007F-9F)? In: UTF-8. */
bool rely_text_has_control(struct rely_slice text);
/* RFC 4122 s3, in lower case: 36 characters. */
bool rely_text_is_uuid(struct rely_slice text);
/* Is it a file's name without a folder: 1 to RELY_FILE_NAME_MAX of A-Z a-z 0-9 . _ -, and no dot in front? */
bool rely_text_is_file_name(struct rely_slice text);

/* RFC 3339 in UTC, `2026-11-22T10:00:00Z`. RELY_TIME_SIZE holds every time from year 0 to 9999. */
#define RELY_TIME_SIZE 32
void rely_time_print(int64_t unix_s, char out[RELY_TIME_SIZE]);
/* RFC 3339 s5.6 with `Z` or an offset, fractions ignored. *unix_s set only on true. */
bool rely_time_parse(struct rely_slice text, int64_t *unix_s);

/* A random (version 4) UUID in lower-case text with its NUL, RFC 9562. */
#define RELY_UUID_SIZE 37
void rely_uuid_new(char out[RELY_UUID_SIZE]);
/* Fill with random bytes from the kernel; ends the process when it cannot. */
void rely_random(void *out, size_t len);

/* For qsort and bsearch, of struct rely_slice: byte by byte, what is shorter and begins the same first. Below, at or
 * above 0. */
int rely_slice_compare(const void *a, const void *b);

/* SipHash-1-3 (64 bit) under the process's random key: collisions cannot be prepared from outside. */
uint64_t rely_hash(struct rely_slice text, uint64_t seed);

/* Stranger's text for a message: quoted, at most 80 characters, all but printable ASCII as \xNN. `out` holds it. */
#define RELY_QUOTED_SIZE 352
const char *rely_quote(struct rely_slice text, char out[RELY_QUOTED_SIZE]);
/* Several of them, with commas: as many as `size` bytes (at least 32) hold, then how many more there are. */
const char *rely_quote_list(const struct rely_slice *texts, size_t count, char *out, size_t size);

#endif
