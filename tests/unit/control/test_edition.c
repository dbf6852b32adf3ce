/* What the next edition is: records and keys that a change carries, and those that go on. */
#include "fixture.h"

#include "../../../src/control/inside.h"
#include "../mint/mint.h"

#include "relyd/signature.h"
#include "relyd/traffic.h"

#define URL "https://issuer.example/a"
#define FETCHED(members) "{\"issuer\":\"" URL "\",\"keys\":{\"jwksUri\":\"https://issuer.example/keys\"}" members "}"

static const char *jwks_of(const char *name)
{
    return mint_jwks(mint_jwk(mint_key(mint_print("ed25519#%s", name)), name, "EdDSA"), NULL);
}

static const char *two_keys(const char *first, const char *second)
{
    return mint_jwks(mint_jwk(mint_key(mint_print("ed25519#%s", first)), first, "EdDSA"),
                     mint_jwk(mint_key(mint_print("ed25519#%s", second)), second, "EdDSA"), NULL);
}

static const char *uploaded(const char *name, const char *members)
{
    return mint_print("{\"issuer\":\"" URL "\",\"keys\":{\"jwks\":%s}%s}", jwks_of(name), members);
}

static void commit(struct fixture *fixture)
{
    run_ms(fixture, 2);
    let_all_read(fixture);
}

static bool has_kid(const struct rely_issuer *issuer, const char *kid)
{
    return issuer->keyset != NULL && rely_keyset_has_kid(issuer->keyset, rely_slice_of(kid));
}

static void test_uploaded_keys_are_in_force_with_their_record(void **state)
{
    struct fixture *fixture = *state;
    put_issuer(fixture, "aaa", uploaded("one", ""));
    commit(fixture);
    const struct rely_issuer *issuer = find_issuer(fixture, URL);
    assert_true(has_kid(issuer, "one"));
    assert_int_equal(issuer->keys_until_s, INT64_MAX);
    assert_int_equal(fixture->noted, 1);
    assert_int_equal(fixture->noted_ids[0], issuer->id);
    assert_false(fixture->noted_removed[0]);
    put_issuer(fixture, "aaa", uploaded("two", ""));
    commit(fixture);
    assert_true(has_kid(find_issuer(fixture, URL), "two"));
    assert_false(has_kid(find_issuer(fixture, URL), "one"));
}

/* The set in force goes on under a new description: nothing is prepared again. */
static void test_keys_go_on_when_the_record_changes(void **state)
{
    struct fixture *fixture = *state;
    put_issuer(fixture, "aaa", uploaded("one", ""));
    commit(fixture);
    const struct rely_keyset *keyset = find_issuer(fixture, URL)->keyset;
    put_issuer(fixture, "aaa", uploaded("one", ",\"description\":\"another\""));
    commit(fixture);
    assert_ptr_equal(find_issuer(fixture, URL)->keyset, keyset);
    put_issuer(fixture, "aaa", "{\"issuer\":\"" URL "\",\"keys\":{\"jwksUri\":\"https://issuer.example/keys\"}}");
    commit(fixture);
    assert_null(find_issuer(fixture, URL)->keyset);
    assert_int_equal(find_issuer(fixture, URL)->keys_until_s, 0);
}

/* What was seen of its tokens goes on with the record, whatever becomes of its keys, and is nobody else's. */
static void test_what_is_seen_of_tokens_goes_on(void **state)
{
    struct fixture *fixture = *state;
    put_issuer(fixture, "aaa", uploaded("one", ""));
    commit(fixture);
    rely_traffic_note_allowed(find_issuer(fixture, URL)->traffic, 7);
    put_issuer(fixture, "aaa", FETCHED(""));
    commit(fixture);
    assert_int_equal(rely_traffic_read(find_issuer(fixture, URL)->traffic, 8).allowed_s, 7);
    delete_issuer(fixture, "aaa");
    put_issuer(fixture, "aaa", FETCHED(""));
    commit(fixture);
    assert_int_equal(rely_traffic_read(find_issuer(fixture, URL)->traffic, 8).allowed_s, 0);
}

