/*
 * An issuer's `guards`, and what says that many tenants share it. Decides whether they are what they must be; a token is
 * held against them in decide/, a credential against the tenants in registry/. Called by issuer.c.
 */
#include "kind.h"
#include "relyd/compose.h"
#include "relyd/expression.h"
#include "relyd/tenant.h"

/* A member of the body that is being read. */
struct guard_member {
    const struct rely_body *body;
    const struct rely_json *value; /* NULL: it is left out */
    const char *path;
};

static struct guard_member member_of(const struct rely_body *body, const char *name, const char *path)
{
    return (struct guard_member){body, rely_json_get(rely_json_get(body->json, "guards"), name), path};
}

static bool check_object(const struct guard_member *member)
{
    if (rely_json_type(member->value) == RELY_JSON_OBJECT)
        return true;
    rely_field_wrong_type(member->value, member->path, "an object", member->body->problems);
    return false;
}

/* In: words - the members that it may have. */
static void check_guard_members(const struct guard_member *member, const char *words)
{
    for (const char *name = rely_json_next_name(member->value, NULL); name != NULL;
         name = rely_json_next_name(member->value, name)) {
        char path[64];
        snprintf(path, sizeof path, "%.30s.%.30s", member->path, name);
        if (rely_find_word(words, rely_slice_of(name)) == 0)
            rely_problems_add(member->body->problems, path, "unknown_field", "%s has no member %.60s", member->path,
                              name);
    }
}

/* --- claims ------------------------------------------------------------------------------------------------------ */

static bool read_claim_name(const struct guard_member *member, struct rely_slice *out, struct rely_slice *parsed)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_CLAIM_NAME_MAX, .is_required = true};
    struct rely_expression_fault fault;
    if (!rely_field_read_text(member->value, member->path, &rule, member->body->problems, out))
        return false;
    if (rely_claim_parse(*out, member->body->pool, parsed, &fault))
        return true;
    rely_problems_add(member->body->problems, member->path, "invalid_value",
                      "%s is no claim's name: in column %zu there should be %s", member->path, fault.column,
                      fault.expected);
    rely_problems_set_column(member->body->problems, fault.column);
    return false;
}

/* The number of the first of those before it that is the same claim, however it is written; count: none is. */
static size_t find_same_claim(const struct rely_slice *parsed, size_t count)
{
    size_t i = 0;
    while (i < count && !rely_slice_equal(parsed[i], parsed[count]))
        i++;
    return i;
}

static void note_same_claim(const struct guard_member *member, const char *list, size_t earlier)
{
    rely_problems_add(member->body->problems, member->path, "duplicate", "%s is the claim of %s[%zu]", member->path,
                      list, earlier);
}

#define REQUIRED "guards.requiredClaims"

/* In: parsed - of this one and those before it. */
static bool read_required_claim(const struct guard_member *item, size_t index, struct rely_slice *parsed,
                                struct rely_text_entry *out)
{
    static const struct rely_list_rule rule = {1, RELY_REQUIRED_VALUES_MAX, {.min = 1, .max = RELY_TEXT_MAX}, false};
    char claim_path[64], values_path[64];
    if (!check_object(item))
        return false;
    check_guard_members(item, "|claim|anyOf");
    snprintf(claim_path, sizeof claim_path, "%.40s.claim", item->path);
    snprintf(values_path, sizeof values_path, "%.40s.anyOf", item->path);
    const struct guard_member claim = {item->body, rely_json_get(item->value, "claim"), claim_path};
    const struct rely_json *values = rely_json_get(item->value, "anyOf");
    bool is_read = read_claim_name(&claim, &out->key, &parsed[index]);
    size_t earlier = is_read ? find_same_claim(parsed, index) : index;
    if (earlier < index)
        note_same_claim(&claim, REQUIRED, earlier);
    if (values == NULL)
        rely_problems_add(item->body->problems, values_path, "required", "%s is required", values_path);
    else
        rely_field_read_list(item->body, values, values_path, &rule, &out->values);
    return is_read && earlier == index;
}

