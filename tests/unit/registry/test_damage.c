/*
 * Faults B11 and B22: a damaged database does not open, or shows all that it had; a disk that fails, and damage that is
 * found later, are refusals with their reason, and never an abort or another object than the one asked for.
 */
#include "faulty_disk.h"
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OBJECTS 12
#define PAGE 4096

static void put_objects(struct fixture *fixture)
{
    make_issuer_and_identity(fixture);
    for (int i = 0; i < OBJECTS; i++) {
        char name[32];
        snprintf(name, sizeof name, "cred-%d", i);
        char *body =
            format_body("{\"issuer\":\"https://issuer.example/a\",\"subject\":\"subject-%d\",\"audiences\":[\"x\"],"
                        "\"description\":\"%0*d\"}",
                        i, 500, i);
        must_replace(fixture, credential_path("web", name), body);
        free(body);
    }
}

/* Everything that can be asked for, as text; NULL when something cannot be read. */
static char *read_everything(struct fixture *fixture)
{
    struct rely_buf out = {0};
    bool is_read = true;
    for (int i = -2; i < OBJECTS && is_read; i++) {
        char name[32];
        snprintf(name, sizeof name, "cred-%d", i);
        char *object = read_object(fixture, i == -2   ? issuer_path("cluster")
                                            : i == -1 ? identity_path("web")
                                                      : credential_path("web", name));
        is_read = object != NULL;
        if (is_read)
            rely_buf_put(&out, rely_slice_of(object));
        free(object);
    }
    struct rely_err err = {0};
    struct rely_object_path path = credential_path("web", NULL);
    struct rely_object_page page = {.after = RELY_LIT(""), .limit = 100};
    is_read = is_read && rely_registry_list(fixture->registry, &path, &page, &err);
    if (is_read)
        rely_json_print(page.array, &out);
    rely_json_free(page.array);
    if (is_read)
        return out.ptr;
    rely_buf_fini(&out);
    return NULL;
}

static char *load_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *bytes = rely_alloc(4 << 20);
    *len = fread(bytes, 1, 4 << 20, file);
    fclose(file);
    return bytes;
}

static void save_file(const char *path, const char *bytes, size_t len)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, len, file), len);
    fclose(file);
}

/* One way to damage a page; the file may become shorter. */
static size_t damage_page(char *bytes, size_t len, size_t page, int way)
{
    char *at = bytes + page * PAGE;
    switch (way) {
    case 0: /* lost */
        memset(at, 0, PAGE);
        break;
    case 1: /* another file's */
        for (size_t i = 0; i < PAGE; i++)
            at[i] = (char)(i * 37 + page);
        break;
    case 2: /* the kind of page, or the magic number of the first */
        at[0] = (char)(at[0] ^ 0x55);
        break;
    case 3: /* the count of cells, or the size of pages */
        at[page == 0 ? 17 : 4] = (char)(at[page == 0 ? 17 : 4] ^ 0x77);
        break;
    case 4: /* where the first cells begin */
        memset(at + (page == 0 ? 108 : 8), 0x7f, 8);
        break;
    case 5: /* another page's content: an old write, or a lost one */
        memcpy(at, bytes + (page == 0 ? 1 : page - 1) * PAGE, PAGE);
        break;
    default: /* cut off here, as a copy that was interrupted */
        return page * PAGE + (page == 0 ? 50 : 0);
    }
    return len;
}

static bool opens_whole(struct fixture *fixture, const char *expected, size_t page, int way)
{
    struct rely_err err = {0};
    fixture->registry = rely_registry_open(&fixture->options, &err);
    if (fixture->registry == NULL) {
        if (err.code != RELY_ERR_DAMAGED && err.code != RELY_ERR_INVALID)
            fail_msg("page %zu, way %d: %s", page, way, err.message);
        return false;
    }
    char *found = read_everything(fixture);
    if (found == NULL || strcmp(found, expected) != 0)
        fail_msg("page %zu, way %d: it opens, and shows %.80s", page, way, found == NULL ? "nothing" : found);
    free(found);
    return true;
}

