/*
 * Issuers that many tenants share: no write may leave a credential that is for every tenant, be it the credential's own,
 * its issuer's, its group's or that of one more record of the group; and what stands nevertheless, by force.
 */
#include "fixture.h"
#include <stdlib.h>

#define CODE "unpinned_credential"
#define URL "\"issuer\":\"https://ci.example\""
#define FORM "\"tenantSubject\":\"repo:{tenant}/\""
#define PINS "\"pinClaims\":[\"owner\",\"/nested/owner\"]"
#define SHARED URL ",\"isShared\":true," FORM "," PINS
#define MOVED URL ",\"isShared\":true,\"tenantSubject\":\"repo:{tenant}:\"," PINS
#define FREE "\"subject\":\"free\",\"audiences\":[\"a\"]"
#define PINNED "\"subject\":\"repo:acme/app\",\"audiences\":[\"a\"]"

static void make_ci(struct fixture *fixture, const char *fields)
{
    char *body = format_body("{\"name\":\"cloud-ci\",%s}", fields);
    must_create(fixture, issuer_path(NULL), body);
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    free(body);
}

static void make_own_group(struct fixture *fixture)
{
    must_create(fixture, issuer_path(NULL), "{\"name\":\"own\",\"issuer\":\"https://own.example\"}");
    must_create(fixture, group_path(NULL), "{\"name\":\"both\",\"issuers\":[\"own\"]}");
}

static void become_forcing_admin(struct fixture *fixture, bool is_strict)
{
    fixture->as = (struct rely_writer){.may_override = true, .may_end_admins = true, .is_strict = is_strict};
}

static void assert_words(const struct fixture *fixture, const char *words)
{
    if (strstr(fixture->result.problems.items[0].message, words) == NULL)
        fail_msg("%s is not in: %s", words, fixture->result.problems.items[0].message);
}

/* --- a credential -------------------------------------------------------------------------------------------------- */

struct tried_rule {
    const char *said;
    bool is_expression, is_pinned;
};

static void try_rules(struct fixture *fixture, const char *scope, const struct tried_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct tried_rule *rule = &rules[i];
        char *said =
            rule->is_expression
                ? format_body("\"claimsMatchingExpression\":{\"value\":\"%s\",\"languageVersion\":1}", rule->said)
                : format_body("\"subject\":\"%s\"", rule->said);
        char *body = format_body("{%s,\"audiences\":[\"a\"],%s}", scope, said);
        const char *field = rule->is_expression ? "claimsMatchingExpression.value" : "subject";
        if (rule->is_pinned) {
            must_replace(fixture, credential_path("web", "rule"), body);
            assert_true(try_delete(fixture, credential_path("web", "rule"), NULL, false));
        } else {
            refuse_replace(fixture, credential_path("web", "rule"), body, field, CODE);
            assert_words(fixture, "lets in every tenant of issuer cloud-ci");
        }
        free(said);
        free(body);
    }
}

static const struct tried_rule some_rules[] = {
    {"repo:a/", false, true},
    {"repo:acme/app", false, true},
    {"repo:acme", false, false},
    {"repo:/app", false, false},
    {"other:acme/app", false, false},
    {"claims['sub'] matches 'repo:acme/*'", true, true},
    {"claims['sub'] matches 'repo:acme*/'", true, false},
    {"claims['sub'] matches 'r*' and claims['owner'] eq 'acme'", true, true},
    {"claims['sub'] matches 'r*' and claims['/nested/owner'] eq 'acme'", true, true},
    {"claims['sub'] matches 'r*' and claims['nested'] eq 'acme'", true, false},
    {"claims['sub'] matches 'r*' and claims['owner'] eq ''", true, false},
    {"claims['sub'] matches 'r*' and claims['owner'] matches 'a*'", true, false},
};
#define RULES (sizeof some_rules / sizeof some_rules[0])

static void lets_no_rule_be_for_every_tenant(void **state)
{
    struct fixture *fixture = *state;
    make_ci(fixture, SHARED);
    make_own_group(fixture);
    try_rules(fixture, "\"issuerName\":\"cloud-ci\"", some_rules, RULES);
    try_rules(fixture, "\"issuer\":\"https://ci.example\"", some_rules, RULES);
    assert_true(try_member(fixture, "both", "cloud-ci", true));
    try_rules(fixture, "\"issuerGroup\":\"both\"", some_rules, RULES);
}

