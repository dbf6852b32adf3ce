/*
 * Says in plain words why a transfer failed: what an administrator can act on, and what it comes from (condition.def).
 * libcurl's own text stands only where it says more, with unprintable bytes replaced, because servers can get theirs
 * into it; no cause is read out of it. Called by transfer.c.
 */
#include <ctype.h>
#include <errno.h>
#include <openssl/x509_vfy.h>
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

static enum rely_cause cause_of_errno(long number)
{
    if (number == ECONNREFUSED)
        return RELY_CAUSE_CONNECTION_REFUSED;
    return number == ETIMEDOUT ? RELY_CAUSE_CONNECTION_TIMEOUT : RELY_CAUSE_UNREACHABLE;
}

static bool explain_connect(const struct transfer *transfer, struct rely_err *err)
{
    if (transfer->blocked[0] != '\0' && transfer->is_denied)
        return rely_err_set(err, RELY_ERR_IO, "address %s is in one of fetch.deny_ranges", transfer->blocked) ||
               rely_err_because(err, RELY_CAUSE_PRIVATE_ADDRESS);
    if (transfer->blocked[0] != '\0')
        return rely_err_set(err, RELY_ERR_IO, "address %s is in a special range and allowPrivateAddresses is false",
                            transfer->blocked) ||
               rely_err_because(err, RELY_CAUSE_PRIVATE_ADDRESS);
    long number = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
    char cause[128];
    snprintf(cause, sizeof(cause), "%s", number == 0 ? "cannot connect" : strerror((int)number));
    cause[0] = (char)tolower((unsigned char)cause[0]);
    rely_err_set(err, RELY_ERR_IO, "%s%s%s", is_proxied(transfer) ? name_proxy(transfer) : "",
                 is_proxied(transfer) ? ": " : "", cause);
    return rely_err_because(err, is_proxied(transfer) ? RELY_CAUSE_PROXY_REFUSED : cause_of_errno(number));
}

/* What was being done when time was up. */
static enum rely_cause cause_of_time(const struct transfer *transfer)
{
    const struct rely_fetch_times *times = &transfer->result.times;
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (is_proxied(transfer) && status == 0)
        return RELY_CAUSE_PROXY_REFUSED;
    if (times->resolved_us == 0)
        return RELY_CAUSE_NAME_TIMEOUT;
    if (times->connected_us == 0)
        return RELY_CAUSE_CONNECTION_TIMEOUT;
    return transfer->tls_begun_us != 0 && times->secured_us == 0 ? RELY_CAUSE_TLS_FAILED : RELY_CAUSE_TIMEOUT;
}

/* libcurl has one word for both limits. */
static bool explain_time(const struct transfer *transfer, struct rely_err *err)
{
    curl_off_t connected_us = 0;
    bool is_https = strncmp(transfer->origin, "https:", 6) == 0;
    curl_easy_getinfo(transfer->easy, is_https ? CURLINFO_APPCONNECT_TIME_T : CURLINFO_CONNECT_TIME_T, &connected_us);
    if (connected_us == 0 && transfer->connect_timeout_ms < transfer->timeout_ms)
        rely_err_set(err, RELY_ERR_IO, "no connection within %d ms", transfer->connect_timeout_ms);
    else
        rely_err_set(err, RELY_ERR_IO, "no complete answer within %d ms", transfer->timeout_ms);
    return rely_err_because(err, cause_of_time(transfer));
}

static enum rely_cause cause_of_verification(long verified)
{
    switch (verified) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return RELY_CAUSE_CERTIFICATE_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return RELY_CAUSE_CERTIFICATE_NOT_YET_VALID;
    default:
        return RELY_CAUSE_UNKNOWN_CA;
    }
}

/* libcurl 7.88 with OpenSSL has one code for both: a chain that is good, and a name that is not in it, too. */
static bool explain_certificate(const struct transfer *transfer, const char *text, struct rely_err *err)
{
    static const char problem[] = "SSL certificate problem: ";
    if (transfer->verified == X509_V_OK)
        return rely_err_set(err, RELY_ERR_IO, "the certificate is not for this host") ||
               rely_err_because(err, RELY_CAUSE_WRONG_NAME);
    bool has_front = strncmp(text, problem, strlen(problem)) == 0;
    rely_err_set(err, RELY_ERR_IO, "the certificate is not trusted: %s", has_front ? text + strlen(problem) : text);
    return rely_err_because(err, cause_of_verification(transfer->verified));
}

