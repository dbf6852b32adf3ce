/*
 * The verified-token cache: sets of eight entries found by a fingerprint of the token. Remembers only cryptographic
 * success; everything that can change (time, rules, identities, the record, its keys) is judged or compared on every
 * hit. Called by endpoints/ in place of rely_review_run.
 */
#include "relyd/cache.h"
#include "relyd/key_times.h"
#include "relyd/keys.h"
#include "relyd/traffic.h"

#include "fingerprint.h"
#include "steps.h"

#include <stdlib.h>

#define WAYS 8
#define USES_MAX 15
#define TEXT_BYTES (RELY_CACHE_ENTRY_BYTES - sizeof(struct cache_entry))
#define AUDIENCES_MAX 8

struct cache_entry {
    struct rely_fingerprint print;
    int64_t issuer_id; /* 0: free */
    uint64_t issuer_edition;
    uint64_t candidates_mark;   /* of the records among which the signer was looked for */
    const struct rely_key *key; /* borrowed: valid while issuer_edition is the snapshot's */
    bool has_kid;               /* the token names one, which is the key's */
    uint8_t name;               /* of the names of that record the one in the token */
    enum rely_alg alg;          /* of the token */
    uint64_t rule_hash;
    uint64_t issuers_edition; /* of the snapshot in which issuer was looked up */
    const struct rely_issuer *issuer;
    int64_t verified_s;
    int64_t used_s;                 /* when its key was noted as used */
    uint32_t fresh_s;               /* how long after that the signature counts as verified */
    uint64_t spared_edition;        /* of the revocations of which none has hit it */
    uint64_t slots_edition;         /* of the snapshot in which they were asked for; 0: there are none */
    struct rely_claim_slots *slots; /* owned; NULL: none */
    struct rely_credentials_memo memo;
    struct rely_claims claims; /* slices point into text, audiences into the array */
    struct rely_slice audiences[AUDIENCES_MAX];
    char text[];
};

struct cache_set {
    struct cache_entry *entries[WAYS]; /* owned; NULL: free */
    uint64_t tags[WAYS];               /* the scattered fingerprints: one cache line to look through */
    uint8_t uses[WAYS];
};

struct rely_cache {
    struct rely_fingerprint_key *key; /* owned; secret: without it nobody can prepare two tokens with one fingerprint */
    size_t set_count;
    struct cache_set *sets; /* owned */
    uint32_t *seen;         /* owned: tags of tokens that were seen once; seen_count of them */
    size_t seen_count;
    struct rely_cache_counts counts;
};

struct rely_cache *rely_cache_new(size_t entries)
{
    if (entries == 0)
        return NULL;
    struct rely_cache *cache = rely_alloc(sizeof *cache);
    cache->key = rely_fingerprint_key_new();
    cache->set_count = 1;
    while (cache->set_count * WAYS < entries)
        cache->set_count *= 2;
    cache->sets = rely_alloc(cache->set_count * sizeof *cache->sets);
    cache->seen_count = cache->set_count * WAYS * 4;
    cache->seen = rely_alloc(cache->seen_count * sizeof *cache->seen);
    return cache;
}

static void free_entry(struct cache_entry *entry)
{
    if (entry != NULL)
        free(entry->slots);
    free(entry);
}

void rely_cache_free(struct rely_cache *cache)
{
    if (cache == NULL)
        return;
    for (size_t i = 0; i < cache->set_count; i++)
        for (size_t k = 0; k < WAYS; k++)
            free_entry(cache->sets[i].entries[k]);
    rely_fingerprint_key_free(cache->key);
    free(cache->sets);
    free(cache->seen);
    free(cache);
}

struct rely_cache_counts rely_cache_count(const struct rely_cache *cache)
{
    return cache == NULL ? (struct rely_cache_counts){0} : cache->counts;
}

/* What a token is looked up by. */
struct cache_name {
    struct rely_fingerprint print;
    uint64_t tag; /* low bits: which set; high bits: which place among those seen */
};

