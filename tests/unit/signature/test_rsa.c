/*
 * RSA by numbers against EVP: whatever is signed with the private key, both say the same. The keys are made here from
 * their primes, so that any block of bytes can be signed, and moduli and exponents can be the awkward ones.
 */
#include "tests.h"

#include "../../../src/signature/verify.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#define PRIMES_MAX 8
#define POOL_SIZE 64
#define BYTES_MAX (RELY_RSA_BITS_MAX / 8)
#define ALGS 3
#define KEYS 9

/* A verifier cannot tell two primes from eight. Bits are at most these: three primes of 1,024 may make 3,071. */
static const struct {
    int bits;
    size_t primes;
    unsigned long exponent;
} facts[KEYS] = {{2048, 2, 65537}, {2048, 2, 3},     {2048, 2, 0xffffffff}, {2048, 2, 0xb504f333}, {2049, 2, 65537},
                 {2055, 2, 3},     {3072, 3, 65537}, {4096, 4, 65537},      {8192, 8, 65537}};

static const enum rely_alg algs[ALGS] = {RELY_ALG_RS256, RELY_ALG_RS384, RELY_ALG_RS512};
static const size_t digest_bytes[ALGS] = {32, 48, 64};

struct subject {
    size_t bytes;
    BIGNUM *n;
    size_t prime_count;
    BIGNUM *primes[PRIMES_MAX], *exponents[PRIMES_MAX], *coefficients[PRIMES_MAX];
    struct rely_keyset *keyset;
    const struct rely_key *key;
    EVP_PKEY_CTX *evp[ALGS];
};

static struct subject subjects[KEYS];
static BIGNUM *pool[POOL_SIZE]; /* primes of 1,024 bits */
static BN_CTX *ctx;

/* --- keys -------------------------------------------------------------------------------------------------- */

static BIGNUM *make_prime(int bits)
{
    BIGNUM *prime = BN_new();
    assert_int_equal(BN_generate_prime_ex(prime, bits, 0, NULL, NULL, NULL), 1);
    return prime;
}

/* False, and the prime is freed: this exponent has no inverse there. */
static bool add_prime(struct subject *subject, BIGNUM *prime, unsigned long exponent)
{
    BIGNUM *e = BN_new(), *less = BN_dup(prime);
    assert_int_equal(BN_set_word(e, exponent) & BN_sub_word(less, 1), 1);
    BIGNUM *inverse = BN_mod_inverse(NULL, e, less, ctx);
    ERR_clear_error();
    BN_free(less);
    BN_free(e);
    if (inverse == NULL) {
        BN_free(prime);
        return false;
    }
    subject->primes[subject->prime_count] = prime;
    subject->exponents[subject->prime_count++] = inverse;
    return true;
}

static void choose_primes(struct subject *subject, size_t which)
{
    int odd_bits = facts[which].bits - 1024 * ((int)facts[which].primes - 1);
    while (odd_bits != 1024 && !add_prime(subject, make_prime(odd_bits), facts[which].exponent))
        continue;
    for (size_t i = 0; subject->prime_count < facts[which].primes; i++) {
        assert_true(i < POOL_SIZE);
        if (pool[i] == NULL)
            pool[i] = make_prime(1024);
        (void)add_prime(subject, BN_dup(pool[i]), facts[which].exponent);
    }
}

/* The modulus and the Chinese remainder's coefficients: 1 modulo their own prime, 0 modulo the others. */
static void multiply_primes(struct subject *subject)
{
    BIGNUM *rest = BN_new();
    subject->n = BN_dup(BN_value_one());
    for (size_t i = 0; i < subject->prime_count; i++)
        assert_int_equal(BN_mul(subject->n, subject->n, subject->primes[i], ctx), 1);
    for (size_t i = 0; i < subject->prime_count; i++) {
        assert_int_equal(BN_div(rest, NULL, subject->n, subject->primes[i], ctx), 1);
        subject->coefficients[i] = BN_mod_inverse(NULL, rest, subject->primes[i], ctx);
        assert_non_null(subject->coefficients[i]);
        assert_int_equal(BN_mul(subject->coefficients[i], subject->coefficients[i], rest, ctx), 1);
    }
    BN_free(rest);
}

static const char *encode_number(const BIGNUM *number)
{
    uint8_t bytes[BYTES_MAX];
    int len = BN_bn2bin(number, bytes);
    return mint_base64(rely_slice((char *)bytes, (size_t)len));
}

