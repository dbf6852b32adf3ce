/*
 * The numbers of a key: from the members of a JWK to an EVP_PKEY, with the checks that OpenSSL leaves out (it takes
 * e = 1, 512 bits, 64 kbit and the point at infinity). Knows nothing of kid, use or alg. Called by jwk.c.
 */
#include "key.h"
#include "ml_dsa.h"

#include "relyd/ml_dsa.h"
#include "relyd/text.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <stdlib.h>

#define RSA_ALGS                                                                                                       \
    (1u << RELY_ALG_RS256 | 1u << RELY_ALG_RS384 | 1u << RELY_ALG_RS512 | 1u << RELY_ALG_PS256 |                       \
     1u << RELY_ALG_PS384 | 1u << RELY_ALG_PS512)
#define EC_COORDINATE_MAX 66
#define ED25519_BYTES 32

/* Owned bytes of a decoded member; freed where they are declared. */
struct bytes {
    uint8_t *ptr;
    size_t len;
};
#define BYTES_OWNED __attribute__((cleanup(free_bytes))) struct bytes

static void free_bytes(struct bytes *bytes)
{
    free(bytes->ptr);
}

static struct rely_slice bytes_slice(const struct bytes *bytes)
{
    return rely_slice((const char *)bytes->ptr, bytes->len);
}

/* Padding is what many producers get wrong, and all that is wrong: say so. */
static bool explain_encoding(struct rely_slice text, const char *name, uint8_t *scratch,
                             struct rely_keyset_skipped *skipped)
{
    struct rely_slice bare = text;
    size_t len;
    while (bare.len > 0 && bare.ptr[bare.len - 1] == '=')
        bare.len--;
    if (bare.len < text.len && rely_base64url_decode(bare, scratch, &len))
        return rely_key_skip(skipped, "its \"%s\" has padding (%.*s), and base64url has none (RFC 7515 s2)", name,
                             (int)(text.len - bare.len < 4 ? text.len - bare.len : 4), bare.ptr + bare.len);
    return rely_key_skip(skipped, "its \"%s\" is not unpadded base64url", name);
}

static bool decode_member(const struct rely_json *jwk, const char *name, struct bytes *out,
                          struct rely_keyset_skipped *skipped)
{
    const struct rely_json *member = rely_json_get_given(jwk, name);
    if (rely_json_type(member) != RELY_JSON_STRING)
        return rely_key_skip(skipped, "its \"%s\" is %s", name, member == NULL ? "missing" : "no string");
    struct rely_slice text = rely_json_text(member);
    out->ptr = rely_alloc(RELY_BASE64_DECODED(text.len));
    if (!rely_base64url_decode(text, out->ptr, &out->len))
        return explain_encoding(text, name, out->ptr, skipped);
    return true;
}

EVP_PKEY *rely_material_pkey(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return pkey;
}

/* What makes it this key and no other: its kind, which has the curve or the size, and its two numbers. Not its DER,
 * which costs OpenSSL 840,000 instructions a key: ten thousand issuers would be seconds of every start. */
static bool digest_material(struct rely_key *key, struct rely_slice first, struct rely_slice second,
                            struct rely_keyset_skipped *skipped)
{
    struct rely_buf text = {0};
    rely_buf_printf(&text, "%s %zu ", key->kind, first.len);
    rely_buf_put(&text, first);
    rely_buf_put(&text, second);
    bool is_made = EVP_Digest(text.ptr, text.len, key->material, NULL, EVP_sha256(), NULL) == 1;
    rely_buf_fini(&text);
    return is_made || rely_key_skip(skipped, "OpenSSL cannot hash it");
}

/* --- RSA ---------------------------------------------------------------------------------------- */

/* RFC 7518 s6.3.1.1 forbids leading zero bytes, and some producers write one all the same. */
static void strip_zeros(const struct bytes *number, struct rely_slice *out)
{
    size_t zeros = 0;
    while (zeros < number->len && number->ptr[zeros] == 0)
        zeros++;
    *out = rely_slice((const char *)number->ptr + zeros, number->len - zeros);
}