static struct cache_name name_token(const struct rely_cache *cache, struct rely_slice token)
{
    struct cache_name name = {.print = rely_fingerprint_of(cache->key, token)};
    name.tag = rely_fingerprint_scatter(&name.print);
    return name;
}

static struct cache_set *find_set(const struct rely_cache *cache, uint64_t tag)
{
    return &cache->sets[tag & (cache->set_count - 1)];
}

/* --- hits ---------------------------------------------------------------------------------------- */

/* The record and key set must be those that the token was verified under, and the records that share its `iss` and
 * might have signed it the same as then. */
static const struct rely_issuer *look_up_issuer(const struct cache_entry *entry, const struct rely_snapshot *snapshot)
{
    const struct rely_issuer *issuer = rely_snapshot_issuer(snapshot, entry->issuer_id);
    if (issuer == NULL || issuer->edition != entry->issuer_edition)
        return NULL;
    struct rely_unverified token = {.issuer = rely_issuer_name_at(issuer, entry->name), .alg = entry->alg};
    if (entry->has_kid)
        token.kid = rely_key_kid(entry->key);
    return rely_candidates_mark(snapshot, &token) == entry->candidates_mark ? issuer : NULL;
}

/* While no record of any issuer changes the answer stays the same: look-ups in a registry of millions are what a hit
 * would wait for. */
static const struct rely_issuer *find_current_issuer(struct cache_entry *entry, const struct rely_snapshot *snapshot)
{
    if (entry->issuers_edition != snapshot->issuers_edition) {
        entry->issuer = look_up_issuer(entry, snapshot);
        entry->issuers_edition = snapshot->issuers_edition;
    }
    return entry->issuer;
}

/* Not for ever: should an entry be wrong, by whatever bug or broken memory, it is not for long. A clock that was set
 * back makes the difference huge. */
static bool is_fresh(const struct cache_entry *entry, int64_t now_s)
{
    return (uint64_t)now_s - (uint64_t)entry->verified_s < entry->fresh_s;
}

/* A claim for which a rule or a route asks since then may be in the token, and is not known: it is verified anew, not judged
 * without. */
static bool has_what_is_asked(const struct cache_entry *entry, const struct rely_snapshot *snapshot)
{
    return snapshot->asked_count == 0 || (entry->slots != NULL && entry->slots_edition >= snapshot->asked_edition);
}

static bool find_hit(struct rely_cache *cache, const struct rely_snapshot *snapshot, const struct cache_name *name,
                     int64_t now_s, struct rely_known_token *known)
{
    struct cache_set *set = find_set(cache, name->tag);
    for (size_t i = 0; i < WAYS; i++) {
        struct cache_entry *entry = set->entries[i];
        if (set->tags[i] != name->tag || entry == NULL || !rely_fingerprint_is_same(&entry->print, &name->print))
            continue;
        known->issuer = find_current_issuer(entry, snapshot);
        known->name = entry->name;
        known->key = entry->key;
        known->claims = &entry->claims;
        known->rule_hash = entry->rule_hash;
        known->spared_edition = &entry->spared_edition;
        known->memo = &entry->memo;
        known->used_s = &entry->used_s;
        known->slots = entry->slots == NULL ? NULL : entry->slots->items;
        known->slot_count = entry->slots == NULL ? 0 : entry->slots->count;
        if (set->uses[i] < USES_MAX)
            set->uses[i]++;
        return known->issuer != NULL && is_fresh(entry, now_s) && has_what_is_asked(entry, snapshot);
    }
    return false;
}

/* --- admission ------------------------------------------------------------------------------------- */

/* Has this token been seen lately? If not, it has now. */
static bool was_seen_before(struct rely_cache *cache, const struct cache_name *name)
{
    uint32_t *place = &cache->seen[(name->tag >> 32) & (cache->seen_count - 1)];
    uint32_t mark = (uint32_t)name->print.word[2] | 1;
    bool is_seen = *place == mark;
    *place = mark;
    return is_seen;
}

