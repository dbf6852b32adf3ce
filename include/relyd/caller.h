/*
 * caller: who asks relyd, and how that is proven; one answer for both planes, before any handler. A token is judged by
 * the review that judges every other one. What a caller may do, the table of operations says.
 */
#ifndef RELYD_CALLER_H
#define RELYD_CALLER_H

#include "relyd/digest.h"
#include "relyd/reason.h"

struct rely_http_request;
struct rely_identity;
struct rely_review;
struct rely_review_request;
struct rely_snapshot;

#define RELY_BOOTSTRAP_PREFIX "relyd-bootstrap-"
#define RELY_BOOTSTRAP_TOKENS_MAX 4

/* What a listener asks of its callers. */
struct rely_caller_rules {
    struct rely_slice audience; /* auth.audience: of tokens that are meant for relyd itself; borrowed */
    uint8_t bootstrap[RELY_BOOTSTRAP_TOKENS_MAX][RELY_SHA256_BYTES]; /* auth.bootstrap_tokens */
    size_t bootstrap_count;
    uint32_t own_uid; /* who comes by a unix socket as this uid, or as 0, is proven; and who is in the group */
    bool has_group;   /* admin.socket_group */
    uint32_t group;
};

/* The newest. Whoever reads it may go by what he has read for a turn of his loop, and longer: none is freed while there
 * are loops. */
typedef _Atomic(const struct rely_caller_rules *) rely_caller_rules_in_force;

/* How somebody has proven who he is. */
enum rely_proof {
    RELY_PROOF_NONE = 0,
    RELY_PROOF_CERTIFICATE,
    RELY_PROOF_TOKEN,
    RELY_PROOF_BOOTSTRAP,
    RELY_PROOF_PEER, /* of a unix socket, by the kernel's word */
    RELY_PROOF_OPEN  /* none was asked for: `callers: anyone` */
};

/* Whether somebody is proven; the words are those of metrics and the log. */
enum rely_proven {
    RELY_CALLER_ANONYMOUS = 0,       /* he has shown nothing */
    RELY_CALLER_PROVEN,              /* and nothing else is a yes */
    RELY_CALLER_BAD_CERTIFICATE,     /* it has ended, or is two identities', or a revoked one's */
    RELY_CALLER_BAD_TOKEN,           /* the review has refused it; or there are two */
    RELY_CALLER_BAD_BOOTSTRAP_TOKEN, /* it is none of those that are set */
    RELY_CALLER_IDENTITY_DISABLED,
    RELY_CALLER_WITHOUT_ROLE, /* he is proven, and may not do this: not by rely_caller_find */
    RELY_CALLER_FOREIGN_PAGE, /* a browser sent it for a page of another site: not by rely_caller_find */
    RELY_CALLER_COUNT
};
extern const char *const rely_caller_words[RELY_CALLER_COUNT]; /* NULL: is no refusal */

/* Who asks. Borrowed from the snapshot. Zero-filled is nobody, who may nothing. */
struct rely_caller {
    enum rely_proof proof;
    unsigned roles;                       /* bits: enum rely_role */
    const struct rely_identity *identity; /* NULL: root, a bootstrap token, or anyone */
    uint32_t peer_uid;                    /* with RELY_PROOF_PEER */
    struct rely_detail why;               /* he is not proven: a sentence, without the token */
};

/* A question for who asks. All borrowed. */
struct rely_caller_question {
    const struct rely_caller_rules *rules;
    const struct rely_http_request *request;
    const struct rely_snapshot *snapshot;
    struct rely_slice header; /* which one has his token: `authorization`, or on a check `x-relyd-caller` */
    unsigned peer_roles;      /* of who is proven by a unix socket */
    int64_t now_s;
    /* The review of whoever asks, through his cache; and whatever a missing key needs. */
    void (*review)(void *context, const struct rely_review_request *asked, struct rely_review *review);
    void *context;
};

/**
 * Find out who asks. Certificate, token and unix peer are looked at in this order, and the first that is there counts:
 * a wrong one is a refusal, and never a reason to try the next. Only a certificate none of whose names is known counts
 * as none.
 *
 * Out:      *caller - always set whole: proof, roles and identity on RELY_CALLER_PROVEN, `why` on anything else.
 */
RELY_MUST_USE enum rely_proven rely_caller_find(const struct rely_caller_question *question,
                                                struct rely_caller *caller);

/* Of a listener that asks nobody: `roles` are those of everybody there. */
struct rely_caller rely_caller_of_open(unsigned roles);

/* For the change log and the log: `certificate:gw`, `identity:ops`, `bootstrap`, `uid:0`, `tcp:127.0.0.1:5123`. */
#define RELY_CALLER_NAME_SIZE 160
void rely_caller_print(const struct rely_caller *caller, const struct rely_http_request *request,
                       char out[RELY_CALLER_NAME_SIZE]);

/* Two lines: a new bootstrap token, and what the configuration says of it. */
void rely_bootstrap_print(struct rely_buf *out);

/* For WWW-Authenticate (RFC 6750 s3). Static. */
const char *rely_caller_challenge(enum rely_proven proven);

#endif
