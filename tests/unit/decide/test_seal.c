/*
 * The seal of a decision: a step that forgets to refuse lets nobody in all the same. The linker puts forgetful ones in
 * their place (--wrap), which nothing outside of this binary can reach.
 */
#include "scene.h"

#include "relyd/edition.h"
#include "relyd/guards.h"

#include "../../../src/decide/steps.h"
#include "../mint/mint.h"

#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW 1800000000
#define URL "https://issuer.example"
#define UID "11111111-aaaa-4bbb-8ccc-000000000001"

/* What is forgotten: by which step, or of a match. */
enum forgotten {
    NOTHING,
    GUARDS,
    REVOCATIONS,
    PINS,
    LIVENESS,
    ANY_MATCH,
    ITS_AUDIENCES,
    WHETHER_IT_IS_ENABLED,
    WHETHER_IT_HAS_ENDED,
    WHETHER_IT_IS_IN_SHADOW
};
static enum forgotten forgotten;

enum rely_reason __real_rely_judge_guards(struct rely_review_work *work);
enum rely_reason __wrap_rely_judge_guards(struct rely_review_work *work);
enum rely_reason __real_rely_step_revocations(struct rely_review_work *work);
enum rely_reason __wrap_rely_step_revocations(struct rely_review_work *work);
enum rely_reason __real_rely_judge_pins(struct rely_review *review);
enum rely_reason __wrap_rely_judge_pins(struct rely_review *review);
enum rely_reason __real_rely_judge_liveness(struct rely_review_work *work);
enum rely_reason __wrap_rely_judge_liveness(struct rely_review_work *work);
enum rely_reason __real_rely_credentials_match(const struct rely_snapshot *snapshot,
                                               const struct rely_match_query *query, struct rely_matches *out,
                                               struct rely_detail *detail);
enum rely_reason __wrap_rely_credentials_match(const struct rely_snapshot *snapshot,
                                               const struct rely_match_query *query, struct rely_matches *out,
                                               struct rely_detail *detail);

enum rely_reason __wrap_rely_judge_guards(struct rely_review_work *work)
{
    return forgotten == GUARDS ? RELY_OK : __real_rely_judge_guards(work);
}

enum rely_reason __wrap_rely_step_revocations(struct rely_review_work *work)
{
    return forgotten == REVOCATIONS ? RELY_OK : __real_rely_step_revocations(work);
}

enum rely_reason __wrap_rely_judge_pins(struct rely_review *review)
{
    return forgotten == PINS ? RELY_OK : __real_rely_judge_pins(review);
}

enum rely_reason __wrap_rely_judge_liveness(struct rely_review_work *work)
{
    return forgotten == LIVENESS ? RELY_OK : __real_rely_judge_liveness(work);
}

enum rely_reason __wrap_rely_credentials_match(const struct rely_snapshot *snapshot,
                                               const struct rely_match_query *query, struct rely_matches *out,
                                               struct rely_detail *detail)
{
    static struct rely_credential changed;
    enum rely_reason reason = __real_rely_credentials_match(snapshot, query, out, detail);
    if (out->count == 0 || forgotten < ANY_MATCH)
        return reason;
    changed = *out->items[0].credential;
    changed.is_enabled = forgotten != WHETHER_IT_IS_ENABLED;
    changed.is_shadow = forgotten == WHETHER_IT_IS_IN_SHADOW;
    changed.not_after_s = forgotten == WHETHER_IT_HAS_ENDED ? NOW - 1 : 0;
    out->items[0].credential = &changed;
    out->items[0].audiences *= forgotten != ITS_AUDIENCES;
    out->count *= forgotten != ANY_MATCH;
    return RELY_OK;
}

static const struct rely_guards guards = {.pins_uid = true};
static const struct rely_issuer_liveness wanted = {.url = {"https://c.example", 17}}, unwanted = {.url = {NULL, 0}};

static void nobody_is_let_in_by_what_is_forgotten(void **state)
{
    struct scene scene;
    (void)state;
    scene_init(&scene);
    int64_t issuer = scene_add_issuer(&scene, "one", URL, mint_jwks(mint_jwk(mint_key("p256"), "a", "ES256"), NULL));
    int64_t rule = scene_add_credential(&scene, issuer, scene_add_identity(&scene, "account"),
                                        "system:serviceaccount:n:a", "relyd");
    const char *token = mint_token(
        mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
        mint_print("{\"iss\":\"" URL "\",\"sub\":\"system:serviceaccount:n:a\",\"aud\":[\"relyd\"],\"exp\":%d,"
                   "\"kubernetes.io\":{\"namespace\":\"n\",\"serviceaccount\":{\"name\":\"a\",\"uid\":\"" UID "\"}}}",
                   NOW + 3600));
    for (enum forgotten i = NOTHING; i <= WHETHER_IT_IS_IN_SHADOW; i++) {
        scene_begin_edition(&scene);
        scene_change_issuer(&scene, issuer, guards, &guards);
        scene_change_issuer(&scene, issuer, liveness, i == LIVENESS ? wanted : unwanted);
        scene_edit_credential(&scene, rule)->account_uid = i == PINS ? NULL : UID;
        forgotten = i;
        const struct rely_review *review = scene_review(&scene, token, NOW);
        if (review->decision.reason != (i == NOTHING ? RELY_OK : RELY_INTERNAL_ERROR))
            fail_msg("%d: %s", (int)i, rely_reason_word(review->decision.reason));
        assert_int_equal(review->matches.count, i == NOTHING ? 1 : 0);
        assert_true(i == NOTHING || review->decision.valid_until_s == 0);
    }
    forgotten = NOTHING;
    scene_free(&scene);
    mint_reset();
}

int run_seal_tests(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_is_let_in_by_what_is_forgotten)};
    return cmocka_run_group_tests_name("seal", tests, NULL, NULL);
}
