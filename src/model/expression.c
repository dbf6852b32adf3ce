/*
 * A credential's `claimsMatchingExpression`: that it is an expression. Whether it is so broad that it stands for
 * everybody, only who knows its issuer can say: registry/. Called by credential.c.
 */
#include "relyd/expression.h"
#include "kind.h"
#include "relyd/compose.h"
#include <stdio.h>

#define FIELD "claimsMatchingExpression"
#define VALUE FIELD ".value"

/* A column is told to whoever has written it; a shorthand's parts are good, and can only be too much together. */
static void note_fault(const struct rely_body *body, const char *path, const struct rely_expression_fault *fault)
{
    if (strcmp(path, VALUE) != 0) {
        rely_problems_add(body->problems, path, "too_long",
                          "%s stands for an expression of more than the %d characters that one may have", path,
                          RELY_EXPRESSION_CHARS_MAX);
        return;
    }
    rely_problems_add(body->problems, path, "invalid_expression", "%s: in column %zu there should be %s", path,
                      fault->column, fault->expected);
    rely_problems_set_column(body->problems, fault->column);
}

void rely_credential_take_expression(const struct rely_body *body, struct rely_slice text, const char *path,
                                     struct rely_credential_record *credential)
{
    const struct rely_expression *expression;
    struct rely_expression_fault fault;
    if (!rely_expression_parse(text, body->pool, &expression, &fault)) {
        note_fault(body, path, &fault);
        return;
    }
    credential->expression = rely_pool_copy(body->pool, text);
}

static void read_value(const struct rely_body *body, const struct rely_json *value,
                       struct rely_credential_record *credential)
{
    if (value == NULL)
        rely_problems_add(body->problems, VALUE, "required", FIELD ".value is required");
    else if (rely_json_type(value) != RELY_JSON_STRING)
        rely_field_wrong_type(value, VALUE, "a string", body->problems);
    else
        rely_credential_take_expression(body, rely_json_text(value), VALUE, credential);
}

static void read_language_version(const struct rely_body *body, const struct rely_json *value)
{
    if (value == NULL)
        rely_problems_add(body->problems, FIELD ".languageVersion", "required", FIELD ".languageVersion is required");
    else if (rely_json_type(value) != RELY_JSON_INTEGER)
        rely_field_wrong_type(value, FIELD ".languageVersion", "a number", body->problems);
    else if (rely_json_integer(value) != 1)
        rely_problems_add(body->problems, FIELD ".languageVersion", "invalid_value",
                          FIELD ".languageVersion must be 1: there is no other");
}

/* "a, b and c" of "|a|b|c", as far as there is room. */
static void print_words(const char *words, char out[128])
{
    size_t len = 0;
    for (int64_t i = 1; rely_word_at(words, i).len > 0 && len < 128; i++)
        len += (size_t)snprintf(out + len, 128 - len, "%s%.*s",
                                i == 1                               ? ""
                                : rely_word_at(words, i + 1).len > 0 ? ", "
                                                                     : " and ",
                                RELY_ARG(rely_word_at(words, i)));
}

bool rely_own_check_members(const struct rely_body *body, const struct rely_field *field)
{
    const struct rely_json *value = rely_json_get(body->json, field->json);
    char words[128], path[64];
    if (value == NULL)
        return false;
    if (rely_json_type(value) != RELY_JSON_OBJECT) {
        rely_field_wrong_type(value, field->json, "an object", body->problems);
        return false;
    }
    print_words(field->words, words);
    for (const char *name = rely_json_next_name(value, NULL); name != NULL; name = rely_json_next_name(value, name)) {
        snprintf(path, sizeof path, "%.24s.%.38s", field->json, name);
        if (rely_find_word(field->words, rely_slice_of(name)) == 0)
            rely_problems_add(body->problems, path, "unknown_field", "%s has %s alone", field->json, words);
    }
    return true;
}

void rely_credential_read_own(const struct rely_body *body, const struct rely_field *field, void *record)
{
    const struct rely_json *value = rely_json_get(body->json, field->json);
    if ((field->flags & RELY_FIELD_WRITE_ONLY) != 0) {
        rely_shorthand_read(body, field, record);
        return;
    }
    if (!rely_own_check_members(body, field))
        return;
    read_value(body, rely_json_get(value, "value"), record);
    read_language_version(body, rely_json_get(value, "languageVersion"));
}

struct rely_json *rely_credential_show_own(const struct rely_field *field, const void *record)
{
    const struct rely_credential_record *credential = record;
    (void)field;
    if (credential->expression.ptr == NULL)
        return NULL;
    struct rely_json *object = rely_json_object();
    rely_json_set(object, "value", rely_json_of_text(credential->expression));
    rely_json_set(object, "languageVersion", rely_json_of_integer(1));
    return object;
}

bool rely_credential_shows(const struct rely_field *field, const void *record)
{
    const struct rely_credential_record *credential = record;
    return field->type != RELY_FIELD_OWN || credential->expression.ptr != NULL;
}

struct rely_json *rely_credential_schema_own(const struct rely_field *field)
{
    struct rely_err unused;
    if ((field->flags & RELY_FIELD_WRITE_ONLY) != 0)
        return rely_shorthand_schema(field);
    return rely_json_parse(
        RELY_LIT(
            "{\"type\":\"object\",\"properties\":{\"value\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4096},"
            "\"languageVersion\":{\"const\":1}},\"required\":[\"value\",\"languageVersion\"],"
            "\"additionalProperties\":false}"),
        &unused);
}

bool rely_subject_claim_is_whole(struct rely_slice name)
{
    struct rely_pool pool;
    struct rely_slice claim;
    if (name.ptr == NULL || rely_slice_equal(name, RELY_SUBJECT_CLAIM)) /* nearly all there are */
        return true;
    rely_pool_init(&pool);
    bool is_good = rely_claim_parse(name, &pool, &claim, &(struct rely_expression_fault){0});
    rely_pool_fini(&pool);
    return is_good;
}

/* One way, and an expression that is one. */
bool rely_credential_is_whole(const void *record)
{
    struct rely_pool pool;
    const struct rely_credential_record *credential = record;
    const struct rely_expression *expression;
    if (!rely_subject_claim_is_whole(credential->subject_claim))
        return false;
    if (credential->expression.ptr == NULL)
        return credential->subject.ptr != NULL;
    rely_pool_init(&pool);
    bool is_good =
        rely_expression_parse(credential->expression, &pool, &expression, &(struct rely_expression_fault){0});
    rely_pool_fini(&pool);
    return is_good && credential->subject.ptr == NULL;
}
