/*
 * Writes the configuration as YAML that relyd reads back to the same values, and docs/settings.md. Decides nothing: all
 * text comes from settings.def. Called by main.c (--print-config, --print-docs) and the tests.
 */
#include "relyd/config.h"

#include "setting.h"

/* --- one setting in words ------------------------------------------------------------------------- */

static void put_quoted(struct rely_buf *out, const char *text)
{
    rely_buf_put_json(out, rely_slice_of(text));
}

static void put_default(struct rely_buf *out, const struct setting *setting)
{
    switch (setting->kind) {
    case KIND_INT:
        rely_buf_printf(out, "%lld", (long long)setting->default_number);
        break;
    case KIND_BOOL:
        rely_buf_printf(out, "%s", setting->default_number != 0 ? "true" : "false");
        break;
    case KIND_TEXT:
        put_quoted(out, setting->default_text);
        break;
    case KIND_LIST:
        rely_buf_putc(out, '[');
        if (setting->default_text[0] != '\0')
            put_quoted(out, setting->default_text);
        rely_buf_putc(out, ']');
        break;
    case KIND_ENUM:
        rely_buf_printf(out, "%s", setting->default_text);
        break;
    case KIND_LISTENERS:
        rely_buf_put(out, RELY_LIT("[]"));
        break;
    }
}

static void put_words(struct rely_buf *out, const struct setting *setting)
{
    struct rely_slice word;
    for (int i = 0; rely_config_word(setting->unit, i, &word); i++)
        rely_buf_printf(out, "%s%.*s", i == 0 ? "" : ", ", RELY_ARG(word));
}

/* What is allowed: "ms, 0 to 10000". */
static void put_allowed(struct rely_buf *out, const struct setting *setting)
{
    switch (setting->kind) {
    case KIND_INT:
        rely_buf_printf(out, "%s%s%lld to %lld", setting->unit, setting->unit[0] == '\0' ? "" : ", ",
                        (long long)setting->minimum, (long long)setting->maximum);
        break;
    case KIND_BOOL:
        rely_buf_printf(out, "true or false");
        break;
    case KIND_TEXT:
        rely_buf_printf(out, "text, at most %lld bytes", (long long)setting->maximum);
        break;
    case KIND_LIST:
        rely_buf_printf(out, "list of texts, at most %lld", (long long)setting->maximum);
        break;
    case KIND_ENUM:
        put_words(out, setting);
        break;
    case KIND_LISTENERS:
        rely_buf_printf(out, "list of listeners, at most %lld", (long long)setting->maximum);
        break;
    }
}

/* --- as YAML -------------------------------------------------------------------------------------- */

static void put_list(struct rely_buf *out, const struct rely_text_list *list)
{
    rely_buf_putc(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            rely_buf_put(out, RELY_LIT(", "));
        put_quoted(out, list->items[i]);
    }
    rely_buf_putc(out, ']');
}

/* The word that a setting of a closed list has. */
static struct rely_slice find_chosen_word(void *fields, const struct setting *setting)
{
    struct rely_slice word = {NULL, 0};
    bool is_word = rely_config_word(setting->unit, *rely_config_choice(fields, setting), &word);
    RELY_ASSERT(is_word);
    return word;
}

static void put_value(struct rely_buf *out, void *fields, const struct setting *setting);

/* One setting a line; those in a group of their own one step further in. */
static void put_listener(struct rely_buf *out, struct rely_listener_config *listener)
{
    struct rely_slice group = {NULL, 0};
    for (size_t i = 0; i < rely_config_listener_table.count; i++) {
        const struct setting *setting = &rely_config_listener_table.settings[i];
        struct rely_slice own_group = rely_config_group(setting), leaf = rely_config_leaf(setting);
        if (own_group.len > 0 && !rely_slice_equal(own_group, group))
            rely_buf_printf(out, "\n    %.*s:", RELY_ARG(own_group));
        group = own_group;
        rely_buf_printf(out, "\n  %s%s%.*s: ", i == 0 ? "- " : "  ", own_group.len > 0 ? "  " : "", RELY_ARG(leaf));
        put_value(out, listener, setting);
    }
}

static void put_listeners(struct rely_buf *out, const struct rely_listener_list *list)
{
    if (list->count == 0)
        rely_buf_put(out, RELY_LIT("[]"));
    for (size_t i = 0; i < list->count; i++)
        put_listener(out, &list->items[i]);
}

