/*
 * What the files of these tests share.
 */
#ifndef TESTS_UNIT_MODEL_H
#define TESTS_UNIT_MODEL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relyd/json.h"
#include "relyd/model.h"
#include "relyd/pool.h"

/* One body read. */
struct reading {
    struct rely_pool pool;
    struct rely_problems problems;
    struct rely_json *json;
    union rely_any_record record;
};

/* The text of a body, read as one that creates an object or, with a record before it, replaces it. */
void read_as(struct reading *reading, enum rely_object object, const char *text, const void *before);
void read_as_kind(struct reading *reading, const struct rely_kind *kind, const char *text, const void *before);
void end_reading(struct reading *reading);

int run_patch_tests(void);
int run_record_tests(void);
int run_schema_tests(void);
int run_shorthand_tests(void);
int run_url_tests(void);

#endif
