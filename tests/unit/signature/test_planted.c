/*
 * What happens when own arithmetic is wrong: the linker puts liars in its place (--wrap), which nothing outside of this
 * binary can reach. Each case runs in a process of its own, since the right end of most is its abort (faults.md F).
 */
#include "tests.h"

#include "relyd/json.h"

#include "../../../src/signature/fixed.h"
#include "../../../src/signature/verify.h"

#include <openssl/err.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct plant {
    bool is_rsa_lying, are_tables_lying, is_point_wrong;
    unsigned own_count; /* verifications by own arithmetic */
} plant;

int __real_rely_rsa_verify(const struct rely_verifier *verifier, enum rely_alg alg, BN_CTX *ctx,
                           struct rely_slice digest, struct rely_slice signature);
int __wrap_rely_rsa_verify(const struct rely_verifier *verifier, enum rely_alg alg, BN_CTX *ctx,
                           struct rely_slice digest, struct rely_slice signature);
int __real_rely_key_table_verify(const struct rely_key_table *table, struct rely_table_scratch *scratch,
                                 struct rely_slice digest, struct rely_slice raw);
int __wrap_rely_key_table_verify(const struct rely_key_table *table, struct rely_table_scratch *scratch,
                                 struct rely_slice digest, struct rely_slice raw);
struct rely_fixed *__real_rely_fixed_new(const struct rely_curve *curve, const EC_POINT *point, BN_CTX *ctx);
struct rely_fixed *__wrap_rely_fixed_new(const struct rely_curve *curve, const EC_POINT *point, BN_CTX *ctx);

int __wrap_rely_rsa_verify(const struct rely_verifier *verifier, enum rely_alg alg, BN_CTX *ctx,
                           struct rely_slice digest, struct rely_slice signature)
{
    int answer = __real_rely_rsa_verify(verifier, alg, ctx, digest, signature);
    plant.own_count++;
    return plant.is_rsa_lying && answer >= 0 ? 1 - answer : answer;
}

int __wrap_rely_key_table_verify(const struct rely_key_table *table, struct rely_table_scratch *scratch,
                                 struct rely_slice digest, struct rely_slice raw)
{
    int answer = __real_rely_key_table_verify(table, scratch, digest, raw);
    plant.own_count++;
    return plant.are_tables_lying && answer >= 0 ? 1 - answer : answer;
}

/* A table of the double of the point that it should be of. */
struct rely_fixed *__wrap_rely_fixed_new(const struct rely_curve *curve, const EC_POINT *point, BN_CTX *ctx)
{
    if (!plant.is_point_wrong)
        return __real_rely_fixed_new(curve, point, ctx);
    EC_POINT *other = EC_POINT_new(curve->group);
    assert_int_equal(EC_POINT_dbl(curve->group, other, point, ctx), 1);
    struct rely_fixed *fixed = __real_rely_fixed_new(curve, other, ctx);
    EC_POINT_free(other);
    return fixed;
}

/* --- a process for each case --------------------------------------------------------------------------------- */

/* A key by whose own arithmetic tokens are judged, a token of its own and one that somebody else signed. */
struct judged {
    const struct rely_key *key;
    struct rely_unverified good, bad;
};

static struct judged judge_with(const struct pairing *pairing)
{
    const struct rely_keyset *keyset = set_of(mint_key(pairing->kind), pairing->alg);
    struct judged judged = {.key = rely_keyset_at(keyset, 0)};
    struct rely_key_point point;
    judged.good = read_parts(mint_token(mint_key(pairing->kind), pairing->alg, HEADER, PAYLOAD), pairing->number);
    judged.bad = read_parts(mint_token(mint_key(pairing->other), pairing->alg, HEADER, PAYLOAD), pairing->number);
    if (rely_key_point_of(judged.key, &point) && !rely_signature_is_evp_only() &&
        !rely_key_table_attach(judged.key, rely_key_table_new(&point)))
        _exit(90);
    return judged;
}

static enum rely_reason verify_once(const struct judged *judged, bool is_good)
{
    struct rely_verified verified;
    struct rely_detail detail;
    return rely_signature_verify(is_good ? &judged->good : &judged->bad, judged->key, &verified, &detail);
}

/* How a case ended, and what it said on standard error. */
struct ending {
    int status;
    char said[2048];
};

