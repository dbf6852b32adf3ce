/*
 * Reads one JSON object into a flat array of nodes, strictly. Decides whether a text is the JSON that relyd
 * accepts: structure, nesting, and no member twice. Does not interpret members. Called by token.c for header and
 * payload, and by endpoints/ for request bodies. Words (strings, numbers) are read by view_text.c.
 */
#include "relyd/view.h"

#include "relyd/limits.h"
#include "relyd/pool.h"
#include "relyd/text.h"
#include "view_text.h"

#define NODES_AT_FIRST 64 /* a Kubernetes token bound to a pod and a node has 42 */
#define MEMBERS_COMPARED_MAX                                                                                           \
    16 /* above it a hash table is cheaper, and the attacker's choice is no longer quadratic                           \
        */

struct view_reader {
    struct rely_view_text text;
    struct rely_view_node *nodes; /* from the pool */
    uint32_t count;
    uint32_t room;
    uint32_t max_nodes;
    uint32_t depth;
};

static bool read_any_value(struct view_reader *reader);

static void grow_nodes(struct view_reader *reader)
{
    uint32_t room = reader->room == 0 ? NODES_AT_FIRST : reader->room * 2;
    struct rely_view_node *nodes = rely_pool_alloc(reader->text.pool, (size_t)room * sizeof *nodes);
    if (reader->count > 0)
        memcpy(nodes, reader->nodes, reader->count * sizeof *nodes);
    reader->nodes = nodes;
    reader->room = room;
}

/* The index of a new node; the text is set by the caller where there is one. */
static uint32_t push_node(struct view_reader *reader, enum rely_view_type type)
{
    if (reader->count == reader->room)
        grow_nodes(reader);
    uint32_t index = reader->count++;
    reader->nodes[index] = (struct rely_view_node){.type = (uint8_t)type, .next = index + 1};
    return index;
}

/* The next byte that is no white space (RFC 8259 s2); 0, which begins and ends nothing, at the end of the text. */
static char peek_token(struct rely_view_text *text)
{
    while (text->at < text->end) {
        char c = *text->at;
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            return c;
        text->at++;
    }
    return 0;
}

static bool take_token(struct rely_view_text *text, char wanted)
{
    if (peek_token(text) != wanted)
        return false;
    text->at++;
    return true;
}

static bool read_string_node(struct view_reader *reader)
{
    uint32_t index = push_node(reader, RELY_VIEW_STRING);
    return rely_view_text_string(&reader->text, &reader->nodes[index].text);
}

static bool read_number_node(struct view_reader *reader)
{
    uint32_t index = push_node(reader, RELY_VIEW_NUMBER);
    return rely_view_text_number(&reader->text, &reader->nodes[index].text);
}

static bool read_word_node(struct view_reader *reader, enum rely_view_type type, struct rely_slice word)
{
    struct rely_view_text *text = &reader->text;
    if (!rely_slice_starts(rely_slice(text->at, (size_t)(text->end - text->at)), word))
        return rely_view_text_fail(text, "unknown word");
    text->at += word.len;
    push_node(reader, type);
    return true;
}

/* --- no member twice ----------------------------------------------------------------------------- */

static bool is_name_among(const struct view_reader *reader, uint32_t first, uint32_t name)
{
    for (uint32_t other = first; other != name; other = reader->nodes[other + 1].next)
        if (rely_slice_equal(reader->nodes[other].text, reader->nodes[name].text))
            return true;
    return false;
}

/* One of 64 bits: names whose bits differ differ, and most do. */
static uint64_t name_bit(struct rely_slice name)
{
    if (name.len == 0)
        return 1;
    size_t mixed = name.len * 31 + (size_t)(unsigned char)name.ptr[0] * 7 + (unsigned char)name.ptr[name.len - 1];
    return UINT64_C(1) << (mixed & 63);
}

static bool few_names_repeat(const struct view_reader *reader, uint32_t object)
{
    uint64_t seen = 0;
    uint32_t first = object + 1;
    for (uint32_t name = first; name < reader->count; name = reader->nodes[name + 1].next) {
        uint64_t bit = name_bit(reader->nodes[name].text);
        if ((seen & bit) != 0 && is_name_among(reader, first, name))
            return true;
        seen |= bit;
    }
    return false;
}

static bool many_names_repeat(const struct view_reader *reader, uint32_t object, uint32_t members)
{
    size_t slots = 64;
    while (slots < (size_t)members * 2)
        slots *= 2;
    uint32_t *table = rely_pool_alloc(reader->text.pool, slots * sizeof *table);
    memset(table, 0, slots * sizeof *table); /* 0 = free: the root is no name */
    for (uint32_t name = object + 1; name < reader->count; name = reader->nodes[name + 1].next) {
        struct rely_slice text = reader->nodes[name].text;
        size_t slot = rely_hash(text, 0) & (slots - 1);
        for (; table[slot] != 0; slot = (slot + 1) & (slots - 1))
            if (rely_slice_equal(reader->nodes[table[slot]].text, text))
                return true;
        table[slot] = name;
    }
    return false;
}

/* --- containers ------------------------------------------------------------------------------------ */

