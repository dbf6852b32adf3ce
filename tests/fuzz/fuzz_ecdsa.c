/*
 * ECDSA by tables against EVP: any numbers, and numbers near a true signature, must get the same verdict from both.
 * The first byte chooses the curve, the key (1, n - 1 or an ordinary number) and the mode; digest, r and s follow.
 */
#include "../../src/signature/verify.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CURVES 3
#define KEYS 3
#define BYTES_MAX 66

enum mode { AS_SENT, NEAR_TRUE, NEAR_TWIN, DIGEST_IS_R };

struct curve {
    EC_GROUP *group;
    const BIGNUM *n;
    size_t bytes, digest_bytes;
};

struct pair {
    BIGNUM *private;
    struct rely_key_table *table;
    EVP_PKEY_CTX *evp;
};

/* What one input says. */
struct attempt {
    uint8_t digest[BYTES_MAX], raw[2 * BYTES_MAX];
};

static struct curve curves[CURVES];
static struct pair pairs[CURVES][KEYS];
static struct rely_table_scratch *scratch;
static BN_CTX *ctx;

static EVP_PKEY_CTX *open_evp(const char *name, struct rely_key_point *point)
{
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *maker = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)name, 0),
                           OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point->bytes, point->len),
                           OSSL_PARAM_construct_end()};
    RELY_ASSERT(EVP_PKEY_fromdata_init(maker) == 1);
    RELY_ASSERT(EVP_PKEY_fromdata(maker, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1);
    EVP_PKEY_CTX_free(maker);
    EVP_PKEY_CTX *evp = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    RELY_ASSERT(evp != NULL && EVP_PKEY_verify_init(evp) == 1);
    EVP_PKEY_free(pkey);
    return evp;
}

static void open_pair(const struct curve *curve, const char *name, size_t number, struct pair *out)
{
    struct rely_key_point bytes;
    EC_POINT *point = EC_POINT_new(curve->group);
    out->private = BN_dup(BN_value_one());
    if (number == 1)
        RELY_ASSERT(BN_sub(out->private, curve->n, BN_value_one()) == 1);
    else if (number == 2)
        RELY_ASSERT(BN_rshift(out->private, curve->n, 3) == 1);
    RELY_ASSERT(EC_POINT_mul(curve->group, point, out->private, NULL, NULL, ctx) == 1);
    bytes.len =
        EC_POINT_point2oct(curve->group, point, POINT_CONVERSION_UNCOMPRESSED, bytes.bytes, sizeof bytes.bytes, ctx);
    out->table = rely_key_table_new(&bytes);
    RELY_ASSERT(out->table != NULL);
    out->evp = open_evp(name, &bytes);
    EC_POINT_free(point);
}

static void open_all(void)
{
    static const struct {
        const char *name;
        size_t bytes, digest_bytes;
    } facts[CURVES] = {{"P-256", 32, 32}, {"P-384", 48, 48}, {"P-521", 66, 64}};
    ctx = BN_CTX_new();
    scratch = rely_table_scratch_new();
    for (size_t i = 0; i < CURVES; i++) {
        curves[i].group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid(facts[i].name));
        curves[i].n = EC_GROUP_get0_order(curves[i].group);
        curves[i].bytes = facts[i].bytes;
        curves[i].digest_bytes = facts[i].digest_bytes;
        for (size_t key = 0; key < KEYS; key++)
            open_pair(&curves[i], facts[i].name, key, &pairs[i][key]);
    }
}

/* r || s of the digest, with a nonce that is the digest's. False: that nonce is none. */
static bool sign_digest(const struct curve *curve, const BIGNUM *private, bool is_twin, struct attempt *attempt)
{
    uint8_t raw[2 * BYTES_MAX];
    EC_POINT *point = EC_POINT_new(curve->group);
    BN_CTX_start(ctx);
    BIGNUM *digest = BN_CTX_get(ctx), *nonce = BN_CTX_get(ctx), *r = BN_CTX_get(ctx), *s = BN_CTX_get(ctx);
    BN_bin2bn(attempt->digest, (int)curve->digest_bytes, digest);
    BN_add_word(digest, 2);
    BN_nnmod(nonce, digest, curve->n, ctx);
    BN_sub_word(digest, 2);
    bool is_signed = !BN_is_zero(nonce) && EC_POINT_mul(curve->group, point, nonce, NULL, NULL, ctx) == 1 &&
                     EC_POINT_get_affine_coordinates(curve->group, point, r, NULL, ctx) == 1 &&
                     BN_nnmod(r, r, curve->n, ctx) == 1 && BN_mod_mul(s, r, private, curve->n, ctx) == 1 &&
                     BN_mod_add(s, s, digest, curve->n, ctx) == 1 &&
                     BN_mod_inverse(nonce, nonce, curve->n, ctx) != NULL &&
                     BN_mod_mul(s, s, nonce, curve->n, ctx) == 1 && (!is_twin || BN_sub(s, curve->n, s) == 1);
    if (is_signed) {
        BN_bn2binpad(r, raw, (int)curve->bytes);
        BN_bn2binpad(s, raw + curve->bytes, (int)curve->bytes);
        for (size_t i = 0; i < 2 * curve->bytes; i++)
            attempt->raw[i] ^= raw[i]; /* what was sent are the changes */
    }
    BN_CTX_end(ctx);
    EC_POINT_free(point);
    return is_signed;
}

static int ask_evp(const struct curve *curve, const struct pair *pair, const struct attempt *attempt)
{
    uint8_t der[RELY_DER_MAX];
    size_t len = rely_der_of_raw(rely_slice((const char *)attempt->raw, 2 * curve->bytes), der);
    int answer = EVP_PKEY_verify(pair->evp, der, len, attempt->digest, curve->digest_bytes) == 1 ? 1 : 0;
    ERR_clear_error();
    return answer;
}

static void compare_verdicts(const struct curve *curve, const struct pair *pair, enum mode mode,
                             struct attempt *attempt)
{
    bool is_changed = false;
    for (size_t i = 0; i < 2 * curve->bytes; i++)
        is_changed |= attempt->raw[i] != 0;
    bool is_signed =
        (mode == NEAR_TRUE || mode == NEAR_TWIN) && sign_digest(curve, pair->private, mode == NEAR_TWIN, attempt);
    if (mode == DIGEST_IS_R)
        memcpy(attempt->digest, attempt->raw + curve->bytes - curve->digest_bytes, curve->digest_bytes);
    int by_table =
        rely_key_table_verify(pair->table, scratch, rely_slice((const char *)attempt->digest, curve->digest_bytes),
                              rely_slice((const char *)attempt->raw, 2 * curve->bytes));
    RELY_ASSERT(ERR_peek_error() == 0);
    RELY_ASSERT(by_table == ask_evp(curve, pair, attempt));
    RELY_ASSERT(!is_signed || is_changed || by_table == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct attempt attempt = {{0}, {0}};
    if (size < 1)
        return 0;
    if (ctx == NULL)
        open_all();
    size_t choice = data[0] % (CURVES * KEYS);
    const struct curve *curve = &curves[choice % CURVES];
    enum mode mode = (enum mode)(data[0] >> 6);
    size_t digest_len = size - 1 < curve->digest_bytes ? size - 1 : curve->digest_bytes;
    memcpy(attempt.digest, data + 1, digest_len);
    size_t rest = size - 1 - digest_len;
    memcpy(attempt.raw, data + 1 + digest_len, rest < 2 * curve->bytes ? rest : 2 * curve->bytes);
    compare_verdicts(curve, &pairs[choice % CURVES][choice / CURVES], mode, &attempt);
    return 0;
}
