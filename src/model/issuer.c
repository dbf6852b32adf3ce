/*
 * What the table of fields cannot say of an issuer: how its algorithms are written, what it may be called, and what
 * goes together with which source of keys. Where keys come from, issuer_keys.c reads. Called by the reader of bodies.
 */
#include "kind.h"
#include "relyd/address.h"
#include "relyd/compose.h"
#include "relyd/expression.h"
#include "relyd/text.h"
#include <stdio.h>

#define ED25519 "Ed25519" /* RFC 9864: another name for EdDSA, which is shown */

/* Its bit, that of enum rely_alg (token.h); 0: none of them. */
static int64_t find_algorithm(const struct rely_field *field, struct rely_slice word)
{
    if (rely_slice_equal(word, RELY_LIT(ED25519)))
        word = RELY_LIT("EdDSA");
    return rely_bits_find(field, word);
}

static bool is_guards(const struct rely_field *field)
{
    return strcmp(field->json, "guards") == 0;
}

static bool is_liveness(const struct rely_field *field)
{
    return strcmp(field->json, "liveness") == 0;
}

bool rely_issuer_shows(const struct rely_field *field, const void *record)
{
    return !is_liveness(field) || ((const struct rely_issuer_record *)record)->liveness_url.ptr != NULL;
}

void rely_issuer_read_own(const struct rely_body *body, const struct rely_field *field, void *record)
{
    if (is_guards(field))
        rely_issuer_guards_read(body, field, record);
    else if (is_liveness(field))
        rely_issuer_liveness_read(body, field, record);
    else if (field->type == RELY_FIELD_BITS)
        ((struct rely_issuer_record *)record)->algorithms =
            rely_bits_read(body, field, find_algorithm, (size_t)rely_field_count_words(field) + 1,
                           "must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, "
                           "ML-DSA-44, ML-DSA-65, ML-DSA-87 (or Ed25519, for EdDSA); none and HMAC never are");
    else
        rely_issuer_keys_read(body, field, record);
}

struct rely_json *rely_issuer_show_own(const struct rely_field *field, const void *record)
{
    const struct rely_issuer_record *issuer = record;
    if (is_guards(field))
        return rely_issuer_guards_show(issuer);
    if (is_liveness(field))
        return rely_issuer_liveness_show(issuer);
    return field->type == RELY_FIELD_BITS ? rely_bits_show(field, issuer->algorithms)
                                          : rely_issuer_keys_show(field, issuer);
}

struct rely_json *rely_issuer_schema_own(const struct rely_field *field)
{
    char words[128];
    if (is_guards(field))
        return rely_issuer_guards_schema();
    if (is_liveness(field))
        return rely_issuer_liveness_schema();
    if (field->type != RELY_FIELD_BITS)
        return rely_issuer_keys_schema(field);
    snprintf(words, sizeof words, "%s|" ED25519, field->words);
    return rely_schema_of_list(rely_schema_of_words(words), 1, rely_field_count_words(field) + 1);
}

/* --- what goes together --------------------------------------------------------------------------------- */

/* OpenID Connect Discovery s4 asks for an https URL: whoever turns discovery on for an issuer of another name is told
 * at what he has changed, `keys`. */
static void check_discoverable(const struct rely_body *body, const struct rely_issuer_record *issuer)
{
    bool may_use_http = body->rules->may_use_http && issuer->allow_http;
    const struct rely_issuer_record *before = body->before;
    struct rely_problems found = {.count = 0};
    if (before == NULL || before->key_source == RELY_KEYS_DISCOVERY)
        rely_field_check_url(issuer->url, "issuer", RELY_URL_ISSUER, may_use_http, body->problems);
    else if (!rely_field_check_url(issuer->url, "issuer", RELY_URL_ISSUER, may_use_http, &found))
        rely_problems_add(body->problems, "keys", found.items[0].code, "keys cannot be discovered: %.300s",
                          found.items[0].message);
}

/* By what tokens find it. `issuer` is never taken away: it is immutable. */
static void check_has_name(const struct rely_body *body)
{
    const struct rely_issuer_record *before = body->before;
    bool had_issuer = before != NULL && before->url.ptr != NULL;
    bool has_keys = rely_json_get(body->json, "keys") != NULL;
    if (rely_json_get(body->json, "issuer") != NULL)
        return;
    if (had_issuer || rely_json_get(body->json, "trustDomain") == NULL)
        rely_problems_add(body->problems, "issuer", "required", "issuer is required%s",
                          had_issuer ? "" : ", or trustDomain");
    else if (!has_keys || rely_json_get(rely_json_get(body->json, "keys"), "discovery") != NULL)
        rely_problems_add(body->problems, "keys", has_keys ? "not_allowed" : "required",
                          "keys cannot be discovered without issuer: give " RELY_OTHER_KEYS);
    if (!had_issuer && rely_json_get(body->json, "aliases") != NULL &&
        rely_json_size(rely_json_get(body->json, "aliases")) > 0)
        rely_problems_add(body->problems, "aliases", "not_allowed", "aliases goes only with issuer");
}

