/*
 * Tables against EVP: whatever numbers come, both say the same. What is true is signed by hand here, so that keys and
 * nonces can be the awkward ones.
 */
#include "tests.h"

#include "../../../src/signature/fixed.h"
#include "../../../src/signature/verify.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <stdlib.h>

#define CURVES 3
#define BYTES_MAX 66

static const struct {
    const char *name, *kind;
    size_t bytes, digest_bytes;
    enum rely_alg alg;
} facts[CURVES] = {{"P-256", "p256", 32, 32, RELY_ALG_ES256},
                   {"P-384", "p384", 48, 48, RELY_ALG_ES384},
                   {"P-521", "p521", 66, 64, RELY_ALG_ES512}};

/* A curve's numbers. */
struct field {
    EC_GROUP *group;
    BIGNUM *n, *p;
    size_t bytes, digest_bytes;
    BN_CTX *ctx;
};

/* A key, by EVP and with its table. */
struct subject {
    const struct field *field;
    enum rely_alg alg;
    struct rely_keyset *keyset;
    const struct rely_key *key;
    struct rely_key_table *table;
    EVP_PKEY_CTX *evp;
    struct rely_table_scratch *scratch;
};

static struct field open_field(size_t curve)
{
    struct field field = {.bytes = facts[curve].bytes, .digest_bytes = facts[curve].digest_bytes};
    field.group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid(facts[curve].name));
    field.ctx = BN_CTX_new();
    field.n = BN_dup(EC_GROUP_get0_order(field.group));
    field.p = BN_new();
    assert_int_equal(EC_GROUP_get_curve(field.group, field.p, NULL, NULL, field.ctx), 1);
    return field;
}

static void close_field(struct field *field)
{
    BN_free(field->p);
    BN_free(field->n);
    BN_CTX_free(field->ctx);
    EC_GROUP_free(field->group);
}

static struct rely_keyset *parse_point(const struct field *field, size_t curve, const EC_POINT *point)
{
    uint8_t bytes[1 + 2 * BYTES_MAX];
    struct rely_err err = {0};
    size_t len =
        EC_POINT_point2oct(field->group, point, POINT_CONVERSION_UNCOMPRESSED, bytes, sizeof bytes, field->ctx);
    assert_int_equal(len, 1 + 2 * field->bytes);
    const char *x = mint_base64(rely_slice((char *)bytes + 1, field->bytes));
    const char *y = mint_base64(rely_slice((char *)bytes + 1 + field->bytes, field->bytes));
    const char *jwk = mint_print("{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"}", facts[curve].name, x, y);
    struct rely_keyset *keyset = rely_signature_accept(rely_slice_of(mint_jwks(jwk, NULL)), NULL, &err);
    if (keyset == NULL)
        fail_msg("refused: %s", err.message);
    return keyset;
}

static struct subject open_subject(const struct field *field, size_t curve, const EC_POINT *point)
{
    struct subject subject = {.field = field, .alg = facts[curve].alg};
    struct rely_key_point bytes;
    subject.keyset = parse_point(field, curve, point);
    subject.key = rely_keyset_at(subject.keyset, 0);
    assert_true(rely_key_point_of(subject.key, &bytes));
    assert_int_equal(bytes.len, 1 + 2 * field->bytes);
    subject.table = rely_key_table_new(&bytes);
    assert_non_null(subject.table);
    subject.evp = rely_verifier_context(rely_key_verifier(subject.key), subject.alg);
    subject.scratch = rely_table_scratch_new();
    assert_true(subject.evp != NULL && subject.scratch != NULL);
    return subject;
}

static void close_subject(struct subject *subject)
{
    rely_table_scratch_free(subject->scratch);
    EVP_PKEY_CTX_free(subject->evp);
    rely_key_table_free(subject->table);
    rely_keyset_free(subject->keyset);
}

static EC_POINT *multiply_generator(const struct field *field, const BIGNUM *scalar)
{
    EC_POINT *point = EC_POINT_new(field->group);
    assert_int_equal(EC_POINT_mul(field->group, point, scalar, NULL, NULL, field->ctx), 1);
    return point;
}

static struct subject open_subject_of(const struct field *field, size_t curve, const BIGNUM *private)
{
    EC_POINT *point = multiply_generator(field, private);
    struct subject subject = open_subject(field, curve, point);
    EC_POINT_free(point);
    return subject;
}

