/* F: times. Now is 1800000000 and the leeway 0; exp of the right claims is an hour ahead, nbf and iat are three hours
 * ago. */
#include "hostile.h"

static struct rely_slice with_exp(const char *json)
{
    return with_payload(payload_with("exp", json));
}

static struct rely_slice with_nbf(const char *json)
{
    return with_payload(payload_with("nbf", json));
}

static struct rely_slice with_iat(const char *json)
{
    return with_payload(payload_with("iat", json));
}

static const struct hostile_case cases[] = {
    ROW("F01", with_exp, NULL, RELY_MISSING_CLAIM),
    ROW("F02", with_exp, "\"1800003600\"", RELY_INVALID_CLAIM),
    ROW("F03", with_exp, "null", RELY_INVALID_CLAIM),
    ROW("F04", with_exp, "true", RELY_INVALID_CLAIM),
    ROW("F05", with_exp, "[1800003600]", RELY_INVALID_CLAIM),
    ROW("F06", with_exp, "{\"exp\":1800003600}", RELY_INVALID_CLAIM),
    ROW("F07", with_exp, "0", RELY_INVALID_CLAIM),
    ROW("F08", with_exp, "-1", RELY_INVALID_CLAIM),
    ROW("F09", with_exp, "-0", RELY_INVALID_CLAIM),
    ROW("F10", with_exp, "1799996400", RELY_EXPIRED),
    ROW("F11", with_exp, "1799999999", RELY_EXPIRED),
    ROW("F11", with_exp, "1800000000", RELY_EXPIRED),
    ROW("F11", with_exp, "1800000001", RELY_OK),
    ROW("F12", with_exp, "1800003600.5", RELY_OK),
    ROW("F13", with_exp, "1.8000036e9", RELY_OK),
    ROW("F14", with_exp, "1e308", RELY_INVALID_CLAIM),
    ROW("F15", with_exp, "1e400", RELY_INVALID_CLAIM),
    ROW("F16", with_exp, "-1e400", RELY_INVALID_CLAIM),
    ROW("F17", with_exp, "9223372036854775808", RELY_INVALID_CLAIM),
    ROW("F18", with_exp, "18446744073709551616", RELY_INVALID_CLAIM),
    ROW("F19", with_exp, "18446744075509555216", RELY_INVALID_CLAIM),
    /* The year 2163. Read with 64 bits it is as good as F24's, which kube-apiserver mints: what refuses it is a limit
     * on lifetimes. What must not happen is "expired", which 32 bits would say. */
    ROW("F20", with_exp, "6094960096", RELY_LIFETIME_TOO_LONG, .max_lifetime_s = 86400),
    ROW("F20", with_exp, "6094960096", RELY_OK),
    ROW("F21", with_exp, "9007199254740993", RELY_INVALID_CLAIM),
    ROW("F22", with_exp, "1e-400", RELY_INVALID_CLAIM),
    ROW("F23", with_exp, "1800003600000", RELY_INVALID_CLAIM),
    ROW("F24", with_exp, "6094967296", RELY_OK),
    ROW("F24", with_exp, "6094967296", RELY_LIFETIME_TOO_LONG, .max_lifetime_s = 31536000),
    ROW("F25", with_nbf, "1800003599", RELY_NOT_YET_VALID),
    ROW("F26", with_nbf, "\"1800000000\"", RELY_INVALID_CLAIM),
    ROW("F27", with_nbf, "null", RELY_INVALID_CLAIM),
    ROW("F28", with_nbf, "1e400", RELY_INVALID_CLAIM),
    ROW("F29", with_nbf, NULL, RELY_OK),
    ROW("F30", with_nbf, "1800007200", RELY_INVALID_CLAIM),
    ROW("F31", with_nbf, "-1", RELY_OK),
    ROW("F32", with_iat, "1800003600", RELY_ISSUED_IN_FUTURE),
    ROW("F33", with_iat, "\"1800000000\"", RELY_INVALID_CLAIM),
    ROW("F34", with_iat, NULL, RELY_OK),
};

SECTION(hostile_f, 'F', 34, cases);
