/*
 * The tenants of an issuer that many share: whether a credential names one. Decides nothing about writes; registry/
 * refuses what names none. Called by registry/, and by the reader of bodies for the form.
 */
#include "relyd/tenant.h"
#include "kind.h"
#include "relyd/expression.h"
#include "relyd/text.h"

#define TENANT "{tenant}"

/* What stands before and behind the tenant's name. */
struct form {
    struct rely_slice head, tail;
};

/* False: it has none, or ends with it. */
static bool cut_form(struct rely_slice text, struct form *form)
{
    const char *at = text.len == 0 ? NULL : memmem(text.ptr, text.len, TENANT, sizeof TENANT - 1);
    if (at == NULL)
        return false;
    size_t head = (size_t)(at - text.ptr), end = head + sizeof TENANT - 1;
    form->head = rely_slice(text.ptr, head);
    form->tail = rely_slice(text.ptr + end, text.len - end);
    return form->tail.len > 0;
}

bool rely_tenant_form_is_good(struct rely_slice text)
{
    struct form form;
    return cut_form(text, &form) && memmem(form.tail.ptr, form.tail.len, TENANT, sizeof TENANT - 1) == NULL;
}

/* Has it all of a tenant's name, which has at least one character, and what ends it? */
static bool reaches_through(struct rely_slice text, struct rely_slice tenant_subject)
{
    struct form form;
    if (!cut_form(tenant_subject, &form) || text.ptr == NULL || !rely_slice_starts(text, form.head))
        return false;
    const char *name = text.ptr + form.head.len;
    const char *end = memmem(name, text.len - form.head.len, form.tail.ptr, form.tail.len);
    return end != NULL && end > name;
}

/* Is this claim, as rely_term_claim has it, one of the names? */
static bool is_named(const struct rely_texts *names, struct rely_slice claim)
{
    struct rely_pool pool;
    bool is_found = false;
    rely_pool_init(&pool);
    for (size_t i = 0; i < names->count && !is_found; i++) {
        struct rely_slice parsed;
        is_found = rely_claim_parse(names->items[i], &pool, &parsed, &(struct rely_expression_fault){0}) &&
                   rely_slice_equal(parsed, claim);
    }
    rely_pool_fini(&pool);
    return is_found;
}

static bool does_guard_name_tenant(const struct rely_issuer_record *issuer, struct rely_pool *pool)
{
    for (size_t i = 0; i < issuer->required_claims.count; i++) {
        struct rely_slice claim;
        if (rely_claim_parse(issuer->required_claims.items[i].key, pool, &claim, &(struct rely_expression_fault){0}) &&
            is_named(&issuer->pin_claims, claim))
            return true;
    }
    return false;
}

/* Its subjectClaim as rely_term_claim has it. */
static struct rely_slice subject_claim_of(const struct rely_issuer_record *issuer, struct rely_pool *pool)
{
    struct rely_slice claim = RELY_SUBJECT_CLAIM;
    rely_drop(rely_claim_parse(issuer->subject_claim, pool, &claim, &(struct rely_expression_fault){0}));
    return claim;
}

static bool does_expression_name_tenant(struct rely_slice text, const struct rely_issuer_record *issuer,
                                        struct rely_pool *pool)
{
    const struct rely_expression *expression;
    if (!rely_expression_parse(text, pool, &expression, &(struct rely_expression_fault){0}))
        return false;
    if (reaches_through(rely_expression_prefix(expression, subject_claim_of(issuer, pool)), issuer->tenant_subject))
        return true;
    for (size_t i = 0; i < expression->term_count; i++)
        if (rely_term_is_literal(expression, i) && rely_term_text(expression, i).len > 0 &&
            is_named(&issuer->pin_claims, rely_term_claim(expression, i)))
            return true;
    return false;
}

bool rely_credential_names_tenant(const struct rely_credential_record *credential,
                                  const struct rely_issuer_record *issuer)
{
    struct rely_pool pool;
    rely_pool_init(&pool);
    bool is_named_by_guard = does_guard_name_tenant(issuer, &pool);
    bool is_found = is_named_by_guard;
    if (!is_found && credential->expression.ptr != NULL)
        is_found = does_expression_name_tenant(credential->expression, issuer, &pool);
    else if (!is_found)
        is_found = reaches_through(credential->subject, issuer->tenant_subject) ||
                   (credential->subject.ptr != NULL && is_named(&issuer->pin_claims, subject_claim_of(issuer, &pool)));
    rely_pool_fini(&pool);
    return is_found;
}

bool rely_issuer_has_same_tenants(const struct rely_issuer_record *a, const struct rely_issuer_record *b)
{
    bool are_same = a->is_shared == b->is_shared && rely_slice_same(a->tenant_subject, b->tenant_subject) &&
                    rely_texts_same(&a->pin_claims, &b->pin_claims) &&
                    a->required_claims.count == b->required_claims.count;
    for (size_t i = 0; are_same && i < a->required_claims.count; i++)
        are_same = rely_slice_equal(a->required_claims.items[i].key, b->required_claims.items[i].key);
    return are_same;
}
