/*
 * H: hostile key sets. A key that is not used stands beside a good one (kid "good"), so that the set is accepted and
 * the token that names it is refused for its own key. Sets that are refused leave the issuer without keys.
 */
#include "hostile.h"

#include <openssl/bn.h>
#include <openssl/evp.h>

/* --- key sets ---------------------------------------------------------------------------------- */

static const char *good_jwk(void)
{
    return mint_jwk(mint_key("p521"), "good", NULL);
}

static const char *beside_good(const char *jwk)
{
    return mint_jwks(jwk, good_jwk(), NULL);
}

/* "kind" or "kind|alg", as kid "k". */
static const char *set_of_kind(const char *text)
{
    size_t len = strcspn(text, "|");
    const char *alg = text[len] == '|' ? text + len + 1 : NULL;
    return beside_good(mint_jwk(mint_key(mint_print("%.*s", (int)len, text)), "k", alg));
}

/* The key `rsa` with further members. */
static const char *set_with_members(const char *members)
{
    return beside_good(mint_jwk_with(rsa_key(), "k", NULL, members));
}

static const char *rsa_set(const char *n, const char *e)
{
    return beside_good(mint_print("{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\",\"e\":%s}", n, e));
}

static const char *right_modulus(void)
{
    return mint_base64(mint_key_part(rsa_key(), "n"));
}

/* `e` as JSON. */
static const char *set_with_exponent(const char *e)
{
    return rsa_set(right_modulus(), e);
}

static const char *set_with_long_exponent(const char *text)
{
    (void)text;
    return rsa_set(right_modulus(), mint_print("\"%s\"", mint_base64(mint_repeat('\xff', 256))));
}

static const char *set_with_modulus(const char *n)
{
    return rsa_set(n, "\"AQAB\"");
}

static const char *set_with_modulus_of(const char *bytes)
{
    return set_with_modulus(mint_base64(mint_repeat('\xff', (size_t)atoi(bytes))));
}

static const char *set_with_even_modulus(const char *text)
{
    (void)text;
    struct rely_slice n = mint_copy(mint_key_part(rsa_key(), "n"));
    ((char *)n.ptr)[n.len - 1] &= '\xfe';
    return set_with_modulus(mint_base64(n));
}

static const char *set_with_zero_in_front(const char *text)
{
    (void)text;
    return set_with_modulus(mint_base64(mint_concat(rely_slice("\0", 1), mint_key_part(rsa_key(), "n"))));
}

/* The modulus under a printf-free suffix: padding. */
static const char *set_with_padding(const char *suffix)
{
    return set_with_modulus(mint_print("%s%s", right_modulus(), suffix));
}

static const char *set_without_modulus(const char *kty)
{
    return beside_good(mint_print("{\"kty\":\"%s\",\"kid\":\"k\",\"e\":\"AQAB\"}", kty));
}

static const char *set_with_kty(const char *kty)
{
    return beside_good(mint_print("{\"kty\":\"%s\",\"kid\":\"k\",\"n\":\"%s\",\"e\":\"AQAB\"}", kty, right_modulus()));
}

static const char *set_with_private_key(const char *text)
{
    (void)text;
    const char *d = mint_base64(mint_key_part(rsa_key(), "d"));
    return set_with_members(mint_print("\"d\":\"%s\",\"p\":\"AQ\",\"q\":\"AQ\"", d));
}

#define SECRET "0123456789abcdef0123456789abcdef"

static const char *set_with_secret(const char *text)
{
    (void)text;
    const char *k = mint_base64(RELY_LIT(SECRET));
    return beside_good(mint_print("{\"kty\":\"oct\",\"kid\":\"k\",\"alg\":\"HS256\",\"k\":\"%s\"}", k));
}

static const char *ec_set(const char *crv, struct rely_slice x, struct rely_slice y)
{
    return beside_good(
        mint_print("{\"kty\":\"EC\",\"kid\":\"k\",%s\"x\":\"%s\",\"y\":\"%s\"}", crv, mint_base64(x), mint_base64(y)));
}

#define P256 "\"crv\":\"P-256\","

static const char *set_with_curve(const char *crv)
{
    return ec_set(crv, mint_key_part(ec_key(), "x"), mint_key_part(ec_key(), "y"));
}

static const char *set_off_curve(const char *text)
{
    (void)text;
    struct rely_slice y = mint_copy(mint_key_part(ec_key(), "y"));
    ((char *)y.ptr)[31] ^= 1;
    return ec_set(P256, mint_key_part(ec_key(), "x"), y);
}

