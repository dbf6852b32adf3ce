/*
 * The kinds of objects as JSON Schema (2020-12, which OpenAPI 3.1 has), by the table of fields: the same limits that
 * the reader of bodies enforces. Decides nothing. Called for the OpenAPI document.
 */
#include "relyd/schema.h"
#include "kind.h"
#include "relyd/compose.h"

static void set_word(struct rely_json *schema, const char *name, const char *word)
{
    rely_json_set(schema, name, rely_json_of_text(rely_slice_of(word)));
}

static void set_bound(struct rely_json *schema, const char *name, int64_t number)
{
    rely_json_set(schema, name, rely_json_of_integer(number));
}

static struct rely_json *schema_of_type(const char *type)
{
    struct rely_json *schema = rely_json_object();
    set_word(schema, "type", type);
    return schema;
}

struct rely_json *rely_schema_of_text(int64_t least, int64_t most)
{
    struct rely_json *schema = schema_of_type("string");
    if (least > 0)
        set_bound(schema, "minLength", least);
    set_bound(schema, "maxLength", most);
    return schema;
}

struct rely_json *rely_schema_of_list(struct rely_json *items, int64_t least, int64_t most)
{
    struct rely_json *schema = schema_of_type("array");
    rely_json_set(schema, "items", items);
    set_bound(schema, "minItems", least);
    set_bound(schema, "maxItems", most);
    rely_json_set(schema, "uniqueItems", rely_json_of_bool(true));
    return schema;
}

struct rely_json *rely_schema_of_words(const char *words)
{
    struct rely_json *schema = schema_of_type("string"), *list = rely_json_array();
    for (int64_t i = 1; rely_word_at(words, i).len > 0; i++)
        rely_json_append(list, rely_json_of_text(rely_word_at(words, i)));
    rely_json_set(schema, "enum", list);
    return schema;
}

static struct rely_json *schema_of_map(const struct rely_field *field)
{
    struct rely_json *schema = schema_of_type("object");
    struct rely_json *text = rely_schema_of_text(field->item_least, field->item_most);
    bool is_single = (field->flags & RELY_FIELD_SINGLE) != 0;
    if (is_single)
        set_bound(schema, "minProperties", 1);
    set_bound(schema, "maxProperties", field->most);
    rely_json_set(schema, "additionalProperties", is_single ? text : rely_schema_of_list(text, 1, field->values_most));
    return schema;
}

static struct rely_json *schema_of_integer(const struct rely_field *field)
{
    struct rely_json *schema = schema_of_type("integer");
    set_bound(schema, "minimum", field->least);
    set_bound(schema, "maximum", field->most);
    return schema;
}

static struct rely_json *schema_of_format(const char *format)
{
    struct rely_json *schema = schema_of_type("string");
    set_word(schema, "format", format);
    return schema;
}

/* Objects that have these texts; the last one is NULL. */
static struct rely_json *schema_of_items(const char *const *members)
{
    struct rely_json *item = schema_of_type("object"), *properties = rely_json_object();
    for (size_t i = 0; members[i] != NULL; i++)
        rely_json_set(properties, members[i], schema_of_type("string"));
    rely_json_set(item, "properties", properties);
    struct rely_json *schema = schema_of_type("array");
    rely_json_set(schema, "items", item);
    return schema;
}

/* What relyd says beside a record. */
static struct rely_json *schema_of_said(const struct rely_field *field)
{
    static const char *const warning[] = {"code", "field", "message", NULL};
    static const char *const condition[] = {"type", "status", "reason", "message", "since", NULL};
    if (field->words[0] == '\0')
        return schema_of_items(warning);
    struct rely_json *schema = schema_of_type("object"), *properties = rely_json_object();
    rely_json_set(properties, "conditions", schema_of_items(condition));
    rely_json_set(schema, "properties", properties);
    return schema;
}

/* A name that relyd gives. */
static bool is_given(const struct rely_field *field)
{
    return field->type == RELY_FIELD_NAME && (field->flags & RELY_FIELD_READ_ONLY) != 0;
}

static struct rely_json *schema_of_field(const struct rely_kind *kind, const struct rely_field *field)
{
    switch (field->type) {
    case RELY_FIELD_NAME:
        if (is_given(field))
            return schema_of_format("uuid");
        return rely_schema_of_text(field->least, field->most);
    case RELY_FIELD_TEXT:
        return rely_schema_of_text(field->least, field->most);
    case RELY_FIELD_UUID:
        return schema_of_format("uuid");
    case RELY_FIELD_TIME:
    case RELY_FIELD_MOMENT:
        return schema_of_format("date-time");
    case RELY_FIELD_BOOL:
        return schema_of_type("boolean");
    case RELY_FIELD_INTEGER:
        return schema_of_integer(field);
    case RELY_FIELD_WORD:
        return rely_schema_of_words(field->words);
    case RELY_FIELD_LIST:
        return rely_schema_of_list(rely_schema_of_text(field->item_least, field->item_most), field->least, field->most);
    case RELY_FIELD_MAP:
        return schema_of_map(field);
    case RELY_FIELD_BITS:
    case RELY_FIELD_OWN:
        return (field->flags & RELY_FIELD_IN_ANSWERS) != 0 ? schema_of_said(field) : kind->schema_own(field);
    }
    return NULL;
}

