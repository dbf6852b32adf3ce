/*
 * Who may do what with the registry: roles, owners, names of certificates, and that an administrator is left.
 */
#include "fixture.h"
#include <stdlib.h>

#define TRUSTS(name, subject)                                                                                          \
    "{\"name\":\"" name "\",\"issuer\":\"https://issuer.example\",\"subject\":\"" subject                              \
    "\",\"audiences\":[\"relyd\"]}"
#define ADMIN "{\"name\":\"ops\",\"roles\":[\"admin\"]}"

static void become(struct fixture *fixture, const char *identity, bool is_owner_only)
{
    fixture->as = (struct rely_writer){.identity = rely_slice_of(identity), .is_owner_only = is_owner_only};
}

static void become_root(struct fixture *fixture)
{
    fixture->as = (struct rely_writer){.may_end_admins = true};
}

/* An administrator who comes in by a token, and an issuer. */
static void make_admin(struct fixture *fixture)
{
    must_create(fixture, issuer_path(NULL), "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example\"}");
    must_create(fixture, identity_path(NULL), ADMIN);
    must_create(fixture, credential_path("ops", NULL), TRUSTS("alice", "alice"));
}

/* --- the fields ---------------------------------------------------------------------------------------------- */

static void takes_roles_owners_and_certificates(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL), "{\"name\":\"one\"}");
    must_create(fixture, identity_path(NULL),
                "{\"name\":\"web\",\"roles\":[\"reviewer\",\"admin\"],\"owners\":[\"one\",\"web\"],"
                "\"certificates\":[\"uri:spiffe://a/b\",\"dns:gw.example\",\"email:o@x.example\",\"cn:k\"]}");
    assert_member(fixture, "roles", "[\"admin\",\"reviewer\"]");
    assert_member(fixture, "owners", "[\"one\",\"web\"]");
    assert_member(fixture, "certificates", "[\"uri:spiffe://a/b\",\"dns:gw.example\",\"email:o@x.example\",\"cn:k\"]");
    reopen_registry(fixture);
    char *shown = read_object(fixture, identity_path("web"));
    assert_non_null(
        strstr(shown, "\"roles\":[\"admin\",\"reviewer\"],\"owners\":[\"one\",\"web\"],\"certificates\":["));
    free(shown);
}

