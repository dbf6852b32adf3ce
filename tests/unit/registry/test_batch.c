/*
 * Writes that share a transaction: each is judged by itself, all are kept or none.
 */
#include "fixture.h"

#include "../../../src/registry/inside.h"

#include "../../../src/store/inside.h"

#include <stdlib.h>

static void begin_batch(struct fixture *fixture)
{
    struct rely_err err = {0};
    if (!rely_registry_begin(fixture->registry, &err))
        fail_msg("%s", err.message);
}

static void commit_batch(struct fixture *fixture)
{
    struct rely_err err = {0};
    if (!rely_registry_commit(fixture->registry, &err))
        fail_msg("%s", err.message);
}

/* The batch must be refused; all is as it was before it. */
static void lose_batch(struct fixture *fixture, uint64_t revision, const char *message)
{
    struct rely_err err = {0};
    assert_false(rely_registry_commit(fixture->registry, &err));
    assert_int_equal(err.code, RELY_ERR_IO);
    assert_non_null(strstr(err.message, message));
    assert_int_equal(rely_registry_revision(fixture->registry), revision);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log"), (int)revision);
}

static void shows_nothing_before_the_commit(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    begin_batch(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    assert_int_equal(fixture->result.changes.revision, 3);
    must_replace(fixture, identity_path("api"), "{\"groups\":[\"a\"]}");
    assert_string_equal(fixture->result.etag, "\"4\"");
    assert_int_equal(count_rows(fixture, "SELECT max(revision) FROM change_log"), 2);
    commit_batch(fixture);
    assert_int_equal(count_rows(fixture, "SELECT max(revision) FROM change_log"), 4);
    assert_int_equal(rely_registry_revision(fixture->registry), 4);
}

#define CREDENTIAL(name, subject)                                                                                      \
    "{\"name\":\"" name "\",\"issuerName\":\"cluster\",\"subject\":\"" subject "\",\"audiences\":[\"x\"]}"

static void undoes_only_what_is_refused(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    begin_batch(fixture);
    must_create(fixture, credential_path("web", NULL), CREDENTIAL("one", "s"));
    assert_false(try_create(fixture, credential_path("web", NULL), CREDENTIAL("one", "t")));
    assert_refused(fixture, RELY_ERR_CONFLICT, "already_exists");
    assert_false(try_create(fixture, credential_path("web", NULL), CREDENTIAL("two", "s")));
    assert_refused(fixture, RELY_ERR_CONFLICT, "duplicate_issuer_and_subject");
    assert_false(try_replace(fixture, credential_path("web", "one"), CREDENTIAL("one", "u"), "\"2\""));
    assert_refused(fixture, RELY_ERR_PRECONDITION, "precondition_failed");
    assert_false(try_delete(fixture, issuer_path("cluster"), NULL, false));
    assert_refused(fixture, RELY_ERR_CONFLICT, "issuer_in_use");
    assert_true(try_replace(fixture, credential_path("web", "one"), CREDENTIAL("one", "u"), "\"3\""));
    must_replace(fixture, credential_path("web", "one"), CREDENTIAL("one", "u")); /* no change */
    assert_int_equal(fixture->result.changes.count, 0);
    must_create(fixture, credential_path("web", NULL), CREDENTIAL("two", "s"));
    commit_batch(fixture);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM credential WHERE (name, subject) IN (VALUES"
                                         " ('one', 'u'), ('two', 's'))"),
                     2);
    assert_int_equal(count_rows(fixture, "SELECT count(*) * 100 + max(revision) FROM change_log"), 505);
}

static void keeps_the_quota(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    begin_batch(fixture);
    for (char letter = 'a'; letter <= 'u'; letter++) {
        char body[] = CREDENTIAL("one-?", "s-?");
        *strchr(body, '?') = letter;
        *strchr(body, '?') = letter;
        assert_int_equal(try_create(fixture, credential_path("web", NULL), body), letter < 'u');
    }
    assert_refused(fixture, RELY_ERR_LIMIT, "too_many_credentials");
    commit_batch(fixture);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM credential"), 20);
}

static int refuse_commit(void *context)
{
    (void)context;
    return 1;
}

static void is_lost_whole_when_it_cannot_be_committed(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    begin_batch(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    assert_true(try_delete(fixture, identity_path("web"), NULL, false));
    sqlite3_commit_hook(fixture->registry->store->sql.db, refuse_commit, NULL);
    lose_batch(fixture, 2, "constraint failed");
    sqlite3_commit_hook(fixture->registry->store->sql.db, NULL, NULL);
    must_replace(fixture, identity_path("web"), "{\"groups\":[\"a\"]}");
    assert_int_equal(fixture->result.changes.revision, 3);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM identity WHERE name = 'api'"), 0);
}

/* As SQLite does by itself when the disk is full: the next write must not begin a transaction of its own. */
static void refuses_writes_behind_what_was_undone(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    begin_batch(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    assert_int_equal(sqlite3_exec(fixture->registry->store->sql.db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_false(try_create(fixture, identity_path(NULL), "{\"name\":\"later\"}"));
    assert_int_equal(fixture->err.code, RELY_ERR_IO);
    assert_false(try_delete(fixture, identity_path("web"), NULL, false));
    assert_int_equal(fixture->err.code, RELY_ERR_IO);
    lose_batch(fixture, 2, "have been undone");
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM identity"), 1);
    must_create(fixture, identity_path(NULL), "{\"name\":\"api\"}");
    assert_int_equal(fixture->result.changes.revision, 3);
}

static void survives_a_full_disk(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    char *description = repeat_text("x", 600);
    int64_t pages = count_rows(fixture, "PRAGMA page_count");
    char *limit = format_body("PRAGMA max_page_count = %d", (int)pages + 3);
    begin_batch(fixture);
    assert_int_equal(sqlite3_exec(fixture->registry->store->sql.db, limit, NULL, NULL, NULL), SQLITE_OK);
    int kept = 0;
    for (bool is_full = false; !is_full; kept += is_full ? 0 : 1) {
        char *body = format_body("{\"name\":\"identity-%d\",\"description\":\"%s\"}", kept, description);
        is_full = !try_create(fixture, identity_path(NULL), body);
        free(body);
    }
    assert_int_equal(fixture->err.code, RELY_ERR_IO);
    assert_true(kept > 0);
    struct rely_err err = {0};
    if (!rely_registry_commit(fixture->registry, &err))
        kept = 0; /* SQLite has undone all: none is there */
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM identity"), 1 + kept);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log"), 2 + kept);
    assert_int_equal(rely_registry_revision(fixture->registry), 2 + kept);
    free(description);
    free(limit);
}

int run_batch_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(shows_nothing_before_the_commit),
        A_TEST(undoes_only_what_is_refused),
        A_TEST(keeps_the_quota),
        A_TEST(is_lost_whole_when_it_cannot_be_committed),
        A_TEST(refuses_writes_behind_what_was_undone),
        A_TEST(survives_a_full_disk),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