/* SPIFFE-ID s2.1. */
static void check_domain_text(const struct rely_body *body, struct rely_slice name)
{
    bool is_good = true;
    for (size_t i = 0; i < name.len && is_good; i++) {
        char c = name.ptr[i];
        is_good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    }
    if (!is_good)
        rely_problems_add(body->problems, "trustDomain", "invalid_value",
                          "trustDomain is of a-z, 0-9, ., - and _, without spiffe:// and path");
}

static void check_name(const struct rely_body *body, const struct rely_issuer_record *issuer)
{
    bool is_noted =
        body->before != NULL && !rely_slice_equal(rely_json_text(rely_json_get(body->json, "issuer")), issuer->url);
    if (is_noted || issuer->url.ptr == NULL || issuer->key_source == 0) /* of `keys` that are wrong nothing follows */
        return;
    if (issuer->key_source == RELY_KEYS_DISCOVERY)
        check_discoverable(body, issuer);
    else
        rely_field_check_issuer(issuer->url, "issuer", body->problems);
}

/* What an issuer may be called, whose keys come from wherever they do. */
static void check_aliases(const struct rely_body *body, const struct rely_issuer_record *issuer)
{
    for (size_t i = 0; i < issuer->aliases.count; i++) {
        char field[32];
        struct rely_slice alias = issuer->aliases.items[i];
        snprintf(field, sizeof field, "aliases[%zu]", i);
        if (alias.ptr == NULL)
            continue;
        rely_field_check_issuer(alias, field, body->problems);
        if (issuer->url.ptr != NULL && rely_slice_equal(alias, issuer->url))
            rely_problems_add(body->problems, field, "duplicate", "%s is the issuer itself", field);
    }
}

static void check_discovery_url(const struct rely_body *body, const struct rely_issuer_record *issuer)
{
    if (issuer->discovery_url.ptr == NULL)
        return;
    rely_field_check_url(issuer->discovery_url, "discoveryUrl", RELY_URL_FETCHED,
                         body->rules->may_use_http && issuer->allow_http, body->problems);
    if (issuer->key_source != RELY_KEYS_DISCOVERY && issuer->key_source != 0)
        rely_problems_add(body->problems, "discoveryUrl", "not_allowed",
                          "discoveryUrl goes only with keys {\"discovery\": true}");
}

void rely_issuer_check_authority(const struct rely_body *body, const char *path, struct rely_slice text)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----", secret[] = "PRIVATE KEY-----";
    if (text.ptr == NULL)
        return;
    if (memmem(text.ptr, text.len, begin, sizeof begin - 1) == NULL)
        rely_problems_add(body->problems, path, "invalid_value",
                          "%s must be PEM: it has no -----BEGIN CERTIFICATE-----", path);
    else if (memmem(text.ptr, text.len, secret, sizeof secret - 1) != NULL)
        rely_problems_add(body->problems, path, "private_key", "%s has a private key; give the certificates alone",
                          path);
}

/* Where the token would go: rely_keeper_first_url. */
static struct rely_slice first_url_of(const struct rely_issuer_record *issuer)
{
    if (issuer->key_source == RELY_KEYS_JWKS_URI)
        return issuer->jwks_uri;
    return issuer->discovery_url.ptr != NULL ? issuer->discovery_url : issuer->url;
}

static bool is_pod_token(struct rely_slice name)
{
    return rely_slice_equal(name, RELY_LIT(RELY_POD_TOKEN));
}

bool rely_issuer_is_token_file(struct rely_slice name)
{
    return is_pod_token(name) || rely_text_is_file_name(name);
}

bool rely_issuer_check_token_file(const struct rely_body *body, const char *path, struct rely_slice name)
{
    bool has_folder = body->rules->has_key_folder || is_pod_token(name);
    if (!rely_issuer_is_token_file(name))
        rely_problems_add(body->problems, path, "invalid_value",
                          "%s is the name of a file below keys.folder: of A-Z, a-z, 0-9, ., _ and -, "
                          "without folder and without a dot in front; or " RELY_POD_TOKEN,
                          path);
    else if (!has_folder)
        rely_problems_add(body->problems, path, "not_allowed", "%s needs keys.folder in the configuration", path);
    return rely_issuer_is_token_file(name) && has_folder;
}

static void check_bearer_file(const struct rely_body *body, const struct rely_issuer_record *issuer)
{
    struct rely_problems *problems = body->problems;
    if (issuer->bearer_file.ptr == NULL || issuer->key_source == 0 ||
        !rely_issuer_check_token_file(body, "bearerTokenFile", issuer->bearer_file))
        return;
    if (rely_keys_are_given(issuer->key_source) || issuer->key_source == RELY_KEYS_FILE)
        rely_problems_add(problems, "bearerTokenFile", "not_allowed",
                          "bearerTokenFile goes only with keys that are fetched from a URL");
    else if (rely_slice_starts(first_url_of(issuer), RELY_LIT("http://")))
        rely_problems_add(problems, "bearerTokenFile", "not_allowed", "bearerTokenFile is sent by https only");
}