static void put_value(struct rely_buf *out, void *fields, const struct setting *setting)
{
    switch (setting->kind) {
    case KIND_INT:
        rely_buf_printf(out, "%lld", (long long)*rely_config_number(fields, setting));
        break;
    case KIND_BOOL:
        rely_buf_printf(out, "%s", *rely_config_flag(fields, setting) ? "true" : "false");
        break;
    case KIND_TEXT:
        put_quoted(out, *rely_config_text(fields, setting));
        break;
    case KIND_LIST:
        put_list(out, rely_config_list(fields, setting));
        break;
    case KIND_ENUM:
        rely_buf_put(out, find_chosen_word(fields, setting));
        break;
    case KIND_LISTENERS:
        put_listeners(out, rely_config_listeners(fields, setting));
        break;
    }
}

static void put_setting(struct rely_buf *out, struct rely_config *config, const struct setting *setting)
{
    struct rely_slice group = rely_config_group(setting);
    const char *indent = group.len == 0 ? "" : "  ";
    rely_buf_printf(out, "%s# %s\n%s# Allowed: ", indent, setting->sentence, indent);
    put_allowed(out, setting);
    rely_buf_put(out, RELY_LIT(". Default: "));
    put_default(out, setting);
    rely_buf_printf(out, ".\n%s%.*s:", indent, RELY_ARG(rely_config_leaf(setting)));
    if (setting->kind != KIND_LISTENERS || rely_config_listeners(config, setting)->count == 0)
        rely_buf_putc(out, ' '); /* else its value begins in the next line */
    put_value(out, config, setting);
    rely_buf_putc(out, '\n');
}

void rely_config_print(const struct rely_config *config, struct rely_buf *out)
{
    struct rely_slice group = {NULL, 0};
    /* The accessors serve the binder too and so take a config that may be changed; nothing is changed here. */
    struct rely_config copy = *config;
    rely_buf_put(out,
                 RELY_LIT("# relyd's configuration: every setting. A setting that is left out has its default.\n"));
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &rely_config_settings[i];
        struct rely_slice own_group = rely_config_group(setting);
        rely_buf_putc(out, '\n');
        if (own_group.len > 0 && !rely_slice_equal(own_group, group))
            rely_buf_printf(out, "%.*s:\n", RELY_ARG(own_group));
        group = own_group;
        put_setting(out, &copy, setting);
    }
}

/* --- for other pages ------------------------------------------------------------------------------ */

void rely_config_describe(const char *key, struct rely_buf *out)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const struct setting *setting = &rely_config_settings[i];
        if (strcmp(setting->key, key) != 0)
            continue;
        rely_buf_printf(out, "`%s` (", key);
        put_default(out, setting);
        rely_buf_put(out, RELY_LIT(" by default; "));
        put_allowed(out, setting);
        rely_buf_putc(out, ')');
        return;
    }
    RELY_ASSERT(false); /* shapes.def names a setting that is not there */
}

/* --- docs/settings.md ----------------------------------------------------------------------------- */

static void put_rows(struct rely_buf *out, const struct setting_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct setting *setting = &table->settings[i];
        rely_buf_printf(out, "| `%s` | ", setting->key);
        put_allowed(out, setting);
        rely_buf_put(out, RELY_LIT(" | `"));
        put_default(out, setting);
        bool is_reloaded = table == &rely_config_table && rely_config_is_reloaded(i);
        rely_buf_printf(out, "` | %s%s |\n", setting->sentence, is_reloaded ? " *Reloaded.*" : "");
    }
}

void rely_config_print_docs(struct rely_buf *out)
{
    rely_buf_put(
        out,
        RELY_LIT("# Settings\n\n"
                 "Generated by `relyd --print-docs settings` from `include/relyd/settings.def`.\n\n"
                 "relyd reads one YAML file (`--config FILE`). A key with a dot is nested:\n"
                 "`token.max_bytes` is `token:` with `max_bytes:` under it. Numbers are plain numbers in\n"
                 "the unit named. Unknown and repeated keys, anchors, aliases and tags are refused, with\n"
                 "file, line and column. `relyd --check-config` shows every complaint;\n"
                 "`relyd --print-config` shows what is in force, and `conf/relyd.yaml` every default.\n\n"
                 "The file is read again when it changes, and on SIGHUP: settings that are *reloaded* are taken up,\n"
                 "others are named in the log and wait for a restart.\n\n"
                 "| setting | allowed | default | meaning |\n| --- | --- | --- | --- |\n"));
    put_rows(out, &rely_config_table);
    rely_buf_put(out, RELY_LIT("\n## One of `listeners`\n\n"
                               "| setting | allowed | default | meaning |\n| --- | --- | --- | --- |\n"));
    put_rows(out, &rely_config_listener_table);
}
