/*
 * Wildcards: the ends of a pattern are compared where they must stand, and the pieces between its stars are looked for
 * one behind the other, each at the first place where it stands (docs/decisions/0039). Decides about one text; knows no
 * claims. Called by matches.c.
 */
#include "pattern.h"

#include "relyd/limits.h"

#define PLAIN_BYTES_MAX 64 /* of a piece that is compared wherever its first byte stands */
#define PAIR_BITS 128
#define PIECE_PAIRS_MAX ((RELY_TEXT_MAX + PAIR_BITS - 1) / PAIR_BITS)
#define PLANES 3 /* of a code point's 21 bits */
#define PLANE_BITS 7
#define PLANE_ROWS (1 << PLANE_BITS)

/* A bit for each of 128 places. Compilers have an instruction for each thing that is done with it. */
typedef uint64_t place_pair __attribute__((vector_size(16)));

/* At which places of a piece a character may stand: where all planes say so, and where `?` stands. Three small tables
 * in place of one by character, so that nobody makes a look-up slow by the characters that he chooses. */
struct piece_masks {
    struct rely_slice marked;                               /* the piece whose bits are set, and no others */
    size_t pairs;                                           /* of each mask: what the longest piece needs */
    place_pair any[PIECE_PAIRS_MAX];                        /* `?` */
    place_pair rows[PLANES * PLANE_ROWS * PIECE_PAIRS_MAX]; /* `pairs` each */
};

static bool is_inside_character(char byte)
{
    return ((unsigned char)byte & 0xC0) == 0x80;
}

/* The character at the front of what is known to be UTF-8. Nothing behind `end` is read, whatever it is. */
static inline uint32_t take_character_code(const char **at, const char *end)
{
    const unsigned char *c = (const unsigned char *)*at;
    size_t left = (size_t)(end - *at), len = c[0] < 0x80 ? 1 : c[0] < 0xE0 ? 2 : c[0] < 0xF0 ? 3 : 4;
    if (len == 1 || len > left) {
        *at += 1;
        return c[0];
    }
    *at += len;
    if (len == 2)
        return (c[0] & 0x1FU) << 6 | (c[1] & 0x3FU);
    if (len == 3)
        return (c[0] & 0x0FU) << 12 | (c[1] & 0x3FU) << 6 | (c[2] & 0x3FU);
    return (c[0] & 0x07U) << 18 | (c[1] & 0x3FU) << 12 | (c[2] & 0x3FU) << 6 | (c[3] & 0x3FU);
}

static size_t find_row(uint32_t code, uint32_t plane, size_t pairs)
{
    return (plane * PLANE_ROWS + (code >> plane * PLANE_BITS & (PLANE_ROWS - 1))) * pairs;
}

/* Sets a piece's bits, or makes all zero again. Returns how many characters it has. */
static size_t mark_piece(struct piece_masks *masks, struct rely_slice piece, bool is_set)
{
    const char *at = piece.ptr, *end = piece.ptr + piece.len;
    size_t place = 0;
    for (; at < end; place++) {
        uint32_t code = take_character_code(&at, end);
        size_t pair = place / PAIR_BITS, half = place % PAIR_BITS / 64;
        for (uint32_t plane = 0; plane < PLANES; plane++) {
            place_pair *mask =
                code == '?' ? masks->any + pair : masks->rows + find_row(code, plane, masks->pairs) + pair;
            (*mask)[half] = is_set ? (*mask)[half] | (uint64_t)1 << place % 64 : 0;
        }
    }
    return place;
}

/* Behind the first place where a piece stands whose last place is `last`; NULL: nowhere. Bit i of the state: the last
 * i + 1 characters may be the first ones of the piece (Shift-And). */
static inline __attribute__((always_inline)) const char *search_pairs(const struct piece_masks *masks, size_t last,
                                                                      struct rely_slice value, size_t pairs)
{
    const char *at = value.ptr, *end = value.ptr + value.len;
    place_pair state[PIECE_PAIRS_MAX] = {0};
    while (at < end) {
        uint32_t code = take_character_code(&at, end);
        const place_pair *low = masks->rows + find_row(code, 0, pairs);
        const place_pair *middle = masks->rows + find_row(code, 1, pairs);
        const place_pair *high = masks->rows + find_row(code, 2, pairs);
        place_pair below = {0, (uint64_t)1 << 63}; /* a piece may begin anywhere */
        for (size_t i = 0; i < pairs; i++) {
            place_pair before = state[i], carry = (place_pair){below[1], before[0]} >> 63;
            state[i] = (before << 1 | carry) & ((low[i] & middle[i] & high[i]) | masks->any[i]);
            below = before;
        }
        if ((state[last / PAIR_BITS][last % PAIR_BITS / 64] >> last % 64 & 1) != 0)
            return at;
    }
    return NULL;
}

/* The number of pairs as a constant: the state stays in registers. */
static const char *search_masks(const struct piece_masks *masks, size_t last, struct rely_slice value)
{
    _Static_assert(PIECE_PAIRS_MAX == 5, "a case for each");
    switch (masks->pairs) {
    case 1:
        return search_pairs(masks, last, value, 1);
    case 2:
        return search_pairs(masks, last, value, 2);
    case 3:
        return search_pairs(masks, last, value, 3);
    case 4:
        return search_pairs(masks, last, value, 4);
    default:
        return search_pairs(masks, last, value, 5);
    }
}

