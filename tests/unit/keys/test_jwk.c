/*
 * Which single JWKs are used, and why the others are skipped. Every case stands in a set beside a good key with kid
 * "good", so that the set itself is accepted.
 */
#include "tests.h"

#include "relyd/snapshot.h"
#include "relyd/text.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdio.h>

static const char *rsa_n(void)
{
    return mint_base64(mint_key_part(mint_key("rsa2048"), "n"));
}

static const char *rsa_of(const char *n, const char *e)
{
    return mint_print("{\"kty\":\"RSA\",\"kid\":\"k\",\"n\":\"%s\",\"e\":\"%s\"}", n, e);
}

static const char *rsa_with(const char *members)
{
    return mint_jwk_with(mint_key("rsa2048"), "k", NULL, members);
}

static const char *ec_of(const char *curve, struct rely_slice x, struct rely_slice y)
{
    return mint_print("{\"kty\":\"EC\",\"kid\":\"k\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}", curve, mint_base64(x),
                      mint_base64(y));
}

static struct rely_slice ec_part(const char *part)
{
    return mint_key_part(mint_key("p256"), part);
}

static const char *okp_of(struct rely_slice x)
{
    return mint_print("{\"kty\":\"OKP\",\"kid\":\"k\",\"crv\":\"Ed25519\",\"x\":\"%s\"}", mint_base64(x));
}

static const char *okp_hex(const char *hex)
{
    uint8_t bytes[32];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        unsigned value;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &value), 1);
        bytes[i] = (uint8_t)value;
    }
    return okp_of(mint_copy(rely_slice((char *)bytes, sizeof(bytes))));
}

static struct rely_keyset *parse_beside_good(const char *jwk)
{
    return parse_good(mint_jwks(jwk, mint_jwk(mint_key("p256#good"), "good", NULL), NULL));
}

static void check_skipped(const char *jwk, bool is_weak, const char *why)
{
    struct rely_keyset *keyset = parse_beside_good(jwk);
    assert_int_equal(rely_keyset_count(keyset), 1);
    assert_int_equal(rely_keyset_skipped_count(keyset), 1);
    const struct rely_keyset_skipped *skipped = rely_keyset_skipped_at(keyset, 0);
    assert_true(rely_slice_equal(skipped->kid, RELY_LIT("k")));
    if (strcmp(skipped->why, why) != 0)
        fail_msg("skipped because %s, not because %s", skipped->why, why);
    assert_int_equal(skipped->is_weak, is_weak);
    rely_keyset_free(keyset);
}

static void check_used(const char *jwk, rely_alg_set algs, const char *kind)
{
    struct rely_keyset *keyset = parse_beside_good(jwk);
    if (rely_keyset_skipped_count(keyset) != 0)
        fail_msg("skipped because %s", rely_keyset_skipped_at(keyset, 0)->why);
    assert_int_equal(rely_keyset_count(keyset), 2);
    const struct rely_key *key = rely_keyset_at(keyset, 0);
    assert_int_equal(rely_key_algs(key), algs);
    assert_string_equal(rely_key_kind(key), kind);
    rely_keyset_free(keyset);
}

#define BIT(alg) (1u << RELY_ALG_##alg)
#define RSA_ALGS (BIT(RS256) | BIT(RS384) | BIT(RS512) | BIT(PS256) | BIT(PS384) | BIT(PS512))

static void use_each_kind(void **state)
{
    (void)state;
    check_used(mint_jwk(mint_key("rsa2048"), "k", NULL), RSA_ALGS, "RSA 2048");
    check_used(mint_jwk(mint_key("rsa3072"), "k", "PS384"), BIT(PS384), "RSA 3072");
    check_used(mint_jwk(mint_key("rsa2048e3"), "k", "RS256"), BIT(RS256), "RSA 2048");
    check_used(mint_jwk(mint_key("p256"), "k", NULL), BIT(ES256), "EC P-256");
    check_used(mint_jwk(mint_key("p384"), "k", "ES384"), BIT(ES384), "EC P-384");
    check_used(mint_jwk(mint_key("p521"), "k", NULL), BIT(ES512), "EC P-521");
    check_used(mint_jwk(mint_key("ed25519"), "k", "EdDSA"), BIT(EDDSA), "OKP Ed25519");
    mint_reset();
}

