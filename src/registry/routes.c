/*
 * What a route names must be there, and stays while it is named: of a list that became empty everything would pass.
 * Called by rules.c and delete.c.
 */
#include "inside.h"
#include "relyd/text.h"
#include <stdio.h>

/* A list of a route, of names of objects of one kind. */
struct named_list {
    const char *field;
    enum rely_object object;
    const struct rely_texts *names;
};

static bool check_named(const struct rely_writing *write, const struct named_list *list, size_t index,
                        struct rely_err *err)
{
    union rely_any_record found;
    char field[48];
    const struct rely_stored_place place = {.kind = rely_kind_of(list->object), .name = list->names->items[index]};
    if (place.name.ptr == NULL)
        return true; /* it has been noted that it is none */
    if (!rely_stored_find_name(write->registry->store, &place, write->body.pool, &found, err))
        return false;
    snprintf(field, sizeof field, "%s[%zu]", list->field, index);
    if (found.record.id == 0)
        rely_problems_add(write->body.problems, field, "not_registered", "%s: there is no %s %.150s", field,
                          place.kind->word, place.name.ptr);
    return true;
}

bool rely_routes_bind(struct rely_writing *write, struct rely_err *err)
{
    const struct rely_route_record *route = &write->after.route;
    const struct named_list lists[] = {{"identities", RELY_OBJECT_IDENTITY, &route->identities},
                                       {"issuers", RELY_OBJECT_ISSUER, &route->issuers},
                                       {"callers", RELY_OBJECT_IDENTITY, &route->callers}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t k = 0; k < lists[i].names->count; k++)
            if (!check_named(write, &lists[i], k, err))
                return false;
    return true;
}

/* An object that is to go, and a route that names it. */
struct going {
    const struct rely_object_path *path;
    struct rely_write_result *result;
    struct rely_err *err;
};

static bool refuse_named(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct going *going = context;
    (void)parent;
    return rely_write_refuse(going->result, going->err, RELY_ERR_CONFLICT, "in_use",
                             "route %.*s names this %s: an emptied list would let everything pass",
                             RELY_ARG(record->route.name), rely_kind_of(going->path->object)->word);
}

bool rely_routes_check_free(struct rely_registry *registry, const struct rely_object_path *path,
                            struct rely_write_result *result, struct rely_err *err)
{
    struct going going = {path, result, err};
    bool is_issuer = path->object == RELY_OBJECT_ISSUER;
    const struct rely_stored_asked asked = {
        .question = is_issuer ? RELY_STORED_ROUTES_OF_ISSUER : RELY_STORED_ROUTES_OF_IDENTITY, .text = path->name};
    if (!is_issuer && path->object != RELY_OBJECT_IDENTITY)
        return true;
    return rely_stored_ask(registry->store, &asked, &(struct rely_stored_visit){refuse_named, &going}, err);
}
