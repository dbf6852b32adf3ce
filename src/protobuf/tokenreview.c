/*
 * A TokenReview in Kubernetes' protobuf: the envelope, then what it holds. Says what is wrong with a body, and nothing
 * about the token in it. Called by endpoints/tokenreview_body.c.
 */
#include "relyd/protobuf.h"

#include "unpack.h"

#include "relyd/limits.h"
#include "relyd/text.h"

#include <generated/tokenreview.pb-c.h>

#define MAGIC RELY_LIT("k8s\0")
#define MEDIA_TYPE RELY_LIT("application/vnd.kubernetes.protobuf")

static const char twice[] = "the body has a field twice that may be there once";
static const char no_text[] = "the body has a text that is not UTF-8, or has a NUL in it";

static bool is_clean_text(struct rely_slice text)
{
    size_t count;
    return rely_utf8_count(text, &count) && memchr(text.ptr, '\0', text.len) == NULL;
}

/* A text that may be there once. Out: *out, if it is there. */
static const char *read_only_text(const ProtobufCBinaryData *items, size_t count, struct rely_slice *out)
{
    if (count > 1)
        return twice;
    if (count == 0)
        return NULL;
    *out = rely_protobuf_slice(&items[0]);
    return is_clean_text(*out) ? NULL : no_text;
}

/* Empty is absent, in protobuf. */
static struct rely_slice absent_if_empty(struct rely_slice text)
{
    return text.len == 0 ? (struct rely_slice){NULL, 0} : text;
}

static const char *read_type_meta(const Relyd__Envelope *envelope, struct rely_protobuf_review *out)
{
    if (envelope->n_type_meta == 0)
        return NULL;
    const Relyd__TypeMeta *meta = envelope->type_meta[0];
    const char *wrong = envelope->n_type_meta > 1 ? twice : NULL;
    if (wrong == NULL)
        wrong = read_only_text(meta->api_version, meta->n_api_version, &out->api_version);
    if (wrong == NULL)
        wrong = read_only_text(meta->kind, meta->n_kind, &out->kind);
    out->api_version = absent_if_empty(out->api_version);
    out->kind = absent_if_empty(out->kind);
    return wrong;
}

/* That `raw` is what it is taken for: nothing compressed it, and it is protobuf itself. */
static const char *check_content(const Relyd__Envelope *envelope)
{
    struct rely_slice encoding = {NULL, 0}, type = {NULL, 0};
    const char *wrong = read_only_text(envelope->content_encoding, envelope->n_content_encoding, &encoding);
    if (wrong == NULL)
        wrong = read_only_text(envelope->content_type, envelope->n_content_type, &type);
    if (wrong != NULL)
        return wrong;
    if (encoding.len > 0)
        return "contentEncoding must be empty: relyd unpacks nothing";
    if (type.len > 0 && !rely_slice_equal(type, MEDIA_TYPE))
        return "contentType must be empty or application/vnd.kubernetes.protobuf";
    return NULL;
}

static const char *read_audience_texts(const Relyd__TokenReviewSpec *spec, struct rely_pool *pool,
                                       struct rely_protobuf_review *out)
{
    _Static_assert(RELY_REQUEST_AUDIENCES_MAX == 32, "the sentence says how many");
    if (spec->n_audiences > RELY_REQUEST_AUDIENCES_MAX)
        return "audiences has more than 32 entries";
    struct rely_slice *audiences = rely_pool_alloc(pool, spec->n_audiences * sizeof *audiences);
    for (size_t i = 0; i < spec->n_audiences; i++) {
        audiences[i] = rely_protobuf_slice(&spec->audiences[i]);
        if (!is_clean_text(audiences[i]))
            return no_text;
    }
    out->audiences = audiences;
    out->audience_count = spec->n_audiences;
    return NULL;
}

static const char *read_raw(struct rely_slice raw, struct rely_pool *pool, struct rely_protobuf_review *out)
{
    const Relyd__TokenReview *review =
        rely_protobuf_unpack(&relyd__token_review__descriptor, raw, pool, RELY_UNPACK_LIMIT(raw));
    if (review == NULL)
        return "the body's object cannot be read: it is no TokenReview, or has too many fields";
    if (review->n_spec != 1)
        return review->n_spec == 0 ? "spec is required" : twice;
    const Relyd__TokenReviewSpec *spec = review->spec[0];
    const char *wrong = read_only_text(spec->token, spec->n_token, &out->token);
    return wrong != NULL ? wrong : read_audience_texts(spec, pool, out);
}

const char *rely_protobuf_read_tokenreview(struct rely_slice body, struct rely_pool *pool,
                                           struct rely_protobuf_review *out)
{
    struct rely_protobuf_review read = {.token = RELY_LIT("")};
    if (!rely_slice_starts(body, MAGIC))
        return "the body does not begin as Kubernetes' protobuf does";
    struct rely_slice rest = rely_slice(body.ptr + MAGIC.len, body.len - MAGIC.len);
    const Relyd__Envelope *envelope =
        rely_protobuf_unpack(&relyd__envelope__descriptor, rest, pool, RELY_UNPACK_LIMIT(rest));
    if (envelope == NULL)
        return "the body's envelope cannot be read: it is cut off or no protobuf, or has too many fields";
    const char *wrong = read_type_meta(envelope, &read);
    if (wrong == NULL)
        wrong = check_content(envelope);
    if (wrong == NULL && envelope->n_raw != 1)
        wrong = envelope->n_raw == 0 ? "spec is required" : twice;
    if (wrong == NULL)
        wrong = read_raw(rely_protobuf_slice(&envelope->raw[0]), pool, &read);
    if (wrong == NULL)
        *out = read;
    return wrong;
}
