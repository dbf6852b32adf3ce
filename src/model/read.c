/*
 * Bodies into records by the table of fields: types, sizes, what is required, fixed or unknown. Decides whether each
 * field is good by itself; what the fields mean together, the kind's own check says. Called by registry/ within a
 * write.
 */
#include "kind.h"
#include <stdio.h>

static bool has_flag(const struct rely_field *field, enum rely_field_flag flag)
{
    return (field->flags & (unsigned)flag) != 0;
}

#define SHORTENED_MIN 4 /* letters of a name that are taken for its beginning */

/* --- members --------------------------------------------------------------------------------------------- */

static const struct rely_field *find_member(const struct rely_kind *kind, const char *json)
{
    for (size_t i = 0; i < kind->field_count; i++)
        if (strcmp(kind->fields[i].json, json) == 0 && json[0] != '\0')
            return &kind->fields[i];
    return NULL;
}

/* A slip of the finger, or the beginning of one name alone. */
static const char *find_likely_member(const struct rely_kind *kind, const char *json)
{
    const char *longer = NULL;
    size_t len = strlen(json), longer_count = 0;
    for (size_t i = 0; i < kind->field_count; i++) {
        const char *known = kind->fields[i].json;
        if (known[0] != '\0' && rely_count_different_letters(known, json) <= 2)
            return known;
        if (len >= SHORTENED_MIN && strncmp(known, json, len) == 0) {
            longer = known;
            longer_count++;
        }
    }
    return longer_count == 1 ? longer : NULL;
}

/* The field within which such a member stands, or NULL. */
static const char *find_outer_member(const struct rely_kind *kind, const char *json)
{
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct rely_field *field = &kind->fields[i];
        if (field->type == RELY_FIELD_OWN && rely_find_word(field->words, rely_slice_of(json)) != 0)
            return field->json;
    }
    return NULL;
}

static void note_unknown_member(const struct rely_body *body, const char *json)
{
    char quoted[RELY_QUOTED_SIZE];
    const char *outer = find_outer_member(body->kind, json);
    const char *likely = outer == NULL ? find_likely_member(body->kind, json) : NULL;
    rely_quote(rely_slice_of(json), quoted);
    if (outer != NULL)
        rely_problems_add(body->problems, json, "unknown_field", "%.200s is no field of %s; it stands within %s",
                          quoted, body->kind->article_word, outer);
    else
        rely_problems_add(body->problems, json, "unknown_field", "%.200s is no field of %s%s%s%s", quoted,
                          body->kind->article_word, likely == NULL ? "" : "; did you mean ",
                          likely == NULL ? "" : likely, likely == NULL ? "" : "?");
}

static bool is_fixed(const struct rely_field *field)
{
    return has_flag(field, RELY_FIELD_READ_ONLY) || has_flag(field, RELY_FIELD_IMMUTABLE);
}

static bool is_repeated_list(const struct rely_body *body, const struct rely_field *field,
                             const struct rely_json *value, const struct rely_json *present)
{
    bool is_same = rely_json_type(value) == RELY_JSON_ARRAY && rely_json_size(value) == rely_json_size(present);
    for (size_t i = 0; is_same && i < rely_json_size(present); i++)
        is_same = rely_json_type(rely_json_at(value, i)) == RELY_JSON_STRING &&
                  rely_slice_equal(rely_json_text(rely_json_at(value, i)), rely_json_text(rely_json_at(present, i)));
    if (!is_same)
        rely_problems_add(body->problems, field->json, "read_only",
                          "%s cannot be changed here; leave it out, or as it is shown", field->json);
    return is_same;
}

/* A replacement may repeat what it cannot change, so that what GET shows can be edited and put back. */
static bool is_repeated(const struct rely_body *body, const struct rely_field *field)
{
    RELY_JSON_OWNED struct rely_json *present = rely_field_show(body->kind, field, body->before);
    const struct rely_json *value = rely_json_get(body->json, field->json);
    char quoted[RELY_QUOTED_SIZE];
    if (field->type == RELY_FIELD_LIST)
        return is_repeated_list(body, field, value, present);
    if (rely_json_type(value) == RELY_JSON_STRING && rely_json_type(present) == RELY_JSON_STRING &&
        rely_slice_equal(rely_json_text(value), rely_json_text(present)))
        return true;
    rely_problems_add(body->problems, field->json, has_flag(field, RELY_FIELD_READ_ONLY) ? "read_only" : "immutable",
                      "%s cannot be changed; it is %.200s", field->json, rely_quote(rely_json_text(present), quoted));
    return false;
}

static void check_fixed_member(const struct rely_body *body, const struct rely_field *field)
{
    if (body->before != NULL)
        is_repeated(body, field);
    else if (has_flag(field, RELY_FIELD_READ_ONLY))
        rely_problems_add(body->problems, field->json, "read_only", "%s is given by relyd and must be left out",
                          field->json);
}

