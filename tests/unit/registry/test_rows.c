/*
 * Rows for the snapshot builder and for explain: what they hold, in which order, and how fast they stream.
 */
#include "fixture.h"
#include "relyd/snapshot.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct seen {
    struct rely_buf text;
    size_t count;
};

static void note_issuer(const union rely_any_record *any, void *context)
{
    const struct rely_issuer_record *record = &any->issuer;
    struct rely_issuer *row = rely_issuer_of_record(record, true);
    struct seen *seen = context;
    seen->count++;
    rely_buf_printf(&seen->text, "%lld %.*s %.*s algs=%x leeway=%d max=%lld types=", (long long)row->id,
                    RELY_ARG(row->name), RELY_ARG(row->url), row->algs, (int)row->leeway_s,
                    (long long)row->max_lifetime_s);
    for (size_t i = 0; i < row->type_count; i++)
        rely_buf_printf(&seen->text, "%.*s,", RELY_ARG(row->types[i]));
    rely_buf_printf(&seen->text, " %d gen=%llu source=%d uri=%.*s jwks=%.*s at=%lld\n", row->is_enabled,
                    (unsigned long long)row->keys_generation, row->source.kind, RELY_ARG(row->source.jwks_uri),
                    RELY_ARG(record->jwks), (long long)record->jwks_fetched_at);
    free(row);
}

static void visits_issuers(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    make_issuer_and_identity(fixture);
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"uploaded\",\"issuer\":\"https://b.example\",\"keys\":{\"jwks\":{\"keys\":[]}},"
                "\"algorithms\":[\"RS256\",\"EdDSA\"],\"maxTokenLifetimeSeconds\":9,\"enabled\":false}");
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_ISSUER, note_issuer, &seen, &fixture->err));
    assert_string_equal(seen.text.ptr,
                        "1 cluster https://issuer.example/a algs=7fe leeway=60 max=0 types=jwt,jose,at+jwt, 1 gen=0 "
                        "source=1 uri= jwks= at=0\n"
                        "2 uploaded https://b.example algs=402 leeway=60 max=9 types=jwt,jose,at+jwt, 0 gen=1 source=3 "
                        "uri= jwks={\"keys\":[]} at=1700000000\n");
    rely_buf_fini(&seen.text);
}

static void note_identity(const union rely_any_record *record, void *context)
{
    struct rely_identity *row = rely_identity_of_record(&record->identity);
    struct seen *seen = context;
    seen->count++;
    rely_buf_printf(&seen->text, "%lld %.*s %.*s %d %d uid=%zu groups=", (long long)row->id, RELY_ARG(row->name),
                    RELY_ARG(row->username), row->is_username_subject, row->is_enabled, row->uid.len);
    for (size_t i = 0; i < row->group_count; i++)
        rely_buf_printf(&seen->text, "%.*s,", RELY_ARG(row->groups[i]));
    for (size_t i = 0; i < row->extra_count; i++) {
        rely_buf_printf(&seen->text, " %.*s=", RELY_ARG(row->extra[i].key));
        for (size_t k = 0; k < row->extra[i].value_count; k++)
            rely_buf_printf(&seen->text, "%.*s,", RELY_ARG(row->extra[i].values[k]));
    }
    rely_buf_putc(&seen->text, '\n');
    free(row);
}

static void visits_identities(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\",\"usernameFrom\":\"subject\"}");
    must_create(fixture, identity_path(NULL),
                "{\"name\":\"api\",\"username\":\"u\",\"groups\":[\"g\",\"h\"],\"extra\":{\"b.c/k\":[\"1\",\"2\"],"
                "\"b.c/l\":[\"3\"]},\"enabled\":false}");
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_IDENTITY, note_identity, &seen, &fixture->err));
    assert_string_equal(seen.text.ptr, "1 web web 1 1 uid=36 groups=\n"
                                       "2 api u 0 0 uid=36 groups=g,h, b.c/k=1,2, b.c/l=3,\n");
    rely_buf_fini(&seen.text);
}

