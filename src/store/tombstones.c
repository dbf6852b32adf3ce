/*
 * How many uids are revoked of one record alone. Called by registry/, within no write.
 */
#include "relyd/buried.h"

#include "inside.h"

bool rely_stored_count_tombstones(struct rely_store *store, struct rely_slice issuer_name, int64_t now_s, size_t *count,
                                  struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&store->sql,
                         "SELECT count(*) FROM revocation INDEXED BY revocation_tombstone"
                         " WHERE issuer_name = ?1 AND (until_at IS NULL OR until_at > ?2) AND " RELY_IS_TOMBSTONE,
                         err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ti", issuer_name, now_s);
    bool is_found = rely_sql_step(stmt, err) == RELY_SQL_ROW;
    *count = is_found ? (size_t)sqlite3_column_int64(stmt->raw, 0) : 0;
    return is_found;
}
