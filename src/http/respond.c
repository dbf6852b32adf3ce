/*
 * Turns a response into libh2o's: copies it into the request's pool in one block and hands it over. Decides what HEAD,
 * 204 and 304 leave out; does not decide what is answered. Called by request.c.
 */
#include "exchange.h"

#define SEPARATOR_BYTES 4 /* of one header from the next: CR LF, colon, blank */

static size_t count_bytes(const struct rely_http_response *response, bool has_body)
{
    size_t bytes = response->content_type.len + SEPARATOR_BYTES + (has_body ? response->body.len : 0);
    for (size_t i = 0; i < response->header_count; i++)
        bytes += response->headers[i].name.len + response->headers[i].value.len + SEPARATOR_BYTES;
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

/*
 * Places all headers, whose values are known to hold no line end, as the value of the first: libh2o allocates, looks
 * through and copies each header that it knows of on its own, which costs more than the review of a repeated token.
 * HTTP/1.1 only.
 */
static void place_headers(h2o_req_t *h2o, const struct rely_http_response *response, char **block)
{
    bool has_type = response->content_type.ptr != NULL;
    if (!has_type && response->header_count == 0)
        return;
    struct rely_slice first = has_type ? RELY_LIT("content-type") : response->headers[0].name;
    h2o_iovec_t lines = place_text(block, has_type ? response->content_type : response->headers[0].value);
    for (size_t i = has_type ? 0 : 1; i < response->header_count; i++) {
        place_text(block, RELY_LIT("\r\n"));
        place_text(block, response->headers[i].name);
        place_text(block, RELY_LIT(": "));
        place_text(block, response->headers[i].value);
    }
    lines.len = (size_t)(*block - lines.base);
    h2o_add_header_by_str(&h2o->pool, &h2o->res.headers, first.ptr, first.len, 0, NULL, lines.base, lines.len);
}

void rely_exchange_respond(struct rely_http_request *request, const struct rely_http_response *response)
{
    static h2o_generator_t generator;
    struct rely_exchange *exchange = (struct rely_exchange *)request;
    RELY_ASSERT(!exchange->is_answered);
    exchange->is_answered = true;
    if (exchange->connection->deferred_count > 0)
        rely_exchange_unwatch(exchange);
    h2o_req_t *h2o = exchange->h2o;
    bool is_bodiless = response->status == 204 || response->status == 304;
    bool has_body = !is_bodiless && response->body.len > 0 && !rely_slice_equal(request->method, RELY_LIT("HEAD"));
    char *block = h2o_mem_alloc_pool(&h2o->pool, count_bytes(response, has_body) + 1);
    exchange->connection->answer_bytes = response->body.len;
    h2o->res.status = response->status;
    h2o->res.reason = rely_http_phrase(response->status);
    /* RFC 9110 s8.6: no Content-Length with 204; with HEAD it is that of GET. */
    h2o->res.content_length = is_bodiless ? SIZE_MAX : response->body.len;
    h2o->res.headers.size = 0; /* libh2o's own, when it is answering already */
    place_headers(h2o, response, &block);
    h2o_iovec_t body = has_body ? place_text(&block, response->body) : h2o_iovec_init(NULL, 0);
    if (exchange->substitute != NULL) {
        *exchange->substitute = body;
        return;
    }
    if (h2o->conn->ctx->shutdown_requested)
        h2o->http1_is_persistent = 0; /* libh2o asks only when it parses; a deferred request was parsed before */
    h2o_start_response(h2o, &generator);
    h2o_send(h2o, &body, has_body ? 1 : 0, H2O_SEND_STATE_FINAL);
}
