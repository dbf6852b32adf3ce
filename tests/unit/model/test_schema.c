/*
 * The schema says what the reader of bodies does: for each field of each kind, the value at a limit of the schema is
 * accepted and the one beyond it is refused, what is given as the default is the default, and nothing is left out.
 */
#include "relyd/compose.h"
#include "relyd/schema.h"
#include "tests.h"

#include <stdio.h>

/* What every body of a kind must have, by the kinds' places. Own fields are set on top. */
static const char *const least_bodies[] = {
    "{\"name\":\"web\",\"issuer\":\"https://a.example\"}",
    "{\"name\":\"web\"}",
    "{\"name\":\"web\"}",
    "{\"name\":\"web\"}",
    "{\"name\":\"web\",\"issuerName\":\"prod\",\"subject\":\"s\",\"audiences\":[\"a\"]}",
    "{\"name\":\"default\"}", /* the one that may have no audiences */
    "{\"reason\":\"leaked\",\"issuerName\":\"prod\"}",
};
#define KINDS (sizeof least_bodies / sizeof least_bodies[0])

static struct rely_json *schema_of(const struct rely_kind *kind)
{
    struct rely_err err = {0};
    struct rely_buf text = {0};
    struct rely_json *built = rely_kind_show_schema(kind);
    rely_json_print(built, &text);
    rely_json_free(built);
    struct rely_json *parsed = rely_json_parse(rely_buf_slice(&text), &err); /* as who reads it has it */
    assert_non_null(parsed);
    rely_buf_fini(&text);
    return parsed;
}

static int64_t number_in(const struct rely_json *schema, const char *name, int64_t otherwise)
{
    const struct rely_json *value = rely_json_get(schema, name);
    return value == NULL ? otherwise : rely_json_integer(value);
}

static bool has_type(const struct rely_json *schema, const char *word)
{
    const struct rely_json *type = rely_json_get(schema, "type");
    if (rely_json_type(type) == RELY_JSON_ARRAY)
        type = rely_json_at(type, 0);
    return rely_slice_equal(rely_json_text(type), rely_slice_of(word));
}

/* --- a body with one value, and whether a limit was noted ---------------------------------------------------- */

struct probe {
    size_t kind; /* its place */
    const char *field;
    const struct rely_json *schema; /* of the field */
};