static void open_subject(struct subject *subject, size_t which)
{
    struct rely_err err = {0};
    BIGNUM *e = BN_new();
    choose_primes(subject, which);
    multiply_primes(subject);
    assert_int_equal(BN_set_word(e, facts[which].exponent), 1);
    const char *jwk = mint_print("{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\",\"e\":\"%s\"}", encode_number(subject->n),
                                 encode_number(e));
    subject->keyset = rely_signature_accept(rely_slice_of(mint_jwks(jwk, NULL)), NULL, &err);
    if (subject->keyset == NULL)
        fail_msg("refused: %s", err.message);
    subject->key = rely_keyset_at(subject->keyset, 0);
    subject->bytes = (size_t)(facts[which].bits + 7) / 8;
    assert_int_equal(rely_key_signature_bytes(subject->key), subject->bytes);
    for (size_t alg = 0; alg < ALGS; alg++)
        subject->evp[alg] = rely_verifier_context(rely_key_verifier(subject->key), algs[alg]);
    BN_free(e);
}

static int open_subjects(void **state)
{
    choose_own_arithmetic(state);
    ctx = BN_CTX_new();
    for (size_t i = 0; i < KEYS; i++)
        open_subject(&subjects[i], i);
    mint_reset();
    return 0;
}

static int close_subjects(void **state)
{
    return_to_arithmetic_of_environment(state);
    for (size_t i = 0; i < KEYS; i++) {
        for (size_t alg = 0; alg < ALGS; alg++)
            EVP_PKEY_CTX_free(subjects[i].evp[alg]);
        for (size_t k = 0; k < subjects[i].prime_count; k++) {
            BN_free(subjects[i].primes[k]);
            BN_free(subjects[i].exponents[k]);
            BN_free(subjects[i].coefficients[k]);
        }
        BN_free(subjects[i].n);
        rely_keyset_free(subjects[i].keyset);
    }
    for (size_t i = 0; i < POOL_SIZE; i++)
        BN_free(pool[i]);
    BN_CTX_free(ctx);
    return 0;
}

/* --- signing and judging ----------------------------------------------------------------------------------- */

/* The private operation on any block. False: it is not below the modulus, and so the power of nothing. */
static bool sign_block(const struct subject *subject, const uint8_t *block, uint8_t signature[BYTES_MAX])
{
    BIGNUM *number = BN_bin2bn(block, (int)subject->bytes, NULL), *sum = BN_new(), *part = BN_new();
    bool is_signed = BN_cmp(number, subject->n) < 0;
    BN_zero(sum);
    for (size_t i = 0; i < subject->prime_count && is_signed; i++) {
        assert_int_equal(BN_mod_exp(part, number, subject->exponents[i], subject->primes[i], ctx), 1);
        assert_int_equal(BN_mod_mul(part, part, subject->coefficients[i], subject->n, ctx), 1);
        assert_int_equal(BN_mod_add(sum, sum, part, subject->n, ctx), 1);
    }
    assert_int_equal(BN_bn2binpad(sum, signature, (int)subject->bytes), subject->bytes);
    BN_free(part);
    BN_free(sum);
    BN_free(number);
    return is_signed;
}

/* The verdict by numbers, which must be EVP's. */
static bool judge(const struct subject *subject, size_t alg, const uint8_t *digest, const uint8_t *signature)
{
    int by_evp = EVP_PKEY_verify(subject->evp[alg], signature, subject->bytes, digest, digest_bytes[alg]);
    ERR_clear_error();
    int by_numbers = rely_rsa_verify(rely_key_verifier(subject->key), algs[alg], ctx,
                                     rely_slice((const char *)digest, digest_bytes[alg]),
                                     rely_slice((const char *)signature, subject->bytes));
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(by_numbers, by_evp == 1 ? 1 : 0);
    return by_numbers == 1;
}

static bool judge_number(const struct subject *subject, size_t alg, const uint8_t *digest, const BIGNUM *number)
{
    uint8_t signature[BYTES_MAX];
    assert_int_equal(BN_bn2binpad(number, signature, (int)subject->bytes), subject->bytes);
    return judge(subject, alg, digest, signature);
}

/* --- messages, right and deceitful ------------------------------------------------------------------------- */

#define INFO_MAX 32
#define DIGEST_MAX 64
#define SHA2 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02

