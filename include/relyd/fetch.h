/*
 * fetch: fetches a URL within limits and hands back bytes. One thread with libcurl's multi interface. Knows nothing
 * of issuers or keys.
 */
#ifndef RELYD_FETCH_H
#define RELYD_FETCH_H

#include "relyd/base.h"
#include "relyd/limits.h"

struct rely_fetcher;

/* Why something is fetched. Each kind has places of its own: what somebody waits for never stands behind what nobody
 * waits for, nor behind servers that do not answer. */
enum rely_fetch_kind {
    RELY_FETCH_REFRESH, /* what is in force grows old */
    RELY_FETCH_WANTED,  /* somebody waits for it, and the last fetch of it went well */
    RELY_FETCH_FIRST,   /* never fetched, or its source has changed */
    RELY_FETCH_RETRY,   /* the last fetch of it failed, whoever waits */
    RELY_FETCH_KIND_COUNT
};

/* What to fetch. All slices are copied by rely_fetch_start. */
struct rely_fetch_request {
    struct rely_slice url;       /* https, or http when may_use_http; no user, no fragment, at most 2048 bytes */
    struct rely_slice ca_bundle; /* PEM; then nothing else is trusted. Absent: the system's */
    enum rely_fetch_kind kind;
    bool may_use_http;
    bool may_use_private_addresses; /* loopback, link-local, private and other special ranges */
    bool must_pass_caches;          /* Cache-Control: no-cache (RFC 9111 s5.2.1.4): the issuer itself is asked */
    /* The etag of an earlier result of this URL whose body is still at hand: If-None-Match. Absent, or no entity-tag of
     * at most RELY_FETCH_ETAG_BYTES_MAX: the body is asked for in any case. */
    struct rely_slice etag;
    size_t max_bytes;
    int timeout_ms;         /* whole transfer */
    int connect_timeout_ms; /* of each hop: name, TCP and TLS. 0: RELY_FETCH_CONNECT_MS; never beyond timeout_ms */
    int max_redirects;      /* 0..3; only to the same origin (scheme, host, port) */
};

/* What kind of fault, where that decides what to do about it; the rest is for people. */
enum rely_fetch_fault {
    RELY_FETCH_NO_FAULT,
    RELY_FETCH_FAILED,          /* see err */
    RELY_FETCH_BAD_STATUS,      /* answered, and not with 200: see status */
    RELY_FETCH_REDIRECTED_AWAY, /* redirected to another origin, which err names */
};

/* What came of it. Borrowed during the callback. */
struct rely_fetch_result {
    bool is_ok;        /* 200 with the whole body, or is_unchanged; anything else is a fault in err */
    bool is_unchanged; /* 304: the body that came with the request's etag is still right; there is none here */
    /* Without Content-Length or chunks the body ends with the connection, and somebody on the path may have cut it: its
     * parser must notice. JSON does: no front part of an object is an object. */
    struct rely_slice body;
    /* How long it stays fresh from now (RFC 9111 s4.2): Cache-Control's max-age, else Expires, less its age. -1: not
     * given; after is_unchanged what was given before goes on. Never negative otherwise. */
    int64_t max_age_s;
    struct rely_slice etag; /* for the next request of this URL; ptr NULL: none was sent, or none that can be used */
    enum rely_fetch_fault fault;
    long status;         /* of the last answer; 0: there was none */
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
 * In:       request - timeout_ms above 0, max_redirects 0..3. Of each kind 32 to 64 run at once, of one origin half as
 *           many, the others wait, origins by turns; timeout_ms counts from their turn.
 * Thread:   any, also the callback's own; but a callback that starts again after a fault must not do so at once, or a
 *           stop would not end.
 */
void rely_fetch_start(struct rely_fetcher *fetcher, const struct rely_fetch_request *request,
                      void (*done)(const struct rely_fetch_result *result, void *context), void *context);

/* Is the address of a socket (struct sockaddr) in a special range (loopback, private, link-local, multicast, embedded
 * IPv4...)? Unknown families are. */
bool rely_address_is_special(const void *sockaddr);

#endif