static void asks_nothing_where_nobody_shares(void **state)
{
    struct fixture *fixture = *state;
    make_ci(fixture, URL "," FORM "," PINS);
    make_own_group(fixture);
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"one\",\"issuerName\":\"cloud-ci\"," FREE "}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"two\",\"issuerGroup\":\"both\"," FREE "}");
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"shared\",\"issuer\":\"https://s.example\",\"isShared\":true," FORM "}");
    assert_true(try_member(fixture, "both", "cloud-ci", true));
    must_replace(fixture, credential_path("web", "two"), "{\"issuerGroup\":\"both\"," FREE ",\"enabled\":false}");
}

/* What is wrong with it otherwise is said alone: of what is not there nobody knows whom it lets in. */
static void says_nothing_of_what_is_not_there(void **state)
{
    struct fixture *fixture = *state;
    make_ci(fixture, SHARED);
    static const char *const bodies[][3] = {
        {"\"issuerName\":\"cloud-ci\",\"audiences\":[\"a\"]", "subject", "required"},
        {"\"issuerName\":\"cloud-ci\",\"audiences\":[\"a\"],\"subject\":7", "subject", "wrong_type"},
        {"\"issuerName\":\"nobody\"," FREE, "issuerName", "not_registered"},
        {"\"issuerGroup\":\"nobody\"," FREE, "issuerGroup", "not_registered"},
    };
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        char *body = format_body("{\"name\":\"rule\",%s}", bodies[i][0]);
        refuse_create(fixture, credential_path("web", NULL), body, bodies[i][1], bodies[i][2]);
        free(body);
    }
}

static void says_what_names_a_tenant(void **state)
{
    struct fixture *fixture = *state;
    make_ci(fixture, SHARED);
    char *longest = repeat_text("x", 200), *head = repeat_text("h", 100);
    char *long_pins = format_body(URL ",\"isShared\":true,\"pinClaims\":[\"%s\",\"b\",\"c\"]", longest);
    char *long_form = format_body(URL ",\"isShared\":true,\"tenantSubject\":\"%s{tenant}/\"," PINS, head);
    char *shown_pins = format_body("it needs an eq on one of %.143s", longest);
    char *shown_form =
        format_body("it needs a subject that reaches through %.60s, or an eq on one of owner, /nested/owner", head);
    const char *const ways[][2] = {
        {SHARED, "it needs a subject that reaches through repo:{tenant}/, or an eq on one of owner, /nested/owner"},
        {URL ",\"isShared\":true," FORM, "it needs a subject that reaches through repo:{tenant}/"},
        {URL ",\"isShared\":true," PINS, "it needs an eq on one of owner, /nested/owner"},
        {long_pins, shown_pins},
        {long_form, shown_form},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char *issuer = format_body("{%s}", ways[i][0]);
        must_replace(fixture, issuer_path("cloud-ci"), issuer);
        refuse_create(fixture, credential_path("web", NULL), "{\"name\":\"rule\",\"issuerName\":\"cloud-ci\"," FREE "}",
                      "subject", CODE);
        const char *told = strstr(fixture->result.problems.items[0].message, "it needs ");
        assert_non_null(told);
        assert_string_equal(told, ways[i][1]);
        free(issuer);
    }
    char *const texts[] = {longest, head, long_pins, long_form, shown_pins, shown_form};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
}

/* Of a group with two of them one is named, whichever of the two it is that the rule does not reach through. */
static void names_one_issuer_of_a_group(void **state)
{
    struct fixture *fixture = *state;
    make_ci(fixture, SHARED);
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"hub\",\"issuer\":\"https://hub.example\",\"isShared\":true,"
                "\"tenantSubject\":\"org:{tenant}:\"}");
    must_create(fixture, group_path(NULL), "{\"name\":\"both\",\"issuers\":[\"cloud-ci\",\"hub\"]}");
    static const char *const subjects[][2] = {
        {"free", "every tenant of issuer "}, {"repo:a/b", "issuer hub"}, {"org:a:b", "issuer cloud-ci"}};
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++) {
        char *body = format_body(
            "{\"name\":\"rule\",\"issuerGroup\":\"both\",\"subject\":\"%s\",\"audiences\":[\"a\"]}", subjects[i][0]);
        refuse_create(fixture, credential_path("web", NULL), body, "subject", CODE);
        assert_words(fixture, subjects[i][1]);
        free(body);
    }
}

