/*
 * Inside config only: the table of settings.def as data, and the parsed document that is bound to it.
 */
#ifndef RELYD_CONFIG_SETTING_H
#define RELYD_CONFIG_SETTING_H

#include "relyd/config.h"
#include "relyd/yaml.h"

enum setting_kind { KIND_INT, KIND_BOOL, KIND_TEXT, KIND_LIST, KIND_ENUM, KIND_LISTENERS };

/* One line of settings.def or listener.def. All text is static. */
struct setting {
    const char *key; /* "token.max_bytes": nested at the dot */
    enum setting_kind kind;
    size_t offset;            /* of the field in the table's struct */
    int64_t minimum, maximum; /* of the number; maximum: bytes of a text, items of a list */
    int64_t default_number;   /* also of a boolean */
    const char *default_text; /* also the first item of a list, and the word of an enum */
    const char *unit;         /* of a number, "" for none; of an enum its words, "a|b|c" */
    const char *sentence;
};

/* The settings by their place in settings.def. */
enum setting_index {
#define SETTING_INT(key, field, minimum, maximum, value, unit, sentence) SETTING_AT_##field,
#define SETTING_BOOL(key, field, value, sentence) SETTING_AT_##field,
#define SETTING_TEXT(key, field, max_bytes, value, sentence) SETTING_AT_##field,
#define SETTING_LIST(key, field, max_items, first, sentence) SETTING_AT_##field,
#define SETTING_ENUM(key, field, values, value, sentence) SETTING_AT_##field,
#define SETTING_LISTENERS(key, field, max_items, sentence) SETTING_AT_##field,
#include "relyd/settings.def"
    SETTING_COUNT
};

/* Those of a listener, by their place in listener.def. */
enum listener_setting_index {
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_ENUM
#define SETTING_INT(key, field, minimum, maximum, value, unit, sentence) LISTENER_SETTING_AT_##field,
#define SETTING_BOOL(key, field, value, sentence) LISTENER_SETTING_AT_##field,
#define SETTING_TEXT(key, field, max_bytes, value, sentence) LISTENER_SETTING_AT_##field,
#define SETTING_ENUM(key, field, values, value, sentence) LISTENER_SETTING_AT_##field,
#include "relyd/listener.def"
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_LIST
#undef SETTING_ENUM
#undef SETTING_LISTENERS
    LISTENER_SETTING_COUNT
};

#define LISTENERS_MAX 16 /* of `listeners`, as settings.def has it */

/* A table of settings: the configuration's, or a listener's. */
struct setting_table {
    const struct setting *settings;
    size_t count;
};
extern const struct setting rely_config_settings[SETTING_COUNT];
extern const struct setting_table rely_config_table, rely_config_listener_table;

/* The field of a setting inside the struct of its table, by type. */
int64_t *rely_config_number(void *fields, const struct setting *setting);
bool *rely_config_flag(void *fields, const struct setting *setting);
char **rely_config_text(void *fields, const struct setting *setting);
struct rely_text_list *rely_config_list(void *fields, const struct setting *setting);
int *rely_config_choice(void *fields, const struct setting *setting);
struct rely_listener_list *rely_config_listeners(void *fields, const struct setting *setting);

/* Every setting of a table at its default; and the end of them. */
void rely_config_set_defaults(void *fields, const struct setting_table *table);
void rely_config_free_fields(void *fields, const struct setting_table *table);

/* The setting that had this key in an earlier version; false: none. */
bool rely_config_find_old(struct rely_slice key, enum setting_index *out);

/* compare.c: may this one of the table be taken up while relyd runs? */
bool rely_config_is_reloaded(size_t setting);

/* The group of a key: "token" of "token.max_bytes", empty for a key without a dot. Borrowed from the setting. */
struct rely_slice rely_config_group(const struct setting *setting);
/* The part of a key below its group. Borrowed from the setting. */
struct rely_slice rely_config_leaf(const struct setting *setting);
/* The item-th word of "a|b|c"; false when there are no more. */
bool rely_config_word(const char *words, int item, struct rely_slice *out);
/* The place of a word in "a|b|c", or -1. */
int rely_config_word_index(const char *words, struct rely_slice word);

/* Note what is taken all the same. In: event - static; where - as above. */
void rely_config_add_note(struct rely_config *config, const struct rely_yaml_node *where, const char *event,
                          const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Where each setting was found; NULL: it is at its default. */
struct bound {
    const struct rely_yaml_node *at[SETTING_COUNT];
    const struct rely_yaml_node *of_listeners[LISTENERS_MAX][LISTENER_SETTING_COUNT];
};

/* Set the fields of config from the document. */
void rely_config_bind(struct rely_config *config, const struct rely_yaml_node *root, struct bound *bound,
                      struct rely_complaints *complaints);

/* Write ", did you mean X?" for an unknown key in a group (empty: the top), or nothing. */
void rely_config_suggest(const struct setting_table *table, struct rely_slice group, struct rely_slice key, char *out,
                         size_t size);

/* Rules that concern the meaning of values, and several values together. */
void rely_config_check(struct rely_config *config, const struct bound *bound, struct rely_complaints *complaints);

#endif
