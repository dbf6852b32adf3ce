/*
 * Signatures that were built to deceive: wrong lengths, numbers out of range, DER, paddings with room for garbage.
 * Wycheproof's ideas, made with keys of our own.
 */
#include "tests.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

static void check_bytes(const struct rely_keyset *keyset, enum rely_alg alg, struct rely_slice signature,
                        enum rely_reason reason)
{
    struct rely_unverified token = read_parts(mint_token_around(HEADER, PAYLOAD, signature), alg);
    check_reason(keyset, &token, reason);
}

static void refuse_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < PAIRING_COUNT; i++) {
        const struct mint_key *key = mint_key(pairings[i].kind);
        struct rely_keyset *keyset = set_of(key, NULL);
        struct rely_slice right = mint_sign(key, pairings[i].alg, mint_signed_bytes(HEADER, PAYLOAD));
        struct rely_slice zero = mint_repeat('\0', 1);
        check_bytes(keyset, pairings[i].number, right, RELY_OK);
        check_bytes(keyset, pairings[i].number, rely_slice("", 0), RELY_BAD_SIGNATURE);
        check_bytes(keyset, pairings[i].number, rely_slice(right.ptr, right.len - 1), RELY_BAD_SIGNATURE);
        check_bytes(keyset, pairings[i].number, rely_slice(right.ptr + 1, right.len - 1), RELY_BAD_SIGNATURE);
        check_bytes(keyset, pairings[i].number, mint_concat(right, zero), RELY_BAD_SIGNATURE);
        check_bytes(keyset, pairings[i].number, mint_concat(zero, right), RELY_BAD_SIGNATURE);
        check_bytes(keyset, pairings[i].number, mint_concat(right, right), RELY_BAD_SIGNATURE);
        check_bytes(keyset, pairings[i].number, mint_repeat('\0', right.len), RELY_BAD_SIGNATURE);
        check_bytes(keyset, pairings[i].number, mint_repeat('\xff', right.len), RELY_BAD_SIGNATURE);
        check_bytes(keyset, pairings[i].number, mint_repeat('A', 1 << 20), RELY_BAD_SIGNATURE);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

static struct rely_slice order_of(const char *curve, size_t bytes)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid(curve));
    unsigned char out[66];
    assert_int_equal(BN_bn2binpad(EC_GROUP_get0_order(group), out, (int)bytes), bytes);
    EC_GROUP_free(group);
    return mint_copy(rely_slice((char *)out, bytes));
}

