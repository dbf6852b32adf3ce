/*
 * Sets the fields of the configuration from a document, by the table: which keys exist, their types and bounds. Goes on
 * after a complaint, so that one run shows them all. Rules between settings are check.c's. Called by config.c.
 */
#include "setting.h"

#include <stdio.h>
#include <stdlib.h>

#include "relyd/text.h"

#define KEY_SIZE 96
#define KEY_SHOWN_MAX 40

/* A binding in progress: of one table, to one struct. */
struct binding {
    const struct setting_table *table;
    void *fields;                         /* the table's struct */
    const char *prefix;                   /* "listeners[0]." for a listener's, or "" */
    char name[KEY_SIZE];                  /* of the setting that is bound now, with its prefix */
    const struct rely_yaml_node **at;     /* where each setting was found */
    const struct rely_yaml_node **groups; /* where a group was found, at the place of its first setting */
    struct rely_config *config;           /* for its notes */
    struct bound *bound;
    struct rely_complaints *complaints;
};

/* A key for a message: as it stands when it is a plain word, quoted otherwise, cut when it is long. */
static void show_key(const char *prefix, struct rely_slice group, struct rely_slice key, char out[KEY_SIZE])
{
    bool is_plain = key.len > 0 && key.len <= KEY_SHOWN_MAX;
    for (size_t i = 0; is_plain && i < key.len; i++)
        is_plain = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", key.ptr[i]) != NULL &&
                   key.ptr[i] != '\0';
    char quoted[RELY_QUOTED_SIZE];
    const char *shown = rely_quote(key, quoted);
    if (is_plain)
        snprintf(out, KEY_SIZE, "%s%.*s%s%.*s", prefix, RELY_ARG(group), group.len == 0 ? "" : ".", RELY_ARG(key));
    else
        snprintf(out, KEY_SIZE, "%s%.*s%s%.60s", prefix, RELY_ARG(group), group.len == 0 ? "" : ".", shown);
}

/* --- values --------------------------------------------------------------------------------------- */

static void bind_number(struct binding *binding, const struct setting *setting, const struct rely_yaml_node *value)
{
    int64_t number = 0;
    bool is_number = value->kind == RELY_YAML_SCALAR && value->is_plain && value->text.len > 0 &&
                     value->text.len <= 15 && (value->text.len == 1 || value->text.ptr[0] != '0');
    for (size_t i = 0; is_number && i < value->text.len; i++) {
        is_number = value->text.ptr[i] >= '0' && value->text.ptr[i] <= '9';
        number = number * 10 + (value->text.ptr[i] - '0');
    }
    if (is_number && number >= setting->minimum && number <= setting->maximum) {
        *rely_config_number(binding->fields, setting) = number;
        return;
    }
    char quoted[RELY_QUOTED_SIZE];
    rely_yaml_complain(binding->complaints, value, "%s: expected a number%s%s from %lld to %lld, found %s",
                       binding->name, setting->unit[0] == '\0' ? "" : " of ", setting->unit,
                       (long long)setting->minimum, (long long)setting->maximum, rely_yaml_show(value, quoted));
}

static void bind_flag(struct binding *binding, const struct setting *setting, const struct rely_yaml_node *value)
{
    bool is_word = value->kind == RELY_YAML_SCALAR && value->is_plain;
    bool is_true = is_word && rely_slice_equal(value->text, RELY_LIT("true"));
    if (is_true || (is_word && rely_slice_equal(value->text, RELY_LIT("false")))) {
        *rely_config_flag(binding->fields, setting) = is_true;
        return;
    }
    char quoted[RELY_QUOTED_SIZE];
    rely_yaml_complain(binding->complaints, value, "%s: expected true or false, found %s", binding->name,
                       rely_yaml_show(value, quoted));
}

