/*
 * json: a document as a tree of values, over jansson, which is spelled in src/json/document.c only. One of two readers:
 *
 *                 view.h                                   json.h
 *   for           what every request brings: headers       what is read seldom, or written: admin bodies, key sets,
 *                 and payloads of tokens, bodies of        discovery documents, answers
 *                 the data plane
 *   root          an object                                any value
 *   memory        the request's pool; text and pool must   the heap, counted references; the text may go
 *                 outlive the view
 *   numbers       as written, converted when asked for     integers of 64 bits, or reals
 *   can print     no                                       yes: compose.h
 *   refuses       both: duplicate members, U+0000, bad UTF-8, lone surrogates, trailing text, deep nesting
 *
 * There is no third, and these two agree: where the same bytes mean one thing here and another there, one place lets in
 * what the other refuses. tests/fuzz/fuzz_view.c compares view.h with jansson.
 */
#ifndef RELYD_JSON_H
#define RELYD_JSON_H

#include "relyd/base.h"

/* A JSON value, reference-counted by jansson; NULL is "absent" in every reader. */
struct rely_json;

enum rely_json_type {
    RELY_JSON_ABSENT = 0,
    RELY_JSON_NULL,
    RELY_JSON_BOOL,
    RELY_JSON_INTEGER,
    RELY_JSON_REAL,
    RELY_JSON_STRING,
    RELY_JSON_ARRAY,
    RELY_JSON_OBJECT
};

/**
 * Parse one strict JSON text: duplicate members, U+0000, bad UTF-8, trailing text are refused.
 *
 * Spec:     RFC 8259; RFC 7519 s4 (duplicates may be refused).
 * In:       text - limited by the caller. Nesting deeper than 64 is refused.
 * Fails:    RELY_ERR_INVALID with line and column.
 * Owner:    the caller: rely_json_free.
 */
struct rely_json *rely_json_parse(struct rely_slice text, struct rely_err *err);
void rely_json_free(struct rely_json *value);
/* The memory that the text takes once it is parsed: counted too high rather than too low. */
size_t rely_json_measure(struct rely_slice text);
/* Cleanup attribute for owners: `RELY_JSON_OWNED struct rely_json *body = ...`. */
void rely_json_free_at(struct rely_json **value);
#define RELY_JSON_OWNED __attribute__((cleanup(rely_json_free_at)))

/* RELY_JSON_ABSENT for NULL. */
enum rely_json_type rely_json_type(const struct rely_json *value);
/* NULL where the value is no object or has no such member; borrowed from the object. */
struct rely_json *rely_json_get(const struct rely_json *object, const char *name);
/* The same where null is "absent": NULL for a member that is null. */
struct rely_json *rely_json_get_given(const struct rely_json *object, const char *name);
/* The first member of a JWK that only the owner of the key may know (RFC 7518 s6.2.2, s6.3.2, s6.4.1), or NULL. Here
 * because keys and the registry, which must not store it, have this folder alone in common. */
const char *rely_json_jwk_secret(const struct rely_json *jwk);
size_t rely_json_size(const struct rely_json *array_or_object);
struct rely_json *rely_json_at(const struct rely_json *array, size_t index);
/* The slice is borrowed from the value. Absent slice where it is no string. */
struct rely_slice rely_json_text(const struct rely_json *value);
/* 0 where it is no integer: ask the type first. */
int64_t rely_json_integer(const struct rely_json *value);
bool rely_json_true(const struct rely_json *value);
/* Walk an object: start with NULL, go on with the last name; NULL at the end. */
const char *rely_json_next_name(const struct rely_json *object, const char *name);

/* Once, before any thread starts: jansson's hash seed. */
void rely_json_init(void);

#endif
