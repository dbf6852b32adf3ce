/*
 * Bodies into records and back by the table of fields: what is shown is what was given, every field counts when two
 * records are compared, and what is wrong is said in the order of the fields.
 */
#include <stdio.h>
#include <stdlib.h>

#include "relyd/compose.h"
#include "relyd/lint.h"
#include "relyd/model.h"
#include "relyd/text.h"
#include "tests.h"

static void assert_shown(const struct reading *reading, enum rely_object object, const char *expected)
{
    struct rely_buf text = {0};
    struct rely_json *shown = rely_record_show(rely_kind_of(object), &reading->record);
    assert_non_null(shown);
    rely_json_print(shown, &text);
    assert_string_equal(text.ptr, expected);
    rely_buf_fini(&text);
    rely_json_free(shown);
}

#define GUARDS                                                                                                         \
    "\"guards\":{\"requiredClaims\":[],\"singleAudience\":false,\"refuseStretched\":false,\"pinServiceAccountUid\":"   \
    "\"off\","                                                                                                         \
    "\"allowedSubjects\":[]},\"isShared\":false,\"pinClaims\":[],\"pushSubjects\":[],"
#define TIMES "\"createdAt\":\"1970-01-01T00:00:00Z\",\"updatedAt\":\"1970-01-01T00:00:00Z\"}"

static void shows_what_was_given(void **state)
{
    struct reading reading;
    (void)state;
    read_as(
        &reading, RELY_OBJECT_ISSUER,
        "{\"name\":\"prod\",\"issuer\":\"https://"
        "a.example\",\"trustDomain\":\"a.example\",\"aliases\":[\"urn:a\",\"b\"],"
        "\"keys\":{\"jwksUri\":\"https://a.example/k\"},\"caBundle\":\"-----BEGIN "
        "CERTIFICATE-----\",\"allowHttp\":true,\"allowPrivateAddresses\":true,"
        "\"algorithms\":[\"ES256\",\"Ed25519\"],\"types\":[\"application/JWT\",\"x\"],\"leewaySeconds\":0,"
        "\"maxTokenLifetimeSeconds\":9,\"subjectClaim\":\"/a/b\",\"description\":\"two\\nlines\",\"enabled\":false}",
        NULL);
    assert_int_equal(reading.problems.count, 0);
    assert_shown(&reading, RELY_OBJECT_ISSUER,
                 "{\"name\":\"prod\",\"issuer\":\"https://"
                 "a.example\",\"trustDomain\":\"a.example\",\"aliases\":[\"urn:a\",\"b\"],"
                 "\"keys\":{\"jwksUri\":\"https://a.example/k\"},\"caBundle\":\"-----BEGIN "
                 "CERTIFICATE-----\",\"allowHttp\":true,\"allowPrivateAddresses\":true,"
                 "\"algorithms\":[\"ES256\",\"EdDSA\"],\"types\":[\"jwt\",\"x\"],\"leewaySeconds\":0,"
                 "\"maxTokenLifetimeSeconds\":9,\"allowCostlyKeys\":false,\"subjectClaim\":\"/a/b\"," GUARDS
                 "\"description\":\"two\\nlines\",\"enabled\":false,\"issuerGroups\":[]," TIMES);
    end_reading(&reading);
    read_as(&reading, RELY_OBJECT_CREDENTIAL,
            "{\"name\":\"one\",\"issuerName\":\"prod\",\"subject\":\"s\",\"audiences\":[\"a\",\"b\"]}", NULL);
    assert_int_equal(reading.problems.count, 0);
    assert_int_equal(reading.record.credential.uuid.len, RELY_UUID_SIZE - 1);
    reading.record.credential.uuid = RELY_LIT("u");
    assert_shown(&reading, RELY_OBJECT_CREDENTIAL,
                 "{\"id\":\"u\",\"name\":\"one\",\"issuerName\":\"prod\",\"subject\":\"s\",\"audiences\":[\"a\",\"b\"],"
                 "\"enabled\":true,\"mode\":\"enforce\",\"description\":null," TIMES);
    end_reading(&reading);
    read_as(&reading, RELY_OBJECT_CREDENTIAL,
            "{\"name\":\"one\",\"issuerName\":\"prod\",\"subject\":\"s\",\"audiences\":[\"a\"],\"mode\":\"shadow\","
            "\"notAfter\":\"2027-01-01T01:00:00.9+01:00\",\"enabled\":false}",
            NULL);
    assert_int_equal(reading.problems.count, 0);
    reading.record.credential.uuid = RELY_LIT("u");
    assert_shown(
        &reading, RELY_OBJECT_CREDENTIAL,
        "{\"id\":\"u\",\"name\":\"one\",\"issuerName\":\"prod\",\"subject\":\"s\",\"audiences\":[\"a\"],"
        "\"enabled\":false,\"notAfter\":\"2027-01-01T00:00:00Z\",\"mode\":\"shadow\",\"description\":null," TIMES);
    end_reading(&reading);
}

