/*
 * kubernetes: the claim `kubernetes.io` of a service-account token. Used by registered.c.
 */
#ifndef RELYD_CLAIMS_KUBERNETES_H
#define RELYD_CLAIMS_KUBERNETES_H

#include "relyd/claims.h"
#include "relyd/view.h"

/**
 * Read the claim `kubernetes.io`.
 *
 * In:       sub - the claim of this name, or absent. place - its value, 0 = absent. Anything but an object is another issuer's claim of that name: ignored.
 * Out:      *out - set only on RELY_OK.
 * Reasons:  RELY_OK; RELY_INVALID_CLAIM when it contradicts a `sub` of `system:serviceaccount:`.
 */
enum rely_reason rely_kubernetes_read(const struct rely_view *claims, uint32_t place, struct rely_slice sub,
                                      struct rely_kubernetes_claims *out, struct rely_detail *detail);

#endif
