/*
 * The credentials nearest to a subject that matched none, for explain. Decides which rows are worth comparing; how they
 * differ, explain says. Every query walks an index, so that it costs the same in a registry of a million.
 */
#include "store.h"

/* The same subject but for ASCII letter case: of this issuer, then of every other. No sorting: there may be many. Then
 * the neighbours. */
static const char *const near_conditions[RELY_NEAR_QUERIES] = {
    " INDEXED BY credential_subject_nocase WHERE o.subject = ?2 COLLATE NOCASE AND o.issuer_id = ?1 LIMIT ?3",
    " INDEXED BY credential_subject_nocase WHERE o.subject = ?2 COLLATE NOCASE AND o.issuer_id <> ?1 LIMIT ?3",
    " WHERE o.issuer_id = ?1 AND o.subject < ?2 AND o.subject <> ?2 COLLATE NOCASE ORDER BY o.subject DESC LIMIT ?3",
    " WHERE o.issuer_id = ?1 AND o.subject > ?2 AND o.subject <> ?2 COLLATE NOCASE ORDER BY o.subject LIMIT ?3",
};

void rely_near_make(struct rely_registry *registry)
{
    for (size_t i = 0; i < RELY_NEAR_QUERIES; i++)
        registry->near[i] =
            rely_table_select(rely_kind_of(RELY_OBJECT_CREDENTIAL), true, "", near_conditions[i], &registry->texts);
}

bool rely_registry_each_near(struct rely_registry *registry, int64_t issuer_id, struct rely_slice subject, size_t limit,
                             void (*visit)(const union rely_any_record *record, void *context), void *context,
                             struct rely_err *err)
{
    size_t share = limit / RELY_NEAR_QUERIES;
    for (size_t i = 0; i < RELY_NEAR_QUERIES; i++) {
        RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, registry->near[i], err);
        if (stmt == NULL)
            return false;
        rely_sql_bind(stmt, "iti", issuer_id, subject,
                      (int64_t)(i == 0 ? limit - (RELY_NEAR_QUERIES - 1) * share : share));
        if (!rely_records_visit(rely_kind_of(RELY_OBJECT_CREDENTIAL), stmt, visit, context, err))
            return false;
    }
    return true;
}
