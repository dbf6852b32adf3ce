/*
 * Is a database whole? Looks at it once, before anything is read from it or written to it, as far as its size lets that
 * be quick. Decides whether relyd starts on it. Called by open.c.
 */
#include "inside.h"
#include <stdio.h>

/* Up to here every index is compared with its table, row by row: 70 ms a MiB, since it jumps about. */
#define COMPARED_BYTES_MAX ((int64_t)4 * 1024 * 1024)
/* Up to here every page and the type of every column is looked at: 4 ms a MiB. */
#define LOOKED_AT_BYTES_MAX ((int64_t)64 * 1024 * 1024)

/* The first complaint of one check; "ok" when there is none. */
static bool run_check(struct rely_sql *sql, const char *text, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(sql, text, err);
    if (stmt == NULL)
        return false;
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step == RELY_SQL_DONE) /* PRAGMA foreign_key_check has nothing to say */
        return true;
    if (step == RELY_SQL_FAULT)
        return false;
    struct rely_slice said = rely_sql_text(stmt->raw, 0);
    return rely_slice_equal(said, RELY_LIT("ok")) ||
           rely_sql_damaged(sql, err, "the database is damaged: %.*s", said.len > 160 ? 160 : (int)said.len, said.ptr);
}

/* A table is counted once, and each index that has an entry for every one of its rows; the condition holds for all:
 * without one SQLite would count by whatever index it likes best. The first that lacks some is named. */
#define COUNTED(table, indexes)                                                                                        \
    "WITH whole(n) AS MATERIALIZED (SELECT count(*) FROM " table " NOT INDEXED) SELECT CASE" indexes                   \
    " ELSE 'ok' END FROM whole"
#define HAS_ALL(table, index, condition)                                                                               \
    " WHEN n <> (SELECT count(*) FROM " table " INDEXED BY " index " WHERE " condition ") THEN '" index                \
    " is not complete'"

/* Of a column that may be null: each row is of one of both. */
#define HAS_EITHER(table, index, condition, other)                                                                     \
    " WHEN n <> (SELECT count(*) FROM " table " INDEXED BY " index " WHERE " condition ")"                             \
    " + (SELECT count(*) FROM " table " INDEXED BY " index " WHERE " other ") THEN '" index " is not complete'"

/* Counting visits every page of an index. Those of the tables are read in a moment, row by row, and judged; the change
 * log, which may be larger than all else, nobody reads while relyd runs. */
static bool count_indexes(struct rely_sql *sql, struct rely_err *err)
{
    static const char *const counts[] = {
        COUNTED("route", HAS_ALL("route", "sqlite_autoindex_route_1", "name > ''")),
        COUNTED("revocation", HAS_ALL("revocation", "sqlite_autoindex_revocation_1", "name > ''")),
        COUNTED("issuer_group", HAS_ALL("issuer_group", "sqlite_autoindex_issuer_group_1", "name > ''")),
        COUNTED("issuer_group_member",
                HAS_ALL("issuer_group_member", "sqlite_autoindex_issuer_group_member_1", "group_id > 0")
                    HAS_ALL("issuer_group_member", "sqlite_autoindex_issuer_group_member_2", "group_id > 0")
                        HAS_ALL("issuer_group_member", "issuer_group_member_issuer_id", "issuer_id > 0")),
        COUNTED("issuer", HAS_ALL("issuer", "sqlite_autoindex_issuer_1", "name > ''")
                              HAS_EITHER("issuer", "issuer_url", "url > ''", "url IS NULL")),
        COUNTED("identity", HAS_ALL("identity", "sqlite_autoindex_identity_1", "name > ''")
                                HAS_ALL("identity", "sqlite_autoindex_identity_2", "uid > ''")),
        COUNTED("credential",
                HAS_ALL("credential", "sqlite_autoindex_credential_1",
                        "identity_id > 0") HAS_ALL("credential", "sqlite_autoindex_credential_2", "identity_id > 0")
                    HAS_EITHER("credential", "credential_subject", "issuer_id > 0", "issuer_id IS NULL") HAS_EITHER(
                        "credential", "credential_subject_nocase", "subject > '' COLLATE NOCASE", "subject IS NULL"))};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        if (!run_check(sql, counts[i], err))
            return false;
    return true;
}

bool rely_store_inspect(struct rely_sql *sql, const char **how, struct rely_err *err)
{
    int64_t pages = 0, page_size = 0;
    if (!rely_sql_integer(sql, "PRAGMA page_count", &pages, err) ||
        !rely_sql_integer(sql, "PRAGMA page_size", &page_size, err))
        return false;
    int64_t size = pages * page_size;
    /* The CHECKs hold for what was written through them; computing them again would be most of the time. */
    bool is_whole = rely_sql_exec(sql, "PRAGMA ignore_check_constraints = ON", err);
    if (size <= COMPARED_BYTES_MAX) {
        *how = "every page, row and index";
        is_whole = is_whole && run_check(sql, "PRAGMA integrity_check(1)", err) &&
                   run_check(sql, "PRAGMA foreign_key_check", err);
    } else if (size <= LOOKED_AT_BYTES_MAX) {
        *how = "every page and row";
        is_whole = is_whole && run_check(sql, "PRAGMA quick_check(1)", err);
    } else {
        *how = "every index";
        is_whole = is_whole && count_indexes(sql, err);
    }
    return is_whole && rely_sql_exec(sql, "PRAGMA ignore_check_constraints = OFF", err);
}