static size_t count_bits(struct rely_slice number)
{
    size_t bits = number.len * 8;
    for (unsigned mask = 0x80; number.len > 0 && ((uint8_t)number.ptr[0] & mask) == 0; mask >>= 1)
        bits--;
    return bits;
}

static bool is_even(struct rely_slice number)
{
    return number.len == 0 || ((uint8_t)number.ptr[number.len - 1] & 1) == 0;
}

/* Public exponent 1 makes every padded digest its own signature; an even one has no private half. */
static bool check_rsa(struct rely_slice n, struct rely_slice e, struct rely_keyset_skipped *skipped)
{
    size_t bits = count_bits(n);
    if (bits < RELY_RSA_BITS_MIN || bits > RELY_RSA_BITS_MAX)
        return rely_key_skip_weak(skipped, "its RSA modulus has %zu bits, not %d to %d", bits, RELY_RSA_BITS_MIN,
                                  RELY_RSA_BITS_MAX);
    if (is_even(n))
        return rely_key_skip_weak(skipped, "its RSA modulus is even");
    if (is_even(e) || count_bits(e) > 32 || count_bits(e) < 2)
        return rely_key_skip_weak(skipped, "its RSA exponent is not odd and from 3 to 2^32");
    if (rely_rsa_is_roca(n))
        return rely_key_skip_weak(skipped, "its RSA modulus can be factored: it was made as in CVE-2017-15361 (ROCA)");
    return true;
}

/* A squaring for each bit behind the first, and a multiplication where it is set. */
static uint32_t count_multiplications(struct rely_slice exponent)
{
    uint32_t count = (uint32_t)count_bits(exponent) - 2;
    for (size_t i = 0; i < exponent.len; i++)
        for (unsigned bits = (uint8_t)exponent.ptr[i]; bits != 0; bits &= bits - 1)
            count++;
    return count;
}

/* NULL: it is not. In: both without leading zeros. */
static const char *why_costly(struct rely_slice n, struct rely_slice e)
{
    uint32_t exponent = 0;
    for (size_t i = 0; i < e.len; i++) /* at most 32 bits: check_rsa */
        exponent = exponent << 8 | (uint8_t)e.ptr[i];
    if (count_bits(n) > RELY_RSA_BITS_CHEAP)
        return "its RSA modulus has more than 4096 bits";
    return exponent > RELY_RSA_EXPONENT_CHEAP ? "its RSA exponent is above 65537" : NULL;
}