/* A place in the set: the token's own, a free one, or that of an entry which has not been used since all were aged.
 * Each newcomer that finds none ages the set, so that what is used all the time stays and what is not goes. */
static size_t choose_place(struct rely_cache *cache, struct cache_set *set, const struct cache_name *name)
{
    size_t place = WAYS;
    for (size_t i = 0; i < WAYS; i++) {
        if (set->entries[i] != NULL && rely_fingerprint_is_same(&set->entries[i]->print, &name->print))
            return i;
        if (set->entries[i] == NULL || (set->uses[i] == 0 && place == WAYS))
            place = i;
    }
    if (place < WAYS && set->entries[place] != NULL)
        cache->counts.evicted++;
    for (size_t i = 0; i < WAYS && place == WAYS; i++)
        set->uses[i]--;
    return place;
}

static size_t measure_claims(const struct rely_claims *claims)
{
    const struct rely_kubernetes_claims *kubernetes = &claims->kubernetes;
    size_t size = claims->subject.len + claims->token_id.len + kubernetes->namespace_name.len +
                  kubernetes->account_name.len + kubernetes->account_uid.len + kubernetes->pod_name.len +
                  kubernetes->pod_uid.len + kubernetes->secret_uid.len + kubernetes->node_name.len +
                  kubernetes->node_uid.len;
    for (size_t i = 0; i < claims->audience_count; i++)
        size += claims->audiences[i].len;
    return size;
}

static void keep_text(struct rely_slice *text, char **next)
{
    if (text->ptr == NULL)
        return;
    memcpy(*next, text->ptr, text->len);
    text->ptr = *next;
    *next += text->len;
}

