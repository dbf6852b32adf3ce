/*
 * What a cluster says is deleted, as revocations of its record. Decides how many one record may have. Called by admin/, which
 * has found out that it is the cluster that says so.
 */
#include "inside.h"

#include "relyd/buried.h"
#include "relyd/tombstones.h"

static bool bury_one(struct rely_registry *registry, const struct rely_burial *burial,
                     const struct rely_tombstone *stone, struct rely_write_result *result, struct rely_err *err)
{
    struct rely_write_result one = {.is_created = false};
    RELY_JSON_OWNED struct rely_json *body = rely_json_object();
    rely_json_set(body, stone->field, rely_json_of_text(stone->uid));
    rely_json_set(body, "issuerName", rely_json_of_text(burial->issuer_name));
    rely_json_set(body, "reason", rely_json_of_text(RELY_LIT("deleted, as its cluster says")));
    const struct rely_write write = {
        .path = {.object = RELY_OBJECT_REVOCATION}, .body = body, .writer = *burial->writer};
    bool is_written = rely_registry_create(registry, &write, &one, err);
    rely_changes_move(&result->changes, &one.changes);
    memcpy(result->code, one.code, sizeof result->code);
    rely_write_result_fini(&one);
    return is_written;
}

/* Counted in the index, once a report: 10 ms when there are 100,000. */
static bool has_room_for_stones(struct rely_registry *registry, const struct rely_burial *burial,
                                struct rely_write_result *result, struct rely_err *err)
{
    size_t found = 0;
    if (burial->is_counted)
        return true;
    if (!rely_stored_count_tombstones(registry->store, burial->issuer_name, burial->writer->now_s, &found, err))
        return false;
    if (found + burial->count + burial->more <= RELY_TOMBSTONES_MAX)
        return true;
    return rely_write_refuse(result, err, RELY_ERR_LIMIT, "too_many_revocations",
                             "issuer %.*s has %zu tombstones in force, and may have %d", RELY_ARG(burial->issuer_name),
                             found, RELY_TOMBSTONES_MAX);
}

bool rely_registry_bury(struct rely_registry *registry, const struct rely_burial *burial,
                        struct rely_write_result *result, struct rely_err *err)
{
    bool is_done = has_room_for_stones(registry, burial, result, err);
    for (size_t i = 0; is_done && i < burial->count; i++)
        is_done = bury_one(registry, burial, &burial->stones[i], result, err);
    return is_done;
}
