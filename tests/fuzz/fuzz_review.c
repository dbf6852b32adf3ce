/*
 * The whole review over small registries, tokens and times that the input chooses. It knows which tokens it signed, and
 * with what, and checks after each review: no allow without the record's key, an audience in all three places, and
 * times within bounds; the rightful record found, whoever its neighbours are; the same decision from the cache, from a
 * registry that was filled the other way round, and once more after a change; rules by subject and by expression, for
 * records and groups, found when and only when the token fits them; and rules that are disabled, have ended or are in
 * shadow decide as if they were gone.
 */
#include "choices.h"
#include "mint.h"
#include "review_rules.h"

#include "relyd/base.h"
#include "relyd/cache.h"
#include "relyd/config.h"
#include "relyd/credentials.h"
#include "relyd/decide.h"
#include "relyd/edition.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/map.h"
#include "relyd/model.h"
#include "relyd/pool.h"
#include "relyd/signature.h"
#include "relyd/token.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEYS_A_RECORD 2
#define SIGNING_KEYS 6

/* Zeros alone are one record, one rule and tokens that are allowed. */
static const struct signing_key {
    const char *name, *alg, *other_alg;
} signing_keys[SIGNING_KEYS] = {
    /* mostly RSA, which is quickly verified */
    {"rsa2048#1", "RS256", "PS256"}, {"rsa2048#2", "RS256", "PS256"}, {"rsa2048#3", "RS256", "RS256"},
    {"rsa2048#4", "RS256", "RS256"}, {"p256#1", "ES256", "ES256"},    {"ed25519#1", "EdDSA", "EdDSA"},
};

/* --- the registry --------------------------------------------------------------------------------------------- */

struct record_key {
    unsigned key;
    const char *kid, *alg;
};

#define DOMAIN_OWNER 1 /* the record that has the trust domain "d" */

/* What a record was made of: the model that decisions are compared with. */
struct record {
    int64_t id;
    const char *url;
    bool is_enabled, takes_typ;
    enum rely_alg only_alg; /* RELY_ALG_UNKNOWN: all */
    struct record_key keys[KEYS_A_RECORD];
    size_t key_count;
    struct rely_keyset *keyset; /* owned; NULL: none */
    int32_t leeway_s;
    int64_t max_lifetime_s;
    const char *alias; /* NULL: none */
};

struct world {
    struct record records[RECORDS];
    size_t record_count;
    struct rules rules;
    struct rely_snapshot *snapshot, *reversed;
    struct rely_keyset *old_keyset; /* owned: replaced, and perhaps still looked at */
    struct rely_cache *cache;
    struct rely_pool pool;
};

static void choose_keys(struct record *record)
{
    const char *jwks[KEYS_A_RECORD];
    struct rely_err err = {0};
    record->key_count = (1 + choose(KEYS_A_RECORD + 1)) % (KEYS_A_RECORD + 1);
    for (size_t i = 0; i < record->key_count; i++) {
        struct record_key *key = &record->keys[i];
        key->key = choose(SIGNING_KEYS);
        key->kid = CHOOSE_TEXT("a", "b", NULL);
        key->alg = choose(2) == 0 ? NULL : signing_keys[key->key].alg;
        jwks[i] = mint_jwk(mint_key(signing_keys[key->key].name), key->kid, key->alg);
    }
    record->keyset = record->key_count == 0
                         ? NULL
                         : rely_signature_accept(rely_slice_of(mint_jwks_of(jwks, record->key_count)), NULL, &err);
    RELY_ASSERT(record->key_count == 0 || record->keyset != NULL);
}

