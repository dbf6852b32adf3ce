/* Sets that hold on to keys which their issuer does not show any more, the times of keys, and the number of a set. */
#include "tests.h"

#include "../../../src/keys/verifiable.h"

#include "relyd/key_times.h"

#include <stdio.h>
#include <stdlib.h>

static const char *jwk_named(const char *name)
{
    return mint_jwk(mint_key(mint_print("ed25519#%s", name)), name, NULL);
}

static struct rely_keyset *parse_named(const char *a, const char *b)
{
    return parse_good(b == NULL ? mint_jwks(jwk_named(a), NULL) : mint_jwks(jwk_named(a), jwk_named(b), NULL));
}

/* "a b*": in the set's order, guests with a star. */
static const char *print_keys(const struct rely_keyset *keyset)
{
    const char *text = "";
    for (size_t i = 0; i < rely_keyset_count(keyset); i++) {
        const struct rely_key *key = rely_keyset_at(keyset, i);
        text = mint_print("%s%s%.*s%s", text, i == 0 ? "" : " ", (int)rely_key_kid(key).len, rely_key_kid(key).ptr,
                          rely_key_is_guest(key) ? "*" : "");
    }
    return text;
}

static void join_what_holds(void **state)
{
    (void)state;
    struct rely_keyset *present = parse_named("a", "s"), *next = parse_named("b", "s");
    rely_keyset_join(next, present);
    assert_string_equal(print_keys(next), "b* s a");
    assert_true(rely_keyset_has_kid(next, rely_slice_of("a")));
    assert_true(rely_keyset_has_kid(next, rely_slice_of("b")));
    assert_true(rely_keyset_has_key(next, rely_keyset_at(present, 0)));
    assert_null(rely_key_verifier(rely_keyset_at(next, 2)));
    rely_keyset_free(present); /* nothing of it is borrowed */
    assert_int_equal(rely_key_cost(rely_keyset_at(next, 2)), 8);
    struct rely_keyset *another = parse_named("c", NULL), *empty = rely_keyset_new_empty();
    rely_keyset_join(another, next);
    assert_string_equal(print_keys(another), "c* s a"); /* b was a guest */
    rely_keyset_join(empty, next);
    assert_string_equal(print_keys(empty), "s a");
    rely_keyset_free(next);
    rely_keyset_free(another);
    rely_keyset_free(empty);
    mint_reset();
}

/* A key under another kid, or for other algorithms, is another one beside it. */
static void join_renamed_keys(void **state)
{
    (void)state;
    const struct mint_key *key = mint_key("rsa2048");
    struct rely_keyset *present = parse_good(mint_jwks(mint_jwk(key, "a", "RS256"), NULL));
    struct rely_keyset *next = parse_good(mint_jwks(mint_jwk(key, "a", "PS256"), mint_jwk(key, "b", "RS256"), NULL));
    assert_false(rely_keyset_has_key(next, rely_keyset_at(present, 0)));
    rely_keyset_join(next, present);
    assert_string_equal(print_keys(next), "a* b* a");
    rely_keyset_free(present);
    rely_keyset_free(next);
    mint_reset();
}

static struct rely_keyset *parse_of_kid(const char *kid, const char *kind, int from, int count)
{
    const char *jwks[16];
    for (int i = 0; i < count; i++)
        jwks[i] = mint_jwk(mint_key(mint_print("%s#%d", kind, from + i)), kid, NULL);
    return parse_good(mint_jwks_of(jwks, (size_t)count));
}

