/* Public keys and certificates in PEM as a key set: which blocks are read, under which names, and what is refused. */
#include "tests.h"

#include "pem_texts.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <stdio.h>

#define P256_KID "UkUq-0flpkjZ5Bs5Mbdngatsj7dCxdn_AmXnz9U9uJs"

static const struct rely_keyset_limits roomy = {.max_count = 8, .max_bytes = 16384};

/* The key set that a text must be, as JSON that mint owns. */
static const char *convert_pem(const char *pem)
{
    struct rely_err err = {0};
    struct rely_buf out = {0};
    if (!rely_keyset_of_pem(rely_slice_of(pem), &roomy, &out, &err))
        fail_msg("refused: %s", err.message);
    assert_int_equal(err.code, RELY_ERR_NONE);
    assert_int_equal(ERR_peek_error(), 0);
    const char *jwks = mint_print("%.*s", (int)rely_buf_slice(&out).len, rely_buf_slice(&out).ptr);
    rely_buf_fini(&out);
    return jwks;
}

static void check_pem_refused_within(const char *pem, const struct rely_keyset_limits *limits, const char *message)
{
    struct rely_err err = {0};
    struct rely_buf out = {0};
    assert_false(rely_keyset_of_pem(rely_slice_of(pem), limits, &out, &err));
    assert_int_equal(err.code, RELY_ERR_INVALID);
    assert_string_equal(err.message, message);
    assert_int_equal(rely_buf_slice(&out).len, 0);
    assert_int_equal(ERR_peek_error(), 0);
    rely_buf_fini(&out);
}

static void check_pem_refused(const char *pem, const char *message)
{
    check_pem_refused_within(pem, &roomy, message);
}

static const char *print_public(const struct mint_key *key, const char *format)
{
    struct rely_slice text = mint_key_public(key, format);
    return mint_print("%.*s", (int)text.len, text.ptr);
}

static const char *kid_of(const struct mint_key *key)
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    struct rely_slice der = mint_key_public(key, "spki-der");
    SHA256((const unsigned char *)der.ptr, der.len, digest);
    return mint_base64(rely_slice((const char *)digest, sizeof digest));
}

/* Is the text this one key and nothing else? */
static void check_is_key(const char *pem, const struct mint_key *key)
{
    struct rely_keyset *given = parse_good(convert_pem(pem));
    struct rely_keyset *expected = parse_good(mint_jwks(mint_jwk(key, kid_of(key), NULL), NULL));
    assert_int_equal(rely_keyset_count(given), 1);
    assert_int_equal(rely_keyset_skipped_count(given), 0);
    assert_true(rely_keyset_has_same_keys(given, expected));
    rely_keyset_free(given);
    rely_keyset_free(expected);
}

static void check_named(const char *pem, const char *kind, const char *kid)
{
    struct rely_keyset *keyset = parse_good(convert_pem(pem));
    assert_int_equal(rely_keyset_count(keyset), 1);
    assert_string_equal(rely_key_kind(rely_keyset_at(keyset, 0)), kind);
    assert_true(rely_slice_equal(rely_key_kid(rely_keyset_at(keyset, 0)), rely_slice_of(kid)));
    rely_keyset_free(keyset);
}

/* --- what is read ------------------------------------------------------------------------------------------------- */

static void read_public_keys(void **state)
{
    (void)state;
    static const char *const kinds[] = {"rsa2048", "rsa2048e3", "rsa3072", "p256", "p384", "p521", "ed25519"};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        check_is_key(print_public(mint_key(kinds[i]), "spki-pem"), mint_key(kinds[i]));
    check_is_key(print_public(mint_key("rsa2048"), "pkcs1-pem"), mint_key("rsa2048"));
    mint_reset();
}

static void read_certificates(void **state)
{
    (void)state;
    check_named(rsa_certificate, "RSA 2048", "u9QqNLuSwsdGI7af5Rhjk5sY-jsZQuL74HzYZ3z1LG4");
    check_named(p256_certificate, "EC P-256", P256_KID);
    check_named(p384_certificate, "EC P-384", "3dl7hUpox_tUF8KQRQihWMdwPW_G_oRYJBfUXpg9y7M");
    check_named(p521_certificate, "EC P-521", "TjxGhgHyiB-peLtRZ4mnEosvJdjjnyZX3IApxfU1t6o");
    check_named(ed25519_certificate, "OKP Ed25519", "klVX2m0tM0YfjRYbLZQ1-G4EkfEZ95ZL5yHhLz2Lb_k");
    mint_reset();
}

