/*
 * Another keys.max_age_s is in force: every fetched set that goes by it has another end. Decides nothing. Called by
 * service/ when the configuration was read again.
 */
#include "inside.h"

#include "relyd/text.h"

struct ageing {
    const struct rely_control *control;
    struct rely_snapshot *next;
};

static bool set_new_end(const void *item, void *context)
{
    const struct rely_issuer *issuer = item;
    const struct ageing *ageing = context;
    bool goes_by_setting = issuer->source.max_age_s == 0 && !issuer->has_uploaded_keys;
    if (!goes_by_setting || issuer->keyset == NULL || issuer->keys_until_s == 0)
        return true;
    struct rely_issuer copy = *issuer;
    copy.keys_until_s =
        rely_accept_until_s(issuer->keys_fetched_s, ageing->next->keys_max_age_s, rely_control_now_s(ageing->control));
    rely_snapshot_renew_issuer(ageing->next, rely_issuer_copy(&copy));
    return true;
}

void rely_control_set_max_age(struct rely_control *control, int64_t max_age_s)
{
    struct ageing ageing = {control, rely_snapshot_next(control->snapshot, control->snapshot->revision)};
    ageing.next->keys_max_age_s = max_age_s;
    rely_map_each(&control->snapshot->issuers_by_id, set_new_end, &ageing);
    rely_control_publish(control, ageing.next);
}
