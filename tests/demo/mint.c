/*
 * demo-mint: makes a throw-away key, prints its JWKS, and mints tokens of Kubernetes' shape with it. For quickstart,
 * for trying things out, never for production: whoever reads the key file is the cluster.
 */
#include "demo.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define LIFETIME_DEFAULT_S 3600
#define AUDIENCE_DEFAULT "relyd"
#define LIFETIME_MAX_S 4294967296LL /* what kube-apiserver allows: 2^32 */

static const char usage[] =
    "demo-mint key FILE                 make an RSA-2048 key; the file must not exist\n"
    "demo-mint jwks FILE                print the key's public half as a JWKS\n"
    "demo-mint token FILE [options]     print a service-account token signed with the key\n"
    "    --issuer URL                   its iss                  (https://demo-issuer.relyd.invalid)\n"
    "    --namespace NAME               the account's namespace  (default)\n"
    "    --account NAME                 the service account      (default)\n"
    "    --audience TEXT                its aud, up to 10 times  (" AUDIENCE_DEFAULT ")\n"
    "    --pod NAME, --node NAME        bind it to a pod, a node (not bound)\n"
    "    --lifetime SECONDS             exp - iat                (3600)\n"
    "    --expired-since SECONDS        exp is so long ago       (exp is in the future)\n"
    "An option that is left out is what stands in parentheses: a credential with another audience than\n"
    "\"" AUDIENCE_DEFAULT "\" needs --audience (quickstart's is https://relyd.example).\n";

/* What the command line says about time. */
struct mint_times {
    int64_t lifetime_s;
    int64_t expired_since_s; /* -1: not expired */
};

static bool parse_seconds(const char *option, const char *text, int64_t *out, struct rely_err *err)
{
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 0 || value > LIFETIME_MAX_S)
        return rely_err_set(err, RELY_ERR_INVALID, "--%s: expected 0 to %lld seconds, got %s", option, LIFETIME_MAX_S,
                            text);
    *out = value;
    return true;
}

static bool take_option(int option, struct demo_token *token, struct mint_times *times, struct rely_err *err)
{
    switch (option) {
    case 'i':
        token->issuer = optarg;
        return true;
    case 'n':
        token->namespace_name = optarg;
        return true;
    case 'a':
        token->account = optarg;
        return true;
    case 'p':
        token->pod = optarg;
        return true;
    case 'o':
        token->node = optarg;
        return true;
    case 'u':
        if (token->audience_count == DEMO_AUDIENCES_MAX)
            return rely_err_set(err, RELY_ERR_LIMIT, "--audience: at most %d", DEMO_AUDIENCES_MAX);
        token->audiences[token->audience_count++] = optarg;
        return true;
    case 'l':
        return parse_seconds("lifetime", optarg, &times->lifetime_s, err);
    case 'e':
        return parse_seconds("expired-since", optarg, &times->expired_since_s, err);
    default:
        return rely_err_set(err, RELY_ERR_INVALID, "unknown option");
    }
}

static bool parse_options(int argc, char **argv, struct demo_token *token, struct rely_err *err)
{
    static const struct option options[] = {
        {"issuer", required_argument, NULL, 'i'},
        {"namespace", required_argument, NULL, 'n'},
        {"account", required_argument, NULL, 'a'},
        {"audience", required_argument, NULL, 'u'},
        {"pod", required_argument, NULL, 'p'},
        {"node", required_argument, NULL, 'o'},
        {"lifetime", required_argument, NULL, 'l'},
        {"expired-since", required_argument, NULL, 'e'},
        {NULL, 0, NULL, 0},
    };
    struct mint_times times = {.lifetime_s = LIFETIME_DEFAULT_S, .expired_since_s = -1};
    int option = 0;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (!take_option(option, token, &times, err))
            return false;
    if (optind != argc)
        return rely_err_set(err, RELY_ERR_INVALID, "unexpected argument: %s", argv[optind]);
    if (token->audience_count == 0)
        token->audiences[token->audience_count++] = AUDIENCE_DEFAULT;
    int64_t now_s = (int64_t)time(NULL);
    token->expires_s = times.expired_since_s < 0 ? now_s + times.lifetime_s : now_s - times.expired_since_s;
    token->issued_s = token->expires_s - times.lifetime_s;
    return true;
}

static bool print_jwks(const char *path, struct rely_err *err)
{
    EVP_PKEY *key = demo_key_load(path, err);
    __attribute__((cleanup(rely_buf_fini))) struct rely_buf jwks = {0};
    bool is_ok = key != NULL && demo_key_print_jwks(key, &jwks, err);
    EVP_PKEY_free(key);
    if (is_ok)
        fputs(jwks.ptr, stdout);
    return is_ok;
}

static bool print_token(const char *path, int argc, char **argv, struct rely_err *err)
{
    struct demo_token token = {
        .issuer = "https://demo-issuer.relyd.invalid", .namespace_name = "default", .account = "default"};
    if (!parse_options(argc, argv, &token, err))
        return false;
    EVP_PKEY *key = demo_key_load(path, err);
    char *jwt = NULL;
    bool is_ok = key != NULL && demo_token_sign(&token, key, &jwt, err);
    EVP_PKEY_free(key);
    if (is_ok)
        puts(jwt);
    free(jwt);
    return is_ok;
}

static bool run_command(int argc, char **argv, struct rely_err *err)
{
    if (strcmp(argv[1], "key") == 0 && argc == 3)
        return demo_key_make(argv[2], err);
    if (strcmp(argv[1], "jwks") == 0 && argc == 3)
        return print_jwks(argv[2], err);
    if (strcmp(argv[1], "token") == 0)
        return print_token(argv[2], argc - 2, argv + 2, err);
    return rely_err_set(err, RELY_ERR_INVALID, "unknown command; see demo-mint --help");
}

int main(int argc, char **argv)
{
    struct rely_err err = {0};
    if (argc < 3) {
        fputs(usage, argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
        return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
    }
    if (run_command(argc, argv, &err))
        return 0;
    fprintf(stderr, "demo-mint: %s\n", err.message);
    return err.code == RELY_ERR_INVALID ? 2 : 1;
}
