/*
 * Keys that are fetched now: what is answered when the keeper tells what came of it, and who waits no longer; and the same
 * conditions in an issuer's status.
 */
#include "fixture.h"
#include "mint.h"

#include "relyd/key_orders.h"

#define REFRESH "/v1/issuers/cluster:refresh"

static void register_refreshed(struct fixture *fixture)
{
    const char *jwks =
        mint_jwks(mint_jwk(mint_key("p256"), "k1", "ES256"), mint_jwk(mint_key("rsa2048"), NULL, "RS256"), NULL);
    send_request(fixture, "POST", "/v1/issuers",
                 mint_print("{\"name\":\"cluster\",\"issuer\":\"https://a.example\",\"keys\":{\"jwks\":%s}}", jwks));
    assert_status(fixture, 201);
}

static void order_refresh(struct fixture *fixture, const char *target)
{
    send_request(fixture, "POST", target, NULL);
    assert_int_equal(fixture->status, 0); /* it waits */
    assert_non_null(fixture->waiter);
    assert_true(fixture->admin.waiting_bytes > 0);
}

static void tell_refreshed(struct fixture *fixture, const struct rely_refreshed *came)
{
    struct rely_key_waiter *waiter = fixture->waiter;
    fixture->waiter = NULL;
    waiter->done(waiter, came);
    assert_status(fixture, 200);
    assert_int_equal(fixture->admin.waiting_bytes, 0);
}

static void set_causes(struct rely_issuer_conditions *conditions)
{
    static const enum rely_cause causes[RELY_CONDITION_COUNT] = {
        [RELY_CONDITION_NAME_RESOLVED] = RELY_CAUSE_RESOLVED,
        [RELY_CONDITION_CONNECTED] = RELY_CAUSE_IS_CONNECTED,
        [RELY_CONDITION_TLS_TRUSTED] = RELY_CAUSE_UNKNOWN_CA,
        [RELY_CONDITION_DISCOVERY_READ] = RELY_CAUSE_NOT_FOUND,
        [RELY_CONDITION_ISSUER_MATCHES] = RELY_CAUSE_NOT_REACHED,
        [RELY_CONDITION_KEYS_READ] = RELY_CAUSE_NOT_REACHED,
        [RELY_CONDITION_KEYS_USABLE] = RELY_CAUSE_NOT_REACHED,
        [RELY_CONDITION_TOKENS_SEEN] = RELY_CAUSE_NONE_YET,
        [RELY_CONDITION_READY] = RELY_CAUSE_NOT_ASKED,
    };
    for (int i = 0; i < RELY_CONDITION_COUNT; i++) {
        conditions->items[i].cause = causes[i];
        conditions->items[i].since_s = 1700000000 + i;
    }
    conditions->items[RELY_CONDITION_NAME_RESOLVED].measured = "127.0.0.1";
    conditions->items[RELY_CONDITION_TLS_TRUSTED].measured = "its authority is unknown";
    conditions->items[RELY_CONDITION_DISCOVERY_READ].measured = "404: mend its path";
    conditions->items[RELY_CONDITION_DISCOVERY_READ].is_advised = true;
}

static void tells_each_outcome(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        enum rely_refresh_outcome outcome;
        const char *word;
    } outcomes[] = {{RELY_REFRESH_FAILED, "failed"},
                    {RELY_REFRESH_UNCHANGED, "unchanged"},
                    {RELY_REFRESH_HELD_BACK, "held_back"},
                    {RELY_REFRESH_ACCEPTED, "accepted"}};
    register_refreshed(fixture);
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        struct rely_refreshed came = {.outcome = outcomes[i].outcome};
        set_causes(&came.conditions);
        order_refresh(fixture, REFRESH);
        assert_false(fixture->waiter->is_believed);
        tell_refreshed(fixture, &came);
        assert_value(fixture, "issuerName", "cluster");
        assert_value(fixture, "outcome", outcomes[i].word);
        assert_value(fixture, "detail", "absent");
        assert_value(fixture, "kids", "[\"k1\"]"); /* the other has none */
        assert_value(fixture, "generation", "1");
    }
    mint_reset();
}

static void tells_each_step(void **state)
{
    struct fixture *fixture = *state;
    static const char *const steps[][3] = {
        {"resolve", "passed", "resolved"},    {"connect", "passed", "connected"},   {"tls", "failed", "unknown_ca"},
        {"discovery", "failed", "not_found"}, {"issuer", "skipped", "not_reached"}, {"keys", "skipped", "not_reached"},
        {"judge", "skipped", "not_reached"},
    };
    struct rely_refreshed came = {.outcome = RELY_REFRESH_FAILED, .ms = {[RELY_CONDITION_TLS_TRUSTED] = 17}};
    register_refreshed(fixture);
    set_causes(&came.conditions);
    order_refresh(fixture, REFRESH);
    tell_refreshed(fixture, &came);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        assert_value(fixture, mint_print("steps.%zu.step", i), steps[i][0]);
        assert_value(fixture, mint_print("steps.%zu.outcome", i), steps[i][1]);
        assert_value(fixture, mint_print("steps.%zu.reason", i), steps[i][2]);
        assert_value(fixture, mint_print("steps.%zu.ms", i), i == 2 ? "17" : "0");
    }
    assert_value(fixture, "steps.7", "absent");
    assert_value(fixture, "steps.0.detail", "127.0.0.1");
    assert_value(fixture, "steps.1.detail", "It is connected."); /* nothing was measured */
    assert_value_has(fixture, "steps.2.detail", "its authority is unknown: to mend it, put the PEM");
    assert_value(fixture, "steps.3.detail", "404: mend its path");
    mint_reset();
}