enum info {
    RIGHT,
    WITHOUT_NULL,
    LONG_OUTER, /* lengths in forms that DER forbids */
    LONG_INNER,
    LONG_NULL,
    LONG_DIGEST,
    LONGEST_DIGEST,
    FULL_NULL, /* room in the parameters: CVE-2014-1568 had it elsewhere */
    OTHER_OID,
    NOTHING,
    INFO_COUNT
};

static size_t write_info(enum info info, size_t digest_len, uint8_t *out)
{
    uint8_t len = (uint8_t)digest_len, oid = (uint8_t)((digest_len + 8) / 16 - 1), other = (uint8_t)(oid % 3 + 1);
    const struct {
        size_t len;
        uint8_t bytes[INFO_MAX];
    } infos[INFO_COUNT] = {
        [RIGHT] = {19, {0x30, len + 17, 0x30, 13, SHA2, oid, 5, 0, 4, len}},
        [WITHOUT_NULL] = {17, {0x30, len + 15, 0x30, 11, SHA2, oid, 4, len}},
        [LONG_OUTER] = {20, {0x30, 0x81, len + 17, 0x30, 13, SHA2, oid, 5, 0, 4, len}},
        [LONG_INNER] = {20, {0x30, len + 18, 0x30, 0x81, 13, SHA2, oid, 5, 0, 4, len}},
        [LONG_NULL] = {20, {0x30, len + 18, 0x30, 14, SHA2, oid, 5, 0x81, 0, 4, len}},
        [LONG_DIGEST] = {20, {0x30, len + 18, 0x30, 13, SHA2, oid, 5, 0, 4, 0x81, len}},
        [LONGEST_DIGEST] = {23, {0x30, len + 21, 0x30, 13, SHA2, oid, 5, 0, 4, 0x84, 0, 0, 0, len}},
        [FULL_NULL] = {23, {0x30, len + 21, 0x30, 17, SHA2, oid, 5, 4, 1, 2, 3, 4, 4, len}},
        [OTHER_OID] = {19, {0x30, len + 17, 0x30, 13, SHA2, other, 5, 0, 4, len}},
    };
    memcpy(out, infos[info].bytes, infos[info].len);
    return infos[info].len;
}

/* first type FF..FF separator info digest, and garbage as far as there is room. */
struct shape {
    uint8_t first, type, separator;
    size_t padding; /* 0: fills up */
    enum info info;
    int more;    /* bytes of the digest more than right, or fewer */
    int garbage; /* when the padding fills up: what it leaves; -1 drives the digest's last byte out */
};

static const struct shape right_shape = {0, 1, 0, 0, RIGHT, 0, 0};

static const struct shape deceits[] = {
    {0, 1, 0, 8, RIGHT, 0, 0}, /* Bleichenbacher 2006: garbage behind the digest */
    {0, 1, 0, 7, RIGHT, 0, 0},          {0, 1, 0, 1, RIGHT, 0, 0},
    {0, 1, 0, 100, RIGHT, 0, 0},        {0, 0, 0, 0, RIGHT, 0, 0},
    {0, 2, 0, 0, RIGHT, 0, 0},          {0, 0xff, 0, 0, RIGHT, 0, 0},
    {1, 1, 0, 0, RIGHT, 0, 0},          {1, 0, 0, 0, RIGHT, 0, 0},
    {0, 1, 0xff, 0, RIGHT, 0, 0}, /* no separator */
    {0, 1, 1, 0, RIGHT, 0, 0},          {0, 1, 0, 0, WITHOUT_NULL, 0, 0},
    {0, 1, 0, 0, LONG_OUTER, 0, 0},     {0, 1, 0, 0, LONG_INNER, 0, 0},
    {0, 1, 0, 0, LONG_NULL, 0, 0},      {0, 1, 0, 0, LONG_DIGEST, 0, 0},
    {0, 1, 0, 0, LONGEST_DIGEST, 0, 0}, {0, 1, 0, 0, FULL_NULL, 0, 0},
    {0, 1, 0, 0, OTHER_OID, 0, 0},      {0, 1, 0, 0, NOTHING, 0, 0},
    {0, 1, 0xff, 0, NOTHING, 0, 0},     {0, 1, 0, 0, RIGHT, -1, 0},  /* the length in the info says what is there */
    {0, 1, 0, 0, RIGHT, 1, 0},          {0, 1, 0, 0, RIGHT, -16, 0}, /* these two name other hashes of SHA-2 */
    {0, 1, 0, 0, RIGHT, 16, 0},         {0, 1, 0, 8, LONG_OUTER, 0, 0},
    {0, 1, 0, 8, WITHOUT_NULL, 0, 0},   {0, 1, 0, 0, RIGHT, 0, 1}, /* its own length says what is right */
    {0, 1, 0, 0, RIGHT, 0, 2},          {0, 1, 0, 0, RIGHT, 0, 128},
    {0, 1, 0, 0, RIGHT, 0, -1},         {0, 1, 0, 0, RIGHT, 0, -16},
};