static void bind_choice(struct binding *binding, const struct setting *setting, const struct rely_yaml_node *value)
{
    int index = value->kind == RELY_YAML_SCALAR ? rely_config_word_index(setting->unit, value->text) : -1;
    if (index >= 0) {
        *rely_config_choice(binding->fields, setting) = index;
        return;
    }
    char quoted[RELY_QUOTED_SIZE];
    rely_yaml_complain(binding->complaints, value, "%s: expected one of %s, found %s", binding->name, setting->unit,
                       rely_yaml_show(value, quoted));
}

/* One text of a text setting (item < 0) or of a list: owned by the caller, NULL after a complaint. */
static char *take_text(struct binding *binding, const struct setting *setting, int item,
                       const struct rely_yaml_node *value)
{
    char key[KEY_SIZE];
    if (item < 0)
        snprintf(key, sizeof(key), "%s", binding->name);
    else
        snprintf(key, sizeof(key), "%.80s[%d]", binding->name, item);
    size_t max_bytes = item < 0 ? (size_t)setting->maximum : 1024;
    char quoted[RELY_QUOTED_SIZE];
    if (value->kind != RELY_YAML_SCALAR || rely_yaml_is_null(value))
        rely_yaml_complain(binding->complaints, value, "%s: expected a text (\"\" for none), found %s", key,
                           rely_yaml_show(value, quoted));
    else if (value->text.len > max_bytes)
        rely_yaml_complain(binding->complaints, value, "%s: expected at most %zu bytes, found %zu", key, max_bytes,
                           value->text.len);
    else if (rely_text_has_control(value->text))
        rely_yaml_complain(binding->complaints, value, "%s: expected a text without control characters, found %s", key,
                           rely_quote(value->text, quoted));
    else
        return rely_strdup_slice(value->text);
    return NULL;
}

static void bind_text(struct binding *binding, const struct setting *setting, const struct rely_yaml_node *value)
{
    char *text = take_text(binding, setting, -1, value);
    if (text == NULL)
        return;
    char **field = rely_config_text(binding->fields, setting);
    free(*field);
    *field = text;
}

static void bind_list(struct binding *binding, const struct setting *setting, const struct rely_yaml_node *value)
{
    char quoted[RELY_QUOTED_SIZE];
    if (value->kind != RELY_YAML_SEQUENCE) {
        rely_yaml_complain(binding->complaints, value, "%s: expected a list (- item, one a line), found %s",
                           binding->name, rely_yaml_show(value, quoted));
        return;
    }
    struct rely_text_list *list = rely_config_list(binding->fields, setting);
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct rely_text_list){rely_alloc((size_t)setting->maximum * sizeof(char *)), 0};
    int position = 0;
    for (const struct rely_yaml_node *item = value->first; item != NULL; item = item->next, position++) {
        if (position == setting->maximum) {
            rely_yaml_complain(binding->complaints, item, "%s: expected at most %lld items, found more", binding->name,
                               (long long)setting->maximum);
            return;
        }
        char *text = take_text(binding, setting, position, item);
        if (text != NULL)
            list->items[list->count++] = text;
    }
}

static void bind_listener_list(struct binding *binding, const struct setting *setting,
                               const struct rely_yaml_node *value);

static void bind_value(struct binding *binding, size_t index, const struct rely_yaml_node *value)
{
    const struct setting *setting = &binding->table->settings[index];
    const struct rely_yaml_node *before = binding->at[index];
    snprintf(binding->name, sizeof binding->name, "%s%s", binding->prefix, setting->key);
    if (before != NULL) {
        rely_yaml_complain(binding->complaints, value->key, "%s: set twice, before in line %zu: leave one",
                           binding->name, before->key->line);
        return;
    }
    binding->at[index] = value;
    switch (setting->kind) {
    case KIND_INT:
        bind_number(binding, setting, value);
        break;
    case KIND_BOOL:
        bind_flag(binding, setting, value);
        break;
    case KIND_TEXT:
        bind_text(binding, setting, value);
        break;
    case KIND_LIST:
        bind_list(binding, setting, value);
        break;
    case KIND_ENUM:
        bind_choice(binding, setting, value);
        break;
    case KIND_LISTENERS:
        bind_listener_list(binding, setting, value);
        break;
    }
}

