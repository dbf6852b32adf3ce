/*
 * schema: what is written about a kind of object, out of its fields: tables of docs/api.md, and JSON Schema.
 */
#ifndef RELYD_SCHEMA_H
#define RELYD_SCHEMA_H

#include "relyd/model.h"

/* The rows of docs/api.md: a kind's fields with type, limits, default and meaning. */
void rely_kind_print_docs(const struct rely_kind *kind, struct rely_buf *out);

/**
 * The JSON Schema (2020-12) of a kind's bodies: types, the limits that rely_record_read enforces, defaults, sentences.
 *
 * What no table can say (an issuer's URL, what goes together) is left out: a body may pass it and be refused. Answers
 * are bodies, too. Owner: the caller.
 */
struct rely_json *rely_kind_show_schema(const struct rely_kind *kind);
/* The same for answers, which have every member that is always shown. In: body_schema - that of bodies or a reference to
 * it; taken over. Owner: the caller. */
struct rely_json *rely_kind_show_answer_schema(const struct rely_kind *kind, struct rely_json *body_schema);

#endif
