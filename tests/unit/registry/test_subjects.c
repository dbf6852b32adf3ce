/*
 * Which claim is the subject, and whose a trust domain is: a rule never comes to mean another claim than the one that it
 * was written for, the records of a group have the same, and a trust domain is one record's.
 */
#include "fixture.h"
#include <stdlib.h>

#define RULE "\"subject\":\"s\",\"audiences\":[\"a\"]"

/* Write the record `prod`, or another one, with this claim. */
static bool try_claim(struct fixture *fixture, const char *name, const char *claim)
{
    char *body = format_body("{\"issuer\":\"https://%s.example\",\"subjectClaim\":\"%s\"}", name, claim);
    bool is_done = try_replace(fixture, issuer_path(name), body, NULL);
    free(body);
    return is_done;
}

static void must_claim(struct fixture *fixture, const char *name, const char *claim)
{
    if (!try_claim(fixture, name, claim))
        fail_msg("%s, %s: %s", name, claim, fixture->err.message);
}

static void refuse_claim(struct fixture *fixture, const char *claim, const char *code, const char *words)
{
    assert_false(try_claim(fixture, "prod", claim));
    assert_refused(fixture, RELY_ERR_CONFLICT, code);
    if (strstr(fixture->err.message, words) == NULL)
        fail_msg("%s is not in: %s", words, fixture->err.message);
}

static void make_prod(struct fixture *fixture, const char *claim)
{
    must_claim(fixture, "prod", claim);
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
}

static int64_t count_rules(struct fixture *fixture, const char *claim)
{
    char *sql = format_body("SELECT count(*) FROM credential WHERE subject_claim IS %s", claim);
    int64_t count = count_rows(fixture, sql);
    free(sql);
    return count;
}

/* --- of a rule ----------------------------------------------------------------------------------------------------- */

/* `sub` is written as no claim, however it is spelled. */
static void takes_the_claim_over(void **state)
{
    struct fixture *fixture = *state;
    make_prod(fixture, "id");
    must_claim(fixture, "plain", "sub");
    must_claim(fixture, "slash", "/sub");
    must_create(fixture, group_path(NULL), "{\"name\":\"all\",\"issuers\":[\"prod\"]}");
    must_create(fixture, group_path(NULL), "{\"name\":\"none\"}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"one\",\"issuerName\":\"prod\"," RULE "}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"two\",\"issuerGroup\":\"all\"," RULE "}");
    assert_int_equal(count_rules(fixture, "'id'"), 2);
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"three\",\"issuerName\":\"plain\"," RULE "}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"four\",\"issuerName\":\"slash\"," RULE "}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"five\",\"issuerGroup\":\"none\"," RULE "}");
    assert_int_equal(count_rules(fixture, "NULL"), 3);
    must_replace(fixture, credential_path("web", "one"),
                 "{\"issuerName\":\"plain\",\"subject\":\"t\",\"audiences\":"
                 "[\"a\"]}");
    assert_int_equal(count_rules(fixture, "'id'"), 1);
    /* A group without records has the claim of its rules. */
    must_replace(fixture, group_path("all"), "{\"issuers\":[]}");
    must_create(fixture, credential_path("web", NULL),
                "{\"name\":\"six\",\"issuerGroup\":\"all\",\"subject\":\"u\",\"audiences\":[\"a\"]}");
    assert_int_equal(count_rules(fixture, "'id'"), 2);
}

static void has_no_shorthand_for_another_claim(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ways[][2] = {
        {"github", "{\"repository\":\"acme/app\"}"},
        {"kubernetes", "{\"namespace\":\"ci\",\"serviceAccount\":\"a\"}"},
        {"kubernetes", "{\"namespace\":\"ci-*\",\"serviceAccount\":\"a\"}"},
    };
    make_prod(fixture, "id");
    must_claim(fixture, "plain", "/sub");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char *body = format_body("{\"issuerName\":\"prod\",\"audiences\":[\"a\"],\"%s\":%s}", ways[i][0], ways[i][1]);
        refuse_replace(fixture, credential_path("web", "rule"), body, ways[i][0], "not_allowed");
        assert_non_null(strstr(fixture->result.problems.items[0].message, "the issuer's subjectClaim is \"id\""));
        free(body);
        body = format_body("{\"issuerName\":\"plain\",\"audiences\":[\"a\"],\"%s\":%s}", ways[i][0], ways[i][1]);
        must_replace(fixture, credential_path("web", "rule"), body);
        free(body);
    }
}

