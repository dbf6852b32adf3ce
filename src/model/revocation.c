/*
 * What the table of fields cannot say of a revocation: that it hits by one thing, and that a token is none of its own
 * members. Whether what it names is registered, registry/ finds. Called by the reader of bodies.
 */
#include "kind.h"
#include "relyd/compose.h"

/* By which it hits; issuerName narrows each of them, and hits alone. */
static const char *const selectors[] = {"jti",     "subject", "serviceAccountUid", "podUid", "secretUid",
                                        "nodeUid", "kid",     "identity"};

void rely_revocation_check(const struct rely_body *body, void *record)
{
    size_t count = 0;
    const char *last = selectors[0];
    (void)record;
    for (size_t i = 0; i < sizeof selectors / sizeof selectors[0]; i++)
        if (rely_json_get(body->json, selectors[i]) != NULL) {
            last = selectors[i];
            count++;
        }
    if (count > 1 || (count == 0 && rely_json_get(body->json, "issuerName") == NULL))
        rely_problems_add(
            body->problems, last, "exactly_one",
            "exactly one of jti, subject, serviceAccountUid, podUid, secretUid, nodeUid, kid and identity "
            "says what is revoked, or issuerName alone; there %s %zu",
            count == 1 ? "is" : "are", count);
}

/* Whoever takes a token puts what it says in its place. */
void rely_revocation_read_own(const struct rely_body *body, const struct rely_field *field, void *record)
{
    (void)record;
    if (rely_json_get(body->json, field->json) != NULL)
        rely_problems_add(body->problems, field->json, "not_allowed", "%s is taken when a revocation is created",
                          field->json);
}

struct rely_json *rely_revocation_schema_own(const struct rely_field *field)
{
    (void)field;
    struct rely_json *schema = rely_schema_of_text(1, RELY_TOKEN_BYTES_MAX);
    rely_json_set(schema, "writeOnly", rely_json_of_bool(true));
    return schema;
}

/* As the schema wants it. */
bool rely_revocation_is_whole(const void *record)
{
    const struct rely_revocation_record *revocation = record;
    const struct rely_slice marks[] = {revocation->jti,     revocation->subject,    revocation->account_uid,
                                       revocation->pod_uid, revocation->secret_uid, revocation->node_uid,
                                       revocation->kid,     revocation->identity};
    size_t count = 0;
    for (size_t i = 0; i < sizeof marks / sizeof marks[0]; i++)
        count += marks[i].ptr != NULL ? 1 : 0;
    return count == 1 || (count == 0 && revocation->issuer_name.ptr != NULL);
}
