/*
 * Sets of words that a field's line lists, kept as bits: read from a list, shown as one. Decides what a wrong word is
 * told. Called by the kinds' own functions.
 */
#include "kind.h"
#include "relyd/compose.h"

int64_t rely_bits_find(const struct rely_field *field, struct rely_slice word)
{
    return rely_find_word(field->words, word);
}

int64_t rely_bits_read(const struct rely_body *body, const struct rely_field *field,
                       int64_t (*find)(const struct rely_field *field, struct rely_slice word), size_t most,
                       const char *expected)
{
    const struct rely_list_rule rule = {.min = (size_t)field->least, .max = most, .item = {.min = 1, .max = 16}};
    const struct rely_json *list = rely_json_get(body->json, field->json);
    struct rely_texts words = {0};
    int64_t bits = 0;
    if (list == NULL)
        return field->value;
    rely_field_read_list(body, list, field->json, &rule, &words);
    for (size_t i = 0; i < words.count; i++) {
        char item_field[32];
        int64_t bit = find(field, words.items[i]);
        snprintf(item_field, sizeof item_field, "%s[%zu]", field->json, i);
        if (bit != 0)
            bits |= (int64_t)1 << bit;
        else if (words.items[i].ptr != NULL)
            rely_problems_add(body->problems, item_field, "not_allowed", "%s %s", item_field, expected);
    }
    return bits;
}

struct rely_json *rely_bits_show(const struct rely_field *field, int64_t bits)
{
    struct rely_json *list = rely_json_array();
    for (int64_t bit = 1; rely_word_at(field->words, bit).len > 0; bit++)
        if ((bits & ((int64_t)1 << bit)) != 0)
            rely_json_append(list, rely_json_of_text(rely_word_at(field->words, bit)));
    return list;
}