static void keep_claims(struct cache_entry *entry, const struct rely_claims *claims)
{
    char *next = entry->text;
    struct rely_claims *kept = &entry->claims;
    *kept = *claims;
    struct rely_slice *const texts[] = {
        &kept->subject,
        &kept->token_id,
        &kept->kubernetes.namespace_name,
        &kept->kubernetes.account_name,
        &kept->kubernetes.account_uid,
        &kept->kubernetes.pod_name,
        &kept->kubernetes.pod_uid,
        &kept->kubernetes.secret_uid,
        &kept->kubernetes.node_name,
        &kept->kubernetes.node_uid,
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        keep_text(texts[i], &next);
    for (size_t i = 0; i < claims->audience_count; i++) {
        entry->audiences[i] = claims->audiences[i];
        keep_text(&entry->audiences[i], &next);
    }
    kept->audiences = entry->audiences;
}

/* A token that has just verified. All borrowed. */
struct admitting {
    const struct rely_snapshot *snapshot;
    const struct rely_review *review;
    const struct rely_verified *verified;
    struct rely_pool *pool;
};

static void admit_token(struct rely_cache *cache, const struct admitting *admitting, const struct cache_name *name)
{
    const struct rely_snapshot *snapshot = admitting->snapshot;
    const struct rely_review *review = admitting->review;
    struct cache_set *set = find_set(cache, name->tag);
    size_t size = measure_claims(&review->claims);
    if (size > TEXT_BYTES || review->claims.audience_count > AUDIENCES_MAX)
        return; /* an unusual token: verified each time */
    struct rely_claim_slots *slots = NULL;
    if (snapshot->asked_count > 0 &&
        (slots = rely_claim_slots_keep(snapshot, admitting->verified, rely_issuer_subject_claim(review->issuer),
                                       admitting->pool, TEXT_BYTES - size)) == NULL)
        return; /* it says much where it is asked: the same */
    size_t place = choose_place(cache, set, name);
    if (place == WAYS) {
        free(slots);
        return;
    }
    free_entry(set->entries[place]);
    struct cache_entry *entry = rely_alloc(sizeof *entry + size);
    if (cache->counts.largest_bytes < sizeof *entry + size)
        cache->counts.largest_bytes = sizeof *entry + size;
    entry->print = name->print;
    entry->issuer_id = review->issuer->id;
    entry->issuer_edition = review->issuer->edition;
    entry->candidates_mark = rely_candidates_mark(snapshot, &review->token);
    entry->issuer = review->issuer;
    entry->issuers_edition = snapshot->issuers_edition;
    entry->key = review->key;
    entry->has_kid = review->token.kid.ptr != NULL;
    entry->name = (uint8_t)rely_issuer_name_index(review->issuer, review->name);
    entry->alg = review->token.alg;
    entry->rule_hash = review->rule_hash;
    entry->verified_s = entry->used_s = review->now_s;
    entry->fresh_s = RELY_CACHE_VERIFY_AGAIN_S - (uint32_t)((name->tag >> 32) % RELY_CACHE_VERIFY_SPREAD_S);
    entry->slots = slots;
    entry->slots_edition = slots == NULL ? 0 : snapshot->edition;
    keep_claims(entry, &review->claims);
    set->entries[place] = entry;
    set->tags[place] = name->tag;
    set->uses[place] = 1;
    cache->counts.admitted++;
}

/* The signature has verified and the claims were good; what was decided then does not matter, it is decided anew each
 * time. An expired token gets no further: whoever has kept one makes no key of yesterday look used. */
static bool is_worth_remembering(const struct rely_review *review)
{
    return review->key != NULL && review->last_step >= RELY_STEP_ROUTE;
}

/* Of a token that may be new: what one that is seen again was issued at says nothing of a clock. */
static void note_clock(const struct rely_review *review)
{
    const struct rely_claims *claims = &review->claims;
    if (review->decision.reason == RELY_OK && claims->has_issued_at)
        rely_traffic_note_issued(review->issuer->traffic, (int64_t)claims->issued_at - review->now_s, review->now_s);
}

static void note_traffic(const struct rely_review *review)
{
    if (review->issuer == NULL)
        return;
    if (review->decision.reason == RELY_OK)
        rely_traffic_note_allowed(review->issuer->traffic, review->now_s);
    else
        rely_traffic_note_refused(review->issuer->traffic, review->decision.reason, review->key != NULL, review->now_s);
}

static void note_use(const struct rely_review *review)
{
    note_traffic(review);
    if (is_worth_remembering(review))
        rely_key_note_use(review->key, review->now_s);
}

/* The key is looked at once a minute only: its memory would be one more place that a hit waits for. */
static void note_use_of_known(const struct rely_known_token *known, const struct rely_review *review)
{
    if (review->now_s - *known->used_s < RELY_KEY_USE_EVERY_S && review->now_s >= *known->used_s)
        return;
    note_use(review);
    *known->used_s = review->now_s;
}

bool rely_cache_review(struct rely_cache *cache, const struct rely_snapshot *snapshot,
                       const struct rely_review_request *request, int64_t now_s, struct rely_review *review)
{
    struct rely_known_token known;
    if (cache == NULL || request->token.len == 0 || request->token.len > snapshot->token_max_bytes) {
        rely_review_run(snapshot, request, now_s, review);
        note_use(review);
        note_clock(review);
        return false;
    }
    struct cache_name name = name_token(cache, request->token);
    if (find_hit(cache, snapshot, &name, now_s, &known) && now_s <= known.issuer->keys_until_s) {
        cache->counts.hits++;
        rely_review_known(snapshot, request, &known, now_s, review);
        note_use_of_known(&known, review);
        return true;
    }
    cache->counts.misses++;
    struct rely_verified verified;
    rely_review_new(snapshot, request, now_s, review, &verified);
    note_use(review);
    note_clock(review);
    if (is_worth_remembering(review) && was_seen_before(cache, &name))
        admit_token(cache, &(struct admitting){snapshot, review, &verified, request->pool}, &name);
    return false;
}
