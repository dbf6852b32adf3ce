/*
 * The inside of endpoints/: what an endpoint hands to the reviewer, and what it gets back.
 */
#ifndef RELYD_ENDPOINTS_REVIEWER_H
#define RELYD_ENDPOINTS_REVIEWER_H

#include "relyd/endpoints.h"
#include "relyd/named_route.h"
#include "relyd/snapshot.h"

struct rely_answer;
struct rely_batch;

/* A request for a review. Borrowed until rely_reviewer_ask returns: what waits is copied. */
struct rely_asked {
    enum rely_endpoint endpoint;
    struct rely_review_request review;
    const char *api_version;  /* static; TokenReview only */
    struct rely_batch *batch; /* borrowed: it is one of these, which has what is borrowed here; NULL: it stands alone */
    size_t index;             /* in that */
    int64_t came_us;          /* when that came */
    /* NULL: it is who asks that is reviewed, and what he asks is handled once more in place of a reply */
    void (*reply)(struct rely_reviewer *reviewer, struct rely_http_request *request, const struct rely_answer *answer);
};

/* A finished review, for `reply`. Borrowed during the call. */
struct rely_answer {
    const struct rely_asked *asked;
    const struct rely_review *review;
    const char *decision_id;
};

/* Review now, or defer the request until the issuer's keys have been fetched (at most key_wait_ms), and reply. */
void rely_reviewer_ask(struct rely_reviewer *reviewer, struct rely_http_request *request,
                       const struct rely_asked *asked);

/* The token's `iss`; absent: it has none. */
struct rely_slice rely_review_iss(const struct rely_review *review);
/* The token's `iss` where it is an alias of the record; absent: it is the record's own `issuer`, or there is none. */
struct rely_slice rely_review_alias(const struct rely_review *review);

/* `assumed`: it is allowed although its cluster could not be asked; else absent. */
struct rely_slice rely_review_liveness(const struct rely_review *review);

/* Refuse before any review: counted, logged and answered like one. */
void rely_reviewer_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                          const struct rely_asked *asked, enum rely_reason reason, const char *detail);
/* The same without the answer, which the caller gives in other words than a review's. */
void rely_reviewer_note_refused(struct rely_reviewer *reviewer, const struct rely_http_request *request,
                                enum rely_endpoint endpoint, enum rely_reason reason, const char *detail);

/* Review on this turn's snapshot, through the cache. */
void rely_reviewer_review(struct rely_reviewer *reviewer, const struct rely_review_request *request,
                          struct rely_pool *pool, struct rely_review *review);
/* Count, log and answer a review that was asked for at start_us. */
void rely_reviewer_finish(struct rely_reviewer *reviewer, struct rely_http_request *request,
                          const struct rely_asked *asked, const struct rely_review *review, int64_t start_us);

/* --- waiting.c -------------------------------------------------------------------------------------- */

/* Ask for the keys that a refused review misses, or to have a uid written down, and defer the request until that is
 * done, at most key_wait_ms; a batch defers its own. Borrowed until it is answered. NULL: nothing will come, or there is
 * no room: answer now. */
struct rely_waiting *rely_waiting_begin(struct rely_reviewer *reviewer, struct rely_http_request *request,
                                        const struct rely_asked *asked, const struct rely_review *review,
                                        int64_t start_us);
/* Of one in a batch, which is told when it is due: review it once more. True: it is answered, and gone. */
bool rely_waiting_is_due(const struct rely_waiting *waiting);
bool rely_waiting_review(struct rely_waiting *waiting);
/* It is answered no more. */
void rely_waiting_forget(struct rely_waiting *waiting);
/* The same for who has no time to wait. */
void rely_waiting_ask_only(struct rely_reviewer *reviewer, const struct rely_review *review, struct rely_slice token);
void rely_waiting_init(struct rely_reviewer *reviewer);
/* Requests that still wait are forgotten. */
void rely_waiting_fini(struct rely_reviewer *reviewer);

/* --- share.c ------------------------------------------------------------------------------------------ */

/* A flood of unknown keys must not hold every connection, nor the memory: beyond either a worker refuses at once. */
#define RELY_WAITING_MAX 1000 /* and RELY_WAITING_BYTES_MAX */