static EVP_PKEY *build_rsa(struct rely_slice n, struct rely_slice e)
{
    EVP_PKEY *pkey = NULL;
    BIGNUM *modulus = BN_bin2bn((const uint8_t *)n.ptr, (int)n.len, NULL);
    BIGNUM *exponent = BN_bin2bn((const uint8_t *)e.ptr, (int)e.len, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (modulus != NULL && exponent != NULL && builder != NULL &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1) {
        OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
        if (params != NULL)
            pkey = rely_material_pkey("RSA", params);
        OSSL_PARAM_free(params);
    }
    OSSL_PARAM_BLD_free(builder);
    BN_free(modulus);
    BN_free(exponent);
    return pkey;
}

static bool read_rsa(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped)
{
    BYTES_OWNED modulus = {NULL, 0};
    BYTES_OWNED exponent = {NULL, 0};
    if (!decode_member(jwk, "n", &modulus, skipped) || !decode_member(jwk, "e", &exponent, skipped))
        return false;
    struct rely_slice n, e;
    strip_zeros(&modulus, &n);
    strip_zeros(&exponent, &e);
    if (!check_rsa(n, e, skipped))
        return false;
    key->pkey = build_rsa(n, e);
    key->algs = RSA_ALGS;
    key->signature_bytes = n.len;
    key->multiplications = count_multiplications(e);
    key->costly = why_costly(n, e);
    snprintf(key->kind, sizeof(key->kind), "RSA %zu", count_bits(n));
    if (key->pkey == NULL)
        return rely_key_skip(skipped, "OpenSSL refuses its numbers");
    return digest_material(key, n, e, skipped);
}

/* --- EC ----------------------------------------------------------------------------------------- */

struct curve {
    const char *name; /* as JWK and OpenSSL spell it */
    size_t bytes;     /* of one coordinate */
    enum rely_alg alg;
};

static const struct curve *find_curve(struct rely_slice name)
{
    static const struct curve curves[] = {
        {"P-256", 32, RELY_ALG_ES256}, {"P-384", 48, RELY_ALG_ES384}, {"P-521", EC_COORDINATE_MAX, RELY_ALG_ES512}};
    for (size_t i = 0; i < sizeof(curves) / sizeof(curves[0]); i++)
        if (rely_slice_equal(name, rely_slice_of(curves[i].name)))
            return &curves[i];
    return NULL;
}

/* Always the uncompressed form, made from two full coordinates: OpenSSL takes "00", infinity, for a public key. It
 * does check that the point is on the curve and that the coordinates are below the field's prime. */
static EVP_PKEY *build_ec(const struct curve *curve, const struct bytes *x, const struct bytes *y)
{
    uint8_t point[1 + 2 * EC_COORDINATE_MAX];
    point[0] = 4;
    memcpy(point + 1, x->ptr, curve->bytes);
    memcpy(point + 1 + curve->bytes, y->ptr, curve->bytes);
    /* OpenSSL takes the name without const, and only reads it. */
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, rely_as_owner(curve->name), 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * curve->bytes),
        OSSL_PARAM_construct_end(),
    };
    return rely_material_pkey("EC", params);
}

static bool read_ec(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped)
{
    const struct curve *curve = find_curve(rely_json_text(rely_json_get(jwk, "crv")));
    if (curve == NULL)
        return rely_key_skip(skipped, "its \"crv\" is not P-256, P-384 or P-521");
    BYTES_OWNED x = {NULL, 0};
    BYTES_OWNED y = {NULL, 0};
    if (!decode_member(jwk, "x", &x, skipped) || !decode_member(jwk, "y", &y, skipped))
        return false;
    if (x.len != curve->bytes || y.len != curve->bytes)
        return rely_key_skip(skipped, "its coordinates have %zu and %zu bytes, not %zu (RFC 7518 s6.2.1.2)", x.len,
                             y.len, curve->bytes);
    key->pkey = build_ec(curve, &x, &y);
    key->algs = 1u << curve->alg;
    key->signature_bytes = 2 * curve->bytes;
    snprintf(key->kind, sizeof(key->kind), "EC %s", curve->name);
    if (key->pkey == NULL)
        return rely_key_skip(skipped, "its coordinates are no point of %s", curve->name);
    return digest_material(key, bytes_slice(&x), bytes_slice(&y), skipped);
}

/* --- Ed25519 ------------------------------------------------------------------------------------ */

