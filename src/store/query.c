/*
 * Records as they stand in rows: one, a page, all of a kind, or those that answer a question. Decides which rows are
 * visited and by which index; whether a row is whole, row_read.c does. Called by registry/.
 */
#include "inside.h"
#include <stdio.h>

/* --- one ---------------------------------------------------------------------------------------------------- */

bool rely_stored_damaged(struct rely_store *store, const struct rely_kind *kind, int64_t id, struct rely_err *err)
{
    return rely_sql_damaged(&store->sql, err, "the row %lld of %s is damaged", (long long)id, kind->word);
}

/* The statement's only row. */
static bool read_one(struct rely_store *store, struct rely_row *row, union rely_any_record *record,
                     struct rely_err *err)
{
    if (rely_table_read(row, record))
        return true;
    return rely_stored_damaged(store, row->kind, sqlite3_column_int64(row->stmt, 0), err);
}

static bool find_stored(struct rely_store *store, const struct rely_stored_place *place, struct rely_row *row,
                        union rely_any_record *record, struct rely_err *err)
{
    const struct rely_table *table = rely_store_table(store, place->kind);
    record->record = (struct rely_record){0};
    RELY_STMT_LENT struct rely_stmt *stmt =
        rely_sql_prepare(&store->sql, row->wanted == RELY_COLUMNS_ALL ? table->find : table->find_name, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "ti", place->name, place->parent_id);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    if (step != RELY_SQL_ROW)
        return step == RELY_SQL_DONE;
    row->stmt = stmt->raw;
    if (!read_one(store, row, record, err))
        return false;
    return rely_slice_equal(rely_record_name(place->kind, record), place->name) ||
           rely_sql_damaged(&store->sql, err, "an index of the database is damaged: it leads to another %s than %.*s",
                            place->kind->word, RELY_ARG(place->name));
}

bool rely_stored_find(struct rely_store *store, const struct rely_stored_place *place, struct rely_pool *pool,
                      union rely_any_record *record, struct rely_err *err)
{
    struct rely_row row = {.kind = place->kind, .wanted = RELY_COLUMNS_ALL, .is_kept = true, .pool = pool};
    return find_stored(store, place, &row, record, err);
}

bool rely_stored_find_name(struct rely_store *store, const struct rely_stored_place *place, struct rely_pool *pool,
                           union rely_any_record *record, struct rely_err *err)
{
    struct rely_row row = {.kind = place->kind, .wanted = RELY_COLUMNS_NAMES, .is_kept = true, .pool = pool};
    return find_stored(store, place, &row, record, err);
}

static bool get_stored(struct rely_store *store, struct rely_row *row, int64_t id, union rely_any_record *record,
                       struct rely_err *err)
{
    record->record = (struct rely_record){0};
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&store->sql, rely_store_table(store, row->kind)->get, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", id);
    enum rely_sql_step step = rely_sql_step(stmt, err);
    row->stmt = stmt->raw;
    return step == RELY_SQL_ROW ? read_one(store, row, record, err) : step == RELY_SQL_DONE;
}

bool rely_stored_find_row(struct rely_store *store, const struct rely_stored_row *asked, struct rely_pool *pool,
                          union rely_any_record *record, struct rely_err *err)
{
    struct rely_row row = {.kind = asked->kind, .wanted = RELY_COLUMNS_ALL, .is_kept = true, .pool = pool};
    return get_stored(store, &row, asked->id, record, err);
}

/* A trigger of a hand's own, or damage: what would be in force and what a restart would find were two things. */
bool rely_stored_verify(struct rely_store *store, const struct rely_kind *kind, const void *record,
                        struct rely_err *err)
{
    struct rely_pool pool;
    union rely_any_record found;
    const struct rely_record *head = record;
    struct rely_row row = {.kind = kind, .wanted = RELY_COLUMNS_ALL, .is_kept = true, .pool = &pool};
    rely_pool_init(&pool);
    bool is_read = get_stored(store, &row, head->id, &found, err);
    bool is_same = is_read && found.record.id == head->id && found.record.revision == head->revision &&
                   found.record.parent_id == head->parent_id &&
                   rely_record_equal(kind, record, &found, RELY_WITH_VOLATILE);
    rely_pool_fini(&pool);
    return is_same || (is_read && rely_stored_damaged(store, kind, head->id, err));
}

