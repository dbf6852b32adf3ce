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

#endif
