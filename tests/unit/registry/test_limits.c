/*
 * Every limit from both sides, in characters, not bytes.
 */
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>

#define EMOJI "\xf0\x9f\x98\x80"

/* `format` has one %s for the text; `limit` characters must pass, one more must not. */
static void check_text_limit(struct fixture *fixture, struct rely_object_path path, const char *format, size_t limit,
                             const char *unit, const char *field)
{
    char *longer = repeat_text(unit, limit + 1), *longest = repeat_text(unit, limit);
    char *bad = format_body("%s", ""), *good = format_body("%s", "");
    const char *hole = strstr(format, "%s");
    assert_non_null(hole);
    free(bad);
    free(good);
    bad = format_body("%.*s%s%s", (int)(hole - format), format, longer, hole + 2);
    good = format_body("%.*s%s%s", (int)(hole - format), format, longest, hole + 2);
    refuse_replace(fixture, path, bad, field, "too_long");
    char expected[64];
    snprintf(expected, sizeof expected, "has %zu characters; the limit is %zu", limit + 1, limit);
    assert_non_null(strstr(fixture->result.problems.items[0].message, expected));
    must_replace(fixture, path, good);
    free(longer);
    free(longest);
    free(bad);
    free(good);
}

static void limits_texts_in_characters(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    static const char *const units[] = {"x", EMOJI};
    for (size_t i = 0; i < 2; i++) {
        check_text_limit(fixture, credential_path("web", "one"),
                         "{\"issuerName\":\"cluster\",\"audiences\":[\"x\"],\"subject\":\"%s\"}", 600, units[i],
                         "subject");
        check_text_limit(fixture, credential_path("web", "one"),
                         "{\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\",\"%s\"]}", 600, units[i],
                         "audiences[1]");
        check_text_limit(fixture, credential_path("web", "one"),
                         "{\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\"],\"description\":\"%s\"}",
                         600, units[i], "description");
        check_text_limit(fixture, identity_path("web"), "{\"description\":\"%s\"}", 600, units[i], "description");
        check_text_limit(fixture, identity_path("web"), "{\"username\":\"%s\"}", 253, units[i], "username");
        check_text_limit(fixture, identity_path("web"), "{\"groups\":[\"%s\"]}", 253, units[i], "groups[0]");
        check_text_limit(fixture, identity_path("web"), "{\"extra\":{\"example.com/a\":[\"%s\"]}}", 600, units[i],
                         "extra.example.com/a[0]");
        check_text_limit(fixture, issuer_path("cluster"),
                         "{\"issuer\":\"https://issuer.example/a\",\"description\":\"%s\"}", 600, units[i],
                         "description");
    }
}

static void counts_issuers(void **state)
{
    struct fixture *fixture = *state;
    char doubled[17 * 48] = "";
    for (int i = 0; i < 17; i++)
        strcat(doubled, "INSERT INTO filled SELECT * FROM filled; ");
    must_create(fixture, issuer_path(NULL), "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example/a\"}");
    char *fill = format_body("CREATE TEMP TABLE filled AS SELECT * FROM issuer; %s"
                             "DELETE FROM filled WHERE rowid > %d; UPDATE filled SET id = rowid + 1,"
                             " name = 'filled' || rowid, url = 'https://filled.example/' || rowid;"
                             "INSERT INTO issuer SELECT * FROM filled",
                             doubled, RELY_ISSUERS_MAX - 2);
    fill_table(fixture, fill);
    free(fill);
    must_create(fixture, issuer_path(NULL), "{\"name\":\"hundred-thousandth\",\"issuer\":\"https://b.example\"}");
    assert_false(try_create(fixture, issuer_path(NULL), "{\"name\":\"one-more\",\"issuer\":\"https://c.example\"}"));
    assert_refused(fixture, RELY_ERR_LIMIT, "too_many_objects");
    assert_true(try_replace(fixture, issuer_path("filled7"), "{\"issuer\":\"https://filled.example/7\"}", NULL));
    assert_true(try_delete(fixture, issuer_path("filled7"), NULL, false));
    must_create(fixture, issuer_path(NULL), "{\"name\":\"one-more\",\"issuer\":\"https://c.example\"}");
}

