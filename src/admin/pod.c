/*
 * The issuer of the cluster in which relyd runs: what its pod's own service account knows of it. Decides nothing about the
 * record: what a body leaves out is filled in, and judged with the rest. On the registry's thread, which waits for disks
 * anyway. Called by objects.c.
 */
#include "pod.h"

#include "call.h"
#include "relyd/files.h"
#include "relyd/json.h"
#include "relyd/limits.h"
#include "relyd/pool.h"
#include "relyd/token.h"

#include <stdio.h>
#include <stdlib.h>

#define CA_FILE RELY_POD_FOLDER "/ca.crt"
#define TOKEN_FILE RELY_POD_FOLDER "/token"

static bool refuse_pod(struct rely_problems *problems, const char *why)
{
    rely_problems_add(problems, "inCluster", "not_allowed", "inCluster goes only with a relyd in a pod: %.300s", why);
    return false;
}

static bool read_pod_file(const char *path, size_t max_bytes, struct rely_buf *out, struct rely_problems *problems)
{
    struct rely_err err = {0};
    if (rely_file_read(path, max_bytes, out, &err))
        return true;
    rely_err_prefix(&err, "%s", path);
    return refuse_pod(problems, err.message);
}

/* What its API server writes into tokens. */
static bool set_issuer(struct rely_json *body, struct rely_problems *problems)
{
    struct rely_buf token = {0};
    struct rely_pool pool;
    struct rely_unverified read = {.alg = RELY_ALG_UNKNOWN};
    struct rely_detail ignored;
    if (!read_pod_file(TOKEN_FILE, RELY_FETCH_BEARER_BYTES_MAX, &token, problems))
        return false;
    rely_pool_init(&pool);
    struct rely_slice text = rely_buf_slice(&token);
    while (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    bool is_read = rely_token_read(text, text.len, &pool, &read, &ignored) == RELY_OK && read.iss.ptr != NULL;
    if (is_read)
        rely_admin_set_text(body, "issuer", read.iss);
    else
        refuse_pod(problems, TOKEN_FILE " is no token with an iss");
    explicit_bzero(token.ptr, token.cap);
    rely_pool_fini(&pool);
    rely_buf_fini(&token);
    return is_read;
}

/* At the API server itself, whatever its iss leads to: there the pod's authority and token count. */
static bool set_keys(struct rely_json *body, const char *host, struct rely_problems *problems)
{
    const char *port = getenv("KUBERNETES_SERVICE_PORT");
    bool is_six = strchr(host, ':') != NULL;
    struct rely_buf url = {0}, authority = {0};
    if (!read_pod_file(CA_FILE, RELY_CA_BUNDLE_BYTES_MAX, &authority, problems))
        return false;
    rely_buf_printf(&url, "https://%s%.255s%s:%.5s/openid/v1/jwks", is_six ? "[" : "", host, is_six ? "]" : "",
                    port == NULL || port[0] == '\0' ? "443" : port);
    struct rely_json *keys = rely_json_object();
    rely_admin_set_text(keys, "jwksUri", rely_buf_slice(&url));
    rely_json_set(body, "keys", keys);
    if (rely_json_get(body, "caBundle") == NULL)
        rely_admin_set_text(body, "caBundle", rely_buf_slice(&authority));
    if (rely_json_get(body, "bearerTokenFile") == NULL)
        rely_admin_set_text(body, "bearerTokenFile", RELY_LIT(RELY_POD_TOKEN));
    if (rely_json_get(body, "allowPrivateAddresses") == NULL)
        rely_json_set(body, "allowPrivateAddresses", rely_json_of_bool(true));
    rely_buf_fini(&url);
    rely_buf_fini(&authority);
    return true;
}

bool rely_pod_complete(struct rely_json *body, struct rely_problems *problems)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST");
    if (rely_json_type(body) != RELY_JSON_OBJECT)
        return true; /* the reader of bodies says what is wrong */
    if (host == NULL || host[0] == '\0')
        return refuse_pod(problems, "KUBERNETES_SERVICE_HOST is not set");
    bool is_named = rely_json_get(body, "issuer") != NULL || rely_json_get(body, "trustDomain") != NULL;
    return (is_named || set_issuer(body, problems)) &&
           (rely_json_get(body, "keys") != NULL || set_keys(body, host, problems));
}
