/*
 * Rules for the fields of a body: type, length in characters, names, lists. Decides whether one value is good and says
 * what is wrong with it; does not know which field of which object it is. Called by read.c and the kinds' own files.
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

size_t rely_count_different_letters(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), head = 0, tail = 0;
    size_t shorter = a_len < b_len ? a_len : b_len;
    while (head < shorter && (a[head] | 0x20) == (b[head] | 0x20))
        head++;
    while (tail < shorter - head && (a[a_len - 1 - tail] | 0x20) == (b[b_len - 1 - tail] | 0x20))
        tail++;
    return (a_len > b_len ? a_len : b_len) - head - tail;
}

struct rely_slice rely_word_at(const char *words, int64_t index)
{
    for (; index > 0 && words != NULL; index--) {
        words = strchr(words, '|');
        words = words == NULL ? NULL : words + 1;
    }
    return words == NULL ? RELY_LIT("") : rely_slice(words, strcspn(words, "|"));
}

int64_t rely_field_count_words(const struct rely_field *field)
{
    int64_t count = 0;
    while (rely_word_at(field->words, count + 1).len > 0)
        count++;
    return count;
}

int64_t rely_find_word(const char *words, struct rely_slice word)
{
    for (int64_t i = 1; rely_word_at(words, i).len > 0; i++)
        if (rely_slice_equal(rely_word_at(words, i), word))
            return i;
    return 0;
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
        rely_problems_add(problems, field, "too_short", "%s is empty; the least is %zu character%s", field, rule->min,
                          rule->min == 1 ? "" : "s");
    else if (found < rule->min)
        rely_problems_add(problems, field, "too_short", "%s has %zu character%s; the least is %zu", field, found,
                          found == 1 ? "" : "s", rule->min);
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

bool rely_field_read_bytes(const struct rely_json *value, const char *field, const struct rely_text_rule *rule,
                           struct rely_problems *problems, struct rely_slice *out)
{
    if (value == NULL)
        return false;
    if (rely_json_type(value) != RELY_JSON_STRING) {
        rely_field_wrong_type(value, field, "a string", problems);
        return false;
    }
    struct rely_slice text = rely_json_text(value);
    if (text.len <= rule->max)
        *out = text;
    else
        rely_problems_add(problems, field, "too_long", "%s has %zu bytes; the limit is %zu", field, text.len,
                          rule->max);
    return text.len <= rule->max;
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

int64_t rely_field_read_integer(const struct rely_body *body, const struct rely_field *field)
{
    const struct rely_json *value = rely_json_get(body->json, field->json);
    if (rely_json_type(value) == RELY_JSON_ABSENT)
        return field->value;
    if (rely_json_type(value) != RELY_JSON_INTEGER) {
        rely_field_wrong_type(value, field->json, "a whole number", body->problems);
        return field->value;
    }
    int64_t found = rely_json_integer(value);
    if (found >= field->least && found <= field->most)
        return found;
    rely_problems_add(body->problems, field->json, "out_of_range", "%s is %lld; it must be %lld to %lld", field->json,
                      (long long)found, (long long)field->least, (long long)field->most);
    return field->value;
}

int64_t rely_field_read_word(const struct rely_body *body, const struct rely_field *field)
{
    const struct rely_json *value = rely_json_get(body->json, field->json);
    char expected[160] = "";
    if (value == NULL)
        return field->value;
    int64_t found = rely_json_type(value) == RELY_JSON_STRING ? rely_find_word(field->words, rely_json_text(value)) : 0;
    if (found != 0)
        return found;
    for (int64_t i = 1; rely_word_at(field->words, i).len > 0; i++) {
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s\"%.*s\"", i > 1 ? " or " : "",
                 RELY_ARG(rely_word_at(field->words, i)));
    }
    rely_problems_add(body->problems, field->json, "invalid_value", "%s must be %s, or be left out", field->json,
                      expected);
    return field->value;
}

int64_t rely_field_read_moment(const struct rely_body *body, const struct rely_field *field)
{
    int64_t at_s = 0;
    char least[RELY_TIME_SIZE], most[RELY_TIME_SIZE];
    const struct rely_json *value = rely_json_get(body->json, field->json);
    enum rely_json_type type = rely_json_type(value);
    if (type == RELY_JSON_ABSENT || (type == RELY_JSON_NULL && (field->flags & RELY_FIELD_NULLABLE) != 0)) {
        if ((field->flags & RELY_FIELD_REQUIRED) != 0)
            rely_problems_add(body->problems, field->json, "required", "%s is required", field->json);
        return 0;
    }
    if (type != RELY_JSON_STRING) {
        rely_field_wrong_type(value, field->json, "a string", body->problems);
        return 0;
    }
    if (!rely_time_parse(rely_json_text(value), &at_s)) {
        char quoted[RELY_QUOTED_SIZE];
        rely_problems_add(body->problems, field->json, "invalid_value",
                          "%s must be a time as in RFC 3339, such as 2027-01-31T12:00:00Z, not %.150s", field->json,
                          rely_quote(rely_json_text(value), quoted));
        return 0;
    }
    if (at_s >= field->least && at_s <= field->most)
        return at_s;
    rely_time_print(field->least, least);
    rely_time_print(field->most, most);
    rely_problems_add(body->problems, field->json, "out_of_range", "%s must be a time from %s to %s", field->json,
                      least, most);
    return 0;
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

#define MEDIA_TYPE_PREFIX "application/"

static bool is_media_type(struct rely_slice item, const char *field, struct rely_problems *problems)
{
    for (size_t i = 0; i < item.len; i++) {
        char c = item.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("!#$&^_.+-/", c) != NULL)
            continue;
        rely_problems_add(problems, field, "invalid_value", "%s has a character that no media type may have", field);
        return false;
    }
    return true;
}

/* Borrowed from the pool. */
static struct rely_slice strip_media_type(struct rely_slice text, struct rely_pool *pool)
{
    char *lower = rely_pool_alloc(pool, text.len + 1);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c | 0x20);
        lower[i] = c;
    }
    struct rely_slice prefix = RELY_LIT(MEDIA_TYPE_PREFIX), whole = rely_slice(lower, text.len);
    return whole.len > prefix.len && rely_slice_starts(whole, prefix)
               ? rely_slice(whole.ptr + prefix.len, whole.len - prefix.len)
               : whole;
}

