/*
 * What is different between two configurations: for whoever has read the file again. Decides which of it can be taken up
 * while relyd runs: settings.def says that. Called by the service.
 */
#include "setting.h"

static const enum setting_index reloaded[] = {
#define SETTING_RELOADED(field) SETTING_AT_##field,
#define SETTING_INT(key, field, minimum, maximum, value, unit, sentence)
#define SETTING_BOOL(key, field, value, sentence)
#define SETTING_TEXT(key, field, max_bytes, value, sentence)
#define SETTING_LIST(key, field, max_items, first, sentence)
#define SETTING_ENUM(key, field, values, value, sentence)
#define SETTING_LISTENERS(key, field, max_items, sentence)
#include "relyd/settings.def"
#undef SETTING_RELOADED
#undef SETTING_INT
#undef SETTING_BOOL
#undef SETTING_TEXT
#undef SETTING_LIST
#undef SETTING_ENUM
#undef SETTING_LISTENERS
};

bool rely_config_is_reloaded(size_t setting)
{
    for (size_t i = 0; i < sizeof reloaded / sizeof reloaded[0]; i++)
        if ((size_t)reloaded[i] == setting)
            return true;
    return false;
}

static bool are_same_lists(const struct rely_text_list *a, const struct rely_text_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->items[i], b->items[i]) != 0)
            return false;
    return true;
}

static bool are_same_listeners(const struct rely_listener_list *a, const struct rely_listener_list *b);

/* The accessors serve the binder too and so take fields that may be changed; nothing is changed here. */
static bool is_same(const struct setting *setting, void *a, void *b)
{
    switch (setting->kind) {
    case KIND_INT:
        return *rely_config_number(a, setting) == *rely_config_number(b, setting);
    case KIND_BOOL:
        return *rely_config_flag(a, setting) == *rely_config_flag(b, setting);
    case KIND_TEXT:
        return strcmp(*rely_config_text(a, setting), *rely_config_text(b, setting)) == 0;
    case KIND_LIST:
        return are_same_lists(rely_config_list(a, setting), rely_config_list(b, setting));
    case KIND_ENUM:
        return *rely_config_choice(a, setting) == *rely_config_choice(b, setting);
    case KIND_LISTENERS:
        return are_same_listeners(rely_config_listeners(a, setting), rely_config_listeners(b, setting));
    }
    return false;
}

static bool are_same_listeners(const struct rely_listener_list *a, const struct rely_listener_list *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        for (size_t k = 0; k < rely_config_listener_table.count; k++)
            if (!is_same(&rely_config_listener_table.settings[k], &a->items[i], &b->items[i]))
                return false;
    return true;
}

void rely_config_compare(const struct rely_config *before, const struct rely_config *after,
                         void (*note)(void *context, const char *key, bool is_taken_up), void *context)
{
    struct rely_config a = *before, b = *after;
    for (size_t i = 0; i < SETTING_COUNT; i++)
        if (!is_same(&rely_config_settings[i], &a, &b))
            note(context, rely_config_settings[i].key, rely_config_is_reloaded(i));
}