static void test_a_removed_record_is_gone(void **state)
{
    struct fixture *fixture = *state;
    put_issuer(fixture, "aaa", uploaded("one", ""));
    commit(fixture);
    delete_issuer(fixture, "aaa");
    commit(fixture);
    assert_null(find_issuer(fixture, URL));
    assert_int_equal(fixture->noted, 2);
    assert_true(fixture->noted_removed[1]);
    put_issuer(fixture, "aaa", uploaded("one", ""));
    delete_issuer(fixture, "aaa"); /* in the same batch: it never was */
    put_issuer(fixture, "bbb", uploaded("one", ""));
    commit(fixture);
    assert_true(rely_slice_equal(find_issuer(fixture, URL)->name, RELY_LIT("bbb")));
    assert_int_equal(fixture->noted, 5);
    assert_true(fixture->noted_removed[2] && fixture->noted_removed[3] && !fixture->noted_removed[4]);
}

/* Fault A6: a key of one iss is one record's, also among writes of one commit. */
static void test_a6_a_key_is_uploaded_once(void **state)
{
    struct fixture *fixture = *state;
    static const char sentence[] =
        "keys.jwks: the key with kid \"one\" is one of issuer aaa, which has the same issuer or alias: tokens "
        "could not be told apart";
    put_issuer(fixture, "aaa", uploaded("one", ""));
    assert_upload_refused(fixture, "bbb", uploaded("one", ""), sentence); /* in the open batch */
    commit(fixture);
    assert_upload_refused(fixture, "bbb", uploaded("one", ""), sentence); /* in force */
    put_issuer(fixture, "bbb", uploaded("two", ""));
    put_issuer(fixture, "aaa", uploaded("one", ",\"enabled\":false"));
    commit(fixture);
    put_issuer(fixture, "bbb", uploaded("one", "")); /* a disabled record holds none */
    commit(fixture);
    assert_int_equal(newest(fixture)->issuers_by_id.count, 2);
}

/* The record itself may change its set before the first one is committed; another `iss` may have the key; and what a
 * disabled record of the open batch has, another may take. */
static void test_a6_in_the_open_batch_a_key_is_held_by_others_that_count(void **state)
{
    struct fixture *fixture = *state;
    put_issuer(fixture, "aaa", uploaded("one", ""));
    put_issuer(fixture, "aaa", mint_print("{\"issuer\":\"" URL "\",\"keys\":{\"jwks\":%s}}", two_keys("two", "one")));
    put_issuer(fixture, "elsewhere",
               mint_print("{\"issuer\":\"https://issuer.example/b\",\"keys\":{\"jwks\":%s}}", jwks_of("one")));
    put_issuer(fixture, "aaa", uploaded("one", ",\"enabled\":false"));
    put_issuer(fixture, "bbb", uploaded("one", ""));
    commit(fixture);
    assert_int_equal(newest(fixture)->issuers_by_id.count, 3);
}

/* Whichever of the uploaded keys is another's. */
static void test_a6_every_uploaded_key_is_compared(void **state)
{
    struct fixture *fixture = *state;
    static const char sentence[] =
        "keys.jwks: the key with kid \"one\" is one of issuer aaa, which has the same issuer or alias: tokens "
        "could not be told apart";
    const char *body = mint_print("{\"issuer\":\"" URL "\",\"keys\":{\"jwks\":%s}}", two_keys("two", "one"));
    put_issuer(fixture, "aaa", mint_print("{\"issuer\":\"" URL "\",\"keys\":{\"jwks\":%s}}", two_keys("three", "one")));
    assert_upload_refused(fixture, "bbb", body, sentence); /* in the open batch */
    commit(fixture);
    assert_upload_refused(fixture, "bbb", body, sentence); /* in force */
}

/* The keeper hears of issuers alone, whatever else has the number of one. */
static void test_the_keeper_is_told_of_issuers_alone(void **state)
{
    struct fixture *fixture = *state;
    put_issuer(fixture, "aaa", uploaded("one", ""));
    put_identity(fixture, "web");
    put_credential(fixture, "web", "main", "{\"issuer\":\"" URL "\",\"subject\":\"s\",\"audiences\":[\"a\"]}");
    commit(fixture);
    assert_int_equal(newest(fixture)->credentials_by_id.count, 1);
    assert_int_equal(fixture->noted, 1);
    assert_int_equal(fixture->noted_ids[0], find_issuer(fixture, URL)->id);
}

/* --- the first edition ------------------------------------------------------------------------------------ */

