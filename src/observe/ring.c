/*
 * A byte ring between one thread that logs and the log thread: no lock, no system call, no waiting. A full ring drops
 * the new record and counts it. Knows no JSON. Called by log.c.
 */
#include "ring.h"

#include "relyd/text.h"

static size_t find_offset(size_t position)
{
    return position & (RING_BYTES - 1);
}

static void count_lost(struct byte_ring *ring)
{
    rely_count(&ring->lost, 1);
}

uint64_t rely_ring_lost(const struct byte_ring *ring)
{
    return __atomic_load_n(&ring->lost, __ATOMIC_RELAXED);
}

/* Is there room for `more` bytes? Looks at the reader's cache line only when the last look does not suffice. */
static bool has_room(struct byte_ring *ring, size_t written, size_t more)
{
    if (written + more - ring->taken_seen <= RING_BYTES)
        return true;
    ring->taken_seen = __atomic_load_n(&ring->taken, __ATOMIC_ACQUIRE);
    return written + more - ring->taken_seen <= RING_BYTES;
}

void *rely_ring_reserve(struct byte_ring *ring, size_t size, size_t kept)
{
    RELY_ASSERT(size % 8 == 0 && size >= sizeof(struct record_head) && size < RING_BYTES / 4);
    size_t written = __atomic_load_n(&ring->written, __ATOMIC_RELAXED);
    size_t to_end = RING_BYTES - find_offset(written);
    size_t padding = size > to_end ? to_end : 0;
    if (!has_room(ring, written, padding + size + kept)) {
        count_lost(ring);
        return NULL;
    }
    if (padding > 0) {
        struct record_head *head = (struct record_head *)(void *)(ring->bytes + find_offset(written));
        *head = (struct record_head){.size = (uint32_t)padding, .kind = RECORD_PADDING};
        rely_ring_publish(ring, padding);
        written += padding;
    }
    return ring->bytes + find_offset(written);
}

void rely_ring_publish(struct byte_ring *ring, size_t size)
{
    size_t written = __atomic_load_n(&ring->written, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->written, written + size, __ATOMIC_RELEASE);
}

static void advance_reader(struct byte_ring *ring, size_t size)
{
    size_t taken = __atomic_load_n(&ring->taken, __ATOMIC_RELAXED);
    __atomic_store_n(&ring->taken, taken + size, __ATOMIC_RELEASE);
}

const struct record *rely_ring_peek(struct byte_ring *ring)
{
    for (;;) {
        size_t taken = __atomic_load_n(&ring->taken, __ATOMIC_RELAXED);
        if (taken == __atomic_load_n(&ring->written, __ATOMIC_ACQUIRE))
            return NULL;
        const struct record_head *head = (const void *)(ring->bytes + find_offset(taken));
        if (head->kind != RECORD_PADDING)
            return (const void *)head;
        advance_reader(ring, head->size);
    }
}

void rely_ring_drop(struct byte_ring *ring, const struct record *record)
{
    advance_reader(ring, record->head.size);
}

/* At most `max` bytes, without half a character at the end. */
static size_t cut_text(struct rely_slice text, size_t max)
{
    if (text.len <= max)
        return text.len;
    size_t len = max;
    /* A UTF-8 character has at most three bytes 10xxxxxx; more of them are not UTF-8 and may be cut anywhere. */
    for (int i = 0; i < 3 && ((unsigned char)text.ptr[len] & 0xc0) == 0x80; i++)
        len--;
    return len;
}

void rely_ring_put(struct byte_ring *ring, size_t kept, const struct record *record,
                   const struct rely_slice texts[FIELD_COUNT])
{
    struct record head = *record;
    size_t size = sizeof(head);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        head.lengths[i] = (uint16_t)cut_text(texts[i], i == FIELD_DETAIL ? MESSAGE_BYTES_MAX : FIELD_BYTES_MAX);
        size += head.lengths[i];
    }
    size = (size + 7) & ~(size_t)7;
    head.head.size = (uint32_t)size;
    char *room = rely_ring_reserve(ring, size, kept);
    if (room == NULL)
        return;
    memcpy(room, &head, sizeof(head));
    char *next = room + sizeof(head);
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if (head.lengths[i] > 0)
            memcpy(next, texts[i].ptr, head.lengths[i]);
        next += head.lengths[i];
    }
    rely_ring_publish(ring, size);
}
