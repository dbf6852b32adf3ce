/*
 * Who asks: by certificate, by token or by the kernel's word. Decides whether somebody is proven, and nothing about what
 * he may. Called by both planes before their handlers.
 */
#include "relyd/caller.h"

#include "relyd/certificate.h"
#include "relyd/decide.h"
#include "relyd/http.h"
#include "relyd/marks.h"
#include "relyd/snapshot.h"
#include "relyd/text.h"

#include <stdio.h>

const char *const rely_caller_words[RELY_CALLER_COUNT] = {
    [RELY_CALLER_ANONYMOUS] = "anonymous",
    [RELY_CALLER_PROVEN] = NULL, /* is no refusal */
    [RELY_CALLER_BAD_CERTIFICATE] = "bad_certificate",
    [RELY_CALLER_BAD_TOKEN] = "bad_token",
    [RELY_CALLER_BAD_BOOTSTRAP_TOKEN] = "bad_bootstrap_token",
    [RELY_CALLER_IDENTITY_DISABLED] = "identity_disabled",
    [RELY_CALLER_WITHOUT_ROLE] = "not_permitted",
    [RELY_CALLER_FOREIGN_PAGE] = "foreign_page",
};

/* Fill in why somebody is not proven. */
#define REFUSE(caller, verdict, ...) (snprintf((caller)->why.text, sizeof(caller)->why.text, __VA_ARGS__), (verdict))

/* --- certificates ------------------------------------------------------------------------------------------ */

/* All names are looked at: one certificate that is two identities is neither. */
static const struct rely_identity *find_by_names(const struct rely_caller_question *question, bool *is_ambiguous)
{
    const struct rely_certificate *certificate = question->request->certificate;
    const struct rely_identity *first = NULL;
    *is_ambiguous = false;
    for (size_t i = 0; i < certificate->name_count; i++) {
        const struct rely_identity *found =
            rely_snapshot_identity_by_certificate(question->snapshot, certificate->names[i]);
        if (first == NULL)
            first = found;
        else if (found != NULL && found != first)
            *is_ambiguous = true;
    }
    return first;
}

/* RELY_CALLER_ANONYMOUS: it says nothing, and the next proof is looked at. */
static enum rely_proven judge_certificate(const struct rely_caller_question *question, struct rely_caller *caller)
{
    bool is_ambiguous;
    const struct rely_certificate *certificate = question->request->certificate;
    if (certificate == NULL)
        return RELY_CALLER_ANONYMOUS;
    if (question->now_s > certificate->until_s)
        return REFUSE(caller, RELY_CALLER_BAD_CERTIFICATE, "the client certificate has expired since it was shown");
    if (certificate->has_more)
        return REFUSE(caller, RELY_CALLER_BAD_CERTIFICATE,
                      "the client certificate has more than %d names, which are not all looked at",
                      RELY_CERTIFICATE_NAMES_MAX);
    const struct rely_identity *identity = find_by_names(question, &is_ambiguous);
    if (identity == NULL)
        return RELY_CALLER_ANONYMOUS;
    if (is_ambiguous)
        return REFUSE(caller, RELY_CALLER_BAD_CERTIFICATE, "the client certificate has names of two identities");
    if (!identity->is_enabled)
        return REFUSE(caller, RELY_CALLER_IDENTITY_DISABLED, "the client certificate's identity %.*s is disabled",
                      RELY_ARG(identity->name));
    if (rely_identity_is_revoked(question->snapshot, identity->name, question->now_s))
        return REFUSE(caller, RELY_CALLER_BAD_CERTIFICATE, "the client certificate's identity %.*s is revoked",
                      RELY_ARG(identity->name));
    caller->proof = RELY_PROOF_CERTIFICATE;
    caller->identity = identity;
    caller->roles = identity->roles;
    return RELY_CALLER_PROVEN;
}

/* --- tokens -------------------------------------------------------------------------------------------------- */

