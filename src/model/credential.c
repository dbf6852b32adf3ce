/*
 * What the table of fields cannot say of a federated credential: that it names an issuer or a group of
 * them, and a subject or an expression. Which
 * record that is, registry/ finds. Called by the reader of bodies.
 */
#include "kind.h"

void rely_credential_check(const struct rely_body *body, void *record)
{
    (void)record;
    bool has_record = rely_json_get(body->json, "issuer") != NULL || rely_json_get(body->json, "issuerName") != NULL;
    bool has_group = rely_json_get(body->json, "issuerGroup") != NULL;
    if (!has_record && !has_group)
        rely_problems_add(body->problems, "issuer", "required", "issuer, issuerName or issuerGroup is required");
    bool has_subject = rely_json_get(body->json, "subject") != NULL;
    bool has_expression = rely_json_get(body->json, "claimsMatchingExpression") != NULL;
    if (!has_subject && !has_expression)
        rely_problems_add(body->problems, "subject", "required", "subject or claimsMatchingExpression is required");
    if (has_subject && has_expression)
        rely_problems_add(body->problems, "claimsMatchingExpression", "exactly_one",
                          "claimsMatchingExpression stands in place of subject: only one of both is taken");
    if (has_record && has_group)
        rely_problems_add(body->problems, "issuerGroup", "exactly_one",
                          "issuerGroup stands in place of issuer and issuerName: only one of both ways is taken");
}
