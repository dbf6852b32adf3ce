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
                                       {"issuerGroups", RELY_OBJECT_ISSUER_GROUP, &route->issuer_groups},
                                       {"callers", RELY_OBJECT_IDENTITY, &route->callers}};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t k = 0; k < lists[i].names->count; k++)
            if (!check_named(write, &lists[i], k, err))
                return false;
    return true;
}

#define USERS_SHOWN 10

static bool note_user(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    struct rely_json *users = context, *user = rely_json_object();
    (void)parent;
    rely_json_set(user, "object", rely_json_of_text(rely_slice_of(rely_kind_of(RELY_OBJECT_ROUTE)->word)));
    rely_json_set(user, "name", rely_json_of_text(record->route.name));
    rely_json_append(users, user);
    return true;
}

/* How routes are asked for that name such an object; 0: none can. */
static enum rely_stored_question question_of_users(enum rely_object object)
{
    return object == RELY_OBJECT_ISSUER         ? RELY_STORED_ROUTES_OF_ISSUER
           : object == RELY_OBJECT_ISSUER_GROUP ? RELY_STORED_ROUTES_OF_GROUP
           : object == RELY_OBJECT_IDENTITY     ? RELY_STORED_ROUTES_OF_IDENTITY
                                                : 0;
}

bool rely_routes_check_free(struct rely_registry *registry, const struct rely_object_path *path,
                            struct rely_write_result *result, struct rely_err *err)
{
    const struct rely_stored_asked asked = {
        .question = question_of_users(path->object), .text = path->name, .limit = USERS_SHOWN};
    if (asked.question == 0)
        return true;
    RELY_JSON_OWNED struct rely_json *users = rely_json_array();
    if (!rely_stored_ask(registry->store, &asked, &(struct rely_stored_visit){note_user, users}, err))
        return false;
    size_t count = rely_json_size(users);
    if (count == 0)
        return true;
    result->users = rely_json_share(users);
    return rely_write_refuse(result, err, RELY_ERR_CONFLICT, "in_use",
                             "route %.*s %s this %s: an emptied list would let everything pass",
                             RELY_ARG(rely_json_text(rely_json_get(rely_json_at(users, 0), "name"))),
                             count == 1 ? "names" : "and others name", rely_kind_of(path->object)->word);
}
