/*
 * Checks an issuer's body. Decides whether it is good and brings it to its normal form; stores nothing. Where the keys
 * come from is issuer_keys.c's. Called by issuer_rows.c within a write.
 */
#include "store.h"

/* Indexed by the bits of enum rely_alg (token.h), which is above this folder. */
static const char *const alg_names[RELY_ISSUER_ALGS + 1] = {
    NULL, "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
};

const char *rely_issuer_alg_name(int bit)
{
    return bit >= 1 && bit <= RELY_ISSUER_ALGS ? alg_names[bit] : NULL;
}

static bool add_algorithm(struct rely_slice item, const char *field, void *context, struct rely_problems *problems)
{
    uint32_t *algs = context;
    if (rely_slice_equal(item, RELY_LIT("Ed25519"))) /* RFC 9864: another name for the same; EdDSA is shown */
        item = RELY_LIT("EdDSA");
    for (int bit = 1; bit <= RELY_ISSUER_ALGS; bit++) {
        if (!rely_slice_equal(item, rely_slice_of(alg_names[bit])))
            continue;
        *algs |= 1u << bit;
        return true;
    }
    rely_problems_add(problems, field, "not_allowed",
                      "%s must be one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA (or "
                      "Ed25519); none and HMAC never are",
                      field);
    return false;
}

static uint32_t read_algorithms(const struct rely_write *write)
{
    uint32_t algs = 0;
    struct rely_buf unused = {0};
    struct rely_list_rule rule = {.min = 1,
                                  .max = RELY_ISSUER_ALGS + 1,
                                  .item = {.min = 1, .max = 16},
                                  .may_take = add_algorithm,
                                  .context = &algs};
    const struct rely_json *list = rely_json_get(write->body, "algorithms");
    if (list == NULL)
        return RELY_ISSUER_ALGS_ALL;
    rely_field_read_list(list, "algorithms", &rule, write->problems, &unused);
    rely_buf_fini(&unused);
    return algs;
}

static bool check_type(struct rely_slice item, const char *field, void *context, struct rely_problems *problems)
{
    (void)context;
    for (size_t i = 0; i < item.len; i++) {
        char c = item.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("!#$&^_.+-/", c) != NULL)
            continue;
        rely_problems_add(problems, field, "invalid_value", "%s has a character that no media type may have", field);
        return false;
    }
    return true;
}

/* Letter case and "application/" carry no meaning in `typ` (RFC 7515 s4.1.9): stored without either. */
static struct rely_json *normalise_type(const struct rely_json *item)
{
    static const char prefix[] = "application/";
    struct rely_slice text = rely_json_text(item);
    struct rely_buf lower = {0};
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        rely_buf_putc(&lower, c);
    }
    struct rely_slice bare = rely_buf_slice(&lower);
    if (bare.len > sizeof prefix - 1 && memcmp(bare.ptr, prefix, sizeof prefix - 1) == 0)
        bare = rely_slice(bare.ptr + sizeof prefix - 1, bare.len - (sizeof prefix - 1));
    struct rely_json *value = rely_json_of_text(bare.ptr == NULL ? RELY_LIT("") : bare);
    rely_buf_fini(&lower);
    return value;
}

static void read_types(const struct rely_write *write, struct rely_buf *out)
{
    static const struct rely_list_rule rule = {
        .min = 1, .max = RELY_TYPES_PER_ISSUER_MAX, .item = {.min = 1, .max = 127}, .may_take = check_type};
    const struct rely_json *list = rely_json_get(write->body, "types");
    if (list == NULL) {
        rely_buf_put(out, RELY_LIT("jwt\njose\nat+jwt\n"));
        return;
    }
    RELY_JSON_OWNED struct rely_json *lower = rely_json_array();
    for (size_t i = 0; rely_json_type(list) == RELY_JSON_ARRAY && i < rely_json_size(list); i++) {
        struct rely_json *item = rely_json_at(list, i);
        rely_json_append(lower,
                         rely_json_type(item) == RELY_JSON_STRING ? normalise_type(item) : rely_json_share(item));
    }
    rely_field_read_list(rely_json_type(list) == RELY_JSON_ARRAY ? lower : list, "types", &rule, write->problems, out);
}