/* --- its issuer ---------------------------------------------------------------------------------------------------- */

/* Rules in so many identities: of the record itself, and of groups that it is in. */
static void make_free_rules(struct fixture *fixture, int count)
{
    static const char *const scopes[] = {"\"issuerName\":\"cloud-ci\"", "\"issuerGroup\":\"both\"",
                                         "\"issuerGroup\":\"more\""};
    for (int i = 0; i < count; i++) {
        char *identity = format_body("identity-%02d", i);
        char *body = format_body("{%s," FREE "}", scopes[i % 3]);
        must_replace(fixture, identity_path(identity), "{}");
        must_replace(fixture, credential_path(identity, "rule"), body);
        free(identity);
        free(body);
    }
}

static size_t count_words(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)) != NULL; text++)
        count++;
    return count;
}

static void judges_the_rules_of_whoever_becomes_shared(void **state)
{
    struct fixture *fixture = *state;
    make_ci(fixture, URL);
    make_own_group(fixture);
    must_create(fixture, group_path(NULL), "{\"name\":\"more\",\"issuers\":[\"cloud-ci\"]}");
    assert_true(try_member(fixture, "both", "cloud-ci", true));
    for (int count = 1; count <= 11; count += count == 3 ? 7 : 1) {
        make_free_rules(fixture, count);
        char *told = format_body("isShared: %d of its credentials would let in every tenant: identity-", count);
        refuse_replace(fixture, issuer_path("cloud-ci"), "{" SHARED "}", "isShared", CODE);
        assert_words(fixture, told);
        assert_int_equal(count_words(fixture->result.problems.items[0].message, "/rule"), count < 10 ? count : 10);
        free(told);
    }
    for (int i = 0; i < 11; i++) {
        char *identity = format_body("identity-%02d", i);
        refuse_replace(fixture, issuer_path("cloud-ci"), "{" SHARED "}", "isShared", CODE);
        assert_true(try_delete(fixture, identity_path(identity), NULL, false));
        free(identity);
    }
    must_replace(fixture, issuer_path("cloud-ci"), "{" SHARED "}");
}

/* Another record of its group is not asked for, and another group's rules are not either. */
static void judges_no_others_rules(void **state)
{
    struct fixture *fixture = *state;
    make_ci(fixture, URL);
    make_own_group(fixture);
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"one\",\"issuerName\":\"own\"," FREE "}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"two\",\"issuerGroup\":\"both\"," FREE "}");
    must_replace(fixture, issuer_path("cloud-ci"), "{" SHARED "}");
}

/* Each of what a rule is judged by; what says as much in other words is no other. */
static void judges_what_is_said_of_tenants_anew(void **state)
{
    struct fixture *fixture = *state;
    static const char guard[] = ",\"guards\":{\"requiredClaims\":[{\"claim\":\"owner\",\"anyOf\":[\"acme\"]}]}";
    make_ci(fixture, SHARED);
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"one\",\"issuerName\":\"cloud-ci\"," PINNED "}");
    must_replace(fixture, issuer_path("cloud-ci"), "{" SHARED ",\"description\":\"nothing else\"}");
    refuse_replace(fixture, issuer_path("cloud-ci"), "{" MOVED "}", "isShared", CODE);
    assert_words(fixture, ": web/one");
    refuse_replace(fixture, issuer_path("cloud-ci"), "{" URL ",\"isShared\":true," PINS "}", "isShared", CODE);
    char *guarded = format_body("{" SHARED "%s}", guard);
    must_replace(fixture, issuer_path("cloud-ci"), guarded);
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"two\",\"issuerName\":\"cloud-ci\"," FREE "}");
    refuse_replace(fixture, issuer_path("cloud-ci"), "{" SHARED "}", "isShared", CODE);
    assert_words(fixture, ": web/two");
    must_replace(fixture, issuer_path("cloud-ci"), "{" URL "," FORM "," PINS "}");
    refuse_replace(fixture, issuer_path("cloud-ci"), "{" SHARED "}", "isShared", CODE);
    free(guarded);
}

