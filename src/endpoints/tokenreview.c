/*
 * Kubernetes' TokenReview, v1 and v1beta1: for kube-apiserver's webhook and for clients that take the user of an
 * identity; and, under a route that says so, for those that want what the token's own API server would say (Vault,
 * istiod, SPIRE: the service account's uid, names of system:, pod and node). The answer is JSON, whatever the body was
 * (tokenreview_body.c). A refusal is 200 with authenticated false; only a body that is no TokenReview gets a 4xx with a
 * Kubernetes Status.
 */
#include "reviewer.h"

#include "relyd/route.h"

/* The words of Kubernetes' API (metav1.StatusReason), by which its clients choose what to do: kube-apiserver's webhook
 * asks again after Timeout and InternalError. What it has no word for is a bad request, or the server's if it is 5xx, as
 * client-go has it. */
static const char *reason_of_status(int status)
{
    static const struct {
        int status;
        const char *word;
    } words[] = {{401, "Unauthorized"},         {403, "Forbidden"},         {404, "NotFound"},
                 {405, "MethodNotAllowed"},     {408, "Timeout"},           {413, "RequestEntityTooLarge"},
                 {415, "UnsupportedMediaType"}, {503, "ServiceUnavailable"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i].status == status)
            return words[i].word;
    return status >= 500 ? "InternalError" : "BadRequest";
}

/* In: header - one more than an ordinary one has: Allow, WWW-Authenticate; its value NULL: none. */
static void reply_status_with(struct rely_reviewer *reviewer, struct rely_http_request *request, int status,
                              const char *message, const struct rely_http_header *header)
{
    struct rely_buf *out = &reviewer->out;
    out->len = 0;
    rely_buf_put(out, RELY_LIT("{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\","));
    rely_answer_put_member(out, "message", rely_slice_of(message));
    rely_buf_putc(out, ',');
    rely_answer_put_member(out, "reason", rely_slice_of(reason_of_status(status)));
    rely_buf_printf(out, ",\"code\":%d}\n", status);
    rely_http_respond(request, &(struct rely_http_response){.status = status,
                                                            .content_type = RELY_LIT("application/json"),
                                                            .headers = header,
                                                            .header_count = header->value.ptr != NULL ? 1 : 0,
                                                            .body = rely_buf_slice(out)});
}

static void reply_status(struct rely_reviewer *reviewer, struct rely_http_request *request, int status,
                         const char *message)
{
    static const struct rely_http_header none = {.value = {NULL, 0}};
    reply_status_with(reviewer, request, status, message, &none);
}

/* The key is a literal that JSON needs not escape. */
#define put_extra_value(out, key, value)                                                                               \
    (rely_buf_put((out), RELY_LIT("\"" key "\":[")), rely_buf_put_json((out), (value)), rely_buf_putc((out), ']'))

/* The same for the same token: authorization webhooks cache by user and extra, so that a decision's id in here would
 * defeat them. It stands in a header. */
static void put_extra_map(struct rely_buf *out, const struct rely_answer *answer, const struct rely_match *match)
{
    const struct rely_identity *identity = match->identity;
    rely_buf_put(out, RELY_LIT("\"extra\":{"));
    for (size_t i = 0; i < identity->extra_count; i++) {
        rely_buf_put_json(out, identity->extra[i].key);
        rely_buf_putc(out, ':');
        rely_answer_put_texts(out, identity->extra[i].values, identity->extra[i].value_count);
        rely_buf_putc(out, ',');
    }
    put_extra_value(out, "relyd.io/issuer", answer->review->issuer->name);
    rely_buf_putc(out, ',');
    put_extra_value(out, "relyd.io/subject", answer->review->claims.subject);
    rely_buf_putc(out, ',');
    put_extra_value(out, "relyd.io/credential", match->credential->name);
    rely_buf_putc(out, '}');
}

/* Those that the caller has sent, where the route's stand for them; never none, which would mean any. */
static void put_audiences(struct rely_buf *out, const struct rely_answer *answer, const struct rely_match *match)
{
    const struct rely_named_route *route = answer->review->route;
    const struct rely_review_request *asked = &answer->asked->review;
    if (route != NULL && route->trusts_callers_audiences && asked->audience_count > 0)
        rely_answer_put_texts(out, asked->audiences, asked->audience_count);
    else
        rely_answer_put_audiences(out, match);
}