static void needs_a_term_on_the_claim(void **state)
{
    struct fixture *fixture = *state;
    make_prod(fixture, "/a/id");
    static const struct {
        const char *text, *words; /* words - NULL: it is taken */
    } cases[] = {
        {"claims['sub'] matches 'run*'", "says nothing of claim \"/a/id\""},
        {"claims['/a/id'] matches '*'", "matches anything in claim \"/a/id\""},
        {"claims['a'] eq 'x'", "says nothing of claim \"/a/id\""},
        {"claims['/a/id'] matches 'a*'", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body("{\"issuerName\":\"prod\",\"audiences\":[\"a\"],\"claimsMatchingExpression\":"
                                 "{\"value\":\"%s\",\"languageVersion\":1}}",
                                 cases[i].text);
        if (cases[i].words == NULL) {
            must_replace(fixture, credential_path("web", "rule"), body);
        } else {
            refuse_replace(fixture, credential_path("web", "rule"), body, "claimsMatchingExpression.value",
                           "too_broad");
            assert_non_null(strstr(fixture->result.problems.items[0].message, cases[i].words));
        }
        free(body);
    }
}

/* --- of a record --------------------------------------------------------------------------------------------------- */

/* Whoever means the old one has to go before; `/sub` is not another one than `sub`. */
static void changes_a_claim_that_nobody_means(void **state)
{
    struct fixture *fixture = *state;
    const struct rely_object_path revocations = {.object = RELY_OBJECT_REVOCATION};
    make_prod(fixture, "sub");
    must_create(fixture, group_path(NULL), "{\"name\":\"all\",\"issuers\":[\"prod\"]}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"one\",\"issuerName\":\"prod\"," RULE "}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"two\",\"issuerGroup\":\"all\"," RULE "}");
    must_claim(fixture, "prod", "/sub");
    assert_int_equal(fixture->result.warnings.count, 0);
    refuse_claim(fixture, "id", "subject_claim_in_use", "the credential web/one means the subjectClaim as it is");
    assert_true(try_delete(fixture, credential_path("web", "one"), NULL, false));
    refuse_claim(fixture, "id", "subject_claim_in_use", "the credential web/two means the subjectClaim as it is");
    assert_true(try_delete(fixture, credential_path("web", "two"), NULL, false));
    must_create(fixture, revocations, "{\"subject\":\"s\",\"issuerName\":\"prod\",\"reason\":\"a test\"}");
    refuse_claim(fixture, "id", "subject_claim_in_use", "revocation ");
    assert_int_equal(run_sql(fixture, "DELETE FROM revocation"), SQLITE_OK);
    must_create(fixture, revocations, "{\"subject\":\"s\",\"reason\":\"of all\"}");
    must_claim(fixture, "other", "sub");
    must_create(fixture, revocations, "{\"subject\":\"s\",\"issuerName\":\"other\",\"reason\":\"a test\"}");
    fixture->as.is_strict = true;
    assert_false(try_claim(fixture, "prod", "id"));
    assert_refused(fixture, RELY_ERR_INVALID, "invalid_body");
    assert_string_equal(fixture->result.problems.items[0].code, "subject_claim_changed");
    fixture->as.is_strict = false;
    must_claim(fixture, "prod", "id");
    assert_warning(fixture, "subjectClaim", "subject_claim_changed");
    must_claim(fixture, "prod", "/id");
    assert_int_equal(fixture->result.warnings.count, 0);
}

/* --- of a group ---------------------------------------------------------------------------------------------------- */

static void make_claims(struct fixture *fixture)
{
    make_prod(fixture, "id");
    must_claim(fixture, "same", "/id");
    must_claim(fixture, "plain", "sub");
}

static void has_one_claim_in_a_group(void **state)
{
    struct fixture *fixture = *state;
    make_claims(fixture);
    refuse_create(fixture, group_path(NULL), "{\"name\":\"all\",\"issuers\":[\"prod\",\"same\",\"plain\"]}",
                  "issuers[2]", "other_subject_claim");
    assert_non_null(strstr(fixture->result.problems.items[0].message, "which is \"id\""));
    must_create(fixture, group_path(NULL), "{\"name\":\"all\",\"issuers\":[\"prod\",\"same\"]}");
    assert_false(try_member(fixture, "all", "plain", true));
    assert_refused(fixture, RELY_ERR_CONFLICT, "other_subject_claim");
    refuse_claim(fixture, "sub", "other_subject_claim", "the record is in group all");
    assert_true(try_member(fixture, "all", "same", false));
    must_claim(fixture, "prod", "sub"); /* alone in it */
    assert_true(try_member(fixture, "all", "plain", true));
    assert_false(try_member(fixture, "all", "same", true));
    assert_refused(fixture, RELY_ERR_CONFLICT, "other_subject_claim");
    assert_false(try_member(fixture, "all", "nobody", true));
    assert_refused(fixture, RELY_ERR_NOT_FOUND, "not_found");
}

/* Its rules say it while it has no records; of one with neither it is the first record's. */
static void keeps_the_claim_of_a_groups_rules(void **state)
{
    struct fixture *fixture = *state;
    make_claims(fixture);
    must_create(fixture, group_path(NULL), "{\"name\":\"all\",\"issuers\":[\"prod\"]}");
    must_create(fixture, group_path(NULL), "{\"name\":\"none\"}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"one\",\"issuerGroup\":\"all\"," RULE "}");
    must_create(fixture, credential_path("web", NULL), "{\"name\":\"two\",\"issuerGroup\":\"none\"," RULE "}");
    must_replace(fixture, group_path("all"), "{\"issuers\":[]}");
    refuse_replace(fixture, group_path("all"), "{\"issuers\":[\"plain\"]}", "issuers[0]", "other_subject_claim");
    assert_false(try_member(fixture, "all", "plain", true));
    assert_refused(fixture, RELY_ERR_CONFLICT, "other_subject_claim");
    assert_true(try_member(fixture, "all", "same", true));
    assert_false(try_member(fixture, "none", "prod", true));
    assert_refused(fixture, RELY_ERR_CONFLICT, "other_subject_claim");
    assert_non_null(strstr(fixture->err.message, "the subjectClaim of group none, of its records and credentials, is "
                                                 "\"sub\""));
    assert_true(try_member(fixture, "none", "plain", true));
}

/* --- trust domains ------------------------------------------------------------------------------------------------- */

#define IN_DOMAIN "\"trustDomain\":\"prod.example\",\"keys\":{\"jwksUri\":\"https://spire.example/keys\"}"

static void is_one_records_trust_domain(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL), "{\"name\":\"spire\"," IN_DOMAIN "}");
    for (int way = 0; way < 3; way++) {
        if (way == 1)
            must_replace(fixture, issuer_path("spire"), "{" IN_DOMAIN ",\"enabled\":false}"); /* it is still its own */
        if (way == 2)
            must_create(fixture, issuer_path(NULL),
                        "{\"name\":\"other\",\"trustDomain\":\"prod.example.org\",\"keys\":"
                        "{\"jwksUri\":\"https://spire.example/keys\"}}");
        assert_false(try_replace(fixture, issuer_path("other"), "{" IN_DOMAIN "}", NULL));
        assert_refused(fixture, RELY_ERR_CONFLICT, "trust_domain_in_use");
        assert_non_null(strstr(fixture->err.message, "issuer spire has this trust domain"));
    }
    assert_true(try_delete(fixture, issuer_path("spire"), NULL, false));
    must_replace(fixture, issuer_path("other"), "{" IN_DOMAIN "}");
}

int run_subject_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(takes_the_claim_over),        A_TEST(has_no_shorthand_for_another_claim),
        A_TEST(needs_a_term_on_the_claim),   A_TEST(changes_a_claim_that_nobody_means),
        A_TEST(has_one_claim_in_a_group),    A_TEST(keeps_the_claim_of_a_groups_rules),
        A_TEST(is_one_records_trust_domain),
    };
    return cmocka_run_group_tests_name("subjects", tests, NULL, NULL);
}
