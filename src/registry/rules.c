/*
 * The rules between objects, kind by kind: which record a credential is bound to, that issuer and subject are free
 * within an identity, that an uploaded key set is usable and nobody else's, and when stored keys go. Called by write.c.
 */
#include "inside.h"
#include "relyd/keyset.h"
#include "relyd/text.h"

/* --- issuers ------------------------------------------------------------------------------------------------- */

/* Does this write enable a record that was disabled? */
static bool is_woken(const struct rely_writing *write)
{
    const struct rely_issuer_record *before = write->body.before;
    return before != NULL && !before->is_enabled && write->after.issuer.is_enabled;
}

/* Does it give the record an alias, under which others may have its keys? */
static bool has_new_name(const struct rely_writing *write)
{
    const struct rely_issuer_record *before = write->body.before, *after = &write->after.issuer;
    for (size_t i = 0; before != NULL && i < after->aliases.count; i++)
        if (!rely_slice_is_among(before->aliases.items, before->aliases.count, after->aliases.items[i]))
            return true;
    return false;
}

/* The set that is stored may stay as it is, unless its record was disabled and held no key, or gets a name: a record must
 * be changeable, and be it only to disable it. */
static void check_upload(const struct rely_writing *write)
{
    const struct rely_registry *registry = write->registry;
    const struct rely_issuer_record *issuer = &write->after.issuer, *before = write->body.before;
    struct rely_problems *problems = write->body.problems;
    const struct rely_registry_keys asked = {.record = issuer, .jwks = issuer->jwks};
    bool is_judged = before != NULL && rely_keys_are_given(before->key_source) &&
                     rely_slice_equal(before->jwks, issuer->jwks) && !is_woken(write) && !has_new_name(write);
    const char *field = issuer->key_source == RELY_KEYS_PEM ? "keys.pem" : "keys.jwks";
    struct rely_err err = {0};
    if (issuer->jwks.len > registry->jwks_max_bytes)
        rely_problems_add(problems, field, "too_long", "%s has %zu bytes; the limit is %zu (keys.max_bytes)", field,
                          issuer->jwks.len, registry->jwks_max_bytes);
    else if (registry->check_jwks != NULL && !registry->check_jwks(registry->check_context, &asked, &err))
        rely_problems_add(problems, field, "invalid_key_set", "%s: %.280s", field, err.message);
    else if (registry->check_repeats != NULL && issuer->url.ptr != NULL && !is_judged &&
             !registry->check_repeats(registry->check_context, &asked, &err))
        rely_problems_add(problems, field, "duplicate_key", "%s: %.280s", field, err.message);
}

/* Once, here: whatever reads key sets reads one form of them. The settings' limits are check_upload's. */
static void convert_pem(struct rely_writing *write)
{
    struct rely_issuer_record *issuer = &write->after.issuer;
    struct rely_keyset_limits limits = rely_keyset_most(true);
    struct rely_buf jwks = {0};
    struct rely_err err = {0};
    limits.max_bytes = write->registry->jwks_max_bytes;
    if (rely_keyset_of_pem(issuer->keys_pem, &limits, &jwks, &err))
        issuer->jwks = rely_pool_copy(write->body.pool, rely_buf_slice(&jwks));
    else
        rely_problems_add(write->body.problems, "keys.pem", "invalid_key_set", "keys.pem: %.280s", err.message);
    rely_buf_fini(&jwks);
}

/* A disabled record holds no key. One that is enabled again, or gets a name, begins without its fetched set when another
 * record of the `iss` has a key of it by now, and fetches: then the other one keeps it. */
static bool lost_keys_asleep(const struct rely_writing *write)
{
    const struct rely_registry *registry = write->registry;
    const struct rely_issuer_record *issuer = &write->after.issuer, *before = write->body.before;
    if (rely_keys_are_given(issuer->key_source) || registry->check_repeats == NULL ||
        !(is_woken(write) || has_new_name(write)) || before->jwks.ptr == NULL)
        return false;
    const struct rely_registry_keys stored = {.record = issuer, .jwks = before->jwks};
    return !registry->check_repeats(registry->check_context, &stored, &(struct rely_err){0});
}

/* What is kept beside the record goes on. */
static void keep_stored_keys(struct rely_issuer_record *issuer, const struct rely_issuer_record *before)
{
    if (!rely_keys_are_given(issuer->key_source))
        issuer->jwks = before->jwks;
    issuer->jwks_fetched_at = before->jwks_fetched_at;
    issuer->jwks_source_url = before->jwks_source_url;
    issuer->keys_generation = before->keys_generation;
    issuer->keys_seen = before->keys_seen;
    issuer->keys_history = before->keys_history;
}