/* CVE-2022-21449 and its kin: r and s must be from 1 to n - 1. */
static void refuse_ecdsa_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *curve, *kind;
        size_t bytes;
        enum rely_alg alg;
    } curves[] = {{"P-256", "p256", 32, RELY_ALG_ES256},
                  {"P-384", "p384", 48, RELY_ALG_ES384},
                  {"P-521", "p521", 66, RELY_ALG_ES512}};
    for (size_t c = 0; c < 3; c++) {
        const struct mint_key *key = mint_key(curves[c].kind);
        size_t bytes = curves[c].bytes;
        struct rely_keyset *keyset = set_of(key, NULL);
        const char *alg = pairings[6 + c].alg;
        struct rely_slice right = mint_sign(key, alg, mint_signed_bytes(HEADER, PAYLOAD));
        struct rely_slice zero = mint_repeat('\0', bytes);
        struct rely_slice one = mint_concat(mint_repeat('\0', bytes - 1), RELY_LIT("\x01"));
        struct rely_slice odd[] = {zero,
                                   one,
                                   order_of(curves[c].curve, bytes),
                                   mint_repeat('\xff', bytes),
                                   rely_slice(right.ptr, bytes),
                                   rely_slice(right.ptr + bytes, bytes)};
        for (size_t r = 0; r < 6; r++)
            for (size_t s = 0; s < 6; s++)
                check_bytes(keyset, curves[c].alg, mint_concat(odd[r], odd[s]),
                            r == 4 && s == 5 ? RELY_OK : RELY_BAD_SIGNATURE);
        check_bytes(keyset, curves[c].alg, mint_der(right), RELY_BAD_SIGNATURE);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

/* r and s of every length: leading zeros go and a sign byte comes when DER is written. */
static void accept_short_integers(void **state)
{
    (void)state;
    const struct mint_key *key = mint_key("p256");
    struct rely_keyset *keyset = set_of(key, NULL);
    unsigned with_zero_r = 0, with_zero_s = 0;
    for (int i = 0; i < 4000 && (with_zero_r < 2 || with_zero_s < 2); i++) {
        struct rely_slice signature = mint_sign(key, "ES256", mint_signed_bytes(HEADER, PAYLOAD));
        if (signature.ptr[0] != 0 && signature.ptr[32] != 0)
            continue;
        with_zero_r += signature.ptr[0] == 0;
        with_zero_s += signature.ptr[32] == 0;
        check_bytes(keyset, RELY_ALG_ES256, signature, RELY_OK);
    }
    assert_true(with_zero_r >= 2 && with_zero_s >= 2);
    rely_keyset_free(keyset);
    mint_reset();
}

/* RFC 7518 s3.4 has no low-s rule: the twin is a right signature of the same bytes. */
static void accept_malleable_twin(void **state)
{
    (void)state;
    const struct mint_key *key = mint_key("p256");
    struct rely_keyset *keyset = set_of(key, NULL);
    struct rely_slice right = mint_sign(key, "ES256", mint_signed_bytes(HEADER, PAYLOAD));
    BIGNUM *n = BN_bin2bn((const unsigned char *)order_of("P-256", 32).ptr, 32, NULL);
    BIGNUM *s = BN_bin2bn((const unsigned char *)right.ptr + 32, 32, NULL);
    unsigned char twin[64];
    memcpy(twin, right.ptr, 32);
    assert_int_equal(BN_sub(s, n, s), 1);
    assert_int_equal(BN_bn2binpad(s, twin + 32, 32), 32);
    check_bytes(keyset, RELY_ALG_ES256, rely_slice((char *)twin, 64), RELY_OK);
    BN_free(n);
    BN_free(s);
    rely_keyset_free(keyset);
    mint_reset();
}

static struct rely_slice rsa_number(const BIGNUM *number)
{
    unsigned char out[256];
    assert_int_equal(BN_bn2binpad(number, out, sizeof(out)), sizeof(out));
    return mint_copy(rely_slice((char *)out, sizeof(out)));
}

static void refuse_rsa_numbers(void **state)
{
    (void)state;
    const struct mint_key *key = mint_key("rsa2048");
    struct rely_keyset *keyset = set_of(key, NULL);
    struct rely_slice modulus = mint_key_part(key, "n");
    BIGNUM *n = BN_bin2bn((const unsigned char *)modulus.ptr, (int)modulus.len, NULL);
    BIGNUM *number = BN_new();
    for (unsigned long small = 0; small < 3; small++) {
        BN_set_word(number, small);
        check_bytes(keyset, RELY_ALG_RS256, rsa_number(number), RELY_BAD_SIGNATURE);
        BN_sub(number, n, number);
        check_bytes(keyset, RELY_ALG_RS256, rsa_number(number), RELY_BAD_SIGNATURE);
        check_bytes(keyset, RELY_ALG_PS256, rsa_number(number), RELY_BAD_SIGNATURE);
    }
    /* A signature s and s + n are the same number to a careless check; s + n fits into 2048 bits for a small s only. */
    for (int i = 0; i < 400; i++) {
        const char *payload = mint_print("{\"i\":%d}", i);
        struct rely_slice right = mint_sign(key, "RS256", mint_signed_bytes(HEADER, payload));
        BN_bin2bn((const unsigned char *)right.ptr, (int)right.len, number);
        BN_add(number, number, n);
        if (BN_num_bits(number) > 2048)
            continue;
        struct rely_slice larger = rsa_number(number);
        struct rely_unverified token = read_parts(mint_token_around(HEADER, payload, larger), RELY_ALG_RS256);
        check_reason(keyset, &token, RELY_BAD_SIGNATURE);
        break;
    }
    BN_free(number);
    BN_free(n);
    rely_keyset_free(keyset);
    mint_reset();
}

/* Signs a padded block as it is, with the private key: what a forger with a broken verifier would like to do. */
static struct rely_slice sign_block(const char *kind, const unsigned char block[256])
{
    const struct mint_key *key = mint_key(kind);
    struct rely_slice n = mint_key_part(key, "n"), d = mint_key_part(key, "d");
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *modulus = BN_bin2bn((const unsigned char *)n.ptr, (int)n.len, NULL);
    BIGNUM *exponent = BN_bin2bn((const unsigned char *)d.ptr, (int)d.len, NULL);
    BIGNUM *number = BN_bin2bn(block, 256, NULL);
    assert_int_equal(BN_mod_exp(number, number, exponent, modulus, ctx), 1);
    struct rely_slice out = rsa_number(number);
    BN_free(number);
    BN_free(exponent);
    BN_free(modulus);
    BN_CTX_free(ctx);
    return out;
}

static const unsigned char sha256_prefix[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                              0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

/* 00 type ff..ff 00 prefix digest, with `garbage` bytes behind; the ff's fill up. */
static void fill_block(unsigned char block[256], unsigned char type, size_t garbage, size_t prefix_len)
{
    struct rely_slice bytes = mint_signed_bytes(HEADER, PAYLOAD);
    size_t tail = prefix_len + 32 + garbage;
    memset(block, 0xff, 256);
    block[0] = 0;
    block[1] = type;
    block[256 - tail - 1] = 0;
    memcpy(block + 256 - tail, sha256_prefix + sizeof(sha256_prefix) - prefix_len, prefix_len);
    assert_int_equal(EVP_Digest(bytes.ptr, bytes.len, block + 256 - tail + prefix_len, NULL, EVP_sha256(), NULL), 1);
    memset(block + 256 - garbage, 0x5a, garbage);
}

/* RFC 8017 s8.2.2: the whole padded block is compared. Bleichenbacher 2006 lived on garbage behind the digest. */
static void refuse_paddings(void **state)
{
    (void)state;
    static const char *const kinds[] = {"rsa2048", "rsa2048e3"};
    for (size_t i = 0; i < 2; i++) {
        struct rely_keyset *keyset = set_of(mint_key(kinds[i]), "RS256");
        unsigned char block[256];
        fill_block(block, 1, 0, sizeof(sha256_prefix));
        check_bytes(keyset, RELY_ALG_RS256, sign_block(kinds[i], block), RELY_OK);
        block[2] = 0xfe;
        check_bytes(keyset, RELY_ALG_RS256, sign_block(kinds[i], block), RELY_BAD_SIGNATURE);
        fill_block(block, 2, 0, sizeof(sha256_prefix));
        check_bytes(keyset, RELY_ALG_RS256, sign_block(kinds[i], block), RELY_BAD_SIGNATURE);
        fill_block(block, 1, 1, sizeof(sha256_prefix));
        check_bytes(keyset, RELY_ALG_RS256, sign_block(kinds[i], block), RELY_BAD_SIGNATURE);
        fill_block(block, 1, 190, sizeof(sha256_prefix));
        check_bytes(keyset, RELY_ALG_RS256, sign_block(kinds[i], block), RELY_BAD_SIGNATURE);
        fill_block(block, 1, 0, 0); /* no DigestInfo: the bare digest */
        check_bytes(keyset, RELY_ALG_RS256, sign_block(kinds[i], block), RELY_BAD_SIGNATURE);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

int run_broken_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuse_lengths),        cmocka_unit_test(refuse_ecdsa_ranges),
        cmocka_unit_test(accept_short_integers), cmocka_unit_test(accept_malleable_twin),
        cmocka_unit_test(refuse_rsa_numbers),    cmocka_unit_test(refuse_paddings),
    };
    return cmocka_run_group_tests_name("broken", tests, NULL, NULL);
}
