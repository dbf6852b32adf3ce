/*
 * RSASSA-PKCS1-v1_5 by OpenSSL's numbers: the signature's power modulo n, compared with the one encoded message that is
 * right (RFC 8017 s8.2.2). Nothing of the message is parsed, so that there is no lenient reading of its padding
 * (CVE-2006-4339, CVE-2014-1568). EVP does the same, and costs a fifth more in locks, look-ups and allocations. Called
 * by signature.c, which asks EVP when this cannot tell.
 */
#include "relyd/limits.h"
#include "verify.h"

#define MODULUS_BYTES_MAX (RELY_RSA_BITS_MAX / 8)
#define INFO_BYTES 19

/* RFC 8017 s9.2, note 1: the DER encoding of DigestInfo up to the digest. NULL: no algorithm of this scheme. */
static const uint8_t *find_digest_info(enum rely_alg alg)
{
    static const uint8_t sha256[INFO_BYTES] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                               0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    static const uint8_t sha384[INFO_BYTES] = {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                               0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30};
    static const uint8_t sha512[INFO_BYTES] = {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                               0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40};
    return alg == RELY_ALG_RS256 ? sha256 : alg == RELY_ALG_RS384 ? sha384 : alg == RELY_ALG_RS512 ? sha512 : NULL;
}

/* EMSA-PKCS1-v1_5: 00 01 FF ... FF 00 DigestInfo, of exactly len bytes; 2,048 bits leave room for every digest. */
static void encode_message(const uint8_t *info, struct rely_slice digest, size_t len, uint8_t *out)
{
    size_t padding = len - 3 - INFO_BYTES - digest.len;
    out[0] = 0;
    out[1] = 1;
    memset(out + 2, 0xff, padding);
    out[2 + padding] = 0;
    memcpy(out + 3 + padding, info, INFO_BYTES);
    memcpy(out + 3 + padding + INFO_BYTES, digest.ptr, digest.len);
}

static bool multiply(const struct rely_verifier *verifier, BIGNUM *out, const BIGNUM *a, const BIGNUM *b, BN_CTX *ctx)
{
    return BN_mod_mul_montgomery(out, a, b, verifier->by_modulus, ctx) == 1;
}

/* out = s^e mod n. e is odd and at least 3. */
static bool raise_to_exponent(const struct rely_verifier *verifier, const BIGNUM *s, BIGNUM *out, BN_CTX *ctx)
{
    BIGNUM *base = BN_CTX_get(ctx);
    bool is_ok =
        base != NULL && BN_to_montgomery(base, s, verifier->by_modulus, ctx) == 1 && BN_copy(out, base) != NULL;
    for (int bit = 30 - __builtin_clz(verifier->exponent); bit > 0 && is_ok; bit--)
        is_ok = multiply(verifier, out, out, out, ctx) &&
                ((verifier->exponent >> bit & 1) == 0 || multiply(verifier, out, out, base, ctx));
    /* The lowest bit. The product with s, which is not in Montgomery's form, is not either. */
    return is_ok && multiply(verifier, out, out, out, ctx) && multiply(verifier, out, out, s, ctx);
}

static int verify_power(const struct rely_verifier *verifier, const uint8_t *expected, struct rely_slice signature,
                        BN_CTX *ctx)
{
    uint8_t found[MODULUS_BYTES_MAX];
    size_t len = verifier->signature_bytes;
    BIGNUM *s = BN_CTX_get(ctx), *power = BN_CTX_get(ctx);
    if (power == NULL || BN_bin2bn((const uint8_t *)signature.ptr, (int)signature.len, s) == NULL)
        return -1;
    if (BN_cmp(s, verifier->modulus) >= 0) /* s5.2.2 step 1: else one signature could be spelled twice */
        return 0;
    if (!raise_to_exponent(verifier, s, power, ctx) || BN_bn2binpad(power, found, (int)len) != (int)len)
        return -1;
    return memcmp(found, expected, len) == 0 ? 1 : 0;
}

int rely_rsa_verify(const struct rely_verifier *verifier, enum rely_alg alg, BN_CTX *ctx, struct rely_slice digest,
                    struct rely_slice signature)
{
    uint8_t expected[MODULUS_BYTES_MAX];
    const uint8_t *info = find_digest_info(alg);
    bool is_ours = info != NULL && verifier->modulus != NULL && digest.len == info[INFO_BYTES - 1] &&
                   signature.len == verifier->signature_bytes && verifier->signature_bytes <= MODULUS_BYTES_MAX;
    if (!is_ours)
        return -1;
    encode_message(info, digest, verifier->signature_bytes, expected);
    BN_CTX_start(ctx);
    int answer = verify_power(verifier, expected, signature, ctx);
    BN_CTX_end(ctx);
    return answer;
}
