/*
 * What a verified payload says, for rules that ask for the same claims again and again: each is looked for once, and of
 * a list each text stands once, so that whoever fills a token with one text a thousand times is judged as fast as others.
 * Called by decide/, for the rules of one review.
 */
#include "relyd/said.h"

#include "relyd/pool.h"
#include "relyd/text.h"

#define PLACES 64 /* where two claims meet, the last one is known */

struct rely_said_place {
    struct rely_slice claim; /* borrowed; ptr NULL: none */
    struct rely_claim_value value;
};

/* In: table - of places in the texts that are kept, from 1; 0: free. */
static bool is_text_new(const struct rely_slice *kept, uint32_t *table, size_t mask, struct rely_slice text,
                        uint32_t number)
{
    size_t slot = rely_hash(text, 0) & mask;
    for (; table[slot] != 0; slot = (slot + 1) & mask)
        if (rely_slice_equal(kept[table[slot] - 1], text))
            return false;
    table[slot] = number;
    return true;
}

static struct rely_claim_value drop_repeated(struct rely_claim_value value, struct rely_pool *pool)
{
    size_t slots = 4, count = 0;
    while (slots < 2 * value.count)
        slots *= 2;
    uint32_t *table = rely_pool_alloc(pool, slots * sizeof *table);
    struct rely_slice *kept = rely_pool_alloc(pool, value.count * sizeof *kept);
    memset(table, 0, slots * sizeof *table);
    for (size_t i = 0; i < value.count; i++)
        if (is_text_new(kept, table, slots - 1, value.texts[i], (uint32_t)count + 1))
            kept[count++] = value.texts[i];
    return (struct rely_claim_value){kept, count};
}

static struct rely_said_place *place_of_claim(struct rely_said_once *once, struct rely_slice claim)
{
    size_t bytes = PLACES * sizeof *once->places;
    if (once->places == NULL) {
        once->places = rely_pool_alloc(once->pool, bytes);
        memset(once->places, 0, bytes);
    }
    return &once->places[rely_hash(claim, 0) % PLACES];
}

struct rely_claim_value rely_claim_said_once(struct rely_said_once *once, struct rely_slice claim)
{
    struct rely_said_place *place = place_of_claim(once, claim);
    if (place->claim.ptr != NULL && rely_slice_equal(place->claim, claim))
        return place->value;
    struct rely_claim_value value = rely_claim_said(once->view, claim, once->pool);
    if (value.count > 1)
        value = drop_repeated(value, once->pool);
    *place = (struct rely_said_place){claim, value};
    return value;
}
