/*
 * Fixture of the registry's tests. See fixture.h.
 */
#include "fixture.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1700000000

static bool refuse_bad_jwks(void *context, const struct rely_registry_keys *keys, struct rely_err *err)
{
    (void)context;
    if (memmem(keys->jwks.ptr, keys->jwks.len, "unusable", 8) == NULL)
        return true;
    return rely_err_set(err, RELY_ERR_INVALID, "no usable key");
}

int make_fixture(void **state)
{
    struct fixture *fixture = rely_alloc(sizeof *fixture);
    snprintf(fixture->folder, sizeof fixture->folder, "/tmp/relyd_registry_XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/relyd.db", fixture->folder);
    fixture->options = (struct rely_registry_options){
        .path = fixture->path, .credentials_per_identity = 20, .jwks_max_bytes = 65536, .check_jwks = refuse_bad_jwks};
    fixture->registry = rely_registry_open(&fixture->options, &fixture->err);
    if (fixture->registry == NULL)
        fail_msg("open: %s", fixture->err.message);
    assert_int_equal(sqlite3_open(fixture->path, &fixture->other), SQLITE_OK);
    sqlite3_extended_result_codes(fixture->other, 1);
    assert_int_equal(sqlite3_exec(fixture->other, "PRAGMA foreign_keys = ON", NULL, NULL, NULL), SQLITE_OK);
    *state = fixture;
    return 0;
}

static void remove_file(const struct fixture *fixture, const char *suffix)
{
    char path[128];
    snprintf(path, sizeof path, "%s%s", fixture->path, suffix);
    unlink(path);
}

int drop_fixture(void **state)
{
    struct fixture *fixture = *state;
    rely_write_result_fini(&fixture->result);
    sqlite3_close(fixture->other);
    rely_registry_close(fixture->registry);
    remove_file(fixture, "");
    remove_file(fixture, "-wal");
    remove_file(fixture, "-shm");
    rmdir(fixture->folder);
    free(fixture);
    return 0;
}

void reopen_registry(struct fixture *fixture)
{
    rely_registry_close(fixture->registry);
    fixture->registry = rely_registry_open(&fixture->options, &fixture->err);
    if (fixture->registry == NULL)
        fail_msg("reopen: %s", fixture->err.message);
}

struct rely_object_path issuer_path(const char *name)
{
    return (struct rely_object_path){.object = RELY_OBJECT_ISSUER, .name = rely_slice_of(name)};
}

struct rely_object_path identity_path(const char *name)
{
    return (struct rely_object_path){.object = RELY_OBJECT_IDENTITY, .name = rely_slice_of(name)};
}

struct rely_object_path credential_path(const char *identity, const char *name)
{
    return (struct rely_object_path){
        .object = RELY_OBJECT_CREDENTIAL, .parent = rely_slice_of(identity), .name = rely_slice_of(name)};
}

struct rely_object_path group_path(const char *name)
{
    return (struct rely_object_path){.object = RELY_OBJECT_ISSUER_GROUP,
                                     .name = name == NULL ? (struct rely_slice){0} : rely_slice_of(name)};
}

static struct rely_writer begin_write(struct fixture *fixture, const char *if_match)
{
    rely_write_result_fini(&fixture->result);
    fixture->err = (struct rely_err){0};
    struct rely_writer writer = fixture->as;
    writer.actor = RELY_LIT("uid:0");
    writer.now_s = NOW;
    writer.if_match = rely_slice_of(if_match);
    return writer;
}

static struct rely_json *parse_body(const char *body)
{
    struct rely_err err = {0};
    struct rely_json *value = rely_json_parse(rely_slice_of(body), &err);
    if (value == NULL)
        fail_msg("test body: %s: %s", err.message, body);
    return value;
}

bool try_create(struct fixture *fixture, struct rely_object_path path, const char *body)
{
    RELY_JSON_OWNED struct rely_json *value = parse_body(body);
    const struct rely_write write = {.path = path, .body = value, .writer = begin_write(fixture, NULL)};
    return rely_registry_create(fixture->registry, &write, &fixture->result, &fixture->err);
}

bool try_replace(struct fixture *fixture, struct rely_object_path path, const char *body, const char *if_match)
{
    RELY_JSON_OWNED struct rely_json *value = parse_body(body);
    const struct rely_write write = {.path = path, .body = value, .writer = begin_write(fixture, if_match)};
    return rely_registry_replace(fixture->registry, &write, &fixture->result, &fixture->err);
}

