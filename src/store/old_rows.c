/*
 * What a row that is older than one of its columns has there, where the column's default would change what it means.
 * Decides nothing else of a migration, which migrate.c is. Called by it.
 */
#include "inside.h"

static const struct {
    const char *table, *column, *update;
} fills[] = {
    /* Keys that were in force go on: 683 characters are 4096 bits, and these are the exponents up to 65537 that anybody
     * uses. Where that is too much, a record may have costly keys as before. */
    {"issuer", "allow_costly_keys",
     "UPDATE issuer SET allow_costly_keys = 1 WHERE id IN (SELECT issuer_id FROM key_set WHERE"
     " CASE WHEN json_valid(document) THEN EXISTS (SELECT 1 FROM json_each(document, '$.keys') AS entry"
     " WHERE entry.type = 'object' AND json_extract(entry.value, '$.kty') = 'RSA'"
     " AND (length(json_extract(entry.value, '$.n')) > 683"
     " OR json_extract(entry.value, '$.e') NOT IN ('AQAB', 'Aw', 'BQ', 'EQ', 'AQE'))) ELSE 0 END)"},
};

const char *rely_schema_fill_old_rows(const struct rely_kind *kind, const char *column)
{
    for (size_t i = 0; i < sizeof fills / sizeof fills[0]; i++)
        if (strcmp(fills[i].table, kind->table) == 0 && strcmp(fills[i].column, column) == 0)
            return fills[i].update;
    return NULL;
}
