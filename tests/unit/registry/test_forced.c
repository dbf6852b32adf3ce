/*
 * Rules that an administrator has forced: what may be overridden, by whom, what of it stays without being forced again,
 * and which limits hold all the same.
 */
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>

#define RULE                                                                                                           \
    "{\"issuerName\":\"cluster\",\"audiences\":[\"a\"],\"claimsMatchingExpression\":{\"value\":\"%s\","                \
    "\"languageVersion\":1}%s}"
#define FIELD "claimsMatchingExpression.value"

static void become_forcing(struct fixture *fixture, bool is_owner_only)
{
    fixture->as = (struct rely_writer){.may_override = true,
                                       .may_end_admins = !is_owner_only,
                                       .is_owner_only = is_owner_only,
                                       .identity = rely_slice_of(is_owner_only ? "boss" : NULL)};
}

static void become_unforced(struct fixture *fixture)
{
    fixture->as = (struct rely_writer){.may_end_admins = true};
}

static void become_boss(struct fixture *fixture)
{
    fixture->as = (struct rely_writer){.is_owner_only = true, .identity = RELY_LIT("boss")};
}

static bool try_rule(struct fixture *fixture, const char *name, const char *value, const char *more)
{
    char *body = format_body(RULE, value, more);
    bool is_done = try_replace(fixture, credential_path("web", name), body, NULL);
    free(body);
    return is_done;
}

static void refuse_rule(struct fixture *fixture, const char *name, const char *value, const char *code)
{
    char *body = format_body(RULE, value, "");
    refuse_replace(fixture, credential_path("web", name), body, FIELD, code);
    free(body);
}

static void assert_warned(const struct fixture *fixture, size_t overridden)
{
    assert_int_equal(fixture->result.overridden_count, overridden);
    assert_int_equal(fixture->result.warnings.count, 1);
    assert_string_equal(fixture->result.warnings.items[0].code, "too_broad");
    assert_string_equal(fixture->result.warnings.items[0].field, FIELD);
}

static void make_owned_world(struct fixture *fixture)
{
    become_unforced(fixture);
    must_create(fixture, issuer_path(NULL), "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example\"}");
    must_create(fixture, issuer_path(NULL), "{\"name\":\"second\",\"issuer\":\"https://second.example\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"boss\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\",\"owners\":[\"boss\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"other\",\"owners\":[\"boss\"]}");
}

static const char *const broad[] = {"claims['a'] eq 'b'", "claims['sub'] matches '*a'", "claims['sub'] matches '?'",
                                    "claims['sub'] eq ''", "claims['sub'] matches ''"};

static void stores_what_is_forced(void **state)
{
    struct fixture *fixture = *state;
    make_owned_world(fixture);
    for (size_t i = 0; i < sizeof broad / sizeof broad[0]; i++) {
        char name[40];
        snprintf(name, sizeof name, "rule-%zu", i);
        become_unforced(fixture);
        refuse_rule(fixture, name, broad[i], "too_broad");
        become_forcing(fixture, false);
        assert_true(try_rule(fixture, name, broad[i], ""));
        assert_warned(fixture, 1);
        assert_true(try_rule(fixture, name, broad[i], "")); /* changes nothing: nothing was overridden */
        assert_warned(fixture, 0);
    }
    assert_true(try_rule(fixture, "narrow", "claims['sub'] eq 's'", "")); /* there is nothing to override */
    assert_int_equal(fixture->result.overridden_count + fixture->result.warnings.count, 0);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM credential WHERE match_prefix = ''"), 5);
    reopen_registry(fixture);
    assert_true(try_rule(fixture, "rule-0", broad[0], ""));
    assert_warned(fixture, 0);
}

/* An error in the language is none that anybody may override, and with strict=true what is overridden is refused. */
static void overrides_nothing_else(void **state)
{
    struct fixture *fixture = *state;
    make_owned_world(fixture);
    become_forcing(fixture, false);
    refuse_rule(fixture, "rule", "claims['sub'] is 'a'", "invalid_expression");
    refuse_replace(fixture, credential_path("web", "rule"),
                   "{\"issuerName\":\"cluster\",\"claimsMatchingExpression\":{\"value\":\"claims['a'] eq 'b'\","
                   "\"languageVersion\":1}}",
                   "audiences", "required");
    fixture->as.is_strict = true;
    refuse_rule(fixture, "rule", broad[0], "too_broad");
    assert_false(try_rule(fixture, "rule", broad[0], ",\"enabled\":7"));
    assert_int_equal(fixture->result.problems.count, 1);
    assert_string_equal(fixture->result.problems.items[0].field, "enabled");
}