static struct ending run_apart(int (*run)(const void *), const void *context)
{
    struct ending ending = {.status = 0};
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        _exit(run(context));
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t got;
    while ((got = read(ends[0], ending.said + len, sizeof ending.said - 1 - len)) > 0)
        len += (size_t)got;
    close(ends[0]);
    assert_int_equal(waitpid(child, &ending.status, 0), child);
    return ending;
}

static void assert_exit_code(const struct ending *ending, int code)
{
    if (!WIFEXITED(ending->status) || WEXITSTATUS(ending->status) != code)
        fail_msg("status %x, not exit %d: %s", (unsigned)ending->status, code, ending->said);
    assert_string_equal(ending->said, "");
}

/* --- lies ------------------------------------------------------------------------------------------------------ */

struct lie {
    const struct pairing *pairing;
    const char *key_kind;
    bool is_good;
    uint32_t one_in;
};

static int tell_lie(const void *context)
{
    const struct lie *lie = context;
    struct judged judged = judge_with(lie->pairing);
    rely_signature_setup(&(struct rely_signature_options){.recheck_one_in = lie->one_in});
    plant = (struct plant){.is_rsa_lying = true, .are_tables_lying = true};
    return verify_once(&judged, lie->is_good) == RELY_OK ? 1 : 2;
}

static const struct pairing *find_pairing(const char *alg)
{
    for (size_t i = 0; i < PAIRING_COUNT; i++)
        if (strcmp(pairings[i].alg, alg) == 0)
            return &pairings[i];
    fail_msg("no pairing for %s", alg);
    return NULL;
}

#define OWN_COUNT 6
static const struct {
    const char *alg, *key_kind;
} own[OWN_COUNT] = {{"RS256", "RSA 2048"}, {"RS384", "RSA 2048"}, {"RS512", "RSA 2048"},
                    {"ES256", "EC P-256"}, {"ES384", "EC P-384"}, {"ES512", "EC P-521"}};

static void expect_alarm(const struct ending *ending, const struct lie *lie)
{
    char expected[512];
    int year = 0;
    assert_true(WIFSIGNALED(ending->status));
    assert_int_equal(WTERMSIG(ending->status), SIGABRT);
    assert_int_equal(sscanf(ending->said, "\n{\"time\":\"%4d-", &year), 1);
    snprintf(
        expected, sizeof expected,
        "Z\",\"level\":\"error\",\"event\":\"own_arithmetic_differs\",\"message\":\"own arithmetic says %s to an %s "
        "signature under the %s key \\\"k\\\", and OpenSSL's EVP says %s: relyd ends without answering. Set "
        "crypto.own_arithmetic to false, and report this\"}\n",
        lie->is_good ? "no" : "yes", lie->pairing->alg, lie->key_kind, lie->is_good ? "yes" : "no");
    const char *found = strstr(ending->said, "Z\",");
    assert_non_null(found);
    assert_string_equal(found, expected);
}

/* fault F: whatever own arithmetic says wrongly, EVP beside it ends the process, loudly and without an answer. */
static void f_a_wrong_verdict_that_is_repeated_ends_the_process(void **state)
{
    (void)state;
    for (size_t i = 0; i < OWN_COUNT; i++)
        for (int is_good = 0; is_good < 2; is_good++) {
            const struct lie lie = {find_pairing(own[i].alg), own[i].key_kind, is_good == 1, 1};
            struct ending ending = run_apart(tell_lie, &lie);
            expect_alarm(&ending, &lie);
        }
}

static void f_nothing_is_repeated_where_the_setting_is_0(void **state)
{
    (void)state;
    for (size_t i = 0; i < OWN_COUNT; i++) {
        const struct lie yes = {find_pairing(own[i].alg), own[i].key_kind, false, 0};
        const struct lie no = {find_pairing(own[i].alg), own[i].key_kind, true, 0};
        struct ending ending = run_apart(tell_lie, &yes);
        assert_exit_code(&ending, 1); /* which shows that the liar is in place */
        ending = run_apart(tell_lie, &no);
        assert_exit_code(&ending, 2);
    }
}

/* --- the sample -------------------------------------------------------------------------------------------------- */

#define ONE_IN 10
#define VERIFICATIONS 2000

