/*
 * The status of an issuer: its conditions, each with what was measured and what mends it. Not the record's: the keeper
 * knows it. Decides nothing. Called by objects.c for whoever reads an issuer, and by refresh.c.
 */
#include "keys.h"

void rely_admin_put_condition(struct rely_buf *out, const struct rely_issuer_conditions *conditions,
                              enum rely_condition condition)
{
    enum rely_cause cause = conditions->items[condition].cause;
    const char *measured = conditions->items[condition].measured, *mends = rely_cause_mends(cause);
    rely_buf_put(out, RELY_LIT(""));
    if (measured != NULL || rely_cause_status(cause) == RELY_CONDITION_FALSE)
        rely_buf_printf(out, "%s", measured == NULL ? rely_cause_sentence(cause) : measured);
    if (mends[0] != '\0' && !conditions->items[condition].is_advised)
        rely_buf_printf(out, "%s to mend it, %s", measured == NULL ? "" : ":", mends);
}

static struct rely_json *show_condition(const struct rely_issuer_conditions *conditions, enum rely_condition condition)
{
    enum rely_cause cause = conditions->items[condition].cause;
    enum rely_condition_status status = rely_cause_status(cause);
    struct rely_json *item = rely_json_object();
    struct rely_buf message = {0};
    rely_admin_put_condition(&message, conditions, condition);
    rely_admin_set_text(item, "type", rely_slice_of(rely_condition_word(condition)));
    rely_admin_set_text(item, "status", rely_slice_of(rely_condition_status_word(status)));
    rely_admin_set_text(item, "reason", rely_slice_of(rely_cause_word(cause)));
    rely_admin_set_text(item, "message", rely_buf_slice(&message));
    rely_admin_set_time(item, "since", conditions->items[condition].since_s);
    rely_buf_fini(&message);
    return item;
}

/* NULL: nobody keeps its keys. */
static struct rely_json *show_status(const struct rely_admin *admin, int64_t issuer_id)
{
    struct rely_issuer_conditions conditions;
    if (!admin->conditions(admin->service, issuer_id, &conditions))
        return NULL;
    struct rely_json *list = rely_json_array(), *status = rely_json_object();
    for (int i = 0; i < RELY_CONDITION_COUNT; i++)
        rely_json_append(list, show_condition(&conditions, (enum rely_condition)i));
    rely_json_set(status, "conditions", list);
    return status;
}

struct rely_json *rely_admin_show_issuer(const struct rely_admin *admin, struct rely_json *record, int64_t issuer_id)
{
    struct rely_json *status = show_status(admin, issuer_id), *shown = rely_json_object();
    for (const char *name = rely_json_next_name(record, NULL); name != NULL; name = rely_json_next_name(record, name)) {
        if (status != NULL && strcmp(name, "createdAt") == 0) {
            rely_json_set(shown, "status", status);
            status = NULL;
        }
        rely_json_set(shown, name, rely_json_share(rely_json_get(record, name)));
    }
    rely_json_free(status);
    return shown;
}
