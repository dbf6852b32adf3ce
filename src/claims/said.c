/*
 * What a verified payload says in any claim, as texts that an expression compares. Decides what counts as a text: a
 * string, a number or a truth value, and in a list each of them. Called by decide/, for the rules that ask.
 */
#include "relyd/said.h"

#include "relyd/pool.h"
#include "relyd/view.h"

/* RFC 6901 s4: digits without a leading zero. */
static bool read_place(struct rely_slice name, uint32_t *place)
{
    uint64_t value = 0;
    if (name.len == 0 || name.len > 9 || (name.ptr[0] == '0' && name.len > 1))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] < '0' || name.ptr[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(name.ptr[i] - '0');
    }
    *place = (uint32_t)value;
    return true;
}

static uint32_t find_in_list(const struct rely_view *view, uint32_t list, struct rely_slice name)
{
    uint32_t place;
    if (!read_place(name, &place) || place >= view->nodes[list].count)
        return 0;
    uint32_t item = rely_view_first(view, list);
    while (place-- > 0)
        item = rely_view_next(view, list, item);
    return item;
}

uint32_t rely_claim_find(const struct rely_view *view, struct rely_slice claim)
{
    struct rely_slice name;
    uint32_t at = 0;
    bool is_root = true;
    while (rely_claim_cut(&claim, &name)) {
        enum rely_view_type type = is_root ? RELY_VIEW_OBJECT : rely_view_type(view, at);
        if (type == RELY_VIEW_OBJECT)
            at = rely_view_member(view, at, name);
        else
            at = type == RELY_VIEW_ARRAY ? find_in_list(view, at, name) : 0;
        if (at == 0)
            return 0;
        is_root = false;
    }
    return at;
}

static struct rely_slice text_of(const struct rely_view *view, uint32_t value)
{
    switch (rely_view_type(view, value)) {
    case RELY_VIEW_STRING:
    case RELY_VIEW_NUMBER:
        return view->nodes[value].text;
    case RELY_VIEW_TRUE:
        return RELY_LIT("true");
    case RELY_VIEW_FALSE:
        return RELY_LIT("false");
    case RELY_VIEW_ABSENT:
    case RELY_VIEW_NULL:
    case RELY_VIEW_ARRAY:
    case RELY_VIEW_OBJECT:
        break;
    }
    return (struct rely_slice){NULL, 0};
}

static struct rely_claim_value list_texts_of(const struct rely_view *view, uint32_t list, struct rely_pool *pool)
{
    size_t count = 0;
    struct rely_slice *texts = rely_pool_alloc(pool, view->nodes[list].count * sizeof *texts);
    for (uint32_t item = rely_view_first(view, list); item != 0; item = rely_view_next(view, list, item)) {
        struct rely_slice text = text_of(view, item);
        if (text.ptr != NULL)
            texts[count++] = text;
    }
    return (struct rely_claim_value){texts, count};
}

bool rely_claim_is_mixed(const struct rely_view *view, struct rely_slice claim)
{
    uint32_t found = rely_claim_find(view, claim);
    if (rely_view_type(view, found) != RELY_VIEW_ARRAY)
        return false;
    for (uint32_t item = rely_view_first(view, found); item != 0; item = rely_view_next(view, found, item))
        if (text_of(view, item).ptr == NULL)
            return true;
    return false;
}

struct rely_claim_value rely_claim_said(const struct rely_view *view, struct rely_slice claim, struct rely_pool *pool)
{
    uint32_t found = rely_claim_find(view, claim);
    if (rely_view_type(view, found) == RELY_VIEW_ARRAY)
        return list_texts_of(view, found, pool);
    struct rely_slice text = text_of(view, found);
    if (text.ptr == NULL)
        return (struct rely_claim_value){NULL, 0};
    struct rely_slice *texts = rely_pool_alloc(pool, sizeof *texts);
    texts[0] = text;
    return (struct rely_claim_value){texts, 1};
}
