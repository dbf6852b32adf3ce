/*
 * bench_tokens: makes keys once, and tokens of a bound Kubernetes service account's shape in any number, with as many
 * processes as asked for. Token i is for credential (i * 7919) mod C, so that neighbours in the file are no neighbours
 * in the registry. All tokens of a file have the same length. For the bench only: the private keys lie beside them.
 */
#include <errno.h>
#include <getopt.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "relyd/text.h"

#define STRIDE 7919
#define ISSUED_S 1700000000 /* the past on any machine with a clock */
#define PAYLOAD_MAX 1024
#define TOKEN_MAX 2048
#define KID_SIZE 44

struct plan {
    const char *folder, *file, *audience, *issuer;
    bool is_ec;
    long count, first, credentials, issuers, expires_s;
    int processes;
};

/* Everything that signing needs. */
struct signer {
    EVP_PKEY *key;
    bool is_ec;
    char header[256]; /* encoded, with its dot */
    size_t header_len;
};

static void die(const char *what)
{
    fprintf(stderr, "bench_tokens: %s: %s\n", what, errno == 0 ? "OpenSSL refused" : strerror(errno));
    exit(EXIT_FAILURE);
}

static EVP_PKEY *load_key(const char *path, bool is_ec)
{
    FILE *file = fopen(path, "re");
    EVP_PKEY *key = NULL;
    if (file == NULL) {
        key = is_ec ? EVP_EC_gen("P-256") : EVP_RSA_gen(2048);
        file = fopen(path, "wxe");
        if (key == NULL || file == NULL || PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) != 1)
            die(path);
    } else {
        key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    }
    fclose(file);
    if (key == NULL)
        die(path);
    return key;
}

/* As kube-apiserver names its keys. */
static void name_key(EVP_PKEY *key, char kid[KID_SIZE])
{
    unsigned char *der = NULL, digest[SHA256_DIGEST_LENGTH];
    int len = i2d_PUBKEY(key, &der);
    if (len <= 0)
        die("public key");
    SHA256(der, (size_t)len, digest);
    OPENSSL_free(der);
    rely_base64url_encode(digest, sizeof digest, kid);
}

static void write_public_key(EVP_PKEY *key, const char *folder, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s.pub.pem", folder, name);
    FILE *file = fopen(path, "we");
    if (file == NULL || PEM_write_PUBKEY(file, key) != 1)
        die(path);
    fclose(file);
}

/* One number of a key as a JWK spells it. */
static void print_number(FILE *out, EVP_PKEY *key, const char *name, const char *member, int bytes)
{
    BIGNUM *number = NULL;
    unsigned char raw[512];
    char text[RELY_BASE64_ENCODED(sizeof raw)];
    if (EVP_PKEY_get_bn_param(key, name, &number) != 1)
        die(name);
    int len = bytes == 0 ? BN_num_bytes(number) : bytes;
    BN_bn2binpad(number, raw, len);
    BN_free(number);
    text[rely_base64url_encode(raw, (size_t)len, text)] = '\0';
    fprintf(out, ",\"%s\":\"%s\"", member, text);
}

static void write_jwks(EVP_PKEY *rsa, EVP_PKEY *ec, const char *folder)
{
    char path[1024], kid[KID_SIZE];
    snprintf(path, sizeof path, "%s/jwks.json", folder);
    FILE *out = fopen(path, "we");
    if (out == NULL)
        die(path);
    name_key(rsa, kid);
    fprintf(out, "{\"keys\":[{\"use\":\"sig\",\"kty\":\"RSA\",\"alg\":\"RS256\",\"kid\":\"%s\"", kid);
    print_number(out, rsa, OSSL_PKEY_PARAM_RSA_N, "n", 0);
    print_number(out, rsa, OSSL_PKEY_PARAM_RSA_E, "e", 0);
    name_key(ec, kid);
    fprintf(out, "},{\"use\":\"sig\",\"kty\":\"EC\",\"crv\":\"P-256\",\"alg\":\"ES256\",\"kid\":\"%s\"", kid);
    print_number(out, ec, OSSL_PKEY_PARAM_EC_PUB_X, "x", 32);
    print_number(out, ec, OSSL_PKEY_PARAM_EC_PUB_Y, "y", 32);
    fprintf(out, "}]}\n");
    fclose(out);
}