static void choose_record(struct record *record, int64_t id)
{
    record->id = id;
    record->url = CHOOSE_TEXT("https://a", "https://a", "https://b");
    record->alias = CHOOSE_TEXT(NULL, NULL, "https://c");
    if (record->alias != NULL && choose(2) == 1)
        record->alias = strcmp(record->url, "https://a") == 0 ? "https://b" : "https://a";
    record->is_enabled = choose(4) != 3;
    record->takes_typ = choose(4) != 3;
    record->only_alg = choose(4) == 3 ? rely_alg_of(rely_slice_of(signing_keys[choose(SIGNING_KEYS)].alg)) : 0;
    record->leeway_s = (int32_t[]){60, 0, 300}[choose(3)];
    record->max_lifetime_s = (int64_t[]){0, 600, 3600}[choose(3)];
    choose_keys(record);
}

static void put_record(struct rely_snapshot *snapshot, const struct record *record)
{
    static const struct rely_slice types[] = {{"jwt", 3}, {"at+jwt", 6}};
    const struct rely_slice alias = rely_slice_of(record->alias);
    char name[32];
    snprintf(name, sizeof name, "record-%lld", (long long)record->id);
    struct rely_issuer issuer = {.id = record->id,
                                 .name = rely_slice_of(name),
                                 .url = rely_slice_of(record->url),
                                 .aliases = &alias,
                                 .alias_count = record->alias == NULL ? 0 : 1,
                                 .trust_domain = rely_slice_of(record->id == DOMAIN_OWNER ? "d" : NULL),
                                 .algs = record->only_alg == 0 ? RELY_ALGS_ALL : 1u << record->only_alg,
                                 .leeway_s = record->leeway_s,
                                 .max_lifetime_s = record->max_lifetime_s,
                                 .types = types,
                                 .type_count = record->takes_typ ? 2 : 1,
                                 .is_enabled = record->is_enabled,
                                 .keyset = record->keyset,
                                 .keys_until_s = INT64_MAX};
    rely_snapshot_put_issuer(snapshot, rely_issuer_copy(&issuer));
}

static unsigned put_identities(struct world *world)
{
    unsigned identities = 1 + choose(3);
    for (unsigned i = 0; i < identities; i++) {
        char name[32];
        snprintf(name, sizeof name, "app-%u", i);
        struct rely_identity identity = {.id = 100 + i,
                                         .name = rely_slice_of(name),
                                         .uid = RELY_LIT("u"),
                                         .username = rely_slice_of(CHOOSE_TEXT("app", "app", "system:admin")),
                                         .is_username_subject = choose(4) == 3,
                                         .is_enabled = choose(4) != 3};
        rely_snapshot_put_identity(world->snapshot, rely_identity_copy(&identity));
        rely_snapshot_put_identity(world->reversed, rely_identity_copy(&identity));
    }
    return identities;
}

static struct rely_snapshot *begin_registry(bool may_use_system_names)
{
    struct rely_snapshot *snapshot = rely_snapshot_next(NULL, 1);
    snapshot->token_max_bytes = RELY_DEFAULT_token_max_bytes;
    snapshot->may_use_system_names = may_use_system_names;
    return snapshot;
}

static void make_registry(struct world *world)
{
    bool may_use_system_names = choose(2) == 1;
    *world = (struct world){.record_count = 1 + choose(RECORDS)};
    world->snapshot = begin_registry(may_use_system_names);
    world->reversed = begin_registry(may_use_system_names);
    for (size_t i = 0; i < world->record_count; i++)
        choose_record(&world->records[i], (int64_t)i + 1);
    for (size_t i = 0; i < world->record_count; i++) {
        put_record(world->snapshot, &world->records[i]);
        put_record(world->reversed, &world->records[world->record_count - 1 - i]);
    }
    unsigned identity_count = put_identities(world);
    put_rules(&world->rules, (struct rely_snapshot *[]){world->snapshot, world->reversed},
              (unsigned)world->record_count, identity_count);
    world->cache = rely_cache_new(64);
    rely_pool_init(&world->pool);
}

static void free_registry(struct world *world)
{
    rely_cache_free(world->cache);
    rely_pool_fini(&world->pool);
    rely_snapshot_free_all(world->snapshot);
    rely_snapshot_free_all(world->reversed);
    for (size_t i = 0; i < world->record_count; i++)
        rely_keyset_free(world->records[i].keyset);
    rely_keyset_free(world->old_keyset);
}