static const char *set_at_origin(const char *text)
{
    (void)text;
    return ec_set(P256, mint_repeat('\0', 32), mint_repeat('\0', 32));
}

/* x + p of P-256 takes 33 bytes (the few x that fit into 32 are in tests/unit/keys). */
static const char *set_not_reduced(const char *text)
{
    (void)text;
    struct rely_slice x = mint_key_part(ec_key(), "x");
    BIGNUM *sum = BN_bin2bn((const unsigned char *)x.ptr, 32, NULL), *p = NULL;
    BN_hex2bn(&p, "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff");
    BN_add(sum, sum, p);
    struct rely_slice out = mint_repeat('\0', 33);
    assert_int_equal(BN_bn2binpad(sum, (unsigned char *)out.ptr, 33), 33);
    BN_free(sum);
    BN_free(p);
    return ec_set(P256, out, mint_key_part(ec_key(), "y"));
}

static const char *set_without_y(const char *text)
{
    (void)text;
    const char *x = mint_base64(mint_key_part(ec_key(), "x"));
    return beside_good(mint_print("{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"P-256\",\"x\":\"%s\"}", x));
}

static const char *set_with_long_x(const char *text)
{
    (void)text;
    struct rely_slice x = mint_concat(rely_slice("\0", 1), mint_key_part(ec_key(), "x"));
    return ec_set(P256, x, mint_key_part(ec_key(), "y"));
}

/* A key whose x begins with a zero byte: one in 256. */
static const struct mint_key *short_key(void)
{
    for (int i = 0;; i++) {
        const struct mint_key *key = mint_key(mint_print("p256#short%d", i));
        if (mint_key_part(key, "x").ptr[0] == 0)
            return key;
    }
}

/* `text`: how many of x's bytes to leave out in front. */
static const char *set_of_short_key(const char *text)
{
    struct rely_slice x = mint_key_part(short_key(), "x");
    size_t drop = (size_t)atoi(text);
    return ec_set(P256, rely_slice(x.ptr + drop, x.len - drop), mint_key_part(short_key(), "y"));
}

static const char *set_of_two(const char *text)
{
    (void)text;
    return mint_jwks(mint_jwk(attacker_key(), "k", "RS256"), mint_jwk(rsa_key(), "k", "RS256"), NULL);
}

static const char *set_of_both_kinds(const char *text)
{
    (void)text;
    return mint_jwks(mint_jwk(rsa_key(), "k", NULL), mint_jwk(ec_key(), "k", NULL), NULL);
}

/* The key `rsa` as "k" beside these other entries. */
static const char *set_beside(const char *entries)
{
    return mint_print("{\"keys\":[%s,%s]}", entries, mint_jwk(rsa_key(), "k", NULL));
}

static const char *set_with_unknown_members(const char *text)
{
    (void)text;
    const char *jwk = mint_jwk_with(rsa_key(), "k", NULL, "\"x5t\":\"AA\",\"foo\":{\"d\":[1]}");
    return mint_print("{\"spiffe_refresh_hint\":60,\"keys\":[%s],\"d\":{\"keys\":[]}}", jwk);
}

static const char *set_text(const char *text)
{
    return text;
}

static const char *set_as_list(const char *text)
{
    (void)text;
    return mint_print("[%s]", mint_jwk(rsa_key(), "k", NULL));
}

static const char *set_as_key(const char *text)
{
    (void)text;
    return mint_jwk(rsa_key(), "k", NULL);
}

/* So many keys, the right one (kid "k") last. The others share one key: small, to stay below the limit of bytes. */
static const char *set_of_many(const char *count)
{
    size_t total = (size_t)atoi(count);
    const char **jwks = rely_alloc(total * sizeof(*jwks));
    for (size_t i = 0; i < total; i++)
        jwks[i] = i == total - 1 ? mint_jwk(rsa_key(), "k", NULL)
                                 : mint_jwk(mint_key("ed25519"), mint_print("k%zu", i), NULL);
    const char *out = mint_jwks_of(jwks, total);
    free(jwks);
    return out;
}

static const char *set_without_kids(const char *count)
{
    size_t total = (size_t)atoi(count);
    const char **jwks = rely_alloc(total * sizeof(*jwks));
    for (size_t i = 0; i < total; i++)
        jwks[i] = mint_jwk(ec_key(), NULL, NULL);
    const char *out = mint_jwks_of(jwks, total);
    free(jwks);
    return out;
}