static void read_coordinates_in_full_length(void **state)
{
    (void)state;
    const char *jwks = convert_pem(short_x);
    assert_non_null(strstr(jwks, "\"x\":\"AN1dPhIUTpOX-kGfslAS37BbGl90RjORbnYxUSBxeok\""));
    assert_non_null(strstr(jwks, "\"y\":\"t6TSJ2P8piLLSJSxz84P2u7FBez_RxdAaeyKaKveHxM\""));
    struct rely_keyset *keyset = parse_good(jwks);
    assert_int_equal(rely_keyset_count(keyset), 1);
    rely_keyset_free(keyset);
    mint_reset();
}

/* A real API server's key, and the set that it publishes of it. */
static void name_keys_as_kubernetes_does(void **state)
{
    (void)state;
    char pem[4096] = {0};
    FILE *file = fopen(RELYD_VECTORS "/kubernetes/rs256/sa-rsa.pub", "r");
    assert_non_null(file);
    assert_true(fread(pem, 1, sizeof pem - 1, file) > 0);
    fclose(file);
    check_named(pem, "RSA 2048", "C_tUJGGVe6-ntaHReYzfHM3EYwGUaFY8vRTLDvrvpy4");
    mint_reset();
}

/* The numbers of P-256 are P-256. The kid is that of the key as it is written. */
static void read_curves_spelled_out(void **state)
{
    (void)state;
    check_named(numbers, "EC P-256", "L3L-ROTc1Y8SogiSjNfpkwTWWOTb_T4nu13JzvRTCD8");
    mint_reset();
}

static void read_several_blocks_among_text(void **state)
{
    (void)state;
    const struct mint_key *a = mint_key("rsa2048"), *b = mint_key("p384"), *c = mint_key("ed25519");
    struct rely_keyset *given = parse_good(convert_pem(
        mint_print("of the cluster prod:\n\n%s\nsubject=CN = t\n%s%sand no more", //
                   print_public(a, "pkcs1-pem"), print_public(b, "spki-pem"), print_public(c, "spki-pem"))));
    struct rely_keyset *expected = parse_good(
        mint_jwks(mint_jwk(a, kid_of(a), NULL), mint_jwk(b, kid_of(b), NULL), mint_jwk(c, kid_of(c), NULL), NULL));
    assert_int_equal(rely_keyset_count(given), 3);
    assert_true(rely_keyset_has_same_keys(given, expected));
    rely_keyset_free(given);
    rely_keyset_free(expected);
    mint_reset();
}

static void read_the_same_key_once(void **state)
{
    (void)state;
    const struct mint_key *key = mint_key("rsa2048");
    check_is_key(mint_print("%s%s%s", print_public(key, "spki-pem"), print_public(key, "pkcs1-pem"),
                            print_public(key, "spki-pem")),
                 key);
    check_named(p256_compressed, "EC P-256", P256_KID);
    check_named(mint_print("%s%s%s", p256_certificate, p256_compressed, p256_key), "EC P-256", P256_KID);
    mint_reset();
}

/* --- what is skipped ---------------------------------------------------------------------------------------------- */