static void close_files(struct fixture *fixture)
{
    char path[128];
    rely_registry_close(fixture->registry);
    fixture->registry = NULL;
    sqlite3_close(fixture->other);
    fixture->other = NULL;
    snprintf(path, sizeof path, "%s-wal", fixture->path);
    unlink(path);
    snprintf(path, sizeof path, "%s-shm", fixture->path);
    unlink(path);
}

static void test_b22_opens_no_damaged_database(void **state)
{
    struct fixture *fixture = *state;
    size_t len = 0, refused = 0, opened = 0;
    put_objects(fixture);
    char *expected = read_everything(fixture);
    close_files(fixture);
    char *whole = load_file(fixture->path, &len);
    char *bytes = rely_alloc(len);
    assert_true(len >= 20 * PAGE);
    for (size_t page = 0; page < len / PAGE; page++)
        for (int way = 0; way < 7; way++) {
            memcpy(bytes, whole, len);
            save_file(fixture->path, bytes, damage_page(bytes, len, page, way));
            *(opens_whole(fixture, expected, page, way) ? &opened : &refused) += 1;
            rely_registry_close(fixture->registry);
            fixture->registry = NULL;
        }
    assert_true(refused > 6 * opened); /* what a page has free may hold anything */
    free(expected);
    free(whole);
    free(bytes);
}

/* The disk answers a read with a fault, at each place in turn: a refusal, and afterwards all is as before. */
static void test_b11_survives_every_failed_read(void **state)
{
    struct fixture *fixture = *state;
    put_objects(fixture);
    char *expected = read_everything(fixture);
    bool is_hit = true;
    for (int n = 0; is_hit; n++) {
        reopen_registry(fixture); /* with an empty page cache */
        disk_fail(DISK_READ, n, true, SQLITE_IOERR_READ);
        char *found = read_everything(fixture);
        is_hit = disk_mend() > n;
        if (found != NULL)
            assert_string_equal(found, expected);
        else
            assert_true(is_hit);
        free(found);
        found = read_everything(fixture);
        assert_string_equal(found, expected);
        free(found);
    }
    free(expected);
}

/* The disk is full at each write in turn, within a batch or alone: the write is refused, or it is there. */
static void test_b11_survives_every_failed_write(void **state)
{
    static const int codes[] = {SQLITE_FULL, SQLITE_IOERR_WRITE, SQLITE_READONLY, SQLITE_IOERR_FSYNC};
    struct fixture *fixture = *state;
    put_objects(fixture);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        bool is_hit = true;
        for (int n = 0; is_hit; n++) {
            uint64_t before = rely_registry_revision(fixture->registry);
            char *body = format_body("{\"description\":\"%zu-%d\"}", i, n);
            struct rely_err err = {0};
            disk_fail(DISK_WRITE, n, false, codes[i]);
            bool is_written = rely_registry_begin(fixture->registry, &err);
            if (is_written && !try_replace(fixture, identity_path("web"), body, NULL)) {
                rely_registry_give_up(fixture->registry);
                is_written = false;
            } else if (is_written) {
                is_written = rely_registry_commit(fixture->registry, &err);
            }
            is_hit = disk_mend() > n;
            assert_int_equal(rely_registry_revision(fixture->registry), before + is_written);
            assert_true(is_hit != is_written);
            must_replace(fixture, identity_path("web"), body);
            free(body);
        }
    }
}

static int damages;

static void note_damage(void *context, const char *what)
{
    (void)context;
    assert_true(strlen(what) > 10);
    damages++;
}

