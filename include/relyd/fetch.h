/*
 * fetch: fetches a URL within limits and hands back bytes. One thread with libcurl's multi interface. Knows nothing
 * of issuers or keys.
 */
#ifndef RELYD_FETCH_H
#define RELYD_FETCH_H

#include "relyd/address.h"
#include "relyd/condition.h"
#include "relyd/limits.h"

struct rely_fetcher;
/* A place that goes on being held after its callback: rely_fetch_keep. */
struct rely_fetch_place;

/* Why something is fetched. Each kind has places of its own: what somebody waits for never stands behind what nobody
 * waits for, nor behind servers that do not answer. */
enum rely_fetch_kind {
    RELY_FETCH_REFRESH, /* what is in force grows old */
    RELY_FETCH_WANTED,  /* somebody waits for it, and the last fetch of it went well */
    RELY_FETCH_FIRST,   /* never fetched, or its source has changed */
    RELY_FETCH_RETRY,   /* the last fetch of it failed, whoever waits */
    RELY_FETCH_LIVE,    /* a cluster's word on a token */
    RELY_FETCH_DOUBTED, /* somebody waits for it, and lately waited in vain. The last: begins when no other may */
    RELY_FETCH_KIND_COUNT
};

/* What to fetch. All slices are copied by rely_fetch_start. */
struct rely_fetch_request {
    struct rely_slice url;       /* https, or http when may_use_http; no user, no fragment, at most 2048 bytes */
    struct rely_slice ca_bundle; /* PEM; then nothing else is trusted. Absent: the system's */
    /* A file of rules->folder with a token, read anew for each fetch and sent as Authorization: Bearer, by https alone
     * and to the origin (scheme, host, port) of `bearer_for` alone: to another one nothing is sent. Absent: none. */
    struct rely_slice bearer_file;
    struct rely_slice bearer_for; /* a URL */
    struct rely_slice proxy;      /* as rules->proxy, which it stands for. Absent: that one */
    /* A file of rules->folder that is read in place of the URL, which only names it then: rely_files_read_keys. Of the
     * rest `etag` and max_bytes count. Absent: none. */
    struct rely_slice file;
    enum rely_fetch_kind kind;
    bool may_use_http;
    bool may_use_private_addresses; /* loopback, link-local, private and other special ranges */
    bool must_pass_caches;          /* Cache-Control: no-cache (RFC 9111 s5.2.1.4): the issuer itself is asked */
    /* The etag of an earlier result of this URL whose body is still at hand: If-None-Match. Absent, or no entity-tag of
     * at most RELY_FETCH_ETAG_BYTES_MAX: the body is asked for in any case. */
    struct rely_slice etag;
    /* JSON, which is sent by POST, and wiped afterwards; then 201 is as good as 200. Absent: GET. */
    struct rely_slice posted;
    size_t max_bytes;
    int timeout_ms;         /* whole transfer */
    int connect_timeout_ms; /* of each hop: name, TCP and TLS. 0: RELY_FETCH_CONNECT_MS; never beyond timeout_ms */
    int max_redirects;      /* 0..RELY_FETCH_REDIRECTS_MAX; only to the same origin (scheme, host, port) */
};

/* What kind of fault, where that decides what to do about it; the rest is for people. */
enum rely_fetch_fault {
    RELY_FETCH_NO_FAULT,
    RELY_FETCH_FAILED,          /* see err */
    RELY_FETCH_BAD_STATUS,      /* answered, and not with 200: see status */
    RELY_FETCH_REDIRECTED_AWAY, /* redirected to another origin, which err names */
};

/* When a hop had come so far, in us from its beginning. 0: it has not, or, of what it does without, was not needed. */
struct rely_fetch_times {
    int64_t resolved_us, connected_us, secured_us, ended_us;
};

/* A name of 253 bytes, and an address. */
#define RELY_FETCH_FOUND_SIZE 320

/* What came of it. Borrowed during the callback. */
struct rely_fetch_result {
    bool is_ok;        /* 200 (or 201: posted) with the whole body, or is_unchanged; anything else is a fault in err */
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
    struct rely_err err; /* says the URL and what happened, for people; its cause, if it has one */
    /* "NAME is ADDRESS", of the newest hop: the one connected to, or else the last that was tried; "": none was. */
    char found[RELY_FETCH_FOUND_SIZE];
    struct rely_fetch_times times;  /* of the newest hop */
    struct rely_fetch_place *place; /* for rely_fetch_keep; NULL: it had none */
};

