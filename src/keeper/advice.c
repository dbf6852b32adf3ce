/*
 * What an administrator can do about a fetch that failed, where the fault tells: an issuer behind a login, a document
 * that is kept elsewhere. Names only what relyd has. Called by fetch.c.
 */
#include "kept.h"

#include <stdio.h>

static void add_advice(struct rely_err *err, const char *advice)
{
    size_t len = strlen(err->message);
    snprintf(err->message + len, sizeof err->message - len, ": %s", advice);
}

static bool is_refused_to_strangers(const struct rely_fetch_result *result)
{
    return result->fault == RELY_FETCH_BAD_STATUS && (result->status == 401 || result->status == 403);
}

bool rely_keeper_is_advised(const struct rely_fetch_result *result)
{
    return result->fault == RELY_FETCH_REDIRECTED_AWAY || is_refused_to_strangers(result);
}

void rely_keeper_advise(const struct rely_fetch_result *result, bool is_discovery, struct rely_err *err)
{
    if (result->fault == RELY_FETCH_REDIRECTED_AWAY)
        add_advice(err, is_discovery ? "if the document is right there, give that URL as discoveryUrl"
                                     : "if the key set is right there, give that URL as keys.jwksUri");
    else if (is_refused_to_strangers(result))
        /* A default cluster shows its keys to nobody without a token. */
        add_advice(err,
                   "a Kubernetes cluster shows its keys to strangers only when the ClusterRole "
                   "system:service-account-issuer-discovery is bound to the group system:unauthenticated; bind it, "
                   "give a token that may read them (bearerTokenFile), or upload the key set (keys.jwks)");
}
