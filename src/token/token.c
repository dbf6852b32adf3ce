/*
 * Splits a compact JWS, decodes its three parts and reads what finding a key needs: alg, kid, typ and the issuer
 * claimed. Decides whether the token can be read; not whether its algorithm, key or issuer is acceptable. Called by
 * the review's first step (decide/), by explain and by the token tools.
 */
#define RELY_READS_UNVERIFIED /* makes it */
#include "relyd/token.h"
#include "relyd/pool.h"

#include "relyd/limits.h"
#include "relyd/text.h"

static const char algorithm_names[RELY_ALG_COUNT][10] = {
    [RELY_ALG_UNKNOWN] = "unknown",     [RELY_ALG_RS256] = "RS256",         [RELY_ALG_RS384] = "RS384",
    [RELY_ALG_RS512] = "RS512",         [RELY_ALG_PS256] = "PS256",         [RELY_ALG_PS384] = "PS384",
    [RELY_ALG_PS512] = "PS512",         [RELY_ALG_ES256] = "ES256",         [RELY_ALG_ES384] = "ES384",
    [RELY_ALG_ES512] = "ES512",         [RELY_ALG_EDDSA] = "EdDSA",         [RELY_ALG_ML_DSA_44] = "ML-DSA-44",
    [RELY_ALG_ML_DSA_65] = "ML-DSA-65", [RELY_ALG_ML_DSA_87] = "ML-DSA-87",
};

enum rely_alg rely_alg_of(struct rely_slice name)
{
    if (rely_slice_equal(name, RELY_LIT("Ed25519"))) /* RFC 9864 s2.2: what EdDSA is with the one curve relyd takes */
        return RELY_ALG_EDDSA;
    /* All others that relyd knows have 5 bytes, and ML-DSA's 9. */
    bool is_long = name.len == 9;
    if (name.len != 5 && !is_long)
        return RELY_ALG_UNKNOWN;
    for (int alg = is_long ? RELY_ALG_ML_DSA_44 : RELY_ALG_RS256; alg < (is_long ? RELY_ALG_COUNT : RELY_ALG_ML_DSA_44);
         alg++)
        if (memcmp(algorithm_names[alg], name.ptr, name.len) == 0)
            return (enum rely_alg)alg;
    return RELY_ALG_UNKNOWN;
}

const char *rely_alg_name(enum rely_alg alg)
{
    return algorithm_names[(unsigned)alg < RELY_ALG_COUNT ? alg : RELY_ALG_UNKNOWN];
}

/* The three parts as sent. Borrowed from the token's text. */
struct token_parts {
    struct rely_slice header, payload, signature;
};

/* What stands before the next dot, and in *rest what stands behind it; false when there is no dot. */
static bool cut_part(struct rely_slice *rest, struct rely_slice *part)
{
    const char *dot = memchr(rest->ptr, '.', rest->len);
    if (dot == NULL)
        return false;
    *part = rely_slice(rest->ptr, (size_t)(dot - rest->ptr));
    *rest = rely_slice(dot + 1, rest->len - part->len - 1);
    return true;
}

static enum rely_reason split_token(struct rely_slice text, struct token_parts *out, struct rely_detail *detail)
{
    struct rely_slice fourth;
    out->signature = text;
    if (!cut_part(&out->signature, &out->header) || !cut_part(&out->signature, &out->payload))
        return rely_refuse(detail, RELY_MALFORMED_TOKEN, "the token has fewer than three parts");
    struct rely_slice rest = out->signature;
    if (cut_part(&rest, &fourth)) /* five are a JWE, which relyd has no key to open */
        return rely_refuse(detail, RELY_MALFORMED_TOKEN, "the token has more than three parts");
    return RELY_OK;
}

static enum rely_reason decode_part(struct rely_slice part, const char *what, struct rely_pool *pool,
                                    struct rely_slice *out, struct rely_detail *detail)
{
    uint8_t *bytes = rely_pool_alloc(pool, RELY_BASE64_DECODED(part.len));
    size_t len;
    if (!rely_base64url_decode(part, bytes, &len))
        return rely_refuse(detail, RELY_MALFORMED_TOKEN, "the token's %s is not strict base64url", what);
    *out = rely_slice((const char *)bytes, len);
    return RELY_OK;
}

static enum rely_reason parse_part(struct rely_slice part, const char *what, struct rely_pool *pool,
                                   struct rely_view *out, struct rely_detail *detail)
{
    struct rely_slice json = {0};
    const char *fault;
    enum rely_reason reason = decode_part(part, what, pool, &json, detail);
    if (reason == RELY_OK && !rely_view_parse(json, pool, out, &fault))
        return rely_refuse(detail, RELY_MALFORMED_TOKEN, "the token's %s is not a strict JSON object: %s", what, fault);
    return reason;
}

/* Where the header's members are; 0 = absent. */
struct header_places {
    uint32_t alg, kid, typ, crit, b64;
};

/* One walk over the header. All else (jku, x5u, jwk, x5c, ...) is ignored: following or believing it would let the
 * token choose its own key (CVE-2018-0114). */
static void find_header_members(const struct rely_view *header, struct header_places *at)
{
    for (uint32_t name = rely_view_first(header, 0); name != 0; name = rely_view_next(header, 0, name + 1)) {
        struct rely_slice text = header->nodes[name].text;
        if (rely_slice_equal(text, RELY_LIT("alg")))
            at->alg = name + 1;
        else if (rely_slice_equal(text, RELY_LIT("kid")))
            at->kid = name + 1;
        else if (rely_slice_equal(text, RELY_LIT("typ")))
            at->typ = name + 1;
        else if (rely_slice_equal(text, RELY_LIT("crit")))
            at->crit = name + 1;
        else if (rely_slice_equal(text, RELY_LIT("b64")))
            at->b64 = name + 1;
    }
}

