/*
 * RSA by numbers against EVP: any signature, and any block signed with the private key, must get the same verdict from
 * both, and of signed blocks the right one only is believed. The keys are products of many primes of 32 bits, which a
 * verifier cannot tell from two large ones, and which sign in microseconds.
 *
 * The first byte chooses the key (2 bits), the mode (2 bits) and the algorithm (2 bits); 0x40 adds n to the signature,
 * 0x80 subtracts it from n. The second makes the digest. The rest is what the mode says.
 */
#include "../../src/signature/verify.h"

#include "relyd/keys.h"
#include "relyd/keyset.h"
#include "relyd/text.h"

#include <openssl/err.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEYS 4
#define ALGS 3
#define PRIMES_MAX 65
#define BYTES_MAX 257
#define DIGEST_MAX 64

enum mode {
    SENT_SIGNATURE,    /* the rest is the signature, zeros behind it */
    CHANGED_SIGNATURE, /* a true one; of each three bytes two say where and one what changes */
    CHANGED_BLOCK,     /* the right block, changed in the same way, then signed */
    SENT_BLOCK         /* 00 01, FF as often as the first byte says, then the rest and zeros; signed */
};

struct pair {
    size_t bytes, prime_count;
    BIGNUM *n, *coefficients[PRIMES_MAX]; /* 1 modulo their own prime, 0 modulo the others */
    uint64_t primes[PRIMES_MAX], exponents[PRIMES_MAX];
    struct rely_keyset *keyset; /* for the life of the process */
    const struct rely_key *key;
    EVP_PKEY_CTX *evp[ALGS];
};

/* What one input says. */
struct attempt {
    const struct pair *pair;
    size_t alg;
    uint8_t digest[DIGEST_MAX], right[BYTES_MAX], block[BYTES_MAX], signature[BYTES_MAX];
    bool is_signed; /* signature is the block's */
};

static const enum rely_alg algs[ALGS] = {RELY_ALG_RS256, RELY_ALG_RS384, RELY_ALG_RS512};
static struct pair pairs[KEYS];
static BN_CTX *ctx;

/* --- keys -------------------------------------------------------------------------------------------------- */

/* The next primes below `from` that the exponent is invertible at. */
static void find_primes(struct pair *pair, uint64_t from, size_t count, uint64_t exponent)
{
    BIGNUM *candidate = BN_new(), *e = BN_new(), *inverse = BN_new();
    RELY_ASSERT(BN_set_word(e, exponent) == 1);
    for (; pair->prime_count < count; from -= 2) {
        RELY_ASSERT(BN_set_word(candidate, from) == 1);
        if (BN_check_prime(candidate, ctx, NULL) != 1)
            continue;
        RELY_ASSERT(BN_sub_word(candidate, 1) == 1);
        if (BN_mod_inverse(inverse, e, candidate, ctx) == NULL)
            continue;
        pair->primes[pair->prime_count] = from;
        pair->exponents[pair->prime_count++] = BN_get_word(inverse);
    }
    ERR_clear_error();
    BN_free(inverse);
    BN_free(e);
    BN_free(candidate);
}

static void multiply_primes(struct pair *pair)
{
    BIGNUM *prime = BN_new(), *rest = BN_new();
    pair->n = BN_dup(BN_value_one());
    for (size_t i = 0; i < pair->prime_count; i++)
        RELY_ASSERT(BN_mul_word(pair->n, pair->primes[i]) == 1);
    for (size_t i = 0; i < pair->prime_count; i++) {
        RELY_ASSERT(BN_copy(rest, pair->n) != NULL && BN_div_word(rest, pair->primes[i]) == 0);
        RELY_ASSERT(BN_set_word(prime, pair->primes[i]) == 1);
        pair->coefficients[i] = BN_mod_inverse(NULL, rest, prime, ctx);
        RELY_ASSERT(pair->coefficients[i] != NULL);
        RELY_ASSERT(BN_mul(pair->coefficients[i], pair->coefficients[i], rest, ctx) == 1);
    }
    BN_free(rest);
    BN_free(prime);
}

static void encode_number(const BIGNUM *number, char *out)
{
    uint8_t bytes[BYTES_MAX];
    size_t len = (size_t)BN_bn2bin(number, bytes);
    rely_base64url_encode(bytes, len, out);
}

