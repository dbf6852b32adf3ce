/* What mint's own files share. */
#ifndef RELYD_TESTS_MINT_PRIVATE_H
#define RELYD_TESTS_MINT_PRIVATE_H

#include "mint.h"

#include <openssl/evp.h>

struct mint_key {
    const struct mint_key *next;
    char name[64];
    EVP_PKEY *pkey;
};

/* size + 1 zeroed bytes that live until mint_reset. */
char *mint_keep(size_t size);
_Noreturn void mint_fail(const char *what);

/* 1 is OpenSSL's only yes. */
#define MINT_CHECK(claim) ((claim) ? (void)0 : mint_fail(#claim))

#endif