static BIGNUM *random_scalar(const struct field *field)
{
    BIGNUM *scalar = BN_new();
    do
        assert_int_equal(BN_rand_range(scalar, field->n), 1);
    while (BN_is_zero(scalar));
    return scalar;
}

static BIGNUM *small_number(unsigned long number)
{
    BIGNUM *out = BN_new();
    assert_int_equal(BN_set_word(out, number), 1);
    return out;
}

static BIGNUM *subtract(const BIGNUM *from, const BIGNUM *what)
{
    BIGNUM *out = BN_new();
    assert_int_equal(BN_sub(out, from, what), 1);
    return out;
}

/* The table's verdict, which must be EVP's. */
static bool judge_bytes(const struct subject *subject, struct rely_slice digest, struct rely_slice raw)
{
    uint8_t der[RELY_DER_MAX];
    size_t der_len = rely_der_of_raw(raw, der);
    int by_evp = EVP_PKEY_verify(subject->evp, der, der_len, (const uint8_t *)digest.ptr, digest.len) == 1 ? 1 : 0;
    ERR_clear_error();
    int by_table = rely_key_table_verify(subject->table, subject->scratch, digest, raw);
    assert_int_equal(ERR_peek_error(), 0);
    assert_int_equal(by_table, by_evp);
    return by_table == 1;
}

static bool judge(const struct subject *subject, const BIGNUM *digest, const BIGNUM *r, const BIGNUM *s)
{
    const struct field *field = subject->field;
    uint8_t e[BYTES_MAX], raw[2 * BYTES_MAX];
    assert_int_equal(BN_bn2binpad(digest, e, (int)field->digest_bytes), field->digest_bytes);
    assert_int_equal(BN_bn2binpad(r, raw, (int)field->bytes), field->bytes);
    assert_int_equal(BN_bn2binpad(s, raw + field->bytes, (int)field->bytes), field->bytes);
    return judge_bytes(subject, rely_slice((char *)e, field->digest_bytes), rely_slice((char *)raw, 2 * field->bytes));
}

static BIGNUM *random_digest(const struct field *field)
{
    BIGNUM *digest = BN_new();
    assert_int_equal(BN_rand(digest, (int)field->digest_bytes * 8, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY), 1);
    return digest;
}

static void read_x(const struct field *field, const EC_POINT *point, BIGNUM *out)
{
    assert_int_equal(EC_POINT_get_affine_coordinates(field->group, point, out, NULL, field->ctx), 1);
    assert_int_equal(BN_nnmod(out, out, field->n, field->ctx), 1);
}

/* a / b modulo n */
static BIGNUM *divide(const struct field *field, const BIGNUM *a, const BIGNUM *b)
{
    BIGNUM *out = BN_mod_inverse(NULL, b, field->n, field->ctx);
    assert_non_null(out);
    assert_int_equal(BN_mod_mul(out, out, a, field->n, field->ctx), 1);
    return out;
}

/* FIPS 186-4 s6.4: s = (digest + r d) / k */
static void sign_by_hand(const struct field *field, const BIGNUM *private, const BIGNUM *digest, BIGNUM *r, BIGNUM *s)
{
    BIGNUM *nonce = random_scalar(field), *sum = BN_new();
    EC_POINT *point = multiply_generator(field, nonce);
    read_x(field, point, r);
    assert_int_equal(BN_mod_mul(sum, r, private, field->n, field->ctx), 1);
    assert_int_equal(BN_mod_add(sum, sum, digest, field->n, field->ctx), 1);
    BIGNUM *quotient = divide(field, sum, nonce);
    BN_copy(s, quotient);
    BN_free(quotient);
    BN_free(sum);
    BN_free(nonce);
    EC_POINT_free(point);
}

/* A key whose private half is known, and room for a signature under it. */
struct trial {
    struct field field;
    struct subject subject; /* refers to field */
    BIGNUM *private, *digest, *r, *s;
};

/* What the public point is. */
enum public_point { ANY_POINT, GENERATOR, NEGATIVE_GENERATOR };

static BIGNUM *choose_private(const struct field *field, enum public_point kind)
{
    if (kind == ANY_POINT)
        return random_scalar(field);
    return kind == GENERATOR ? small_number(1) : subtract(field->n, BN_value_one());
}