static void use_harmless_members(void **state)
{
    (void)state;
    check_used(rsa_with("\"use\":\"sig\""), RSA_ALGS, "RSA 2048");
    check_used(rsa_with("\"use\":\"jwt-svid\""), RSA_ALGS, "RSA 2048");
    check_used(rsa_with("\"key_ops\":[\"wrapKey\",\"verify\"]"), RSA_ALGS, "RSA 2048");
    check_used(rsa_with("\"x5t\":\"?\",\"x5c\":[1],\"foo\":{\"d\":1}"), RSA_ALGS, "RSA 2048");
    mint_reset();
}

static void skip_by_use(void **state)
{
    (void)state;
    static const char *const uses[] = {"\"enc\"", "\"SIG\"", "\"\"", "1", "[\"sig\"]", "\"x509-svid\"", "{}"};
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
        check_skipped(rsa_with(mint_print("\"use\":%s", uses[i])), false, "its \"use\" is not \"sig\"");
    static const char *const operations[] = {"[\"sign\"]", "[]", "\"verify\"", "[null]", "[1]", "[[\"verify\"]]"};
    for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
        check_skipped(rsa_with(mint_print("\"key_ops\":%s", operations[i])), false,
                      "its \"key_ops\" do not hold \"verify\"");
    mint_reset();
}

static void skip_by_alg(void **state)
{
    (void)state;
    static const char *const algs[] = {"HS256", "none", "ES256", "rs256", "RS256 ", "RSA-OAEP", "", "EdDSA", "RS1"};
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        char quoted[RELY_QUOTED_SIZE];
        rely_quote(rely_slice_of(algs[i]), quoted);
        check_skipped(mint_jwk(mint_key("rsa2048"), "k", algs[i]), false,
                      mint_print("its \"alg\" %s is none that relyd uses with RSA 2048", quoted));
    }
    const char *number = rsa_with("\"alg\":256");
    struct rely_keyset *keyset = parse_beside_good(number);
    assert_int_equal(rely_keyset_skipped_count(keyset), 1);
    rely_keyset_free(keyset);
    check_skipped(mint_jwk(mint_key("p384"), "k", "ES256"), false,
                  "its \"alg\" \"ES256\" is none that relyd uses with EC P-384");
    mint_reset();
}

static void skip_private_keys(void **state)
{
    (void)state;
    static const char *const members[] = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"};
    static const char *const values[] = {"\"AQ\"", "\"\"", "[]", "0", "false"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++)
            check_skipped(rsa_with(mint_print("\"%s\":%s", members[i], values[j])), false,
                          mint_print("it has the private member \"%s\": whoever has read the key set can sign with it",
                                     members[i]));
    check_skipped(rsa_with("\"p\":null,\"d\":\"AQ\""), false,
                  "it has the private member \"d\": whoever has read the key set can sign with it");
    mint_reset();
}

/* fault C1: whoever writes every member that he knows writes null for those that he has not. */
static void take_null_for_absent(void **state)
{
    (void)state;
    static const char *const members[] = {"d",   "p",   "q",       "dp",  "dq",  "qi",  "oth",     "k",
                                          "use", "alg", "key_ops", "x5u", "x5c", "x5t", "x5t#S256"};
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
        check_used(rsa_with(mint_print("\"%s\":null", members[i])), RSA_ALGS, "RSA 2048");
    check_used(mint_jwk_with(mint_key("ed25519"), "k", NULL, "\"d\":null,\"y\":null,\"use\":null"), BIT(EDDSA),
               "OKP Ed25519");
    check_used(mint_jwk_with(mint_key("p384"), "k", NULL, "\"d\":null,\"alg\":null,\"n\":null"), BIT(ES384),
               "EC P-384");
    /* What a key cannot do without is missing when it is null. */
    check_skipped("{\"kid\":\"k\",\"kty\":null}", false, "its \"kty\" is not RSA, EC, OKP or AKP");
    check_skipped(mint_print("{\"kid\":\"k\",\"kty\":\"RSA\",\"n\":\"%s\",\"e\":null}", rsa_n()), false,
                  "its \"e\" is missing");
    check_skipped("{\"kid\":\"k\",\"kty\":\"RSA\",\"n\":null,\"e\":\"AQAB\"}", false, "its \"n\" is missing");
    check_skipped("{\"kid\":\"k\",\"kty\":\"OKP\",\"crv\":null,\"x\":\"AA\"}", false, "its \"crv\" is not Ed25519");
    struct rely_keyset *keyset =
        parse_beside_good(mint_jwk_with(mint_key("rsa2048"), NULL, NULL, "\"kid\":null,\"alg\":\"RS256\""));
    assert_int_equal(rely_keyset_count(keyset), 2);
    assert_null(rely_key_kid(rely_keyset_at(keyset, 0)).ptr);
    assert_int_equal(rely_key_algs(rely_keyset_at(keyset, 0)), BIT(RS256));
    rely_keyset_free(keyset);
    mint_reset();
}