static void fills_in_defaults(void **state)
{
    struct reading reading;
    (void)state;
    read_as(&reading, RELY_OBJECT_ISSUER, "{\"name\":\"prod\",\"issuer\":\"https://a.example\"}", NULL);
    assert_shown(&reading, RELY_OBJECT_ISSUER,
                 "{\"name\":\"prod\",\"issuer\":\"https://"
                 "a.example\",\"aliases\":[],\"keys\":{\"discovery\":true},\"allowHttp\":false,"
                 "\"allowPrivateAddresses\":false,\"algorithms\":[\"RS256\",\"RS384\",\"RS512\",\"PS256\",\"PS384\","
                 "\"PS512\",\"ES256\",\"ES384\",\"ES512\",\"EdDSA\"],\"types\":[\"jwt\",\"jose\",\"at+jwt\"],"
                 "\"leewaySeconds\":60,\"allowCostlyKeys\":false,\"subjectClaim\":\"sub\"," GUARDS
                 "\"enabled\":true,\"issuerGroups\":[]," TIMES);
    end_reading(&reading);
    read_as(&reading, RELY_OBJECT_IDENTITY, "{\"name\":\"web\"}", NULL);
    reading.record.identity.uid = RELY_LIT("u");
    assert_shown(&reading, RELY_OBJECT_IDENTITY,
                 "{\"name\":\"web\",\"uid\":\"u\",\"username\":\"web\",\"groups\":[],\"extra\":{},\"roles\":[],"
                 "\"owners\":[],\"certificates\":[],\"enabled\":true," TIMES);
    end_reading(&reading);
}

/* What is refused comes in the order in which the object is shown, whichever function found it. */
static void says_what_is_wrong_in_order(void **state)
{
    static const char *const expected[] = {"whatever",  "name",      "username", "usernameFrom",
                                           "groups[1]", "groups[2]", "extra.a",  "enabled"};
    struct reading reading;
    (void)state;
    read_as(&reading, RELY_OBJECT_IDENTITY,
            "{\"name\":\"-\",\"enabled\":7,\"extra\":{\"a\":[\"b\"]},\"groups\":[\"g\",\"g\",\"system:masters\"],"
            "\"usernameFrom\":\"issuer\",\"username\":\"u\",\"whatever\":1}",
            NULL);
    assert_int_equal(reading.problems.count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < reading.problems.count; i++)
        assert_string_equal(reading.problems.items[i].field, expected[i]);
    end_reading(&reading);
}

/* A record that differs in one field, whichever, is another one; one that differs in what is volatile is not. */
static void compares_every_field(enum rely_object object, const char *text)
{
    struct reading reading;
    const struct rely_kind *kind = rely_kind_of(object);
    read_as(&reading, object, text, NULL);
    for (size_t i = 0; i < kind->field_count; i++) {
        const struct rely_field *field = &kind->fields[i];
        union rely_any_record other = reading.record;
        static const struct rely_slice another = {"another", 7};
        static const struct rely_texts others = {&another, 1};
        static const struct rely_text_entry entry = {{"k", 1}, {&another, 1}};
        static const struct rely_text_map map = {&entry, 1};
        char *at = (char *)&other + field->offset;
        if (field->type == RELY_FIELD_NAME || field->type == RELY_FIELD_UUID || field->type == RELY_FIELD_TEXT)
            memcpy(at, &another, sizeof another);
        else if (field->type == RELY_FIELD_BOOL)
            *(bool *)at = !*(bool *)at;
        else if (field->type == RELY_FIELD_LIST)
            memcpy(at, &others, sizeof others);
        else if (field->type == RELY_FIELD_MAP)
            memcpy(at, &map, sizeof map);
        else if (field->column != NULL)
            (*(int64_t *)at)++;
        bool counts =
            field->column != NULL && field->type != RELY_FIELD_TIME && (field->flags & RELY_FIELD_VOLATILE) == 0;
        if (rely_record_equal(kind, &reading.record, &other, RELY_WITHOUT_VOLATILE) == counts ||
            rely_record_equal(kind, &reading.record, &other, RELY_WITH_VOLATILE) == (field->column != NULL))
            fail_msg("%s of %s", field->json, kind->word);
    }
    end_reading(&reading);
}

