/* Requests that wait for keys: how many, how many bytes, how many reviews a turn of the loop, and how long they took
 * (faults B7, D, E). */
#include "../mint/mint.h"
#include "relyd/clock.h"
#include "relyd/edition.h"
#include "worker.h"

#include <setjmp.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define A_TURN 32

/* --- tests
 * ------------------------------------------------------------------------------------------------------------ */

/* fault E: the limit of waiting requests. */
static void test_e_a_thousand_wait_and_the_next_is_refused_at_once(void **state)
{
    struct worker *worker = *state;
    for (int i = 0; i < WAITING_MAX; i++)
        ask(worker, make_token_of(add_other(worker, i), 0));
    assert_int_equal(worker->reviewer.waiting.count, WAITING_MAX);
    assert_int_equal(answered_count, 0);
    assert_int_equal(asked_for_keys, WAITING_MAX);
    ask(worker, make_token(0));
    assert_int_equal(worker->reviewer.waiting.count, WAITING_MAX);
    assert_int_equal(answered[RELY_KEYS_UNAVAILABLE], 1);
    assert_int_equal(worker->counters.key_waits, WAITING_MAX);
}

/* One issuer that says nothing, and then others: each holds as much as it leaves, and the next finds a place. */
static void test_b7_a_silent_issuer_leaves_places_for_others(void **state)
{
    struct worker *worker = *state;
    static const size_t held[] = {500, 250, 125, 63, 31};
    size_t before = 0;
    const char *token = make_token(0);
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < WAITING_MAX; k++)
            ask(worker, token);
        assert_int_equal(worker->reviewer.waiting.count - before, held[i]);
        before = worker->reviewer.waiting.count;
        token = make_token_of(add_other(worker, i), 0);
    }
    int64_t sibling = scene_add_issuer(&worker->scene, "sibling", URL, NULL);
    ask(worker, make_token(0)); /* its iss has its share */
    assert_int_equal(worker->reviewer.waiting.count, before);
    settle(worker, sibling);
    rely_reviewer_keys_answered(&worker->reviewer, worker->issuer,
                                &(struct rely_key_notice){rely_clock_monotonic_us() + 1, 0});
    for (int turn = 0; turn < 20; turn++)
        run_timers_of(1);
    assert_int_equal(worker->reviewer.waiting.count, before - 500);
    ask(worker, make_token(0)); /* they were given back */
    assert_int_equal(worker->reviewer.waiting.count, before - 499);
}

/* Each place for itself, while others of the same issuer go on waiting. */
static void test_b7_who_leaves_gives_his_place_back(void **state)
{
    struct worker *worker = *state;
    const char *token = make_token(0);
    for (int i = 0; i < WAITING_MAX; i++)
        ask(worker, token);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(worker->reviewer.waiting.count, WAITING_MAX / 2);
        last_gone(last_context);
        assert_int_equal(worker->reviewer.waiting.count, WAITING_MAX / 2 - 1);
        ask(worker, token);
    }
}

/* The same in bytes: half of 8 MiB for one, and a small request of another one beside it. */
static void test_b7_a_silent_issuers_bytes_leave_room_for_others(void **state)
{
    struct worker *worker = *state;
    const char *token = make_token(40000), *other = make_token_of(add_other(worker, 0), 40000);
    size_t len = strlen(token), limit = (size_t)4 * 1024 * 1024;
    for (int i = 0; i < 200; i++)
        ask(worker, token);
    size_t bytes = worker->reviewer.waiting.bytes;
    assert_true(bytes <= limit && bytes > limit - len - 1024);
    for (int i = 0; i < 200; i++)
        ask(worker, other);
    assert_true(worker->reviewer.waiting.bytes - bytes <= limit / 2 + len);
    assert_true(worker->reviewer.waiting.bytes - bytes > limit / 2 - len - 1024);
}

