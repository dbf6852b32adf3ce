/*
 * protobuf: bodies that are no JSON. Knows no HTTP; what is in them, their endpoints judge.
 */
#ifndef RELYD_PROTOBUF_H
#define RELYD_PROTOBUF_H

#include "relyd/base.h"

/* Of a TokenReview what relyd looks at. Texts are UTF-8 without NUL, in the pool. */
struct rely_protobuf_review {
    struct rely_slice api_version, kind; /* ptr NULL: not said */
    struct rely_slice token;             /* not said: empty, as protobuf has it */
    const struct rely_slice *audiences;
    size_t audience_count; /* at most RELY_REQUEST_AUDIENCES_MAX */
};

/**
 * Read a TokenReview as client-go's typed clients send it: application/vnd.kubernetes.protobuf.
 *
 * Spec:     k8s.io/apimachinery/pkg/runtime/serializer/protobuf: four bytes of magic, then runtime.Unknown, whose `raw`
 *           is the object. Fields that are not known are passed over. What may be there once is there twice: refused,
 *           because another reader may take the other one.
 * In:       body - any bytes, limited by the caller: it takes at most twice as many, and 32 KiB, of the pool.
 * Out:      *out - only when NULL is returned.
 * Returns:  what is wrong, a static sentence; NULL: nothing is.
 */
const char *rely_protobuf_read_tokenreview(struct rely_slice body, struct rely_pool *pool,
                                           struct rely_protobuf_review *out);

/* An entry of a map, or a header: any bytes, in the pool. */
struct rely_protobuf_pair {
    struct rely_slice name, value;
};

/* Of Envoy's CheckRequest what relyd looks at. Nothing of it need be there. */
struct rely_protobuf_check {
    struct rely_slice method;
    const struct rely_protobuf_pair
        *headers; /* names as they were sent, which is in lower case; those of one name apart */
    size_t header_count;
    const struct rely_protobuf_pair *extensions; /* context_extensions: the gateway's configuration wrote them */
    size_t extension_count;
};

/**
 * Read a CheckRequest.
 *
 * Spec:     envoy.service.auth.v3: attributes.request.http.{method, headers, header_map}, attributes.context_extensions.
 *           Newer Envoys fill header_map, older ones headers: both are read, as one list.
 * In:       message - any bytes, limited by the caller: it takes at most as many, and 16 KiB, of the pool, and the list
 *           of pairs.
 * Out:      *out - only when NULL is returned.
 * Returns:  what is wrong, a static sentence; NULL: nothing is.
 */
const char *rely_protobuf_read_check(struct rely_slice message, struct rely_pool *pool,
                                     struct rely_protobuf_check *out);
/* The service that a HealthCheckRequest of grpc.health.v1 asks about. As above. */
const char *rely_protobuf_read_health(struct rely_slice message, struct rely_pool *pool, struct rely_slice *service);

/* Append a field of a message: a number that is not signed, or bytes, a text, another message. */
void rely_protobuf_put_number(struct rely_buf *out, unsigned field, uint64_t number);
void rely_protobuf_put_bytes(struct rely_buf *out, unsigned field, struct rely_slice bytes);

#endif
