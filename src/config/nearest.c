/*
 * Finds the known key that somebody probably meant: few edits away in the same group, or the same word in another
 * group. Decides nothing about the file. Called by bind.c for its complaint about an unknown key.
 */
#include <stdio.h>

#include "setting.h"

#define KEYS_COMPARED_MAX 40 /* longest key that is looked at: bounds the work, and no setting is longer */

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance. */
size_t rely_config_count_edits(struct rely_slice a, struct rely_slice b)
{
    size_t row[KEYS_COMPARED_MAX + 1];
    if (a.len > KEYS_COMPARED_MAX || b.len > KEYS_COMPARED_MAX)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            row[j] = least_of(row[j - 1] + 1, above + 1, diagonal + (a.ptr[i - 1] == b.ptr[j - 1] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[b.len];
}

/* Lower is nearer: the same leaf elsewhere is a forgotten group; a group's own name counts at the top level. */
static size_t judge_nearness(const struct setting *setting, struct rely_slice group, struct rely_slice key)
{
    struct rely_slice leaf = rely_config_leaf(setting);
    struct rely_slice own_group = rely_config_group(setting);
    if (rely_slice_equal(leaf, key))
        return 1;
    if (!rely_slice_equal(own_group, group))
        return group.len == 0 && own_group.len > 0 ? rely_config_count_edits(own_group, key) : SIZE_MAX;
    return rely_config_count_edits(leaf, key);
}

void rely_config_suggest(const struct setting_table *table, struct rely_slice group, struct rely_slice key, char *out,
                         size_t size)
{
    out[0] = '\0';
    if (key.len == 0 || key.len > KEYS_COMPARED_MAX)
        return;
    const struct setting *nearest = NULL;
    size_t best = key.len / 3 + 2;
    for (size_t i = 0; i < table->count; i++) {
        size_t distance = judge_nearness(&table->settings[i], group, key);
        if (distance < best) {
            best = distance;
            nearest = &table->settings[i];
        }
    }
    if (nearest == NULL)
        return;
    struct rely_slice own_group = rely_config_group(nearest);
    bool is_group = group.len == 0 && own_group.len > 0 && !rely_slice_equal(rely_config_leaf(nearest), key);
    snprintf(out, size, ", did you mean %.*s?", is_group ? (int)own_group.len : (int)strlen(nearest->key),
             nearest->key);
}
