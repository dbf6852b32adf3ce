/*
 * What refusing a signature has cost: nothing where its length or its numbers were refused before any arithmetic, less
 * than usual under a key with a table. Decides nothing. Called by decide/ behind a refusal, for its budget.
 */
#include "relyd/keys.h"
#include "verify.h"

#define ORDER_BYTES_MAX 66

/* How many numbers there are for r and s: FIPS 186-4 D.1.2.3 to D.1.2.5; RFC 8032 s5.1. Big-endian. */
static const uint8_t order_of_p256[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17,
                                          0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
static const uint8_t order_of_p384[48] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                          0xc7, 0x63, 0x4d, 0x81, 0xf4, 0x37, 0x2d, 0xdf, 0x58, 0x1a, 0x0d, 0xb2,
                                          0x48, 0xb0, 0xa7, 0x7a, 0xec, 0xec, 0x19, 0x6a, 0xcc, 0xc5, 0x29, 0x73};
static const uint8_t order_of_p521[66] = {
    0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfa,
    0x51, 0x86, 0x87, 0x83, 0xbf, 0x2f, 0x96, 0x6b, 0x7f, 0xcc, 0x01, 0x48, 0xf7, 0x09, 0xa5, 0xd0, 0x3b,
    0xb5, 0xc9, 0xb8, 0x89, 0x9c, 0x47, 0xae, 0xbb, 0x6f, 0xb7, 0x1e, 0x91, 0x38, 0x64, 0x09};
static const uint8_t order_of_ed25519[32] = {0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                             0x00, 0x00, 0x00, 0x00, 0x00, 0x14, 0xde, 0xf9, 0xde, 0xa2, 0xf7,
                                             0x9c, 0xd6, 0x58, 0x12, 0x63, 0x1a, 0x5c, 0xf5, 0xd3, 0xed};

/* From 1 to order - 1? */
static bool is_below_order(const uint8_t *number, const uint8_t *order, size_t len)
{
    static const uint8_t zero[ORDER_BYTES_MAX];
    return memcmp(number, order, len) < 0 && memcmp(number, zero, len) != 0;
}

static bool are_ecdsa_numbers_good(const uint8_t *raw, size_t half)
{
    const uint8_t *order = half == sizeof order_of_p256   ? order_of_p256
                           : half == sizeof order_of_p384 ? order_of_p384
                                                          : order_of_p521;
    return is_below_order(raw, order, half) && is_below_order(raw + half, order, half);
}

/* S stands little-endian in the second half. */
static bool is_eddsa_number_good(const uint8_t *raw)
{
    uint8_t s[sizeof order_of_ed25519];
    for (size_t i = 0; i < sizeof s; i++)
        s[i] = raw[2 * sizeof s - 1 - i];
    return memcmp(s, order_of_ed25519, sizeof s) < 0;
}

/* RSA's are not looked at: another key of the same size makes one that is not below n now and then, and the digest has
 * been computed. */
static bool are_numbers_good(const struct rely_unverified *token)
{
    const uint8_t *raw = (const uint8_t *)token->signature.ptr;
    if (token->alg == RELY_ALG_EDDSA)
        return is_eddsa_number_good(raw);
    return (1u << token->alg & RELY_ALGS_ECDSA) == 0 || are_ecdsa_numbers_good(raw, token->signature.len / 2);
}

/* As measure_cost in keys/keyset.c, with the tables of decision 0009: 26, 160 and 350 us. */
static uint32_t cost_with_table(const struct rely_verifier *verifier)
{
    return verifier->signature_bytes == 2 * sizeof order_of_p256   ? 2
           : verifier->signature_bytes == 2 * sizeof order_of_p384 ? 12
                                                                   : 24;
}

uint32_t rely_signature_cost_of_refusal(const struct rely_unverified *token, const struct rely_key *key)
{
    struct rely_verifier *verifier = rely_key_verifier(key);
    bool is_for_alg = verifier != NULL && (verifier->algs & (1u << token->alg) & RELY_ALGS_ALL) != 0;
    if (!is_for_alg || token->signature.len != verifier->signature_bytes || !are_numbers_good(token))
        return 0;
    bool has_table = atomic_load_explicit(&verifier->table, memory_order_relaxed) != NULL;
    return has_table ? cost_with_table(verifier) : rely_key_cost(key);
}
