/*
 * Which claim is the subject of a record, of a group, and who relies on it. Decides nothing; registry/ does. Called
 * there, within a write.
 */
#include "relyd/subjects.h"

#include "inside.h"

bool rely_stored_subject_claim(struct rely_store *store, const struct rely_claim_asked *asked, struct rely_pool *pool,
                               struct rely_slice *claim, struct rely_err *err)
{
    static const char *const texts[] = {
        [RELY_CLAIM_OF_ISSUER] = "SELECT subject_claim FROM issuer WHERE id = ?1",
        [RELY_CLAIM_OF_MEMBERS] =
            "SELECT i.subject_claim FROM issuer_group_member m JOIN issuer i ON i.id = m.issuer_id"
            " WHERE m.group_id = ?1 LIMIT 1",
        [RELY_CLAIM_OF_RULES] = "SELECT coalesce(subject_claim, 'sub') FROM credential WHERE group_id = ?1 LIMIT 1",
    };
    *claim = (struct rely_slice){NULL, 0};
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&store->sql, texts[asked->teller], err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", asked->id);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step == RELY_SQL_ROW)
        *claim = rely_pool_copy(pool, rely_sql_text(stmt->raw, 0));
    return step != RELY_SQL_FAULT;
}

/* Of the revocations there may be a million, and no index: it is asked when a record gets another claim, which is seldom,
 * and when nothing else stands in the way. */
bool rely_stored_find_claim_use(struct rely_store *store, const struct rely_issuer_record *issuer,
                                struct rely_pool *pool, struct rely_claim_use *use, struct rely_err *err)
{
    *use = (struct rely_claim_use){.user = RELY_CLAIM_UNUSED};
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(
        &store->sql,
        "SELECT 1, d.name || '/' || c.name FROM credential c JOIN identity d ON d.id = c.identity_id"
        " WHERE c.issuer_id = ?1"
        " UNION ALL SELECT 1, d.name || '/' || c.name FROM credential c JOIN identity d ON d.id = c.identity_id"
        " WHERE c.group_id IN (SELECT group_id FROM issuer_group_member WHERE issuer_id = ?1)"
        " UNION ALL SELECT 2, g.name FROM issuer_group_member m JOIN issuer_group g ON g.id = m.group_id"
        " WHERE m.issuer_id = ?1 AND EXISTS (SELECT 1 FROM issuer_group_member o WHERE o.group_id = m.group_id"
        " AND o.issuer_id <> ?1)"
        " UNION ALL SELECT 3, name FROM revocation WHERE subject IS NOT NULL AND issuer_name = ?2 LIMIT 1",
        err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "it", issuer->record.id, issuer->name);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step == RELY_SQL_ROW)
        *use = (struct rely_claim_use){.user = (enum rely_claim_user)sqlite3_column_int64(stmt->raw, 0),
                                       .name = rely_pool_copy(pool, rely_sql_text(stmt->raw, 1))};
    return step != RELY_SQL_FAULT;
}
