/*
 * Checks an issuer's `keys`: exactly one of discovery, jwksUri, jwks. Decides whether an uploaded set may be stored;
 * what a usable key is, keys/ decides through a callback. Called by issuer_body.c.
 */
#include "store.h"
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

bool rely_issuer_is_woken(const struct rely_write *write)
{
    const struct rely_json *before = rely_json_get(write->before, "enabled"),
                           *now = rely_json_get(write->body, "enabled");
    return before != NULL && !rely_json_true(before) && (now == NULL || rely_json_true(now));
}

/* The set that is stored may stay as it is, unless its record was disabled and held no key: a record must be
 * changeable, and be it only to disable it. */
static bool is_stored_set(const struct rely_write *write, const struct rely_buf *document)
{
    const struct rely_json *stored = rely_json_get(rely_json_get(write->before, "keys"), "jwks");
    struct rely_buf text = {0};
    if (stored != NULL)
        rely_json_print(stored, &text);
    bool is_same = stored != NULL && rely_slice_equal(rely_buf_slice(&text), rely_buf_slice(document));
    rely_buf_fini(&text);
    return is_same;
}

static void refuse_repeated_keys(const struct rely_write *write, const struct rely_issuer_keys *keys)
{
    const struct rely_registry *registry = write->registry;
    const struct rely_registry_keys asked = {.url = rely_json_text(rely_json_get(write->body, "issuer")),
                                             .issuer_id = write->id,
                                             .jwks = rely_buf_slice(&keys->document)};
    struct rely_err err = {0};
    bool is_judged = is_stored_set(write, &keys->document) && !rely_issuer_is_woken(write);
    if (registry->check_repeats == NULL || asked.url.ptr == NULL || is_judged)
        return;
    if (!registry->check_repeats(registry->check_context, &asked, &err))
        rely_problems_add(write->problems, "keys.jwks", "duplicate_key", "keys.jwks: %.280s", err.message);
}

static void read_uploaded_set(const struct rely_write *write, const struct rely_json *jwks,
                              struct rely_issuer_keys *keys)
{
    const struct rely_registry *registry = write->registry;
    struct rely_err err = {0};
    keys->source = RELY_KEYS_UPLOADED;
    if (rely_json_type(jwks) != RELY_JSON_OBJECT) {
        rely_field_wrong_type(jwks, "keys.jwks", "an object", write->problems);
        return;
    }
    if (has_secret_members(jwks, write->problems))
        return;
    rely_json_print(jwks, &keys->document);
    if (keys->document.len > registry->jwks_max_bytes)
        rely_problems_add(write->problems, "keys.jwks", "too_long",
                          "keys.jwks has %zu bytes; the limit is %zu (keys.max_bytes)", keys->document.len,
                          registry->jwks_max_bytes);
    else if (registry->check_jwks != NULL &&
             !registry->check_jwks(registry->check_context, rely_buf_slice(&keys->document), &err))
        rely_problems_add(write->problems, "keys.jwks", "invalid_key_set", "keys.jwks: %.280s", err.message);
    else
        refuse_repeated_keys(write, keys);
}

static void read_jwks_uri(const struct rely_write *write, const struct rely_json *value, bool may_use_http,
                          struct rely_issuer_keys *keys)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_TEXT_MAX};
    keys->source = RELY_KEYS_JWKS_URI;
    if (rely_field_read_text(value, "keys.jwksUri", &rule, write->problems, &keys->jwks_uri))
        rely_field_check_url(keys->jwks_uri, "keys.jwksUri", RELY_URL_FETCHED, may_use_http, write->problems);
}

static void read_discovery_choice(const struct rely_write *write, const struct rely_json *value,
                                  struct rely_issuer_keys *keys)
{
    keys->source = RELY_KEYS_DISCOVERY;
    if (rely_json_type(value) != RELY_JSON_BOOL)
        rely_field_wrong_type(value, "keys.discovery", "true", write->problems);
    else if (!rely_json_true(value))
        rely_problems_add(write->problems, "keys.discovery", "invalid_value",
                          "keys.discovery must be true; otherwise give keys.jwksUri or keys.jwks");
}

static bool check_keys_members(const struct rely_write *write, const struct rely_json *value)
{
    static const char *const known[] = {"discovery", "jwksUri", "jwks"};
    bool is_good = true;
    for (const char *name = rely_json_next_name(value, NULL); name != NULL; name = rely_json_next_name(value, name)) {
        bool is_known = false;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            is_known = is_known || strcmp(name, known[i]) == 0;
        if (is_known)
            continue;
        char field[64];
        snprintf(field, sizeof field, "keys.%.50s", name);
        rely_problems_add(write->problems, field, "unknown_field", "keys has discovery, jwksUri or jwks, nothing else");
        is_good = false;
    }
    if (!is_good || rely_json_size(value) == 1)
        return is_good;
    rely_problems_add(write->problems, "keys", rely_json_size(value) == 0 ? "required" : "too_many",
                      "keys must have exactly one of discovery, jwksUri, jwks; it has %zu", rely_json_size(value));
    return false;
}

void rely_issuer_keys_read(const struct rely_write *write, bool may_use_http, struct rely_issuer_keys *keys)
{
    struct rely_json *value = rely_json_get(write->body, "keys");
    keys->source = RELY_KEYS_DISCOVERY;
    if (value == NULL) {
        keys->shown = rely_json_object();
        rely_json_set(keys->shown, "discovery", rely_json_of_bool(true));
        return;
    }
    if (rely_json_type(value) != RELY_JSON_OBJECT) {
        rely_field_wrong_type(value, "keys", "an object", write->problems);
        return;
    }
    if (!check_keys_members(write, value))
        return;
    keys->shown = rely_json_share(value);
    if (rely_json_get(value, "jwks") != NULL)
        read_uploaded_set(write, rely_json_get(value, "jwks"), keys);
    else if (rely_json_get(value, "jwksUri") != NULL)
        read_jwks_uri(write, rely_json_get(value, "jwksUri"), may_use_http, keys);
    else
        read_discovery_choice(write, rely_json_get(value, "discovery"), keys);
}
