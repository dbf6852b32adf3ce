/*
 * What the table of fields cannot say of an identity: what it is called, and what it may not be called. Called by the
 * reader of bodies.
 */
#include "kind.h"
#include "relyd/compose.h"
#include "relyd/reserved.h"
#include <stdio.h>

/* kube-apiserver believes whatever name a webhook gives: `system:masters` is cluster admin. */
static void refuse_system_name(const struct rely_body *body, struct rely_slice text, const char *field)
{
    if (text.ptr != NULL && !body->rules->may_use_system_names && rely_is_system_name(text))
        rely_problems_add(body->problems, field, "not_allowed",
                          "%s begins with system:, which needs identities.allow_system_names in the configuration",
                          field);
}

static void check_username(const struct rely_body *body, struct rely_identity_record *identity)
{
    if (rely_json_get(body->json, "usernameFrom") != NULL && rely_json_get(body->json, "username") != NULL)
        rely_problems_add(body->problems, "username", "not_allowed", "username must be left out with usernameFrom");
    else
        refuse_system_name(body, identity->username, "username");
    if (identity->username.ptr == NULL)
        identity->username = identity->name;
}

static void check_groups(const struct rely_body *body, const struct rely_identity_record *identity)
{
    for (size_t i = 0; i < identity->groups.count; i++) {
        char field[32];
        snprintf(field, sizeof field, "groups[%zu]", i);
        refuse_system_name(body, identity->groups.items[i], field);
    }
}

static bool is_extra_key(struct rely_slice key)
{
    const char *slash = memchr(key.ptr, '/', key.len);
    if (slash == NULL || slash == key.ptr || slash + 1 == key.ptr + key.len || key.len > 253 ||
        memchr(key.ptr, '.', (size_t)(slash - key.ptr)) == NULL)
        return false;
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
        bool is_path = key.ptr + i >= slash && (c == '_' || c == '/');
        if (!is_plain && !is_path)
            return false;
    }
    return true;
}

/* Keys of Kubernetes' own domains say where a token came from, those of relyd's what it found: an identity must not
 * forge them. */
static void check_extra_key(const struct rely_body *body, struct rely_slice key)
{
    char quoted[RELY_QUOTED_SIZE], field[64];
    rely_quote(key, quoted);
    snprintf(field, sizeof field, "extra.%.*s", key.len < 50 ? (int)key.len : 50, key.ptr);
    if (rely_is_relyd_key(key))
        rely_problems_add(body->problems, field, "not_allowed",
                          "extra has the key %.150s: with keys of relyd.io relyd itself says what it found", quoted);
    else if (rely_is_kubernetes_key(key) && !body->rules->may_use_system_names)
        rely_problems_add(body->problems, field, "not_allowed",
                          "extra has the key %.150s of Kubernetes' own, which needs identities.allow_system_names",
                          quoted);
    else if (!is_extra_key(key))
        rely_problems_add(body->problems, field, "invalid_name",
                          "extra has the key %.150s; keys are lower case with a domain, such as example.com/team",
                          quoted);
}

/* RFC 5280 s4.2.1.6 and X.520: what of a certificate a name is. */
static bool is_certificate_name(struct rely_slice text)
{
    static const struct rely_slice kinds[] = {{"uri:", 4}, {"dns:", 4}, {"email:", 6}, {"cn:", 3}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (rely_slice_starts(text, kinds[i]))
            return text.len > kinds[i].len;
    return false;
}

static void check_certificates(const struct rely_body *body, const struct rely_identity_record *identity)
{
    for (size_t i = 0; i < identity->certificates.count; i++) {
        char field[48];
        snprintf(field, sizeof field, "certificates[%zu]", i);
        if (identity->certificates.items[i].ptr != NULL && !is_certificate_name(identity->certificates.items[i]))
            rely_problems_add(body->problems, field, "invalid_name",
                              "%s must say what name of a certificate it is: uri:, dns:, email: or cn: in front",
                              field);
    }
}

void rely_identity_check(const struct rely_body *body, void *record)
{
    struct rely_identity_record *identity = record;
    check_certificates(body, identity);
    check_username(body, identity);
    check_groups(body, identity);
    for (size_t i = 0; i < identity->extra.count; i++)
        check_extra_key(body, identity->extra.items[i].key);
}

/* The name that is kept stands for nothing where the subject does. */
bool rely_identity_shows(const struct rely_field *field, const void *record)
{
    const struct rely_identity_record *identity = record;
    return field->offset != offsetof(struct rely_identity_record, username) || identity->is_username_subject == 0;
}

/* --- roles ------------------------------------------------------------------------------------------------------ */

void rely_identity_read_own(const struct rely_body *body, const struct rely_field *field, void *record)
{
    struct rely_identity_record *identity = record;
    identity->roles = rely_bits_read(body, field, rely_bits_find, (size_t)rely_field_count_words(field),
                                     "must be one of admin, viewer, reviewer");
}

struct rely_json *rely_identity_show_own(const struct rely_field *field, const void *record)
{
    return rely_bits_show(field, ((const struct rely_identity_record *)record)->roles);
}

struct rely_json *rely_identity_schema_own(const struct rely_field *field)
{
    return rely_schema_of_list(rely_schema_of_words(field->words), field->least, rely_field_count_words(field));
}

bool rely_identity_is_whole(const void *record)
{
    return (((const struct rely_identity_record *)record)->roles & ~(int64_t)RELY_ROLES_ALL) == 0;
}
