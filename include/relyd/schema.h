/*
 * schema: what is written about a kind of object, out of its fields: tables of docs/api.md.
 */
#ifndef RELYD_SCHEMA_H
#define RELYD_SCHEMA_H

#include "relyd/model.h"

/* The rows of docs/api.md: a kind's fields with type, limits, default and meaning. */
void rely_kind_print_docs(const struct rely_kind *kind, struct rely_buf *out);

#endif
