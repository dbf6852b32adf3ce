/*
 * The demo issuer's key: made, loaded, and published as a JWKS as kube-apiserver publishes its own. RSA-2048, because
 * that is what most clusters sign with. Called by mint.c and token.c.
 */
#include "demo.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "relyd/text.h"

static void close_key_file(FILE **file)
{
    if (*file != NULL)
        fclose(*file);
}
#define KEY_FILE_OWNED __attribute__((cleanup(close_key_file)))

static void free_bignum(BIGNUM **number)
{
    BN_free(*number);
}

bool demo_key_make(const char *path, struct rely_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return rely_err_set(err, errno == EEXIST ? RELY_ERR_CONFLICT : RELY_ERR_IO, "%s: %s", path, strerror(errno));
    KEY_FILE_OWNED FILE *file = fdopen(fd, "w");
    RELY_ASSERT(file != NULL);
    EVP_PKEY *key = EVP_RSA_gen(2048);
    bool is_written =
        key != NULL && PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1 && fflush(file) == 0;
    EVP_PKEY_free(key);
    return is_written || rely_err_set(err, RELY_ERR_INTERNAL, "%s: cannot make or write the key", path);
}

EVP_PKEY *demo_key_load(const char *path, struct rely_err *err)
{
    KEY_FILE_OWNED FILE *file = fopen(path, "re");
    if (file == NULL) {
        rely_err_set(err, RELY_ERR_IO, "%s: %s", path, strerror(errno));
        return NULL;
    }
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    if (key == NULL)
        rely_err_set(err, RELY_ERR_INVALID, "%s: holds no private key in PEM", path);
    return key;
}

bool demo_key_id(EVP_PKEY *key, char kid[DEMO_KID_SIZE], struct rely_err *err)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key, &der);
    if (len <= 0)
        return rely_err_set(err, RELY_ERR_INTERNAL, "cannot write the public key");
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256(der, (size_t)len, digest);
    OPENSSL_free(der);
    rely_base64url_encode(digest, sizeof digest, kid);
    return true;
}

/* One number of the key in base64url, without leading zero bytes (RFC 7518 s2, Base64urlUInt). */
static bool put_key_number(EVP_PKEY *key, const char *name, struct rely_buf *out, struct rely_err *err)
{
    __attribute__((cleanup(free_bignum))) BIGNUM *number = NULL;
    unsigned char bytes[1024];
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1 || BN_num_bytes(number) > (int)sizeof bytes)
        return rely_err_set(err, RELY_ERR_INVALID, "this is no RSA key of at most 8192 bits");
    int len = BN_bn2bin(number, bytes);
    char text[RELY_BASE64_ENCODED(sizeof bytes)];
    rely_buf_put_json(out, rely_slice(text, rely_base64url_encode(bytes, (size_t)len, text)));
    return true;
}

bool demo_key_print_jwks(EVP_PKEY *key, struct rely_buf *out, struct rely_err *err)
{
    char kid[DEMO_KID_SIZE];
    if (!demo_key_id(key, kid, err))
        return false;
    rely_buf_printf(out, "{\"keys\":[{\"use\":\"sig\",\"kty\":\"RSA\",\"kid\":\"%s\",\"alg\":\"RS256\",\"n\":", kid);
    if (!put_key_number(key, OSSL_PKEY_PARAM_RSA_N, out, err))
        return false;
    rely_buf_printf(out, ",\"e\":");
    if (!put_key_number(key, OSSL_PKEY_PARAM_RSA_E, out, err))
        return false;
    rely_buf_printf(out, "}]}\n");
    return true;
}
