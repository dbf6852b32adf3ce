/*
 * What a write leaves behind: revisions, ETags, the change log, key sets; and what a refused one does not.
 */
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>

static void counts_accepted_changes(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    assert_int_equal(rely_registry_revision(fixture->registry), 2);
    must_replace(fixture, identity_path("web"), "{\"groups\":[\"a\"]}");
    assert_int_equal(fixture->result.changes.revision, 3);
    assert_string_equal(fixture->result.etag, "\"3\"");
    must_replace(fixture, identity_path("web"), "{\"groups\":[\"a\"]}");
    assert_int_equal(fixture->result.changes.revision, 0);
    assert_string_equal(fixture->result.etag, "\"3\"");
    assert_int_equal(rely_registry_revision(fixture->registry), 3);
}

static void assert_log_row(struct fixture *fixture, int revision, const char *expected)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(fixture->other,
                                        "SELECT actor || ' ' || operation || ' ' || object || ' ' || name || ' ' ||"
                                        " (before IS NOT NULL) || ' ' || (after IS NOT NULL) || ' ' || at"
                                        " FROM change_log WHERE revision = ?1",
                                        -1, &stmt, NULL),
                     SQLITE_OK);
    sqlite3_bind_int(stmt, 1, revision);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), expected);
    sqlite3_finalize(stmt);
}

static void logs_who_changed_what_and_when(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, credential_path("web", NULL),
                "{\"name\":\"first\",\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\"]}");
    must_replace(fixture, credential_path("web", "first"),
                 "{\"issuerName\":\"cluster\",\"subject\":\"t\",\"audiences\":[\"x\"]}");
    assert_true(try_delete(fixture, identity_path("web"), NULL, false));
    assert_log_row(fixture, 1, "uid:0 create issuer cluster 0 1 1700000000");
    assert_log_row(fixture, 2, "uid:0 create identity web 0 1 1700000000");
    assert_log_row(fixture, 3, "uid:0 create federatedIdentityCredential web/first 0 1 1700000000");
    assert_log_row(fixture, 4, "uid:0 replace federatedIdentityCredential web/first 1 1 1700000000");
    assert_log_row(fixture, 5, "uid:0 delete federatedIdentityCredential web/first 1 0 1700000000");
    assert_log_row(fixture, 6, "uid:0 delete identity web 1 0 1700000000");
    assert_int_equal(count_rows(fixture, "SELECT json_extract(before, '$.subject') || json_extract(after, '$.subject')"
                                         " = 'st' FROM change_log WHERE revision = 4"),
                     1);
}

static void honours_if_match(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    assert_false(try_replace(fixture, identity_path("web"), "{\"groups\":[\"a\"]}", "\"1\""));
    assert_refused(fixture, RELY_ERR_PRECONDITION, "precondition_failed");
    assert_non_null(strstr(fixture->err.message, "\"2\""));
    assert_true(try_replace(fixture, identity_path("web"), "{\"groups\":[\"a\"]}", "\"2\""));
    assert_true(try_replace(fixture, identity_path("web"), "{\"groups\":[\"b\"]}", "*"));
    assert_false(try_replace(fixture, identity_path("api"), "{}", "*"));
    assert_refused(fixture, RELY_ERR_PRECONDITION, "precondition_failed");
    assert_false(try_delete(fixture, identity_path("web"), "\"2\"", false));
    assert_refused(fixture, RELY_ERR_PRECONDITION, "precondition_failed");
    assert_true(try_delete(fixture, identity_path("web"), "\"4\"", false));
}

static void reads_and_reports_what_is_missing(void **state)
{
    struct fixture *fixture = *state;
    struct rely_json *object = NULL;
    struct rely_err err = {0};
    char etag[32];
    struct rely_object_path path = issuer_path("nothing");
    assert_false(rely_registry_read(fixture->registry, &path, &object, etag, &err));
    assert_int_equal(err.code, RELY_ERR_NOT_FOUND);
    path = credential_path("nobody", "nothing");
    err = (struct rely_err){0};
    assert_false(rely_registry_read(fixture->registry, &path, &object, etag, &err));
    assert_int_equal(err.code, RELY_ERR_NOT_FOUND);
    assert_string_equal(err.message, "there is no such identity");
}

