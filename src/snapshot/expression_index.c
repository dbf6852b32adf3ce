/*
 * By what rules by expression are found: the scope, the literal prefix of what they want of the subject, and of their
 * `eq` terms on other claims the one that was chosen when it was written, which the fewest others share. So ten
 * thousand repositories of one owner, which have one prefix, are told apart. Decides nothing; whether a token matches,
 * the expression says. Called by index.c, and by whoever looks for rules.
 */
#include "edit.h"
#include "tally.h"

#include "relyd/expressions.h"
#include "relyd/text.h"

/* What tallies are of. */
#define OF_SCOPES 1   /* which lengths its prefixes have, in bytes: a word is a uint16_t */
#define OF_PREFIXES 2 /* by which claims those of a prefix are told apart; "": by none */
#define OF_ALL 3      /* which claims any rule or route asks for */
#define OF_RULES 4

static uint64_t hash_scope(int64_t scope)
{
    return rely_rule_hash_in(rely_hash(RELY_LIT("scope"), OF_SCOPES), 0, scope);
}

static uint64_t hash_prefix(int64_t scope, struct rely_slice prefix)
{
    return rely_rule_hash_in(rely_hash(prefix, OF_PREFIXES), 0, scope);
}

/* Ten thousand routes may ask for claims of their own: what is counted is in parts, so that one more copies few. */
#define PARTS_OF_ALL 64

static uint64_t hash_part(size_t part)
{
    return rely_hash(rely_slice((const char *)&part, sizeof part), OF_ALL);
}

/* In: prefix - its hash. claim - empty: told apart by none. */
static uint64_t hash_place(uint64_t prefix, struct rely_slice claim, struct rely_slice text)
{
    return rely_hash(text, rely_hash(claim, prefix + OF_RULES));
}

/* --- which term ----------------------------------------------------------------------------------------------- */

bool rely_term_tells_apart(const struct rely_expression *expression, size_t term, struct rely_slice subject)
{
    struct rely_slice claim = rely_term_claim(expression, term);
    return rely_term_is_literal(expression, term) && claim.len > 0 && !rely_slice_equal(claim, subject);
}

int8_t rely_expression_term_on(const struct rely_expression *expression, struct rely_slice claim)
{
    for (int8_t i = 0; i < expression->term_count; i++)
        if (rely_slice_equal(rely_term_claim(expression, (size_t)i), claim))
            return i;
    return -1;
}

struct rely_slice rely_rule_prefix(const struct rely_credential *rule)
{
    if (rule->subject_term < 0)
        return RELY_LIT("");
    return rely_expression_prefix(rule->expression, rely_term_claim(rule->expression, (size_t)rule->subject_term));
}

static uint64_t hash_rule_place(const struct rely_credential *credential)
{
    int8_t term = credential->key_term;
    const struct rely_expression *expression = credential->expression;
    uint64_t prefix = hash_prefix(credential->scope, rely_rule_prefix(credential));
    if (term < 0)
        return hash_place(prefix, RELY_LIT(""), RELY_LIT(""));
    return hash_place(prefix, rely_term_claim(expression, (size_t)term), rely_term_text(expression, (size_t)term));
}

/* --- putting and removing ----------------------------------------------------------------------------------------- */

void rely_asked_claim_edit(struct rely_snapshot *next, struct rely_slice claim, bool is_removal)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    if (!rely_tally_change(&next->tallies, &edit, hash_part(rely_hash(claim, OF_ALL) % PARTS_OF_ALL), claim,
                           is_removal))
        return;
    next->asked_count += is_removal ? SIZE_MAX : 1;
    if (!is_removal)
        next->asked_edition = next->edition;
}

