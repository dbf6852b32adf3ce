/*
 * http: the bytes of connections to struct rely_http_request and back, by HTTP/1.1 and HTTP/2; what carries a request is
 * behind struct rely_http_transport.
 */
#ifndef RELYD_HTTP_H
#define RELYD_HTTP_H

#include "relyd/loop.h"

struct rely_certificate;
struct rely_http_request;
struct rely_http_response;

/* Answers now (rely_http_respond) or later (rely_http_defer first). Runs on the loop's thread. */
typedef void (*rely_http_handler)(struct rely_http_request *request, void *context);

/* What http/ refuses before it is any handler's: bytes that are no request, or too many. */
enum rely_http_refusal_kind {
    RELY_HTTP_HEAD_MALFORMED,      /* 400 */
    RELY_HTTP_HEAD_TOO_LARGE,      /* 431 */
    RELY_HTTP_BODY_MALFORMED,      /* 400: chunks that cannot be read */
    RELY_HTTP_BODY_TOO_LARGE,      /* 413 */
    RELY_HTTP_EXPECTATION_UNKNOWN, /* 417: another one than 100-continue */
    RELY_HTTP_CODING_UNKNOWN,      /* 501: a Transfer-Encoding other than chunked */
    RELY_HTTP_VERSION_UNKNOWN,     /* 505 */
    RELY_HTTP_TOO_SLOW,            /* 408: its head or its body took too long */
    RELY_HTTP_REFUSAL_COUNT
};
struct rely_http_refusal {
    enum rely_http_refusal_kind kind;
    int status;
    const char *code;   /* static */
    const char *detail; /* static: a sentence */
};

/* Chooses the words of a refusal: answers at once, never with 2xx. The connection ends with it. Of a request that cannot
 * be read, method and path are what its first line seems to say, or NULL, and there are no headers. `context` is the
 * listener's. */
typedef void (*rely_http_refuser)(struct rely_http_request *request, void *context,
                                  const struct rely_http_refusal *refusal);

/* Who answers what comes in by a listener. */
struct rely_http_plane {
    rely_http_handler handle; /* static */
    rely_http_refuser refuse; /* static; NULL: a problem+json */
    /* Does anybody look at this request's body? One that nobody looks at is handled as soon as its head is there,
     * whatever its length or its Expect say; what is still sent is thrown away, and the connection ends. Static; NULL:
     * always. */
    bool (*needs_body)(const struct rely_http_request *request);
    /* How long the body of this request may be, at least the loop's max_body_bytes; 413 beyond. All that is kept of it
     * counts against the loop's memory. Static; NULL: max_body_bytes. */
    size_t (*limit_body)(const struct rely_http_request *request);
    void *context;     /* borrowed until the loop is freed: all get it */
    bool speaks_http2; /* HTTP/2, too: by ALPN where there is TLS, else by prior knowledge */
};

/* HTTP/1.1 and HTTP/2, for rely_loop_options. */
extern const struct rely_protocol rely_http_protocol;
/* Accept on a bound descriptor (taken over, also on failure) for this plane, which is copied. As rely_loop_listen. */
RELY_MUST_USE bool rely_http_listen(struct rely_loop *loop, int fd, const struct rely_http_plane *plane,
                                    struct rely_err *err);

/* What carries a request: the calls below, for one kind of connection. All on the loop's thread. */
struct rely_http_transport {
    struct rely_slice (*find_header)(const struct rely_http_request *request, struct rely_slice name, size_t *count);
    /* The response may be sent as it is: rely_http_respond has looked at it. Copies it. */
    void (*respond)(struct rely_http_request *request, const struct rely_http_response *response);
    void (*defer)(struct rely_http_request *request, void (*gone)(void *context), void *context);
    void (*put_off)(struct rely_http_request *request, void (*gone)(void *context), void *context);
    void (*handle_again)(struct rely_http_request *request);
    /* As rely_http_may_hold; NULL: never. */
    bool (*may_hold)(const struct rely_http_request *request);
    /* Of one that came by a unix socket. */
    bool (*is_in_group)(const struct rely_http_request *request, uint32_t group);
    /* Of a request that came by TCP. */
    void (*peer)(const struct rely_http_request *request, char *out);
};

/* One request. Slices are borrowed until the handler returns: whoever defers it copies what he needs. */
struct rely_http_request {
    const struct rely_http_transport *transport; /* static */
    struct rely_slice method;
    struct rely_slice path;    /* as sent: nothing decoded, no dot segment resolved; begins with '/', or ptr NULL */
    struct rely_slice query;   /* as sent, without '?'; ptr NULL: none */
    struct rely_slice body;    /* ptr NULL: none */
    struct rely_pool *scratch; /* the loop's: reset when the handler, message or timer that runs now returns */
    struct rely_loop *loop;
    bool is_again;     /* its handler has put it off once */
    bool has_trailers; /* its answer may have some: it came by HTTP/2 */
    bool is_unix;      /* came by a unix socket; then peer_uid is the kernel's word */
    uint32_t peer_uid;
    bool is_tls;
    const struct rely_certificate *certificate; /* the client's, whose chain was good; NULL: it has shown none */
};

