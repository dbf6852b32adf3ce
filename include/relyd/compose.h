/*
 * compose: JSON documents that are made here, and the text of one. Reading is in json.h.
 */
#ifndef RELYD_COMPOSE_H
#define RELYD_COMPOSE_H

#include "relyd/json.h"

/* Builders. `set` and `append` take over the value (also on failure) and end the process when memory is out. */
struct rely_json *rely_json_object(void);
struct rely_json *rely_json_array(void);
struct rely_json *rely_json_of_text(struct rely_slice text); /* bytes that are no UTF-8 become U+FFFD */
struct rely_json *rely_json_of_integer(int64_t value);
struct rely_json *rely_json_of_bool(bool value);
struct rely_json *rely_json_of_null(void);
struct rely_json *rely_json_share(const struct rely_json *value); /* one more reference */
void rely_json_set(struct rely_json *object, const char *name, struct rely_json *value);
void rely_json_append(struct rely_json *array, struct rely_json *value);

/* Append the text of a value, members in the order they were set, compact. */
void rely_json_print(const struct rely_json *value, struct rely_buf *out);

#endif
