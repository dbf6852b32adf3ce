/* Editions of the registry: what a change shows, what older readers keep, and that everything is freed once (ASan
 * judges). */
#include "relyd/edition.h"
#include "relyd/marks.h"
#include "scene.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static size_t count_credentials(const struct rely_snapshot *snapshot, int64_t issuer, const char *subject)
{
    size_t cursor = 0;
    size_t count = 0;
    while (rely_snapshot_credential(snapshot, rely_rule_hash(issuer, rely_slice_of(subject)), issuer,
                                    rely_slice_of(subject), &cursor) != NULL)
        count++;
    return count;
}

static void an_older_edition_keeps_what_it_showed(void **state)
{
    struct scene scene;
    (void)state;
    scene_init(&scene);
    int64_t issuer = scene_add_issuer(&scene, "one", "https://a", NULL);
    int64_t identity = scene_add_identity(&scene, "app");
    int64_t rule = scene_add_credential(&scene, issuer, identity, "app", "relyd");
    struct rely_snapshot *old = scene.snapshot;
    struct rely_snapshot *next = rely_snapshot_next(old, 2);
    assert_true(rely_snapshot_remove(next, RELY_OBJECT_CREDENTIAL, rule));
    assert_false(rely_snapshot_remove(next, RELY_OBJECT_CREDENTIAL, rule));
    assert_true(rely_snapshot_remove(next, RELY_OBJECT_IDENTITY, identity));
    assert_int_equal(count_credentials(old, issuer, "app"), 1);
    assert_int_equal(count_credentials(next, issuer, "app"), 0);
    assert_non_null(rely_snapshot_identity(old, identity));
    assert_null(rely_snapshot_identity_by_name(next, RELY_LIT("app")));
    assert_int_equal(next->edition, old->edition + 1);
    rely_snapshot_free_replaced(next); /* frees the old edition */
    scene.snapshot = next;
    scene_free(&scene);
}

static void an_older_edition_keeps_its_issuers(void **state)
{
    struct scene scene;
    const struct rely_slice url = RELY_LIT("https://a");
    (void)state;
    scene_init(&scene);
    const int64_t issuers[] = {scene_add_issuer(&scene, "one", "https://a", NULL),
                               scene_add_issuer(&scene, "two", "https://a", NULL)};
    struct rely_snapshot *old = scene.snapshot, *next = rely_snapshot_next(old, 2);
    const struct rely_issuer_set *set = rely_snapshot_issuer_set(old, url);
    for (size_t i = 0; i < 2; i++) {
        assert_true(rely_snapshot_remove(next, RELY_OBJECT_ISSUER, issuers[i]));
        const struct rely_issuer_set *left = rely_snapshot_issuer_set(next, url);
        assert_int_equal(left == NULL ? 0 : left->count, 1 - i);
        assert_ptr_equal(rely_snapshot_issuer_set(old, url), set);
        assert_int_equal(set->count, 2);
        assert_int_equal(set->members[i]->id, issuers[i]);
    }
    rely_snapshot_free_replaced(next);
    scene.snapshot = next;
    scene_free(&scene);
}

static void a_replaced_credential_is_found_under_its_new_subject_only(void **state)
{
    struct scene scene;
    (void)state;
    scene_init(&scene);
    int64_t rule = scene_add_credential(&scene, 1, 1, "before", "relyd");
    struct rely_credential changed = *rely_snapshot_credential_by_id(scene.snapshot, rule);
    changed.subject = RELY_LIT("after");
    rely_snapshot_put_credential(scene.snapshot, rely_credential_copy(&changed));
    assert_int_equal(count_credentials(scene.snapshot, 1, "before"), 0);
    assert_int_equal(count_credentials(scene.snapshot, 1, "after"), 1);
    assert_int_equal(count_credentials(scene.snapshot, 2, "after"), 0);
    assert_int_equal(scene.snapshot->credentials.count, 1);
    scene_free(&scene);
}

/* An identity with these names of certificates and of owners. */
static struct rely_identity *make_marked(int64_t id, const char *name, struct rely_slice certificate,
                                         struct rely_slice owner)
{
    return rely_identity_copy(&(struct rely_identity){.id = id,
                                                      .name = rely_slice_of(name),
                                                      .roles = RELY_ROLE_REVIEWER,
                                                      .certificates = &certificate,
                                                      .certificate_count = 1,
                                                      .owners = &owner,
                                                      .owner_count = 1});
}

