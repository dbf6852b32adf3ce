/*
 * What a replacement takes away by leaving it out: a PUT sets back to its default what it does not name, and who renews
 * keys has not meant to open a door. Decides nothing: whoever writes is told. Called by registry/ for what it accepts.
 */
#include "kind.h"
#include "relyd/compose.h"
#include "relyd/lint.h"

/* Both as they are shown, so that what is made of several columns is one field. */
static bool is_shown_same(const struct rely_kind *kind, const struct rely_field *field, const void *before,
                          const void *after)
{
    RELY_JSON_OWNED struct rely_json *old = rely_field_show(kind, field, before);
    RELY_JSON_OWNED struct rely_json *new = rely_field_show(kind, field, after);
    struct rely_buf old_text = {0}, new_text = {0};
    if (old == NULL || new == NULL)
        return old == new;
    rely_json_print(old, &old_text);
    rely_json_print(new, &new_text);
    bool is_same = rely_slice_equal(rely_buf_slice(&old_text), rely_buf_slice(&new_text));
    rely_buf_fini(&old_text);
    rely_buf_fini(&new_text);
    return is_same;
}

void rely_lint_left_out(const struct rely_body *body, const void *after, struct rely_problems *warnings)
{
    for (size_t i = 0; body->before != NULL && i < body->kind->field_count; i++) {
        const struct rely_field *field = &body->kind->fields[i];
        if ((field->flags & RELY_FIELD_PROTECTS) == 0 || rely_json_get(body->json, field->json) != NULL ||
            is_shown_same(body->kind, field, body->before, after))
            continue;
        rely_warn(warnings, RELY_WARNING_PROTECTION_LEFT_OUT, field->json,
                  "%s was left out, and is back at its default: give it as GET shows it, or as it is meant to be",
                  field->json);
    }
}