static void note_record_history(const struct rely_writing *write, struct rely_issuer_record *issuer)
{
    const struct rely_issuer_record *before = write->body.before;
    const struct rely_key_change change = {.at_s = write->writer->now_s,
                                           .operation = before == NULL ? "create" : "replace",
                                           .actor = write->writer->actor,
                                           .jwks_before = before == NULL ? (struct rely_slice){0} : before->jwks};
    rely_history_note(&change, issuer, write->body.pool);
}

/*
 * The keys in force always come from the source that the record names: another source drops them until the first fetch.
 * Keeping them would leave an issuer trusted through a place that its administrator has just taken away.
 */
static bool store_keys(struct rely_writing *write, struct rely_err *err)
{
    struct rely_issuer_record *issuer = &write->after.issuer;
    const struct rely_issuer_record *before = write->body.before;
    bool is_uploaded = rely_keys_are_given(issuer->key_source);
    if (before != NULL)
        keep_stored_keys(issuer, before);
    if (before == NULL ? !is_uploaded : rely_issuer_has_same_source(before, issuer) && !lost_keys_asleep(write))
        return true;
    if (!is_uploaded)
        issuer->jwks = (struct rely_slice){NULL, 0};
    issuer->jwks_fetched_at = is_uploaded ? write->writer->now_s : 0;
    issuer->jwks_source_url = (struct rely_slice){NULL, 0};
    issuer->keys_generation++;
    note_record_history(write, issuer);
    return rely_stored_put_keys(write->registry->store, issuer, err);
}

/* --- credentials: the record that one is bound to --------------------------------------------------------------- */

#define NAMES_SHOWN 5

/* Records that share one URL: their names for a sentence. */
struct issuer_choice {
    struct rely_slice last_name; /* borrowed from the pool */
    int64_t id;                  /* of the last one */
    int count;
    struct rely_buf names; /* owned */
};

/* An issuer whose URL is looked for. */
struct choosing {
    const struct rely_writing *write;
    struct issuer_choice *choice;
};

static bool note_choice(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct choosing *choosing = context;
    struct issuer_choice *choice = choosing->choice;
    (void)parent;
    choice->id = record->record.id;
    choice->last_name = rely_pool_copy(choosing->write->body.pool, record->issuer.name);
    if (choice->count++ < NAMES_SHOWN)
        rely_buf_printf(&choice->names, "%s%.*s", choice->count > 1 ? ", " : "", RELY_ARG(choice->last_name));
    return true;
}

static bool find_issuers_by_url(const struct rely_writing *write, enum rely_stored_question question,
                                struct rely_slice url, struct issuer_choice *choice, struct rely_err *err)
{
    struct choosing choosing = {write, choice};
    const struct rely_stored_asked asked = {.question = question, .text = url, .limit = NAMES_SHOWN + 1};
    return rely_stored_ask(write->registry->store, &asked, &(struct rely_stored_visit){note_choice, &choosing}, err);
}

/* `https://x` and `https://x/` are two issuers, and the commonest mistake: name the registered one. */
static bool note_unregistered(const struct rely_writing *write, struct rely_slice url, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE];
    struct issuer_choice other = {0};
    struct rely_buf twin = {0};
    bool has_slash = url.len > 0 && url.ptr[url.len - 1] == '/';
    rely_buf_put(&twin, rely_slice(url.ptr, has_slash ? url.len - 1 : url.len));
    if (!has_slash)
        rely_buf_putc(&twin, '/');
    bool is_looked_up = find_issuers_by_url(write, RELY_STORED_BY_URL_IN_ORDER, rely_buf_slice(&twin), &other, err);
    rely_quote(url, quoted);
    if (is_looked_up && other.count > 0)
        rely_problems_add(write->body.problems, "issuer", "not_registered",
                          "no registered record has the issuer %.130s; there is one %s the trailing slash: %.100s",
                          quoted, has_slash ? "without" : "with", other.names.ptr);
    else if (is_looked_up)
        rely_problems_add(write->body.problems, "issuer", "not_registered",
                          "no registered record has the issuer %.200s", quoted);
    rely_buf_fini(&other.names);
    rely_buf_fini(&twin);
    return is_looked_up;
}

static bool note_ambiguous(const struct rely_writing *write, struct rely_slice url, struct rely_err *err)
{
    struct issuer_choice choice = {0};
    bool is_looked_up = find_issuers_by_url(write, RELY_STORED_BY_URL_IN_ORDER, url, &choice, err);
    if (is_looked_up)
        rely_problems_add(write->body.problems, "issuerName", "required",
                          "several records have this issuer; issuerName must say which: %.200s%s", choice.names.ptr,
                          choice.count > NAMES_SHOWN ? ", ..." : "");
    rely_buf_fini(&choice.names);
    return is_looked_up;
}

