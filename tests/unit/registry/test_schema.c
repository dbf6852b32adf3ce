/*
 * The same limits in SQL, past all checks in C: a hand with sqlite3 cannot break them either. Each refused statement
 * has an accepted twin, so that none is refused for another reason.
 */
#include "fixture.h"
#include <stdlib.h>

#define CHECK_FAILED SQLITE_CONSTRAINT_CHECK
#define TRIGGER_FAILED SQLITE_CONSTRAINT_TRIGGER

#define INSERT_CREDENTIAL(name, subject, audiences)                                                                    \
    "INSERT INTO credential (uuid, identity_id, issuer_id, name, subject, audiences, is_enabled, mode, created_at,"    \
    " updated_at) SELECT hex(randomblob(18)), d.id, i.id, " name ", " subject ", " audiences ", 1, 1, 0, 0"            \
    " FROM identity d, issuer i WHERE d.name = 'web' AND i.name = 'cluster'"
#define TIMES(unit, count) "replace(hex(zeroblob(" count ")), '00', " unit ")"
#define EMOJI "char(128512)"

#define INSERT_ISSUER(name, url, allow_http, source, jwks_uri)                                                         \
    "INSERT INTO issuer (name, url, aliases, allow_http, allow_private_addresses, is_enabled, key_source, jwks_uri, "  \
    "algorithms, types, leeway_s, allow_costly_keys, subject_claim, required_claims, is_single_audience, "             \
    "refuses_stretched, pin_uid, "                                                                                     \
    "allowed_subjects,"                                                                                                \
    " is_shared, pin_claims, push_subjects, liveness_silence, liveness_rate, created_at, updated_at) VALUES ('" name   \
    "', " url ", '', " allow_http ", 0, 1, " source ", " jwks_uri                                                      \
    ", 2, 'x'||char(10), 0, 0, 'sub', '', 0, 0, 1, '', 0, '', '', 1, 50, 0, 0)"

struct sql_case {
    const char *sql;
    int code;
};

static void run_cases(struct fixture *fixture, const struct sql_case *cases, size_t count)
{
    make_issuer_and_identity(fixture);
    for (size_t i = 0; i < count; i++) {
        int code = run_sql(fixture, cases[i].sql);
        if (code != cases[i].code)
            fail_msg("%d, not %d (%s): %s", code, cases[i].code, sqlite3_errmsg(fixture->other), cases[i].sql);
    }
}
#define RUN_CASES(fixture, cases) run_cases(fixture, cases, sizeof(cases) / sizeof(cases)[0])

