/* The keyed fingerprint: the same text the same value, any other text or key another one. */
#include "tests.h"

static bool is_same(struct rely_mac a, struct rely_mac b)
{
    return a.word[0] == b.word[0] && a.word[1] == b.word[1];
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

int run_mac_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_and_the_length_count),
        cmocka_unit_test(every_key_is_another),
    };
    return cmocka_run_group_tests_name("fingerprint", tests, NULL, NULL);
}
