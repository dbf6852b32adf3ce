/*
 * What each thread keeps between verifications: a digest context per digest, and contexts for the keys used last.
 * Decides nothing. Duplicating a prepared context each time is as fast on one core, but counts references up and
 * down ten times in memory that all workers share; at 60,000 verifications a second and core that does not scale.
 *
 * A kept context holds OpenSSL's own reference to its key, so a key that the control thread has freed stays valid
 * here until its slot is taken. It is found by the verifier's serial, which is never used again: a new key at the old
 * address is another key.
 */
#include "verify.h"

#include <openssl/err.h>
#include <pthread.h>
#include <stdlib.h>

#define SLOTS 512 /* power of two: hundreds of clusters; each holds about 1 KB of OpenSSL's */

enum digest { SHA256, SHA384, SHA512, DIGEST_COUNT };

struct slot {
    uint64_t serial; /* 0: empty */
    enum rely_alg alg;
    EVP_PKEY_CTX *ctx; /* owned */
};

struct rely_scratch {
    EVP_MD_CTX *digests[DIGEST_COUNT]; /* owned */
    struct slot slots[SLOTS];
    BN_CTX *numbers;                   /* owned; keeps its numbers, so that a verification allocates none */
    struct rely_table_scratch *tables; /* owned; NULL: not used yet */
    uint32_t countdown;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_thread_end;
static EVP_MD *methods[DIGEST_COUNT]; /* owned by the process; looked up once: a look-up takes a lock */
static _Thread_local struct rely_scratch *mine;

static void free_scratch(void *memory)
{
    struct rely_scratch *scratch = memory;
    for (size_t i = 0; i < DIGEST_COUNT; i++)
        EVP_MD_CTX_free(scratch->digests[i]);
    for (size_t i = 0; i < SLOTS; i++)
        EVP_PKEY_CTX_free(scratch->slots[i].ctx);
    BN_CTX_free(scratch->numbers);
    rely_table_scratch_free(scratch->tables);
    free(scratch);
    mine = NULL;
}

static void prepare_process(void)
{
    static const char *const names[DIGEST_COUNT] = {"SHA256", "SHA384", "SHA512"};
    for (size_t i = 0; i < DIGEST_COUNT; i++) {
        methods[i] = EVP_MD_fetch(NULL, names[i], NULL);
        RELY_ASSERT(methods[i] != NULL);
    }
    int fault = pthread_key_create(&at_thread_end, free_scratch);
    RELY_ASSERT(fault == 0);
}

struct rely_scratch *rely_scratch_get(void)
{
    if (mine != NULL)
        return mine;
    pthread_once(&once, prepare_process);
    struct rely_scratch *made = rely_alloc(sizeof(*made));
    for (size_t i = 0; i < DIGEST_COUNT; i++)
        made->digests[i] = EVP_MD_CTX_new();
    made->numbers = BN_CTX_new();
    if (made->numbers == NULL || made->digests[SHA256] == NULL || made->digests[SHA384] == NULL ||
        made->digests[SHA512] == NULL || pthread_setspecific(at_thread_end, made) != 0) {
        free_scratch(made);
        return NULL;
    }
    mine = made;
    return made;
}

static enum digest digest_index(enum rely_alg alg)
{
    const char *name = rely_alg_digest(alg);
    RELY_ASSERT(name != NULL);
    return name[3] == '2' ? SHA256 : name[3] == '3' ? SHA384 : SHA512;
}

size_t rely_scratch_digest(struct rely_scratch *scratch, enum rely_alg alg, struct rely_slice bytes,
                           uint8_t out[EVP_MAX_MD_SIZE])
{
    enum digest which = digest_index(alg);
    EVP_MD_CTX *ctx = scratch->digests[which];
    unsigned len = 0;
    if (EVP_DigestInit_ex2(ctx, methods[which], NULL) != 1 || EVP_DigestUpdate(ctx, bytes.ptr, bytes.len) != 1 ||
        EVP_DigestFinal_ex(ctx, out, &len) != 1)
        return 0;
    return len;
}

EVP_PKEY_CTX *rely_scratch_context(struct rely_scratch *scratch, const struct rely_verifier *verifier,
                                   enum rely_alg alg)
{
    struct slot *slot = &scratch->slots[(verifier->serial * RELY_ALG_COUNT + alg) & (SLOTS - 1)];
    if (slot->serial == verifier->serial && slot->alg == alg)
        return slot->ctx;
    EVP_PKEY_CTX *ctx = rely_verifier_context(verifier, alg);
    if (ctx == NULL)
        return NULL;
    EVP_PKEY_CTX_free(slot->ctx);
    *slot = (struct slot){verifier->serial, alg, ctx};
    return ctx;
}

uint32_t *rely_scratch_countdown(struct rely_scratch *scratch)
{
    return &scratch->countdown;
}

BN_CTX *rely_scratch_numbers(struct rely_scratch *scratch)
{
    return scratch->numbers;
}

struct rely_table_scratch *rely_scratch_tables(struct rely_scratch *scratch)
{
    if (scratch->tables == NULL)
        scratch->tables = rely_table_scratch_new();
    return scratch->tables;
}