size_t rely_pattern_count(struct rely_slice text)
{
    const uint64_t ones = UINT64_MAX / 255; /* 1 in each byte */
    size_t at = 0, inside = 0;
    for (uint64_t eight; text.len - at >= sizeof eight; at += sizeof eight) {
        memcpy(&eight, text.ptr + at, sizeof eight);
        inside += ((eight >> 7 & ~eight >> 6 & ones) * ones) >> 56;
    }
    for (; at < text.len; at++)
        inside += is_inside_character(text.ptr[at]) ? 1 : 0;
    return text.len - inside;
}

/* What stands in front of the next star; all of it when there is none. */
static struct rely_slice find_piece(struct rely_slice pattern)
{
    const char *star = pattern.len == 0 ? NULL : memchr(pattern.ptr, '*', pattern.len);
    return star == NULL ? pattern : rely_slice(pattern.ptr, (size_t)(star - pattern.ptr));
}

static struct rely_slice skip_bytes(struct rely_slice text, size_t len)
{
    return rely_slice(text.ptr + len, text.len - len);
}

/* Makes all zero that any piece of this pattern may use. In: pattern - ends with a star. */
static void clear_masks(struct piece_masks *masks, struct rely_slice pattern)
{
    size_t longest = 1;
    while (pattern.len > 0) {
        struct rely_slice piece = find_piece(pattern);
        size_t count = rely_pattern_count(piece);
        longest = count > longest ? count : longest;
        pattern = skip_bytes(pattern, piece.len + 1);
    }
    masks->pairs = (longest + PAIR_BITS - 1) / PAIR_BITS;
    memset(masks->any, 0, sizeof masks->any);
    memset(masks->rows, 0, masks->pairs * PLANES * PLANE_ROWS * sizeof *masks->rows);
    masks->marked = rely_slice(pattern.ptr, 0);
}

/* By bit masks: whatever stands in piece and value, each character of the value is looked at once. The piece before is
 * taken out bit by bit, since there may be hundreds, each of a few characters. */
static const char *search_with_masks(struct piece_masks *masks, struct rely_slice piece, struct rely_slice value)
{
    mark_piece(masks, masks->marked, false);
    masks->marked = piece;
    size_t count = mark_piece(masks, piece, true);
    return search_masks(masks, count - 1, value);
}

/* Without wildcards, and so short that comparing it at each place takes no longer: nearly every piece. Of UTF-8 a
 * character's first byte stands nowhere else. */
static const char *search_plain(struct rely_slice piece, struct rely_slice value)
{
    const char *at = value.ptr, *end = value.ptr + value.len - piece.len + 1;
    while (at < end) {
        at = memchr(at, piece.ptr[0], (size_t)(end - at));
        if (at == NULL)
            return NULL;
        if (memcmp(at, piece.ptr, piece.len) == 0)
            return at + piece.len;
        at++;
    }
    return NULL;
}

/* In: pattern - begins and ends with a star. The first place of each piece leaves most to those behind it, so that no
 * other has to be tried. */
static bool search_pieces(struct rely_slice pattern, struct rely_slice value)
{
    struct piece_masks masks;
    bool is_clear = false;
    for (struct rely_slice piece; pattern.len > 0; pattern = skip_bytes(pattern, piece.len + 1)) {
        const char *behind;
        piece = find_piece(pattern);
        if (piece.len == 0)
            continue;
        if (piece.len > value.len) /* `?` is one byte, and no character has fewer */
            return false;
        if (piece.len <= PLAIN_BYTES_MAX && memchr(piece.ptr, '?', piece.len) == NULL) {
            behind = search_plain(piece, value);
        } else {
            if (!is_clear)
                clear_masks(&masks, pattern);
            is_clear = true;
            behind = search_with_masks(&masks, piece, value);
        }
        if (behind == NULL)
            return false;
        value = skip_bytes(value, (size_t)(behind - value.ptr));
    }
    return true;
}

/* Takes off both what stands in front of the pattern's first star, byte for byte: only `?` is a whole character. */
static bool match_front(struct rely_slice *pattern, struct rely_slice *value)
{
    const char *at = value->ptr, *end = value->ptr + value->len;
    struct rely_slice front = find_piece(*pattern);
    for (size_t i = 0; i < front.len; i++) {
        if (at == end)
            return false;
        char wanted = front.ptr[i], found = *at++;
        while (wanted == '?' && at < end && is_inside_character(*at))
            at++;
        if (wanted != '?' && wanted != found)
            return false;
    }
    *pattern = skip_bytes(*pattern, front.len);
    *value = rely_slice(at, (size_t)(end - at));
    return true;
}

/* Takes off both what stands behind the pattern's last star; it has one. */
static bool match_back(struct rely_slice *pattern, struct rely_slice *value)
{
    while (pattern->ptr[pattern->len - 1] != '*') {
        if (value->len == 0)
            return false;
        char wanted = pattern->ptr[--pattern->len], found = value->ptr[--value->len];
        while (wanted == '?' && value->len > 0 && is_inside_character(value->ptr[value->len]))
            value->len--;
        if (wanted != '?' && wanted != found)
            return false;
    }
    return true;
}

bool rely_pattern_matches(struct rely_slice pattern, struct rely_slice value)
{
    if (!match_front(&pattern, &value))
        return false;
    if (pattern.len == 0)
        return value.len == 0;
    return match_back(&pattern, &value) && search_pieces(pattern, value);
}