bool try_delete(struct fixture *fixture, struct rely_object_path path, const char *if_match, bool may_cascade)
{
    struct rely_writer writer = begin_write(fixture, if_match);
    writer.may_cascade = may_cascade;
    return rely_registry_delete(fixture->registry, &path, &writer, &fixture->result, &fixture->err);
}

bool try_member(struct fixture *fixture, const char *group, const char *issuer, bool is_join)
{
    const struct rely_object_path path = {
        .object = RELY_OBJECT_ISSUER_GROUP_MEMBER, .parent = rely_slice_of(group), .name = rely_slice_of(issuer)};
    struct rely_writer writer = begin_write(fixture, NULL);
    writer.if_match = fixture->as.if_match;
    return (is_join ? rely_registry_join_group : rely_registry_leave_group)(fixture->registry, &path, &writer,
                                                                            &fixture->result, &fixture->err);
}

static void report_refusal(const struct fixture *fixture, const char *body)
{
    for (size_t i = 0; i < fixture->result.problems.count && i < RELY_PROBLEMS_MAX; i++)
        print_error("  %s: %s: %s\n", fixture->result.problems.items[i].field, fixture->result.problems.items[i].code,
                    fixture->result.problems.items[i].message);
    fail_msg("%s: %s (%.200s)", fixture->result.code, fixture->err.message, body);
}

/* The record that is looked for among all that are stored. */
struct stored_record {
    const struct rely_change *change;
    int count;
};

static void compare_with_stored(const union rely_any_record *stored, void *context)
{
    struct stored_record *looked_for = context;
    const struct rely_kind *kind = rely_kind_of(looked_for->change->object);
    const struct rely_record *head = looked_for->change->record;
    if (stored->record.id != looked_for->change->id)
        return;
    looked_for->count++;
    if (head == NULL)
        return;
    assert_int_equal(stored->record.revision, head->revision);
    assert_int_equal(stored->record.parent_id, head->parent_id);
    for (size_t i = 0; i < kind->field_count; i++)
        if ((kind->fields[i].flags & RELY_FIELD_REVIEWED) != 0 && kind->fields[i].column != NULL &&
            !rely_field_equal(&kind->fields[i], stored, head))
            fail_msg("%s of the change is not what is stored", kind->fields[i].column);
}

/* What goes into the next edition is what a restart would find. */
static void assert_changes_are_stored(struct fixture *fixture)
{
    struct rely_err err = {0};
    for (size_t i = 0; i < fixture->result.changes.count; i++) {
        struct stored_record looked_for = {.change = &fixture->result.changes.items[i]};
        if (!rely_registry_each(fixture->registry, looked_for.change->object, compare_with_stored, &looked_for, &err))
            continue; /* a test has damaged another row */
        assert_int_equal(looked_for.count, looked_for.change->record == NULL ? 0 : 1);
    }
}

void must_create(struct fixture *fixture, struct rely_object_path path, const char *body)
{
    if (!try_create(fixture, path, body))
        report_refusal(fixture, body);
    assert_changes_are_stored(fixture);
    assert_true(fixture->result.is_created);
}

void must_replace(struct fixture *fixture, struct rely_object_path path, const char *body)
{
    if (!try_replace(fixture, path, body, NULL))
        report_refusal(fixture, body);
    assert_changes_are_stored(fixture);
}

static void assert_one_problem(const struct fixture *fixture, const char *field, const char *code)
{
    assert_refused(fixture, RELY_ERR_INVALID, "invalid_body");
    assert_string_equal(fixture->result.problems.items[0].field, field);
    assert_string_equal(fixture->result.problems.items[0].code, code);
    assert_int_equal(fixture->result.problems.count, 1);
    assert_true(strlen(fixture->result.problems.items[0].message) > 5);
}

void refuse_create(struct fixture *fixture, struct rely_object_path path, const char *body, const char *field,
                   const char *code)
{
    uint64_t revision = rely_registry_revision(fixture->registry);
    if (try_create(fixture, path, body))
        fail_msg("accepted, not %s %s: %.200s", field, code, body);
    assert_one_problem(fixture, field, code);
    assert_int_equal(rely_registry_revision(fixture->registry), revision);
    assert_int_equal(count_rows(fixture, "SELECT count(*) FROM change_log"), revision);
}