/* However many of the bytes are right, it takes as long; and however many tokens are set. */
static bool is_bootstrap_token(const struct rely_caller_rules *rules, struct rely_slice token)
{
    uint8_t digest[RELY_SHA256_BYTES];
    unsigned found = 0;
    if (!rely_signature_sha256(token, digest))
        return false;
    for (size_t i = 0; i < rules->bootstrap_count; i++) {
        unsigned different = 0;
        for (size_t k = 0; k < sizeof digest; k++)
            different |= (unsigned)(digest[k] ^ rules->bootstrap[i][k]);
        found |= different == 0;
    }
    return found != 0;
}

static enum rely_proven judge_bootstrap_token(const struct rely_caller_question *question, struct rely_slice token,
                                              struct rely_caller *caller)
{
    if (!is_bootstrap_token(question->rules, token))
        return REFUSE(caller, RELY_CALLER_BAD_BOOTSTRAP_TOKEN,
                      "the bootstrap token is none of those in auth.bootstrap_tokens");
    caller->proof = RELY_PROOF_BOOTSTRAP;
    caller->roles = RELY_ROLES_ALL;
    return RELY_CALLER_PROVEN;
}

static enum rely_proven judge_federated_token(const struct rely_caller_question *question, struct rely_slice token,
                                              struct rely_caller *caller)
{
    struct rely_review review;
    struct rely_detail told;
    const struct rely_review_request asked = {.token = token,
                                              .audiences = &question->rules->audience,
                                              .audience_count = 1,
                                              .is_single = true,
                                              .pool = question->request->scratch};
    question->review(question->context, &asked, &review);
    if (review.decision.reason != RELY_OK) {
        rely_review_tell(&review, &told);
        return REFUSE(caller, RELY_CALLER_BAD_TOKEN, "the caller's own token is refused: %s: %.220s%s",
                      rely_reason_word(review.decision.reason), told.text,
                      review.decision.reason == RELY_AUDIENCE_MISMATCH
                          ? "; it and its credential must have the audience of auth.audience"
                          : "");
    }
    caller->proof = RELY_PROOF_TOKEN;
    caller->identity = review.matches.items[0].identity;
    caller->roles = caller->identity->roles;
    return RELY_CALLER_PROVEN;
}

/* Another scheme is no proof of ours where it is the client's word to somebody else, as in Authorization; a header of
 * relyd's own has one meaning. */
static bool is_of_others(const struct rely_caller_question *question, enum rely_bearer bearer)
{
    return bearer == RELY_BEARER_NONE && rely_slice_equal(question->header, RELY_LIT("authorization"));
}

static enum rely_proven judge_token(const struct rely_caller_question *question, struct rely_caller *caller)
{
    size_t count = 0;
    struct rely_slice token = {NULL, 0};
    rely_http_find_header(question->request, question->header, &count);
    enum rely_bearer bearer = rely_http_bearer_in(question->request, question->header, &token);
    if (count == 0 || is_of_others(question, bearer))
        return RELY_CALLER_ANONYMOUS;
    if (bearer != RELY_BEARER_TOKEN)
        return REFUSE(caller, RELY_CALLER_BAD_TOKEN, "the header %.*s must be one, with one bearer token",
                      RELY_ARG(question->header));
    if (rely_slice_starts(token, RELY_LIT(RELY_BOOTSTRAP_PREFIX)))
        return judge_bootstrap_token(question, token, caller);
    return judge_federated_token(question, token, caller);
}

/* --- peers ------------------------------------------------------------------------------------------------------ */

static enum rely_proven judge_peer(const struct rely_caller_question *question, struct rely_caller *caller)
{
    const struct rely_caller_rules *rules = question->rules;
    const struct rely_http_request *request = question->request;
    if (!request->is_unix)
        return RELY_CALLER_ANONYMOUS;
    if (request->peer_uid != 0 && request->peer_uid != rules->own_uid &&
        !(rules->has_group && rely_http_peer_is_in(request, rules->group)))
        return RELY_CALLER_ANONYMOUS;
    caller->proof = RELY_PROOF_PEER;
    caller->peer_uid = request->peer_uid;
    caller->roles = question->peer_roles;
    return RELY_CALLER_PROVEN;
}