/* --- one more in a group ------------------------------------------------------------------------------------------- */

static void refuse_member(struct fixture *fixture)
{
    for (int way = 0; way < 2; way++) {
        assert_false(way == 0 ? try_member(fixture, "both", "cloud-ci", true)
                              : try_replace(fixture, group_path("both"), "{\"issuers\":[\"cloud-ci\",\"own\"]}", NULL));
        assert_refused(fixture, RELY_ERR_INVALID, CODE);
        assert_int_equal(fixture->result.overridden_count, 0);
        assert_non_null(strstr(fixture->err.message, "issuer cloud-ci is shared by many tenants, and 1 of the "
                                                     "credentials of group both would let in each of them: web/rule"));
        assert_int_equal(count_rows(fixture, "SELECT count(*) FROM issuer_group_member"), 1);
    }
}

static void lets_no_shared_issuer_join_free_rules(void **state)
{
    struct fixture *fixture = *state;
    make_ci(fixture, SHARED);
    make_own_group(fixture);
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"rule\",\"issuerGroup\":\"both\"," FREE "}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"pinned\",\"issuerGroup\":\"both\"," PINNED "}");
    refuse_member(fixture);
    become_forcing_admin(fixture, true);
    refuse_member(fixture);
    fixture->as = (struct rely_writer){.may_end_admins = true};
    assert_true(try_delete(fixture, credential_path("web", "rule"), NULL, false));
    assert_true(try_member(fixture, "both", "cloud-ci", true));
    assert_int_equal(fixture->result.warnings.count, 0);
}

/* --- by force ------------------------------------------------------------------------------------------------------ */

static void warns_of_what_is_forced(void **state)
{
    struct fixture *fixture = *state;
    make_ci(fixture, SHARED);
    make_own_group(fixture);
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"rule\",\"issuerGroup\":\"both\"," FREE "}");
    become_forcing_admin(fixture, false);
    must_replace(fixture, credential_path("web", "one"), "{\"issuerName\":\"cloud-ci\"," FREE "}");
    assert_warning(fixture, "subject", "issuer_unpinned");
    assert_int_equal(fixture->result.overridden_count, 1);
    must_replace(fixture, issuer_path("cloud-ci"), "{" MOVED "}");
    assert_warning(fixture, "isShared", "issuer_unpinned");
    assert_int_equal(fixture->result.overridden_count, 1);
    assert_true(try_member(fixture, "both", "cloud-ci", true));
    assert_warning(fixture, "issuers", "issuer_unpinned");
    assert_int_equal(fixture->result.overridden_count, 1);
    assert_true(try_member(fixture, "both", "cloud-ci", true)); /* it is in it: nothing is overridden */
    assert_int_equal(fixture->result.overridden_count, 0);
    fixture->as = (struct rely_writer){.may_end_admins = true};
    /* What stands is warned of, and the issuer may be changed otherwise. */
    must_replace(fixture, credential_path("web", "one"),
                 "{\"issuerName\":\"cloud-ci\"," FREE ",\"description\":\"d\"}");
    assert_warning(fixture, "subject", "issuer_unpinned");
    assert_int_equal(fixture->result.overridden_count, 0);
    must_replace(fixture, issuer_path("cloud-ci"), "{" MOVED ",\"description\":\"d\"}");
    assert_int_equal(fixture->result.warnings.count, 0);
}

int run_tenant_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(lets_no_rule_be_for_every_tenant),
        A_TEST(asks_nothing_where_nobody_shares),
        A_TEST(says_nothing_of_what_is_not_there),
        A_TEST(says_what_names_a_tenant),
        A_TEST(names_one_issuer_of_a_group),
        A_TEST(judges_the_rules_of_whoever_becomes_shared),
        A_TEST(judges_no_others_rules),
        A_TEST(judges_what_is_said_of_tenants_anew),
        A_TEST(lets_no_shared_issuer_join_free_rules),
        A_TEST(warns_of_what_is_forced),
    };
    return cmocka_run_group_tests_name("tenants", tests, NULL, NULL);
}