static void open_trial(struct trial *trial, size_t curve, enum public_point kind)
{
    trial->field = open_field(curve);
    trial->private = choose_private(&trial->field, kind);
    trial->subject = open_subject_of(&trial->field, curve, trial->private);
    trial->digest = random_digest(&trial->field);
    trial->r = BN_new();
    trial->s = BN_new();
}

static void sign_trial(struct trial *trial, const BIGNUM *digest)
{
    sign_by_hand(&trial->field, trial->private, digest, trial->r, trial->s);
}

static void close_trial(struct trial *trial)
{
    BN_free(trial->s);
    BN_free(trial->r);
    BN_free(trial->digest);
    BN_free(trial->private);
    close_subject(&trial->subject);
    close_field(&trial->field);
}

/* --- the tests --------------------------------------------------------------------------------------------- */

static void say_what_evp_says(void **state)
{
    struct trial trial;
    (void)state;
    for (size_t curve = 0; curve < CURVES; curve++) {
        open_trial(&trial, curve, ANY_POINT);
        for (int i = 0; i < 250; i++) { /* a bit of the digest each */
            BIGNUM *digest = random_digest(&trial.field);
            sign_trial(&trial, digest);
            assert_true(judge(&trial.subject, digest, trial.r, trial.s));
            assert_false(judge(&trial.subject, digest, trial.s, trial.r));
            assert_int_equal(BN_is_bit_set(digest, i) ? BN_clear_bit(digest, i) : BN_set_bit(digest, i), 1);
            assert_false(judge(&trial.subject, digest, trial.r, trial.s));
            BN_free(digest);
        }
        close_trial(&trial);
    }
    mint_reset();
}

#define ODD_COUNT 15

/* Numbers at the edges of every range, and what is near a true signature (the last five). */
static void list_odd_numbers(const struct field *field, const BIGNUM *r, const BIGNUM *s, BIGNUM *odd[ODD_COUNT])
{
    BIGNUM *one = small_number(1);
    odd[0] = small_number(0);
    odd[1] = small_number(1);
    odd[2] = small_number(2);
    odd[3] = subtract(field->n, one);
    odd[4] = BN_dup(field->n);
    odd[5] = BN_dup(field->n);
    BN_add_word(odd[5], 1);
    odd[6] = subtract(field->p, one);
    odd[7] = BN_dup(field->p);
    odd[8] = small_number(0);
    BN_set_bit(odd[8], (int)field->bytes * 8);
    BN_sub_word(odd[8], 1); /* every bit of the half set */
    odd[9] = subtract(field->n, odd[2]);
    odd[10] = BN_dup(r);
    odd[11] = BN_dup(s);
    odd[12] = subtract(field->n, s);
    odd[13] = subtract(field->n, r);
    odd[14] = BN_dup(r);
    BN_add(odd[14], odd[14], field->n);
    if ((size_t)BN_num_bytes(odd[14]) > field->bytes) /* r + n does not fit */
        BN_copy(odd[14], odd[8]);
    BN_free(one);
}

static void judge_odd_numbers(const struct subject *subject, const BIGNUM *digest, const BIGNUM *r, const BIGNUM *s,
                              bool is_true)
{
    BIGNUM *odd[ODD_COUNT];
    list_odd_numbers(subject->field, r, s, odd);
    for (size_t i = 0; i < ODD_COUNT; i++)
        for (size_t k = 0; k < ODD_COUNT; k++) {
            /* s and n - s: ECDSA is malleable. All else that is true by chance, EVP knows. */
            bool is_right = judge(subject, digest, odd[i], odd[k]);
            if (i == 10 && (k == 11 || k == 12))
                assert_int_equal(is_right, is_true);
            if (i == 0 || k == 0 || BN_cmp(odd[i], subject->field->n) >= 0 || BN_cmp(odd[k], subject->field->n) >= 0)
                assert_false(is_right);
        }
    for (size_t i = 0; i < ODD_COUNT; i++)
        BN_free(odd[i]);
}

static void refuse_odd_numbers(void **state)
{
    struct trial trial;
    (void)state;
    for (size_t curve = 0; curve < CURVES; curve++) {
        open_trial(&trial, curve, ANY_POINT);
        BIGNUM *other = random_digest(&trial.field);
        sign_trial(&trial, trial.digest);
        judge_odd_numbers(&trial.subject, trial.digest, trial.r, trial.s, true);
        judge_odd_numbers(&trial.subject, other, trial.r, trial.s, false);
        BN_free(other);
        close_trial(&trial);
    }
    mint_reset();
}

