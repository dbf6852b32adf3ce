/* The world's keys and what most hostile tokens are made of. See hostile.h. */
#include "hostile.h"

const struct mint_key *rsa_key(void)
{
    return mint_key("rsa2048");
}

const struct mint_key *ec_key(void)
{
    return mint_key("p256");
}

const struct mint_key *ec384_key(void)
{
    return mint_key("p384");
}

const struct mint_key *attacker_key(void)
{
    return mint_key("rsa2048#attacker");
}

const char *world_jwks(void)
{
    return mint_jwks(mint_jwk(rsa_key(), "rsa", "RS256"), mint_jwk(ec_key(), "ec", "ES256"),
                     mint_jwk(ec384_key(), "ec384", "ES384"), NULL);
}

struct rely_slice as_slice(const char *token)
{
    return rely_slice_of(token);
}

struct claim {
    const char *name, *json;
};

static const struct claim right_claims[] = {
    {"iss", "\"" ISSUER "\""}, {"sub", "\"" SUBJECT "\""}, {"aud", "[\"" AUDIENCE "\"]"}, {"exp", "1800003600"},
    {"nbf", "1799989000"},     {"iat", "1799989000"},      {"jti", "\"e1f6\""},
};
#define CLAIM_COUNT (sizeof(right_claims) / sizeof(right_claims[0]))

const char *payload_with(const char *claim, const char *json)
{
    const char *text = "";
    bool is_known = false;
    for (size_t i = 0; i < CLAIM_COUNT; i++) {
        bool is_it = claim != NULL && strcmp(claim, right_claims[i].name) == 0;
        const char *value = is_it ? json : right_claims[i].json;
        is_known |= is_it;
        if (value != NULL)
            text = mint_print("%s%s\"%s\":%s", text, text[0] == '\0' ? "" : ",", right_claims[i].name, value);
    }
    if (claim != NULL && json != NULL && !is_known)
        text = mint_print("%s,\"%s\":%s", text, claim, json);
    return mint_print("{%s}", text);
}

const char *right_payload(void)
{
    return payload_with(NULL, NULL);
}

const char *payload_and(const char *members)
{
    const char *right = right_payload();
    return mint_print("%.*s,%s}", (int)strlen(right) - 1, right, members);
}

struct rely_slice right_token(const char *text)
{
    (void)text;
    return with_payload(right_payload());
}

struct rely_slice with_header(const char *header)
{
    return as_slice(mint_token(rsa_key(), "RS256", header, right_payload()));
}

struct rely_slice with_payload(const char *payload)
{
    return as_slice(mint_token(rsa_key(), "RS256", RSA_HEADER, payload));
}

struct rely_slice with_members(const char *members)
{
    return with_payload(payload_and(members));
}

struct rely_slice as_is(const char *token)
{
    return as_slice(token);
}
