/*
 * Inside admin only: an issuer out of relyd's own pod.
 */
#ifndef RELYD_ADMIN_POD_H
#define RELYD_ADMIN_POD_H

#include "relyd/model.h"

/* Fill in what the body of an issuer leaves out: its `issuer`, and where and how its keys are fetched unless it has
 * `keys`: neither the pod's authority nor its token is for another server. False: noted in the problems. Thread: one that
 * may wait for a disk. */
RELY_MUST_USE bool rely_pod_complete(struct rely_json *body, struct rely_problems *problems);

#endif