/* Both keys, whichever is asked for: the key set names both. */
static struct signer make_signer(const struct plan *plan)
{
    char path[1024], text[200], kid[KID_SIZE];
    snprintf(path, sizeof path, "%s/rsa.pem", plan->folder);
    EVP_PKEY *rsa = load_key(path, false);
    snprintf(path, sizeof path, "%s/ec.pem", plan->folder);
    EVP_PKEY *ec = load_key(path, true);
    write_public_key(rsa, plan->folder, "rsa");
    write_public_key(ec, plan->folder, "ec");
    write_jwks(rsa, ec, plan->folder);
    struct signer signer = {.key = plan->is_ec ? ec : rsa, .is_ec = plan->is_ec};
    EVP_PKEY_free(plan->is_ec ? rsa : ec);
    name_key(signer.key, kid);
    int len = snprintf(text, sizeof text, "{\"alg\":\"%s\",\"kid\":\"%s\"}", plan->is_ec ? "ES256" : "RS256", kid);
    signer.header_len = rely_base64url_encode((uint8_t *)text, (size_t)len, signer.header);
    signer.header[signer.header_len++] = '.';
    return signer;
}

static size_t write_payload(const struct plan *plan, long i, char out[PAYLOAD_MAX])
{
    long credential = i * STRIDE % plan->credentials, identity = credential / 20, account = credential % 20;
    int len = snprintf(
        out, PAYLOAD_MAX,
        "{\"aud\":[\"%s\"],\"exp\":%ld,\"iat\":%d,\"iss\":\"%s/%05ld\",\"jti\":\"%08lx-5e1f-4a7d-9c3b-d0b7a55c1e44\","
        "\"kubernetes.io\":{\"namespace\":\"team-%05ld\",\"pod\":{\"name\":\"app-%02ld-x2x4q\","
        "\"uid\":\"236a0f7e-1d8b-4c5e-b3a2-9f4e6d7c8b10\"},\"serviceaccount\":{\"name\":\"app-%02ld\","
        "\"uid\":\"58171c3e-7a2d-4e9f-8b6c-0d5a4f3e2b1c\"}},\"nbf\":%d,"
        "\"sub\":\"system:serviceaccount:team-%05ld:app-%02ld\"}",
        plan->audience, plan->expires_s, ISSUED_S, plan->issuer, credential % plan->issuers, (unsigned long)i, identity,
        account, account, ISSUED_S, identity, account);
    if (len >= PAYLOAD_MAX)
        die("payload");
    return (size_t)len;
}

/* RFC 7518 s3.4: R and S, 32 bytes each. */
static size_t flatten_ecdsa(const unsigned char *der, size_t len, unsigned char out[64])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
    if (pair == NULL || BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32) != 32 ||
        BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32) != 32)
        die("signature");
    ECDSA_SIG_free(pair);
    return 64;
}

static size_t sign_token(const struct signer *signer, EVP_MD_CTX *context, const struct plan *plan, long i, char *out)
{
    char payload[PAYLOAD_MAX];
    unsigned char signature[512], flat[64];
    size_t signature_len = sizeof signature;
    size_t payload_len = write_payload(plan, i, payload);
    memcpy(out, signer->header, signer->header_len);
    size_t len = signer->header_len + rely_base64url_encode((uint8_t *)payload, payload_len, out + signer->header_len);
    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, signer->key) != 1 ||
        EVP_DigestSign(context, signature, &signature_len, (unsigned char *)out, len) != 1)
        die("signing");
    out[len++] = '.';
    if (signer->is_ec)
        return len + rely_base64url_encode(flat, flatten_ecdsa(signature, signature_len, flat), out + len);
    return len + rely_base64url_encode(signature, signature_len, out + len);
}

