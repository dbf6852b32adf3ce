/* B: signatures. Numbers out of range, wrong lengths and encodings, other bytes, other keys. */
#include "hostile.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

/* n of P-256, 32 bytes. */
static struct rely_slice order(void)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid("P-256"));
    unsigned char bytes[32];
    assert_int_equal(BN_bn2binpad(EC_GROUP_get0_order(group), bytes, 32), 32);
    EC_GROUP_free(group);
    return mint_copy(rely_slice((char *)bytes, 32));
}

static struct rely_slice ec_signature(void)
{
    return mint_sign(ec_key(), "ES256", mint_signed_bytes(EC_HEADER, right_payload()));
}

static struct rely_slice around_ec(struct rely_slice signature)
{
    return as_slice(mint_token_around(EC_HEADER, right_payload(), signature));
}

static struct rely_slice ec_number(char which, struct rely_slice right)
{
    switch (which) {
    case '0':
        return mint_repeat('\0', 32);
    case '1':
        return mint_concat(mint_repeat('\0', 31), RELY_LIT("\x01"));
    case 'n':
        return order();
    case 'f':
        return mint_repeat('\xff', 32);
    default:
        return right;
    }
}

/* Two letters for r and s: 0, 1, n, f (2^256 - 1), or r and s for the right ones. */
static struct rely_slice with_ec_numbers(const char *letters)
{
    struct rely_slice right = ec_signature();
    struct rely_slice r = ec_number(letters[0], rely_slice(right.ptr, 32));
    struct rely_slice s = ec_number(letters[1], rely_slice(right.ptr + 32, 32));
    return around_ec(mint_concat(r, s));
}

/* a - b, or a + b, in `len` bytes. */
static struct rely_slice combine(struct rely_slice a, char sign, struct rely_slice b, size_t len)
{
    BIGNUM *left = BN_bin2bn((const unsigned char *)a.ptr, (int)a.len, NULL);
    BIGNUM *right = BN_bin2bn((const unsigned char *)b.ptr, (int)b.len, NULL);
    assert_int_equal(sign == '+' ? BN_add(left, left, right) : BN_sub(left, left, right), 1);
    struct rely_slice out = mint_repeat('\0', len);
    assert_int_equal(BN_bn2binpad(left, (unsigned char *)out.ptr, (int)len), len);
    BN_free(left);
    BN_free(right);
    return out;
}

static struct rely_slice with_twin(const char *text)
{
    (void)text;
    struct rely_slice right = ec_signature();
    struct rely_slice s = combine(order(), '-', rely_slice(right.ptr + 32, 32), 32);
    return around_ec(mint_concat(rely_slice(right.ptr, 32), s));
}

static struct rely_slice with_der(const char *text)
{
    (void)text;
    return around_ec(mint_der(ec_signature()));
}

/* The right signature cut to its first n bytes, or zeros behind it. */
static struct rely_slice with_ec_length(const char *count)
{
    size_t len = (size_t)atoi(count);
    struct rely_slice right = ec_signature();
    if (len <= right.len)
        return around_ec(rely_slice(right.ptr, len));
    return around_ec(mint_concat(right, mint_repeat('\0', len - right.len)));
}

static struct rely_slice with_wide_halves(const char *text)
{
    (void)text;
    struct rely_slice right = ec_signature(), pad = mint_repeat('\0', 16);
    struct rely_slice r = mint_concat(pad, rely_slice(right.ptr, 32));
    struct rely_slice s = mint_concat(pad, rely_slice(right.ptr + 32, 32));
    return around_ec(mint_concat(r, s));
}

/* ECDSA is random: sign until r begins with a zero byte. `text`: how many bytes to leave out in front. */
static struct rely_slice with_short_r(const char *drop)
{
    struct rely_slice signature = ec_signature();
    while (signature.ptr[0] != 0)
        signature = ec_signature();
    size_t left_out = (size_t)atoi(drop);
    return around_ec(rely_slice(signature.ptr + left_out, signature.len - left_out));
}

static struct rely_slice around_rsa(struct rely_slice signature)
{
    return as_slice(mint_token_around(RSA_HEADER, right_payload(), signature));
}

/* PKCS#1 v1.5 is not random: change the payload until the signature begins with a zero byte. */
static struct rely_slice with_short_rsa(const char *drop)
{
    for (int i = 0;; i++) {
        const char *payload = payload_and(mint_print("\"i\":%d", i));
        struct rely_slice signature = mint_sign(rsa_key(), "RS256", mint_signed_bytes(RSA_HEADER, payload));
        size_t left_out = (size_t)atoi(drop);
        if (signature.ptr[0] == 0)
            return as_slice(
                mint_token_around(RSA_HEADER, payload, rely_slice(signature.ptr + left_out, signature.len - left_out)));
    }
}

static struct rely_slice rsa_signature(void)
{
    return mint_sign(rsa_key(), "RS256", mint_signed_bytes(RSA_HEADER, right_payload()));
}

static struct rely_slice with_zero_in_front(const char *text)
{
    (void)text;
    return around_rsa(mint_concat(rely_slice("\0", 1), rsa_signature()));
}