void rely_record_check_members(const struct rely_body *body)
{
    for (const char *json = rely_json_next_name(body->json, NULL); json != NULL;
         json = rely_json_next_name(body->json, json)) {
        const struct rely_field *field = find_member(body->kind, json);
        if (field == NULL)
            note_unknown_member(body, json);
        else if (is_fixed(field) && !has_flag(field, RELY_FIELD_IN_ANSWERS))
            check_fixed_member(body, field);
    }
}

bool rely_record_check_body(const struct rely_body *body)
{
    if (rely_json_type(body->json) != RELY_JSON_OBJECT)
        rely_field_wrong_type(body->json, "body", "a JSON object", body->problems);
    return body->problems->count == 0;
}

/* A name that relyd gives; what a body says of it is judged with its other members. */
static bool take_given_name(struct rely_body *body, struct rely_slice path_name)
{
    char uuid[RELY_UUID_SIZE];
    rely_uuid_new(uuid);
    body->name = path_name.ptr != NULL ? path_name : rely_pool_copy(body->pool, rely_slice_of(uuid));
    return true;
}

bool rely_record_read_name(struct rely_body *body, struct rely_slice path_name)
{
    const struct rely_field *field = rely_kind_name_field(body->kind);
    if (has_flag(field, RELY_FIELD_READ_ONLY))
        return take_given_name(body, path_name);
    const struct rely_json *value = rely_json_get(body->json, "name");
    bool is_text = rely_json_type(value) == RELY_JSON_STRING;
    body->name = path_name.ptr != NULL ? path_name : rely_json_text(value);
    if (path_name.ptr != NULL && value != NULL && !(is_text && rely_slice_equal(rely_json_text(value), path_name)))
        rely_problems_add(body->problems, "name", "immutable", "name must be that of the path, or be left out");
    else if (path_name.ptr == NULL && value == NULL)
        rely_problems_add(body->problems, "name", "required", "name is required");
    else if (path_name.ptr == NULL && !is_text)
        rely_field_wrong_type(value, "name", "a string", body->problems);
    if (body->name.ptr != NULL)
        rely_field_check_name(body->name, "name", body->problems);
    return body->name.ptr != NULL;
}

/* --- one field of each type -------------------------------------------------------------------------------- */

static void read_text_field(const struct rely_body *body, const struct rely_field *field, const struct rely_json *value,
                            struct rely_slice *out)
{
    const struct rely_text_rule rule = {.min = (size_t)field->least,
                                        .max = (size_t)field->most,
                                        .is_required = has_flag(field, RELY_FIELD_REQUIRED),
                                        .may_be_null = has_flag(field, RELY_FIELD_NULLABLE),
                                        .may_have_lines = has_flag(field, RELY_FIELD_LINES)};
    if (value == NULL && field->words != NULL)
        *out = rely_slice_of(field->words);
    else if (has_flag(field, RELY_FIELD_BYTES))
        rely_field_read_bytes(value, field->json, &rule, body->problems, out);
    else
        rely_field_read_text(value, field->json, &rule, body->problems, out);
}

static struct rely_list_rule list_rule(const struct rely_field *field, int64_t least, int64_t most)
{
    return (struct rely_list_rule){.min = (size_t)least,
                                   .max = (size_t)most,
                                   .item = {.min = (size_t)field->item_least, .max = (size_t)field->item_most},
                                   .are_media_types = has_flag(field, RELY_FIELD_MEDIA_TYPES)};
}

static void read_list_field(const struct rely_body *body, const struct rely_field *field, const struct rely_json *value,
                            struct rely_texts *out)
{
    const struct rely_list_rule rule = list_rule(field, field->least, field->most);
    if (value != NULL)
        rely_field_read_list(body, value, field->json, &rule, out);
    else if (has_flag(field, RELY_FIELD_REQUIRED))
        rely_problems_add(body->problems, field->json, "required", "%s is required", field->json);
}

/* The one text of a key. */
static void read_single(const struct rely_body *body, const struct rely_json *value, const char *field,
                        const struct rely_list_rule *rule, struct rely_texts *out)
{
    struct rely_slice *text = rely_pool_alloc(body->pool, sizeof *text);
    if (rely_field_read_text(value, field, &rule->item, body->problems, text))
        *out = (struct rely_texts){text, 1};
}

static void read_map_field(const struct rely_body *body, const struct rely_field *field, const struct rely_json *value,
                           struct rely_text_map *out)
{
    if (value == NULL)
        return;
    if (rely_json_type(value) != RELY_JSON_OBJECT) {
        rely_field_wrong_type(value, field->json, "an object", body->problems);
        return;
    }
    bool is_single = has_flag(field, RELY_FIELD_SINGLE);
    size_t count = rely_json_size(value);
    if (count == 0 && is_single)
        rely_problems_add(body->problems, field->json, "too_few", "%s has no key; leave it out", field->json);
    if (count > (size_t)field->most) {
        rely_problems_add(body->problems, field->json, "too_many", "%s has %zu keys; the limit is %lld", field->json,
                          count, (long long)field->most);
        return;
    }
    const struct rely_list_rule rule = list_rule(field, 1, field->values_most);
    struct rely_text_entry *entries = rely_pool_alloc(body->pool, count * sizeof *entries);
    for (const char *key = rely_json_next_name(value, NULL); key != NULL; key = rely_json_next_name(value, key)) {
        char item_field[64];
        struct rely_text_entry *entry = &entries[out->count++];
        *entry = (struct rely_text_entry){.key = rely_slice_of(key)};
        snprintf(item_field, sizeof item_field, "%.17s.%.45s", field->json, key);
        if (is_single)
            read_single(body, rely_json_get(value, key), item_field, &rule, &entry->values);
        else
            rely_field_read_list(body, rely_json_get(value, key), item_field, &rule, &entry->values);
    }
    out->items = entries;
}

