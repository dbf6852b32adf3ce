/*
 * token: what it yields, the algorithms, and the compact form (hostile inputs C01-C33).
 */
#define RELY_READS_UNVERIFIED
#include "token_tests.h"

#include "relyd/pool.h"

#include <ctype.h>
#include <stdlib.h>

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

static void test_reads_a_token(void **state)
{
    struct rely_unverified out;
    struct rely_detail detail;
    const struct rely_slice header =
        TEXT("{\"alg\":\"ES256\",\"kid\":\"a b\",\"typ\":\"JWT\",\"jku\":\"https://evil/\"}");
    struct rely_slice token = make_token(*state, header, TEXT(GOOD_PAYLOAD));
    assert_int_equal(rely_token_read(token, token.len, *state, &out, &detail), RELY_OK);
    assert_int_equal(out.alg, RELY_ALG_ES256);
    assert_true(rely_slice_equal(out.alg_name, RELY_LIT("ES256")));
    assert_true(rely_slice_equal(out.kid, RELY_LIT("a b")));
    assert_true(rely_slice_equal(out.typ, RELY_LIT("JWT")));
    assert_true(rely_slice_equal(out.iss, RELY_LIT("https://issuer.example")));
    assert_true(rely_slice_equal(out.signature, RELY_LIT("signature")));
    assert_ptr_equal(out.signed_bytes.ptr, token.ptr);
    assert_int_equal(out.signed_bytes.len, token.len - strlen(".c2lnbmF0dXJl"));
    assert_int_equal(out.payload.view_.nodes[0].count, 4);
}

static void test_absent_is_not_empty(void **state)
{
    struct rely_unverified out;
    struct rely_detail detail;
    struct rely_slice token = make_token(*state, TEXT("{\"alg\":\"RS256\"}"), TEXT("{}"));
    assert_int_equal(rely_token_read(token, token.len, *state, &out, &detail), RELY_OK);
    assert_null(out.kid.ptr);
    assert_null(out.typ.ptr);
    assert_null(out.iss.ptr);
    token = make_token(*state, TEXT("{\"alg\":\"\",\"kid\":\"\",\"typ\":\"\"}"), TEXT("{\"iss\":\"\"}"));
    assert_int_equal(rely_token_read(token, token.len, *state, &out, &detail), RELY_OK);
    assert_int_equal(out.alg, RELY_ALG_UNKNOWN);
    const struct rely_slice empty[] = {out.alg_name, out.kid, out.typ, out.iss};
    for (size_t i = 0; i < 4; i++) {
        assert_non_null(empty[i].ptr);
        assert_int_equal(empty[i].len, 0);
    }
}

