/*
 * That a trust domain is one record's: its tokens have no `iss` by which others could be asked. Called by rules.c.
 */
#include "inside.h"

struct taken_domain {
    const struct rely_writing *write;
    struct rely_err *err;
};

static bool refuse_taken_domain(const union rely_any_record *record, struct rely_slice parent, void *context)
{
    const struct taken_domain *taken = context;
    (void)parent;
    return record->record.id == taken->write->after.record.id ||
           rely_write_refuse(taken->write->result, taken->err, RELY_ERR_CONFLICT, "trust_domain_in_use",
                             "issuer %.*s has this trust domain", RELY_ARG(record->issuer.name));
}

bool rely_trust_domains_check(const struct rely_writing *write, struct rely_err *err)
{
    struct taken_domain taken = {write, err};
    const struct rely_stored_asked asked = {.question = RELY_STORED_BY_TRUST_DOMAIN,
                                            .text = write->after.issuer.trust_domain};
    return asked.text.ptr == NULL || rely_stored_ask(write->registry->store, &asked,
                                                     &(struct rely_stored_visit){refuse_taken_domain, &taken}, err);
}
