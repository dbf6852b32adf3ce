/*
 * The tables of settings.def and listener.def as data, and typed access to the fields it names. Decides nothing: bind.c reads values,
 * check.c judges them, print.c writes them.
 */
#include "setting.h"

#define SETTING_INT(key, field, minimum, maximum, value, unit, sentence)                                               \
    {key, KIND_INT, offsetof(struct FIELDS, field), minimum, maximum, value, NULL, unit, sentence},
#define SETTING_BOOL(key, field, value, sentence)                                                                      \
    {key, KIND_BOOL, offsetof(struct FIELDS, field), 0, 1, value, NULL, "", sentence},
#define SETTING_TEXT(key, field, max_bytes, value, sentence)                                                           \
    {key, KIND_TEXT, offsetof(struct FIELDS, field), 0, max_bytes, 0, value, "", sentence},
#define SETTING_LIST(key, field, max_items, first, sentence)                                                           \
    {key, KIND_LIST, offsetof(struct FIELDS, field), 0, max_items, 0, first, "", sentence},
#define SETTING_ENUM(key, field, values, value, sentence)                                                              \
    {key, KIND_ENUM, offsetof(struct FIELDS, field), 0, 0, 0, value, values, sentence},
#define SETTING_LISTENERS(key, field, max_items, sentence)                                                             \
    {key, KIND_LISTENERS, offsetof(struct FIELDS, field), 0, max_items, 0, "", "", sentence},

#define FIELDS rely_config
const struct setting rely_config_settings[SETTING_COUNT] = {
#include "relyd/settings.def"
};
#undef FIELDS

#define FIELDS rely_listener_config
static const struct setting listener_settings[LISTENER_SETTING_COUNT] = {
#include "relyd/listener.def"
};
#undef FIELDS

const struct setting_table rely_config_table = {rely_config_settings, SETTING_COUNT};
const struct setting_table rely_config_listener_table = {listener_settings, LISTENER_SETTING_COUNT};

#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_LIST
#undef SETTING_ENUM
#undef SETTING_LISTENERS
#define SETTING_LISTENERS(key, field, max_items, sentence)
#define SETTING_INT(key, field, minimum, maximum, value, unit, sentence)
#define SETTING_BOOL(key, field, value, sentence)
#define SETTING_TEXT(key, field, max_bytes, value, sentence)
#define SETTING_LIST(key, field, max_items, first, sentence)
#define SETTING_ENUM(key, field, values, value, sentence)
#define SETTING_OLD_NAME(key, field) {key, SETTING_AT_##field},

static const struct {
    const char *key;
    enum setting_index index;
} old_names[] = {
#include "relyd/settings.def"
};

bool rely_config_find_old(struct rely_slice key, enum setting_index *out)
{
    for (size_t i = 0; i < sizeof old_names / sizeof old_names[0]; i++)
        if (rely_slice_equal(rely_slice_of(old_names[i].key), key)) {
            *out = old_names[i].index;
            return true;
        }
    return false;
}

static void *find_field(void *fields, const struct setting *setting, enum setting_kind kind)
{
    RELY_ASSERT(setting->kind == kind);
    return (char *)fields + setting->offset;
}

int64_t *rely_config_number(void *fields, const struct setting *setting)
{
    return find_field(fields, setting, KIND_INT);
}

bool *rely_config_flag(void *fields, const struct setting *setting)
{
    return find_field(fields, setting, KIND_BOOL);
}

char **rely_config_text(void *fields, const struct setting *setting)
{
    return find_field(fields, setting, KIND_TEXT);
}

struct rely_text_list *rely_config_list(void *fields, const struct setting *setting)
{
    return find_field(fields, setting, KIND_LIST);
}

int *rely_config_choice(void *fields, const struct setting *setting)
{
    return find_field(fields, setting, KIND_ENUM);
}

struct rely_listener_list *rely_config_listeners(void *fields, const struct setting *setting)
{
    return find_field(fields, setting, KIND_LISTENERS);
}

struct rely_slice rely_config_group(const struct setting *setting)
{
    const char *dot = strchr(setting->key, '.');
    return rely_slice(setting->key, dot == NULL ? 0 : (size_t)(dot - setting->key));
}

struct rely_slice rely_config_leaf(const struct setting *setting)
{
    struct rely_slice group = rely_config_group(setting);
    return rely_slice_of(setting->key + (group.len == 0 ? 0 : group.len + 1));
}

bool rely_config_word(const char *words, int item, struct rely_slice *out)
{
    for (; item > 0; item--) {
        words = strchr(words, '|');
        if (words == NULL)
            return false;
        words++;
    }
    *out = rely_slice(words, strcspn(words, "|"));
    return true;
}

int rely_config_word_index(const char *words, struct rely_slice word)
{
    struct rely_slice found;
    for (int i = 0; rely_config_word(words, i, &found); i++)
        if (rely_slice_equal(found, word))
            return i;
    return -1;
}
