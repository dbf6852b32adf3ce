/*
 * Texts with values in them: `repo:{owner}/{repository}`. A value stands in a text of a JSON tree, never in YAML or in JSON's
 * own text, and is not looked at again. Decides nothing about values. Called when presets are read and filled.
 */
#include "policy.h"

static bool is_small_or_digit(char c, bool is_first)
{
    return (c >= 'a' && c <= 'z') || (!is_first && ((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')));
}

bool rely_template_is_name(struct rely_slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!is_small_or_digit(name.ptr[i], i == 0))
            return false;
    return name.len >= 1 && name.len < RELY_TEMPLATE_NAME_SIZE;
}

/* Braces may stand for themselves: a Bitbucket subject has them. */
bool rely_template_next(struct rely_slice text, size_t *at, char name[RELY_TEMPLATE_NAME_SIZE])
{
    for (size_t i = *at; i < text.len; i++) {
        if (text.ptr[i] != '{')
            continue;
        const char *close = memchr(text.ptr + i, '}', text.len - i);
        if (close == NULL)
            return false;
        struct rely_slice found = rely_slice(text.ptr + i + 1, (size_t)(close - text.ptr) - i - 1);
        if (!rely_template_is_name(found))
            continue;
        memcpy(name, found.ptr, found.len);
        name[found.len] = '\0';
        *at = i + found.len + 2;
        return true;
    }
    return false;
}

static struct rely_json *fill_text(struct rely_slice text, const struct rely_json *values)
{
    struct rely_buf out = {0};
    char name[RELY_TEMPLATE_NAME_SIZE];
    size_t done = 0;
    for (size_t at = 0; rely_template_next(text, &at, name);) {
        const struct rely_json *value = rely_json_get(values, name);
        if (rely_json_type(value) != RELY_JSON_STRING)
            continue;
        rely_buf_put(&out, rely_slice(text.ptr + done, at - strlen(name) - 2 - done));
        rely_buf_put(&out, rely_json_text(value));
        done = at;
    }
    rely_buf_put(&out, rely_slice(text.ptr + done, text.len - done));
    struct rely_json *filled = rely_json_of_text(rely_buf_slice(&out));
    rely_buf_fini(&out);
    return filled;
}

/* As deep as the reader of YAML lets it be. */
struct rely_json *rely_template_fill(const struct rely_json *value, const struct rely_json *values)
{
    if (rely_json_type(value) == RELY_JSON_STRING)
        return fill_text(rely_json_text(value), values);
    if (rely_json_type(value) == RELY_JSON_ARRAY) {
        struct rely_json *list = rely_json_array();
        for (size_t i = 0; i < rely_json_size(value); i++)
            rely_json_append(list, rely_template_fill(rely_json_at(value, i), values));
        return list;
    }
    if (rely_json_type(value) == RELY_JSON_OBJECT) {
        struct rely_json *object = rely_json_object();
        for (const char *name = rely_json_next_name(value, NULL); name != NULL; name = rely_json_next_name(value, name))
            rely_json_set(object, name, rely_template_fill(rely_json_get(value, name), values));
        return object;
    }
    return rely_json_type(value) == RELY_JSON_INTEGER ? rely_json_of_integer(rely_json_integer(value))
                                                      : rely_json_of_bool(rely_json_true(value));
}
