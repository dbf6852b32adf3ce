/* E: the payload as JSON. Everything is signed rightly: only the reading is tried. */
#include "hostile.h"

/* A payload of these bytes, with "\0" in them. */
static struct rely_slice with_payload_bytes(struct rely_slice payload)
{
    return as_slice(mint_token_bytes(rsa_key(), "RS256", rely_slice_of(RSA_HEADER), payload));
}

static struct rely_slice with_right_payload_then(const char *garbage)
{
    return with_payload(mint_print("%s%s", right_payload(), garbage));
}

static struct rely_slice with_right_payload_behind(const char *bytes)
{
    return with_payload(mint_print("%s%s", bytes, right_payload()));
}

static struct rely_slice twice(const char *text)
{
    (void)text;
    return with_payload(mint_print("%s%s", right_payload(), right_payload()));
}

static struct rely_slice with_raw_nul(const char *text)
{
    (void)text;
    const char *payload = payload_and("\"x\":\"a?b\"");
    char *mark = strchr(payload, '?');
    *mark = '\0';
    return with_payload_bytes(rely_slice(payload, (size_t)(mark - payload) + 4));
}

static struct rely_slice with_wide_payload(const char *text)
{
    (void)text;
    const char *payload = right_payload();
    struct rely_slice wide = mint_repeat('\0', 2 * strlen(payload));
    for (size_t i = 0; payload[i] != '\0'; i++)
        ((char *)wide.ptr)[2 * i] = payload[i];
    return with_payload_bytes(wide);
}

static struct rely_slice with_exp(const char *json)
{
    return with_payload(payload_with("exp", json));
}

static struct rely_slice with_sub(const char *json)
{
    return with_payload(payload_with("sub", json));
}

/* Right but for the `sub`: these members in its place. */
static struct rely_slice without_sub_but(const char *members)
{
    const char *payload = payload_with("sub", NULL);
    return with_payload(mint_print("%.*s,%s}", (int)strlen(payload) - 1, payload, members));
}

/* The attacker's sub in front of the right one. */
static struct rely_slice with_sub_in_front(const char *members)
{
    return with_payload(mint_print("{%s,%s", members, right_payload() + 1));
}

static struct rely_slice with_deep_claim(const char *depth)
{
    size_t count = (size_t)atoi(depth);
    return with_members(mint_print("\"x\":%s%s", mint_repeat('[', count).ptr, mint_repeat(']', count).ptr));
}

static struct rely_slice with_long_number(const char *digits)
{
    return with_members(mint_print("\"x\":%s", mint_repeat('7', (size_t)atoi(digits)).ptr));
}

static struct rely_slice with_many_claims(const char *count)
{
    int total = atoi(count);
    char *members = (char *)mint_repeat('\0', 16 * (size_t)total).ptr, *at = members;
    for (int i = 0; i < total; i++)
        at += sprintf(at, "%s\"c%d\":0", i == 0 ? "" : ",", i);
    return with_members(members);
}

/* The right claims under other names: "iss|ISS|exp|Exp". */
static struct rely_slice renamed(const char *pairs)
{
    const char *payload = right_payload();
    while (*pairs != '\0') {
        size_t len = strcspn(pairs, "|");
        const char *from = mint_print("\"%.*s\":", (int)len, pairs), *to = pairs + len + 1;
        size_t to_len = strcspn(to, "|");
        const char *at = strstr(payload, from);
        assert_non_null(at);
        payload = mint_print("%.*s\"%.*s\":%s", (int)(at - payload), payload, (int)to_len, to, at + strlen(from));
        pairs = to + to_len + (to[to_len] == '|');
    }
    return with_payload(payload);
}

static struct rely_slice issuer_in_homoglyph(const char *iss)
{
    const char *payload = payload_with("iss", iss);
    return with_payload(mint_print("%.*s,\"i\xc5\xbfs\":\"" ISSUER "\"}", (int)strlen(payload) - 1, payload));
}

static struct rely_slice expired_but(const char *members)
{
    const char *payload = payload_with("exp", "1799990000");
    return with_payload(mint_print("%.*s,%s}", (int)strlen(payload) - 1, payload, members));
}

#define ADMIN "\"system:serviceaccount:team-a:admin\""