/* A new record and key set for one of them, in the next edition: what the cache knows must fit it. */
static void change_registry(struct world *world)
{
    struct record *record = &world->records[choose((unsigned)world->record_count)];
    const char *url = record->url;
    world->old_keyset = record->keyset;
    world->snapshot = rely_snapshot_next(world->snapshot, 2);
    choose_record(record, record->id);
    record->url = url;
    if (record->alias != NULL && strcmp(record->alias, url) == 0)
        record->alias = NULL;
    put_record(world->snapshot, record);
    put_record(world->reversed, record);
    rely_snapshot_free_replaced(world->snapshot);
}

/* What is to become of a rule: nothing, or one of the ways not to be there. */
static void hide_rule(struct rely_credential *rule, unsigned way)
{
    rule->is_shadow = way == 1;
    rule->is_enabled = way != 2;
    rule->not_after_s = (int64_t[]){0, 0, 0, NOW - 1}[way];
}

/* The same rules in the next edition: those that are hidden are taken out of `reversed` altogether. */
static void hide_rules(struct world *world)
{
    world->snapshot = rely_snapshot_next(world->snapshot, 3);
    for (unsigned i = 0; i < world->rules.count; i++) {
        unsigned way = choose(4);
        world->rules.items[i].is_hidden = way != 0;
        struct rely_credential *rule =
            rely_credential_copy(rely_snapshot_credential_by_id(world->snapshot, FIRST_RULE + i));
        hide_rule(rule, way);
        rely_snapshot_put_credential(world->snapshot, rule);
        if (way != 0)
            rely_snapshot_remove(world->reversed, RELY_OBJECT_CREDENTIAL, FIRST_RULE + i);
    }
    rely_snapshot_free_replaced(world->snapshot);
}

/* Some records leave groups or come into them. */
static void change_groups(struct world *world)
{
    world->snapshot = rely_snapshot_next(world->snapshot, 4);
    for (unsigned group = 0; group < GROUPS; group++)
        for (unsigned record = 0; record < world->record_count; record++)
            if (choose(2) == 1)
                toggle_member(&world->rules, (struct rely_snapshot *[]){world->snapshot, world->reversed}, group,
                              record);
    rely_snapshot_free_replaced(world->snapshot);
}

/* --- tokens ---------------------------------------------------------------------------------------------------- */

static int64_t choose_time(void)
{
    static const int64_t offsets[] = {3600, 600, 60, 59, 1, 0, -1, -59, -60, -61, -300, -3600};
    return NOW + offsets[choose(sizeof offsets / sizeof offsets[0])];
}

static const char *print_payload(const struct sent *sent)
{
    const char *times = "";
    if (sent->exp != 0)
        times = mint_print(",\"exp\":%lld", (long long)sent->exp);
    if (sent->nbf != 0)
        times = mint_print("%s,\"nbf\":%lld", times, (long long)sent->nbf);
    if (sent->iat != 0)
        times = mint_print("%s,\"iat\":%lld", times, (long long)sent->iat);
    const char *said = sent->said == NULL ? "" : mint_print(",\"c\":\"%s\"", sent->said);
    const char *iss = sent->iss == NULL ? "" : mint_print("\"iss\":\"%s\",", sent->iss);
    return mint_print("{%s\"sub\":\"%s\",\"aud\":[\"%s\",\"%s\"]%s,\"l\":[\"%s\",\"%s\"]%s}", iss, sent->subject,
                      sent->aud[0], sent->aud[1], times, sent->listed[0], sent->listed[1], said);
}

/* One bit somewhere in the text, a signature of something else, or a header that says another alg than signed. */
static const char *forge(const struct sent *sent, const char *header)
{
    const struct signing_key *key = &signing_keys[sent->key];
    const char *other = mint_token(mint_key(key->name), key->alg, header, "{\"iss\":\"https://a\"}");
    if (choose(2) == 0)
        return mint_resign(sent->text, mint_part(other, 2));
    size_t len = strlen(sent->text), at = choose(256) * len / 256;
    struct rely_slice copy = mint_copy(rely_slice(sent->text, len + 1));
    char *text = (char *)copy.ptr;
    text[at] = text[at] == 'A' ? 'B' : 'A';
    return text;
}

