/*
 * A new bootstrap token: what the first administrator shows before there is any other. Only its SHA-256 is kept, by
 * whoever puts it into the configuration. Called by main.c.
 */
#include "relyd/caller.h"

#include "relyd/text.h"

#define SECRET_BYTES 32

void rely_bootstrap_print(struct rely_buf *out)
{
    uint8_t secret[SECRET_BYTES], digest[RELY_SHA256_BYTES];
    char encoded[RELY_BASE64_ENCODED(SECRET_BYTES)];
    size_t start = out->len;
    rely_random(secret, sizeof secret);
    rely_base64url_encode(secret, sizeof secret, encoded);
    rely_buf_printf(out, RELY_BOOTSTRAP_PREFIX "%s", encoded);
    bool is_hashed = rely_signature_sha256(rely_slice(out->ptr + start, out->len - start), digest);
    RELY_ASSERT(is_hashed); /* out of memory otherwise */
    rely_buf_put(out, RELY_LIT("\nauth: {bootstrap_tokens: [\""));
    for (size_t i = 0; i < sizeof digest; i++)
        rely_buf_printf(out, "%02x", digest[i]);
    rely_buf_put(out, RELY_LIT("\"]}\n"));
}