/* fault B7: number and size have a limit together. 64 KiB each would be 64 MiB. */
static void test_b7_what_waits_is_bounded_in_bytes(void **state)
{
    struct worker *worker = *state;
    const char *token = make_token(40000);
    size_t len = strlen(token);
    for (int i = 0; i < WAITING_MAX; i++)
        ask(worker, i < WAITING_MAX / 2 ? token : make_token_of(add_other(worker, i), 40000));
    size_t count = worker->reviewer.waiting.count, limit = (size_t)8 * 1024 * 1024;
    assert_int_equal(count + answered[RELY_KEYS_UNAVAILABLE], WAITING_MAX);
    assert_true(worker->reviewer.waiting.bytes <= limit);
    assert_true(count >= limit / (len + 1024) && count <= limit / len);
    run_timers_of(150);
    for (int turn = 0; worker->reviewer.waiting.count > 0 && turn < 40; turn++)
        run_timers_of(1);
    assert_int_equal(worker->reviewer.waiting.bytes, 0);
}

/* fault B7: the key has come for all of them; nobody stands behind a thousand reviews. */
static void test_b7_a_few_are_reviewed_in_each_turn(void **state)
{
    struct worker *worker = *state;
    const char *token = make_token(8000);
    for (int i = 0; i < 300; i++)
        ask(worker, token);
    bring_key(worker, worker->issuer);
    settle(worker, worker->issuer);
    for (size_t turn = 1; turn <= 300 / A_TURN; turn++) {
        assert_int_equal(answered[RELY_OK], turn * A_TURN);
        run_timers_of(1);
    }
    assert_int_equal(answered[RELY_OK], 300);
    assert_int_equal(worker->reviewer.waiting.count, 0);
    assert_int_equal(count_reviews(worker), 600);
    run_timers_of(1);
    assert_int_equal(running_count, 0); /* no turn is waited for any more */
}

/* The same for those whose time is over in one turn. */
static void test_b7_a_few_time_out_in_each_turn(void **state)
{
    struct worker *worker = *state;
    const char *token = make_token(0);
    for (int i = 0; i < 100; i++)
        ask(worker, token);
    run_timers_of(150);
    assert_int_equal(answered[RELY_KEYS_UNAVAILABLE], A_TURN);
    for (size_t turn = 2; turn <= 3; turn++) {
        run_timers_of(1);
        assert_int_equal(answered[RELY_KEYS_UNAVAILABLE], turn * A_TURN);
    }
    run_timers_of(1);
    assert_int_equal(answered[RELY_KEYS_UNAVAILABLE], 100);
}

/* fault B7: with eight records of one iss each of their fetches reviewed all that waited. */
static void test_b7_whose_key_has_not_come_is_not_read_again(void **state)
{
    struct worker *worker = *state;
    int64_t siblings[8] = {worker->issuer};
    for (size_t i = 1; i < 8; i++)
        siblings[i] = scene_add_issuer(&worker->scene, "sibling", URL, NULL);
    for (int i = 0; i < 20; i++)
        ask(worker, make_token(100));
    assert_int_equal(asked_for_keys, 8);
    for (size_t i = 7; i > 1; i--)
        settle(worker, siblings[i]);
    assert_int_equal(count_reviews(worker), 20);
    assert_int_equal(answered_count, 0);
    bring_key(worker, siblings[0]);
    settle(worker, siblings[0]);
    assert_int_equal(answered[RELY_OK], 20);
    assert_int_equal(count_reviews(worker), 40);
}

/* The last fetch brought nothing: then there is nothing more to wait for. */
static void test_b7_the_last_answer_ends_the_wait(void **state)
{
    struct worker *worker = *state;
    int64_t uploaded = scene_add_issuer(&worker->scene, "uploaded", URL, NULL);
    int64_t of_other_alg = scene_add_issuer(&worker->scene, "of-other-alg", URL, NULL);
    scene_change_issuer(&worker->scene, uploaded, has_uploaded_keys, true);
    scene_change_issuer(&worker->scene, of_other_alg, algs, 1u << RELY_ALG_RS256);
    ask(worker, make_token(0));
    assert_int_equal(asked_for_keys, 1);
    settle(worker, worker->issuer);
    assert_int_equal(answered[RELY_KEYS_UNAVAILABLE], 1);
    assert_int_equal(worker->reviewer.waiting.count, 0);
}