/* Digests that make u1 zero or need reducing: 0, n and all ones. A P-521 digest is shorter than n. */
static void judge_odd_digests(void **state)
{
    struct trial trial;
    (void)state;
    for (size_t curve = 0; curve < CURVES; curve++) {
        open_trial(&trial, curve, ANY_POINT);
        const struct field *field = &trial.field;
        BIGNUM *digests[] = {small_number(0), small_number(0), BN_dup(field->n), subtract(field->n, BN_value_one())};
        BN_set_bit(digests[1], (int)field->digest_bytes * 8);
        BN_sub_word(digests[1], 1);
        for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
            if ((size_t)BN_num_bytes(digests[i]) <= field->digest_bytes) {
                sign_trial(&trial, digests[i]);
                judge_odd_numbers(&trial.subject, digests[i], trial.r, trial.s, true);
            }
            BN_free(digests[i]);
        }
        close_trial(&trial);
    }
    mint_reset();
}

/* With Q = G or Q = -G the two products may be the same point, or cancel. u = u2; digest = +-r makes u1 = +-u2. */
static void meet_or_cancel(const struct subject *subject, bool is_negative_key)
{
    const struct field *field = subject->field;
    BIGNUM *r = BN_new(), *twice = BN_new();
    for (bool is_done = false; !is_done;) {
        BIGNUM *u = random_scalar(field);
        assert_int_equal(BN_mod_add(twice, u, u, field->n, field->ctx), 1);
        EC_POINT *point = multiply_generator(field, twice); /* its negative has the same x */
        read_x(field, point, r);
        BIGNUM *s = divide(field, r, u), *negative = subtract(field->n, r);
        const BIGNUM *meeting = is_negative_key ? negative : r, *cancelling = is_negative_key ? r : negative;
        is_done = (size_t)BN_num_bytes(meeting) <= field->digest_bytes; /* P-521: one in 512 */
        if (is_done)
            assert_true(judge(subject, meeting, r, s));
        if ((size_t)BN_num_bytes(cancelling) <= field->digest_bytes)
            assert_false(judge(subject, cancelling, r, s));
        BN_free(negative);
        BN_free(s);
        BN_free(u);
        EC_POINT_free(point);
    }
    BN_free(twice);
    BN_free(r);
}

static void judge_keys_of_the_generator(void **state)
{
    struct trial trial;
    (void)state;
    for (size_t curve = 0; curve < CURVES; curve++)
        for (int sign = 0; sign < 2; sign++) {
            open_trial(&trial, curve, sign == 0 ? GENERATOR : NEGATIVE_GENERATOR);
            sign_trial(&trial, trial.digest);
            judge_odd_numbers(&trial.subject, trial.digest, trial.r, trial.s, true);
            for (int i = 0; i < 3; i++)
                meet_or_cancel(&trial.subject, sign == 1);
            close_trial(&trial);
        }
    mint_reset();
}

/* A point whose x is from n to p - 1: nobody meets one by chance (2^-32 for P-256, else less). */
static EC_POINT *find_point_beyond_order(const struct field *field, BIGNUM *r)
{
    EC_POINT *point = EC_POINT_new(field->group);
    BIGNUM *x = BN_dup(field->n);
    int is_found = 0;
    while (is_found == 0) {
        BN_add_word(x, 1);
        is_found = EC_POINT_set_compressed_coordinates(field->group, point, x, 0, field->ctx);
    }
    ERR_clear_error();
    assert_true(BN_cmp(x, field->p) < 0);
    assert_int_equal(BN_sub(r, x, field->n), 1);
    BN_free(x);
    return point;
}

/* The key for which (r, s) signs the digest with this point: Q = (point - u1 G) / u2. */
static EC_POINT *find_key_for(const struct field *field, const EC_POINT *point, const BIGNUM *digest, const BIGNUM *r,
                              const BIGNUM *s)
{
    BIGNUM *u1 = divide(field, digest, s), *inverse = divide(field, s, r);
    EC_POINT *key = multiply_generator(field, u1);
    assert_int_equal(EC_POINT_invert(field->group, key, field->ctx), 1);
    assert_int_equal(EC_POINT_add(field->group, key, key, point, field->ctx), 1);
    assert_int_equal(EC_POINT_mul(field->group, key, NULL, key, inverse, field->ctx), 1);
    BN_free(inverse);
    BN_free(u1);
    return key;
}

