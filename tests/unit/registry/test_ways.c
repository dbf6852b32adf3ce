/*
 * Credentials that are not in force as ways in: of the last administrator none may be lost by disabling it, by putting
 * it in shadow or by letting it end, and what is not in force, or will end, is no other's way in. And what an owner may
 * do with them.
 */
#include "fixture.h"
#include <stdlib.h>

/* The fixture's clock stands at 2023-11-14T22:13:20Z. */
#define THIS_SECOND ",\"notAfter\":\"2023-11-14T22:13:20Z\""
#define BEFORE ",\"notAfter\":\"2023-11-14T22:13:19Z\""
#define LATER ",\"notAfter\":\"2027-01-01T00:00:00Z\""
#define MUCH_LATER ",\"notAfter\":\"2027-01-02T00:00:00Z\""
#define DISABLED ",\"enabled\":false"
#define SHADOW ",\"mode\":\"shadow\""

static const char *const endings[] = {DISABLED, SHADOW, THIS_SECOND, BEFORE, LATER, SHADOW LATER};
#define ENDINGS (sizeof endings / sizeof endings[0])

static void become_admin(struct fixture *fixture)
{
    fixture->as = (struct rely_writer){.may_end_admins = false};
}

static void become_root_again(struct fixture *fixture)
{
    fixture->as = (struct rely_writer){.may_end_admins = true};
}

static void become_owner(struct fixture *fixture, const char *identity)
{
    fixture->as = (struct rely_writer){.identity = rely_slice_of(identity), .is_owner_only = true};
}

static bool try_way(struct fixture *fixture, struct rely_object_path path, const char *subject, const char *more)
{
    char *body = format_body("{\"issuer\":\"https://issuer.example\",\"subject\":\"%s\",\"audiences\":[\"relyd\"]%s}",
                             subject, more);
    bool is_done = try_replace(fixture, path, body, NULL);
    free(body);
    return is_done;
}

static void must_have_way(struct fixture *fixture, const char *identity, const char *name, const char *more)
{
    if (!try_way(fixture, credential_path(identity, name), identity, more))
        fail_msg("%s: %s", more, fixture->err.message);
}

static void refuse_last(struct fixture *fixture, bool is_done)
{
    assert_false(is_done);
    assert_refused(fixture, RELY_ERR_CONFLICT, "last_admin");
}

static void make_two_admins(struct fixture *fixture)
{
    must_create(fixture, issuer_path(NULL), "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"ops\",\"roles\":[\"admin\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"second\",\"roles\":[\"admin\"]}");
    must_have_way(fixture, "ops", "main", "");
}

static void keeps_the_last_way_in_force(void **state)
{
    struct fixture *fixture = *state;
    make_two_admins(fixture);
    become_admin(fixture);
    for (size_t i = 0; i < ENDINGS; i++)
        refuse_last(fixture, try_way(fixture, credential_path("ops", "main"), "ops", endings[i]));
    must_have_way(fixture, "ops", "main", ",\"description\":\"as before\",\"mode\":\"enforce\",\"notAfter\":null");
    must_have_way(fixture, "second", "main", "");
    for (size_t i = 0; i < ENDINGS; i++) { /* there is another one */
        must_have_way(fixture, "ops", "main", endings[i]);
        must_have_way(fixture, "ops", "main", "");
    }
}

static void counts_no_way_that_is_not_in_force_or_ends(void **state)
{
    struct fixture *fixture = *state;
    make_two_admins(fixture);
    become_admin(fixture);
    for (size_t i = 0; i < ENDINGS; i++) {
        must_have_way(fixture, "second", "main", endings[i]);
        refuse_last(fixture, try_delete(fixture, credential_path("ops", "main"), NULL, false));
        refuse_last(fixture, try_delete(fixture, identity_path("ops"), NULL, false));
        refuse_last(fixture, try_replace(fixture, identity_path("ops"), "{\"roles\":[\"viewer\"]}", NULL));
        refuse_last(fixture, try_delete(fixture, issuer_path("cluster"), NULL, true));
    }
    must_have_way(fixture, "second", "main", "");
    assert_true(try_delete(fixture, credential_path("ops", "main"), NULL, false));
}

/* It ends, and today it is the only one there is. */
static void keeps_a_last_way_that_ends(void **state)
{
    struct fixture *fixture = *state;
    make_two_admins(fixture);
    become_root_again(fixture);
    must_have_way(fixture, "ops", "main", LATER);
    become_admin(fixture);
    refuse_last(fixture, try_delete(fixture, credential_path("ops", "main"), NULL, false));
    refuse_last(fixture, try_delete(fixture, identity_path("ops"), NULL, false));
    refuse_last(fixture, try_way(fixture, credential_path("ops", "main"), "ops", DISABLED));
    refuse_last(fixture, try_way(fixture, credential_path("ops", "main"), "ops", SHADOW LATER));
    refuse_last(fixture, try_way(fixture, credential_path("ops", "main"), "ops", THIS_SECOND));
    must_have_way(fixture, "ops", "main", MUCH_LATER);
    refuse_last(fixture, try_way(fixture, credential_path("ops", "main"), "ops", LATER));
    become_root_again(fixture);
    must_have_way(fixture, "ops", "main", THIS_SECOND);
    become_admin(fixture);
    refuse_last(fixture, try_delete(fixture, credential_path("ops", "main"), NULL, false));
    must_have_way(fixture, "ops", "main", "");
}