static void check_proxy(const struct rely_body *body, struct rely_slice proxy)
{
    char read[RELY_PROXY_SIZE];
    struct rely_err err = {0};
    if (proxy.ptr != NULL && !rely_proxy_parse(proxy, read, &err))
        rely_problems_add(body->problems, "proxy", "invalid_url", "proxy: %.300s", err.message);
}

/* The commonest slip: tokens never say that. */
static void check_not_document(const struct rely_body *body, struct rely_slice url)
{
    const struct rely_slice end = RELY_LIT("/.well-known/openid-configuration");
    if (body->before != NULL || url.ptr == NULL || url.len < end.len ||
        memcmp(url.ptr + url.len - end.len, end.ptr, end.len) != 0)
        return;
    rely_problems_add(body->problems, "issuer", "issuer_well_known",
                      "issuer is the URL of the discovery document; the issuer is %.*s",
                      (int)(url.len - end.len < 200 ? url.len - end.len : 200), url.ptr);
}

static void check_subject_claim(const struct rely_body *body, struct rely_slice name)
{
    struct rely_slice claim;
    struct rely_expression_fault fault;
    if (name.ptr != NULL && !rely_claim_parse(name, body->pool, &claim, &fault))
        rely_problems_add(body->problems, "subjectClaim", "invalid_value",
                          "subjectClaim: as character %zu there should be %s", fault.column, fault.expected);
}

void rely_issuer_check(const struct rely_body *body, void *record)
{
    static const struct rely_slice types[] = {{"jwt", 3}, {"jose", 4}, {"at+jwt", 6}};
    struct rely_issuer_record *issuer = record;
    if (rely_json_get(body->json, "types") == NULL)
        issuer->types = (struct rely_texts){types, sizeof types / sizeof types[0]};
    check_has_name(body);
    check_name(body, issuer);
    check_domain_text(body, issuer->trust_domain);
    check_not_document(body, issuer->url);
    check_aliases(body, issuer);
    check_discovery_url(body, issuer);
    rely_issuer_check_authority(body, "caBundle", issuer->ca_bundle);
    check_bearer_file(body, issuer);
    check_proxy(body, issuer->proxy);
    check_subject_claim(body, issuer->subject_claim);
    rely_issuer_guards_check(body, issuer);
}

/* --- stored records --------------------------------------------------------------------------------------- */

static bool is_way_whole(const struct rely_issuer_record *issuer)
{
    char proxy[RELY_PROXY_SIZE];
    struct rely_err ignored = {0};
    return (issuer->bearer_file.ptr == NULL || rely_issuer_is_token_file(issuer->bearer_file)) &&
           (issuer->proxy.ptr == NULL || rely_proxy_parse(issuer->proxy, proxy, &ignored));
}

bool rely_issuer_is_whole(const void *record)
{
    const struct rely_issuer_record *issuer = record;
    bool is_named =
        issuer->url.ptr != NULL || (issuer->trust_domain.ptr != NULL && issuer->key_source != RELY_KEYS_DISCOVERY);
    return is_named && (issuer->algorithms & 1) == 0 && rely_subject_claim_is_whole(issuer->subject_claim) &&
           (issuer->key_source != RELY_KEYS_JWKS_URI || issuer->jwks_uri.ptr != NULL) &&
           (!rely_keys_are_given(issuer->key_source) || issuer->jwks.ptr != NULL) &&
           (issuer->key_source != RELY_KEYS_PEM || issuer->keys_pem.ptr != NULL) &&
           (issuer->key_source != RELY_KEYS_FILE || rely_text_is_file_name(issuer->keys_file)) &&
           is_way_whole(issuer) && rely_issuer_guards_are_whole(issuer) && rely_issuer_liveness_is_whole(issuer);
}

/* Whom to trust, and what the way may be, is part of the source: keys that came through what has been taken away are
 * not kept. */
bool rely_issuer_has_same_source(const struct rely_issuer_record *a, const struct rely_issuer_record *b)
{
    if (a->key_source != b->key_source)
        return false;
    if (a->key_source == RELY_KEYS_UPLOADED)
        return rely_slice_equal(a->jwks, b->jwks);
    if (a->key_source == RELY_KEYS_PEM)
        return rely_slice_same(a->keys_pem, b->keys_pem);
    if (a->key_source == RELY_KEYS_FILE)
        return rely_slice_same(a->keys_file, b->keys_file);
    return rely_slice_same(a->jwks_uri, b->jwks_uri) && rely_slice_same(a->discovery_url, b->discovery_url) &&
           rely_slice_same(a->ca_bundle, b->ca_bundle) && rely_slice_same(a->bearer_file, b->bearer_file) &&
           rely_slice_same(a->proxy, b->proxy) && a->allow_http == b->allow_http &&
           a->allow_private_addresses == b->allow_private_addresses;
}