static bool explain_wanted_certificate(const char *text, struct rely_err *err)
{
    rely_err_set(err, RELY_ERR_IO, "the server wants a client certificate, and relyd has none to show: %s", text);
    return rely_err_because(err, RELY_CAUSE_WANTS_CLIENT_CERTIFICATE);
}

static bool explain_handshake(const struct transfer *transfer, const char *text, struct rely_err *err)
{
    if (transfer->wants_certificate)
        return explain_wanted_certificate(text, err);
    rely_err_set(err, RELY_ERR_IO, "the TLS handshake failed: %s", text);
    if (transfer->verified != X509_V_OK) /* not by name: libcurl takes a bad signature for another fault */
        return rely_err_because(err, cause_of_verification(transfer->verified));
    return rely_err_because(err, transfer->is_no_tls ? RELY_CAUSE_NOT_TLS : RELY_CAUSE_TLS_FAILED);
}

/* What the proxy answered to CONNECT; false: it let us through, or was not asked. */
static bool explain_proxy(const struct transfer *transfer, struct rely_err *err)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_CONNECTCODE, &status);
    if (status == 0 || (status >= 200 && status <= 299))
        return false;
    rely_err_set(err, RELY_ERR_IO, "%s answered %ld to CONNECT %s", name_proxy(transfer), status, transfer->address);
    rely_err_because(err, RELY_CAUSE_PROXY_REFUSED);
    return true;
}

/* With TLS 1.3 a server refuses a client that shows no certificate when that has begun to ask. */
static bool explain_end(const struct transfer *transfer, const char *text, struct rely_err *err)
{
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    if (transfer->wants_certificate && status == 0)
        return explain_wanted_certificate(text, err);
    return rely_err_set(err, RELY_ERR_IO, "the answer is not complete: %s", text) ||
           rely_err_because(err, RELY_CAUSE_CUT_SHORT);
}

/* An answer that relyd itself has ended. False: it has not. */
static bool explain_limit(const struct transfer *transfer, CURLcode code, struct rely_err *err)
{
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
    else if (code == CURLE_OUT_OF_MEMORY) /* also its word for one header beyond 100 KiB */
        rely_err_set(err, RELY_ERR_IO, "one header of the answer is too long, or memory is short");
    else
        return false;
    rely_err_because(err, RELY_CAUSE_TOO_LARGE);
    return true;
}

static bool explain_way(const struct transfer *transfer, CURLcode code, const char *text, struct rely_err *err)
{
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
        return rely_err_set(err, RELY_ERR_IO, "the host name does not resolve") ||
               rely_err_because(err, RELY_CAUSE_NAME_NOT_FOUND);
    case CURLE_COULDNT_CONNECT:
        return explain_connect(transfer, err);
    case CURLE_OPERATION_TIMEDOUT:
        return explain_time(transfer, err);
    case CURLE_PEER_FAILED_VERIFICATION:
        return explain_certificate(transfer, text, err);
    case CURLE_SSL_CACERT_BADFILE:
        return rely_err_set(err, RELY_ERR_IO, "caBundle is not PEM with at least one certificate") ||
               rely_err_because(err, RELY_CAUSE_UNKNOWN_CA);
    case CURLE_SSL_CONNECT_ERROR:
        return explain_handshake(transfer, text, err);
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
        return explain_end(transfer, text, err);
    default: /* what is no HTTP that it understands */
        return rely_err_set(err, RELY_ERR_IO, "%s", text) || rely_err_because(err, RELY_CAUSE_CUT_SHORT);
    }
}

void rely_fault_explain(const struct transfer *transfer, CURLcode code, struct rely_err *err)
{
    char text[CURL_ERROR_SIZE];
    tidy_text(transfer->curl_error[0] != '\0' ? transfer->curl_error : curl_easy_strerror(code), text, sizeof(text));
    if (explain_limit(transfer, code, err))
        return;
    if (code == CURLE_COULDNT_RESOLVE_PROXY) {
        rely_err_set(err, RELY_ERR_IO, "%s: its host name does not resolve", name_proxy(transfer));
        rely_err_because(err, RELY_CAUSE_PROXY_REFUSED);
    } else if (!is_proxied(transfer) || !explain_proxy(transfer, err)) {
        explain_way(transfer, code, text, err);
    }
}
