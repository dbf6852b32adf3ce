/*
 * One transfer: sets up libcurl so that it can do no more than asked, collects at most max_bytes, judges what came, and
 * follows redirects within one origin. The thread and the queue are fetcher.c's.
 */
#include "transfer.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "relyd/clock.h"
#include "relyd/text.h"

#define CA_CACHE_S 3600

/* --- libcurl's callbacks -------------------------------------------------------------------------- */

static void describe_address(const struct sockaddr *address, char *out, size_t size)
{
    const void *bytes = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    if ((address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
        inet_ntop(address->sa_family, bytes, out, (socklen_t)size) == NULL)
        snprintf(out, size, "of family %d", address->sa_family);
}

/* The first one counts: the resolver puts what is likely to work first (RFC 6724). */
static void note_address(struct transfer *transfer, const struct sockaddr *address)
{
    char text[INET6_ADDRSTRLEN];
    if (transfer->address[0] != '\0')
        return;
    describe_address(address, text, sizeof(text));
    bool is_six = address->sa_family == AF_INET6;
    snprintf(transfer->address, sizeof(transfer->address), "%s%s%s", is_six ? "[" : "", text, is_six ? "]" : "");
}

/* keys.proxy is the administrator's own. A record's may be anywhere, too, but for what nothing is ever connected to. */
static enum rely_address_verdict judge_hop_address(const struct transfer *transfer, const struct sockaddr *address)
{
    bool is_proxy = transfer->proxy[0] != '\0' && !transfer->is_looking_up;
    if (is_proxy && !transfer->is_own_proxy)
        return RELY_ADDRESS_GOOD;
    return rely_address_judge(transfer->rules, address, is_proxy || transfer->may_use_private_addresses);
}

/* Sees the real address of every attempt, whatever the name said before: the fence against SSRF. */
static curl_socket_t open_fenced_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct transfer *transfer = context;
    bool is_internet = address->family == AF_INET || address->family == AF_INET6;
    if (transfer->proxy[0] == '\0' || transfer->is_looking_up)
        describe_address(&address->addr, transfer->tried, sizeof(transfer->tried));
    enum rely_address_verdict verdict = judge_hop_address(transfer, &address->addr);
    if (purpose != CURLSOCKTYPE_IPCXN || !is_internet || verdict != RELY_ADDRESS_GOOD) {
        transfer->is_denied = verdict == RELY_ADDRESS_DENIED;
        describe_address(&address->addr, transfer->blocked, sizeof(transfer->blocked));
        return CURL_SOCKET_BAD;
    }
    if (transfer->is_looking_up) {
        note_address(transfer, &address->addr);
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* What the body takes beyond its share comes from what all have in common. Only the fetch thread takes. */
static bool take_common(struct transfer *transfer)
{
    size_t beyond = transfer->body.cap > RELY_FETCH_SHARE_BYTES ? transfer->body.cap - RELY_FETCH_SHARE_BYTES : 0;
    size_t more = beyond - transfer->common_bytes;
    if (more > RELY_FETCH_COMMON_BYTES - atomic_load(transfer->common))
        return false;
    atomic_fetch_add(transfer->common, more);
    transfer->common_bytes = beyond;
    return true;
}

/* CURLOPT_MAXFILESIZE does not see chunked bodies. */
static size_t collect_body(char *bytes, size_t one, size_t count, void *context)
{
    struct transfer *transfer = context;
    if (one * count > transfer->max_bytes - transfer->body.len) {
        transfer->is_too_large = true;
        return 0;
    }
    rely_buf_put(&transfer->body, rely_slice(bytes, one * count));
    transfer->is_crowded_out = !take_common(transfer);
    return transfer->is_crowded_out ? 0 : one * count;
}

/* Also sees interim answers: an endless row of 100 Continue ends here. */
static size_t count_header_bytes(char *bytes, size_t one, size_t count, void *context)
{
    (void)bytes;
    struct transfer *transfer = context;
    transfer->header_bytes += one * count;
    transfer->header_lines++;
    if (transfer->header_bytes <= RELY_FETCH_HEADER_BYTES_MAX && transfer->header_lines <= RELY_FETCH_HEADER_LINES_MAX)
        return one * count;
    transfer->has_too_many_headers = true;
    return 0;
}

/* --- set-up --------------------------------------------------------------------------------------- */

/* The first option that libcurl refuses; CURLE_OK stays only when all were taken. */
struct options {
    CURL *easy;
    CURLcode code;
};

static void set_number(struct options *options, CURLoption option, long value)
{
    if (options->code == CURLE_OK)
        options->code = curl_easy_setopt(options->easy, option, value);
}

static void set_pointer(struct options *options, CURLoption option, const void *value)
{
    if (options->code == CURLE_OK)
        options->code = curl_easy_setopt(options->easy, option, value);
}

static void set_limits(struct options *options, struct transfer *transfer, int64_t left_ms)
{
    set_number(options, CURLOPT_TIMEOUT_MS, (long)left_ms);
    /* A server that does not even connect holds its place for less long than one that is slow. */
    set_number(options, CURLOPT_CONNECTTIMEOUT_MS,
               (long)(left_ms < transfer->connect_timeout_ms ? left_ms : transfer->connect_timeout_ms));
    set_number(options, CURLOPT_MAXFILESIZE, (long)transfer->max_bytes);
    set_pointer(options, CURLOPT_WRITEDATA, transfer);
    set_pointer(options, CURLOPT_HEADERDATA, transfer);
    if (options->code == CURLE_OK)
        options->code = curl_easy_setopt(options->easy, CURLOPT_WRITEFUNCTION, collect_body);
    if (options->code == CURLE_OK)
        options->code = curl_easy_setopt(options->easy, CURLOPT_HEADERFUNCTION, count_header_bytes);
}

/*
 * A proxy from the environment would make the connection, and the address check would see only the proxy. The one of
 * the settings or the record is told the address that was judged, by CONNECT also for http: TLS, SNI and certificate stay those of
 * the URL, and the proxy has no name to look up.
 */
static void set_route(struct options *options, struct transfer *transfer)
{
    char line[128];
    if (transfer->proxy[0] == '\0' || transfer->is_looking_up) {
        set_pointer(options, CURLOPT_PROXY, "");
        set_pointer(options, CURLOPT_NOPROXY, "*");
        return;
    }
    snprintf(line, sizeof(line), "::%s:", transfer->address); /* any host and port: this address, the URL's port */
    transfer->connect_to = curl_slist_append(NULL, line);
    RELY_ASSERT(transfer->connect_to != NULL);
    set_pointer(options, CURLOPT_CONNECT_TO, transfer->connect_to);
    set_pointer(options, CURLOPT_PROXY, transfer->proxy);
    set_pointer(options, CURLOPT_NOPROXY, "");
    set_number(options, CURLOPT_HTTPPROXYTUNNEL, 1);
    set_number(options, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
    set_number(options, CURLOPT_HEADEROPT, CURLHEADER_SEPARATE);
}

static void set_fences(struct options *options, struct transfer *transfer)
{
    set_pointer(options, CURLOPT_PROTOCOLS_STR, transfer->may_use_http ? "https,http" : "https");
    set_number(options, CURLOPT_FOLLOWLOCATION, 0);
    set_route(options, transfer);
    set_number(options, CURLOPT_NETRC, CURL_NETRC_IGNORED);
    /* A connection, TLS session or name looked up for one issuer never serves another with other authorities. */
    set_number(options, CURLOPT_FORBID_REUSE, 1);
    set_number(options, CURLOPT_FRESH_CONNECT, 1);
    set_number(options, CURLOPT_SSL_SESSIONID_CACHE, 0);
    set_number(options, CURLOPT_DNS_CACHE_TIMEOUT, 0);
    set_number(options, CURLOPT_NOSIGNAL, 1);
    /* A resolver that hangs must not hold up a stop. */
    set_number(options, CURLOPT_QUICK_EXIT, 1);
    set_pointer(options, CURLOPT_OPENSOCKETDATA, transfer);
    if (options->code == CURLE_OK)
        options->code = curl_easy_setopt(options->easy, CURLOPT_OPENSOCKETFUNCTION, open_fenced_socket);
}

static void set_http(struct options *options, struct transfer *transfer)
{
    set_pointer(options, CURLOPT_URL, transfer->url);
    set_number(options, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    set_number(options, CURLOPT_HTTP09_ALLOWED, 0);
    set_number(options, CURLOPT_HTTP_CONTENT_DECODING, 0);
    set_pointer(options, CURLOPT_USERAGENT, "relyd/" RELYD_VERSION);
    set_pointer(options, CURLOPT_ERRORBUFFER, transfer->curl_error);
    set_pointer(options, CURLOPT_PRIVATE, transfer);
}

static void add_header(struct transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    RELY_ASSERT(longer != NULL);
    transfer->headers = longer;
}

static void add_bearer(struct transfer *transfer)
{
    struct rely_buf line = {0};
    rely_buf_printf(&line, "Authorization: Bearer %s", transfer->bearer);
    add_header(transfer, line.ptr);
    explicit_bzero(line.ptr, line.len);
    rely_buf_fini(&line);
}

/* Without Expect: 100-continue, for which a server may have no answer. */
static void set_posted(struct options *options, struct transfer *transfer)
{
    if (transfer->posted == NULL)
        return;
    add_header(transfer, "Content-Type: application/json");
    add_header(transfer, "Accept: application/json");
    add_header(transfer, "Expect:");
    set_number(options, CURLOPT_POST, 1);
    set_number(options, CURLOPT_POSTFIELDSIZE, (long)transfer->posted_len);
    set_pointer(options, CURLOPT_POSTFIELDS, transfer->posted);
}

static void set_headers(struct options *options, struct transfer *transfer)
{
    char line[RELY_FETCH_ETAG_BYTES_MAX + 32];
    if (transfer->must_pass_caches)
        add_header(transfer, "Cache-Control: no-cache");
    snprintf(line, sizeof(line), "If-None-Match: %s", transfer->etag == NULL ? "" : transfer->etag);
    if (transfer->etag != NULL)
        add_header(transfer, line);
    if (transfer->bearer != NULL)
        add_bearer(transfer);
    set_posted(options, transfer);
    if (transfer->headers != NULL)
        set_pointer(options, CURLOPT_HTTPHEADER, transfer->headers);
}

static void set_tls(struct options *options, struct transfer *transfer)
{
    set_number(options, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    set_number(options, CURLOPT_SSL_VERIFYPEER, 1);
    set_number(options, CURLOPT_SSL_VERIFYHOST, 2);
    /* With a path of its own libcurl would go on trusting the system's authorities beside a bundle; and without a
     * bundle it would read all of them anew for each transfer, which keeps the thread from everything else: hundreds of
     * issuers would hold up the rest for seconds. Its file alone is read once an hour. */
    set_pointer(options, CURLOPT_CAPATH, NULL);
    set_pointer(options, CURLOPT_SSL_CTX_DATA, transfer);
    if (options->code == CURLE_OK)
        options->code = curl_easy_setopt(options->easy, CURLOPT_SSL_CTX_FUNCTION, rely_transfer_watch);
    set_number(options, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
    if (transfer->ca_bundle == NULL)
        return;
    struct curl_blob blob = {transfer->ca_bundle, transfer->ca_bundle_len, CURL_BLOB_NOCOPY};
    set_pointer(options, CURLOPT_CAINFO_BLOB, &blob);
    set_pointer(options, CURLOPT_CAINFO, NULL);
}

void rely_transfer_close(struct transfer *transfer)
{
    if (transfer->easy != NULL)
        curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    curl_slist_free_all(transfer->headers);
    curl_slist_free_all(transfer->connect_to);
    transfer->headers = NULL;
    transfer->connect_to = NULL;
}

static void drop_hop(struct transfer *transfer)
{
    rely_transfer_close(transfer);
    transfer->body.len = 0;
    transfer->blocked[0] = '\0';
    transfer->curl_error[0] = '\0';
    transfer->wants_certificate = transfer->is_no_tls = false;
    transfer->tls_begun_us = 0;
    transfer->verified = 0;
}

/* Every hop is of one origin: rely_url_follow leads nowhere else. */
static bool may_send_bearer(const struct transfer *transfer, struct rely_err *err)
{
    if (transfer->bearer_file == NULL)
        return true;
    if (transfer->bearer == NULL) {
        *err = transfer->bearer_fault;
        return false;
    }
    if (strcmp(transfer->bearer_file, RELY_POD_TOKEN) == 0 && !rely_transfer_is_for_pod(transfer))
        return rely_err_set(err, RELY_ERR_INVALID,
                            "the token of relyd's own pod (" RELY_POD_TOKEN ") is sent to the API server at "
                            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT alone, and through no `proxy` of a "
                            "record") ||
               rely_err_because(err, RELY_CAUSE_JWKS_URI_REFUSED);
    return strncmp(transfer->origin, "https:", 6) == 0 ||
           rely_err_set(err, RELY_ERR_INVALID, "a token (bearerTokenFile) is sent by https only") ||
           rely_err_because(err, RELY_CAUSE_JWKS_URI_REFUSED);
}

bool rely_transfer_prepare(struct transfer *transfer, int64_t now_ms, struct rely_err *err)
{
    if (transfer->deadline_ms == 0)
        transfer->deadline_ms = now_ms + transfer->timeout_ms;
    if (!rely_url_check(transfer->url, transfer->may_use_http, err))
        return false;
    if (now_ms >= transfer->deadline_ms)
        return rely_err_set(err, RELY_ERR_IO, "no complete answer within %d ms", transfer->timeout_ms) ||
               rely_err_because(err, RELY_CAUSE_TIMEOUT);
    if (!may_send_bearer(transfer, err))
        return false;
    transfer->is_looking_up = transfer->proxy[0] != '\0' && transfer->address[0] == '\0';
    transfer->begun_us = rely_clock_monotonic_us();
    transfer->easy = curl_easy_init();
    RELY_ASSERT(transfer->easy != NULL);
    struct options options = {transfer->easy, CURLE_OK};
    set_limits(&options, transfer, transfer->deadline_ms - now_ms);
    set_fences(&options, transfer);
    set_http(&options, transfer);
    set_headers(&options, transfer);
    set_tls(&options, transfer);
    if (options.code != CURLE_OK)
        return rely_err_set(err, RELY_ERR_INTERNAL, "libcurl refuses an option: %s", curl_easy_strerror(options.code));
    return true;
}

/* --- judging -------------------------------------------------------------------------------------- */

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static enum hop follow_redirect(struct transfer *transfer, long status, struct rely_err *err)
{
    struct curl_header *header = NULL;
    if (curl_easy_header(transfer->easy, "Location", 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        header->amount != 1) {
        rely_err_set(err, RELY_ERR_IO, "answered %ld without one Location", status);
        rely_err_because(err, RELY_CAUSE_REDIRECT_REFUSED);
        return HOP_FAILED;
    }
    if (transfer->redirects_left <= 0) {
        rely_err_set(err, RELY_ERR_IO, "redirected more often than is allowed");
        rely_err_because(err, RELY_CAUSE_REDIRECT_REFUSED);
        return HOP_FAILED;
    }
    bool is_away = false;
    char *next = rely_url_follow(transfer->url, header->value, transfer->may_use_http, &is_away, err);
    if (is_away)
        transfer->result.fault = RELY_FETCH_REDIRECTED_AWAY;
    if (next == NULL) {
        err->cause = RELY_CAUSE_REDIRECT_REFUSED;
        return HOP_FAILED;
    }
    transfer->redirects_left--;
    drop_hop(transfer);
    free(transfer->url);
    transfer->url = next;
    return HOP_AGAIN;
}

static enum rely_cause find_cause_of_status(long status)
{
    switch (status) {
    case 401:
        return RELY_CAUSE_UNAUTHORIZED;
    case 403:
        return RELY_CAUSE_FORBIDDEN;
    case 404:
    case 410:
        return RELY_CAUSE_NOT_FOUND;
    default:
        return status >= 500 && status <= 599 ? RELY_CAUSE_SERVER_ERROR : RELY_CAUSE_ODD_STATUS;
    }
}

/* A 304 to a request without a condition is no answer to it. */
static bool check_status(struct transfer *transfer, struct rely_err *err)
{
    transfer->result.is_unchanged = transfer->result.status == 304 && transfer->etag != NULL;
    if (transfer->result.is_unchanged)
        return true;
    if (transfer->result.status == 200 || (transfer->result.status == 201 && transfer->posted != NULL))
        return rely_answer_check(transfer->easy, err);
    transfer->result.fault = RELY_FETCH_BAD_STATUS;
    rely_err_set(err, RELY_ERR_IO, "answered %ld, not 200", transfer->result.status);
    return rely_err_because(err, find_cause_of_status(transfer->result.status));
}

/* What the hop has come to, and when. */
static void note_course(struct transfer *transfer)
{
    struct rely_fetch_result *result = &transfer->result;
    curl_off_t resolved = 0, connected = 0, secured = 0, ended = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved);
    curl_easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connected);
    curl_easy_getinfo(transfer->easy, CURLINFO_APPCONNECT_TIME_T, &secured);
    curl_easy_getinfo(transfer->easy, CURLINFO_TOTAL_TIME_T, &ended);
    if (transfer->tls_begun_us != 0) /* with TLS libcurl says only then that it is connected when that is done, too */
        connected = transfer->tls_begun_us - transfer->begun_us;
    result->times = (struct rely_fetch_times){resolved, connected, secured, ended};
    result->found[0] = '\0';
    if (transfer->tried[0] != '\0')
        rely_url_found(transfer->url, transfer->tried, result->found);
}

enum hop rely_transfer_judge(struct transfer *transfer, CURLcode code, struct rely_err *err)
{
    struct rely_fetch_result *result = &transfer->result;
    note_course(transfer);
    if (transfer->is_looking_up && transfer->address[0] != '\0') {
        drop_hop(transfer);
        return HOP_AGAIN;
    }
    if (code != CURLE_OK) {
        rely_fault_explain(transfer, code, err);
        return HOP_FAILED;
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &result->status);
    if (is_redirect(result->status))
        return follow_redirect(transfer, result->status, err);
    if (!check_status(transfer, err))
        return HOP_FAILED;
    result->max_age_s = rely_answer_fresh_s(transfer->easy, rely_clock_now_s());
    rely_answer_etag(transfer->easy, transfer->answer_etag);
    if (transfer->answer_etag[0] != '\0')
        result->etag = rely_slice_of(transfer->answer_etag);
    return HOP_DONE;
}
