/*
 * tenant: whether a rule says which of the tenants of a shared issuer it is for. Pure: everything comes from the two
 * records.
 */
#ifndef RELYD_TENANT_H
#define RELYD_TENANT_H

#include "relyd/model.h"

/* Is it how a subject begins, as `tenantSubject` says it: `{tenant}` once, and behind it what no tenant's name has? */
bool rely_tenant_form_is_good(struct rely_slice form);

/**
 * Does a credential name a tenant, so that no other one of the same issuer is let in?
 *
 * Spec:     objects.md, isShared: its subject, or what its expression demands of the subject literally, reaches through
 *           tenantSubject; or an `eq` of it is on one of pinClaims, as an exact subject is on the subject's claim; or
 *           the issuer's requiredClaims name one of them.
 * In:       credential - of the issuer, or of a group that it is in.
 */
RELY_MUST_USE bool rely_credential_names_tenant(const struct rely_credential_record *credential,
                                                const struct rely_issuer_record *issuer);

/* Is what that depends on the same in both? */
bool rely_issuer_has_same_tenants(const struct rely_issuer_record *a, const struct rely_issuer_record *b);

#endif