static const struct hostile_case cases[] = {
    ROW("E01", with_payload, "[]", RELY_MALFORMED_TOKEN),
    ROW("E02", with_payload, "\"x\"", RELY_MALFORMED_TOKEN),
    ROW("E03", with_payload, "null", RELY_MALFORMED_TOKEN),
    ROW("E04", with_payload, "1", RELY_MALFORMED_TOKEN),
    ROW("E05", with_payload, "", RELY_MALFORMED_TOKEN),
    ROW("E06", with_payload, "{}", RELY_MISSING_CLAIM),
    ROW("E07", with_right_payload_then, "x", RELY_MALFORMED_TOKEN),
    ROW("E08", twice, NULL, RELY_MALFORMED_TOKEN),
    ROW("E09", with_members, "\"x\":1,", RELY_MALFORMED_TOKEN),
    ROW("E10", with_members, "\"x\":NaN", RELY_MALFORMED_TOKEN),
    ROW("E11", with_members, "\"x\":Infinity", RELY_MALFORMED_TOKEN),
    ROW("E12", with_members, "'x':'y'", RELY_MALFORMED_TOKEN),
    ROW("E13", with_members, "\"x\":\"a\nb\"", RELY_MALFORMED_TOKEN),
    ROW("E14", with_raw_nul, NULL, RELY_MALFORMED_TOKEN),
    ROW("E15", with_members, "\"x\":\"\\x41\"", RELY_MALFORMED_TOKEN),
    ROW("E16", with_members, "\"x\":\"\\u00\"", RELY_MALFORMED_TOKEN),
    ROW("E17", with_exp, "01800003600", RELY_MALFORMED_TOKEN),
    ROW("E18", with_exp, "0x6b49d200", RELY_MALFORMED_TOKEN),
    ROW("E19", with_exp, "+1800003600", RELY_MALFORMED_TOKEN),
    ROW("E20", with_sub, "\"" SUBJECT "\xff\"", RELY_MALFORMED_TOKEN),
    ROW("E21", with_sub, "\"" SUBJECT "\xc0\x80\"", RELY_MALFORMED_TOKEN),
    ROW("E22", with_sub, "\"" SUBJECT "\xed\xa0\x80\"", RELY_MALFORMED_TOKEN),
    ROW("E23", with_sub, "\"" SUBJECT "\xf4\x90\x80\x80\"", RELY_MALFORMED_TOKEN),
    ROW("E24", with_sub, "\"" SUBJECT "\xe2\x82\"", RELY_MALFORMED_TOKEN),
    ROW("E25", with_right_payload_behind, "\xef\xbb\xbf", RELY_MALFORMED_TOKEN),
    ROW("E26", with_wide_payload, NULL, RELY_MALFORMED_TOKEN),
    ROW("E27", with_sub_in_front, "\"sub\":" ADMIN, RELY_MALFORMED_TOKEN),
    ROW("E27", with_members, "\"sub\":" ADMIN, RELY_MALFORMED_TOKEN),
    ROW("E28", with_members, "\"exp\":1799990000", RELY_MALFORMED_TOKEN),
    ROW("E29", with_members, "\"iss\":\"" OTHER_ISSUER "\"", RELY_MALFORMED_TOKEN),
    ROW("E30", with_members, "\"aud\":[\"other\"]", RELY_MALFORMED_TOKEN),
    ROW("E31", with_members, "\"s\\u0075b\":" ADMIN, RELY_MALFORMED_TOKEN),
    ROW("E32", with_members, "\"kubernetes.io\":{\"namespace\":\"team-a\",\"namespace\":\"team-b\"}",
        RELY_MALFORMED_TOKEN),
    ROW("E33", with_members, "\"x\":[{\"y\":1,\"y\":2}]", RELY_MALFORMED_TOKEN),
    ROW("E34", with_deep_claim, "10000", RELY_MALFORMED_TOKEN),
    ROW("E35", with_deep_claim, "64", RELY_MALFORMED_TOKEN),
    ROW("E35", with_deep_claim, "31", RELY_OK),
    ROW("E36", with_long_number, "10000", RELY_OK),
    ROW("E36", with_long_number, "20000", RELY_TOKEN_TOO_LARGE, .max_bytes = RELY_DEFAULT_token_max_bytes),
    ROW("E37", with_many_claims, "10000", RELY_TOKEN_TOO_LARGE),
    ROW("E37", with_many_claims, "2000", RELY_TOKEN_TOO_LARGE, .max_bytes = RELY_DEFAULT_token_max_bytes),
    ROW("E38", renamed, "iss|ISS|exp|Exp", RELY_MISSING_CLAIM),
    ROW("E38", renamed, "exp|Exp", RELY_MISSING_CLAIM),
    ROW("E39", with_members, "\"SUB\":" ADMIN, RELY_OK),
    ROW("E39", with_members, "\"s\xcc\xb2ub\":" ADMIN, RELY_OK),
    ROW("E40", without_sub_but, "\"SUB\":\"" SUBJECT "\"", RELY_MISSING_CLAIM),
    ROW("E41", without_sub_but, "\"\xc5\xbfub\":\"" SUBJECT "\"", RELY_MISSING_CLAIM),
    ROW("E42", issuer_in_homoglyph, "\"https://evil.example\"", RELY_UNKNOWN_ISSUER),
    ROW("E43", expired_but, "\"EXP\":1800003600", RELY_EXPIRED),
    ROW("E44", with_members, "\"a\":null,\"b\":true,\"c\":-1.5e3,\"d\":\"\",\"e\":[[],{}],\"f\":{\"g\":{}}", RELY_OK),
};

SECTION(hostile_e, 'E', 44, cases);
