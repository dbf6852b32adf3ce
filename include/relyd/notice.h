/*
 * notice: what the keeper tells every worker of an issuer's keys, beside the edition that has them.
 */
#ifndef RELYD_NOTICE_H
#define RELYD_NOTICE_H

#include <stdint.h>

/* A fetch is over, or there will be none. */
struct rely_key_notice {
    /* Monotonic: what the issuer had then is known. Whoever came later has not been answered: a fetch that was under
     * way already may have read the keys before his were among them. */
    int64_t asked_until_us;
    int64_t miss_ms; /* how long it is useless to ask again */
};

#endif
