/*
 * Brings a database to this program's schema: in one transaction, so that a crash in the middle leaves the old one.
 * Decides which database is ours and what it lacks; what the schema says, schema.c does. Called by open.c.
 */
#include "inside.h"
#include <stdio.h>
#include <stdlib.h>

/* "RELY": a file with another number is somebody else's database, and is not touched. */
#define APPLICATION_ID 0x52454C59
#define FIRST_VERSION_PRINTED 3

/* A database on its way: what it has, and what it is to have. */
struct carrying {
    struct rely_sql *sql;
    int64_t version; /* of the database */
    struct rely_schema schema;
    const char *additions[RELY_COLUMNS_MAX]; /* ALTER TABLE, and what old rows have there */
    size_t addition_count;
};

/* --- earlier versions ------------------------------------------------------------------------------------------- */

/* Texts of versions 1 and 2, which were written by hand, as FNV-1a. The text of a table is put in the place of the old
 * one, and what somebody else has changed is not guessed at. */
static const struct {
    const char *table;
    uint64_t version_1, version_2;
} earlier[] = {
    {"setting", 0x020fdb4af029aee1, 0x020fdb4af029aee1},    {"issuer", 0x549d0dcaf221dae7, 0x167a1f601fc58818},
    {"key_set", 0x86c2c8358ce2e135, 0x36c0f785c05b07f9},    {"identity", 0xdf84722c79666e05, 0xdf84722c79666e05},
    {"credential", 0x72195d06f4fcdcc2, 0x72195d06f4fcdcc2}, {"change_log", 0x94434b5eeb6f2ae9, 0xa66eb8b37bca7339},
};

static uint64_t digest_text(struct rely_slice text)
{
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (uint8_t)text.ptr[i]) * 0x100000001b3;
    return hash;
}

static bool check_earlier_table(struct rely_sql *sql, size_t index, int64_t version, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(sql, "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "t", rely_slice_of(earlier[index].table));
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step == RELY_SQL_FAULT)
        return false;
    uint64_t expected = version == 1 ? earlier[index].version_1 : earlier[index].version_2;
    return (step == RELY_SQL_ROW && digest_text(rely_sql_text(stmt->raw, 0)) == expected) ||
           rely_err_set(err, RELY_ERR_INVALID, "table %s is not as an earlier relyd made it", earlier[index].table);
}

static bool check_earlier(struct rely_sql *sql, int64_t version, struct rely_err *err)
{
    if (version == 0 || version >= FIRST_VERSION_PRINTED)
        return true;
    for (size_t i = 0; i < sizeof earlier / sizeof earlier[0]; i++)
        if (!check_earlier_table(sql, i, version, err))
            return false;
    return true;
}

/* --- what a database has and lacks ------------------------------------------------------------------------------ */

static bool read_columns(struct carrying *carrying, const struct rely_kind *kind, struct rely_columns *columns,
                         struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(carrying->sql, "SELECT name, dflt_value FROM pragma_table_info(?1)", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "t", rely_slice_of(kind->table));
    enum rely_sql_step step;
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW) {
        struct rely_pool *pool = &carrying->schema.texts;
        const char *name = rely_pool_copy(pool, rely_sql_text(stmt->raw, 0)).ptr;
        if (!rely_schema_knows(kind, name) || columns->count == RELY_COLUMNS_MAX)
            return rely_err_set(err, RELY_ERR_INVALID,
                                "its table %s has a column %s, which this relyd does not know: a newer relyd has "
                                "written it; start that one, or put back the copy made before the upgrade",
                                kind->table, name);
        columns->items[columns->count++] =
            (struct rely_column){.name = name, .value = rely_pool_copy(pool, rely_sql_text(stmt->raw, 1)).ptr};
    }
    return step == RELY_SQL_DONE;
}

static void plan_statement(struct carrying *carrying, const char *statement)
{
    RELY_ASSERT(carrying->addition_count < RELY_COLUMNS_MAX);
    carrying->additions[carrying->addition_count++] = statement;
}

static bool plan_kind(struct carrying *carrying, const struct rely_kind *kind, struct rely_err *err)
{
    struct rely_columns columns = {.count = 0};
    if (!read_columns(carrying, kind, &columns, err))
        return false;
    size_t found = columns.count;
    rely_schema_complete(kind, &columns, &carrying->schema.texts);
    for (size_t i = found; i < columns.count && found > 0; i++) {
        const char *fill = rely_schema_fill_old_rows(kind, columns.items[i].name);
        plan_statement(carrying, rely_schema_add_column(kind, &columns.items[i], &carrying->schema.texts));
        if (fill != NULL)
            plan_statement(carrying, fill);
    }
    rely_schema_add_kind(&carrying->schema, kind, &columns);
    return true;
}