static void skip_other_kinds_of_keys(void **state)
{
    (void)state;
    static const struct {
        const char *pem, *why;
    } cases[] = {{ed448, "its \"crv\" is not Ed25519"},
                 {x25519, "its \"kty\" is not RSA, EC, OKP or AKP"},
                 {koblitz, "its \"crv\" is not P-256, P-384 or P-521"},
                 {infinity, "its \"x\" is missing"},
                 {nameless, "its \"crv\" is not P-256, P-384 or P-521"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rely_keyset *keyset = parse_good(convert_pem(mint_print("%s%s", cases[i].pem, p256_key)));
        assert_int_equal(rely_keyset_count(keyset), 1);
        assert_int_equal(rely_keyset_skipped_count(keyset), 1);
        assert_string_equal(rely_keyset_skipped_at(keyset, 0)->why, cases[i].why);
        assert_int_equal(rely_keyset_skipped_at(keyset, 0)->kid.len, 43);
        rely_keyset_free(keyset);
    }
    mint_reset();
}

/* --- what is refused ---------------------------------------------------------------------------------------------- */

/* A key's text with other words at its ends. */
static const char *print_block(const char *label)
{
    return mint_print("-----BEGIN %s-----\nMCowBQYDK2VwAyEAqyAJeAJIFgMiz6osTdHiYKGPDiDf2Qf2ZamTCgtQQG8=\n"
                      "-----END %s-----\n",
                      label, label);
}

static void refuse_other_blocks(void **state)
{
    (void)state;
    static const char *const labels[] = {"PRIVATE KEY",           "RSA PRIVATE KEY", "EC PRIVATE KEY",
                                         "ENCRYPTED PRIVATE KEY", "EC PARAMETERS",   "CERTIFICATE REQUEST",
                                         "TRUSTED CERTIFICATE",   "X509 CRL",        "public key"};
    check_named(print_block("PUBLIC KEY"), "OKP Ed25519", "klVX2m0tM0YfjRYbLZQ1-G4EkfEZ95ZL5yHhLz2Lb_k");
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        check_pem_refused(
            mint_print("%s%s", p256_key, print_block(labels[i])),
            mint_print("block 2 is a %s, and not a PUBLIC KEY, an RSA PUBLIC KEY or a CERTIFICATE", labels[i]));
    check_pem_refused(print_block("KEY OF A NAME THAT GOES ON AND ON AND ON AND ON"),
                      "block 1 is a KEY OF A NAME THAT GOES ON AND ON AND ON, and not a PUBLIC KEY, an RSA PUBLIC KEY "
                      "or a CERTIFICATE");
    mint_reset();
}

static void refuse_what_is_no_key(void **state)
{
    (void)state;
    check_pem_refused(print_block("RSA PUBLIC KEY"), "block 1 is no RSA PUBLIC KEY that OpenSSL can read");
    check_pem_refused(print_block("CERTIFICATE"), "block 1 is no CERTIFICATE that OpenSSL can read");
    check_pem_refused("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                      "block 1 is no PUBLIC KEY that OpenSSL can read");
    check_pem_refused("-----BEGIN PUBLIC KEY-----\n" /* a key, and three bytes behind it */
                      "MCowBQYDK2VwAyEAqyAJeAJIFgMiz6osTdHiYKGPDiDf2Qf2ZamTCgtQQG8AAAA=\n-----END PUBLIC KEY-----\n",
                      "block 1 is no PUBLIC KEY that OpenSSL can read");
    mint_reset();
}

static void refuse_damaged_text(void **state)
{
    (void)state;
    static const char *const damaged[] = {
        "-----BEGIN PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAqyAJeAJIFgMiz6osTdHiYKGPDiDf2Qf2ZamTCgtQQG8=\n",
        "-----BEGIN PUBLIC KEY-----\nMCow*QYDK2Vw\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMCowB\n-----END PUBLIC KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nMCow\n-----END CERTIFICATE-----\n",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        check_pem_refused(damaged[i], "block 1 is no whole PEM");
        check_pem_refused(mint_print("%s%s", p256_key, damaged[i]), "block 2 is no whole PEM");
    }
    mint_reset();
}

static void refuse_text_without_blocks(void **state)
{
    (void)state;
    static const char none[] = "it has no -----BEGIN PUBLIC KEY----- nor a certificate";
    check_pem_refused("", none);
    check_pem_refused("\n\n", none);
    check_pem_refused("no PEM at all", none);
    check_pem_refused(mint_jwks(mint_jwk(mint_key("p256"), "a", NULL), NULL), none);
    check_pem_refused("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----\n", none);
    mint_reset();
}

/* Blocks are counted, and not only different keys: reading them is the work. */
static void limit_blocks_and_bytes(void **state)
{
    (void)state;
    struct rely_keyset_limits two = {.max_count = 2, .max_bytes = 16384};
    struct rely_keyset_limits exact = {.max_count = 1, .max_bytes = sizeof p256_key - 1}, less = exact;
    struct rely_err err = {0};
    struct rely_buf out = {0};
    less.max_bytes--;
    assert_true(rely_keyset_of_pem(rely_slice_of(p256_key), &exact, &out, &err));
    assert_true(rely_keyset_of_pem(rely_slice_of(mint_print("%s%s", p256_key, short_x)), &two, &out, &err));
    rely_buf_fini(&out);
    check_pem_refused_within(mint_print("%s%s%s", p256_key, short_x, koblitz), &two,
                             "it has more than 2 keys (keys.max_count)");
    check_pem_refused_within(mint_print("%s%s%s", p256_key, p256_key, p256_key), &two,
                             "it has more than 2 keys (keys.max_count)");
    check_pem_refused_within(
        p256_key, &less,
        mint_print("it has %zu bytes, more than %zu (keys.max_bytes)", exact.max_bytes, less.max_bytes));
    mint_reset();
}

int run_pem_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_public_keys),
        cmocka_unit_test(read_certificates),
        cmocka_unit_test(read_coordinates_in_full_length),
        cmocka_unit_test(name_keys_as_kubernetes_does),
        cmocka_unit_test(read_curves_spelled_out),
        cmocka_unit_test(read_several_blocks_among_text),
        cmocka_unit_test(read_the_same_key_once),
        cmocka_unit_test(skip_other_kinds_of_keys),
        cmocka_unit_test(refuse_other_blocks),
        cmocka_unit_test(refuse_what_is_no_key),
        cmocka_unit_test(refuse_damaged_text),
        cmocka_unit_test(refuse_text_without_blocks),
        cmocka_unit_test(limit_blocks_and_bytes),
    };
    return cmocka_run_group_tests_name("pem", tests, NULL, NULL);
}
