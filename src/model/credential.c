/*
 * What the table of fields cannot say of a federated credential: that it names an issuer or a group of them, and in one
 * way whose tokens. Which record that is, registry/ finds. Called by the reader of bodies.
 */
#include "kind.h"
#include "relyd/compose.h"

/* By which it says whose tokens; the last two are stored, and shown, as one of the first two. */
static const char *const ways[] = {"subject", "claimsMatchingExpression", "kubernetes", "github"};
#define SHOWN_WAYS 2
#define WAYS (sizeof ways / sizeof ways[0])

static void check_ways(const struct rely_body *body)
{
    size_t count = 0;
    const char *last = NULL;
    for (size_t i = 0; i < WAYS; i++)
        if (rely_json_get(body->json, ways[i]) != NULL) {
            last = ways[i];
            count++;
        }
    if (count == 0)
        rely_problems_add(body->problems, ways[0], "required",
                          "subject is required, or in its place claimsMatchingExpression, kubernetes or github");
    else if (count > 1)
        rely_problems_add(body->problems, last, "exactly_one",
                          "exactly one of subject, claimsMatchingExpression, kubernetes and github says whose tokens; "
                          "there are %zu",
                          count);
}

/* Whoever gives a shorthand sees none in what he patches: it is as if he had given what it stands for, and with it taken
 * away what stands there. */
void rely_credential_complete_patch(struct rely_json *changes)
{
    bool has_shorthand = false;
    for (size_t i = SHOWN_WAYS; i < WAYS; i++)
        has_shorthand = has_shorthand || rely_json_type(rely_json_get(changes, ways[i])) == RELY_JSON_OBJECT;
    for (size_t i = 0; has_shorthand && i < SHOWN_WAYS; i++)
        if (rely_json_get(changes, ways[i]) == NULL)
            rely_json_set(changes, ways[i], rely_json_of_null());
}

void rely_credential_check(const struct rely_body *body, void *record)
{
    const struct rely_credential_record *credential = record;
    if (credential->account_uid.ptr != NULL && !rely_text_is_uuid(credential->account_uid))
        rely_problems_add(body->problems, "serviceAccountUid", "invalid_text",
                          "serviceAccountUid is no UUID as Kubernetes writes it: "
                          "f7e2a3d4-0000-4000-8000-0123456789ab, in lower case");
    bool has_record = rely_json_get(body->json, "issuer") != NULL || rely_json_get(body->json, "issuerName") != NULL;
    bool has_group = rely_json_get(body->json, "issuerGroup") != NULL;
    if (!has_record && !has_group)
        rely_problems_add(body->problems, "issuer", "required", "issuer, issuerName or issuerGroup is required");
    check_ways(body);
    if (has_record && has_group)
        rely_problems_add(body->problems, "issuerGroup", "exactly_one",
                          "issuerGroup stands in place of issuer and issuerName: only one of both ways is taken");
}