static void tells_who_waits_too_long(void **state)
{
    struct fixture *fixture = *state;
    const struct rely_refreshed came = {.outcome = RELY_REFRESH_FAILED, .is_late = true};
    register_refreshed(fixture);
    order_refresh(fixture, REFRESH);
    tell_refreshed(fixture, &came);
    assert_value(fixture, "outcome", "failed");
    assert_value_has(fixture, "detail", "the fetch was not over in time");
    assert_value(fixture, "steps", "[]");
    mint_reset();
}

/* While somebody waits, the record is deleted. */
static void tells_of_a_record_that_has_gone(void **state)
{
    struct fixture *fixture = *state;
    const struct rely_refreshed came = {.outcome = RELY_REFRESH_FAILED, .is_late = true};
    register_refreshed(fixture);
    order_refresh(fixture, REFRESH);
    size_t waiting = fixture->admin.waiting_bytes;
    send_request(fixture, "DELETE", "/v1/issuers/cluster", NULL);
    assert_status(fixture, 204);
    assert_int_equal(fixture->admin.waiting_bytes, waiting);
    fixture->status = 0;
    fixture->body.len = 0;
    tell_refreshed(fixture, &came);
    assert_value(fixture, "issuerName", "cluster");
    assert_value(fixture, "kids", "[]");
    assert_value(fixture, "generation", "0");
    mint_reset();
}

static void believes_what_it_is_told_to(void **state)
{
    struct fixture *fixture = *state;
    const struct rely_refreshed came = {.outcome = RELY_REFRESH_ACCEPTED, .is_late = true};
    register_refreshed(fixture);
    order_refresh(fixture, REFRESH "?believe=true");
    assert_true(fixture->waiter->is_believed);
    tell_refreshed(fixture, &came);
    order_refresh(fixture, REFRESH "?believe=false");
    assert_false(fixture->waiter->is_believed);
    tell_refreshed(fixture, &came);
    send_request(fixture, "POST", REFRESH "?believe=yes", NULL);
    assert_problem(fixture, 400, "invalid_query");
    assert_value_has(fixture, "detail", "believe");
    assert_null(fixture->waiter);
    mint_reset();
}

static void refuses_what_cannot_be_fetched(void **state)
{
    struct fixture *fixture = *state;
    register_refreshed(fixture);
    send_request(fixture, "POST", "/v1/issuers/nothing:refresh", NULL);
    assert_problem(fixture, 404, "not_found");
    fixture->refuses_orders = true;
    send_request(fixture, "POST", REFRESH, NULL);
    assert_problem(fixture, 503, "busy");
    assert_value(fixture, "detail", "too often");
    assert_null(fixture->waiter);
    assert_int_equal(fixture->admin.waiting_bytes, 0);
    mint_reset();
}

static void forgets_who_leaves(void **state)
{
    struct fixture *fixture = *state;
    register_refreshed(fixture);
    order_refresh(fixture, REFRESH);
    fixture->gone(fixture->gone_context);
    assert_null(fixture->waiter);
    assert_int_equal(fixture->status, 0);
    assert_int_equal(fixture->admin.waiting_bytes, 0);
    mint_reset();
}

static void shows_conditions_in_its_status(void **state)
{
    struct fixture *fixture = *state;
    register_refreshed(fixture);
    send_request(fixture, "GET", "/v1/issuers/cluster", NULL);
    assert_value(fixture, "status", "absent"); /* nobody keeps its keys */
    set_causes(&fixture->conditions);
    send_request(fixture, "GET", "/v1/issuers/cluster", NULL);
    assert_status(fixture, 200);
    assert_value(fixture, "status.conditions.0.type", "NameResolved");
    assert_value(fixture, "status.conditions.0.status", "True");
    assert_value(fixture, "status.conditions.0.reason", "resolved");
    assert_value(fixture, "status.conditions.0.message", "127.0.0.1");
    assert_value(fixture, "status.conditions.0.since", "2023-11-14T22:13:20Z");
    assert_value(fixture, "status.conditions.1.message", "");
    assert_value(fixture, "status.conditions.2.status", "False");
    assert_value_has(fixture, "status.conditions.2.message", "its authority is unknown: to mend it, put the PEM");
    assert_value(fixture, "status.conditions.3.message", "404: mend its path");
    assert_value(fixture, "status.conditions.7.type", "TokensSeen");
    assert_value(fixture, "status.conditions.7.reason", "none_yet");
    assert_value(fixture, "status.conditions.8.type", "Ready");
    assert_value(fixture, "status.conditions.8.status", "Unknown");
    assert_value(fixture, "status.conditions.9", "absent");
    assert_value_has(fixture, "createdAt", "T");
    mint_reset();
}

/* Then its cause's sentence stands there. */
static void shows_what_failed_unmeasured(void **state)
{
    struct fixture *fixture = *state;
    register_refreshed(fixture);
    set_causes(&fixture->conditions);
    fixture->conditions.items[RELY_CONDITION_CONNECTED].cause = RELY_CAUSE_CONNECTION_REFUSED;
    send_request(fixture, "GET", "/v1/issuers/cluster", NULL);
    assert_value_has(fixture, "status.conditions.1.message",
                     "Nothing listens there. to mend it, compare host and port");
    mint_reset();
}

int run_refresh_tests(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(tells_each_outcome),           A_TEST(tells_each_step),
        A_TEST(tells_who_waits_too_long),     A_TEST(tells_of_a_record_that_has_gone),
        A_TEST(believes_what_it_is_told_to),  A_TEST(refuses_what_cannot_be_fetched),
        A_TEST(forgets_who_leaves),           A_TEST(shows_conditions_in_its_status),
        A_TEST(shows_what_failed_unmeasured),
    };
    return cmocka_run_group_tests_name("refresh", tests, NULL, NULL);
}