/* --- tokens ------------------------------------------------------------------------------------ */

/* "kind|alg": signed by that key, header with kid "k". */
static struct rely_slice by_kind(const char *text)
{
    size_t len = strcspn(text, "|");
    const char *kind = mint_print("%.*s", (int)len, text), *alg = text + len + 1;
    const char *header = mint_print("{\"alg\":\"%s\",\"kid\":\"k\"}", alg);
    return as_slice(mint_token(mint_key(kind), alg, header, right_payload()));
}

static struct rely_slice by_short_key(const char *text)
{
    (void)text;
    return as_slice(mint_token(short_key(), "ES256", "{\"alg\":\"ES256\",\"kid\":\"k\"}", right_payload()));
}

static struct rely_slice by_secret(const char *text)
{
    (void)text;
    return as_slice(mint_token_hmac("HS256", RELY_LIT(SECRET), "{\"alg\":\"HS256\",\"kid\":\"k\"}", right_payload()));
}

/* secp256k1 under the name that RFC 8812 gives its algorithm, or under ES256. */
static struct rely_slice by_koblitz(const char *alg)
{
    const char *header = mint_print("{\"alg\":\"%s\",\"kid\":\"k\"}", alg);
    return as_slice(mint_token(mint_key("secp256k1"), "ES256", header, right_payload()));
}

static struct rely_slice ec_without_kid(const char *text)
{
    (void)text;
    return as_slice(mint_token(ec_key(), "ES256", "{\"alg\":\"ES256\"}", right_payload()));
}

#define K_HEADER "{\"alg\":\"RS256\",\"kid\":\"k\"}"

/* 00 01 ff.. 00 DigestInfo digest, the digest's end `tail` bytes before the end of the block. */
static void fill_block(unsigned char block[256], size_t tail)
{
    static const unsigned char info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                         0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
    struct rely_slice bytes = mint_signed_bytes(K_HEADER, right_payload());
    size_t end = 256 - tail, start = end - 32 - sizeof(info);
    memset(block, 0, 256);
    memset(block + 1, 0xff, start - 2);
    block[1] = 1;
    memcpy(block + start, info, sizeof(info));
    assert_int_equal(EVP_Digest(bytes.ptr, bytes.len, block + end - 32, NULL, EVP_sha256(), NULL), 1);
}

static struct rely_slice around_block(const unsigned char block[256])
{
    return as_slice(mint_token_around(K_HEADER, right_payload(), rely_slice((const char *)block, 256)));
}

/* With e = 1 the padded digest is its own signature. */
static struct rely_slice with_bare_block(const char *text)
{
    (void)text;
    unsigned char block[256];
    fill_block(block, 0);
    return around_block(block);
}

/* The smallest s whose cube begins with the block's first bytes: Bleichenbacher's forgery of 2006, for e = 3. */
static void root_cube(const unsigned char block[256], unsigned char out[256])
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *target = BN_bin2bn(block, 256, NULL), *root = BN_new(), *cube = BN_new();
    for (int bit = 700; bit >= 0; bit--) {
        BN_set_bit(root, bit);
        BN_sqr(cube, root, ctx);
        BN_mul(cube, cube, root, ctx);
        if (BN_cmp(cube, target) > 0)
            BN_clear_bit(root, bit);
    }
    BN_add_word(root, 1);
    assert_int_equal(BN_bn2binpad(root, out, 256), 256);
    BN_free(target);
    BN_free(root);
    BN_free(cube);
    BN_CTX_free(ctx);
}

/* Eight bytes of ff, the digest, and then garbage to the end: what a lazy check takes for right. */
static struct rely_slice with_forged_cube(const char *text)
{
    (void)text;
    unsigned char block[256], signature[256], cube[256];
    fill_block(block, 256 - (2 + 8 + 1 + 19 + 32));
    root_cube(block, signature);
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *number = BN_bin2bn(signature, 256, NULL), *result = BN_new();
    BN_sqr(result, number, ctx);
    BN_mul(result, result, number, ctx);
    assert_int_equal(BN_bn2binpad(result, cube, 256), 256);
    assert_memory_equal(cube, block, 2 + 8 + 1 + 19 + 32); /* the forgery is a good one */
    BN_free(number);
    BN_free(result);
    BN_CTX_free(ctx);
    return around_block(signature);
}

#define SET(maker, text) .jwks = (maker), .jwks_text = (text)

