/*
 * How two texts differ, in words.
 */
#include "../../../src/admin/compare.h"
#include "fixture.h"

static void assert_note(const char *token, const char *other, const char *expected)
{
    struct rely_difference difference;
    rely_difference_find(rely_slice_of(token), rely_slice_of(other), "credential", &difference);
    assert_string_equal(difference.note, expected);
    assert_int_equal(difference.weight == 0, expected[0] == '\0');
}

static void says_how_texts_differ(void **state)
{
    (void)state;
    assert_note("same", "same", "");
    assert_note("", "", "");
    assert_note("Same", "same", "differs only in letter case");
    assert_note("same ", "same", "the token has a blank at its start or end");
    assert_note("same", "\nsame", "the credential has a blank at its start or end");
    assert_note("https://a/", "https://a", "the token has a trailing slash, the credential has none");
    assert_note("https://a", "https://a/", "the credential has a trailing slash, the token has none");
    assert_note("ns:a:b", "ns:a:*", "the credential has a *, which has no meaning here: texts are compared exactly");
    assert_note("ns:prod:app", "ns:test:app",
                "differs at character 4: the token has \"prod:app\", the credential \"test:app\"");
    assert_note("ns:prod", "ns:prod:app", "the token's ends after character 7, the credential goes on with \":app\"");
    assert_note("ns:prod:app", "ns:prod", "the credential ends after character 7, the token's goes on with \":app\"");
    assert_note("", "x", "the token's ends after character 0, the credential goes on with \"x\"");
}

static void counts_characters_not_bytes(void **state)
{
    (void)state;
    struct rely_difference difference;
    /* e acute and e grave share their first byte: the difference is at the character, not inside of it. */
    rely_difference_find(RELY_LIT("\xf0\x9f\x98\x80\xc3\xa9"), RELY_LIT("\xf0\x9f\x98\x80\xc3\xa8"), "credential",
                         &difference);
    assert_non_null(strstr(difference.note, "differs at character 2"));
    assert_non_null(strstr(difference.note, "\\xc3\\xa9"));
}

static size_t weigh(const char *token, const char *other)
{
    struct rely_difference difference;
    rely_difference_find(rely_slice_of(token), rely_slice_of(other), "credential", &difference);
    return difference.weight;
}

static void weighs_the_nearest_least(void **state)
{
    (void)state;
    assert_int_equal(weigh("ns:a:b", "ns:a:b"), 0);
    assert_true(weigh("ns:a:b", "NS:a:b") < weigh("ns:a:b", "ns:a:c"));
    assert_true(weigh("ns:a:b", "ns:a:c") < weigh("ns:a:b", "ns:xx:yy"));
    assert_true(weigh("ns:prod:app", "ns:prod1:app") < weigh("ns:prod:app", "ns:staging:app"));
}

int run_compare_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_how_texts_differ),
        cmocka_unit_test(counts_characters_not_bytes),
        cmocka_unit_test(weighs_the_nearest_least),
    };
    return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
