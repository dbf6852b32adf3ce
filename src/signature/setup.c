/*
 * By which arithmetic signatures are judged, chosen once at the start, and which verifications EVP repeats in the
 * field. Decides nothing about a signature. Called by service/ at the start, and by signature.c.
 */
#include "verify.h"

#include "relyd/text.h"

/* Written before there are threads, only read afterwards. */
static struct rely_signature_options chosen;

static _Atomic uint64_t recheck_count;

void rely_signature_setup(const struct rely_signature_options *options)
{
    chosen = *options;
}

bool rely_signature_is_evp_only(void)
{
    return chosen.is_evp_only;
}

uint64_t rely_signature_rechecks(void)
{
    return atomic_load_explicit(&recheck_count, memory_order_relaxed);
}

/* From 1 to 2 n - 1, so that n is the mean and whoever counts verifications does not know the next one that is
 * repeated. */
static uint32_t draw_gap(uint32_t one_in)
{
    uint64_t random;
    rely_random(&random, sizeof random);
    return 1 + (uint32_t)(random % (2 * (uint64_t)one_in - 1));
}

bool rely_signature_takes_sample(struct rely_scratch *scratch)
{
    uint32_t *left = rely_scratch_countdown(scratch);
    if (chosen.recheck_one_in == 0)
        return false;
    if (*left == 0)
        *left = draw_gap(chosen.recheck_one_in);
    if (--*left > 0)
        return false;
    atomic_fetch_add_explicit(&recheck_count, 1, memory_order_relaxed);
    return true;
}
