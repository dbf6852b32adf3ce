/*
 * Reading objects: one by its name, a page of a collection, or all of a kind. Decides nothing; an object that is not
 * there is a fault only for whoever asked for it. Called by admin/ and by the builder of the first snapshot.
 */
#include "inside.h"
#include <stdio.h>

void rely_registry_print_etag(uint64_t revision, char etag[32])
{
    snprintf(etag, 32, "\"%llx\"", (unsigned long long)revision);
}

bool rely_registry_find_parent(struct rely_registry *registry, const struct rely_object_path *path, int64_t *parent_id,
                               struct rely_err *err)
{
    struct rely_pool pool;
    union rely_any_record parent;
    const struct rely_kind *kind = rely_kind_of(path->object);
    *parent_id = 0;
    if (kind->parent_column == NULL)
        return true;
    const struct rely_stored_place place = {.kind = rely_kind_of(kind->parent), .name = path->parent};
    rely_pool_init(&pool);
    bool is_found = rely_stored_find_name(registry->store, &place, &pool, &parent, err);
    rely_pool_fini(&pool);
    *parent_id = parent.record.id;
    return is_found &&
           (*parent_id != 0 || rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such %s", place.kind->word));
}

/* --- one object ------------------------------------------------------------------------------------------- */

/* What of a record goes out. */
struct shown {
    struct rely_json **object;
    char *etag;
};

static bool show_found(struct rely_registry *registry, const struct rely_kind *kind,
                       const union rely_any_record *record, const struct shown *out, struct rely_err *err)
{
    if (record->record.id == 0)
        return rely_err_set(err, RELY_ERR_NOT_FOUND, "there is no such %s", kind->word);
    *out->object = rely_record_show(kind, record);
    if (*out->object == NULL)
        return rely_stored_damaged(registry->store, kind, record->record.id, err);
    rely_registry_print_etag(record->record.revision, out->etag);
    return true;
}

bool rely_registry_read(struct rely_registry *registry, const struct rely_object_path *path, struct rely_json **object,
                        char etag[32], struct rely_err *err)
{
    struct rely_pool pool;
    union rely_any_record record;
    const struct shown shown = {object, etag};
    struct rely_stored_place place = {.kind = rely_kind_of(path->object), .name = path->name};
    if (!rely_registry_find_parent(registry, path, &place.parent_id, err))
        return false;
    rely_pool_init(&pool);
    bool is_read = rely_stored_find(registry->store, &place, &pool, &record, err) &&
                   show_found(registry, place.kind, &record, &shown, err);
    rely_pool_fini(&pool);
    return is_read;
}

/* --- several ------------------------------------------------------------------------------------------------ */

/* A page that is being collected. */
struct collecting {
    struct rely_registry *registry;
    const struct rely_kind *kind;
    struct rely_json *array;
    int64_t *ids; /* borrowed; or NULL */
    struct rely_err *err;
};

static bool collect_record(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    struct collecting *collecting = context;
    struct rely_json *object = rely_record_show(collecting->kind, record);
    (void)parent;
    if (object == NULL)
        return rely_stored_damaged(collecting->registry->store, collecting->kind, record->record.id, collecting->err);
    if (collecting->ids != NULL)
        collecting->ids[rely_json_size(collecting->array)] = record->record.id;
    rely_json_append(collecting->array, object);
    return true;
}

bool rely_registry_list(struct rely_registry *registry, const struct rely_object_path *parent,
                        struct rely_object_page *page, struct rely_err *err)
{
    struct collecting collecting = {.registry = registry,
                                    .kind = rely_kind_of(parent->object),
                                    .array = rely_json_array(),
                                    .ids = page->ids,
                                    .err = err};
    const struct rely_stored_visit visit = {collect_record, &collecting};
    struct rely_slice after = page->after.ptr == NULL ? RELY_LIT("") : page->after;
    struct rely_stored_page stored = {.after = {.kind = collecting.kind, .name = after}, .limit = page->limit};
    if (rely_registry_find_parent(registry, parent, &stored.after.parent_id, err) &&
        rely_stored_read_page(registry->store, &stored, &visit, err)) {
        page->array = collecting.array;
        page->has_more = stored.has_more;
        return true;
    }
    rely_json_free(collecting.array);
    return false;
}

/* Whoever visits for the snapshot takes whatever comes. */
struct visiting {
    void (*visit)(const union rely_any_record *record, void *context);
    void *context;
};

static bool take_any(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct visiting *visiting = context;
    (void)parent;
    visiting->visit(record, visiting->context);
    return true;
}

bool rely_registry_each(struct rely_registry *registry, enum rely_object object,
                        void (*visit)(const union rely_any_record *record, void *context), void *context,
                        struct rely_err *err)
{
    struct visiting visiting = {visit, context};
    return rely_stored_read_all(registry->store, rely_kind_of(object), &(struct rely_stored_visit){take_any, &visiting},
                                err);
}