static void write_block(const struct shape *shape, size_t alg, const uint8_t digest[DIGEST_MAX], size_t len,
                        uint8_t *out)
{
    uint8_t info[INFO_MAX];
    size_t digest_len = digest_bytes[alg] + (size_t)shape->more;
    if (digest_len > DIGEST_MAX)
        digest_len = DIGEST_MAX - 1;
    size_t info_len = write_info(shape->info, digest_len, info);
    size_t padding = shape->padding != 0 ? shape->padding : len - 3 - info_len - digest_len - (size_t)shape->garbage;
    size_t room = len - 3 - padding - info_len;
    memset(out, 0x5a, len);
    out[0] = shape->first;
    out[1] = shape->type;
    memset(out + 2, 0xff, padding);
    out[2 + padding] = shape->separator;
    memcpy(out + 3 + padding, info, info_len);
    memcpy(out + 3 + padding + info_len, digest, digest_len < room ? digest_len : room);
}

static void sign_right(const struct subject *subject, size_t alg, uint8_t digest[DIGEST_MAX],
                       uint8_t signature[BYTES_MAX])
{
    uint8_t block[BYTES_MAX];
    assert_int_equal(RAND_bytes(digest, DIGEST_MAX), 1);
    write_block(&right_shape, alg, digest, subject->bytes, block);
    assert_true(sign_block(subject, block, signature));
}

/* --- the tests --------------------------------------------------------------------------------------------- */

static void accept_true_signatures(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_MAX], signature[BYTES_MAX];
    for (size_t i = 0; i < KEYS; i++)
        for (size_t round = 0; round < 25 * ALGS; round++) {
            const struct subject *subject = &subjects[i];
            size_t alg = round % ALGS, bit = round * 7919 % (subject->bytes * 8);
            sign_right(subject, alg, digest, signature);
            assert_true(judge(subject, alg, digest, signature));
            signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(judge(subject, alg, digest, signature));
            signature[bit / 8] ^= (uint8_t)(1u << bit % 8);
            bit %= digest_bytes[alg] * 8;
            digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_false(judge(subject, alg, digest, signature));
            digest[bit / 8] ^= (uint8_t)(1u << bit % 8);
            for (size_t other = 0; other < ALGS; other++)
                assert_int_equal(judge(subject, other, digest, signature), other == alg);
        }
}

/* Signatures of 1 and of a block that begins with zeros: the power is short. */
static void judge_short_powers(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_MAX] = {0}, block[BYTES_MAX], signature[BYTES_MAX];
    for (size_t i = 0; i < KEYS; i++)
        for (size_t len = 1; len <= subjects[i].bytes; len += 51) {
            memset(block, 0, sizeof block);
            memset(block + subjects[i].bytes - len, 1, len);
            assert_true(sign_block(&subjects[i], block, signature));
            assert_false(judge(&subjects[i], len % ALGS, digest, signature));
        }
}

#define ODD_COUNT 9

static void refuse_odd_numbers(void **state)
{
    (void)state;
    size_t larger_count = 0;
    uint8_t digest[DIGEST_MAX], signature[BYTES_MAX];
    for (size_t i = 0; i < KEYS * ALGS; i++) {
        const struct subject *subject = &subjects[i / ALGS];
        BIGNUM *odd[ODD_COUNT];
        for (size_t k = 0; k < ODD_COUNT; k++)
            odd[k] = BN_dup(subject->n);
        sign_right(subject, i % ALGS, digest, signature);
        BIGNUM *s = BN_bin2bn(signature, (int)subject->bytes, NULL);
        BN_zero(odd[0]);
        BN_one(odd[1]);
        BN_set_word(odd[2], 2);
        BN_sub_word(odd[3], 1);
        BN_sub_word(odd[4], 2);
        BN_add_word(odd[5], 1);
        BN_sub(odd[6], subject->n, s);
        BN_add(odd[7], subject->n, s); /* the same number to a careless check; odd[8] is n itself */
        for (size_t k = 0; k < ODD_COUNT; k++) {
            bool is_fitting = (size_t)BN_num_bytes(odd[k]) <= subject->bytes;
            assert_false(is_fitting && judge_number(subject, i % ALGS, digest, odd[k]));
            larger_count += is_fitting && k == 7;
            BN_free(odd[k]);
        }
        memset(signature, 0xff, sizeof signature);
        assert_false(judge(subject, i % ALGS, digest, signature));
        BN_free(s);
    }
    assert_true(larger_count >= 2 * ALGS); /* moduli of 2,049 and 2,055 bits leave room */
}

