/*
 * Federated credentials in the database: how a row is shown, saved and visited. Decides whether issuer and subject are
 * taken within the identity; the rest of a body is credential_body.c's. Called by write.c, read.c, near.c and the
 * snapshot builder.
 */
#include "relyd/text.h"
#include "rows.h"
#include "store.h"

#define SHOWN_CREDENTIAL                                                                                               \
    "SELECT o.id, o.revision, o.uuid, o.name, i.url, i.name, o.subject, o.audiences, o.description, o.created_at,"     \
    " o.updated_at FROM credential o JOIN issuer i ON i.id = o.issuer_id"

static struct rely_json *show_credential_row(sqlite3_stmt *row)
{
    if (!rely_lines_are_whole(rely_sql_text(row, 7), 1, RELY_AUDIENCES_PER_CREDENTIAL_MAX))
        return NULL;
    struct rely_json *object = rely_json_object();
    rely_row_show_text(row, 2, object, "id");
    rely_row_show_text(row, 3, object, "name");
    rely_row_show_text(row, 4, object, "issuer");
    rely_row_show_text(row, 5, object, "issuerName");
    rely_row_show_text(row, 6, object, "subject");
    rely_row_show_lines(row, 7, object, "audiences");
    rely_json_set(object, "description", rely_json_of_null()); /* Entra shows it always */
    rely_row_show_text(row, 8, object, "description");
    rely_row_show_time(row, 9, object, "createdAt");
    rely_row_show_time(row, 10, object, "updatedAt");
    return object;
}

/* Is the pair free for this credential? *is_own: it has the pair already. (identity, issuer, subject) is unique, so one
 * row at most answers both. */
static bool check_pair_is_free(const struct rely_write *write, const struct rely_credential_record *record,
                               bool *is_own, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(
        &write->registry->sql,
        "SELECT id, name FROM credential WHERE identity_id = ?1 AND issuer_id = ?2 AND subject = ?3", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "iit", write->parent_id, record->issuer_id, record->subject);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    *is_own = step == RELY_SQL_ROW && sqlite3_column_int64(stmt->raw, 0) == write->id;
    if (step != RELY_SQL_ROW || *is_own)
        return step != RELY_SQL_FAULT;
    return rely_write_refuse(write->result, err, RELY_ERR_CONFLICT, "duplicate_issuer_and_subject",
                             "the identity has this issuer and subject already, in its credential %s",
                             (const char *)sqlite3_column_text(stmt->raw, 1));
}

static bool insert_credential(struct rely_write *write, const struct rely_credential_record *record,
                              struct rely_err *err)
{
    char uuid[RELY_UUID_SIZE];
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&write->registry->sql,
                         "INSERT INTO credential (identity_id, name, issuer_id, subject, audiences, description,"
                         " created_at, updated_at, uuid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8)",
                         err);
    if (stmt == NULL)
        return false;
    rely_uuid_new(uuid);
    rely_sql_bind(stmt, "ititttit", write->parent_id, write->name, record->issuer_id, record->subject,
                  rely_buf_slice(&record->audiences), record->description, write->writer->now_s, rely_slice_of(uuid));
    struct rely_err own = {0};
    if (!rely_sql_run(stmt, &own)) {
        if (own.code == RELY_ERR_LIMIT)
            return rely_write_refuse(write->result, err, RELY_ERR_LIMIT, "too_many_credentials",
                                     "the identity has its %d federated credentials: "
                                     "registry.max_credentials_per_identity limits them",
                                     write->registry->credentials_per_identity);
        return rely_err_set(err, own.code, "%s", own.message);
    }
    write->id = sqlite3_last_insert_rowid(write->registry->sql.db);
    return true;
}

static bool update_column(const struct rely_write *write, const char *text, struct rely_slice value,
                          struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&write->registry->sql, text, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "it", write->id, value);
    return rely_sql_run(stmt, err);
}

