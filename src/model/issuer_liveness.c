/*
 * An issuer's `liveness`: at which TokenReview its cluster is asked, and how. Decides whether that can be done. Called by
 * issuer.c.
 */
#include "kind.h"
#include "relyd/compose.h"

#define PATH "liveness"

static const struct rely_json *liveness_member(const struct rely_body *body, const char *name)
{
    return rely_json_get(rely_json_get(body->json, PATH), name);
}

static void read_liveness_url(const struct rely_body *body, struct rely_issuer_record *issuer)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_TEXT_MAX, .is_required = true};
    if (rely_field_read_text(liveness_member(body, "url"), PATH ".url", &rule, body->problems, &issuer->liveness_url))
        rely_field_check_url(issuer->liveness_url, PATH ".url", RELY_URL_ISSUER, false, body->problems);
}

static void read_liveness_authority(const struct rely_body *body, struct rely_issuer_record *issuer)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_CA_BUNDLE_BYTES_MAX};
    const struct rely_json *value = liveness_member(body, "caBundle");
    if (value != NULL && rely_field_read_bytes(value, PATH ".caBundle", &rule, body->problems, &issuer->liveness_ca))
        rely_issuer_check_authority(body, PATH ".caBundle", issuer->liveness_ca);
}

static void read_liveness_token(const struct rely_body *body, struct rely_issuer_record *issuer)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_FILE_NAME_MAX, .is_required = true};
    if (rely_field_read_text(liveness_member(body, "bearerTokenFile"), PATH ".bearerTokenFile", &rule, body->problems,
                             &issuer->liveness_file))
        rely_issuer_check_token_file(body, PATH ".bearerTokenFile", issuer->liveness_file);
}

static void read_liveness_word(const struct rely_body *body, struct rely_issuer_record *issuer)
{
    const struct rely_json *value = liveness_member(body, "unavailable");
    int64_t found =
        rely_json_type(value) == RELY_JSON_STRING ? rely_find_word("|deny|allow", rely_json_text(value)) : 0;
    if (value != NULL && found == 0)
        rely_problems_add(body->problems, PATH ".unavailable", "invalid_value",
                          PATH ".unavailable must be \"deny\" or \"allow\", or be left out");
    issuer->liveness_silence = found == 0 ? RELY_SILENCE_DENIES : found;
}

static void read_liveness_rate(const struct rely_body *body, struct rely_issuer_record *issuer)
{
    const struct rely_json *value = liveness_member(body, "ratePerSecond");
    if (value == NULL)
        return;
    int64_t rate = rely_json_type(value) == RELY_JSON_INTEGER ? rely_json_integer(value) : 0;
    if (rate >= 1 && rate <= RELY_LIVENESS_RATE_MAX)
        issuer->liveness_rate = rate;
    else
        rely_problems_add(body->problems, PATH ".ratePerSecond", "out_of_range",
                          PATH ".ratePerSecond must be a whole number of 1 to %d", RELY_LIVENESS_RATE_MAX);
}

void rely_issuer_liveness_read(const struct rely_body *body, const struct rely_field *field,
                               struct rely_issuer_record *issuer)
{
    issuer->liveness_silence = RELY_SILENCE_DENIES;
    issuer->liveness_rate = RELY_LIVENESS_RATE_DEFAULT;
    if (!rely_own_check_members(body, field))
        return;
    read_liveness_url(body, issuer);
    read_liveness_authority(body, issuer);
    read_liveness_token(body, issuer);
    read_liveness_word(body, issuer);
    read_liveness_rate(body, issuer);
}

struct rely_json *rely_issuer_liveness_show(const struct rely_issuer_record *issuer)
{
    if (issuer->liveness_url.ptr == NULL)
        return NULL;
    struct rely_json *shown = rely_json_object();
    rely_json_set(shown, "url", rely_json_of_text(issuer->liveness_url));
    if (issuer->liveness_ca.ptr != NULL)
        rely_json_set(shown, "caBundle", rely_json_of_text(issuer->liveness_ca));
    rely_json_set(shown, "bearerTokenFile", rely_json_of_text(issuer->liveness_file));
    rely_json_set(
        shown, "unavailable",
        rely_json_of_text(issuer->liveness_silence == RELY_SILENCE_ALLOWS ? RELY_LIT("allow") : RELY_LIT("deny")));
    rely_json_set(shown, "ratePerSecond", rely_json_of_integer(issuer->liveness_rate));
    return shown;
}

struct rely_json *rely_issuer_liveness_schema(void)
{
    struct rely_err unused;
    return rely_json_parse(RELY_LIT("{\"type\":\"object\",\"properties\":{"
                                    "\"url\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":600},"
                                    "\"caBundle\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":65536},"
                                    "\"bearerTokenFile\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":120},"
                                    "\"unavailable\":{\"type\":\"string\",\"enum\":[\"deny\",\"allow\"]},"
                                    "\"ratePerSecond\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}},"
                                    "\"required\":[\"url\",\"bearerTokenFile\"],\"additionalProperties\":false}"),
                           &unused);
}

bool rely_issuer_liveness_is_whole(const struct rely_issuer_record *issuer)
{
    if (issuer->liveness_url.ptr == NULL)
        return issuer->liveness_file.ptr == NULL && issuer->liveness_ca.ptr == NULL;
    return issuer->liveness_file.ptr != NULL && rely_issuer_is_token_file(issuer->liveness_file) &&
           rely_slice_starts(issuer->liveness_url, RELY_LIT("https://"));
}
