/*
 * Rules for the fields of a body: type, length in characters, names, lists, members that nobody knows. Decides whether
 * one field is good and says what is wrong with it; does not know which object it belongs to. Called by *_body.c.
 */
#include "field.h"
#include "relyd/text.h"
#include <stdio.h>

static const char *name_json_type(const struct rely_json *value)
{
    static const char *const words[] = {
        [RELY_JSON_ABSENT] = "absent",
        [RELY_JSON_NULL] = "null",
        [RELY_JSON_BOOL] = "true or false",
        [RELY_JSON_INTEGER] = "a number",
        [RELY_JSON_REAL] = "a number with a fraction",
        [RELY_JSON_STRING] = "a string",
        [RELY_JSON_ARRAY] = "an array",
        [RELY_JSON_OBJECT] = "an object",
    };
    return words[rely_json_type(value)];
}

void rely_field_wrong_type(const struct rely_json *value, const char *field, const char *wanted,
                           struct rely_problems *problems)
{
    rely_problems_add(problems, field, "wrong_type", "%s must be %s, not %s", field, wanted, name_json_type(value));
}

/* --- members --------------------------------------------------------------------------------------- */

static const struct rely_member *find_member(const struct rely_member *members, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

/* How many letters differ, counting from both ends: enough to catch a slip of the finger. */
static size_t count_different_letters(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), head = 0, tail = 0;
    size_t shorter = a_len < b_len ? a_len : b_len;
    while (head < shorter && (a[head] | 0x20) == (b[head] | 0x20))
        head++;
    while (tail < shorter - head && (a[a_len - 1 - tail] | 0x20) == (b[b_len - 1 - tail] | 0x20))
        tail++;
    return (a_len > b_len ? a_len : b_len) - head - tail;
}

static const char *find_likely_member(const struct rely_member *members, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (count_different_letters(members[i].name, name) <= 2)
            return members[i].name;
    return NULL;
}

static void note_unknown_member(const struct rely_member *members, size_t count, const char *name, const char *what,
                                struct rely_problems *problems)
{
    char quoted[RELY_QUOTED_SIZE];
    const char *likely = find_likely_member(members, count, name);
    rely_quote(rely_slice_of(name), quoted);
    if (likely != NULL)
        rely_problems_add(problems, name, "unknown_field", "%.200s is no field of %s; did you mean %s?", quoted, what,
                          likely);
    else
        rely_problems_add(problems, name, "unknown_field", "%.200s is no field of %s", quoted, what);
}

static void check_fixed_member(const struct rely_json *value, const struct rely_json *before,
                               const struct rely_member *member, struct rely_problems *problems)
{
    if (before == NULL) {
        if (member->rule == RELY_MEMBER_READ_ONLY)
            rely_problems_add(problems, member->name, "read_only", "%s is given by relyd and must be left out",
                              member->name);
        return;
    }
    const struct rely_json *present = rely_json_get(before, member->name);
    bool is_same = rely_json_type(value) == RELY_JSON_STRING && rely_json_type(present) == RELY_JSON_STRING &&
                   rely_slice_equal(rely_json_text(value), rely_json_text(present));
    if (is_same)
        return;
    char quoted[RELY_QUOTED_SIZE];
    rely_problems_add(problems, member->name, member->rule == RELY_MEMBER_READ_ONLY ? "read_only" : "immutable",
                      "%s cannot be changed; it is %.200s", member->name, rely_quote(rely_json_text(present), quoted));
}

void rely_field_check_members(const struct rely_json *body, const struct rely_json *before,
                              const struct rely_member *members, size_t count, const char *what,
                              struct rely_problems *problems)
{
    for (const char *name = rely_json_next_name(body, NULL); name != NULL; name = rely_json_next_name(body, name)) {
        const struct rely_member *member = find_member(members, count, name);
        if (member == NULL)
            note_unknown_member(members, count, name, what, problems);
        else if (member->rule != RELY_MEMBER_PLAIN)
            check_fixed_member(rely_json_get(body, name), before, member, problems);
    }
}

