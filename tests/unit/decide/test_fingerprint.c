/* The keyed fingerprint: the same text the same value, any other text or key another one. */
#include "scene.h"

#include "../../../src/decide/fingerprint.h"
#include "../arithmetic.h"
#include "relyd/limits.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static bool is_same(struct rely_fingerprint a, struct rely_fingerprint b)
{
    return rely_fingerprint_is_same(&a, &b);
}

static void every_byte_and_the_length_count(void **state)
{
    char text[1000];
    struct rely_fingerprint_key *key = rely_fingerprint_key_new();
    (void)state;
    memset(text, 'a', sizeof text);
    struct rely_fingerprint whole = rely_fingerprint_of(key, rely_slice(text, sizeof text));
    assert_true(is_same(whole, rely_fingerprint_of(key, rely_slice(text, sizeof text))));
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] ^= 1;
        assert_false(is_same(whole, rely_fingerprint_of(key, rely_slice(text, sizeof text))));
        text[i] ^= 1;
        assert_false(is_same(whole, rely_fingerprint_of(key, rely_slice(text, i))));
    }
    rely_fingerprint_key_free(key);
}

/* fault E: without the comparison of lengths all tests passed. NH's sums alone do not tell a text from the same with
 * zeros behind it. */
static void e_texts_that_differ_in_zeros_behind_differ(void **state)
{
    static const char zeros[48];
    struct rely_fingerprint_key *key = rely_fingerprint_key_new();
    (void)state;
    for (size_t len = 0; len < sizeof zeros; len++) {
        struct rely_fingerprint print = rely_fingerprint_of(key, rely_slice(zeros, len));
        for (size_t other = len + 1; other < sizeof zeros; other++) {
            struct rely_fingerprint longer = rely_fingerprint_of(key, rely_slice(zeros, other));
            assert_false(is_same(print, longer));
            if (other / 16 == len / 16) /* the same pairs */
                assert_int_equal(memcmp(print.word, longer.word, sizeof print.word) == 0,
                                 !rely_signature_is_evp_only());
        }
    }
    rely_fingerprint_key_free(key);
}

static void every_key_is_another(void **state)
{
    struct rely_fingerprint_key *one = rely_fingerprint_key_new();
    struct rely_fingerprint_key *two = rely_fingerprint_key_new();
    (void)state;
    assert_false(is_same(rely_fingerprint_of(one, RELY_LIT("text")), rely_fingerprint_of(two, RELY_LIT("text"))));
    assert_false(is_same(rely_fingerprint_of(one, RELY_LIT("")), rely_fingerprint_of(two, RELY_LIT(""))));
    rely_fingerprint_key_free(one);
    rely_fingerprint_key_free(two);
    rely_fingerprint_key_free(NULL);
}

static void the_longest_token_has_a_fingerprint(void **state)
{
    struct rely_fingerprint_key *key = rely_fingerprint_key_new();
    char *text = rely_alloc(RELY_TOKEN_BYTES_MAX);
    (void)state;
    struct rely_fingerprint whole = rely_fingerprint_of(key, rely_slice(text, RELY_TOKEN_BYTES_MAX));
    text[RELY_TOKEN_BYTES_MAX - 1] = 1;
    assert_false(is_same(whole, rely_fingerprint_of(key, rely_slice(text, RELY_TOKEN_BYTES_MAX))));
    free(text);
    rely_fingerprint_key_free(key);
}

/* Both sums must count: with one of them alone the bound would be 2^-64. */
static void each_word_of_the_fingerprint_counts(void **state)
{
    struct rely_fingerprint_key *key = rely_fingerprint_key_new();
    struct rely_fingerprint print = rely_fingerprint_of(key, RELY_LIT("a text"));
    (void)state;
    for (size_t i = 0; i < sizeof print.word / sizeof print.word[0]; i++) {
        struct rely_fingerprint other = print;
        other.word[i] ^= 1;
        assert_false(is_same(print, other));
    }
    assert_true(print.word[0] != print.word[2] && print.word[1] != print.word[3]);
    rely_fingerprint_key_free(key);
}

static void like_texts_are_scattered(void **state)
{
    unsigned places[64] = {0};
    struct rely_fingerprint_key *key = rely_fingerprint_key_new();
    (void)state;
    for (int i = 0; i < 6400; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "token %d", i);
        struct rely_fingerprint print = rely_fingerprint_of(key, rely_slice(text, (size_t)len));
        places[rely_fingerprint_scatter(&print) & 63]++;
    }
    for (size_t i = 0; i < 64; i++) /* about 100 each */
        assert_in_range(places[i], 20, 250);
    rely_fingerprint_key_free(key);
}

int run_fingerprint_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_and_the_length_count),
        cmocka_unit_test(e_texts_that_differ_in_zeros_behind_differ),
        cmocka_unit_test(every_key_is_another),
        cmocka_unit_test(the_longest_token_has_a_fingerprint),
        cmocka_unit_test(each_word_of_the_fingerprint_counts),
        cmocka_unit_test(like_texts_are_scattered),
    };
    return cmocka_run_group_tests_name("fingerprint, NH", tests, choose_own_arithmetic,
                                       return_to_arithmetic_of_environment) +
           cmocka_run_group_tests_name("fingerprint, HMAC", tests, choose_evp_only,
                                       return_to_arithmetic_of_environment);
}
