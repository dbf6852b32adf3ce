/*
 * Tells RSA moduli made by Infineon's library of 2012-2017 (ROCA, CVE-2017-15361): its primes are powers of 65537
 * modulo many small primes, and so is their product; who knows that factors a key of 2048 bits. Smart cards, TPMs and
 * tokens have such keys to this day. Called by material.c.
 */
#include "key.h"

/* Of a modulus that is no such product every prime but the least lets through a part; all 38 together one in 2^28. */
static bool is_power_of_65537(BN_ULONG residue, BN_ULONG prime)
{
    BN_ULONG power = 1;
    do {
        if (power == residue)
            return true;
        power = power * 65537 % prime;
    } while (power != 1);
    return false;
}

static bool is_roca(const BIGNUM *modulus)
{
    static const uint8_t primes[] = {11,  13,  17,  19,  37,  53,  61,  71,  73,  79,  97,  103, 107,
                                     109, 127, 151, 157, 3,   5,   7,   23,  29,  31,  41,  43,  47,
                                     59,  67,  83,  89,  101, 113, 131, 137, 139, 149, 163, 167};
    for (size_t i = 0; i < sizeof(primes); i++)
        if (!is_power_of_65537(BN_mod_word(modulus, primes[i]), primes[i]))
            return false;
    return true;
}

bool rely_rsa_is_roca(struct rely_slice n)
{
    BIGNUM *modulus = BN_bin2bn((const uint8_t *)n.ptr, (int)n.len, NULL);
    bool is_one = modulus == NULL || is_roca(modulus); /* want of memory: not used */
    BN_free(modulus);
    return is_one;
}
