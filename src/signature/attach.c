/*
 * Which keys get a table: those that have verified often enough, each asked for once; and the hanging of a finished
 * table on its key. Decides nothing about a signature. Called by the endpoints (asking) and the service (the rest).
 */
#include "verify.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#define ASKED (1U << 31)

/* Of tables that hang on keys. */
static atomic_size_t table_count;

bool rely_key_point_of(const struct rely_key *key, struct rely_key_point *out)
{
    struct rely_key_point point = {.len = 0};
    bool is_point = (key->algs & RELY_ALGS_ECDSA) != 0 &&
                    EVP_PKEY_get_octet_string_param(key->pkey, OSSL_PKEY_PARAM_PUB_KEY, point.bytes, sizeof point.bytes,
                                                    &point.len) == 1 &&
                    point.bytes[0] == 4;
    ERR_clear_error();
    if (is_point)
        *out = point;
    return is_point;
}

void rely_key_count_success(const struct rely_key *key)
{
    atomic_uint *count = (atomic_uint *)&key->verified_count;
    unsigned enough = (key->algs & RELY_ALGS_ECDSA) != 0 ? RELY_KEY_TABLE_SUCCESSES : 1;
    /* Workers that race pass the mark by a few; beyond it nothing is written, so that they do not share the line. */
    if (atomic_load_explicit(count, memory_order_relaxed) < enough)
        atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
}

bool rely_signature_has_verified(const struct rely_key *key)
{
    return atomic_load_explicit((atomic_uint *)&key->verified_count, memory_order_relaxed) != 0;
}

bool rely_signature_wants_table(const struct rely_key *key)
{
    atomic_uint *count = (atomic_uint *)&key->verified_count;
    unsigned seen = atomic_load_explicit(count, memory_order_relaxed);
    if (seen < RELY_KEY_TABLE_SUCCESSES || (key->algs & RELY_ALGS_ECDSA) == 0 || (seen & ASKED) != 0 ||
        rely_signature_is_evp_only())
        return false;
    return (atomic_fetch_or_explicit(count, ASKED, memory_order_relaxed) & ASKED) == 0;
}

static void release_table(struct rely_key_table *table)
{
    rely_key_table_free(table);
    atomic_fetch_sub_explicit(&table_count, 1, memory_order_relaxed);
}

bool rely_key_table_attach(const struct rely_key *key, struct rely_key_table *table)
{
    /* Keys are const for all who only read them; this thread is their owner. */
    struct rely_key *owned = (struct rely_key *)key;
    struct rely_key_point point;
    /* A table on the wrong key would believe another key's signatures. */
    if (!rely_key_point_of(key, &point) || !rely_key_table_is_of(table, &point) ||
        atomic_load_explicit(&owned->table, memory_order_relaxed) != NULL) {
        rely_key_table_free(table);
        return false;
    }
    atomic_fetch_add_explicit(&table_count, 1, memory_order_relaxed);
    owned->free_table = release_table;
    atomic_store_explicit(&owned->table, table, memory_order_release);
    return true;
}

size_t rely_key_tables_count(void)
{
    return atomic_load_explicit(&table_count, memory_order_relaxed);
}