static void change_words(struct rely_snapshot *next, const struct rely_credential *credential, bool is_removal)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    const struct rely_expression *expression = credential->expression;
    struct rely_slice prefix = rely_rule_prefix(credential);
    uint16_t len = (uint16_t)prefix.len;
    struct rely_slice claim =
        credential->key_term < 0 ? RELY_LIT("") : rely_term_claim(expression, (size_t)credential->key_term);
    rely_tally_change(&next->tallies, &edit, hash_scope(credential->scope), rely_slice((const char *)&len, sizeof len),
                      is_removal);
    rely_tally_change(&next->tallies, &edit, hash_prefix(credential->scope, prefix), claim, is_removal);
    for (size_t i = 0; i < expression->term_count; i++)
        rely_asked_claim_edit(next, rely_term_claim(expression, i), is_removal);
}

void rely_expression_index_edit(struct rely_snapshot *next, const void *item, bool is_removal)
{
    struct rely_edit edit = rely_snapshot_edit(next);
    const struct rely_credential *credential = item;
    if (credential->expression == NULL)
        return;
    uint64_t hash = hash_rule_place(credential);
    change_words(next, credential, is_removal);
    if (is_removal)
        rely_map_remove(&next->expressions, &edit, hash, credential);
    else
        rely_map_put(&next->expressions, &edit, hash, credential);
}

void rely_expression_index_fini(struct rely_snapshot *last)
{
    rely_tally_free_all(&last->tallies);
    rely_map_fini(&last->expressions);
}

/* --- look-ups ---------------------------------------------------------------------------------------------------- */

/* A processor waits for memory that nobody has touched lately as long as for a hundred steps of work: that of so many
 * look-ups is asked for at once. */
#define TOGETHER 32

/* What is to be looked up under a hash, and for which scope. */
struct sought {
    int64_t scope;
    uint64_t hash;
};

struct seeking {
    struct sought items[TOGETHER];
    size_t count;
};

struct looking {
    const struct rely_snapshot *snapshot;
    const struct rely_expression_query *query;
    void (*visit)(const struct rely_credential *credential, void *context);
    void *context;
    struct seeking prefixes, places;
    size_t hashed_len; /* of the subject's beginning that was hashed last, and its hash without a scope */
    uint64_t hashed;
};

static void visit_places(struct looking *looking)
{
    const struct rely_map *rules = &looking->snapshot->expressions;
    const struct seeking *places = &looking->places;
    const struct rely_credential *credential;
    for (size_t i = 0; i < places->count; i++)
        rely_map_expect_leaf(rules, places->items[i].hash);
    for (size_t i = 0; i < places->count; i++) {
        size_t cursor = 0;
        while ((credential = rely_map_find(rules, places->items[i].hash, &cursor)) != NULL)
            if (credential->scope == places->items[i].scope)
                looking->visit(credential, looking->context);
    }
    looking->places.count = 0;
}

static void seek_place(struct looking *looking, int64_t scope, uint64_t hash)
{
    if (looking->places.count == TOGETHER)
        visit_places(looking);
    rely_map_expect(&looking->snapshot->expressions, hash);
    looking->places.items[looking->places.count++] = (struct sought){scope, hash};
}

/* By what those of one beginning are told apart. Of a list whose length whoever fills the token chooses, by the first
 * items alone: what is behind them finds nothing, and lets nobody in. */
static void seek_places(struct looking *looking, const struct sought *prefix)
{
    const struct rely_said *said = looking->query->said;
    const struct rely_tally *claims = rely_tally_find(&looking->snapshot->tallies, prefix->hash);
    for (size_t i = 0; claims != NULL && i < claims->count; i++) {
        struct rely_slice claim = rely_tally_word(claims, i);
        if (claim.len == 0) {
            seek_place(looking, prefix->scope, hash_place(prefix->hash, claim, claim));
            continue;
        }
        struct rely_claim_value value = said->of_claim(said->context, claim);
        for (size_t k = 0; k < value.count && k < RELY_ITEMS_SOUGHT_MAX; k++)
            seek_place(looking, prefix->scope, hash_place(prefix->hash, claim, value.texts[k]));
    }
}

static void seek_all_places(struct looking *looking)
{
    const struct seeking *prefixes = &looking->prefixes;
    for (size_t i = 0; i < prefixes->count; i++)
        rely_map_expect_leaf(&looking->snapshot->tallies, prefixes->items[i].hash);
    for (size_t i = 0; i < prefixes->count; i++)
        seek_places(looking, &prefixes->items[i]);
    looking->prefixes.count = 0;
}