/* --- keys ----------------------------------------------------------------------------------------- */

static bool find_setting(const struct setting_table *table, struct rely_slice group, struct rely_slice key,
                         size_t *index)
{
    for (size_t i = 0; i < table->count; i++)
        if (rely_slice_equal(rely_config_group(&table->settings[i]), group) &&
            rely_slice_equal(rely_config_leaf(&table->settings[i]), key)) {
            *index = i;
            return true;
        }
    return false;
}

/* The place of a group's first setting. */
static bool find_group(const struct setting_table *table, struct rely_slice name, size_t *index)
{
    for (size_t i = 0; name.len > 0 && i < table->count; i++)
        if (rely_slice_equal(rely_config_group(&table->settings[i]), name)) {
            *index = i;
            return true;
        }
    return false;
}

/* A key of an earlier version counts as today's, and is said to be old: also where its value is refused, since the
 * complaint has today's key. */
static bool bind_old_name(struct binding *binding, struct rely_slice group, const struct rely_yaml_node *value)
{
    char name[KEY_SIZE];
    enum setting_index found;
    size_t complaints = binding->complaints->count;
    snprintf(name, sizeof(name), "%.*s.%.*s", RELY_ARG(group), RELY_ARG(value->key->text));
    if (binding->table != &rely_config_table || !rely_config_find_old(rely_slice_of(name), &found))
        return false;
    const char *key = rely_config_settings[found].key;
    bind_value(binding, found, value);
    if (binding->complaints->count > complaints)
        rely_yaml_complain(binding->complaints, value->key, "%s: is the old name of %s: write that", name, key);
    else
        rely_config_add_note(binding->config, value->key, "old_setting", "%s is an old name: write %s", name, key);
    return true;
}

static void refuse_key(struct binding *binding, struct rely_slice group, const struct rely_yaml_node *key)
{
    char shown[KEY_SIZE];
    char suggestion[KEY_SIZE + 32];
    show_key(binding->prefix, group, key->text, shown);
    rely_config_suggest(binding->table, group, key->text, suggestion, sizeof(suggestion));
    for (size_t i = 0; i < binding->table->count; i++) {
        const char *known = binding->table->settings[i].key;
        if (group.len == 0 && strchr(known, '.') != NULL && rely_slice_equal(rely_slice_of(known), key->text)) {
            struct rely_slice own_group = rely_config_group(&binding->table->settings[i]);
            snprintf(suggestion, sizeof(suggestion), ", write %.*s: and under it, indented, %s:", RELY_ARG(own_group),
                     known + own_group.len + 1);
        }
    }
    rely_yaml_complain(binding->complaints, key, "%s: unknown key%s", shown, suggestion);
}

static void bind_group(struct binding *binding, struct rely_slice group, const struct rely_yaml_node *mapping)
{
    for (const struct rely_yaml_node *value = mapping->first; value != NULL; value = value->next) {
        size_t index;
        if (binding->complaints->count > RELY_COMPLAINTS_MAX)
            return;
        if (find_setting(binding->table, group, value->key->text, &index))
            bind_value(binding, index, value);
        else if (!bind_old_name(binding, group, value))
            refuse_key(binding, group, value->key);
    }
}