/* --- texts ------------------------------------------------------------------------------------------ */

static bool has_forbidden_control(struct rely_slice text, bool may_have_lines)
{
    if (!may_have_lines)
        return rely_text_has_control(text);
    size_t start = 0;
    for (size_t i = 0; i <= text.len; i++) {
        bool is_end = i == text.len || text.ptr[i] == '\n' || text.ptr[i] == '\r' || text.ptr[i] == '\t';
        if (!is_end)
            continue;
        if (rely_text_has_control(rely_slice(text.ptr + start, i - start)))
            return true;
        start = i + 1;
    }
    return false;
}

static bool check_text_length(size_t found, const char *field, const struct rely_text_rule *rule,
                              struct rely_problems *problems)
{
    if (found == 0 && rule->min > 0)
        rely_problems_add(problems, field, "too_short", "%s is empty; the least is %zu characters", field, rule->min);
    else if (found < rule->min)
        rely_problems_add(problems, field, "too_short", "%s has %zu characters; the least is %zu", field, found,
                          rule->min);
    else if (found > rule->max)
        rely_problems_add(problems, field, "too_long", "%s has %zu characters; the limit is %zu", field, found,
                          rule->max);
    return found >= rule->min && found <= rule->max;
}

bool rely_field_read_text(const struct rely_json *value, const char *field, const struct rely_text_rule *rule,
                          struct rely_problems *problems, struct rely_slice *out)
{
    enum rely_json_type type = rely_json_type(value);
    if (type == RELY_JSON_ABSENT || (type == RELY_JSON_NULL && rule->may_be_null)) {
        if (rule->is_required)
            rely_problems_add(problems, field, "required", "%s is required", field);
        return false;
    }
    if (type != RELY_JSON_STRING) {
        rely_field_wrong_type(value, field, "a string", problems);
        return false;
    }
    struct rely_slice text = rely_json_text(value);
    size_t found = 0;
    if (!rely_utf8_count(text, &found)) {
        rely_problems_add(problems, field, "invalid_text", "%s is not UTF-8", field);
        return false;
    }
    if (!check_text_length(found, field, rule, problems))
        return false;
    if (has_forbidden_control(text, rule->may_have_lines)) {
        rely_problems_add(problems, field, "invalid_text", "%s has a control character", field);
        return false;
    }
    *out = text;
    return true;
}

static bool is_name_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool rely_field_check_name(struct rely_slice name, const char *field, struct rely_problems *problems)
{
    static const struct rely_text_rule rule = {.min = RELY_NAME_MIN, .max = RELY_NAME_MAX};
    size_t found = 0;
    bool is_text = rely_utf8_count(name, &found);
    bool is_good = is_text && found > 0 && is_name_letter(name.ptr[0]);
    for (size_t i = 0; is_good && i < name.len; i++)
        is_good = is_name_letter(name.ptr[i]) || name.ptr[i] == '_' || name.ptr[i] == '-';
    if (is_text && !check_text_length(found, field, &rule, problems))
        return false;
    if (is_good)
        return true;
    char quoted[RELY_QUOTED_SIZE];
    rely_problems_add(problems, field, "invalid_name",
                      "%s must be 3-120 of A-Z a-z 0-9 _ - and begin with a letter or digit, not %.150s", field,
                      rely_quote(name, quoted));
    return false;
}

struct rely_slice rely_field_read_description(const struct rely_json *body, struct rely_problems *problems)
{
    static const struct rely_text_rule rule = {.max = RELY_TEXT_MAX, .may_be_null = true, .may_have_lines = true};
    struct rely_slice text = {NULL, 0};
    rely_field_read_text(rely_json_get(body, "description"), "description", &rule, problems, &text);
    return text;
}

/* --- numbers and booleans ------------------------------------------------------------------------------ */