/* What one token may have tried: eight keys of its kid, or of all where it has none, and what they may cost together. */
static void keep_tries(void **state)
{
    (void)state;
    static const struct {
        const char *kid, *kind;
        int present, next;
        bool keeps;
    } cases[] = {{"k", "ed25519", 4, 4, true},   {"k", "ed25519", 4, 5, false}, {NULL, "ed25519", 4, 4, true},
                 {NULL, "ed25519", 5, 4, false}, {"k", "p384", 1, 1, true},     {"k", "p384", 1, 2, false},
                 {"k", "ed25519", 9, 4, true}}; /* the last: none of it is tried as it is */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rely_keyset *present = parse_of_kid(cases[i].kid, cases[i].kind, 0, cases[i].present);
        struct rely_keyset *next = parse_of_kid(cases[i].kid, cases[i].kind, 20, cases[i].next);
        rely_keyset_join(next, present);
        if (rely_keyset_keeps_tries(next, present) != cases[i].keeps)
            fail_msg("case %zu", i);
        rely_keyset_free(present);
        rely_keyset_free(next);
    }
    mint_reset();
}

static void times_go_on_with_the_key(void **state)
{
    (void)state;
    struct rely_keyset *first = parse_named("a", "b"), *second = parse_named("b", "c");
    const struct rely_key *b = rely_keyset_at(first, 1);
    assert_int_equal(rely_key_first_seen_s(b), 0);
    rely_keyset_carry_times(first, NULL, 1000);
    assert_int_equal(rely_key_first_seen_s(b), 1000);
    assert_int_equal(rely_key_used_s(b), 0);
    rely_key_note_use(b, 2000);
    rely_key_note_use(b, 2059);
    assert_int_equal(rely_key_used_s(b), 2000); /* once a minute */
    rely_key_note_use(b, 2060);
    assert_int_equal(rely_key_used_s(b), 2060);
    rely_key_note_use(b, 1500);
    assert_int_equal(rely_key_used_s(b), 1500); /* the clock was set back */
    rely_keyset_carry_times(second, first, 3000);
    assert_int_equal(rely_key_first_seen_s(rely_keyset_at(second, 0)), 1000);
    assert_int_equal(rely_key_used_s(rely_keyset_at(second, 0)), 1500);
    assert_int_equal(rely_key_first_seen_s(rely_keyset_at(second, 1)), 3000);
    assert_int_equal(rely_key_used_s(rely_keyset_at(second, 1)), 0);
    struct rely_keyset *empty = rely_keyset_new_empty();
    rely_keyset_join(empty, second);
    assert_int_equal(rely_key_used_s(rely_keyset_at(empty, 0)), 1500);
    assert_int_equal(rely_key_first_seen_s(rely_keyset_at(empty, 0)), 1000);
    rely_keyset_free(first);
    rely_keyset_free(second);
    rely_keyset_free(empty);
    mint_reset();
}

static uint64_t hash_of(const char *jwks)
{
    struct rely_keyset *keyset = parse_good(jwks);
    uint64_t hash = rely_keyset_hash(keyset);
    rely_keyset_free(keyset);
    return hash;
}

static void number_sets(void **state)
{
    (void)state;
    const struct mint_key *key = mint_key("rsa2048");
    uint64_t hash = hash_of(mint_jwks(jwk_named("a"), jwk_named("b"), NULL));
    assert_true(hash == hash_of(mint_jwks(jwk_named("b"), jwk_named("a"), NULL)));
    assert_true(hash != hash_of(mint_jwks(jwk_named("a"), NULL)));
    assert_true(hash != hash_of(mint_jwks(jwk_named("a"), jwk_named("c"), NULL)));
    const char *const alike[] = {mint_jwk(key, "a", "RS256"),  mint_jwk(key, "b", "RS256"), mint_jwk(key, "a", "PS256"),
                                 mint_jwk(key, NULL, "RS256"), mint_jwk(key, "", "RS256"),  mint_jwk(key, "a", NULL)};
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(hash_of(mint_jwks(alike[i], NULL)) != hash_of(mint_jwks(alike[k], NULL)));
    struct rely_keyset *empty = rely_keyset_new_empty();
    assert_true(rely_keyset_hash(empty) == 0);
    rely_keyset_free(empty);
    mint_reset();
}