static void note_credential(const union rely_any_record *record, void *context)
{
    struct rely_credential *row = rely_credential_of_record(&record->credential);
    struct seen *seen = context;
    seen->count++;
    rely_buf_printf(&seen->text, "%.*s/%lld %.*s", RELY_ARG(row->name), (long long)row->scope, RELY_ARG(row->subject));
    for (size_t i = 0; i < row->audience_count; i++)
        rely_buf_printf(&seen->text, " %.*s", RELY_ARG(row->audiences[i]));
    rely_buf_printf(&seen->text, "%s%s", row->is_enabled ? "" : " disabled", row->is_shadow ? " shadow" : "");
    if (row->not_after_s != 0)
        rely_buf_printf(&seen->text, " until %lld", (long long)row->not_after_s);
    rely_buf_putc(&seen->text, '\n');
    free(row);
}

static void put_credential(struct fixture *fixture, const char *name, const char *issuer, const char *subject)
{
    char *body = format_body("{\"issuerName\":\"%s\",\"subject\":\"%s\",\"audiences\":[\"x\",\"y\"]}", issuer, subject);
    must_replace(fixture, credential_path("web", name), body);
    free(body);
}

static void visits_credentials(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    make_issuer_and_identity(fixture);
    put_credential(fixture, "one", "cluster", "s");
    put_credential(fixture, "two", "cluster", "t");
    must_replace(fixture, credential_path("web", "six"),
                 "{\"issuerName\":\"cluster\",\"subject\":\"u\",\"audiences\":[\"x\"],\"enabled\":false,"
                 "\"notAfter\":\"2027-01-01T00:00:00Z\",\"mode\":\"shadow\"}");
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_CREDENTIAL, note_credential, &seen, &fixture->err));
    assert_string_equal(seen.text.ptr, "one/1 s x y\ntwo/1 t x y\nsix/1 u x disabled shadow until 1798761600\n");
    rely_buf_fini(&seen.text);
}

static void visits_the_nearest(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    make_issuer_and_identity(fixture);
    must_create(fixture, issuer_path(NULL), "{\"name\":\"other\",\"issuer\":\"https://b.example\"}");
    put_credential(fixture, "behind", "cluster", "ns:b:app2");
    put_credential(fixture, "before", "cluster", "ns:a:app");
    put_credential(fixture, "far", "cluster", "zzz");
    put_credential(fixture, "same-elsewhere", "other", "ns:b:app1");
    put_credential(fixture, "other-case", "cluster", "NS:b:app1");
    put_credential(fixture, "unrelated", "other", "ns:b:app2");
    const struct rely_near_question question = {.issuer_id = 1, .subject = RELY_LIT("ns:b:app1"), .limit = 4};
    assert_true(rely_registry_each_near(fixture->registry, &question, note_credential, &seen, &fixture->err));
    assert_string_equal(seen.text.ptr, "other-case/1 NS:b:app1 x y\n"
                                       "same-elsewhere/2 ns:b:app1 x y\n"
                                       "before/1 ns:a:app x y\n"
                                       "behind/1 ns:b:app2 x y\n");
    rely_buf_fini(&seen.text);
}

static void put_rule(struct fixture *fixture, const char *name, const char *expression)
{
    char *body = format_body("{\"issuerName\":\"cluster\",\"claimsMatchingExpression\":{\"value\":\"%s\","
                             "\"languageVersion\":1},\"audiences\":[\"x\"]}",
                             expression);
    must_replace(fixture, credential_path("web", name), body);
    free(body);
}

static void note_name(const union rely_any_record *record, void *context)
{
    struct seen *seen = context;
    rely_buf_printf(&seen->text, "%.*s ", RELY_ARG(record->credential.name));
}

