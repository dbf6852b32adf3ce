/*
 * Multiplies points by tables, in the way that is the cheapest of the public ones for each curve. Decides nothing about
 * a signature. Called by table.c, which proves each table against OpenSSL's ordinary multiplication before it is used.
 *
 * P-256, P-521: OpenSSL has fast code for multiples of a group's generator, so the point becomes the generator of a
 * group of its own. P-384: OpenSSL 3.0 has none, so the table is a comb of our own (Lim and Lee, 1994) and OpenSSL
 * adds and doubles.
 */

/* EC_GROUP_precompute_mult, EC_POINTs_make_affine and EC_POINT_get_Jprojective_coordinates_GFp are deprecated in
 * OpenSSL 3.0 without a successor: EVP offers no table for a key. Should they go, this file and table.c go, and EVP
 * remains. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "fixed.h"

#include <openssl/obj_mac.h>
#include <pthread.h>
#include <stdlib.h>

/* The comb of P-384: a scalar's 384 bits stand in ROWS rows of 48, each cut into TABLES pieces of COLUMNS. Entry m of
 * a table is the sum of 2^(48 i) P over the bits i of m, for the second table times 2^24. */
#define ROWS 8
#define TABLES 2
#define COLUMNS 24
#define ENTRIES ((1 << ROWS) - 1) /* entry 0 is infinity and not kept */
#define COMB_POINTS ((size_t)TABLES * ENTRIES)
#define POWERS ((size_t)ROWS * TABLES)
#define SCALAR_BYTES ((ROWS * TABLES * COLUMNS) / 8)
#define ROW_BYTES (SCALAR_BYTES / ROWS)

struct rely_fixed {
    EC_GROUP *group;             /* owned; its generator is the point. NULL: a comb */
    EC_POINT *comb[COMB_POINTS]; /* owned; affine, so that adding one is cheap */
};

static bool uses_comb(const struct rely_curve *curve)
{
    return curve->bytes == SCALAR_BYTES;
}

/* --- the comb --------------------------------------------------------------------------------------- */

static bool make_points(const EC_GROUP *group, EC_POINT **points, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        points[i] = EC_POINT_new(group);
        if (points[i] == NULL)
            return false;
    }
    return true;
}

/* powers[i] = 2^(COLUMNS i) point */
static bool fill_powers(const EC_GROUP *group, const EC_POINT *point, EC_POINT **powers, BN_CTX *ctx)
{
    if (EC_POINT_copy(powers[0], point) != 1)
        return false;
    for (size_t i = 1; i < POWERS; i++) {
        if (EC_POINT_copy(powers[i], powers[i - 1]) != 1)
            return false;
        for (int k = 0; k < COLUMNS; k++)
            if (EC_POINT_dbl(group, powers[i], powers[i], ctx) != 1)
                return false;
    }
    return true;
}

/* Each entry is an earlier one, without its lowest bit, and that bit's power. */
static bool fill_comb(const EC_GROUP *group, struct rely_fixed *fixed, EC_POINT *const *powers, BN_CTX *ctx)
{
    for (size_t table = 0; table < TABLES; table++)
        for (unsigned m = 1; m <= ENTRIES; m++) {
            EC_POINT **entries = &fixed->comb[table * ENTRIES]; /* entry m at m - 1 */
            const EC_POINT *power = powers[(size_t)__builtin_ctz(m) * TABLES + table];
            unsigned rest = m & (m - 1);
            if (rest == 0 ? EC_POINT_copy(entries[m - 1], power) != 1
                          : EC_POINT_add(group, entries[m - 1], entries[rest - 1], power, ctx) != 1)
                return false;
        }
    return EC_POINTs_make_affine(group, COMB_POINTS, fixed->comb, ctx) == 1;
}

static bool build_comb(const EC_GROUP *group, struct rely_fixed *fixed, const EC_POINT *point, BN_CTX *ctx)
{
    EC_POINT *powers[POWERS] = {NULL};
    bool is_built = make_points(group, powers, POWERS) && make_points(group, fixed->comb, COMB_POINTS) &&
                    fill_powers(group, point, powers, ctx) && fill_comb(group, fixed, powers, ctx);
    for (size_t i = 0; i < POWERS; i++)
        EC_POINT_free(powers[i]);
    return is_built;
}