/* The identity. */
static void put_identity_user(struct rely_buf *out, const struct rely_answer *answer, const struct rely_match *match)
{
    rely_answer_put_member(out, "username", match->username);
    rely_buf_putc(out, ',');
    rely_answer_put_member(out, "uid", match->identity->uid);
    rely_buf_put(out, RELY_LIT(",\"groups\":"));
    rely_answer_put_texts(out, match->identity->groups, match->identity->group_count);
    rely_buf_putc(out, ',');
    put_extra_map(out, answer, match);
}

/* What the token's own API server would say, to the letter: pkg/serviceaccount's UserInfo. */
static void put_account_user(struct rely_buf *out, const struct rely_claims *claims, struct rely_pool *pool)
{
    const struct rely_kubernetes_claims *account = &claims->kubernetes;
    bool has_id = claims->token_id.len > 0;
    const struct {
        const char *key;
        struct rely_slice value;
    } extra[] = {
        {"credential-id",
         has_id ? rely_pool_printf(pool, "JTI=%.*s", RELY_ARG(claims->token_id)) : (struct rely_slice){NULL, 0}},
        {"node-name", account->node_name},
        {"node-uid", account->node_uid},
        {"pod-name", account->pod_name},
        {"pod-uid", account->pod_uid},
    };
    const char *separator = "";
    const struct rely_slice groups[] = {
        RELY_LIT("system:serviceaccounts"),
        rely_pool_printf(pool, "system:serviceaccounts:%.*s", RELY_ARG(account->namespace_name)),
        RELY_LIT("system:authenticated")};
    rely_answer_put_member(out, "username", claims->subject);
    rely_buf_putc(out, ',');
    rely_answer_put_member(out, "uid", account->account_uid);
    rely_buf_put(out, RELY_LIT(",\"groups\":"));
    rely_answer_put_texts(out, groups, sizeof groups / sizeof groups[0]);
    rely_buf_put(out, RELY_LIT(",\"extra\":{"));
    for (size_t i = 0; i < sizeof extra / sizeof extra[0]; i++) {
        if (extra[i].value.len == 0)
            continue;
        rely_buf_printf(out, "%s\"authentication.kubernetes.io/%s\":", separator, extra[i].key);
        rely_answer_put_texts(out, &extra[i].value, 1);
        separator = ",";
    }
    rely_buf_putc(out, '}');
}

static void put_allow(struct rely_reviewer *reviewer, const struct rely_answer *answer)
{
    struct rely_buf *out = &reviewer->out;
    const struct rely_review *review = answer->review;
    const struct rely_match *match = &review->matches.items[0];
    rely_buf_put(out, RELY_LIT("{\"authenticated\":true,\"user\":{"));
    if (review->route != NULL && review->route->answers_as_cluster)
        put_account_user(out, &review->claims, &reviewer->later);
    else
        put_identity_user(out, answer, match);
    rely_buf_put(out, RELY_LIT("},\"audiences\":"));
    put_audiences(out, answer, match);
    rely_buf_putc(out, '}');
}

/* Without `error` kube-apiserver caches the refusal: right for a final one, wrong for one that a fetched key, a uid
 * that is being written down or the next word of a cluster may mend. */
static bool is_for_now(const struct rely_review *review)
{
    return rely_review_wants_keys(review) || rely_review_wants_pin(review) ||
           review->decision.reason == RELY_LIVENESS_UNAVAILABLE;
}

static void put_deny(struct rely_reviewer *reviewer, struct rely_pool *pool, const struct rely_answer *answer)
{
    struct rely_buf *out = &reviewer->out;
    rely_buf_put(out, RELY_LIT("{\"authenticated\":false,\"user\":{}"));
    if (reviewer->has_error_on_refusal || is_for_now(answer->review)) {
        rely_buf_putc(out, ',');
        struct rely_slice sentence = rely_answer_sentence(answer, pool);
        rely_answer_put_member(out, "error",
                               rely_pool_printf(pool, "%.*s (decision %s)", RELY_ARG(sentence), answer->decision_id));
    }
    rely_buf_putc(out, '}');
}