/* What was under way when they came may have read the keys before theirs were among them: one more fetch for all. */
static void test_who_came_during_a_fetch_waits_for_the_next(void **state)
{
    struct worker *worker = *state;
    const char *token = make_token(0);
    ask(worker, token);
    ask(worker, token);
    end_earlier_fetch(worker, 0);
    assert_int_equal(asked_for_keys, 2);
    assert_int_equal(worker->reviewer.waiting.count, 2);
    assert_int_equal(count_reviews(worker), 2);
    bring_key(worker, worker->issuer);
    settle(worker, worker->issuer);
    assert_int_equal(answered[RELY_OK], 2);
    assert_int_equal(asked_for_keys, 2);
}

/* Where it did bring their key, they need not. */
static void test_who_came_during_a_fetch_takes_what_it_brought(void **state)
{
    struct worker *worker = *state;
    ask(worker, make_token(0));
    bring_key(worker, worker->issuer);
    end_earlier_fetch(worker, 0);
    assert_int_equal(answered[RELY_OK], 1);
    assert_int_equal(worker->reviewer.waiting.count, 0);
}

static void test_who_came_during_a_fetch_is_answered_when_the_next_is_far(void **state)
{
    struct worker *worker = *state;
    ask(worker, make_token(0));
    end_earlier_fetch(worker, 1000);
    assert_int_equal(asked_for_keys, 1);
    assert_int_equal(answered[RELY_KEYS_UNAVAILABLE], 1);
}

/* The name is there and its key refuses: as if it were missing. */
static void test_who_doubts_a_key_waits_as_who_misses_it(void **state)
{
    struct worker *worker = *state;
    scene_change_issuer(&worker->scene, worker->issuer, keyset,
                        scene_add_keyset(&worker->scene, mint_jwks(mint_jwk(mint_key("p256"), "a", NULL), NULL)));
    time_t now = time(NULL);
    const char *forged = mint_token(
        mint_key("ed25519"), "EdDSA", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
        mint_print("{\"iss\":\"%s\",\"sub\":\"app\",\"aud\":\"relyd\",\"exp\":%lld}", URL, (long long)now + 3600));
    ask(worker, forged);
    assert_int_equal(asked_for_keys, 1);
    end_earlier_fetch(worker, 0);
    assert_int_equal(asked_for_keys, 2);
    assert_int_equal(answered[RELY_BAD_SIGNATURE], 0);
    end_earlier_fetch(worker, 1000);
    assert_int_equal(asked_for_keys, 2);
    assert_int_equal(answered[RELY_BAD_SIGNATURE], 1);
}

static void test_b7_a_client_that_leaves_is_forgotten(void **state)
{
    struct worker *worker = *state;
    ask(worker, make_token(0));
    ask(worker, make_token(1));
    last_gone(last_context);
    assert_int_equal(worker->reviewer.waiting.count, 1);
    bring_key(worker, worker->issuer);
    settle(worker, worker->issuer);
    assert_int_equal(answered[RELY_OK], 1);
    assert_int_equal(worker->reviewer.waiting.count, 0);
    assert_int_equal(worker->reviewer.waiting.bytes, 0);
}

/* fault D: relyd_review_duration_seconds left the wait out. */
static void test_d_the_duration_has_the_wait_in_it(void **state)
{
    struct worker *worker = *state;
    ask(worker, make_token(0));
    int64_t start_us = rely_clock_monotonic_us();
    while (rely_clock_monotonic_us() < start_us + 5000)
        continue;
    settle(worker, worker->issuer);
    assert_int_equal(answered_count, 1);
    assert_true(worker->counters.latency_sum_us >= 5000);
}

/* What is gone when the handler returns. */
static struct rely_slice lend(char *lent[], const char *text)
{
    size_t len = strlen(text), i = 0;
    while (lent[i] != NULL)
        i++;
    lent[i] = rely_alloc(len);
    memcpy(lent[i], text, len);
    return rely_slice(lent[i], len);
}

