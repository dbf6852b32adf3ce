/*
 * view: one strict pass over a small JSON text into a flat array of nodes, for what is read on every request:
 * token headers, payloads and data-plane bodies. No value is converted before somebody asks for it. When to use this
 * and when json.h: the table there.
 */
#ifndef RELYD_VIEW_H
#define RELYD_VIEW_H

#include "relyd/base.h"

enum rely_view_type {
    RELY_VIEW_ABSENT = 0,
    RELY_VIEW_NULL,
    RELY_VIEW_FALSE,
    RELY_VIEW_TRUE,
    RELY_VIEW_NUMBER,
    RELY_VIEW_STRING,
    RELY_VIEW_ARRAY,
    RELY_VIEW_OBJECT
};

struct rely_view_node {
    uint8_t type;           /* enum rely_view_type; a member is its name (a STRING node) and then its value */
    uint32_t next;          /* index behind this value and all that it holds */
    uint32_t count;         /* ARRAY: elements, OBJECT: members */
    struct rely_slice text; /* STRING: decoded; NUMBER: as written. Points into the input, or the pool if escaped */
};

/* Borrowed from the pool and the text that it was parsed from. */
struct rely_view {
    const struct rely_view_node *nodes; /* nodes[0] is the root, an object */
    uint32_t count;
};

/**
 * Read one JSON object.
 *
 * Spec:     RFC 8259; RFC 3629 for UTF-8; RFC 7515 s4 and RFC 7519 s4: duplicate members are refused, at any depth,
 *           compared after unescaping. U+0000 and lone surrogates are refused (a C string would end there),
 *           so are a BOM, trailing bytes and nesting deeper than RELY_JSON_DEPTH_MAX.
 * In:       text - any bytes; the caller has limited its length.
 * Out:      *out - set only on true; pool and text must outlive it.
 *           *fault - on false: a static phrase, such as "duplicate member".
 * Cost:     one pass; the nodes' array in the pool doubles as it fills; members are compared in sub-quadratic time.
 */
bool rely_view_parse(struct rely_slice text, struct rely_pool *pool, struct rely_view *out, const char **fault);
/* The same of at most some max_nodes nodes, for texts so long that their nodes would be much: each takes as much as 16
 * short values. */
bool rely_view_parse_within(struct rely_slice text, uint32_t max_nodes, struct rely_pool *pool, struct rely_view *out,
                            const char **fault);

/* The value of a member of the object at `object`, or 0 when it is absent or `object` is no object. Names match byte
 * for byte. Ask the type of what was found before looking into it: 0 as `object` is the root. */
uint32_t rely_view_member(const struct rely_view *view, uint32_t object, struct rely_slice name);
/* RELY_VIEW_ABSENT for index 0 of anything that rely_view_member returned; the root itself is an OBJECT. */
static inline enum rely_view_type rely_view_type(const struct rely_view *view, uint32_t value)
{
    return value == 0 ? RELY_VIEW_ABSENT : (enum rely_view_type)view->nodes[value].type;
}
/* The first element of an array or the first member's name of an object, 0 when it is empty. */
static inline uint32_t rely_view_first(const struct rely_view *view, uint32_t container)
{
    return view->nodes[container].count == 0 ? 0 : container + 1;
}
/* What follows inside the same container, 0 at its end. For a name, the value is at name + 1 and the next name at
 * rely_view_next(container, value). */
static inline uint32_t rely_view_next(const struct rely_view *view, uint32_t container, uint32_t value)
{
    uint32_t next = view->nodes[value].next;
    return next < view->nodes[container].next ? next : 0;
}
/* A number as double; false when it is no number or overflows a double. */
bool rely_view_number(const struct rely_view *view, uint32_t value, double *out);

#endif