/* Nor is anything lost that lets nobody in. */
static void lets_what_is_not_in_force_go(void **state)
{
    struct fixture *fixture = *state;
    static const char *const gone[] = {DISABLED, SHADOW, BEFORE, DISABLED LATER};
    make_two_admins(fixture);
    become_admin(fixture);
    for (size_t i = 0; i < sizeof gone / sizeof gone[0]; i++) {
        assert_true(try_way(fixture, credential_path("ops", "old"), "old", gone[i]));
        assert_true(try_way(fixture, credential_path("ops", "old"), "older", gone[i]));
        assert_true(try_delete(fixture, credential_path("ops", "old"), NULL, false));
    }
    must_create(fixture, issuer_path(NULL), "{\"name\":\"other\",\"issuer\":\"https://other.example\"}");
    must_create(fixture, credential_path("ops", NULL),
                "{\"name\":\"gone\",\"issuerName\":\"other\",\"subject\":\"s\",\"audiences\":[\"x\"]" DISABLED "}");
    assert_true(try_delete(fixture, issuer_path("other"), NULL, true));
}

/* Both ways go at once: neither is the other's. */
static void keeps_a_way_that_does_not_go_with_an_issuer(void **state)
{
    struct fixture *fixture = *state;
    make_two_admins(fixture);
    must_have_way(fixture, "second", "main", "");
    become_admin(fixture);
    refuse_last(fixture, try_delete(fixture, issuer_path("cluster"), NULL, true));
    must_create(fixture, issuer_path(NULL), "{\"name\":\"other\",\"issuer\":\"https://other.example\"}");
    must_create(fixture, credential_path("second", NULL),
                "{\"name\":\"spare\",\"issuerName\":\"other\",\"subject\":\"s\",\"audiences\":[\"relyd\"]" LATER "}");
    refuse_last(fixture, try_delete(fixture, issuer_path("cluster"), NULL, true));
    must_replace(fixture, credential_path("second", "spare"),
                 "{\"issuerName\":\"other\",\"subject\":\"s\",\"audiences\":[\"relyd\"]}");
    assert_true(try_delete(fixture, issuer_path("cluster"), NULL, true));
}

/* Once his only way has ended, nothing more is lost with him. */
static void lets_an_administrator_without_a_way_go(void **state)
{
    struct fixture *fixture = *state;
    make_two_admins(fixture);
    become_root_again(fixture);
    must_have_way(fixture, "ops", "main", BEFORE);
    become_admin(fixture);
    must_replace(fixture, identity_path("ops"), "{\"roles\":[\"admin\"],\"enabled\":false}");
    assert_true(try_delete(fixture, identity_path("ops"), NULL, false));
}

/* An owner may do so with what is his, and may not let in more than before where that is another's subject, too. */
static void lets_an_owner_disable_and_enable_his_own(void **state)
{
    struct fixture *fixture = *state;
    make_two_admins(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"lead\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"app\",\"owners\":[\"lead\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    for (size_t i = 0; i < ENDINGS; i++) {
        become_owner(fixture, "lead");
        must_have_way(fixture, "app", "main", endings[i]);
        must_have_way(fixture, "app", "main", "");
        must_have_way(fixture, "app", "main", endings[i]);
        become_admin(fixture);
        assert_true(try_way(fixture, credential_path("web", "main"), "app", "")); /* the same subject */
        become_owner(fixture, "lead");
        must_have_way(fixture, "app", "main", endings[i]);
        assert_false(try_way(fixture, credential_path("app", "main"), "app", ""));
        assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
        assert_false(try_way(fixture, credential_path("app", "main"), "app", MUCH_LATER));
        assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
        assert_false(try_way(fixture, credential_path("app", "other"), "app", DISABLED));
        assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
        must_have_way(fixture, "app", "main", DISABLED);
        become_admin(fixture);
        assert_true(try_delete(fixture, credential_path("web", "main"), NULL, false));
    }
}

int run_way_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(keeps_the_last_way_in_force),
        A_TEST(counts_no_way_that_is_not_in_force_or_ends),
        A_TEST(keeps_a_last_way_that_ends),
        A_TEST(lets_what_is_not_in_force_go),
        A_TEST(keeps_a_way_that_does_not_go_with_an_issuer),
        A_TEST(lets_an_administrator_without_a_way_go),
        A_TEST(lets_an_owner_disable_and_enable_his_own),
    };
    return cmocka_run_group_tests_name("ways", tests, NULL, NULL);
}