/* Items by what they say: some lists have thousands. */
struct items_seen {
    uint32_t *places; /* borrowed: numbers from 1 of items, by hash; 0: free. At least one is */
    size_t mask;
};

static struct items_seen make_items_seen(size_t count, struct rely_pool *pool)
{
    size_t size = 4;
    while (size < 2 * count)
        size *= 2;
    struct items_seen seen = {rely_pool_alloc(pool, size * sizeof *seen.places), size - 1};
    memset(seen.places, 0, size * sizeof *seen.places);
    return seen;
}

/* Where it has been seen, or else is noted now. Returns: the number of the earlier one; 0: there was none. */
static size_t see_item(const struct items_seen *seen, const struct rely_texts *before, struct rely_slice item)
{
    size_t place = rely_hash(item, 0) & seen->mask;
    for (; seen->places[place] != 0; place = (place + 1) & seen->mask)
        if (rely_slice_equal(before->items[seen->places[place] - 1], item))
            return seen->places[place];
    seen->places[place] = (uint32_t)before->count + 1;
    return 0;
}

static bool read_item(const struct rely_body *body, const struct rely_json *value, const char *field,
                      const struct rely_list_rule *rule, struct rely_slice *item)
{
    struct rely_problems *problems = body->problems;
    struct rely_text_rule as_given = rule->item;
    if (!rule->are_media_types)
        return rely_field_read_text(value, field, &rule->item, problems, item);
    as_given.max += sizeof MEDIA_TYPE_PREFIX - 1;
    if (!rely_field_read_text(value, field, &as_given, problems, item))
        return false;
    *item = strip_media_type(*item, body->pool);
    return check_text_length(item->len, field, &rule->item, problems) && is_media_type(*item, field, problems);
}

void rely_field_read_list(const struct rely_body *body, const struct rely_json *list, const char *field,
                          const struct rely_list_rule *rule, struct rely_texts *out)
{
    struct rely_problems *problems = body->problems;
    if (!check_list_size(list, field, rule, problems))
        return;
    size_t count = rely_json_size(list);
    struct rely_slice *items = rely_pool_alloc(body->pool, count * sizeof *items);
    const struct items_seen seen = make_items_seen(count, body->pool);
    out->items = items;
    for (size_t i = 0; i < count; i++) {
        char item_field[64];
        struct rely_slice item = {NULL, 0};
        snprintf(item_field, sizeof item_field, "%.40s[%zu]", field, i);
        bool is_read = read_item(body, rely_json_at(list, i), item_field, rule, &item);
        size_t earlier = is_read ? see_item(&seen, out, item) : 0;
        if (earlier != 0)
            rely_problems_add(problems, item_field, "duplicate", "%s repeats %s[%zu]", item_field, field, earlier - 1);
        items[out->count++] = is_read && earlier == 0 ? item : (struct rely_slice){NULL, 0};
    }
}
