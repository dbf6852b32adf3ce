/*
 * The table of operations in words: docs/api.md's lists of paths. Decides nothing: all text comes from operation.def.
 * Called by docs.c.
 */
#include "operations.h"

#define OPERATION(method_name, template, parameters, takes, gives, object, needs, handler, text)                       \
    {(method_name), (template), "", (parameters), (text), PLANE, (takes), (gives), (object), (needs)},
#define OPERATION_BELOW(prefix, behind, parameters, text)                                                              \
    {"ANY", (prefix), (behind), (parameters), (text), PLANE, NOTHING, NOTHING, NO_OBJECT, REVIEWER},

static const struct rely_operation operations[] = {
#define PLANE RELY_PLANE_DATA
#define RELY_OPERATIONS_OF_CHECK
#define RELY_OPERATIONS_OF_DATA
#include "relyd/operation.def"
#undef RELY_OPERATIONS_OF_CHECK
#undef RELY_OPERATIONS_OF_DATA
#undef PLANE
#define PLANE RELY_PLANE_HEALTH
#define RELY_OPERATIONS_OF_HEALTH
#include "relyd/operation.def"
#undef RELY_OPERATIONS_OF_HEALTH
#undef PLANE
#define PLANE RELY_PLANE_CONTROL
#define RELY_OPERATIONS_OF_CONTROL
#include "relyd/operation.def"
#undef RELY_OPERATIONS_OF_CONTROL
};

const struct rely_operation *rely_operation_at(size_t index)
{
    return index < sizeof operations / sizeof operations[0] ? &operations[index] : NULL;
}

const char *rely_need_words(enum rely_need need)
{
    static const char *const words[] = {[ANYBODY] = "nothing",
                                        [REVIEWER] = "reviewer",
                                        [ADMIN] = "admin",
                                        [VIEWER] = "viewer",
                                        [VIEWER_OR_OWNER] = "viewer, or owner of any identity",
                                        [VIEWER_OR_ITS_OWNER] = "viewer, or owner of the identity",
                                        [CLUSTER] = "a token of the issuer, of one of its `pushSubjects`",
                                        [ADMIN_OR_ITS_OWNER] =
                                            "admin, or owner of the identity while that has no role"};
    return words[need];
}

/* "?a&b" of "a b". */
static void put_parameters(struct rely_buf *out, const char *query)
{
    char before = '?';
    for (; query != NULL && *query != '\0'; query += strspn(query, " ")) {
        size_t len = strcspn(query, " ");
        rely_buf_printf(out, "%c%.*s", before, (int)len, query);
        before = '&';
        query += len;
    }
}

void rely_operations_print(enum rely_plane plane, struct rely_buf *out)
{
    const struct rely_operation *operation;
    rely_buf_put(out, RELY_LIT("| path | needs | meaning |\n| --- | --- | --- |\n"));
    for (size_t i = 0; (operation = rely_operation_at(i)) != NULL; i++) {
        if (operation->plane != plane)
            continue;
        rely_buf_printf(out, "| `%s %s%s", operation->method, operation->path, operation->rest);
        put_parameters(out, operation->query);
        rely_buf_printf(out, "` | %s | %s |\n", rely_need_words(operation->needs), operation->sentence);
    }
}
