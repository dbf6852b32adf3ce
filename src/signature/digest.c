/*
 * SHA-256 for those that may not spell OpenSSL. Decides nothing. Called by the check, for values too long for a header.
 */
#include "verify.h"

bool rely_signature_sha256(struct rely_slice bytes, uint8_t out[RELY_SHA256_BYTES])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct rely_scratch *scratch = rely_scratch_get();
    if (scratch == NULL || rely_scratch_digest(scratch, RELY_ALG_RS256, bytes, digest) != RELY_SHA256_BYTES)
        return false;
    memcpy(out, digest, RELY_SHA256_BYTES);
    return true;
}