/* What one that waits takes. */
struct rely_waiting_need {
    size_t places; /* 1; 0 for a token of a batch that has one */
    size_t bytes;  /* above 0 */
};
/* Is there room for one more of this iss? Cost: the same however many wait. */
bool rely_share_has_room(struct rely_waiting_list *list, struct rely_slice iss, const struct rely_waiting_need *need);
/* Take it. Returns what is given back; borrowed. */
struct rely_waiting_share *rely_share_take(struct rely_waiting_list *list, struct rely_slice iss,
                                           const struct rely_waiting_need *need);
void rely_share_give_back(struct rely_waiting_list *list, struct rely_waiting_share *share,
                          const struct rely_waiting_need *need);

/* --- admit.c ----------------------------------------------------------------------------------------- */

/* May he ask here? Out: *caller; *is_put_off - his token waits for a key: the request is handled again, and not answered
 * now. RELY_CALLER_PROVEN: yes; anything else has been counted, and not answered. */
RELY_MUST_USE enum rely_proven rely_reviewer_admit(const struct rely_data_door *door, struct rely_http_request *request,
                                                   struct rely_caller *caller, bool *is_put_off);

/* --- cooldown.c ------------------------------------------------------------------------------------ */

/* Ask for the keys of one issuer unless that is known to be useless now; true when an answer will come. */
bool rely_cooldown_ask(struct rely_reviewer *reviewer, int64_t issuer_id, int64_t now_ms);
/* The answer has come. */
void rely_cooldown_set(struct rely_reviewer *reviewer, int64_t issuer_id, const struct rely_key_notice *notice,
                       int64_t now_ms);
void rely_cooldowns_fini(struct rely_reviewer *reviewer);

/* --- pins.c ------------------------------------------------------------------------------------ */

/* Ask for what a review that wants a pin waits for, unless that was done a moment ago. */
void rely_pin_ask(struct rely_reviewer *reviewer, const struct rely_review *review, int64_t now_ms);
/* It is written down: should somebody take it away again, it is asked for at once. */
void rely_pin_forget(struct rely_reviewer *reviewer, int64_t credential_id);

/* --- life.c ------------------------------------------------------------------------------------ */

/* Have the cluster asked of which a review with `live` speaks, unless that was done a moment ago. */
void rely_life_ask(struct rely_reviewer *reviewer, const struct rely_review *review, struct rely_slice token);
/* It has not said anything in time, or nobody can wait: what wants to know is reviewed once more, as its record has it for
 * that. In: review - any. */
void rely_life_give_up(struct rely_reviewer *reviewer, const struct rely_review_request *request,
                       struct rely_pool *pool, struct rely_review *review);

/* --- the protocols: of each, who answers its requests, and who words what never becomes one ------------ */

struct rely_refused {
    int status;                           /* 4xx */
    const char *code;                     /* of a problem */
    const char *detail;                   /* a sentence */
    const char *allow;                    /* with 405; NULL otherwise */
    const char *challenge;                /* with 401; NULL otherwise */
    const struct rely_problems *problems; /* of a query; NULL otherwise */
};

/* Where it was asked. */
struct rely_place {
    const char *api_version; /* static; TokenReview only */
    struct rely_slice route; /* there is one of this name, and who asks may ask there */
};

/* Why there is none of this name. In the pool. */
const char *rely_route_describe_unknown(struct rely_slice name, struct rely_pool *pool);
/* May he ask under this route? */
bool rely_route_lets_ask(const struct rely_named_route *route, const struct rely_caller *caller);

void rely_tokenreview_handle(struct rely_reviewer *reviewer, struct rely_http_request *request,
                             const struct rely_place *place);
void rely_tokenreview_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                             const struct rely_refused *refused);
/* A path that nobody has is answered in Kubernetes' words, where it is one of its API: its clients read no others. False:
 * it is none. */
bool rely_tokenreview_refuse_path(struct rely_reviewer *reviewer, struct rely_http_request *request);
/* The body of a TokenReview, in its Content-Type's form. In: of_path - the path's apiVersion, static. Out: *asked - its
 * api_version and review, borrowed from the body and the pool; *status - of the answer, where something is wrong.
 * Returns: what is, a sentence; NULL: nothing. */
