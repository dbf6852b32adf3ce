/*
 * Turns a response into libh2o's: copies it into the request's pool in one block and hands it over. Decides whether the
 * bytes are safe to send and what HEAD, 204 and 304 leave out; does not decide what is answered. Called by handlers.
 */
#include "loop.h"

#include "relyd/bytes.h"

static uint64_t mark_controls(uint64_t bytes)
{
    return rely_bytes_below(bytes, 0x20) | rely_bytes_equal(bytes, 0x7f);
}

static bool has_control_byte(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* A claim of a token may become a header: CR or LF in it would let a stranger write headers of his own. Eight bytes at
 * a time, because every byte of every answer's headers comes by here. */
static bool has_control(struct rely_slice text)
{
    uint64_t suspects = 0;
    if (text.len == 0)
        return false;
    size_t whole = text.len & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        suspects |= mark_controls(rely_bytes_load(text.ptr + i));
    if (text.len < 8)
        return has_control_byte(text.ptr, text.len);
    suspects |= mark_controls(rely_bytes_load(text.ptr + text.len - 8)); /* overlaps: cheaper than byte by byte */
    return suspects != 0 && has_control_byte(text.ptr, text.len);
}

static bool is_sendable(const struct rely_http_response *response)
{
    bool is_safe = !has_control(response->content_type);
    for (size_t i = 0; i < response->header_count; i++)
        is_safe = is_safe && !has_control(response->headers[i].value);
    return is_safe;
}

static size_t count_bytes(const struct rely_http_response *response, bool has_body)
{
    size_t bytes = response->content_type.len + (has_body ? response->body.len : 0);
    for (size_t i = 0; i < response->header_count; i++)
        bytes += response->headers[i].value.len;
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
        struct rely_slice name = response->headers[i].name;
        h2o_iovec_t value = place_text(block, response->headers[i].value);
        h2o_add_header_by_str(&h2o->pool, headers, name.ptr, name.len, 0, NULL, value.base, value.len);
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