/* --- several -------------------------------------------------------------------------------------------------- */

/* A page ends early rather than be larger: uploaded key sets and CA bundles are long. */
#define PAGE_BYTES_MAX ((size_t)8 * 1024 * 1024)

static size_t measure_row(sqlite3_stmt *row)
{
    size_t bytes = 0;
    for (int i = 0; i < sqlite3_data_count(row); i++)
        bytes += sqlite3_column_type(row, i) == SQLITE_TEXT ? (size_t)sqlite3_column_bytes(row, i) : 8;
    return bytes;
}

/* What one reading of several rows needs. */
struct several {
    struct rely_store *store;
    struct rely_stmt *stmt;
    struct rely_row row;
    const struct rely_stored_visit *visit;
    bool has_parent_name; /* the last column */
};

static bool visit_row(struct several *several, struct rely_err *err)
{
    union rely_any_record record;
    sqlite3_stmt *raw = several->stmt->raw;
    struct rely_slice parent = {NULL, 0};
    if (several->has_parent_name)
        parent = rely_sql_text(raw, sqlite3_column_count(raw) - 1);
    several->row.stmt = raw;
    bool is_taken = read_one(several->store, &several->row, &record, err) &&
                    several->visit->take(&record, parent, several->visit->context);
    rely_pool_reset(several->row.pool);
    return is_taken;
}

static bool visit_rows(struct several *several, struct rely_err *err)
{
    enum rely_sql_step step;
    while ((step = rely_sql_step(several->stmt, err)) == RELY_SQL_ROW)
        if (!visit_row(several, err))
            return false;
    return step == RELY_SQL_DONE;
}

static bool visit_page(struct several *several, struct rely_stored_page *page, struct rely_err *err)
{
    size_t bytes = 0, count = 0;
    enum rely_sql_step step;
    while ((step = rely_sql_step(several->stmt, err)) == RELY_SQL_ROW && count < page->limit) {
        bytes += measure_row(several->stmt->raw);
        if (bytes > PAGE_BYTES_MAX && count > 0)
            break;
        if (!visit_row(several, err))
            return false;
        count++;
    }
    page->has_more = step == RELY_SQL_ROW;
    return step != RELY_SQL_FAULT;
}

/* Its statement is bound. In: page - NULL: all rows. */
static bool read_several(struct several *several, struct rely_stored_page *page, struct rely_err *err)
{
    struct rely_pool pool;
    rely_pool_init(&pool);
    several->row.pool = &pool;
    bool is_read = page == NULL ? visit_rows(several, err) : visit_page(several, page, err);
    several->row.pool = NULL;
    rely_pool_fini(&pool);
    return is_read;
}

bool rely_stored_read_page(struct rely_store *store, struct rely_stored_page *page,
                           const struct rely_stored_visit *visit, struct rely_err *err)
{
    const struct rely_kind *kind = page->after.kind;
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&store->sql, rely_store_table(store, kind)->page, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "tii", page->after.name, page->after.parent_id, (int64_t)page->limit + 1);
    struct several several = {store, stmt, {.kind = kind, .wanted = RELY_COLUMNS_ALL}, visit, false};
    return read_several(&several, page, err);
}

bool rely_stored_read_all(struct rely_store *store, const struct rely_kind *kind, const struct rely_stored_visit *visit,
                          struct rely_err *err)
{
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&store->sql, rely_store_table(store, kind)->each, err);
    if (stmt == NULL)
        return false;
    struct several several = {store, stmt, {.kind = kind, .wanted = RELY_COLUMNS_REVIEWED}, visit, false};
    return read_several(&several, NULL, err);
}

