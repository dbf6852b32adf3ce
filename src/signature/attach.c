/*
 * Which keys get a table: those that have verified often enough, each asked for once; and the giving of a finished
 * table to its key's verifier. Decides nothing about a signature. Called by the endpoints (asking) and the service (the rest).
 */
#include "relyd/keys.h"
#include "verify.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#define ASKED (1U << 31)

/* Of tables that keys have. */
static atomic_size_t table_count;

bool rely_key_point_of(const struct rely_key *key, struct rely_key_point *out)
{
    struct rely_key_point point = {.len = 0};
    bool is_point = (rely_key_algs(key) & RELY_ALGS_ECDSA) != 0 &&
                    EVP_PKEY_get_octet_string_param(rely_key_pkey(key), OSSL_PKEY_PARAM_PUB_KEY, point.bytes,
                                                    sizeof point.bytes, &point.len) == 1 &&
                    point.bytes[0] == 4;
    ERR_clear_error();
    if (is_point)
        *out = point;
    return is_point;
}

void rely_verifier_count_success(struct rely_verifier *verifier)
{
    atomic_uint *count = &verifier->verified_count;
    unsigned enough = (verifier->algs & RELY_ALGS_ECDSA) != 0 ? RELY_KEY_TABLE_SUCCESSES : 1;
    /* Workers that race pass the mark by a few; beyond it nothing is written, so that they do not share the line. */
    if (atomic_load_explicit(count, memory_order_relaxed) < enough)
        atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

bool rely_signature_has_verified(const struct rely_key *key)
{
    struct rely_verifier *verifier = rely_key_verifier(key);
    return verifier != NULL && atomic_load_explicit(&verifier->verified_count, memory_order_relaxed) != 0;
}

bool rely_signature_wants_table(const struct rely_key *key)
{
    struct rely_verifier *verifier = rely_key_verifier(key);
    if (verifier == NULL)
        return false;
    unsigned seen = atomic_load_explicit(&verifier->verified_count, memory_order_relaxed);
    if (seen < RELY_KEY_TABLE_SUCCESSES || (verifier->algs & RELY_ALGS_ECDSA) == 0 || (seen & ASKED) != 0 ||
        rely_signature_is_evp_only())
        return false;
    return (atomic_fetch_or_explicit(&verifier->verified_count, ASKED, memory_order_relaxed) & ASKED) == 0;
}

void rely_key_table_release(struct rely_key_table *table)
{
    rely_key_table_free(table);
    atomic_fetch_sub_explicit(&table_count, 1, memory_order_relaxed);
}

bool rely_key_table_attach(const struct rely_key *key, struct rely_key_table *table)
{
    struct rely_verifier *verifier = rely_key_verifier(key);
    struct rely_key_point point;
    /* A table on the wrong key would believe another key's signatures. */
    if (verifier == NULL || !rely_key_point_of(key, &point) || !rely_key_table_is_of(table, &point) ||
        atomic_load_explicit(&verifier->table, memory_order_relaxed) != NULL) {
        rely_key_table_free(table);
        return false;
    }
    atomic_fetch_add_explicit(&table_count, 1, memory_order_relaxed);
    atomic_store_explicit(&verifier->table, table, memory_order_release);
    return true;
}

size_t rely_key_tables_count(void)
{
    return atomic_load_explicit(&table_count, memory_order_relaxed);
}