bool rely_field_read_bool(const struct rely_json *body, const char *field, bool fallback,
                          struct rely_problems *problems)
{
    const struct rely_json *value = rely_json_get(body, field);
    if (rely_json_type(value) == RELY_JSON_BOOL)
        return rely_json_true(value);
    if (rely_json_type(value) != RELY_JSON_ABSENT)
        rely_field_wrong_type(value, field, "true or false", problems);
    return fallback;
}

int64_t rely_field_read_integer(const struct rely_json *body, const char *field, int64_t min, int64_t max,
                                int64_t fallback, struct rely_problems *problems)
{
    const struct rely_json *value = rely_json_get(body, field);
    if (rely_json_type(value) == RELY_JSON_ABSENT)
        return fallback;
    if (rely_json_type(value) != RELY_JSON_INTEGER) {
        rely_field_wrong_type(value, field, "a whole number", problems);
        return fallback;
    }
    int64_t found = rely_json_integer(value);
    if (found >= min && found <= max)
        return found;
    rely_problems_add(problems, field, "out_of_range", "%s is %lld; it must be %lld to %lld", field, (long long)found,
                      (long long)min, (long long)max);
    return fallback;
}

/* --- lists ---------------------------------------------------------------------------------------------- */

static bool check_list_size(const struct rely_json *list, const char *field, const struct rely_list_rule *rule,
                            struct rely_problems *problems)
{
    if (rely_json_type(list) != RELY_JSON_ARRAY) {
        rely_field_wrong_type(list, field, "an array of strings", problems);
        return false;
    }
    size_t found = rely_json_size(list);
    if (found < rule->min)
        rely_problems_add(problems, field, "too_few", "%s has %zu items; the least is %zu", field, found, rule->min);
    else if (found > rule->max)
        rely_problems_add(problems, field, "too_many", "%s has %zu items; the limit is %zu", field, found, rule->max);
    return found >= rule->min && found <= rule->max;
}

static bool check_not_repeated(const struct rely_json *list, size_t index, const char *field, const char *item_field,
                               struct rely_problems *problems)
{
    for (size_t i = 0; i < index; i++) {
        if (!rely_slice_equal(rely_json_text(rely_json_at(list, i)), rely_json_text(rely_json_at(list, index))) ||
            rely_json_type(rely_json_at(list, i)) != RELY_JSON_STRING)
            continue;
        rely_problems_add(problems, item_field, "duplicate", "%s repeats %s[%zu]", item_field, field, i);
        return false;
    }
    return true;
}

static bool read_list_item(const struct rely_json *list, size_t index, const char *field,
                           const struct rely_list_rule *rule, struct rely_problems *problems, struct rely_buf *lines)
{
    char item_field[64];
    struct rely_slice item = {NULL, 0};
    snprintf(item_field, sizeof item_field, "%.40s[%zu]", field, index);
    if (!rely_field_read_text(rely_json_at(list, index), item_field, &rule->item, problems, &item) ||
        !check_not_repeated(list, index, field, item_field, problems) ||
        (rule->may_take != NULL && !rule->may_take(item, item_field, rule->context, problems)))
        return false;
    rely_buf_put(lines, rule->prefix);
    rely_buf_put(lines, item);
    rely_buf_putc(lines, '\n');
    return true;
}

bool rely_field_read_list(const struct rely_json *list, const char *field, const struct rely_list_rule *rule,
                          struct rely_problems *problems, struct rely_buf *lines)
{
    if (list == NULL || !check_list_size(list, field, rule, problems))
        return false;
    bool is_good = true;
    struct rely_buf own = {0};
    for (size_t i = 0; i < rely_json_size(list); i++)
        if (!read_list_item(list, i, field, rule, problems, &own))
            is_good = false;
    if (is_good)
        rely_buf_printf(lines, "%.*s", RELY_ARG(rely_buf_slice(&own)));
    rely_buf_fini(&own);
    return is_good;
}