/* Whom, for what and under which route: as it was asked, and to the last byte. */
static void test_what_was_asked_is_kept(void **state)
{
    struct worker *worker = *state;
    char *lent[7] = {NULL};
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_CHECK, .reply = note_answer};
    const struct rely_slice audience = RELY_LIT("relyd");
    const struct rely_route_record route = {
        .record = {.id = 700}, .name = RELY_LIT("shop"), .audiences = {&audience, 1}};
    rely_snapshot_carry(worker->scene.snapshot, RELY_OBJECT_ROUTE, &route);
    scene_add_credential(&worker->scene, worker->issuer, scene_add_identity(&worker->scene, "other"), "app", "relyd");
    struct rely_slice *audiences = rely_alloc(2 * sizeof *audiences);
    audiences[0] = lend(lent, "another audience");
    audiences[1] = lend(lent, "relyd");
    asked.review = (struct rely_review_request){.token = lend(lent, make_token(0)),
                                                .audiences = audiences,
                                                .audience_count = 2,
                                                .identity = lend(lent, "app"),
                                                .route = lend(lent, "shop"),
                                                .is_single = true};
    rely_reviewer_ask(&worker->reviewer, &worker->request, &asked);
    for (size_t i = 0; lent[i] != NULL; i++)
        free(lent[i]);
    free(audiences);
    assert_int_equal(worker->reviewer.waiting.count, 1);
    bring_key(worker, worker->issuer);
    settle(worker, worker->issuer);
    assert_int_equal(answered[RELY_OK], 1);
}

/* --- who asks ------------------------------------------------------------------------------------------------------ */

static bool is_put_off;

static enum rely_proven admit(struct worker *worker, const char *path, const char *header, struct rely_caller *caller)
{
    struct rely_data_door door = {.reviewer = &worker->reviewer};
    worker->request.path = rely_slice_of(path);
    sent_header = rely_slice_of(header);
    sent_value = rely_slice_of(mint_print("Bearer %s", make_token(0)));
    enum rely_proven proven = rely_reviewer_admit(&door, &worker->request, caller, &is_put_off);
    rely_pool_reset(&worker->scratch);
    return proven;
}

static struct rely_caller_rules rules;
static rely_caller_rules_in_force in_force;

static void ask_callers(struct worker *worker)
{
    rules = (struct rely_caller_rules){.audience = RELY_LIT("relyd")};
    in_force = &rules;
    worker->reviewer.caller_rules = &in_force;
    handled_again = 0;
}

/* His key is asked for as any other, and what he asks is handled again when that has come; once. */
static void test_a_callers_key_is_waited_for(void **state)
{
    struct worker *worker = *state;
    struct rely_caller caller;
    scene_edit_identity(&worker->scene, worker->issuer + 1)->roles = RELY_ROLE_REVIEWER;
    ask_callers(worker);
    assert_int_equal(admit(worker, "/v1/review", "authorization", &caller), RELY_CALLER_BAD_TOKEN);
    assert_true(is_put_off);
    assert_int_equal(asked_for_keys, 1);
    assert_int_equal(worker->reviewer.waiting.count, 1);
    bring_key(worker, worker->issuer);
    settle(worker, worker->issuer);
    assert_int_equal(handled_again, 1);
    assert_int_equal(worker->reviewer.waiting.count, 0);
    assert_int_equal(worker->reviewer.waiting.bytes, 0);
    assert_int_equal(answered_count, 0); /* nobody has been reviewed yet */
    assert_int_equal(admit(worker, "/v1/review", "authorization", &caller), RELY_CALLER_PROVEN);
    assert_false(is_put_off);
    assert_int_equal(worker->counters.callers[RELY_CALLER_BAD_TOKEN], 0);
}

static void test_a_callers_key_that_does_not_come(void **state)
{
    struct worker *worker = *state;
    struct rely_caller caller;
    ask_callers(worker);
    admit(worker, "/check/default", "x-relyd-caller", &caller);
    assert_true(is_put_off);
    last_gone(last_context); /* he has left */
    assert_int_equal(worker->reviewer.waiting.bytes, 0);
    admit(worker, "/check/default", "x-relyd-caller", &caller);
    /* the fetch has brought nothing, and the next may be asked for at once */
    rely_reviewer_keys_answered(&worker->reviewer, worker->issuer,
                                &(struct rely_key_notice){rely_clock_monotonic_us() + 1, 0});
    assert_int_equal(handled_again, 1);
    assert_int_equal(admit(worker, "/check/default", "x-relyd-caller", &caller), RELY_CALLER_BAD_TOKEN);
    assert_false(is_put_off);
    assert_int_equal(worker->counters.callers[RELY_CALLER_BAD_TOKEN], 1);
    worker->request.is_again = false;
    worker->reviewer.key_wait_ms = 0;
    assert_int_equal(admit(worker, "/check/default", "x-relyd-caller", &caller), RELY_CALLER_BAD_TOKEN);
    assert_false(is_put_off);
    assert_int_equal(handled_again, 1);
}

