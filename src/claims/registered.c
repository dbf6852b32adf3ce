/*
 * Reads the registered claims of a verified payload into typed fields. Decides whether each has its type and its
 * range; not whether the token is valid now (time.c), nor whom it maps to (rules/). Called by the review's step
 * `claims` (decide/).
 */
#include "relyd/claims.h"
#include "relyd/pool.h"

#include "kubernetes.h"
#include "relyd/said.h"
#include "relyd/signature.h"
#include "relyd/text.h"

enum claim {
    CLAIM_SUBJECT,
    CLAIM_AUDIENCE,
    CLAIM_EXPIRES,
    CLAIM_NOT_BEFORE,
    CLAIM_ISSUED_AT,
    CLAIM_TOKEN_ID,
    CLAIM_KUBERNETES, /* the only one whose name has not three letters */
    CLAIM_COUNT
};

static const char *const claim_names[CLAIM_COUNT] = {
    [CLAIM_SUBJECT] = "sub",
    [CLAIM_AUDIENCE] = "aud",
    [CLAIM_EXPIRES] = "exp",
    [CLAIM_NOT_BEFORE] = "nbf",
    [CLAIM_ISSUED_AT] = "iat",
    [CLAIM_TOKEN_ID] = "jti",
    [CLAIM_KUBERNETES] = "kubernetes.io",
};

/* A payload and where its claims are. */
struct claim_reader {
    const struct rely_view *view;    /* borrowed */
    struct rely_slice subject_claim; /* borrowed; ptr NULL: `sub` */
    struct rely_pool *pool;          /* borrowed */
    struct rely_detail *detail;      /* borrowed */
    uint32_t places[CLAIM_COUNT];    /* 0 = absent */
};

/* CLAIM_COUNT for all other names. Byte for byte: `SUB` and a `sub` spelled with a long s are other claims (RFC 7519
 * s4; readers that fold case have let an attacker's `SUB` win). */
static int find_claim_named(struct rely_slice name)
{
    if (name.len == 3)
        for (int claim = 0; claim < CLAIM_KUBERNETES; claim++)
            if (memcmp(name.ptr, claim_names[claim], 3) == 0)
                return claim;
    return rely_slice_equal(name, RELY_LIT("kubernetes.io")) ? CLAIM_KUBERNETES : CLAIM_COUNT;
}

/* One walk over the members, not one for each claim: a payload may have thousands. */
static void find_claims(struct claim_reader *reader)
{
    const struct rely_view *view = reader->view;
    for (uint32_t name = rely_view_first(view, 0); name != 0; name = rely_view_next(view, 0, name + 1)) {
        int claim = find_claim_named(view->nodes[name].text);
        if (claim != CLAIM_COUNT)
            reader->places[claim] = name + 1;
    }
}

static enum rely_reason refuse_claim(const struct claim_reader *reader, enum claim claim, const char *why)
{
    enum rely_reason reason = reader->places[claim] == 0 ? RELY_MISSING_CLAIM : RELY_INVALID_CLAIM;
    return rely_refuse(reader->detail, reason, "`%s` %s", claim_names[claim], why);
}

/* Absent: *out stays so. */
static enum rely_reason read_sub(const struct claim_reader *reader, struct rely_slice *out)
{
    uint32_t place = reader->places[CLAIM_SUBJECT];
    if (place == 0)
        return reader->subject_claim.ptr != NULL ? RELY_OK : refuse_claim(reader, CLAIM_SUBJECT, "is missing");
    const struct rely_view_node *value = &reader->view->nodes[place];
    if (value->type != RELY_VIEW_STRING || value->text.len == 0)
        return refuse_claim(reader, CLAIM_SUBJECT, "is not a string with at least one character");
    *out = value->text;
    return RELY_OK;
}

static enum rely_reason refuse_subject_claim(const struct claim_reader *reader, enum rely_reason reason,
                                             const char *why)
{
    char quoted[RELY_QUOTED_SIZE];
    struct rely_slice spelled = rely_claim_spell(reader->subject_claim, reader->pool);
    return rely_refuse(reader->detail, reason, "the claim %s, which the issuer's record has as the subject, %s",
                       rely_quote(spelled, quoted), why);
}

/* In: sub - what stands there, or absent. */
static enum rely_reason read_subject(const struct claim_reader *reader, struct rely_slice sub, struct rely_slice *out)
{
    *out = sub;
    if (reader->subject_claim.ptr == NULL)
        return RELY_OK;
    uint32_t place = rely_claim_find(reader->view, reader->subject_claim);
    if (place == 0)
        return refuse_subject_claim(reader, RELY_MISSING_CLAIM, "is missing");
    const struct rely_view_node *value = &reader->view->nodes[place];
    if (value->type != RELY_VIEW_STRING || value->text.len == 0)
        return refuse_subject_claim(reader, RELY_INVALID_CLAIM, "is not a string with at least one character");
    *out = value->text;
    return RELY_OK;
}