static void store_fetched(struct fixture *fixture, const struct rely_issuer *issuer, int64_t at_s)
{
    const char *jwks = jwks_of("fetched");
    const struct rely_fetched_keys fetched = {.issuer_id = issuer->id,
                                              .record_revision = issuer->revision,
                                              .jwks = rely_slice_of(jwks),
                                              .source_url = RELY_LIT("https://issuer.example/keys"),
                                              .at_s = at_s};
    struct rely_stored_keys stored;
    struct rely_err err = {0};
    assert_true(rely_registry_put_keyset(fixture->registry, &fetched, &stored, &err));
}

/* As after a restart: the edition is made of what is stored. */
static void load_again(struct fixture *fixture)
{
    struct rely_err err = {0};
    for (size_t i = 0; i < WORKERS; i++)
        end_worker(fixture, i);
    struct rely_snapshot *before = (struct rely_snapshot *)newest(fixture);
    assert_true(rely_control_load(fixture->control, fixture->registry, &err));
    rely_edition_free_keysets(before);
    rely_snapshot_free_all(before);
    for (size_t i = 0; i < WORKERS; i++) {
        fixture->reading[i] = newest(fixture);
        fixture->editions[i] = 0;
    }
}

static void begin_fetched(struct fixture *fixture, int64_t at_s)
{
    put_issuer(fixture, "aaa", FETCHED(""));
    put_identity(fixture, "web");
    commit(fixture);
    store_fetched(fixture, find_issuer(fixture, URL), at_s);
}

static void test_a5_stored_keys_are_as_old_as_they_are(void **state)
{
    struct fixture *fixture = *state;
    begin_fetched(fixture, NOW_S - 5000);
    load_again(fixture);
    const struct rely_issuer *issuer = find_issuer(fixture, URL);
    assert_true(has_kid(issuer, "fetched"));
    assert_int_equal(issuer->keys_fetched_s, NOW_S - 5000);
    assert_int_equal(issuer->keys_until_s, NOW_S - 5000 + RELY_DEFAULT_key_max_age_s);
    assert_int_equal(newest(fixture)->token_max_bytes, 20000);
    assert_int_equal(newest(fixture)->identities_by_id.count, 1);
}

/* Fault B10: the keeper's set is younger in force than in the registry, and a write of the record leaves it so. */
static void test_b10_a_change_of_the_record_does_not_make_keys_old(void **state)
{
    struct fixture *fixture = *state;
    begin_fetched(fixture, NOW_S - 5000);
    load_again(fixture);
    struct rely_snapshot *next = rely_snapshot_next(newest(fixture), newest(fixture)->revision);
    struct rely_issuer younger = *find_issuer(fixture, URL);
    younger.keys_fetched_s = NOW_S;
    younger.keys_until_s = NOW_S + RELY_DEFAULT_key_max_age_s;
    rely_snapshot_renew_issuer(next, rely_issuer_copy(&younger));
    rely_control_publish(fixture->control, next);
    put_issuer(fixture, "aaa", FETCHED(",\"description\":\"another\""));
    commit(fixture);
    assert_true(has_kid(find_issuer(fixture, URL), "fetched"));
    assert_int_equal(find_issuer(fixture, URL)->keys_fetched_s, NOW_S);
    assert_int_equal(find_issuer(fixture, URL)->keys_until_s, NOW_S + RELY_DEFAULT_key_max_age_s);
}

/* A set that is younger than the stored one: the keeper could not store it yet. */
static void accept_unstored(struct fixture *fixture, const char *name)
{
    struct rely_err err = {0};
    struct rely_snapshot *next = rely_snapshot_next(newest(fixture), newest(fixture)->revision);
    const struct rely_issuer *old = find_issuer(fixture, URL);
    struct rely_issuer younger = *old;
    struct rely_keyset *stored = (struct rely_keyset *)old->keyset;
    younger.keyset = rely_signature_accept(rely_slice_of(jwks_of(name)), NULL, &err);
    younger.keys_fetched_s = NOW_S;
    younger.keys_until_s = NOW_S + RELY_DEFAULT_key_max_age_s;
    rely_snapshot_put_issuer(next, rely_issuer_copy(&younger));
    rely_control_publish(fixture->control, next);
    let_all_read(fixture);
    rely_keyset_free(stored);
}