/* The names of one page, joined with commas; a plus at the end when there are more. Must be freed. */
static char *list_names(struct fixture *fixture, struct rely_object_path parent, const char *after, size_t limit)
{
    struct rely_object_page page = {.after = rely_slice_of(after), .limit = limit};
    struct rely_err err = {0};
    struct rely_buf names = {0};
    if (!rely_registry_list(fixture->registry, &parent, &page, &err))
        fail_msg("%s", err.message);
    for (size_t i = 0; i < rely_json_size(page.array); i++)
        rely_buf_printf(&names, "%s%.*s", i == 0 ? "" : ",",
                        RELY_ARG(rely_json_text(rely_json_get(rely_json_at(page.array, i), "name"))));
    rely_buf_printf(&names, "%s", page.has_more ? "+" : "");
    rely_json_free(page.array);
    return names.ptr;
}

static void assert_page(struct fixture *fixture, struct rely_object_path parent, const char *after, size_t limit,
                        const char *expected)
{
    char *names = list_names(fixture, parent, after, limit);
    assert_string_equal(names, expected);
    free(names);
}

/* Key sets of 1 MiB each: the product of two limits has one of its own (fault C6). */
static void test_c6_ends_a_page_that_grows_too_large(void **state)
{
    struct fixture *fixture = *state;
    char *filler = repeat_text("x", 1000000);
    fixture->options.jwks_max_bytes = 1048576;
    reopen_registry(fixture);
    for (int i = 0; i < 10; i++) {
        char *body =
            format_body("{\"name\":\"big-%d\",\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":{\"keys\":[],"
                        "\"x\":\"%s\"}}}",
                        i, filler);
        must_create(fixture, issuer_path(NULL), body);
        free(body);
    }
    assert_page(fixture, issuer_path(NULL), NULL, 100, "big-0,big-1,big-2,big-3,big-4,big-5,big-6,big-7+");
    assert_page(fixture, issuer_path(NULL), "big-7", 100, "big-8,big-9");
    free(filler);
}

/* A row that is larger than a page may be has one of its own, so that whoever reads on comes to the end. */
static void test_c6_shows_a_row_that_is_larger_than_a_page(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"big\",\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":{\"keys\":[]}}}");
    must_create(fixture, issuer_path(NULL), "{\"name\":\"next\",\"issuer\":\"https://b.example\"}");
    assert_int_equal(run_sql(fixture, "UPDATE key_set SET document = '{\"keys\":[],\"x\":\"' || hex(zeroblob(4194295))"
                                      " || '\"}'"),
                     SQLITE_OK);
    assert_int_equal(count_rows(fixture, "SELECT length(document) FROM key_set"), 8388608);
    assert_page(fixture, issuer_path(NULL), NULL, 100, "big+");
    assert_page(fixture, issuer_path(NULL), "big", 100, "next");
}

static void lists_in_pages(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"Zed\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    assert_page(fixture, identity_path(NULL), NULL, 100, "Zed,api,web");
    assert_page(fixture, identity_path(NULL), NULL, 2, "Zed,api+");
    assert_page(fixture, identity_path(NULL), "api", 2, "web");
    assert_page(fixture, identity_path(NULL), "web", 2, "");
    assert_page(fixture, identity_path(NULL), "b-is-not-there", 2, "web");
    assert_page(fixture, identity_path(NULL), NULL, 3, "Zed,api,web");
    assert_page(fixture, issuer_path(NULL), NULL, 3, "cluster");
    must_create(fixture, credential_path("web", NULL),
                "{\"name\":\"first\",\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\"]}");
    assert_page(fixture, credential_path("web", NULL), NULL, 3, "first");
    assert_page(fixture, credential_path("api", NULL), NULL, 3, "");
    struct rely_object_path nobody = credential_path("nobody", NULL);
    struct rely_err err = {0};
    struct rely_object_page page = {.limit = 3};
    assert_false(rely_registry_list(fixture->registry, &nobody, &page, &err));
    assert_int_equal(err.code, RELY_ERR_NOT_FOUND);
}

/* --- key sets ----------------------------------------------------------------------------------------- */

/* revision - of the record that asked. jwks NULL: the stored set was fetched again. Returns the revision of the row in
 * the change log, 0 for none, -1 for a fault. */
static int64_t put_keys(struct fixture *fixture, int64_t issuer_id, int revision, const char *jwks)
{
    struct rely_stored_keys stored;
    const struct rely_fetched_keys fetched = {
        issuer_id, (uint64_t)revision, rely_slice_of(jwks), RELY_LIT("https://issuer.example/k"), 1700000100,
        0,         {NULL, 0}};
    fixture->err = (struct rely_err){0};
    if (!rely_registry_put_keyset(fixture->registry, &fetched, &stored, &fixture->err))
        return -1;
    assert_int_equal(stored.generation, count_rows(fixture, "SELECT keys_generation FROM issuer"));
    return (int64_t)stored.revision;
}

static bool find_repeats(void *context, const struct rely_registry_keys *keys, struct rely_err *err)
{
    (void)keys;
    return !*(bool *)context || rely_err_set(err, RELY_ERR_CONFLICT, "another record has one of its keys");
}

/* Fault A6: a disabled record held no key. Enabled again it begins without its stored set when another record has a key
 * of it by now. */
static void test_a6_drops_keys_that_were_lost_asleep(void **state)
{
    struct fixture *fixture = *state;
    bool has_repeats = false;
    const char *const asleep = "{\"issuer\":\"https://issuer.example/a\",\"enabled\":false}";
    const char *const awake = "{\"issuer\":\"https://issuer.example/a\"}";
    fixture->options.check_repeats = find_repeats;
    fixture->options.check_context = &has_repeats;
    reopen_registry(fixture);
    make_issuer_and_identity(fixture);
    assert_int_equal(put_keys(fixture, 1, 1, "{\"keys\":[{\"kid\":\"a\"}]}"), 3);
    must_replace(fixture, issuer_path("cluster"), asleep);
    must_replace(fixture, issuer_path("cluster"), awake);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM key_set"), 1);
    must_replace(fixture, issuer_path("cluster"), asleep);
    has_repeats = true;
    must_replace(fixture, issuer_path("cluster"), awake);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM key_set"), 0);
    assert_int_equal(count_rows(fixture, "SELECT keys_generation FROM issuer"), 2);
}

static void stores_fetched_key_sets(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    assert_int_equal(put_keys(fixture, 1, 1, "{\"keys\":[{\"kid\":\"a\"}]}"), 3);
    assert_int_equal(rely_registry_revision(fixture->registry), 3);
    assert_int_equal(count_rows(fixture, "SELECT keys_generation FROM issuer"), 1);
    assert_log_row(fixture, 3, "keys fetch keySet cluster 0 1 1700000100");
    assert_int_equal(count_rows(fixture, "SELECT json_extract(after, '$.kids[0]') = 'a' FROM change_log"
                                         " WHERE revision = 3"),
                     1);
    /* The same again is no change, but for its time. */
    assert_int_equal(put_keys(fixture, 1, 1, "{\"keys\":[{\"kid\":\"a\"}]}"), 0);
    assert_int_equal(run_sql(fixture, "UPDATE key_set SET fetched_at = 5"), SQLITE_OK);
    assert_int_equal(put_keys(fixture, 1, 1, NULL), 0);
    assert_int_equal(count_rows(fixture, "SELECT fetched_at FROM key_set"), 1700000100);
    assert_int_equal(rely_registry_revision(fixture->registry), 3);
    assert_int_equal(count_rows(fixture, "SELECT keys_generation FROM issuer"), 1);
    assert_int_equal(put_keys(fixture, 9, 1, "{}"), -1);
    assert_int_equal(fixture->err.code, RELY_ERR_NOT_FOUND);
    /* The issuer's record has not changed by it. */
    assert_true(try_replace(fixture, issuer_path("cluster"),
                            "{\"issuer\":\"https://issuer.example/a\",\"leewaySeconds\":1}", "\"1\""));
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM key_set"), 1);
}

static void drops_keys_of_another_source(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    assert_true(put_keys(fixture, 1, 1, "{\"keys\":[]}") > 0);
    must_replace(fixture, issuer_path("cluster"),
                 "{\"issuer\":\"https://issuer.example/a\",\"keys\":{\"jwksUri\":\"https://other.example/k\"}}");
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM key_set"), 0);
    assert_int_equal(count_rows(fixture, "SELECT keys_generation FROM issuer"), 2);
    /* What was on its way from the old place is not taken any more. */
    assert_int_equal(put_keys(fixture, 1, 1, "{\"keys\":[]}"), -1);
    assert_int_equal(fixture->err.code, RELY_ERR_CONFLICT);
    assert_true(put_keys(fixture, 1, 4, "{\"keys\":[]}") > 0);
    must_replace(fixture, issuer_path("cluster"),
                 "{\"issuer\":\"https://issuer.example/a\",\"keys\":{\"jwks\":{\"keys\":[1]}}}");
    assert_int_equal(count_rows(fixture, "SELECT document = '{\"keys\":[1]}' FROM key_set"), 1);
    for (int revision = 4; revision <= 6; revision += 2) { /* an uploaded set is nobody's question */
        assert_int_equal(put_keys(fixture, 1, revision, "{\"keys\":[]}"), -1);
        assert_int_equal(fixture->err.code, RELY_ERR_CONFLICT);
    }
    must_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"https://issuer.example/a\"}");
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM key_set"), 0);
    assert_int_equal(count_rows(fixture, "SELECT keys_generation FROM issuer"), 5);
}

