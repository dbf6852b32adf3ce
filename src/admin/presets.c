/*
 * Presets: what they are, and an issuer that is made from one. Decides whether there is such a preset; what its parameters may
 * be, policy/ decides, and what a good issuer is, registry/. Called by route.c.
 */
#include "call.h"
#include "relyd/preset.h"

void rely_admin_show_presets(struct rely_admin_call *call)
{
    RELY_JSON_OWNED struct rely_json *shown = rely_presets_show(call->admin->presets);
    rely_admin_answer_json(call->request, 200, shown, NULL);
}

static void refuse_preset(struct rely_admin_call *call)
{
    struct rely_buf rule = {0};
    rely_buf_printf(&rule, "one of ");
    rely_presets_print_names(call->admin->presets, &rule);
    rely_admin_refuse_parameter(call, "preset", rule.ptr);
    rely_buf_fini(&rule);
}

/* In place of the body; NULL: it has been answered. In: body - taken over. */
static struct rely_json *fill_preset(const struct rely_admin_call *call, const struct rely_preset *preset,
                                     struct rely_json *body)
{
    struct rely_problems *problems = rely_pool_alloc(call->request->scratch, sizeof *problems);
    problems->count = 0;
    struct rely_json *made = rely_preset_fill(preset, body, problems);
    rely_json_free(body);
    if (made == NULL)
        rely_http_problem(call->request, 400, "invalid_body", problems->items[0].message, problems);
    return made;
}

/* Parameters: strict, force, preset, inCluster. */
void rely_admin_create_issuer(struct rely_admin_call *call)
{
    struct rely_slice name = call->parameters[2];
    const struct rely_preset *preset = name.ptr == NULL ? NULL : rely_presets_find(call->admin->presets, name);
    size_t bytes;
    if (!rely_admin_read_yes(call->parameters[3], &call->is_in_cluster)) {
        rely_admin_refuse_parameter(call, "inCluster", "true or false");
        return;
    }
    if (name.ptr == NULL) {
        rely_admin_create_object(call);
        return;
    }
    if (preset == NULL) {
        refuse_preset(call);
        return;
    }
    struct rely_json *body = rely_admin_read_body(call, &bytes);
    if (rely_json_type(body) == RELY_JSON_OBJECT)
        body = fill_preset(call, preset, body);
    call->preset = rely_preset_name(preset);
    if (body != NULL)
        rely_admin_create_of_body(call, body, bytes);
}