/* Members in Kubernetes' order; `spec` is empty and there, because the Python and the Java client throw without one. */
static void put_tokenreview(struct rely_reviewer *reviewer, const struct rely_answer *answer)
{
    struct rely_buf *out = &reviewer->out;
    rely_buf_put(out, RELY_LIT("{\"kind\":\"TokenReview\","));
    rely_answer_put_member(out, "apiVersion", rely_slice_of(answer->asked->api_version));
    rely_buf_put(out, RELY_LIT(",\"metadata\":{},\"spec\":{},\"status\":"));
    if (answer->review->decision.reason == RELY_OK)
        put_allow(reviewer, answer);
    else
        put_deny(reviewer, &reviewer->later, answer);
    rely_buf_put(out, RELY_LIT("}\n"));
}

static void reply_tokenreview(struct rely_reviewer *reviewer, struct rely_http_request *request,
                              const struct rely_answer *answer)
{
    enum rely_reason reason = answer->review->decision.reason;
    if (rely_reason_status(reason) == 503) {
        reply_status(reviewer, request, 503, rely_answer_sentence(answer, &reviewer->later).ptr);
        rely_pool_reset(&reviewer->later);
        return;
    }
    if (reason == RELY_NO_TOKEN) { /* as Kubernetes does */
        reply_status(reviewer, request, 400, "token is required for TokenReview in authentication (no_token)");
        return;
    }
    put_tokenreview(reviewer, answer);
    struct rely_http_header header = {RELY_LIT("x-relyd-decision-id"), rely_slice_of(answer->decision_id)};
    rely_http_respond(request, &(struct rely_http_response){.status = 200,
                                                            .content_type = RELY_LIT("application/json"),
                                                            .headers = &header,
                                                            .header_count = 1,
                                                            .body = rely_buf_slice(&reviewer->out)});
    rely_pool_reset(&reviewer->later);
}

void rely_tokenreview_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                             const struct rely_refused *refused)
{
    bool is_challenge = refused->challenge != NULL;
    const struct rely_http_header header = {is_challenge ? RELY_LIT("www-authenticate") : RELY_LIT("allow"),
                                            rely_slice_of(is_challenge ? refused->challenge : refused->allow)};
    reply_status_with(reviewer, request, refused->status, refused->detail, &header);
}

/* Below the prefix of Kubernetes' API, or below the same under a route. */
static bool is_of_kubernetes(struct rely_slice path)
{
    static const struct rely_slice apis = {"/apis/", 6}, routes = {"/routes/", 8};
    if (!rely_slice_starts(path, routes))
        return rely_slice_starts(path, apis);
    const char *name = path.ptr + routes.len;
    size_t len = path.len - routes.len;
    const char *end = memchr(name, '/', len);
    return end != NULL && rely_slice_starts(rely_slice(end, len - (size_t)(end - name)), apis);
}

bool rely_tokenreview_refuse_path(struct rely_reviewer *reviewer, struct rely_http_request *request)
{
    static const struct rely_route namespaced[] = {
        {"POST", "/apis/authentication.k8s.io/v1/namespaces/{namespace}/tokenreviews", NULL},
        {"POST", "/apis/authentication.k8s.io/v1beta1/namespaces/{namespace}/tokenreviews", NULL},
        {"POST", "/routes/{route}/apis/authentication.k8s.io/v1/namespaces/{namespace}/tokenreviews", NULL},
        {"POST", "/routes/{route}/apis/authentication.k8s.io/v1beta1/namespaces/{namespace}/tokenreviews", NULL}};
    struct rely_routed unused;
    if (rely_route_find(&RELY_ROUTE_TABLE(namespaced), request, &unused) == 200)
        reply_status(reviewer, request, 400, "namespace is not allowed on this type: a TokenReview has none");
    else if (is_of_kubernetes(request->path))
        reply_status(reviewer, request, 404,
                     "the server could not find the requested resource: here are TokenReviews alone");
    else
        return false;
    return true;
}

void rely_tokenreview_handle(struct rely_reviewer *reviewer, struct rely_http_request *request,
                             const struct rely_place *place)
{
    struct rely_asked asked = {.endpoint = RELY_ENDPOINT_TOKENREVIEW, .reply = reply_tokenreview};
    asked.review.is_single = true;
    asked.review.form = RELY_ANSWER_TOKENREVIEW;
    asked.review.route = place->route;
    int status = 400;
    const char *wrong = rely_tokenreview_read(request, place->api_version, &asked, &status);
    if (wrong != NULL)
        reply_status(reviewer, request, status, wrong);
    else
        rely_reviewer_ask(reviewer, request, &asked);
}