static void refuses_bad_ones(void **state)
{
    struct fixture *fixture = *state;
    static const char *const cases[][3] = {
        {"\"roles\":[\"root\"]", "roles[0]", "not_allowed"},
        {"\"roles\":[\"admin\",\"admin\"]", "roles[1]", "duplicate"},
        {"\"roles\":\"admin\"", "roles", "wrong_type"},
        {"\"roles\":null", "roles", "wrong_type"},
        {"\"owners\":[\"nobody\"]", "owners[0]", "not_registered"},
        {"\"owners\":[\"a b c\"]", "owners[0]", "not_registered"},
        {"\"owners\":[\"ab\"]", "owners[0]", "too_short"},
        {"\"certificates\":[\"gw.example\"]", "certificates[0]", "invalid_name"},
        {"\"certificates\":[\"uri:\"]", "certificates[0]", "invalid_name"},
        {"\"certificates\":[\"DNS:gw.example\"]", "certificates[0]", "invalid_name"},
        {"\"certificates\":[\"dns:a\\u0007b\"]", "certificates[0]", "invalid_text"},
        {"\"certificates\":[\"cn:\"]", "certificates[0]", "too_short"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body = format_body("{\"name\":\"web\",%s}", cases[i][0]);
        refuse_create(fixture, identity_path(NULL), body, cases[i][1], cases[i][2]);
        free(body);
    }
}

/* A hand with sqlite3 gets no further than a body. */
static void holds_the_limits_in_sql(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    assert_int_equal(run_sql(fixture, "UPDATE identity SET roles = 1"), SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(run_sql(fixture, "UPDATE identity SET roles = 16"), SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(run_sql(fixture, "UPDATE identity SET owners = 'ab' || char(10)"), SQLITE_CONSTRAINT_TRIGGER);
    assert_int_equal(run_sql(fixture, "UPDATE identity SET certificates = 'cn:'"), SQLITE_CONSTRAINT_TRIGGER);
    assert_int_equal(run_sql(fixture, "UPDATE identity SET roles = 14, owners = 'abc' || char(10)"), SQLITE_OK);
}

/* --- certificates -------------------------------------------------------------------------------------------- */

static void gives_a_certificate_to_one_identity(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL), "{\"name\":\"one\",\"certificates\":[\"dns:gw.example\",\"cn:gw\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"two\",\"certificates\":[\"dns:gw.exampl\",\"cn:g\"]}");
    assert_false(try_create(fixture, identity_path(NULL), "{\"name\":\"three\",\"certificates\":[\"cn:gw\"]}"));
    assert_refused(fixture, RELY_ERR_CONFLICT, "certificate_in_use");
    assert_non_null(strstr(fixture->err.message, "identity one"));
    assert_false(try_replace(fixture, identity_path("two"), "{\"certificates\":[\"cn:x\",\"dns:gw.example\"]}", NULL));
    assert_refused(fixture, RELY_ERR_CONFLICT, "certificate_in_use");
    must_replace(fixture, identity_path("one"), "{\"certificates\":[\"dns:gw.example\"]}"); /* its own */
    must_create(fixture, identity_path(NULL), "{\"name\":\"three\",\"certificates\":[\"cn:gw\",\"uri:gw.example\"]}");
    assert_true(try_delete(fixture, identity_path("three"), NULL, false));
    must_replace(fixture, identity_path("one"), "{\"certificates\":[\"cn:gw\"]}");
}

/* --- owners -------------------------------------------------------------------------------------------------- */

static void forgets_a_deleted_owner(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL), "{\"name\":\"team\",\"owners\":[\"team\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"tea\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"one\",\"owners\":[\"tea\",\"team\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"two\",\"owners\":[\"team\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"six\",\"owners\":[\"tea\"]}");
    assert_int_equal(run_sql(fixture, "UPDATE identity SET created_at = 1, updated_at = 1"), SQLITE_OK);
    assert_true(try_delete(fixture, identity_path("team"), NULL, false));
    assert_int_equal(fixture->result.changes.count, 3);
    assert_int_equal(rely_registry_revision(fixture->registry), 8);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log WHERE operation = 'replace'"), 2);
    assert_int_equal(count_rows(fixture,
                                "SELECT count(*) FROM change_log WHERE name = 'one' AND operation = 'replace' AND"
                                " before LIKE '%\"owners\":[\"tea\",\"team\"]%' AND"
                                " after LIKE '%\"owners\":[\"tea\"]%'"),
                     1);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM identity WHERE updated_at > created_at"), 2);
    assert_int_equal(count_rows(fixture, "SELECT revision FROM identity WHERE name = 'one'"), 6);
    char *one = read_object(fixture, identity_path("one")), *two = read_object(fixture, identity_path("two"));
    assert_non_null(strstr(one, "\"owners\":[\"tea\"]"));
    assert_non_null(strstr(two, "\"owners\":[]"));
    free(one);
    free(two);
    reopen_registry(fixture);
}