static void refuse_deceits(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_MAX], block[BYTES_MAX], signature[BYTES_MAX];
    size_t signed_count = 0, deceit_count = sizeof deceits / sizeof deceits[0];
    for (size_t i = 0; i < KEYS * ALGS; i++) {
        const struct subject *subject = &subjects[i / ALGS];
        size_t alg = i % ALGS;
        assert_int_equal(RAND_bytes(digest, sizeof digest), 1);
        for (size_t k = 0; k < deceit_count; k++) {
            write_block(&deceits[k], alg, digest, subject->bytes, block);
            if (!sign_block(subject, block, signature))
                continue;
            signed_count++;
            if (judge(subject, alg, digest, signature))
                fail_msg("deceit %zu of key %zu was believed", k, i / ALGS);
        }
    }
    assert_true(signed_count >= KEYS * ALGS * (deceit_count - 2)); /* all but those whose first byte is 1 */
}

/* Every byte counts: another one at any place, and a zero, which ends the padding for those who parse it. */
static void refuse_changed_bytes(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_MAX], block[BYTES_MAX], signature[BYTES_MAX];
    static const size_t keys[] = {0, 1, 4, 5};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        for (size_t at = 0; at < subjects[keys[i]].bytes; at++) {
            const struct subject *subject = &subjects[keys[i]];
            size_t alg = at % ALGS;
            assert_int_equal(RAND_bytes(digest, sizeof digest), 1);
            write_block(&right_shape, alg, digest, subject->bytes, block);
            uint8_t right = block[at];
            block[at] ^= (uint8_t)(1u << at % 8);
            if (sign_block(subject, block, signature)) /* not so when the first byte is large */
                assert_false(judge(subject, alg, digest, signature));
            block[at] = 0;
            assert_true(sign_block(subject, block, signature));
            assert_int_equal(judge(subject, alg, digest, signature), right == 0);
        }
}

/* The right bytes at another place: digest in front, padding behind, one byte too early or too late. */
static void refuse_turned_messages(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_MAX], block[BYTES_MAX], turned[BYTES_MAX], signature[BYTES_MAX];
    size_t signed_count = 0;
    const struct subject *subject = &subjects[1];
    assert_int_equal(RAND_bytes(digest, sizeof digest), 1);
    for (size_t by = 0; by < subject->bytes; by++) {
        write_block(&right_shape, by % ALGS, digest, subject->bytes, block);
        memcpy(turned, block + by, subject->bytes - by);
        memcpy(turned + subject->bytes - by, block, by);
        if (!sign_block(subject, turned, signature))
            continue;
        assert_int_equal(judge(subject, by % ALGS, digest, signature), by == 0);
        signed_count++;
    }
    assert_true(signed_count > 20);
}

/* The smallest number whose cube is not below this. */
static BIGNUM *find_cube_root(const BIGNUM *cube)
{
    BIGNUM *root = BN_new(), *power = BN_new();
    BN_zero(root);
    for (int bit = BN_num_bits(cube) / 3 + 1; bit >= 0; bit--) {
        BN_set_bit(root, bit);
        assert_int_equal(BN_sqr(power, root, ctx) & BN_mul(power, power, root, ctx), 1);
        if (BN_cmp(power, cube) >= 0)
            BN_clear_bit(root, bit);
    }
    BN_add_word(root, 1);
    BN_free(power);
    return root;
}

