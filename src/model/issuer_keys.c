/*
 * An issuer's `keys`: exactly one of discovery (beside which jwksUri may stand), jwksUri, jwks, pem, file. Decides that
 * an uploaded set holds no secret; what a usable key is, keys/ knows, and whether another record has it, registry/ asks.
 * Called by issuer.c.
 */
#include "kind.h"
#include "relyd/compose.h"
#include "relyd/text.h"
#include <stdio.h>

/* An uploaded private key would be shown to every reader of the registry: refuse it, and do not repeat it. */
static bool has_secret_members(const struct rely_json *jwks, struct rely_problems *problems)
{
    const struct rely_json *list = rely_json_get(jwks, "keys");
    for (size_t i = 0; rely_json_type(list) == RELY_JSON_ARRAY && i < rely_json_size(list); i++) {
        if (rely_json_jwk_secret(rely_json_at(list, i)) == NULL)
            continue;
        rely_problems_add(problems, "keys.jwks", "private_key",
                          "keys.jwks.keys[%zu] is a private or symmetric key; give public keys alone, and replace it",
                          i);
        return true;
    }
    return false;
}

static void read_uploaded_set(const struct rely_body *body, const struct rely_json *jwks,
                              struct rely_issuer_record *issuer)
{
    struct rely_buf text = {0};
    issuer->key_source = RELY_KEYS_UPLOADED;
    if (rely_json_type(jwks) != RELY_JSON_OBJECT) {
        rely_field_wrong_type(jwks, "keys.jwks", "an object", body->problems);
        return;
    }
    if (has_secret_members(jwks, body->problems))
        return;
    rely_json_print(jwks, &text);
    issuer->jwks = rely_pool_copy(body->pool, rely_buf_slice(&text));
    rely_buf_fini(&text);
}

static void read_jwks_uri(const struct rely_body *body, const struct rely_json *value,
                          struct rely_issuer_record *issuer)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_TEXT_MAX};
    bool may_use_http = body->rules->may_use_http && rely_json_true(rely_json_get(body->json, "allowHttp"));
    if (rely_field_read_text(value, "keys.jwksUri", &rule, body->problems, &issuer->jwks_uri))
        rely_field_check_url(issuer->jwks_uri, "keys.jwksUri", RELY_URL_FETCHED, may_use_http, body->problems);
}

/* What is in it, registry/ has keys/ find out. */
static void read_pem(const struct rely_body *body, const struct rely_json *value, struct rely_issuer_record *issuer)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_JWKS_BYTES_MAX};
    static const char secret[] = "PRIVATE KEY-----";
    issuer->key_source = RELY_KEYS_PEM;
    if (!rely_field_read_bytes(value, "keys.pem", &rule, body->problems, &issuer->keys_pem))
        return;
    if (memmem(issuer->keys_pem.ptr, issuer->keys_pem.len, secret, sizeof secret - 1) == NULL)
        return;
    rely_problems_add(body->problems, "keys.pem", "private_key",
                      "keys.pem has a private key; give public keys alone, and replace it");
    issuer->keys_pem = (struct rely_slice){NULL, 0};
}

static void read_discovery(const struct rely_body *body, const struct rely_json *value,
                           struct rely_issuer_record *issuer)
{
    issuer->key_source = RELY_KEYS_DISCOVERY;
    if (rely_json_type(value) != RELY_JSON_BOOL)
        rely_field_wrong_type(value, "keys.discovery", "true", body->problems);
    else if (!rely_json_true(value))
        rely_problems_add(body->problems, "keys.discovery", "invalid_value",
                          "keys.discovery must be true; otherwise give " RELY_OTHER_KEYS);
}

/* What is in it, the keeper finds out: it may come later, and changes. */
static void read_file(const struct rely_body *body, const struct rely_json *value, struct rely_issuer_record *issuer)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_FILE_NAME_MAX};
    issuer->key_source = RELY_KEYS_FILE;
    if (!rely_field_read_text(value, "keys.file", &rule, body->problems, &issuer->keys_file))
        return;
    if (!rely_text_is_file_name(issuer->keys_file))
        rely_problems_add(body->problems, "keys.file", "invalid_value",
                          "keys.file is the name of a file below keys.folder: of A-Z, a-z, 0-9, ., _ and -, without "
                          "folder and without a dot in front");
    else if (!body->rules->has_key_folder)
        rely_problems_add(body->problems, "keys.file", "not_allowed",
                          "keys.file needs keys.folder in the configuration");
}

/* Both: the document is read and judged, and the keys are elsewhere than it says. */
static void read_places(const struct rely_body *body, const struct rely_json *value, struct rely_issuer_record *issuer)
{
    const struct rely_json *discovery = rely_json_get(value, "discovery"), *uri = rely_json_get(value, "jwksUri");
    issuer->key_source = RELY_KEYS_JWKS_URI;
    if (discovery != NULL)
        read_discovery(body, discovery, issuer);
    if (uri != NULL)
        read_jwks_uri(body, uri, issuer);
}

