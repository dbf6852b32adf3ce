/* D: the header. Strict JSON, `crit`, `kid` as a path or a query, keys that the token brings along, `typ`. */
#include "hostile.h"

/* A header whose bytes are no C string: "\0" stands for NUL. */
static struct rely_slice with_header_bytes(struct rely_slice header)
{
    return as_slice(mint_token_bytes(rsa_key(), "RS256", header, rely_slice_of(right_payload())));
}

static struct rely_slice with_nul_behind_header(const char *text)
{
    (void)text;
    return with_header_bytes(mint_concat(rely_slice_of(RSA_HEADER), rely_slice("\0", 1)));
}

/* ASCII as UTF-16LE. */
static struct rely_slice with_wide_header(const char *header)
{
    struct rely_slice wide = mint_repeat('\0', 2 * strlen(header));
    for (size_t i = 0; header[i] != '\0'; i++)
        ((char *)wide.ptr)[2 * i] = header[i];
    return with_header_bytes(wide);
}

/* {"alg":"RS256","kid":"rsa", and these members}. */
static struct rely_slice with_member(const char *members)
{
    return with_header(mint_print("{\"alg\":\"RS256\",\"kid\":\"rsa\",%s}", members));
}

static struct rely_slice with_kid(const char *json)
{
    return with_header(mint_print("{\"alg\":\"RS256\",\"kid\":%s}", json));
}

static struct rely_slice with_typ(const char *json)
{
    return with_member(mint_print("\"typ\":%s", json));
}

static struct rely_slice with_long_kid(const char *len)
{
    return with_kid(mint_print("\"%s\"", mint_repeat('k', (size_t)atoi(len)).ptr));
}

static struct rely_slice with_long_header(const char *len)
{
    return with_member(mint_print("\"x\":\"%s\"", mint_repeat('x', (size_t)atoi(len)).ptr));
}

static struct rely_slice with_deep_header(const char *depth)
{
    size_t count = (size_t)atoi(depth);
    return with_member(mint_print("\"x\":%s%s", mint_repeat('[', count).ptr, mint_repeat(']', count).ptr));
}

static struct rely_slice ec_without_kid(const char *text)
{
    (void)text;
    return as_slice(mint_token(ec_key(), "ES256", "{\"alg\":\"ES256\"}", right_payload()));
}

static struct rely_slice by_attacker_under(const char *header)
{
    return as_slice(mint_token(attacker_key(), "RS256", header, right_payload()));
}

/* The attacker's public key in the header, under this kid. */
static struct rely_slice with_embedded_key(const char *kid)
{
    return by_attacker_under(
        mint_print("{\"alg\":\"RS256\",\"kid\":\"%s\",\"jwk\":%s}", kid, mint_jwk(attacker_key(), kid, "RS256")));
}