static void an_identity_is_found_by_its_certificates(void **state)
{
    (void)state;
    struct scene scene;
    struct rely_slice old = RELY_LIT("dns:old.example"), new = RELY_LIT("dns:new.example");
    scene_init(&scene);
    struct rely_snapshot *snapshot = scene.snapshot;
    rely_snapshot_put_identity(snapshot, make_marked(1, "one", old, RELY_LIT("lead")));
    rely_snapshot_put_identity(snapshot, make_marked(2, "two", RELY_LIT("cn:two"), RELY_LIT("cn:two")));
    assert_int_equal(rely_snapshot_identity_by_certificate(snapshot, old)->id, 1);
    assert_int_equal(rely_snapshot_identity_by_certificate(snapshot, old)->roles, RELY_ROLE_REVIEWER);
    assert_int_equal(rely_snapshot_identity_by_certificate(snapshot, RELY_LIT("cn:two"))->id, 2);
    assert_null(rely_snapshot_identity_by_certificate(snapshot, new));
    assert_null(rely_snapshot_identity_by_certificate(snapshot, RELY_LIT("lead")));
    assert_true(rely_snapshot_is_owner(snapshot, RELY_LIT("lead")));
    assert_false(rely_snapshot_is_owner(snapshot, old));
    assert_true(rely_identity_has_owner(rely_snapshot_identity(snapshot, 1), RELY_LIT("lead")));
    assert_false(rely_identity_has_owner(rely_snapshot_identity(snapshot, 1), RELY_LIT("lea")));
    rely_snapshot_put_identity(snapshot, make_marked(1, "one", new, RELY_LIT("boss")));
    assert_null(rely_snapshot_identity_by_certificate(snapshot, old));
    assert_int_equal(rely_snapshot_identity_by_certificate(snapshot, new)->id, 1);
    assert_false(rely_snapshot_is_owner(snapshot, RELY_LIT("lead")));
    assert_true(rely_snapshot_remove(snapshot, RELY_OBJECT_IDENTITY, 1));
    assert_null(rely_snapshot_identity_by_certificate(snapshot, new));
    assert_false(rely_snapshot_is_owner(snapshot, RELY_LIT("boss")));
    scene_free(&scene);
}

/* As at the start: all at once, out of the records. */
static void the_first_edition_has_certificates_too(void **state)
{
    (void)state;
    struct scene scene;
    struct rely_slice name = RELY_LIT("uri:spiffe://a/b"), owner = RELY_LIT("lead");
    scene_init(&scene);
    const struct rely_identity_record record = {.record = {.id = 7},
                                                .name = RELY_LIT("one"),
                                                .roles = RELY_ROLE_ADMIN,
                                                .certificates = {&name, 1},
                                                .owners = {&owner, 1}};
    struct rely_filling filling = {.next = scene.snapshot, .object = RELY_OBJECT_IDENTITY};
    rely_filling_add(&filling, &record);
    rely_filling_end(&filling);
    assert_int_equal(rely_snapshot_identity_by_certificate(scene.snapshot, name)->roles, RELY_ROLE_ADMIN);
    assert_true(rely_snapshot_is_owner(scene.snapshot, owner));
    scene_free(&scene);
}

static void many_editions_of_many_credentials_are_freed(void **state)
{
    struct scene scene;
    (void)state;
    scene_init(&scene);
    for (int i = 0; i < 2000; i++) {
        char subject[32];
        snprintf(subject, sizeof subject, "subject-%d", i);
        scene_add_credential(&scene, 1, 1, subject, "relyd");
    }
    for (int i = 1; i < 500; i++) {
        struct rely_snapshot *next = rely_snapshot_next(scene.snapshot, (uint64_t)i + 1);
        scene.snapshot = next;
        scene_add_credential(&scene, 1, 1, "again", "relyd");
        assert_true(rely_snapshot_remove(next, RELY_OBJECT_CREDENTIAL, i));
        rely_snapshot_free_replaced(next);
    }
    assert_int_equal(count_credentials(scene.snapshot, 1, "again"), 499);
    assert_int_equal(count_credentials(scene.snapshot, 1, "subject-498"), 0);
    assert_int_equal(count_credentials(scene.snapshot, 1, "subject-499"), 1);
    scene_free(&scene);
}