static bool is_limit_code(const char *code)
{
    static const char *const codes[] = {"too_short",    "too_long",   "too_few",      "too_many",
                                        "out_of_range", "wrong_type", "invalid_value"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

/* Takes the value over. */
static bool is_within_limits(const struct probe *probe, struct rely_json *value)
{
    struct reading reading;
    struct rely_buf text = {0};
    struct rely_err err = {0};
    bool is_within = true;
    struct rely_json *body = rely_json_parse(rely_slice_of(least_bodies[probe->kind]), &err);
    rely_json_set(body, probe->field, value);
    rely_json_print(body, &text);
    rely_buf_putc(&text, '\0');
    read_as(&reading, rely_kind_at(probe->kind)->object, text.ptr, NULL);
    for (size_t i = 0; i < reading.problems.count && i < RELY_PROBLEMS_MAX; i++)
        if (strncmp(reading.problems.items[i].field, probe->field, strlen(probe->field)) == 0 &&
            is_limit_code(reading.problems.items[i].code))
            is_within = false;
    end_reading(&reading);
    rely_json_free(body);
    rely_buf_fini(&text);
    return is_within;
}

static void assert_limit(const struct probe *probe, const char *what, struct rely_json *value, bool is_within)
{
    if (is_within_limits(probe, value) != is_within)
        fail_msg("%s of %s: %s is %s", probe->field, rely_kind_at(probe->kind)->word, what,
                 is_within ? "refused" : "accepted");
}

/* --- one value of each type --------------------------------------------------------------------------------- */

/* Of so many characters, each `c` but the last, which counts up; two bytes each where they may be so. */
static struct rely_json *text_of(int64_t characters, const char *c, int64_t number)
{
    struct rely_buf text = {0};
    char end[24];
    snprintf(end, sizeof end, "%lld", (long long)number);
    for (int64_t i = 0; i < characters; i++)
        rely_buf_printf(&text, "%s", c);
    size_t shorter = strlen(end) * strlen(c);
    if (number > 0 && text.len >= shorter) {
        text.len -= shorter;
        rely_buf_printf(&text, "%s", end);
    }
    struct rely_json *value = rely_json_of_text(rely_buf_slice(&text));
    rely_buf_fini(&text);
    return value;
}

/* Text that looks like a certificate, of so many characters; `last` is the last one. */
static struct rely_json *pem_of(int64_t characters, const char *last)
{
    struct rely_buf text = {0};
    rely_buf_printf(&text, "-----BEGIN CERTIFICATE-----");
    while ((int64_t)text.len < characters - 1)
        rely_buf_putc(&text, 'a');
    rely_buf_printf(&text, "%s", last);
    struct rely_json *value = rely_json_of_text(rely_buf_slice(&text));
    rely_buf_fini(&text);
    return value;
}

static const char *letter_of(const struct probe *probe)
{
    static const char *const ascii[] = {"types", "name", "trustDomain", "bearerTokenFile"};
    for (size_t i = 0; i < sizeof ascii / sizeof ascii[0]; i++)
        if (strcmp(probe->field, ascii[i]) == 0)
            return "a";
    return "\xc3\xa9";
}

/* The limit is in bytes, which no keyword of JSON Schema counts. */
static void probe_bytes(const struct probe *probe, int64_t most)
{
    assert_limit(probe, "its greatest length", pem_of(most, "a"), true);
    assert_limit(probe, "a greater length", pem_of(most + 1, "a"), false);
    assert_limit(probe, "as many characters and a byte more", pem_of(most, "\xc3\xa9"), false);
}

static void probe_text(const struct probe *probe)
{
    int64_t least = number_in(probe->schema, "minLength", 0), most = number_in(probe->schema, "maxLength", -1);
    assert_true(most > 0);
    if (strcmp(probe->field, "caBundle") == 0) {
        probe_bytes(probe, most);
        return;
    }
    assert_limit(probe, "its greatest length", text_of(most, letter_of(probe), 0), true);
    assert_limit(probe, "a greater length", text_of(most + 1, letter_of(probe), 0), false);
    assert_limit(probe, "its least length", text_of(least, letter_of(probe), 0), true);
    if (least > 0)
        assert_limit(probe, "a smaller length", text_of(least - 1, letter_of(probe), 0), false);
    if (strcmp(probe->field, "name") != 0) /* without a name nothing is read */
        assert_limit(probe, "a number", rely_json_of_integer(1), false);
}

static void probe_integer(const struct probe *probe)
{
    int64_t least = number_in(probe->schema, "minimum", 0), most = number_in(probe->schema, "maximum", 0);
    assert_true(least < most);
    assert_limit(probe, "its minimum", rely_json_of_integer(least), true);
    assert_limit(probe, "its maximum", rely_json_of_integer(most), true);
    assert_limit(probe, "less", rely_json_of_integer(least - 1), false);
    assert_limit(probe, "more", rely_json_of_integer(most + 1), false);
    assert_limit(probe, "a text", rely_json_of_text(RELY_LIT("1")), false);
}

/* Whole seconds between the first of 1970 and RELY_TIME_MAX_S. */
static void probe_time(const struct probe *probe)
{
    static const struct {
        const char *text;
        bool is_good;
    } times[] = {{"1970-01-01T00:00:01Z", true},      {"1970-01-01T00:00:00Z", false},
                 {"5138-11-16T09:46:40Z", true},      {"5138-11-16T09:46:41Z", false},
                 {"2027-01-31t12:00:00.5z", true},    {"2027-01-31T12:00:00+01:00", true},
                 {"2027-02-29T12:00:00Z", false},     {"2027-01-31", false},
                 {"2027-01-31T12:00:00", false},      {"", false},
                 {"2027-01-31T12:00:00Z and", false}, {"1800000000", false}};
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        assert_limit(probe, times[i].text, rely_json_of_text(rely_slice_of(times[i].text)), times[i].is_good);
    assert_limit(probe, "a number", rely_json_of_integer(1800000000), false);
    assert_limit(probe, "null", rely_json_of_null(),
                 rely_json_type(rely_json_get(probe->schema, "type")) == RELY_JSON_ARRAY);
}

static void probe_words(const struct probe *probe)
{
    const struct rely_json *words = rely_json_get(probe->schema, "enum");
    assert_true(rely_json_size(words) > 0);
    for (size_t i = 0; i < rely_json_size(words); i++)
        assert_limit(probe, "one of its words", rely_json_of_text(rely_json_text(rely_json_at(words, i))), true);
    assert_limit(probe, "another word", rely_json_of_text(RELY_LIT("another")), false);
}

static struct rely_json *list_of(const struct probe *probe, const struct rely_json *items, int64_t count,
                                 int64_t characters)
{
    struct rely_json *list = rely_json_array();
    const struct rely_json *words = rely_json_get(items, "enum");
    for (int64_t i = 0; i < count; i++)
        rely_json_append(list, words != NULL && (size_t)i < rely_json_size(words)
                                   ? rely_json_share(rely_json_at(words, (size_t)i))
                                   : text_of(characters, letter_of(probe), i));
    return list;
}

/* `wrap`: the key of a map in which the list stands, or NULL. */
static struct rely_json *wrap_list(const char *wrap, struct rely_json *list)
{
    if (wrap == NULL)
        return list;
    struct rely_json *map = rely_json_object();
    rely_json_set(map, wrap, list);
    return map;
}

static void probe_list(const struct probe *probe, const struct rely_json *schema, const char *wrap)
{
    const struct rely_json *items = rely_json_get(schema, "items");
    int64_t least = number_in(schema, "minItems", -1), most = number_in(schema, "maxItems", -1);
    int64_t longest = number_in(items, "maxLength", 8), shortest = number_in(items, "minLength", 0);
    assert_true(rely_json_true(rely_json_get(schema, "uniqueItems")) && least >= 0 && most > 1);
    assert_limit(probe, "most items", wrap_list(wrap, list_of(probe, items, most, 5)), true);
    assert_limit(probe, "one item more", wrap_list(wrap, list_of(probe, items, most + 1, 5)), false);
    assert_limit(probe, "least items", wrap_list(wrap, list_of(probe, items, least, 5)), true);
    if (least > 0)
        assert_limit(probe, "one item less", wrap_list(wrap, list_of(probe, items, least - 1, 5)), false);
    if (rely_json_get(items, "enum") != NULL)
        return;
    assert_limit(probe, "the longest item", wrap_list(wrap, list_of(probe, items, 1, longest)), true);
    assert_limit(probe, "a longer item", wrap_list(wrap, list_of(probe, items, 1, longest + 1)), false);
    if (shortest > 0)
        assert_limit(probe, "a shorter item", wrap_list(wrap, list_of(probe, items, 1, shortest - 1)), false);
    assert_limit(probe, "no list", wrap_list(wrap, rely_json_of_integer(1)), false);
}

/* A route's headers: each key has one text. */
static struct rely_json *headers_of(int64_t count, const char *source)
{
    struct rely_json *map = rely_json_object();
    for (int64_t i = 0; i < count; i++) {
        char key[48];
        snprintf(key, sizeof key, "x-k%lld", (long long)i);
        rely_json_set(map, key, rely_json_of_text(rely_slice_of(source)));
    }
    return map;
}

static void probe_headers(const struct probe *probe, int64_t most)
{
    int64_t longest = number_in(rely_json_get(probe->schema, "additionalProperties"), "maxLength", -1);
    char source[300];
    assert_int_equal(number_in(probe->schema, "minProperties", 0), 1);
    assert_limit(probe, "most keys", headers_of(most, "uid"), true);
    assert_limit(probe, "one key more", headers_of(most + 1, "uid"), false);
    assert_limit(probe, "no key", headers_of(0, "uid"), false);
    snprintf(source, sizeof source, "claim:%0*d", (int)longest - 6, 0);
    assert_limit(probe, "the longest text", headers_of(1, source), true);
    snprintf(source, sizeof source, "claim:%0*d", (int)longest - 5, 0);
    assert_limit(probe, "a longer text", headers_of(1, source), false);
}

static struct rely_json *map_of(int64_t count)
{
    struct rely_json *map = rely_json_object();
    for (int64_t i = 0; i < count; i++) {
        char key[48];
        struct rely_json *list = rely_json_array();
        rely_json_append(list, rely_json_of_text(RELY_LIT("a")));
        snprintf(key, sizeof key, "example.com/k%lld", (long long)i);
        rely_json_set(map, key, list);
    }
    return map;
}

static void probe_map(const struct probe *probe)
{
    int64_t most = number_in(probe->schema, "maxProperties", -1);
    assert_true(most > 0);
    if (has_type(rely_json_get(probe->schema, "additionalProperties"), "string")) {
        probe_headers(probe, most);
        return;
    }
    assert_limit(probe, "most keys", map_of(most), true);
    assert_limit(probe, "one key more", map_of(most + 1), false);
    probe_list(probe, rely_json_get(probe->schema, "additionalProperties"), "example.com/k");
}

static void probe_field(const struct probe *probe)
{
    if (rely_json_true(rely_json_get(probe->schema, "readOnly")) || rely_json_get(probe->schema, "oneOf") != NULL ||
        rely_json_true(rely_json_get(probe->schema, "writeOnly")) || rely_json_get(probe->schema, "properties") != NULL)
        return; /* not for a body to say, or the kind's own */
    if (rely_json_get(probe->schema, "enum") != NULL)
        probe_words(probe);
    else if (rely_slice_equal(rely_json_text(rely_json_get(probe->schema, "format")), RELY_LIT("date-time")))
        probe_time(probe);
    else if (has_type(probe->schema, "string"))
        probe_text(probe);
    else if (has_type(probe->schema, "integer"))
        probe_integer(probe);
    else if (has_type(probe->schema, "array"))
        probe_list(probe, probe->schema, NULL);
    else if (has_type(probe->schema, "object"))
        probe_map(probe);
    else
        assert_limit(probe, "a text", rely_json_of_text(RELY_LIT("true")), false);
}

/* --- all fields ----------------------------------------------------------------------------------------------- */

static void enforces_the_limits_of_the_schema(void **state)
{
    const struct rely_kind *kind;
    (void)state;
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++) {
        struct rely_json *schema = schema_of(kind);
        const struct rely_json *properties = rely_json_get(schema, "properties");
        for (const char *name = rely_json_next_name(properties, NULL); name != NULL;
             name = rely_json_next_name(properties, name))
            probe_field(&(struct probe){.kind = i, .field = name, .schema = rely_json_get(properties, name)});
        rely_json_free(schema);
    }
}

/* The table's sentence, and of a limit in bytes the number. */
static void assert_described(const struct rely_field *field, const struct rely_json *property)
{
    char sentence[800], limit[48] = "";
    if ((field->flags & RELY_FIELD_BYTES) != 0)
        snprintf(limit, sizeof limit, " At most %lld bytes in UTF-8.", (long long)field->most);
    snprintf(sentence, sizeof sentence, "%s%s", field->sentence, limit);
    assert_string_equal(rely_json_text(rely_json_get(property, "description")).ptr, sentence);
}

static void has_every_field(void **state)
{
    const struct rely_kind *kind;
    (void)state;
    assert_null(rely_kind_at(KINDS)); /* a further one needs its least body above */
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++) {
        size_t count = 0;
        struct rely_json *schema = schema_of(kind);
        const struct rely_json *properties = rely_json_get(schema, "properties");
        for (size_t at = 0; at < kind->field_count; at++) {
            const struct rely_field *field = &kind->fields[at];
            const struct rely_json *property = rely_json_get(properties, field->json);
            if (field->json[0] == '\0')
                continue;
            count++;
            assert_non_null(property);
            assert_described(field, property);
            assert_true(rely_json_true(rely_json_get(property, "readOnly")) ==
                        ((field->flags & RELY_FIELD_READ_ONLY) != 0));
        }
        assert_int_equal(rely_json_size(properties), count);
        assert_int_equal(rely_json_type(rely_json_get(schema, "additionalProperties")), RELY_JSON_BOOL);
        assert_false(rely_json_true(rely_json_get(schema, "additionalProperties")));
        rely_json_free(schema);
    }
}