/* What holds for all fetches. Zero-filled: nothing beyond the built-in fence, no proxy. */
struct rely_fetch_rules {
    struct rely_cidr deny[RELY_FETCH_RANGES_MAX]; /* never connected to, whatever the record says */
    size_t deny_count;
    struct rely_cidr allow[RELY_FETCH_RANGES_MAX]; /* special, and connected to all the same */
    size_t allow_count;
    /* "http://host:port", or "": every fetch goes through it by CONNECT, to an address that relyd has looked up and
     * judged itself: a proxy that looked the name up might get another one. */
    char proxy[RELY_PROXY_SIZE];
    char folder[RELY_FOLDER_SIZE]; /* where files with tokens are; "": nowhere */
    /* How many fetches run at once, of all kinds together, each kind in proportion: RELY_FETCH_PLACES_MIN to
     * RELY_FETCH_PLACES; 0: all of them. */
    size_t places;
};

/* May an address be connected to? */
enum rely_address_verdict {
    RELY_ADDRESS_UNJUDGED, /* never an answer */
    RELY_ADDRESS_GOOD,
    RELY_ADDRESS_SPECIAL, /* behind the built-in fence */
    RELY_ADDRESS_DENIED,  /* in one of rules->deny */
};

/**
 * Judge the address of a socket.
 *
 * Spec:     IANA's registries of special-purpose addresses, and the clouds' metadata services. An IPv4 address inside
 * an IPv6 address (RFC 4291 s2.5.5.2 mapped, RFC 6052 NAT64, RFC 3056 6to4, RFC 5969 6rd of known providers, RFC 5214
 * ISATAP) is judged as well. Teredo, 64:ff9b:1::/48 and unknown families are special. In:       rules - NULL: the
 * built-in fence alone. sockaddr - a struct sockaddr. may_use_special - the record's allowPrivateAddresses.
 */
enum rely_address_verdict rely_address_judge(const struct rely_fetch_rules *rules, const void *sockaddr,
                                             bool may_use_special);

/**
 * Start the fetch thread.
 *
 * In:       rules - copied. NULL: none.
 * Fails:    RELY_ERR_INTERNAL when libcurl is not the OpenSSL flavour, or has no thread.
 * Owner:    the caller: rely_fetcher_stop, then rely_fetcher_free.
 */
struct rely_fetcher *rely_fetcher_start(const struct rely_fetch_rules *rules, struct rely_err *err);
/* Abandon all transfers, whose callbacks run with a fault, and end the thread, within two seconds. What is asked for
 * afterwards is abandoned at once: whoever fetches may be stopped later than the fetcher. */
void rely_fetcher_stop(struct rely_fetcher *fetcher);
/* Other ranges to deny and to allow, for fetches that are asked for from now on; what else the rules say stays. In:
 * ranges - copied. Thread: one at a time. */
void rely_fetcher_take_up(struct rely_fetcher *fetcher, const struct rely_fetch_rules *ranges);
/* When nobody can ask any more. */
void rely_fetcher_free(struct rely_fetcher *fetcher);

/**
 * Fetch one URL; exactly one callback, on the fetch thread, also for a request that is refused at once; on the
 * caller's when the fetcher has been stopped.
 *
 * In:       request - timeout_ms above 0, max_redirects 0..3. Of each kind 32 to 192 run at once (limits.h), of one
 *           origin half as many, the others wait, origins by turns; timeout_ms counts from their turn. An answer beyond
 *           RELY_FETCH_SHARE_BYTES ends with a fault where the others hold RELY_FETCH_COMMON_BYTES already.
 * Thread:   any, also the callback's own; but a callback that starts again after a fault must not do so at once, or a
 *           stop would not end.
 */
void rely_fetch_start(struct rely_fetcher *fetcher, const struct rely_fetch_request *request,
                      void (*done)(const struct rely_fetch_result *result, void *context), void *context);

/* In the callback of a good result: its body and its place are kept until rely_fetch_release. So what has come and was
 * not looked at yet counts for all limits, however long that takes. Returns result->place. */
struct rely_fetch_place *rely_fetch_keep(const struct rely_fetch_result *result);
/* Give a kept place back; the body is gone. Before rely_fetcher_free. Thread: any. */
void rely_fetch_release(struct rely_fetcher *fetcher, struct rely_fetch_place *place);

/* Would it be asked for today, as far as the request says itself? The scheme and an address that stands in place of a
 * name are judged, as every hop of a fetch is; nothing is looked up. In: request - URL and permissions count. False:
 * err says why not, for people. Thread: any. */
RELY_MUST_USE bool rely_fetch_may_ask(const struct rely_fetcher *fetcher, const struct rely_fetch_request *request,
                                      struct rely_err *err);

/* The proxy variables that stand in the environment, "HTTPS_PROXY, no_proxy": they are ignored, which somebody should
 * be told. False: none. */
bool rely_fetch_find_proxy_variables(char *out, size_t size);

#endif
