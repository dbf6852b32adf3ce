/*
 * Records as JSON, and whether two are the same, by the table of fields. Decides nothing. Called by registry/ and, for
 * what is written, by the change log.
 */
#include "kind.h"
#include "relyd/compose.h"
#include "relyd/patch.h"

struct rely_json *rely_texts_show(const struct rely_texts *texts)
{
    struct rely_json *list = rely_json_array();
    for (size_t i = 0; i < texts->count; i++)
        rely_json_append(list, rely_json_of_text(texts->items[i]));
    return list;
}

static struct rely_json *show_map(const struct rely_field *field, const struct rely_text_map *map)
{
    bool is_single = (field->flags & RELY_FIELD_SINGLE) != 0;
    if (is_single && map->count == 0)
        return NULL;
    struct rely_json *object = rely_json_object();
    for (size_t i = 0; i < map->count; i++) {
        char key[RELY_MAP_KEY_SIZE];
        snprintf(key, sizeof key, "%.*s", RELY_ARG(map->items[i].key));
        const struct rely_texts *values = &map->items[i].values;
        rely_json_set(object, key, is_single ? rely_json_of_text(values->items[0]) : rely_texts_show(values));
    }
    return object;
}

static struct rely_json *show_text(const struct rely_field *field, struct rely_slice text)
{
    if (text.ptr != NULL)
        return rely_json_of_text(text);
    return (field->flags & RELY_FIELD_SHOWN_NULL) != 0 ? rely_json_of_null() : NULL;
}

static struct rely_json *show_time(int64_t at_s)
{
    char text[RELY_TIME_SIZE];
    rely_time_print(at_s, text);
    return rely_json_of_text(rely_slice_of(text));
}

struct rely_json *rely_field_show(const struct rely_kind *kind, const struct rely_field *field, const void *record)
{
    const void *at = rely_field_in(field, record);
    switch (field->type) {
    case RELY_FIELD_NAME:
    case RELY_FIELD_UUID:
    case RELY_FIELD_TEXT:
        return show_text(field, *(const struct rely_slice *)at);
    case RELY_FIELD_BOOL:
        return rely_json_of_bool(*(const bool *)at);
    case RELY_FIELD_INTEGER:
        if (*(const int64_t *)at == 0 && (field->flags & RELY_FIELD_ZERO_IS_NONE) != 0)
            return NULL;
        return rely_json_of_integer(*(const int64_t *)at);
    case RELY_FIELD_WORD:
        return *(const int64_t *)at == 0 ? NULL : rely_json_of_text(rely_word_at(field->words, *(const int64_t *)at));
    case RELY_FIELD_MOMENT:
        return *(const int64_t *)at == 0 ? NULL : show_time(*(const int64_t *)at);
    case RELY_FIELD_TIME:
        return show_time(*(const int64_t *)at);
    case RELY_FIELD_LIST:
        return rely_texts_show(at);
    case RELY_FIELD_MAP:
        return show_map(field, at);
    case RELY_FIELD_BITS:
    case RELY_FIELD_OWN:
        return kind->show_own(field, record);
    }
    return NULL;
}

static struct rely_json *show_without(const struct rely_kind *kind, const void *record, unsigned flags)
{
    struct rely_json *object = rely_json_object();
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct rely_field *field = &kind->fields[i];
        if (field->json[0] == '\0' || (field->flags & (RELY_FIELD_WRITE_ONLY | RELY_FIELD_IN_ANSWERS | flags)) != 0 ||
            (kind->shows != NULL && !kind->shows(field, record)))
            continue;
        struct rely_json *value = rely_field_show(kind, field, record);
        if (value != NULL) {
            rely_json_set(object, field->json, value);
        } else if (field->type == RELY_FIELD_OWN) {
            rely_json_free(object);
            return NULL;
        }
    }
    return object;
}

struct rely_json *rely_record_show(const struct rely_kind *kind, const void *record)
{
    return show_without(kind, record, 0);
}

struct rely_json *rely_record_show_logged(const struct rely_kind *kind, const void *record)
{
    return show_without(kind, record, RELY_FIELD_LINKS);
}

/* --- the same? ------------------------------------------------------------------------------------------ */

bool rely_texts_same(const struct rely_texts *a, const struct rely_texts *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!rely_slice_equal(a->items[i], b->items[i]))
            return false;
    return true;
}

static bool are_same_maps(const struct rely_text_map *a, const struct rely_text_map *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (!rely_slice_equal(a->items[i].key, b->items[i].key) ||
            !rely_texts_same(&a->items[i].values, &b->items[i].values))
            return false;
    return true;
}

bool rely_field_equal(const struct rely_field *field, const void *a, const void *b)
{
    const void *left = rely_field_in(field, a), *right = rely_field_in(field, b);
    switch (field->type) {
    case RELY_FIELD_NAME:
    case RELY_FIELD_UUID:
    case RELY_FIELD_TEXT:
        return rely_slice_same(*(const struct rely_slice *)left, *(const struct rely_slice *)right);
    case RELY_FIELD_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case RELY_FIELD_INTEGER:
    case RELY_FIELD_BITS:
    case RELY_FIELD_WORD:
    case RELY_FIELD_TIME:
    case RELY_FIELD_MOMENT:
        return *(const int64_t *)left == *(const int64_t *)right;
    case RELY_FIELD_LIST:
        return rely_texts_same(left, right);
    case RELY_FIELD_MAP:
        return are_same_maps(left, right);
    case RELY_FIELD_OWN:
        return true;
    }
    return false;
}

static bool is_volatile(const struct rely_field *field)
{
    return field->type == RELY_FIELD_TIME || (field->flags & RELY_FIELD_VOLATILE) != 0;
}

bool rely_record_equal(const struct rely_kind *kind, const void *a, const void *b, enum rely_compared compared)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct rely_field *field = &kind->fields[i];
        bool counts = compared == RELY_WITH_VOLATILE || !is_volatile(field);
        if (counts && !rely_field_equal(field, a, b))
            return false;
    }
    return true;
}