static void limits_credentials_in_sql(void **state)
{
    static const struct sql_case cases[] = {
        {INSERT_CREDENTIAL("'one'", "'s'", "'x'||char(10)"), SQLITE_OK},
        {INSERT_CREDENTIAL("'two'", "'s'", "'x'||char(10)"), SQLITE_CONSTRAINT_UNIQUE},
        {INSERT_CREDENTIAL("'one'", "'t'", "'x'||char(10)"), SQLITE_CONSTRAINT_UNIQUE},
        {INSERT_CREDENTIAL("'ab'", "'t'", "'x'||char(10)"), CHECK_FAILED},
        {INSERT_CREDENTIAL("'-ab'", "'t'", "'x'||char(10)"), CHECK_FAILED},
        {INSERT_CREDENTIAL("'a.b'", "'t'", "'x'||char(10)"), CHECK_FAILED},
        {INSERT_CREDENTIAL("'abc'||char(0)", "'t'", "'x'||char(10)"), CHECK_FAILED},
        {INSERT_CREDENTIAL(TIMES("'n'", "121"), "'t'", "'x'||char(10)"), CHECK_FAILED},
        {INSERT_CREDENTIAL(TIMES("'n'", "120"), "'t'", "'x'||char(10)"), SQLITE_OK},
        {INSERT_CREDENTIAL("'two'", "''", "'x'||char(10)"), CHECK_FAILED},
        {INSERT_CREDENTIAL("'two'", TIMES("'s'", "601"), "'x'||char(10)"), CHECK_FAILED},
        {INSERT_CREDENTIAL("'two'", TIMES("'s'", "600"), "'x'||char(10)"), SQLITE_OK},
        {INSERT_CREDENTIAL("'three'", TIMES(EMOJI, "601"), "'x'||char(10)"), CHECK_FAILED},
        {INSERT_CREDENTIAL("'three'", TIMES(EMOJI, "600"), "'x'||char(10)"), SQLITE_OK},
        {INSERT_CREDENTIAL("'four'", "'s'||char(0)||" TIMES("'s'", "601"), "'x'||char(10)"), CHECK_FAILED},
        {INSERT_CREDENTIAL("'four'", "'u'", "''"), CHECK_FAILED},
        {INSERT_CREDENTIAL("'four'", "'u'", "'x'"), TRIGGER_FAILED},
        {INSERT_CREDENTIAL("'four'", "'u'", "'x'||char(10)||'y'"), TRIGGER_FAILED},
        {INSERT_CREDENTIAL("'four'", "'u'", "'x'||char(10)||char(10)"), TRIGGER_FAILED},
        {INSERT_CREDENTIAL("'four'", "'u'", TIMES("'x'||char(10)", "11")), CHECK_FAILED},
        {INSERT_CREDENTIAL("'four'", "'u'", TIMES("'x'||char(10)", "10")), SQLITE_OK},
        {INSERT_CREDENTIAL("'five'", "'v'", TIMES(EMOJI, "601") "||char(10)"), TRIGGER_FAILED},
        {INSERT_CREDENTIAL("'five'", "'v'", TIMES(EMOJI, "600") "||char(10)"), SQLITE_OK},
        {INSERT_CREDENTIAL("'six'", "'w'", "'x'||char(0)||char(10)"), TRIGGER_FAILED},
        {"UPDATE credential SET audiences = '' WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET audiences = char(10) WHERE name = 'one'", TRIGGER_FAILED},
        {"UPDATE credential SET subject = '' WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET description = " TIMES("'d'", "601") " WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET description = " TIMES("'d'", "600") " WHERE name = 'one'", SQLITE_OK},
        {"UPDATE credential SET is_enabled = 2 WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET is_enabled = NULL WHERE name = 'one'", SQLITE_CONSTRAINT_NOTNULL},
        {"UPDATE credential SET is_enabled = 0 WHERE name = 'one'", SQLITE_OK},
        {"UPDATE credential SET mode = 0 WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET mode = 3 WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET mode = NULL WHERE name = 'one'", SQLITE_CONSTRAINT_NOTNULL},
        {"UPDATE credential SET mode = 2 WHERE name = 'one'", SQLITE_OK},
        {"UPDATE credential SET account_uid = 'short' WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET account_uid = " TIMES("'u'", "36") " WHERE name = 'one'", SQLITE_OK},
        {"UPDATE credential SET account_uid = NULL WHERE name = 'one'", SQLITE_OK},
        {"UPDATE credential SET not_after = 0 WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET not_after = 1 WHERE name = 'one'", SQLITE_OK},
        {"UPDATE credential SET not_after = 100000000001 WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET not_after = 100000000000 WHERE name = 'one'", SQLITE_OK},
        {"UPDATE credential SET not_after = NULL WHERE name = 'one'", SQLITE_OK},
        {"UPDATE credential SET subject_claim = '' WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET subject_claim = " TIMES("'c'", "201") " WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE credential SET subject_claim = " TIMES("'c'", "200") " WHERE name = 'one'", SQLITE_OK},
        {"UPDATE credential SET issuer_id = 99 WHERE name = 'one'", SQLITE_CONSTRAINT_FOREIGNKEY},
        {"UPDATE credential SET name = 'ten' WHERE name = 'one'", TRIGGER_FAILED},
        {"UPDATE credential SET uuid = hex(randomblob(18)) WHERE name = 'one'", TRIGGER_FAILED},
        {"DELETE FROM issuer", SQLITE_CONSTRAINT_TRIGGER},
    };
    RUN_CASES(*state, cases);
}

