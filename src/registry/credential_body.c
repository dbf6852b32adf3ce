/*
 * Checks a federated credential's body and binds it to an issuer's record. Decides whether it is good; stores nothing.
 * Called by credential_rows.c within a write.
 */
#include "relyd/text.h"
#include "store.h"

#define NAMES_SHOWN 5

/* Records that share one URL: their names for a sentence. */
struct issuer_choice {
    int64_t id; /* of the last one */
    int count;
    struct rely_buf names; /* owned */
};

static const char in_any_order[] = "SELECT id, name FROM issuer WHERE url = ?1 LIMIT ?2";
static const char by_name[] = "SELECT id, name FROM issuer WHERE url = ?1 ORDER BY name LIMIT ?2";

static bool find_issuers_by_url(const struct rely_write *write, const char *sql, struct rely_slice url,
                                struct issuer_choice *choice, struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&write->registry->sql, sql, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ti", url, (int64_t)NAMES_SHOWN + 1);
    enum rely_sql_step step;
    while ((step = rely_sql_step(stmt, err)) == RELY_SQL_ROW) {
        choice->id = sqlite3_column_int64(stmt->raw, 0);
        if (choice->count++ < NAMES_SHOWN)
            rely_buf_printf(&choice->names, "%s%.120s", choice->count > 1 ? ", " : "",
                            (const char *)sqlite3_column_text(stmt->raw, 1));
    }
    return step == RELY_SQL_DONE;
}

/* `https://x` and `https://x/` are two issuers, and the commonest mistake: name the registered one. */
static bool note_unregistered(const struct rely_write *write, struct rely_slice url, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE];
    struct issuer_choice other = {0};
    struct rely_buf twin = {0};
    bool has_slash = url.len > 0 && url.ptr[url.len - 1] == '/';
    rely_buf_put(&twin, rely_slice(url.ptr, has_slash ? url.len - 1 : url.len));
    if (!has_slash)
        rely_buf_putc(&twin, '/');
    bool is_looked_up = find_issuers_by_url(write, by_name, rely_buf_slice(&twin), &other, err);
    rely_quote(url, quoted);
    if (is_looked_up && other.count > 0)
        rely_problems_add(write->problems, "issuer", "not_registered",
                          "no registered record has the issuer %.130s; there is one %s the trailing slash: %.100s",
                          quoted, has_slash ? "without" : "with", other.names.ptr);
    else if (is_looked_up)
        rely_problems_add(write->problems, "issuer", "not_registered", "no registered record has the issuer %.200s",
                          quoted);
    rely_buf_fini(&other.names);
    rely_buf_fini(&twin);
    return is_looked_up;
}

static bool note_ambiguous(const struct rely_write *write, struct rely_slice url, struct rely_err *err)
{
    struct issuer_choice choice = {0};
    bool is_looked_up = find_issuers_by_url(write, by_name, url, &choice, err);
    if (is_looked_up)
        rely_problems_add(write->problems, "issuerName", "required",
                          "several records have this issuer; issuerName must say which: %.200s%s", choice.names.ptr,
                          choice.count > NAMES_SHOWN ? ", ..." : "");
    rely_buf_fini(&choice.names);
    return is_looked_up;
}

static bool bind_by_url(const struct rely_write *write, struct rely_slice url, int64_t *issuer_id, struct rely_err *err)
{
    struct issuer_choice choice = {0};
    bool is_looked_up = find_issuers_by_url(write, in_any_order, url, &choice, err); /* mostly one: nothing to sort */
    if (is_looked_up && choice.count == 0)
        is_looked_up = note_unregistered(write, url, err);
    else if (is_looked_up && choice.count > 1)
        is_looked_up = note_ambiguous(write, url, err);
    else if (is_looked_up)
        *issuer_id = choice.id;
    rely_buf_fini(&choice.names);
    return is_looked_up;
}

static bool bind_by_name(const struct rely_write *write, struct rely_slice name, struct rely_slice url,
                         int64_t *issuer_id, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE];
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&write->registry->sql, "SELECT id, url FROM issuer WHERE name = ?1", err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "t", name);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step == RELY_SQL_DONE)
        rely_problems_add(write->problems, "issuerName", "not_registered", "no registered issuer has the name %.150s",
                          rely_quote(name, quoted));
    else if (step == RELY_SQL_ROW && url.ptr != NULL && !rely_slice_equal(rely_sql_text(stmt->raw, 1), url))
        rely_problems_add(write->problems, "issuer", "issuer_mismatch",
                          "issuer is not that of the record that issuerName names, which is %.200s",
                          rely_quote(rely_sql_text(stmt->raw, 1), quoted));
    else if (step == RELY_SQL_ROW)
        *issuer_id = sqlite3_column_int64(stmt->raw, 0);
    return step != RELY_SQL_FAULT;
}

static bool bind_issuer(const struct rely_write *write, int64_t *issuer_id, struct rely_err *err)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_TEXT_MAX};
    const struct rely_json *url_value = rely_json_get(write->body, "issuer");
    const struct rely_json *name_value = rely_json_get(write->body, "issuerName");
    struct rely_slice url = {NULL, 0}, name = {NULL, 0};
    if (url_value == NULL && name_value == NULL) {
        rely_problems_add(write->problems, "issuer", "required", "issuer or issuerName is required");
        return true;
    }
    bool is_bad = url_value != NULL && !rely_field_read_text(url_value, "issuer", &rule, write->problems, &url);
    if (name_value != NULL && !rely_field_read_text(name_value, "issuerName", &rule, write->problems, &name))
        is_bad = true;
    if (is_bad)
        return true;
    return name.ptr != NULL ? bind_by_name(write, name, url, issuer_id, err) : bind_by_url(write, url, issuer_id, err);
}

bool rely_credential_record_read(const struct rely_write *write, struct rely_credential_record *record,
                                 struct rely_err *err)
{
    static const struct rely_text_rule subject = {.min = 1, .max = RELY_TEXT_MAX, .is_required = true};
    static const struct rely_list_rule audiences = {
        .min = 1, .max = RELY_AUDIENCES_PER_CREDENTIAL_MAX, .item = {.min = 1, .max = RELY_TEXT_MAX}};
    const struct rely_json *list = rely_json_get(write->body, "audiences");
    if (!bind_issuer(write, &record->issuer_id, err))
        return false;
    rely_field_read_text(rely_json_get(write->body, "subject"), "subject", &subject, write->problems, &record->subject);
    if (list == NULL)
        rely_problems_add(write->problems, "audiences", "required", "audiences is required");
    rely_field_read_list(list, "audiences", &audiences, write->problems, &record->audiences);
    record->description = rely_field_read_description(write->body, write->problems);
    return write->problems->count == 0;
}

void rely_credential_record_fini(struct rely_credential_record *record)
{
    rely_buf_fini(&record->audiences);
}