static void is_no_owners_to_force(void **state)
{
    struct fixture *fixture = *state;
    make_owned_world(fixture);
    become_forcing(fixture, true);
    refuse_rule(fixture, "rule", broad[0], "too_broad");
}

/* What stands there is not refused again, as long as it is for the same tokens: what GET shows may be put back, and an
 * owner may take less of it. */
static void keeps_what_was_forced(void **state)
{
    struct fixture *fixture = *state;
    make_owned_world(fixture);
    become_forcing(fixture, false);
    assert_true(try_rule(fixture, "rule", broad[0], ""));
    become_unforced(fixture);
    assert_true(try_rule(fixture, "rule", broad[0], ",\"description\":\"everybody\""));
    assert_warned(fixture, 0);
    refuse_rule(fixture, "rule", broad[1], "too_broad");
    refuse_replace(fixture, credential_path("web", "rule"),
                   "{\"issuerName\":\"second\",\"audiences\":[\"a\"],\"claimsMatchingExpression\":{\"value\":"
                   "\"claims['a'] eq 'b'\",\"languageVersion\":1}}",
                   FIELD, "too_broad");
    become_boss(fixture);
    assert_true(try_rule(fixture, "rule", broad[0], ",\"enabled\":false"));
    assert_false(try_rule(fixture, "rule", broad[0], ""));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
}

/* It may match whoever comes: an owner makes no exact rule beside another identity's. */
static void may_match_any_subject(void **state)
{
    struct fixture *fixture = *state;
    make_owned_world(fixture);
    become_boss(fixture);
    must_replace(fixture, credential_path("other", "exact"),
                 "{\"issuerName\":\"cluster\",\"subject\":\"before\",\"audiences\":[\"a\"]}");
    become_unforced(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"wide\"}");
    become_forcing(fixture, false);
    char *body = format_body(RULE, broad[0], "");
    must_replace(fixture, credential_path("wide", "rule"), body);
    become_boss(fixture);
    assert_false(try_replace(fixture, credential_path("other", "exact"),
                             "{\"issuerName\":\"cluster\",\"subject\":\"behind\",\"audiences\":[\"a\"]}", NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    free(body);
}

/* Those that begin with nothing are met by every token, whatever else it is looked up by. */
static void counts_with_all_others(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.credentials_per_identity = 2000;
    reopen_registry(fixture);
    make_owned_world(fixture);
    become_forcing(fixture, false);
    assert_true(rely_registry_begin(fixture->registry, &fixture->err));
    for (int i = 0; i < RELY_EXPRESSIONS_ALIKE_MAX; i++) {
        char name[24], value[64];
        snprintf(name, sizeof name, "rule-%d", i);
        snprintf(value, sizeof value, "claims['sub'] matches '*%d'", i);
        if (!try_rule(fixture, name, value, ""))
            fail_msg("%d: %s", i, fixture->err.message);
    }
    assert_true(rely_registry_commit(fixture->registry, &fixture->err));
    assert_false(try_rule(fixture, "more", "claims['sub'] matches '*'", ""));
    assert_refused(fixture, RELY_ERR_CONFLICT, "too_many_alike");
    assert_false(try_rule(fixture, "more", "claims['sub'] matches 'longer*'", ""));
    assert_refused(fixture, RELY_ERR_CONFLICT, "too_many_alike");
    assert_true(try_delete(fixture, credential_path("web", "rule-7"), NULL, false));
    assert_true(try_rule(fixture, "more", "claims['a'] eq 'b'", ""));
}

int run_forced_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(stores_what_is_forced), A_TEST(overrides_nothing_else), A_TEST(is_no_owners_to_force),
        A_TEST(keeps_what_was_forced), A_TEST(may_match_any_subject),  A_TEST(counts_with_all_others),
    };
    return cmocka_run_group_tests_name("forced", tests, NULL, NULL);
}
