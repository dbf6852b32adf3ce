/* What has become of an issuer's keys, beside its record: which came and went, when and from where, and since when each is there. */
#include "fixture.h"

#include <stdlib.h>

/* RFC 8037 A.2, and the public halves of RFC 7515 A.3 and RFC 7517 A.1. */
#define KEY_A(kid)                                                                                                     \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"" kid "\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}"
#define KEY_B(kid)                                                                                                     \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"" kid "\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","     \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}"
#define KEY_C(kid)                                                                                                     \
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"" kid "\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","     \
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}"
#define SET(keys) "{\"keys\":[" keys "]}"

/* One fetch of the only issuer, which has this revision. In: seen - NULL: nobody knows. */
static void put_fetched(struct fixture *fixture, const char *jwks, int64_t at_s, const char *seen)
{
    struct rely_stored_keys stored;
    const struct rely_fetched_keys fetched = {
        .issuer_id = 1,
        .record_revision = (uint64_t)count_rows(fixture, "SELECT revision FROM issuer"),
        .jwks = rely_slice_of(jwks),
        .source_url = RELY_LIT("https://issuer.example/k"),
        .at_s = at_s,
        .seen = seen == NULL ? (struct rely_slice){NULL, 0} : rely_slice_of(seen)};
    if (!rely_registry_put_keyset(fixture->registry, &fetched, &stored, &fixture->err))
        fail_msg("%s", fixture->err.message);
}

