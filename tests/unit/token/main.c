/*
 * Runs the groups of tests of src/token, and makes tokens for them.
 */
#include "token_tests.h"

#include "relyd/pool.h"

#include <string.h>

struct rely_slice make_base64(struct rely_pool *pool, struct rely_slice bytes)
{
    char *out = rely_pool_alloc(pool, RELY_BASE64_ENCODED(bytes.len));
    return rely_slice(out, rely_base64url_encode((const uint8_t *)bytes.ptr, bytes.len, out));
}

struct rely_slice make_token(struct rely_pool *pool, struct rely_slice header, struct rely_slice payload)
{
    struct rely_slice parts = make_joined(pool, make_base64(pool, header), TEXT("."), make_base64(pool, payload));
    return make_joined(pool, parts, TEXT("."), TEXT("c2lnbmF0dXJl"));
}

void expect_reason(const char *id, struct rely_slice token, size_t max_bytes, enum rely_reason wanted)
{
    struct rely_pool pool;
    struct rely_unverified out, before;
    struct rely_detail detail = {""};
    memset(&out, 0x5a, sizeof out);
    memset(&before, 0x5a, sizeof before);
    rely_pool_init(&pool);
    enum rely_reason found = rely_token_read(token, max_bytes, &pool, &out, &detail);
    if (found != wanted)
        fail_msg("%s: %s wanted, found %s (%s)", id, rely_reason_word(wanted), rely_reason_word(found), detail.text);
    if (wanted != RELY_OK) {
        if (detail.text[0] == '\0')
            fail_msg("%s: a refusal without a detail", id);
        if (memcmp(&out, &before, sizeof out) != 0)
            fail_msg("%s: a refusal wrote its output", id);
    }
    rely_pool_fini(&pool);
}

int main(void)
{
    return run_token_tests() + run_token_parts_tests() + run_token_vectors_tests();
}