static void read_ca_bundle(const struct rely_write *write, struct rely_slice *out)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----";
    const struct rely_json *value = rely_json_get(write->body, "caBundle");
    if (value == NULL)
        return;
    if (rely_json_type(value) != RELY_JSON_STRING) {
        rely_field_wrong_type(value, "caBundle", "a string", write->problems);
        return;
    }
    struct rely_slice text = rely_json_text(value);
    if (text.len > RELY_CA_BUNDLE_BYTES_MAX)
        rely_problems_add(write->problems, "caBundle", "too_long", "caBundle has %zu bytes; the limit is %d", text.len,
                          RELY_CA_BUNDLE_BYTES_MAX);
    else if (memmem(text.ptr, text.len, begin, sizeof begin - 1) == NULL)
        rely_problems_add(write->problems, "caBundle", "invalid_value",
                          "caBundle must be PEM: it has no -----BEGIN CERTIFICATE-----");
    else if (memmem(text.ptr, text.len, "PRIVATE KEY-----", 16) != NULL)
        rely_problems_add(write->problems, "caBundle", "private_key",
                          "caBundle has a private key; give the certificates alone");
    else
        *out = text;
}

/* OpenID Connect Discovery s4 asks for an https URL: whoever turns discovery on for an issuer of another name is told
 * at what he has changed, `keys`. */
static void check_discoverable(const struct rely_write *write, const struct rely_issuer_record *record)
{
    bool may_use_http = write->registry->may_use_http && record->may_use_http;
    struct rely_problems *problems = write->problems;
    const struct rely_json *before = rely_json_get(write->before, "keys");
    if (before == NULL || rely_json_get(before, "discovery") != NULL) {
        rely_field_check_url(record->url, "issuer", RELY_URL_ISSUER, may_use_http, problems);
        return;
    }
    struct rely_problems found = {.count = 0};
    if (!rely_field_check_url(record->url, "issuer", RELY_URL_ISSUER, may_use_http, &found))
        rely_problems_add(problems, "keys", found.items[0].code, "keys cannot be discovered: %.300s",
                          found.items[0].message);
}

static void read_issuer(const struct rely_write *write, struct rely_issuer_record *record)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_TEXT_MAX, .is_required = true};
    const struct rely_json *value = rely_json_get(write->body, "issuer");
    const struct rely_json *present = rely_json_get(write->before, "issuer");
    bool is_noted =
        value != NULL && present != NULL && !rely_slice_equal(rely_json_text(value), rely_json_text(present));
    if (is_noted || !rely_field_read_text(value, "issuer", &rule, write->problems, &record->url))
        return;
    if (record->keys.source != RELY_KEYS_DISCOVERY)
        rely_field_check_issuer(record->url, "issuer", write->problems);
    else if (record->keys.shown != NULL) /* otherwise `keys` is what is wrong */
        check_discoverable(write, record);
}

static void read_discovery_url(const struct rely_write *write, struct rely_issuer_record *record)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_TEXT_MAX};
    bool may_use_http = write->registry->may_use_http && record->may_use_http;
    const struct rely_json *value = rely_json_get(write->body, "discoveryUrl");
    if (!rely_field_read_text(value, "discoveryUrl", &rule, write->problems, &record->discovery_url))
        return;
    rely_field_check_url(record->discovery_url, "discoveryUrl", RELY_URL_FETCHED, may_use_http, write->problems);
    if (record->keys.source != RELY_KEYS_DISCOVERY)
        rely_problems_add(write->problems, "discoveryUrl", "not_allowed",
                          "discoveryUrl goes only with keys {\"discovery\": true}");
}

bool rely_issuer_record_read(const struct rely_write *write, struct rely_issuer_record *record)
{
    struct rely_problems *problems = write->problems;
    record->may_use_http = rely_field_read_bool(write->body, "allowHttp", false, problems);
    record->may_use_private_addresses = rely_field_read_bool(write->body, "allowPrivateAddresses", false, problems);
    record->is_enabled = rely_field_read_bool(write->body, "enabled", true, problems);
    rely_issuer_keys_read(write, write->registry->may_use_http && record->may_use_http, &record->keys);
    read_issuer(write, record);
    read_discovery_url(write, record);
    read_ca_bundle(write, &record->ca_bundle);
    record->algs = read_algorithms(write);
    read_types(write, &record->types);
    record->leeway_s =
        rely_field_read_integer(write->body, "leewaySeconds", 0, RELY_LEEWAY_MAX_S, RELY_LEEWAY_DEFAULT_S, problems);
    record->max_lifetime_s =
        rely_field_read_integer(write->body, "maxTokenLifetimeSeconds", 1, RELY_TIME_MAX_S, 0, problems);
    record->description = rely_field_read_description(write->body, problems);
    return problems->count == 0;
}

void rely_issuer_record_fini(struct rely_issuer_record *record)
{
    rely_json_free(record->keys.shown);
    rely_buf_fini(&record->keys.document);
    rely_buf_fini(&record->types);
}
