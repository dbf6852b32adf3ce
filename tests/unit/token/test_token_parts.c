/*
 * token: hostile headers (A04-A18, D01-D65) and payloads (E01-E38, and the issuer's rows of G).
 */
#include "token_tests.h"

#include "relyd/pool.h"

static int open_pool(void **state)
{
    static struct rely_pool pool;
    rely_pool_init(&pool);
    *state = &pool;
    return 0;
}

static int close_pool(void **state)
{
    rely_pool_fini(*state);
    return 0;
}

struct part_row {
    const char *id;
    struct rely_slice part;
    enum rely_reason reason;
};

/* `none`, HMAC and unknown names are read, as RELY_ALG_UNKNOWN: the step `keys` refuses them by their own reason. */
static void test_algorithm_member(void **state)
{
    static const struct part_row rows[] = {
        {"A04 none", TEXT("{\"alg\":\"none\"}"), RELY_OK},
        {"A05 None", TEXT("{\"alg\":\"None\"}"), RELY_OK},
        {"A10 empty", TEXT("{\"alg\":\"\"}"), RELY_OK},
        {"A15 lower case", TEXT("{\"alg\":\"rs256\"}"), RELY_OK},
        {"A16 trailing space", TEXT("{\"alg\":\"RS256 \"}"), RELY_OK},
        {"A19 HS256", TEXT("{\"alg\":\"HS256\",\"kid\":\"rsa\"}"), RELY_OK},
        {"A38 RS1", TEXT("{\"alg\":\"RS1\"}"), RELY_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rely_unverified out;
        struct rely_detail detail;
        struct rely_slice token = make_token(*state, rows[i].part, TEXT(GOOD_PAYLOAD));
        expect_reason(rows[i].id, token, RELY_DEFAULT_token_max_bytes, rows[i].reason);
        assert_int_equal(rely_token_read(token, token.len, *state, &out, &detail), RELY_OK);
        assert_int_equal(out.alg, RELY_ALG_UNKNOWN);
    }
}

static const struct part_row header_rows[] = {
    {"A09 alg missing", TEXT("{\"kid\":\"rsa\"}"), RELY_MALFORMED_TOKEN},
    {"A11 alg null", TEXT("{\"alg\":null}"), RELY_MALFORMED_TOKEN},
    {"A12 alg number", TEXT("{\"alg\":256}"), RELY_MALFORMED_TOKEN},
    {"A13 alg array", TEXT("{\"alg\":[\"RS256\"]}"), RELY_MALFORMED_TOKEN},
    {"A14 alg object", TEXT("{\"alg\":{\"RS256\":1}}"), RELY_MALFORMED_TOKEN},
    {"A17 alg RS256 + NUL", TEXT("{\"alg\":\"RS256\\u0000\"}"), RELY_MALFORMED_TOKEN},
    {"A18 name ALG", TEXT("{\"ALG\":\"RS256\"}"), RELY_MALFORMED_TOKEN},
    {"D01 alg twice: RS256, none", TEXT("{\"alg\":\"RS256\",\"alg\":\"none\"}"), RELY_MALFORMED_TOKEN},
    {"D02 alg twice: none, RS256", TEXT("{\"alg\":\"none\",\"alg\":\"RS256\"}"), RELY_MALFORMED_TOKEN},
    {"D03 kid twice", TEXT("{\"alg\":\"RS256\",\"kid\":\"a\",\"kid\":\"a\"}"), RELY_MALFORMED_TOKEN},
    {"D04 duplicate by escape", TEXT("{\"alg\":\"RS256\",\"\\u0061lg\":\"none\"}"), RELY_MALFORMED_TOKEN},
    {"D05 array", TEXT("[\"alg\",\"RS256\"]"), RELY_MALFORMED_TOKEN},
    {"D06 string", TEXT("\"RS256\""), RELY_MALFORMED_TOKEN},
    {"D07 null", TEXT("null"), RELY_MALFORMED_TOKEN},
    {"D08 empty object", TEXT("{}"), RELY_MALFORMED_TOKEN},
    {"D09 garbage behind", TEXT("{\"alg\":\"RS256\"}x"), RELY_MALFORMED_TOKEN},
    {"D10 two objects", TEXT("{\"alg\":\"RS256\"}{\"alg\":\"RS256\"}"), RELY_MALFORMED_TOKEN},
    {"D11 comma too many", TEXT("{\"alg\":\"RS256\",}"), RELY_MALFORMED_TOKEN},
    {"D12 comment", TEXT("{/*x*/\"alg\":\"RS256\"}"), RELY_MALFORMED_TOKEN},
    {"D13 single quotes", TEXT("{'alg':'RS256'}"), RELY_MALFORMED_TOKEN},
    {"D14 NUL behind", TEXT("{\"alg\":\"RS256\"}\0"), RELY_MALFORMED_TOKEN},
    {"D15 truncated", TEXT("{\"alg\":\"RS256\""), RELY_MALFORMED_TOKEN},
    {"D16 BOM", TEXT("\xEF\xBB\xBF{\"alg\":\"RS256\"}"), RELY_MALFORMED_TOKEN},
    {"D17 UTF-16LE", TEXT("{\0\"\0a\0l\0g\0\"\0:\0\"\0R\0S\0\"\0}\0"), RELY_MALFORMED_TOKEN},
    {"D18 invalid UTF-8", TEXT("{\"alg\":\"RS256\",\"kid\":\"\xFF\"}"), RELY_MALFORMED_TOKEN},
    {"D19 blanks and line breaks", TEXT("{\"typ\":\"JWT\",\r\n \"alg\" :\t\"RS256\" }\n"), RELY_OK},
    {"D20 unknown member", TEXT("{\"alg\":\"RS256\",\"x\":{\"y\":[1,null]},\"enc\":\"A\",\"zip\":1}"), RELY_OK},
    {"D21 escapes", TEXT("{\"\\u0061lg\":\"RS\\u003256\"}"), RELY_OK},
    {"D22 crit [exp]", TEXT("{\"alg\":\"RS256\",\"crit\":[\"exp\"]}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D23 crit [foo]", TEXT("{\"alg\":\"RS256\",\"crit\":[\"foo\"],\"foo\":1}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D24 b64 false", TEXT("{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D25 b64 true", TEXT("{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":true}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D26 crit empty", TEXT("{\"alg\":\"RS256\",\"crit\":[]}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D27 crit a string", TEXT("{\"alg\":\"RS256\",\"crit\":\"exp\"}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D28 crit [alg]", TEXT("{\"alg\":\"RS256\",\"crit\":[\"alg\"]}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D29 crit null", TEXT("{\"alg\":\"RS256\",\"crit\":null}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D30 crit numbers", TEXT("{\"alg\":\"RS256\",\"crit\":[1,2]}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"crit by escape", TEXT("{\"alg\":\"RS256\",\"cri\\u0074\":[\"x\"]}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"crit before a missing alg", TEXT("{\"crit\":[\"x\"]}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D31 b64 false without crit", TEXT("{\"alg\":\"RS256\",\"b64\":false}"), RELY_UNSUPPORTED_CRITICAL_HEADER},
    {"D33 kid empty", TEXT("{\"alg\":\"RS256\",\"kid\":\"\"}"), RELY_OK},
    {"D34 kid number", TEXT("{\"alg\":\"RS256\",\"kid\":1}"), RELY_MALFORMED_TOKEN},
    {"D35 kid null", TEXT("{\"alg\":\"RS256\",\"kid\":null}"), RELY_MALFORMED_TOKEN},
    {"D36 kid array", TEXT("{\"alg\":\"RS256\",\"kid\":[\"rsa\"]}"), RELY_MALFORMED_TOKEN},
    {"D37 kid object", TEXT("{\"alg\":\"RS256\",\"kid\":{}}"), RELY_MALFORMED_TOKEN},
    {"D38 kid path", TEXT("{\"alg\":\"RS256\",\"kid\":\"../../../../dev/null\"}"), RELY_OK},
    {"D40 kid SQL", TEXT("{\"alg\":\"RS256\",\"kid\":\"x' UNION SELECT '1\"}"), RELY_OK},
    {"D43 kid NUL", TEXT("{\"alg\":\"RS256\",\"kid\":\"rsa\\u0000x\"}"), RELY_MALFORMED_TOKEN},
    {"D48 kid right-to-left", TEXT("{\"alg\":\"RS256\",\"kid\":\"\xE2\x80\xAE\"}"), RELY_OK},
    {"D51 jku", TEXT("{\"alg\":\"RS256\",\"jku\":\"https://evil.example/jwks\"}"), RELY_OK},
    {"D52 x5u", TEXT("{\"alg\":\"RS256\",\"x5u\":\"http://169.254.169.254/\"}"), RELY_OK},
    {"D53 jwk", TEXT("{\"alg\":\"RS256\",\"jwk\":{\"kty\":\"oct\",\"k\":\"AA\"}}"), RELY_OK},
    {"D55 x5c", TEXT("{\"alg\":\"RS256\",\"x5c\":[\"AAAA\"]}"), RELY_OK},
    {"D58 typ jwt", TEXT("{\"alg\":\"RS256\",\"typ\":\"jwt\"}"), RELY_OK},
    {"D61 typ dpop+jwt: the issuer's step", TEXT("{\"alg\":\"RS256\",\"typ\":\"dpop+jwt\"}"), RELY_OK},
    {"D63 typ number", TEXT("{\"alg\":\"RS256\",\"typ\":1}"), RELY_MALFORMED_TOKEN},
    {"typ null", TEXT("{\"alg\":\"RS256\",\"typ\":null}"), RELY_MALFORMED_TOKEN},
};

static void test_headers(void **state)
{
    for (size_t i = 0; i < sizeof header_rows / sizeof header_rows[0]; i++)
        expect_reason(header_rows[i].id, make_token(*state, header_rows[i].part, TEXT(GOOD_PAYLOAD)),
                      RELY_DEFAULT_token_max_bytes, header_rows[i].reason);
}

/* With `b64` false the payload need not be base64url: the header is judged before it is looked at. */
static void test_critical_header_goes_first(void **state)
{
    struct rely_slice header = make_base64(*state, TEXT("{\"alg\":\"RS256\",\"crit\":[\"b64\"],\"b64\":false}"));
    struct rely_slice token = make_joined(*state, header, TEXT(".$ not base64 $."), TEXT("%"));
    expect_reason("D24 with a raw payload", token, RELY_DEFAULT_token_max_bytes, RELY_UNSUPPORTED_CRITICAL_HEADER);
}

static struct rely_slice make_header_with_kid(struct rely_pool *pool, size_t bytes)
{
    struct rely_slice kid = make_repeated(pool, TEXT("k"), bytes);
    return make_joined(pool, TEXT("{\"alg\":\"RS256\",\"kid\":\""), kid, TEXT("\"}"));
}

static void test_header_sizes(void **state)
{
    struct rely_slice token = make_token(*state, make_header_with_kid(*state, RELY_KID_BYTES_MAX), TEXT(GOOD_PAYLOAD));
    expect_reason("longest kid", token, RELY_DEFAULT_token_max_bytes, RELY_OK);
    token = make_token(*state, make_header_with_kid(*state, RELY_KID_BYTES_MAX + 1), TEXT(GOOD_PAYLOAD));
    expect_reason("kid one byte too long", token, RELY_DEFAULT_token_max_bytes, RELY_MALFORMED_TOKEN);
    token = make_token(*state, make_header_with_kid(*state, 65536), TEXT(GOOD_PAYLOAD));
    expect_reason("D47 kid of 64 kB", token, RELY_DEFAULT_token_max_bytes, RELY_TOKEN_TOO_LARGE);
    struct rely_slice spaces = make_repeated(*state, TEXT(" "), 45000);
    struct rely_slice header = make_joined(*state, TEXT("{\"alg\":\"RS256\""), spaces, TEXT("}"));
    token = make_token(*state, header, TEXT(GOOD_PAYLOAD));
    expect_reason("D64 header of 60 kB", token, RELY_DEFAULT_token_max_bytes, RELY_TOKEN_TOO_LARGE);
    expect_reason("D64 where it is allowed", token, RELY_TOKEN_BYTES_MAX, RELY_OK);
    header = make_joined(*state, TEXT("{\"alg\":\"RS256\",\"x\":"), make_repeated(*state, TEXT("["), 10000), TEXT(""));
    token = make_token(*state, header, TEXT(GOOD_PAYLOAD));
    expect_reason("D65 nested 10000 deep", token, 8192, RELY_TOKEN_TOO_LARGE);
    expect_reason("D65 where its size is allowed", token, RELY_DEFAULT_token_max_bytes, RELY_MALFORMED_TOKEN);
}

static const struct part_row payload_rows[] = {
    {"E01 array", TEXT("[]"), RELY_MALFORMED_TOKEN},
    {"E02 string", TEXT("\"x\""), RELY_MALFORMED_TOKEN},
    {"E03 null", TEXT("null"), RELY_MALFORMED_TOKEN},
    {"E04 number", TEXT("1"), RELY_MALFORMED_TOKEN},
    {"E05 no bytes", TEXT(""), RELY_MALFORMED_TOKEN},
    {"E06 empty object: its claims are missed later", TEXT("{}"), RELY_OK},
    {"E07 garbage behind", TEXT("{\"exp\":1}x"), RELY_MALFORMED_TOKEN},
    {"E08 two objects", TEXT("{\"exp\":1}{\"exp\":2}"), RELY_MALFORMED_TOKEN},
    {"E09 comma too many", TEXT("{\"exp\":1,}"), RELY_MALFORMED_TOKEN},
    {"E10 NaN", TEXT("{\"exp\":NaN}"), RELY_MALFORMED_TOKEN},
    {"E11 Infinity", TEXT("{\"exp\":Infinity}"), RELY_MALFORMED_TOKEN},
    {"E12 single quotes", TEXT("{'exp':1}"), RELY_MALFORMED_TOKEN},
    {"E13 raw newline", TEXT("{\"sub\":\"a\nb\"}"), RELY_MALFORMED_TOKEN},
    {"E14 raw NUL", TEXT("{\"sub\":\"a\0b\"}"), RELY_MALFORMED_TOKEN},
    {"E15 bad escape", TEXT("{\"sub\":\"\\x41\"}"), RELY_MALFORMED_TOKEN},
    {"E16 truncated escape", TEXT("{\"sub\":\"\\u00\"}"), RELY_MALFORMED_TOKEN},
    {"E17 leading zeros", TEXT("{\"exp\":0123}"), RELY_MALFORMED_TOKEN},
    {"E18 hex", TEXT("{\"exp\":0x6B}"), RELY_MALFORMED_TOKEN},
    {"E19 plus sign", TEXT("{\"exp\":+1}"), RELY_MALFORMED_TOKEN},
    {"E20 UTF-8 ff", TEXT("{\"sub\":\"\xFF\"}"), RELY_MALFORMED_TOKEN},
    {"E21 overlong c0 80", TEXT("{\"sub\":\"\xC0\x80\"}"), RELY_MALFORMED_TOKEN},
    {"E22 surrogate ed a0 80", TEXT("{\"sub\":\"\xED\xA0\x80\"}"), RELY_MALFORMED_TOKEN},
    {"E23 above U+10FFFF", TEXT("{\"sub\":\"\xF4\x90\x80\x80\"}"), RELY_MALFORMED_TOKEN},
    {"E24 truncated e2 82", TEXT("{\"sub\":\"\xE2\x82\"}"), RELY_MALFORMED_TOKEN},
    {"E25 BOM", TEXT("\xEF\xBB\xBF{}"), RELY_MALFORMED_TOKEN},
    {"E26 UTF-16", TEXT("{\0\"\0s\0\"\0:\0001\0}\0"), RELY_MALFORMED_TOKEN},
    {"E27 sub twice", TEXT("{\"sub\":\"attacker\",\"sub\":\"builder\"}"), RELY_MALFORMED_TOKEN},
    {"E28 exp twice", TEXT("{\"exp\":1795322820,\"exp\":1}"), RELY_MALFORMED_TOKEN},
    {"E29 iss twice", TEXT("{\"iss\":\"a\",\"iss\":\"b\"}"), RELY_MALFORMED_TOKEN},
    {"E30 aud twice", TEXT("{\"aud\":\"a\",\"aud\":[\"a\"]}"), RELY_MALFORMED_TOKEN},
    {"E31 duplicate by escape", TEXT("{\"sub\":\"a\",\"s\\u0075b\":\"b\"}"), RELY_MALFORMED_TOKEN},
    {"E32 duplicate inside kubernetes.io", TEXT("{\"kubernetes.io\":{\"namespace\":\"a\",\"namespace\":\"b\"}}"),
     RELY_MALFORMED_TOKEN},
    {"E33 duplicate in an unknown claim", TEXT("{\"x\":[{\"a\":1,\"a\":1}]}"), RELY_MALFORMED_TOKEN},
    {"E42 i\xC5\xBFs is another claim", TEXT("{\"i\xC5\xBFs\":1}"), RELY_OK},
    {"G22 aud with NUL", TEXT("{\"aud\":\"aud\\u0000evil\"}"), RELY_MALFORMED_TOKEN},
    {"G23 the other way round", TEXT("{\"aud\":\"evil\\u0000aud\"}"), RELY_MALFORMED_TOKEN},
    {"G27 iss missing: the issuer's step", TEXT("{\"sub\":\"x\"}"), RELY_OK},
    {"G28 iss null", TEXT("{\"iss\":null}"), RELY_INVALID_CLAIM},
    {"G29 iss number", TEXT("{\"iss\":1}"), RELY_INVALID_CLAIM},
    {"G30 iss list", TEXT("{\"iss\":[\"https://issuer.example\"]}"), RELY_INVALID_CLAIM},
    {"iss object", TEXT("{\"iss\":{}}"), RELY_INVALID_CLAIM},
    {"G39 iss with NUL", TEXT("{\"iss\":\"https://issuer.example\\u0000x\"}"), RELY_MALFORMED_TOKEN},
    {"G59 sub NUL behind", TEXT("{\"sub\":\"builder\\u0000\"}"), RELY_MALFORMED_TOKEN},
    {"G60 sub NUL and more", TEXT("{\"sub\":\"builder\\u0000x\"}"), RELY_MALFORMED_TOKEN},
    {"G67 lone surrogate", TEXT("{\"sub\":\"\\ud800\"}"), RELY_MALFORMED_TOKEN},
    {"G80 escapes as Go writes them", TEXT("{\"sub\":\"\\u003cx\\u003e\\u0026\"}"), RELY_OK},
};

static void test_payloads(void **state)
{
    for (size_t i = 0; i < sizeof payload_rows / sizeof payload_rows[0]; i++)
        expect_reason(payload_rows[i].id, make_token(*state, TEXT(GOOD_HEADER), payload_rows[i].part),
                      RELY_DEFAULT_token_max_bytes, payload_rows[i].reason);
}

static struct rely_slice make_payload_with(struct rely_pool *pool, struct rely_slice value)
{
    return make_token(pool, TEXT(GOOD_HEADER), make_joined(pool, TEXT("{\"x\":"), value, TEXT("}")));
}

static void test_payload_sizes(void **state)
{
    struct rely_pool *pool = *state;
    struct rely_slice token = make_payload_with(pool, make_repeated(pool, TEXT("["), 10000));
    expect_reason("E34 nested 10000 deep", token, RELY_TOKEN_BYTES_MAX, RELY_MALFORMED_TOKEN);
    struct rely_slice opened = make_repeated(pool, TEXT("["), 64);
    token = make_payload_with(pool, make_joined(pool, opened, TEXT("1"), make_repeated(pool, TEXT("]"), 64)));
    expect_reason("E35 nested 64 deep", token, RELY_DEFAULT_token_max_bytes, RELY_MALFORMED_TOKEN);
    token = make_payload_with(pool, make_repeated(pool, TEXT("9"), 10000));
    expect_reason("E36 a number of 10000 digits", token, RELY_TOKEN_BYTES_MAX, RELY_OK);
    struct rely_buf buf = {0};
    for (int i = 0; i < 10000; i++)
        rely_buf_printf(&buf, "%c\"claim%d\":1", i == 0 ? '{' : ',', i);
    rely_buf_putc(&buf, '}');
    token = make_token(pool, TEXT(GOOD_HEADER), rely_buf_slice(&buf));
    expect_reason("E37 10000 unknown claims", token, RELY_DEFAULT_token_max_bytes, RELY_TOKEN_TOO_LARGE);
    expect_reason("E37 where its size is allowed", token, token.len, RELY_OK);
    rely_buf_fini(&buf);
    token = make_token(pool, make_repeated(pool, TEXT("x"), 10), make_repeated(pool, TEXT("y"), 1 << 20));
    expect_reason("G46 1 MB", token, RELY_DEFAULT_token_max_bytes, RELY_TOKEN_TOO_LARGE);
}

int run_token_parts_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_algorithm_member, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_headers, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_critical_header_goes_first, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_header_sizes, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_payloads, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_payload_sizes, open_pool, close_pool),
    };
    return cmocka_run_group_tests_name("token_parts", tests, NULL, NULL);
}
