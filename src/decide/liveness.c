/*
 * Whether what a token is bound to still lives, by what its cluster has said. A no is for good; a yes counts for a while.
 * Decides when a review may pass, must ask, or is refused; itself it asks nobody, it may only say so. Called by decide.c
 * in the last step, and by endpoints/ and service/ with answers.
 */
#include "steps.h"

#include "relyd/text.h"

#include <stdlib.h>

#define WAYS 8

struct live_place {
    struct rely_bound bound;
    int64_t noted_ms;        /* the last time that anything was noted; 0: free */
    int64_t yes_ms;          /* 0: never */
    int64_t asked_ms;        /* 0: never */
    int64_t silent_until_ms; /* it could not be asked lately */
    bool is_dead;
};

struct rely_live_memory {
    rely_live_clock *now_ms;
    struct live_place *places; /* owned: RELY_LIVE_PLACES of them, in sets; NULL: none yet */
};

_Static_assert(sizeof(struct live_place) <= RELY_LIVE_PLACE_BYTES, "a place is as large as the header says");

struct rely_live_memory *rely_live_memory_new(rely_live_clock *now_ms)
{
    struct rely_live_memory *memory = rely_alloc(sizeof *memory);
    memory->now_ms = now_ms;
    return memory;
}

void rely_live_memory_free(struct rely_live_memory *memory)
{
    if (memory == NULL)
        return;
    free(memory->places);
    free(memory);
}

/* --- what a token is bound to --------------------------------------------------------------------------------- */

/* One behind the other, so that no two lists of texts come to the same. */
static uint64_t hash_bound(const struct rely_issuer *issuer, const struct rely_claims *claims, uint64_t seed)
{
    const struct rely_kubernetes_claims *of = &claims->kubernetes;
    const struct rely_slice texts[] = {of->namespace_name, of->account_name, of->account_uid,
                                       of->pod_uid,        of->secret_uid,   of->node_uid};
    uint64_t hash = rely_hash(rely_slice((const char *)&issuer->revision, sizeof issuer->revision), seed);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        hash = rely_hash(texts[i].ptr == NULL ? RELY_LIT("") : texts[i], hash + (texts[i].ptr == NULL));
    return hash;
}

struct rely_bound rely_bound_of(const struct rely_issuer *issuer, const struct rely_claims *claims)
{
    return (struct rely_bound){issuer->id, {hash_bound(issuer, claims, 1), hash_bound(issuer, claims, 2)}};
}

/* --- the memory -------------------------------------------------------------------------------------------------- */

static struct live_place *set_of_places(const struct rely_live_memory *memory, const struct rely_bound *bound)
{
    return memory->places + bound->print[0] % (RELY_LIVE_PLACES / WAYS) * WAYS;
}

static struct live_place *find_live_place(const struct rely_live_memory *memory, const struct rely_bound *bound)
{
    struct live_place *set = memory == NULL || memory->places == NULL ? NULL : set_of_places(memory, bound);
    for (size_t i = 0; set != NULL && i < WAYS; i++)
        if (set[i].noted_ms != 0 && rely_bound_equal(&set[i].bound, bound))
            return &set[i];
    return NULL;
}

/* Before what has ended for good the others give way. */
static bool gives_way_before(const struct live_place *a, const struct live_place *b)
{
    return a->is_dead != b->is_dead ? !a->is_dead : a->noted_ms < b->noted_ms;
}

/* Whoever has been heard of least lately gives way. */
static struct live_place *take_live_place(struct rely_live_memory *memory, const struct rely_bound *bound,
                                          int64_t now_ms)
{
    struct live_place *place = find_live_place(memory, bound);
    if (memory->places == NULL)
        memory->places = rely_alloc(RELY_LIVE_PLACES * sizeof *memory->places);
    struct live_place *set = set_of_places(memory, bound), *oldest = &set[0];
    for (size_t i = 1; place == NULL && i < WAYS; i++)
        if (gives_way_before(&set[i], oldest))
            oldest = &set[i];
    if (place == NULL) {
        place = oldest;
        *place = (struct live_place){.bound = *bound};
    }
    place->noted_ms = now_ms;
    return place;
}

static bool has_fresh_yes(const struct live_place *place, int64_t now_ms)
{
    return place->yes_ms != 0 && now_ms - place->yes_ms <= RELY_LIVE_HARD_MS;
}