/* SEC 1 s4.1.4 step 8: x is reduced modulo n, so that r stands for two x. */
static void accept_x_beyond_the_order(void **state)
{
    (void)state;
    for (size_t curve = 0; curve < CURVES; curve++) {
        struct field field = open_field(curve);
        BIGNUM *r = BN_new(), *s = random_scalar(&field), *digest = random_digest(&field);
        EC_POINT *point = find_point_beyond_order(&field, r);
        EC_POINT *key = find_key_for(&field, point, digest, r, s);
        struct subject subject = open_subject(&field, curve, key);
        assert_true(judge(&subject, digest, r, s));
        judge_odd_numbers(&subject, digest, r, s, true);
        assert_int_equal(BN_is_bit_set(digest, 7) ? BN_clear_bit(digest, 7) : BN_set_bit(digest, 7), 1);
        assert_false(judge(&subject, digest, r, s));
        close_subject(&subject);
        EC_POINT_free(key);
        EC_POINT_free(point);
        BN_free(digest);
        BN_free(s);
        BN_free(r);
        close_field(&field);
    }
    mint_reset();
}

/* Z = 0 makes r Z^2 = X true for every r as soon as X happens to be 0, as it is in a new point. */
static void find_no_x_at_infinity(void **state)
{
    (void)state;
    for (size_t curve = 0; curve < CURVES; curve++) {
        const struct rely_curve *made = rely_curve_of(1 + 2 * facts[curve].bytes);
        EC_POINT *point = EC_POINT_new(made->group);
        BIGNUM *r = small_number(1);
        BN_CTX *ctx = BN_CTX_new();
        assert_int_equal(EC_POINT_set_to_infinity(made->group, point), 1);
        assert_int_equal(rely_curve_has_x(made, point, r, ctx), 0);
        assert_int_equal(
            EC_POINT_get_affine_coordinates(made->group, EC_GROUP_get0_generator(made->group), r, NULL, ctx), 1);
        assert_int_equal(rely_curve_has_x(made, EC_GROUP_get0_generator(made->group), r, ctx), 1);
        BN_add_word(r, 1);
        assert_int_equal(rely_curve_has_x(made, EC_GROUP_get0_generator(made->group), r, ctx), 0);
        BN_CTX_free(ctx);
        BN_free(r);
        EC_POINT_free(point);
    }
}

/* What it cannot judge it leaves to EVP, also where that will say no. */
static void leave_other_lengths_to_evp(void **state)
{
    struct trial trial;
    (void)state;
    for (size_t curve = 0; curve < CURVES; curve++) {
        open_trial(&trial, curve, ANY_POINT);
        const struct subject *subject = &trial.subject;
        struct rely_slice raw = mint_repeat('\1', 2 * trial.field.bytes), digest = mint_repeat('\1', 67);
        struct rely_slice fitting = rely_slice(digest.ptr, trial.field.digest_bytes);
        assert_int_equal(rely_key_table_verify(subject->table, subject->scratch, fitting, raw), 0);
        assert_int_equal(rely_key_table_verify(subject->table, subject->scratch, digest, raw), -1);
        raw.len--;
        assert_int_equal(rely_key_table_verify(subject->table, subject->scratch, fitting, raw), -1);
        raw.len = 0;
        assert_int_equal(rely_key_table_verify(subject->table, subject->scratch, fitting, raw), -1);
        close_trial(&trial);
    }
    mint_reset();
}

int run_table_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(say_what_evp_says),          cmocka_unit_test(refuse_odd_numbers),
        cmocka_unit_test(judge_odd_digests),          cmocka_unit_test(judge_keys_of_the_generator),
        cmocka_unit_test(accept_x_beyond_the_order),  cmocka_unit_test(find_no_x_at_infinity),
        cmocka_unit_test(leave_other_lengths_to_evp),
    };
    return cmocka_run_group_tests_name("table", tests, choose_own_arithmetic, return_to_arithmetic_of_environment);
}