/* What is stored of it for the next process; whatever else is in the lines is nobody's. */
static void times_go_on_over_a_restart(void **state)
{
    (void)state;
    struct rely_keyset *first = parse_named("a", "b"), *again = parse_named("b", "c");
    struct rely_buf lines = {0}, bad = {0};
    rely_keyset_print_seen(first, &lines);
    assert_int_equal(lines.len, 0); /* nothing is known */
    rely_keyset_carry_times(first, NULL, 1000);
    rely_keyset_print_seen(first, &lines);
    assert_int_equal(lines.len, 2 * strlen("0123456789abcdef 1000\n"));
    rely_keyset_recall_seen(again, rely_buf_slice(&lines));
    assert_int_equal(rely_key_first_seen_s(rely_keyset_at(again, 0)), 1000);
    assert_int_equal(rely_key_first_seen_s(rely_keyset_at(again, 1)), 0);
    rely_keyset_carry_times(again, NULL, 2000);
    assert_int_equal(rely_key_first_seen_s(rely_keyset_at(again, 0)), 1000);
    assert_int_equal(rely_key_first_seen_s(rely_keyset_at(again, 1)), 2000);
    rely_keyset_recall_seen(again, (struct rely_slice){NULL, 0});
    assert_int_equal(rely_key_first_seen_s(rely_keyset_at(again, 0)), 1000);
    const char *const ends[] = {"", " ", " \n", " 1x\n", " -1\n", " 1234567890123\n", "=1000\n", " 1000"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        bad.len = 0;
        rely_buf_put(&bad, RELY_LIT("\nx\n"));
        rely_buf_put(&bad, rely_slice(lines.ptr + strlen("0123456789abcdef 1000\n"), 16)); /* b */
        rely_buf_put(&bad, rely_slice_of(ends[i]));
        rely_keyset_recall_seen(again, rely_buf_slice(&bad));
        assert_int_equal(rely_key_first_seen_s(rely_keyset_at(again, 0)), 0);
    }
    struct rely_keyset *joined = parse_named("d", NULL);
    rely_keyset_carry_times(joined, NULL, 3000);
    rely_keyset_join(joined, first);
    lines.len = 0;
    rely_keyset_print_seen(joined, &lines); /* d is a guest: it is not in the set that is stored */
    assert_int_equal(lines.len, 2 * strlen("0123456789abcdef 1000\n"));
    rely_buf_fini(&lines);
    rely_buf_fini(&bad);
    rely_keyset_free(first);
    rely_keyset_free(again);
    rely_keyset_free(joined);
    mint_reset();
}

/* What is shown of a set is its document without those keys; what is skipped for other reasons stays in it. */
static void print_without_keys_taken_out(void **state)
{
    (void)state;
    const char *jwks = mint_jwks(jwk_named("a"), "{\"kty\":\"oct\"}", jwk_named("b"), NULL);
    struct rely_keyset *keyset = parse_good(jwks);
    struct rely_buf before = {0}, after = {0};
    rely_keyset_print_rest(keyset, rely_slice_of(jwks), &before);
    assert_true(rely_slice_equal(rely_buf_slice(&before), rely_slice_of(jwks)));
    assert_int_equal(rely_keyset_taken_out_count(keyset), 0);
    rely_keyset_take_out(keyset, 0, "another issuer has it");
    assert_int_equal(rely_keyset_taken_out_count(keyset), 1);
    rely_keyset_print_rest(keyset, rely_slice_of(jwks), &after);
    const char *rest = mint_jwks("{\"kty\":\"oct\"}", jwk_named("b"), NULL);
    assert_true(rely_slice_equal(rely_buf_slice(&after), rely_slice_of(rest)));
    rely_buf_fini(&before);
    rely_buf_fini(&after);
    rely_keyset_free(keyset);
    mint_reset();
}

int run_join_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(join_what_holds),
        cmocka_unit_test(join_renamed_keys),
        cmocka_unit_test(keep_tries),
        cmocka_unit_test(times_go_on_with_the_key),
        cmocka_unit_test(number_sets),
        cmocka_unit_test(print_without_keys_taken_out),
        cmocka_unit_test(times_go_on_over_a_restart),
    };
    return cmocka_run_group_tests_name("join", tests, NULL, NULL);
}
