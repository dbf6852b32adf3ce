/*
 * Inside fetch only: one transfer from request to result, and the rules it is judged by.
 */
#ifndef RELYD_FETCH_TRANSFER_H
#define RELYD_FETCH_TRANSFER_H

#include <curl/curl.h>

#include "relyd/fetch.h"

#define FETCH_URL_BYTES_MAX 2048
#define FETCH_HEADER_BYTES_MAX ((size_t)32 * 1024) /* of all answers of a transfer, interim ones included */
#define FETCH_MAX_AGE_S_MAX 315360000LL            /* ten years */

/* One request on its way. Only the fetch thread touches it once it is queued. */
struct transfer {
    struct transfer *next, *previous; /* the fetcher's list */
    void (*done)(const struct rely_fetch_result *result, void *context);
    void *context;   /* borrowed: the caller's */
    char *url;       /* owned: of the hop that runs */
    char *ca_bundle; /* owned: NULL for the system's */
    size_t ca_bundle_len;
    bool may_use_http, may_use_private_addresses;
    size_t max_bytes;
    int timeout_ms, redirects_left;
    int64_t deadline_ms;  /* of CLOCK_MONOTONIC, over all hops; 0 before the first */
    CURL *easy;           /* owned: NULL while queued */
    struct rely_buf body; /* owned: at most max_bytes */
    size_t header_bytes;
    bool is_too_large, has_too_many_headers;
    char blocked[64]; /* the address that was refused, or "" */
    char curl_error[CURL_ERROR_SIZE];
};

/* What to do with a hop that libcurl has finished. */
enum hop { HOP_DONE, HOP_FAILED, HOP_AGAIN };

struct transfer *rely_transfer_new(const struct rely_fetch_request *request);
void rely_transfer_free(struct transfer *transfer);
/* Make the easy handle of the next hop. Fails: the URL is refused, time is up, or libcurl refuses an option. */
bool rely_transfer_prepare(struct transfer *transfer, int64_t now_ms, struct rely_err *err);
/* Judge a finished hop. HOP_AGAIN: `url` is the next one, and the easy handle is gone. HOP_FAILED: err is set. */
enum hop rely_transfer_judge(struct transfer *transfer, CURLcode code, int64_t *max_age_s, struct rely_err *err);

/* Is the URL one that may be fetched? Fails: RELY_ERR_INVALID. */
bool rely_url_check(const char *url, bool may_use_http, struct rely_err *err);
/* Where a Location leads from a URL. Owned by the caller (free); NULL after a fault: not a URL, another origin. */
char *rely_url_follow(const char *url, const char *location, bool may_use_http, struct rely_err *err);
/* A URL for a message: without query, unprintable bytes as '?', cut. */
#define SHOWN_URL_SIZE 220
const char *rely_url_show(const char *url, char out[SHOWN_URL_SIZE]);

/* The seconds of one or more Cache-Control values, the least of them; -1: none given. no-store and no-cache are 0. */
int64_t rely_cache_control_read(struct rely_slice value);
/* Is a 200 one whose body counts: one plain Content-Length at most, no Content-Encoding. Fails: RELY_ERR_IO. */
bool rely_answer_check(CURL *easy, struct rely_err *err);
/* The least max-age of all Cache-Control headers, -1 without. */
int64_t rely_answer_max_age(CURL *easy);

/* Say in plain words why libcurl failed. */
void rely_fault_explain(const struct transfer *transfer, CURLcode code, struct rely_err *err);

#endif