static void limits_urls(void **state)
{
    struct fixture *fixture = *state;
    char *longest = repeat_text("x", 600 - 9), *longer = repeat_text("x", 600 - 8);
    char *good = format_body("{\"name\":\"long-url\",\"issuer\":\"https://a/%s\"}", longest);
    /* 10 characters and 591 are 601. */
    char *bad = format_body("{\"name\":\"long-url\",\"issuer\":\"https://a/%s\"}", longer);
    refuse_create(fixture, issuer_path(NULL), bad, "issuer", "too_long");
    free(good);
    good = format_body("{\"name\":\"long-url\",\"issuer\":\"https://a/%.*s\"}", 590, longest);
    must_create(fixture, issuer_path(NULL), good);
    free(bad);
    bad = format_body("{\"issuer\":\"https://b\",\"keys\":{\"jwksUri\":\"https://a/%.*s\"}}", 591, longest);
    refuse_replace(fixture, issuer_path("keys-url"), bad, "keys.jwksUri", "too_long");
    free(good);
    free(bad);
    free(longest);
    free(longer);
}

static void limits_names(void **state)
{
    struct fixture *fixture = *state;
    char *longer = repeat_text("n", 121);
    char *bad = format_body("{\"name\":\"%s\"}", longer);
    char *good = format_body("{\"name\":\"%.120s\"}", longer);
    refuse_create(fixture, identity_path(NULL), bad, "name", "too_long");
    must_create(fixture, identity_path(NULL), good);
    refuse_create(fixture, identity_path(NULL), "{\"name\":\"ab\"}", "name", "too_short");
    must_create(fixture, identity_path(NULL), "{\"name\":\"abc\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"0_-\"}");
    static const char *const names[] = {"_ab", "-ab", "a b", "a.b", "a/b", "abc ", "ab\xc3\xa9", "a:bc", "abc\\n"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *body = format_body("{\"name\":\"%s\"}", names[i]);
        refuse_create(fixture, identity_path(NULL), body, "name", "invalid_name");
        free(body);
    }
    free(longer);
    free(bad);
    free(good);
}

/* A JSON array of `count` different strings; must be freed. */
static char *number_list(size_t count)
{
    struct rely_buf list = {0};
    for (size_t i = 0; i < count; i++)
        rely_buf_printf(&list, "%s\"n%zu\"", i == 0 ? "[" : ",", i);
    rely_buf_putc(&list, ']');
    return list.ptr;
}

static void check_list_limit(struct fixture *fixture, struct rely_object_path path, const char *head, size_t limit,
                             const char *field)
{
    char *longer = number_list(limit + 1), *longest = number_list(limit);
    char *bad = format_body("%s%s}", head, longer), *good = format_body("%s%s}", head, longest);
    refuse_replace(fixture, path, bad, field, "too_many");
    must_replace(fixture, path, good);
    free(longer);
    free(longest);
    free(bad);
    free(good);
}