/* A list of audiences; `place` is an array. */
static enum rely_reason read_audience_list(const struct claim_reader *reader, uint32_t place,
                                           struct rely_claims *claims)
{
    uint32_t count = reader->view->nodes[place].count;
    if (count == 0 || count > RELY_AUDIENCES_IN_TOKEN_MAX)
        return rely_refuse(reader->detail, RELY_INVALID_CLAIM, "`aud` is a list of %u entries; 1 to %d are allowed",
                           count, RELY_AUDIENCES_IN_TOKEN_MAX);
    struct rely_slice *audiences = rely_pool_alloc(reader->pool, count * sizeof *audiences);
    size_t found = 0;
    for (uint32_t at = rely_view_first(reader->view, place); at != 0; at = rely_view_next(reader->view, place, at)) {
        const struct rely_view_node *value = &reader->view->nodes[at];
        if (value->type != RELY_VIEW_STRING || value->text.len == 0)
            return refuse_claim(reader, CLAIM_AUDIENCE,
                                "has an entry that is not a string with at least one character");
        audiences[found++] = value->text;
    }
    claims->audiences = audiences;
    claims->audience_count = found;
    return RELY_OK;
}

static enum rely_reason read_audiences(const struct claim_reader *reader, struct rely_claims *claims)
{
    uint32_t place = reader->places[CLAIM_AUDIENCE];
    if (place == 0)
        return refuse_claim(reader, CLAIM_AUDIENCE, "is missing");
    const struct rely_view_node *value = &reader->view->nodes[place];
    if (value->type == RELY_VIEW_ARRAY)
        return read_audience_list(reader, place, claims);
    if (value->type != RELY_VIEW_STRING || value->text.len == 0)
        return refuse_claim(reader, CLAIM_AUDIENCE, "is neither a list nor a string with at least one character");
    claims->audiences = &value->text; /* a list of one, where it stands */
    claims->audience_count = 1;
    return RELY_OK;
}

/* The claim is there. A range, because what is far outside is a mistake (milliseconds) or an overflow elsewhere. */
static enum rely_reason read_time_claim(const struct claim_reader *reader, enum claim claim, double *out)
{
    double seconds;
    if (!rely_view_number(reader->view, reader->places[claim], &seconds))
        return refuse_claim(reader, claim, "is not a number, or too large for one");
    if (seconds > RELY_TIME_MAX_S || seconds < -RELY_TIME_MAX_S)
        return refuse_claim(reader, claim, "is too far away to be a time in seconds since 1970");
    *out = (double)(int64_t)seconds;
    return RELY_OK;
}

static enum rely_reason read_optional_time(const struct claim_reader *reader, enum claim claim, bool *has, double *out)
{
    *has = reader->places[claim] != 0;
    return *has ? read_time_claim(reader, claim, out) : RELY_OK;
}

static enum rely_reason read_expiry(const struct claim_reader *reader, double *out)
{
    if (reader->places[CLAIM_EXPIRES] == 0)
        return refuse_claim(reader, CLAIM_EXPIRES, "is missing");
    enum rely_reason reason = read_time_claim(reader, CLAIM_EXPIRES, out);
    if (reason == RELY_OK && *out <= 0)
        return refuse_claim(reader, CLAIM_EXPIRES, "is not after 1970-01-01T00:00:00Z");
    return reason;
}

static enum rely_reason read_token_id(const struct claim_reader *reader, struct rely_slice *out)
{
    uint32_t place = reader->places[CLAIM_TOKEN_ID];
    if (place == 0)
        return RELY_OK;
    if (reader->view->nodes[place].type != RELY_VIEW_STRING)
        return refuse_claim(reader, CLAIM_TOKEN_ID, "is not a string");
    *out = reader->view->nodes[place].text;
    return RELY_OK;
}

static enum rely_reason read_claims(const struct claim_reader *reader, struct rely_claims *claims)
{
    struct rely_slice sub = {NULL, 0};
    enum rely_reason reason = read_sub(reader, &sub);
    if (reason == RELY_OK)
        reason = read_subject(reader, sub, &claims->subject);
    if (reason == RELY_OK)
        reason = read_audiences(reader, claims);
    if (reason == RELY_OK)
        reason = read_expiry(reader, &claims->expires);
    if (reason == RELY_OK)
        reason = read_optional_time(reader, CLAIM_NOT_BEFORE, &claims->has_not_before, &claims->not_before);
    if (reason == RELY_OK)
        reason = read_optional_time(reader, CLAIM_ISSUED_AT, &claims->has_issued_at, &claims->issued_at);
    if (reason == RELY_OK)
        reason = read_token_id(reader, &claims->token_id);
    if (reason == RELY_OK)
        reason = rely_kubernetes_read(reader->view, reader->places[CLAIM_KUBERNETES], sub, &claims->kubernetes,
                                      reader->detail);
    return reason;
}

enum rely_reason rely_claims_read(const struct rely_verified *verified, struct rely_slice subject_claim,
                                  struct rely_pool *pool, struct rely_claims *out, struct rely_detail *detail)
{
    struct claim_reader reader = {
        .view = &verified->claims, .subject_claim = subject_claim, .pool = pool, .detail = detail};
    struct rely_claims claims = {0};
    find_claims(&reader);
    enum rely_reason reason = read_claims(&reader, &claims);
    if (reason == RELY_OK)
        *out = claims;
    return reason;
}
