/*
 * ECDSA signatures: R || S as JWS sends them (RFC 7518 s3.4), DER as OpenSSL reads them. By hand: 0.01 us against
 * 0.4 us through BIGNUM. Judges nothing: r and s out of range are EVP's business.
 */
#include "verify.h"

static size_t put_integer(const uint8_t *number, size_t len, uint8_t *out)
{
    while (len > 1 && number[0] == 0) {
        number++;
        len--;
    }
    size_t pad = number[0] >> 7; /* DER integers are signed */
    out[0] = 0x02;
    out[1] = (uint8_t)(len + pad);
    out[2] = 0;
    memcpy(out + 2 + pad, number, len);
    return 2 + pad + len;
}

size_t rely_der_of_raw(struct rely_slice raw, uint8_t out[RELY_DER_MAX])
{
    size_t half = raw.len / 2;
    RELY_ASSERT(half >= 1 && half <= 66);
    uint8_t body[RELY_DER_MAX];
    size_t len = put_integer((const uint8_t *)raw.ptr, half, body);
    len += put_integer((const uint8_t *)raw.ptr + half, half, body + len);
    size_t at = 0;
    out[at++] = 0x30;
    if (len > 127)
        out[at++] = 0x81;
    out[at++] = (uint8_t)len;
    memcpy(out + at, body, len);
    return at + len;
}
