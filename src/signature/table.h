/* ECDSA by tables: what signature.c, scratch.c and the tests use of table.c. */
#ifndef RELYD_SIGNATURE_TABLE_H
#define RELYD_SIGNATURE_TABLE_H

#include "relyd/signature.h"

/* What one thread needs to verify by tables. Not thread-safe. */
struct rely_table_scratch;
/* NULL: OpenSSL failed. Owner: the caller: rely_table_scratch_free. */
struct rely_table_scratch *rely_table_scratch_new(void);
void rely_table_scratch_free(struct rely_table_scratch *scratch);

/**
 * Does an ECDSA signature verify under the key of this table?
 *
 * Spec:     FIPS 186-4 s6.4, SEC 1 s4.1.4.
 * In:       digest - not longer than the curve's order; raw - R || S.
 * Returns:  1 yes, 0 no, -1 could not tell: the length is none of this curve's, or OpenSSL failed (then its error queue
 *           says how). The caller asks EVP.
 */
int rely_key_table_verify(const struct rely_key_table *table, struct rely_table_scratch *scratch,
                          struct rely_slice digest, struct rely_slice raw);

/* Was the table made of this point? */
bool rely_key_table_is_of(const struct rely_key_table *table, const struct rely_key_point *point);

#endif
