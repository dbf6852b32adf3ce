/*
 * What came near to a token that no credential matches: exact ones by the order of their subjects, and rules by
 * expression by that of what they are looked up by. Decides nothing. Each question walks an index for a few rows, so
 * that it costs the same in a registry of a million. Called by admin/.
 */
#include "inside.h"

#define KEYLESS_MAX 8 /* nothing tells them apart: those that there are first */
#define BESIDE_MAX 3  /* on each side of a key, or of a prefix */

struct finding_near {
    struct rely_store *store;
    void (*visit)(const union rely_any_record *record, void *context);
    void *context;
    struct rely_err *err;
};

static bool take_near_record(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct finding_near *finding = context;
    (void)parent;
    finding->visit(record, finding->context);
    return true;
}

static bool ask_near(struct finding_near *finding, const struct rely_stored_asked *asked)
{
    return rely_stored_ask(finding->store, asked, &(struct rely_stored_visit){take_near_record, finding}, finding->err);
}

static bool find_exact(struct finding_near *finding, const struct rely_near_question *question)
{
    static const enum rely_stored_question questions[] = {RELY_STORED_NEAR_OWN, RELY_STORED_NEAR_OTHERS,
                                                          RELY_STORED_NEAR_BEFORE, RELY_STORED_NEAR_BEHIND};
    const size_t count = sizeof questions / sizeof questions[0], share = question->limit / count;
    for (size_t i = 0; i < count; i++)
        if (!ask_near(finding,
                      &(struct rely_stored_asked){.question = questions[i],
                                                  .number = question->issuer_id,
                                                  .text = question->subject,
                                                  .limit = i == 0 ? question->limit - (count - 1) * share : share}))
            return false;
    return true;
}

/* Of ten thousand that begin alike those are near whose key is near to what the token says. */
static bool find_at_place(struct finding_near *finding, const struct rely_near_place *place)
{
    struct rely_pool pool;
    struct rely_stored_asked asked = {
        .question = RELY_STORED_NEAR_KEYLESS, .number = place->scope, .text = place->prefix, .limit = KEYLESS_MAX};
    if (place->claim.len == 0)
        return ask_near(finding, &asked);
    rely_pool_init(&pool);
    asked.more = rely_expressions_print_key(place->claim, place->text, &pool);
    asked.limit = BESIDE_MAX;
    asked.question = RELY_STORED_NEAR_KEY_BEHIND;
    bool is_read = ask_near(finding, &asked);
    asked.question = RELY_STORED_NEAR_KEY_BEFORE;
    is_read = is_read && ask_near(finding, &asked);
    rely_pool_fini(&pool);
    return is_read;
}

/* Those whose prefix the subject does not have, and nearly has. */
static bool find_in_scope(struct finding_near *finding, int64_t scope, struct rely_slice subject)
{
    struct rely_stored_asked asked = {
        .question = RELY_STORED_NEAR_PREFIX_BEHIND, .number = scope, .text = subject, .limit = BESIDE_MAX};
    if (!ask_near(finding, &asked))
        return false;
    asked.question = RELY_STORED_NEAR_PREFIX_BEFORE;
    return ask_near(finding, &asked);
}

bool rely_registry_each_near(struct rely_registry *registry, const struct rely_near_question *question,
                             void (*visit)(const union rely_any_record *record, void *context), void *context,
                             struct rely_err *err)
{
    struct finding_near finding = {registry->store, visit, context, err};
    bool is_read = find_exact(&finding, question);
    for (size_t i = 0; is_read && i < question->place_count; i++)
        is_read = find_at_place(&finding, &question->places[i]);
    for (size_t i = 0; is_read && i < question->scope_count; i++)
        is_read = find_in_scope(&finding, question->scopes[i], question->subject);
    return is_read;
}