/* fault C3: RFC 9864 gives EdDSA with this curve a name of its own. */
static void take_ed25519_for_eddsa(void **state)
{
    (void)state;
    check_used(mint_jwk(mint_key("ed25519"), "k", "Ed25519"), BIT(EDDSA), "OKP Ed25519");
    check_skipped(mint_jwk(mint_key("ed25519"), "k", "Ed448"), false,
                  "its \"alg\" \"Ed448\" is none that relyd uses with OKP Ed25519");
    check_skipped(mint_jwk(mint_key("rsa2048"), "k", "Ed25519"), false,
                  "its \"alg\" \"Ed25519\" is none that relyd uses with RSA 2048");
    check_skipped("{\"kid\":\"k\",\"kty\":\"OKP\",\"crv\":\"Ed448\",\"alg\":\"EdDSA\",\"x\":\"AAAA\"}", false,
                  "its \"crv\" is not Ed25519");
    mint_reset();
}

static void skip_unknown_kinds(void **state)
{
    (void)state;
    const char *kty = "its \"kty\" is not RSA, EC, OKP or AKP";
    check_skipped("{\"kid\":\"k\"}", false, kty);
    check_skipped("{\"kid\":\"k\",\"kty\":7}", false, kty);
    check_skipped("{\"kid\":\"k\",\"kty\":\"oct\",\"k\":null,\"alg\":\"HS256\"}", false, kty);
    check_skipped("{\"kid\":\"k\",\"kty\":\"oct\",\"k\":\"AAAA\",\"alg\":\"HS256\"}", false,
                  "it has the private member \"k\": whoever has read the key set can sign with it");
    check_skipped(mint_print("{\"kid\":\"k\",\"kty\":\"rsa\",\"n\":\"%s\",\"e\":\"AQAB\"}", rsa_n()), false, kty);
    check_skipped("{\"kid\":\"k\",\"kty\":\"AKP\",\"alg\":\"ML-DSA-44\",\"pub\":\"AAAA\"}", false,
                  "its \"pub\" has 3 bytes, not the 1312 of ML-DSA-44");
    check_skipped(mint_jwk(mint_key("secp256k1"), "k", NULL), false, "its \"crv\" is not P-256, P-384 or P-521");
    check_skipped("{\"kid\":\"k\",\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"AAAA\"}", false,
                  "its \"crv\" is not Ed25519");
    mint_reset();
}

static void skip_odd_kids(void **state)
{
    (void)state;
    static const char *const kids[] = {"1", "false", "[\"k\"]", "{}"};
    for (size_t i = 0; i < 4; i++) {
        const char *jwk = mint_jwk_with(mint_key("rsa2048"), NULL, NULL, mint_print("\"kid\":%s", kids[i]));
        struct rely_keyset *keyset = parse_beside_good(jwk);
        assert_int_equal(rely_keyset_skipped_count(keyset), 1);
        assert_string_equal(rely_keyset_skipped_at(keyset, 0)->why, "its \"kid\" is no string");
        assert_null(rely_keyset_skipped_at(keyset, 0)->kid.ptr);
        rely_keyset_free(keyset);
    }
    struct rely_slice name = mint_repeat('k', RELY_KID_BYTES_MAX + 1);
    struct rely_keyset *keyset = parse_beside_good(mint_jwk(mint_key("rsa2048"), name.ptr, NULL));
    assert_string_equal(rely_keyset_skipped_at(keyset, 0)->why, "its \"kid\" is longer than 600 bytes");
    assert_null(rely_keyset_skipped_at(keyset, 0)->kid.ptr);
    rely_keyset_free(keyset);
    keyset = parse_beside_good(mint_jwk(mint_key("rsa2048"), name.ptr + 1, NULL));
    assert_int_equal(rely_keyset_skipped_count(keyset), 0);
    assert_int_equal(rely_key_kid(rely_keyset_at(keyset, 0)).len, RELY_KID_BYTES_MAX);
    rely_keyset_free(keyset);
    mint_reset();
}

