/*
 * certificate: what a client's certificate says whose it is, when a listener asked for one and its chain was good.
 */
#ifndef RELYD_CERTIFICATE_H
#define RELYD_CERTIFICATE_H

#include "relyd/base.h"

#define RELY_CERTIFICATE_NAMES_MAX 64

/* Every pointer is owned by this object's one block of memory. */
struct rely_certificate {
    int64_t until_s; /* seconds since 1970: it and its authorities are good until then, the last second included */
    /* In the order in which they are looked at: `uri:`, `dns:` and `email:` of its alternative names, each in the order
     * of the certificate; where it has none, `cn:` of its subject, when that has one (RFC 5280 s4.2.1.6, s4.1.2.6). */
    const struct rely_slice *names;
    size_t name_count;
    bool has_more; /* than RELY_CERTIFICATE_NAMES_MAX, which nobody has looked at */
};

#endif
