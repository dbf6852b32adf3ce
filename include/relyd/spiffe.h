/*
 * spiffe: SPIFFE IDs, `spiffe://prod.example/ns/app`.
 */
#ifndef RELYD_SPIFFE_H
#define RELYD_SPIFFE_H

#include "relyd/base.h"

/**
 * Is a text the SPIFFE ID of a workload in this trust domain?
 *
 * Spec:     SPIFFE-ID s2: `spiffe://`, the trust domain, and a path of segments of [A-Za-z0-9._-], of which none is empty,
 *           `.` or `..`; at most 2,048 bytes. Byte for byte: what is no lower case is no scheme and no trust domain.
 */
bool rely_spiffe_is_of(struct rely_slice id, struct rely_slice trust_domain);

#endif
