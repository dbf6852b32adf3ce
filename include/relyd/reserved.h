/*
 * reserved: names that are not an administrator's to give.
 */
#ifndef RELYD_RESERVED_H
#define RELYD_RESERVED_H

#include "relyd/base.h"

/* A user or group of Kubernetes' own: begins with `system:`. */
bool rely_is_system_name(struct rely_slice name);
/* An `extra` key of kubernetes.io, k8s.io or a domain below them, in any letter case. */
bool rely_is_kubernetes_key(struct rely_slice key);
/* An `extra` key of relyd.io or a domain below it, in any letter case: with those relyd itself says what it found. */
bool rely_is_relyd_key(struct rely_slice key);

#endif
