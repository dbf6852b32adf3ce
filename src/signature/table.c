/*
 * ECDSA with a table for each key: what is always the same is computed once (fixed.c), which makes a verification up
 * to five times as fast as EVP's. Judges numbers as FIPS 186-4 s6.4 says, and nothing else; whatever it cannot judge is
 * EVP's. Called by signature.c; tables are made on the service's builder thread.
 */
#include "verify.h"

#include "fixed.h"

#include <openssl/err.h>
#include <stdlib.h>

#define PROOF_ROUNDS 12

struct rely_key_table {
    const struct rely_curve *curve; /* static */
    struct rely_fixed *fixed;       /* owned: the key's point */
    struct rely_key_point point;
};

/* --- scratch ------------------------------------------------------------------------------------------ */

struct rely_table_scratch {
    BN_CTX *ctx;                      /* owned; keeps its numbers, so that a verification allocates none */
    EC_POINT *points[RELY_CURVES][2]; /* owned; NULL: not used yet */
};

struct rely_table_scratch *rely_table_scratch_new(void)
{
    struct rely_table_scratch *scratch = rely_alloc(sizeof *scratch);
    scratch->ctx = BN_CTX_new();
    if (scratch->ctx != NULL)
        return scratch;
    free(scratch);
    return NULL;
}

void rely_table_scratch_free(struct rely_table_scratch *scratch)
{
    if (scratch == NULL)
        return;
    for (size_t i = 0; i < RELY_CURVES; i++) {
        EC_POINT_free(scratch->points[i][0]);
        EC_POINT_free(scratch->points[i][1]);
    }
    BN_CTX_free(scratch->ctx);
    free(scratch);
}

static EC_POINT *take_point(struct rely_table_scratch *scratch, const struct rely_curve *curve, size_t which)
{
    EC_POINT **point = &scratch->points[curve->index][which];
    if (*point == NULL)
        *point = EC_POINT_new(curve->group);
    return *point;
}

/* --- verifying ---------------------------------------------------------------------------------------- */

/* The four numbers of a verification, borrowed from the BN_CTX. */
struct numbers {
    BIGNUM *r, *s, *u1, *u2;
};

static bool read_numbers(const struct rely_curve *curve, struct numbers *out, struct rely_slice digest,
                         struct rely_slice raw, BN_CTX *ctx)
{
    int half = (int)curve->bytes;
    out->r = BN_CTX_get(ctx);
    out->s = BN_CTX_get(ctx);
    out->u1 = BN_CTX_get(ctx);
    out->u2 = BN_CTX_get(ctx);
    return out->u2 != NULL && BN_bin2bn((const uint8_t *)raw.ptr, half, out->r) != NULL &&
           BN_bin2bn((const uint8_t *)raw.ptr + half, half, out->s) != NULL &&
           BN_bin2bn((const uint8_t *)digest.ptr, (int)digest.len, out->u1) != NULL;
}

static bool is_scalar_of(const struct rely_curve *curve, const BIGNUM *number)
{
    return !BN_is_zero(number) && !BN_is_negative(number) && BN_cmp(number, curve->order) < 0;
}

/* u1 = digest / s, u2 = r / s, both modulo n. */
static bool divide_by_s(const struct rely_curve *curve, struct numbers *numbers, BN_CTX *ctx)
{
    /* It has no more bits than n, so that one subtraction is a reduction. */
    if (BN_cmp(numbers->u1, curve->order) >= 0 && BN_sub(numbers->u1, numbers->u1, curve->order) != 1)
        return false;
    return BN_mod_inverse(numbers->u2, numbers->s, curve->order, ctx) != NULL &&
           BN_to_montgomery(numbers->u2, numbers->u2, curve->by_order, ctx) == 1 &&
           BN_mod_mul_montgomery(numbers->u1, numbers->u1, numbers->u2, curve->by_order, ctx) == 1 &&
           BN_mod_mul_montgomery(numbers->u2, numbers->u2, numbers->r, curve->by_order, ctx) == 1;
}

static int verify_numbers(const struct rely_key_table *table, struct rely_table_scratch *scratch,
                          struct rely_slice digest, struct rely_slice raw)
{
    const struct rely_curve *curve = table->curve;
    EC_POINT *sum = take_point(scratch, curve, 0), *spare = take_point(scratch, curve, 1);
    struct numbers numbers;
    if (sum == NULL || spare == NULL || !read_numbers(curve, &numbers, digest, raw, scratch->ctx))
        return -1;
    /* First of all: r = 0 or s = 0 would fit every digest (CVE-2022-21449). */
    if (!is_scalar_of(curve, numbers.r) || !is_scalar_of(curve, numbers.s))
        return 0;
    const struct rely_fixed_sum wanted = {
        .curve = curve, .point = table->fixed, .a = numbers.u1, .b = numbers.u2, .spare = spare, .ctx = scratch->ctx};
    if (!divide_by_s(curve, &numbers, scratch->ctx) || !rely_fixed_sum(&wanted, sum))
        return -1;
    return rely_curve_has_x(curve, sum, numbers.r, scratch->ctx);
}