static bool check_keys_members(const struct rely_body *body, const struct rely_field *sources,
                               const struct rely_json *value)
{
    bool is_good = true;
    for (const char *name = rely_json_next_name(value, NULL); name != NULL; name = rely_json_next_name(value, name)) {
        if (rely_find_word(sources->words, rely_slice_of(name)) != 0)
            continue;
        char field[64];
        snprintf(field, sizeof field, "keys.%.50s", name);
        rely_problems_add(body->problems, field, "unknown_field",
                          "keys has discovery, jwksUri, jwks, pem or file, nothing else");
        is_good = false;
    }
    bool is_pair = rely_json_size(value) == 2 && rely_json_get(value, "discovery") != NULL &&
                   rely_json_get(value, "jwksUri") != NULL;
    if (!is_good || is_pair || rely_json_size(value) == 1)
        return is_good;
    rely_problems_add(body->problems, "keys", rely_json_size(value) == 0 ? "required" : "too_many",
                      "keys must have exactly one of discovery, jwksUri, jwks, pem, file, or the first two; it has %zu",
                      rely_json_size(value));
    return false;
}

void rely_issuer_keys_read(const struct rely_body *body, const struct rely_field *field,
                           struct rely_issuer_record *issuer)
{
    const struct rely_json *value = rely_json_get(body->json, field->json);
    if (value == NULL)
        issuer->key_source = RELY_KEYS_DISCOVERY;
    else if (rely_json_type(value) != RELY_JSON_OBJECT)
        rely_field_wrong_type(value, "keys", "an object", body->problems);
    else if (!check_keys_members(body, field, value))
        return;
    else if (rely_json_get(value, "jwks") != NULL)
        read_uploaded_set(body, rely_json_get(value, "jwks"), issuer);
    else if (rely_json_get(value, "pem") != NULL)
        read_pem(body, rely_json_get(value, "pem"), issuer);
    else if (rely_json_get(value, "file") != NULL)
        read_file(body, rely_json_get(value, "file"), issuer);
    else
        read_places(body, value, issuer);
}

static struct rely_json *show_source(const struct rely_issuer_record *issuer)
{
    struct rely_err unused = {0};
    if (issuer->key_source == RELY_KEYS_UPLOADED)
        return rely_json_parse(issuer->jwks, &unused);
    if (issuer->key_source == RELY_KEYS_PEM)
        return rely_json_of_text(issuer->keys_pem);
    if (issuer->key_source == RELY_KEYS_FILE)
        return rely_json_of_text(issuer->keys_file);
    return issuer->key_source == RELY_KEYS_JWKS_URI ? rely_json_of_text(issuer->jwks_uri) : rely_json_of_bool(true);
}

/* NULL: a stored set that is no JSON. The field's words are in the order of enum rely_key_source. */
struct rely_json *rely_issuer_keys_show(const struct rely_field *field, const struct rely_issuer_record *issuer)
{
    char word[16];
    struct rely_json *value = show_source(issuer);
    if (value == NULL)
        return NULL;
    struct rely_json *keys = rely_json_object();
    snprintf(word, sizeof word, "%.*s", RELY_ARG(rely_word_at(field->words, issuer->key_source)));
    rely_json_set(keys, word, value);
    if (issuer->key_source == RELY_KEYS_DISCOVERY && issuer->jwks_uri.ptr != NULL)
        rely_json_set(keys, "jwksUri", rely_json_of_text(issuer->jwks_uri));
    return keys;
}

/* --- in words ------------------------------------------------------------------------------------------- */

static struct rely_json *source_schema(struct rely_slice word)
{
    struct rely_json *schema;
    if (rely_slice_equal(word, RELY_LIT("jwksUri")))
        return rely_schema_of_text(1, RELY_TEXT_MAX);
    if (rely_slice_equal(word, RELY_LIT("pem")))
        return rely_schema_of_text(1, RELY_JWKS_BYTES_MAX);
    if (rely_slice_equal(word, RELY_LIT("file")))
        return rely_schema_of_text(1, RELY_FILE_NAME_MAX);
    schema = rely_json_object();
    if (rely_slice_equal(word, RELY_LIT("discovery")))
        rely_json_set(schema, "const", rely_json_of_bool(true));
    else
        rely_json_set(schema, "type", rely_json_of_text(RELY_LIT("object")));
    return schema;
}

/* An object that has this member and no other, but for a jwksUri beside discovery. */
static struct rely_json *one_source_schema(struct rely_slice word)
{
    char name[16];
    struct rely_json *schema = rely_json_object(), *properties = rely_json_object(), *required = rely_json_array();
    snprintf(name, sizeof name, "%.*s", RELY_ARG(word));
    rely_json_set(properties, name, source_schema(word));
    if (rely_slice_equal(word, RELY_LIT("discovery")))
        rely_json_set(properties, "jwksUri", source_schema(RELY_LIT("jwksUri")));
    rely_json_append(required, rely_json_of_text(word));
    rely_json_set(schema, "type", rely_json_of_text(RELY_LIT("object")));
    rely_json_set(schema, "properties", properties);
    rely_json_set(schema, "required", required);
    rely_json_set(schema, "additionalProperties", rely_json_of_bool(false));
    return schema;
}

struct rely_json *rely_issuer_keys_schema(const struct rely_field *field)
{
    struct rely_json *schema = rely_json_object(), *sources = rely_json_array();
    for (int64_t i = 1; i <= rely_field_count_words(field); i++)
        rely_json_append(sources, one_source_schema(rely_word_at(field->words, i)));
    rely_json_set(schema, "oneOf", sources);
    return schema;
}
