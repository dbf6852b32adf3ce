/*
 * Identities in the database: how a row is shown, saved and visited. Decides nothing about a body (identity_body.c).
 * Called by write.c, read.c and the snapshot builder.
 */
#include "relyd/text.h"
#include "reserved.h"
#include "rows.h"
#include "store.h"
#include <stdio.h>
#include <stdlib.h>

#define SHOWN_IDENTITY                                                                                                 \
    "SELECT o.id, o.revision, o.name, o.uid, o.username, o.is_username_subject, o.groups, o.extra, o.is_enabled,"      \
    " o.description, o.created_at, o.updated_at FROM identity o"

/* Lines of key, tabulator, value; those of one key stand together. */
static bool take_extra_line(struct rely_slice *lines, struct rely_slice *key, struct rely_slice *value)
{
    struct rely_slice line;
    if (!rely_lines_next(lines, &line))
        return false;
    const char *tab = memchr(line.ptr, '\t', line.len);
    if (tab == NULL)
        return false;
    *key = rely_slice(line.ptr, (size_t)(tab - line.ptr));
    *value = rely_slice(tab + 1, line.len - key->len - 1);
    return true;
}

static bool is_extra_whole(struct rely_slice lines)
{
    struct rely_slice key, value, before = lines;
    while (take_extra_line(&lines, &key, &value)) {
        if (key.len == 0)
            return false;
        before = lines;
    }
    return lines.ptr != NULL && before.len == 0;
}

static void show_extra(sqlite3_stmt *row, int column, struct rely_json *object)
{
    struct rely_slice lines = rely_sql_text(row, column), key, value;
    struct rely_json *extra = rely_json_object();
    while (take_extra_line(&lines, &key, &value)) {
        char name[256];
        snprintf(name, sizeof name, "%.*s", RELY_ARG(key));
        if (rely_json_get(extra, name) == NULL)
            rely_json_set(extra, name, rely_json_array());
        rely_json_append(rely_json_get(extra, name), rely_json_of_text(value));
    }
    rely_json_set(object, "extra", extra);
}

static struct rely_json *show_identity_row(sqlite3_stmt *row)
{
    if (!rely_lines_are_whole(rely_sql_text(row, 6), 0, RELY_GROUPS_PER_IDENTITY_MAX) ||
        !is_extra_whole(rely_sql_text(row, 7)))
        return NULL;
    struct rely_json *object = rely_json_object();
    rely_row_show_text(row, 2, object, "name");
    rely_row_show_text(row, 3, object, "uid");
    if (sqlite3_column_int(row, 5) != 0)
        rely_json_set(object, "usernameFrom", rely_json_of_text(RELY_LIT("subject")));
    else
        rely_row_show_text(row, 4, object, "username");
    rely_row_show_lines(row, 6, object, "groups");
    show_extra(row, 7, object);
    rely_row_show_text(row, 9, object, "description");
    rely_json_set(object, "enabled", rely_json_of_bool(sqlite3_column_int(row, 8) != 0));
    rely_row_show_time(row, 10, object, "createdAt");
    rely_row_show_time(row, 11, object, "updatedAt");
    return object;
}

static bool store_identity(struct rely_write *write, const struct rely_identity_record *record, struct rely_err *err)
{
    static const char insert[] = "INSERT INTO identity (name, username, is_username_subject, groups, extra, is_enabled,"
                                 " description, created_at, updated_at, uid)"
                                 " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)";
    /* The last condition keeps ?1 to ?9 the same for both. */
    static const char update[] = "UPDATE identity SET username = ?2, is_username_subject = ?3, groups = ?4, extra = ?5,"
                                 " is_enabled = ?6, description = ?7 WHERE name = ?1 AND ?8 IS NOT ?9";
    char uid[RELY_UUID_SIZE];
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&write->registry->sql, write->id == 0 ? insert : update, err);
    if (stmt == NULL)
        return false;
    rely_uuid_new(uid);
    rely_sql_bind(stmt, "ttittitit", write->name, record->username, (int64_t)record->is_username_subject,
                  rely_buf_slice(&record->groups), rely_buf_slice(&record->extra), (int64_t)record->is_enabled,
                  record->description, write->writer->now_s, rely_slice_of(uid));
    if (!rely_sql_run(stmt, err))
        return false;
    if (write->id == 0)
        write->id = sqlite3_last_insert_rowid(write->registry->sql.db);
    return true;
}

static bool save_identity(struct rely_write *write, struct rely_err *err)
{
    struct rely_identity_record record = {0};
    bool is_saved = rely_identity_record_read(write, &record) && store_identity(write, &record, err);
    rely_identity_record_fini(&record);
    return is_saved;
}

