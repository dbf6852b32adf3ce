/*
 * The life of a configuration: defaults, reading a file over them, freeing. Which values are right is decided by bind.c
 * (types, bounds) and check.c (meaning). Called by main.c and the tests.
 */
#include "relyd/config.h"
#include "relyd/pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "setting.h"

#define FILE_BYTES_MAX ((size_t)1 << 20)

static void set_default(void *fields, const struct setting *setting)
{
    struct rely_text_list *list;
    switch (setting->kind) {
    case KIND_INT:
        *rely_config_number(fields, setting) = setting->default_number;
        break;
    case KIND_BOOL:
        *rely_config_flag(fields, setting) = setting->default_number != 0;
        break;
    case KIND_TEXT:
        *rely_config_text(fields, setting) = rely_strdup_slice(rely_slice_of(setting->default_text));
        break;
    case KIND_LIST:
        list = rely_config_list(fields, setting);
        list->items = rely_alloc((size_t)setting->maximum * sizeof(char *));
        if (setting->default_text[0] != '\0')
            list->items[list->count++] = rely_strdup_slice(rely_slice_of(setting->default_text));
        break;
    case KIND_ENUM:
        *rely_config_choice(fields, setting) =
            rely_config_word_index(setting->unit, rely_slice_of(setting->default_text));
        break;
    case KIND_LISTENERS:
        *rely_config_listeners(fields, setting) = (struct rely_listener_list){NULL, 0};
        break;
    }
}

void rely_config_set_defaults(void *fields, const struct setting_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        set_default(fields, &table->settings[i]);
}

void rely_config_init(struct rely_config *config)
{
    memset(config, 0, sizeof(*config));
    rely_config_set_defaults(config, &rely_config_table);
}

void rely_config_add_note(struct rely_config *config, const struct rely_yaml_node *where, const char *event,
                          const char *format, ...)
{
    struct rely_config_notes *notes = &config->notes;
    char sentence[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(sentence, sizeof(sentence), format, list);
    va_end(list);
    notes->items = rely_realloc(notes->items, (notes->count + 1) * sizeof(*notes->items));
    notes->items[notes->count++] = (struct rely_config_note){.event = event,
                                                             .sentence = rely_strdup_slice(rely_slice_of(sentence)),
                                                             .line = where == NULL ? 0 : where->line,
                                                             .column = where == NULL ? 0 : where->column};
}

static void free_list(struct rely_text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
}

void rely_config_free_fields(void *fields, const struct setting_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct setting *setting = &table->settings[i];
        if (setting->kind == KIND_TEXT)
            free(*rely_config_text(fields, setting));
        if (setting->kind == KIND_LIST)
            free_list(rely_config_list(fields, setting));
        if (setting->kind == KIND_LISTENERS)
            rely_listeners_fini(rely_config_listeners(fields, setting));
    }
}

void rely_config_fini(struct rely_config *config)
{
    rely_config_free_fields(config, &rely_config_table);
    for (size_t i = 0; i < config->notes.count; i++)
        free(config->notes.items[i].sentence);
    free(config->notes.items);
    memset(config, 0, sizeof(*config));
}

bool rely_config_parse(struct rely_config *config, const char *name, struct rely_slice text,
                       struct rely_buf *complaints_out)
{
    struct rely_complaints complaints = {.name = name, .out = complaints_out};
    if (text.len > FILE_BYTES_MAX) {
        rely_yaml_complain(&complaints, NULL, "expected at most %zu bytes, found more", FILE_BYTES_MAX);
        return false;
    }
    struct rely_pool pool;
    rely_pool_init(&pool);
    struct rely_yaml_node *root = NULL;
    struct bound bound = {{NULL}, {{NULL}}};
    if (rely_yaml_read(text, &pool, &root, &complaints)) {
        rely_config_bind(config, root, &bound, &complaints);
        /* Rules between settings would judge what is not there: only after every value was read. */
        if (complaints.count == 0)
            rely_config_check(config, &bound, &complaints);
    }
    rely_pool_fini(&pool);
    return complaints.count == 0;
}

bool rely_config_load(struct rely_config *config, const char *path, struct rely_buf *complaints_out)
{
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        rely_buf_printf(complaints_out, "%s: cannot be opened: %s\n", path, strerror(errno));
        return false;
    }
    char *text = rely_alloc(FILE_BYTES_MAX + 1);
    size_t len = fread(text, 1, FILE_BYTES_MAX + 1, file);
    int failure = ferror(file) == 0 ? 0 : errno;
    fclose(file);
    bool is_good = false;
    if (failure != 0)
        rely_buf_printf(complaints_out, "%s: cannot be read: %s\n", path, strerror(failure));
    else
        is_good = rely_config_parse(config, path, rely_slice(text, len), complaints_out);
    free(text);
    return is_good;
}
