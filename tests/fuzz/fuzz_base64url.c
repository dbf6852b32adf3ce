/*
 * base64url: the decoder against a slow one that works bit by bit, and both directions against each other. What is
 * accepted must have exactly one spelling.
 */
#include <stdlib.h>

#include "relyd/text.h"

static int find_value(uint8_t letter)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *found = letter == 0 ? NULL : strchr(letters, letter);
    return found == NULL ? -1 : (int)(found - letters);
}

/* The bits one after the other; false for a strange letter, a part of a byte that is not zero, or a whole letter too
 * many. */
static bool decode_slowly(const uint8_t *text, size_t size, uint8_t *out, size_t *out_len)
{
    size_t bits = 0;
    memset(out, 0, RELY_BASE64_DECODED(size));
    for (size_t i = 0; i < size; i++) {
        int value = find_value(text[i]);
        if (value < 0)
            return false;
        for (int bit = 5; bit >= 0; bit--, bits++)
            out[bits / 8] |= (uint8_t)((value >> bit & 1) << (7 - bits % 8));
    }
    *out_len = bits / 8;
    return bits % 8 < 6 && (bits % 8 == 0 || out[bits / 8] == 0);
}

static void check_decoding(const uint8_t *data, size_t size)
{
    uint8_t *found = rely_alloc(RELY_BASE64_DECODED(size)), *wanted = rely_alloc(RELY_BASE64_DECODED(size));
    char *again = rely_alloc(RELY_BASE64_ENCODED(size));
    size_t found_len = SIZE_MAX, wanted_len = 0;
    bool is_right = rely_base64url_decode(rely_slice((const char *)data, size), found, &found_len);
    RELY_ASSERT(is_right == decode_slowly(data, size, wanted, &wanted_len));
    RELY_ASSERT(is_right || found_len == SIZE_MAX);
    if (is_right) {
        RELY_ASSERT(found_len == wanted_len && memcmp(found, wanted, found_len) == 0);
        RELY_ASSERT(rely_base64url_encode(found, found_len, again) == size && memcmp(again, data, size) == 0);
    }
    free(found);
    free(wanted);
    free(again);
}

static void check_round_trip(const uint8_t *data, size_t size)
{
    char *text = rely_alloc(RELY_BASE64_ENCODED(size));
    size_t text_len = rely_base64url_encode(data, size, text), len = 0;
    RELY_ASSERT(text_len < RELY_BASE64_ENCODED(size) && text[text_len] == '\0');
    uint8_t *back = rely_alloc(RELY_BASE64_DECODED(text_len));
    RELY_ASSERT(rely_base64url_decode(rely_slice(text, text_len), back, &len));
    RELY_ASSERT(len == size && memcmp(back, data, size) == 0);
    free(text);
    free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        check_decoding(data, size);
        check_round_trip(data, size);
    }
    return 0;
}
