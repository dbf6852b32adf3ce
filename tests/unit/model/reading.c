/*
 * Reads a body as a write would, for the tests of what comes of it.
 */
#include "tests.h"

void read_as_kind(struct reading *reading, const struct rely_kind *kind, const char *text, const void *before)
{
    static const struct rely_model_rules rules = {.may_use_http = true, .may_use_system_names = false};
    struct rely_err err = {0};
    memset(reading, 0, sizeof *reading);
    rely_pool_init(&reading->pool);
    reading->json = rely_json_parse(rely_slice_of(text), &err);
    assert_non_null(reading->json);
    struct rely_body body = {.kind = kind,
                             .json = reading->json,
                             .before = before,
                             .rules = &rules,
                             .pool = &reading->pool,
                             .problems = &reading->problems};
    assert_true(rely_record_check_body(&body));
    bool is_given = (rely_kind_name_field(kind)->flags & RELY_FIELD_READ_ONLY) != 0;
    assert_true(rely_record_read_name(&body, is_given && before != NULL ? rely_record_name(kind, before)
                                                                        : (struct rely_slice){NULL, 0}));
    rely_record_check_members(&body);
    rely_record_read(&body, &reading->record);
}

void read_as(struct reading *reading, enum rely_object object, const char *text, const void *before)
{
    read_as_kind(reading, rely_kind_of(object), text, before);
}

void end_reading(struct reading *reading)
{
    rely_json_free(reading->json);
    rely_pool_fini(&reading->pool);
}