/* The opening bracket is the next byte. Depth also bounds the recursion, so a stranger cannot exhaust the stack. */
static bool open_container(struct view_reader *reader, enum rely_view_type type, uint32_t *index)
{
    if (reader->depth == RELY_JSON_DEPTH_MAX)
        return rely_view_text_fail(&reader->text, "nested too deep");
    reader->depth++;
    reader->text.at++;
    *index = push_node(reader, type);
    return true;
}

static void close_container(struct view_reader *reader, uint32_t index, uint32_t count)
{
    reader->depth--;
    reader->nodes[index].count = count;
    reader->nodes[index].next = reader->count;
}

static bool read_array(struct view_reader *reader)
{
    uint32_t self, count = 0;
    if (!open_container(reader, RELY_VIEW_ARRAY, &self))
        return false;
    if (!take_token(&reader->text, ']')) {
        do {
            if (!read_any_value(reader))
                return false;
            count++;
        } while (take_token(&reader->text, ','));
        if (!take_token(&reader->text, ']'))
            return rely_view_text_fail(&reader->text, "comma or ] expected");
    }
    close_container(reader, self, count);
    return true;
}

static bool read_member(struct view_reader *reader)
{
    if (peek_token(&reader->text) != '"')
        return rely_view_text_fail(&reader->text, "member name expected");
    if (!read_string_node(reader))
        return false;
    if (!take_token(&reader->text, ':'))
        return rely_view_text_fail(&reader->text, "colon expected");
    return read_any_value(reader);
}

static bool read_object(struct view_reader *reader)
{
    uint32_t self, count = 0;
    if (!open_container(reader, RELY_VIEW_OBJECT, &self))
        return false;
    if (!take_token(&reader->text, '}')) {
        do {
            if (!read_member(reader))
                return false;
            count++;
        } while (take_token(&reader->text, ','));
        if (!take_token(&reader->text, '}'))
            return rely_view_text_fail(&reader->text, "comma or } expected");
    }
    close_container(reader, self, count);
    /* {"sub":"attacker","sub":"builder"}: two readers that keep different ones see different tokens. */
    bool repeats =
        count <= MEMBERS_COMPARED_MAX ? few_names_repeat(reader, self) : many_names_repeat(reader, self, count);
    return repeats ? rely_view_text_fail(&reader->text, "duplicate member") : true;
}

static bool read_any_value(struct view_reader *reader)
{
    char c = peek_token(&reader->text);
    if (reader->count >= reader->max_nodes)
        return rely_view_text_fail(&reader->text, "too many values");
    switch (c) {
    case '"':
        return read_string_node(reader);
    case '{':
        return read_object(reader);
    case '[':
        return read_array(reader);
    case 't':
        return read_word_node(reader, RELY_VIEW_TRUE, RELY_LIT("true"));
    case 'f':
        return read_word_node(reader, RELY_VIEW_FALSE, RELY_LIT("false"));
    case 'n':
        return read_word_node(reader, RELY_VIEW_NULL, RELY_LIT("null"));
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return read_number_node(reader);
        return rely_view_text_fail(&reader->text, "value expected");
    }
}

static bool read_document(struct view_reader *reader)
{
    /* Nodes are counted in 32 bits. */
    if ((size_t)(reader->text.end - reader->text.at) > INT32_MAX)
        return rely_view_text_fail(&reader->text, "too long");
    if (peek_token(&reader->text) != '{')
        return rely_view_text_fail(&reader->text, "not an object");
    if (!read_object(reader))
        return false;
    peek_token(&reader->text);
    return reader->text.at == reader->text.end || rely_view_text_fail(&reader->text, "text behind the object");
}

bool rely_view_parse(struct rely_slice text, struct rely_pool *pool, struct rely_view *out, const char **fault)
{
    return rely_view_parse_within(text, UINT32_MAX, pool, out, fault);
}

bool rely_view_parse_within(struct rely_slice text, uint32_t max_nodes, struct rely_pool *pool, struct rely_view *out,
                            const char **fault)
{
    struct view_reader reader = {.max_nodes = max_nodes};
    if (text.len > 0) {
        reader.text.at = text.ptr;
        reader.text.end = text.ptr + text.len;
    }
    reader.text.pool = pool;
    if (!read_document(&reader)) {
        *fault = reader.text.fault;
        return false;
    }
    *out = (struct rely_view){reader.nodes, reader.count};
    return true;
}

/* --- looking into a view ---------------------------------------------------------------------------- */

uint32_t rely_view_member(const struct rely_view *view, uint32_t object, struct rely_slice name)
{
    if (view->nodes[object].type != RELY_VIEW_OBJECT)
        return 0;
    for (uint32_t at = rely_view_first(view, object); at != 0; at = rely_view_next(view, object, at + 1))
        if (rely_slice_equal(view->nodes[at].text, name))
            return at + 1;
    return 0;
}

bool rely_view_number(const struct rely_view *view, uint32_t value, double *out)
{
    return rely_view_type(view, value) == RELY_VIEW_NUMBER && rely_view_text_value(view->nodes[value].text, out);
}