static struct sent choose_token(void)
{
    struct sent sent = {.iss = CHOOSE_TEXT("https://a", "https://b", "https://c", NULL),
                        .key = choose(SIGNING_KEYS),
                        .kid = CHOOSE_TEXT("a", "b", "c", NULL),
                        .typ = CHOOSE_TEXT(NULL, "JWT", "at+jwt"),
                        .subject = CHOOSE_TEXT("s", "system:t", "nobody"),
                        .aud = {CHOOSE_TEXT("x", "y", "w"), CHOOSE_TEXT("x", "z")},
                        .said = CHOOSE_TEXT("one", "one", "", NULL),
                        .listed = {CHOOSE_TEXT("one", "two", ""), CHOOSE_TEXT("two", "t", "one")},
                        .exp = choose(16) == 15 ? 0 : choose_time(),
                        .nbf = choose(2) == 0 ? 0 : choose_time(),
                        .iat = choose(2) == 0 ? 0 : choose_time()};
    if (sent.iss == NULL && sent.said != NULL)
        sent.subject = sent.subject[0] == 's' ? "spiffe://d/s" : "spiffe://e/s";
    if (sent.iss == NULL && sent.nbf == sent.exp)
        sent.subject = "spiffe://d/../s";
    const struct signing_key *key = &signing_keys[sent.key];
    const char *alg = choose(2) == 0 ? key->alg : key->other_alg;
    const char *header = mint_print("{\"alg\":\"%s\"", alg);
    if (sent.kid != NULL)
        header = mint_print("%s,\"kid\":\"%s\"", header, sent.kid);
    if (sent.typ != NULL)
        header = mint_print("%s,\"typ\":\"%s\"", header, sent.typ);
    header = mint_print("%s}", header);
    sent.alg = rely_alg_of(rely_slice_of(alg));
    sent.text = mint_token(mint_key(key->name), alg, header, print_payload(&sent));
    sent.is_forged = choose(4) == 3;
    if (sent.is_forged)
        sent.text = forge(&sent, header);
    return sent;
}

/* --- what must hold ----------------------------------------------------------------------------------------------- */

static bool fits_key(const struct record_key *key, const struct sent *sent)
{
    bool is_named = sent->kid == NULL || (key->kid != NULL && strcmp(key->kid, sent->kid) == 0);
    return key->key == sent->key && is_named && (key->alg == NULL || rely_alg_of(rely_slice_of(key->alg)) == sent->alg);
}

static bool is_name_of(const struct record *record, const struct sent *sent)
{
    if (sent->iss == NULL)
        return record->id == DOMAIN_OWNER && strncmp(sent->subject, "spiffe://d/", 11) == 0;
    return strcmp(record->url, sent->iss) == 0 || (record->alias != NULL && strcmp(record->alias, sent->iss) == 0);
}

/* May this record's keys speak for the token? */
static bool is_rightful(const struct record *record, const struct sent *sent)
{
    bool is_type_taken = record->takes_typ || sent->typ == NULL || strcmp(sent->typ, "JWT") == 0;
    bool is_alg_taken = record->only_alg == 0 || record->only_alg == sent->alg;
    if (!record->is_enabled || !is_name_of(record, sent) || !is_type_taken || !is_alg_taken)
        return false;
    for (size_t i = 0; i < record->key_count; i++)
        if (fits_key(&record->keys[i], sent))
            return true;
    return false;
}