static void assert_near(struct fixture *fixture, const struct rely_near_question *question, const char *expected)
{
    struct seen seen = {0};
    assert_true(rely_registry_each_near(fixture->registry, question, note_name, &seen, &fixture->err));
    assert_string_equal(seen.text.ptr == NULL ? "" : seen.text.ptr, expected);
    rely_buf_fini(&seen.text);
}

/* A few on each side of what the token says, however many there are; and those of prefixes next to its subject. */
static void visits_the_nearest_rules(void **state)
{
    static const int64_t scopes[] = {1};
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    assert_int_equal(run_sql(fixture, "UPDATE setting SET credentials_per_identity = 10000"), SQLITE_OK);
    put_rule(fixture, "keyless-a", "claims['sub'] matches 'repo:acme*'");
    put_rule(fixture, "keyless-b", "claims['sub'] matches 'repo:acme*?'");
    put_rule(fixture, "elsewhere", "claims['sub'] matches 'repo:acmf*'");
    put_rule(fixture, "shorter", "claims['sub'] matches 'r*' and claims['/a/b'] eq 'c'");
    assert_int_equal(
        run_sql(fixture, "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
                         " INSERT INTO credential (uuid, identity_id, issuer_id, name, expression, match_prefix,"
                         " match_key, audiences, is_enabled, mode, created_at, updated_at)"
                         " SELECT hex(randomblob(18)), 1, 1, 'rule-' || i, 'claims[''sub''] matches ''repo:acme*'' and"
                         " claims[''repository''] eq ''acme/' || i || '''', 'repo:acme', 'repository' || char(31) ||"
                         " 'acme/' || i, 'x' || char(10), 1, 1, 0, 0 FROM n"),
        SQLITE_OK);
    const struct rely_near_place places[] = {
        {1, RELY_LIT("repo:acme"), RELY_LIT("repository"), RELY_LIT("acme/2000")},
        {1, RELY_LIT("repo:acme"), RELY_LIT(""), RELY_LIT("")},
        {1, RELY_LIT("r"), rely_slice("a\0b", 3), RELY_LIT("c")},
        {2, RELY_LIT("repo:acme"), RELY_LIT(""), RELY_LIT("")},
    };
    struct rely_near_question question = {
        .issuer_id = 1, .subject = RELY_LIT("repo:acme/app"), .limit = 4, .places = places, .place_count = 4};
    assert_near(fixture, &question,
                "rule-2000 rule-2001 rule-2002 rule-1999 rule-1998 rule-1997 keyless-a keyless-b shorter ");
    question.place_count = 0;
    question.scopes = scopes;
    question.scope_count = 1;
    assert_near(fixture, &question, "elsewhere rule-4000 rule-3999 rule-3998 ");
    question.subject = RELY_LIT("repo:acmg");
    assert_near(fixture, &question, "elsewhere rule-4000 rule-3999 ");
}

static void count_credential(const union rely_any_record *record, void *context)
{
    struct seen *seen = context;
    seen->count += record->credential.audiences.count;
}