/* By what records are found: `iss`, as soon as there is one; else the trust domain of `sub`, with a mark that no text has. */
static void test_names_the_issuer(void **state)
{
    static const struct {
        const char *payload, *issuer; /* NULL: none */
        size_t len;
    } cases[] = {
        {"{\"iss\":\"a\",\"sub\":\"spiffe://b/c\"}", "a", 1},
        {"{\"iss\":\"\",\"sub\":\"spiffe://b/c\"}", "", 0},
        {"{\"sub\":\"spiffe://b.example/c\"}", "\0b.example", 10},
        {"{\"sub\":\"spiffe:\\/\\/b/\"}", "\0b", 2},
        {"{\"sub\":\"spiffe://B@x:1/c/d\"}", "\0B@x:1", 6}, /* which nobody has */
        {"{\"sub\":\"spiffe://b\"}", NULL, 0},
        {"{\"sub\":\"spiffe:///c\"}", NULL, 0},
        {"{\"sub\":\"spiffe://\"}", NULL, 0},
        {"{\"sub\":\"Spiffe://b/c\"}", NULL, 0},
        {"{\"sub\":\" spiffe://b/c\"}", NULL, 0},
        {"{\"sub\":[\"spiffe://b/c\"]}", NULL, 0},
        {"{\"Sub\":\"spiffe://b/c\"}", NULL, 0},
        {"{\"a\":{\"sub\":\"spiffe://b/c\"}}", NULL, 0},
        {"{}", NULL, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct rely_unverified out;
        struct rely_detail detail;
        struct rely_slice token = make_token(*state, TEXT(GOOD_HEADER), rely_slice_of(cases[i].payload));
        assert_int_equal(rely_token_read(token, token.len, *state, &out, &detail), RELY_OK);
        bool is_right =
            cases[i].issuer == NULL
                ? out.issuer.ptr == NULL
                : out.issuer.ptr != NULL && rely_slice_equal(out.issuer, rely_slice(cases[i].issuer, cases[i].len));
        if (!is_right || (out.iss.ptr == NULL) != (strstr(cases[i].payload, "iss\":") == NULL))
            fail_msg("%s: %.*s", cases[i].payload, RELY_ARG(out.issuer));
    }
}

/* Refusing it is the step `signature`'s affair: it has no right length. */
static void test_empty_signature_is_read(void **state)
{
    struct rely_unverified out;
    struct rely_detail detail;
    struct rely_slice token = make_token(*state, TEXT(GOOD_HEADER), TEXT(GOOD_PAYLOAD));
    token.len -= strlen("c2lnbmF0dXJl");
    assert_int_equal(rely_token_read(token, token.len, *state, &out, &detail), RELY_OK);
    assert_int_equal(out.signature.len, 0);
    assert_non_null(out.signature.ptr);
}

static void test_algorithms(void **state)
{
    (void)state;
    static const char *const known[] = {"RS256", "RS384", "RS512", "PS256",     "PS384",     "PS512",    "ES256",
                                        "ES384", "ES512", "EdDSA", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"};
    rely_alg_set all = 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        enum rely_alg alg = rely_alg_of(rely_slice_of(known[i]));
        assert_string_equal(rely_alg_name(alg), known[i]);
        all |= 1u << alg;
    }
    assert_int_equal(all, RELY_ALGS_ALL);
    /* fault C3: two names (RFC 8037, RFC 9864) of one operation; one of them is shown. */
    assert_int_equal(rely_alg_of(TEXT("Ed25519")), RELY_ALG_EDDSA);
    assert_string_equal(rely_alg_name(rely_alg_of(TEXT("Ed25519"))), "EdDSA");
    static const struct rely_slice others[] = {
        TEXT(""),           TEXT("none"),      TEXT("None"),      TEXT("NONE"),          TEXT("nOnE"),
        TEXT("HS256"),      TEXT("HS384"),     TEXT("HS512"),     TEXT("rs256"),         TEXT("Rs256"),
        TEXT("RS256 "),     TEXT(" RS256"),    TEXT("RS1"),       TEXT("ES256K"),        TEXT("RS2561"),
        TEXT("EDDSA"),      TEXT("eddsa"),     TEXT("RS256\0"),   TEXT("unkno"),         TEXT("unknown"),
        TEXT("RSA-OAEP"),   TEXT("dir"),       TEXT("Ed448"),     TEXT("ED25519"),       TEXT("ed25519"),
        TEXT("Ed25519 "),   TEXT("Ed25519\0"), TEXT("Ed2551"),    TEXT("ML-DSA-66"),     TEXT("ml-dsa-65"),
        TEXT("ML-DSA-655"), TEXT("ML-DS"),     TEXT("RS2560000"), TEXT("RS256\0\0\0\0"),
    };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (rely_alg_of(others[i]) != RELY_ALG_UNKNOWN)
            fail_msg("%.*s is taken for %s", RELY_ARG(others[i]), rely_alg_name(rely_alg_of(others[i])));
    assert_string_equal(rely_alg_name(RELY_ALG_UNKNOWN), "unknown");
    assert_string_equal(rely_alg_name(RELY_ALG_COUNT), "unknown");
}

static void test_length_limit(void **state)
{
    struct rely_slice token = make_token(*state, TEXT(GOOD_HEADER), TEXT(GOOD_PAYLOAD));
    expect_reason("at the limit", token, token.len, RELY_OK);
    expect_reason("one above", token, token.len - 1, RELY_TOKEN_TOO_LARGE);
    /* The length is judged first, whatever the bytes are. */
    expect_reason("garbage", make_repeated(*state, TEXT("."), 17000), RELY_DEFAULT_token_max_bytes,
                  RELY_TOKEN_TOO_LARGE);
    expect_reason("empty, no room", TEXT(""), 0, RELY_NO_TOKEN);
    expect_reason("absent", rely_slice(NULL, 0), RELY_DEFAULT_token_max_bytes, RELY_NO_TOKEN);
}

/* `$H`, `$P` and `$S` stand for the parts of a right token. */
static struct rely_slice fill_template(struct rely_pool *pool, struct rely_slice form, struct rely_slice token)
{
    struct rely_buf buf = {0};
    const char *first = memchr(token.ptr, '.', token.len);
    const char *second = memchr(first + 1, '.', (size_t)(token.ptr + token.len - first - 1));
    struct rely_slice header = rely_slice(token.ptr, (size_t)(first - token.ptr));
    struct rely_slice payload = rely_slice(first + 1, (size_t)(second - first - 1));
    struct rely_slice signature = rely_slice(second + 1, (size_t)(token.ptr + token.len - second - 1));
    for (size_t i = 0; i < form.len; i++) {
        char letter = form.ptr[i] == '$' && i + 1 < form.len ? form.ptr[++i] : 0;
        if (letter == 0)
            rely_buf_putc(&buf, form.ptr[i]);
        else
            rely_buf_put(&buf, letter == 'H' ? header : letter == 'P' ? payload : signature);
    }
    struct rely_slice filled = rely_pool_copy(pool, rely_buf_slice(&buf));
    rely_buf_fini(&buf);
    return filled;
}

static void test_compact_form(void **state)
{
    static const struct {
        const char *id;
        struct rely_slice form;
        enum rely_reason reason;
    } rows[] = {
        {"control", TEXT("$H.$P.$S"), RELY_OK},
        {"C01 empty string", TEXT(""), RELY_NO_TOKEN},
        {"C02 one dot", TEXT("."), RELY_MALFORMED_TOKEN},
        {"C03 two dots", TEXT(".."), RELY_MALFORMED_TOKEN},
        {"C04 two parts", TEXT("$H.$P"), RELY_MALFORMED_TOKEN},
        {"one part", TEXT("$H"), RELY_MALFORMED_TOKEN},
        {"C05 four parts", TEXT("$H.$P.$S.$S"), RELY_MALFORMED_TOKEN},
        {"C06 trailing dot", TEXT("$H.$P.$S."), RELY_MALFORMED_TOKEN},
        {"C07 leading dot", TEXT(".$H.$P.$S"), RELY_MALFORMED_TOKEN},
        {"C07 leading dot, three parts", TEXT(".$H.$P"), RELY_MALFORMED_TOKEN},
        {"C08 empty header", TEXT(".$P.$S"), RELY_MALFORMED_TOKEN},
        {"C09 empty payload", TEXT("$H..$S"), RELY_MALFORMED_TOKEN},
        {"C10 padding in the header", TEXT("$H=.$P.$S"), RELY_MALFORMED_TOKEN},
        {"C10 two of them", TEXT("$H==.$P.$S"), RELY_MALFORMED_TOKEN},
        {"C11 padding in the signature", TEXT("$H.$P.$S=="), RELY_MALFORMED_TOKEN},
        {"C12 space in front", TEXT(" $H.$P.$S"), RELY_MALFORMED_TOKEN},
        {"C13 space behind", TEXT("$H.$P.$S "), RELY_MALFORMED_TOKEN},
        {"C14 newline inside", TEXT("$H.\n$P.$S"), RELY_MALFORMED_TOKEN},
        {"C15 CRLF behind", TEXT("$H.$P.$S\r\n"), RELY_MALFORMED_TOKEN},
        {"C16 tab inside the signature", TEXT("$H.$P.c2ln\tbmF0dXJl"), RELY_MALFORMED_TOKEN},
        {"C17 NUL behind", TEXT("$H.$P.$S\0"), RELY_MALFORMED_TOKEN},
        {"C18 NUL and garbage behind", TEXT("$H.$P.$S\0abc"), RELY_MALFORMED_TOKEN},
        {"C19 percent-encoded dots", TEXT("$H%2E$P%2E$S"), RELY_MALFORMED_TOKEN},
        {"C20 zero-width space", TEXT("$H.$P.$S\xE2\x80\x8B"), RELY_MALFORMED_TOKEN},
        {"C21 full-width dot", TEXT("$H\xEF\xBC\x8E$P\xEF\xBC\x8E$S"), RELY_MALFORMED_TOKEN},
        {"C22 length 1 mod 4", TEXT("$H.$P.c2lnb"), RELY_MALFORMED_TOKEN},
        {"C23 quotes around", TEXT("\"$H.$P.$S\""), RELY_MALFORMED_TOKEN},
        {"C24 Bearer inside", TEXT("Bearer $H.$P.$S"), RELY_MALFORMED_TOKEN},
        {"C25 unused bits in the signature", TEXT("$H.$P.c2lnbmF0dXJlAB"), RELY_MALFORMED_TOKEN},
        {"the same without", TEXT("$H.$P.c2lnbmF0dXJlAA"), RELY_OK},
        {"C26 unused bits in the payload ({})", TEXT("$H.e31.$S"), RELY_MALFORMED_TOKEN},
        {"the same without", TEXT("$H.e30.$S"), RELY_OK},
        {"C27 standard alphabet, plus", TEXT("$H.$P.ab+d"), RELY_MALFORMED_TOKEN},
        {"C27 standard alphabet, slash", TEXT("$H.$P.ab/d"), RELY_MALFORMED_TOKEN},
        {"the same in the right one", TEXT("$H.$P.ab-_"), RELY_OK},
        {"C28 JWS flattened JSON", TEXT("{\"protected\":\"$H\",\"payload\":\"$P\",\"signature\":\"$S\"}"),
         RELY_MALFORMED_TOKEN},
        {"C29 JWS general JSON",
         TEXT("{\"payload\":\"$P\",\"signatures\":[{\"protected\":\"$H\",\"signature\":\"$S\"}]}"),
         RELY_MALFORMED_TOKEN},
        {"C30 JWE, five parts", TEXT("eyJhbGciOiJkaXIifQ..$S.$P.$S"), RELY_MALFORMED_TOKEN},
        {"C30 with `crit`: not a JWS at all", TEXT("eyJhbGciOiJkaXIiLCJjcml0IjpbImEiXX0..$S.$P.$S"),
         RELY_MALFORMED_TOKEN},
        {"C31 JWE header in three parts", TEXT("eyJhbGciOiJSU0ExXzUifQ.$S.$S"), RELY_MALFORMED_TOKEN},
        {"C33 detached payload", TEXT("$H..$S"), RELY_MALFORMED_TOKEN},
        {"only NUL", TEXT("\0"), RELY_MALFORMED_TOKEN},
    };
    struct rely_slice token = make_token(*state, TEXT(GOOD_HEADER), TEXT(GOOD_PAYLOAD));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_reason(rows[i].id, fill_template(*state, rows[i].form, token), RELY_DEFAULT_token_max_bytes,
                      rows[i].reason);
}

static void test_nested_token(void **state)
{
    struct rely_slice inner = make_token(*state, TEXT(GOOD_HEADER), TEXT(GOOD_PAYLOAD));
    struct rely_slice outer = make_token(*state, TEXT("{\"alg\":\"RS256\",\"cty\":\"JWT\"}"), inner);
    expect_reason("C32 nested JWS", outer, RELY_DEFAULT_token_max_bytes, RELY_MALFORMED_TOKEN);
}

/* Nothing in front looks at a bearer value's bytes: a blank or comma here would be two tokens to a proxy. */
static void test_every_foreign_byte_at_every_place(void **state)
{
    struct rely_slice token = make_token(*state, TEXT(GOOD_HEADER), TEXT(GOOD_PAYLOAD));
    for (size_t at = 0; at <= token.len; at++)
        for (int byte = 0; byte < 256; byte++) {
            bool is_own = byte == '.' || byte == '-' || byte == '_' || (byte < 0x80 && isalnum(byte));
            struct rely_buf changed = {0};
            rely_buf_put(&changed, rely_slice(token.ptr, at));
            rely_buf_putc(&changed, (char)byte);
            rely_buf_put(&changed, rely_slice(token.ptr + at, token.len - at));
            if (!is_own)
                expect_reason("one byte more", rely_buf_slice(&changed), RELY_DEFAULT_token_max_bytes,
                              RELY_MALFORMED_TOKEN);
            if (!is_own && at < token.len) {
                changed.len = 0;
                rely_buf_put(&changed, token);
                changed.ptr[at] = (char)byte;
                expect_reason("another byte", rely_buf_slice(&changed), RELY_DEFAULT_token_max_bytes,
                              RELY_MALFORMED_TOKEN);
            }
            rely_buf_fini(&changed);
        }
}

/* No prefix of a token is a token, but for those that only shorten the signature. */
static void test_every_prefix(void **state)
{
    struct rely_slice token = make_token(*state, TEXT(GOOD_HEADER), TEXT(GOOD_PAYLOAD));
    size_t signature = token.len - strlen("c2lnbmF0dXJl");
    for (size_t len = 1; len < signature; len++) {
        char *exact = malloc(len);
        memcpy(exact, token.ptr, len);
        expect_reason("prefix", rely_slice(exact, len), RELY_DEFAULT_token_max_bytes, RELY_MALFORMED_TOKEN);
        free(exact);
    }
    expect_reason("without its signature", rely_slice(token.ptr, signature), RELY_DEFAULT_token_max_bytes, RELY_OK);
}

int run_token_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reads_a_token, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_absent_is_not_empty, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_names_the_issuer, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_empty_signature_is_read, open_pool, close_pool),
        cmocka_unit_test(test_algorithms),
        cmocka_unit_test_setup_teardown(test_length_limit, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_compact_form, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_nested_token, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_every_foreign_byte_at_every_place, open_pool, close_pool),
        cmocka_unit_test_setup_teardown(test_every_prefix, open_pool, close_pool),
    };
    return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
