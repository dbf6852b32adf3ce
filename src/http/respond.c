/*
 * Turns a response into libh2o's: copies it into the pool of the request and hands it over. Decides what HEAD,
 * 204 and 304 leave out; does not decide what is answered. Called by request.c.
 */
#include "exchange.h"

#define CONTENT_TYPE RELY_LIT("content-type")

static size_t count_bytes(const struct rely_http_response *response, bool has_body)
{
    size_t bytes = CONTENT_TYPE.len + response->content_type.len + (has_body ? response->body.len : 0);
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

static void place_header(h2o_headers_t *headers, h2o_iovec_t *name, const struct rely_http_header *header, char **block)
{
    *name = place_text(block, header->name);
    headers->entries[headers->size++] = (h2o_header_t){.name = name, .value = place_text(block, header->value)};
}

/* Straight into libh2o's list, without h2o_add_header_by_str(): it looks every name up, allocates each value on its own,
 * and so costs more than the review of a repeated token. libh2o asks for none of these headers. */
static void place_headers(h2o_req_t *h2o, const struct rely_http_response *response, char **block)
{
    size_t room = response->header_count + 1;
    h2o_iovec_t *names = h2o_mem_alloc_pool(&h2o->pool, room * sizeof *names);
    h2o_headers_t *headers = &h2o->res.headers;
    h2o_vector_reserve(&h2o->pool, headers, room);
    if (response->content_type.ptr != NULL)
        place_header(headers, names++, &(struct rely_http_header){CONTENT_TYPE, response->content_type}, block);
    for (size_t i = 0; i < response->header_count; i++)
        place_header(headers, names++, &response->headers[i], block);
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