/* A hand writes what the schema would not have taken. */
static void break_row(struct fixture *fixture, const char *sql)
{
    assert_int_equal(run_sql(fixture, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF"), SQLITE_OK);
    if (run_sql(fixture, sql) != SQLITE_OK)
        fail_msg("%s: %s", sqlite3_errmsg(fixture->other), sql);
}

static void visit_record(const union rely_any_record *record, void *context)
{
    (void)record;
    (void)context;
}

static bool visit_all(struct fixture *fixture, struct rely_err *err)
{
    return rely_registry_each(fixture->registry, RELY_OBJECT_ISSUER, visit_record, NULL, err) &&
           rely_registry_each(fixture->registry, RELY_OBJECT_IDENTITY, visit_record, NULL, err) &&
           rely_registry_each(fixture->registry, RELY_OBJECT_CREDENTIAL, visit_record, NULL, err);
}

/* What is in force and what a restart would find must be one thing, whatever triggers a hand has added. */
static void test_b11_refuses_what_is_stored_otherwise(void **state)
{
    static const struct {
        const char *sql;
        enum rely_err_code code;
    } triggers[] = {
        {"CREATE TRIGGER bad AFTER INSERT ON key_set BEGIN UPDATE key_set SET document = '{\"keys\":[ ]}'; END",
         RELY_ERR_DAMAGED},
        {"CREATE TRIGGER bad AFTER INSERT ON key_set BEGIN UPDATE key_set SET source_url = 'https://a.example'; END",
         RELY_ERR_DAMAGED},
        {"CREATE TRIGGER bad AFTER INSERT ON issuer BEGIN UPDATE issuer SET is_enabled = 0; END", RELY_ERR_DAMAGED},
        {"CREATE TRIGGER bad AFTER INSERT ON issuer BEGIN UPDATE issuer SET revision = 99; END", RELY_ERR_DAMAGED},
        {"CREATE TRIGGER bad AFTER UPDATE OF keys_generation ON issuer BEGIN UPDATE issuer SET leeway_s = 7; END",
         RELY_ERR_DAMAGED},
        {"CREATE TRIGGER bad AFTER INSERT ON issuer BEGIN DELETE FROM issuer WHERE id = NEW.id; END", RELY_ERR_INVALID},
    };
    for (size_t i = 0; i < sizeof triggers / sizeof triggers[0]; i++) {
        struct fixture *fixture = *state;
        assert_int_equal(run_sql(fixture, triggers[i].sql), SQLITE_OK);
        assert_false(
            try_create(fixture, issuer_path(NULL),
                       "{\"name\":\"uploaded\",\"issuer\":\"https://b.example\",\"keys\":{\"jwks\":{\"keys\":[]}}}"));
        if (fixture->err.code != triggers[i].code)
            fail_msg("%s: %d %s", triggers[i].sql, fixture->err.code, fixture->err.message);
        assert_int_equal(count_rows(fixture, "SELECT count(*) FROM issuer"), 0);
        assert_int_equal(run_sql(fixture, "DROP TRIGGER bad"), SQLITE_OK);
        reopen_registry(fixture);
    }
}

static bool put_keys(struct fixture *fixture, const char *jwks, int64_t at_s)
{
    struct rely_stored_keys stored;
    const struct rely_fetched_keys fetched = {.issuer_id = 1,
                                              .record_revision = 1,
                                              .jwks = rely_slice_of(jwks),
                                              .source_url = RELY_LIT("https://issuer.example/k"),
                                              .at_s = at_s};
    fixture->err = (struct rely_err){0};
    return rely_registry_put_keyset(fixture->registry, &fetched, &stored, &fixture->err);
}

/* The same for keys that were fetched: another set, and the same one fetched again. */
static void test_b11_refuses_keys_that_are_stored_otherwise(void **state)
{
    static const struct {
        const char *sql, *jwks;
    } triggers[] = {
        {"CREATE TRIGGER bad AFTER UPDATE ON key_set WHEN NEW.document <> 'evil' BEGIN"
         " UPDATE key_set SET document = 'evil'; END",
         "{\"keys\":[1]}"},
        {"CREATE TRIGGER bad AFTER UPDATE ON key_set WHEN NEW.source_url <> 'https://a.example' BEGIN"
         " UPDATE key_set SET source_url = 'https://a.example'; END",
         "{\"keys\":[1]}"},
        {"CREATE TRIGGER bad AFTER UPDATE OF keys_generation ON issuer BEGIN UPDATE issuer SET is_enabled = 0; END",
         "{\"keys\":[1]}"},
        {"CREATE TRIGGER bad BEFORE UPDATE OF keys_generation ON issuer BEGIN SELECT RAISE(IGNORE); END",
         "{\"keys\":[1]}"},
        {"CREATE TRIGGER bad BEFORE UPDATE ON key_set BEGIN SELECT RAISE(IGNORE); END", "{\"keys\":[]}"},
        {"CREATE TRIGGER bad AFTER UPDATE OF fetched_at ON key_set BEGIN UPDATE issuer SET leeway_s = 7; END", NULL},
    };
    struct fixture *fixture = *state;
    must_create(fixture, issuer_path(NULL), "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example/a\"}");
    assert_true(put_keys(fixture, "{\"keys\":[]}", 7));
    for (size_t i = 0; i < sizeof triggers / sizeof triggers[0]; i++) {
        assert_int_equal(run_sql(fixture, triggers[i].sql), SQLITE_OK);
        bool is_put = put_keys(fixture, triggers[i].jwks, 8);
        if (is_put || fixture->err.code != RELY_ERR_DAMAGED)
            fail_msg("%s: %d %s", triggers[i].sql, fixture->err.code, fixture->err.message);
        assert_int_equal(count_rows(fixture, "SELECT count(*) FROM key_set k, issuer i WHERE document = '{\"keys\":[]}'"
                                             " AND k.fetched_at = 7 AND i.is_enabled AND i.leeway_s <> 7"),
                         1);
        assert_int_equal(run_sql(fixture, "DROP TRIGGER bad"), SQLITE_OK);
        reopen_registry(fixture);
    }
    assert_true(put_keys(fixture, "{\"keys\":[1]}", 9));
}

static void test_b11_notices_what_is_not_deleted(void **state)
{
    struct fixture *fixture = *state;
    make_issuer_and_identity(fixture);
    assert_int_equal(run_sql(fixture, "CREATE TRIGGER bad BEFORE DELETE ON identity BEGIN SELECT RAISE(IGNORE); END"),
                     SQLITE_OK);
    assert_false(try_delete(fixture, identity_path("web"), NULL, false));
    assert_int_equal(fixture->err.code, RELY_ERR_DAMAGED);
}

static void test_b11_stops_writing_at_a_damaged_row(void **state)
{
    static const char *const breaks[] = {
        "UPDATE credential SET subject = CAST(x'ff6162' AS TEXT) WHERE name = 'cred-3'",
        "UPDATE credential SET subject = '' WHERE name = 'cred-3'",
        "DROP TRIGGER credential_audiences_update; UPDATE credential SET audiences = 'x'",
        "DROP TRIGGER credential_audiences_update; UPDATE credential SET audiences = char(10)",
        "DROP TRIGGER credential_audiences_update; UPDATE credential SET audiences = ''",
        "UPDATE credential SET issuer_id = 0",
        "UPDATE issuer SET key_source = 9",
        "UPDATE issuer SET key_source = 2",
        "UPDATE issuer SET key_source = 3",
        "UPDATE issuer SET algorithms = 0",
        "UPDATE issuer SET algorithms = 3",
        "UPDATE issuer SET algorithms = 16384",
        "UPDATE issuer SET leeway_s = 99999",
        "UPDATE issuer SET max_lifetime_s = -1",
        "UPDATE issuer SET is_enabled = 2",
        "UPDATE issuer SET types = ''",
        "UPDATE identity SET username = ''",
        "UPDATE identity SET is_enabled = 7",
        "DROP TRIGGER identity_groups_update; UPDATE identity SET groups = 'g'",
        "DROP TRIGGER identity_extra_update; UPDATE identity SET extra = 'no-tabulator' || char(10)",
        "DROP TRIGGER identity_extra_update; UPDATE identity SET extra = char(9) || 'v' || char(10)",
        "UPDATE identity SET description = CAST(x'c328' AS TEXT)",
    };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        struct rely_err err = {0};
        assert_int_equal(drop_fixture(state), 0);
        assert_int_equal(make_fixture(state), 0);
        fixture = *state;
        fixture->options.note_damage = note_damage;
        reopen_registry(fixture);
        damages = 0;
        put_objects(fixture);
        break_row(fixture, breaks[i]);
        /* What no snapshot reads is judged when it is shown. */
        bool is_reviewed = strstr(breaks[i], "description") == NULL;
        if (visit_all(fixture, &err) == is_reviewed || (!is_reviewed && read_everything(fixture) != NULL))
            fail_msg("not seen: %s", breaks[i]);
        assert_int_equal(damages, 1);
        assert_false(try_create(fixture, identity_path(NULL), "{\"name\":\"next\"}"));
        assert_int_equal(fixture->err.code, RELY_ERR_DAMAGED);
        assert_non_null(strstr(fixture->err.message, "writes have stopped: "));
        err = (struct rely_err){0};
        assert_false(rely_registry_begin(fixture->registry, &err));
        assert_int_equal(err.code, RELY_ERR_DAMAGED);
        assert_int_equal(damages, 1);
    }
}

/* What no edition reads is judged when it is shown. */
static void test_b22_shows_no_damaged_row(void **state)
{
    static const char *const breaks[] = {
        "UPDATE issuer SET key_source = 9",
        "UPDATE issuer SET key_source = 2",
        "UPDATE issuer SET key_source = 3; INSERT INTO key_set VALUES (1, '{\"keys\":', NULL, 0)",
        "DROP TRIGGER identity_groups_update; UPDATE identity SET groups = 'g'",
        "DROP TRIGGER identity_extra_update; UPDATE identity SET extra = 'no-tabulator' || char(10)",
        "DROP TRIGGER credential_audiences_update; UPDATE credential SET audiences = 'x'",
    };
    for (size_t i = 0; i < sizeof breaks / sizeof breaks[0]; i++) {
        struct rely_object_page page = {.after = RELY_LIT(""), .limit = 100};
        struct rely_err err = {0};
        assert_int_equal(drop_fixture(state), 0);
        assert_int_equal(make_fixture(state), 0);
        struct fixture *fixture = *state;
        put_objects(fixture);
        break_row(fixture, breaks[i]);
        struct rely_object_path path = i < 3   ? issuer_path(NULL)
                                       : i < 5 ? identity_path(NULL)
                                               : credential_path("web", NULL);
        assert_false(rely_registry_list(fixture->registry, &path, &page, &err));
        assert_int_equal(err.code, RELY_ERR_DAMAGED);
        assert_null(read_object(fixture, i < 3   ? issuer_path("cluster")
                                         : i < 5 ? identity_path("web")
                                                 : credential_path("web", "cred-0")));
        assert_false(try_delete(fixture, identity_path("web"), NULL, true));
        assert_int_equal(fixture->err.code, RELY_ERR_DAMAGED);
    }
}

/* An uploaded set that is no JSON any more is found when the record that had it is written to the log. */
static void test_b22_replaces_no_damaged_row(void **state)
{
    struct fixture *fixture = *state;
    put_objects(fixture);
    break_row(fixture, "UPDATE issuer SET key_source = 3; INSERT INTO key_set VALUES (1, '{\"keys\":', NULL, 0)");
    assert_false(try_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"https://issuer.example/a\"}", NULL));
    assert_int_equal(fixture->err.code, RELY_ERR_DAMAGED);
    assert_int_equal(count_rows(fixture, "SELECT key_source FROM issuer WHERE id = 1"), 3);
}

