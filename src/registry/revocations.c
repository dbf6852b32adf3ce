/*
 * What a revocation names must be there, when it ends if nobody says, and that what has ended is deleted. Called by
 * rules.c, and by service/ from time to time.
 */
#include "inside.h"
#include "relyd/text.h"
#include <stdlib.h>

/* False with a fault. In: place - whose kind and name the field says. Out: *record - id 0: it is not there, which is
 * noted. */
static bool find_named(const struct rely_writing *write, const char *field, const struct rely_stored_place *place,
                       union rely_any_record *record, struct rely_err *err)
{
    char quoted[RELY_QUOTED_SIZE];
    if (!rely_stored_find(write->registry->store, place, write->body.pool, record, err))
        return false;
    if (record->record.id == 0)
        rely_problems_add(write->body.problems, field, "not_registered", "no registered %s has the name %.150s",
                          place->kind->word, rely_quote(place->name, quoted));
    return true;
}

/* The latest moment at which a token of now may still be accepted: its `iat` may be ahead of this clock by the leeway,
 * and it is taken for as much longer. */
static int64_t find_last_end(const struct rely_issuer_record *issuer, int64_t now_s)
{
    return now_s + issuer->max_lifetime_s + 2 * issuer->leeway_s;
}

static bool bind_issuer_name(struct rely_writing *write, struct rely_err *err)
{
    union rely_any_record issuer;
    struct rely_revocation_record *revocation = &write->after.revocation;
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_ISSUER), .name = revocation->issuer_name};
    if (!find_named(write, "issuerName", &place, &issuer, err))
        return false;
    if (issuer.record.id != 0 && issuer.issuer.max_lifetime_s > 0 && rely_json_get(write->body.json, "until") == NULL)
        revocation->until_at = find_last_end(&issuer.issuer, write->writer->now_s);
    return true;
}

bool rely_revocations_bind(struct rely_writing *write, struct rely_err *err)
{
    union rely_any_record identity;
    const struct rely_revocation_record *revocation = &write->after.revocation;
    if (revocation->until_at != 0 && revocation->until_at <= write->writer->now_s)
        rely_problems_add(write->body.problems, "until", "out_of_range", "until is past: it would hit nothing");
    const struct rely_stored_place place = {.kind = rely_kind_of(RELY_OBJECT_IDENTITY), .name = revocation->identity};
    if (revocation->identity.ptr != NULL && !find_named(write, "identity", &place, &identity, err))
        return false;
    return revocation->issuer_name.ptr == NULL || bind_issuer_name(write, err);
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

/* Names of those that are over, before any of them is deleted. */
struct over {
    struct rely_pool pool;
    struct rely_slice names[RELY_SWEPT_AT_ONCE];
    size_t count;
};

static bool note_over(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    struct over *over = context;
    (void)parent;
    if (over->count < RELY_SWEPT_AT_ONCE)
        over->names[over->count++] = rely_pool_copy(&over->pool, record->revocation.name);
    return true;
}

static bool delete_over(struct rely_registry *registry, struct rely_slice name, int64_t now_s,
                        struct rely_changes *changes, struct rely_err *err)
{
    struct rely_write_result result = {.is_created = false};
    const struct rely_object_path path = {.object = RELY_OBJECT_REVOCATION, .name = name};
    const struct rely_writer writer = {.actor = RELY_LIT("sweep"), .now_s = now_s, .may_end_admins = true};
    bool is_deleted = rely_registry_delete(registry, &path, &writer, &result, err);
    if (is_deleted)
        rely_changes_move(changes, &result.changes);
    rely_write_result_fini(&result);
    return is_deleted;
}

bool rely_registry_sweep(struct rely_registry *registry, int64_t now_s, struct rely_changes *changes, size_t *count,
                         struct rely_err *err)
{
    struct over *over = rely_alloc(sizeof *over);
    const struct rely_stored_asked asked = {.question = RELY_STORED_OVER, .number = now_s, .limit = RELY_SWEPT_AT_ONCE};
    rely_pool_init(&over->pool);
    bool is_done = rely_stored_ask(registry->store, &asked, &(struct rely_stored_visit){note_over, over}, err);
    for (*count = 0; is_done && *count < over->count; *count += is_done ? 1 : 0)
        is_done = delete_over(registry, over->names[*count], now_s, changes, err);
    rely_pool_fini(&over->pool);
    free(over);
    return is_done;
}