static struct rely_keyset *parse_key(const BIGNUM *n, uint64_t exponent)
{
    char modulus[RELY_BASE64_ENCODED(BYTES_MAX)], public[16], jwks[512];
    struct rely_err err = {0};
    BIGNUM *e = BN_new();
    RELY_ASSERT(BN_set_word(e, exponent) == 1);
    encode_number(n, modulus);
    encode_number(e, public);
    snprintf(jwks, sizeof jwks, "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}]}", modulus, public);
    struct rely_keyset *keyset = rely_signature_accept(rely_slice_of(jwks), NULL, &err);
    RELY_ASSERT(keyset != NULL && rely_keyset_count(keyset) == 1);
    BN_free(e);
    return keyset;
}

static void open_all(void)
{
    static const struct {
        int bits;
        size_t count;
        uint64_t from, exponent;
    } facts[KEYS] = {{2048, 64, 0xffffffff, 65537},
                     {2048, 64, 0xfef00001, 3},
                     {2049, 65, 0xb6f00001, 3},           /* s + n always fits */
                     {2055, 65, 0xc30c8001, 0xffffffff}}; /* and there is a bit to spare */
    ctx = BN_CTX_new();
    for (size_t i = 0; i < KEYS; i++) {
        find_primes(&pairs[i], facts[i].from, facts[i].count, facts[i].exponent);
        multiply_primes(&pairs[i]);
        RELY_ASSERT(BN_num_bits(pairs[i].n) == facts[i].bits);
        pairs[i].keyset = parse_key(pairs[i].n, facts[i].exponent);
        pairs[i].key = rely_keyset_at(pairs[i].keyset, 0);
        pairs[i].bytes = rely_key_signature_bytes(pairs[i].key);
        for (size_t alg = 0; alg < ALGS; alg++)
            pairs[i].evp[alg] = rely_verifier_context(rely_key_verifier(pairs[i].key), algs[alg]);
    }
}

/* --- blocks and signatures --------------------------------------------------------------------------------- */

static uint64_t raise_word(uint64_t base, uint64_t exponent, uint64_t prime)
{
    uint64_t power = 1;
    for (; exponent != 0; exponent >>= 1) {
        if ((exponent & 1) != 0)
            power = power * base % prime;
        base = base * base % prime;
    }
    return power;
}

/* A block that is not below n counts as its rest. */
static void sign_block(struct attempt *attempt)
{
    const struct pair *pair = attempt->pair;
    BN_CTX_start(ctx);
    BIGNUM *number = BN_CTX_get(ctx), *sum = BN_CTX_get(ctx), *part = BN_CTX_get(ctx);
    RELY_ASSERT(part != NULL && BN_bin2bn(attempt->block, (int)pair->bytes, number) != NULL);
    attempt->is_signed = BN_cmp(number, pair->n) < 0;
    for (size_t i = 0; i < pair->prime_count; i++) {
        uint64_t rest = BN_mod_word(number, pair->primes[i]);
        RELY_ASSERT(BN_copy(part, pair->coefficients[i]) != NULL);
        RELY_ASSERT(BN_mul_word(part, raise_word(rest, pair->exponents[i], pair->primes[i])) == 1);
        RELY_ASSERT(BN_add(sum, sum, part) == 1);
    }
    RELY_ASSERT(BN_nnmod(sum, sum, pair->n, ctx) == 1);
    RELY_ASSERT(BN_bn2binpad(sum, attempt->signature, (int)pair->bytes) == (int)pair->bytes);
    BN_CTX_end(ctx);
}

/* RFC 8017 s9.2. The three hashes differ by two bytes of the info. */
static void write_right_block(struct attempt *attempt)
{
    uint8_t len = (uint8_t)(32 + 16 * attempt->alg);
    uint8_t info[19] = {0x30, 17, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0};
    size_t padding = attempt->pair->bytes - 3 - sizeof info - len;
    info[1] = (uint8_t)(info[1] + len);
    info[14] = (uint8_t)(info[14] + attempt->alg);
    info[18] = len;
    memset(attempt->right, 0xff, sizeof attempt->right);
    attempt->right[0] = 0;
    attempt->right[1] = 1;
    attempt->right[2 + padding] = 0;
    memcpy(attempt->right + 3 + padding, info, sizeof info);
    memcpy(attempt->right + 3 + padding + sizeof info, attempt->digest, len);
}