static const struct rely_member identity_members[] = {
    {"name", RELY_MEMBER_PLAIN},          {"uid", RELY_MEMBER_READ_ONLY}, {"username", RELY_MEMBER_PLAIN},
    {"usernameFrom", RELY_MEMBER_PLAIN},  {"groups", RELY_MEMBER_PLAIN},  {"extra", RELY_MEMBER_PLAIN},
    {"description", RELY_MEMBER_PLAIN},   {"enabled", RELY_MEMBER_PLAIN}, {"createdAt", RELY_MEMBER_READ_ONLY},
    {"updatedAt", RELY_MEMBER_READ_ONLY},
};

const struct rely_object_kind rely_identity_kind = {
    .object = RELY_OBJECT_IDENTITY,
    .word = "identity",
    .article_word = "an identity",
    .find_sql = SHOWN_IDENTITY " WHERE o.name = ?1 AND ?2 = 0",
    .page_sql = SHOWN_IDENTITY " WHERE o.name > ?1 AND ?2 = 0 ORDER BY o.name LIMIT ?3",
    .touch_sql = "UPDATE identity SET revision = ?2, updated_at = ?3 WHERE id = ?1",
    .erase_sql = "DELETE FROM identity WHERE id = ?1",
    .members = identity_members,
    .member_count = sizeof identity_members / sizeof identity_members[0],
    .show = show_identity_row,
    .save = save_identity,
};

/* --- rows for the snapshot builder ------------------------------------------------------------------- */

#define IDENTITY_COLUMNS "SELECT id, name, uid, username, is_username_subject, groups, extra, is_enabled FROM identity"

struct identity_parts {
    struct rely_slice groups[RELY_GROUPS_PER_IDENTITY_MAX];
    struct rely_identity_extra extra[RELY_EXTRA_KEYS_MAX];
    struct rely_slice values[RELY_EXTRA_KEYS_MAX][RELY_EXTRA_VALUES_MAX];
};

/* relyd 0.1 took keys of relyd.io: given out beside its own they would be there twice. They are shown, and left out
 * here. */
static size_t collect_extra(struct rely_slice lines, struct identity_parts *parts)
{
    size_t count = 0;
    struct rely_slice key, value;
    while (take_extra_line(&lines, &key, &value)) {
        if (rely_is_relyd_key(key))
            continue;
        if (count == 0 || !rely_slice_equal(parts->extra[count - 1].key, key)) {
            if (count == RELY_EXTRA_KEYS_MAX)
                break;
            parts->extra[count] = (struct rely_identity_extra){.key = key, .values = parts->values[count]};
            count++;
        }
        struct rely_identity_extra *extra = &parts->extra[count - 1];
        if (extra->value_count < RELY_EXTRA_VALUES_MAX)
            parts->values[count - 1][extra->value_count++] = value;
    }
    return count;
}

static bool is_identity_whole(sqlite3_stmt *row)
{
    return rely_row_has_text(row, 1, RELY_NAME_MAX) && rely_row_has_text(row, 2, RELY_UUID_SIZE - 1) &&
           rely_row_has_text(row, 3, RELY_USERNAME_MAX) && rely_row_has_integer(row, 4, 0, 1) &&
           rely_lines_are_whole(rely_sql_text(row, 5), 0, RELY_GROUPS_PER_IDENTITY_MAX) &&
           is_extra_whole(rely_sql_text(row, 6)) && rely_row_has_integer(row, 7, 0, 1);
}

static void visit_identity_row(sqlite3_stmt *row, struct identity_parts *parts,
                               void (*visit)(const struct rely_identity *row, void *context), void *context)
{
    struct rely_identity identity = {
        .id = sqlite3_column_int64(row, 0),
        .name = rely_sql_text(row, 1),
        .uid = rely_sql_text(row, 2),
        .username = rely_sql_text(row, 3),
        .is_username_subject = sqlite3_column_int(row, 4) != 0,
        .groups = parts->groups,
        .group_count = rely_row_lines(rely_sql_text(row, 5), parts->groups, RELY_GROUPS_PER_IDENTITY_MAX),
        .extra = parts->extra,
        .extra_count = collect_extra(rely_sql_text(row, 6), parts),
        .is_enabled = sqlite3_column_int(row, 7) != 0};
    visit(&identity, context);
}

bool rely_registry_each_identity(struct rely_registry *registry, int64_t id,
                                 void (*visit)(const struct rely_identity *row, void *context), void *context,
                                 struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&registry->sql, id == 0 ? IDENTITY_COLUMNS : IDENTITY_COLUMNS " WHERE id = ?1", err);
    if (stmt == NULL)
        return false;
    if (id != 0)
        rely_sql_bind(stmt, "i", id);
    struct identity_parts *parts = rely_alloc(sizeof *parts);
    enum rely_sql_step step;
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW && is_identity_whole(stmt->raw))
        visit_identity_row(stmt->raw, parts, visit, context);
    free(parts);
    if (step == RELY_SQL_ROW)
        return rely_sql_damaged(stmt->sql, err, "the row %lld of identities is damaged",
                                (long long)sqlite3_column_int64(stmt->raw, 0));
    return step == RELY_SQL_DONE;
}