/* A required field that is left out is said to be, and no other is: what one of several must be there for is. */
static void requires_what_the_schema_requires(void **state)
{
    const struct rely_kind *kind;
    (void)state;
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++) {
        struct reading reading;
        struct rely_json *schema = schema_of(kind);
        const struct rely_json *required = rely_json_get(schema, "required");
        read_as(&reading, kind->object,
                "{\"name\":\"web\",\"issuerName\":null,\"subject\":null,\"trustDomain\":null,\"keys\":null}", NULL);
        size_t found = 0;
        for (size_t at = 0; at < reading.problems.count; at++) {
            if (strcmp(reading.problems.items[at].code, "required") != 0)
                continue;
            assert_true(rely_slice_equal(rely_json_text(rely_json_at(required, found)),
                                         rely_slice_of(reading.problems.items[at].field)));
            found++;
        }
        assert_int_equal(found, rely_json_size(required));
        end_reading(&reading);
        rely_json_free(schema);
    }
}

/* A body that gives every default, and one that gives none: the same record. */
static void gives_the_defaults_that_hold(void **state)
{
    const struct rely_kind *kind;
    (void)state;
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++) {
        struct reading with, without;
        struct rely_err err = {0};
        struct rely_buf text = {0};
        struct rely_json *schema = schema_of(kind);
        struct rely_json *body = rely_json_parse(rely_slice_of(least_bodies[i]), &err);
        const struct rely_json *properties = rely_json_get(schema, "properties");
        for (const char *name = rely_json_next_name(properties, NULL); name != NULL;
             name = rely_json_next_name(properties, name)) {
            const struct rely_json *value = rely_json_get(rely_json_get(properties, name), "default");
            if (value != NULL)
                rely_json_set(body, name, rely_json_share(value));
        }
        rely_json_print(body, &text);
        rely_buf_putc(&text, '\0');
        read_as(&without, kind->object, least_bodies[i], NULL);
        read_as(&with, kind->object, text.ptr, &without.record);
        assert_int_equal(with.problems.count, 0);
        assert_true(rely_record_equal(kind, &with.record, &without.record, RELY_WITHOUT_VOLATILE));
        end_reading(&with);
        end_reading(&without);
        rely_json_free(body);
        rely_json_free(schema);
        rely_buf_fini(&text);
    }
}

int run_schema_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enforces_the_limits_of_the_schema),
        cmocka_unit_test(has_every_field),
        cmocka_unit_test(requires_what_the_schema_requires),
        cmocka_unit_test(gives_the_defaults_that_hold),
    };
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
