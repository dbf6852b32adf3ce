/*
 * Turns a response into libh2o's: copies it into the request's pool in one block and hands it over. Decides whether the
 * bytes are safe to send and what HEAD, 204 and 304 leave out; does not decide what is answered. Called by handlers.
 */
#include "loop.h"

/* A claim of a token may become a header: CR or LF in it would let a stranger write headers of his own. */
static bool has_control(struct rely_slice text)
{
    bool found = false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        found |= (c < ' ' && c != '\t') || c == 0x7f;
    }
    return found;
}

static bool is_sendable_name(struct rely_slice name)
{
    return name.len > 0 && !has_control(name) && memchr(name.ptr, ':', name.len) == NULL &&
           memchr(name.ptr, ' ', name.len) == NULL;
}

static bool is_sendable(const struct rely_http_response *response)
{
    bool is_safe = !has_control(response->content_type);
    for (size_t i = 0; i < response->header_count; i++)
        is_safe = is_safe && is_sendable_name(response->headers[i].name) && !has_control(response->headers[i].value);
    return is_safe;
}

static size_t count_bytes(const struct rely_http_response *response, bool has_body)
{
    size_t bytes = response->content_type.len + (has_body ? response->body.len : 0);
    for (size_t i = 0; i < response->header_count; i++)
        bytes += response->headers[i].name.len + response->headers[i].value.len;
    return bytes;
}

/* Copies text to *block and moves *block behind it. */
static h2o_iovec_t place_text(char **block, struct rely_slice text)
{
    h2o_iovec_t placed = h2o_iovec_init(*block, text.len);
    if (text.len > 0)
        memcpy(*block, text.ptr, text.len);
    *block += text.len;
    return placed;
}

static void place_headers(h2o_req_t *h2o, const struct rely_http_response *response, char **block)
{
    h2o_headers_t *headers = &h2o->res.headers;
    h2o_vector_reserve(&h2o->pool, headers, response->header_count + 1);
    if (response->content_type.ptr != NULL) {
        h2o_iovec_t type = place_text(block, response->content_type);
        h2o_add_header(&h2o->pool, headers, H2O_TOKEN_CONTENT_TYPE, NULL, type.base, type.len);
    }
    for (size_t i = 0; i < response->header_count; i++) {
        h2o_iovec_t name = place_text(block, response->headers[i].name);
        h2o_iovec_t value = place_text(block, response->headers[i].value);
        h2o_add_header_by_str(&h2o->pool, headers, name.base, name.len, 1, NULL, value.base, value.len);
    }
}

void rely_http_respond(struct rely_http_request *request, const struct rely_http_response *response)
{
    static h2o_generator_t generator;
    static const struct rely_http_response unsendable = {.status = 500};
    struct rely_exchange *exchange = (struct rely_exchange *)request;
    RELY_ASSERT(!exchange->is_answered);
    exchange->is_answered = true;
    if (exchange->connection->exchange != NULL)
        rely_exchange_unwatch(exchange);
    if (!is_sendable(response))
        response = &unsendable;

    h2o_req_t *h2o = exchange->h2o;
    bool is_bodiless = response->status == 204 || response->status == 304;
    bool has_body = !is_bodiless && response->body.len > 0 && !rely_slice_equal(request->method, RELY_LIT("HEAD"));
    char *block = h2o_mem_alloc_pool(&h2o->pool, count_bytes(response, has_body) + 1);
    h2o->res.status = response->status;
    h2o->res.reason = rely_http_phrase(response->status);
    /* RFC 9110 s8.6: no Content-Length with 204; with HEAD it is that of GET. */
    h2o->res.content_length = is_bodiless ? SIZE_MAX : response->body.len;
    place_headers(h2o, response, &block);
    if (h2o->conn->ctx->shutdown_requested)
        h2o->http1_is_persistent = 0; /* libh2o asks only when it parses; a deferred request was parsed before */
    h2o_start_response(h2o, &generator);
    h2o_iovec_t body = has_body ? place_text(&block, response->body) : h2o_iovec_init(NULL, 0);
    h2o_send(h2o, &body, has_body ? 1 : 0, H2O_SEND_STATE_FINAL);
}