/* An absent member leaves *out absent. */
static enum rely_reason read_header_text(const struct rely_view *header, uint32_t place, const char *what,
                                         struct rely_slice *out, struct rely_detail *detail)
{
    if (place == 0)
        return RELY_OK;
    if (header->nodes[place].type != RELY_VIEW_STRING)
        return rely_refuse(detail, RELY_MALFORMED_TOKEN, "the header's `%s` is not a string", what);
    *out = header->nodes[place].text;
    return RELY_OK;
}

static enum rely_reason read_header(const struct rely_view *header, struct rely_unverified *token,
                                    struct rely_detail *detail)
{
    struct header_places at = {0};
    find_header_members(header, &at);
    /* First, because it changes what all the rest means: with `b64` false the payload is not even base64url. */
    if (at.crit != 0 || at.b64 != 0)
        return rely_refuse(detail, RELY_UNSUPPORTED_CRITICAL_HEADER, "the header has `%s`",
                           at.crit != 0 ? "crit" : "b64");
    if (at.alg == 0)
        return rely_refuse(detail, RELY_MALFORMED_TOKEN, "the header has no `alg`");
    enum rely_reason reason = read_header_text(header, at.alg, "alg", &token->alg_name, detail);
    if (reason == RELY_OK)
        reason = read_header_text(header, at.kid, "kid", &token->kid, detail);
    if (reason == RELY_OK)
        reason = read_header_text(header, at.typ, "typ", &token->typ, detail);
    if (reason != RELY_OK)
        return reason;
    if (token->kid.len > RELY_KID_BYTES_MAX)
        return rely_refuse(detail, RELY_MALFORMED_TOKEN, "the header's `kid` has %zu bytes, the limit is %d",
                           token->kid.len, RELY_KID_BYTES_MAX);
    token->alg = rely_alg_of(token->alg_name);
    return RELY_OK;
}

/* JWT-SVID s3: without `iss` the trust domain of `sub` says whose keys to check it with. It is believed as little. */
static struct rely_slice read_trust_domain(const struct rely_view *payload, struct rely_pool *pool)
{
    const struct rely_slice scheme = RELY_LIT("spiffe://"), none = {NULL, 0};
    uint32_t place = rely_view_member(payload, 0, RELY_LIT("sub"));
    struct rely_slice sub = rely_view_type(payload, place) == RELY_VIEW_STRING ? payload->nodes[place].text : none;
    if (!rely_slice_starts(sub, scheme))
        return none;
    struct rely_slice rest = rely_slice(sub.ptr + scheme.len, sub.len - scheme.len);
    const char *slash = memchr(rest.ptr, '/', rest.len);
    if (slash == NULL || slash == rest.ptr)
        return none;
    size_t len = (size_t)(slash - rest.ptr);
    char *marked = rely_pool_alloc(pool, len + 1);
    marked[0] = '\0';
    memcpy(marked + 1, rest.ptr, len);
    return rely_slice(marked, len + 1);
}

static enum rely_reason read_claimed_issuer(const struct rely_view *payload, struct rely_pool *pool,
                                            struct rely_unverified *token, struct rely_detail *detail)
{
    uint32_t place = rely_view_member(payload, 0, RELY_LIT("iss"));
    if (place == 0) {
        token->issuer = read_trust_domain(payload, pool);
        return RELY_OK;
    }
    if (payload->nodes[place].type != RELY_VIEW_STRING)
        return rely_refuse(detail, RELY_INVALID_CLAIM, "`iss` is not a string");
    token->iss = token->issuer = payload->nodes[place].text;
    return RELY_OK;
}

/* The parts in their order: the header is judged whole before the payload is decoded. */
static enum rely_reason read_parts(const struct token_parts *parts, struct rely_pool *pool,
                                   struct rely_unverified *token, struct rely_detail *detail)
{
    struct rely_view header;
    enum rely_reason reason = parse_part(parts->header, "header", pool, &header, detail);
    if (reason == RELY_OK)
        reason = read_header(&header, token, detail);
    if (reason == RELY_OK)
        reason = parse_part(parts->payload, "payload", pool, &token->payload.view_, detail);
    if (reason == RELY_OK)
        reason = decode_part(parts->signature, "signature", pool, &token->signature, detail);
    if (reason == RELY_OK)
        reason = read_claimed_issuer(&token->payload.view_, pool, token, detail);
    return reason;
}

enum rely_reason rely_token_read(struct rely_slice text, size_t max_bytes, struct rely_pool *pool,
                                 struct rely_unverified *out, struct rely_detail *detail)
{
    if (text.len == 0)
        return rely_refuse(detail, RELY_NO_TOKEN, "the token is empty");
    if (text.len > max_bytes)
        return rely_refuse(detail, RELY_TOKEN_TOO_LARGE, "the token has %zu bytes, the limit is %zu", text.len,
                           max_bytes);
    struct token_parts parts = {0};
    enum rely_reason reason = split_token(text, &parts, detail);
    if (reason != RELY_OK)
        return reason;
    struct rely_unverified token = {.signed_bytes = {text.ptr, parts.header.len + 1 + parts.payload.len}};
    reason = read_parts(&parts, pool, &token, detail);
    if (reason == RELY_OK)
        *out = token;
    return reason;
}
