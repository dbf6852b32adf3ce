/*
 * yaml: one YAML document as nodes with positions, and complaints about it that name file, line and column. Knows
 * neither settings nor objects.
 */
#ifndef RELYD_YAML_H
#define RELYD_YAML_H

#include "relyd/pool.h"
#include "relyd/text.h"

enum rely_yaml_kind { RELY_YAML_SCALAR, RELY_YAML_SEQUENCE, RELY_YAML_MAPPING };

/* A node of the document, in the pool of its reader. */
struct rely_yaml_node {
    enum rely_yaml_kind kind;
    bool is_plain;                /* a scalar without quotes */
    size_t line, column;          /* from 1 */
    struct rely_slice text;       /* of a scalar */
    struct rely_yaml_node *key;   /* of a value in a mapping */
    struct rely_yaml_node *first; /* children: items, or values with their keys */
    struct rely_yaml_node *next;  /* the next sibling */
    struct rely_yaml_node *parent;
};

/* What is wrong so far; more than RELY_COMPLAINTS_MAX are not written down. */
#define RELY_COMPLAINTS_MAX 100
struct rely_complaints {
    const char *name;     /* borrowed: the file's name */
    struct rely_buf *out; /* borrowed */
    size_t count;
};

/**
 * Read one YAML document of at most 8 levels, without anchors, aliases and tags.
 *
 * In:       text - limited by the caller.
 * Out:      *root - in the pool, NULL for an empty document.
 * Returns:  false after a complaint.
 */
bool rely_yaml_read(struct rely_slice text, struct rely_pool *pool, struct rely_yaml_node **root,
                    struct rely_complaints *complaints);

/* One complaint line. In: where - its position, or NULL when it is about nothing in the file. */
void rely_yaml_complain(struct rely_complaints *complaints, const struct rely_yaml_node *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Found, for a complaint: the value of a scalar, or the word for a collection. */
const char *rely_yaml_show(const struct rely_yaml_node *value, char out[RELY_QUOTED_SIZE]);

/* Is it no text: a plain scalar that is empty, `~` or `null`? */
bool rely_yaml_is_null(const struct rely_yaml_node *value);

#endif