static const struct hostile_case cases[] = {
    ROW("D01", with_header, "{\"alg\":\"RS256\",\"alg\":\"none\",\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("D02", with_header, "{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("D03", with_header, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"kid\":\"ec\"}", RELY_MALFORMED_TOKEN),
    ROW("D04", with_header, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"\\u0061lg\":\"none\"}", RELY_MALFORMED_TOKEN),
    ROW("D05", with_header, "[\"alg\",\"RS256\"]", RELY_MALFORMED_TOKEN),
    ROW("D06", with_header, "\"alg\"", RELY_MALFORMED_TOKEN),
    ROW("D07", with_header, "null", RELY_MALFORMED_TOKEN),
    ROW("D08", with_header, "", RELY_MALFORMED_TOKEN),
    ROW("D08", with_header, "{}", RELY_MALFORMED_TOKEN),
    ROW("D09", with_header, RSA_HEADER "x", RELY_MALFORMED_TOKEN),
    ROW("D10", with_header, RSA_HEADER RSA_HEADER, RELY_MALFORMED_TOKEN),
    ROW("D11", with_header, "{\"alg\":\"RS256\",\"kid\":\"rsa\",}", RELY_MALFORMED_TOKEN),
    ROW("D12", with_header, "{\"alg\":\"RS256\",/* */\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("D13", with_header, "{'alg':'RS256','kid':'rsa'}", RELY_MALFORMED_TOKEN),
    ROW("D14", with_nul_behind_header, NULL, RELY_MALFORMED_TOKEN),
    ROW("D15", with_header, "{\"alg\":\"RS256\",\"kid\":\"rsa\"", RELY_MALFORMED_TOKEN),
    ROW("D16", with_header, "\xef\xbb\xbf" RSA_HEADER, RELY_MALFORMED_TOKEN),
    ROW("D17", with_wide_header, RSA_HEADER, RELY_MALFORMED_TOKEN),
    ROW("D18", with_header, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"\xff\"}", RELY_MALFORMED_TOKEN),
    ROW("D19", with_header, " {\r\n\t\"alg\" : \"RS256\" ,\n \"kid\" : \"rsa\"\n}\n", RELY_OK),
    ROW("D20", with_member, "\"x\":{\"crit\":[\"alg\"]}", RELY_OK),
    ROW("D21", with_header, "{\"\\u0061lg\":\"\\u0052S256\",\"kid\":\"r\\u0073a\"}", RELY_OK),
    ROW("D22", with_member, "\"crit\":[\"exp\"]", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D23", with_member, "\"crit\":[\"foo\"],\"foo\":1", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D24", with_member, "\"crit\":[\"b64\"],\"b64\":false", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D25", with_member, "\"crit\":[\"b64\"],\"b64\":true", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D26", with_member, "\"crit\":[]", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D27", with_member, "\"crit\":\"exp\"", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D28", with_member, "\"crit\":[\"alg\"]", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D29", with_member, "\"crit\":null", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D30", with_member, "\"crit\":[1,2]", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D31", with_member, "\"b64\":false", RELY_UNSUPPORTED_CRITICAL_HEADER),
    ROW("D32", with_kid, "\"nobody\"", RELY_KEY_UNKNOWN),
    ROW("D33", with_kid, "\"\"", RELY_KEY_UNKNOWN),
    ROW("D34", with_kid, "1", RELY_MALFORMED_TOKEN),
    ROW("D35", with_kid, "null", RELY_MALFORMED_TOKEN),
    ROW("D36", with_kid, "[\"rsa\"]", RELY_MALFORMED_TOKEN),
    ROW("D37", with_kid, "{\"kid\":\"rsa\"}", RELY_MALFORMED_TOKEN),
    ROW("D38", with_kid, "\"../../../../dev/null\"", RELY_KEY_UNKNOWN),
    ROW("D39", with_kid, "\"/proc/self/environ\"", RELY_KEY_UNKNOWN),
    ROW("D40", with_kid, "\"rsa' OR '1'='1\"", RELY_KEY_UNKNOWN),
    ROW("D41", with_kid, "\"rsa; id > /tmp/x\"", RELY_KEY_UNKNOWN),
    ROW("D42", with_kid, "\"https://evil.example/key\"", RELY_KEY_UNKNOWN),
    ROW("D43", with_kid, "\"rsa\\u0000x\"", RELY_MALFORMED_TOKEN),
    ROW("D44", with_kid, "\"RSA\"", RELY_KEY_UNKNOWN),
    ROW("D45", with_kid, "\"rsa \"", RELY_KEY_UNKNOWN),
    ROW("D46", with_kid, "\"%n%s%x\"", RELY_KEY_UNKNOWN),
    ROW("D47", with_long_kid, "65536", RELY_TOKEN_TOO_LARGE),
    ROW("D47", with_long_kid, "601", RELY_MALFORMED_TOKEN),
    ROW("D47", with_long_kid, "600", RELY_KEY_UNKNOWN),
    ROW("D48", with_kid, "\"\xe2\x80\xaersa\"", RELY_KEY_UNKNOWN),
    ROW("D49", with_kid, "\"__proto__\"", RELY_KEY_UNKNOWN),
    ROW("D50", ec_without_kid, NULL, RELY_OK),
    ROW("D50", with_header, "{\"alg\":\"RS256\"}", RELY_OK),
    ROW("D51", by_attacker_under, "{\"alg\":\"RS256\",\"kid\":\"evil\",\"jku\":\"https://evil.example/jwks\"}",
        RELY_KEY_UNKNOWN),
    ROW("D51", by_attacker_under, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"jku\":\"https://evil.example/jwks\"}",
        RELY_BAD_SIGNATURE),
    ROW("D51", by_attacker_under, "{\"alg\":\"RS256\",\"jku\":\"https://evil.example/jwks\"}", RELY_BAD_SIGNATURE),
    ROW("D52", by_attacker_under, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x5u\":\"http://169.254.169.254/\"}",
        RELY_BAD_SIGNATURE),
    ROW("D53", with_embedded_key, "rsa", RELY_BAD_SIGNATURE),
    ROW("D54", with_embedded_key, "evil", RELY_KEY_UNKNOWN),
    ROW("D55", by_attacker_under, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x5c\":[\"MIIB\"]}", RELY_BAD_SIGNATURE),
    ROW("D56", with_member, "\"jku\":\"https://evil.example/jwks\"", RELY_OK),
    ROW("D57", with_typ, "\"JWT\"", RELY_OK),
    ROW("D58", with_typ, "\"jwt\"", RELY_OK),
    ROW("D59", with_typ, "\"application/jwt\"", RELY_OK),
    ROW("D60", with_typ, "\"at+jwt\"", RELY_OK),
    ROW("D61", with_typ, "\"dpop+jwt\"", RELY_TOKEN_TYPE_NOT_ACCEPTED),
    ROW("D62", with_typ, "\"logout+jwt\"", RELY_TOKEN_TYPE_NOT_ACCEPTED),
    ROW("D62", with_typ, "\"\"", RELY_TOKEN_TYPE_NOT_ACCEPTED),
    ROW("D63", with_typ, "1", RELY_MALFORMED_TOKEN),
    ROW("D64", with_long_header, "60000", RELY_TOKEN_TOO_LARGE),
    ROW("D64", with_long_header, "16384", RELY_TOKEN_TOO_LARGE, .max_bytes = RELY_DEFAULT_token_max_bytes),
    ROW("D65", with_deep_header, "10000", RELY_MALFORMED_TOKEN),
    ROW("D65", with_deep_header, "32", RELY_MALFORMED_TOKEN),
    ROW("D65", with_deep_header, "31", RELY_OK),
};

SECTION(hostile_d, 'D', 65, cases);
