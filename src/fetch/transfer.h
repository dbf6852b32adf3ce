/*
 * Inside fetch only: one transfer from request to result, and the rules it is judged by.
 */
#ifndef RELYD_FETCH_TRANSFER_H
#define RELYD_FETCH_TRANSFER_H

#include <curl/curl.h>
#include <stdatomic.h>

#include "relyd/fetch.h"
#include "relyd/files.h"

#define FETCH_MAX_AGE_S_MAX 315360000LL /* ten years */

/* One request on its way. Only the fetch thread touches it once it is queued. */
struct transfer {
    struct transfer *next, *previous; /* the fetcher's list */
    void (*done)(const struct rely_fetch_result *result, void *context);
    void *context;                        /* borrowed: the caller's */
    struct rely_fetcher *fetcher;         /* borrowed */
    const struct rely_fetch_rules *rules; /* borrowed: the fetcher's */
    char *url;                            /* owned: of the hop that runs */
    char *origin;                         /* owned: "https://host:port", or "" for a URL that has none */
    char *ca_bundle;                      /* owned: NULL for the system's */
    size_t ca_bundle_len;
    char *bearer_file; /* owned: whose token is to be sent; NULL: none */
    char *bearer;      /* owned: that token; NULL: none, or bearer_fault says why there is none */
    struct rely_err bearer_fault;
    char proxy[RELY_PROXY_SIZE]; /* "": none */
    bool is_own_proxy;           /* the record's, not the administrator's for all */
    bool is_file;                /* it is read, and has no place among those that are fetched */
    char *etag;                  /* owned: of the request, good; NULL: none */
    char *posted;                /* owned: what is sent; NULL: GET */
    size_t posted_len;
    enum rely_fetch_kind kind;
    bool may_use_http, may_use_private_addresses, must_pass_caches;
    size_t max_bytes;
    int timeout_ms, connect_timeout_ms, redirects_left;
    int64_t deadline_ms;        /* of CLOCK_MONOTONIC, over all hops; 0 before the first */
    CURL *easy;                 /* owned: NULL while queued */
    struct curl_slist *headers; /* owned: of the hop that runs */
    struct rely_buf body;       /* owned: at most max_bytes */
    atomic_size_t *common;      /* borrowed: the fetcher's, of what all transfers have in common how much is taken */
    size_t common_bytes;        /* of that, by this one */
    size_t header_bytes, header_lines;
    bool is_too_large, has_too_many_headers, is_crowded_out;
    atomic_int holders; /* of one that had a place: the fetch thread during the callback, and who keeps it */
    char tried[64];     /* the address that was connected to last, or was to be, or "" */
    char blocked[64];   /* the same when it was refused, or "" */
    bool is_denied;     /* by rules->deny */
    /* With a proxy: the first hop only looks the name up, and stops before it connects. */
    bool is_looking_up;
    char address[64];              /* the first good one, "1.2.3.4" or "[2001:db8::1]"; "" before it is known */
    struct curl_slist *connect_to; /* owned: of the hop that runs */
    int64_t begun_us;              /* the hop that runs; monotonic, as the next */
    /* Of its handshake, by watch.c: */
    int64_t tls_begun_us;   /* 0: it has not */
    long verified;          /* X509_V_... of the server's certificate, when it failed */
    bool wants_certificate; /* the server has asked for a client's */
    bool is_no_tls;         /* what the server sent is no TLS */
    char curl_error[CURL_ERROR_SIZE];
    char answer_etag[RELY_FETCH_ETAG_BYTES_MAX + 1];
    struct rely_fetch_result result; /* borrows from the rest */
};

/* What to do with a hop that libcurl has finished. */
enum hop { HOP_DONE, HOP_FAILED, HOP_AGAIN };

struct transfer *rely_transfer_new(const struct rely_fetch_request *request, const struct rely_fetch_rules *rules,
                                   atomic_size_t *common);
/* What its file of a token came to. */
void rely_transfer_take_bearer(struct transfer *transfer, const struct rely_file *file);
/* Does it go to the API server of relyd's own pod, by no way that its record has chosen? */
bool rely_transfer_is_for_pod(const struct transfer *transfer);
/* What the file came to that is read in place of its URL. */
void rely_transfer_take_keys(struct transfer *transfer, const struct rely_file *file);
/* What only a running transfer needs: libcurl's handle. */
void rely_transfer_close(struct transfer *transfer);
void rely_transfer_free(struct transfer *transfer);
/* Make the easy handle of the next hop. Fails: the URL is refused, time is up, or libcurl refuses an option. */
RELY_MUST_USE bool rely_transfer_prepare(struct transfer *transfer, int64_t now_ms, struct rely_err *err);
/* Judge a finished hop. HOP_DONE: the result has all but the body. HOP_AGAIN: `url` is the next one, and the easy
 * handle is gone. HOP_FAILED: err is set. */