/* --- none ------------------------------------------------------------------------------------------------------- */

/* Whoever has shown a certificate is told what it was read as: that is what an identity must have. */
static enum rely_proven refuse_anonymous(const struct rely_caller_question *question, struct rely_caller *caller)
{
    char names[160];
    const struct rely_certificate *certificate = question->request->certificate;
    struct rely_slice header = question->header;
    if (certificate != NULL && certificate->name_count == 0)
        return REFUSE(caller, RELY_CALLER_ANONYMOUS,
                      "who asks must prove who he is: the client certificate has no name, and there is no bearer token "
                      "in %.*s",
                      RELY_ARG(header));
    if (certificate != NULL)
        return REFUSE(caller, RELY_CALLER_ANONYMOUS,
                      "who asks must prove who he is: no identity has a name of the client certificate, %s, among its "
                      "certificates, and there is no bearer token in %.*s",
                      rely_quote_list(certificate->names, certificate->name_count, names, sizeof names),
                      RELY_ARG(header));
    return REFUSE(caller, RELY_CALLER_ANONYMOUS, "who asks must prove who he is: by %s, or by a bearer token in %.*s",
                  question->request->is_unix
                      ? "coming as root, as relyd's own user or as a member of admin.socket_group"
                      : "a client certificate",
                  RELY_ARG(header));
}

/* --- one after the other ----------------------------------------------------------------------------------------- */

enum rely_proven rely_caller_find(const struct rely_caller_question *question, struct rely_caller *caller)
{
    static enum rely_proven (*const judges[])(const struct rely_caller_question *question,
                                              struct rely_caller *caller) = {judge_certificate, judge_token,
                                                                             judge_peer};
    *caller = (struct rely_caller){.proof = RELY_PROOF_NONE};
    for (size_t i = 0; i < sizeof judges / sizeof judges[0]; i++) {
        enum rely_proven proven = judges[i](question, caller);
        if (proven != RELY_CALLER_ANONYMOUS)
            return proven;
    }
    return refuse_anonymous(question, caller);
}

struct rely_caller rely_caller_of_open(unsigned roles)
{
    return (struct rely_caller){.proof = RELY_PROOF_OPEN, .roles = roles};
}

void rely_caller_print(const struct rely_caller *caller, const struct rely_http_request *request,
                       char out[RELY_CALLER_NAME_SIZE])
{
    char peer[RELY_PEER_SIZE];
    switch (caller->proof) {
    case RELY_PROOF_CERTIFICATE:
        snprintf(out, RELY_CALLER_NAME_SIZE, "certificate:%.*s", RELY_ARG(caller->identity->name));
        return;
    case RELY_PROOF_TOKEN:
        snprintf(out, RELY_CALLER_NAME_SIZE, "identity:%.*s", RELY_ARG(caller->identity->name));
        return;
    case RELY_PROOF_BOOTSTRAP:
        snprintf(out, RELY_CALLER_NAME_SIZE, "bootstrap");
        return;
    case RELY_PROOF_PEER:
        snprintf(out, RELY_CALLER_NAME_SIZE, "uid:%u", caller->peer_uid);
        return;
    case RELY_PROOF_OPEN:
    case RELY_PROOF_NONE:
        break;
    }
    rely_http_peer(request, peer);
    snprintf(out, RELY_CALLER_NAME_SIZE, "%s%s", request->is_unix ? "" : "tcp:", peer);
}

const char *rely_caller_challenge(enum rely_proven proven)
{
    return proven == RELY_CALLER_BAD_TOKEN || proven == RELY_CALLER_BAD_BOOTSTRAP_TOKEN
               ? "Bearer realm=\"relyd\", error=\"invalid_token\""
               : "Bearer realm=\"relyd\"";
}
