/* The keyed fingerprint: the same text the same value, any other text or key another one. */
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>

static bool is_same(struct rely_mac a, struct rely_mac b)
{
    return rely_mac_is_same(&a, &b);
}

static void every_byte_and_the_length_count(void **state)
{
    char text[1000];
    struct rely_mac_key *key = rely_mac_key_new();
    (void)state;
    memset(text, 'a', sizeof text);
    struct rely_mac whole = rely_mac_of(key, rely_slice(text, sizeof text));
    assert_true(is_same(whole, rely_mac_of(key, rely_slice(text, sizeof text))));
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] ^= 1;
        assert_false(is_same(whole, rely_mac_of(key, rely_slice(text, sizeof text))));
        text[i] ^= 1;
        assert_false(is_same(whole, rely_mac_of(key, rely_slice(text, i))));
    }
    rely_mac_key_free(key);
}

static void every_key_is_another(void **state)
{
    struct rely_mac_key *one = rely_mac_key_new();
    struct rely_mac_key *two = rely_mac_key_new();
    (void)state;
    assert_false(is_same(rely_mac_of(one, RELY_LIT("text")), rely_mac_of(two, RELY_LIT("text"))));
    assert_false(is_same(rely_mac_of(one, RELY_LIT("")), rely_mac_of(two, RELY_LIT(""))));
    rely_mac_key_free(one);
    rely_mac_key_free(two);
    rely_mac_key_free(NULL);
}

static void the_longest_token_has_a_fingerprint(void **state)
{
    struct rely_mac_key *key = rely_mac_key_new();
    char *text = rely_alloc(RELY_TOKEN_BYTES_MAX);
    (void)state;
    struct rely_mac whole = rely_mac_of(key, rely_slice(text, RELY_TOKEN_BYTES_MAX));
    text[RELY_TOKEN_BYTES_MAX - 1] = 1;
    assert_false(is_same(whole, rely_mac_of(key, rely_slice(text, RELY_TOKEN_BYTES_MAX))));
    free(text);
    rely_mac_key_free(key);
}

/* Both sums must count: with one of them alone the bound would be 2^-64. */
static void each_word_of_the_fingerprint_counts(void **state)
{
    struct rely_mac_key *key = rely_mac_key_new();
    struct rely_mac mac = rely_mac_of(key, RELY_LIT("a text"));
    (void)state;
    for (size_t i = 0; i < sizeof mac.word / sizeof mac.word[0]; i++) {
        struct rely_mac other = mac;
        other.word[i] ^= 1;
        assert_false(is_same(mac, other));
    }
    assert_true(mac.word[0] != mac.word[2] && mac.word[1] != mac.word[3]);
    rely_mac_key_free(key);
}

static void like_texts_are_scattered(void **state)
{
    unsigned places[64] = {0};
    struct rely_mac_key *key = rely_mac_key_new();
    (void)state;
    for (int i = 0; i < 6400; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "token %d", i);
        struct rely_mac mac = rely_mac_of(key, rely_slice(text, (size_t)len));
        places[rely_mac_scatter(&mac) & 63]++;
    }
    for (size_t i = 0; i < 64; i++) /* about 100 each */
        assert_in_range(places[i], 20, 250);
    rely_mac_key_free(key);
}

int run_mac_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_and_the_length_count),
        cmocka_unit_test(every_key_is_another),
        cmocka_unit_test(the_longest_token_has_a_fingerprint),
        cmocka_unit_test(each_word_of_the_fingerprint_counts),
        cmocka_unit_test(like_texts_are_scattered),
    };
    return cmocka_run_group_tests_name("fingerprint", tests, NULL, NULL);
}
