/* A: algorithms. `none`, HMAC with public material for a secret, and algorithms that the key is not bound to. */
#include "hostile.h"

static struct rely_slice by_ec(const char *header)
{
    return as_slice(mint_token(ec_key(), "ES256", header, right_payload()));
}

static struct rely_slice by_ec384(const char *header)
{
    return as_slice(mint_token(ec384_key(), "ES384", header, right_payload()));
}

static struct rely_slice without_signature(const char *header)
{
    return as_slice(mint_token(rsa_key(), NULL, header, right_payload()));
}

static struct rely_slice with_right_signature(const char *header)
{
    struct rely_slice signature = mint_sign(rsa_key(), "RS256", mint_signed_bytes(RSA_HEADER, right_payload()));
    return as_slice(mint_token_around(header, right_payload(), signature));
}

static struct rely_slice by_hmac(const char *header, struct rely_slice secret)
{
    return as_slice(mint_token_hmac("HS256", secret, header, right_payload()));
}

#define HMAC_HEADER "{\"alg\":\"HS256\",\"kid\":\"rsa\"}"

static struct rely_slice keyed_with_format(const char *format)
{
    return by_hmac(HMAC_HEADER, mint_key_public(rsa_key(), format));
}

static struct rely_slice keyed_with_trimmed_pem(const char *format)
{
    struct rely_slice pem = mint_key_public(rsa_key(), format);
    return by_hmac(HMAC_HEADER, rely_slice(pem.ptr, pem.len - 1));
}

static struct rely_slice keyed_with_modulus_text(const char *text)
{
    (void)text;
    return by_hmac(HMAC_HEADER, rely_slice_of(mint_base64(mint_key_part(rsa_key(), "n"))));
}

static struct rely_slice keyed_with_modulus(const char *text)
{
    (void)text;
    return by_hmac(HMAC_HEADER, mint_key_part(rsa_key(), "n"));
}

static struct rely_slice keyed_with_jwk(const char *text)
{
    (void)text;
    return by_hmac(HMAC_HEADER, rely_slice_of(mint_jwk(rsa_key(), "rsa", "RS256")));
}

/* `kid` and secret, as jwt_tool's lists pair them: "kid|secret". */
static struct rely_slice keyed_with_text(const char *pair)
{
    size_t kid_len = strcspn(pair, "|");
    const char *header = mint_print("{\"alg\":\"HS256\",\"kid\":\"%.*s\"}", (int)kid_len, pair);
    return by_hmac(header, rely_slice_of(pair + kid_len + 1));
}

/* Signed as `text` says, under another header: "RS384|header". */
static struct rely_slice signed_as(const char *text)
{
    size_t alg_len = strcspn(text, "|");
    const char *alg = mint_print("%.*s", (int)alg_len, text);
    return as_slice(mint_token(rsa_key(), alg, text + alg_len + 1, right_payload()));
}

static const struct hostile_case cases[] = {
    ROW("A01", right_token, NULL, RELY_OK),
    ROW("A02", by_ec, EC_HEADER, RELY_OK),
    ROW("A03", by_ec384, "{\"alg\":\"ES384\",\"kid\":\"ec384\"}", RELY_OK),
    ROW("A04", without_signature, "{\"alg\":\"none\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A04", without_signature, "{\"alg\":\"none\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A05", without_signature, "{\"alg\":\"None\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A06", without_signature, "{\"alg\":\"NONE\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A07", without_signature, "{\"alg\":\"nOnE\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A08", with_right_signature, "{\"alg\":\"none\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A09", with_header, "{\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("A10", with_header, "{\"alg\":\"\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A11", with_header, "{\"alg\":null,\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("A12", with_header, "{\"alg\":256,\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("A13", with_header, "{\"alg\":[\"RS256\"],\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("A14", with_header, "{\"alg\":{\"alg\":\"RS256\"},\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("A15", with_header, "{\"alg\":\"rs256\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A16", with_header, "{\"alg\":\"RS256 \",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A17", with_header, "{\"alg\":\"RS256\\u0000\",\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("A18", with_header, "{\"ALG\":\"RS256\",\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("A19", keyed_with_format, "spki-pem", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A20", keyed_with_trimmed_pem, "spki-pem", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A21", keyed_with_format, "spki-der", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A22", keyed_with_format, "pkcs1-pem", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A23", keyed_with_modulus_text, NULL, RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A24", keyed_with_modulus, NULL, RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A25", keyed_with_jwk, NULL, RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A26", keyed_with_text, "rsa|", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A27", keyed_with_text, "../../dev/null|", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A28", keyed_with_text, "/dev/null|", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A29", keyed_with_text, "|", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A30", keyed_with_text, "x' UNION SELECT '1|1", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A31", keyed_with_text, "rsa|secret", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A32", with_header, "{\"alg\":\"RS256\",\"kid\":\"ec\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A33", by_ec, "{\"alg\":\"ES256\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A34", signed_as, "RS384|{\"alg\":\"RS384\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A35", signed_as, "PS256|{\"alg\":\"PS256\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A36", signed_as, "PS256|" RSA_HEADER, RELY_BAD_SIGNATURE),
    ROW("A37", signed_as, "RS512|" RSA_HEADER, RELY_BAD_SIGNATURE),
    ROW("A38", signed_as, "RS1|{\"alg\":\"RS1\",\"kid\":\"rsa\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A38", signed_as, "RS1|" RSA_HEADER, RELY_BAD_SIGNATURE),
    ROW("A39", by_ec, "{\"alg\":\"ES384\",\"kid\":\"ec\"}", RELY_ALGORITHM_NOT_ALLOWED),
    ROW("A39", by_ec, "{\"alg\":\"ES384\",\"kid\":\"ec384\"}", RELY_BAD_SIGNATURE),
    ROW("A40", by_ec384, "{\"alg\":\"ES256\",\"kid\":\"ec384\"}", RELY_ALGORITHM_NOT_ALLOWED),
};

SECTION(hostile_a, 'A', 40, cases);
