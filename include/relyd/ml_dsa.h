/*
 * ml_dsa: which algorithms of ML-DSA (FIPS 204, RFC 9964) this process verifies: none, but where it is told to and
 * OpenSSL's providers have them.
 */
#ifndef RELYD_ML_DSA_H
#define RELYD_ML_DSA_H

#include "relyd/token.h"

/**
 * Ask OpenSSL by name for each ML-DSA algorithm, once for the process. Without it none is available.
 *
 * In:       is_wanted - crypto.ml_dsa; false: none is available, whatever OpenSSL has.
 * Out:      is any available?
 * Thread:   before the first key is read and the first other thread is there.
 */
bool rely_ml_dsa_setup(bool is_wanted);

/* Is it one that relyd knows and this process cannot verify? Thread: any. */
bool rely_alg_is_unavailable(enum rely_alg alg);

#endif