int rely_key_table_verify(const struct rely_key_table *table, struct rely_table_scratch *scratch,
                          struct rely_slice digest, struct rely_slice raw)
{
    /* A digest longer than n would have to be cut; no algorithm of ours has one. */
    if (raw.len != 2 * table->curve->bytes || digest.len * 8 > (size_t)BN_num_bits(table->curve->order))
        return -1;
    BN_CTX_start(scratch->ctx);
    int answer = verify_numbers(table, scratch, digest, raw);
    BN_CTX_end(scratch->ctx);
    return answer;
}

/* --- making ------------------------------------------------------------------------------------------- */

/* The table's a G + b Q is that of OpenSSL's ordinary multiplication. */
static bool prove_sum(const struct rely_key_table *table, struct rely_table_scratch *scratch, const EC_POINT *point,
                      const BIGNUM *a, const BIGNUM *b)
{
    const struct rely_curve *curve = table->curve;
    EC_POINT *sum = take_point(scratch, curve, 0), *spare = take_point(scratch, curve, 1);
    const struct rely_fixed_sum wanted = {
        .curve = curve, .point = table->fixed, .a = a, .b = b, .spare = spare, .ctx = scratch->ctx};
    return sum != NULL && spare != NULL && rely_fixed_sum(&wanted, sum) &&
           EC_POINT_mul(curve->group, spare, a, point, b, scratch->ctx) == 1 &&
           EC_POINT_cmp(curve->group, sum, spare, scratch->ctx) == 0;
}

/* 0, 1, 2, n - 2 and n - 1, where tables go wrong if they do, then random numbers. */
static bool choose_scalar(const struct rely_curve *curve, size_t round, BIGNUM *out)
{
    if (round < 3)
        return BN_set_word(out, round) == 1;
    if (round < 5)
        return BN_copy(out, curve->order) != NULL && BN_sub_word(out, 5 - round) == 1;
    return BN_rand_range(out, curve->order) == 1;
}

static bool prove_table(const struct rely_key_table *table, struct rely_table_scratch *scratch, const EC_POINT *point)
{
    BN_CTX_start(scratch->ctx);
    BIGNUM *a = BN_CTX_get(scratch->ctx), *b = BN_CTX_get(scratch->ctx);
    bool is_proven = b != NULL;
    for (size_t round = 0; round < PROOF_ROUNDS && is_proven; round++)
        is_proven = choose_scalar(table->curve, round, b) && choose_scalar(table->curve, PROOF_ROUNDS - 1 - round, a) &&
                    prove_sum(table, scratch, point, a, b);
    BN_CTX_end(scratch->ctx);
    return is_proven;
}

static bool build_table(struct rely_key_table *table, struct rely_table_scratch *scratch)
{
    const struct rely_curve *curve = table->curve;
    EC_POINT *point = EC_POINT_new(curve->group);
    /* oct2point sees to it that the point is on the curve */
    bool is_built = point != NULL &&
                    EC_POINT_oct2point(curve->group, point, table->point.bytes, table->point.len, scratch->ctx) == 1 &&
                    (table->fixed = rely_fixed_new(curve, point, scratch->ctx)) != NULL &&
                    prove_table(table, scratch, point);
    EC_POINT_free(point);
    return is_built;
}

struct rely_key_table *rely_key_table_new(const struct rely_key_point *point)
{
    const struct rely_curve *curve = rely_signature_is_evp_only() ? NULL : rely_curve_of(point->len);
    struct rely_table_scratch *scratch = curve == NULL ? NULL : rely_table_scratch_new();
    if (scratch == NULL)
        return NULL;
    struct rely_key_table *table = rely_alloc(sizeof *table);
    table->curve = curve;
    table->point = *point;
    bool is_built = build_table(table, scratch);
    rely_table_scratch_free(scratch);
    ERR_clear_error();
    if (is_built)
        return table;
    rely_key_table_free(table);
    return NULL;
}

void rely_key_table_free(struct rely_key_table *table)
{
    if (table == NULL)
        return;
    rely_fixed_free(table->fixed);
    free(table);
}

bool rely_key_table_is_of(const struct rely_key_table *table, const struct rely_key_point *point)
{
    return table->point.len == point->len && memcmp(table->point.bytes, point->bytes, point->len) == 0;
}