enum hop rely_transfer_judge(struct transfer *transfer, CURLcode code, struct rely_err *err);

/* Is the URL one that may be fetched? Fails: RELY_ERR_INVALID. */
RELY_MUST_USE bool rely_url_check(const char *url, bool may_use_http, struct rely_err *err);
/* When the host of a URL is an address, may that be connected to? */
RELY_MUST_USE bool rely_url_check_address(const char *url, const struct rely_fetch_rules *rules, bool may_use_special,
                                          struct rely_err *err);
/* Scheme, host and port of a URL, in lower case: "https://host:443". Owned by the caller (free); "" for what is no URL.
 */
char *rely_url_origin(const char *url);
/* Where a Location leads from a URL. Owned by the caller (free); NULL after a fault: not a URL, or *is_away: another
 * origin. */
char *rely_url_follow(const char *url, const char *location, bool may_use_http, bool *is_away, struct rely_err *err);
/* "NAME is ADDRESS", or the address alone where it stands in the URL. */
void rely_url_found(const char *url, const char *address, char out[RELY_FETCH_FOUND_SIZE]);
/* A URL for a message: without query, unprintable bytes as '?', cut. */
#define SHOWN_URL_SIZE 220
const char *rely_url_show(const char *url, char out[SHOWN_URL_SIZE]);

/* The seconds of one or more Cache-Control values, the least of them; -1: none given. no-store and no-cache are 0. */
int64_t rely_cache_control_read(struct rely_slice value);
/* Is a 200 one whose body counts: one plain Content-Length at most, no Content-Encoding. Fails: RELY_ERR_IO. */
RELY_MUST_USE bool rely_answer_check(CURL *easy, struct rely_err *err);
/* How long an answer that has just come stays fresh, by its headers. In: now_s - the wall clock. */
int64_t rely_answer_fresh_s(CURL *easy, int64_t now_s);
/* Is it an entity-tag (RFC 9110 s8.8.3) of printable ASCII and at most RELY_FETCH_ETAG_BYTES_MAX bytes? */
bool rely_etag_is_good(struct rely_slice etag);
/* The answer's ETag; "" when there is none, or none that is good. */
void rely_answer_etag(CURL *easy, char out[RELY_FETCH_ETAG_BYTES_MAX + 1]);

/* --- fresh.c ---------------------------------------------------------------------------------------- */

#define FETCH_NO_TIME INT64_MIN

/* What an answer says of its own age. Times are seconds since 1970. */
struct freshness {
    int64_t max_age_s;      /* -1: not given */
    int64_t expires_s;      /* FETCH_NO_TIME: not given; what cannot be read is in the past */
    int64_t date_s;         /* FETCH_NO_TIME: not given, or cannot be read */
    int64_t age_s;          /* of the Age header, 0 without */
    int64_t response_s;     /* the wall clock when the answer came */
    int64_t response_delay; /* seconds from request to answer */
};

/* How long it stays fresh from response_s: RFC 9111 s4.2.1, s4.2.3. 0..FETCH_MAX_AGE_S_MAX, -1: it says nothing. */
int64_t rely_fresh_left(const struct freshness *answer);
/* An Age header: digits (of a list the first member); 0 for anything else. At most FETCH_MAX_AGE_S_MAX. */
int64_t rely_age_read(struct rely_slice value);
/* An HTTP date in one of its three forms (RFC 9110 s5.6.7); FETCH_NO_TIME for anything else. */
int64_t rely_http_date_read(const char *text);
/* Digits as seconds, capped at FETCH_MAX_AGE_S_MAX; -1 for anything else. */
int64_t rely_seconds_read(struct rely_slice text);

/* --- watch.c, fault.c --------------------------------------------------------------------------------- */

/* Have OpenSSL tell what libcurl does not. As CURLOPT_SSL_CTX_FUNCTION, whose context is
 * the transfer. */
CURLcode rely_transfer_watch(CURL *easy, void *ssl_context, void *transfer);
/* Say in plain words why libcurl failed, and what it comes from. */
void rely_fault_explain(const struct transfer *transfer, CURLcode code, struct rely_err *err);

#endif