/* The gaps between repetitions: 1 to 2 n - 1, n in the mean, not all the same; both verdicts are repeated. */
static int look_at_gaps(const void *context)
{
    struct judged judged = judge_with(find_pairing("RS256"));
    unsigned seen[2 * ONE_IN] = {0}, distinct = 0, gap = 0, of_good = 0;
    (void)context;
    rely_signature_setup(&(struct rely_signature_options){.recheck_one_in = ONE_IN});
    uint64_t before = rely_signature_rechecks(), first = before;
    for (unsigned i = 0; i < VERIFICATIONS; i++) {
        if (verify_once(&judged, i % 2 == 0) != (i % 2 == 0 ? RELY_OK : RELY_BAD_SIGNATURE) || ++gap >= 2 * ONE_IN)
            return 10;
        if (rely_signature_rechecks() == before)
            continue;
        before++;
        of_good += i % 2 == 0;
        distinct += seen[gap]++ == 0;
        gap = 0;
    }
    uint64_t count = before - first;
    bool is_fair = count > 150 && count < 250 && distinct > ONE_IN && of_good > 50 && of_good < count - 50;
    return is_fair ? 0 : 11;
}

static void f_nobody_can_foresee_what_is_repeated(void **state)
{
    (void)state;
    struct ending ending = run_apart(look_at_gaps, NULL);
    assert_exit_code(&ending, 0);
}

/* --- EVP only ------------------------------------------------------------------------------------------------------
 */

/* Also with keys that were made before, and have numbers and tables. */
static int verify_by_evp_only(const void *context)
{
    const struct lie *lie = context;
    const struct rely_signature_options evp_only = {.is_evp_only = true, .recheck_one_in = 1};
    struct judged older = judge_with(lie->pairing);
    rely_signature_setup(&evp_only);
    struct judged newer = judge_with(lie->pairing);
    plant = (struct plant){.is_rsa_lying = true, .are_tables_lying = true};
    bool is_right = verify_once(&older, true) == RELY_OK && verify_once(&older, false) == RELY_BAD_SIGNATURE;
    for (int i = 0; i < 2 * RELY_KEY_TABLE_SUCCESSES; i++)
        is_right &= verify_once(&newer, true) == RELY_OK && verify_once(&newer, false) == RELY_BAD_SIGNATURE;
    bool is_evp = plant.own_count == 0 && rely_signature_rechecks() == 0 &&
                  rely_key_verifier(newer.key)->modulus == NULL && !rely_signature_wants_table(newer.key);
    return !is_right ? 20 : !is_evp ? 21 : 0;
}

static void f_evp_only_uses_nothing_of_our_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < OWN_COUNT; i++) {
        const struct lie lie = {find_pairing(own[i].alg), own[i].key_kind, true, 0};
        struct ending ending = run_apart(verify_by_evp_only, &lie);
        assert_exit_code(&ending, 0);
    }
}

static void f_evp_only_makes_no_table(void **state)
{
    struct rely_key_point point;
    struct rely_keyset *keyset = set_of(mint_key("p256"), NULL);
    assert_true(rely_key_point_of(rely_keyset_at(keyset, 0), &point));
    choose_evp_only(state);
    assert_null(rely_key_table_new(&point));
    choose_own_arithmetic(state);
    rely_keyset_free(keyset);
}

/* --- the proof of tables
 * ---------------------------------------------------------------------------------------------- */

/* fault E: nobody noticed when tables were believed without their proof. */
static void e_a_table_that_multiplies_wrongly_is_not_believed(void **state)
{
    static const char *const kinds[] = {"p256", "p384", "p521"};
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct rely_key_point point;
        struct rely_keyset *keyset = set_of(mint_key(kinds[i]), NULL);
        assert_true(rely_key_point_of(rely_keyset_at(keyset, 0), &point));
        plant.is_point_wrong = true;
        assert_null(rely_key_table_new(&point));
        assert_int_equal(ERR_peek_error(), 0);
        plant.is_point_wrong = false;
        struct rely_key_table *table = rely_key_table_new(&point);
        assert_non_null(table);
        rely_key_table_free(table);
        rely_keyset_free(keyset);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f_a_wrong_verdict_that_is_repeated_ends_the_process),
        cmocka_unit_test(f_nothing_is_repeated_where_the_setting_is_0),
        cmocka_unit_test(f_nobody_can_foresee_what_is_repeated),
        cmocka_unit_test(f_evp_only_uses_nothing_of_our_own),
        cmocka_unit_test(f_evp_only_makes_no_table),
        cmocka_unit_test(e_a_table_that_multiplies_wrongly_is_not_believed),
    };
    rely_json_init();
    return cmocka_run_group_tests_name("planted", tests, choose_own_arithmetic, return_to_arithmetic_of_environment);
}