/* --- questions -------------------------------------------------------------------------------------------------- */

/* The first line of what is left, and what is left then. */
#define NEXT_LINE "substr(rest, 1, instr(rest, char(10)) - 1), substr(rest, instr(rest, char(10)) + 1)"

/* The record ?1, those in the group ?2, and those with a name of one of them, URL or alias; a trust domain is one record's. */
#define LIKE_SCOPE                                                                                                     \
    "WITH RECURSIVE own (name, rest) AS (SELECT url, aliases FROM issuer WHERE id = ?1 OR id IN"                       \
    " (SELECT issuer_id FROM issuer_group_member WHERE group_id = ?2)"                                                 \
    " UNION SELECT " NEXT_LINE " FROM own WHERE rest <> ''),"                                                          \
    " other (id, name, rest) AS (SELECT id, NULL, aliases FROM issuer INDEXED BY issuer_aliases WHERE aliases <> ''"   \
    " UNION ALL SELECT id, " NEXT_LINE " FROM other WHERE rest <> '')"                                                 \
    " SELECT id FROM issuer WHERE id = ?1 OR url IN (SELECT name FROM own)"                                            \
    " UNION ALL SELECT issuer_id FROM issuer_group_member WHERE group_id = ?2"                                         \
    " UNION ALL SELECT id FROM other WHERE name IN (SELECT name FROM own)"

/* Rules by expression of the scope ?1, by the index that has their prefixes and keys in order. */
#define OF_SCOPE                                                                                                       \
    " INDEXED BY credential_match WHERE o.expression IS NOT NULL AND coalesce(o.issuer_id, -o.group_id) = ?1"

/* Is ?1 a line of this list? */
#define HAS_LINE(list) "instr(char(10) || o." list ", char(10) || ?1 || char(10)) > 0"
#define WITH(condition) " WHERE " condition " ORDER BY o.name LIMIT ?2"

/* Near ones: the same subject but for ASCII letter case needs no sorting, there may be many; neighbours walk an index,
 * so that it costs the same in a registry of a million. `binds` says what ?1, ?2 ... are: number, other, text, more, limit. */