static void test_b11_undoes_a_batch_in_which_damage_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    put_objects(fixture);
    uint64_t revision = rely_registry_revision(fixture->registry);
    break_row(fixture, "UPDATE issuer SET description = CAST(x'ff' AS TEXT)");
    assert_true(rely_registry_begin(fixture->registry, &err));
    must_create(fixture, identity_path(NULL), "{\"name\":\"next\"}");
    assert_false(try_replace(fixture, issuer_path("cluster"), "{\"issuer\":\"https://issuer.example/a\"}", NULL));
    assert_int_equal(fixture->err.code, RELY_ERR_DAMAGED);
    assert_string_equal(fixture->result.code, "");
    assert_false(rely_registry_commit(fixture->registry, &err));
    assert_int_equal(err.code, RELY_ERR_DAMAGED);
    assert_int_equal(rely_registry_revision(fixture->registry), revision);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM identity"), 1);
}

static void test_b22_says_what_it_looked_at(void **state)
{
    struct fixture *fixture = *state;
    const struct rely_store_opening *opening = rely_registry_opening(fixture->registry);
    assert_true(opening->is_new);
    assert_null(opening->inspected);
    put_objects(fixture);
    reopen_registry(fixture);
    opening = rely_registry_opening(fixture->registry);
    assert_false(opening->is_new);
    assert_string_equal(opening->inspected, "every page, row and index");
    assert_int_equal(run_sql(fixture, "UPDATE issuer SET key_source = 3;"
                                      "INSERT INTO key_set VALUES (1, hex(zeroblob(3000000)), NULL, 0)"),
                     SQLITE_OK);
    reopen_registry(fixture);
    assert_string_equal(rely_registry_opening(fixture->registry)->inspected, "every page and row");
}