static bool update_pair(const struct rely_write *write, const struct rely_credential_record *record,
                        struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(
        &write->registry->sql, "UPDATE credential SET issuer_id = ?2, subject = ?3 WHERE id = ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "iit", write->id, record->issuer_id, record->subject);
    return rely_sql_run(stmt, err);
}

/* Only what differs is set: naming issuer and subject would write three indexes anew, naming the audiences runs
 * a trigger over their lines. */
static bool update_credential(const struct rely_write *write, const struct rely_credential_record *record,
                              bool has_pair, struct rely_err *err)
{
    static const char audiences[] = "UPDATE credential SET audiences = ?2 WHERE id = ?1 AND audiences <> ?2";
    static const char description[] = "UPDATE credential SET description = ?2 WHERE id = ?1 AND description IS NOT ?2";
    return (has_pair || update_pair(write, record, err)) &&
           update_column(write, audiences, rely_buf_slice(&record->audiences), err) &&
           update_column(write, description, record->description, err);
}

static bool save_credential(struct rely_write *write, struct rely_err *err)
{
    struct rely_credential_record record = {0};
    bool has_pair = false;
    bool is_saved =
        rely_credential_record_read(write, &record, err) && check_pair_is_free(write, &record, &has_pair, err) &&
        (write->id == 0 ? insert_credential(write, &record, err) : update_credential(write, &record, has_pair, err));
    rely_credential_record_fini(&record);
    return is_saved;
}

static const struct rely_member credential_members[] = {
    {"id", RELY_MEMBER_READ_ONLY},      {"name", RELY_MEMBER_PLAIN},          {"issuer", RELY_MEMBER_PLAIN},
    {"issuerName", RELY_MEMBER_PLAIN},  {"subject", RELY_MEMBER_PLAIN},       {"audiences", RELY_MEMBER_PLAIN},
    {"description", RELY_MEMBER_PLAIN}, {"createdAt", RELY_MEMBER_READ_ONLY}, {"updatedAt", RELY_MEMBER_READ_ONLY},
};

const struct rely_object_kind rely_credential_kind = {
    .object = RELY_OBJECT_CREDENTIAL,
    .word = "federatedIdentityCredential",
    .article_word = "a federated credential",
    .find_sql = SHOWN_CREDENTIAL " WHERE o.name = ?1 AND o.identity_id = ?2",
    .page_sql = SHOWN_CREDENTIAL " WHERE o.name > ?1 AND o.identity_id = ?2 ORDER BY o.name LIMIT ?3",
    .touch_sql = "UPDATE credential SET revision = ?2, updated_at = ?3 WHERE id = ?1",
    .erase_sql = "DELETE FROM credential WHERE id = ?1",
    .members = credential_members,
    .member_count = sizeof credential_members / sizeof credential_members[0],
    .show = show_credential_row,
    .save = save_credential,
};

/* --- rows for the snapshot builder and explain --------------------------------------------------------- */

/* What the schema and every write see to: a row that breaks it was written by no relyd. */
static bool is_credential_whole(sqlite3_stmt *row)
{
    return rely_row_has_integer(row, 1, 1, INT64_MAX) && rely_row_has_integer(row, 2, 1, INT64_MAX) &&
           rely_row_has_text(row, 3, RELY_NAME_MAX) && rely_row_has_text(row, 4, RELY_TEXT_MAX) &&
           rely_lines_are_whole(rely_sql_text(row, 5), 1, RELY_AUDIENCES_PER_CREDENTIAL_MAX);
}

bool rely_credential_visit(struct rely_stmt *stmt, void (*visit)(const struct rely_credential *row, void *context),
                           void *context, struct rely_err *err)
{
    struct rely_slice audiences[RELY_AUDIENCES_PER_CREDENTIAL_MAX];
    enum rely_sql_step step;
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW) {
        if (!is_credential_whole(stmt->raw))
            return rely_sql_damaged(stmt->sql, err, "the row %lld of federated credentials is damaged",
                                    (long long)sqlite3_column_int64(stmt->raw, 0));
        struct rely_credential row = {.id = sqlite3_column_int64(stmt->raw, 0),
                                      .issuer_id = sqlite3_column_int64(stmt->raw, 1),
                                      .identity_id = sqlite3_column_int64(stmt->raw, 2),
                                      .name = rely_sql_text(stmt->raw, 3),
                                      .subject = rely_sql_text(stmt->raw, 4),
                                      .audiences = audiences,
                                      .audience_count = rely_row_lines(rely_sql_text(stmt->raw, 5), audiences,
                                                                       RELY_AUDIENCES_PER_CREDENTIAL_MAX)};
        visit(&row, context);
    }
    return step == RELY_SQL_DONE;
}

bool rely_registry_each_credential(struct rely_registry *registry, int64_t id,
                                   void (*visit)(const struct rely_credential *row, void *context), void *context,
                                   struct rely_err *err)
{
    static const char all[] = "SELECT " RELY_CREDENTIAL_COLUMNS " FROM credential o";
    static const char one[] = "SELECT " RELY_CREDENTIAL_COLUMNS " FROM credential o WHERE o.id = ?1";
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&registry->sql, id == 0 ? all : one, err);
    if (stmt == NULL)
        return false;
    if (id != 0)
        rely_sql_bind(stmt, "i", id);
    return rely_credential_visit(stmt, visit, context, err);
}