/* The value of the first header of this lower-case name, ptr NULL when there is none; *count (may be NULL) says how
 * many there are: a second Authorization must be refused. */
struct rely_slice rely_http_find_header(const struct rely_http_request *request, struct rely_slice name, size_t *count);

/* By a unix socket: is the peer in this group? By the kernel's word, which is asked anew. */
bool rely_http_peer_is_in(const struct rely_http_request *request, uint32_t group);

/* Who asked, for logs: "127.0.0.1:5123", "[::1]:5123", "unix:1000" (the uid), or "unknown" when it has left. Formatted
 * only when somebody wants it. */
#define RELY_PEER_SIZE 64
void rely_http_peer(const struct rely_http_request *request, char out[RELY_PEER_SIZE]);

/* Does the loop drain: is this among the last requests that it serves? */
bool rely_http_is_ending(const struct rely_http_request *request);

struct rely_http_header {
    struct rely_slice
        name; /* lower case, an RFC 9110 token: written in the source, or judged where a route has it; never from a request */
    struct rely_slice value;
};

struct rely_http_response {
    int status;
    struct rely_slice content_type; /* ptr NULL: none */
    const struct rely_http_header *headers;
    size_t header_count;
    struct rely_slice body; /* not sent to HEAD */
    const struct rely_http_header
        *trailers;        /* behind the body: only where the request has_trailers; no content-length */
    size_t trailer_count; /* at most RELY_HTTP_TRAILERS_MAX */
    /* Of the body, what is sent at once: the rest and the trailers go out when the loop drains. 0: all is. Only where
     * rely_http_may_hold says so. */
    size_t held_from;
};
#define RELY_HTTP_TRAILERS_MAX 4

/* Send the answer; everything in it is copied. Exactly once per request, on the loop's thread. A
 * header value with a control character is never sent: the answer becomes an empty 500, counted and logged, so that no
 * claim of a token can add a header or split the response. */
void rely_http_respond(struct rely_http_request *request, const struct rely_http_response *response);

/* May its answer be held open (held_from)? Not where its connection has enough of them, nor when the loop drains already.
 * Nobody waits for such an answer: its connection makes room for others, and ends after some time without a request. */
static inline bool rely_http_may_hold(const struct rely_http_request *request)
{
    return request->transport->may_hold != NULL && !rely_http_is_ending(request) &&
           request->transport->may_hold(request);
}

/* An RFC 9457 application/problem+json: stable code, title from the status, and one entry in `errors` per problem (may
 * be NULL). */
void rely_http_problem(struct rely_http_request *request, int status, const char *code, const char *detail,
                       const struct rely_problems *problems);
/* The same with a header. In: header - its value's ptr NULL: none. */
void rely_http_problem_with(struct rely_http_request *request, int status, const char *code, const char *detail,
                            const struct rely_http_header *header);
/* The same with members of its own. In: members - as JSON writes them: `"by":[]`. */
void rely_http_problem_of(struct rely_http_request *request, int status, const char *code, const char *detail,
                          struct rely_slice members);
/* The problem `method_not_allowed`, 405, with this value of Allow. */
void rely_http_refuse_method(struct rely_http_request *request, const char *allow);

/**
 * Keep a request to answer it later; call inside the handler. When that returns, the request is no more than somebody to
 * answer: its slices are NULL and its headers gone. It stays valid until it is answered, or until `gone` runs because
 * the connection broke or the loop stops; never touch it afterwards. A client that ends its side of the connection is
 * answered all the same: whether it still reads, writing will tell.
 */
void rely_http_defer(struct rely_http_request *request, void (*gone)(void *context), void *context);
/* As rely_http_defer, but its connection keeps it whole: rely_http_handle_again gives it to its handler once more, which
 * then is not to put it off again. */
void rely_http_put_off(struct rely_http_request *request, void (*gone)(void *context), void *context);
/* Not inside another request's handler, whose headers would be gone. `gone` is not called any more, unless the handler
 * defers it; the request may be gone when this returns. */
static inline void rely_http_handle_again(struct rely_http_request *request)
{
    request->transport->handle_again(request);
}

/* --- small HTTP rules --------------------------------------------------------------------------- */

enum rely_bearer { RELY_BEARER_NONE, RELY_BEARER_TOKEN, RELY_BEARER_BAD };
/**
 * The bearer token of a request.
 *
 * Spec:     RFC 6750 s2.1: only the Authorization header, never query or cookie; scheme in any case, then one or more
 *           blanks. NONE also for another scheme, and for this one with nothing behind it. More than one Authorization
 *           header, or no blank behind the scheme, is BAD (a proxy may have judged another one than its backend reads).
 * Out:      *token - all behind the blanks, whatever it is: on TOKEN only. That it is one token, without blank or
 *           comma, rely_token_read judges, whose alphabet has neither.
 */
enum rely_bearer rely_http_bearer(const struct rely_http_request *request, struct rely_slice *token);
/* The same of the value of the one header that there is. */
enum rely_bearer rely_http_read_bearer(struct rely_slice value, struct rely_slice *token);
/* The same in another header. In: name - in lower case. */
enum rely_bearer rely_http_bearer_in(const struct rely_http_request *request, struct rely_slice name,
                                     struct rely_slice *token);

#endif