/* One text from the second connection; must be freed. */
static char *read_text(const struct fixture *fixture, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(fixture->other, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    char *text = strdup((const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return text;
}

/* "keys@10 +a,b -; ..." */
static void assert_history(struct fixture *fixture, const char *expected)
{
    struct rely_json *entries;
    struct rely_buf text = {0};
    assert_true(rely_registry_read_history(fixture->registry, RELY_LIT("cluster"), &entries, &fixture->err));
    for (size_t i = 0; i < rely_json_size(entries); i++) {
        const struct rely_json *entry = rely_json_at(entries, i);
        rely_buf_printf(&text, "%s%.*s@%lld", i == 0 ? "" : "; ",
                        RELY_ARG(rely_json_text(rely_json_get(entry, "operation"))),
                        (long long)rely_json_integer(rely_json_get(entry, "at")));
        for (int removed = 0; removed < 2; removed++) {
            const struct rely_json *kids = rely_json_get(entry, removed ? "removed" : "added");
            rely_buf_printf(&text, removed ? " -" : " +");
            for (size_t k = 0; k < rely_json_size(kids); k++)
                rely_buf_printf(&text, "%s%.*s", k == 0 ? "" : ",", RELY_ARG(rely_json_text(rely_json_at(kids, k))));
        }
    }
    rely_buf_putc(&text, '\0');
    assert_string_equal(text.ptr, expected);
    rely_buf_fini(&text);
    rely_json_free(entries);
}

static void remembers_which_keys_came_and_went(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    assert_history(fixture, "");
    put_fetched(fixture, SET(KEY_A("a")), 10, NULL);
    put_fetched(fixture, SET(KEY_A("a")), 15, NULL); /* no change */
    put_fetched(fixture, SET(KEY_A("a") "," KEY_B("b")), 20, NULL);
    put_fetched(fixture, SET(KEY_B("b") ",{\"kty\":\"new\"}"), 30, NULL);
    put_fetched(fixture, SET(KEY_C("b")), 40, NULL); /* another key of that name */
    static const char expected[] = "keys@10 +a -; keys@20 +b -; keys@30 + -a; keys@40 +b -b";
    assert_history(fixture, expected);
    reopen_registry(fixture);
    assert_history(fixture, expected);
    assert_int_equal(count_rows(fixture,
                                "SELECT json_extract(keys_history, '$[3].sourceUrl') = 'https://issuer.example/k'"
                                " AND json_extract(keys_history, '$[3].actor') IS NULL FROM issuer"),
                     1);
    /* It goes with the record. */
    assert_true(try_delete(fixture, issuer_path("cluster"), NULL, true));
    must_create(fixture, issuer_path(NULL), "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example/a\"}");
    assert_history(fixture, "");
}

static void remembers_what_a_record_gives_and_drops(void **state)
{
    struct fixture *fixture = *state;
    must_create(
        fixture, issuer_path(NULL),
        "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example/a\",\"keys\":{\"jwks\":" SET(KEY_A("a")) "}}");
    must_replace(
        fixture, issuer_path("cluster"),
        "{\"issuer\":\"https://issuer.example/a\",\"leewaySeconds\":7,\"keys\":{\"jwks\":" SET(KEY_A("a")) "}}");
    must_replace(fixture, issuer_path("cluster"),
                 "{\"issuer\":\"https://issuer.example/a\",\"keys\":{\"jwks\":" SET(KEY_B("b")) "}}");
    must_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"https://issuer.example/a\"}");
    put_fetched(fixture, SET(KEY_C("c")), 1800000000, NULL);
    assert_history(fixture, "create@1700000000 +a -; replace@1700000000 +b -a; replace@1700000000 + -b; "
                            "keys@1800000000 +c -");
    assert_int_equal(count_rows(fixture, "SELECT json_extract(keys_history, '$[1].actor') = 'uid:0' AND"
                                         " json_extract(keys_history, '$[1].sourceUrl') IS NULL FROM issuer"),
                     1);
    /* It is no part of the record. */
    char *shown = read_object(fixture, issuer_path("cluster"));
    assert_null(strstr(shown, "istory"));
    assert_null(strstr(shown, "seen"));
    free(shown);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log WHERE coalesce(after, '') LIKE '%istory%'"),
                     0);
}

static void remembers_so_many_changes(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    for (int i = 0; i < 40; i++)
        put_fetched(fixture, i % 2 == 0 ? SET(KEY_A("a")) : SET(KEY_B("b")), 1000 + i, NULL);
    assert_int_equal(count_rows(fixture, "SELECT json_array_length(keys_history) FROM issuer"), 32);
    assert_int_equal(count_rows(fixture, "SELECT json_extract(keys_history, '$[0].at') FROM issuer"), 1008);
    assert_int_equal(count_rows(fixture, "SELECT json_extract(keys_history, '$[31].at') FROM issuer"), 1039);
}

/* Names that their issuer makes as long as he likes. */
static void remembers_so_many_bytes(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    char *kid = repeat_text("\\u0001", 506);
    char *set = format_body("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":"
                            "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}," KEY_B("b") "]}",
                            kid);
    for (int i = 0; i < 40; i++)
        put_fetched(fixture, i % 2 == 0 ? set : SET(KEY_C("c")), 1000 + i, NULL);
    assert_in_range(count_rows(fixture, "SELECT length(keys_history) FROM issuer"), 60000, 65536);
    assert_int_equal(count_rows(fixture, "SELECT json_extract(keys_history, '$[#-1].at') FROM issuer"), 1039);
    assert_int_equal(count_rows(fixture, "SELECT json_array_length(keys_history, '$[#-1].removed') FROM issuer"), 1);
    free(kid);
    free(set);
}

static void remembers_when_a_key_came(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    put_fetched(fixture, SET(KEY_A("a")), 10, NULL);
    put_fetched(fixture, SET(KEY_A("x") "," KEY_B("b")), 20, NULL); /* the same key under another name */
    assert_int_equal(count_rows(fixture, "SELECT keys_seen GLOB '???????????????? 10' || char(10) || "
                                         "'???????????????? 20' || char(10) FROM issuer"),
                     1);
    /* Whoever puts them in force knows better; of another key he knows nothing. */
    assert_int_equal(run_sql(fixture, "CREATE TABLE line AS SELECT substr(keys_seen, 21, 16) AS b FROM issuer"),
                     SQLITE_OK);
    char *seen = read_text(fixture, "SELECT '0123456789abcdef 24' || char(10) || b || ' 25' || char(10) FROM line");
    put_fetched(fixture, SET(KEY_B("b") "," KEY_C("c")), 30, seen);
    assert_int_equal(count_rows(fixture,
                                "SELECT keys_seen GLOB b || ' 25' || char(10) || '???????????????? 30' || char(10)"
                                " FROM issuer, line"),
                     1);
    free(seen);
    put_fetched(fixture, SET("{\"kid\":\"of-no-use\"}"), 40, NULL);
    assert_int_equal(count_rows(fixture, "SELECT keys_seen IS NULL FROM issuer"), 1);
}

/* A hand's, as good as none; what is too long is none of ours. */
static void begins_anew_where_it_cannot_be_read(void **state)
{
    static const char *const texts[] = {"x", "{}", "[]", "[1]", "[{\"at\":1},{\"at\":\"2\"}]", "[{}]"};
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *sql = format_body("UPDATE issuer SET keys_history = '%s', keys_seen = 'x'", texts[i]);
        assert_int_equal(run_sql(fixture, sql), SQLITE_OK);
        assert_history(fixture, "");
        put_fetched(fixture, i % 2 == 0 ? SET(KEY_A("a")) : SET(KEY_B("b")), 10, NULL);
        assert_history(fixture, i == 0 ? "keys@10 +a -" : i % 2 == 0 ? "keys@10 +a -b" : "keys@10 +b -a");
        free(sql);
    }
    assert_int_equal(run_sql(fixture, "UPDATE issuer SET keys_history = hex(zeroblob(32769))"),
                     SQLITE_CONSTRAINT_CHECK);
    assert_int_equal(run_sql(fixture, "UPDATE issuer SET keys_seen = hex(zeroblob(16385))"), SQLITE_CONSTRAINT_CHECK);
    struct rely_json *entries;
    assert_true(rely_registry_read_history(fixture->registry, RELY_LIT("nobody"), &entries, &fixture->err));
    assert_int_equal(rely_json_size(entries), 0);
    rely_json_free(entries);
}

int run_history_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(remembers_which_keys_came_and_went), A_TEST(remembers_what_a_record_gives_and_drops),
        A_TEST(remembers_so_many_changes),          A_TEST(remembers_so_many_bytes),
        A_TEST(remembers_when_a_key_came),          A_TEST(begins_anew_where_it_cannot_be_read),
    };
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
