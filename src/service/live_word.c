/*
 * What a cluster's answer to a TokenReview means, and how often it is asked. Decides by what it says alone: whatever does
 * not say plainly that this very account is authenticated is no yes. Called by lives.c.
 */
#include "lives.h"

#include "relyd/json.h"
#include "relyd/text.h"

static bool says(const struct rely_json *object, const char *name, struct rely_slice text)
{
    return rely_slice_equal(rely_json_text(rely_json_get(object, name)), text);
}

/* One that names none has not looked at them: it speaks of its own. */
static bool names_an_audience(const struct rely_json *named, const struct rely_json *expected)
{
    if (rely_json_type(named) != RELY_JSON_ARRAY)
        return false;
    for (size_t i = 0; i < rely_json_size(named); i++)
        for (size_t k = 0; k < rely_json_size(expected); k++)
            if (rely_json_text(rely_json_at(named, i)).ptr != NULL &&
                rely_slice_equal(rely_json_text(rely_json_at(named, i)), rely_json_text(rely_json_at(expected, k))))
                return true;
    return false;
}

static enum rely_live_word read_yes(const struct rely_json *status, const struct rely_live_expected *expected,
                                    struct rely_err *err)
{
    struct rely_err unused = {.code = RELY_ERR_NONE};
    const struct rely_json *user = rely_json_get(status, "user"), *error = rely_json_get(status, "error");
    RELY_JSON_OWNED struct rely_json *audiences = rely_json_parse(expected->audiences, &unused);
    if (rely_json_type(user) != RELY_JSON_OBJECT || (error != NULL && rely_json_text(error).len > 0)) {
        rely_err_set(err, RELY_ERR_INVALID, "the answer is authenticated and has no user, or an error");
        return RELY_LIVE_NOTHING;
    }
    if (!says(user, "username", expected->username) || !says(user, "uid", expected->uid))
        return RELY_LIVE_NO;
    if (names_an_audience(rely_json_get(status, "audiences"), audiences))
        return RELY_LIVE_YES;
    rely_err_set(err, RELY_ERR_INVALID, "the answer has none of the audiences that were asked for");
    return RELY_LIVE_NOTHING;
}

enum rely_live_word rely_live_read(struct rely_slice body, const struct rely_live_expected *expected,
                                   struct rely_err *err)
{
    RELY_JSON_OWNED struct rely_json *answer = rely_json_parse(body, err);
    const struct rely_json *status = rely_json_get(answer, "status");
    if (answer == NULL)
        return RELY_LIVE_NOTHING;
    if (!says(answer, "kind", RELY_LIT("TokenReview")) ||
        !says(answer, "apiVersion", RELY_LIT("authentication.k8s.io/v1")) ||
        rely_json_type(status) != RELY_JSON_OBJECT) {
        rely_err_set(err, RELY_ERR_INVALID, "the answer is no TokenReview of authentication.k8s.io/v1 with a status");
        return RELY_LIVE_NOTHING;
    }
    const struct rely_json *authenticated = rely_json_get(status, "authenticated");
    if (authenticated != NULL && rely_json_type(authenticated) != RELY_JSON_BOOL) {
        rely_err_set(err, RELY_ERR_INVALID, "the answer's authenticated is neither true nor false");
        return RELY_LIVE_NOTHING;
    }
    return rely_json_true(authenticated) ? read_yes(status, expected, err) : RELY_LIVE_NO;
}

bool rely_live_rate_take(struct rely_live_rate *place, uint32_t rate, int64_t now_ms)
{
    int64_t most = (int64_t)rate * 1000, since = now_ms - place->at_ms;
    int64_t more = since < 0 || since > 1000 ? most : since * (int64_t)rate;
    place->thousandths = place->thousandths + more < most ? place->thousandths + more : most;
    place->at_ms = now_ms;
    if (place->thousandths < 1000)
        return false;
    place->thousandths -= 1000;
    return true;
}