static bool plan(struct carrying *carrying, struct rely_err *err)
{
    const struct rely_kind *kind;
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++)
        if (!plan_kind(carrying, kind, err))
            return false;
    rely_schema_add_others(&carrying->schema);
    return true;
}

enum found { FOUND_FAULT = 0, FOUND_NOT, FOUND_OTHER, FOUND_SAME };

static enum found find_schema_item(struct rely_sql *sql, const struct rely_schema_item *item, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(sql, "SELECT sql IS ?3 FROM sqlite_schema WHERE type = ?1 AND name = ?2", err);
    if (stmt == NULL)
        return FOUND_FAULT;
    rely_sql_bind(stmt, "ttt", rely_slice_of(item->type), rely_slice_of(item->name), rely_slice_of(item->text));
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step != RELY_SQL_ROW)
        return step == RELY_SQL_DONE ? FOUND_NOT : FOUND_FAULT;
    return sqlite3_column_int(stmt->raw, 0) != 0 ? FOUND_SAME : FOUND_OTHER;
}

/* Out: *is_as_printed. False only on a fault. */
static bool compare_items(const struct carrying *carrying, bool *is_as_printed, struct rely_err *err)
{
    *is_as_printed = carrying->addition_count == 0;
    for (size_t i = 0; i < carrying->schema.count && *is_as_printed; i++) {
        enum found found = find_schema_item(carrying->sql, &carrying->schema.items[i], err);
        if (found == FOUND_FAULT)
            return false;
        *is_as_printed = found == FOUND_SAME;
    }
    return true;
}

/* --- carrying over ------------------------------------------------------------------------------------------------ */

/*
 * A CHECK is text in sqlite_schema and nothing in the rows, so that it may be changed there (sqlite.org/lang_altertable
 * section 7 describes it for this case): no row is copied, so that none can be lost, and a registry of any size is
 * carried over at once.
 */
static bool edit_table(struct rely_sql *sql, const struct rely_schema_item *item, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(sql, "UPDATE sqlite_schema SET sql = ?2 WHERE type = 'table' AND name = ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "tt", rely_slice_of(item->name), rely_slice_of(item->text));
    return rely_sql_run(stmt, err);
}

/* The next number of the schema, so that every other connection reads it anew; then this one does. */
static bool take_up_edits(struct rely_sql *sql, struct rely_err *err)
{
    char text[96];
    int64_t cookie = 0;
    if (!rely_sql_integer(sql, "PRAGMA schema_version", &cookie, err))
        return false;
    snprintf(text, sizeof text, "PRAGMA schema_version = %lld; PRAGMA writable_schema = RESET", (long long)cookie + 1);
    return rely_sql_exec(sql, text, err);
}

/* Is it the table of a kind that the database's version did not know? A new database knows none. */
static bool is_brought(const struct carrying *carrying, const char *table)
{
    const struct rely_kind *kind;
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++)
        if (strcmp(kind->table, table) == 0 && carrying->version < kind->since)
            return true;
    return carrying->version == 0;
}

/* Make a table that an earlier version did not have, and give one that is there its text. A table that is gone is damage:
 * made anew, empty, it would give row ids a second time. */
static bool bring_table(const struct carrying *carrying, const struct rely_schema_item *item, struct rely_err *err)
{
    struct rely_sql *sql = carrying->sql;
    switch (find_schema_item(sql, item, err)) {
    case FOUND_NOT:
        return is_brought(carrying, item->name) ? rely_sql_exec(sql, item->text, err)
                                                : rely_sql_damaged(sql, err, "its table %s is missing", item->name);
    case FOUND_OTHER:
        return rely_sql_exec(sql, "PRAGMA writable_schema = ON", err) && edit_table(sql, item, err);
    case FOUND_SAME:
        return true;
    case FOUND_FAULT:
        break;
    }
    return false;
}

/* An index or a trigger: what has its name and another text goes before. */
static bool bring_item(const struct carrying *carrying, const struct rely_schema_item *item, struct rely_err *err)
{
    struct rely_sql *sql = carrying->sql;
    char drop[160];
    enum found found = find_schema_item(sql, item, err);
    snprintf(drop, sizeof drop, "DROP %s %s", item->type, item->name);
    if (found == FOUND_FAULT || (found == FOUND_OTHER && !rely_sql_exec(sql, drop, err)))
        return false;
    return found == FOUND_SAME || rely_sql_exec(sql, item->text, err);
}

static bool bring_items(const struct carrying *carrying, bool are_tables,
                        RELY_MUST_USE bool (*bring)(const struct carrying *, const struct rely_schema_item *,
                                                    struct rely_err *),
                        struct rely_err *err)
{
    for (size_t i = 0; i < carrying->schema.count; i++) {
        const struct rely_schema_item *item = &carrying->schema.items[i];
        if ((strcmp(item->type, "table") == 0) == are_tables && !bring(carrying, item, err))
            return false;
    }
    return true;
}