/* By a token of his own, in the header that the path has for it. */
static void test_a_caller_is_proven_by_his_token(void **state)
{
    struct worker *worker = *state;
    struct rely_caller caller;
    struct rely_identity *identity = scene_edit_identity(&worker->scene, worker->issuer + 1);
    const char *const doors[][3] = {{"/check/default", "x-relyd-caller", "authorization"},
                                    {"/v1/review", "authorization", "x-relyd-caller"}};
    ask_callers(worker);
    identity->roles = RELY_ROLE_REVIEWER;
    bring_key(worker, worker->issuer);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(admit(worker, doors[i][0], doors[i][1], &caller), RELY_CALLER_PROVEN);
        assert_int_equal(caller.proof, RELY_PROOF_TOKEN);
        assert_ptr_equal(caller.identity, identity);
        assert_int_equal(admit(worker, doors[i][0], doors[i][2], &caller), RELY_CALLER_ANONYMOUS);
    }
    assert_int_equal(worker->counters.callers[RELY_CALLER_ANONYMOUS], 2);
    rules.audience = RELY_LIT("others");
    assert_int_equal(admit(worker, "/v1/review", "authorization", &caller), RELY_CALLER_BAD_TOKEN);
    rules.audience = RELY_LIT("relyd");
    identity->roles = RELY_ROLE_VIEWER;
    assert_int_equal(admit(worker, "/v1/review", "authorization", &caller), RELY_CALLER_WITHOUT_ROLE);
    assert_string_equal(caller.why.text, "identity:app has not the role reviewer");
    identity->roles = RELY_ROLE_ADMIN;
    assert_int_equal(admit(worker, "/v1/review", "authorization", &caller), RELY_CALLER_PROVEN);
}

static void test_an_open_door_asks_nobody(void **state)
{
    struct worker *worker = *state;
    struct rely_caller caller;
    struct rely_data_door door = {.reviewer = &worker->reviewer, .is_open = true};
    assert_int_equal(rely_reviewer_admit(&door, &worker->request, &caller, &is_put_off), RELY_CALLER_PROVEN);
    assert_int_equal(caller.proof, RELY_PROOF_OPEN);
    assert_int_equal(caller.roles, RELY_ROLE_REVIEWER);
}

/* --- pins -------------------------------------------------------------------------------------------------------- */

#define UID "11111111-aaaa-4bbb-8ccc-000000000001"

static const char *make_token_of_account(const char *account)
{
    return mint_token(
        mint_key("p256"), "ES256", "{\"alg\":\"ES256\",\"kid\":\"a\"}",
        mint_print("{\"iss\":\"" URL "\",\"sub\":\"system:serviceaccount:n:%s\",\"aud\":\"relyd\",\"exp\":%lld,"
                   "\"kubernetes.io\":{\"namespace\":\"n\",\"serviceaccount\":{\"name\":\"%s\",\"uid\":\"" UID "\"}}}",
                   account, (long long)time(NULL) + 3600, account));
}

static int64_t add_account(struct worker *worker, const char *account)
{
    return scene_add_credential(&worker->scene, worker->issuer, scene_add_identity(&worker->scene, account),
                                mint_print("system:serviceaccount:n:%s", account), "relyd");
}

static void pin_first_uses(struct worker *worker)
{
    static const struct rely_guards guards = {.pins_uid = true};
    scene_change_issuer(&worker->scene, worker->issuer, guards, &guards);
}

static void write_down(struct worker *worker, int64_t credential)
{
    scene_edit_credential(&worker->scene, credential)->account_uid = UID;
    rely_reviewer_pin_answered(&worker->reviewer, credential, true);
}

