/*
 * Decides which URLs may be fetched and whether a redirect stays at the same origin. Parsed by libcurl's own parser, so
 * that what is judged here is what is fetched later. Addresses are judged at the connection (special.c). Called by
 * transfer.c.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "relyd/text.h"

#include "transfer.h"

/* The parts of a URL that make an origin. */
struct origin {
    char *scheme, *host, *port; /* owned: curl_free */
};

static void free_handle(CURLU **handle)
{
    curl_url_cleanup(*handle);
}

static void free_origin(struct origin *origin)
{
    curl_free(origin->scheme);
    curl_free(origin->host);
    curl_free(origin->port);
}

const char *rely_url_show(const char *url, char out[SHOWN_URL_SIZE])
{
    if (url[0] == '\0')
        url = "(no URL)";
    size_t whole = strcspn(url, "?#");
    size_t len = whole < SHOWN_URL_SIZE - 4 ? whole : SHOWN_URL_SIZE - 4;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(url[i] > 0x20 && url[i] < 0x7f ? url[i] : '?');
    snprintf(out + len, SHOWN_URL_SIZE - len, "%s", len < whole ? "..." : "");
    return out;
}

/* The caller puts the URL in front. */
static bool refuse_url(struct rely_err *err, const char *why)
{
    rely_err_set(err, RELY_ERR_INVALID, "%s", why);
    return rely_err_because(err, RELY_CAUSE_JWKS_URI_REFUSED);
}

