/*
 * Which key sets may be in force under today's settings: from where they come, how many keys and bytes they may have,
 * and until when they count. Called by fetch.c and force.c for what is fetched, and by service/ for what is stored or
 * uploaded.
 */
#include "relyd/accept.h"

#include "kept.h"

#include "relyd/text.h"

#include <stdlib.h>

/* No clock that a key set was stored under is wrong by more than this. */
#define CLOCK_ERROR_S 86400

struct rely_keyset_limits rely_accept_limits(const struct rely_config *config, bool may_be_costly)
{
    return (struct rely_keyset_limits){(size_t)config->key_max_count, (size_t)config->key_max_bytes, may_be_costly};
}

int64_t rely_accept_max_age_s(const struct rely_snapshot *snapshot, const struct rely_issuer *issuer)
{
    return issuer->source.max_age_s != 0 ? issuer->source.max_age_s : snapshot->keys_max_age_s;
}

int64_t rely_accept_until_s(int64_t fetched_s, int64_t max_age_s, int64_t now_s)
{
    return fetched_s < 0 || fetched_s > now_s + CLOCK_ERROR_S ? 0 : fetched_s + max_age_s;
}

/* --- where from ------------------------------------------------------------------------------------------- */

/* OpenID Connect Discovery s4: ONE terminating '/' goes before the well-known path is appended. */
static char *make_discovery_url(struct rely_slice issuer_url)
{
    struct rely_buf url = {0};
    size_t len = issuer_url.len;
    if (len > 0 && issuer_url.ptr[len - 1] == '/')
        len--;
    rely_buf_put(&url, rely_slice(issuer_url.ptr, len));
    rely_buf_put(&url, RELY_LIT("/.well-known/openid-configuration"));
    return url.ptr;
}

char *rely_keeper_first_url(const struct rely_issuer *issuer)
{
    const struct rely_issuer_source *source = &issuer->source;
    if (source->kind == RELY_KEYS_JWKS_URI)
        return rely_strdup_slice(source->jwks_uri);
    if (source->kind != RELY_KEYS_DISCOVERY)
        return NULL;
    return source->discovery_url.ptr != NULL ? rely_strdup_slice(source->discovery_url)
                                             : make_discovery_url(issuer->url);
}

static bool may_ask(const struct rely_fetcher *fetcher, const struct rely_issuer *issuer, struct rely_slice url,
                    struct rely_err *err)
{
    const struct rely_fetch_request request = {.url = url,
                                               .may_use_http = issuer->source.may_use_http,
                                               .may_use_private_addresses = issuer->source.may_use_private_addresses};
    if (url.ptr == NULL || rely_fetch_may_ask(fetcher, &request, err))
        return true;
    rely_err_prefix(err, "%.*s", RELY_ARG(url));
    return false;
}

bool rely_accept_source(const struct rely_fetcher *fetcher, const struct rely_issuer *issuer,
                        struct rely_slice keys_url, struct rely_err *err)
{
    if (issuer->source.kind == RELY_KEYS_FILE)
        return true; /* nobody is asked */
    char *first_url = rely_keeper_first_url(issuer);
    bool may = may_ask(fetcher, issuer, rely_slice_of(first_url), err) &&
               (rely_slice_equal(keys_url, rely_slice_of(first_url)) || may_ask(fetcher, issuer, keys_url, err));
    free(first_url);
    return may;
}
