/*
 * The credentials nearest to a subject that matched none, for explain. Decides which rows are worth comparing; how they
 * differ, explain says. Every query walks an index, so that it costs the same in a registry of a million.
 */
#include "store.h"

static bool visit_near(struct rely_registry *registry, const char *sql, int64_t issuer_id, struct rely_slice subject,
                       size_t limit, void (*visit)(const struct rely_credential *row, void *context), void *context,
                       struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "iti", issuer_id, subject, (int64_t)limit);
    return rely_credential_visit(stmt, visit, context, err);
}

#define NEAR "SELECT " RELY_CREDENTIAL_COLUMNS " FROM credential o "

bool rely_registry_each_near(struct rely_registry *registry, int64_t issuer_id, struct rely_slice subject, size_t limit,
                             void (*visit)(const struct rely_credential *row, void *context), void *context,
                             struct rely_err *err)
{
    /* The same subject but for ASCII letter case: of this issuer, then of every other. No sorting: there may be many.
     */
    static const char here[] = NEAR "INDEXED BY credential_subject_nocase WHERE o.subject = ?2 COLLATE NOCASE"
                                    " AND o.issuer_id = ?1 LIMIT ?3";
    static const char elsewhere[] = NEAR "INDEXED BY credential_subject_nocase WHERE o.subject = ?2 COLLATE NOCASE"
                                         " AND o.issuer_id <> ?1 LIMIT ?3";
    static const char before[] = NEAR "WHERE o.issuer_id = ?1 AND o.subject < ?2 AND o.subject <> ?2 COLLATE NOCASE"
                                      " ORDER BY o.subject DESC LIMIT ?3";
    static const char behind[] = NEAR "WHERE o.issuer_id = ?1 AND o.subject > ?2 AND o.subject <> ?2 COLLATE NOCASE"
                                      " ORDER BY o.subject LIMIT ?3";
    size_t share = limit / 4;
    return visit_near(registry, here, issuer_id, subject, limit - 3 * share, visit, context, err) &&
           visit_near(registry, elsewhere, issuer_id, subject, share, visit, context, err) &&
           visit_near(registry, before, issuer_id, subject, share, visit, context, err) &&
           visit_near(registry, behind, issuer_id, subject, share, visit, context, err);
}