/* A copy has nothing of the body that the record was read from: that is gone when it is looked at. */
static void copies_all_that_a_record_points_to(void **state)
{
    static const struct {
        enum rely_object object;
        const char *body;
    } cases[] = {
        {RELY_OBJECT_ISSUER,
         "{\"name\":\"prod\",\"issuer\":\"https://a.example\",\"keys\":{\"jwksUri\":\"https://a.example/k\"},"
         "\"types\":[\"jwt\",\"x\"],\"description\":\"two\\nlines\"}"},
        {RELY_OBJECT_IDENTITY, "{\"name\":\"web\",\"username\":\"u\",\"groups\":[\"a\",\"b\"],"
                               "\"extra\":{\"example.com/a\":[\"1\",\"2\"],\"example.com/b\":[\"3\"]}}"},
        {RELY_OBJECT_CREDENTIAL,
         "{\"name\":\"one\",\"issuerName\":\"prod\",\"subject\":\"s\",\"audiences\":[\"a\",\"b\"]}"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading;
        struct rely_buf before = {0}, after = {0};
        const struct rely_kind *kind = rely_kind_of(cases[i].object);
        read_as(&reading, cases[i].object, cases[i].body, NULL);
        assert_int_equal(reading.problems.count, 0);
        struct rely_json *shown = rely_record_show(kind, &reading.record);
        rely_json_print(shown, &before);
        rely_json_free(shown);
        void *copy = rely_record_copy(kind, &reading.record);
        end_reading(&reading);
        shown = rely_record_show(kind, copy);
        rely_json_print(shown, &after);
        rely_json_free(shown);
        assert_string_equal(after.ptr, before.ptr);
        if (cases[i].object == RELY_OBJECT_IDENTITY) /* no library looks at it in between */
            assert_true(rely_slice_equal(((const struct rely_identity_record *)copy)->extra.items[0].key,
                                         RELY_LIT("example.com/a")));
        free(copy);
        rely_buf_fini(&before);
        rely_buf_fini(&after);
    }
}

/* A type counts without its prefix, of which it may be as much longer. */
static void measures_types_without_their_prefix(void **state)
{
    static const struct {
        const char *prefix;
        int len;
        const char *code; /* NULL: it is good */
    } cases[] = {
        {"", 127, NULL},
        {"", 128, "too_long"},
        {"application/", 127, NULL},
        {"application/", 128, "too_long"},
        {"application/", 0, NULL}, /* of nothing, it is no prefix */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading;
        char body[300], letters[129];
        memset(letters, 'x', sizeof letters);
        snprintf(body, sizeof body, "{\"name\":\"prod\",\"issuer\":\"https://a.example\",\"types\":[\"%s%.*s\"]}",
                 cases[i].prefix, cases[i].len, letters);
        read_as(&reading, RELY_OBJECT_ISSUER, body, NULL);
        assert_int_equal(reading.problems.count, cases[i].code != NULL);
        if (cases[i].code != NULL)
            assert_string_equal(reading.problems.items[0].code, cases[i].code);
        else
            assert_int_equal(reading.record.issuer.types.items[0].len, cases[i].len == 0 ? 12 : cases[i].len);
        end_reading(&reading);
    }
}

/* The table says all of it. */
static void reads_a_kind_without_rules(void **state)
{
    struct reading reading;
    struct rely_kind plain = *rely_kind_of(RELY_OBJECT_IDENTITY);
    (void)state;
    read_as_kind(&reading, &plain, "{\"name\":\"web\",\"username\":\"system:node\"}", NULL);
    assert_int_equal(reading.problems.count, 1);
    end_reading(&reading);
    plain.check = NULL;
    read_as_kind(&reading, &plain, "{\"name\":\"web\",\"username\":\"system:node\",\"enabled\":7}", NULL);
    assert_int_equal(reading.problems.count, 1);
    assert_string_equal(reading.problems.items[0].field, "enabled");
    assert_true(rely_slice_equal(reading.record.identity.username, RELY_LIT("system:node")));
    end_reading(&reading);
}

static void compares_records(void **state)
{
    (void)state;
    compares_every_field(RELY_OBJECT_ISSUER, "{\"name\":\"prod\",\"issuer\":\"https://a.example\"}");
    compares_every_field(RELY_OBJECT_IDENTITY, "{\"name\":\"web\"}");
    compares_every_field(RELY_OBJECT_CREDENTIAL,
                         "{\"name\":\"one\",\"issuer\":\"https://a.example\",\"subject\":\"s\",\"audiences\":[\"a\"]}");
}

static void keeps_what_is_fixed(void **state)
{
    struct reading first, second;
    (void)state;
    read_as(&first, RELY_OBJECT_IDENTITY, "{\"name\":\"web\"}", NULL);
    first.record.record.id = 1;
    read_as(&second, RELY_OBJECT_IDENTITY, "{\"name\":\"web\",\"uid\":\"mine\"}", &first.record);
    assert_int_equal(second.problems.count, 1);
    assert_string_equal(second.problems.items[0].code, "read_only");
    assert_true(rely_slice_equal(second.record.identity.uid, first.record.identity.uid));
    end_reading(&second);
    read_as(&second, RELY_OBJECT_IDENTITY, "{\"name\":\"web\",\"createdAt\":\"1970-01-01T00:00:00Z\"}", &first.record);
    assert_int_equal(second.problems.count, 0);
    end_reading(&second);
    end_reading(&first);
}

/* A time that a body gives, and a word that is one of several. */
static void reads_times_and_words(void **state)
{
    static const struct {
        const char *member, *code; /* NULL: it is good */
        const char *message;
        int64_t not_after;
    } cases[] = {
        {"\"notAfter\":\"2026-11-22T10:00:00Z\"", NULL, NULL, 1795341600},
        {"\"notAfter\":\"1970-01-01T00:00:01Z\"", NULL, NULL, 1},
        {"\"notAfter\":\"5138-11-16T09:46:40Z\"", NULL, NULL, RELY_TIME_MAX_S},
        {"\"notAfter\":null", NULL, NULL, 0},
        {"\"notAfter\":\"1970-01-01T00:00:00Z\"", "out_of_range",
         "notAfter must be a time from 1970-01-01T00:00:01Z to 5138-11-16T09:46:40Z", 0},
        {"\"notAfter\":\"1970-01-01T01:00:00+01:00\"", "out_of_range", NULL, 0},
        {"\"notAfter\":\"5138-11-16T09:46:41Z\"", "out_of_range", NULL, 0},
        {"\"notAfter\":\"9999-12-31T23:59:59Z\"", "out_of_range", NULL, 0},
        {"\"notAfter\":\"2026-02-30T10:00:00Z\"", "invalid_value", NULL, 0},
        {"\"notAfter\":\"2026-11-22T10:00:00\"", "invalid_value", NULL, 0},
        {"\"notAfter\":\"2026-11-22\"", "invalid_value", NULL, 0},
        {"\"notAfter\":\"\"", "invalid_value", NULL, 0},
        {"\"notAfter\":1795341600", "wrong_type", NULL, 0},
        {"\"notAfter\":false", "wrong_type", NULL, 0},
        {"\"mode\":\"Shadow\"", "invalid_value", "mode must be \"enforce\" or \"shadow\", or be left out", 0},
        {"\"mode\":null", "invalid_value", NULL, 0},
        {"\"mode\":1", "invalid_value", NULL, 0},
        {"\"enabled\":null", "wrong_type", NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading;
        char text[200];
        snprintf(text, sizeof text,
                 "{\"name\":\"one\",\"issuerName\":\"prod\",\"subject\":\"s\",\"audiences\":[\"a\"],%s}",
                 cases[i].member);
        read_as(&reading, RELY_OBJECT_CREDENTIAL, text, NULL);
        assert_int_equal(reading.problems.count, cases[i].code != NULL);
        assert_int_equal(reading.record.credential.not_after, cases[i].not_after);
        assert_int_equal(reading.record.credential.mode, RELY_MODE_ENFORCE);
        const struct rely_problem *problem = &reading.problems.items[0];
        if (cases[i].code != NULL) {
            assert_string_equal(problem->code, cases[i].code);
            assert_memory_equal(problem->field, cases[i].member + 1, strlen(problem->field));
        }
        if (cases[i].message != NULL)
            assert_string_equal(problem->message, cases[i].message);
        end_reading(&reading);
    }
}

/* A field that the table does not know: by a slip of the finger, cut short, or in the wrong place. */
static void suggests_the_field_that_was_meant(void **state)
{
    static const struct {
        const char *member, *message;
    } cases[] = {
        {"enabeld", "\"enabeld\" is no field of an issuer; did you mean enabled?"},
        {"leeway", "\"leeway\" is no field of an issuer; did you mean leewaySeconds?"},
        {"allo", "\"allo\" is no field of an issuer"}, /* two begin so */
        {"jwksUri", "\"jwksUri\" is no field of an issuer; it stands within keys"},
        {"discovery", "\"discovery\" is no field of an issuer; it stands within keys"},
        {"url", "\"url\" is no field of an issuer; it stands within liveness"},
        {"enaxyed", "\"enaxyed\" is no field of an issuer; did you mean enabled?"},
        {"enaxyzed", "\"enaxyzed\" is no field of an issuer"}, /* three letters are no slip */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading;
        char text[160];
        snprintf(text, sizeof text, "{\"name\":\"prod\",\"issuer\":\"https://a.example\",\"%s\":true}",
                 cases[i].member);
        read_as(&reading, RELY_OBJECT_ISSUER, text, NULL);
        assert_int_equal(reading.problems.count, 1);
        assert_string_equal(reading.problems.items[0].message, cases[i].message);
        end_reading(&reading);
    }
}

/* All are counted, and as many kept as there is room for. */
static void counts_more_problems_than_it_keeps(void **state)
{
    struct reading reading;
    struct rely_buf text = {0};
    (void)state;
    rely_buf_printf(&text, "{\"name\":\"web\",\"enabled\":7");
    for (int i = 0; i < RELY_PROBLEMS_MAX + 3; i++)
        rely_buf_printf(&text, ",\"unknown-%d\":1", i);
    rely_buf_printf(&text, "}");
    read_as(&reading, RELY_OBJECT_IDENTITY, text.ptr, NULL);
    assert_int_equal(reading.problems.count, RELY_PROBLEMS_MAX + 4);
    assert_string_equal(reading.problems.items[0].field, "unknown-0");
    assert_string_equal(reading.problems.items[RELY_PROBLEMS_MAX - 1].field, "unknown-31");
    end_reading(&reading);
    rely_buf_fini(&text);
}

/* A limit of one is said of one character. */
static void counts_in_plain_words(void **state)
{
    static const struct {
        enum rely_object object;
        const char *body, *message;
    } cases[] = {
        {RELY_OBJECT_IDENTITY, "{\"name\":\"a\"}", "name has 1 character; the least is 3"},
        {RELY_OBJECT_IDENTITY, "{\"name\":\"ab\"}", "name has 2 characters; the least is 3"},
        {RELY_OBJECT_IDENTITY, "{\"name\":\"\"}", "name is empty; the least is 3 characters"},
        {RELY_OBJECT_IDENTITY, "{\"name\":\"abc\",\"username\":\"\"}", "username is empty; the least is 1 character"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct reading reading;
        read_as(&reading, cases[i].object, cases[i].body, NULL);
        assert_int_equal(reading.problems.count, 1);
        assert_string_equal(reading.problems.items[0].code, "too_short");
        assert_string_equal(reading.problems.items[0].message, cases[i].message);
        end_reading(&reading);
    }
}

/* What is not kept may be anything: nothing is taken back then. */
static void overrides_only_what_it_knows(void **state)
{
    (void)state;
    for (size_t count = RELY_PROBLEMS_MAX; count <= RELY_PROBLEMS_MAX + 1; count++) {
        bool are_known = count == RELY_PROBLEMS_MAX;
        struct rely_problems problems = {.count = 0}, warnings = {.count = 0};
        for (size_t i = 0; i < count; i++)
            rely_problems_add(&problems, "subject", "too_broad", "subject: it is");
        rely_override(&problems, &warnings);
        assert_int_equal(problems.count, are_known ? 0 : count);
        assert_int_equal(warnings.count, are_known ? count : 0);
    }
}

int run_record_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_what_was_given),
        cmocka_unit_test(fills_in_defaults),
        cmocka_unit_test(says_what_is_wrong_in_order),
        cmocka_unit_test(compares_records),
        cmocka_unit_test(copies_all_that_a_record_points_to),
        cmocka_unit_test(measures_types_without_their_prefix),
        cmocka_unit_test(reads_a_kind_without_rules),
        cmocka_unit_test(keeps_what_is_fixed),
        cmocka_unit_test(reads_times_and_words),
        cmocka_unit_test(suggests_the_field_that_was_meant),
        cmocka_unit_test(counts_more_problems_than_it_keeps),
        cmocka_unit_test(overrides_only_what_it_knows),
        cmocka_unit_test(counts_in_plain_words),
    };
    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