static bool has_part(CURLU *handle, CURLUPart part)
{
    char *text = NULL;
    bool found = curl_url_get(handle, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return found;
}

static bool read_origin(CURLU *handle, struct origin *origin)
{
    return curl_url_get(handle, CURLUPART_SCHEME, &origin->scheme, 0) == CURLUE_OK &&
           curl_url_get(handle, CURLUPART_HOST, &origin->host, 0) == CURLUE_OK &&
           curl_url_get(handle, CURLUPART_PORT, &origin->port, CURLU_DEFAULT_PORT) == CURLUE_OK;
}

/* The rules for every hop, on a parsed URL. */
static bool check_parts(CURLU *handle, bool may_use_http, struct rely_err *err)
{
    struct origin origin __attribute__((cleanup(free_origin))) = {NULL, NULL, NULL};
    if (!read_origin(handle, &origin))
        return refuse_url(err, "not a URL with a scheme and a host");
    bool is_http = strcasecmp(origin.scheme, "http") == 0;
    if (strcasecmp(origin.scheme, "https") != 0 && !is_http)
        return refuse_url(err, "only https URLs are fetched");
    if (is_http && !may_use_http)
        return refuse_url(err, "http is not allowed for this issuer, only https");
    if (has_part(handle, CURLUPART_USER) || has_part(handle, CURLUPART_PASSWORD))
        return refuse_url(err, "a user or password in a URL is not allowed");
    if (has_part(handle, CURLUPART_FRAGMENT))
        return refuse_url(err, "a fragment (#...) in a URL is not allowed");
    return true;
}

/* Printable ASCII only: libcurl and the log would disagree about anything else. */
static bool is_plain_text(const char *url)
{
    size_t len = strlen(url);
    for (size_t i = 0; i < len; i++)
        if (url[i] <= 0x20 || url[i] >= 0x7f)
            return false;
    return len > 0 && len <= RELY_FETCH_URL_BYTES_MAX;
}

bool rely_url_check(const char *url, bool may_use_http, struct rely_err *err)
{
    if (!is_plain_text(url))
        return refuse_url(err, "a URL is 1 to 2048 printable ASCII characters");
    CURLU *handle __attribute__((cleanup(free_handle))) = curl_url();
    RELY_ASSERT(handle != NULL);
    if (curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return refuse_url(err, "not a URL");
    return check_parts(handle, may_use_http, err);
}

/* The host as an address; false when it is a name. */
static bool read_literal_address(const char *host, struct sockaddr_storage *out)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    char inside[INET6_ADDRSTRLEN + 1];
    size_t len = strlen(host);
    if (inet_pton(AF_INET, host, &four.sin_addr) == 1) {
        memcpy(out, &four, sizeof(four));
        return true;
    }
    if (len < 2 || len - 2 >= sizeof(inside) || host[0] != '[' || host[len - 1] != ']')
        return false;
    memcpy(inside, host + 1, len - 2);
    inside[len - 2] = '\0';
    if (inet_pton(AF_INET6, inside, &six.sin6_addr) != 1)
        return false;
    memcpy(out, &six, sizeof(six));
    return true;
}

bool rely_url_check_address(const char *url, const struct rely_fetch_rules *rules, bool may_use_special,
                            struct rely_err *err)
{
    struct origin origin __attribute__((cleanup(free_origin))) = {NULL, NULL, NULL};
    CURLU *handle __attribute__((cleanup(free_handle))) = curl_url();
    struct sockaddr_storage address;
    RELY_ASSERT(handle != NULL);
    if (curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !read_origin(handle, &origin))
        return refuse_url(err, "not a URL");
    if (!read_literal_address(origin.host, &address))
        return true;
    enum rely_address_verdict verdict = rely_address_judge(rules, &address, may_use_special);
    if (verdict == RELY_ADDRESS_GOOD)
        return true;
    return rely_err_set(err, RELY_ERR_INVALID, "the address %.60s %s", origin.host,
                        verdict == RELY_ADDRESS_DENIED ? "is in one of fetch.deny_ranges"
                                                       : "is special, and not allowed for this issuer");
}

void rely_url_found(const char *url, const char *address, char out[RELY_FETCH_FOUND_SIZE])
{
    struct origin origin __attribute__((cleanup(free_origin))) = {NULL, NULL, NULL};
    CURLU *handle __attribute__((cleanup(free_handle))) = curl_url();
    struct sockaddr_storage literal;
    RELY_ASSERT(handle != NULL);
    bool is_read = curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK && read_origin(handle, &origin);
    if (!is_read || read_literal_address(origin.host, &literal))
        snprintf(out, RELY_FETCH_FOUND_SIZE, "%s", address);
    else
        snprintf(out, RELY_FETCH_FOUND_SIZE, "%.253s is %s", origin.host, address);
}

static bool is_same_origin(const struct origin *a, const struct origin *b)
{
    return strcasecmp(a->scheme, b->scheme) == 0 && strcasecmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0;
}

char *rely_url_origin(const char *url)
{
    struct origin origin __attribute__((cleanup(free_origin))) = {NULL, NULL, NULL};
    CURLU *handle __attribute__((cleanup(free_handle))) = curl_url();
    struct rely_buf text = {0};
    RELY_ASSERT(handle != NULL);
    if (curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK && read_origin(handle, &origin))
        rely_buf_printf(&text, "%s://%s:%s", origin.scheme, origin.host, origin.port);
    else
        rely_buf_put(&text, RELY_LIT(""));
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z')
            text.ptr[i] = (char)(text.ptr[i] | 0x20);
    return text.ptr;
}

char *rely_url_follow(const char *url, const char *location, bool may_use_http, bool *is_away, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE], shown[SHOWN_URL_SIZE];
    struct origin from __attribute__((cleanup(free_origin))) = {NULL, NULL, NULL};
    struct origin to __attribute__((cleanup(free_origin))) = {NULL, NULL, NULL};
    CURLU *handle __attribute__((cleanup(free_handle))) = curl_url();
    RELY_ASSERT(handle != NULL);
    bool is_read = curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK && read_origin(handle, &from);
    RELY_ASSERT(is_read);
    rely_quote(rely_slice_of(location), quoted);
    char *next = NULL;
    /* Set on a handle that has a URL: relative references are resolved against it (RFC 3986 s5). */
    if (!is_plain_text(location) ||
        curl_url_set(handle, CURLUPART_URL, location, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        !read_origin(handle, &to) || curl_url_get(handle, CURLUPART_URL, &next, 0) != CURLUE_OK) {
        rely_err_set(err, RELY_ERR_IO, "redirected to %s, which is not a URL", quoted);
        return NULL;
    }
    char *copy = NULL;
    *is_away = !is_same_origin(&from, &to);
    if (*is_away)
        rely_err_set(err, RELY_ERR_IO, "redirected to another origin, \"%s\", which is never followed",
                     rely_url_show(next, shown));
    else if (rely_url_check(next, may_use_http, err))
        copy = rely_strdup_slice(rely_slice_of(next));
    else
        rely_err_prefix(err, "redirected to %s", quoted);
    curl_free(next);
    return copy;
}
