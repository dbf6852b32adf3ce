/*
 * claims: the types and ranges of the registered claims (hostile inputs E38-E44, F01-F34, G01-G80).
 */
#include "claims_tests.h"

static void expect_all(const struct claims_case *rows, size_t count)
{
    struct rely_claims claims;
    for (size_t i = 0; i < count; i++)
        expect_claims(&rows[i], &claims);
}

static void test_reads_all(void **state)
{
    (void)state;
    struct rely_claims claims;
    const struct claims_case row = {.id = "all",
                                    .aud = "[\"a\",\"b\",\"a\"]",
                                    .exp = "1795322820.9",
                                    .nbf = "1795319220",
                                    .iat = "1.79531922e9",
                                    .jti = "\"1ac6b65a\"",
                                    .reason = RELY_OK};
    expect_claims(&row, &claims);
    assert_true(rely_slice_equal(claims.subject, RELY_LIT("system:serviceaccount:team-a:builder")));
    assert_int_equal(claims.audience_count, 3);
    assert_true(rely_slice_equal(claims.audiences[0], RELY_LIT("a")));
    assert_true(rely_slice_equal(claims.audiences[1], RELY_LIT("b")));
    assert_true(rely_slice_equal(claims.audiences[2], RELY_LIT("a")));
    assert_true(claims.expires == 1795322820);
    assert_true(claims.has_not_before && claims.not_before == 1795319220);
    assert_true(claims.has_issued_at && claims.issued_at == 1795319220);
    assert_true(rely_slice_equal(claims.token_id, RELY_LIT("1ac6b65a")));
    assert_null(claims.kubernetes.namespace_name.ptr);
}

static void test_reads_the_least(void **state)
{
    (void)state;
    struct rely_claims claims;
    const struct claims_case row = {.id = "least", .aud = "\"relyd\"", .exp = "1", .reason = RELY_OK};
    expect_claims(&row, &claims);
    assert_int_equal(claims.audience_count, 1);
    assert_true(rely_slice_equal(claims.audiences[0], RELY_LIT("relyd")));
    assert_true(claims.expires == 1);
    assert_false(claims.has_not_before);
    assert_false(claims.has_issued_at);
    assert_null(claims.token_id.ptr);
}

static void test_names_are_exact(void **state)
{
    (void)state;
    static const struct claims_case rows[] = {
        {.id = "E38 other case", .exp = LEFT_OUT, .more = "\"Exp\":1795322820", .reason = RELY_MISSING_CLAIM},
        {.id = "E39 SUB beside the right sub", .more = "\"SUB\":\"attacker\"", .reason = RELY_OK},
        {.id = "E40 only SUB", .sub = LEFT_OUT, .more = "\"SUB\":\"x\"", .reason = RELY_MISSING_CLAIM},
        {.id = "E41 long s", .sub = LEFT_OUT, .more = "\"\xC5\xBFub\":\"x\"", .reason = RELY_MISSING_CLAIM},
        {.id = "E43 EXP beside exp", .exp = "1", .more = "\"EXP\":1795322820", .reason = RELY_OK},
        {.id = "E44 unknown claims of every type",
         .more = "\"a\":1,\"b\":\"x\",\"c\":null,\"d\":true,\"e\":[1,[2]],\"f\":{\"sub\":1},\"g\":1e999,\"abc\":false",
         .reason = RELY_OK},
        {.id = "sub one level deeper", .sub = LEFT_OUT, .more = "\"x\":{\"sub\":\"y\"}", .reason = RELY_MISSING_CLAIM},
        {.id = "escaped name", .sub = LEFT_OUT, .more = "\"s\\u0075b\":\"y\"", .reason = RELY_OK},
    };
    struct rely_claims claims;
    expect_all(rows, sizeof rows / sizeof rows[0]);
    expect_claims(&rows[1], &claims);
    assert_true(rely_slice_equal(claims.subject, RELY_LIT("system:serviceaccount:team-a:builder")));
    expect_claims(&rows[4], &claims);
    assert_true(claims.expires == 1);
}