static void test_who_waits_for_a_uid(void **state)
{
    struct worker *worker = *state;
    int64_t one = add_account(worker, "one"), two = add_account(worker, "two");
    bring_key(worker, worker->issuer);
    pin_first_uses(worker);
    for (int i = 0; i < 3; i++)
        ask(worker, make_token_of_account("one"));
    assert_int_equal(asked_for_pins, 1);
    assert_int_equal(last_pin.credential_id, one);
    ask(worker, make_token_of_account("two"));
    assert_int_equal(asked_for_pins, 2);
    assert_int_equal(worker->reviewer.waiting.count, 4);
    write_down(worker, one);
    assert_int_equal(answered[RELY_OK], 3);
    write_down(worker, two);
    assert_int_equal(answered[RELY_OK], 4);
    assert_int_equal(worker->reviewer.waiting.count, 0);
    assert_int_equal(asked_for_keys + worker->counters.key_waits, 0);
}

/* What was asked for lately is noted by number: who has another's place neither keeps him waiting nor asks for him again. */
static void test_uids_that_are_noted_in_one_place(void **state)
{
    struct worker *worker = *state;
    int64_t one = add_account(worker, "one"), two = one + 1;
    for (int i = 0; (two - one) % RELY_PINS_ASKED != 0; i++)
        two = add_account(worker, mint_print("two-%d", i));
    const char *account = mint_print("two-%d", RELY_PINS_ASKED / 2 - 1);
    bring_key(worker, worker->issuer);
    pin_first_uses(worker);
    ask(worker, make_token_of_account("one"));
    ask(worker, make_token_of_account(account));
    assert_int_equal(asked_for_pins, 2);
    assert_int_equal(last_pin.credential_id, two);
    write_down(worker, one);
    ask(worker, make_token_of_account(account));
    assert_int_equal(asked_for_pins, 2);
    write_down(worker, two);
    assert_int_equal(answered[RELY_OK], 3);
}

static void test_who_waits_for_a_uid_in_vain(void **state)
{
    struct worker *worker = *state;
    int64_t one = add_account(worker, "one");
    bring_key(worker, worker->issuer);
    pin_first_uses(worker);
    ask(worker, make_token_of_account("one"));
    rely_reviewer_pin_answered(&worker->reviewer, one, false);
    assert_int_equal(answered[RELY_PIN_PENDING], 1);
    ask(worker, make_token_of_account("one")); /* it has been asked for a moment ago */
    assert_int_equal(asked_for_pins, 1);
    run_timers_of(150);
    assert_int_equal(answered[RELY_PIN_PENDING], 2);
    assert_int_equal(worker->reviewer.waiting.count, 0);
    rely_reviewer_pin_answered(&worker->reviewer, one, true); /* and somebody has taken it away again */
    ask(worker, make_token_of_account("one"));
    assert_int_equal(asked_for_pins, 2);
    worker->reviewer.key_wait_ms = 0;
    ask(worker, make_token_of_account("one"));
    assert_int_equal(answered[RELY_PIN_PENDING], 3);
}

static void test_who_waits_for_a_key_and_then_for_a_uid(void **state)
{
    struct worker *worker = *state;
    int64_t one = add_account(worker, "one");
    pin_first_uses(worker);
    ask(worker, make_token_of_account("one"));
    assert_int_equal(asked_for_pins, 0);
    bring_key(worker, worker->issuer);
    settle(worker, worker->issuer);
    assert_int_equal(asked_for_pins, 1);
    assert_int_equal(worker->reviewer.waiting.count, 1);
    write_down(worker, one);
    assert_int_equal(answered[RELY_OK], 1);
}

/* While another record's keys are still to come, which are not waited for any more. */
static void test_who_waits_for_a_uid_waits_for_no_key(void **state)
{
    struct worker *worker = *state;
    int64_t one = add_account(worker, "one"), sibling = scene_add_issuer(&worker->scene, "sibling", URL, NULL);
    pin_first_uses(worker);
    ask(worker, make_token_of_account("one"));
    assert_int_equal(asked_for_keys, 2);
    bring_key(worker, worker->issuer);
    settle(worker, worker->issuer);
    assert_int_equal(asked_for_pins, 1);
    settle(worker, sibling);
    assert_int_equal(answered_count, 0);
    write_down(worker, one);
    assert_int_equal(answered[RELY_OK], 1);
}

