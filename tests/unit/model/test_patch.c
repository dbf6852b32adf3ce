/*
 * JSON merge patches by RFC 7396's own examples, what a patch makes of an object and what it cannot, and differences.
 */
#include "relyd/compose.h"
#include "relyd/patch.h"
#include "tests.h"

#include <stdio.h>

/* --- RFC 7396, appendix A, and the example of section 3 ----------------------------------------------------- */

static const struct {
    const char *target, *patch, *result;
} examples[] = {
    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
    {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
    {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
    {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
    {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
    {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}"},
    {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
    {"[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]"},
    {"{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]"},
    {"{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}"},
    {"[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}"},
    {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
    {"{\"title\":\"Goodbye!\",\"author\":{\"givenName\":\"John\",\"familyName\":\"Doe\"},"
     "\"tags\":[\"example\",\"sample\"],\"content\":\"This will be unchanged\"}",
     "{\"title\":\"Hello!\",\"phoneNumber\":\"+01-123-456-7890\",\"author\":{\"familyName\":null},"
     "\"tags\":[\"example\"]}",
     "{\"title\":\"Hello!\",\"author\":{\"givenName\":\"John\"},\"tags\":[\"example\"],"
     "\"content\":\"This will be unchanged\",\"phoneNumber\":\"+01-123-456-7890\"}"},
    /* a null within a list is a value */
    {"{\"a\":1}", "{\"a\":[null]}", "{\"a\":[null]}"},
};

static struct rely_json *parse(const char *text)
{
    struct rely_err err = {0};
    struct rely_json *value = rely_json_parse(rely_slice_of(text), &err);
    assert_non_null(value);
    return value;
}

static void assert_prints(const struct rely_json *value, const char *expected)
{
    struct rely_buf text = {0};
    rely_json_print(value, &text);
    assert_string_equal(text.ptr, expected);
    rely_buf_fini(&text);
}

static void merges_as_the_rfc_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        struct rely_json *target = parse(examples[i].target), *patch = parse(examples[i].patch);
        struct rely_json *merged = rely_merge_patch(target, patch);
        assert_prints(merged, examples[i].result);
        assert_prints(target, examples[i].target); /* is left as it was */
        rely_json_free(merged);
        rely_json_free(target);
        rely_json_free(patch);
    }
}

/* The RFC's two whose patch is no object and no list, which no body can be. */
static void replaces_by_what_is_no_object(void **state)
{
    struct rely_json *target = parse("{\"a\":\"foo\"}"), *nothing = rely_json_of_null();
    struct rely_json *text = rely_json_of_text(RELY_LIT("bar"));
    struct rely_json *first = rely_merge_patch(target, nothing), *second = rely_merge_patch(target, text);
    (void)state;
    assert_prints(first, "null");
    assert_prints(second, "\"bar\"");
    rely_json_free(first);
    rely_json_free(second);
    rely_json_free(target);
    rely_json_free(nothing);
    rely_json_free(text);
}

/* --- objects ------------------------------------------------------------------------------------------------ */

#define PROD                                                                                                           \
    "{\"name\":\"prod\",\"issuer\":\"https://a.example\",\"aliases\":[\"b\"],\"keys\":{\"jwksUri\":\"https://"         \
    "a.example/k\"},"                                                                                                  \
    "\"algorithms\":[\"ES256\"],\"types\":[\"x\"],\"leewaySeconds\":7,\"maxTokenLifetimeSeconds\":9,"                  \
    "\"subjectClaim\":\"id\",\"description\":\"one\",\"enabled\":false}"
#define WEB                                                                                                            \
    "{\"name\":\"web\",\"username\":\"u\",\"groups\":[\"a\",\"b\"],\"extra\":{\"example.com/a\":[\"1\"],"              \
    "\"example.com/b\":[\"2\"]}}"
#define MAIN                                                                                                           \
    "{\"name\":\"main\",\"issuer\":\"https://a.example\",\"subject\":\"s\",\"audiences\":[\"a\"],"                     \
    "\"description\":\"one\"}"

#define ENDING                                                                                                         \
    "{\"name\":\"main\",\"issuer\":\"https://a.example\",\"subject\":\"s\",\"audiences\":[\"a\"],"                     \
    "\"enabled\":false,\"notAfter\":\"2027-01-01T00:00:00Z\",\"mode\":\"shadow\"}"

/* `changed`: the fields that differ afterwards, "field " each. `wrong`: the problems, "field:code " each. */
static const struct {
    enum rely_object object;
    const char *before, *patch, *changed, *wrong;
} patches[] = {
    {RELY_OBJECT_ISSUER, PROD, "{}", "", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"leewaySeconds\":null,\"enabled\":true}", "leewaySeconds enabled ", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"maxTokenLifetimeSeconds\":null,\"description\":null}",
     "maxTokenLifetimeSeconds description ", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"algorithms\":null,\"types\":null}", "algorithms types ", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"subjectClaim\":null}", "subjectClaim ", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"aliases\":null}", "aliases ", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"aliases\":[\"c\",\"https://a.example\"]}", "", "aliases[1]:duplicate "},
    {RELY_OBJECT_ISSUER, PROD, "{\"subjectClaim\":\"/~\"}", "", "subjectClaim:invalid_value "},
    {RELY_OBJECT_ISSUER, PROD, "{\"keys\":null}", "keys ", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"keys\":{\"jwksUri\":null,\"discovery\":true}}", "keys ", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"keys\":{\"jwksUri\":\"https://a.example/l\"}}", "keys ", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"keys\":{\"discovery\":true}}", "keys ", ""}, /* with the jwksUri that is there */
    {RELY_OBJECT_ISSUER, PROD, "{\"keys\":{\"pem\":\"x\"}}", "", "keys:too_many "},
    {RELY_OBJECT_ISSUER, PROD, "{\"keys\":{\"jwksUri\":null}}", "", "keys:required "},
    {RELY_OBJECT_ISSUER, PROD, "{\"keys\":[]}", "", "keys:wrong_type "},
    /* what is fixed may stand as it is, and cannot be taken away */
    {RELY_OBJECT_ISSUER, PROD, "{\"name\":\"prod\",\"issuer\":\"https://a.example\"}", "", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"createdAt\":\"1970-01-01T00:00:00Z\"}", "", ""},
    {RELY_OBJECT_ISSUER, PROD, "{\"name\":null}", "", "name:immutable "},
    {RELY_OBJECT_ISSUER, PROD, "{\"name\":\"other\"}", "", "name:immutable "},
    {RELY_OBJECT_ISSUER, PROD, "{\"name\":{\"a\":1}}", "", "name:immutable "},
    {RELY_OBJECT_ISSUER, PROD, "{\"issuer\":null}", "", "issuer:immutable "},
    {RELY_OBJECT_ISSUER, PROD, "{\"issuer\":\"https://b.example\"}", "", "issuer:immutable "},
    {RELY_OBJECT_ISSUER, PROD, "{\"issuer\":{\"a\":null}}", "", "issuer:immutable "},
    {RELY_OBJECT_ISSUER, PROD, "{\"createdAt\":null,\"updatedAt\":7}", "", "createdAt:read_only updatedAt:read_only "},
    {RELY_OBJECT_IDENTITY, WEB, "{\"uid\":null}", "", "uid:read_only "},
    /* a slip of the finger is refused, also with null */
    {RELY_OBJECT_ISSUER, PROD, "{\"leeway\":null}", "", "leeway:unknown_field "},
    {RELY_OBJECT_ISSUER, PROD, "{\"key_source\":1,\"\":null}", "", "key_source:unknown_field :unknown_field "},
    {RELY_OBJECT_ISSUER, PROD, "{\"jwksUri\":\"https://a.example/l\"}", "", "jwksUri:unknown_field "},
    /* one problem a wrong field, in the order of fields */
    {RELY_OBJECT_ISSUER, PROD,
     "{\"updatedAt\":1,\"enabled\":\"no\",\"types\":[\"x\",\"x\"],\"leewaySeconds\":301,\"issuer\":2,\"description\":"
     "3}",
     "",
     "issuer:immutable types[1]:duplicate leewaySeconds:out_of_range description:wrong_type enabled:wrong_type "
     "updatedAt:read_only "},
    {RELY_OBJECT_CREDENTIAL, MAIN, "{\"enabled\":false,\"notAfter\":\"2027-01-01T00:00:00Z\",\"mode\":\"shadow\"}",
     "enabled notAfter mode ", ""},
    {RELY_OBJECT_CREDENTIAL, ENDING, "{\"enabled\":null,\"notAfter\":null,\"mode\":null}", "enabled notAfter mode ",
     ""},
    {RELY_OBJECT_CREDENTIAL, ENDING, "{\"notAfter\":\"2027-01-01T01:00:00+01:00\",\"mode\":\"shadow\"}", "", ""},
    {RELY_OBJECT_CREDENTIAL, ENDING, "{\"mode\":\"off\",\"notAfter\":\"never\"}", "",
     "notAfter:invalid_value mode:invalid_value "},
    {RELY_OBJECT_ISSUER, PROD, "{\"leewaySeconds\":{\"a\":null}}", "", "leewaySeconds:wrong_type "},
    /* lists are replaced whole, maps by their keys */
    {RELY_OBJECT_IDENTITY, WEB, "{\"groups\":[\"b\"]}", "groups ", ""},
    {RELY_OBJECT_IDENTITY, WEB, "{\"groups\":[null]}", "", "groups[0]:wrong_type "},
    {RELY_OBJECT_IDENTITY, WEB, "{\"extra\":{\"example.com/a\":null}}", "extra ", ""},
    {RELY_OBJECT_IDENTITY, WEB, "{\"extra\":{\"example.com/c\":null}}", "", ""},
    {RELY_OBJECT_IDENTITY, WEB, "{\"extra\":{\"relyd.io/c\":[\"1\"]}}", "", "extra.relyd.io/c:not_allowed "},
    {RELY_OBJECT_IDENTITY, WEB, "{\"username\":null}", "username ", ""},
    {RELY_OBJECT_IDENTITY, WEB, "{\"username\":\"system:masters\"}", "", "username:not_allowed "},
    {RELY_OBJECT_IDENTITY, WEB, "{\"username\":null,\"usernameFrom\":\"subject\"}", "username usernameFrom ", ""},
    {RELY_OBJECT_IDENTITY, WEB, "{\"usernameFrom\":\"subject\"}", "", "username:not_allowed "},
    {RELY_OBJECT_CREDENTIAL, MAIN, "{\"description\":null}", "description ", ""},
    {RELY_OBJECT_CREDENTIAL, MAIN, "{\"subject\":null,\"audiences\":null}", "", "subject:required audiences:required "},
    {RELY_OBJECT_CREDENTIAL, MAIN, "{\"audiences\":[]}", "", "audiences:too_few "},
    {RELY_OBJECT_CREDENTIAL, MAIN, "{\"subject\":\"\"}", "", "subject:too_short "},
    {RELY_OBJECT_CREDENTIAL, MAIN, "{\"issuer\":null}", "", "issuer:required "},
    /* no object */
    {RELY_OBJECT_IDENTITY, WEB, "[]", "", "body:wrong_type "},
    {RELY_OBJECT_IDENTITY, WEB, "[{\"op\":\"remove\",\"path\":\"/groups\"}]", "", "body:wrong_type "},
};

/* The fields of a list of differences, "field " each. */
static void list_fields(const struct rely_json *found, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < rely_json_size(found); i++) {
        size_t len = strlen(out);
        snprintf(out + len, size - len, "%.*s ",
                 RELY_ARG(rely_json_text(rely_json_get(rely_json_at(found, i), "field"))));
    }
}

static void list_problems(const struct rely_problems *problems, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < problems->count; i++) {
        size_t len = strlen(out);
        snprintf(out + len, size - len, "%s:%s ", problems->items[i].field, problems->items[i].code);
    }
}

/* What comes of the patch is read as a PUT's body would be. */
static void apply_patch(const struct reading *first, enum rely_object object, const char *text, struct reading *second)
{
    static const struct rely_model_rules rules = {.may_use_http = false};
    memset(second, 0, sizeof *second);
    rely_pool_init(&second->pool);
    struct rely_json *patch = parse(text);
    struct rely_body body = {.kind = rely_kind_of(object),
                             .json = patch,
                             .name = first->record.identity.name,
                             .before = &first->record,
                             .rules = &rules,
                             .pool = &second->pool,
                             .problems = &second->problems};
    if (object == RELY_OBJECT_ISSUER)
        body.name = first->record.issuer.name;
    if (object == RELY_OBJECT_CREDENTIAL)
        body.name = first->record.credential.name;
    second->json = rely_record_patch(&body);
    rely_json_free(patch);
    if (second->json == NULL)
        return;
    body.json = second->json;
    rely_record_read(&body, &second->record);
}

static void patches_objects(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        struct reading first, second;
        char changed[256], wrong[512];
        read_as(&first, patches[i].object, patches[i].before, NULL);
        assert_int_equal(first.problems.count, 0);
        first.record.record.id = 1;
        apply_patch(&first, patches[i].object, patches[i].patch, &second);
        list_problems(&second.problems, wrong, sizeof wrong);
        if (strcmp(wrong, patches[i].wrong) != 0)
            fail_msg("%s: %s", patches[i].patch, wrong);
        if ((second.json == NULL) != (wrong[0] != '\0'))
            fail_msg("%s: a body and problems, or neither", patches[i].patch);
        if (wrong[0] == '\0') {
            struct rely_json *found = rely_record_diff(rely_kind_of(patches[i].object), &first.record, &second.record);
            list_fields(found, changed, sizeof changed);
            if (strcmp(changed, patches[i].changed) != 0)
                fail_msg("%s changes: %s", patches[i].patch, changed);
            rely_json_free(found);
        }
        end_reading(&second);
        end_reading(&first);
    }
}

/* Another value of a field that one can be made for, and which is not its default, as JSON; NULL: none. */
static struct rely_json *another_value(const struct rely_field *field)
{
    if (field->json[0] == '\0' || (field->flags & (RELY_FIELD_IMMUTABLE | RELY_FIELD_READ_ONLY)) != 0)
        return NULL;
    if (field->type == RELY_FIELD_BOOL)
        return rely_json_of_bool(field->value == 0);
    if (field->type == RELY_FIELD_INTEGER)
        return rely_json_of_integer(field->value == field->most ? field->least : field->most);
    return strcmp(field->json, "description") == 0 ? rely_json_of_text(RELY_LIT("another")) : NULL;
}

static void assert_changes_one(const struct reading *first, enum rely_object object, const char *name,
                               struct rely_json *value)
{
    struct reading second, third;
    struct rely_buf text = {0};
    char changed[256];
    struct rely_json *patch = rely_json_object();
    rely_json_set(patch, name, value);
    rely_json_print(patch, &text);
    rely_buf_putc(&text, '\0');
    apply_patch(first, object, text.ptr, &second);
    assert_int_equal(second.problems.count, 0);
    struct rely_json *found = rely_record_diff(rely_kind_of(object), &first->record, &second.record);
    list_fields(found, changed, sizeof changed);
    assert_true(strncmp(changed, name, strlen(name)) == 0 && strlen(changed) == strlen(name) + 1);
    rely_json_free(found);
    text.len = 0;
    rely_buf_printf(&text, "{\"%s\":null}", name);
    rely_buf_putc(&text, '\0');
    apply_patch(&second, object, text.ptr, &third);
    assert_int_equal(third.problems.count, 0);
    assert_true(rely_record_equal(rely_kind_of(object), &first->record, &third.record, RELY_WITHOUT_VOLATILE));
    end_reading(&second);
    end_reading(&third);
    rely_json_free(patch);
    rely_buf_fini(&text);
}

static void patch_fields_of(enum rely_object object, const char *text)
{
    struct reading first;
    const struct rely_kind *kind = rely_kind_of(object);
    read_as(&first, object, text, NULL);
    first.record.record.id = 1;
    for (size_t i = 0; i < kind->field_count; i++) {
        struct rely_json *value = another_value(&kind->fields[i]);
        if (value != NULL)
            assert_changes_one(&first, object, kind->fields[i].json, value);
    }
    end_reading(&first);
}

/* Each field by itself, from its default to another value and with null back again. */
static void patches_every_field(void **state)
{
    (void)state;
    patch_fields_of(RELY_OBJECT_IDENTITY, "{\"name\":\"web\"}");
    patch_fields_of(RELY_OBJECT_ISSUER, "{\"name\":\"prod\",\"issuer\":\"https://a.example\"}");
}

/* What a patch leaves alone is as it was, in the order of the table. */
static void leaves_the_rest_alone(void **state)
{
    struct reading first, second;
    (void)state;
    read_as(&first, RELY_OBJECT_ISSUER, PROD, NULL);
    apply_patch(&first, RELY_OBJECT_ISSUER, "{\"enabled\":true,\"keys\":{\"jwksUri\":\"https://a.example/l\"}}",
                &second);
    assert_prints(
        second.json,
        "{\"name\":\"prod\",\"issuer\":\"https://a.example\",\"aliases\":[\"b\"],\"keys\":{\"jwksUri\":\"https://"
        "a.example/l\"},"
        "\"allowHttp\":false,\"allowPrivateAddresses\":false,\"algorithms\":[\"ES256\"],\"types\":[\"x\"],"
        "\"leewaySeconds\":7,\"maxTokenLifetimeSeconds\":9,\"allowCostlyKeys\":false,\"subjectClaim\":\"id\","
        "\"guards\":{\"requiredClaims\":[],"
        "\"singleAudience\":false,\"refuseStretched\":false,\"pinServiceAccountUid\":\"off\","
        "\"allowedSubjects\":[]},\"isShared\":false,"
        "\"pinClaims\":[],\"pushSubjects\":[],\"description\":\"one\",\"enabled\":true,\"issuerGroups\":[],"
        "\"createdAt\":\"1970-01-01T00:00:00Z\",\"updatedAt\":\"1970-01-01T00:00:00Z\"}");
    end_reading(&second);
    end_reading(&first);
}

/* A set of 60 levels: as deep as a body may be. */
static void patches_what_is_deep(void **state)
{
    struct reading first, second;
    struct rely_buf text = {0};
    (void)state;
    read_as(&first, RELY_OBJECT_IDENTITY, WEB, NULL);
    rely_buf_printf(&text, "{\"extra\":");
    for (int i = 0; i < 60; i++)
        rely_buf_printf(&text, "{\"example.com/a\":");
    rely_buf_printf(&text, "null");
    for (int i = 0; i < 61; i++)
        rely_buf_putc(&text, '}');
    rely_buf_putc(&text, '\0');
    apply_patch(&first, RELY_OBJECT_IDENTITY, text.ptr, &second);
    assert_int_equal(second.problems.count, 1);
    assert_string_equal(second.problems.items[0].field, "extra.example.com/a");
    assert_string_equal(second.problems.items[0].code, "wrong_type");
    rely_buf_fini(&text);
    end_reading(&second);
    end_reading(&first);
}

static void shows_differences(void **state)
{
    struct reading first, second;
    const struct rely_kind *kind = rely_kind_of(RELY_OBJECT_ISSUER);
    (void)state;
    read_as(&first, RELY_OBJECT_ISSUER, PROD, NULL);
    apply_patch(&first, RELY_OBJECT_ISSUER, "{\"keys\":null,\"description\":null,\"enabled\":true}", &second);
    second.record.record.updated_at = 7; /* that it was changed is no change of what it says */
    struct rely_json *found = rely_record_diff(kind, &first.record, &second.record);
    assert_prints(found, "[{\"field\":\"keys\",\"before\":{\"jwksUri\":\"https://a.example/k\"},"
                         "\"after\":{\"discovery\":true}},{\"field\":\"description\",\"before\":\"one\"},"
                         "{\"field\":\"enabled\",\"before\":false,\"after\":true}]");
    rely_json_free(found);
    found = rely_record_diff(kind, &first.record, &first.record);
    assert_prints(found, "[]");
    rely_json_free(found);
    end_reading(&second);
    end_reading(&first);
    read_as(&first, RELY_OBJECT_IDENTITY, "{\"name\":\"web\"}", NULL);
    first.record.identity.uid = RELY_LIT("u");
    found = rely_record_diff(rely_kind_of(RELY_OBJECT_IDENTITY), NULL, &first.record);
    assert_prints(found, "[{\"field\":\"name\",\"after\":\"web\"},{\"field\":\"uid\",\"after\":\"u\"},"
                         "{\"field\":\"username\",\"after\":\"web\"},{\"field\":\"groups\",\"after\":[]},"
                         "{\"field\":\"extra\",\"after\":{}},{\"field\":\"roles\",\"after\":[]},"
                         "{\"field\":\"owners\",\"after\":[]},{\"field\":\"certificates\",\"after\":[]},"
                         "{\"field\":\"enabled\",\"after\":true}]");
    rely_json_free(found);
    end_reading(&first);
}

int run_patch_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_as_the_rfc_says), cmocka_unit_test(replaces_by_what_is_no_object),
        cmocka_unit_test(patches_objects),        cmocka_unit_test(patches_every_field),
        cmocka_unit_test(leaves_the_rest_alone),  cmocka_unit_test(patches_what_is_deep),
        cmocka_unit_test(shows_differences),
    };
    return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
