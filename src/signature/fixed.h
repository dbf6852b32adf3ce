/*
 * Multiples of points that stay the same, made cheap by tables: a curve's generator, and the public point of a key.
 * Between table.c, which knows ECDSA, and fixed.c, which knows OpenSSL's old functions on points.
 */
#ifndef RELYD_SIGNATURE_FIXED_H
#define RELYD_SIGNATURE_FIXED_H

#include "relyd/signature.h"

#include <openssl/bn.h>
#include <openssl/ec.h>

/* A point with its table. Immutable; read by all threads. */
struct rely_fixed;

/* One of P-256, P-384 and P-521: made once, for the life of the process. */
struct rely_curve {
    size_t index;                 /* 0 to RELY_CURVES - 1 */
    size_t bytes;                 /* of a coordinate, and of r and of s */
    EC_GROUP *group;              /* the curve as OpenSSL has it, without a table of ours */
    BIGNUM *order, *prime;        /* n and p */
    BN_MONT_CTX *by_order;        /* Montgomery's arithmetic modulo n, */
    BN_MONT_CTX *by_prime;        /* and modulo p */
    struct rely_fixed *generator; /* G */
};
#define RELY_CURVES 3

/* The curve of an uncompressed point of this length. NULL: none has it, or OpenSSL failed. Thread: any; the first call
 * makes the curves: 3 ms. */
const struct rely_curve *rely_curve_of(size_t point_len);

/* A point's table: 160 KiB and 28 ms (P-256), 180 KiB and 2 ms (P-384), 10 KiB and 0.3 ms (P-521). NULL: OpenSSL
 * failed. Owner: the caller: rely_fixed_free. */
struct rely_fixed *rely_fixed_new(const struct rely_curve *curve, const EC_POINT *point, BN_CTX *ctx);
void rely_fixed_free(struct rely_fixed *fixed);

/* a G + b Q, and where it is worked out; all borrowed. */
struct rely_fixed_sum {
    const struct rely_curve *curve;
    const struct rely_fixed *point; /* Q */
    const BIGNUM *a, *b;            /* from 0 to n - 1 */
    EC_POINT *spare;                /* any point of the curve, overwritten */
    BN_CTX *ctx;
};

/* With the generator's table and the point's. False: OpenSSL failed. */
bool rely_fixed_sum(const struct rely_fixed_sum *sum, EC_POINT *out);

/**
 * Is r the point's x coordinate modulo n? 1 yes, 0 no (also for infinity, which has none), -1 OpenSSL failed.
 *
 * Spec:     FIPS 186-4 s6.4.2, SEC 1 s4.1.4 step 8. x = X / Z^2 is compared as r Z^2 = X, and, since x is from 0 to
 *           p - 1 and p is larger than n, as (r + n) Z^2 = X when r + n < p: no inversion.
 * In:       r - from 1 to n - 1.
 */
int rely_curve_has_x(const struct rely_curve *curve, const EC_POINT *point, const BIGNUM *r, BN_CTX *ctx);

#endif