/* Fault A4: where and how keys are fetched is the source; all else is not. */
static void knows_what_is_another_source(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        const char *members;
        int key_sets; /* that are left */
    } cases[] = {
        {"\"description\":\"x\"", 1},
        {"\"enabled\":false", 1},
        {"\"leewaySeconds\":1,\"algorithms\":[\"RS256\"],\"types\":[\"jwt\"],\"maxTokenLifetimeSeconds\":60", 1},
        {"\"keys\":{\"discovery\":true},\"allowHttp\":false,\"allowPrivateAddresses\":false", 1},
        {"\"allowPrivateAddresses\":true", 0},
        {"\"allowHttp\":true", 0},
        {"\"caBundle\":\"-----BEGIN CERTIFICATE-----\"", 0},
        {"\"discoveryUrl\":\"https://issuer.example/d\"", 0},
        {"\"keys\":{\"jwksUri\":\"https://issuer.example/k\"}", 0},
    };
    make_issuer_and_identity(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char body[300];
        must_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"https://issuer.example/a\"}");
        assert_true(put_keys(fixture, 1, (int)count_rows(fixture, "SELECT revision FROM issuer"), "{\"keys\":[]}") >=
                    0);
        int64_t before = count_rows(fixture, "SELECT keys_generation FROM issuer");
        snprintf(body, sizeof body, "{\"issuer\":\"https://issuer.example/a\",%s}", cases[i].members);
        must_replace(fixture, issuer_path("cluster"), body);
        assert_int_equal(count_rows(fixture, "SELECT count(*) FROM key_set"), cases[i].key_sets);
        assert_int_equal(count_rows(fixture, "SELECT keys_generation FROM issuer"), before + 1 - cases[i].key_sets);
    }
}