/* The signature is whose it is, and no neighbour changes that. Times and rules come later. */
static void check_signer(const struct world *world, const struct sent *sent, const struct rely_review *review)
{
    const struct record *rightful = NULL;
    size_t count = 0;
    for (size_t i = 0; i < world->record_count; i++)
        if (!sent->is_forged && is_rightful(&world->records[i], sent)) {
            rightful = &world->records[i];
            count++;
        }
    if (review->key != NULL)
        RELY_ASSERT(count == 1 && review->issuer != NULL && review->issuer->id == rightful->id);
    if (count == 1)
        RELY_ASSERT(review->key != NULL);
    if (count > 1)
        RELY_ASSERT(review->decision.reason == RELY_AMBIGUOUS_ISSUER);
}

static void check_tries(const struct rely_review *review)
{
    uint32_t cost = 0;
    for (size_t i = 0; i < review->candidate_count && review->last_step >= RELY_STEP_SIGNATURE; i++)
        cost += review->candidates[i].is_left_out ? 0 : review->candidates[i].cost;
    RELY_ASSERT(cost <= RELY_TRY_COST_MAX && review->tries <= cost);
}

static void check_times(const struct sent *sent, const struct rely_review *review)
{
    int64_t leeway = review->issuer->leeway_s, limit = review->issuer->max_lifetime_s;
    RELY_ASSERT(sent->exp != 0 && NOW < sent->exp + leeway);
    RELY_ASSERT(sent->nbf == 0 || (sent->nbf - leeway <= NOW && sent->nbf <= sent->exp));
    RELY_ASSERT(sent->iat == 0 || sent->iat <= NOW + leeway);
    RELY_ASSERT(limit == 0 || (sent->iat != 0 && sent->exp - sent->iat <= limit));
    RELY_ASSERT(review->decision.valid_until_s == sent->exp + leeway);
}

static bool has_audience(const struct rely_slice *texts, size_t count, const char *wanted)
{
    for (size_t i = 0; i < count; i++)
        if (rely_slice_equal(texts[i], rely_slice_of(wanted)))
            return true;
    return false;
}

/* What the token and whoever asks about it bring. */
struct question {
    const struct sent *sent;
    const struct rely_review_request *request;
};

static void check_match(const struct world *world, const struct question *question, const struct rely_review *review,
                        const struct rely_match *match)
{
    const struct sent *sent = question->sent;
    const struct rely_review_request *request = question->request;
    const struct rely_credential *rule = match->credential;
    bool has_common = false;
    RELY_ASSERT(rule_fits(&world->rules, &world->rules.items[rule->id - FIRST_RULE], review->issuer->id, sent));
    RELY_ASSERT(rule->is_enabled && !rule->is_shadow && rule->not_after_s == 0);
    RELY_ASSERT(rule->identity_id == match->identity->id && match->identity->is_enabled);
    RELY_ASSERT(request->identity.ptr == NULL || rely_slice_equal(request->identity, match->identity->name));
    for (size_t i = 0; i < 2; i++)
        has_common |=
            has_audience(rule->audiences, rule->audience_count, sent->aud[i]) &&
            (request->audience_count == 0 || has_audience(request->audiences, request->audience_count, sent->aud[i]));
    RELY_ASSERT(has_common);
}

/* No rule is overlooked. */
static void check_nothing_fits(const struct world *world, const struct question *question,
                               const struct rely_review *review)
{
    struct rely_slice wanted = question->request->identity;
    for (unsigned i = 0; i < world->rules.count; i++) {
        const struct rule *rule = &world->rules.items[i];
        bool is_wanted = wanted.ptr == NULL ||
                         rely_slice_equal(wanted, rely_slice_of(mint_print("app-%d", (int)(rule->identity - 100))));
        RELY_ASSERT(!is_wanted || !rule_fits(&world->rules, rule, review->issuer->id, question->sent));
    }
}

static void check_refusal(const struct world *world, const struct question *question, const struct rely_review *review)
{
    struct rely_detail told;
    rely_review_tell(review, &told);
    RELY_ASSERT(review->matches.count == 0 || review->decision.reason == RELY_AMBIGUOUS_IDENTITY);
    RELY_ASSERT(told.text[0] != '\0' && (review->key != NULL || strstr(told.text, "record-") == NULL));
    if (review->decision.reason == RELY_NO_MATCHING_CREDENTIAL)
        check_nothing_fits(world, question, review);
}

