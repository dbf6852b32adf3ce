/*
 * Paths of objects, by the table of operations: a kind's collection is where its pages are, and its objects are below,
 * by their names. Decides nothing, and knows no kind. Called by route.c and objects.c.
 */
#include "path.h"

#include "operations.h"

#include <stdio.h>

struct rely_object_path rely_object_path_read(const struct rely_routed *routed, enum rely_object object)
{
    bool has_parent = object != NO_OBJECT && rely_kind_of(object)->parent_column != NULL;
    return (struct rely_object_path){.object = object,
                                     .parent = has_parent ? routed->names[0] : (struct rely_slice){0},
                                     .name = routed->names[has_parent ? 1 : 0]};
}

/* "/v1/identities/{identity}/federatedIdentityCredentials" */
static const char *collection_of(enum rely_object object)
{
    const struct rely_operation *operation;
    for (size_t i = 0; (operation = rely_operation_at(i)) != NULL; i++)
        if (operation->object == object && operation->gives == PAGE)
            return operation->path;
    rely_bug("a kind of object without pages", __FILE__, __LINE__);
}

void rely_object_path_print(const struct rely_object_path *path, struct rely_slice name,
                            char out[RELY_OBJECT_PATH_SIZE])
{
    const char *before = collection_of(path->object);
    size_t len = strcspn(before, "{");
    const char *behind = before + len + strcspn(before + len, "}");
    snprintf(out, RELY_OBJECT_PATH_SIZE, "%.*s%.*s%s%s%.*s", (int)len, before, RELY_ARG(path->parent),
             *behind == '}' ? behind + 1 : behind, name.ptr == NULL ? "" : "/", RELY_ARG(name));
}