/* Fault B12: a row of the log stays small, whatever the issuer calls its keys; and says what it stands for. */
/* The set is no column of the record: a PUT that changes nothing else is still a change. */
static void takes_another_uploaded_set(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL),
                "{\"name\":\"cluster\",\"issuer\":\"urn:x\",\"keys\":{\"jwks\":{\"keys\":[1]}}}");
    must_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"urn:x\",\"keys\":{\"jwks\":{\"keys\":[1]}}}");
    assert_int_equal(rely_registry_revision(fixture->registry), 1);
    must_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"urn:x\",\"keys\":{\"jwks\":{\"keys\":[2]}}}");
    assert_int_equal(rely_registry_revision(fixture->registry), 2);
    assert_int_equal(count_rows(fixture, "SELECT document = '{\"keys\":[2]}' FROM key_set"), 1);
    assert_int_equal(count_rows(fixture, "SELECT keys_generation FROM issuer"), 2);
}

static void tells_empty_from_none(void **state)
{
    struct fixture *fixture = *state;
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
    must_replace(fixture, identity_path("web"), "{\"description\":\"\"}");
    assert_int_equal(rely_registry_revision(fixture->registry), 2);
    assert_int_equal(count_rows(fixture, "SELECT description IS '' FROM identity"), 1);
    must_replace(fixture, identity_path("web"), "{\"description\":null}");
    assert_int_equal(rely_registry_revision(fixture->registry), 3);
    assert_int_equal(count_rows(fixture, "SELECT description IS NULL FROM identity"), 1);
}