static void test_expiry(void **state)
{
    (void)state;
    static const struct claims_case rows[] = {
        {.id = "F01 missing", .exp = LEFT_OUT, .reason = RELY_MISSING_CLAIM},
        {.id = "F02 string", .exp = "\"1795322820\"", .reason = RELY_INVALID_CLAIM},
        {.id = "F03 null", .exp = "null", .reason = RELY_INVALID_CLAIM},
        {.id = "F04 true", .exp = "true", .reason = RELY_INVALID_CLAIM},
        {.id = "F05 array", .exp = "[1795322820]", .reason = RELY_INVALID_CLAIM},
        {.id = "F06 object", .exp = "{}", .reason = RELY_INVALID_CLAIM},
        {.id = "F07 zero", .exp = "0", .reason = RELY_INVALID_CLAIM},
        {.id = "F08 -1", .exp = "-1", .reason = RELY_INVALID_CLAIM},
        {.id = "F09 -0", .exp = "-0", .reason = RELY_INVALID_CLAIM},
        {.id = "half a second", .exp = "0.5", .reason = RELY_INVALID_CLAIM},
        {.id = "F12 fraction", .exp = "1795322820.5", .reason = RELY_OK},
        {.id = "F13 exponent", .exp = "1.79532282e+9", .reason = RELY_OK},
        {.id = "F14 1e308", .exp = "1e308", .reason = RELY_INVALID_CLAIM},
        {.id = "F15 1e400", .exp = "1e400", .reason = RELY_INVALID_CLAIM},
        {.id = "F16 -1e400", .exp = "-1e400", .reason = RELY_INVALID_CLAIM},
        {.id = "F17 2^63", .exp = "9223372036854775808", .reason = RELY_INVALID_CLAIM},
        {.id = "F18 2^64", .exp = "18446744073709551616", .reason = RELY_INVALID_CLAIM},
        {.id = "F19 2^64 + later", .exp = "18446744075504874436", .reason = RELY_INVALID_CLAIM},
        {.id = "F20 2^32 + earlier: a time", .exp = "6090279316", .reason = RELY_OK},
        {.id = "F21 2^53 + 1", .exp = "9007199254740993", .reason = RELY_INVALID_CLAIM},
        {.id = "F22 1e-400", .exp = "1e-400", .reason = RELY_INVALID_CLAIM},
        {.id = "F23 milliseconds", .exp = "1795322820000", .reason = RELY_INVALID_CLAIM},
        {.id = "F24 136 years", .exp = "6090286516", .reason = RELY_OK},
        {.id = "the last", .exp = "100000000000", .reason = RELY_OK},
        {.id = "one above", .exp = "100000000001", .reason = RELY_INVALID_CLAIM},
        {.id = "half above", .exp = "100000000000.5", .reason = RELY_INVALID_CLAIM},
        {.id = "18 digits", .exp = "999999999999999999", .reason = RELY_INVALID_CLAIM},
    };
    expect_all(rows, sizeof rows / sizeof rows[0]);
}

static void test_other_times(void **state)
{
    (void)state;
    static const struct claims_case rows[] = {
        {.id = "F26 nbf string", .nbf = "\"1\"", .reason = RELY_INVALID_CLAIM},
        {.id = "F27 nbf null", .nbf = "null", .reason = RELY_INVALID_CLAIM},
        {.id = "F28 nbf 1e400", .nbf = "1e400", .reason = RELY_INVALID_CLAIM},
        {.id = "F29 no nbf", .reason = RELY_OK},
        {.id = "F31 nbf negative", .nbf = "-100000000000", .reason = RELY_OK},
        {.id = "nbf too negative", .nbf = "-100000000001", .reason = RELY_INVALID_CLAIM},
        {.id = "nbf too far", .nbf = "1e12", .reason = RELY_INVALID_CLAIM},
        {.id = "nbf zero", .nbf = "0", .reason = RELY_OK},
        {.id = "F33 iat string", .iat = "\"1795319220\"", .reason = RELY_INVALID_CLAIM},
        {.id = "iat null", .iat = "null", .reason = RELY_INVALID_CLAIM},
        {.id = "iat list", .iat = "[]", .reason = RELY_INVALID_CLAIM},
        {.id = "iat milliseconds", .iat = "1795319220000", .reason = RELY_INVALID_CLAIM},
        {.id = "F34 no iat", .reason = RELY_OK},
    };
    expect_all(rows, sizeof rows / sizeof rows[0]);
}

/* Which audience is the right one, G14 to G26, is the rules' affair. */
static void test_audiences(void **state)
{
    (void)state;
    static const struct claims_case rows[] = {
        {.id = "G01 string", .aud = "\"relyd\"", .reason = RELY_OK},
        {.id = "G02 list of three", .aud = "[\"a\",\"relyd\",\"b\"]", .reason = RELY_OK},
        {.id = "G03 twice", .aud = "[\"relyd\",\"relyd\"]", .reason = RELY_OK},
        {.id = "G04 missing", .aud = LEFT_OUT, .reason = RELY_MISSING_CLAIM},
        {.id = "G05 null", .aud = "null", .reason = RELY_INVALID_CLAIM},
        {.id = "G06 []", .aud = "[]", .reason = RELY_INVALID_CLAIM},
        {.id = "G07 empty string", .aud = "\"\"", .reason = RELY_INVALID_CLAIM},
        {.id = "G08 [\"\"]", .aud = "[\"\"]", .reason = RELY_INVALID_CLAIM},
        {.id = "empty beside another", .aud = "[\"relyd\",\"\"]", .reason = RELY_INVALID_CLAIM},
        {.id = "G09 nested list", .aud = "[[\"relyd\"]]", .reason = RELY_INVALID_CLAIM},
        {.id = "G10 object", .aud = "{\"relyd\":true}", .reason = RELY_INVALID_CLAIM},
        {.id = "G11 number", .aud = "1", .reason = RELY_INVALID_CLAIM},
        {.id = "true", .aud = "true", .reason = RELY_INVALID_CLAIM},
        {.id = "G12 list with a number", .aud = "[\"relyd\",1]", .reason = RELY_INVALID_CLAIM},
        {.id = "G13 list with null", .aud = "[null,\"relyd\"]", .reason = RELY_INVALID_CLAIM},
        {.id = "list with an object", .aud = "[\"relyd\",{\"a\":\"b\"}]", .reason = RELY_INVALID_CLAIM},
        {.id = "G19 comma list is one audience", .aud = "\"relyd,other\"", .reason = RELY_OK},
    };
    expect_all(rows, sizeof rows / sizeof rows[0]);
    struct rely_claims claims;
    expect_claims(&rows[sizeof rows / sizeof rows[0] - 1], &claims);
    assert_int_equal(claims.audience_count, 1);
    assert_true(rely_slice_equal(claims.audiences[0], RELY_LIT("relyd,other")));
}