static void limits_the_quota_in_sql(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    for (int i = 0; i < 21; i++) {
        char *sql = format_body(INSERT_CREDENTIAL("'cred-%d'", "'s%d'", "'x'||char(10)"), i, i);
        assert_int_equal(run_sql(fixture, sql), i < 20 ? SQLITE_OK : TRIGGER_FAILED);
        free(sql);
    }
    assert_string_equal(sqlite3_errmsg(fixture->other), "too_many_credentials");
    /* Nor by moving one over from another identity. */
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    must_create(fixture, credential_path("api", NULL),
                "{\"name\":\"mover\",\"issuerName\":\"cluster\",\"subject\":\"m\",\"audiences\":[\"x\"]}");
    assert_int_equal(run_sql(fixture, "UPDATE credential SET identity_id = (SELECT id FROM identity WHERE name = 'web')"
                                      " WHERE name = 'mover'"),
                     TRIGGER_FAILED);
    assert_string_equal(sqlite3_errmsg(fixture->other), "credential.identity_id is immutable");
}

static void limits_issuers_in_sql(void **state)
{
    static const struct sql_case cases[] = {
        {"UPDATE issuer SET leeway_s = 301", CHECK_FAILED},
        {"UPDATE issuer SET leeway_s = 300", SQLITE_OK},
        {"UPDATE issuer SET leeway_s = -1", CHECK_FAILED},
        {"UPDATE issuer SET leeway_s = 'x'", SQLITE_CONSTRAINT_DATATYPE},
        {"UPDATE issuer SET algorithms = 0", CHECK_FAILED},
        {"UPDATE issuer SET algorithms = 1", CHECK_FAILED},
        {"UPDATE issuer SET algorithms = 3", CHECK_FAILED},
        {"UPDATE issuer SET algorithms = 16384", CHECK_FAILED},
        {"UPDATE issuer SET algorithms = 2046", SQLITE_OK},
        {"UPDATE issuer SET algorithms = 16382", SQLITE_OK},
        {"UPDATE issuer SET types = ''", CHECK_FAILED},
        {"UPDATE issuer SET types = " TIMES("'x'||char(10)", "9"), CHECK_FAILED},
        {"UPDATE issuer SET types = " TIMES("'x'||char(10)", "8"), SQLITE_OK},
        {"UPDATE issuer SET types = " TIMES("'x'", "128") "||char(10)", TRIGGER_FAILED},
        {"UPDATE issuer SET name = 'other'", TRIGGER_FAILED},
        {"UPDATE issuer SET url = 'https://other.example'", TRIGGER_FAILED},
        {"UPDATE issuer SET key_source = 5", CHECK_FAILED},
        {"UPDATE issuer SET key_source = 4", CHECK_FAILED},
        {"UPDATE issuer SET keys_pem = 'x'", CHECK_FAILED},
        {"UPDATE issuer SET key_source = 2", CHECK_FAILED},
        {"UPDATE issuer SET key_source = 2, jwks_uri = 'http://a.example'", CHECK_FAILED},
        {"UPDATE issuer SET key_source = 2, jwks_uri = 'http://a.example', allow_http = 1", SQLITE_OK},
        {"UPDATE issuer SET key_source = 1, jwks_uri = NULL, allow_http = 0", SQLITE_OK},
        {"UPDATE issuer SET discovery_url = 'https://a b'", CHECK_FAILED},
        {"UPDATE issuer SET discovery_url = 'https://a?b'", SQLITE_OK},
        {"UPDATE issuer SET ca_bundle = 'x'", CHECK_FAILED},
        {"UPDATE issuer SET ca_bundle = '-----BEGIN CERTIFICATE-----' || " TIMES("'x'", "65510"), CHECK_FAILED},
        {"UPDATE issuer SET ca_bundle = '-----BEGIN CERTIFICATE-----' || " TIMES("'x'", "65509"), SQLITE_OK},
        {"UPDATE issuer SET max_lifetime_s = 0", CHECK_FAILED},
        {"UPDATE issuer SET trust_domain = ''", CHECK_FAILED},
        {"UPDATE issuer SET trust_domain = 'A'", CHECK_FAILED},
        {"UPDATE issuer SET trust_domain = 'a/b'", CHECK_FAILED},
        {"UPDATE issuer SET trust_domain = " TIMES("'a'", "256"), CHECK_FAILED},
        {"UPDATE issuer SET trust_domain = " TIMES("'a'", "255"), SQLITE_OK},
        {"UPDATE issuer SET url = NULL", TRIGGER_FAILED},
        {INSERT_ISSUER("bare", "NULL", "0", "3", "NULL"), CHECK_FAILED},
        {"UPDATE issuer SET aliases = " TIMES("'a'||char(10)", "9"), CHECK_FAILED},
        {"UPDATE issuer SET aliases = " TIMES("'a'||char(10)", "8"), SQLITE_OK},
        {"UPDATE issuer SET aliases = 'a'", TRIGGER_FAILED},
        {"UPDATE issuer SET aliases = " TIMES(EMOJI, "601") "||char(10)", TRIGGER_FAILED},
        {"UPDATE issuer SET aliases = " TIMES(EMOJI, "600") "||char(10)", SQLITE_OK},
        {"UPDATE issuer SET required_claims = 'a'||char(9)||'b'||char(10)", SQLITE_OK},
        {"UPDATE issuer SET required_claims = 'a'||char(9)||'b'", TRIGGER_FAILED},
        {"UPDATE issuer SET required_claims = char(9)||'b'||char(10)", TRIGGER_FAILED},
        {"UPDATE issuer SET allowed_subjects = " TIMES("'x'||char(10)", "33"), CHECK_FAILED},
        {"UPDATE issuer SET pin_claims = " TIMES("'x'", "201") "||char(10)", TRIGGER_FAILED},
        {"UPDATE issuer SET is_shared = 2", CHECK_FAILED},
        {"UPDATE issuer SET pin_uid = 3", CHECK_FAILED},
        {"UPDATE issuer SET tenant_subject = ''", CHECK_FAILED},
        {"UPDATE issuer SET is_enabled = 2", CHECK_FAILED},
        {"UPDATE issuer SET max_key_age_s = 3599", CHECK_FAILED},
        {"UPDATE issuer SET max_key_age_s = 3600", SQLITE_OK},
        {"UPDATE issuer SET max_key_age_s = 31536001", CHECK_FAILED},
        {"UPDATE issuer SET max_key_age_s = 31536000", SQLITE_OK},
        {"UPDATE issuer SET max_key_age_s = NULL", SQLITE_OK},
        {"UPDATE issuer SET allow_costly_keys = 2", CHECK_FAILED},
        {"UPDATE issuer SET subject_claim = ''", CHECK_FAILED},
        {"UPDATE issuer SET subject_claim = " TIMES(EMOJI, "201"), CHECK_FAILED},
        {"UPDATE issuer SET subject_claim = " TIMES(EMOJI, "200"), SQLITE_OK},
        {"UPDATE issuer SET subject_claim = NULL", SQLITE_CONSTRAINT_NOTNULL},
        {INSERT_ISSUER("new", "'https://a#b'", "0", "1", "NULL"), CHECK_FAILED},
        {INSERT_ISSUER("new", "'https://a?b'", "0", "1", "NULL"), CHECK_FAILED},
        {INSERT_ISSUER("new", "'https://a/b'", "0", "1", "NULL"), SQLITE_OK},
        {"UPDATE issuer SET trust_domain = 'a' WHERE name = 'new'", SQLITE_OK},
        {"UPDATE issuer SET trust_domain = 'a' WHERE name <> 'new'", SQLITE_CONSTRAINT_UNIQUE},
        {"INSERT INTO key_set VALUES (99, '{}', NULL, 0)", SQLITE_CONSTRAINT_FOREIGNKEY},
        {"INSERT INTO key_set VALUES (1, " TIMES("'x'", "8388609") ", NULL, 0)", CHECK_FAILED},
        {"INSERT INTO key_set VALUES (1, " TIMES("'x'", "8388608") ", NULL, 0)", SQLITE_OK},
    };
    RUN_CASES(*state, cases);
}