static void change_bytes(uint8_t *bytes, size_t len, const uint8_t *data, size_t size)
{
    for (; size >= 3; data += 3, size -= 3)
        bytes[(size_t)(data[0] << 8 | data[1]) % len] ^= data[2];
}

static void write_sent_block(struct attempt *attempt, const uint8_t *data, size_t size)
{
    size_t len = attempt->pair->bytes, padding = size == 0 ? 0 : data[0];
    padding = padding < len - 2 ? padding : len - 2;
    memset(attempt->block, 0, sizeof attempt->block);
    attempt->block[1] = 1;
    memset(attempt->block + 2, 0xff, padding);
    size_t room = len - 2 - padding, sent = size == 0 ? 0 : size - 1;
    if (sent > 0)
        memcpy(attempt->block + 2 + padding, data + 1, sent < room ? sent : room);
}

static void fill_attempt(struct attempt *attempt, enum mode mode, const uint8_t *data, size_t size)
{
    size_t len = attempt->pair->bytes;
    write_right_block(attempt);
    memcpy(attempt->block, attempt->right, sizeof attempt->block);
    if (mode == CHANGED_BLOCK)
        change_bytes(attempt->block, len, data, size);
    else if (mode == SENT_BLOCK)
        write_sent_block(attempt, data, size);
    if (mode == SENT_SIGNATURE) {
        memcpy(attempt->signature, data, size < len ? size : len);
        return;
    }
    sign_block(attempt);
    if (mode == CHANGED_SIGNATURE && size >= 3) {
        change_bytes(attempt->signature, len, data, size);
        attempt->is_signed = false;
    }
}

/* s + n and n - s, where they fit. */
static void move_signature(struct attempt *attempt, bool is_added, bool is_subtracted)
{
    const struct pair *pair = attempt->pair;
    BN_CTX_start(ctx);
    BIGNUM *s = BN_CTX_get(ctx);
    RELY_ASSERT(s != NULL && BN_bin2bn(attempt->signature, (int)pair->bytes, s) != NULL);
    if (is_subtracted && BN_cmp(s, pair->n) <= 0)
        RELY_ASSERT(BN_sub(s, pair->n, s) == 1);
    if (is_added)
        RELY_ASSERT(BN_add(s, s, pair->n) == 1);
    if (BN_bn2binpad(s, attempt->signature, (int)pair->bytes) == (int)pair->bytes)
        attempt->is_signed = false;
    ERR_clear_error();
    BN_CTX_end(ctx);
}

static void compare_verdicts(const struct attempt *attempt)
{
    const struct pair *pair = attempt->pair;
    size_t digest_len = 32 + 16 * attempt->alg;
    int by_evp = EVP_PKEY_verify(pair->evp[attempt->alg], attempt->signature, pair->bytes, attempt->digest, digest_len);
    ERR_clear_error();
    int by_numbers = rely_rsa_verify(rely_key_verifier(pair->key), algs[attempt->alg], ctx,
                                     rely_slice((const char *)attempt->digest, digest_len),
                                     rely_slice((const char *)attempt->signature, pair->bytes));
    RELY_ASSERT(ERR_peek_error() == 0);
    RELY_ASSERT(by_numbers == (by_evp == 1 ? 1 : 0));
    if (attempt->is_signed)
        RELY_ASSERT(by_numbers == (memcmp(attempt->block, attempt->right, pair->bytes) == 0 ? 1 : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attempt attempt = {.is_signed = false};
    if (size < 2)
        return 0;
    if (ctx == NULL)
        open_all();
    attempt.pair = &pairs[data[0] & 3];
    attempt.alg = (data[0] >> 4 & 3) % ALGS;
    for (size_t i = 0; i < DIGEST_MAX; i++)
        attempt.digest[i] = (uint8_t)(data[1] + 7 * i);
    fill_attempt(&attempt, (enum mode)(data[0] >> 2 & 3), data + 2, size - 2);
    if ((data[0] & 0xc0) != 0)
        move_signature(&attempt, (data[0] & 0x40) != 0, (data[0] & 0x80) != 0);
    compare_verdicts(&attempt);
    return 0;
}
