/*
 * What a discovery document must say: an `issuer` that equals the record's or one of its aliases byte for byte (OpenID
 * Connect Discovery s4.3), and where the key set is. Called by fetch.c.
 */
#include "kept.h"

#include "relyd/json.h"
#include "relyd/text.h"

static bool differs_by_slash(struct rely_slice a, struct rely_slice b)
{
    struct rely_slice longer = a.len > b.len ? a : b, shorter = a.len > b.len ? b : a;
    return shorter.ptr != NULL && longer.len == shorter.len + 1 && longer.ptr[shorter.len] == '/' &&
           memcmp(longer.ptr, shorter.ptr, shorter.len) == 0;
}

static enum rely_cause cause_of_other_name(const struct rely_issuer *record, struct rely_slice name)
{
    for (size_t i = 0; i < rely_issuer_name_count(record); i++)
        if (differs_by_slash(rely_issuer_name_at(record, i), name))
            return RELY_CAUSE_TRAILING_SLASH;
    return RELY_CAUSE_OTHER_ISSUER;
}

/* Is it the registered one? False: err says what it is. */
static bool check_named_issuer(const struct rely_issuer *record, const struct rely_discovery *document,
                               struct rely_slice name, struct rely_err *err)
{
    char found[RELY_QUOTED_SIZE];
    if (name.ptr == NULL)
        return rely_err_set(err, RELY_ERR_INVALID,
                            "the discovery document at %.*s has no issuer, and must name the registered one",
                            RELY_ARG(document->url)) ||
               rely_err_because(err, RELY_CAUSE_NO_ISSUER);
    if (rely_issuer_name_index(record, name) < rely_issuer_name_count(record))
        return true;
    rely_err_set(err, RELY_ERR_INVALID, "the discovery document at %.*s names issuer %s, not the registered one",
                 RELY_ARG(document->url), rely_quote(name, found));
    return rely_err_because(err, cause_of_other_name(record, name));
}

char *rely_keeper_read_discovery(const struct rely_keeper_issuer *issuer, const struct rely_discovery *document,
                                 bool *is_alias, struct rely_err *err)
{
    const struct rely_issuer *record = rely_keeper_newest(issuer);
    RELY_JSON_OWNED struct rely_json *read = rely_json_parse(document->body, err);
    if (read == NULL) {
        rely_err_prefix(err, "discovery document at %.*s", RELY_ARG(document->url));
        rely_err_because(err, RELY_CAUSE_NOT_JSON);
        return NULL;
    }
    struct rely_slice name = rely_json_text(rely_json_get(read, "issuer"));
    struct rely_slice jwks_uri = record->source.jwks_uri; /* it stands for the document's */
    if (jwks_uri.ptr == NULL)
        jwks_uri = rely_json_text(rely_json_get(read, "jwks_uri"));
    if (!check_named_issuer(record, document, name, err))
        return NULL;
    *is_alias = rely_issuer_name_index(record, name) > 0;
    if (jwks_uri.len > 0 && jwks_uri.len <= RELY_FETCH_URL_BYTES_MAX)
        return rely_strdup_slice(jwks_uri);
    rely_err_set(err, RELY_ERR_INVALID, "the discovery document at %.*s has no usable jwks_uri",
                 RELY_ARG(document->url));
    rely_err_because(err, RELY_CAUSE_NO_JWKS_URI);
    return NULL;
}