#define DISCOVERED(name, url) INSERT_ISSUER(name, url, "0", "1", "NULL")
#define UPLOADED(name, url) INSERT_ISSUER(name, url, "0", "3", "NULL")

/* Fault C9: https is a rule of discovery. */
static void test_c9_limits_issuers_by_their_key_source(void **state)
{
    static const struct sql_case cases[] = {
        {DISCOVERED("one", "'urn:example:ci'"), CHECK_FAILED},
        {UPLOADED("one", "'urn:example:ci'"), SQLITE_OK},
        {INSERT_ISSUER("two", "'urn:example:ci'", "0", "2", "'https://a.example/k'"), SQLITE_OK},
        {DISCOVERED("three", "'http://a.example'"), CHECK_FAILED},
        {INSERT_ISSUER("three", "'http://a.example'", "1", "1", "NULL"), SQLITE_OK},
        {UPLOADED("four", "'http://a.example'"), SQLITE_OK},
        {UPLOADED("five", "''"), CHECK_FAILED},
        {UPLOADED("five", "'x'"), SQLITE_OK},
        {UPLOADED("six", TIMES(EMOJI, "601")), CHECK_FAILED},
        {UPLOADED("six", TIMES(EMOJI, "600")), SQLITE_OK},
        {UPLOADED("seven", "'a'||char(0)"), CHECK_FAILED},
        {UPLOADED("seven", "'a'||char(31)"), CHECK_FAILED},
        {UPLOADED("seven", "'a'||char(127)"), CHECK_FAILED},
        {UPLOADED("seven", "'a b#c?d'"), SQLITE_OK},
        {"UPDATE issuer SET key_source = 1 WHERE name = 'one'", CHECK_FAILED},
        {"UPDATE issuer SET key_source = 1 WHERE name = 'four'", CHECK_FAILED},
        {"UPDATE issuer SET key_source = 1, allow_http = 1 WHERE name = 'four'", SQLITE_OK},
    };
    RUN_CASES(*state, cases);
}