struct rely_live_look rely_live_find(const struct rely_live_memory *memory, const struct rely_bound *bound)
{
    const struct live_place *place = find_live_place(memory, bound);
    struct rely_live_look look = {.bound = *bound};
    if (place == NULL)
        return look;
    int64_t now_ms = memory->now_ms();
    if (place->is_dead)
        look.life = RELY_LIFE_OVER;
    else if (has_fresh_yes(place, now_ms))
        look.life = RELY_LIFE_CONFIRMED;
    else if (now_ms < place->silent_until_ms)
        look.life = RELY_LIFE_UNAVAILABLE;
    look.is_old = look.life == RELY_LIFE_CONFIRMED && now_ms - place->yes_ms > RELY_LIVE_SOFT_MS;
    return look;
}

void rely_live_note(struct rely_live_memory *memory, const struct rely_bound *bound, enum rely_live_word word,
                    int64_t asked_ms)
{
    int64_t now_ms = memory->now_ms();
    struct live_place *place = take_live_place(memory, bound, now_ms);
    if (word == RELY_LIVE_NO)
        place->is_dead = true;
    else if (word == RELY_LIVE_YES)
        place->yes_ms = asked_ms > place->yes_ms ? asked_ms : place->yes_ms;
    else
        place->silent_until_ms = now_ms + RELY_LIVE_AGAIN_MS;
}

bool rely_live_knows(const struct rely_live_memory *memory, const struct rely_bound *bound, enum rely_live_word *word,
                     int64_t *asked_ms)
{
    const struct live_place *place = find_live_place(memory, bound);
    struct rely_live_look look = rely_live_find(memory, bound);
    bool is_over = look.life == RELY_LIFE_OVER;
    if (!is_over && (look.life != RELY_LIFE_CONFIRMED || look.is_old))
        return false;
    *word = is_over ? RELY_LIVE_NO : RELY_LIVE_YES;
    *asked_ms = place->yes_ms;
    return true;
}

bool rely_live_may_ask(struct rely_live_memory *memory, const struct rely_bound *bound)
{
    int64_t now_ms = memory->now_ms();
    struct live_place *place = take_live_place(memory, bound, now_ms);
    if (place->is_dead || (place->asked_ms != 0 && now_ms - place->asked_ms < RELY_LIVE_AGAIN_MS))
        return false;
    place->asked_ms = now_ms;
    return true;
}

/* --- the review --------------------------------------------------------------------------------------------------- */

/* For whom its cluster would vouch: an account that was made anew has another uid. */
static bool names_an_account(const struct rely_kubernetes_claims *claims)
{
    return claims->namespace_name.ptr != NULL && claims->account_name.ptr != NULL && claims->account_uid.ptr != NULL;
}

static enum rely_reason refuse_by_silence(struct rely_review *review)
{
    return rely_refuse(&review->decision.detail, RELY_LIVENESS_UNAVAILABLE,
                       "the cluster of issuer %.*s has not said whether what the token is bound to is still there",
                       RELY_ARG(review->issuer->name));
}

/* An answer to a token at its very end would be of that, and not of what it is bound to. */
static bool ends_too_soon(const struct rely_review *review)
{
    return review->claims.expires < (double)(review->now_s + RELY_LIVE_LEFT_S);
}

static struct rely_live_look look_at_life(const struct rely_review_work *work)
{
    const struct rely_review *review = work->review;
    const struct rely_bound bound = rely_bound_of(review->issuer, &review->claims);
    struct rely_live_look look = rely_live_find(work->request->live, &bound);
    if (ends_too_soon(review)) {
        look.is_old = false;
        if (look.life == RELY_LIFE_UNKNOWN)
            look.life = RELY_LIFE_UNAVAILABLE;
    }
    if (look.life == RELY_LIFE_UNAVAILABLE && review->issuer->liveness.may_be_assumed)
        look.life = RELY_LIFE_ASSUMED;
    return look;
}

enum rely_reason rely_judge_liveness(struct rely_review_work *work)
{
    struct rely_review *review = work->review;
    if (review->issuer->liveness.url.ptr == NULL)
        return RELY_OK;
    if (!names_an_account(&review->claims.kubernetes))
        return rely_refuse(&review->decision.detail, RELY_TOKEN_NOT_LIVE,
                           "the token names no service account with its uid, of which its cluster could be asked");
    review->live = look_at_life(work);
    if (review->live.life == RELY_LIFE_OVER)
        return rely_refuse(&review->decision.detail, RELY_TOKEN_NOT_LIVE,
                           "the cluster of issuer %.*s says that the token is no longer good",
                           RELY_ARG(review->issuer->name));
    return rely_liveness_lets_pass(review) ? RELY_OK : refuse_by_silence(review);
}

bool rely_liveness_lets_pass(const struct rely_review *review)
{
    return review->issuer->liveness.url.ptr == NULL || review->live.life == RELY_LIFE_CONFIRMED ||
           review->live.life == RELY_LIFE_ASSUMED;
}