/* A record's own age, and that of the settings, which is another one from then on. */
static void test_keys_grow_as_old_as_the_record_says(void **state)
{
    struct fixture *fixture = *state;
    begin_fetched(fixture, NOW_S - 5000);
    load_again(fixture);
    put_issuer(fixture, "aaa", FETCHED(",\"maxKeyAgeSeconds\":7200"));
    commit(fixture);
    assert_int_equal(find_issuer(fixture, URL)->keys_until_s, NOW_S - 5000 + 7200);
    rely_control_set_max_age(fixture->control, 9000);
    assert_int_equal(find_issuer(fixture, URL)->keys_until_s, NOW_S - 5000 + 7200);
    put_issuer(fixture, "aaa", FETCHED(""));
    commit(fixture);
    assert_int_equal(find_issuer(fixture, URL)->keys_until_s, NOW_S - 5000 + 9000);
    uint64_t edition = find_issuer(fixture, URL)->edition;
    rely_control_set_max_age(fixture->control, 4000);
    assert_int_equal(find_issuer(fixture, URL)->keys_until_s, NOW_S - 5000 + 4000);
    assert_int_equal(find_issuer(fixture, URL)->keys_fetched_s, NOW_S - 5000);
    assert_int_equal(find_issuer(fixture, URL)->edition, edition); /* what was verified stays so */
}

/* A set that was uploaded has no end. */
static void test_uploaded_keys_have_no_age(void **state)
{
    struct fixture *fixture = *state;
    put_issuer(fixture, "aaa", uploaded("one", ",\"maxKeyAgeSeconds\":3600"));
    commit(fixture);
    assert_int_equal(find_issuer(fixture, URL)->keys_until_s, INT64_MAX);
    rely_control_set_max_age(fixture->control, 4000);
    assert_int_equal(find_issuer(fixture, URL)->keys_until_s, INT64_MAX);
}

static void store_costly_set(struct fixture *fixture)
{
    struct rely_stored_keys stored;
    struct rely_err err = {0};
    const char *costly = mint_print("{\"kty\":\"RSA\",\"kid\":\"costly\",\"e\":\"AQAB\",\"n\":\"%s\"}",
                                    mint_base64(mint_repeat('\xff', 1024)));
    const char *jwks = mint_jwks(mint_jwk(mint_key("ed25519#fetched"), "fetched", "EdDSA"), costly, NULL);
    const struct rely_issuer *issuer = find_issuer(fixture, URL);
    const struct rely_fetched_keys fetched = {.issuer_id = issuer->id,
                                              .record_revision = issuer->revision,
                                              .jwks = rely_slice_of(jwks),
                                              .source_url = RELY_LIT(URL "/keys"),
                                              .at_s = NOW_S - 100};
    assert_true(rely_registry_put_keyset(fixture->registry, &fetched, &stored, &err));
}

static size_t count_keys(const struct fixture *fixture)
{
    return rely_keyset_count(find_issuer(fixture, URL)->keyset);
}

/* The stored set is judged anew when the record says otherwise, and is as old as it was. */
static void test_costly_keys_come_and_go_with_the_record(void **state)
{
    struct fixture *fixture = *state;
    put_issuer(fixture, "aaa", FETCHED(",\"allowCostlyKeys\":true"));
    commit(fixture);
    store_costly_set(fixture);
    load_again(fixture);
    assert_int_equal(count_keys(fixture), 2);
    put_issuer(fixture, "aaa", FETCHED(""));
    commit(fixture);
    assert_int_equal(count_keys(fixture), 1);
    assert_true(has_kid(find_issuer(fixture, URL), "fetched"));
    assert_int_equal(find_issuer(fixture, URL)->keys_fetched_s, NOW_S - 100);
    put_issuer(fixture, "aaa", FETCHED(",\"allowCostlyKeys\":true"));
    commit(fixture);
    assert_int_equal(count_keys(fixture), 2);
    let_all_read(fixture);
    accept_unstored(fixture, "younger"); /* it cannot be judged again: there is none until the next fetch */
    put_issuer(fixture, "aaa", FETCHED(""));
    commit(fixture);
    assert_null(find_issuer(fixture, URL)->keyset);
}

/* Fault A4: the stored set has a key that the issuer has withdrawn. A record that is woken, and may not have all of the
 * younger set that was in force, does not fall back to it. */