static void set_root_page(struct fixture *fixture, const char *index, int64_t page)
{
    char *sql = format_body("PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = %d WHERE name = '%s';"
                            " PRAGMA writable_schema = RESET",
                            (int)page, index);
    assert_int_equal(run_sql(fixture, sql), SQLITE_OK);
    free(sql);
}

static int64_t read_root_page(struct fixture *fixture, const char *index)
{
    char *sql = format_body("SELECT rootpage FROM sqlite_schema WHERE name = '%s'", index);
    int64_t page = count_rows(fixture, sql);
    free(sql);
    return page;
}

/* The index says nothing of a row any more: as after a page that was lost. */
static void refuse_opening_without(struct fixture *fixture, const char *index)
{
    struct rely_err err = {0};
    int64_t page = read_root_page(fixture, index);
    char *message = format_body("(see DAMAGE in relyd(8)): the database is damaged: %s is not complete", index);
    rely_registry_close(fixture->registry);
    set_root_page(fixture, index, read_root_page(fixture, "empty_index"));
    fixture->registry = rely_registry_open(&fixture->options, &err);
    if (fixture->registry != NULL)
        fail_msg("%s is not looked at", index);
    assert_int_equal(err.code, RELY_ERR_DAMAGED);
    assert_non_null(strstr(err.message, message));
    set_root_page(fixture, index, page);
    free(message);
}