static void allow_null(struct rely_json *schema)
{
    struct rely_json *types = rely_json_array();
    rely_json_append(types, rely_json_share(rely_json_get(schema, "type")));
    rely_json_append(types, rely_json_of_text(RELY_LIT("null")));
    rely_json_set(schema, "type", types);
}

/* JSON Schema counts characters: of a limit in bytes its maxLength is only what no text within the limit exceeds. */
static struct rely_json *sentence_of(const struct rely_field *field)
{
    struct rely_buf text = {0};
    rely_buf_printf(&text, "%s", field->sentence);
    if ((field->flags & RELY_FIELD_BYTES) != 0)
        rely_buf_printf(&text, " At most %lld bytes in UTF-8.", (long long)field->most);
    struct rely_json *sentence = rely_json_of_text(rely_buf_slice(&text));
    rely_buf_fini(&text);
    return sentence;
}

static struct rely_json *describe_field(const struct rely_kind *kind, const struct rely_field *field,
                                        const struct rely_json *value)
{
    struct rely_json *schema = schema_of_field(kind, field);
    if (field->type == RELY_FIELD_NAME && !is_given(field))
        set_word(schema, "pattern", "^[A-Za-z0-9][A-Za-z0-9_-]*$");
    if ((field->flags & RELY_FIELD_NULLABLE) != 0)
        allow_null(schema);
    if ((field->flags & RELY_FIELD_READ_ONLY) != 0)
        rely_json_set(schema, "readOnly", rely_json_of_bool(true));
    if (value != NULL)
        rely_json_set(schema, "default", rely_json_share(value));
    rely_json_set(schema, "description", sentence_of(field));
    return schema;
}

/* Is it in every answer, whatever a record says? */
static bool is_always_shown(const struct rely_field *field)
{
    if ((field->flags & (RELY_FIELD_WRITE_ONLY | RELY_FIELD_IN_ANSWERS)) != 0)
        return false;
    if (field->type == RELY_FIELD_TEXT)
        return (field->flags & (RELY_FIELD_REQUIRED | RELY_FIELD_SHOWN_NULL)) != 0 || field->words != NULL;
    if (field->type == RELY_FIELD_INTEGER || field->type == RELY_FIELD_MOMENT || field->type == RELY_FIELD_OWN)
        return (field->flags & RELY_FIELD_ZERO_IS_NONE) == 0;
    if (field->type == RELY_FIELD_MAP)
        return (field->flags & RELY_FIELD_SINGLE) == 0;
    return field->type != RELY_FIELD_WORD || field->value != 0;
}

static struct rely_json *list_required(const struct rely_kind *kind, bool is_answer)
{
    struct rely_json *names = rely_json_array();
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct rely_field *field = &kind->fields[i];
        bool is_required = is_answer ? is_always_shown(field) : (field->flags & RELY_FIELD_REQUIRED) != 0;
        if (field->json[0] != '\0' && is_required)
            rely_json_append(names, rely_json_of_text(rely_slice_of(field->json)));
    }
    return names;
}

struct rely_json *rely_kind_show_schema(const struct rely_kind *kind)
{
    RELY_JSON_OWNED struct rely_json *defaults = rely_kind_show_defaults(kind);
    struct rely_json *schema = schema_of_type("object"), *properties = rely_json_object();
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct rely_field *field = &kind->fields[i];
        if (field->json[0] != '\0')
            rely_json_set(properties, field->json, describe_field(kind, field, rely_json_get(defaults, field->json)));
    }
    rely_json_set(schema, "properties", properties);
    rely_json_set(schema, "required", list_required(kind, false));
    rely_json_set(schema, "additionalProperties", rely_json_of_bool(false));
    return schema;
}

struct rely_json *rely_kind_show_answer_schema(const struct rely_kind *kind, struct rely_json *body_schema)
{
    struct rely_json *schema = rely_json_object(), *both = rely_json_array(), *more = rely_json_object();
    rely_json_set(more, "required", list_required(kind, true));
    rely_json_append(both, body_schema);
    rely_json_append(both, more);
    rely_json_set(schema, "allOf", both);
    return schema;
}