/* The entry for one column: NULL is infinity. */
static const EC_POINT *find_comb_entry(const struct rely_fixed *fixed, size_t table, size_t column,
                                       const uint8_t scalar[SCALAR_BYTES])
{
    size_t place = table * COLUMNS + column, m = 0;
    for (size_t row = 0; row < ROWS; row++)
        m |= (size_t)(scalar[row * ROW_BYTES + place / 8] >> place % 8 & 1) << row;
    return m == 0 ? NULL : fixed->comb[table * ENTRIES + m - 1];
}

static bool add_entry(const EC_GROUP *group, EC_POINT *sum, const EC_POINT *entry, BN_CTX *ctx)
{
    return entry == NULL || EC_POINT_add(group, sum, sum, entry, ctx) == 1;
}

/* Both points at once: the doublings are shared. */
static bool sum_combs(const struct rely_fixed_sum *sum, EC_POINT *out)
{
    const struct rely_curve *curve = sum->curve;
    BN_CTX *ctx = sum->ctx;
    uint8_t of_generator[SCALAR_BYTES], of_point[SCALAR_BYTES]; /* little-endian */
    if (BN_bn2lebinpad(sum->a, of_generator, SCALAR_BYTES) != SCALAR_BYTES ||
        BN_bn2lebinpad(sum->b, of_point, SCALAR_BYTES) != SCALAR_BYTES ||
        EC_POINT_set_to_infinity(curve->group, out) != 1)
        return false;
    for (size_t column = COLUMNS; column-- > 0;) {
        if (EC_POINT_dbl(curve->group, out, out, ctx) != 1)
            return false;
        for (size_t table = 0; table < TABLES; table++)
            if (!add_entry(curve->group, out, find_comb_entry(curve->generator, table, column, of_generator), ctx) ||
                !add_entry(curve->group, out, find_comb_entry(sum->point, table, column, of_point), ctx))
                return false;
    }
    return true;
}

/* --- the generator of a group ------------------------------------------------------------------------ */

static bool build_group(const struct rely_curve *curve, struct rely_fixed *fixed, const EC_POINT *point, BN_CTX *ctx)
{
    fixed->group = EC_GROUP_dup(curve->group);
    return fixed->group != NULL &&
           EC_GROUP_set_generator(fixed->group, point, curve->order, EC_GROUP_get0_cofactor(curve->group)) == 1 &&
           EC_GROUP_precompute_mult(fixed->group, ctx) == 1;
}

static bool sum_generators(const struct rely_fixed_sum *sum, EC_POINT *out)
{
    return EC_POINT_mul(sum->curve->generator->group, out, sum->a, NULL, NULL, sum->ctx) == 1 &&
           EC_POINT_mul(sum->point->group, sum->spare, sum->b, NULL, NULL, sum->ctx) == 1 &&
           EC_POINT_add(sum->curve->group, out, out, sum->spare, sum->ctx) == 1;
}

/* --- either ------------------------------------------------------------------------------------------ */

struct rely_fixed *rely_fixed_new(const struct rely_curve *curve, const EC_POINT *point, BN_CTX *ctx)
{
    struct rely_fixed *fixed = rely_alloc(sizeof *fixed);
    if (uses_comb(curve) ? build_comb(curve->group, fixed, point, ctx) : build_group(curve, fixed, point, ctx))
        return fixed;
    rely_fixed_free(fixed);
    return NULL;
}

void rely_fixed_free(struct rely_fixed *fixed)
{
    if (fixed == NULL)
        return;
    for (size_t i = 0; i < COMB_POINTS; i++)
        EC_POINT_free(fixed->comb[i]);
    EC_GROUP_free(fixed->group);
    free(fixed);
}

bool rely_fixed_sum(const struct rely_fixed_sum *sum, EC_POINT *out)
{
    return uses_comb(sum->curve) ? sum_combs(sum, out) : sum_generators(sum, out);
}

/* --- x ------------------------------------------------------------------------------------------------ */

/* A point's x = X / Z^2, over Montgomery's R. */
struct quotient {
    BIGNUM *x, *z_squared;
    BIGNUM *product; /* to work in */
};

