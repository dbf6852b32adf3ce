/*
 * A record in one block of its own, with all that it points to: for a change that outlives the pool in which it was
 * made. Called by registry/.
 */
#include "relyd/model.h"
#include <stdalign.h>

/* Filled twice: first without memory, to know how much is needed. */
struct record_block {
    char *base; /* NULL: only measured */
    size_t used;
};

static void *take_room(struct record_block *block, size_t size)
{
    const size_t align = alignof(max_align_t);
    size_t at = block->used;
    block->used += (size + align - 1) / align * align;
    return block->base == NULL ? NULL : block->base + at;
}

static struct rely_slice copy_text(struct record_block *block, struct rely_slice text)
{
    if (text.ptr == NULL)
        return text;
    char *copy = take_room(block, text.len);
    if (copy == NULL)
        return text;
    memcpy(copy, text.ptr, text.len);
    return rely_slice(copy, text.len);
}

static struct rely_texts copy_list(struct record_block *block, struct rely_texts list)
{
    struct rely_slice *items = take_room(block, list.count * sizeof *items);
    for (size_t i = 0; i < list.count; i++) {
        struct rely_slice item = copy_text(block, list.items[i]);
        if (items != NULL)
            items[i] = item;
    }
    return (struct rely_texts){items, list.count};
}

static struct rely_text_map copy_map(struct record_block *block, struct rely_text_map map)
{
    struct rely_text_entry *entries = take_room(block, map.count * sizeof *entries);
    for (size_t i = 0; i < map.count; i++) {
        struct rely_text_entry entry = {.key = copy_text(block, map.items[i].key),
                                        .values = copy_list(block, map.items[i].values)};
        if (entries != NULL)
            entries[i] = entry;
    }
    return (struct rely_text_map){entries, map.count};
}

/* In: to - the copied record, of which the field is set; NULL: only measured. */
static void copy_field(struct record_block *block, const struct rely_field *field, const void *from, void *to)
{
    const void *at = rely_field_in(field, from);
    void *copy = to == NULL ? NULL : (char *)to + field->offset;
    switch (field->type) {
    case RELY_FIELD_NAME:
    case RELY_FIELD_UUID:
    case RELY_FIELD_TEXT: {
        struct rely_slice text = copy_text(block, *(const struct rely_slice *)at);
        if (copy != NULL)
            *(struct rely_slice *)copy = text;
        break;
    }
    case RELY_FIELD_LIST: {
        struct rely_texts list = copy_list(block, *(const struct rely_texts *)at);
        if (copy != NULL)
            *(struct rely_texts *)copy = list;
        break;
    }
    case RELY_FIELD_MAP: {
        struct rely_text_map map = copy_map(block, *(const struct rely_text_map *)at);
        if (copy != NULL)
            *(struct rely_text_map *)copy = map;
        break;
    }
    case RELY_FIELD_BOOL:
    case RELY_FIELD_INTEGER:
    case RELY_FIELD_BITS:
    case RELY_FIELD_WORD:
    case RELY_FIELD_TIME:
    case RELY_FIELD_MOMENT:
    case RELY_FIELD_OWN:
        break; /* in the record itself */
    }
}

static void *copy_record(struct record_block *block, const struct rely_kind *kind, const void *record)
{
    void *to = take_room(block, kind->record_size);
    if (to != NULL)
        memcpy(to, record, kind->record_size);
    for (size_t i = 0; i < kind->field_count; i++)
        if (kind->fields[i].column != NULL)
            copy_field(block, &kind->fields[i], record, to);
    return to;
}

void *rely_record_copy(const struct rely_kind *kind, const void *record)
{
    struct record_block block = {NULL, 0};
    copy_record(&block, kind, record);
    block = (struct record_block){rely_alloc(block.used), 0};
    return copy_record(&block, kind, record);
}
