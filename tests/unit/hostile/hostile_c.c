/* C: the compact serialization. Parts, base64url, white space, other serializations. */
#include "hostile.h"

static const char *right(void)
{
    return right_token(NULL).ptr;
}

static const char *header_text(void)
{
    return mint_base64(rely_slice_of(RSA_HEADER));
}

static const char *signature_text(void)
{
    return strrchr(right(), '.') + 1;
}

/* The right token's parts put together anew: h, p and s stand for them, all else for itself. */
static struct rely_slice right_parts(const char *pattern)
{
    const char *payload = mint_base64(rely_slice_of(right_payload()));
    const char *out = "";
    for (; *pattern != '\0'; pattern++) {
        const char *part = *pattern == 'h'   ? header_text()
                           : *pattern == 'p' ? payload
                           : *pattern == 's' ? signature_text()
                                             : mint_print("%c", *pattern);
        out = mint_print("%s%s", out, part);
    }
    return as_slice(out);
}

/* The signature with something inserted after its tenth character. */
static struct rely_slice with_inside(const char *inserted)
{
    const char *token = right(), *signature = strrchr(token, '.') + 1;
    int before = (int)(signature - token) + 10;
    return as_slice(mint_print("%.*s%s%s", before, token, inserted, token + before));
}

static struct rely_slice with_nul_behind(const char *garbage)
{
    struct rely_slice tail = mint_concat(rely_slice("\0", 1), rely_slice_of(garbage));
    return mint_concat(as_slice(right()), tail);
}

/* Every dot written as `text`. */
static struct rely_slice with_dots_as(const char *text)
{
    const char *token = right(), *dot = strchr(token, '.'), *last = strrchr(token, '.');
    return as_slice(
        mint_print("%.*s%s%.*s%s%s", (int)(dot - token), token, text, (int)(last - dot - 1), dot + 1, text, last + 1));
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The last character with its lowest bit set: a second spelling of the same bytes. */
static const char *respell(const char *text)
{
    size_t len = strlen(text);
    char *copy = (char *)mint_print("%s", text);
    copy[len - 1] = alphabet[(strchr(alphabet, copy[len - 1]) - alphabet) | 1];
    assert_true(len % 4 != 0 && strcmp(copy, text) != 0);
    return copy;
}

static struct rely_slice with_respelt_signature(const char *text)
{
    (void)text;
    const char *token = right();
    return as_slice(respell(token)); /* 256 bytes end in two characters, the last with four unused bits */
}

static struct rely_slice with_respelt_payload(const char *text)
{
    (void)text;
    const char *payload = right_payload();
    while (strlen(payload) % 3 == 0)
        payload = mint_print("%s ", payload);
    return as_slice(
        mint_token_as_sent(rsa_key(), "RS256", header_text(), respell(mint_base64(rely_slice_of(payload)))));
}

static struct rely_slice with_standard_alphabet(const char *text)
{
    (void)text;
    char *payload = (char *)mint_base64(rely_slice_of(payload_and("\"a\":\"~~~~~\",\"b\":\" ~~~~~\",\"c\":\"~~~~\"")));
    assert_true(strpbrk(payload, "-_") != NULL);
    for (char *at = payload; *at != '\0'; at++)
        *at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
    return as_slice(mint_token_as_sent(rsa_key(), "RS256", header_text(), payload));
}

static const char *payload_text(void)
{
    return mint_base64(rely_slice_of(right_payload()));
}

static struct rely_slice flattened(const char *text)
{
    (void)text;
    return as_slice(mint_print("{\"payload\":\"%s\",\"protected\":\"%s\",\"signature\":\"%s\"}", payload_text(),
                               header_text(), signature_text()));
}

static struct rely_slice general(const char *text)
{
    (void)text;
    return as_slice(mint_print("{\"payload\":\"%s\",\"signatures\":[{\"protected\":\"%s\",\"signature\":\"%s\"}]}",
                               payload_text(), header_text(), signature_text()));
}

static struct rely_slice encrypted(const char *header)
{
    return as_slice(mint_print("%s..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA", mint_base64(rely_slice_of(header))));
}

static struct rely_slice nested(const char *header)
{
    return as_slice(mint_token(rsa_key(), "RS256", header, right()));
}

static const struct hostile_case cases[] = {
    ROW("C01", as_is, "", RELY_NO_TOKEN),
    ROW("C02", as_is, ".", RELY_MALFORMED_TOKEN),
    ROW("C03", as_is, "..", RELY_MALFORMED_TOKEN),
    ROW("C04", right_parts, "h.p", RELY_MALFORMED_TOKEN),
    ROW("C05", right_parts, "h.p.s.s", RELY_MALFORMED_TOKEN),
    ROW("C06", right_parts, "h.p.s.", RELY_MALFORMED_TOKEN),
    ROW("C07", right_parts, ".h.p.s", RELY_MALFORMED_TOKEN),
    ROW("C08", right_parts, ".p.s", RELY_MALFORMED_TOKEN),
    ROW("C09", right_parts, "h..s", RELY_MALFORMED_TOKEN),
    ROW("C10", right_parts, "h=.p.s", RELY_MALFORMED_TOKEN),
    ROW("C11", right_parts, "h.p.s==", RELY_MALFORMED_TOKEN),
    ROW("C12", right_parts, " h.p.s", RELY_MALFORMED_TOKEN),
    ROW("C13", right_parts, "h.p.s ", RELY_MALFORMED_TOKEN),
    ROW("C14", with_inside, "\n", RELY_MALFORMED_TOKEN),
    ROW("C15", right_parts, "h.p.s\r\n", RELY_MALFORMED_TOKEN),
    ROW("C16", with_inside, "\t", RELY_MALFORMED_TOKEN),
    ROW("C17", with_nul_behind, "", RELY_MALFORMED_TOKEN),
    ROW("C18", with_nul_behind, "garbage", RELY_MALFORMED_TOKEN),
    ROW("C19", with_dots_as, "%2E", RELY_MALFORMED_TOKEN),
    ROW("C20", with_inside, "\xe2\x80\x8b", RELY_MALFORMED_TOKEN),
    ROW("C21", with_dots_as, "\xef\xbc\x8e", RELY_MALFORMED_TOKEN),
    ROW("C22", right_parts, "h.p.sAAA", RELY_MALFORMED_TOKEN),
    ROW("C23", right_parts, "\"h.p.s\"", RELY_MALFORMED_TOKEN),
    ROW("C24", right_parts, "Bearer h.p.s", RELY_MALFORMED_TOKEN),
    ROW("C25", with_respelt_signature, NULL, RELY_MALFORMED_TOKEN),
    ROW("C26", with_respelt_payload, NULL, RELY_MALFORMED_TOKEN),
    ROW("C27", with_standard_alphabet, NULL, RELY_MALFORMED_TOKEN),
    ROW("C28", flattened, NULL, RELY_MALFORMED_TOKEN),
    ROW("C29", general, NULL, RELY_MALFORMED_TOKEN),
    ROW("C30", encrypted, "{\"alg\":\"dir\",\"enc\":\"A128GCM\"}", RELY_MALFORMED_TOKEN),
    ROW("C31", with_header, "{\"alg\":\"RSA1_5\",\"enc\":\"A128CBC-HS256\",\"kid\":\"rsa\"}",
        RELY_ALGORITHM_NOT_ALLOWED),
    ROW("C32", nested, "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"cty\":\"JWT\"}", RELY_MALFORMED_TOKEN),
    ROW("C33", right_parts, "h..s", RELY_MALFORMED_TOKEN),
};

SECTION(hostile_c, 'C', 33, cases);