/* s + n: in 257 bytes always, in 256 when `text` is "256" and a payload is found for which it fits. */
static struct rely_slice with_modulus_added(const char *len)
{
    struct rely_slice n = mint_key_part(rsa_key(), "n");
    if (strcmp(len, "257") == 0)
        return around_rsa(combine(rsa_signature(), '+', n, 257));
    for (int i = 0; i < 3000; i++) {
        const char *payload = payload_and(mint_print("\"i\":%d", i));
        struct rely_slice signature = mint_sign(rsa_key(), "RS256", mint_signed_bytes(RSA_HEADER, payload));
        struct rely_slice sum = combine(signature, '+', n, 257);
        if (sum.ptr[0] == 0)
            return as_slice(mint_token_around(RSA_HEADER, payload, rely_slice(sum.ptr + 1, 256)));
    }
    return around_rsa(combine(rsa_signature(), '+', n, 257)); /* n is too near to 2^2048 */
}

static struct rely_slice with_rsa_number(const char *which)
{
    struct rely_slice n = mint_key_part(rsa_key(), "n");
    struct rely_slice zero = mint_repeat('\0', 256), one = mint_concat(mint_repeat('\0', 255), RELY_LIT("\x01"));
    if (strcmp(which, "0") == 0)
        return around_rsa(zero);
    if (strcmp(which, "1") == 0)
        return around_rsa(one);
    return around_rsa(strcmp(which, "n") == 0 ? n : combine(n, '-', one, 256));
}

static struct rely_slice with_foreign_signature(const char *text)
{
    (void)text;
    const char *other = payload_with("jti", "\"other\"");
    return around_rsa(mint_sign(rsa_key(), "RS256", mint_signed_bytes(RSA_HEADER, other)));
}

static struct rely_slice with_flipped_bit(const char *text)
{
    (void)text;
    const char *flipped = payload_with("jti", "\"e1f7\""); /* 6 and 7 differ in one bit */
    return as_slice(mint_token_around(RSA_HEADER, flipped, rsa_signature()));
}

static struct rely_slice by_attacker(const char *text)
{
    (void)text;
    return as_slice(mint_token(attacker_key(), "RS256", RSA_HEADER, right_payload()));
}

static const struct hostile_case cases[] = {
    ROW("B01", with_ec_numbers, "00", RELY_BAD_SIGNATURE),
    ROW("B02", with_ec_numbers, "0s", RELY_BAD_SIGNATURE),
    ROW("B03", with_ec_numbers, "r0", RELY_BAD_SIGNATURE),
    ROW("B04", with_ec_numbers, "ns", RELY_BAD_SIGNATURE),
    ROW("B05", with_ec_numbers, "rn", RELY_BAD_SIGNATURE),
    ROW("B06", with_ec_numbers, "nn", RELY_BAD_SIGNATURE),
    ROW("B07", with_ec_numbers, "11", RELY_BAD_SIGNATURE),
    ROW("B08", with_ec_numbers, "ff", RELY_BAD_SIGNATURE),
    ROW("B09", with_twin, NULL, RELY_OK),
    ROW("B10", with_der, NULL, RELY_BAD_SIGNATURE),
    ROW("B11", with_ec_length, "63", RELY_BAD_SIGNATURE),
    ROW("B12", with_ec_length, "65", RELY_BAD_SIGNATURE),
    ROW("B13", with_wide_halves, NULL, RELY_BAD_SIGNATURE),
    ROW("B14", with_ec_length, "0", RELY_BAD_SIGNATURE),
    ROW("B15", with_ec_length, "1000000", RELY_TOKEN_TOO_LARGE),
    ROW("B15", with_ec_length, "40000", RELY_BAD_SIGNATURE),
    ROW("B16", with_short_r, "0", RELY_OK),
    ROW("B17", with_short_r, "1", RELY_BAD_SIGNATURE),
    ROW("B18", with_short_rsa, "0", RELY_OK),
    ROW("B19", with_short_rsa, "1", RELY_BAD_SIGNATURE),
    ROW("B20", with_zero_in_front, NULL, RELY_BAD_SIGNATURE),
    ROW("B21", with_modulus_added, "256", RELY_BAD_SIGNATURE),
    ROW("B21", with_modulus_added, "257", RELY_BAD_SIGNATURE),
    ROW("B22", with_rsa_number, "0", RELY_BAD_SIGNATURE),
    ROW("B23", with_rsa_number, "1", RELY_BAD_SIGNATURE),
    ROW("B24", with_rsa_number, "n-1", RELY_BAD_SIGNATURE),
    ROW("B25", with_rsa_number, "n", RELY_BAD_SIGNATURE),
    ROW("B26", with_foreign_signature, NULL, RELY_BAD_SIGNATURE),
    ROW("B27", with_flipped_bit, NULL, RELY_BAD_SIGNATURE),
    ROW("B28", by_attacker, NULL, RELY_BAD_SIGNATURE),
};

SECTION(hostile_b, 'B', 28, cases);
