/*
 * Is a database whole? Looks at it once, before anything is read from it or written to it, as far as its size lets that
 * be quick. Decides whether relyd starts on it. Called by open.c.
 */
#include "store.h"
#include <stdio.h>

/* Up to here every index is compared with its table, row by row: 70 ms a MiB, since it jumps about. */
#define COMPARED_BYTES_MAX ((int64_t)4 * 1024 * 1024)
/* Up to here the change log is looked at, too, which nobody reads while relyd runs: 4 ms a MiB. */
#define LOG_BYTES_MAX ((int64_t)256 * 1024 * 1024)

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

/* The pages of these tables and of their indexes, and the rows' types: 0.8 s for a million credentials. */
static bool check_quickly(struct rely_sql *sql, int64_t size, struct rely_err *err)
{
    static const char *const checks[] = {"PRAGMA quick_check('setting')",    "PRAGMA quick_check('issuer')",
                                         "PRAGMA quick_check('key_set')",    "PRAGMA quick_check('identity')",
                                         "PRAGMA quick_check('credential')", "PRAGMA quick_check('change_log')"};
    size_t count = sizeof checks / sizeof checks[0] - (size > LOG_BYTES_MAX ? 1 : 0);
    for (size_t i = 0; i < count; i++)
        if (!run_check(sql, checks[i], err))
            return false;
    return true;
}

bool rely_registry_inspect(struct rely_sql *sql, const char **how, struct rely_err *err)
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
    } else {
        *how = size <= LOG_BYTES_MAX ? "every page and row" : "every page and row but the change log's";
        is_whole = is_whole && check_quickly(sql, size, err);
    }
    return is_whole && rely_sql_exec(sql, "PRAGMA ignore_check_constraints = OFF", err);
}