/* Process p of n takes every n-th token; the file's lines are all equally long. */
static void sign_share(const struct signer *signer, const struct plan *plan, int fd, int process)
{
    char token[TOKEN_MAX];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    for (long i = process; i < plan->count; i += plan->processes) {
        size_t len = sign_token(signer, context, plan, plan->first + i, token);
        token[len++] = '\n';
        if (pwrite(fd, token, len, (off_t)(i * (long)len)) != (ssize_t)len)
            die(plan->file);
    }
    EVP_MD_CTX_free(context);
}

static void sign_all(const struct plan *plan)
{
    char path[1024], partial[1040];
    struct signer signer = make_signer(plan);
    snprintf(path, sizeof path, "%s/%s", plan->folder, plan->file);
    snprintf(partial, sizeof partial, "%s.partial", path);
    FILE *file = fopen(partial, "we");
    if (file == NULL)
        die(partial);
    for (int p = 0; p < plan->processes; p++) {
        pid_t child = fork();
        if (child < 0)
            die("fork");
        if (child == 0) {
            sign_share(&signer, plan, fileno(file), p);
            _exit(EXIT_SUCCESS);
        }
    }
    for (int p = 0, status = 0; p < plan->processes; p++)
        if (wait(&status) < 0 || status != 0)
            exit(EXIT_FAILURE);
    fclose(file);
    if (rename(partial, path) != 0)
        die(path);
    EVP_PKEY_free(signer.key);
}

static const struct option names[] = {
    {"folder", required_argument, NULL, 'd'},    {"file", required_argument, NULL, 'f'},
    {"alg", required_argument, NULL, 'a'},       {"count", required_argument, NULL, 'n'},
    {"first", required_argument, NULL, 's'},     {"credentials", required_argument, NULL, 'c'},
    {"issuers", required_argument, NULL, 'i'},   {"issuer", required_argument, NULL, 'u'},
    {"audience", required_argument, NULL, 'w'},  {"expires", required_argument, NULL, 'e'},
    {"processes", required_argument, NULL, 'p'}, {NULL, 0, NULL, 0},
};

static bool take_option(int option, struct plan *plan)
{
    const char *texts = "dfuw", *numbers = "nscie";
    const char **text_fields[] = {&plan->folder, &plan->file, &plan->issuer, &plan->audience};
    long *number_fields[] = {&plan->count, &plan->first, &plan->credentials, &plan->issuers, &plan->expires_s};
    const char *at = strchr(texts, option);
    if (at != NULL) {
        *text_fields[at - texts] = optarg;
        return true;
    }
    at = strchr(numbers, option);
    if (at != NULL) {
        *number_fields[at - numbers] = atol(optarg);
        return true;
    }
    if (option == 'p')
        plan->processes = atoi(optarg);
    if (option == 'a')
        plan->is_ec = strcmp(optarg, "ES256") == 0;
    return option == 'p' || (option == 'a' && (plan->is_ec || strcmp(optarg, "RS256") == 0));
}

int main(int argc, char **argv)
{
    struct plan plan = {.audience = "relyd-bench",
                        .issuer = "https://oidc.bench.example",
                        .count = 1,
                        .credentials = 1000,
                        .issuers = 1,
                        .expires_s = 4000000000,
                        .processes = 1};
    bool is_good = true;
    int option;
    while (is_good && (option = getopt_long(argc, argv, "", names, NULL)) != -1)
        is_good = take_option(option, &plan);
    if (!is_good || plan.folder == NULL || plan.file == NULL || plan.count < 1 || plan.credentials < 1 ||
        plan.issuers < 1 || plan.processes < 1 || plan.first < 0) {
        fprintf(stderr,
                "usage: %s --folder DIR --file NAME [--alg RS256|ES256] [--count N] [--first N] [--credentials N]\n"
                "       [--issuers N] [--issuer URL] [--audience TEXT] [--expires SECONDS] [--processes N]\n",
                argv[0]);
        return EXIT_FAILURE;
    }
    sign_all(&plan);
    return EXIT_SUCCESS;
}