static bool bind_by_url(struct rely_writing *write, struct rely_err *err)
{
    struct rely_credential_record *credential = &write->after.credential;
    struct issuer_choice choice = {0};
    /* Mostly one: nothing to sort. */
    bool is_looked_up = find_issuers_by_url(write, RELY_STORED_BY_URL, credential->issuer, &choice, err);
    if (is_looked_up && choice.count == 0) {
        is_looked_up = note_unregistered(write, credential->issuer, err);
    } else if (is_looked_up && choice.count > 1) {
        is_looked_up = note_ambiguous(write, credential->issuer, err);
    } else if (is_looked_up) {
        credential->issuer_id = choice.id;
        credential->issuer_name = choice.last_name;
    }
    rely_buf_fini(&choice.names);
    return is_looked_up;
}

static bool bind_by_name(struct rely_writing *write, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE];
    union rely_any_record issuer;
    struct rely_credential_record *credential = &write->after.credential;
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_ISSUER), .name = credential->issuer_name};
    if (!rely_stored_find_name(write->registry->store, &place, write->body.pool, &issuer, err))
        return false;
    if (issuer.record.id == 0) {
        rely_problems_add(write->body.problems, "issuerName", "not_registered",
                          "no registered issuer has the name %.150s", rely_quote(credential->issuer_name, quoted));
        return true;
    }
    struct rely_slice url = issuer.issuer.url;
    if (credential->issuer.ptr != NULL && !rely_slice_equal(url, credential->issuer))
        rely_problems_add(write->body.problems, "issuer", "issuer_mismatch",
                          "issuer is not that of the record that issuerName names, which %s%.200s",
                          url.ptr == NULL ? "has none" : "is ", url.ptr == NULL ? "" : rely_quote(url, quoted));
    credential->issuer_id = issuer.record.id;
    credential->issuer = url;
    return true;
}

static bool bind_by_group(struct rely_writing *write, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE];
    union rely_any_record group;
    struct rely_credential_record *credential = &write->after.credential;
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_ISSUER_GROUP),
                                            .name = credential->issuer_group};
    if (!rely_stored_find_name(write->registry->store, &place, write->body.pool, &group, err))
        return false;
    if (group.record.id == 0)
        rely_problems_add(write->body.problems, "issuerGroup", "not_registered", "no issuer group has the name %.150s",
                          rely_quote(credential->issuer_group, quoted));
    credential->group_id = group.record.id;
    return true;
}

/* What was given and could not be read has been noted, and binds nothing. */
static bool bind_scope(struct rely_writing *write, struct rely_err *err)
{
    const struct rely_credential_record *credential = &write->after.credential;
    if (rely_json_get(write->body.json, "issuerGroup") != NULL)
        return credential->issuer_group.ptr == NULL || bind_by_group(write, err);
    bool is_bad = (credential->issuer.ptr == NULL && rely_json_get(write->body.json, "issuer") != NULL) ||
                  (credential->issuer_name.ptr == NULL && rely_json_get(write->body.json, "issuerName") != NULL);
    if (is_bad)
        return true;
    if (credential->issuer_name.ptr != NULL)
        return bind_by_name(write, err);
    return credential->issuer.ptr == NULL || bind_by_url(write, err);
}

static bool bind_credential(struct rely_writing *write, struct rely_err *err)
{
    return bind_scope(write, err) && rely_subjects_bind(write, err) &&
           (write->after.credential.expression.ptr == NULL || rely_expressions_bind(write, err)) &&
           rely_tenants_bind_credential(write, err);
}

/* The pair that a credential is to have is another one's. */
struct pair {
    const struct rely_writing *write;
    struct rely_err *err;
};

static bool refuse_pair(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct pair *pair = context;
    (void)parent;
    return rely_write_refuse(pair->write->result, pair->err, RELY_ERR_CONFLICT, "duplicate_issuer_and_subject",
                             "the identity has this %s and subject already, in its credential %.*s",
                             pair->write->after.credential.group_id != 0 ? "group" : "issuer",
                             RELY_ARG(record->credential.name));
}

