/*
 * Starts the fetcher by the settings, and says what to do about a fetch that failed, where the fault tells: an issuer
 * behind a login, a document that is kept elsewhere. Names only what relyd has. Called by service.c, and by
 * keeper_fetch.c with what the fetch thread brings back.
 */
#include "../service/service.h"

#include <stdio.h>
#include <stdlib.h>

static bool read_ranges(const struct rely_text_list *list, struct rely_cidr *out, size_t *count, struct rely_err *err)
{
    for (size_t i = 0; i < list->count && i < RELY_FETCH_RANGES_MAX; i++)
        if (!rely_cidr_parse(rely_slice_of(list->items[i]), &out[(*count)++], err))
            return false;
    return true;
}

static bool read_fetch_rules(const struct rely_config *config, struct rely_fetch_rules *rules, struct rely_err *err)
{
    return read_ranges(&config->fetch_deny_ranges, rules->deny, &rules->deny_count, err) &&
           read_ranges(&config->fetch_allow_ranges, rules->allow, &rules->allow_count, err) &&
           (config->key_proxy[0] == '\0' || rely_proxy_parse(rely_slice_of(config->key_proxy), rules->proxy, err));
}

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

char *rely_fetching_first_url(const struct rely_issuer *issuer)
{
    const struct rely_issuer_source *source = &issuer->source;
    if (source->kind == RELY_KEYS_JWKS_URI)
        return rely_strdup_slice(source->jwks_uri);
    if (source->kind != RELY_KEYS_DISCOVERY)
        return NULL;
    return source->discovery_url.ptr != NULL ? rely_strdup_slice(source->discovery_url)
                                             : make_discovery_url(issuer->url);
}

static bool may_ask(const struct rely_service *service, const struct rely_issuer *issuer, struct rely_slice url,
                    struct rely_err *err)
{
    const struct rely_fetch_request request = {.url = url,
                                               .may_use_http = issuer->source.may_use_http,
                                               .may_use_private_addresses = issuer->source.may_use_private_addresses};
    if (url.ptr == NULL || rely_fetch_may_ask(service->fetcher, &request, err))
        return true;
    rely_err_prefix(err, "%.*s", RELY_ARG(url));
    return false;
}

bool rely_fetching_may_ask(const struct rely_service *service, const struct rely_issuer *issuer,
                           struct rely_slice keys_url, struct rely_err *err)
{
    char *first_url = rely_fetching_first_url(issuer);
    bool may = may_ask(service, issuer, rely_slice_of(first_url), err) &&
               (rely_slice_equal(keys_url, rely_slice_of(first_url)) || may_ask(service, issuer, keys_url, err));
    free(first_url);
    return may;
}

struct rely_keyset_limits rely_fetching_limits(const struct rely_config *config)
{
    return (struct rely_keyset_limits){(size_t)config->key_max_count, (size_t)config->key_max_bytes};
}

struct rely_fetcher *rely_fetching_start(const struct rely_config *config, size_t places, struct rely_log_ring *ring,
                                         struct rely_err *err)
{
    char names[160];
    struct rely_fetch_rules rules = {.places = places};
    if (!read_fetch_rules(config, &rules, err))
        return NULL;
    if (rely_fetch_find_proxy_variables(names, sizeof names))
        rely_log_event(ring, RELY_LOG_WARNING, "proxy_variables_ignored",
                       "the environment's %s %s ignored: keys.proxy alone says through which proxy keys are fetched",
                       names, strchr(names, ',') == NULL ? "is" : "are");
    return rely_fetcher_start(&rules, err);
}

static void add_advice(struct rely_err *err, const char *advice)
{
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, ": %s", advice);
}

void rely_fetch_advise(const struct rely_fetch_result *result, bool is_discovery, struct rely_err *err)
{
    bool is_refused = result->status == 401 || result->status == 403;
    if (result->fault == RELY_FETCH_REDIRECTED_AWAY)
        add_advice(err, is_discovery ? "if the document is right there, give that URL as discoveryUrl"
                                     : "if the key set is right there, give that URL as keys.jwksUri");
    else if (result->fault == RELY_FETCH_BAD_STATUS && is_refused)
        /* A default cluster shows its keys to nobody without a token, and relyd has none to show. */
        add_advice(err,
                   "a Kubernetes cluster shows its keys to strangers only when the ClusterRole "
                   "system:service-account-issuer-discovery is bound to the group system:unauthenticated; bind it, or "
                   "upload the key set (keys.jwks)");
}
