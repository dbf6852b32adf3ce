/*
 * Says in plain words why a transfer failed: what an administrator can act on. libcurl's own text stands only where it
 * says more, with unprintable bytes replaced, because servers can get theirs into it. Called by transfer.c.
 */
#include <ctype.h>
#include <stdio.h>

#include "transfer.h"

static const char *tidy_text(const char *text, char *out, size_t size)
{
    snprintf(out, size, "%s", text);
    for (char *c = out; *c != '\0'; c++)
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
    return out;
}

static bool is_proxied(const struct transfer *transfer)
{
    return transfer->connect_to != NULL;
}

/* Whose proxy: what an administrator has to look at. */
static const char *name_proxy(const struct transfer *transfer)
{
    return transfer->is_own_proxy ? "the record's proxy" : "the proxy (keys.proxy)";
}

static bool explain_connect(const struct transfer *transfer, struct rely_err *err)
{
    if (transfer->blocked[0] != '\0' && transfer->is_denied)
        return rely_err_set(err, RELY_ERR_IO, "address %s is in one of fetch.deny_ranges", transfer->blocked);
    if (transfer->blocked[0] != '\0')
        return rely_err_set(err, RELY_ERR_IO, "address %s is in a special range and allowPrivateAddresses is false",
                            transfer->blocked);
    long number = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
    char cause[128];
    snprintf(cause, sizeof(cause), "%s", number == 0 ? "cannot connect" : strerror((int)number));
    cause[0] = (char)tolower((unsigned char)cause[0]);
    return rely_err_set(err, RELY_ERR_IO, "%s%s%s", is_proxied(transfer) ? name_proxy(transfer) : "",
                        is_proxied(transfer) ? ": " : "", cause);
}

/* libcurl has one word for both limits. */
static bool explain_time(const struct transfer *transfer, struct rely_err *err)
{
    curl_off_t connected_us = 0;
    bool is_https = strncmp(transfer->origin, "https:", 6) == 0;
    curl_easy_getinfo(transfer->easy, is_https ? CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T, &connected_us);
    if (connected_us == 0 && transfer->connect_timeout_ms < transfer->timeout_ms)
        return rely_err_set(err, RELY_ERR_IO, "no connection within %d ms", transfer->connect_timeout_ms);
    return rely_err_set(err, RELY_ERR_IO, "no complete answer within %d ms", transfer->timeout_ms);
}

/* libcurl 7.88 with OpenSSL tells the two apart only in its text. */
static bool explain_certificate(const char *text, struct rely_err *err)
{
    const char *problem = "SSL certificate problem: ";
    if (strncmp(text, problem, strlen(problem)) == 0)
        return rely_err_set(err, RELY_ERR_IO, "the certificate is not trusted: %s", text + strlen(problem));
    return rely_err_set(err, RELY_ERR_IO, "the certificate is not for this host");
}

/* What the proxy answered to CONNECT; false: it let us through, or was not asked. */
static bool explain_proxy(const struct transfer *transfer, struct rely_err *err)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (status == 0 || (status >= 200 && status <= 299))
        return false;
    rely_err_set(err, RELY_ERR_IO, "%s answered %ld to CONNECT %s", name_proxy(transfer), status, transfer->address);
    return true;
}

void rely_fault_explain(const struct transfer *transfer, CURLcode code, struct rely_err *err)
{
    char text[CURL_ERROR_SIZE];
    tidy_text(transfer->curl_error[0] != '\0' ? transfer->curl_error : curl_easy_strerror(code), text, sizeof(text));
    if (transfer->is_too_large || code == CURLE_FILESIZE_EXCEEDED)
        rely_err_set(err, RELY_ERR_IO, "the answer is larger than %zu bytes", transfer->max_bytes);
    else if (transfer->is_crowded_out)
        rely_err_set(err, RELY_ERR_IO,
                     "the answer is larger than %zu bytes, and other answers under way hold all that there is for such "
                     "ones (%zu MiB): it is tried again",
                     RELY_FETCH_SHARE_BYTES, RELY_FETCH_COMMON_BYTES / 1024 / 1024);
    else if (transfer->has_too_many_headers)
        rely_err_set(err, RELY_ERR_IO, "the answer's headers are larger than %zu bytes or more than %d lines",
                     RELY_FETCH_HEADER_BYTES_MAX, RELY_FETCH_HEADER_LINES_MAX);
    else if (code == CURLE_COULDNT_RESOLVE_PROXY)
        rely_err_set(err, RELY_ERR_IO, "%s: its host name does not resolve", name_proxy(transfer));
    else if (is_proxied(transfer) && explain_proxy(transfer, err))
        return;
    else if (code == CURLE_COULDNT_RESOLVE_HOST)
        rely_err_set(err, RELY_ERR_IO, "the host name does not resolve");
    else if (code == CURLE_COULDNT_CONNECT)
        explain_connect(transfer, err);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        explain_time(transfer, err);
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        explain_certificate(text, err);
    else if (code == CURLE_SSL_CACERT_BADFILE)
        rely_err_set(err, RELY_ERR_IO, "caBundle is not PEM with at least one certificate");
    else if (code == CURLE_SSL_CONNECT_ERROR)
        rely_err_set(err, RELY_ERR_IO, "the TLS handshake failed: %s", text);
    else if (code == CURLE_OUT_OF_MEMORY) /* also its word for one header beyond 100 KiB */
        rely_err_set(err, RELY_ERR_IO, "one header of the answer is too long, or memory is short");
    else if (code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR)
        rely_err_set(err, RELY_ERR_IO, "the answer is not complete: %s", text);
    else
        rely_err_set(err, RELY_ERR_IO, "%s", text);
}
