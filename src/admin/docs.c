/*
 * The tables of docs/api.md: what is served, the fields of each kind of object, and warnings. Each stands between two
 * marks, by which it is found in the page. Decides nothing. Called by main.c (--print-docs api) and the tests.
 */
#include "operations.h"
#include "relyd/admin.h"
#include "relyd/lint.h"
#include "relyd/schema.h"

static void begin_table(struct rely_buf *out, const char *what, const char *of)
{
    rely_buf_printf(out, "<!-- %s %s, by relyd --print-docs api -->\n", what, of);
}

static void end_table(struct rely_buf *out)
{
    rely_buf_put(out, RELY_LIT("<!-- end -->\n"));
}

void rely_admin_print_docs(struct rely_buf *out)
{
    static const char *const planes[RELY_PLANE_COUNT] = {
        [RELY_PLANE_DATA] = "data", [RELY_PLANE_HEALTH] = "health", [RELY_PLANE_CONTROL] = "control"};
    const struct rely_kind *kind;
    for (int plane = RELY_PLANE_DATA; plane < RELY_PLANE_COUNT; plane++) {
        begin_table(out, "paths of", planes[plane]);
        rely_operations_print((enum rely_plane)plane, out);
        end_table(out);
    }
    for (size_t i = 0; (kind = rely_kind_at(i)) != NULL; i++) {
        if (kind->is_link)
            continue;
        begin_table(out, "fields of", kind->word);
        rely_kind_print_docs(kind, out);
        end_table(out);
    }
    begin_table(out, "codes of", "warnings");
    rely_warnings_print(out);
    end_table(out);
}
