/*
 * The keyed fingerprint that the token cache looks tokens up by. Decides nothing; says whether two byte strings are the
 * same without keeping either. Called by decide/cache.c.
 */
#include "relyd/signature.h"

#include "relyd/text.h"

#include <openssl/evp.h>
#include <stdlib.h>

#define KEY_BYTES 32

struct rely_mac_key {
    EVP_MAC *algorithm; /* owned */
    EVP_MAC_CTX *state; /* owned */
    uint8_t secret[KEY_BYTES];
};

struct rely_mac_key *rely_mac_key_new(void)
{
    struct rely_mac_key *key = rely_alloc(sizeof *key);
    rely_random(key->secret, sizeof key->secret);
    key->algorithm = EVP_MAC_fetch(NULL, "POLY1305", NULL);
    RELY_ASSERT(key->algorithm != NULL);
    key->state = EVP_MAC_CTX_new(key->algorithm);
    RELY_ASSERT(key->state != NULL);
    return key;
}

void rely_mac_key_free(struct rely_mac_key *key)
{
    if (key == NULL)
        return;
    EVP_MAC_CTX_free(key->state);
    EVP_MAC_free(key->algorithm);
    explicit_bzero(key->secret, sizeof key->secret);
    free(key);
}

struct rely_mac rely_mac_of(struct rely_mac_key *key, struct rely_slice text)
{
    struct rely_mac mac;
    size_t len = 0;
    /* A failure here is a broken library; a guess instead of a fingerprint might let a stranger in. */
    RELY_ASSERT(EVP_MAC_init(key->state, key->secret, KEY_BYTES, NULL) == 1);
    RELY_ASSERT(EVP_MAC_update(key->state, (const unsigned char *)text.ptr, text.len) == 1);
    RELY_ASSERT(EVP_MAC_final(key->state, (unsigned char *)mac.word, &len, sizeof mac.word) == 1);
    RELY_ASSERT(len == sizeof mac.word);
    return mac;
}
