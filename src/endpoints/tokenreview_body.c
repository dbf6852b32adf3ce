/*
 * Reads the body of a TokenReview, in JSON (kube-apiserver, kubectl, Vault) or in protobuf (client-go's typed clients).
 * What Kubernetes' own API server tolerates is tolerated: members and fields that are not known, and no kind at all.
 * Both forms come to the same request. Called by tokenreview.c.
 */
#include "reviewer.h"

#include "relyd/protobuf.h"

/* The body's own apiVersion is answered: kube-apiserver takes no other. Absent: that of the path. */
static const char *judge_type(struct rely_slice version, struct rely_slice kind, struct rely_asked *asked)
{
    static const char *const versions[] = {"authentication.k8s.io/v1", "authentication.k8s.io/v1beta1"};
    if (kind.ptr != NULL && !rely_slice_equal(kind, RELY_LIT("TokenReview")))
        return "kind is not TokenReview";
    if (version.ptr == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++)
        if (rely_slice_equal(version, rely_slice_of(versions[i]))) {
            asked->api_version = versions[i];
            return NULL;
        }
    return "apiVersion is neither authentication.k8s.io/v1 nor authentication.k8s.io/v1beta1";
}

/* Absent; the text; or empty, which no type is called, for what is no text. */
static struct rely_slice type_member(const struct rely_view *body, struct rely_slice name)
{
    uint32_t at = rely_view_member(body, 0, name);
    if (at == 0)
        return (struct rely_slice){NULL, 0};
    return rely_view_type(body, at) == RELY_VIEW_STRING ? body->nodes[at].text : RELY_LIT("");
}

static const char *read_json_tokenreview(struct rely_http_request *request, struct rely_asked *asked)
{
    struct rely_view body;
    struct rely_problems problems;
    const char *wrong = NULL;
    if (!rely_view_parse(request->body, request->scratch, &body, &wrong))
        return rely_pool_printf(request->scratch, "the body is not a strict JSON object: %s", wrong).ptr;
    wrong = judge_type(type_member(&body, RELY_LIT("apiVersion")), type_member(&body, RELY_LIT("kind")), asked);
    if (wrong != NULL)
        return wrong;
    uint32_t spec = rely_view_member(&body, 0, RELY_LIT("spec"));
    if (rely_view_type(&body, spec) != RELY_VIEW_OBJECT)
        return "spec is required, and is an object";
    problems.count = 0;
    if (!rely_body_read_review(&body, spec, request->scratch, &asked->review, &problems))
        wrong = rely_pool_copy(request->scratch, rely_slice_of(problems.items[0].message)).ptr;
    asked->review.identity = (struct rely_slice){0}; /* no member of a TokenReview */
    return wrong;
}

static const char *read_protobuf_tokenreview(struct rely_http_request *request, struct rely_asked *asked)
{
    struct rely_protobuf_review body;
    const char *wrong = rely_protobuf_read_tokenreview(request->body, request->scratch, &body);
    if (wrong != NULL)
        return wrong;
    asked->review.token = body.token;
    asked->review.audiences = body.audiences;
    asked->review.audience_count = body.audience_count;
    return judge_type(body.api_version, body.kind, asked);
}

const char *rely_tokenreview_read(struct rely_http_request *request, const char *of_path, struct rely_asked *asked,
                                  int *status)
{
    asked->api_version = of_path;
    *status = 400;
    if (rely_body_is_json(request))
        return read_json_tokenreview(request, asked);
    if (rely_body_is_protobuf(request))
        return read_protobuf_tokenreview(request, asked);
    *status = 415;
    return "the body must be application/json or application/vnd.kubernetes.protobuf, and its Content-Type say which";
}
