/*
 * The table of settings.def as data, and typed access to the fields it names. Decides nothing: bind.c reads values,
 * check.c judges them, print.c writes them.
 */
#include "setting.h"

#define SETTING_INT(key, field, minimum, maximum, value, unit, sentence)                                               \
    {key, KIND_INT, offsetof(struct rely_config, field), minimum, maximum, value, NULL, unit, sentence},
#define SETTING_BOOL(key, field, value, sentence)                                                                      \
    {key, KIND_BOOL, offsetof(struct rely_config, field), 0, 1, value, NULL, "", sentence},
#define SETTING_TEXT(key, field, max_bytes, value, sentence)                                                           \
    {key, KIND_TEXT, offsetof(struct rely_config, field), 0, max_bytes, 0, value, "", sentence},
#define SETTING_LIST(key, field, max_items, first, sentence)                                                           \
    {key, KIND_LIST, offsetof(struct rely_config, field), 0, max_items, 0, first, "", sentence},
#define SETTING_ENUM(key, field, values, value, sentence)                                                              \
    {key, KIND_ENUM, offsetof(struct rely_config, field), 0, 0, 0, value, values, sentence},

const struct setting rely_config_settings[SETTING_COUNT] = {
#include "relyd/settings.def"
};

#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_LIST
#undef SETTING_ENUM
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

static char *find_field(struct rely_config *config, const struct setting *setting, enum setting_kind kind)
{
    RELY_ASSERT(setting->kind == kind);
    return (char *)config + setting->offset;
}

int64_t *rely_config_number(struct rely_config *config, const struct setting *setting)
{
    return (int64_t *)(void *)find_field(config, setting, KIND_INT);
}

bool *rely_config_flag(struct rely_config *config, const struct setting *setting)
{
    return (bool *)(void *)find_field(config, setting, KIND_BOOL);
}

char **rely_config_text(struct rely_config *config, const struct setting *setting)
{
    return (char **)(void *)find_field(config, setting, KIND_TEXT);
}

struct rely_text_list *rely_config_list(struct rely_config *config, const struct setting *setting)
{
    return (struct rely_text_list *)(void *)find_field(config, setting, KIND_LIST);
}

int *rely_config_choice(struct rely_config *config, const struct setting *setting)
{
    return (int *)(void *)find_field(config, setting, KIND_ENUM);
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
