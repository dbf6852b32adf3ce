/*
 * From a request to a transfer, which owns all that it needs, and what it may send and through which proxy: a token goes to
 * one origin only. Called by fetcher.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "transfer.h"

#include "relyd/clock.h"

/* --- the token --------------------------------------------------------------------------------------- */

/* RFC 6750 s2.1: b64token. */
static bool is_bearer(struct rely_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
            (c == '\0' || strchr("-._~+/=", c) == NULL))
            return false;
    }
    return text.len > 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

void rely_transfer_take_bearer(struct transfer *transfer, const struct rely_file *file)
{
    struct rely_slice text = file->bytes;
    transfer->bearer_fault = file->err;
    while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    if (text.ptr == NULL)
        rely_err_prefix(&transfer->bearer_fault, "bearerTokenFile");
    else if (is_bearer(text))
        transfer->bearer = rely_strdup_slice(text);
    else
        rely_err_set(&transfer->bearer_fault, RELY_ERR_INVALID, "bearerTokenFile: file %s in keys.folder is no token",
                     transfer->bearer_file);
    if (transfer->bearer == NULL)
        rely_err_because(&transfer->bearer_fault, RELY_CAUSE_FILE_UNREADABLE);
}

/* Whoever writes records chooses whom to trust as well as where to go: through a proxy of his own he could read what is
 * sent to anybody. */
bool rely_transfer_is_for_pod(const struct transfer *transfer)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    if (host == NULL || host[0] == '\0' || transfer->is_own_proxy)
        return false;
    struct rely_buf url = {0};
    bool is_six = strchr(host, ':') != NULL;
    rely_buf_printf(&url, "https://%s%s%s:%s/", is_six ? "[" : "", host, is_six ? "]" : "",
                    port == NULL || port[0] == '\0' ? "443" : port);
    char *origin = rely_url_origin(url.ptr);
    bool is_it = origin[0] != '\0' && strcmp(origin, transfer->origin) == 0;
    free(origin);
    rely_buf_fini(&url);
    return is_it;
}

static void copy_bearer_file(struct transfer *transfer, const struct rely_fetch_request *request)
{
    if (request->bearer_file.ptr == NULL)
        return;
    char *url = rely_strdup_slice(request->bearer_for), *origin = rely_url_origin(url);
    if (origin[0] != '\0' && strcmp(origin, transfer->origin) == 0)
        transfer->bearer_file = rely_strdup_slice(request->bearer_file);
    free(origin);
    free(url);
}

static void free_secrets(struct transfer *transfer)
{
    if (transfer->posted != NULL)
        explicit_bzero(transfer->posted, transfer->posted_len);
    free(transfer->posted);
    if (transfer->bearer != NULL)
        explicit_bzero(transfer->bearer, strlen(transfer->bearer));
    free(transfer->bearer);
    free(transfer->bearer_file);
}

/* --- a file ------------------------------------------------------------------------------------------ */

void rely_transfer_take_keys(struct transfer *transfer, const struct rely_file *file)
{
    struct rely_fetch_result *result = &transfer->result;
    result->times.ended_us = rely_clock_monotonic_us() - transfer->begun_us;
    result->err = file->err;
    if (file->err.code != RELY_ERR_NONE)
        return;
    result->is_ok = true;
    result->fault = RELY_FETCH_NO_FAULT;
    result->is_unchanged = file->is_unchanged;
    if (!file->is_unchanged)
        rely_buf_put(&transfer->body, file->bytes);
    result->body = rely_buf_slice(&transfer->body);
    memcpy(transfer->answer_etag, file->tag, sizeof file->tag);
    result->etag = rely_slice_of(transfer->answer_etag);
}

/* --- from a request ---------------------------------------------------------------------------------- */

static void choose_proxy(struct transfer *transfer, const struct rely_fetch_request *request)
{
    struct rely_err ignored = {0};
    transfer->is_own_proxy = request->proxy.ptr != NULL;
    if (!transfer->is_own_proxy)
        memcpy(transfer->proxy, transfer->rules->proxy, sizeof transfer->proxy);
    else if (!rely_proxy_parse(request->proxy, transfer->proxy, &ignored))
        snprintf(transfer->proxy, sizeof transfer->proxy, "http://:0"); /* none that can be used: never past it */
}

struct transfer *rely_transfer_new(const struct rely_fetch_request *request, const struct rely_fetch_rules *rules,
                                   atomic_size_t *common)
{
    struct transfer *transfer = rely_alloc(sizeof(*transfer));
    transfer->common = common;
    transfer->rules = rules;
    choose_proxy(transfer, request);
    /* A NUL would hide the rest from every check; an empty URL is refused later, with a message. */
    bool has_nul = request->url.len > 0 && memchr(request->url.ptr, '\0', request->url.len) != NULL;
    transfer->url = rely_strdup_slice(has_nul ? RELY_LIT("") : request->url);
    transfer->origin = rely_url_origin(transfer->url);
    copy_bearer_file(transfer, request);
    transfer->is_file = request->file.ptr != NULL;
    transfer->begun_us = rely_clock_monotonic_us();
    if (request->ca_bundle.ptr != NULL) {
        transfer->ca_bundle = rely_strdup_slice(request->ca_bundle);
        transfer->ca_bundle_len = request->ca_bundle.len;
    }
    if (rely_etag_is_good(request->etag))
        transfer->etag = rely_strdup_slice(request->etag);
    transfer->posted_len = request->posted.len;
    if (request->posted.ptr != NULL)
        transfer->posted = rely_strdup_slice(request->posted);
    transfer->result = (struct rely_fetch_result){.fault = RELY_FETCH_FAILED, .max_age_s = -1};
    transfer->kind = request->kind;
    transfer->must_pass_caches = request->must_pass_caches;
    transfer->may_use_http = request->may_use_http;
    transfer->may_use_private_addresses = request->may_use_private_addresses;
    transfer->max_bytes = request->max_bytes;
    transfer->timeout_ms = request->timeout_ms;
    transfer->connect_timeout_ms =
        request->connect_timeout_ms > 0 ? request->connect_timeout_ms : RELY_FETCH_CONNECT_MS;
    transfer->redirects_left = request->max_redirects;
    return transfer;
}

void rely_transfer_free(struct transfer *transfer)
{
    rely_transfer_close(transfer);
    rely_buf_fini(&transfer->body);
    atomic_fetch_sub(transfer->common, transfer->common_bytes);
    free(transfer->url);
    free(transfer->origin);
    free(transfer->etag);
    free(transfer->ca_bundle);
    free_secrets(transfer);
    free(transfer);
}