static const struct hostile_case cases[] = {
    ROW("H01", by_kind, "rsa1024|RS256", RELY_WEAK_KEY, SET(set_of_kind, "rsa1024")),
    ROW("H02", by_kind, "rsa1536|RS256", RELY_WEAK_KEY, SET(set_of_kind, "rsa1536")),
    ROW("H03", by_kind, "rsa4096|RS256", RELY_OK, SET(set_of_kind, "rsa4096")),
    ROW("H04", by_kind, "rsa2048e3|RS256", RELY_OK, SET(set_of_kind, "rsa2048e3")),
    ROW("H05", with_forged_cube, NULL, RELY_BAD_SIGNATURE, SET(set_of_kind, "rsa2048e3")),
    ROW("H06", with_bare_block, NULL, RELY_WEAK_KEY, SET(set_with_exponent, "\"AQ\"")),
    ROW("H07", by_kind, "rsa2048|RS256", RELY_WEAK_KEY, SET(set_with_exponent, "\"Ag\"")),
    ROW("H08", by_kind, "rsa2048|RS256", RELY_WEAK_KEY, SET(set_with_exponent, "\"AA\"")),
    ROW("H09", by_kind, "rsa2048|RS256", RELY_WEAK_KEY, SET(set_with_long_exponent, NULL)),
    ROW("H10", by_kind, "rsa2048|RS256", RELY_WEAK_KEY, SET(set_with_modulus, "AA")),
    ROW("H11", by_kind, "rsa2048|RS256", RELY_WEAK_KEY, SET(set_with_modulus, "AQ")),
    ROW("H12", by_kind, "rsa2048|RS256", RELY_WEAK_KEY, SET(set_with_even_modulus, NULL)),
    ROW("H13", by_kind, "rsa2048|RS256", RELY_KEY_UNKNOWN, SET(set_without_modulus, "RSA")),
    ROW("H14", by_kind, "rsa2048|RS256", RELY_KEY_UNKNOWN, SET(set_with_padding, "==")),
    ROW("H15", by_kind, "rsa2048|RS256", RELY_WEAK_KEY, SET(set_with_modulus_of, "8192")),
    ROW("H16", by_kind, "rsa2048|RS256", RELY_KEY_UNKNOWN, SET(set_with_exponent, "65537")),
    ROW("H17", by_kind, "rsa2048|RS256", RELY_KEY_UNKNOWN, SET(set_with_members, "\"use\":\"enc\"")),
    ROW("H18", by_kind, "rsa2048|RS256", RELY_KEY_UNKNOWN, SET(set_with_members, "\"key_ops\":[\"sign\"]")),
    ROW("H19", by_kind, "rsa2048|RS256", RELY_ALGORITHM_NOT_ALLOWED, SET(set_of_kind, "rsa2048|RS512")),
    ROW("H20", by_kind, "rsa2048|RS256", RELY_KEY_UNKNOWN, SET(set_of_kind, "rsa2048|HS256")),
    ROW("H21", by_kind, "rsa2048|RS256", RELY_KEY_UNKNOWN, SET(set_of_kind, "rsa2048|none")),
    ROW("H22", by_kind, "rsa2048|RS256", RELY_KEY_UNKNOWN, SET(set_with_kty, "rsa")),
    ROW("H23", by_kind, "rsa2048|RS256", RELY_KEY_UNKNOWN, SET(set_with_private_key, NULL)),
    ROW("H24", by_kind, "rsa2048|RS256", RELY_OK, SET(set_with_zero_in_front, NULL)),
    ROW("H25", by_secret, NULL, RELY_ALGORITHM_NOT_ALLOWED, SET(set_with_secret, NULL)),
    ROW("H26", by_kind, "p256|ES256", RELY_KEY_UNKNOWN, SET(set_off_curve, NULL)),
    ROW("H27", by_kind, "p256|ES256", RELY_KEY_UNKNOWN, SET(set_at_origin, NULL)),
    ROW("H28", by_kind, "p256|ES256", RELY_KEY_UNKNOWN, SET(set_not_reduced, NULL)),
    ROW("H29", by_kind, "p256|ES256", RELY_KEY_UNKNOWN, SET(set_with_curve, "")),
    ROW("H30", by_kind, "p256|ES256", RELY_KEY_UNKNOWN, SET(set_with_curve, "\"crv\":\"P-384\",")),
    ROW("H31", by_kind, "p256|ES256", RELY_KEY_UNKNOWN, SET(set_without_y, NULL)),
    ROW("H32", by_kind, "p256|ES256", RELY_KEY_UNKNOWN, SET(set_with_long_x, NULL)),
    ROW("H33", by_short_key, NULL, RELY_OK, SET(set_of_short_key, "0")),
    ROW("H34", by_short_key, NULL, RELY_KEY_UNKNOWN, SET(set_of_short_key, "1")),
    ROW("H35", by_koblitz, "ES256K", RELY_ALGORITHM_NOT_ALLOWED, SET(set_of_kind, "secp256k1|ES256K")),
    ROW("H36", by_koblitz, "ES256", RELY_KEY_UNKNOWN, SET(set_of_kind, "secp256k1|ES256")),
    ROW("H37", by_kind, "ed25519|EdDSA", RELY_OK, SET(set_of_kind, "ed25519")),
    ROW("H37", by_kind, "ed25519|EdDSA", RELY_ALGORITHM_NOT_ALLOWED, SET(set_of_kind, "ed25519"),
        .algs = RELY_ALGS_ALL & ~(1u << RELY_ALG_EDDSA)),
    ROW("H38", by_kind, "rsa2048|RS256", RELY_OK, SET(set_of_two, NULL)),
    ROW("H39", by_kind, "rsa2048|RS256", RELY_OK, SET(set_of_both_kinds, NULL)),
    ROW("H39", by_kind, "p256|ES256", RELY_OK, SET(set_of_both_kinds, NULL)),
    ROW("H40", by_kind, "rsa2048|RS256", RELY_OK,
        SET(set_beside, "{\"kty\":\"XYZ\",\"kid\":\"k\"},{\"kty\":\"EC\",\"crv\":\"P-1\",\"kid\":\"k\"}")),
    ROW("H41", by_kind, "rsa2048|RS256", RELY_OK, SET(set_beside, "{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}")),
    ROW("H42", by_kind, "rsa2048|RS256", RELY_OK, SET(set_with_unknown_members, NULL)),
    ROW("H43", by_kind, "rsa2048|RS256", RELY_KEYS_UNAVAILABLE, SET(set_text, "{\"keys\":[]}"),
        .fault = "the key set has no keys"),
    ROW("H44", by_kind, "rsa2048|RS256", RELY_KEYS_UNAVAILABLE, SET(set_text, "{}"),
        .fault = "no JSON object with an array \"keys\""),
    ROW("H45", by_kind, "rsa2048|RS256", RELY_KEYS_UNAVAILABLE, SET(set_text, "{\"keys\":{}}"),
        .fault = "no JSON object with an array \"keys\""),
    ROW("H46", by_kind, "rsa2048|RS256", RELY_KEYS_UNAVAILABLE, SET(set_text, "{\"keys\":[\"k\"]}"),
        .fault = "the key set has no usable key; the first one is skipped because it is no JSON object"),
    ROW("H46", by_kind, "rsa2048|RS256", RELY_OK, SET(set_beside, "\"k\"")), /* fault C2 */
    ROW("H47", by_kind, "rsa2048|RS256", RELY_KEYS_UNAVAILABLE, SET(set_as_list, NULL),
        .fault = "no JSON object with an array \"keys\""),
    ROW("H48", by_kind, "rsa2048|RS256", RELY_KEYS_UNAVAILABLE, SET(set_as_key, NULL),
        .fault = "no JSON object with an array \"keys\""),
    ROW("H49", by_kind, "rsa2048|RS256", RELY_KEYS_UNAVAILABLE, SET(set_of_many, "1000"), .fault = "more than"),
    ROW("H49", by_kind, "rsa2048|RS256", RELY_KEYS_UNAVAILABLE, SET(set_of_many, "257"),
        .fault = "the key set has 257 keys, more than 256"),
    ROW("H49", by_kind, "rsa2048|RS256", RELY_OK, SET(set_of_many, "256")),
    ROW("H50", ec_without_kid, NULL, RELY_KEYS_UNAVAILABLE, SET(set_without_kids, "1000"), .fault = "more than"),
    ROW("H50", ec_without_kid, NULL, RELY_KEY_UNKNOWN, SET(set_without_kids, "256")),
    ROW("H50", ec_without_kid, NULL, RELY_KEY_UNKNOWN, SET(set_without_kids, "9")),
    ROW("H50", ec_without_kid, NULL, RELY_OK, SET(set_without_kids, "8")),
};

SECTION(hostile_h, 'H', 50, cases);
