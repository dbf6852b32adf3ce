/*
 * The handler of the tests of HTTP/2.
 */
#include "h2_handler.h"

#include "relyd/pool.h"

#include <stdlib.h>
#include <unistd.h>

static void forget_wait(void *context)
{
    struct h2_wait *wait = context;
    RELY_ASSERT(wait->request != NULL); /* it was answered, or told before */
    wait->request = NULL;
    atomic_fetch_sub(&wait->handler->waiting, 1);
    atomic_fetch_add(&wait->handler->gone, 1);
}

static void keep_waiting(struct h2_handler *handler, struct rely_http_request *request, bool is_put_off)
{
    struct h2_wait *wait = handler->waits;
    while (wait->request != NULL)
        wait++;
    RELY_ASSERT(wait < handler->waits + H2_WAITS_MAX);
    *wait = (struct h2_wait){handler, request, is_put_off};
    (is_put_off ? rely_http_put_off : rely_http_defer)(request, forget_wait, wait);
    atomic_fetch_add(&handler->waiting, 1);
}

void h2_answer_waiting(struct h2_handler *handler)
{
    char *value = rely_alloc(handler->header_bytes + 1);
    memset(value, 'v', handler->header_bytes);
    const struct rely_http_header header = {RELY_LIT("x-late"), rely_slice(value, handler->header_bytes)};
    for (size_t i = 0; i < H2_WAITS_MAX; i++) {
        struct rely_http_request *request = handler->waits[i].request;
        if (request == NULL)
            continue;
        handler->waits[i].request = NULL;
        atomic_fetch_sub(&handler->waiting, 1);
        rely_http_respond(request, &(struct rely_http_response){
                                       .status = 202, .headers = &header, .header_count = 1, .body = RELY_LIT("late")});
    }
    free(value);
}

void h2_handle_again(struct h2_handler *handler)
{
    for (size_t i = 0; i < H2_WAITS_MAX; i++) {
        struct rely_http_request *request = handler->waits[i].request;
        if (request == NULL || !handler->waits[i].is_put_off)
            continue;
        handler->waits[i].request = NULL;
        atomic_fetch_sub(&handler->waiting, 1);
        rely_http_handle_again(request);
    }
}

static struct rely_slice print_seen(const struct rely_http_request *request)
{
    char peer[RELY_PEER_SIZE];
    size_t twice = 0;
    (void)rely_http_find_header(request, RELY_LIT("x-twice"), &twice);
    struct rely_slice host = rely_http_find_header(request, RELY_LIT("host"), NULL);
    if (!rely_slice_equal(request->path, RELY_LIT("/peer")))
        return rely_pool_printf(request->scratch, "%.*s %.*s query=%.*s host=%.*s body=%.*s twice=%zu",
                                RELY_ARG(request->method), RELY_ARG(request->path), RELY_ARG(request->query),
                                RELY_ARG(host), RELY_ARG(request->body), twice);
    rely_http_peer(request, peer);
    return rely_pool_printf(request->scratch, "peer=%s group=%d", peer, rely_http_peer_is_in(request, getgid()));
}

static void answer_usual(struct rely_http_request *request)
{
    static const struct rely_http_header trailers[] = {{RELY_LIT("x-end"), RELY_LIT(" yes\t")},
                                                       {RELY_LIT("x-more"), RELY_LIT("")}};
    static const struct rely_http_header blank = {RELY_LIT("x-blank"), RELY_LIT("\t of a claim ")};
    static const struct rely_http_header split = {RELY_LIT("x-subject"), RELY_LIT("a\r\nset-cookie: b")};
    static const char large[H2_LARGE_BYTES];
    struct rely_http_response response = {
        .status = 200, .content_type = RELY_LIT("text/plain"), .headers = &blank, .header_count = 1};
    bool is_end = rely_slice_equal(request->path, RELY_LIT("/end"));
    if (rely_slice_equal(request->path, RELY_LIT("/204")) || rely_slice_equal(request->path, RELY_LIT("/304")))
        response.status = request->path.ptr[1] == '2' ? 204 : 304;
    if (rely_slice_equal(request->path, RELY_LIT("/split")))
        response.headers = &split;
    if (is_end || rely_slice_equal(request->path, RELY_LIT("/trailers"))) {
        response.trailers = trailers;
        response.trailer_count = 2;
    }
    if (rely_slice_equal(request->path, RELY_LIT("/large")))
        response.body = rely_slice(large, sizeof large);
    else if (!is_end)
        response.body = print_seen(request);
    rely_http_respond(request, &response);
}

static void handle_h2(struct rely_http_request *request, void *context)
{
    struct h2_handler *handler = context;
    bool holds = rely_slice_equal(request->path, RELY_LIT("/hold-and-free"));
    atomic_fetch_add(&handler->handled, 1);
    bool is_again = rely_slice_equal(request->path, RELY_LIT("/again")) ||
                    rely_slice_equal(request->path, RELY_LIT("/bodyless/again"));
    bool is_put_off = is_again && !request->is_again;
    if (is_put_off || rely_slice_equal(request->path, RELY_LIT("/wait"))) {
        keep_waiting(handler, request, is_put_off);
        return;
    }
    if (holds) {
        pthread_barrier_wait(&handler->hold);
        pthread_barrier_wait(&handler->hold);
    }
    if (holds || rely_slice_equal(request->path, RELY_LIT("/free")))
        h2_answer_waiting(handler);
    answer_usual(request);
}

static void refuse_h2(struct rely_http_request *request, void *context, const struct rely_http_refusal *refusal)
{
    struct h2_handler *handler = context;
    size_t count = 0;
    (void)rely_http_find_header(request, RELY_LIT("host"), &count);
    RELY_ASSERT(count == 0); /* it would be another request's */
    atomic_fetch_add(&handler->refused, 1);
    handler->refused_as = refusal->kind;
    rely_http_problem(request, refusal->status, refusal->code, refusal->detail, NULL);
}

static bool h2_needs_body(const struct rely_http_request *request)
{
    return !rely_slice_starts(request->path, RELY_LIT("/bodyless"));
}

struct rely_http_plane h2_plane(struct h2_handler *handler)
{
    return (struct rely_http_plane){.handle = handle_h2,
                                    .refuse = refuse_h2,
                                    .needs_body = h2_needs_body,
                                    .context = handler,
                                    .speaks_http2 = true};
}
