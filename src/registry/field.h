/*
 * field: reads one field of a body by a rule and notes what is wrong with it, one problem per wrong field. Knows no
 * object.
 */
#ifndef RELYD_REGISTRY_FIELD_H
#define RELYD_REGISTRY_FIELD_H

#include "relyd/json.h"
#include "relyd/limits.h"

enum rely_member_rule {
    RELY_MEMBER_PLAIN,
    RELY_MEMBER_IMMUTABLE, /* set at creation; `name` is write.c's own concern */
    RELY_MEMBER_READ_ONLY /* never set by a caller; in a replacement it may be repeated, so that GET, edit, PUT works */
};

/* One member that a body may have. */
struct rely_member {
    const char *name;
    enum rely_member_rule rule;
};

/* The names and rules of a body's members. In: before - the object as it is; NULL: it is to be created. */
void rely_field_check_members(const struct rely_json *body, const struct rely_json *before,
                              const struct rely_member *members, size_t count, const char *what,
                              struct rely_problems *problems);

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
/* Absent: `fallback`, also outside the bounds. */
int64_t rely_field_read_integer(const struct rely_json *body, const char *field, int64_t min, int64_t max,
                                int64_t fallback, struct rely_problems *problems);
/* The description of any object; absent for null. */
struct rely_slice rely_field_read_description(const struct rely_json *body, struct rely_problems *problems);

/* A list of texts without duplicates. */
struct rely_list_rule {
    size_t min, max;
    struct rely_text_rule item;
    /* A further rule for each item: notes its problem and returns false. NULL: none. */
    bool (*may_take)(struct rely_slice item, const char *field, void *context, struct rely_problems *problems);
    void *context;            /* for may_take */
    struct rely_slice prefix; /* put before each line; usually none */
};

/**
 * Read a list of texts.
 *
 * In:       list - NULL: absent.
 * Out:      lines - one line per item, each with its line feed: the form in which lists are stored (no item can have a
 *           control character). Written only when all are good; then never NULL.
 * Returns:  false: absent, or wrong and noted.
 */
bool rely_field_read_list(const struct rely_json *list, const char *field, const struct rely_list_rule *rule,
                          struct rely_problems *problems, struct rely_buf *lines);

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