/* (identity, issuer, subject) is unique, so one row at most answers. */
static bool check_pair_is_free(const struct rely_writing *write, struct rely_err *err)
{
    const struct rely_credential_record *credential = &write->after.credential, *before = write->body.before;
    struct pair pair = {write, err};
    bool is_group = credential->group_id != 0;
    if (credential->expression.ptr != NULL)
        return rely_expressions_check(write, err);
    if (before != NULL && before->issuer_id == credential->issuer_id && before->group_id == credential->group_id &&
        rely_slice_same(before->subject, credential->subject))
        return true;
    return rely_stored_ask(
        write->registry->store,
        &(struct rely_stored_asked){.question = is_group ? RELY_STORED_BY_GROUP_PAIR : RELY_STORED_BY_PAIR,
                                    .other = credential->record.parent_id,
                                    .number = is_group ? credential->group_id : credential->issuer_id,
                                    .text = credential->subject},
        &(struct rely_stored_visit){refuse_pair, &pair}, err);
}

/* --- kind by kind ------------------------------------------------------------------------------------------------ */

static bool bind_issuer(struct rely_writing *write, struct rely_err *err)
{
    if (write->body.before == NULL)
        write->after.issuer.preset = write->preset;
    if (write->after.issuer.keys_pem.ptr != NULL)
        convert_pem(write);
    if (write->after.issuer.jwks.ptr != NULL)
        check_upload(write);
    return rely_tenants_bind_issuer(write, err);
}

static bool check_issuer(const struct rely_writing *write, struct rely_err *err)
{
    return rely_subjects_check_issuer(write, err) && rely_trust_domains_check(write, err);
}

static bool has_same_source(const struct rely_writing *write)
{
    return rely_issuer_has_same_source(&write->before.issuer, &write->after.issuer);
}

/* NULL: nothing. A kind that is free of others has no row. */
static const struct rules {
    enum rely_object object;
    bool has_links; /* what is_same finds changed has rows of its own in the change log */
    RELY_MUST_USE bool (*bind)(struct rely_writing *write, struct rely_err *err);
    RELY_MUST_USE bool (*check)(const struct rely_writing *write, struct rely_err *err);
    bool (*is_same)(const struct rely_writing *write);
    RELY_MUST_USE bool (*store)(struct rely_writing *write, struct rely_err *err);
} rules[] = {
    {.object = RELY_OBJECT_ISSUER,
     .bind = bind_issuer,
     .check = check_issuer,
     .is_same = has_same_source,
     .store = store_keys},
    {.object = RELY_OBJECT_ISSUER_GROUP,
     .bind = rely_groups_bind,
     .is_same = rely_groups_are_same,
     .store = rely_groups_store,
     .has_links = true},
    {.object = RELY_OBJECT_IDENTITY, .bind = rely_identities_bind_owners, .check = rely_identities_check_certificates},
    {.object = RELY_OBJECT_CREDENTIAL, .bind = bind_credential, .check = check_pair_is_free},
    {.object = RELY_OBJECT_ROUTE, .bind = rely_routes_bind},
    {.object = RELY_OBJECT_REVOCATION, .bind = rely_revocations_bind},
};

static const struct rules *rules_of(const struct rely_writing *write)
{
    static const struct rules none = {0};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (rules[i].object == write->path->object)
            return &rules[i];
    return &none;
}

bool rely_rules_bind(struct rely_writing *write, struct rely_err *err)
{
    const struct rules *own = rules_of(write);
    return own->bind == NULL || own->bind(write, err);
}

bool rely_rules_check(const struct rely_writing *write, struct rely_err *err)
{
    const struct rules *own = rules_of(write);
    return own->check == NULL || own->check(write, err);
}

bool rely_rules_are_same(const struct rely_writing *write)
{
    const struct rules *own = rules_of(write);
    return rely_record_equal(write->body.kind, &write->before, &write->after, RELY_WITHOUT_VOLATILE) &&
           (own->is_same == NULL || own->is_same(write));
}

bool rely_rules_want_as_before(const struct rely_writing *write)
{
    const struct rely_credential_record *before = write->body.before, *after = &write->after.credential;
    return write->path->object == RELY_OBJECT_CREDENTIAL && before != NULL && before->issuer_id == after->issuer_id &&
           before->group_id == after->group_id && rely_slice_same(before->subject, after->subject) &&
           rely_slice_same(before->expression, after->expression);
}

bool rely_rules_change_record(const struct rely_writing *write)
{
    return !rules_of(write)->has_links || write->body.before == NULL ||
           !rely_record_equal(write->body.kind, &write->before, &write->after, RELY_WITHOUT_VOLATILE);
}

bool rely_rules_store(struct rely_writing *write, struct rely_err *err)
{
    const struct rules *own = rules_of(write);
    return own->store == NULL || own->store(write, err);
}
