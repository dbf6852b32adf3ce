/*
 * Envoy's question whether a request may pass, and what a probe asks about: the headers and extensions that are there,
 * as they were sent. Says what is wrong with a message, and nothing about the token in it. Called by endpoints/grpc.c.
 */
#include "relyd/protobuf.h"

#include "unpack.h"

#include <generated/check.pb-c.h>

static const char unreadable[] = "the CheckRequest cannot be read: it is cut off or none, or has too many fields";
static const char several[] = "the CheckRequest has a field several times that may be there once";

static struct rely_slice slice_of_field(const ProtobufCBinaryData *items, size_t count)
{
    return count == 0 ? RELY_LIT("") : rely_protobuf_slice(&items[0]);
}

/* A map's entries, in the order in which they were sent. */
static const char *read_pairs(Relyd__Pair *const *items, size_t count, struct rely_protobuf_pair *out)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i]->n_key > 1 || items[i]->n_value > 1)
            return several;
        out[i] = (struct rely_protobuf_pair){slice_of_field(items[i]->key, items[i]->n_key),
                                             slice_of_field(items[i]->value, items[i]->n_value)};
    }
    return NULL;
}

/* Envoy fills one of the two. */
static const char *read_header_value(const Relyd__HeaderValue *header, struct rely_protobuf_pair *out)
{
    if (header->n_key > 1 || header->n_value + header->n_raw_value > 1)
        return several;
    out->name = slice_of_field(header->key, header->n_key);
    out->value =
        header->n_raw_value > 0 ? slice_of_field(header->raw_value, 1) : slice_of_field(header->value, header->n_value);
    return NULL;
}

static const char *read_header_map(const Relyd__CheckedHttp *http, struct rely_protobuf_pair *out, size_t *count)
{
    const char *wrong = http->n_header_map > 1 ? several : NULL;
    for (size_t i = 0; wrong == NULL && i < http->n_header_map; i++)
        for (size_t j = 0; wrong == NULL && j < http->header_map[i]->n_headers; j++)
            wrong = read_header_value(http->header_map[i]->headers[j], &out[(*count)++]);
    return wrong;
}

/* Newer Envoys fill the one list, older ones the other: what stands in either is there. */
static const char *read_checked_http(const Relyd__CheckedHttp *http, struct rely_pool *pool,
                                     struct rely_protobuf_check *out)
{
    size_t in_map = http->n_header_map == 0 ? 0 : http->header_map[0]->n_headers;
    struct rely_protobuf_pair *headers = rely_pool_alloc(pool, (http->n_headers + in_map) * sizeof *headers);
    const char *wrong = http->n_method > 1 ? several : read_pairs(http->headers, http->n_headers, headers);
    size_t count = http->n_headers;
    if (wrong == NULL)
        wrong = read_header_map(http, headers, &count);
    out->method = slice_of_field(http->method, http->n_method);
    out->headers = headers;
    out->header_count = count;
    return wrong;
}

static const char *read_attributes(const Relyd__AttributeContext *attributes, struct rely_pool *pool,
                                   struct rely_protobuf_check *out)
{
    size_t count = attributes->n_context_extensions;
    struct rely_protobuf_pair *extensions = rely_pool_alloc(pool, count * sizeof *extensions);
    const char *wrong = read_pairs(attributes->context_extensions, count, extensions);
    out->extensions = extensions;
    out->extension_count = count;
    if (wrong != NULL || attributes->n_request == 0)
        return wrong;
    const Relyd__CheckedRequest *request = attributes->request[0];
    if (attributes->n_request > 1 || request->n_http > 1)
        return several;
    return request->n_http == 0 ? NULL : read_checked_http(request->http[0], pool, out);
}

const char *rely_protobuf_read_check(struct rely_slice message, struct rely_pool *pool, struct rely_protobuf_check *out)
{
    struct rely_protobuf_check read = {.method = RELY_LIT("")};
    const Relyd__CheckRequest *request =
        rely_protobuf_unpack(&relyd__check_request__descriptor, message, pool, RELY_UNPACK_LIMIT(message));
    if (request == NULL)
        return unreadable;
    const char *wrong = request->n_attributes > 1 ? several : NULL;
    if (wrong == NULL && request->n_attributes == 1)
        wrong = read_attributes(request->attributes[0], pool, &read);
    if (wrong == NULL)
        *out = read;
    return wrong;
}

const char *rely_protobuf_read_health(struct rely_slice message, struct rely_pool *pool, struct rely_slice *service)
{
    const Relyd__HealthCheckRequest *request =
        rely_protobuf_unpack(&relyd__health_check_request__descriptor, message, pool, RELY_UNPACK_LIMIT(message));
    if (request == NULL || request->n_service > 1)
        return "the HealthCheckRequest cannot be read";
    *service = slice_of_field(request->service, request->n_service);
    return NULL;
}
