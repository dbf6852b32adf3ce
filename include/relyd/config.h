/*
 * config: one table of settings (settings.def), one plain struct; file, line and column for every complaint.
 */
#ifndef RELYD_CONFIG_H
#define RELYD_CONFIG_H

#include "relyd/base.h"

struct rely_text_list {
    char **items; /* owned by the config */
    size_t count;
};

/* Something about a configuration that is taken all the same: said at the start, and by --check-config. */
struct rely_config_note {
    const char *event;   /* static: the log's */
    char *sentence;      /* owned by the config */
    size_t line, column; /* in the file; 0: of no place in it */
};

struct rely_config_notes {
    struct rely_config_note *items; /* owned by the config */
    size_t count;
};

/* One item of `listeners`, by listener.def. */
struct rely_listener_config {
#define SETTING_INT(key, field, minimum, maximum, value, unit, sentence) int64_t field;
#define SETTING_BOOL(key, field, value, sentence) bool field;
#define SETTING_TEXT(key, field, max_bytes, value, sentence) char *field; /* owned, never NULL */
#define SETTING_ENUM(key, field, values, value, sentence) int field;
#include "relyd/listener.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_ENUM
};

/* The values of its `tls.min_version`, `tls.client_certificates`, `serves` and `callers`. */
enum rely_tls_version { RELY_TLS_12, RELY_TLS_13 };
enum rely_client_certificates {
    RELY_CLIENT_CERTIFICATES_NONE,
    RELY_CLIENT_CERTIFICATES_OPTIONAL,
    RELY_CLIENT_CERTIFICATES_REQUIRED
};
enum rely_serves { RELY_SERVES_DATA, RELY_SERVES_CONTROL, RELY_SERVES_HEALTH };
enum rely_callers { RELY_CALLERS_ANYONE, RELY_CALLERS_REVIEWERS, RELY_CALLERS_ADMINISTRATORS };

struct rely_listener_list {
    struct rely_listener_config *items; /* owned */
    size_t count;
};

struct rely_config {
#define SETTING_INT(key, field, minimum, maximum, value, unit, sentence) int64_t field;
#define SETTING_BOOL(key, field, value, sentence) bool field;
#define SETTING_TEXT(key, field, max_bytes, value, sentence) char *field; /* owned, never NULL */
#define SETTING_LIST(key, field, max_items, first, sentence) struct rely_text_list field;
#define SETTING_ENUM(key, field, values, value, sentence) int field;
#define SETTING_LISTENERS(key, field, max_items, sentence) struct rely_listener_list field;
#include "relyd/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_LIST
#undef SETTING_ENUM
#undef SETTING_LISTENERS
    struct rely_config_notes notes;
};

/* The default of every number: RELY_DEFAULT_token_max_bytes for token.max_bytes. */
enum rely_config_default {
#define SETTING_INT(key, field, minimum, maximum, value, unit, sentence) RELY_DEFAULT_##field = (value),
#define SETTING_BOOL(key, field, value, sentence)
#define SETTING_TEXT(key, field, max_bytes, value, sentence)
#define SETTING_LIST(key, field, max_items, first, sentence)
#define SETTING_ENUM(key, field, values, value, sentence)
#define SETTING_LISTENERS(key, field, max_items, sentence)
#include "relyd/settings.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_LIST
#undef SETTING_ENUM
#undef SETTING_LISTENERS
};

/* Every setting at its default. Owner: rely_config_fini. */
void rely_config_init(struct rely_config *config);
void rely_config_fini(struct rely_config *config);

/**
 * Read a YAML file over the defaults.
 *
 * Spec:     YAML 1.1 by libyaml, one document, at most 1 MiB. Refused: unknown keys (with the nearest known one),
 * duplicate keys, aliases and anchors, tags, values of the wrong type (`10s` or `1_0` for a number, `yes` for a
 * boolean), numbers out of bounds. In:       name - for complaints; text - the file's bytes. Out:      config -
 * initialised by the caller; complete only on true. complaints - every complaint, one a line: `file:line:column: key:
 * what is wrong`.
 */
bool rely_config_parse(struct rely_config *config, const char *name, struct rely_slice text,
                       struct rely_buf *complaints);
bool rely_config_load(struct rely_config *config, const char *path, struct rely_buf *complaints);

/**
 * Every listener of a configuration that has been parsed, those of the short forms first.
 *
 * Out:      *out - copies. Owner: rely_listeners_fini.
 */
void rely_config_list_listeners(const struct rely_config *config, struct rely_listener_list *out);
void rely_listeners_fini(struct rely_listener_list *listeners);
/* How many of them serve this. */
size_t rely_listeners_count(const struct rely_listener_list *listeners, enum rely_serves serves);
/* Probes are asked by HTTP/1.1 alone. */
static inline bool rely_listener_has_http2(const struct rely_listener_config *listener)
{
    return listener->has_http2 && listener->serves != RELY_SERVES_HEALTH;
}

/* Note each setting that is not the same in both, and whether it is one that is taken up while relyd runs. */
void rely_config_compare(const struct rely_config *before, const struct rely_config *after,
                         void (*note)(void *context, const char *key, bool is_taken_up), void *context);

#define RELY_BOOTSTRAP_DIGEST_BYTES 32
/* An item of auth.bootstrap_tokens: 64 hexadecimal digits in either case. */
RELY_MUST_USE bool rely_config_read_digest(const char *text, uint8_t out[RELY_BOOTSTRAP_DIGEST_BYTES]);

/* The configuration as YAML, each key under a comment with its sentence, unit, bounds and default. */
void rely_config_print(const struct rely_config *config, struct rely_buf *out);
/* A setting for a sentence: "`token.max_bytes` (8192 by default, 1024 to 65536 bytes)". In: key - it exists. */
void rely_config_describe(const char *key, struct rely_buf *out);
/* How many letters one word is away from another; SIZE_MAX for words of more than 40. */
size_t rely_config_count_edits(struct rely_slice a, struct rely_slice b);
/* docs/settings.md. */
void rely_config_print_docs(struct rely_buf *out);

#endif
