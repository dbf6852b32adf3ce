/*
 * field: reads one field of a body by a rule and notes what is wrong with it, one problem per wrong field. Knows no
 * object.
 */
#ifndef RELYD_MODEL_FIELD_H
#define RELYD_MODEL_FIELD_H

#include "relyd/json.h"
#include "relyd/model.h"
#include "relyd/pool.h"

/* What a text may be, in Unicode code points. */
struct rely_text_rule {
    size_t min, max;
    bool is_required;
    bool may_be_null;    /* null is "absent" */
    bool may_have_lines; /* line breaks and tabulators; other control characters never */
};

/* False: absent, or wrong and noted. `field` is the path for the caller. Borrowed from the value. */
bool rely_field_read_text(const struct rely_json *value, const char *field, const struct rely_text_rule *rule,
                          struct rely_problems *problems, struct rely_slice *out);
/* An object's name: 3-120 of [A-Za-z0-9][A-Za-z0-9_-]*. */
bool rely_field_check_name(struct rely_slice name, const char *field, struct rely_problems *problems);
bool rely_field_read_bool(const struct rely_json *body, const char *field, bool fallback,
                          struct rely_problems *problems);
/* Absent: the field's default, also outside the bounds. */
int64_t rely_field_read_integer(const struct rely_body *body, const struct rely_field *field);
/* The number of one of the field's words. Absent: its default. */
int64_t rely_field_read_word(const struct rely_body *body, const struct rely_field *field);
/* Cut to whole seconds; 0: none, or a wrong one, which is noted. */
int64_t rely_field_read_moment(const struct rely_body *body, const struct rely_field *field);

/* The same for what is measured in bytes and may have any character. */
bool rely_field_read_bytes(const struct rely_json *value, const char *field, const struct rely_text_rule *rule,
                           struct rely_problems *problems, struct rely_slice *out);

/* A list of texts without duplicates. */
struct rely_list_rule {
    size_t min, max;
    struct rely_text_rule item;
    bool are_media_types; /* lower case, without "application/": neither carries meaning (RFC 7515 s4.1.9) */
};

/* Read a list of texts, in the body's pool. An item that is wrong is noted and absent in *out. */
void rely_field_read_list(const struct rely_body *body, const struct rely_json *list, const char *field,
                          const struct rely_list_rule *rule, struct rely_texts *out);

/* How many letters differ, counting from both ends: enough to catch a slip of the finger. */
size_t rely_count_different_letters(const char *a, const char *b);
/* The index-th word of "|a|b", from 0; empty behind the last. */
struct rely_slice rely_word_at(const char *words, int64_t index);
/* Its index, from 1; 0: it is none of them. */
int64_t rely_find_word(const char *words, struct rely_slice word);

/* Note "FIELD must be WANTED, not FOUND". */
void rely_field_wrong_type(const struct rely_json *value, const char *field, const char *wanted,
                           struct rely_problems *problems);

enum rely_url_use {
    RELY_URL_ISSUER,  /* no query: the address of the discovery document is made from it */
    RELY_URL_FETCHED, /* a query is allowed */
    RELY_URL_NAME     /* query and fragment are: nothing is fetched from it */
};

/* Is this a URL that may be fetched, or that an issuer with discovery may have? Notes what is wrong: invalid_url or
 * not_allowed. */
bool rely_field_check_url(struct rely_slice url, const char *field, enum rely_url_use use, bool may_use_http,
                          struct rely_problems *problems);

/**
 * May an issuer be called so whose keys come from elsewhere? Notes what is wrong: invalid_url.
 *
 * Spec:     RFC 7519 s2, StringOrURI: any text, and with a colon a URI. Never what does not show.
 * In:       text - UTF-8 without control characters, at least one.
 */
bool rely_field_check_issuer(struct rely_slice text, const char *field, struct rely_problems *problems);

#endif
