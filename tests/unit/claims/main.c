/*
 * Runs the groups of tests of src/claims, and makes payloads for them.
 */
#include "claims_tests.h"
#include "relyd/pool.h"
#include "relyd/signature.h"
#include "relyd/view.h"

#include <string.h>

static struct rely_pool pool;
static struct rely_buf payload_text;

enum rely_reason read_payload(const char *payload, struct rely_claims *out, struct rely_detail *detail)
{
    return read_payload_by(payload, rely_slice(NULL, 0), out, detail);
}

enum rely_reason read_payload_by(const char *payload, struct rely_slice subject_claim, struct rely_claims *out,
                                 struct rely_detail *detail)
{
    struct rely_verified verified = {0};
    const char *fault = NULL;
    rely_pool_reset(&pool);
    if (!rely_view_parse(rely_slice_of(payload), &pool, &verified.claims, &fault))
        fail_msg("%s: %s", payload, fault);
    return rely_claims_read(&verified, subject_claim, &pool, out, detail);
}

static void put_member(const char *name, const char *value, const char *otherwise)
{
    const char *text = value == NULL ? otherwise : value;
    if (text[0] != '\0')
        rely_buf_printf(&payload_text, ",\"%s\":%s", name, text);
}

const char *build_payload(const struct claims_case *row)
{
    payload_text.len = 0;
    rely_buf_printf(&payload_text, "{\"iss\":\"https://issuer.example\"");
    put_member("sub", row->sub, "\"system:serviceaccount:team-a:builder\"");
    put_member("aud", row->aud, "[\"relyd\"]");
    put_member("exp", row->exp, "1795322820");
    put_member("nbf", row->nbf, LEFT_OUT);
    put_member("iat", row->iat, LEFT_OUT);
    put_member("jti", row->jti, LEFT_OUT);
    if (row->more != NULL)
        rely_buf_printf(&payload_text, ",%s", row->more);
    rely_buf_putc(&payload_text, '}');
    return payload_text.ptr;
}

void expect_claims(const struct claims_case *row, struct rely_claims *out)
{
    struct rely_detail detail = {""};
    struct rely_claims before;
    memset(out, 0x5a, sizeof *out);
    memset(&before, 0x5a, sizeof before);
    enum rely_reason found = read_payload(build_payload(row), out, &detail);
    if (found != row->reason)
        fail_msg("%s: %s wanted, found %s (%s)", row->id, rely_reason_word(row->reason), rely_reason_word(found),
                 detail.text);
    if (found == RELY_OK)
        return;
    if (detail.text[0] == '\0')
        fail_msg("%s: a refusal without a detail", row->id);
    if (memcmp(out, &before, sizeof before) != 0)
        fail_msg("%s: a refusal wrote its output", row->id);
}

int main(void)
{
    rely_pool_init(&pool);
    int failed = run_registered_tests() + run_kubernetes_tests() + run_time_tests() + run_said_tests() +
                 run_subject_tests() + run_spiffe_tests();
    rely_buf_fini(&payload_text);
    rely_pool_fini(&pool);
    return failed;
}