static void lets_an_owner_have_the_credentials(void **state)
{
    struct fixture *fixture = *state;
    make_admin(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"lead\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"app\",\"owners\":[\"lead\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"other\"}");
    become(fixture, "lead", true);
    must_create(fixture, credential_path("app", NULL), TRUSTS("build", "s"));
    must_replace(fixture, credential_path("app", "build"), TRUSTS("build", "t"));
    assert_true(try_delete(fixture, credential_path("app", "build"), NULL, false));
    assert_false(try_create(fixture, credential_path("other", NULL), TRUSTS("build", "s")));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_false(try_delete(fixture, credential_path("ops", "alice"), NULL, false));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_false(try_create(fixture, credential_path("gone", NULL), TRUSTS("build", "s")));
    assert_refused(fixture, RELY_ERR_NOT_FOUND, "not_found");
    assert_false(try_replace(fixture, identity_path("app"), "{}", NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_non_null(strstr(fixture->err.message, "this needs the role admin"));
    assert_false(try_delete(fixture, identity_path("app"), NULL, false));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_non_null(strstr(fixture->err.message, "this needs the role admin"));
    assert_false(try_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"https://issuer.example\"}", NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    become(fixture, NULL, true); /* who is nobody owns nothing */
    assert_false(try_create(fixture, credential_path("app", NULL), TRUSTS("build", "s")));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
}

/* Whoever could add one would give himself the role. */
static void keeps_an_owner_from_identities_with_a_role(void **state)
{
    struct fixture *fixture = *state;
    static const char *const roles[] = {"admin", "viewer", "reviewer"};
    make_admin(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"lead\"}");
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        char *body = format_body("{\"owners\":[\"lead\"],\"roles\":[\"%s\"]}", roles[i]);
        become(fixture, NULL, false);
        must_replace(fixture, identity_path("app"), body);
        free(body);
        become(fixture, "lead", true);
        assert_false(try_create(fixture, credential_path("app", NULL), TRUSTS("build", "s")));
        assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
        assert_non_null(strstr(fixture->err.message, "has a role"));
    }
}

/* Of a token that is two identities nobody would know which: an owner must not shut out somebody else by his subject. */
static void keeps_an_owner_from_the_subjects_of_others(void **state)
{
    struct fixture *fixture = *state;
    make_admin(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"lead\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"app\",\"owners\":[\"lead\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\",\"owners\":[\"lead\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"other\"}");
    must_create(fixture, credential_path("other", NULL), TRUSTS("build", "s"));
    become(fixture, "lead", true);
    assert_false(try_create(fixture, credential_path("app", NULL), TRUSTS("build", "alice")));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_false(try_create(fixture, credential_path("app", NULL), TRUSTS("build", "s")));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_non_null(strstr(fixture->err.message, "another identity"));
    become(fixture, NULL, false);
    must_create(fixture, issuer_path(NULL), "{\"name\":\"twin\",\"issuer\":\"https://issuer.example\"}");
    become(fixture, "lead", true); /* nor under another record of the same URL: the key may be in both */
    assert_false(try_create(fixture, credential_path("app", NULL),
                            "{\"name\":\"build\",\"issuerName\":\"twin\",\"issuer\":\"https://issuer.example\","
                            "\"subject\":\"alice\",\"audiences\":[\"relyd\"]}"));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    become(fixture, NULL, false);
    assert_true(try_delete(fixture, issuer_path("twin"), NULL, false));
    become(fixture, "lead", true);
    must_create(fixture, credential_path("app", NULL), TRUSTS("build", "t"));
    must_create(fixture, credential_path("web", NULL), TRUSTS("build", "t")); /* both are his */
    assert_false(try_replace(fixture, credential_path("app", "build"), TRUSTS("build", "alice"), NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    become(fixture, NULL, false);
    must_replace(fixture, identity_path("ops"), "{\"roles\":[\"admin\"],\"owners\":[\"lead\"]}");
    become(fixture, "lead", true); /* nor one that he owns, while it has a role */
    assert_false(try_replace(fixture, credential_path("app", "build"), TRUSTS("build", "alice"), NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    become(fixture, NULL, false);
    must_replace(fixture, credential_path("app", "build"), TRUSTS("build", "alice")); /* an administrator may */
    become(fixture, "lead", true);
    must_replace(fixture, credential_path("app", "build"),
                 "{\"issuer\":\"https://issuer.example\",\"subject\":\"alice\",\"audiences\":[\"relyd\"],"
                 "\"description\":\"no more than before\"}");
    assert_false(try_replace(fixture, credential_path("app", "build"),
                             "{\"issuer\":\"https://issuer.example\",\"subject\":\"alice\","
                             "\"audiences\":[\"relyd\",\"more\"]}",
                             NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_true(try_delete(fixture, credential_path("app", "build"), NULL, false));
}

#define UID_ONE "11111111-aaaa-4bbb-8ccc-000000000001"
#define UID_TWO "11111111-aaaa-4bbb-8ccc-000000000002"
#define TRUSTS_UID(name, uid)                                                                                          \
    "{\"name\":\"" name "\",\"issuer\":\"https://issuer.example\",\"subject\":\"alice\",\"audiences\":[\"relyd\"],"    \
    "\"serviceAccountUid\":\"" uid "\"}"

/* Two accounts of one name, told apart by their uids: who owns the one does not take in the other's tokens. */
static void keeps_an_owner_from_the_uids_of_others(void **state)
{
    struct fixture *fixture = *state;
    make_admin(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"lead\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"app\",\"owners\":[\"lead\"]}");
    must_create(fixture, credential_path("app", NULL), TRUSTS_UID("build", UID_ONE));
    become(fixture, "lead", true);
    assert_false(try_replace(fixture, credential_path("app", "build"), TRUSTS("build", "alice"), NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_false(try_replace(fixture, credential_path("app", "build"), TRUSTS_UID("build", UID_TWO), NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    become(fixture, NULL, false);
    must_replace(fixture, credential_path("app", "build"), TRUSTS("build", "alice"));
    become(fixture, "lead", true);
    must_replace(fixture, credential_path("app", "build"), TRUSTS_UID("build", UID_ONE)); /* fewer than before */
}

/* --- administrators ------------------------------------------------------------------------------------------- */

static void lets_nobody_change_his_own_roles(void **state)
{
    struct fixture *fixture = *state;
    make_admin(fixture);
    must_create(fixture, identity_path(NULL),
                "{\"name\":\"second\",\"roles\":[\"admin\"],\"certificates\":[\"cn:second\"]}");
    become(fixture, "second", false);
    assert_false(try_replace(fixture, identity_path("second"), "{\"roles\":[\"admin\",\"viewer\"]}", NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_false(try_replace(fixture, identity_path("second"), "{}", NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_non_null(strstr(fixture->err.message, "nor leaves them out of a PUT"));
    must_replace(fixture, identity_path("second"),
                 "{\"roles\":[\"admin\"],\"certificates\":[\"cn:second\"],\"description\":\"mine\"}");
    must_replace(fixture, identity_path("ops"), "{\"roles\":[\"viewer\"]}"); /* another's */
}

static void must_refuse_last(struct fixture *fixture, bool is_done)
{
    assert_false(is_done);
    assert_refused(fixture, RELY_ERR_CONFLICT, "last_admin");
}

static void keeps_the_last_administrator(void **state)
{
    struct fixture *fixture = *state;
    make_admin(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"asleep\",\"roles\":[\"admin\"],\"enabled\":false}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"sees\",\"roles\":[\"viewer\",\"reviewer\"]}");
    become(fixture, NULL, false);
    must_refuse_last(fixture, try_delete(fixture, identity_path("ops"), NULL, false));
    must_refuse_last(fixture, try_replace(fixture, identity_path("ops"), "{\"roles\":[\"viewer\"]}", NULL));
    must_refuse_last(fixture,
                     try_replace(fixture, identity_path("ops"), "{\"roles\":[\"admin\"],\"enabled\":false}", NULL));
    must_refuse_last(fixture, try_delete(fixture, credential_path("ops", "alice"), NULL, false));
    must_refuse_last(fixture, try_replace(fixture, credential_path("ops", "alice"), TRUSTS("alice", "bob"), NULL));
    must_refuse_last(fixture,
                     try_replace(fixture, credential_path("ops", "alice"), TRUSTS_UID("alice", UID_ONE), NULL));
    must_refuse_last(fixture, try_delete(fixture, issuer_path("cluster"), NULL, true));
    must_replace(fixture, identity_path("ops"), "{\"roles\":[\"admin\"],\"description\":\"stays\"}");
    must_create(fixture, credential_path("ops", NULL), TRUSTS("bob", "bob"));
    must_replace(fixture, credential_path("ops", "alice"),
                 "{\"issuer\":\"https://issuer.example\",\"subject\":\"alice\",\"audiences\":[\"relyd\",\"more\"]}");
    assert_true(try_delete(fixture, identity_path("asleep"), NULL, false)); /* no administrator while it sleeps */
    must_create(fixture, identity_path(NULL), "{\"name\":\"second\",\"roles\":[\"admin\"]}");
    must_refuse_last(fixture, try_delete(fixture, identity_path("ops"), NULL, false)); /* that one has no way in */
    must_replace(fixture, identity_path("second"), "{\"roles\":[\"admin\"],\"certificates\":[\"cn:a\",\"cn:b\"]}");
    assert_true(try_delete(fixture, identity_path("ops"), NULL, false));
    must_refuse_last(fixture, try_replace(fixture, identity_path("second"),
                                          "{\"roles\":[\"admin\"],\"certificates\":[\"cn:b\"]}", NULL));
    must_refuse_last(fixture, try_replace(fixture, identity_path("second"), "{\"roles\":[\"admin\"]}", NULL));
    must_replace(fixture, identity_path("second"),
                 "{\"roles\":[\"admin\"],\"certificates\":[\"cn:c\",\"cn:b\",\"cn:a\"]}");
    must_refuse_last(fixture, try_delete(fixture, identity_path("second"), NULL, false));
    become_root(fixture);
    assert_true(try_delete(fixture, identity_path("second"), NULL, false));
}

static void lets_root_take_the_last_one_away(void **state)
{
    struct fixture *fixture = *state;
    make_admin(fixture);
    become_root(fixture);
    must_replace(fixture, credential_path("ops", "alice"), TRUSTS("alice", "bob"));
    assert_true(try_delete(fixture, issuer_path("cluster"), NULL, true));
    must_replace(fixture, identity_path("ops"), "{}");
}

/* --- meanwhile ------------------------------------------------------------------------------------------------ */

/* Who asked was let in by the edition before: the writes that came between count. */
static void looks_at_the_writer_again(void **state)
{
    struct fixture *fixture = *state;
    static const char *const since[] = {"{\"roles\":[\"viewer\",\"reviewer\"]}",
                                        "{\"roles\":[\"admin\"],\"enabled\":false}"};
    make_admin(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"lead\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"app\",\"owners\":[\"lead\"]}");
    for (size_t i = 0; i < sizeof since / sizeof since[0]; i++) {
        become_root(fixture);
        must_replace(fixture, identity_path("ops"), "{\"roles\":[\"admin\"]}");
        become(fixture, "ops", false);
        must_replace(fixture, identity_path("made"), "{}");
        assert_true(try_delete(fixture, identity_path("made"), NULL, false));
        become_root(fixture);
        must_replace(fixture, identity_path("ops"), since[i]);
        become(fixture, "ops", false);
        assert_false(try_replace(fixture, identity_path("made"), "{\"roles\":[\"admin\"]}", NULL));
        assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
        assert_false(try_delete(fixture, issuer_path("cluster"), NULL, true));
        assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    }
    become(fixture, "gone", false);
    assert_false(try_replace(fixture, identity_path("made"), "{}", NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    become_root(fixture);
    must_replace(fixture, identity_path("lead"), "{\"enabled\":false}");
    become(fixture, "lead", true);
    assert_false(try_create(fixture, credential_path("app", NULL), TRUSTS("build", "s")));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
}

#define BY_EXPRESSION                                                                                                  \
    "{\"issuerName\":\"cluster\",\"audiences\":[\"a\"],\"claimsMatchingExpression\":{"                                 \
    "\"value\":\"claims['sub'] matches 'team-a:*'\",\"languageVersion\":1}%s}"

/* Whom an expression matches nobody can tell, so that an owner makes none; and none of his subjects begins as another's
 * expression wants it. What there is he may take less of. */
static void keeps_expressions_from_an_owner(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL), "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"boss\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"mine\",\"owners\":[\"boss\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"other\"}");
    char *whole = format_body(BY_EXPRESSION, ""), *disabled = format_body(BY_EXPRESSION, ",\"enabled\":false");
    assert_true(try_replace(fixture, credential_path("other", "own"), whole, NULL));
    become(fixture, "boss", true);
    assert_false(try_replace(fixture, credential_path("mine", "own"), whole, NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    static const struct {
        const char *subject;
        bool may;
    } cases[] = {{"team-a:app", false}, {"team-a:", false}, {"team-a", true}, {"team-b:app", true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *body =
            format_body("{\"issuerName\":\"cluster\",\"subject\":\"%s\",\"audiences\":[\"a\"]}", cases[i].subject);
        assert_int_equal(try_replace(fixture, credential_path("mine", "exact"), body, NULL), cases[i].may);
        free(body);
    }
    become_root(fixture);
    assert_true(try_replace(fixture, credential_path("mine", "own"), whole, NULL));
    become(fixture, "boss", true);
    assert_true(try_replace(fixture, credential_path("mine", "own"), disabled, NULL));
    assert_false(try_replace(fixture, credential_path("mine", "own"), whole, NULL));
    assert_refused(fixture, RELY_ERR_FORBIDDEN, "not_permitted");
    assert_true(try_delete(fixture, credential_path("mine", "own"), NULL, false));
    free(whole);
    free(disabled);
}

/* Records are of one name by their aliases, too, whichever of them has which. */
static void keeps_an_owner_from_the_subjects_under_each_name(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *theirs, *own; /* aliases */
        bool may;
    } cases[] = {
        {"[]", "[]", true},
        {"[\"urn:b\"]", "[]", false},
        {"[]", "[\"urn:a\"]", false},
        {"[\"urn:x\",\"urn:c\"]", "[\"urn:c\",\"urn:y\"]", false},
        {"[\"urn:c\",\"urn:x\"]", "[\"urn:y\",\"urn:c\"]", false},
        {"[\"urn:c\"]", "[\"urn:cc\",\"rn:c\"]", true},
    };
    must_create(fixture, identity_path(NULL), "{\"name\":\"lead\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"app\",\"owners\":[\"lead\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"other\"}");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *theirs =
            format_body("{\"issuer\":\"urn:a\",\"keys\":{\"jwksUri\":\"https://a\"},\"aliases\":%s}", cases[i].theirs);
        char *own =
            format_body("{\"issuer\":\"urn:b\",\"keys\":{\"jwksUri\":\"https://b\"},\"aliases\":%s}", cases[i].own);
        assert_true(try_replace(fixture, issuer_path("theirs"), theirs, NULL));
        assert_true(try_replace(fixture, issuer_path("own"), own, NULL));
        assert_true(try_replace(fixture, credential_path("other", "build"),
                                "{\"issuerName\":\"theirs\",\"subject\":\"s\",\"audiences\":[\"a\"]}", NULL));
        become(fixture, "lead", true);
        bool is_done = try_replace(fixture, credential_path("app", "build"),
                                   "{\"issuerName\":\"own\",\"subject\":\"s\",\"audiences\":[\"a\"]}", NULL);
        become_root(fixture);
        if (is_done != cases[i].may)
            fail_msg("%s and %s: %s", cases[i].theirs, cases[i].own, is_done ? "taken" : fixture->err.message);
        if (is_done)
            assert_true(try_delete(fixture, credential_path("app", "build"), NULL, false));
        free(theirs);
        free(own);
    }
}

/* A record without `issuer` has no name that others could have: it is looked at itself, alone or in a group. */
static void keeps_an_owner_from_the_subjects_of_a_trust_domain(void **state)
{
    struct fixture *fixture = *state;
    static const char *const scopes[] = {"\"issuerName\":\"spire\"", "\"issuerGroup\":\"all\""};
    must_create(fixture, identity_path(NULL), "{\"name\":\"lead\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"app\",\"owners\":[\"lead\"]}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"other\"}");
    assert_true(try_replace(fixture, issuer_path("spire"),
                            "{\"trustDomain\":\"a.example\",\"keys\":{\"jwksUri\":\"https://a\"}}", NULL));
    must_replace(fixture, (struct rely_object_path){.object = RELY_OBJECT_ISSUER_GROUP, .name = RELY_LIT("all")},
                 "{\"issuers\":[\"spire\"]}");
    for (size_t i = 0; i < 4; i++) {
        char *theirs = format_body("{%s,\"subject\":\"spiffe://a.example/a\",\"audiences\":[\"a\"]}", scopes[i / 2]);
        char *own = format_body("{%s,\"subject\":\"spiffe://a.example/a\",\"audiences\":[\"a\"]}", scopes[i % 2]);
        assert_true(try_replace(fixture, credential_path("other", "build"), theirs, NULL));
        become(fixture, "lead", true);
        if (try_replace(fixture, credential_path("app", "build"), own, NULL))
            fail_msg("%s beside %s", own, theirs);
        become_root(fixture);
        free(theirs);
        free(own);
    }
    become(fixture, "lead", true);
    assert_true(try_replace(fixture, credential_path("app", "build"),
                            "{\"issuerName\":\"spire\",\"subject\":\"spiffe://a.example/b\",\"audiences\":[\"a\"]}",
                            NULL));
}

int run_power_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(takes_roles_owners_and_certificates),
        A_TEST(refuses_bad_ones),
        A_TEST(holds_the_limits_in_sql),
        A_TEST(gives_a_certificate_to_one_identity),
        A_TEST(forgets_a_deleted_owner),
        A_TEST(lets_an_owner_have_the_credentials),
        A_TEST(keeps_an_owner_from_identities_with_a_role),
        A_TEST(keeps_an_owner_from_the_subjects_of_others),
        A_TEST(keeps_an_owner_from_the_uids_of_others),
        A_TEST(keeps_expressions_from_an_owner),
        A_TEST(keeps_an_owner_from_the_subjects_under_each_name),
        A_TEST(keeps_an_owner_from_the_subjects_of_a_trust_domain),
        A_TEST(lets_nobody_change_his_own_roles),
        A_TEST(keeps_the_last_administrator),
        A_TEST(lets_root_take_the_last_one_away),
        A_TEST(looks_at_the_writer_again),
    };
    return cmocka_run_group_tests_name("powers", tests, NULL, NULL);
}