/* His time is over, whatever he could wait for now: no timer would end it. */
static void test_whose_key_comes_at_the_end_waits_for_no_uid(void **state)
{
    struct worker *worker = *state;
    add_account(worker, "one");
    pin_first_uses(worker);
    ask(worker, make_token_of_account("one"));
    bring_key(worker, worker->issuer);
    run_timers_of(150);
    assert_int_equal(answered[RELY_PIN_PENDING], 1);
    assert_int_equal(worker->reviewer.waiting.count, 0);
}

/* --- what clusters say ------------------------------------------------------------------------------------------- */

static void want_life(struct worker *worker, bool may_be_assumed)
{
    const struct rely_issuer_liveness liveness = {.url = RELY_LIT("https://cluster.example"),
                                                  .may_be_assumed = may_be_assumed};
    scene_change_issuer(&worker->scene, worker->issuer, liveness, liveness);
}

static void say(struct worker *worker, enum rely_live_word word)
{
    rely_reviewer_life_answered(&worker->reviewer, &last_bound, word, rely_clock_monotonic_ms());
}

static void test_who_waits_for_a_cluster(void **state)
{
    struct worker *worker = *state;
    add_account(worker, "one");
    add_account(worker, "two");
    bring_key(worker, worker->issuer);
    want_life(worker, false);
    for (int i = 0; i < 3; i++)
        ask(worker, make_token_of_account("one"));
    assert_int_equal(asked_for_life, 1);
    const struct rely_bound one = last_bound;
    ask(worker, make_token_of_account("two"));
    assert_int_equal(asked_for_life, 2);
    assert_int_equal(worker->reviewer.waiting.count, 4);
    uint64_t before = count_reviews(worker);
    rely_reviewer_life_answered(&worker->reviewer, &one, RELY_LIVE_YES, rely_clock_monotonic_ms());
    assert_int_equal(answered[RELY_OK], 3);
    assert_int_equal(count_reviews(worker) - before, 3); /* the fourth is not looked at */
    say(worker, RELY_LIVE_NO);
    assert_int_equal(answered[RELY_TOKEN_NOT_LIVE], 1);
    ask(worker, make_token_of_account("two"));
    assert_int_equal(answered[RELY_TOKEN_NOT_LIVE], 2);
    assert_int_equal(worker->reviewer.waiting.count, 0);
    assert_int_equal(asked_for_keys + asked_for_pins + worker->counters.key_waits, 0);
}

static void test_who_waits_for_a_cluster_in_vain(void **state)
{
    struct worker *worker = *state;
    add_account(worker, "one");
    add_account(worker, "two");
    bring_key(worker, worker->issuer);
    want_life(worker, false);
    ask(worker, make_token_of_account("one"));
    say(worker, RELY_LIVE_NOTHING);
    assert_int_equal(answered[RELY_LIVENESS_UNAVAILABLE], 1);
    ask(worker, make_token_of_account("two"));
    run_timers_of(150);
    assert_int_equal(answered[RELY_LIVENESS_UNAVAILABLE], 2);
    want_life(worker, true);
    ask(worker, make_token_of_account("two")); /* it has not said anything a moment ago */
    assert_int_equal(answered[RELY_OK], 1);
    assert_int_equal(asked_for_life, 2);
    assert_int_equal(worker->reviewer.waiting.count, 0);
}

static void test_whose_time_is_over_is_let_in_where_the_record_says_so(void **state)
{
    struct worker *worker = *state;
    add_account(worker, "one");
    add_account(worker, "two");
    bring_key(worker, worker->issuer);
    want_life(worker, true);
    ask(worker, make_token_of_account("one"));
    assert_int_equal(answered_count, 0);
    run_timers_of(150);
    assert_int_equal(answered[RELY_OK], 1);
    worker->reviewer.key_wait_ms = 0;
    ask(worker, make_token_of_account("two"));
    assert_int_equal(answered[RELY_OK], 2);
    assert_int_equal(asked_for_life, 2);
}