static const struct question {
    enum rely_object object;
    enum rely_columns_wanted wanted;
    const char *more_columns, *rest, *binds;
} questions[] = {
    [RELY_STORED_CHILDREN] = {0, RELY_COLUMNS_ALL, ", d.name", NULL, "n"}, /* a statement for each kind */
    [RELY_STORED_OF_ISSUER] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_ALL, ", d.name",
                               " JOIN identity d ON d.id = o.identity_id WHERE o.issuer_id = ?1", "n"},
    [RELY_STORED_OF_GROUP] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_ALL, ", d.name",
                              " JOIN identity d ON d.id = o.identity_id WHERE o.group_id = ?1", "n"},
    [RELY_STORED_GROUPS_OF] = {RELY_OBJECT_ISSUER_GROUP_MEMBER, RELY_COLUMNS_ALL, ", d.name",
                               " JOIN issuer_group d ON d.id = o.group_id WHERE o.issuer_id = ?1", "n"},
    [RELY_STORED_BY_URL] = {RELY_OBJECT_ISSUER, RELY_COLUMNS_NAMES, "", " WHERE o.url = ?1 LIMIT ?2", "tl"},
    [RELY_STORED_BY_TRUST_DOMAIN] = {RELY_OBJECT_ISSUER, RELY_COLUMNS_NAMES, "", " WHERE o.trust_domain = ?1", "t"},
    [RELY_STORED_BY_URL_IN_ORDER] = {RELY_OBJECT_ISSUER, RELY_COLUMNS_NAMES, "",
                                     " WHERE o.url = ?1 ORDER BY o.name LIMIT ?2", "tl"},
    [RELY_STORED_BY_PAIR] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_NAMES, "",
                             " WHERE o.identity_id = ?1 AND o.issuer_id = ?2 AND o.subject = ?3", "ont"},
    [RELY_STORED_BY_GROUP_PAIR] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_NAMES, "",
                                   " WHERE o.identity_id = ?1 AND o.group_id = ?2 AND o.subject = ?3", "ont"},
    [RELY_STORED_BY_EXPRESSION] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_NAMES, "",
                                   " WHERE o.identity_id = ?1 AND coalesce(o.issuer_id, -o.group_id) = ?2"
                                   " AND o.expression = ?3",
                                   "ont"},
    /* From the prefix to the empty one: each is looked for in the index. */
    [RELY_STORED_ALIKE] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_NAMES, "",
                           OF_SCOPE " AND o.match_prefix IN"
                                    " (WITH RECURSIVE part (prefix) AS (SELECT ?2 UNION ALL SELECT substr(prefix, 1,"
                                    " length(prefix) - 1) FROM part WHERE length(prefix) > 0) SELECT prefix FROM part)"
                                    " AND (o.match_key IS NULL OR o.match_key IS ?3) LIMIT ?4",
                           "ntml"},
    [RELY_STORED_MAY_MATCH] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_NAMES, ", d.name",
                               " JOIN identity d ON d.id = o.identity_id WHERE o.expression IS NOT NULL"
                               " AND substr(?3, 1, length(o.match_prefix)) = o.match_prefix AND"
                               " (o.group_id = ?2 OR o.issuer_id IN (" LIKE_SCOPE ") OR o.group_id IN"
                               " (SELECT m.group_id FROM issuer_group_member m WHERE m.issuer_id IN (" LIKE_SCOPE ")))",
                               "not"},
    [RELY_STORED_BY_SUBJECT] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_NAMES, ", d.name",
                                " JOIN identity d ON d.id = o.identity_id WHERE o.subject = ?3 AND"
                                " (o.issuer_id IN (" LIKE_SCOPE ") OR o.group_id = ?2 OR o.group_id IN"
                                " (SELECT m.group_id FROM issuer_group_member m WHERE m.issuer_id IN (" LIKE_SCOPE
                                ")))",
                                "not"},
    [RELY_STORED_NEAR_OWN] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_TIMED, "",
                              " INDEXED BY credential_subject_nocase WHERE o.subject = ?2 COLLATE NOCASE AND"
                              " o.issuer_id = ?1 LIMIT ?3",
                              "ntl"},
    [RELY_STORED_NEAR_OTHERS] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_TIMED, "",
                                 " INDEXED BY credential_subject_nocase WHERE o.subject = ?2 COLLATE NOCASE AND"
                                 " o.issuer_id IS NOT ?1 LIMIT ?3",
                                 "ntl"},
    [RELY_STORED_NEAR_BEFORE] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_TIMED, "",
                                 " WHERE o.issuer_id = ?1 AND o.subject < ?2 AND o.subject <> ?2 COLLATE NOCASE"
                                 " ORDER BY o.subject DESC LIMIT ?3",
                                 "ntl"},
    [RELY_STORED_NEAR_BEHIND] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_TIMED, "",
                                 " WHERE o.issuer_id = ?1 AND o.subject > ?2 AND o.subject <> ?2 COLLATE NOCASE"
                                 " ORDER BY o.subject LIMIT ?3",
                                 "ntl"},
    [RELY_STORED_NEAR_KEYLESS] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_TIMED, "",
                                  OF_SCOPE " AND o.match_prefix = ?2 AND o.match_key IS NULL LIMIT ?3", "ntl"},
    [RELY_STORED_NEAR_KEY_BEHIND] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_TIMED, "",
                                     OF_SCOPE " AND o.match_prefix = ?2 AND o.match_key >= ?3"
                                              " ORDER BY o.match_key LIMIT ?4",
                                     "ntml"},
    [RELY_STORED_NEAR_KEY_BEFORE] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_TIMED, "",
                                     OF_SCOPE " AND o.match_prefix = ?2 AND o.match_key < ?3"
                                              " ORDER BY o.match_key DESC LIMIT ?4",
                                     "ntml"},
    [RELY_STORED_NEAR_PREFIX_BEHIND] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_TIMED, "",
                                        OF_SCOPE " AND o.match_prefix > ?2 ORDER BY o.match_prefix LIMIT ?3", "ntl"},
    [RELY_STORED_NEAR_PREFIX_BEFORE] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_TIMED, "",
                                        OF_SCOPE " AND o.match_prefix < ?2 ORDER BY o.match_prefix DESC LIMIT ?3",
                                        "ntl"},
    /* A few of them have any: what stands in a line of the list is looked for in the index alone. */
    [RELY_STORED_BY_CERTIFICATE] = {RELY_OBJECT_IDENTITY, RELY_COLUMNS_NAMES, "",
                                    " INDEXED BY identity_certificates WHERE o.certificates <> '' AND"
                                    " instr(char(10) || o.certificates, char(10) || ?1 || char(10)) > 0",
                                    "t"},
    [RELY_STORED_OWNED] = {RELY_OBJECT_IDENTITY, RELY_COLUMNS_ALL, "",
                           " INDEXED BY identity_owners WHERE o.owners <> '' AND"
                           " instr(char(10) || o.owners, char(10) || ?1 || char(10)) > 0",
                           "t"},
    [RELY_STORED_ADMINS] =
        {RELY_OBJECT_IDENTITY, RELY_COLUMNS_NAMES, "",
         " INDEXED BY identity_roles WHERE o.roles <> 0 AND o.roles & 2 AND o.is_enabled = 1"
         " AND (o.certificates <> '' OR EXISTS"
         " (SELECT 1 FROM credential c WHERE c.identity_id = o.id AND c.is_enabled = 1"
         " AND c.mode = 1 AND c.issuer_id IS NOT ?4 AND (c.group_id IS NULL OR (-c.group_id <> ?4 AND EXISTS"
         " (SELECT 1 FROM issuer_group_member m WHERE m.group_id = c.group_id)))"
         " AND (c.not_after IS NULL OR (o.name = ?2 AND c.not_after >= ?1))))"
         " LIMIT ?3",
         "ntlo"},
    [RELY_STORED_OVERLAPPING] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_REVIEWED, ", d.name",
                                 " JOIN identity d ON d.id = o.identity_id WHERE o.subject = ?2 AND o.identity_id <> ?3"
                                 " AND (o.issuer_id = ?1 OR o.group_id = -?1 OR o.group_id IN"
                                 " (SELECT m.group_id FROM issuer_group_member m WHERE m.issuer_id = ?1)"
                                 " OR o.issuer_id IN"
                                 " (SELECT m.issuer_id FROM issuer_group_member m WHERE m.group_id = -?1)) LIMIT ?4",
                                 "ntol"},
    /* From the few administrators, and not from the group, which many may trust. */
    [RELY_STORED_ADMINS_OF_GROUP] = {RELY_OBJECT_CREDENTIAL, RELY_COLUMNS_ALL, ", d.name",
                                     " JOIN identity d ON d.id = o.identity_id WHERE o.identity_id IN (SELECT id FROM"
                                     " identity INDEXED BY identity_roles WHERE roles <> 0 AND roles & 2)"
                                     " AND +o.group_id = ?1",
                                     "n"},
    /* Ten thousand at most, and seldom asked. */
    [RELY_STORED_ROUTES_OF_ISSUER] = {RELY_OBJECT_ROUTE, RELY_COLUMNS_NAMES, "", WITH(HAS_LINE("issuers")), "tl"},
    [RELY_STORED_ROUTES_OF_GROUP] = {RELY_OBJECT_ROUTE, RELY_COLUMNS_NAMES, "", WITH(HAS_LINE("issuer_groups")), "tl"},
    [RELY_STORED_ROUTES_OF_IDENTITY] = {RELY_OBJECT_ROUTE, RELY_COLUMNS_NAMES, "",
                                        WITH(HAS_LINE("identities") " OR " HAS_LINE("callers")), "tl"},
    [RELY_STORED_SHARED] = {RELY_OBJECT_ISSUER, RELY_COLUMNS_ALL, "", " WHERE o.id = ?1 AND o.is_shared = 1", "n"},
    /* From the few that are shared, and not from the group, which may have thousands. */
    [RELY_STORED_SHARED_OF_GROUP] = {RELY_OBJECT_ISSUER, RELY_COLUMNS_ALL, "",
                                     " WHERE o.id IN (SELECT s.id FROM issuer s INDEXED BY issuer_shared"
                                     " WHERE s.is_shared = 1 AND EXISTS (SELECT 1 FROM issuer_group_member m"
                                     " WHERE m.group_id = ?1 AND m.issuer_id = s.id))",
                                     "n"},
    [RELY_STORED_OVER] = {RELY_OBJECT_REVOCATION, RELY_COLUMNS_NAMES, "",
                          " INDEXED BY revocation_until_at WHERE o.until_at <= ?1 LIMIT ?2", "nl"},
};

