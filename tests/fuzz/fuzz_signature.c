/*
 * Any bytes as a signature under each kind of key. The private halves were thrown away when this file was written: a
 * yes would be a forgery. The first byte chooses the algorithm, its top bit cuts or fills the rest to the right
 * length, so that more than the length check is reached. Every even length is also written as DER and read back by
 * OpenSSL.
 */
#include "../../src/signature/verify.h"
#include "relyd/keys.h"
#include "relyd/keyset.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char jwks[] =
    "{\"keys\":["
    "{\"kty\":\"RSA\",\"n\":\"0LZ6vdVMel8rqqMAz2s9t2UyezuawLJTt6ncWrMxeCmSxKqldDmxUkRLzx4Wd-JiG7KozlX"
    "zbW93u6jZSYdAOzqrIxHES1bHbqCt7jAw3aybIVFtKW85bXtxIGPzYy9ZjDkU-6e3cfEE8LbYMXcwz6EnrGm7kwGZF3sm_xU"
    "k7sLsaEpLbmqxQ-m618sKs9nSicdBedz0wQ-a5XKxWZKz2l9ZZKSp-XezNxMYgJu-gID7xD3G1q561NRozZjmwSJQOURIq98"
    "2LffznOFKTiFBB42Fu5FOpIhqSzrbYdUPxZatanuO3y4z0x-sZBrdRh3KKn7-UdddBz2q9i-_XtA7pQ\",\"e\":\"AQAB\""
    ",\"kid\":\"rsa2048\"},"
    "{\"kty\":\"RSA\",\"n\":\"5b_dJqYrycejZsmWyK0uVHUlLM9yrxLqK9_0vLoomM7Lr-N-pqdpsJIBq8nkj55n8w5zsIl"
    "Paecalz07GPu_T_fgYvqwyQLzKb-Qbi70z0vXufdkZ03YuezqExxz1WdoaOjAqhrRZ2VFzZ4CLJDyHdrVz2ElguM50AF5aGD"
    "hGYIzOy3pA2KPSAmHhHxLWJK51v0kx1bxQgBw3NyX6eYylkcQkUks4lg0iErKKd5agNpApBPro1kAqRBg1CFZOsjla2DlafN"
    "M5fv5UIwgtJRjZZxrwBkzrXSPfP1PonsA-FblhoT9gt_F-K1XsUr-4SsDarpcUH2b9dc1o2M309wydxsCC79e_OT7uaHs9c3"
    "DLRh9hBo5j0AccD936t7YqCsPpHTi5e7H97LiwTtoweD9w9ZMhjPZXDQCQQdwwAWIxSYbgDkhBzwvMoZ8sy1DHMBqSHFf_Qb"
    "K4J_lzcMgShVoC5SWFgciIGU8EKEhH08p8qh4-ueMxjrMGuWt-96GAZ2Z27NVM48fyKHJ1rWDVnXJir4s3w5k_l7bzTN8S8M"
    "73IZuThi4W8m_GWeWrUXjWOrbtCsgrbFEX5gpWFEJylntQKFg1DyJs_IE1rtBbdmQN-jzIPO982qiPJIWrSpQkCAiUlnUk5e"
    "Lt2APyVCik08lta847LmWUtJ6NrQZZnIDrYs\",\"e\":\"AQAB\",\"kid\":\"rsa4096\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"TlKi7sszAdmumiIZFYBBrqO47l4joKxP8yP2qR0oaC8\",\"y\":\""
    "6k6khJKBbfKOODWNF0RldRt4l48Ww86Y67FGOazCyyc\",\"kid\":\"p256\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"b9FC58QoEcTH9O3RETF0OyERc7vtNrMj2uFVsoQ1dxdvuckEbdd6LB"
    "7XaHj8hGJs\",\"y\":\"CMYIshzDvrwcCKJdPZoCHXrmCxwVzLer85oo5RDg5sgky38pRhGAEr6tzCeR3OeX\",\"kid\":"
    "\"p384\"},"
    "{\"kty\":\"EC\",\"crv\":\"P-521\",\"x\":\"AOqW65amp8tEbeslC0FQf0YTvEij9U0gDHaW0SHkvN0LvKaBbn3gJi"
    "CrJZn5QvJOvJVNBJ3wGXtnburm5wnQ4h0z\",\"y\":\"AO0888kIHJYByvrz5xSA_hoVw7B4kqnE17q0ye6XklKmbpXa9ra"
    "s6Gm1QtxSQ-Y9CrqCUZuGhJPuDCx4OZZ6UtDN\",\"kid\":\"p521\"},"
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"JejLf5cYqaBwLj3IW14I2DmIYmH56zYU4XvlnKxB678\",\"kid"
    "\":\"ed25519\"}"
    "]}";

static const struct rely_keyset *keyset(void)
{
    static struct rely_keyset *parsed; /* for the life of the process */
    if (parsed == NULL) {
        struct rely_err err = {0};
        parsed = rely_signature_accept(rely_slice_of(jwks), NULL, &err);
        RELY_ASSERT(parsed != NULL && rely_keyset_count(parsed) == 6);
    }
    return parsed;
}

static void check_der(struct rely_slice raw)
{
    uint8_t der[RELY_DER_MAX];
    int half = (int)raw.len / 2;
    size_t len = rely_der_of_raw(raw, der);
    const uint8_t *at = der;
    ECDSA_SIG *read = d2i_ECDSA_SIG(NULL, &at, (long)len);
    RELY_ASSERT(read != NULL && at == der + len);
    BIGNUM *r = BN_bin2bn((const uint8_t *)raw.ptr, half, NULL);
    BIGNUM *s = BN_bin2bn((const uint8_t *)raw.ptr + half, half, NULL);
    RELY_ASSERT(BN_cmp(r, ECDSA_SIG_get0_r(read)) == 0 && BN_cmp(s, ECDSA_SIG_get0_s(read)) == 0);
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(read);
}

static void check_forgery(enum rely_alg alg, bool is_fitted, struct rely_slice bytes)
{
    char signature[1024] = {0};
    for (size_t i = 0; i < rely_keyset_count(keyset()); i++) {
        const struct rely_key *key = rely_keyset_at(keyset(), i);
        struct rely_unverified token = {.alg = alg, .signature = bytes, .signed_bytes = RELY_LIT("e30.e30")};
        if (is_fitted) {
            memcpy(signature, bytes.ptr, bytes.len < sizeof(signature) ? bytes.len : sizeof(signature));
            token.signature = rely_slice(signature, rely_key_signature_bytes(key));
        }
        struct rely_verified verified = {.key = NULL};
        struct rely_detail detail;
        RELY_ASSERT(rely_signature_verify(&token, key, &verified, &detail) == RELY_BAD_SIGNATURE);
        RELY_ASSERT(verified.key == NULL && ERR_peek_error() == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct rely_slice bytes = rely_slice((const char *)data + 1, size - 1);
    if (bytes.len % 2 == 0 && bytes.len >= 2 && bytes.len <= 132)
        check_der(bytes);
    check_forgery((enum rely_alg)((data[0] & 0x7f) % RELY_ALG_COUNT), (data[0] & 0x80) != 0, bytes);
    return 0;
}