static void limits_lists(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    check_list_limit(fixture, credential_path("web", "one"),
                     "{\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":", 10, "audiences");
    check_list_limit(fixture, identity_path("web"), "{\"groups\":", 64, "groups");
    check_list_limit(fixture, issuer_path("cluster"), "{\"issuer\":\"https://issuer.example/a\",\"types\":", 8,
                     "types");
}

static char *number_extra(size_t keys, size_t values)
{
    struct rely_buf text = {0};
    char *list = number_list(values);
    rely_buf_put(&text, RELY_LIT("{\"extra\":{"));
    for (size_t i = 0; i < keys; i++)
        rely_buf_printf(&text, "%s\"example.com/k%zu\":%s", i == 0 ? "" : ",", i, list);
    rely_buf_put(&text, RELY_LIT("}}"));
    free(list);
    return text.ptr;
}

static void limits_extra(void **state)
{
    struct fixture *fixture = *state;
    char *body = number_extra(33, 1);
    refuse_replace(fixture, identity_path("web"), body, "extra", "too_many");
    free(body);
    body = number_extra(1, 17);
    refuse_replace(fixture, identity_path("web"), body, "extra.example.com/k0", "too_many");
    free(body);
    body = number_extra(32, 16);
    must_replace(fixture, identity_path("web"), body);
    free(body);
}

/* "example.com/kkk...", `len` bytes in all. */
static char *format_extra_key(size_t len)
{
    char *rest = repeat_text("k", len - strlen("example.com/"));
    char *body = format_body("{\"extra\":{\"example.com/%s\":[\"v\"]}}", rest);
    free(rest);
    return body;
}

static void limits_keys_of_extra(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    char *longest = format_extra_key(253), *longer = format_extra_key(254);
    char *field = format_body("extra.%.50s", strstr(longer, "example"));
    must_replace(fixture, identity_path("web"), longest);
    refuse_replace(fixture, identity_path("web"), longer, field, "invalid_name");
    free(field);
    free(longest);
    free(longer);
}

static void limits_ca_bundles(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    static const char *const format = "{\"issuer\":\"https://issuer.example/a\",\"caBundle\":\""
                                      "-----BEGIN CERTIFICATE-----%s\"}";
    char *filler = repeat_text("A", 65536 - strlen("-----BEGIN CERTIFICATE-----"));
    char *one_more = repeat_text("A", 65537 - strlen("-----BEGIN CERTIFICATE-----"));
    char *largest = format_body(format, filler), *larger = format_body(format, one_more);
    must_replace(fixture, issuer_path("cluster"), largest);
    assert_int_equal(count_rows(fixture, "SELECT length(ca_bundle) FROM issuer"), 65536);
    refuse_replace(fixture, issuer_path("cluster"), larger, "caBundle", "too_long");
    free(largest);
    free(larger);
    free(one_more);
    free(filler);
}

static bool try_numbered_credential(struct fixture *fixture, int number)
{
    char *body = format_body("{\"name\":\"number-%d\",\"issuerName\":\"cluster\",\"subject\":\"s%d\",\"audiences\":["
                             "\"x\"]}",
                             number, number);
    bool is_made = try_create(fixture, credential_path("web", NULL), body);
    free(body);
    return is_made;
}

static void refuses_the_21st_credential(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    for (int i = 0; i < 20; i++)
        assert_true(try_numbered_credential(fixture, i));
    uint64_t revision = rely_registry_revision(fixture->registry);
    assert_false(try_numbered_credential(fixture, 20));
    assert_refused(fixture, RELY_ERR_LIMIT, "too_many_credentials");
    assert_non_null(strstr(fixture->err.message, "20"));
    assert_int_equal(rely_registry_revision(fixture->registry), revision);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM credential"), 20);
    assert_int_equal(count_rows(fixture, "SELECT max(revision) FROM change_log"), revision);
    /* A replacement is no further one; a deletion makes room. */
    must_replace(fixture, credential_path("web", "number-3"),
                 "{\"issuerName\":\"cluster\",\"subject\":\"new\",\"audiences\":[\"x\"]}");
    assert_true(try_delete(fixture, credential_path("web", "number-3"), NULL, false));
    assert_true(try_numbered_credential(fixture, 20));
    assert_false(try_numbered_credential(fixture, 21));
    assert_refused(fixture, RELY_ERR_LIMIT, "too_many_credentials");
}

static void keeps_to_a_set_quota(void **state)
{
    struct fixture *fixture = *state;
    fixture->options.credentials_per_identity = 2;
    reopen_registry(fixture);
    make_issuer_and_identity(fixture);
    assert_true(try_numbered_credential(fixture, 0));
    assert_true(try_numbered_credential(fixture, 1));
    assert_false(try_numbered_credential(fixture, 2));
    assert_refused(fixture, RELY_ERR_LIMIT, "too_many_credentials");
}

static void limits_uploaded_documents_in_bytes(void **state)
{
    struct fixture *fixture = *state;
    char *longer = repeat_text("x", 65536);
    char *bad =
        format_body("{\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":{\"keys\":[],\"x\":\"%s\"}}}", longer);
    refuse_replace(fixture, issuer_path("uploaded"), bad, "keys.jwks", "too_long");
    free(bad);
    /* {"keys":[],"x":"..."} is 18 bytes and the text. */
    char *good = format_body("{\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":{\"keys\":[],\"x\":\"%.*s\"}}}",
                             65536 - 18, longer);
    must_replace(fixture, issuer_path("uploaded"), good);
    free(good);
    bad = format_body("{\"issuer\":\"https://a.example\",\"caBundle\":\"-----BEGIN CERTIFICATE-----%.*s\"}", 65536 - 26,
                      longer);
    refuse_replace(fixture, issuer_path("with-ca"), bad, "caBundle", "too_long");
    free(bad);
    good = format_body("{\"issuer\":\"https://a.example\",\"caBundle\":\"-----BEGIN CERTIFICATE-----%.*s\"}",
                       65536 - 27, longer);
    must_replace(fixture, issuer_path("with-ca"), good);
    free(good);
    free(longer);
}

int run_limit_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(limits_texts_in_characters),
        A_TEST(counts_issuers),
        A_TEST(limits_urls),
        A_TEST(limits_names),
        A_TEST(limits_lists),
        A_TEST(limits_extra),
        A_TEST(limits_keys_of_extra),
        A_TEST(limits_ca_bundles),
        A_TEST(refuses_the_21st_credential),
        A_TEST(keeps_to_a_set_quota),
        A_TEST(limits_uploaded_documents_in_bytes),
    };
    return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