static bool add_columns(const struct carrying *carrying, struct rely_err *err)
{
    for (size_t i = 0; i < carrying->addition_count; i++)
        if (!rely_sql_exec(carrying->sql, carrying->additions[i], err))
            return false;
    return true;
}

static bool make_built_in(struct carrying *carrying, struct rely_err *err)
{
    const struct rely_kind *kind;
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++)
        if (kind->built_in != NULL && is_brought(carrying, kind->table) &&
            !rely_sql_exec(carrying->sql, rely_schema_insert_built_in(kind, &carrying->schema.texts), err))
            return false;
    return true;
}

static bool carry_over(struct carrying *carrying, struct rely_err *err)
{
    char stamp[128];
    struct rely_sql *sql = carrying->sql;
    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
             RELY_SCHEMA_VERSION);
    return add_columns(carrying, err) && bring_items(carrying, true, bring_table, err) && take_up_edits(sql, err) &&
           bring_items(carrying, false, bring_item, err) && make_built_in(carrying, err) &&
           rely_sql_exec(sql, stamp, err);
}

/* Editing needs what DEFENSIVE forbids, on this connection and for this moment. */
static bool allow_editing(struct rely_sql *sql, bool may_edit, struct rely_err *err)
{
    return sqlite3_db_config(sql->db, SQLITE_DBCONFIG_DEFENSIVE, may_edit ? 0 : 1, (int *)NULL) == SQLITE_OK ||
           rely_sql_fault(sql, err);
}

static bool migrate(struct carrying *carrying, struct rely_err *err)
{
    struct rely_sql *sql = carrying->sql;
    struct rely_err unused = {0};
    bool is_done = allow_editing(sql, true, err) && rely_sql_exec(sql, "BEGIN EXCLUSIVE", err) &&
                   check_earlier(sql, carrying->version, err) && carry_over(carrying, err);
    if (!is_done) {
        rely_sql_roll_back(sql);
        rely_drop(rely_sql_exec(sql, "PRAGMA writable_schema = RESET", &unused)); /* it is closed next */
        rely_err_prefix(err, "migration to schema version %d", RELY_SCHEMA_VERSION);
    }
    return allow_editing(sql, false, is_done ? err : &unused) && is_done;
}

/* --- the two questions at opening -----------------------------------------------------------------------------------
 */

bool rely_schema_check_owner(struct rely_sql *sql, bool *is_new, struct rely_err *err)
{
    int64_t id = 0, objects = 0;
    if (!rely_sql_integer(sql, "PRAGMA application_id", &id, err) ||
        !rely_sql_integer(sql, "SELECT count(*) FROM sqlite_schema", &objects, err))
        return false;
    *is_new = objects == 0;
    if (id == APPLICATION_ID || (id == 0 && *is_new))
        return true;
    return rely_err_set(err, RELY_ERR_INVALID, "this is another program's SQLite database (application_id %lld)",
                        (long long)id);
}

/* What is made is stamped in the same transaction: tables without a version are a hand's. Taken for a new database, one
 * that has lost a table would get it anew, empty. */
static bool check_stamp(struct rely_sql *sql, int64_t version, struct rely_err *err)
{
    int64_t objects = 0;
    if (version != 0)
        return true;
    if (!rely_sql_integer(sql, "SELECT count(*) FROM sqlite_schema", &objects, err))
        return false;
    return objects == 0 ||
           rely_err_set(err, RELY_ERR_INVALID,
                        "it has tables, and no schema version, which no relyd leaves behind: put back a copy");
}

static bool compare_and_migrate(struct carrying *carrying, bool *is_changed, struct rely_err *err)
{
    bool is_as_printed = false;
    if (!plan(carrying, err) || !compare_items(carrying, &is_as_printed, err))
        return false;
    *is_changed = !is_as_printed || carrying->version != RELY_SCHEMA_VERSION;
    return !*is_changed || migrate(carrying, err);
}

bool rely_schema_migrate(struct rely_sql *sql, int64_t *from, bool *is_changed, struct rely_err *err)
{
    int64_t version = 0;
    if (!rely_sql_integer(sql, "PRAGMA user_version", &version, err))
        return false;
    *from = version;
    if (version < 0 || version > RELY_SCHEMA_VERSION)
        return rely_err_set(err, RELY_ERR_INVALID,
                            "its schema has version %lld, and this relyd knows versions up to %d: a newer relyd has "
                            "written it; start that one, or put back the copy made before the upgrade",
                            (long long)version, RELY_SCHEMA_VERSION);
    if (!check_stamp(sql, version, err))
        return false;
    struct carrying *carrying = rely_alloc(sizeof *carrying);
    carrying->sql = sql;
    carrying->version = version;
    rely_pool_init(&carrying->schema.texts);
    bool is_done = compare_and_migrate(carrying, is_changed, err);
    rely_pool_fini(&carrying->schema.texts);
    free(carrying);
    return is_done;
}