void refuse_replace(struct fixture *fixture, struct rely_object_path path, const char *body, const char *field,
                    const char *code)
{
    uint64_t revision = rely_registry_revision(fixture->registry);
    if (try_replace(fixture, path, body, NULL))
        fail_msg("accepted, not %s %s: %.200s", field, code, body);
    assert_one_problem(fixture, field, code);
    assert_int_equal(rely_registry_revision(fixture->registry), revision);
}

void assert_refused(const struct fixture *fixture, enum rely_err_code code, const char *word)
{
    assert_string_equal(fixture->result.code, word);
    assert_int_equal(fixture->err.code, code);
    assert_null(fixture->result.object);
    assert_int_equal(fixture->result.changes.count, 0);
}

void assert_warning(const struct fixture *fixture, const char *field, const char *code)
{
    const struct rely_problems *warnings = &fixture->result.warnings;
    assert_int_equal(warnings->count, 1);
    assert_string_equal(warnings->items[0].field, field);
    assert_string_equal(warnings->items[0].code, code);
}

char *read_object(struct fixture *fixture, struct rely_object_path path)
{
    struct rely_json *object = NULL;
    struct rely_err err = {0};
    struct rely_buf text = {0};
    char etag[32];
    if (!rely_registry_read(fixture->registry, &path, &object, etag, &err))
        return NULL;
    rely_json_print(object, &text);
    rely_json_free(object);
    return text.ptr;
}

void assert_member(const struct fixture *fixture, const char *member, const char *expected)
{
    struct rely_buf text = {0};
    const struct rely_json *value = rely_json_get(fixture->result.object, member);
    if (value == NULL)
        rely_buf_put(&text, RELY_LIT("absent"));
    else if (rely_json_type(value) == RELY_JSON_OBJECT || rely_json_type(value) == RELY_JSON_ARRAY)
        rely_json_print(value, &text);
    else if (rely_json_type(value) == RELY_JSON_STRING)
        rely_buf_put(&text, rely_json_text(value));
    else if (rely_json_type(value) == RELY_JSON_INTEGER)
        rely_buf_printf(&text, "%lld", (long long)rely_json_integer(value));
    else
        rely_buf_put(&text, rely_json_type(value) == RELY_JSON_NULL ? RELY_LIT("null")
                            : rely_json_true(value)                 ? RELY_LIT("true")
                                                                    : RELY_LIT("false"));
    assert_string_equal(text.ptr, expected);
    rely_buf_fini(&text);
}

char *repeat_text(const char *unit, size_t count)
{
    struct rely_buf text = {0};
    for (size_t i = 0; i < count; i++)
        rely_buf_put(&text, rely_slice_of(unit));
    return text.ptr;
}

char *format_body(const char *format, ...)
{
    char *body = NULL;
    va_list values;
    va_start(values, format);
    assert_true(vasprintf(&body, format, values) >= 0);
    va_end(values);
    return body;
}

int64_t count_rows(struct fixture *fixture, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(fixture->other, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return value;
}

int run_sql(struct fixture *fixture, const char *sql)
{
    sqlite3_exec(fixture->other, sql, NULL, NULL, NULL);
    return sqlite3_extended_errcode(fixture->other);
}

/* The quotas' triggers count all rows for each, and SQLite's own few pages of cache would be written and read again. */
void fill_table(struct fixture *fixture, const char *sql)
{
    assert_int_equal(run_sql(fixture, "PRAGMA cache_size = -262144; PRAGMA temp_store = MEMORY"), SQLITE_OK);
    assert_int_equal(sqlite3_db_config(fixture->other, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL), SQLITE_OK);
    assert_int_equal(run_sql(fixture, sql), SQLITE_OK);
    assert_int_equal(sqlite3_db_config(fixture->other, SQLITE_DBCONFIG_ENABLE_TRIGGER, 1, NULL), SQLITE_OK);
}

int long_run_pace(int otherwise)
{
    const char *text = getenv("RELYD_TEST_LONG");
    return text != NULL && strcmp(text, "1") == 0 ? 1 : otherwise;
}

void make_issuer_and_identity(struct fixture *fixture)
{
    must_create(fixture, issuer_path(NULL), "{\"name\":\"cluster\",\"issuer\":\"https://issuer.example/a\"}");
    must_create(fixture, identity_path(NULL), "{\"name\":\"web\"}");
}
