/*
 * JSON merge patch of an object, and in which fields two records differ. Decides what a patch cannot take away; whether
 * what comes of it is good, the reader of bodies says as it does for a PUT. Called by whoever changes a part of an
 * object.
 */
#include "relyd/patch.h"
#include "kind.h"
#include "relyd/compose.h"

struct rely_json *rely_merge_patch(const struct rely_json *target, const struct rely_json *patch)
{
    if (rely_json_type(patch) != RELY_JSON_OBJECT)
        return rely_json_share(patch);
    struct rely_json *merged = rely_json_object();
    for (const char *name = rely_json_next_name(target, NULL); name != NULL; name = rely_json_next_name(target, name)) {
        const struct rely_json *present = rely_json_get(target, name), *change = rely_json_get(patch, name);
        if (change == NULL)
            rely_json_set(merged, name, rely_json_share(present));
        else if (rely_json_type(change) != RELY_JSON_NULL)
            rely_json_set(merged, name, rely_merge_patch(present, change));
    }
    for (const char *name = rely_json_next_name(patch, NULL); name != NULL; name = rely_json_next_name(patch, name)) {
        const struct rely_json *change = rely_json_get(patch, name);
        if (rely_json_get(target, name) == NULL && rely_json_type(change) != RELY_JSON_NULL)
            rely_json_set(merged, name, rely_merge_patch(NULL, change));
    }
    return merged;
}

/* A name is fixed, too, although it is not the table that says so. */
static void check_patched_name(const struct rely_body *patch)
{
    const struct rely_json *value = rely_json_get(patch->json, "name");
    if (value != NULL && !rely_slice_equal(rely_json_text(value), patch->name))
        rely_problems_add(patch->problems, "name", "immutable", "name must be that of the path, or be left out");
}

/* The members of the patch that may be merged: what is no field, or is fixed, has been judged. */
static struct rely_json *take_changes(const struct rely_body *patch)
{
    struct rely_json *changes = rely_json_object();
    for (size_t i = 0; i < patch->kind->field_count; i++) {
        const struct rely_field *field = &patch->kind->fields[i];
        const struct rely_json *value = field->json[0] == '\0' ? NULL : rely_json_get(patch->json, field->json);
        if (value != NULL && field->type != RELY_FIELD_NAME &&
            (field->flags & (RELY_FIELD_IMMUTABLE | RELY_FIELD_READ_ONLY)) == 0)
            rely_json_set(changes, field->json, rely_json_share(value));
    }
    if (patch->kind->complete_patch != NULL)
        patch->kind->complete_patch(changes);
    return changes;
}

/* Read as a PUT's would be, for the problems alone. */
static void check_merged(const struct rely_body *patch, const struct rely_json *merged)
{
    union rely_any_record record = {.record = *(const struct rely_record *)patch->before};
    struct rely_body body = *patch;
    body.json = merged;
    rely_record_read(&body, &record);
}

struct rely_json *rely_record_patch(const struct rely_body *patch)
{
    RELY_ASSERT(patch->before != NULL);
    if (!rely_record_check_body(patch))
        return NULL;
    rely_record_check_members(patch);
    check_patched_name(patch);
    RELY_JSON_OWNED struct rely_json *changes = take_changes(patch);
    RELY_JSON_OWNED struct rely_json *present = rely_record_show(patch->kind, patch->before);
    if (present == NULL)
        return NULL;
    struct rely_json *merged = rely_merge_patch(present, changes);
    check_merged(patch, merged);
    if (patch->problems->count == 0)
        return merged;
    rely_json_free(merged);
    return NULL;
}

/* --- differences ------------------------------------------------------------------------------------------ */

static bool are_same_values(const struct rely_json *a, const struct rely_json *b)
{
    struct rely_buf left = {0}, right = {0};
    if (a != NULL)
        rely_json_print(a, &left);
    if (b != NULL)
        rely_json_print(b, &right);
    bool is_same = rely_slice_equal(rely_buf_slice(&left), rely_buf_slice(&right));
    rely_buf_fini(&left);
    rely_buf_fini(&right);
    return is_same;
}

struct rely_json *rely_record_diff(const struct rely_kind *kind, const void *before, const void *after)
{
    struct rely_json *found = rely_json_array();
    RELY_JSON_OWNED struct rely_json *left = before == NULL ? rely_json_object() : rely_record_show(kind, before);
    RELY_JSON_OWNED struct rely_json *right = after == NULL ? rely_json_object() : rely_record_show(kind, after);
    for (size_t i = 0; i < kind->field_count; i++) {
        const char *name = kind->fields[i].json;
        const struct rely_json *was = rely_json_get(left, name), *is = rely_json_get(right, name);
        if (kind->fields[i].type == RELY_FIELD_TIME || are_same_values(was, is))
            continue;
        struct rely_json *difference = rely_json_object();
        rely_json_set(difference, "field", rely_json_of_text(rely_slice_of(name)));
        if (was != NULL)
            rely_json_set(difference, "before", rely_json_share(was));
        if (is != NULL)
            rely_json_set(difference, "after", rely_json_share(is));
        rely_json_append(found, difference);
    }
    return found;
}
