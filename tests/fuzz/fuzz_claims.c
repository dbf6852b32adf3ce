/*
 * claims: the reason that a payload gets against the rules written down a second time, over jansson's tree, and the
 * judgement of the times against arithmetic in integers.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "relyd/claims.h"
#include "relyd/pool.h"
#include "relyd/signature.h"
#include "relyd/view.h"

static bool is_text(const json_t *value)
{
    return json_is_string(value) && json_string_length(value) > 0;
}

static bool is_audience(const json_t *aud)
{
    size_t count = json_array_size(aud);
    for (size_t i = 0; i < count; i++)
        if (!is_text(json_array_get(aud, i)))
            return false;
    return is_text(aud) || (count > 0 && count <= RELY_AUDIENCES_IN_TOKEN_MAX);
}

/* A time, or absent. */
static bool is_time(const json_t *value)
{
    return value == NULL || (json_is_real(value) && fabs(json_real_value(value)) <= RELY_TIME_MAX_S);
}

/* The subject that `kubernetes.io` asks for differs from the one there is. */
static bool contradicts_subject(const json_t *payload)
{
    const json_t *kubernetes = json_object_get(payload, "kubernetes.io");
    const char *prefix = "system:serviceaccount:", *subject = json_string_value(json_object_get(payload, "sub"));
    if (strncmp(subject, prefix, strlen(prefix)) != 0)
        return false;
    char space[4096] = "", account[4096] = "";
    sscanf(subject + strlen(prefix), "%4095[^:]", space);
    size_t behind = strlen(prefix) + strlen(space);
    if (subject[behind] == ':')
        snprintf(account, sizeof account, "%s", subject + behind + 1);
    const char *named = json_string_value(json_object_get(kubernetes, "namespace"));
    const char *name = json_string_value(json_object_get(json_object_get(kubernetes, "serviceaccount"), "name"));
    return (named != NULL && strcmp(named, space) != 0) || (name != NULL && strcmp(name, account) != 0);
}

static enum rely_reason judge_again(const json_t *payload)
{
    const json_t *sub = json_object_get(payload, "sub"), *aud = json_object_get(payload, "aud");
    const json_t *exp = json_object_get(payload, "exp"), *jti = json_object_get(payload, "jti");
    if (sub == NULL || !is_text(sub))
        return sub == NULL ? RELY_MISSING_CLAIM : RELY_INVALID_CLAIM;
    if (aud == NULL || !is_audience(aud))
        return aud == NULL ? RELY_MISSING_CLAIM : RELY_INVALID_CLAIM;
    if (exp == NULL)
        return RELY_MISSING_CLAIM;
    bool is_right = is_time(exp) && json_real_value(exp) >= 1 && is_time(json_object_get(payload, "nbf")) &&
                    is_time(json_object_get(payload, "iat")) && (jti == NULL || json_is_string(jti));
    return is_right && !contradicts_subject(payload) ? RELY_OK : RELY_INVALID_CLAIM;
}

static enum rely_reason judge_time_again(const struct rely_claims *claims, const struct rely_time_rules *rules,
                                         int64_t now)
{
    int64_t exp = (int64_t)claims->expires, nbf = (int64_t)claims->not_before, iat = (int64_t)claims->issued_at;
    if (now - rules->leeway_s >= exp)
        return RELY_EXPIRED;
    if (claims->has_not_before && nbf > exp)
        return RELY_INVALID_CLAIM;
    if (claims->has_not_before && nbf > now + rules->leeway_s)
        return RELY_NOT_YET_VALID;
    if (claims->has_issued_at && iat > now + rules->leeway_s)
        return RELY_ISSUED_IN_FUTURE;
    if (rules->max_lifetime_s != 0 && !claims->has_issued_at)
        return RELY_MISSING_CLAIM;
    return rules->max_lifetime_s != 0 && exp - iat > rules->max_lifetime_s ? RELY_LIFETIME_TOO_LONG : RELY_OK;
}

static void check_times(const struct rely_claims *claims)
{
    static const int32_t leeways[] = {0, 60, RELY_LEEWAY_MAX_S};
    static const int64_t lifetimes[] = {0, 1, 3600};
    const double around[] = {claims->expires, claims->not_before, claims->issued_at, 1795319220};
    RELY_ASSERT(claims->expires >= 1 && claims->expires <= RELY_TIME_MAX_S);
    for (int i = 0; i < 4 * 5 * 9; i++) {
        struct rely_detail detail = {""};
        struct rely_time_rules rules = {leeways[i % 3], lifetimes[i / 3 % 3]};
        int64_t step = rules.leeway_s == 0 ? 1 : rules.leeway_s;
        int64_t now = (int64_t)around[i / 9 % 4] + (i / 36 - 2) * step;
        enum rely_reason reason = rely_claims_check_time(claims, &rules, now, &detail);
        RELY_ASSERT(reason == judge_time_again(claims, &rules, now));
    }
}

static void check_claims(const struct rely_claims *claims, const json_t *payload)
{
    const json_t *aud = json_object_get(payload, "aud");
    RELY_ASSERT(claims->subject.len == json_string_length(json_object_get(payload, "sub")));
    RELY_ASSERT(claims->audience_count == (json_is_array(aud) ? json_array_size(aud) : 1));
    for (size_t i = 0; i < claims->audience_count; i++) {
        const json_t *one = json_is_array(aud) ? json_array_get(aud, i) : aud;
        struct rely_slice text = rely_slice(json_string_value(one), json_string_length(one));
        RELY_ASSERT(rely_slice_equal(text, claims->audiences[i]));
    }
    RELY_ASSERT(claims->expires == trunc(json_real_value(json_object_get(payload, "exp"))));
    RELY_ASSERT(claims->has_not_before == (json_object_get(payload, "nbf") != NULL));
    RELY_ASSERT(claims->has_issued_at == (json_object_get(payload, "iat") != NULL));
    RELY_ASSERT((claims->token_id.ptr != NULL) == (json_object_get(payload, "jti") != NULL));
    const json_t *kubernetes = json_object_get(payload, "kubernetes.io");
    RELY_ASSERT(claims->kubernetes.has_warn_after == (json_object_get(kubernetes, "warnafter") != NULL));
    const json_t *pod_uid = json_object_get(json_object_get(kubernetes, "pod"), "uid");
    RELY_ASSERT((claims->kubernetes.pod_uid.ptr != NULL) == json_is_string(pod_uid));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rely_pool pool;
    struct rely_verified verified = {0};
    struct rely_claims claims = {0};
    struct rely_detail detail = {""};
    const char *fault = NULL;
    if (size > 4000) /* the second opinion's buffers */
        return 0;
    rely_pool_init(&pool);
    if (rely_view_parse(rely_slice((const char *)data, size), &pool, &verified.claims, &fault)) {
        enum rely_reason reason = rely_claims_read(&verified, rely_slice(NULL, 0), &pool, &claims, &detail);
        struct rely_claims named = {0}; /* `sub` by its name is the same, and is walked to as any claim */
        RELY_ASSERT(rely_claims_read(&verified, RELY_LIT("sub"), &pool, &named, &detail) == reason);
        RELY_ASSERT(rely_slice_same(named.subject, claims.subject));
        json_t *payload = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, NULL);
        RELY_ASSERT(payload == NULL || reason == judge_again(payload)); /* NULL: a number overflows */
        if (reason == RELY_OK && payload != NULL)
            check_claims(&claims, payload);
        if (reason == RELY_OK)
            check_times(&claims);
        json_decref(payload);
    }
    rely_pool_fini(&pool);
    return 0;
}
