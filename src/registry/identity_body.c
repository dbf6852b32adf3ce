/*
 * Checks an identity's body. Decides whether it is good and brings it to its normal form; stores nothing. Called by
 * identity_rows.c within a write.
 */
#include "relyd/text.h"
#include "reserved.h"
#include "store.h"
#include <stdio.h>

/* kube-apiserver believes whatever name a webhook gives: `system:masters` is cluster admin. */
static bool refuse_system_name(struct rely_slice text, const char *field, void *context, struct rely_problems *problems)
{
    const struct rely_write *write = context;
    if (write->registry->may_use_system_names || !rely_is_system_name(text))
        return true;
    rely_problems_add(problems, field, "not_allowed",
                      "%s begins with system:, which needs identities.allow_system_names in the configuration", field);
    return false;
}

static void read_username(const struct rely_write *write, struct rely_identity_record *record)
{
    static const struct rely_text_rule rule = {.min = 1, .max = RELY_USERNAME_MAX};
    const struct rely_json *from = rely_json_get(write->body, "usernameFrom");
    const struct rely_json *name = rely_json_get(write->body, "username");
    record->username = write->name;
    if (from != NULL && !rely_slice_equal(rely_json_text(from), RELY_LIT("subject")))
        rely_problems_add(write->problems, "usernameFrom", "invalid_value",
                          "usernameFrom must be \"subject\", or be left out");
    record->is_username_subject = from != NULL;
    if (from != NULL && name != NULL)
        rely_problems_add(write->problems, "username", "not_allowed", "username must be left out with usernameFrom");
    else if (rely_field_read_text(name, "username", &rule, write->problems, &record->username))
        refuse_system_name(record->username, "username", (void *)write, write->problems);
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
static bool check_extra_key(const struct rely_write *write, struct rely_slice key, const char *field)
{
    char quoted[RELY_QUOTED_SIZE];
    rely_quote(key, quoted);
    if (rely_is_relyd_key(key))
        rely_problems_add(write->problems, field, "not_allowed",
                          "extra has the key %.150s: with keys of relyd.io relyd itself says what it found", quoted);
    else if (rely_is_kubernetes_key(key) && !write->registry->may_use_system_names)
        rely_problems_add(write->problems, field, "not_allowed",
                          "extra has the key %.150s of Kubernetes' own, which needs identities.allow_system_names",
                          quoted);
    else if (!is_extra_key(key))
        rely_problems_add(write->problems, field, "invalid_name",
                          "extra has the key %.150s; keys are lower case with a domain, such as example.com/team",
                          quoted);
    else
        return true;
    return false;
}

static void read_extra_values(const struct rely_write *write, const struct rely_json *extra, const char *key,
                              struct rely_buf *lines)
{
    struct rely_list_rule rule = {.min = 1, .max = RELY_EXTRA_VALUES_MAX, .item = {.max = RELY_TEXT_MAX}};
    struct rely_buf prefix = {0};
    char field[64];
    snprintf(field, sizeof field, "extra.%.50s", key);
    rely_buf_printf(&prefix, "%s\t", key);
    rule.prefix = rely_buf_slice(&prefix);
    if (check_extra_key(write, rely_slice_of(key), field))
        rely_field_read_list(rely_json_get(extra, key), field, &rule, write->problems, lines);
    rely_buf_fini(&prefix);
}

/* Stored as lines of key, tabulator, value. */
static void read_extra(const struct rely_write *write, struct rely_buf *lines)
{
    const struct rely_json *extra = rely_json_get(write->body, "extra");
    rely_buf_put(lines, RELY_LIT(""));
    if (extra == NULL)
        return;
    if (rely_json_type(extra) != RELY_JSON_OBJECT) {
        rely_field_wrong_type(extra, "extra", "an object", write->problems);
        return;
    }
    if (rely_json_size(extra) > RELY_EXTRA_KEYS_MAX) {
        rely_problems_add(write->problems, "extra", "too_many", "extra has %zu keys; the limit is %d",
                          rely_json_size(extra), RELY_EXTRA_KEYS_MAX);
        return;
    }
    for (const char *key = rely_json_next_name(extra, NULL); key != NULL; key = rely_json_next_name(extra, key))
        read_extra_values(write, extra, key, lines);
}

bool rely_identity_record_read(const struct rely_write *write, struct rely_identity_record *record)
{
    struct rely_list_rule groups = {.max = RELY_GROUPS_PER_IDENTITY_MAX,
                                    .item = {.min = 1, .max = RELY_USERNAME_MAX},
                                    .may_take = refuse_system_name,
                                    .context = (void *)write};
    read_username(write, record);
    rely_buf_put(&record->groups, RELY_LIT(""));
    rely_field_read_list(rely_json_get(write->body, "groups"), "groups", &groups, write->problems, &record->groups);
    read_extra(write, &record->extra);
    record->description = rely_field_read_description(write->body, write->problems);
    record->is_enabled = rely_field_read_bool(write->body, "enabled", true, write->problems);
    return write->problems->count == 0;
}

void rely_identity_record_fini(struct rely_identity_record *record)
{
    rely_buf_fini(&record->groups);
    rely_buf_fini(&record->extra);
}