static void test_audience_count(void **state)
{
    (void)state;
    static const size_t counts[] = {RELY_AUDIENCES_IN_TOKEN_MAX, RELY_AUDIENCES_IN_TOKEN_MAX + 1, 10000};
    for (size_t i = 0; i < 3; i++) {
        struct rely_buf list = {0};
        for (size_t k = 0; k < counts[i]; k++)
            rely_buf_printf(&list, "%c\"a%zu\"", k == 0 ? '[' : ',', k);
        rely_buf_putc(&list, ']');
        struct rely_claims claims;
        const struct claims_case row = {.id = "G24", .aud = list.ptr, .reason = i == 0 ? RELY_OK : RELY_INVALID_CLAIM};
        expect_claims(&row, &claims);
        if (i == 0) {
            assert_int_equal(claims.audience_count, RELY_AUDIENCES_IN_TOKEN_MAX);
            assert_true(rely_slice_equal(claims.audiences[RELY_AUDIENCES_IN_TOKEN_MAX - 1], RELY_LIT("a999")));
        }
        rely_buf_fini(&list);
    }
}

/* Which subject may pass, G54 to G74, is the rules' affair. */
static void test_subject_and_id(void **state)
{
    (void)state;
    static const struct claims_case rows[] = {
        {.id = "G49 sub missing", .sub = LEFT_OUT, .reason = RELY_MISSING_CLAIM},
        {.id = "G50 sub null", .sub = "null", .reason = RELY_INVALID_CLAIM},
        {.id = "G51 sub empty", .sub = "\"\"", .reason = RELY_INVALID_CLAIM},
        {.id = "G52 sub number", .sub = "1", .reason = RELY_INVALID_CLAIM},
        {.id = "G53 sub list", .sub = "[\"x\"]", .reason = RELY_INVALID_CLAIM},
        {.id = "sub object", .sub = "{}", .reason = RELY_INVALID_CLAIM},
        {.id = "sub true", .sub = "true", .reason = RELY_INVALID_CLAIM},
        {.id = "sub of one blank", .sub = "\" \"", .reason = RELY_OK},
        {.id = "G77 jti number", .jti = "7", .reason = RELY_INVALID_CLAIM},
        {.id = "jti null", .jti = "null", .reason = RELY_INVALID_CLAIM},
        {.id = "jti list", .jti = "[\"a\"]", .reason = RELY_INVALID_CLAIM},
        {.id = "G78 no jti", .reason = RELY_OK},
        {.id = "G80 escapes as Go writes them", .sub = "\"\\u003cb\\u003e\"", .reason = RELY_OK},
    };
    expect_all(rows, sizeof rows / sizeof rows[0]);
    struct rely_claims claims;
    expect_claims(&rows[12], &claims);
    assert_true(rely_slice_equal(claims.subject, RELY_LIT("<b>")));
}

static void test_details_name_the_claim(void **state)
{
    (void)state;
    struct rely_claims claims;
    struct rely_detail detail;
    assert_int_equal(read_payload("{}", &claims, &detail), RELY_MISSING_CLAIM);
    assert_string_equal(detail.text, "`sub` is missing");
    assert_int_equal(read_payload("{\"sub\":\"a\",\"aud\":[],\"exp\":1}", &claims, &detail), RELY_INVALID_CLAIM);
    assert_string_equal(detail.text, "`aud` is a list of 0 entries; 1 to 1000 are allowed");
    assert_int_equal(read_payload("{\"sub\":\"a\",\"aud\":\"b\"}", &claims, &detail), RELY_MISSING_CLAIM);
    assert_string_equal(detail.text, "`exp` is missing");
}

int run_registered_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_all),
        cmocka_unit_test(test_reads_the_least),
        cmocka_unit_test(test_names_are_exact),
        cmocka_unit_test(test_expiry),
        cmocka_unit_test(test_other_times),
        cmocka_unit_test(test_audiences),
        cmocka_unit_test(test_audience_count),
        cmocka_unit_test(test_subject_and_id),
        cmocka_unit_test(test_details_name_the_claim),
    };
    return cmocka_run_group_tests_name("registered", tests, NULL, NULL);
}