/* Bleichenbacher 2006 as it was: e = 3 and room for garbage, so a root of whole numbers will do and no private key. */
static void refuse_cube_roots(void **state)
{
    (void)state;
    uint8_t digest[DIGEST_MAX], block[BYTES_MAX], power[BYTES_MAX];
    static const struct shape shape = {0, 1, 0, 8, RIGHT, 0, 0};
    for (size_t i = 0; i < 8; i++) {
        const struct subject *subject = &subjects[i % 2 == 0 ? 1 : 5];
        size_t alg = i / 2 % 2, prefix_len = 11 + 19 + digest_bytes[alg]; /* RS512's would not fit */
        assert_int_equal(RAND_bytes(digest, sizeof digest), 1);
        write_block(&shape, alg, digest, subject->bytes, block);
        memset(block + prefix_len, 0, subject->bytes - prefix_len);
        BIGNUM *cube = BN_bin2bn(block, (int)subject->bytes, NULL), *root = find_cube_root(cube);
        assert_int_equal(BN_sqr(cube, root, ctx) & BN_mul(cube, cube, root, ctx), 1);
        assert_int_equal(BN_bn2binpad(cube, power, (int)subject->bytes), subject->bytes);
        assert_memory_equal(power, block, prefix_len); /* the forgery is a good one */
        assert_false(judge_number(subject, alg, digest, root));
        BN_free(root);
        BN_free(cube);
    }
}

static int ask(const struct rely_key *key, enum rely_alg alg, size_t digest_len, size_t signature_len)
{
    uint8_t bytes[2 * BYTES_MAX];
    memset(bytes, 1, sizeof bytes);
    int answer = rely_rsa_verify(rely_key_verifier(key), alg, ctx, rely_slice((char *)bytes, digest_len),
                                 rely_slice((char *)bytes, signature_len));
    assert_int_equal(ERR_peek_error(), 0);
    return answer;
}

static void leave_the_rest_to_evp(void **state)
{
    (void)state;
    const struct rely_key *key = subjects[0].key;
    for (enum rely_alg alg = RELY_ALG_UNKNOWN; alg < RELY_ALG_COUNT; alg++)
        for (size_t i = 0; i < ALGS; i++)
            assert_int_equal(ask(key, alg, digest_bytes[i], 256), alg == algs[i] ? 0 : -1);
    static const size_t digests[] = {0, 20, 31, 33, 48, 64, 256}, lengths[] = {0, 1, 255, 257, 512, 2 * BYTES_MAX};
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
        assert_int_equal(ask(key, RELY_ALG_RS256, digests[i], 256), -1);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        assert_int_equal(ask(key, RELY_ALG_RS256, 32, lengths[i]), -1);
    for (size_t i = 0; i < PAIRING_COUNT; i++) { /* keys for one algorithm: numbers for these three only */
        struct rely_keyset *keyset = set_of(mint_key(pairings[i].kind), pairings[i].alg);
        const struct rely_key *other = rely_keyset_at(keyset, 0);
        for (size_t alg = 0; alg < ALGS; alg++)
            assert_int_equal(ask(other, algs[alg], digest_bytes[alg], rely_key_signature_bytes(other)),
                             pairings[i].number <= RELY_ALG_RS512 ? 0 : -1);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

/* One key, all its algorithms, by turns: neither way disturbs the other. */
static void verify_both_ways(void **state)
{
    (void)state;
    const struct mint_key *key = mint_key("rsa2048"), *other = mint_key("rsa2048#2");
    struct rely_keyset *keyset = set_of(key, NULL);
    assert_non_null(rely_key_verifier(rely_keyset_at(keyset, 0))->modulus);
    for (size_t i = 0; i < 18; i++) {
        const struct pairing *pairing = &pairings[i * 5 % 6];
        const char *payload = mint_print("{\"round\":%zu}", i);
        struct rely_unverified good = read_parts(mint_token(key, pairing->alg, HEADER, payload), pairing->number);
        struct rely_unverified bad = read_parts(mint_token(other, pairing->alg, HEADER, payload), pairing->number);
        check_reason(keyset, &good, RELY_OK);
        check_reason(keyset, &bad, RELY_BAD_SIGNATURE);
    }
    rely_keyset_free(keyset);
    mint_reset();
}

int run_rsa_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_true_signatures), cmocka_unit_test(judge_short_powers),
        cmocka_unit_test(refuse_odd_numbers),     cmocka_unit_test(refuse_deceits),
        cmocka_unit_test(refuse_changed_bytes),   cmocka_unit_test(refuse_turned_messages),
        cmocka_unit_test(refuse_cube_roots),      cmocka_unit_test(leave_the_rest_to_evp),
        cmocka_unit_test(verify_both_ways),
    };
    return cmocka_run_group_tests_name("rsa", tests, open_subjects, close_subjects);
}