/* Where a set came from is judged at the next start: the same one from elsewhere is written, and said. */
static void test_a5_the_same_keys_from_elsewhere_are_stored(void **state)
{
    struct fixture *fixture = *state;
    struct rely_stored_keys stored;
    make_issuer_and_identity(fixture);
    assert_int_equal(put_keys(fixture, 1, 1, "{\"keys\":[{\"kid\":\"a\"}]}"), 3);
    const struct rely_fetched_keys moved = {
        1, 1,        RELY_LIT("{\"keys\":[{\"kid\":\"a\"}]}"), RELY_LIT("https://issuer.example/other"), 1700000200,
        1, {NULL, 0}};
    assert_true(rely_registry_put_keyset(fixture->registry, &moved, &stored, &fixture->err));
    assert_int_equal(stored.revision, 4);
    assert_int_equal(stored.generation, 2);
    assert_int_equal(count_rows(fixture, "SELECT source_url = 'https://issuer.example/other' FROM key_set"), 1);
    assert_int_equal(count_rows(fixture, "SELECT json_extract(after, '$.sourceUrl') = 'https://issuer.example/other'"
                                         " AND json_extract(after, '$.mergedChanges') = 1"
                                         " FROM change_log WHERE revision = 4"),
                     1);
}

static void test_b12_logs_few_bytes_of_a_key_set(void **state)
{
    struct fixture *fixture = *state;
    struct rely_stored_keys stored;
    struct rely_buf jwks = {0};
    make_issuer_and_identity(fixture);
    rely_buf_put(&jwks, RELY_LIT("{\"keys\":["));
    for (int i = 0; i < 200; i++)
        rely_buf_printf(&jwks, "%s{\"kid\":\"%0200d\"}", i == 0 ? "" : ",", i);
    rely_buf_put(&jwks, RELY_LIT("]}"));
    const struct rely_fetched_keys fetched = {
        1, 1, rely_buf_slice(&jwks), RELY_LIT("https://issuer.example/k"), 5, 7, {NULL, 0}};
    assert_true(rely_registry_put_keyset(fixture->registry, &fetched, &stored, &fixture->err));
    assert_int_equal(count_rows(fixture, "SELECT length(after) < 4096 FROM change_log WHERE revision = 3"), 1);
    assert_int_equal(count_rows(fixture, "SELECT json_extract(after, '$.keyCount') FROM change_log WHERE revision = 3"),
                     200);
    assert_int_equal(
        count_rows(fixture, "SELECT json_array_length(after, '$.kids') FROM change_log WHERE revision = 3"), 10);
    assert_int_equal(
        count_rows(fixture, "SELECT json_extract(after, '$.mergedChanges') FROM change_log WHERE revision = 3"), 7);
    rely_buf_fini(&jwks);
}

static void leaves_no_trace_of_a_refused_write(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    int64_t before = count_rows(fixture, "SELECT count(*) FROM issuer, identity");
    /* Good but for a field that nobody knows: the row was in the transaction already. */
    refuse_create(fixture, identity_path(NULL), "{\"name\":\"api\",\"typo\":1}", "typo", "unknown_field");
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM issuer, identity"), before);
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    assert_int_equal(rely_registry_revision(fixture->registry), 3);
}

static void writes_beside_a_reader(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    /* Readers of the second connection do not disturb; the write-ahead log serves both. */
    assert_int_equal(run_sql(fixture, "BEGIN; SELECT * FROM issuer"), SQLITE_OK);
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    assert_int_equal(run_sql(fixture, "COMMIT"), SQLITE_OK);
}

int run_change_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(counts_accepted_changes),
        A_TEST(logs_who_changed_what_and_when),
        A_TEST(honours_if_match),
        A_TEST(reads_and_reports_what_is_missing),
        A_TEST(test_c6_shows_a_row_that_is_larger_than_a_page),
        A_TEST(lists_in_pages),
        A_TEST(test_c6_ends_a_page_that_grows_too_large),
        A_TEST(test_a6_drops_keys_that_were_lost_asleep),
        A_TEST(stores_fetched_key_sets),
        A_TEST(drops_keys_of_another_source),
        A_TEST(knows_what_is_another_source),
        A_TEST(takes_another_uploaded_set),
        A_TEST(tells_empty_from_none),
        A_TEST(test_a5_the_same_keys_from_elsewhere_are_stored),
        A_TEST(test_b12_logs_few_bytes_of_a_key_set),
        A_TEST(leaves_no_trace_of_a_refused_write),
        A_TEST(writes_beside_a_reader),
    };
    return cmocka_run_group_tests_name("changes", tests, NULL, NULL);
}