/* A registry that is too large to be looked at whole at a start: its indexes are counted. */
static void test_b22_counts_the_indexes_of_a_large_one(void **state)
{
    static const char *const indexes[] = {"sqlite_autoindex_route_1",
                                          "sqlite_autoindex_revocation_1",
                                          "sqlite_autoindex_issuer_group_1",
                                          "sqlite_autoindex_issuer_group_member_1",
                                          "sqlite_autoindex_issuer_group_member_2",
                                          "issuer_group_member_issuer_id",
                                          "sqlite_autoindex_issuer_1",
                                          "issuer_url",
                                          "sqlite_autoindex_identity_1",
                                          "sqlite_autoindex_identity_2",
                                          "sqlite_autoindex_credential_1",
                                          "sqlite_autoindex_credential_2",
                                          "credential_subject",
                                          "credential_subject_nocase"};
    struct fixture *fixture = *state;
    put_objects(fixture);
    must_create(fixture, group_path(NULL), "{\"name\":\"prod\",\"issuers\":[\"cluster\"]}");
    must_create(fixture, (struct rely_object_path){.object = RELY_OBJECT_ROUTE},
                "{\"name\":\"shop\",\"audiences\":[\"x\"]}");
    must_create(fixture, (struct rely_object_path){.object = RELY_OBJECT_REVOCATION},
                "{\"jti\":\"1\",\"reason\":\"leaked\"}");
    assert_int_equal(run_sql(fixture,
                             "CREATE TABLE ballast (x TEXT) STRICT; WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL"
                             " SELECT i + 1 FROM n WHERE i < 70) INSERT INTO ballast SELECT"
                             " hex(zeroblob(500000)) FROM n"),
                     SQLITE_OK);
    reopen_registry(fixture);
    assert_string_equal(rely_registry_opening(fixture->registry)->inspected, "every index");
    assert_hardened(fixture);
    assert_int_equal(run_sql(fixture, "CREATE TABLE empty (a, b); CREATE INDEX empty_index ON empty (a, b)"),
                     SQLITE_OK);
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++)
        refuse_opening_without(fixture, indexes[i]);
    reopen_registry(fixture);
}