_Static_assert(sizeof questions / sizeof questions[0] <= RELY_QUESTIONS_MAX, "every question has a statement");

void rely_store_make_questions(struct rely_store *store)
{
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++)
        if (questions[i].rest != NULL)
            store->questions[i] = rely_table_select(&(struct rely_selection){.kind = rely_kind_of(questions[i].object),
                                                                             .wanted = questions[i].wanted,
                                                                             .more_columns = questions[i].more_columns,
                                                                             .rest = questions[i].rest},
                                                    &store->texts);
}

static void bind_asked(struct rely_stmt *stmt, const char *binds, const struct rely_stored_asked *asked)
{
    for (int i = 0; binds[i] != '\0'; i++)
        if (binds[i] == 't' || binds[i] == 'm')
            rely_sql_bind_text(stmt, i + 1, binds[i] == 't' ? asked->text : asked->more);
        else
            rely_sql_bind_integer(stmt, i + 1,
                                  binds[i] == 'n'   ? asked->number
                                  : binds[i] == 'o' ? asked->other
                                                    : (int64_t)asked->limit);
}

bool rely_stored_ask(struct rely_store *store, const struct rely_stored_asked *asked,
                     const struct rely_stored_visit *visit, struct rely_err *err)
{
    const struct question *question = &questions[asked->question];
    const struct rely_kind *kind = question->rest == NULL ? asked->kind : rely_kind_of(question->object);
    const char *text =
        question->rest == NULL ? rely_store_table(store, kind)->children : store->questions[asked->question];
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&store->sql, text, err);
    if (stmt == NULL)
        return false;
    bind_asked(stmt, question->binds, asked);
    struct several several = {
        store, stmt, {.kind = kind, .wanted = question->wanted}, visit, question->more_columns[0] != '\0'};
    return read_several(&several, NULL, err);
}

bool rely_stored_count_trusting(struct rely_store *store, const struct rely_kind *kind, int64_t id, int64_t *count,
                                struct rely_err *err)
{
    const char *text = kind->object == RELY_OBJECT_ISSUER_GROUP
                           ? "SELECT count(*) FROM credential WHERE group_id = ?1"
                           : "SELECT count(*) FROM credential WHERE issuer_id = ?1";
    RELY_STMT_LENT struct rely_stmt *stmt = rely_sql_prepare(&store->sql, text, err);
    if (stmt == NULL)
        return false;
    rely_sql_bind(stmt, "i", id);
    if (rely_sql_step(stmt, err) != RELY_SQL_ROW)
        return false;
    *count = sqlite3_column_int64(stmt->raw, 0);
    return true;
}