static void check_decision(const struct world *world, const struct question *question, const struct rely_review *review)
{
    const struct sent *sent = question->sent;
    if (review->decision.reason != RELY_OK) {
        check_refusal(world, question, review);
        return;
    }
    RELY_ASSERT(!sent->is_forged && review->key != NULL && review->matches.count > 0);
    RELY_ASSERT(review->matches.count == 1 || !question->request->is_single);
    check_times(sent, review);
    RELY_ASSERT(sent->iss != NULL || strcmp(sent->subject, "spiffe://d/s") == 0);
    for (size_t i = 0; i < review->matches.count; i++) {
        check_match(world, question, review, &review->matches.items[i]);
        struct rely_slice username = review->matches.items[i].username;
        RELY_ASSERT(username.len > 0 && rely_match_may_be_named(world->snapshot, &review->matches.items[i]));
        RELY_ASSERT(world->snapshot->may_use_system_names || !rely_slice_starts(username, RELY_LIT("system:")));
    }
}

/* Two reviews of one token: the order of matches may differ, nothing else. */
static void check_same(const struct rely_review *a, const struct rely_review *b)
{
    RELY_ASSERT(a->decision.reason == b->decision.reason && a->decision.valid_until_s == b->decision.valid_until_s);
    RELY_ASSERT((a->issuer == NULL) == (b->issuer == NULL) && (a->issuer == NULL || a->issuer->id == b->issuer->id));
    RELY_ASSERT(a->key == b->key && a->last_step == b->last_step && a->matches.count == b->matches.count);
    for (size_t i = 0; i < a->matches.count; i++) {
        bool is_found = false;
        for (size_t k = 0; k < b->matches.count; k++)
            is_found |= a->matches.items[i].credential->id == b->matches.items[k].credential->id;
        RELY_ASSERT(is_found);
    }
}

static void review_all_ways(struct world *world, const struct sent *sent, const struct rely_review_request *request)
{
    static struct rely_review fresh, other;
    const struct question question = {sent, request};
    rely_review_run(world->snapshot, request, NOW, &fresh);
    check_signer(world, sent, &fresh);
    check_tries(&fresh);
    check_decision(world, &question, &fresh);
    rely_review_run(world->reversed, request, NOW, &other);
    check_same(&fresh, &other);
    RELY_ASSERT(fresh.decision.reason == RELY_OK || fresh.matches.count > 0 ||
                strcmp(fresh.decision.detail.text, other.decision.detail.text) == 0 || fresh.key != NULL);
    for (int i = 0; i < 3; i++) {
        rely_cache_review(world->cache, world->snapshot, request, NOW, &other);
        check_same(&fresh, &other);
        check_decision(world, &question, &other);
    }
    rely_pool_reset(&world->pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world world;
    struct sent sent[3];
    struct rely_slice accepted[2];
    choices_begin(data, size);
    make_registry(&world);
    for (size_t i = 0; i < 3; i++)
        sent[i] = choose_token();
    for (int edition = 0; edition < 4; edition++) {
        for (size_t i = 0; i < 3; i++) {
            struct rely_review_request request = {.token = rely_slice_of(sent[i].text),
                                                  .audiences = accepted,
                                                  .audience_count = choose(3),
                                                  .is_single = choose(2) == 1,
                                                  .pool = &world.pool};
            accepted[0] = rely_slice_of(CHOOSE_TEXT("x", "y"));
            accepted[1] = rely_slice_of(CHOOSE_TEXT("z", "y"));
            if (choose(4) == 3)
                request.identity = rely_slice_of(CHOOSE_TEXT("app-0", "app-1", "none"));
            review_all_ways(&world, &sent[i], &request);
        }
        if (edition == 0)
            change_registry(&world);
        else if (edition == 1)
            hide_rules(&world);
        else if (edition == 2)
            change_groups(&world);
    }
    free_registry(&world);
    mint_reset();
    return 0;
}
