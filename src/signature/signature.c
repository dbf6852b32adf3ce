/*
 * Does a signature verify under a key, with the algorithm that the key is bound to? The one place that makes a
 * verified payload of an unverified one. Does not choose keys and reads no claim. Called by decide/.
 */
#define RELY_READS_UNVERIFIED /* makes it verified */
#include "verify.h"

#include "relyd/keys.h"
#include "relyd/text.h"

#include <openssl/err.h>

/* EdDSA and ML-DSA sign the message itself; OpenSSL offers them in one call only. */
static int verify_at_once(const struct rely_unverified *token, const struct rely_verifier *verifier)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL)
        return -1;
    int answer = EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, verifier->pkey);
    if (answer == 1)
        answer = EVP_DigestVerify(ctx, (const uint8_t *)token->signature.ptr, token->signature.len,
                                  (const uint8_t *)token->signed_bytes.ptr, token->signed_bytes.len);
    else
        answer = -1;
    EVP_MD_CTX_free(ctx);
    return answer;
}

/* By an RSA key's numbers or an EC key's table: 1 or 0, -1 when it has none or that could not tell. */
static int verify_by_numbers(const struct rely_unverified *token, struct rely_verifier *verifier,
                             struct rely_scratch *scratch, struct rely_slice digest)
{
    if (verifier->modulus != NULL)
        return rely_rsa_verify(verifier, token->alg, rely_scratch_numbers(scratch), digest, token->signature);
    const struct rely_key_table *table = atomic_load_explicit(&verifier->table, memory_order_acquire);
    struct rely_table_scratch *tables = table == NULL ? NULL : rely_scratch_tables(scratch);
    if (tables == NULL)
        return -1;
    return rely_key_table_verify(table, tables, digest, token->signature);
}

static int verify_by_evp(const struct rely_unverified *token, const struct rely_verifier *verifier,
                         struct rely_scratch *scratch, struct rely_slice digest)
{
    EVP_PKEY_CTX *ctx = rely_scratch_context(scratch, verifier, token->alg);
    if (ctx == NULL)
        return -1;
    const uint8_t *signature = (const uint8_t *)token->signature.ptr;
    size_t len = token->signature.len;
    uint8_t der[RELY_DER_MAX];
    if ((1u << token->alg & RELY_ALGS_ECDSA) != 0) {
        len = rely_der_of_raw(token->signature, der);
        signature = der;
    }
    int answer = EVP_PKEY_verify(ctx, signature, len, (const uint8_t *)digest.ptr, digest.len);
    return answer == 1 ? 1 : 0;
}

/* Empties the error queue, which the next caller of OpenSSL on this thread would read as its own. */
static bool drain_errors(void)
{
    bool is_out_of_memory = false;
    for (unsigned long error = ERR_get_error(); error != 0; error = ERR_get_error())
        is_out_of_memory |= ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    return is_out_of_memory;
}

/* EVP's verdict beside that of own arithmetic. What differs is a bug of one of them or broken memory: nothing that this
 * process says afterwards can be believed. */
static void compare_with_evp(const struct rely_unverified *token, const struct rely_key *key,
                             struct rely_scratch *scratch, struct rely_slice digest, int answer)
{
    char kid[RELY_QUOTED_SIZE];
    int by_evp = verify_by_evp(token, rely_key_verifier(key), scratch, digest);
    bool could_tell = !drain_errors() && by_evp >= 0;
    if (!could_tell || by_evp == answer)
        return;
    rely_alarm(
        "own_arithmetic_differs",
        "own arithmetic says %s to an %s signature under the %s key %s, and OpenSSL's EVP says %s: relyd ends without "
        "answering. Set crypto.own_arithmetic to false, and report this",
        answer == 1 ? "yes" : "no", rely_alg_name(token->alg), rely_key_kind(key), rely_quote(rely_key_kid(key), kid),
        by_evp == 1 ? "yes" : "no");
}

static int verify_digest(const struct rely_unverified *token, const struct rely_key *key)
{
    struct rely_verifier *verifier = rely_key_verifier(key);
    struct rely_scratch *scratch = rely_scratch_get();
    uint8_t bytes[EVP_MAX_MD_SIZE];
    size_t len = scratch == NULL ? 0 : rely_scratch_digest(scratch, token->alg, token->signed_bytes, bytes);
    if (len == 0)
        return -1;
    struct rely_slice digest = rely_slice((const char *)bytes, len);
    int answer = rely_signature_is_evp_only() ? -1 : verify_by_numbers(token, verifier, scratch, digest);
    if (answer >= 0) {
        if (rely_signature_takes_sample(scratch))
            compare_with_evp(token, key, scratch, digest, answer);
        return answer;
    }
    ERR_clear_error();
    return verify_by_evp(token, verifier, scratch, digest);
}

enum rely_reason rely_signature_verify(const struct rely_unverified *token, const struct rely_key *key,
                                       struct rely_verified *out, struct rely_detail *detail)
{
    struct rely_verifier *verifier = rely_key_verifier(key);
    if (verifier == NULL)
        return rely_refuse(detail, RELY_INTERNAL_ERROR, "the key (%s) is of a set that was not accepted",
                           rely_key_kind(key));
    /* rely_keys_find has seen to it; algorithm confusion (RFC 8725 s2.1) is worth a second look. */
    if ((verifier->algs & (1u << token->alg) & RELY_ALGS_ALL) == 0)
        return rely_refuse(detail, RELY_BAD_SIGNATURE, "the key (%s) is not for %s", rely_key_kind(key),
                           rely_alg_name(token->alg));
    /* RFC 8017 s8.2.2 step 1, RFC 7518 s3.4: the length first. DER and shortened signatures end here. */
    if (token->signature.len != verifier->signature_bytes)
        return rely_refuse(detail, RELY_BAD_SIGNATURE, "the signature has %zu bytes, not the %zu of %s under %s",
                           token->signature.len, verifier->signature_bytes, rely_alg_name(token->alg),
                           rely_key_kind(key));
    int answer = rely_alg_digest(token->alg) == NULL ? verify_at_once(token, verifier) : verify_digest(token, key);
    if (answer == 1) {
        rely_verifier_count_success(verifier);
        *out = (struct rely_verified){token->payload.view_, key};
        return RELY_OK;
    }
    if (drain_errors() || answer < 0)
        return rely_refuse(detail, RELY_INTERNAL_ERROR, "OpenSSL could not check the signature");
    return rely_refuse(detail, RELY_BAD_SIGNATURE, "the %s signature does not verify under the issuer's %s key",
                       rely_alg_name(token->alg), rely_key_kind(key));
}
