/*
 * A file of policy/ as JSON, which is what objects are read from, and where in the file a member of it stands. Refuses what JSON
 * cannot say, and members that no shape has. Knows no preset. Called by preset.c and judge.c.
 */
#include "policy.h"
#include "relyd/limits.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX ((size_t)64 * 1024)
#define DIGITS_MAX 15

/* --- from YAML ------------------------------------------------------------------------------------------------ */

/* `12`, not `012` and not `1.5`: those are texts. */
static bool read_plain_number(struct rely_slice text, int64_t *out)
{
    size_t first = text.len > 0 && text.ptr[0] == '-' ? 1 : 0, digits = text.len - first;
    if (digits < 1 || digits > DIGITS_MAX || (digits > 1 && text.ptr[first] == '0'))
        return false;
    int64_t number = 0;
    for (size_t i = first; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        number = number * 10 + (text.ptr[i] - '0');
    }
    *out = first == 1 ? -number : number;
    return true;
}

static struct rely_json *convert_scalar(struct rely_policy_file *file, const struct rely_yaml_node *node)
{
    int64_t number;
    if (rely_yaml_is_null(node))
        rely_yaml_complain(&file->complaints, node, "a value is missing here (\"\" for an empty text)");
    else if (node->is_plain && rely_slice_equal(node->text, RELY_LIT("true")))
        return rely_json_of_bool(true);
    else if (node->is_plain && rely_slice_equal(node->text, RELY_LIT("false")))
        return rely_json_of_bool(false);
    else if (node->is_plain && read_plain_number(node->text, &number))
        return rely_json_of_integer(number);
    return rely_json_of_text(node->text);
}

static struct rely_json *convert(struct rely_policy_file *file, const struct rely_yaml_node *node);

static struct rely_json *convert_mapping(struct rely_policy_file *file, const struct rely_yaml_node *node)
{
    struct rely_json *object = rely_json_object();
    char quoted[RELY_QUOTED_SIZE];
    for (const struct rely_yaml_node *value = node->first; value != NULL; value = value->next) {
        const struct rely_yaml_node *key = value->key;
        if (key->text.len == 0 || rely_text_has_control(key->text))
            rely_yaml_complain(&file->complaints, key, "%s is no key", rely_quote(key->text, quoted));
        else if (rely_json_get(object, key->text.ptr) != NULL)
            rely_yaml_complain(&file->complaints, key, "%s stands here twice", rely_quote(key->text, quoted));
        else
            rely_json_set(object, key->text.ptr, convert(file, value));
    }
    return object;
}

/* As deep as the reader of YAML lets it be. */
static struct rely_json *convert(struct rely_policy_file *file, const struct rely_yaml_node *node)
{
    if (node->kind == RELY_YAML_SCALAR)
        return convert_scalar(file, node);
    if (node->kind == RELY_YAML_MAPPING)
        return convert_mapping(file, node);
    struct rely_json *list = rely_json_array();
    for (const struct rely_yaml_node *item = node->first; item != NULL; item = item->next)
        rely_json_append(list, convert(file, item));
    return list;
}

bool rely_policy_open(struct rely_policy_file *file, struct rely_slice text)
{
    struct rely_yaml_node *root = NULL;
    rely_pool_init(&file->pool);
    if (text.len > FILE_BYTES_MAX) {
        rely_yaml_complain(&file->complaints, NULL, "expected at most %zu bytes, found more", FILE_BYTES_MAX);
        return false;
    }
    if (!rely_yaml_read(text, &file->pool, &root, &file->complaints))
        return false;
    file->root = root;
    if (root == NULL || root->kind != RELY_YAML_MAPPING) {
        char quoted[RELY_QUOTED_SIZE];
        rely_yaml_complain(&file->complaints, root, "expected a mapping, found %s",
                           root == NULL ? "nothing" : rely_yaml_show(root, quoted));
        return false;
    }
    file->json = convert(file, root);
    return file->complaints.count == 0;
}

void rely_policy_close(struct rely_policy_file *file)
{
    rely_pool_fini(&file->pool);
    rely_json_free(file->json);
}

/* --- where ------------------------------------------------------------------------------------------------------ */

static const struct rely_yaml_node *find_child(const struct rely_yaml_node *node, struct rely_slice step)
{
    const struct rely_yaml_node *child = node->first;
    if (node->kind == RELY_YAML_SEQUENCE)
        for (unsigned long left = strtoul(step.ptr, NULL, 10); child != NULL && left > 0; left--)
            child = child->next;
    while (node->kind == RELY_YAML_MAPPING && child != NULL && !rely_slice_equal(child->key->text, step))
        child = child->next;
    return child;
}