static bool check_list(const struct guard_member *list, size_t most)
{
    if (list->value == NULL)
        return false;
    if (rely_json_type(list->value) != RELY_JSON_ARRAY) {
        rely_field_wrong_type(list->value, list->path, "an array of objects", list->body->problems);
        return false;
    }
    size_t count = rely_json_size(list->value);
    if (count > most)
        rely_problems_add(list->body->problems, list->path, "too_many", "%s has %zu items; the limit is %zu",
                          list->path, count, most);
    return count <= most;
}

static void read_required_claims(const struct rely_body *body, struct rely_issuer_record *issuer)
{
    const struct guard_member list = member_of(body, "requiredClaims", REQUIRED);
    struct rely_slice parsed[RELY_REQUIRED_CLAIMS_MAX] = {{NULL, 0}};
    if (!check_list(&list, RELY_REQUIRED_CLAIMS_MAX))
        return;
    size_t count = rely_json_size(list.value);
    struct rely_text_entry *entries = rely_pool_alloc(body->pool, count * sizeof *entries);
    for (size_t i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, REQUIRED "[%zu]", i);
        struct rely_text_entry entry = {.values = {NULL, 0}};
        if (read_required_claim(&(struct guard_member){body, rely_json_at(list.value, i), path}, i, parsed, &entry))
            entries[issuer->required_claims.count++] = entry;
    }
    issuer->required_claims.items = entries;
}

/* --- the others --------------------------------------------------------------------------------------------------- */

static bool read_switch(const struct guard_member *member)
{
    if (member->value != NULL && rely_json_type(member->value) != RELY_JSON_BOOL)
        rely_field_wrong_type(member->value, member->path, "true or false", member->body->problems);
    return rely_json_true(member->value);
}

static int64_t read_pin(const struct guard_member *member)
{
    int64_t found = rely_json_type(member->value) == RELY_JSON_STRING
                        ? rely_find_word("|off|first-use", rely_json_text(member->value))
                        : 0;
    if (member->value != NULL && found == 0)
        rely_problems_add(member->body->problems, member->path, "invalid_value",
                          "%s must be \"off\" or \"first-use\", or be left out", member->path);
    return found == 0 ? RELY_PIN_OFF : found;
}

static void read_allowed_subjects(const struct guard_member *member, struct rely_texts *out)
{
    static const struct rely_list_rule rule = {0, RELY_ALLOWED_SUBJECTS_MAX, {.min = 1, .max = RELY_TEXT_MAX}, false};
    if (member->value != NULL)
        rely_field_read_list(member->body, member->value, member->path, &rule, out);
}

void rely_issuer_guards_read(const struct rely_body *body, const struct rely_field *field,
                             struct rely_issuer_record *issuer)
{
    const struct guard_member guards = {body, rely_json_get(body->json, field->json), field->json};
    issuer->pin_uid = RELY_PIN_OFF;
    if (guards.value == NULL || !check_object(&guards))
        return;
    const struct guard_member single = member_of(body, "singleAudience", "guards.singleAudience");
    const struct guard_member stretched = member_of(body, "refuseStretched", "guards.refuseStretched");
    const struct guard_member pin = member_of(body, "pinServiceAccountUid", "guards.pinServiceAccountUid");
    const struct guard_member subjects = member_of(body, "allowedSubjects", "guards.allowedSubjects");
    check_guard_members(&guards, field->words);
    read_required_claims(body, issuer);
    issuer->is_single_audience = read_switch(&single);
    issuer->refuses_stretched = read_switch(&stretched);
    issuer->pin_uid = read_pin(&pin);
    read_allowed_subjects(&subjects, &issuer->allowed_subjects);
}

/* --- shown ------------------------------------------------------------------------------------------------------- */

struct rely_json *rely_issuer_guards_show(const struct rely_issuer_record *issuer)
{
    struct rely_json *guards = rely_json_object(), *required = rely_json_array();
    for (size_t i = 0; i < issuer->required_claims.count; i++) {
        struct rely_json *item = rely_json_object();
        rely_json_set(item, "claim", rely_json_of_text(issuer->required_claims.items[i].key));
        rely_json_set(item, "anyOf", rely_texts_show(&issuer->required_claims.items[i].values));
        rely_json_append(required, item);
    }
    rely_json_set(guards, "requiredClaims", required);
    rely_json_set(guards, "singleAudience", rely_json_of_bool(issuer->is_single_audience));
    rely_json_set(guards, "refuseStretched", rely_json_of_bool(issuer->refuses_stretched));
    rely_json_set(guards, "pinServiceAccountUid",
                  rely_json_of_text(issuer->pin_uid == RELY_PIN_FIRST_USE ? RELY_LIT("first-use") : RELY_LIT("off")));
    rely_json_set(guards, "allowedSubjects", rely_texts_show(&issuer->allowed_subjects));
    return guards;
}