/* Given once, never again: the record's own from then on. */
static void take_uuid(const struct rely_body *body, const struct rely_field *field, struct rely_slice *out)
{
    char uuid[RELY_UUID_SIZE];
    if (body->before != NULL) {
        *out = *(const struct rely_slice *)rely_field_in(field, body->before);
        return;
    }
    rely_uuid_new(uuid);
    *out = rely_pool_copy(body->pool, rely_slice_of(uuid));
}

/* In: field - one that may be immutable. */
static void take_present(const struct rely_field *field, const void *before, void *out)
{
    if (field->type == RELY_FIELD_MOMENT)
        *(int64_t *)out = *(const int64_t *)rely_field_in(field, before);
    else
        *(struct rely_slice *)out = *(const struct rely_slice *)rely_field_in(field, before);
}

static void read_one_field(const struct rely_body *body, const struct rely_field *field, void *record)
{
    const struct rely_json *value = rely_json_get(body->json, field->json);
    void *at = rely_field_at(field, record);
    if (field->type == RELY_FIELD_LIST && has_flag(field, RELY_FIELD_READ_ONLY)) {
        if (body->before != NULL)
            *(struct rely_texts *)at = *(const struct rely_texts *)rely_field_in(field, body->before);
        return;
    }
    if (field->type == RELY_FIELD_TEXT && has_flag(field, RELY_FIELD_READ_ONLY)) {
        if (body->before != NULL)
            take_present(field, body->before, at); /* of one that is made, whoever makes it says */
        return;
    }
    if (value != NULL && body->before != NULL && has_flag(field, RELY_FIELD_IMMUTABLE)) {
        take_present(field, body->before, at); /* what it should be has been said */
        return;
    }
    switch (field->type) {
    case RELY_FIELD_NAME:
        *(struct rely_slice *)at = body->name;
        break;
    case RELY_FIELD_UUID:
        take_uuid(body, field, at);
        break;
    case RELY_FIELD_TEXT:
        read_text_field(body, field, value, at);
        break;
    case RELY_FIELD_BOOL:
        *(bool *)at = rely_field_read_bool(body->json, field->json, field->value != 0, body->problems);
        break;
    case RELY_FIELD_INTEGER:
        *(int64_t *)at = rely_field_read_integer(body, field);
        break;
    case RELY_FIELD_WORD:
        *(int64_t *)at = rely_field_read_word(body, field);
        break;
    case RELY_FIELD_LIST:
        read_list_field(body, field, value, at);
        break;
    case RELY_FIELD_MAP:
        read_map_field(body, field, value, at);
        break;
    case RELY_FIELD_BITS:
    case RELY_FIELD_OWN:
        body->kind->read_own(body, field, record);
        break;
    case RELY_FIELD_MOMENT:
        *(int64_t *)at = rely_field_read_moment(body, field);
        break;
    case RELY_FIELD_TIME: /* the head's: whoever stores the record says when */
        break;
    }
}

/* The place in the table of the field that a problem is about: its path begins with the member's name. */
static size_t place_of(const struct rely_kind *kind, const struct rely_problem *problem)
{
    size_t len = strcspn(problem->field, ".[");
    for (size_t i = 0; i < kind->field_count; i++)
        if (strncmp(kind->fields[i].json, problem->field, len) == 0 && kind->fields[i].json[len] == '\0' && len > 0)
            return i + 1;
    return 0; /* of no field */
}

/* In the order of the fields, whoever found them. */
static void sort_problems(const struct rely_kind *kind, struct rely_problems *problems)
{
    size_t count = problems->count < RELY_PROBLEMS_MAX ? problems->count : RELY_PROBLEMS_MAX;
    for (size_t i = 1; i < count; i++) {
        struct rely_problem moved = problems->items[i];
        size_t at = i;
        for (; at > 0 && place_of(kind, &problems->items[at - 1]) > place_of(kind, &moved); at--)
            problems->items[at] = problems->items[at - 1];
        problems->items[at] = moved;
    }
}

void rely_record_read(const struct rely_body *body, void *record)
{
    for (size_t i = 0; i < body->kind->field_count; i++)
        if (body->kind->fields[i].json[0] != '\0' && !has_flag(&body->kind->fields[i], RELY_FIELD_IN_ANSWERS))
            read_one_field(body, &body->kind->fields[i], record);
    if (body->kind->check != NULL)
        body->kind->check(body, record);
    sort_problems(body->kind, body->problems);
}