/* The value at "a.b[2].c", or the nearest above it. A key with a dot in it is not found: what is above it then. */
static const struct rely_yaml_node *find_nearest_node(const struct rely_yaml_node *root, const char *path)
{
    const struct rely_yaml_node *node = root;
    for (const char *step = path + strspn(path, ".[]"); *step != '\0';) {
        size_t len = strcspn(step, ".[]");
        const struct rely_yaml_node *child = find_child(node, rely_slice(step, len));
        if (child == NULL)
            return node;
        node = child;
        step += len + strspn(step + len, ".[]");
    }
    return node;
}

void rely_policy_complain(struct rely_policy_file *file, const char *path, const char *format, ...)
{
    char sentence[600];
    va_list values;
    va_start(values, format);
    vsnprintf(sentence, sizeof sentence, format, values);
    va_end(values);
    rely_yaml_complain(&file->complaints, find_nearest_node(file->root, path), "%s%s%s", path,
                       path[0] == '\0' ? "" : ": ", sentence);
}

/* --- shapes ------------------------------------------------------------------------------------------------------- */

static const char *name_type(enum rely_json_type type)
{
    switch (type) {
    case RELY_JSON_STRING:
        return "a text";
    case RELY_JSON_ARRAY:
        return "a list";
    case RELY_JSON_OBJECT:
        return "a mapping";
    case RELY_JSON_INTEGER:
    case RELY_JSON_REAL:
        return "a number";
    case RELY_JSON_BOOL:
        return "true or false";
    case RELY_JSON_ABSENT:
    case RELY_JSON_NULL:
        return "nothing";
    }
    return "nothing";
}

static void check_text(struct rely_policy_file *file, struct rely_slice text, const char *path, size_t most)
{
    size_t count = 0;
    if (!rely_utf8_count(text, &count) || count == 0)
        rely_policy_complain(file, path, "expected a text, found nothing");
    else if (rely_text_has_control(text))
        rely_policy_complain(file, path, "expected a text without control characters");
    else if (count > most)
        rely_policy_complain(file, path, "expected at most %zu characters, found %zu", most, count);
}

static void check_member(struct rely_policy_file *file, const struct rely_json *value, const char *path,
                         const struct rely_policy_member *member)
{
    if (member->type == RELY_JSON_ABSENT)
        return;
    if (rely_json_type(value) != member->type)
        rely_policy_complain(file, path, "expected %s, found %s", name_type(member->type),
                             name_type(rely_json_type(value)));
    else if (member->type == RELY_JSON_STRING)
        check_text(file, rely_json_text(value), path, member->most);
    else if (member->type == RELY_JSON_ARRAY && rely_json_size(value) > member->most)
        rely_policy_complain(file, path, "expected at most %zu items, found %zu", member->most, rely_json_size(value));
}

static const struct rely_policy_member *find_shape_member(const struct rely_policy_shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->count; i++)
        if (strcmp(shape->members[i].name, name) == 0)
            return &shape->members[i];
    return NULL;
}

/* At the key: its value may be on another line. */
static void complain_of_unknown(struct rely_policy_file *file, const char *path, const char *name,
                                const struct rely_policy_shape *shape)
{
    char quoted[RELY_QUOTED_SIZE];
    struct rely_buf known = {0};
    const struct rely_yaml_node *node = find_nearest_node(file->root, path);
    for (size_t i = 0; i < shape->count; i++)
        rely_buf_printf(&known, "%s%s", i == 0 ? "" : ", ", shape->members[i].name);
    rely_yaml_complain(&file->complaints, node->key == NULL ? node : node->key, "%s has no %.80s; it has %s",
                       shape->what, rely_quote(rely_slice_of(name), quoted), known.ptr);
    rely_buf_fini(&known);
}

bool rely_policy_check_shape(struct rely_policy_file *file, const struct rely_json *value, const char *path,
                             const struct rely_policy_shape *shape)
{
    size_t before = file->complaints.count;
    char member_path[RELY_POLICY_PATH_SIZE];
    if (rely_json_type(value) != RELY_JSON_OBJECT) {
        rely_policy_complain(file, path, "expected a mapping, found %s", name_type(rely_json_type(value)));
        return false;
    }
    for (const char *name = rely_json_next_name(value, NULL); name != NULL; name = rely_json_next_name(value, name)) {
        const struct rely_policy_member *member = find_shape_member(shape, name);
        snprintf(member_path, sizeof member_path, "%.80s%s%.40s", path, path[0] == '\0' ? "" : ".", name);
        if (member == NULL)
            complain_of_unknown(file, member_path, name, shape);
        else
            check_member(file, rely_json_get(value, name), member_path, member);
    }
    for (size_t i = 0; i < shape->count; i++)
        if (shape->members[i].is_required && rely_json_get(value, shape->members[i].name) == NULL)
            rely_policy_complain(file, path, "%s needs %s", shape->what, shape->members[i].name);
    return file->complaints.count == before;
}
