/*
 * claims: the rules about time (F10, F11, F24, F25, F30-F32), at and beside each limit.
 */
#include "claims_tests.h"

struct time_case {
    const char *id;
    double exp, nbf, iat; /* nbf and iat: 0 = absent */
    int32_t leeway_s;
    int64_t max_lifetime_s;
    enum rely_reason reason;
    const char *detail;
};

static void expect_time(const struct time_case *row)
{
    const struct rely_claims claims = {.expires = row->exp,
                                       .not_before = row->nbf,
                                       .issued_at = row->iat,
                                       .has_not_before = row->nbf != 0,
                                       .has_issued_at = row->iat != 0};
    const struct rely_time_rules rules = {row->leeway_s, row->max_lifetime_s};
    struct rely_detail detail = {""};
    enum rely_reason found = rely_claims_check_time(&claims, &rules, NOW, &detail);
    if (found != row->reason)
        fail_msg("%s: %s wanted, found %s (%s)", row->id, rely_reason_word(row->reason), rely_reason_word(found),
                 detail.text);
    if (row->detail != NULL)
        assert_string_equal(detail.text, row->detail);
    if (found != RELY_OK && detail.text[0] == '\0')
        fail_msg("%s: a refusal without a detail", row->id);
}

static void test_validity(void **state)
{
    (void)state;
    static const struct time_case rows[] = {
        {.id = "control", .exp = NOW + 3600, .nbf = NOW, .iat = NOW, .leeway_s = 60, .reason = RELY_OK},
        {.id = "F10 an hour ago",
         .exp = NOW - 3600,
         .leeway_s = 60,
         .reason = RELY_EXPIRED,
         .detail = "`exp` was 3600 s ago; the leeway is 60 s"},
        {.id = "F11 1 s ago, no leeway",
         .exp = NOW - 1,
         .reason = RELY_EXPIRED,
         .detail = "`exp` was 1 s ago; the leeway is 0 s"},
        {.id = "F11 1 s ago, within the leeway", .exp = NOW - 1, .leeway_s = 60, .reason = RELY_OK},
        {.id = "now, no leeway", .exp = NOW, .reason = RELY_EXPIRED},
        {.id = "in 1 s, no leeway", .exp = NOW + 1, .reason = RELY_OK},
        {.id = "leeway just used up", .exp = NOW - 60, .leeway_s = 60, .reason = RELY_EXPIRED},
        {.id = "last second of the leeway", .exp = NOW - 59, .leeway_s = 60, .reason = RELY_OK},
        {.id = "longest leeway", .exp = NOW - 299, .leeway_s = RELY_LEEWAY_MAX_S, .reason = RELY_OK},
        {.id = "beyond it", .exp = NOW - 300, .leeway_s = RELY_LEEWAY_MAX_S, .reason = RELY_EXPIRED},
        {.id = "F25 nbf in an hour",
         .exp = NOW + 7200,
         .nbf = NOW + 3600,
         .leeway_s = 60,
         .reason = RELY_NOT_YET_VALID,
         .detail = "`nbf` is 3600 s ahead; the leeway is 60 s"},
        {.id = "nbf at the leeway", .exp = NOW + 7200, .nbf = NOW + 60, .leeway_s = 60, .reason = RELY_OK},
        {.id = "nbf 1 s beyond", .exp = NOW + 7200, .nbf = NOW + 61, .leeway_s = 60, .reason = RELY_NOT_YET_VALID},
        {.id = "F31 nbf negative", .exp = NOW + 7200, .nbf = -5, .reason = RELY_OK},
        {.id = "F32 iat in an hour",
         .exp = NOW + 7200,
         .iat = NOW + 3600,
         .leeway_s = 60,
         .reason = RELY_ISSUED_IN_FUTURE,
         .detail = "`iat` is 3600 s ahead; the leeway is 60 s"},
        {.id = "iat at the leeway", .exp = NOW + 7200, .iat = NOW + 60, .leeway_s = 60, .reason = RELY_OK},
        {.id = "iat 1 s beyond", .exp = NOW + 7200, .iat = NOW + 61, .leeway_s = 60, .reason = RELY_ISSUED_IN_FUTURE},
        {.id = "F30 nbf after exp",
         .exp = NOW + 10,
         .nbf = NOW + 11,
         .leeway_s = 60,
         .reason = RELY_INVALID_CLAIM,
         .detail = "`nbf` is 1 s after `exp`"},
        /* fault D: what is expired is called so, whatever its nbf */
        {.id = "F30 long ago",
         .exp = NOW - 7200,
         .nbf = NOW - 3600,
         .reason = RELY_EXPIRED,
         .detail = "`exp` was 7200 s ago; the leeway is 0 s"},
        {.id = "F30 exp within the leeway",
         .exp = NOW - 10,
         .nbf = NOW - 5,
         .leeway_s = 60,
         .reason = RELY_INVALID_CLAIM},
        {.id = "nbf at exp", .exp = NOW + 10, .nbf = NOW + 10, .leeway_s = 60, .reason = RELY_OK},
        {.id = "expired goes before not yet", .exp = NOW - 100, .iat = NOW + 100, .reason = RELY_EXPIRED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_time(&rows[i]);
}

static void test_lifetime(void **state)
{
    (void)state;
    static const struct time_case rows[] = {
        {.id = "F24 136 years, no limit", .exp = NOW + 4294967296.0, .iat = NOW, .reason = RELY_OK},
        {.id = "F24 136 years, a limit",
         .exp = NOW + 4294967296.0,
         .iat = NOW,
         .max_lifetime_s = 86400,
         .reason = RELY_LIFETIME_TOO_LONG,
         .detail = "the token lives 4294967296 s; the issuer's limit is 86400 s"},
        {.id = "at the limit", .exp = NOW + 3000, .iat = NOW - 600, .max_lifetime_s = 3600, .reason = RELY_OK},
        {.id = "1 s above",
         .exp = NOW + 3001,
         .iat = NOW - 600,
         .max_lifetime_s = 3600,
         .reason = RELY_LIFETIME_TOO_LONG},
        /* fault A9: without iat a limit cannot be judged: from nbf or from now every token is short in the end */
        {.id = "A9 nbf without iat",
         .exp = NOW + 3000,
         .nbf = NOW - 600,
         .max_lifetime_s = 3600,
         .reason = RELY_MISSING_CLAIM,
         .detail = "`iat` is missing, and the issuer limits how long a token lives"},
        {.id = "A9 neither", .exp = NOW + 1, .max_lifetime_s = 3600, .reason = RELY_MISSING_CLAIM},
        {.id = "A9 neither, no limit", .exp = NOW + 4294967296.0, .reason = RELY_OK},
        {.id = "A9 expired all the same", .exp = NOW - 1, .max_lifetime_s = 3600, .reason = RELY_EXPIRED},
        {.id = "iat counts, not nbf",
         .exp = NOW + 3600,
         .nbf = NOW - 600,
         .iat = NOW,
         .max_lifetime_s = 3600,
         .reason = RELY_OK},
        {.id = "the leeway does not add to it",
         .exp = NOW + 3601,
         .iat = NOW,
         .leeway_s = 300,
         .max_lifetime_s = 3600,
         .reason = RELY_LIFETIME_TOO_LONG},
        {.id = "the largest limit", .exp = NOW + 1e10, .iat = NOW, .max_lifetime_s = INT64_MAX, .reason = RELY_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        expect_time(&rows[i]);
}

/* From the payload to the judgement: a fraction is cut, so a token never lives longer than it says. */
static void test_fractions_are_cut(void **state)
{
    (void)state;
    struct rely_claims claims;
    struct rely_detail detail;
    const struct rely_time_rules rules = {0, 0};
    const struct claims_case row = {.id = "F12", .exp = "1795319220.9", .reason = RELY_OK};
    expect_claims(&row, &claims);
    assert_int_equal(rely_claims_check_time(&claims, &rules, NOW, &detail), RELY_EXPIRED);
    assert_int_equal(rely_claims_check_time(&claims, &rules, NOW - 1, &detail), RELY_OK);
}

int run_time_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validity),
        cmocka_unit_test(test_lifetime),
        cmocka_unit_test(test_fractions_are_cut),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