/* candidate Z^2 = X: 1 or 0, -1 when OpenSSL failed. */
static int compare_x(const struct rely_curve *curve, const BIGNUM *candidate, const struct quotient *of, BN_CTX *ctx)
{
    if (BN_to_montgomery(of->product, candidate, curve->by_prime, ctx) != 1 ||
        BN_mod_mul_montgomery(of->product, of->product, of->z_squared, curve->by_prime, ctx) != 1)
        return -1;
    return BN_cmp(of->product, of->x) == 0 ? 1 : 0;
}

static int compare_both_x(const struct rely_curve *curve, const EC_POINT *point, const BIGNUM *r, BN_CTX *ctx)
{
    BIGNUM *x = BN_CTX_get(ctx), *z = BN_CTX_get(ctx), *second = BN_CTX_get(ctx), *product = BN_CTX_get(ctx);
    if (product == NULL || EC_POINT_get_Jprojective_coordinates_GFp(curve->group, point, x, NULL, z, ctx) != 1 ||
        BN_from_montgomery(x, x, curve->by_prime, ctx) != 1 ||
        BN_mod_mul_montgomery(z, z, z, curve->by_prime, ctx) != 1)
        return -1;
    const struct quotient of = {.x = x, .z_squared = z, .product = product};
    int answer = compare_x(curve, r, &of, ctx);
    if (answer != 0)
        return answer;
    if (BN_add(second, r, curve->order) != 1)
        return -1;
    return BN_cmp(second, curve->prime) < 0 ? compare_x(curve, second, &of, ctx) : 0;
}

int rely_curve_has_x(const struct rely_curve *curve, const EC_POINT *point, const BIGNUM *r, BN_CTX *ctx)
{
    if (EC_POINT_is_at_infinity(curve->group, point))
        return 0;
    BN_CTX_start(ctx);
    int answer = compare_both_x(curve, point, r, ctx);
    BN_CTX_end(ctx);
    return answer;
}

/* --- the curves ---------------------------------------------------------------------------------------- */

static pthread_once_t curves_once = PTHREAD_ONCE_INIT;
static struct rely_curve curves[RELY_CURVES]; /* index and bytes 0: OpenSSL failed, and there is no such curve */

static bool make_arithmetic(struct rely_curve *curve, BN_CTX *ctx)
{
    curve->order = BN_new();
    curve->prime = BN_new();
    curve->by_order = BN_MONT_CTX_new();
    curve->by_prime = BN_MONT_CTX_new();
    return curve->order != NULL && curve->prime != NULL && curve->by_order != NULL && curve->by_prime != NULL &&
           EC_GROUP_get_order(curve->group, curve->order, ctx) == 1 &&
           EC_GROUP_get_curve(curve->group, curve->prime, NULL, NULL, ctx) == 1 &&
           BN_MONT_CTX_set(curve->by_order, curve->order, ctx) == 1 &&
           BN_MONT_CTX_set(curve->by_prime, curve->prime, ctx) == 1;
}

static bool make_curve(struct rely_curve *curve, int nid, BN_CTX *ctx)
{
    curve->group = EC_GROUP_new_by_curve_name(nid);
    if (curve->group == NULL || !make_arithmetic(curve, ctx))
        return false;
    curve->generator = rely_fixed_new(curve, EC_GROUP_get0_generator(curve->group), ctx);
    return curve->generator != NULL;
}

static void make_curves(void)
{
    static const struct {
        int nid;
        size_t bytes;
    } kinds[RELY_CURVES] = {{NID_X9_62_prime256v1, 32}, {NID_secp384r1, 48}, {NID_secp521r1, 66}};
    BN_CTX *ctx = BN_CTX_new();
    for (size_t i = 0; i < RELY_CURVES && ctx != NULL; i++) {
        curves[i].index = i;
        curves[i].bytes = kinds[i].bytes;
        if (!make_curve(&curves[i], kinds[i].nid, ctx))
            curves[i].bytes = 0;
    }
    BN_CTX_free(ctx);
}

const struct rely_curve *rely_curve_of(size_t point_len)
{
    pthread_once(&curves_once, make_curves);
    for (size_t i = 0; i < RELY_CURVES; i++)
        if (curves[i].bytes != 0 && point_len == 1 + 2 * curves[i].bytes)
            return &curves[i];
    return NULL;
}