static void copies_own_all_that_they_show(void **state)
{
    char text[] = "text";
    struct rely_slice slice = rely_slice_of(text);
    struct rely_identity_extra extra[] = {{slice, &slice, 1}};
    struct rely_identity from = {.name = slice,
                                 .uid = slice,
                                 .username = slice,
                                 .groups = &slice,
                                 .group_count = 1,
                                 .extra = extra,
                                 .extra_count = 1};
    (void)state;
    struct rely_identity *copy = rely_identity_copy(&from);
    memset(text, 'x', 4);
    assert_memory_equal(copy->name.ptr, "text", 4);
    assert_memory_equal(copy->groups[0].ptr, "text", 4);
    assert_memory_equal(copy->extra[0].key.ptr, "text", 4);
    assert_memory_equal(copy->extra[0].values[0].ptr, "text", 4);
    free(copy);
}

/* How keys may be fetched is what the record says, each word of it for itself; http is the configuration's to allow. */
static void an_issuer_fetches_as_its_record_says(void **state)
{
    static const struct {
        bool may_use_http, allow_http, allow_private_addresses;
    } cases[] = {{false, false, true}, {false, true, false}, {true, false, true},
                 {true, true, false},  {true, true, true},   {false, false, false}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct rely_issuer_record record = {.record = {.id = 7, .revision = 9},
                                                  .name = RELY_LIT("one"),
                                                  .url = RELY_LIT("https://a"),
                                                  .algorithms = 2,
                                                  .leeway_s = 3,
                                                  .max_lifetime_s = 4,
                                                  .is_enabled = true,
                                                  .key_source = RELY_KEYS_DISCOVERY,
                                                  .discovery_url = RELY_LIT("https://a/d"),
                                                  .jwks_uri = RELY_LIT("https://a/k"),
                                                  .ca_bundle = RELY_LIT("PEM"),
                                                  .keys_generation = 5,
                                                  .allow_http = cases[i].allow_http,
                                                  .allow_private_addresses = cases[i].allow_private_addresses};
        struct rely_issuer *issuer = rely_issuer_of_record(&record, cases[i].may_use_http);
        assert_int_equal(issuer->id, 7);
        assert_int_equal(issuer->revision, 9);
        assert_int_equal(issuer->algs, 2);
        assert_int_equal(issuer->leeway_s, 3);
        assert_int_equal(issuer->max_lifetime_s, 4);
        assert_int_equal(issuer->keys_generation, 5);
        assert_true(issuer->is_enabled && !issuer->has_uploaded_keys);
        assert_int_equal(issuer->source.kind, RELY_KEYS_DISCOVERY);
        assert_true(rely_slice_equal(issuer->source.discovery_url, RELY_LIT("https://a/d")));
        assert_true(rely_slice_equal(issuer->source.jwks_uri, RELY_LIT("https://a/k")));
        assert_true(rely_slice_equal(issuer->source.ca_bundle, RELY_LIT("PEM")));
        assert_int_equal(issuer->source.may_use_http, cases[i].may_use_http && cases[i].allow_http);
        assert_int_equal(issuer->source.may_use_private_addresses, cases[i].allow_private_addresses);
        free(issuer);
    }
}

int run_snapshot_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_edition_keeps_what_it_showed),
        cmocka_unit_test(an_older_edition_keeps_its_issuers),
        cmocka_unit_test(a_replaced_credential_is_found_under_its_new_subject_only),
        cmocka_unit_test(an_identity_is_found_by_its_certificates),
        cmocka_unit_test(the_first_edition_has_certificates_too),
        cmocka_unit_test(many_editions_of_many_credentials_are_freed),
        cmocka_unit_test(copies_own_all_that_they_show),
        cmocka_unit_test(an_issuer_fetches_as_its_record_says),
    };
    return cmocka_run_group_tests_name("snapshots", tests, NULL, NULL);
}