/* Most scopes have beginnings of the same lengths. */
static uint64_t hash_beginning(struct looking *looking, int64_t scope, size_t len)
{
    if (looking->hashed_len != len)
        looking->hashed = hash_prefix(0, rely_slice(looking->query->subject.ptr, len));
    looking->hashed_len = len;
    return rely_rule_hash_in(looking->hashed, 0, scope);
}

static void seek_prefixes(struct looking *looking, const struct sought *scope)
{
    const struct rely_tally *lengths = rely_tally_find(&looking->snapshot->tallies, scope->hash);
    for (size_t i = 0; lengths != NULL && i < lengths->count; i++) {
        uint16_t len;
        memcpy(&len, rely_tally_word(lengths, i).ptr, sizeof len);
        if (len > looking->query->subject.len)
            continue;
        if (looking->prefixes.count == TOGETHER)
            seek_all_places(looking);
        uint64_t hash = hash_beginning(looking, scope->scope, len);
        rely_map_expect(&looking->snapshot->tallies, hash);
        looking->prefixes.items[looking->prefixes.count++] = (struct sought){scope->scope, hash};
    }
}

static void seek_some(struct looking *looking, const int64_t *scopes, size_t count)
{
    const struct rely_map *tallies = &looking->snapshot->tallies;
    struct sought sought[TOGETHER];
    for (size_t i = 0; i < count; i++) {
        sought[i] = (struct sought){scopes[i], hash_scope(scopes[i])};
        rely_map_expect(tallies, sought[i].hash);
    }
    for (size_t i = 0; i < count; i++)
        rely_map_expect_leaf(tallies, sought[i].hash);
    for (size_t i = 0; i < count; i++)
        seek_prefixes(looking, &sought[i]);
}

void rely_snapshot_each_expression(const struct rely_snapshot *snapshot, const struct rely_expression_query *query,
                                   void (*visit)(const struct rely_credential *credential, void *context),
                                   void *context)
{
    struct looking looking;
    looking.snapshot = snapshot;
    looking.query = query;
    looking.visit = visit;
    looking.context = context;
    looking.prefixes.count = looking.places.count = 0;
    looking.hashed_len = SIZE_MAX;
    for (size_t done = 0, some; done < query->scope_count; done += some) {
        some = query->scope_count - done < TOGETHER ? query->scope_count - done : TOGETHER;
        seek_some(&looking, query->scopes + done, some);
    }
    seek_all_places(&looking);
    visit_places(&looking);
}

void rely_snapshot_each_place(const struct rely_snapshot *snapshot, const struct rely_expression_query *query,
                              void (*visit)(struct rely_slice prefix, struct rely_slice claim, void *context),
                              void *context)
{
    const struct rely_tally *lengths = rely_tally_find(&snapshot->tallies, hash_scope(query->scopes[0]));
    size_t count = lengths == NULL ? 0 : lengths->count;
    for (size_t i = 0; i < count; i++) {
        uint16_t len;
        memcpy(&len, rely_tally_word(lengths, i).ptr, sizeof len);
        if (len > query->subject.len)
            continue;
        struct rely_slice prefix = rely_slice(query->subject.ptr, len);
        const struct rely_tally *claims = rely_tally_find(&snapshot->tallies, hash_prefix(query->scopes[0], prefix));
        for (size_t k = 0; claims != NULL && k < claims->count; k++)
            visit(prefix, rely_tally_word(claims, k), context);
    }
}

void rely_snapshot_each_asked_claim(const struct rely_snapshot *snapshot,
                                    void (*visit)(struct rely_slice claim, void *context), void *context)
{
    for (size_t part = 0; part < PARTS_OF_ALL; part++) {
        const struct rely_tally *claims = rely_tally_find(&snapshot->tallies, hash_part(part));
        for (size_t i = 0; claims != NULL && i < claims->count; i++)
            visit(rely_tally_word(claims, i), context);
    }
}
