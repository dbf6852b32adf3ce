/*
 * What the table of fields cannot say of a federated credential: that it names an issuer in one of two ways. Which
 * record that is, registry/ finds. Called by the reader of bodies.
 */
#include "kind.h"

void rely_credential_check(const struct rely_body *body, void *record)
{
    (void)record;
    if (rely_json_get(body->json, "issuer") == NULL && rely_json_get(body->json, "issuerName") == NULL)
        rely_problems_add(body->problems, "issuer", "required", "issuer or issuerName is required");
}