static void skip_broken_rsa_members(void **state)
{
    (void)state;
    check_skipped("{\"kid\":\"k\",\"kty\":\"RSA\",\"e\":\"AQAB\"}", false, "its \"n\" is missing");
    check_skipped(mint_print("{\"kid\":\"k\",\"kty\":\"RSA\",\"n\":\"%s\"}", rsa_n()), false, "its \"e\" is missing");
    check_skipped(mint_print("{\"kid\":\"k\",\"kty\":\"RSA\",\"n\":\"%s\",\"e\":65537}", rsa_n()), false,
                  "its \"e\" is no string");
    check_skipped(rsa_of("A+/A", "AQAB"), false, "its \"n\" is not unpadded base64url");
    mint_reset();
}

/* fault C12 (H14): the padding is what is wrong, and is said, for every member that is base64url. */
static void name_the_padding(void **state)
{
    (void)state;
    struct rely_slice x = ec_part("x"), y = ec_part("y"), raw = mint_key_part(mint_key("ed25519"), "x");
    check_skipped(rsa_of(mint_print("%s==", rsa_n()), "AQAB"), false,
                  "its \"n\" has padding (==), and base64url has none (RFC 7515 s2)");
    check_skipped(rsa_of(rsa_n(), "AQAB="), false, "its \"e\" has padding (=), and base64url has none (RFC 7515 s2)");
    check_skipped(mint_print("{\"kid\":\"k\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s=\",\"y\":\"%s\"}",
                             mint_base64(x), mint_base64(y)),
                  false, "its \"x\" has padding (=), and base64url has none (RFC 7515 s2)");
    check_skipped(mint_print("{\"kid\":\"k\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s=\"}",
                             mint_base64(x), mint_base64(y)),
                  false, "its \"y\" has padding (=), and base64url has none (RFC 7515 s2)");
    check_skipped(mint_print("{\"kid\":\"k\",\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s=\"}", mint_base64(raw)),
                  false, "its \"x\" has padding (=), and base64url has none (RFC 7515 s2)");
    check_skipped(rsa_of("========", "AQAB"), false,
                  "its \"n\" has padding (====), and base64url has none (RFC 7515 s2)");
    /* Where something else is wrong as well, the padding alone is not blamed. */
    static const char *const others[] = {"A+A=", "AA=A", "=AAA", "A=", "AB==x"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        check_skipped(rsa_of(others[i], "AQAB"), false, "its \"n\" is not unpadded base64url");
    mint_reset();
}

static const char *WEAK_EXPONENT = "its RSA exponent is not odd and from 3 to 2^32";

static void skip_weak_rsa(void **state)
{
    (void)state;
    check_skipped(mint_jwk(mint_key("rsa1024"), "k", NULL), true, "its RSA modulus has 1024 bits, not 2048 to 8192");
    check_skipped(rsa_of("", "AQAB"), true, "its RSA modulus has 0 bits, not 2048 to 8192");
    check_skipped(rsa_of("AA", "AQAB"), true, "its RSA modulus has 0 bits, not 2048 to 8192");
    check_skipped(rsa_of("AQ", "AQAB"), true, "its RSA modulus has 1 bits, not 2048 to 8192");
    struct rely_slice ones = mint_repeat('\xff', 1025);
    check_skipped(rsa_of(mint_base64(ones), "AQAB"), true, "its RSA modulus has 8200 bits, not 2048 to 8192");
    check_skipped(rsa_of(mint_base64(mint_concat(RELY_LIT("\x01"), mint_repeat('\xff', 1024))), "AQAB"), true,
                  "its RSA modulus has 8193 bits, not 2048 to 8192");
    check_skipped(rsa_of(mint_base64(mint_concat(RELY_LIT("\x7f"), mint_repeat('\xff', 255))), "AQAB"), true,
                  "its RSA modulus has 2047 bits, not 2048 to 8192");
    check_skipped(rsa_of(mint_base64(mint_concat(mint_repeat('\xff', 255), RELY_LIT("\xfe"))), "AQAB"), true,
                  "its RSA modulus is even");
    /* 0, 1, 2, 65536, 2^32 + 1, nothing */
    static const char *const exponents[] = {"AA", "AQ", "Ag", "AQAA", "AQAAAAE", ""};
    for (size_t i = 0; i < sizeof(exponents) / sizeof(exponents[0]); i++)
        check_skipped(rsa_of(rsa_n(), exponents[i]), true, WEAK_EXPONENT);
    check_skipped(rsa_of(rsa_n(), rsa_n()), true, WEAK_EXPONENT);
    mint_reset();
}

/* A modulus as Infineon's library makes them: a power of 65537 modulo the product of the primes up to `most`, and
 * beyond it at random. But not for `spared` (0: none), which divides it. */
static const char *make_nearly_roca(int bits, BN_ULONG most, BN_ULONG power, BN_ULONG spared)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *product = BN_new(), *n = BN_new(), *base = BN_new(), *exponent = BN_new();
    BN_one(product);
    for (BN_ULONG p = 2; p <= most; p++) {
        bool is_prime = true;
        for (BN_ULONG d = 2; d * d <= p; d++)
            is_prime = is_prime && p % d != 0;
        if (is_prime && p != spared)
            BN_mul_word(product, p);
    }
    BN_set_word(exponent, power);
    do {
        BN_set_word(base, 65537);
        BN_mod_exp(n, base, exponent, product, ctx);
        BN_priv_rand(base, bits - BN_num_bits(product) + 1, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
        BN_mul(base, base, product, ctx);
        BN_add(n, n, base);
    } while (BN_num_bits(n) != bits || !BN_is_odd(n) || (spared != 0 && BN_mod_word(n, spared) != 0));
    uint8_t bytes[1024];
    int len = BN_bn2bin(n, bytes);
    BN_free(product);
    BN_free(n);
    BN_free(base);
    BN_free(exponent);
    BN_CTX_free(ctx);
    return mint_base64(rely_slice((char *)bytes, (size_t)len));
}

static const char *make_roca(int bits, BN_ULONG most, BN_ULONG power)
{
    return make_nearly_roca(bits, most, power, 0);
}

/* fault D: CVE-2017-15361. */
static void skip_roca(void **state)
{
    (void)state;
    const char *why = "its RSA modulus can be factored: it was made as in CVE-2017-15361 (ROCA)";
    for (BN_ULONG power = 0; power < 5; power++) {
        check_skipped(rsa_of(make_roca(2048, 701, 1234567 + power), "AQAB"), true, why);
        check_skipped(rsa_of(make_roca(3072, 701, power), "AQAB"), true, why);
        check_skipped(rsa_of(make_roca(4096, 1427, 99 * power), "AQAB"), true, why);
        check_skipped(rsa_of(make_roca(2048, 167, 7 * power), "AQAB"), true, why);
    }
    /* Half of the primes are not enough: another key may look so. */
    check_used(rsa_of(make_roca(2048, 61, 12345), "AQAB"), RSA_ALGS, "RSA 2048");
    static const uint8_t primes[] = {3,   5,   7,   11,  13,  17,  19,  23,  29,  31,  37,  41,  43,
                                     47,  53,  59,  61,  67,  71,  73,  79,  83,  89,  97,  101, 103,
                                     107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167};
    for (size_t i = 0; i < sizeof(primes); i++) /* nor are all but one */
        check_used(rsa_of(make_nearly_roca(2048, 167, 12345, primes[i]), "AQAB"), RSA_ALGS, "RSA 2048");
    for (int i = 0; i < 20; i++) /* no ordinary key is one */
        check_used(mint_jwk(mint_key(mint_print("rsa2048#roca%d", i % 4)), "k", NULL), RSA_ALGS, "RSA 2048");
    mint_reset();
}

static void use_edges_of_rsa(void **state)
{
    (void)state;
    struct rely_slice n = mint_key_part(mint_key("rsa2048"), "n");
    check_used(rsa_of(mint_base64(mint_concat(rely_slice("\0", 1), n)), "AQAB"), RSA_ALGS, "RSA 2048");
    check_used(rsa_of(rsa_n(), "AAEAAQ"), RSA_ALGS, "RSA 2048");
    check_used(rsa_of(rsa_n(), "_____w"), RSA_ALGS, "RSA 2048"); /* 2^32 - 1 */
    check_used(rsa_of(rsa_n(), "Aw"), RSA_ALGS, "RSA 2048");
    check_used(rsa_of(mint_base64(mint_repeat('\xff', 1024)), "AQAB"), RSA_ALGS, "RSA 8192");
    mint_reset();
}

static void skip_broken_ec(void **state)
{
    (void)state;
    struct rely_slice x = ec_part("x"), y = ec_part("y"), zero = mint_repeat('\0', 32);
    const char *off_curve = "its coordinates are no point of P-256";
    struct rely_slice wrong = mint_copy(y);
    ((char *)wrong.ptr)[31] ^= 1;
    check_skipped(ec_of("P-256", x, wrong), false, off_curve);
    check_skipped(ec_of("P-256", zero, zero), false, off_curve);
    check_skipped(ec_of("P-256", mint_repeat('\xff', 32), y), false, off_curve);
    check_skipped(ec_of("P-256", mint_concat(rely_slice("\0", 1), x), y), false,
                  "its coordinates have 33 and 32 bytes, not 32 (RFC 7518 s6.2.1.2)");
    check_skipped(ec_of("P-256", x, rely_slice(y.ptr, 31)), false,
                  "its coordinates have 32 and 31 bytes, not 32 (RFC 7518 s6.2.1.2)");
    check_skipped(ec_of("P-256", x, rely_slice("", 0)), false,
                  "its coordinates have 32 and 0 bytes, not 32 (RFC 7518 s6.2.1.2)");
    check_skipped(ec_of("P-384", x, y), false, "its coordinates have 32 and 32 bytes, not 48 (RFC 7518 s6.2.1.2)");
    check_skipped(ec_of("p-256", x, y), false, "its \"crv\" is not P-256, P-384 or P-521");
    check_skipped(ec_of("prime256v1", x, y), false, "its \"crv\" is not P-256, P-384 or P-521");
    check_skipped(
        mint_print("{\"kid\":\"k\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", mint_base64(x), mint_base64(y)), false,
        "its \"crv\" is not P-256, P-384 or P-521");
    check_skipped(mint_print("{\"kid\":\"k\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\"}", mint_base64(x)), false,
                  "its \"y\" is missing");
    mint_reset();
}

/* x + p fits into 32 bytes only for x below 2^224 or so: the smallest x on the curve. */
static void skip_ec_not_reduced(void **state)
{
    (void)state;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid("P-256"));
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *x = BN_new(), *y = BN_new(), *p = BN_new();
    BN_set_word(x, 1);
    while (EC_POINT_set_compressed_coordinates(group, point, x, 0, NULL) != 1)
        BN_add_word(x, 1);
    ERR_clear_error();
    EC_POINT_get_affine_coordinates(group, point, x, y, NULL);
    EC_GROUP_get_curve(group, p, NULL, NULL, NULL);
    unsigned char reduced[32], beyond[32], other[32];
    BN_bn2binpad(x, reduced, 32);
    BN_bn2binpad(y, other, 32);
    BN_add(x, x, p);
    assert_int_equal(BN_bn2binpad(x, beyond, 32), 32);
    check_used(ec_of("P-256", rely_slice((char *)reduced, 32), rely_slice((char *)other, 32)), BIT(ES256), "EC P-256");
    check_skipped(ec_of("P-256", rely_slice((char *)beyond, 32), rely_slice((char *)other, 32)), false,
                  "its coordinates are no point of P-256");
    BN_free(x);
    BN_free(y);
    BN_free(p);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    mint_reset();
}