static void test_a4_a_woken_record_does_not_fall_back_to_withdrawn_keys(void **state)
{
    struct fixture *fixture = *state;
    begin_fetched(fixture, NOW_S - 100);
    load_again(fixture);
    accept_unstored(fixture, "younger");
    assert_false(has_kid(find_issuer(fixture, URL), "fetched"));
    put_issuer(fixture, "aaa", FETCHED(",\"enabled\":false"));
    commit(fixture);
    put_issuer(fixture, "bbb", uploaded("younger", ""));
    commit(fixture);
    put_issuer(fixture, "aaa", FETCHED(""));
    commit(fixture);
    assert_true(find_issuer(fixture, URL)->is_enabled);
    assert_null(find_issuer(fixture, URL)->keyset);
}

/* Fault A6: relyd 0.1 stored keys twice; from the start on they are one record's. */
static void test_a6_stored_sets_that_repeat_are_told_apart(void **state)
{
    struct fixture *fixture = *state;
    size_t cursor = 0, with_keys = 0;
    begin_fetched(fixture, NOW_S);
    put_issuer(fixture, "bbb", FETCHED(""));
    commit(fixture);
    const struct rely_issuer *issuer;
    while ((issuer = rely_snapshot_issuer_by_name(newest(fixture), RELY_LIT(URL), &cursor)) != NULL)
        store_fetched(fixture, issuer, NOW_S);
    load_again(fixture);
    cursor = 0;
    while ((issuer = rely_snapshot_issuer_by_name(newest(fixture), RELY_LIT(URL), &cursor)) != NULL)
        with_keys += rely_keyset_count(issuer->keyset);
    assert_int_equal(with_keys, 1);
    assert_int_equal(cursor, 2);
}

static void test_a5_a_time_to_come_does_not_count(void **state)
{
    struct fixture *fixture = *state;
    begin_fetched(fixture, NOW_S + 200000);
    load_again(fixture);
    assert_int_equal(find_issuer(fixture, URL)->keys_until_s, 0);
}

/* What came by a way that is closed by now is not in force. */
static void test_a5_keys_from_a_closed_source_are_not_in_force(void **state)
{
    struct fixture *fixture = *state;
    begin_fetched(fixture, NOW_S);
    fixture->are_sources_closed = true;
    load_again(fixture);
    assert_null(find_issuer(fixture, URL)->keyset);
    put_issuer(fixture, "aaa", uploaded("one", "")); /* what was uploaded came by none */
    commit(fixture);
    assert_true(has_kid(find_issuer(fixture, URL), "one"));
}

/* A set of which all keys are another's is stored empty: that is no fault, and nothing is said of it. */
static void test_a_set_without_keys_is_none(void **state)
{
    (void)state;
    const struct rely_issuer_record empty = {.jwks = RELY_LIT("{\"keys\":[]}")}, bad = {.jwks = RELY_LIT("{}")};
    struct rely_prepared prepared = rely_prepare_stored(&empty);
    assert_true(prepared.keyset == NULL && prepared.err.code == RELY_ERR_NONE);
    prepared = rely_prepare_stored(&bad);
    assert_true(prepared.keyset == NULL && prepared.err.code != RELY_ERR_NONE);
}

int run_edition_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_uploaded_keys_are_in_force_with_their_record),
        A_TEST(test_keys_go_on_when_the_record_changes),
        A_TEST(test_what_is_seen_of_tokens_goes_on),
        A_TEST(test_a_removed_record_is_gone),
        A_TEST(test_a6_a_key_is_uploaded_once),
        A_TEST(test_a6_in_the_open_batch_a_key_is_held_by_others_that_count),
        A_TEST(test_a6_every_uploaded_key_is_compared),
        A_TEST(test_the_keeper_is_told_of_issuers_alone),
        A_TEST(test_a5_stored_keys_are_as_old_as_they_are),
        A_TEST(test_b10_a_change_of_the_record_does_not_make_keys_old),
        A_TEST(test_keys_grow_as_old_as_the_record_says),
        A_TEST(test_uploaded_keys_have_no_age),
        A_TEST(test_costly_keys_come_and_go_with_the_record),
        A_TEST(test_a4_a_woken_record_does_not_fall_back_to_withdrawn_keys),
        A_TEST(test_a6_stored_sets_that_repeat_are_told_apart),
        A_TEST(test_a5_a_time_to_come_does_not_count),
        A_TEST(test_a5_keys_from_a_closed_source_are_not_in_force),
        A_TEST(test_a_set_without_keys_is_none),
    };
    return cmocka_run_group_tests_name("control: editions", tests, NULL, NULL);
}