struct rely_json *rely_issuer_guards_schema(void)
{
    struct rely_err unused;
    return rely_json_parse(
        RELY_LIT(
            "{\"type\":\"object\",\"properties\":{"
            "\"requiredClaims\":{\"type\":\"array\",\"maxItems\":16,\"items\":{\"type\":\"object\",\"properties\":{"
            "\"claim\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":200},"
            "\"anyOf\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":64,\"uniqueItems\":true,"
            "\"items\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":600}}},"
            "\"required\":[\"claim\",\"anyOf\"],\"additionalProperties\":false}},"
            "\"singleAudience\":{\"type\":\"boolean\"},\"refuseStretched\":{\"type\":\"boolean\"},"
            "\"pinServiceAccountUid\":{\"type\":\"string\",\"enum\":[\"off\",\"first-use\"]},"
            "\"allowedSubjects\":{\"type\":\"array\",\"maxItems\":32,\"uniqueItems\":true,"
            "\"items\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":600}}},\"additionalProperties\":false}"),
        &unused);
}

/* --- beside the table ---------------------------------------------------------------------------------------------- */

static void check_tenant_subject(const struct rely_body *body, struct rely_slice form)
{
    if (form.ptr != NULL && !rely_tenant_form_is_good(form))
        rely_problems_add(body->problems, "tenantSubject", "invalid_text",
                          "tenantSubject has {tenant} once, and behind it what ends a tenant's name, as in "
                          "repo:{tenant}/");
}

static void check_pin_claims(const struct rely_body *body, const struct rely_texts *claims)
{
    struct rely_slice parsed[RELY_PIN_CLAIMS_MAX] = {{NULL, 0}};
    size_t count = 0;
    for (size_t i = 0; i < claims->count && i < RELY_PIN_CLAIMS_MAX; i++) {
        struct rely_expression_fault fault;
        char path[64];
        snprintf(path, sizeof path, "pinClaims[%zu]", i);
        const struct guard_member item = {body, NULL, path};
        if (claims->items[i].ptr == NULL)
            continue;
        if (!rely_claim_parse(claims->items[i], body->pool, &parsed[count], &fault)) {
            rely_problems_add(body->problems, path, "invalid_value",
                              "%s is no claim's name: in column %zu there should be %s", path, fault.column,
                              fault.expected);
            rely_problems_set_column(body->problems, fault.column);
            continue;
        }
        size_t earlier = find_same_claim(parsed, count);
        if (earlier < count)
            note_same_claim(&item, "pinClaims", earlier);
        else
            count++;
    }
}

void rely_issuer_guards_check(const struct rely_body *body, const struct rely_issuer_record *issuer)
{
    check_tenant_subject(body, issuer->tenant_subject);
    check_pin_claims(body, &issuer->pin_claims);
    if (issuer->is_shared && issuer->tenant_subject.ptr == NULL && issuer->pin_claims.count == 0 &&
        rely_json_get(body->json, "tenantSubject") == NULL && rely_json_get(body->json, "pinClaims") == NULL)
        rely_problems_add(body->problems, "isShared", "required",
                          "isShared needs tenantSubject or pinClaims: what else should name a tenant?");
}

bool rely_issuer_guards_are_whole(const struct rely_issuer_record *issuer)
{
    struct rely_pool pool;
    bool is_good = true;
    rely_pool_init(&pool);
    for (size_t i = 0; is_good && i < issuer->required_claims.count; i++)
        is_good = rely_claim_parse(issuer->required_claims.items[i].key, &pool, &(struct rely_slice){NULL, 0},
                                   &(struct rely_expression_fault){0});
    rely_pool_fini(&pool);
    return is_good;
}