static void skip_broken_ed25519(void **state)
{
    (void)state;
    const char *why = "its point is of small order or not canonical";
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "f2ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        check_skipped(okp_hex(points[i]), false, why);
    /* below 2^255 - 19 by one byte in the middle */
    check_used(okp_hex("fffeffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"), BIT(EDDSA), "OKP Ed25519");
    check_used(okp_hex("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe7f"), BIT(EDDSA), "OKP Ed25519");
    struct rely_slice x = mint_key_part(mint_key("ed25519"), "x");
    check_skipped(okp_of(rely_slice(x.ptr, 31)), false, "its \"x\" has 31 bytes, not 32");
    check_skipped(okp_of(mint_concat(x, rely_slice("\0", 1))), false, "its \"x\" has 33 bytes, not 32");
    mint_reset();
}

static const char *material_of(const char *jwk, uint32_t *cost)
{
    struct rely_keyset *keyset = parse_beside_good(jwk);
    assert_int_equal(rely_keyset_count(keyset), 2);
    const struct rely_key *key = rely_keyset_at(keyset, 0);
    const char *material = mint_base64(rely_slice((const char *)rely_key_material(key), RELY_MATERIAL_BYTES));
    *cost = rely_key_cost(key);
    rely_keyset_free(keyset);
    return material;
}