static void bind_top(struct binding *binding, const struct rely_yaml_node *value)
{
    size_t index;
    char quoted[RELY_QUOTED_SIZE];
    struct rely_slice key = value->key->text;
    struct rely_slice no_group = {NULL, 0};
    if (find_setting(binding->table, no_group, key, &index)) {
        bind_value(binding, index, value);
        return;
    }
    if (!find_group(binding->table, key, &index)) {
        refuse_key(binding, no_group, value->key);
        return;
    }
    if (binding->groups[index] != NULL)
        rely_yaml_complain(binding->complaints, value->key, "%s%.*s: set twice, before in line %zu: join the two",
                           binding->prefix, RELY_ARG(key), binding->groups[index]->key->line);
    else if (value->kind != RELY_YAML_MAPPING)
        rely_yaml_complain(binding->complaints, value, "%s%.*s: expected settings under it, indented, found %s",
                           binding->prefix, RELY_ARG(key), rely_yaml_show(value, quoted));
    else
        bind_group(binding, key, value);
    binding->groups[index] = value;
}

static void bind_all(struct binding *binding, const struct rely_yaml_node *mapping)
{
    for (const struct rely_yaml_node *value = mapping->first; value != NULL; value = value->next) {
        if (binding->complaints->count > RELY_COMPLAINTS_MAX)
            return;
        bind_top(binding, value);
    }
}

/* --- listeners ------------------------------------------------------------------------------------ */

static void bind_listener_item(struct binding *binding, size_t item, struct rely_listener_config *listener,
                               const struct rely_yaml_node *value)
{
    char prefix[KEY_SIZE], quoted[RELY_QUOTED_SIZE];
    const struct rely_yaml_node *groups[LISTENER_SETTING_COUNT] = {NULL};
    snprintf(prefix, sizeof prefix, "listeners[%zu].", item);
    struct binding inner = {.table = &rely_config_listener_table,
                            .fields = listener,
                            .prefix = prefix,
                            .at = binding->bound->of_listeners[item],
                            .groups = groups,
                            .config = binding->config,
                            .bound = binding->bound,
                            .complaints = binding->complaints};
    rely_config_set_defaults(listener, &rely_config_listener_table);
    if (value->kind != RELY_YAML_MAPPING)
        rely_yaml_complain(binding->complaints, value, "listeners[%zu]: expected settings (address: ...), found %s",
                           item, rely_yaml_show(value, quoted));
    else
        bind_all(&inner, value);
}

static void bind_listener_list(struct binding *binding, const struct setting *setting,
                               const struct rely_yaml_node *value)
{
    char quoted[RELY_QUOTED_SIZE];
    struct rely_listener_list *list = rely_config_listeners(binding->fields, setting);
    if (value->kind != RELY_YAML_SEQUENCE) {
        rely_yaml_complain(binding->complaints, value, "%s: expected a list (- address: ..., one a listener), found %s",
                           setting->key, rely_yaml_show(value, quoted));
        return;
    }
    list->items = rely_alloc(LISTENERS_MAX * sizeof *list->items);
    for (const struct rely_yaml_node *item = value->first; item != NULL; item = item->next) {
        if (list->count == LISTENERS_MAX) {
            rely_yaml_complain(binding->complaints, item, "%s: expected at most %d items, found more", setting->key,
                               LISTENERS_MAX);
            return;
        }
        bind_listener_item(binding, list->count, &list->items[list->count], item);
        list->count++;
    }
}

void rely_config_bind(struct rely_config *config, const struct rely_yaml_node *root, struct bound *bound,
                      struct rely_complaints *complaints)
{
    const struct rely_yaml_node *groups[SETTING_COUNT] = {NULL};
    struct binding binding = {.table = &rely_config_table,
                              .fields = config,
                              .prefix = "",
                              .at = bound->at,
                              .groups = groups,
                              .config = config,
                              .bound = bound,
                              .complaints = complaints};
    /* A file with comments only is one empty document in some spellings ("---"). */
    if (root == NULL || (root->kind == RELY_YAML_SCALAR && root->is_plain && root->text.len == 0))
        return;
    if (root->kind != RELY_YAML_MAPPING) {
        char quoted[RELY_QUOTED_SIZE];
        rely_yaml_complain(complaints, root, "expected settings (key: value), found %s", rely_yaml_show(root, quoted));
        return;
    }
    bind_all(&binding, root);
}