/* A row that names one that is gone: as after a hand's DELETE. */
static void test_b22_opens_nothing_with_a_loose_reference(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    put_objects(fixture);
    rely_registry_close(fixture->registry);
    fixture->registry = NULL;
    break_row(fixture, "DELETE FROM issuer");
    assert_null(rely_registry_open(&fixture->options, &err));
    assert_int_equal(err.code, RELY_ERR_DAMAGED);
    assert_non_null(strstr(err.message, "(see DAMAGE in relyd(8)): the database is damaged: credential"));
}

/* Of middle size: every page is looked at, also of what nobody reads at a start. */
static void test_b22_looks_at_every_page_of_a_middling_one(void **state)
{
    struct fixture *fixture = *state;
    struct rely_err err = {0};
    put_objects(fixture);
    assert_int_equal(run_sql(fixture, "CREATE TABLE ballast (x TEXT) STRICT;"
                                      "INSERT INTO ballast VALUES (hex(zeroblob(2500000))), ('leaf')"),
                     SQLITE_OK);
    reopen_registry(fixture);
    assert_string_equal(rely_registry_opening(fixture->registry)->inspected, "every page and row");
    assert_hardened(fixture);
    int64_t page = count_rows(fixture, "SELECT rootpage FROM sqlite_schema WHERE name = 'ballast'");
    close_files(fixture);
    FILE *file = fopen(fixture->path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)((page - 1) * PAGE), SEEK_SET), 0);
    assert_int_equal(fputc(0x55, file), 0x55);
    fclose(file);
    assert_null(rely_registry_open(&fixture->options, &err));
    assert_int_equal(err.code, RELY_ERR_DAMAGED);
}

/* A page that was lost and written for another index while relyd runs. */
static void test_b22_shows_nothing_else_than_what_was_asked_for(void **state)
{
    struct fixture *fixture = *state;
    put_objects(fixture);
    must_create(fixture, identity_path(NULL), "{\"name\":\"other\"}");
    assert_int_equal(run_sql(fixture, "CREATE TABLE crossed (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
                                      "INSERT INTO crossed SELECT 3 - id, name FROM identity"),
                     SQLITE_OK);
    must_create(fixture, credential_path("other", NULL),
                "{\"name\":\"rule\",\"issuerName\":\"cluster\",\"subject\":\"s\",\"audiences\":[\"x\"]}");
    assert_int_equal(run_sql(fixture,
                             "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM"
                             " sqlite_schema WHERE name = 'sqlite_autoindex_crossed_1') WHERE name ="
                             " 'sqlite_autoindex_identity_1'; PRAGMA schema_version = 99"),
                     SQLITE_OK);
    const struct rely_object_path paths[] = {identity_path("web"), credential_path("web", "rule")};
    for (size_t i = 0; i < 2; i++) {
        struct rely_json *object = NULL;
        struct rely_err err = {0};
        char etag[32];
        assert_false(rely_registry_read(fixture->registry, &paths[i], &object, etag, &err));
        assert_int_equal(err.code, RELY_ERR_DAMAGED);
        assert_non_null(strstr(err.message, "it leads to another identity than web"));
    }
    assert_false(try_delete(fixture, paths[1], NULL, true));
    assert_int_equal(fixture->err.code, RELY_ERR_DAMAGED);
}

int run_damage_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_b22_opens_no_damaged_database),
        A_TEST(test_b22_says_what_it_looked_at),
        A_TEST(test_b22_counts_the_indexes_of_a_large_one),
        A_TEST(test_b22_opens_nothing_with_a_loose_reference),
        A_TEST(test_b22_looks_at_every_page_of_a_middling_one),
        A_TEST(test_b22_shows_nothing_else_than_what_was_asked_for),
        A_TEST(test_b22_shows_no_damaged_row),
        A_TEST(test_b22_replaces_no_damaged_row),
        A_TEST(test_b11_survives_every_failed_read),
        A_TEST(test_b11_survives_every_failed_write),
        A_TEST(test_b11_refuses_what_is_stored_otherwise),
        A_TEST(test_b11_refuses_keys_that_are_stored_otherwise),
        A_TEST(test_b11_notices_what_is_not_deleted),
        A_TEST(test_b11_stops_writing_at_a_damaged_row),
        A_TEST(test_b11_undoes_a_batch_in_which_damage_is_found),
    };
    return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