/* One public key is one material, however its numbers are written; every number of it counts. */
static void tell_keys_apart(void **state)
{
    (void)state;
    struct rely_slice n = mint_key_part(mint_key("rsa2048"), "n");
    char longer[1 + 256] = {0};
    memcpy(longer + 1, n.ptr, 256);
    uint32_t cost = 0;
    const char *base = material_of(rsa_of(rsa_n(), "AQAB"), &cost);
    assert_int_equal(cost, 1);
    assert_string_equal(material_of(rsa_of(mint_base64(rely_slice(longer, 257)), "AAAAAQAB"), &cost), base);
    assert_int_equal(cost, 1);
    assert_string_equal(material_of(rsa_with("\"alg\":\"PS256\""), &cost), base);
    const char *others[] = {rsa_of(rsa_n(), "Aw"),
                            rsa_of(rsa_n(), "AAEAAQ"),
                            rsa_of(rsa_n(), "_____w"),
                            mint_jwk(mint_key("rsa2048#other"), "k", NULL),
                            mint_jwk(mint_key("p256"), "k", NULL),
                            mint_jwk(mint_key("p256#other"), "k", NULL),
                            mint_jwk(mint_key("ed25519"), "k", NULL),
                            rsa_of(rsa_n(), "BAAAfw")};
    /* 2^32 - 1: 31 squarings and as many multiplications; 2^26 + 127: 33 of both, one fewer than two of 65537's 17 */
    const uint32_t costs[] = {1, 1, 3, 1, 4, 4, 8, 1};
    const size_t count = sizeof others / sizeof others[0];
    for (size_t i = 0; i < count; i++) {
        bool is_again = i == 1; /* 65537 with a zero before it */
        const char *material = material_of(others[i], &cost);
        assert_int_equal(strcmp(material, base) == 0, is_again);
        assert_int_equal(cost, costs[i]);
        for (size_t k = i + 1; k < count; k++)
            assert_string_not_equal(material, material_of(others[k], &cost));
    }
    mint_reset();
}

int run_jwk_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(use_each_kind),        cmocka_unit_test(use_harmless_members),
        cmocka_unit_test(skip_by_use),          cmocka_unit_test(skip_by_alg),
        cmocka_unit_test(skip_private_keys),    cmocka_unit_test(skip_unknown_kinds),
        cmocka_unit_test(skip_odd_kids),        cmocka_unit_test(skip_broken_rsa_members),
        cmocka_unit_test(skip_weak_rsa),        cmocka_unit_test(skip_roca),
        cmocka_unit_test(use_edges_of_rsa),     cmocka_unit_test(skip_broken_ec),
        cmocka_unit_test(skip_ec_not_reduced),  cmocka_unit_test(skip_broken_ed25519),
        cmocka_unit_test(take_null_for_absent), cmocka_unit_test(take_ed25519_for_eddsa),
        cmocka_unit_test(name_the_padding),     cmocka_unit_test(tell_keys_apart),
    };
    return cmocka_run_group_tests_name("jwk", tests, NULL, NULL);
}
