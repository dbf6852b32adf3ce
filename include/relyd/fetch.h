/*
 * fetch: fetches a URL within limits and hands back bytes. One thread with libcurl's multi interface. Knows nothing
 * of issuers or keys.
 */
#ifndef RELYD_FETCH_H
#define RELYD_FETCH_H

#include "relyd/base.h"

struct rely_fetcher;

/* What to fetch. All slices are copied by rely_fetch_start. */
struct rely_fetch_request {
    struct rely_slice url;       /* https, or http when may_use_http; no user, no fragment, at most 2048 bytes */
    struct rely_slice ca_bundle; /* PEM; then nothing else is trusted. Absent: the system's */
    bool may_use_http;
    bool may_use_private_addresses; /* loopback, link-local, private and other special ranges */
    size_t max_bytes;
    int timeout_ms;    /* whole transfer */
    int max_redirects; /* 0..3; only to the same origin (scheme, host, port) */
};

/* What came of it. Borrowed during the callback. */
struct rely_fetch_result {
    bool is_ok; /* 200 with the whole body; anything else is a fault in err */
    /* Without Content-Length or chunks the body ends with the connection, and somebody on the path may have cut it: its
     * parser must notice. JSON does: no front part of an object is an object. */
    struct rely_slice body;
    int64_t max_age_s;   /* of Cache-Control; -1: not given. Never negative otherwise */
    struct rely_err err; /* says the URL and what happened, for people */
};

/**
 * Start the fetch thread.
 *
 * Fails:    RELY_ERR_INTERNAL when libcurl is not the OpenSSL flavour, or has no thread.
 * Owner:    the caller: rely_fetcher_stop, then rely_fetcher_free.
 */
struct rely_fetcher *rely_fetcher_start(struct rely_err *err);
/* Abandon all transfers, whose callbacks run with a fault, and end the thread, within two seconds. What is asked for
 * afterwards is abandoned at once: whoever fetches may be stopped later than the fetcher. */
void rely_fetcher_stop(struct rely_fetcher *fetcher);
/* When nobody can ask any more. */
void rely_fetcher_free(struct rely_fetcher *fetcher);

/**
 * Fetch one URL; exactly one callback, on the fetch thread, also for a request that is refused at once; on the
 * caller's when the fetcher has been stopped.
 *
 * In:       request - timeout_ms above 0, max_redirects 0..3. Beyond 64 at once, requests wait; timeout_ms counts from
 *           their turn.
 * Thread:   any, also the callback's own; but a callback that starts again after a fault must not do so at once, or a
 *           stop would not end.
 */
void rely_fetch_start(struct rely_fetcher *fetcher, const struct rely_fetch_request *request,
                      void (*done)(const struct rely_fetch_result *result, void *context), void *context);

/* Is the address of a socket (struct sockaddr) in a special range (loopback, private, link-local, multicast, embedded
 * IPv4...)? Unknown families are. */
bool rely_address_is_special(const void *sockaddr);

#endif