static void streams_many_credentials(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {0};
    struct timespec start, end;
    make_issuer_and_identity(fixture);
    assert_int_equal(run_sql(fixture, "UPDATE setting SET credentials_per_identity = 10000"), SQLITE_OK);
    assert_int_equal(
        run_sql(fixture, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
                         " INSERT INTO credential (uuid, identity_id, issuer_id, name, subject, audiences, is_enabled,"
                         " mode, created_at, updated_at) SELECT hex(randomblob(18)), 1, 1, 'cred-' || i, 's' || i,"
                         " 'x' || char(10), 1, 1, 0, 0 FROM n"),
        SQLITE_OK);
    clock_gettime(CLOCK_MONOTONIC, &start);
    assert_true(rely_registry_each(fixture->registry, RELY_OBJECT_CREDENTIAL, count_credential, &seen, &fixture->err));
    clock_gettime(CLOCK_MONOTONIC, &end);
    assert_int_equal(seen.count, 10000);
    print_message("10000 credentials in %.1f ms\n",
                  (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6);
    /* Near ones by index: the plan must not scan. */
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(fixture->other,
                                        "EXPLAIN QUERY PLAN SELECT o.id FROM credential o WHERE o.issuer_id = 1 AND"
                                        " o.subject < 'x' AND o.subject <> 'x' COLLATE NOCASE ORDER BY o.subject DESC"
                                        " LIMIT 5",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_non_null(
        strstr((const char *)sqlite3_column_text(stmt, 3), "SEARCH o USING COVERING INDEX credential_subject "));
    sqlite3_finalize(stmt);
}

/* Statements are kept for the choices of fields that come first, and one that names all is there for the others: each
 * choice changes what it says and nothing else, in whatever order they come. */
static void writes_any_choice_of_fields(void **state)
{
    struct fixture *fixture = *state;
    unsigned now = 0;
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\",\"username\":\"u0\",\"description\":\"d0\"}");
    for (int round = 0; round < 2; round++)
        for (unsigned choice = 31; choice > 0; choice--) {
            now ^= choice;
            char *body =
                format_body("{\"username\":\"u%d\",\"groups\":[%s],\"extra\":{%s},\"roles\":[%s],\"owners\":[],"
                            "\"certificates\":[],\"description\":\"d%d\",\"enabled\":%s}",
                            now & 1, (now & 2) != 0 ? "\"g\"" : "", (now & 4) != 0 ? "\"a.b/c\":[\"v\"]" : "",
                            (now & 8) != 0 ? "\"viewer\"" : "", (now >> 3) & 1, (now & 16) != 0 ? "false" : "true");
            must_replace(fixture, identity_path("web"), body);
            char *shown = read_object(fixture, identity_path("web"));
            body[strlen(body) - 1] = '\0';
            assert_non_null(strstr(shown, body + 1));
            free(shown);
            free(body);
        }
}

static void visit_no_row(const union rely_any_record *record, void *context)
{
    (void)record;
    (void)context;
}

/* What SQL takes, or has been made to take, and no body could have said: a route would let such a header out, and an
 * issuer's guard ask for no claim. */
static void what_no_body_says_is_damage(void **state)
{
    static const struct {
        enum rely_object object;
        const char *table, *column, *value;
        bool is_good;
    } rows[] = {
        {RELY_OBJECT_ROUTE, "route", "response_headers", "'x-uid'||char(9)||'uid'||char(10)", true},
        {RELY_OBJECT_ROUTE, "route", "response_headers", "'x-relyd-uid'||char(9)||'uid'||char(10)", false},
        {RELY_OBJECT_ROUTE, "route", "response_headers", "'x-uid'||char(9)||'Uid'||char(10)", false},
        {RELY_OBJECT_ISSUER, "issuer", "required_claims", "'/a~1b'||char(9)||'c'||char(10)", true},
        {RELY_OBJECT_ISSUER, "issuer", "required_claims", "'/a~2b'||char(9)||'c'||char(10)", false},
    };
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rely_err err = {0};
        char *sql = format_body("PRAGMA ignore_check_constraints = ON; UPDATE %s SET %s = %s", rows[i].table,
                                rows[i].column, rows[i].value);
        assert_int_equal(run_sql(fixture, sql), SQLITE_OK);
        free(sql);
        bool is_read = rely_registry_each(fixture->registry, rows[i].object, visit_no_row, NULL, &err);
        assert_int_equal(is_read, rows[i].is_good);
        assert_int_equal(err.code, rows[i].is_good ? 0 : RELY_ERR_DAMAGED);
    }
}

int run_row_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(visits_issuers),
        A_TEST(visits_identities),
        A_TEST(visits_credentials),
        A_TEST(visits_the_nearest),
        A_TEST(visits_the_nearest_rules),
        A_TEST(streams_many_credentials),
        A_TEST(writes_any_choice_of_fields),
        A_TEST(what_no_body_says_is_damage),
    };
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