static void limits_identities_in_sql(void **state)
{
    static const struct sql_case cases[] = {
        {"UPDATE identity SET username = ''", CHECK_FAILED},
        {"UPDATE identity SET username = " TIMES(EMOJI, "254"), CHECK_FAILED},
        {"UPDATE identity SET username = " TIMES(EMOJI, "253"), SQLITE_OK},
        {"UPDATE identity SET name = 'other'", TRIGGER_FAILED},
        {"UPDATE identity SET uid = hex(randomblob(18))", TRIGGER_FAILED},
        {"UPDATE identity SET groups = " TIMES("'g'||char(10)", "65"), CHECK_FAILED},
        {"UPDATE identity SET groups = " TIMES("'g'||char(10)", "64"), SQLITE_OK},
        {"UPDATE identity SET groups = " TIMES("'g'", "254") "||char(10)", TRIGGER_FAILED},
        {"UPDATE identity SET groups = " TIMES("'g'", "253") "||char(10)", SQLITE_OK},
        {"UPDATE identity SET groups = 'g'", TRIGGER_FAILED},
        {"UPDATE identity SET extra = 'no-tabulator'||char(10)", TRIGGER_FAILED},
        {"UPDATE identity SET extra = char(9)||'no-key'||char(10)", TRIGGER_FAILED},
        {"UPDATE identity SET extra = 'k'||char(9)||" TIMES("'v'", "601") "||char(10)", TRIGGER_FAILED},
        {"UPDATE identity SET extra = 'k'||char(9)||" TIMES("'v'", "600") "||char(10)", SQLITE_OK},
        {"UPDATE identity SET extra = " TIMES("'k'||char(9)||'v'||char(10)", "17"), TRIGGER_FAILED},
        {"UPDATE identity SET extra = " TIMES("'k'||char(9)||'v'||char(10)", "16"), SQLITE_OK},
        {"UPDATE identity SET extra = (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 33)"
         " SELECT group_concat(i || char(9) || 'v' || char(10), '') FROM n)",
         TRIGGER_FAILED},
        {"UPDATE identity SET extra = (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 32)"
         " SELECT group_concat(i || char(9) || 'v' || char(10), '') FROM n)",
         SQLITE_OK},
        {"DELETE FROM change_log", TRIGGER_FAILED},
        {"UPDATE change_log SET actor = 'somebody else'", TRIGGER_FAILED},
    };
    RUN_CASES(*state, cases);
}

int run_schema_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(limits_credentials_in_sql), A_TEST(limits_the_quota_in_sql),
        A_TEST(limits_issuers_in_sql),     A_TEST(test_c9_limits_issuers_by_their_key_source),
        A_TEST(limits_identities_in_sql),
    };
    return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
