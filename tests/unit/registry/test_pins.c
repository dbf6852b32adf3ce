/*
 * Uids that are written down for the first use of a credential: once, for the credential that was seen, with a row of
 * the change log; and nothing otherwise.
 */
#include "fixture.h"
#include "relyd/guards.h"
#include "relyd/snapshot.h"
#include <stdio.h>
#include <stdlib.h>

#define ONE "11111111-aaaa-4bbb-8ccc-000000000001"
#define TWO "11111111-aaaa-4bbb-8ccc-000000000002"
#define RULE "{\"issuerName\":\"prod\",\"subject\":\"s\",\"audiences\":[\"a\"]}"
#define PROD "{\"issuer\":\"https://prod.example\",\"guards\":{\"pinServiceAccountUid\":\"%s\"}}"

static void guard_issuer(struct fixture *fixture, const char *rule)
{
    char *body = format_body(PROD, rule);
    must_replace(fixture, issuer_path("prod"), body);
    free(body);
}

static int make_pinned_world(void **state)
{
    if (make_fixture(state) != 0)
        return -1;
    struct fixture *fixture = *state;
    guard_issuer(fixture, "first-use");
    must_replace(fixture, identity_path("web"), "{}");
    must_replace(fixture, credential_path("web", "rule"), RULE);
    return 0;
}

static struct rely_pin pin_of(struct fixture *fixture, const char *uid)
{
    int64_t issuer_id = count_rows(fixture, "SELECT id FROM issuer");
    struct rely_pin pin = {.credential_id = count_rows(fixture, "SELECT id FROM credential"),
                           .issuer_id = issuer_id,
                           .rule_hash = rely_rule_hash(issuer_id, RELY_LIT("s"))};
    memcpy(pin.uid, uid, sizeof pin.uid);
    return pin;
}

/* Returns: how many objects have changed. */
static size_t ask(struct fixture *fixture, const struct rely_pin *pin)
{
    struct rely_changes changes = {0};
    struct rely_err err = {0};
    if (!rely_registry_pin(fixture->registry, pin, 1700000001, &changes, &err))
        fail_msg("%s", err.message);
    size_t count = changes.count;
    assert_int_equal(changes.revision, count == 0 ? 0 : rely_registry_revision(fixture->registry));
    rely_changes_fini(&changes);
    return count;
}

static void assert_uid(struct fixture *fixture, const char *uid)
{
    char *shown = read_object(fixture, credential_path("web", "rule"));
    bool is_there = strstr(shown, uid == NULL ? "serviceAccountUid" : uid) != NULL;
    if (is_there != (uid != NULL))
        fail_msg("%s", shown);
    free(shown);
}

static void writes_it_down_once(void **state)
{
    struct fixture *fixture = *state;
    const struct rely_pin one = pin_of(fixture, ONE), two = pin_of(fixture, TWO);
    assert_int_equal(ask(fixture, &one), 1);
    assert_uid(fixture, ONE);
    assert_int_equal(count_rows(fixture, "SELECT updated_at FROM credential"), 1700000001);
    assert_int_equal(ask(fixture, &two), 0);
    assert_int_equal(ask(fixture, &one), 0);
    assert_uid(fixture, ONE);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log WHERE operation = 'pin' AND actor ="
                                         " 'cluster:prod' AND name = 'web/rule' AND instr(after, '" ONE "') > 0"
                                         " AND instr(before, 'serviceAccountUid') = 0"),
                     1);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log WHERE operation = 'pin'"), 1);
}

/* Whatever has changed since the review: nothing is written down. */
static void writes_for_what_was_seen(void **state)
{
    struct fixture *fixture = *state;
    struct rely_pin pin = pin_of(fixture, ONE), other = pin;
    other.rule_hash = rely_rule_hash(other.issuer_id, RELY_LIT("t"));
    assert_int_equal(ask(fixture, &other), 0);
    other = pin;
    other.issuer_id++;
    assert_int_equal(ask(fixture, &other), 0);
    other = pin;
    other.credential_id++;
    assert_int_equal(ask(fixture, &other), 0);
    guard_issuer(fixture, "off");
    assert_int_equal(ask(fixture, &pin), 0);
    guard_issuer(fixture, "first-use");
    must_replace(
        fixture, credential_path("web", "rule"),
        "{\"issuerName\":\"prod\",\"audiences\":[\"a\"],\"claimsMatchingExpression\":{\"value\":\"claims['sub'] "
        "eq 's'\",\"languageVersion\":1}}");
    assert_int_equal(ask(fixture, &pin), 0);
    must_replace(fixture, (struct rely_object_path){.object = RELY_OBJECT_ISSUER_GROUP, .name = RELY_LIT("all")},
                 "{\"issuers\":[\"prod\"]}");
    must_replace(fixture, credential_path("web", "rule"),
                 "{\"issuerGroup\":\"all\",\"subject\":\"s\",\"audiences\":[\"a\"]}");
    assert_int_equal(ask(fixture, &pin), 0);
    must_replace(fixture, credential_path("web", "rule"), RULE);
    assert_uid(fixture, NULL);
    assert_int_equal(ask(fixture, &pin), 1);
    assert_uid(fixture, ONE);
}

int run_pin_tests(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_it_down_once, make_pinned_world, drop_fixture),
        cmocka_unit_test_setup_teardown(writes_for_what_was_seen, make_pinned_world, drop_fixture),
    };
    return cmocka_run_group_tests_name("pins", tests, NULL, NULL);
}