static void test_who_waits_for_a_key_a_cluster_and_a_uid(void **state)
{
    struct worker *worker = *state;
    int64_t one = add_account(worker, "one");
    pin_first_uses(worker);
    want_life(worker, false);
    ask(worker, make_token_of_account("one"));
    bring_key(worker, worker->issuer);
    settle(worker, worker->issuer);
    assert_int_equal(asked_for_life, 1);
    assert_int_equal(asked_for_pins, 0); /* what is gone is not written down */
    say(worker, RELY_LIVE_YES);
    assert_int_equal(asked_for_pins, 1);
    assert_int_equal(worker->reviewer.waiting.count, 1);
    write_down(worker, one);
    assert_int_equal(answered[RELY_OK], 1);
}

static void test_an_old_yes_is_asked_for_behind_the_answer(void **state)
{
    struct worker *worker = *state;
    add_account(worker, "one");
    bring_key(worker, worker->issuer);
    want_life(worker, false);
    ask(worker, make_token_of_account("one"));
    rely_reviewer_life_answered(&worker->reviewer, &last_bound, RELY_LIVE_YES,
                                rely_clock_monotonic_ms() - RELY_LIVE_SOFT_MS - 1);
    assert_int_equal(answered[RELY_OK], 1);
    assert_int_equal(asked_for_life, 1); /* a moment ago */
    rely_live_memory_free(worker->reviewer.live);
    worker->reviewer.live = rely_live_memory_new(rely_clock_monotonic_ms);
    rely_reviewer_life_answered(&worker->reviewer, &last_bound, RELY_LIVE_YES,
                                rely_clock_monotonic_ms() - RELY_LIVE_SOFT_MS - 1);
    ask(worker, make_token_of_account("one"));
    assert_int_equal(answered[RELY_OK], 2);
    assert_int_equal(asked_for_life, 2);
}

int run_waiting_tests(void)
{
    const struct CMUnitTest tests[] = {
        WORKER_TEST(test_e_a_thousand_wait_and_the_next_is_refused_at_once),
        WORKER_TEST(test_b7_a_silent_issuer_leaves_places_for_others),
        WORKER_TEST(test_b7_who_leaves_gives_his_place_back),
        WORKER_TEST(test_b7_a_silent_issuers_bytes_leave_room_for_others),
        WORKER_TEST(test_b7_what_waits_is_bounded_in_bytes),
        WORKER_TEST(test_b7_a_few_are_reviewed_in_each_turn),
        WORKER_TEST(test_b7_a_few_time_out_in_each_turn),
        WORKER_TEST(test_b7_whose_key_has_not_come_is_not_read_again),
        WORKER_TEST(test_b7_the_last_answer_ends_the_wait),
        WORKER_TEST(test_who_came_during_a_fetch_waits_for_the_next),
        WORKER_TEST(test_who_came_during_a_fetch_takes_what_it_brought),
        WORKER_TEST(test_who_came_during_a_fetch_is_answered_when_the_next_is_far),
        WORKER_TEST(test_who_doubts_a_key_waits_as_who_misses_it),
        WORKER_TEST(test_b7_a_client_that_leaves_is_forgotten),
        WORKER_TEST(test_d_the_duration_has_the_wait_in_it),
        WORKER_TEST(test_what_was_asked_is_kept),
        WORKER_TEST(test_who_waits_for_a_uid),
        WORKER_TEST(test_uids_that_are_noted_in_one_place),
        WORKER_TEST(test_who_waits_for_a_uid_in_vain),
        WORKER_TEST(test_who_waits_for_a_key_and_then_for_a_uid),
        WORKER_TEST(test_who_waits_for_a_uid_waits_for_no_key),
        WORKER_TEST(test_who_waits_for_a_cluster),
        WORKER_TEST(test_who_waits_for_a_cluster_in_vain),
        WORKER_TEST(test_whose_time_is_over_is_let_in_where_the_record_says_so),
        WORKER_TEST(test_who_waits_for_a_key_a_cluster_and_a_uid),
        WORKER_TEST(test_an_old_yes_is_asked_for_behind_the_answer),
        WORKER_TEST(test_whose_key_comes_at_the_end_waits_for_no_uid),
        WORKER_TEST(test_a_callers_key_is_waited_for),
        WORKER_TEST(test_a_callers_key_that_does_not_come),
        WORKER_TEST(test_a_caller_is_proven_by_his_token),
        WORKER_TEST(test_an_open_door_asks_nobody),
    };
    return cmocka_run_group_tests_name("waiting for keys", tests, NULL, NULL);
}