const char *rely_tokenreview_read(struct rely_http_request *request, const char *of_path, struct rely_asked *asked,
                                  int *status);
void rely_review_handle(struct rely_reviewer *reviewer, struct rely_http_request *request,
                        const struct rely_place *place);
void rely_review_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                        const struct rely_refused *refused);
void rely_introspect_handle(struct rely_reviewer *reviewer, struct rely_http_request *request,
                            const struct rely_place *place);
void rely_introspect_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                            const struct rely_refused *refused);
/* Does the path begin with the bytes `/check/`, as it was sent? Then it is a check and nothing else. */
bool rely_check_is_asked(const struct rely_http_request *request);
void rely_check_handle(struct rely_reviewer *reviewer, struct rely_http_request *request,
                       const struct rely_caller *caller);
void rely_check_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                       const struct rely_http_refusal *refusal);
/* Who asks may not. In: why - a sentence. */
void rely_check_refuse_caller(struct rely_reviewer *reviewer, struct rely_http_request *request, const char *why);

/* gRPC, which comes by HTTP/2 alone: is one of its services asked? Is it grpc.health.v1, which anybody may ask? */
bool rely_grpc_is_asked(const struct rely_http_request *request);
bool rely_grpc_is_probe(const struct rely_http_request *request);
/* In: caller - NULL of a probe. */
void rely_grpc_handle(const struct rely_data_door *door, struct rely_http_request *request,
                      const struct rely_caller *caller);
void rely_grpc_refuse_caller(struct rely_reviewer *reviewer, struct rely_http_request *request, const char *why);
void rely_grpc_refuse(struct rely_reviewer *reviewer, struct rely_http_request *request,
                      const struct rely_http_refusal *refusal);

/* --- reading bodies ------------------------------------------------------------------------------- */

/* Is the body JSON by its Content-Type? One that names none is (kubectl create --raw sends none). */
bool rely_body_is_json(const struct rely_http_request *request);
/* Is it a form by its one Content-Type? A body that says nothing of itself is none. */
bool rely_body_is_form(const struct rely_http_request *request);
/* Is it protobuf as Kubernetes has it, by its one Content-Type? */
bool rely_body_is_protobuf(const struct rely_http_request *request);

/**
 * Read `token`, `audiences` and (when there) `identity` of an object. Other members are not looked at.
 *
 * Out:      *out - slices in the pool or the body. Only on true.
 * Returns:  false: each wrong member is noted in *problems.
 */
bool rely_body_read_review(const struct rely_view *body, uint32_t object, struct rely_pool *pool,
                           struct rely_review_request *out, struct rely_problems *problems);

/* Note each member of the body's outermost object that is not among the names ("token audiences identity"): what is
 * misspelt restricts nothing. */
void rely_body_refuse_unknown(const struct rely_view *body, const char *names, struct rely_problems *problems);

/* --- writing answers: into reviewer->out, which is emptied first ------------------------------------ */

/* `"name":` and a JSON string; the name is a literal. */
#define rely_answer_put_member(out, name, value)                                                                       \
    (rely_buf_put((out), RELY_LIT("\"" name "\":")), rely_buf_put_json((out), (value)))
/* The same behind another member: with a comma. */
#define rely_answer_put_next_member(out, name, value)                                                                  \
    (rely_buf_put((out), RELY_LIT(",\"" name "\":")), rely_buf_put_json((out), (value)))
void rely_answer_put_texts(struct rely_buf *out, const struct rely_slice *texts, size_t count);
/* The audiences by which the match counts, as a JSON array: in the caller's order when it named some. */
void rely_answer_put_audiences(struct rely_buf *out, const struct rely_match *match);
/* As RFC 6750 s3 and RFC 6749 s5.2 have it: printable ASCII without quote and backslash, others as an apostrophe. */
struct rely_slice rely_answer_plain(struct rely_slice sentence, struct rely_pool *pool);
/* `reason: detail`. */
struct rely_slice rely_answer_sentence(const struct rely_answer *answer, struct rely_pool *pool);

#endif