/* Under a key of small order one signature fits many messages. y of those points, whatever the sign bit says. */
static bool has_small_order(const uint8_t y[ED25519_BYTES])
{
    static const uint8_t small[][ED25519_BYTES] = {
        {0},
        {1},
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
         0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
         0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
        {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    };
    for (size_t i = 0; i < sizeof(small) / sizeof(small[0]); i++)
        if (memcmp(y, small[i], ED25519_BYTES - 1) == 0 && (y[ED25519_BYTES - 1] & 0x7f) == small[i][31])
            return true;
    return false;
}

/* RFC 8032 s5.1.3 step 1: y below p = 2^255 - 19. OpenSSL does not look. */
static bool is_canonical(const uint8_t y[ED25519_BYTES])
{
    if ((y[ED25519_BYTES - 1] & 0x7f) != 0x7f || y[0] < 0xed)
        return true;
    for (size_t i = 1; i < ED25519_BYTES - 1; i++)
        if (y[i] != 0xff)
            return true;
    return false;
}

static bool read_okp(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped)
{
    if (!rely_slice_equal(rely_json_text(rely_json_get(jwk, "crv")), RELY_LIT("Ed25519")))
        return rely_key_skip(skipped, "its \"crv\" is not Ed25519");
    BYTES_OWNED x = {NULL, 0};
    if (!decode_member(jwk, "x", &x, skipped))
        return false;
    if (x.len != ED25519_BYTES)
        return rely_key_skip(skipped, "its \"x\" has %zu bytes, not %d", x.len, ED25519_BYTES);
    if (!is_canonical(x.ptr) || has_small_order(x.ptr))
        return rely_key_skip(skipped, "its point is of small order or not canonical");
    key->pkey = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, x.ptr, x.len);
    ERR_clear_error();
    key->algs = 1u << RELY_ALG_EDDSA;
    key->signature_bytes = 64;
    snprintf(key->kind, sizeof(key->kind), "OKP Ed25519");
    if (key->pkey == NULL)
        return rely_key_skip(skipped, "OpenSSL refuses its point");
    return digest_material(key, bytes_slice(&x), (struct rely_slice){0}, skipped);
}

/* --- AKP ---------------------------------------------------------------------------------------- */

/* RFC 9964 s3: `alg` is required, and says which key it is. */
static bool read_akp(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped)
{
    enum rely_alg alg = rely_alg_of(rely_json_text(rely_json_get_given(jwk, "alg")));
    const struct rely_ml_dsa *set = rely_ml_dsa_of(alg);
    skipped->is_unavailable = set == NULL || rely_alg_is_unavailable(alg);
    if (set == NULL)
        return rely_key_skip(skipped, "its \"alg\" is not ML-DSA-44, ML-DSA-65 or ML-DSA-87 (RFC 9964)");
    BYTES_OWNED pub = {NULL, 0};
    if (!decode_member(jwk, "pub", &pub, skipped))
        return false;
    if (pub.len != set->key_bytes)
        return rely_key_skip(skipped, "its \"pub\" has %zu bytes, not the %zu of %s", pub.len, set->key_bytes,
                             rely_alg_name(alg));
    if (skipped->is_unavailable)
        return rely_key_skip(skipped, "%s is not available: crypto.ml_dsa is off, or OpenSSL has none",
                             rely_alg_name(alg));
    key->pkey = rely_ml_dsa_pkey(set, bytes_slice(&pub));
    key->algs = 1u << alg;
    key->signature_bytes = set->signature_bytes;
    snprintf(key->kind, sizeof(key->kind), "AKP %s", rely_alg_name(alg));
    if (key->pkey == NULL)
        return rely_key_skip(skipped, "OpenSSL refuses its public key");
    return digest_material(key, bytes_slice(&pub), (struct rely_slice){0}, skipped);
}

bool rely_material_read(const struct rely_json *jwk, struct rely_key *key, struct rely_keyset_skipped *skipped)
{
    struct rely_slice kty = rely_json_text(rely_json_get(jwk, "kty"));
    if (rely_slice_equal(kty, RELY_LIT("RSA")))
        return read_rsa(jwk, key, skipped);
    if (rely_slice_equal(kty, RELY_LIT("EC")))
        return read_ec(jwk, key, skipped);
    if (rely_slice_equal(kty, RELY_LIT("OKP")))
        return read_okp(jwk, key, skipped);
    if (rely_slice_equal(kty, RELY_LIT("AKP")))
        return read_akp(jwk, key, skipped);
    return rely_key_skip(skipped, "its \"kty\" is not RSA, EC, OKP or AKP");
}
